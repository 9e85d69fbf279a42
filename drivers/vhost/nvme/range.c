// SPDX-License-Identifier: GPL-2.0
/* Commands for ranges of blocks, without data: Write Zeroes, Dataset Management */

#include <linux/blkdev.h>
#include <linux/slab.h>

#include "nvm.h"

/*
 * Steps end at multiples of their size, and so where the disk's granules end,
 * if the partition does not hide them.
 */
static sector_t vn_step_sectors(sector_t start, sector_t left, u64 bytes)
{
	sector_t step = bytes >> SECTOR_SHIFT;

	return min(left, step - (start & (step - 1)));
}

/*
 * Write Zeroes (NVM 1.0, 3.2.8). The disk's own function, or zeroes written.
 */

u16 vn_write_zeroes_prep(struct vn_req *req)
{
	u16 status = vn_check_writable(req->ns);

	if (status)
		return status;
	req->pos = 0;
	vn_req_write_through(req);
	return vn_check_range(req->ns, le64_to_cpu(req->cmd.rw.slba),
			      vn_rw_nlb(req));
}

bool vn_write_zeroes_step(struct vn_req *req)
{
	struct nvme_write_zeroes_cmd *wz = &req->cmd.write_zeroes;
	struct vn_ns *ns = req->ns;
	sector_t start = vn_sector(ns, le64_to_cpu(wz->slba)) + req->pos;
	sector_t left = vn_sector(ns, vn_rw_nlb(req)) - req->pos, n;
	unsigned int flags = BLKDEV_ZERO_NOUNMAP;
	int err;

	if (wz->control & cpu_to_le16(NVME_WZ_DEAC) && !ns->nodealloc)
		flags = 0;
	n = vn_step_sectors(start, left, VN_ZERO_STEP);
	err = blkdev_issue_zeroout(ns->bdev, start, n, GFP_KERNEL, flags);
	if (!err && n < left) {
		req->pos += n;
		return true;
	}
	if (!err && vn_rw_fua(req))
		err = blkdev_issue_flush(ns->bdev);
	req->status = vn_errno_status(ns, err, false);
	return false;
}

/*
 * Dataset Management (NVM 1.0, 3.2.3). All but Deallocate are hints; so is
 * Deallocate for a disk that cannot.
 */

static const struct vn_op vn_hint_op = {
	.issue		= vn_req_complete,
};

/* The Number of Ranges is an 8-bit field, 0's based. */
static unsigned int vn_dsm_ranges(const struct vn_req *req)
{
	return (le32_to_cpu(req->cmd.dsm.nr) & 0xff) + 1;
}

u16 vn_dsm_prep(struct vn_req *req)
{
	unsigned int i, nr = vn_dsm_ranges(req);
	struct nvme_dsm_range *range;
	u16 status;

	if (!(req->cmd.dsm.attributes & cpu_to_le32(NVME_DSMGMT_AD)) ||
	    req->ns->nodealloc) {
		req->op = &vn_hint_op;
		return NVME_SC_SUCCESS;
	}
	status = vn_check_writable(req->ns);
	if (status)
		return status;

	range = kmalloc_array(nr, sizeof(*range), GFP_KERNEL_ACCOUNT);
	if (!range)
		return NVME_SC_INTERNAL;
	status = vn_data_copy(req, range, nr * sizeof(*range));
	for (i = 0; i < nr && !status; i++)
		status = vn_check_range(req->ns, le64_to_cpu(range[i].slba),
					le32_to_cpu(range[i].nlb));
	if (status) {
		kfree(range);
		return status;
	}
	req->data = range;
	req->range = 0;
	req->pos = 0;
	return NVME_SC_SUCCESS;
}

bool vn_dsm_step(struct vn_req *req)
{
	const struct nvme_dsm_range *ranges = req->data, *range;
	struct vn_ns *ns = req->ns;
	sector_t start, left, n;
	int err = 0;

	range = &ranges[req->range];
	start = vn_sector(ns, le64_to_cpu(range->slba)) + req->pos;
	left = vn_sector(ns, le32_to_cpu(range->nlb)) - req->pos;
	n = vn_step_sectors(start, left, VN_DISCARD_STEP);
	if (n)
		err = blkdev_issue_discard(ns->bdev, start, n, GFP_KERNEL);
	if (err == -EOPNOTSUPP)
		err = 0;
	if (!err && n < left) {
		req->pos += n;
		return true;
	}
	req->pos = 0;
	if (!err && ++req->range < vn_dsm_ranges(req))
		return true;
	/* What the guest reads there now is not to change by a loss of power. */
	if (!err && READ_ONCE(req->sq->ctrl->write_through))
		err = blkdev_issue_flush(ns->bdev);
	req->status = vn_errno_status(ns, err, false);
	return false;
}
