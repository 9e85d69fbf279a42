// SPDX-License-Identifier: GPL-2.0
/* A controller: owner, events, reset, end. */

#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "vhost_nvme.h"

/*
 * Events
 */

/**
 * vn_event - tell the owner of the file that something has happened
 * @ctrl: controller
 * @type: VHOST_NVME_EVENT_*
 * @id: its valid queue or namespace identifier
 *
 * Context: any.
 */
void vn_event(struct vn_ctrl *ctrl, u32 type, u32 id)
{
	struct vn_events *ev = &ctrl->events;
	unsigned long flags;

	spin_lock_irqsave(&ev->lock, flags);
	switch (type) {
	case VHOST_NVME_EVENT_SQ_DELETED:
		__set_bit(id, ev->sq_deleted);
		break;
	case VHOST_NVME_EVENT_SQ_ERROR:
		__set_bit(id, ev->sq_error);
		break;
	case VHOST_NVME_EVENT_CQ_ERROR:
		__set_bit(id, ev->cq_error);
		break;
	case VHOST_NVME_EVENT_NS_REMOVED:
		/* Where another is leaving since then, its event tells of both. */
		if (!ev->ns_leaving[id])
			__set_bit(id, ev->ns_removed);
		break;
	case VHOST_NVME_EVENT_NS_GONE:
		__set_bit(id, ev->ns_gone);
		break;
	case VHOST_NVME_EVENT_RESET_DONE:
		ev->reset_done = true;
		break;
	case VHOST_NVME_EVENT_WORKER_DIED:
		ev->worker_died = true;
		break;
	}
	spin_unlock_irqrestore(&ev->lock, flags);
	wake_up_poll(&ev->wait, EPOLLIN);
}

static bool vn_event_take_bit(unsigned long *map, unsigned int size, u32 type,
			      struct vhost_nvme_event *ev)
{
	unsigned int id = find_first_bit(map, size);

	if (id == size)
		return false;
	__clear_bit(id, map);
	ev->type = type;
	ev->id = id;
	return true;
}

static bool vn_event_take_flag(bool *flag, u32 type,
			       struct vhost_nvme_event *ev)
{
	if (!*flag)
		return false;
	*flag = false;
	ev->type = type;
	ev->id = 0;
	return true;
}

/**
 * vn_event_take - the next pending event
 * @ctrl: controller
 * @event: set on success
 *
 * Return: false if there is none.
 */
bool vn_event_take(struct vn_ctrl *ctrl, struct vhost_nvme_event *event)
{
	struct vn_events *ev = &ctrl->events;
	bool taken;

	spin_lock_irq(&ev->lock);
	taken = vn_event_take_bit(ev->sq_deleted, VN_MAX_QUEUES + 1,
				  VHOST_NVME_EVENT_SQ_DELETED, event) ||
		vn_event_take_flag(&ev->reset_done,
				   VHOST_NVME_EVENT_RESET_DONE, event) ||
		vn_event_take_bit(ev->ns_removed, VN_MAX_NSID + 1,
				  VHOST_NVME_EVENT_NS_REMOVED, event) ||
		vn_event_take_bit(ev->ns_gone, VN_MAX_NSID + 1,
				  VHOST_NVME_EVENT_NS_GONE, event) ||
		vn_event_take_bit(ev->sq_error, VN_MAX_QUEUES + 1,
				  VHOST_NVME_EVENT_SQ_ERROR, event) ||
		vn_event_take_bit(ev->cq_error, VN_MAX_QUEUES + 1,
				  VHOST_NVME_EVENT_CQ_ERROR, event) ||
		vn_event_take_flag(&ev->worker_died,
				   VHOST_NVME_EVENT_WORKER_DIED, event);
	spin_unlock_irq(&ev->lock);
	return taken;
}

/**
 * vn_event_pending - is there an event to read?
 * @ctrl: controller
 */
