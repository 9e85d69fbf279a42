// SPDX-License-Identifier: GPL-2.0
/*
 * The NVM command set. Every command is a prep (validate, copy what the guest
 * could change) and an issue (act), in one table at the end.
 */

#include <linux/blk-cgroup.h>
#include <linux/blkdev.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "vhost_nvme.h"

/* FUSE and PSDT of the command's flags: neither fused commands nor SGLs. */
#define VN_FLAGS_REFUSED	(NVME_CMD_FUSE_FIRST | NVME_CMD_FUSE_SECOND | \
				 NVME_CMD_SGL_ALL)
/* Directive type of Read's and Write's control field; none is supported. */
#define VN_RW_DTYPE		(0xf << 4)

/* NVM 1.0, 2.2 and Base 2.0, 3.3.3.2.1; DNR where trying again cannot help */
static u16 vn_blk_status(const struct vn_req *req, blk_status_t status)
{
	switch (status) {
	case BLK_STS_OK:
		return NVME_SC_SUCCESS;
	case BLK_STS_NOSPC:
		return NVME_SC_CAP_EXCEEDED | NVME_STATUS_DNR;
	case BLK_STS_TARGET:
	case BLK_STS_INVAL:
		return NVME_SC_INTERNAL | NVME_STATUS_DNR;
	case BLK_STS_NOTSUPP:
		return NVME_SC_INVALID_OPCODE | NVME_STATUS_DNR;
	case BLK_STS_RESV_CONFLICT:
		return NVME_SC_RESERVATION_CONFLICT | NVME_STATUS_DNR;
	case BLK_STS_MEDIUM:
	case BLK_STS_PROTECTION:
		return (vn_req_is_read(req) ? NVME_SC_READ_ERROR :
					      NVME_SC_WRITE_FAULT) |
		       NVME_STATUS_DNR;
	case BLK_STS_IOERR:
		return vn_req_is_read(req) ? NVME_SC_READ_ERROR :
					     NVME_SC_WRITE_FAULT;
	default:
		return NVME_SC_INTERNAL;
	}
}

static u16 vn_errno_status(const struct vn_req *req, int err)
{
	return vn_blk_status(req, errno_to_blk_status(err));
}

static sector_t vn_sector(const struct vn_ns *ns, u64 lba)
{
	return lba << (ns->lba_shift - SECTOR_SHIFT);
}

static u16 vn_check_range(const struct vn_ns *ns, u64 slba, u64 nlb)
{
	if (slba > ns->nlb || nlb > ns->nlb - slba)
		return NVME_SC_LBA_RANGE | NVME_STATUS_DNR;
	return NVME_SC_SUCCESS;
}

static u16 vn_check_writable(const struct vn_ns *ns)
{
	return ns->rdonly ? NVME_SC_NS_WRITE_PROTECTED | NVME_STATUS_DNR :
			    NVME_SC_SUCCESS;
}

/*
 * Execution where waiting for the disk holds up nobody else. The bio carries
 * the worker's cgroup there: I/O for a VM is not charged to a kworker.
 */

static void vn_deferred_work(struct work_struct *work)
{
	struct vn_req *req = container_of(work, struct vn_req, work);

	kthread_associate_blkcg(bio_blkcg_css(&req->bio));
	bio_uninit(&req->bio);
	req->op->issue(req);
	kthread_associate_blkcg(NULL);
}

static void vn_req_defer(struct vn_req *req)
{
	struct vn_sq *sq = req->sq;
	struct block_device *bdev = NULL;

	if (req->ns && vn_worker_is_current(sq->cq->worker))
		bdev = req->ns->bdev;
	bio_init(&req->bio, bdev, NULL, 0, 0);
	INIT_WORK(&req->work, vn_deferred_work);
	queue_work(sq->ctrl->blocking_wq, &req->work);
}

/*
 * Read, Write and Flush: one bio
 */

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
		req->status = vn_blk_status(req, bio->bi_status);
	bio_uninit(bio);
	if (read && req->bounce && !req->status)
		vn_data_sync(req, true);
	if (unlikely(read && !vn_data_dirty(req))) {
		INIT_WORK(&req->work, vn_redirty_work);
		queue_work(vn_wq, &req->work);
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
 */
static void vn_bio_submit(struct bio *bio)
{
	const struct queue_limits *lim = &bdev_get_queue(bio->bi_bdev)->limits;
	struct bio *piece;
	unsigned int segs;
	int sectors;

	if (!(bio->bi_opf & REQ_NOWAIT) || bio->bi_iter.bi_size <= PAGE_SIZE) {
		submit_bio(bio);
		return;
	}
	for (;;) {
		bio->bi_opf &= ~REQ_NOWAIT;
		sectors = bio_split_rw_at(bio, lim, &segs,
					  vn_bio_max_bytes(bio, lim));
		bio->bi_opf |= REQ_NOWAIT;
		if (sectors <= 0)
			break;
		piece = bio_split(bio, sectors, GFP_NOWAIT, &vn_bio_set);
		if (IS_ERR_OR_NULL(piece)) {
			bio->bi_status = BLK_STS_AGAIN;
			bio_endio(bio);
			return;
		}
		bio_chain(piece, bio);
		submit_bio(piece);
		if (unlikely(READ_ONCE(bio->bi_status))) {
			bio_endio(bio);
			return;
		}
	}
	submit_bio(bio);
}

/*
 * The worker does not wait: hence REQ_NOWAIT, and REQ_IDLE with REQ_SYNC, which
 * together keep writeback throttling away.
 */
static void vn_bio_issue(struct vn_req *req)
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
		if (rw->control & cpu_to_le16(NVME_RW_FUA))
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
	vn_bio_submit(bio);
}

