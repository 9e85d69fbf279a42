// SPDX-License-Identifier: GPL-2.0
/* The module, its device node, and the dispatch of its ioctls. */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "vhost_nvme.h"

/* What VHOST_GET_FEATURES shows */
#define VN_FEATURES	(BIT_ULL(VHOST_NVME_F_PIN) | \
			 BIT_ULL(VHOST_NVME_F_POLL_DISK))

/* The number of an ioctl whose structure grows, and with it the size in there */
#define VN_SIZED(cmd)	((cmd) & ~(_IOC_SIZEMASK << _IOC_SIZESHIFT))

struct workqueue_struct *vn_wq;
struct bio_set vn_bio_set;

static long vn_set_features(struct vn_ctrl *ctrl, const u64 __user *arg)
{
	unsigned int i;
	u64 features;

	if (copy_from_user(&features, arg, sizeof(features)))
		return -EFAULT;
	if (features & ~VN_FEATURES)
		return -EOPNOTSUPP;
	if (ctrl->mem)
		return -EBUSY;
	ctrl->pin = features & BIT_ULL(VHOST_NVME_F_PIN);
	ctrl->poll_disks = features & BIT_ULL(VHOST_NVME_F_POLL_DISK);
	for (i = 0; i < ctrl->nr_workers; i++)
		WRITE_ONCE(ctrl->workers[i]->poll_disks, ctrl->poll_disks);
	return 0;
}

static long vn_get_features(u64 __user *arg)
{
	u64 features = VN_FEATURES;

	return copy_to_user(arg, &features, sizeof(features)) ? -EFAULT : 0;
}

/**
 * vn_put_sized - return a structure that may grow
 * @arg: where the caller wants it
 * @user_size: how much it has room for
 * @from: the structure, in which size is what the kernel knows
 * @size: the same
 *
 * The caller gets as much as both sides know.
 *
 * Return: 0 or -EFAULT.
 */
int vn_put_sized(void __user *arg, u32 user_size, const void *from, u32 size)
{
	return copy_to_user(arg, from, min(user_size, size)) ? -EFAULT : 0;
}

static long vn_get_caps(void __user *arg)
{
	struct vhost_nvme_caps caps = {
		.size		 = sizeof(caps),
		.max_queues	 = VN_MAX_QUEUES,
		.max_entries	 = VN_MAX_ENTRIES,
		.max_nsid	 = VN_MAX_NSID,
		.max_transfer	 = VN_MAX_TRANSFER,
		.max_mem_regions = VN_MAX_MEM_REGIONS,
		.max_dsm_ranges	 = VN_MAX_DSM_RANGES,
		.max_poll_us	 = VN_MAX_POLL_US,
		.min_page_shift	 = VN_MIN_PAGE_SHIFT,
		.max_page_shift	 = VN_MAX_PAGE_SHIFT,
		.min_lba_shift	 = VN_MIN_LBA_SHIFT,
		.max_lba_shift	 = VN_MAX_LBA_SHIFT,
		.max_workers	 = VN_MAX_WORKERS,
		.max_errors	 = VN_MAX_ERRORS,
		.max_copy_ranges = VN_MAX_COPY_RANGES,
		.sgls		 = VN_SGLS,
		.copy_formats	 = VN_COPY_FORMATS,
	};
	u32 size;

	if (get_user(size, (u32 __user *)arg))
		return -EFAULT;
	if (size < VHOST_NVME_CAPS_SIZE_V1)
		return -EINVAL;
	vn_nvm_opcodes(caps.opcodes);
	return vn_put_sized(arg, size, &caps, sizeof(caps));
}

static long vn_set_poll(struct vn_ctrl *ctrl, const struct vhost_nvme_poll *arg)
{
	unsigned int i;

	if (arg->poll_us > VN_MAX_POLL_US || arg->irq_us > VN_MAX_POLL_US)
		return -EINVAL;
	ctrl->poll_max_ns = (u64)arg->poll_us * NSEC_PER_USEC;
	ctrl->irq_max_ns = (u64)arg->irq_us * NSEC_PER_USEC;
	for (i = 0; i < ctrl->nr_workers; i++) {
		WRITE_ONCE(ctrl->workers[i]->poll_max_ns, ctrl->poll_max_ns);
		WRITE_ONCE(ctrl->workers[i]->irq_max_ns, ctrl->irq_max_ns);
	}
	return 0;
}