bool vn_event_pending(struct vn_ctrl *ctrl)
{
	struct vn_events *ev = &ctrl->events;
	bool pending;

	spin_lock_irq(&ev->lock);
	pending = !bitmap_empty(ev->sq_deleted, VN_MAX_QUEUES + 1) ||
		  !bitmap_empty(ev->sq_error, VN_MAX_QUEUES + 1) ||
		  !bitmap_empty(ev->cq_error, VN_MAX_QUEUES + 1) ||
		  !bitmap_empty(ev->ns_removed, VN_MAX_NSID + 1) ||
		  !bitmap_empty(ev->ns_gone, VN_MAX_NSID + 1) ||
		  ev->reset_done || ev->worker_died;
	spin_unlock_irq(&ev->lock);
	return pending;
}

/**
 * vn_event_ns_gone - a command has found that the disk is no more
 * @ns: namespace
 *
 * Context: any.
 */
void vn_event_ns_gone(struct vn_ns *ns)
{
	struct vn_events *ev = &ns->ctrl->events;
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&ev->lock, flags);
	first = !ns->gone;
	ns->gone = true;
	if (first)
		__set_bit(ns->nsid, ev->ns_gone);
	spin_unlock_irqrestore(&ev->lock, flags);
	if (first)
		wake_up_poll(&ev->wait, EPOLLIN);
}

/**
 * vn_event_ns_leaves - the identifier is no longer of this namespace
 * @ns: namespace
 *
 * What was to be told of older ones waits for this one as well: events of two
 * could not be told apart.
 */
void vn_event_ns_leaves(struct vn_ns *ns)
{
	struct vn_events *ev = &ns->ctrl->events;

	spin_lock_irq(&ev->lock);
	ns->gone = true;
	__clear_bit(ns->nsid, ev->ns_gone);
	__clear_bit(ns->nsid, ev->ns_removed);
	ev->ns_leaving[ns->nsid]++;
	ev->nr_leaving++;
	spin_unlock_irq(&ev->lock);
}

/**
 * vn_event_ns_left - the disk of this namespace is closed
 * @ns: namespace that vn_event_ns_leaves() was called for
 */
void vn_event_ns_left(struct vn_ns *ns)
{
	struct vn_events *ev = &ns->ctrl->events;
	bool last;

	spin_lock_irq(&ev->lock);
	ev->nr_leaving--;
	last = !--ev->ns_leaving[ns->nsid];
	if (last)
		__set_bit(ns->nsid, ev->ns_removed);
	spin_unlock_irq(&ev->lock);
	if (last)
		wake_up_poll(&ev->wait, EPOLLIN);
}

/**
 * vn_event_ns_crowd - are too many namespaces leaving?
 * @ctrl: controller
 */
bool vn_event_ns_crowd(struct vn_ctrl *ctrl)
{
	struct vn_events *ev = &ctrl->events;
	bool crowd;

	spin_lock_irq(&ev->lock);
	crowd = ev->nr_leaving >= VN_MAX_LEAVING;
	spin_unlock_irq(&ev->lock);
	return crowd;
}

/**
 * vn_event_forget_errors - a new queue takes over an identifier
 * @ctrl: controller
 * @sqid: its identifier if it is an SQ, else 0
 * @cqid: its identifier if it is a CQ, else 0
 */
void vn_event_forget_errors(struct vn_ctrl *ctrl, u16 sqid, u16 cqid)
{
	struct vn_events *ev = &ctrl->events;

	spin_lock_irq(&ev->lock);
	__clear_bit(sqid, ev->sq_error);
	__clear_bit(cqid, ev->cq_error);
	spin_unlock_irq(&ev->lock);
}

/* What happened to queues that a reset deletes is of no interest any more. */
static void vn_event_drop_queues(struct vn_ctrl *ctrl)
{
	struct vn_events *ev = &ctrl->events;

	spin_lock_irq(&ev->lock);
	bitmap_zero(ev->sq_deleted, VN_MAX_QUEUES + 1);
	bitmap_zero(ev->sq_error, VN_MAX_QUEUES + 1);
	bitmap_zero(ev->cq_error, VN_MAX_QUEUES + 1);
	ev->reset_done = false;
	spin_unlock_irq(&ev->lock);
}

