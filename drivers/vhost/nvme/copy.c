// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that go through a buffer which exists as long as a step: Compare, Verify,
 * Copy, and those of Read and Write for which there is no bounce buffer.
 */

#include <linux/blkdev.h>
#include <linux/slab.h>

#include "nvm.h"

/**
 * struct vn_buf - memory for the data of a step
 * @nr: number of pages
 * @bv: them
 */
struct vn_buf {
	unsigned int	nr;
	struct bio_vec	bv[VN_COPY_STEP / PAGE_SIZE];
};

static void vn_buf_free(struct vn_buf *buf)
{
	while (buf->nr)
		__free_page(buf->bv[--buf->nr].bv_page);
	kfree(buf);
}

static struct vn_buf *vn_buf_alloc(u32 len)
{
	struct vn_buf *buf;
	struct page *page;

	buf = kmalloc(sizeof(*buf), GFP_KERNEL);
	if (!buf)
		return NULL;
	for (buf->nr = 0; len; buf->nr++) {
		page = alloc_page(GFP_KERNEL);
		if (!page) {
			vn_buf_free(buf);
			return NULL;
		}
		bvec_set_page(&buf->bv[buf->nr], page,
			      min_t(u32, len, PAGE_SIZE), 0);
		len -= buf->bv[buf->nr].bv_len;
	}
	return buf;
}

/* Transfers @len bytes between the buffer and the disk, and waits. */
static int vn_buf_rw(struct vn_buf *buf, struct vn_ns *ns, sector_t sector,
		     u32 len, blk_opf_t opf)
{
	struct bio bio;
	int err;

	bio_init(&bio, ns->bdev, buf->bv, buf->nr, opf);
	bio.bi_vcnt = buf->nr;
	bio.bi_iter.bi_sector = sector;
	bio.bi_iter.bi_size = len;
	err = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return err;
}

/* Are these @len bytes of the buffer those of the guest's data from @pos on? */
static bool vn_buf_equals(const struct vn_buf *buf, const struct vn_req *req,
			  u32 pos, u32 len)
{
	struct bvec_iter gi = { .bi_size = req->len }, bi = { .bi_size = len };
	struct bio_vec guest, own;
	const void *p, *q;
	bool equal = true;
	u32 n;

	bvec_iter_advance(req->bv, &gi, pos);
	while (bi.bi_size && equal) {
		guest = bvec_iter_bvec(req->bv, gi);
		own = bvec_iter_bvec(buf->bv, bi);
		n = min(guest.bv_len, own.bv_len);
		p = bvec_kmap_local(&guest);
		q = bvec_kmap_local(&own);
		equal = !memcmp(p, q, n);
		kunmap_local(q);
		kunmap_local(p);
		bvec_iter_advance(req->bv, &gi, n);
		bvec_iter_advance(buf->bv, &bi, n);
	}
	return equal;
}

/* Copies between the buffer and the guest's data from @pos on. */
static void vn_buf_copy(struct vn_buf *buf, struct vn_req *req, u32 pos,
			u32 len, bool to_guest)
{
	struct bvec_iter gi = { .bi_size = req->len }, bi = { .bi_size = len };
	struct bio_vec guest, own;
	void *p, *q;
	u32 n;

	bvec_iter_advance(req->bv, &gi, pos);
	while (bi.bi_size) {
		guest = bvec_iter_bvec(req->bv, gi);
		own = bvec_iter_bvec(buf->bv, bi);
		n = min(guest.bv_len, own.bv_len);
		/* A bit bucket has no page; @guest's is counted on from there. */
		if (req->bv[gi.bi_idx].bv_page) {
			p = bvec_kmap_local(&guest);
			q = bvec_kmap_local(&own);
			if (to_guest)
				memcpy(p, q, n);
			else
				memcpy(q, p, n);
			kunmap_local(q);
			kunmap_local(p);
		}
		bvec_iter_advance(req->bv, &gi, n);
		bvec_iter_advance(buf->bv, &bi, n);
	}
}