/* Read with FUA: what the disk has cached is committed first. */
static void vn_read_fua_issue(struct vn_req *req)
{
	int err = blkdev_issue_flush(req->ns->bdev);

	if (!err) {
		vn_bio_issue(req);
		return;
	}
	req->status = vn_errno_status(req, err);
	vn_data_unmap(req, true);
	vn_req_complete(req);
}

static const struct vn_op vn_read_fua_op = {
	.issue		= vn_read_fua_issue,
	.blocking	= true,
};

/* NVM 1.0, 3.2.4 Read, 3.2.6 Write */
static u16 vn_rw_prep(struct vn_req *req)
{
	struct nvme_rw_command *rw = &req->cmd.rw;
	struct vn_ns *ns = req->ns;
	u64 nlb = le16_to_cpu(rw->length) + 1ULL;
	u64 len = nlb << ns->lba_shift;
	u16 status = NVME_SC_SUCCESS;

	if (len > VN_MAX_TRANSFER ||
	    rw->control & cpu_to_le16(VN_RW_DTYPE))
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
		if (rw->control & cpu_to_le16(NVME_RW_FUA))
			req->op = &vn_read_fua_op;
		req->sq->read_bytes += len;
	} else {
		if (req->bounce)
			vn_data_sync(req, false);
		req->sq->write_bytes += len;
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

static void vn_flush_all_issue(struct vn_req *req)
{
	struct vn_flush_all *all = req->data;
	unsigned int i;
	int err, first = 0;

	for (i = 0; i < all->nr; i++) {
		err = blkdev_issue_flush(all->ns[i]->bdev);
		if (err && !first)
			first = err;
		vn_ns_put(all->ns[i]);
	}
	kfree(all);
	req->status = vn_errno_status(req, first);
	vn_req_complete(req);
}

static const struct vn_op vn_flush_all_op = {
	.issue		= vn_flush_all_issue,
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
	req->op = &vn_flush_all_op;
	return NVME_SC_SUCCESS;
}

static u16 vn_flush_prep(struct vn_req *req)
{
	u32 nsid = le32_to_cpu(req->cmd.common.nsid);

	if (nsid == NVME_NSID_ALL)
		return vn_flush_all_prep(req);
	req->ns = vn_ns_get(req->sq->ctrl, nsid);
	if (!req->ns)
		return NVME_SC_INVALID_NS | NVME_STATUS_DNR;
	return NVME_SC_SUCCESS;
}

/*
 * Write Zeroes (NVM 1.0, 3.2.8). The disk's own function, or zeroes written.
 */

static u16 vn_write_zeroes_prep(struct vn_req *req)
{
	struct nvme_write_zeroes_cmd *wz = &req->cmd.write_zeroes;
	u16 status = vn_check_writable(req->ns);

	if (status)
		return status;
	return vn_check_range(req->ns, le64_to_cpu(wz->slba),
			      le16_to_cpu(wz->length) + 1ULL);
}

static void vn_write_zeroes_issue(struct vn_req *req)
{
	struct nvme_write_zeroes_cmd *wz = &req->cmd.write_zeroes;
	struct vn_ns *ns = req->ns;
	unsigned int flags = BLKDEV_ZERO_NOUNMAP;
	int err;

	if (wz->control & cpu_to_le16(NVME_WZ_DEAC) && !ns->nodealloc)
		flags = 0;
	err = blkdev_issue_zeroout(ns->bdev,
				   vn_sector(ns, le64_to_cpu(wz->slba)),
				   vn_sector(ns, le16_to_cpu(wz->length) + 1ULL),
				   GFP_KERNEL, flags);
	if (!err && wz->control & cpu_to_le16(NVME_RW_FUA))
		err = blkdev_issue_flush(ns->bdev);
	req->status = vn_errno_status(req, err);
	vn_req_complete(req);
}

/*
 * Dataset Management (NVM 1.0, 3.2.3). All but Deallocate are hints; so is
 * Deallocate for a disk that cannot.
 */

static bool vn_dsm_deallocates(const struct vn_req *req)
{
	return req->cmd.dsm.attributes & cpu_to_le32(NVME_DSMGMT_AD) &&
	       !req->ns->nodealloc;
}

/* The Number of Ranges is an 8-bit field, 0's based. */
static unsigned int vn_dsm_ranges(const struct vn_req *req)
{
	return (le32_to_cpu(req->cmd.dsm.nr) & 0xff) + 1;
}

static u16 vn_dsm_prep(struct vn_req *req)
{
	unsigned int i, nr = vn_dsm_ranges(req);
	struct nvme_dsm_range *range;
	u16 status;

	if (!vn_dsm_deallocates(req))
		return NVME_SC_SUCCESS;
	status = vn_check_writable(req->ns);
	if (status)
		return status;

	range = kmalloc_array(nr, sizeof(*range), GFP_KERNEL_ACCOUNT);
	if (!range)
		return NVME_SC_INTERNAL;
	status = vn_prp_copy(req, range, nr * sizeof(*range));
	for (i = 0; i < nr && !status; i++)
		status = vn_check_range(req->ns, le64_to_cpu(range[i].slba),
					le32_to_cpu(range[i].nlb));
	if (status) {
		kfree(range);
		return status;
	}
	req->data = range;
	return NVME_SC_SUCCESS;
}

static void vn_dsm_issue(struct vn_req *req)
{
	struct nvme_dsm_range *range = req->data;
	unsigned int i, nr = range ? vn_dsm_ranges(req) : 0;
	struct vn_ns *ns = req->ns;
	sector_t sector, nr_sects;
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		if (!range[i].nlb)
			continue;
		sector = vn_sector(ns, le64_to_cpu(range[i].slba));
		nr_sects = vn_sector(ns, le32_to_cpu(range[i].nlb));
		err = blkdev_issue_discard(ns->bdev, sector, nr_sects,
					   GFP_KERNEL);
		if (err == -EOPNOTSUPP)
			err = 0;
	}
	kfree(range);
	req->status = vn_errno_status(req, err);
	vn_req_complete(req);
}