/*
 * Life
 */

static void vn_ctrl_free_work(struct work_struct *work)
{
	struct vn_ctrl *ctrl = container_of(work, struct vn_ctrl, free_work);
	unsigned int i;

	destroy_workqueue(ctrl->wq);
	vn_turns_destroy(ctrl->turns);
	for (i = 0; i < ctrl->nr_workers; i++)
		kvfree(ctrl->workers[i]);
	if (ctrl->mm)
		mmdrop(ctrl->mm);
	put_pid(ctrl->tgid);
	kvfree(ctrl);
	/* vn_wq is emptied before the module goes, so this returns in time. */
	module_put(THIS_MODULE);
}

static void vn_ctrl_free(struct kref *ref)
{
	struct vn_ctrl *ctrl = container_of(ref, struct vn_ctrl, ref);

	queue_work(vn_wq, &ctrl->free_work);
}

/**
 * vn_ctrl_get - take a reference
 * @ctrl: controller
 */
void vn_ctrl_get(struct vn_ctrl *ctrl)
{
	kref_get(&ctrl->ref);
}

/**
 * vn_ctrl_put - drop a reference
 * @ctrl: controller
 *
 * Context: any.
 */
void vn_ctrl_put(struct vn_ctrl *ctrl)
{
	kref_put(&ctrl->ref, vn_ctrl_free);
}

/* Everything that the owner brought in goes. */
static void vn_ctrl_let_go(struct vn_ctrl *ctrl)
{
	unsigned int i;

	vn_ctrl_reset(ctrl);
	for (i = 1; i <= VN_MAX_NSID; i++)
		if (ctrl->ns[i])
			vn_ns_remove(ctrl, i);
	vn_mem_drop(ctrl);
}

static void vn_ctrl_dead_work(struct work_struct *work)
{
	struct vn_ctrl *ctrl = container_of(work, struct vn_ctrl, dead_work);

	mutex_lock(&ctrl->lock);
	vn_ctrl_let_go(ctrl);
	mutex_unlock(&ctrl->lock);
	vn_ctrl_put(ctrl);
}

static void vn_ctrl_end(struct vn_ctrl *ctrl)
{
	unsigned int i;

	mutex_lock(&ctrl->lock);
	if (ctrl->mm) {
		vn_ctrl_let_go(ctrl);
		for (i = 0; i < ctrl->nr_workers; i++)
			vn_worker_stop(ctrl->workers[i]);
	}
	mutex_unlock(&ctrl->lock);
	vn_ctrl_put(ctrl);
}

static void vn_ctrl_release_work(struct work_struct *work)
{
	vn_ctrl_end(container_of(work, struct vn_ctrl, release_work));
}

/**
 * vn_ctrl_create - a controller without owner, queues and namespaces
 *
 * Return: the controller, with one reference, or NULL.
 */
struct vn_ctrl *vn_ctrl_create(void)
{
	struct vn_ctrl *ctrl;

	ctrl = kvzalloc(sizeof(*ctrl), GFP_KERNEL_ACCOUNT);
	if (!ctrl)
		return NULL;
	ctrl->turns = vn_turns_create("vhost-nvme-all", NULL);
	if (!ctrl->turns)
		goto err_free;
	ctrl->wq = alloc_workqueue("vhost-nvme", WQ_UNBOUND, VN_MAX_TEARDOWN);
	if (!ctrl->wq)
		goto err_turns;
	ctrl->max_transfer = VN_MAX_TRANSFER;
	ctrl->max_verify = U32_MAX;
	ctrl->batch = VN_SQ_BATCH;
	ctrl->copy_formats = VN_COPY_FORMATS & ~VN_COPY_CDFE;
	kref_init(&ctrl->ref);
	mutex_init(&ctrl->lock);
	spin_lock_init(&ctrl->events.lock);
	spin_lock_init(&ctrl->errors.lock);
	init_waitqueue_head(&ctrl->events.wait);
	INIT_WORK(&ctrl->sqs_work, vn_sqs_free_work);
	INIT_WORK(&ctrl->dead_work, vn_ctrl_dead_work);
	INIT_WORK(&ctrl->release_work, vn_ctrl_release_work);
	INIT_WORK(&ctrl->free_work, vn_ctrl_free_work);
	/* Requests in flight outlive the file, which holds the module so far. */
	__module_get(THIS_MODULE);
	return ctrl;

err_turns:
	vn_turns_destroy(ctrl->turns);
err_free:
	kvfree(ctrl);
	return NULL;
}