/* Read and Write for which there is no bounce buffer; see vn_rw_in_steps(). */
bool vn_rw_step(struct vn_req *req)
{
	sector_t sector = vn_sector(req->ns, le64_to_cpu(req->cmd.rw.slba)) +
			  (req->pos >> SECTOR_SHIFT);
	u32 len = min_t(u32, req->len - req->pos, VN_COPY_STEP);
	bool read = vn_req_is_read(req);
	blk_opf_t opf = REQ_OP_READ | REQ_SYNC;
	struct vn_buf *buf;
	int err = 0;

	buf = vn_buf_alloc(len);
	if (!buf) {
		req->status = NVME_SC_INTERNAL;
		return false;
	}
	if (!read) {
		opf = REQ_OP_WRITE | REQ_SYNC;
		if (vn_rw_fua(req))
			opf |= REQ_FUA;
		vn_buf_copy(buf, req, req->pos, len, false);
	} else if (!req->pos && vn_rw_fua(req)) {
		err = blkdev_issue_flush(req->ns->bdev);
	}
	if (!err)
		err = vn_buf_rw(buf, req->ns, sector, len, opf);
	if (read && !err)
		vn_buf_copy(buf, req, req->pos, len, true);
	vn_buf_free(buf);
	req->status = vn_errno_status(req->ns, err, read);
	req->pos += len;
	return !req->status && req->pos < req->len;
}

/*
 * Compare (NVM 1.0, 3.2.1), Verify (3.2.5)
 */

static u16 vn_compare_check(struct vn_req *req)
{
	req->pos = 0;
	return vn_check_range(req->ns, le64_to_cpu(req->cmd.rw.slba),
			      vn_rw_nlb(req));
}

u16 vn_compare_prep(struct vn_req *req)
{
	u64 len = vn_rw_nlb(req) << req->ns->lba_shift;
	u16 status;

	if (len > req->sq->ctrl->max_transfer)
		return NVME_SC_INVALID_FIELD | NVME_STATUS_DNR;
	status = vn_compare_check(req);
	if (!status)
		status = vn_data_map_cpu(req, len);
	if (!status)
		vn_count(req, VN_READ, 1, len);
	return status;
}

u16 vn_verify_prep(struct vn_req *req)
{
	u64 len = vn_rw_nlb(req) << req->ns->lba_shift;
	u16 status;

	if (len > req->sq->ctrl->max_verify)
		return NVME_SC_INVALID_FIELD | NVME_STATUS_DNR;
	status = vn_compare_check(req);
	if (!status)
		vn_count(req, VN_READ, 0, len);
	return status;
}

bool vn_compare_step(struct vn_req *req)
{
	struct nvme_rw_command *rw = &req->cmd.rw;
	struct vn_ns *ns = req->ns;
	u64 left = (vn_rw_nlb(req) << ns->lba_shift) - req->pos;
	sector_t sector = vn_sector(ns, le64_to_cpu(rw->slba)) +
			  (req->pos >> SECTOR_SHIFT);
	u32 len = min_t(u64, left, VN_COPY_STEP);
	struct vn_buf *buf;
	int err = 0;

	buf = vn_buf_alloc(len);
	if (!buf) {
		req->status = NVME_SC_INTERNAL;
		return false;
	}
	/* What the disk has cached is committed, and then read. */
	if (!req->pos && vn_rw_fua(req))
		err = blkdev_issue_flush(ns->bdev);
	if (!err)
		err = vn_buf_rw(buf, ns, sector, len, REQ_OP_READ | REQ_SYNC);
	if (err)
		req->status = vn_errno_status(ns, err, true);
	else if (rw->opcode == nvme_cmd_compare &&
		 !vn_buf_equals(buf, req, req->pos, len))
		req->status = NVME_SC_COMPARE_FAILED | NVME_STATUS_DNR;
	vn_buf_free(buf);
	req->pos += len;
	return !req->status && len < left;
}

/*
 * Copy (NVM 1.0, 3.2.2; NVM 1.1 for descriptor format 2)
 */

/* Copy Descriptor Formats 0 and 2; in the former, snsid is reserved */
struct vn_copy_desc {
	__le32	snsid;
	u8	reserved4[4];
	__le64	slba;
	__le16	nlb;
	u8	reserved18[14];
};

/**
 * struct vn_copy_range - a source range
 * @ns: namespace to read, with a reference
 * @slba: first block
 * @nlb: number of blocks
 */
struct vn_copy_range {
	struct vn_ns	*ns;
	u64		slba;
	u32		nlb;
};

/**
 * struct vn_copy - parameters and progress of a Copy command
 * @dlba: where the present range goes
 * @nr: number of ranges
 * @ranges: them
 */
