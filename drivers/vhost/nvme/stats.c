// SPDX-License-Identifier: GPL-2.0
/* Counters, and the log of commands that failed. */

#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "nvm.h"

/* NVM 1.0, 4.1.4.1: the first LBA of commands that have one */
static u64 vn_error_lba(const struct nvme_command *cmd)
{
	switch (cmd->common.opcode) {
	case nvme_cmd_read:
	case nvme_cmd_write:
	case nvme_cmd_compare:
	case nvme_cmd_verify:
	case nvme_cmd_write_zeroes:
	case VN_CMD_COPY:
		return le64_to_cpu(cmd->rw.slba);
	default:
		return 0;
	}
}

/* The disk failed to read or write: no other media error comes from here. */
static bool vn_error_is_media(u16 status)
{
	status &= NVME_SCT_SC_MASK;
	return status == NVME_SC_READ_ERROR || status == NVME_SC_WRITE_FAULT;
}

/**
 * vn_error_log - count a command that failed, and remember it
 * @req: the command, with its status
 *
 * Context: any.
 */
void vn_error_log(const struct vn_req *req)
{
	struct vn_errors *errors = &req->sq->ctrl->errors;
	const struct nvme_command *cmd = &req->cmd;
	u32 nsid = le32_to_cpu(cmd->common.nsid), idx;
	struct vhost_nvme_error *e;
	unsigned long flags;

	spin_lock_irqsave(&errors->lock, flags);
	vn_add(&req->sq->errors, 1);
	e = &errors->ring[errors->total % VN_MAX_ERRORS];
	*e = (struct vhost_nvme_error) {
		.count	= ++errors->total,
		.lba	= vn_error_lba(cmd),
		.nsid	= nsid,
		.sqid	= req->sq->sqid,
		.cid	= le16_to_cpu((__force __le16)cmd->common.command_id),
		.status	= req->status,
		.opcode	= cmd->common.opcode,
	};
	if (nsid && nsid <= VN_MAX_NSID) {
		idx = array_index_nospec(nsid, VN_MAX_NSID + 1);
		errors->ns[idx]++;
		if (vn_error_is_media(req->status))
			errors->ns_media[idx]++;
	}
	spin_unlock_irqrestore(&errors->lock, flags);
}

/* Copies the newest @nr entries; returns how many there were. */
static u32 vn_errors_copy(struct vn_errors *errors, u32 nr,
			  struct vhost_nvme_error *to, u64 *total)
{
	u32 i;

	spin_lock_irq(&errors->lock);
	*total = errors->total;
	nr = min_t(u64, nr, errors->total);
	for (i = 0; i < nr; i++)
		to[i] = errors->ring[(errors->total - 1 - i) % VN_MAX_ERRORS];
	spin_unlock_irq(&errors->lock);
	return nr;
}

/**
 * vn_errors_get - VHOST_NVME_GET_ERRORS
 * @ctrl: controller, locked, with owner
 * @argp: struct vhost_nvme_errors of the caller
 *
 * Return: see the UAPI header, and -ENOMEM.
 */
int vn_errors_get(struct vn_ctrl *ctrl, void __user *argp)
{
	struct vhost_nvme_error *copy = NULL;
	struct vhost_nvme_errors arg;
	int err = 0;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved)
		return -EINVAL;
	arg.nr = min_t(u32, arg.nr, VN_MAX_ERRORS);
	if (arg.nr) {
		copy = kmalloc_array(arg.nr, sizeof(*copy), GFP_KERNEL_ACCOUNT);
		if (!copy)
			return -ENOMEM;
	}
	arg.nr = vn_errors_copy(&ctrl->errors, arg.nr, copy, &arg.total);
	if (copy_to_user(u64_to_user_ptr(arg.entries), copy,
			 arg.nr * sizeof(*copy)) ||
	    copy_to_user(argp, &arg, sizeof(arg)))
		err = -EFAULT;
	kfree(copy);
	return err;
}

static int vn_stats_sq(struct vn_ctrl *ctrl, struct vhost_nvme_stats *st)
{
	struct vn_sq *sq;

	if (!st->id || st->id > VN_MAX_QUEUES)
		return -ENOENT;
	sq = ctrl->sqs[array_index_nospec(st->id, VN_MAX_QUEUES + 1)];
	if (!sq)
		return -ENOENT;
	st->commands = READ_ONCE(sq->commands);
	st->errors = READ_ONCE(sq->errors);
	st->read_bytes = READ_ONCE(sq->bytes[VN_READ]);
	st->write_bytes = READ_ONCE(sq->bytes[VN_WRITE]);
	st->bounced = READ_ONCE(sq->bounced);
	st->retries = atomic_long_read(&sq->retries);
	/* One reference is for being served. */
	st->inflight = refcount_read(&sq->ref) - !sq->deleting;
	st->kicks = READ_ONCE(sq->kick.count);
	st->doorbells = sq->db.rings;
	return 0;
}

