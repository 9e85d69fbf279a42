// SPDX-License-Identifier: GPL-2.0
/*
 * Read, Write and Flush: one bio, with the guest's memory as its data. Where that
 * can be avoided, nothing here waits.
 */

#include <linux/blkdev.h>
#include <linux/slab.h>

#include "nvm.h"

static void vn_redirty_work(struct work_struct *work)
{
	struct vn_req *req = container_of(work, struct vn_req, work);

	vn_data_unmap(req, true);
	vn_req_complete(req);
}

/* Any context: must not sleep. */
static void vn_bio_end_io(struct bio *bio)
{
	struct vn_req *req = bio->bi_private;
	bool read = vn_req_is_read(req);

	if (unlikely(req->polled))
		vn_poll_del(req);
	/* It would have to wait, or has just become a disk that cannot tell. */
	if (unlikely(bio->bi_opf & REQ_NOWAIT &&
		     (bio->bi_status == BLK_STS_AGAIN ||
		      bio->bi_status == BLK_STS_NOTSUPP))) {
		atomic_long_inc(&req->sq->retries);
		bio_uninit(bio);
		vn_req_defer(req);
		return;
	}

	if (unlikely(bio->bi_status))
		req->status = vn_blk_status(req->ns, bio->bi_status, read);
	bio_uninit(bio);
	if (read && req->bounce && !req->status)
		vn_data_sync(req, true);
	if (unlikely(read && !vn_data_dirty(req))) {
		INIT_WORK(&req->work, vn_redirty_work);
		queue_work(req->ns->turns->wq, &req->work);
		return;
	}
	vn_data_unmap(req, false);
	vn_req_complete(req);
}

/* As much from the bio's start as the disk takes at once, in bytes */
static unsigned int vn_bio_max_bytes(const struct bio *bio,
				     const struct queue_limits *lim)
{
	/* Limits are those of the whole disk. */
	sector_t start = bio->bi_bdev->bd_start_sect + bio->bi_iter.bi_sector;
	unsigned int max = lim->max_sectors, pbs;

	if (lim->chunk_sectors)
		max = min(max, blk_boundary_sectors_left(start,
							 lim->chunk_sectors));
	/* The next piece starts with a physical block if possible. */
	pbs = lim->physical_block_size >> SECTOR_SHIFT;
	if (max > pbs)
		max -= (start + max) & (pbs - 1);
	return max << SECTOR_SHIFT;
}

/*
 * The block layer does not split a bio that must not wait, but fails it. So what
 * is beyond the limits of the disk is split here. If that needs memory that
 * is not there, what remains fails like one that would wait: then the whole
 * command is done once more where it may.
 *
 * True if what is left of the bio is to be submitted.
 */
static noinline bool vn_bio_split(struct bio *bio)
{
	const struct queue_limits *lim = &bdev_get_queue(bio->bi_bdev)->limits;
	struct bio *piece;
	unsigned int segs;
	int sectors;

	for (;;) {
		bio->bi_opf &= ~REQ_NOWAIT;
		sectors = bio_split_rw_at(bio, lim, &segs,
					  vn_bio_max_bytes(bio, lim));
		bio->bi_opf |= REQ_NOWAIT;
		if (sectors <= 0)
			return true;
		piece = bio_split(bio, sectors, GFP_NOWAIT, &vn_bio_set);
		if (IS_ERR_OR_NULL(piece)) {
			bio->bi_status = BLK_STS_AGAIN;
			break;
		}
		bio_chain(piece, bio);
		submit_bio(piece);
		if (unlikely(READ_ONCE(bio->bi_status)))
			break;
	}
	bio_endio(bio);
	return false;
}

/*
 * The worker does not wait: hence REQ_NOWAIT, and REQ_IDLE with REQ_SYNC, which
 * together keep writeback throttling away.
 */
void vn_bio_issue(struct vn_req *req)
{
	struct nvme_rw_command *rw = &req->cmd.rw;
	struct vn_ns *ns = req->ns;
	struct bio_vec *bv = req->bounce ?: req->bv;
	unsigned int nr = req->bounce ? req->nr_bounce : req->nr_bv;
	struct bio *bio = &req->bio;
	blk_opf_t opf;

	switch (rw->opcode) {
	case nvme_cmd_read:
		opf = REQ_OP_READ;
		break;
	case nvme_cmd_write:
		opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE;
		if (vn_rw_fua(req))
			opf |= REQ_FUA;
		break;
	default:
		opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | REQ_PREFLUSH;
		break;
	}
	if (vn_worker_is_current(req->sq->cq->worker) && bdev_nowait(ns->bdev))
		opf |= REQ_NOWAIT;

	bio_init(bio, ns->bdev, bv, nr, opf);
	bio->bi_vcnt = nr;
	bio->bi_iter.bi_size = req->len;
	if (req->len)
		bio->bi_iter.bi_sector = vn_sector(ns, le64_to_cpu(rw->slba));
	bio->bi_private = req;
	bio->bi_end_io = vn_bio_end_io;
	/* One segment of a page needs no splitting. */
	if (bio->bi_opf & REQ_NOWAIT && (req->len > PAGE_SIZE || nr > 1) &&
	    !vn_bio_split(bio))
		return;
	if (unlikely(READ_ONCE(req->sq->cq->worker->poll_disks)))
		vn_poll_add(req);
	submit_bio(bio);
}