struct vn_copy {
	u64			dlba;
	unsigned int		nr;
	struct vn_copy_range	ranges[] __counted_by(nr);
};

static void vn_copy_free(struct vn_copy *copy)
{
	unsigned int i;

	for (i = 0; i < copy->nr; i++)
		vn_ns_put(copy->ranges[i].ns);
	kfree(copy);
}

void vn_copy_end(struct vn_req *req)
{
	vn_copy_free(req->data);
}

static bool vn_copy_same_disk(const struct vn_ns *a, const struct vn_ns *b)
{
	return a->bdev->bd_disk == b->bdev->bd_disk;
}

/* A disk that does not answer holds up no command that needs only another one. */
static const struct vn_op vn_copy_across_op = {
	.step		= vn_copy_step,
	.end		= vn_copy_end,
	.blocking	= true,
	.other_disks	= true,
};

/* The namespaces are held, so that they stay what they are until the end. */
static u16 vn_copy_parse(struct vn_req *req, struct vn_copy *copy,
			 const struct vn_copy_desc *desc, unsigned int nr,
			 unsigned int format)
{
	u32 nsid = le32_to_cpu(req->cmd.rw.nsid);
	struct vn_copy_range *range;
	struct vn_ns *ns;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (format == 2)
			nsid = le32_to_cpu(desc[i].snsid);
		ns = vn_ns_get(req->sq->ctrl, nsid);
		if (!ns)
			return vn_no_ns(nsid);
		copy->nr++;
		range = &copy->ranges[i];
		range->ns = ns;
		range->slba = le64_to_cpu(desc[i].slba);
		range->nlb = le16_to_cpu(desc[i].nlb) + 1;
	}
	return NVME_SC_SUCCESS;
}

static u16 vn_copy_check_source(const struct vn_ns *ns,
				const struct vn_copy_range *range)
{
	if (range->ns->lba_shift != ns->lba_shift)
		return VN_SC_INCOMPATIBLE_NS | NVME_STATUS_DNR;
	if (range->nlb > range->ns->mssrl)
		return NVME_SC_CMD_SIZE_LIM_EXCEEDED | NVME_STATUS_DNR;
	return vn_check_range(range->ns, range->slba, range->nlb);
}

/*
 * All of it, before anything is written. Blocks that are both read and written are
 * for format 0 only.
 */
static u16 vn_copy_check(const struct vn_ns *ns, const struct vn_copy *copy,
			 unsigned int format)
{
	const struct vn_copy_range *range;
	unsigned int i;
	u64 nlb = 0;
	u16 status;

	for (i = 0; i < copy->nr; i++)
		nlb += copy->ranges[i].nlb;
	if (nlb > ns->mcl)
		return NVME_SC_CMD_SIZE_LIM_EXCEEDED | NVME_STATUS_DNR;
	status = vn_check_range(ns, copy->dlba, nlb);
	for (i = 0; i < copy->nr && !status; i++) {
		range = &copy->ranges[i];
		status = vn_copy_check_source(ns, range);
		if (!status && format == 2 && range->ns == ns &&
		    range->slba < copy->dlba + nlb &&
		    copy->dlba < range->slba + range->nlb)
			status = VN_SC_OVERLAPPING_RANGE | NVME_STATUS_DNR;
	}
	return status;
}

/* Identify Controller's OCFS, Host Behavior Support's CDFE, the namespace's format */
static u16 vn_copy_check_format(const struct vn_ctrl *ctrl, unsigned int format)
{
	if (!(BIT(format) & ctrl->copy_formats))
		return NVME_SC_INVALID_FIELD | NVME_STATUS_DNR;
	/* For guards of 64 bits: no namespace has one. */
	if (format & 1)
		return NVME_SC_INVALID_FORMAT | NVME_STATUS_DNR;
	return NVME_SC_SUCCESS;
}

static u16 vn_copy_get(struct vn_req *req, struct vn_copy *copy,
		       unsigned int nr, unsigned int format)
{
	struct vn_copy_desc *desc;
	u16 status;

	desc = kmalloc_array(nr, sizeof(*desc), GFP_KERNEL_ACCOUNT);
	if (!desc)
		return NVME_SC_INTERNAL;
	status = vn_data_copy(req, desc, nr * sizeof(*desc));
	if (!status)
		status = vn_copy_parse(req, copy, desc, nr, format);
	kfree(desc);
	return status ?: vn_copy_check(req->ns, copy, format);
}