/* Those that need an owner. */
static long vn_ioctl_locked(struct vn_ctrl *ctrl, unsigned int cmd,
			    unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	union {
		struct vhost_nvme_ns		ns;
		struct vhost_nvme_cq		cq;
		struct vhost_nvme_sq		sq;
		struct vhost_nvme_dbbuf		dbbuf;
		struct vhost_nvme_doorbell	doorbell;
		struct vhost_nvme_poll		poll;
		struct vhost_nvme_workers	workers;
		struct vhost_nvme_coalesce	coalesce;
		struct vhost_nvme_ctrl		ctrl;
	} u;

	/* Only the commands with a fixed structure of input. */
	if (_IOC_TYPE(cmd) == VHOST_VIRTIO && _IOC_DIR(cmd) == _IOC_WRITE &&
	    cmd != VHOST_SET_MEM_TABLE && cmd != VHOST_SET_FEATURES) {
		if (_IOC_SIZE(cmd) > sizeof(u))
			return -ENOIOCTLCMD;
		if (copy_from_user(&u, argp, _IOC_SIZE(cmd)))
			return -EFAULT;
	}

	if (VN_SIZED(cmd) == VN_SIZED(VHOST_NVME_GET_STATS))
		return vn_stats_get(ctrl, argp);

	switch (cmd) {
	case VHOST_SET_FEATURES:
		return vn_set_features(ctrl, argp);
	case VHOST_SET_MEM_TABLE:
		return vn_mem_set(ctrl, argp);
	case VHOST_NVME_SET_NS:
		return vn_ns_set(ctrl, &u.ns);
	case VHOST_NVME_CREATE_CQ:
		return vn_cq_create(ctrl, &u.cq);
	case VHOST_NVME_CREATE_SQ:
		return vn_sq_create(ctrl, &u.sq);
	case VHOST_NVME_DELETE_SQ:
		return vn_sq_delete(ctrl, arg);
	case VHOST_NVME_DELETE_CQ:
		return vn_cq_delete(ctrl, arg);
	case VHOST_NVME_RESET:
		vn_ctrl_reset(ctrl);
		return 0;
	case VHOST_NVME_SET_DBBUF:
		return vn_dbbuf_set(ctrl, &u.dbbuf);
	case VHOST_NVME_DOORBELL:
		return vn_doorbell(ctrl, &u.doorbell);
	case VHOST_NVME_SET_POLL:
		return vn_set_poll(ctrl, &u.poll);
	case VHOST_NVME_SET_WORKERS:
		return vn_ctrl_set_workers(ctrl, &u.workers);
	case VHOST_NVME_SET_CTRL:
		return vn_ctrl_set(ctrl, &u.ctrl);
	case VHOST_NVME_SET_COALESCE:
		return vn_irq_coalesce_set(ctrl, &u.coalesce);
	case VHOST_NVME_GET_ERRORS:
		return vn_errors_get(ctrl, argp);
	default:
		return -ENOIOCTLCMD;
	}
}

static long vn_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vn_ctrl *ctrl = file->private_data;
	void __user *argp = (void __user *)arg;
	struct mm_struct *mm;
	long ret;

	if (cmd == VHOST_GET_FEATURES)
		return vn_get_features(argp);
	if (VN_SIZED(cmd) == VN_SIZED(VHOST_NVME_GET_CAPS))
		return vn_get_caps(argp);

	/*
	 * Who holds the lock may wait for the owner's memory, for as long as a
	 * userfaultfd does not answer: no other process waits for that.
	 */
	mm = smp_load_acquire(&ctrl->mm);	/* before tgid */
	if (cmd == VHOST_SET_OWNER) {
		if (mm)
			return -EBUSY;
	} else if (mm != current->mm || ctrl->tgid != task_tgid(current)) {
		return -EPERM;
	}

	if (mutex_lock_killable(&ctrl->lock))
		return -EINTR;
	if (cmd == VHOST_SET_OWNER)
		ret = vn_ctrl_set_owner(ctrl);
	else if (READ_ONCE(ctrl->dead))
		ret = -ESRCH;
	else
		ret = vn_ioctl_locked(ctrl, cmd, arg);
	mutex_unlock(&ctrl->lock);
	return ret;
}

static ssize_t vn_read(struct file *file, char __user *buf, size_t len,
		       loff_t *pos)
{
	struct vn_ctrl *ctrl = file->private_data;
	struct vhost_nvme_event ev;
	ssize_t done = 0;
	int err;

	if (len < sizeof(ev))
		return -EINVAL;
	while (len - done >= sizeof(ev)) {
		if (!vn_event_take(ctrl, &ev)) {
			if (done)
				break;
			if (file->f_flags & O_NONBLOCK)
				return -EAGAIN;
			err = wait_event_interruptible(ctrl->events.wait,
						       vn_event_pending(ctrl));
			if (err)
				return err;
			continue;
		}
		if (copy_to_user(buf + done, &ev, sizeof(ev))) {
			/* Not lost: it is pending again */
			vn_event(ctrl, ev.type, ev.id);
			return done ?: -EFAULT;
		}
		done += sizeof(ev);
	}
	return done;
}

static __poll_t vn_poll(struct file *file, poll_table *pt)
{
	struct vn_ctrl *ctrl = file->private_data;

	poll_wait(file, &ctrl->events.wait, pt);
	return vn_event_pending(ctrl) ? EPOLLIN | EPOLLRDNORM : 0;
}

static int vn_open(struct inode *inode, struct file *file)
{
	struct vn_ctrl *ctrl = vn_ctrl_create();

	if (!ctrl)
		return -ENOMEM;
	file->private_data = ctrl;
	return stream_open(inode, file);
}

static int vn_release(struct inode *inode, struct file *file)
{
	vn_ctrl_release(file->private_data);
	return 0;
}

static const struct file_operations vn_fops = {
	.owner		= THIS_MODULE,
	.open		= vn_open,
	.release	= vn_release,
	.unlocked_ioctl	= vn_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.read		= vn_read,
	.poll		= vn_poll,
};

static struct miscdevice vn_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "vhost-nvme",
	.fops	= &vn_fops,
	.mode	= 0600,
};

static int __init vn_init(void)
{
	int err;

	err = bioset_init(&vn_bio_set, BIO_POOL_SIZE, 0, 0);
	if (err)
		return err;
	vn_wq = alloc_workqueue("vhost-nvme-free", WQ_UNBOUND, 0);
	if (!vn_wq) {
		err = -ENOMEM;
		goto err_bio_set;
	}
	err = misc_register(&vn_misc);
	if (err)
		goto err_wq;
	return 0;

err_wq:
	destroy_workqueue(vn_wq);
err_bio_set:
	bioset_exit(&vn_bio_set);
	return err;
}
module_init(vn_init);

static void __exit vn_exit(void)
{
	misc_deregister(&vn_misc);
	destroy_workqueue(vn_wq);
	bioset_exit(&vn_bio_set);
}
module_exit(vn_exit);

MODULE_DESCRIPTION("NVMe I/O queues of virtual machines, served by the host kernel");
MODULE_AUTHOR("The vhost-nvme developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