/* Read with FUA: what the disk has cached is committed first. */
static void vn_read_fua_issue(struct vn_req *req)
{
	int err = blkdev_issue_flush(req->ns->bdev);

	if (!err) {
		vn_bio_issue(req);
		return;
	}
	req->status = vn_errno_status(req->ns, err, true);
	vn_data_unmap(req, true);
	vn_req_complete(req);
}

static const struct vn_op vn_read_fua_op = {
	.issue		= vn_read_fua_issue,
	.blocking	= true,
};

static const struct vn_op vn_rw_step_op = {
	.step		= vn_rw_step,
	.blocking	= true,
};

/**
 * vn_rw_in_steps - have a Read or Write done in steps
 * @req: a command that cannot have a bounce buffer
 *
 * Context: the worker.
 */
void vn_rw_in_steps(struct vn_req *req)
{
	req->op = &vn_rw_step_op;
	req->pos = 0;
}

/* NVM 1.0, 3.2.4 Read, 3.2.6 Write */
u16 vn_rw_prep(struct vn_req *req)
{
	struct nvme_rw_command *rw = &req->cmd.rw;
	struct vn_ns *ns = req->ns;
	u64 nlb = vn_rw_nlb(req);
	u64 len = nlb << ns->lba_shift;
	u16 status = NVME_SC_SUCCESS;

	if (len > req->sq->ctrl->max_transfer)
		return NVME_SC_INVALID_FIELD | NVME_STATUS_DNR;
	if (!vn_req_is_read(req))
		status = vn_check_writable(ns);
	if (!status)
		status = vn_check_range(ns, le64_to_cpu(rw->slba), nlb);
	if (!status)
		status = vn_data_map(req, len);
	if (status)
		return status;

	if (vn_req_is_read(req)) {
		if (vn_rw_fua(req) && !req->op->step)
			req->op = &vn_read_fua_op;
		vn_count(req, VN_READ, 1, len);
	} else {
		vn_req_write_through(req);
		if (req->bounce)
			vn_data_sync(req, false);
		vn_count(req, VN_WRITE, 1, len);
	}
	return NVME_SC_SUCCESS;
}

/*
 * Flush of all namespaces (NSID FFFFFFFFh; Base 2.0, 7.1)
 */

struct vn_flush_all {
	unsigned int	nr;
	struct vn_ns	*ns[] __counted_by(nr);
};

static void vn_flush_all_end(struct vn_req *req)
{
	struct vn_flush_all *all = req->data;
	unsigned int i;

	for (i = 0; i < all->nr; i++)
		vn_ns_put(all->ns[i]);
	kfree(all);
}

/* One of them. If it fails the others are flushed all the same. */
static bool vn_flush_all_step(struct vn_req *req)
{
	struct vn_flush_all *all = req->data;
	struct vn_ns *ns;
	u16 status;
	int err;

	if (req->pos == all->nr)
		return false;
	ns = all->ns[req->pos++];
	err = blkdev_issue_flush(ns->bdev);
	status = vn_errno_status(ns, err, false);
	if (!req->status)
		req->status = status;
	return req->pos < all->nr;
}

static const struct vn_op vn_flush_all_op = {
	.step		= vn_flush_all_step,
	.end		= vn_flush_all_end,
	.blocking	= true,
};

static u16 vn_flush_all_prep(struct vn_req *req)
{
	struct vn_ctrl *ctrl = req->sq->ctrl;
	struct vn_flush_all *all;
	unsigned int nr = 0;
	u32 nsid;

	for (nsid = 1; nsid <= VN_MAX_NSID; nsid++)
		nr += !!ctrl->ns[nsid];
	all = kmalloc(struct_size(all, ns, nr), GFP_KERNEL_ACCOUNT);
	if (!all)
		return NVME_SC_INTERNAL;
	all->nr = nr;
	for (nsid = 1, nr = 0; nsid <= VN_MAX_NSID; nsid++)
		if (ctrl->ns[nsid])
			all->ns[nr++] = vn_ns_get(ctrl, nsid);
	req->data = all;
	req->pos = 0;
	req->op = &vn_flush_all_op;
	return NVME_SC_SUCCESS;
}

u16 vn_flush_prep(struct vn_req *req)
{
	u32 nsid = le32_to_cpu(req->cmd.common.nsid);

	if (nsid == NVME_NSID_ALL)
		return vn_flush_all_prep(req);
	req->ns = vn_ns_get(req->sq->ctrl, nsid);
	if (!req->ns)
		return vn_no_ns(nsid);
	return NVME_SC_SUCCESS;
}