static const struct vn_op vn_ops[256] = {
	[nvme_cmd_flush] = {
		.prep		= vn_flush_prep,
		.issue		= vn_bio_issue,
		.any_ns		= true,
	},
	[nvme_cmd_write] = {
		.prep		= vn_rw_prep,
		.issue		= vn_bio_issue,
	},
	[nvme_cmd_read] = {
		.prep		= vn_rw_prep,
		.issue		= vn_bio_issue,
	},
	[nvme_cmd_write_zeroes] = {
		.prep		= vn_write_zeroes_prep,
		.issue		= vn_write_zeroes_issue,
		.blocking	= true,
	},
	[nvme_cmd_dsm] = {
		.prep		= vn_dsm_prep,
		.issue		= vn_dsm_issue,
		.blocking	= true,
	},
};

/**
 * vn_nvm_opcodes - which commands there are
 * @opcodes: bit mask to fill
 */
void vn_nvm_opcodes(u64 opcodes[4])
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vn_ops); i++)
		if (vn_ops[i].prep)
			opcodes[i / 64] |= BIT_ULL(i % 64);
}

/**
 * vn_nvm_prep - decode a command and check everything about it
 * @req: with its cmd; everything else is set here
 *
 * Context: the worker; may sleep and fault on guest memory, does no I/O.
 * Return: NVMe status, for @req->status.
 */
u16 vn_nvm_prep(struct vn_req *req)
{
	const struct vn_op *op = &vn_ops[req->cmd.common.opcode];

	req->ns = NULL;
	req->op = op;
	req->bv = NULL;
	req->nr_bv = 0;
	req->bounce = NULL;
	req->nr_bounce = 0;
	req->len = 0;
	req->data = NULL;

	if (!op->prep)
		return NVME_SC_INVALID_OPCODE | NVME_STATUS_DNR;
	if (req->cmd.common.flags & VN_FLAGS_REFUSED)
		return NVME_SC_INVALID_FIELD | NVME_STATUS_DNR;
	if (!op->any_ns) {
		req->ns = vn_ns_get(req->sq->ctrl,
				    le32_to_cpu(req->cmd.common.nsid));
		if (!req->ns)
			return NVME_SC_INVALID_NS | NVME_STATUS_DNR;
	}
	return op->prep(req);
}

/*
 * Submitting does not wait: the disk says so if it would, or is only memory.
 * Looked at for each command, since it changes with a device mapper table.
 */
static bool vn_ns_is_prompt(const struct vn_ns *ns)
{
	return bdev_nowait(ns->bdev) || bdev_synchronous(ns->bdev);
}

/**
 * vn_nvm_issue - execute a command that vn_nvm_prep() saw
 * @req: with its status; if that is not success, it completes at once
 *
 * Context: the worker, under a plug. @req may be gone on return.
 */
void vn_nvm_issue(struct vn_req *req)
{
	if (req->status) {
		vn_data_unmap(req, false);
		vn_req_complete(req);
	} else if (req->op->blocking || !vn_ns_is_prompt(req->ns)) {
		vn_req_defer(req);
	} else {
		req->op->issue(req);
	}
}