/**
 * vn_ctrl_owner_died - a worker was killed together with its process
 * @ctrl: controller
 *
 * Memory and disks do not wait for the last process that has the file open.
 *
 * Context: the dying worker.
 */
void vn_ctrl_owner_died(struct vn_ctrl *ctrl)
{
	WRITE_ONCE(ctrl->dead, true);
	vn_event(ctrl, VHOST_NVME_EVENT_WORKER_DIED, 0);
	vn_ctrl_get(ctrl);
	if (!queue_work(ctrl->wq, &ctrl->dead_work))
		vn_ctrl_put(ctrl);
}

/**
 * vn_ctrl_release - the file was closed
 * @ctrl: controller; the file's reference is dropped
 *
 * Does not wait for requests in flight: what they use goes with the last of
 * them.
 *
 * It may have to wait for a pass, and a pass for the owner's memory. The
 * workers are threads of the owner, killed with it; so the owner may wait
 * for them itself. Nobody else may: neither a process that was given the file,
 * nor the kernel, which closes what nobody took out of a socket.
 */
void vn_ctrl_release(struct vn_ctrl *ctrl)
{
	if (!ctrl->tgid || ctrl->tgid == task_tgid(current))
		vn_ctrl_end(ctrl);
	else
		queue_work(ctrl->wq, &ctrl->release_work);
}

/*
 * There is no queue, and so no request whose completion could look for its
 * worker: those that go can be freed at once.
 */
static void vn_ctrl_end_workers(struct vn_ctrl *ctrl, unsigned int nr)
{
	struct vn_worker *worker;

	while (ctrl->nr_workers > nr) {
		worker = ctrl->workers[--ctrl->nr_workers];
		ctrl->workers[ctrl->nr_workers] = NULL;
		vn_worker_stop(worker);
		if (nr)
			vn_stats_take_over(ctrl->workers[0], worker);
		kvfree(worker);
	}
}

static int vn_ctrl_add_workers(struct vn_ctrl *ctrl, unsigned int nr)
{
	unsigned int old = ctrl->nr_workers;
	struct vn_worker *worker;

	while (ctrl->nr_workers < nr) {
		worker = vn_worker_create(ctrl);
		if (IS_ERR(worker)) {
			vn_ctrl_end_workers(ctrl, old);
			return PTR_ERR(worker);
		}
		ctrl->workers[ctrl->nr_workers++] = worker;
	}
	return 0;
}

/**
 * vn_ctrl_set_owner - VHOST_SET_OWNER
 * @ctrl: controller, locked
 *
 * Return: 0, -EBUSY if there is an owner, -ENOMEM, or what creating a thread
 * returns.
 */
int vn_ctrl_set_owner(struct vn_ctrl *ctrl)
{
	int err;

	lockdep_assert_held(&ctrl->lock);

	if (ctrl->mm)
		return -EBUSY;
	err = vn_ctrl_add_workers(ctrl, 1);
	if (err)
		return err;
	ctrl->tgid = get_pid(task_tgid(current));
	mmgrab(current->mm);
	/* vn_ioctl() looks at both without the lock. */
	smp_store_release(&ctrl->mm, current->mm);
	return 0;
}

