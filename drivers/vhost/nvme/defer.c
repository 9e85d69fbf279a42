// SPDX-License-Identifier: GPL-2.0
/*
 * Execution where waiting for a disk holds up nobody else: what would block, or
 * takes long.
 *
 * Up to VN_MAX_BLOCKING commands of a namespace run at a time. Which one is next
 * goes by submission queue: each that has some waiting gets one command executed,
 * or one step of one, in its turn. Otherwise a disk that is slower than its guest
 * would serve queues by how much they send: one with a thousand commands waiting
 * would leave another one a thousandth.
 */

#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "nvm.h"

/**
 * struct vn_runner - executes commands that wait
 * @turns: whose
 * @work: executes one, and is queued again if more wait
 */
struct vn_runner {
	struct vn_turns		*turns;
	struct work_struct	work;
};

/**
 * struct vn_turns - commands that wait for their turn
 * @wq: runs the runners; it is destroyed first, so that they need no reference to
 *	the namespace or controller
 * @lock: the members below; taken in any context
 * @idle: runners that are not queued, as a bit mask
 * @next: first submission queue to look at
 * @waiting: submission queues that have some
 * @queue: them, oldest first
 * @runner: the runners
 */
struct vn_turns {
	struct workqueue_struct	*wq;
	spinlock_t		lock;		/* all below */
	unsigned long		idle;
	unsigned int		next;
	DECLARE_BITMAP(waiting, VN_MAX_QUEUES + 1);
	struct list_head	queue[VN_MAX_QUEUES + 1];
	struct vn_runner	runner[VN_MAX_BLOCKING];
};

static_assert(VN_MAX_BLOCKING <= BITS_PER_LONG);

static void vn_turns_add(struct vn_turns *turns, struct vn_req *req)
{
	u16 sqid = req->sq->sqid;

	lockdep_assert_held(&turns->lock);
	list_add_tail(&req->node, &turns->queue[sqid]);
	__set_bit(sqid, turns->waiting);
}

static struct vn_req *vn_turns_take(struct vn_turns *turns)
{
	struct vn_req *req;
	unsigned int sqid;

	lockdep_assert_held(&turns->lock);
	sqid = find_next_bit(turns->waiting, VN_MAX_QUEUES + 1, turns->next);
	if (sqid > VN_MAX_QUEUES)
		sqid = find_first_bit(turns->waiting, VN_MAX_QUEUES + 1);
	if (sqid > VN_MAX_QUEUES)
		return NULL;
	req = list_first_entry(&turns->queue[sqid], struct vn_req, node);
	list_del(&req->node);
	if (list_empty(&turns->queue[sqid]))
		__clear_bit(sqid, turns->waiting);
	turns->next = sqid + 1;
	return req;
}

/*
 * I/O for a VM is charged to the cgroup of its owner, not to that of a kworker. A
 * bio that has failed does not tell any more which one that was. Nobody is
 * charged for what is left to do after the owner's end.
 */
#ifdef CONFIG_BLK_CGROUP
static void vn_cgroup_enter(struct vn_worker *worker)
{
	struct cgroup_subsys_state *css = NULL;

	spin_lock_irq(&worker->wake_lock);
	if (worker->thread && !worker->stop && !worker->killed)
		css = task_get_css(worker->thread, io_cgrp_id);
	spin_unlock_irq(&worker->wake_lock);
	if (!css)
		return;
	kthread_associate_blkcg(css);
	css_put(css);
}
#else
static void vn_cgroup_enter(struct vn_worker *worker) {}
#endif

/* True if it is not over. */
static bool vn_req_step(struct vn_req *req)
{
	/* Who deletes a queue, or resets, does not wait for all of a command. */
	if (READ_ONCE(req->sq->deleting))
		req->status = NVME_SC_ABORT_QUEUE;
	else if (req->op->step(req))
		return true;

	if (req->op->end)
		req->op->end(req);
	else
		kfree(req->data);
	vn_data_unmap(req, vn_req_is_read(req));
	vn_req_complete(req);
	return false;
}

static bool vn_req_run(struct vn_req *req)
{
	bool more = false;

	vn_cgroup_enter(req->sq->cq->worker);
	if (req->op->step)
		more = vn_req_step(req);
	else
		req->op->issue(req);
	kthread_associate_blkcg(NULL);
	return more;
}

/*
 * One command, or one step of one. Not a loop: the freezer stops a workqueue between
 * two executions of its work items, and waits no longer than 20 s for the present ones.
 */
static void vn_runner_work(struct work_struct *work)
{
	struct vn_runner *runner = container_of(work, struct vn_runner, work);
	struct vn_turns *turns = runner->turns;
	struct vn_req *req;
	bool more = false;

	spin_lock_irq(&turns->lock);
	req = vn_turns_take(turns);
	spin_unlock_irq(&turns->lock);

	if (req)
		more = vn_req_run(req);

	spin_lock_irq(&turns->lock);
	if (more)
		vn_turns_add(turns, req);
	if (bitmap_empty(turns->waiting, VN_MAX_QUEUES + 1))
		__set_bit(runner - turns->runner, &turns->idle);
	else
		queue_work(turns->wq, work);
	spin_unlock_irq(&turns->lock);
}

/**
 * vn_turns_create - a place for commands to wait
 * @name: of its workqueue
 *
 * Return: it, or NULL.
 */
struct vn_turns *vn_turns_create(const char *name)
{
	struct vn_turns *turns;
	unsigned int i;

	turns = kzalloc(sizeof(*turns), GFP_KERNEL_ACCOUNT);
	if (!turns)
		return NULL;
	/* As its workers do, a VM's I/O stops when the system is suspended. */
	turns->wq = alloc_workqueue("%s", WQ_UNBOUND | WQ_FREEZABLE,
				    VN_MAX_BLOCKING, name);
	if (!turns->wq) {
		kfree(turns);
		return NULL;
	}
	spin_lock_init(&turns->lock);
	turns->idle = GENMASK(VN_MAX_BLOCKING - 1, 0);
	for (i = 0; i <= VN_MAX_QUEUES; i++)
		INIT_LIST_HEAD(&turns->queue[i]);
	for (i = 0; i < VN_MAX_BLOCKING; i++) {
		turns->runner[i].turns = turns;
		INIT_WORK(&turns->runner[i].work, vn_runner_work);
	}
	return turns;
}

/**
 * vn_turns_destroy - undo vn_turns_create()
 * @turns: no command waits any more
 *
 * Context: process context; waits for a runner to end that has nothing left to do.
 */
void vn_turns_destroy(struct vn_turns *turns)
{
	destroy_workqueue(turns->wq);
	kfree(turns);
}

/* Where waiting for the disks of a command holds up only those that need them. */
static struct vn_turns *vn_req_turns(const struct vn_req *req)
{
	if (!req->ns || req->op->other_disks)
		return req->sq->ctrl->turns;
	return req->ns->turns;
}

/**
 * vn_req_defer - execute a command where it may block
 * @req: a command that vn_nvm_prep() has found good
 *
 * Context: any. @req may be gone on return.
 */
void vn_req_defer(struct vn_req *req)
{
	struct vn_turns *turns = vn_req_turns(req);
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&turns->lock, flags);
	vn_turns_add(turns, req);
	if (turns->idle) {
		i = __ffs(turns->idle);
		__clear_bit(i, &turns->idle);
		/* While locked: nobody can have executed and freed it all. */
		queue_work(turns->wq, &turns->runner[i].work);
	}
	spin_unlock_irqrestore(&turns->lock, flags);
}