u16 vn_copy_prep(struct vn_req *req)
{
	struct nvme_rw_command *rw = &req->cmd.rw;
	/* Number of Ranges, 0's based, and Descriptor Format */
	unsigned int nr = (le16_to_cpu(rw->length) & 0xff) + 1, i;
	unsigned int format = le16_to_cpu(rw->length) >> 8 & 0xf;
	struct vn_ns *ns = req->ns;
	struct vn_copy_range *range;
	struct vn_copy *copy;
	u64 len;
	u16 status;

	status = vn_copy_check_format(req->sq->ctrl, format);
	if (!status)
		status = vn_check_writable(ns);
	if (status)
		return status;
	if (nr > ns->msrc + 1)
		return NVME_SC_CMD_SIZE_LIM_EXCEEDED | NVME_STATUS_DNR;

	copy = kzalloc(struct_size(copy, ranges, nr), GFP_KERNEL_ACCOUNT);
	if (!copy)
		return NVME_SC_INTERNAL;
	copy->dlba = le64_to_cpu(rw->slba);
	status = vn_copy_get(req, copy, nr, format);
	if (status) {
		vn_copy_free(copy);
		return status;
	}

	for (i = 0; i < nr; i++) {
		range = &copy->ranges[i];
		len = (u64)range->nlb << ns->lba_shift;
		vn_count_ns(req, range->ns, VN_READ, 0, len);
		vn_count(req, VN_WRITE, 0, len);
		if (!vn_copy_same_disk(range->ns, ns))
			req->op = &vn_copy_across_op;
	}
	vn_req_write_through(req);
	req->data = copy;
	req->pos = 0;
	return NVME_SC_SUCCESS;
}

static u16 vn_copy_data(struct vn_ns *src, sector_t from, struct vn_ns *dst,
			sector_t to, u32 len)
{
	struct vn_buf *buf = vn_buf_alloc(len);
	u16 status;
	int err;

	if (!buf)
		return NVME_SC_INTERNAL;
	err = vn_buf_rw(buf, src, from, len, REQ_OP_READ | REQ_SYNC);
	status = vn_errno_status(src, err, true);
	if (!status) {
		err = vn_buf_rw(buf, dst, to, len, REQ_OP_WRITE | REQ_SYNC);
		status = vn_errno_status(dst, err, false);
	}
	vn_buf_free(buf);
	return status;
}

/*
 * Would copying from the start overwrite what is still to be read? Two namespaces
 * may be the same disk, or it and a partition of it.
 */
static bool vn_copy_overtakes(const struct vn_ns *src, sector_t from,
			      const struct vn_ns *dst, sector_t to, sector_t nr)
{
	if (!vn_copy_same_disk(src, dst))
		return false;
	from += src->bdev->bd_start_sect;
	to += dst->bdev->bd_start_sect;
	return to > from && to < from + nr;
}

/*
 * One range after the other, and each as if it was read as a whole before it is
 * written: if its steps would overtake themselves, from its end. Dword 0 tells the
 * lowest range that was not copied, if that is not all of them.
 */
bool vn_copy_step(struct vn_req *req)
{
	struct vn_copy *copy = req->data;
	const struct vn_copy_range *range = &copy->ranges[req->result];
	struct vn_ns *ns = req->ns, *src = range->ns;
	u64 size = (u64)range->nlb << ns->lba_shift;
	sector_t from = vn_sector(src, range->slba);
	sector_t to = vn_sector(ns, copy->dlba);
	u64 left = size - req->pos;
	u32 len = min_t(u64, left, VN_COPY_STEP);
	u64 off = req->pos;
	int err;

	if (vn_copy_overtakes(src, from, ns, to, size >> SECTOR_SHIFT))
		off = left - len;
	req->status = vn_copy_data(src, from + (off >> SECTOR_SHIFT),
				   ns, to + (off >> SECTOR_SHIFT), len);
	if (req->status)
		return false;
	req->pos += len;
	if (len < left)
		return true;

	copy->dlba += range->nlb;
	req->pos = 0;
	if (++req->result < copy->nr)
		return true;
	err = vn_rw_fua(req) ? blkdev_issue_flush(ns->bdev) : 0;
	req->status = vn_errno_status(ns, err, false);
	req->result = 0;
	return false;
}
