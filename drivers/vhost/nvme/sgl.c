// SPDX-License-Identifier: GPL-2.0
/*
 * SGLs (NVMe Base 2.0, 4.1.2): of any length and alignment, with bit buckets. Data
 * and segments are guest memory, never an offset or keyed.
 */

#include <linux/mm.h>
#include <linux/slab.h>

#include "vhost_nvme.h"

/* Type and sub type of a descriptor: the latter is 0, an address. */
#define VN_SGL_FMT_BIT_BUCKET	0x01
#define VN_SGL_DATA		(NVME_SGL_FMT_DATA_DESC << 4)
#define VN_SGL_BIT_BUCKET	(VN_SGL_FMT_BIT_BUCKET << 4)
#define VN_SGL_SEGMENT		(NVME_SGL_FMT_SEG_DESC << 4)
#define VN_SGL_LAST_SEGMENT	(NVME_SGL_FMT_LAST_SEG_DESC << 4)

/**
 * struct vn_sgl - a walk along the SGL of a command
 * @ctrl: controller
 * @read: data goes to the guest: bit buckets take some
 * @left: bytes of data that remain
 * @budget: descriptors that may still be in segments to come
 * @last: the present segment is a Last Segment
 * @next: guest physical address of the next descriptor to read of the segment
 * @more: number of them
 * @idx: next descriptor of @buf
 * @nr: valid descriptors of @buf
 * @buf: descriptors read: the one in the command, then the worker's scratch
 * @scratch: the worker's
 */
struct vn_sgl {
	struct vn_ctrl			*ctrl;
	bool				read;
	u32				left;
	u32				budget;
	bool				last;
	u64				next;
	u32				more;
	unsigned int			idx;
	unsigned int			nr;
	const struct nvme_sgl_desc	*buf;
	struct nvme_sgl_desc		*scratch;
};

/**
 * struct vn_sgl_piece - where some of the data is
 * @gpa: guest physical address
 * @len: bytes; 0 after all data
 * @bucket: nowhere: nobody wants it
 */
struct vn_sgl_piece {
	u64	gpa;
	u32	len;
	bool	bucket;
};

/* The descriptor in the command is a segment by itself. */
static void vn_sgl_init(struct vn_sgl *sgl, struct vn_req *req, u32 len)
{
	sgl->ctrl = req->sq->ctrl;
	sgl->read = vn_req_is_read(req);
	sgl->left = len;
	sgl->budget = VN_MAX_SGL_DESCS;
	sgl->last = false;
	sgl->more = 0;
	sgl->idx = 0;
	sgl->nr = 1;
	sgl->buf = &req->cmd.common.dptr.sgl;
	sgl->scratch = req->sq->cq->worker->sgls;
}

static u16 vn_sgl_read(struct vn_sgl *sgl)
{
	sgl->idx = 0;
	sgl->nr = min(sgl->more, VN_SGL_CHUNK);
	sgl->buf = sgl->scratch;
	if (vn_mem_read(sgl->ctrl, sgl->next, sgl->scratch,
			sgl->nr * sizeof(*sgl->buf)))
		return NVME_SC_DATA_XFER_ERROR;
	sgl->next += sgl->nr * sizeof(*sgl->buf);
	sgl->more -= sgl->nr;
	return NVME_SC_SUCCESS;
}

/* To the next segment. Segments may lead in a circle: the budget ends it. */
static u16 vn_sgl_follow(struct vn_sgl *sgl, const struct nvme_sgl_desc *desc)
{
	u64 addr = le64_to_cpu(desc->addr);
	u32 len = le32_to_cpu(desc->length);

	/* Only the last descriptor of a segment leads to another. */
	if (sgl->idx < sgl->nr || sgl->more)
		return NVME_SC_SGL_INVALID_COUNT | NVME_STATUS_DNR;
	if (sgl->last || addr & 7 || !len || len % sizeof(*desc) ||
	    addr + len < addr)
		return NVME_SC_SGL_INVALID_LAST | NVME_STATUS_DNR;
	sgl->last = desc->type == VN_SGL_LAST_SEGMENT;
	sgl->next = addr;
	sgl->more = len / sizeof(*desc);
	if (sgl->more > sgl->budget)
		return NVME_SC_SGL_INVALID_COUNT | NVME_STATUS_DNR;
	sgl->budget -= sgl->more;
	return NVME_SC_SUCCESS;
}

/*
 * The last piece is cut where the data ends: Linux always gives Dataset Management
 * the 4096 bytes of 256 ranges. Descriptors behind it must be empty.
 */
