// SPDX-License-Identifier: GPL-2.0
/* Command builders and PRPs of any shape. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vng.h"

static void vng_cmd_init(struct vng_sqe *sqe, uint8_t opcode, uint32_t nsid)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->nsid = htole32(nsid);
}

void vng_cmd_rw(struct vng_sqe *sqe, uint8_t opcode, uint32_t nsid,
		uint64_t slba, uint32_t nlb)
{
	vng_cmd_init(sqe, opcode, nsid);
	sqe->cdw10 = htole32(slba);
	sqe->cdw11 = htole32(slba >> 32);
	sqe->cdw12 = htole32((nlb - 1) & 0xffff);
}

void vng_cmd_flush(struct vng_sqe *sqe, uint32_t nsid)
{
	vng_cmd_init(sqe, VNG_CMD_FLUSH, nsid);
}

void vng_cmd_write_zeroes(struct vng_sqe *sqe, uint32_t nsid, uint64_t slba,
			  uint32_t nlb, uint32_t cdw12_flags)
{
	vng_cmd_rw(sqe, VNG_CMD_WRITE_ZEROES, nsid, slba, nlb);
	sqe->cdw12 |= htole32(cdw12_flags);
}

void vng_cmd_dsm(struct vng_sqe *sqe, uint32_t nsid, unsigned int nr,
		 uint32_t attributes)
{
	vng_cmd_init(sqe, VNG_CMD_DSM, nsid);
	sqe->cdw10 = htole32((nr - 1) & 0xff);
	sqe->cdw11 = htole32(attributes);
}

void vng_range_set(struct vng_copy_range *range, uint32_t snsid, uint64_t slba,
		   uint32_t nlb)
{
	*range = (struct vng_copy_range) {
		.snsid = htole32(snsid),
		.slba = htole64(slba),
		.nlb = htole16(nlb - 1),
	};
}

void vng_cmd_copy(struct vng_sqe *sqe, uint32_t nsid, uint64_t dlba,
		  unsigned int nr, uint32_t cdw12_flags)
{
	vng_cmd_rw(sqe, VNG_CMD_COPY, nsid, dlba, 1);
	sqe->cdw12 = htole32(((nr - 1) & 0xff) | cdw12_flags);
}

/*
 * A list from @page[0] on. Only the last slot of a page can lead to the next
 * page of the list, and only if more than one entry is left for it.
 */
static int vng_prp_list(struct vng *g, struct vng_sqe *sqe,
			struct vng_prp *prp, const uint64_t *page,
			unsigned int nr)
{
	size_t size = (size_t)1 << g->page_shift;
	uint32_t slot = prp->list_offset / 8;
	uint64_t gpa, *list;

	gpa = vng_alloc(g, size, size);
	if (!gpa)
		return -ENOMEM;
	prp->list = gpa;
	sqe->prp2 = htole64(gpa + slot * 8);
	list = vng_ptr(g, gpa, size);
	while (nr) {
		if (slot == size / 8 - 1 && nr > 1) {
			gpa = vng_alloc(g, size, size);
			if (!gpa)
				return -ENOMEM;
			list[slot] = htole64(gpa);
			list = vng_ptr(g, gpa, size);
			slot = 0;
		}
		list[slot++] = htole64(*page++);
		nr--;
	}
	return 0;
}

int vng_prp_build(struct vng *g, struct vng_sqe *sqe, struct vng_prp *prp)
{
	prp->list = 0;
	sqe->prp1 = htole64(prp->page[0] + prp->offset);
	sqe->prp2 = 0;
	if (prp->nr == 1)
		return 0;
	if (prp->nr == 2) {
		sqe->prp2 = htole64(prp->page[1]);
		return 0;
	}
	return vng_prp_list(g, sqe, prp, prp->page + 1, prp->nr - 1);
}

int vng_prp_contig(struct vng *g, struct vng_sqe *sqe, uint64_t gpa,
		   size_t len)
{
	uint64_t mask = ((uint64_t)1 << g->page_shift) - 1;
	struct vng_prp prp = { .offset = gpa & mask };
	uint64_t *page;
	unsigned int i;
	int ret;

	prp.nr = (prp.offset + len + mask) >> g->page_shift;
	page = calloc(prp.nr, sizeof(*page));
	if (!page)
		return vng_fail(g, -ENOMEM, "%u PRPs", prp.nr);
	for (i = 0; i < prp.nr; i++)
		page[i] = (gpa & ~mask) + ((uint64_t)i << g->page_shift);
	prp.page = page;
	ret = vng_prp_build(g, sqe, &prp);
	free(page);
	return ret;
}

void vng_sgl_set(struct vng_sgl *sgl, unsigned int i, uint8_t type,
		 uint64_t gpa, uint32_t len)
{
	sgl[i] = (struct vng_sgl) {
		.addr = htole64(gpa),
		.len = htole32(len),
		.type = type,
	};
}

void vng_sgl_use(struct vng_sqe *sqe, uint8_t type, uint64_t gpa, uint32_t len)
{
	struct vng_sgl sgl;

	vng_sgl_set(&sgl, 0, type, gpa, len);
	memcpy(&sqe->prp1, &sgl, sizeof(sgl));
	sqe->flags = (sqe->flags & 0x3f) | VNG_PSDT_SGL;
}