/**
 * vn_ctrl_set_workers - VHOST_NVME_SET_WORKERS
 * @ctrl: controller, locked, with owner
 * @arg: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_ctrl_set_workers(struct vn_ctrl *ctrl,
			const struct vhost_nvme_workers *arg)
{
	lockdep_assert_held(&ctrl->lock);

	if (!arg->nr || arg->nr > VN_MAX_WORKERS || arg->reserved)
		return -EINVAL;
	if (ctrl->nr_cqs || ctrl->nr_sqs || ctrl->resetting)
		return -EBUSY;
	vn_ctrl_end_workers(ctrl, arg->nr);
	return vn_ctrl_add_workers(ctrl, arg->nr);
}

/**
 * vn_ctrl_pause - keep all workers out of their passes
 * @ctrl: controller, locked, with owner
 *
 * Context: process context; waits for one pass, which waits for no disk.
 */
void vn_ctrl_pause(struct vn_ctrl *ctrl)
{
	unsigned int i;

	lockdep_assert_held(&ctrl->lock);
	for (i = 0; i < ctrl->nr_workers; i++)
		mutex_lock_nested(&ctrl->workers[i]->lock, i);
}

/**
 * vn_ctrl_resume - undo vn_ctrl_pause()
 * @ctrl: controller
 */
void vn_ctrl_resume(struct vn_ctrl *ctrl)
{
	unsigned int i;

	for (i = 0; i < ctrl->nr_workers; i++)
		mutex_unlock(&ctrl->workers[i]->lock);
}

/**
 * vn_ctrl_set - VHOST_NVME_SET_CTRL
 * @ctrl: controller, locked, with owner
 * @arg: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_ctrl_set(struct vn_ctrl *ctrl, const struct vhost_nvme_ctrl *arg)
{
	if (arg->flags & ~VHOST_NVME_CTRL_WRITE_THROUGH ||
	    arg->max_transfer > VN_MAX_TRANSFER ||
	    arg->copy_formats & ~VN_COPY_CDFE ||
	    memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;

	vn_ctrl_pause(ctrl);
	/* Dataset Management reads it where it does not hold up the worker. */
	WRITE_ONCE(ctrl->write_through,
		   arg->flags & VHOST_NVME_CTRL_WRITE_THROUGH);
	ctrl->max_transfer = arg->max_transfer ?: VN_MAX_TRANSFER;
	ctrl->max_verify = arg->max_verify ?: U32_MAX;
	ctrl->batch = arg->burst ? min(arg->burst, VN_SQ_BATCH) : VN_SQ_BATCH;
	ctrl->copy_formats = (VN_COPY_FORMATS & ~VN_COPY_CDFE) |
			     arg->copy_formats;
	vn_ctrl_resume(ctrl);
	return 0;
}

/**
 * vn_ctrl_reset_done - the last SQ is gone: finish a reset
 * @ctrl: controller, locked
 */
void vn_ctrl_reset_done(struct vn_ctrl *ctrl)
{
	unsigned int i;

	lockdep_assert_held(&ctrl->lock);

	for (i = 1; i <= VN_MAX_QUEUES; i++)
		if (ctrl->cqs[i])
			vn_cq_free(ctrl->cqs[i]);
	ctrl->resetting = false;
	vn_event(ctrl, VHOST_NVME_EVENT_RESET_DONE, 0);
}

/**
 * vn_ctrl_reset - VHOST_NVME_RESET
 * @ctrl: controller, locked, with owner
 */
void vn_ctrl_reset(struct vn_ctrl *ctrl)
{
	unsigned int i;

	lockdep_assert_held(&ctrl->lock);

	/* The SQs first: without shadow doorbell they would see another tail. */
	for (i = 1; i <= VN_MAX_QUEUES; i++) {
		if (ctrl->sqs[i] && !ctrl->sqs[i]->deleting)
			vn_sq_detach(ctrl->sqs[i]);
		if (ctrl->cqs[i])
			vn_kick_exit(&ctrl->cqs[i]->kick);
	}
	for (i = 1; i <= VN_MAX_QUEUES; i++)
		if (ctrl->cqs[i])
			vn_irq_off(ctrl->cqs[i]);
	vn_dbbuf_detach(ctrl);
	/* Now no worker looks at a queue any more that could fail. */
	vn_event_drop_queues(ctrl);

	if (ctrl->nr_sqs)
		ctrl->resetting = true;
	else
		vn_ctrl_reset_done(ctrl);
}