static u16 vn_sgl_next(struct vn_sgl *sgl, struct vn_sgl_piece *piece)
{
	const struct nvme_sgl_desc *desc;
	u16 status;
	u32 len;

	for (;;) {
		if (sgl->idx == sgl->nr) {
			if (!sgl->more)
				break;
			status = vn_sgl_read(sgl);
			if (status)
				return status;
		}
		desc = &sgl->buf[sgl->idx++];
		len = le32_to_cpu(desc->length);
		switch (desc->type) {
		case VN_SGL_SEGMENT:
		case VN_SGL_LAST_SEGMENT:
			status = vn_sgl_follow(sgl, desc);
			if (status)
				return status;
			continue;
		case VN_SGL_DATA:
			piece->gpa = le64_to_cpu(desc->addr);
			piece->bucket = false;
			if (piece->gpa + len < piece->gpa)
				return NVME_SC_SGL_INVALID_DATA |
				       NVME_STATUS_DNR;
			break;
		case VN_SGL_BIT_BUCKET:
			if (!sgl->read)
				continue;
			piece->bucket = true;
			break;
		default:
			return NVME_SC_SGL_INVALID_TYPE | NVME_STATUS_DNR;
		}
		if (!len)
			continue;
		if (!sgl->left)
			return NVME_SC_SGL_INVALID_DATA | NVME_STATUS_DNR;
		piece->len = min(len, sgl->left);
		sgl->left -= piece->len;
		return NVME_SC_SUCCESS;
	}
	piece->len = 0;
	return sgl->left ? NVME_SC_SGL_INVALID_DATA | NVME_STATUS_DNR :
			   NVME_SC_SUCCESS;
}

/* Room for the segments of another piece: a region may end with any such page */
static int vn_sgl_reserve(struct vn_req *req, unsigned int *max,
			  const struct vn_sgl_piece *piece)
{
	unsigned int nr = req->nr_bv + 1;
	struct bio_vec *bv;
	u64 off;

	if (!piece->bucket) {
		off = piece->gpa & (VHOST_PAGE_SIZE - 1);
		nr = req->nr_bv + DIV_ROUND_UP(off + piece->len,
					       VHOST_PAGE_SIZE);
	}
	if (nr <= *max)
		return 0;
	nr = max(nr, 2 * *max);
	if (req->bv == req->inline_bv) {
		bv = kmalloc_array(nr, sizeof(*bv),
				   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (bv)
			memcpy(bv, req->inline_bv, sizeof(req->inline_bv));
	} else {
		bv = krealloc_array(req->bv, nr, sizeof(*bv),
				    GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	}
	if (!bv)
		return -ENOMEM;
	req->bv = bv;
	*max = nr;
	return 0;
}

/**
 * vn_sgl_map - pin the guest memory that a command's SGL names
 * @req: the command, with its len, and bv for VN_INLINE_BVECS segments
 *
 * A bit bucket becomes a segment without page. vn_data_unmap() undoes it all,
 * whatever the result.
 *
 * Context: the worker; may sleep and fault on guest memory.
 * Return: NVMe status.
 */
u16 vn_sgl_map(struct vn_req *req)
{
	unsigned int max = VN_INLINE_BVECS;
	struct vn_sgl_piece piece;
	struct vn_sgl sgl;
	u16 status;

	vn_sgl_init(&sgl, req, req->len);
	for (;;) {
		status = vn_sgl_next(&sgl, &piece);
		if (status || !piece.len)
			return status;
		if (vn_sgl_reserve(req, &max, &piece))
			return NVME_SC_INTERNAL;
		if (piece.bucket) {
			bvec_set_page(&req->bv[req->nr_bv++], NULL, piece.len,
				      0);
			continue;
		}
		status = vn_data_add(req, piece.gpa, piece.len);
		if (status)
			return status;
	}
}

/**
 * vn_sgl_copy - copy a command's parameters from the guest
 * @req: a command that comes with an SGL
 * @buf: where to
 * @len: bytes
 *
 * Context: the worker.
 * Return: NVMe status.
 */
u16 vn_sgl_copy(struct vn_req *req, void *buf, u32 len)
{
	struct vn_sgl_piece piece;
	struct vn_sgl sgl;
	u16 status;

	vn_sgl_init(&sgl, req, len);
	for (;;) {
		status = vn_sgl_next(&sgl, &piece);
		if (status || !piece.len)
			return status;
		if (vn_mem_read(sgl.ctrl, piece.gpa, buf, piece.len))
			return NVME_SC_DATA_XFER_ERROR;
		buf += piece.len;
	}
}