static int vn_stats_cq(struct vn_ctrl *ctrl, struct vhost_nvme_stats *st)
{
	struct vn_cq *cq;

	if (!st->id || st->id > VN_MAX_QUEUES)
		return -ENOENT;
	cq = ctrl->cqs[array_index_nospec(st->id, VN_MAX_QUEUES + 1)];
	if (!cq)
		return -ENOENT;
	st->cqes = READ_ONCE(cq->posted);
	st->irqs = atomic_long_read(&cq->irq.signals);
	st->full = READ_ONCE(cq->full);
	st->kicks = READ_ONCE(cq->kick.count);
	st->doorbells = cq->db.rings;
	return 0;
}

static int vn_stats_worker(struct vn_ctrl *ctrl, struct vhost_nvme_stats *st)
{
	struct vn_worker *worker;

	if (st->id >= ctrl->nr_workers)
		return -ENOENT;
	worker = ctrl->workers[array_index_nospec(st->id, VN_MAX_WORKERS)];
	st->tid = READ_ONCE(worker->tid);
	st->wakeups = READ_ONCE(worker->wakeups);
	st->passes = READ_ONCE(worker->passes);
	st->busy_passes = READ_ONCE(worker->busy_passes);
	st->poll_ns = min(READ_ONCE(worker->poll_ns),
			  READ_ONCE(worker->poll_max_ns));
	st->pinned_pages = atomic_long_read(&ctrl->locked_pages);
	return 0;
}

static int vn_stats_ns(struct vn_ctrl *ctrl, struct vhost_nvme_stats *st)
{
	struct vn_errors *errors = &ctrl->errors;
	const struct vn_count *count;
	unsigned int i;
	u32 nsid;

	if (!st->id || st->id > VN_MAX_NSID)
		return -ENOENT;
	nsid = array_index_nospec(st->id, VN_MAX_NSID + 1);
	for (i = 0; i < ctrl->nr_workers; i++) {
		count = &ctrl->workers[i]->counts[nsid];
		st->read_commands += READ_ONCE(count->commands[VN_READ]);
		st->write_commands += READ_ONCE(count->commands[VN_WRITE]);
		st->read_bytes += READ_ONCE(count->bytes[VN_READ]);
		st->write_bytes += READ_ONCE(count->bytes[VN_WRITE]);
	}
	spin_lock_irq(&errors->lock);
	st->errors = errors->ns[nsid];
	st->media_errors = errors->ns_media[nsid];
	spin_unlock_irq(&errors->lock);
	return 0;
}

/**
 * vn_stats_take_over - keep what a worker has counted
 * @to: a worker that stays
 * @from: one that has ended
 *
 * Context: their controller is locked, and has no queue.
 */
void vn_stats_take_over(struct vn_worker *to, const struct vn_worker *from)
{
	unsigned int nsid, dir;

	for (nsid = 1; nsid <= VN_MAX_NSID; nsid++) {
		for (dir = VN_READ; dir <= VN_WRITE; dir++) {
			to->counts[nsid].commands[dir] +=
				from->counts[nsid].commands[dir];
			to->counts[nsid].bytes[dir] +=
				from->counts[nsid].bytes[dir];
		}
	}
}

/**
 * vn_stats_get - VHOST_NVME_GET_STATS
 * @ctrl: controller, locked, with owner
 * @argp: struct vhost_nvme_stats of the caller
 *
 * Return: see the UAPI header.
 */
int vn_stats_get(struct vn_ctrl *ctrl, void __user *argp)
{
	struct vhost_nvme_stats head, st = { .size = sizeof(st) };
	int err;

	if (copy_from_user(&head, argp,
			   offsetofend(struct vhost_nvme_stats, id)))
		return -EFAULT;
	if (head.size < VHOST_NVME_STATS_SIZE_V1)
		return -EINVAL;
	st.scope = head.scope;
	st.id = head.id;

	switch (head.scope) {
	case VHOST_NVME_STATS_WORKER:
		err = vn_stats_worker(ctrl, &st);
		break;
	case VHOST_NVME_STATS_SQ:
		err = vn_stats_sq(ctrl, &st);
		break;
	case VHOST_NVME_STATS_CQ:
		err = vn_stats_cq(ctrl, &st);
		break;
	case VHOST_NVME_STATS_NS:
		err = vn_stats_ns(ctrl, &st);
		break;
	default:
		err = -EINVAL;
		break;
	}
	return err ?: vn_put_sized(argp, head.size, &st, sizeof(st));
}
