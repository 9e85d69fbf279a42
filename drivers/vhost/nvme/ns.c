// SPDX-License-Identifier: GPL-2.0
/* Namespaces: host block devices that the guest may address. */

#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/slab.h>

#include "vhost_nvme.h"

/* After the last command: the disk belongs to others again. */
static void vn_ns_free_work(struct work_struct *work)
{
	struct vn_ns *ns = container_of(work, struct vn_ns, free_work);
	struct vn_ctrl *ctrl = ns->ctrl;

	vn_turns_destroy(ns->turns);
	/* What other readers cached while the guest wrote is stale. */
	invalidate_bdev(ns->bdev);
	/* Not fput(), which puts it off: the event says that it is closed. */
	__fput_sync(ns->file);
	vn_event_ns_left(ns);
	kfree(ns);
	vn_ctrl_put(ctrl);
}

static int vn_ns_check(const struct vhost_nvme_ns *arg, struct file *file)
{
	struct block_device *bdev;
	u64 nlb;

	if (!S_ISBLK(file_inode(file)->i_mode))
		return -ENOTBLK;
	bdev = file_bdev(file);

	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	if (!(arg->flags & VHOST_NVME_NS_RDONLY) &&
	    (!(file->f_mode & FMODE_WRITE) || bdev_read_only(bdev)))
		return -EACCES;
	if (bdev_is_zoned(bdev))
		return -EOPNOTSUPP;
	if (bdev_logical_block_size(bdev) > 1U << arg->lba_shift)
		return -EINVAL;
	nlb = bdev_nr_bytes(bdev) >> arg->lba_shift;
	if (!nlb || arg->nlb > nlb)
		return -EINVAL;
	return 0;
}

static struct vn_ns *vn_ns_create(struct vn_ctrl *ctrl,
				  const struct vhost_nvme_ns *arg)
{
	struct vn_ns *ns, *old;
	struct file *file;
	int err;

	file = fget(arg->fd);
	if (!file)
		return ERR_PTR(-EBADF);
	err = vn_ns_check(arg, file);
	if (err)
		goto err_file;

	err = -ENOMEM;
	ns = kzalloc(sizeof(*ns), GFP_KERNEL_ACCOUNT);
	if (!ns)
		goto err_file;
	ns->turns = vn_turns_create("vhost-nvme-io",
				    file_bdev(file)->bd_disk);
	if (!ns->turns)
		goto err_free;

	ns->ctrl = ctrl;
	ns->nsid = arg->nsid;
	ns->file = file;
	ns->bdev = file_bdev(file);
	ns->lba_shift = arg->lba_shift;
	ns->nlb = arg->nlb ?: bdev_nr_bytes(ns->bdev) >> arg->lba_shift;
	ns->rdonly = arg->flags & VHOST_NVME_NS_RDONLY;
	ns->nodealloc = arg->flags & VHOST_NVME_NS_NODEALLOC;
	ns->mcl = arg->mcl;
	ns->mssrl = arg->mssrl;
	ns->msrc = arg->msrc;
	refcount_set(&ns->ref, 1);
	INIT_WORK(&ns->free_work, vn_ns_free_work);

	/*
	 * I/O goes past the page cache: write out what is in it, and drop it.
	 * An error here is one of those earlier writers, who learn of it from
	 * their own fsync(). A disk that only changes its size or format, or
	 * what the guest may do with it, was in use: then this does not wait
	 * for it.
	 */
	old = ctrl->ns[arg->nsid];
	if (!old || old->bdev != ns->bdev) {
		sync_blockdev(ns->bdev);
		invalidate_bdev(ns->bdev);
	}
	return ns;

err_free:
	kfree(ns);
err_file:
	fput(file);
	return ERR_PTR(err);
}

static void vn_ns_swap(struct vn_ctrl *ctrl, u32 nsid, struct vn_ns *ns)
{
	struct vn_ns *old;

	lockdep_assert_held(&ctrl->lock);

	if (ns)
		vn_ctrl_get(ctrl);
	vn_ctrl_pause(ctrl);
	old = ctrl->ns[nsid];
	ctrl->ns[nsid] = ns;
	if (old)
		vn_event_ns_leaves(old);
	vn_ctrl_resume(ctrl);
	if (old)
		vn_ns_put(old);
}

/**
 * vn_ns_remove - detach a namespace; commands in flight finish
 * @ctrl: controller, locked
 * @nsid: valid namespace identifier, need not be in use
 */
void vn_ns_remove(struct vn_ctrl *ctrl, u32 nsid)
{
	vn_ns_swap(ctrl, nsid, NULL);
}

/**
 * vn_ns_set - VHOST_NVME_SET_NS
 * @ctrl: controller, locked
 * @arg: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_ns_set(struct vn_ctrl *ctrl, const struct vhost_nvme_ns *arg)
{
	struct vn_ns *ns;

	if (!arg->nsid || arg->nsid > VN_MAX_NSID ||
	    arg->flags & ~VN_NS_FLAGS ||
	    memchr_inv(arg->reserved8, 0, sizeof(arg->reserved8)) ||
	    arg->reserved2 || arg->reserved)
		return -EINVAL;

	if (arg->fd == -1) {
		if (arg->flags || arg->lba_shift || arg->nlb || arg->mcl ||
		    arg->mssrl || arg->msrc)
			return -EINVAL;
		vn_ns_remove(ctrl, arg->nsid);
		return 0;
	}

	if (arg->lba_shift < VN_MIN_LBA_SHIFT ||
	    arg->lba_shift > VN_MAX_LBA_SHIFT)
		return -EINVAL;
	if (vn_event_ns_crowd(ctrl))
		return -EBUSY;
	ns = vn_ns_create(ctrl, arg);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	vn_ns_swap(ctrl, arg->nsid, ns);
	return 0;
}
