// SPDX-License-Identifier: GPL-2.0
/* A controller with one namespace and one pair of queues, ready to use */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "util.h"

static int box_prepare(struct box *b, const struct box_opts *o)
{
	unsigned int entries = o->entries ?: 64;
	struct vng *g = &b->g;
	int ret;

	if (o->path)
		ret = disk_open(&b->disk, o->path, o->lba_shift ?: 9);
	else
		ret = disk_create(&b->disk, o->disk_mib ?: 64,
				  o->lba_shift ?: 9, o->attrs);
	if (ret)
		return vng_fail(g, ret, "disk %s", o->path ?: "of null_blk");
	ret = vng_set_owner(g);
	if (ret)
		return ret;
	ret = vng_set_features(g, (uint64_t)o->pin << VHOST_NVME_F_PIN |
				  (uint64_t)o->poll_disks <<
				  VHOST_NVME_F_POLL_DISK);
	if (ret)
		return ret;
	ret = vng_mem_add(g, o->kind, BOX_GPA, (size_t)(o->mib ?: 32) << 20);
	if (ret < 0)
		return ret;
	if (o->page_shift)
		g->page_shift = o->page_shift;
	ret = vng_mem_publish(g);
	if (ret)
		return ret;
	ret = vng_set_ns(g, 1, b->disk.fd, b->disk.lba_shift, 0, 0);
	if (ret)
		return ret;
	ret = o->poll_us ? vng_set_poll(g, o->poll_us) : 0;
	if (ret)
		return ret;
	ret = o->no_shadow ? 0 : vng_dbbuf_on(g);
	if (ret || o->no_queues)
		return ret;
	return vng_cq_create(g, &b->cq, 1, o->cq_entries ?: entries,
			     VNG_KICK | (o->no_irq ? 0 : VNG_IEN)) ?:
	       vng_sq_create(g, &b->sq, 1, &b->cq, entries, VNG_KICK);
}

int box_start(struct box *b, const struct box_opts *opts)
{
	struct vng g;
	int ret;

	ret = vng_open(&g);
	if (ret) {
		b->g = g;
		return ret;
	}
	return box_adopt(b, &g, opts);
}

int box_adopt(struct box *b, const struct vng *g, const struct box_opts *opts)
{
	int ret;

	memset(b, 0, sizeof(*b));
	b->disk.fd = -1;
	b->disk.check = -1;
	b->g = *g;
	ret = box_prepare(b, opts);
	if (ret)
		box_stop(b);
	return ret;
}

void box_stop(struct box *b)
{
	vng_close(&b->g);
	disk_destroy(&b->disk);
}

int box_exec(struct vng_sq *sq, struct vng_sqe *sqe)
{
	struct vng_cqe cqe;

	return vng_exec(sq, sqe, &cqe) ?: vng_status(&cqe);
}

int box_rw(struct box *b, uint8_t opcode, uint64_t off, uint64_t gpa,
	   size_t len)
{
	unsigned int shift = b->disk.lba_shift;
	struct vng_sqe sqe;
	uint64_t mark = b->g.next;
	int ret;

	vng_cmd_rw(&sqe, opcode, 1, off >> shift, len >> shift);
	ret = vng_prp_contig(&b->g, &sqe, gpa, len);
	if (ret)
		return ret;
	ret = box_exec(&b->sq, &sqe);
	/* The command is over, and so is the use of its PRP list. */
	if (ret >= 0)
		b->g.next = mark;
	return ret;
}

int box_io(struct box *b, uint64_t buf, uint8_t opcode, uint32_t nsid,
	   uint64_t slba, uint32_t nlb, uint32_t cdw12)
{
	uint64_t mark = b->g.next;
	struct vng_sqe sqe;
	int ret;

	vng_cmd_rw(&sqe, opcode, nsid, slba, nlb);
	sqe.cdw12 |= htole32(cdw12);
	ret = vng_prp_contig(&b->g, &sqe, buf,
			     (size_t)nlb << b->disk.lba_shift) ?:
	      box_exec(&b->sq, &sqe);
	b->g.next = mark;
	return ret;
}

long box_check(struct box *b, uint64_t slba, size_t len, uint64_t seed)
{
	char *p = malloc(len);
	long ret = -2;

	if (p && !disk_read(&b->disk, slba << b->disk.lba_shift, p, len))
		ret = seed ? pattern_check(p, len, seed) : mem_check(p, 0, len);
	free(p);
	return ret;
}

int box_fill(struct box *b, uint64_t slba, size_t len, uint64_t seed)
{
	char *p = malloc(len);
	int ret = -ENOMEM;

	if (p) {
		pattern_fill(p, len, seed);
		ret = disk_write(&b->disk, slba << b->disk.lba_shift, p, len);
	}
	free(p);
	return ret;
}

int box_write_zeroes(struct box *b, uint64_t slba, uint32_t nlb, uint32_t cdw12)
{
	struct vng_sqe sqe;

	vng_cmd_write_zeroes(&sqe, 1, slba, nlb, cdw12);
	return box_exec(&b->sq, &sqe);
}

int box_copy(struct box *b, uint64_t buf, uint32_t nsid, uint64_t dlba,
	     unsigned int nr, uint32_t cdw12, uint32_t *dw0)
{
	uint64_t mark = b->g.next;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	int ret;

	vng_cmd_copy(&sqe, nsid, dlba, nr, cdw12);
	ret = vng_prp_contig(&b->g, &sqe, buf,
			     nr * sizeof(struct vng_copy_range)) ?:
	      vng_exec(&b->sq, &sqe, &cqe);
	b->g.next = mark;
	if (ret)
		return ret;
	*dw0 = le32toh(cqe.dw0);
	return vng_status(&cqe);
}

int box_dsm(struct box *b, uint64_t buf, const struct vng_dsm_range *range,
	    unsigned int nr, uint32_t attributes)
{
	struct vng_sqe sqe;
	uint64_t mark = b->g.next;
	int ret;

	memcpy(vng_ptr(&b->g, buf, nr * sizeof(*range)), range,
	       nr * sizeof(*range));
	vng_cmd_dsm(&sqe, 1, nr, attributes);
	ret = vng_prp_contig(&b->g, &sqe, buf, nr * sizeof(*range)) ?:
	      box_exec(&b->sq, &sqe);
	b->g.next = mark;
	return ret;
}
