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
 *
 * New commands need not wait for those of others that the disk was too busy for, but
 * count as turns: start-time fair queueing, in which one may be ahead by VN_MAX_LEAD.
 * The others are the queues of the same namespace, and the other namespaces on the
 * same disk, those of other controllers included: a VM gets no more of it by having
 * more queues. Between namespaces, only new commands are held back. What they execute
 * here is not: one whose cgroup makes it wait would have the others wait as well.
 */

#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "nvm.h"

/* More than any lead by more than one may have: nobody waits. */
#define VN_NO_LEAD	(U32_MAX - VN_MAX_LEAD)

static LIST_HEAD(vn_disks);
static DEFINE_MUTEX(vn_disks_lock);	/* vn_disks */

/*
 * How far one is ahead of the others, in turns. One that has had nothing to do with
 * them for long starts where they are.
 */
static u32 vn_lead(u32 served, u32 now)
{
	u32 lead = served - now;

	return lead <= VN_MAX_LEAD ? lead : 0;
}

/* One of those who compete has its turn. @least: the lead of the first that waits */
static void vn_have_turn(u32 *served, u32 *now, u32 least)
{
	u32 lead = vn_lead(*served, *now), common = min(lead, least);

	*now += common;
	*served = *now + min(lead - common + 1, VN_MAX_LEAD);
}

static u32 vn_turn_undone(u32 served, u32 now)
{
	return vn_lead(served, now) ? served - 1 : served;
}

/*
 * Namespaces on a disk
 */

/* The disk's other namespaces are all that remain in @waiting ... */
static void vn_share_out(struct vn_turns *turns)
{
	lockdep_assert_held(&turns->disk->lock);
	if (turns->nr_crowding)
		turns->disk->waiting[turns->shared % VN_LEADS]--;
}

/* ... until its place there is what it has had now. */
static void vn_share_in(struct vn_turns *turns)
{
	struct vn_disk *disk = turns->disk;

	lockdep_assert_held(&disk->lock);
	if (!turns->nr_crowding)
		return;
	turns->shared = disk->now + vn_lead(turns->shared, disk->now);
	disk->waiting[turns->shared % VN_LEADS]++;
}

static u32 vn_share_least(const struct vn_disk *disk)
{
	u32 lead;

	lockdep_assert_held(&disk->lock);
	for (lead = 0; lead <= VN_MAX_LEAD; lead++)
		if (disk->waiting[(disk->now + lead) % VN_LEADS])
			return lead;
	return VN_NO_LEAD;
}

static void vn_share_turn(struct vn_turns *turns)
{
	struct vn_disk *disk = turns->disk;
	u32 least;

	spin_lock(&disk->lock);
	least = vn_share_least(disk);
	vn_share_out(turns);
	vn_have_turn(&turns->shared, &disk->now, least);
	vn_share_in(turns);
	spin_unlock(&disk->lock);
}

/* A queue begins, or no longer has, commands that the disk was too busy for. */
static void vn_share_crowd(struct vn_turns *turns, unsigned int sqid,
			   bool crowds)
{
	struct vn_disk *disk = turns->disk;
	int change = crowds ? 1 : -1;

	lockdep_assert_held(&turns->lock);
	spin_lock(&disk->lock);
	vn_share_out(turns);
	turns->nr_crowding += change;
	WRITE_ONCE(disk->nr_crowding, disk->nr_crowding + change);
	vn_share_in(turns);
	spin_unlock(&disk->lock);
	assign_bit(sqid, turns->refused, crowds);
}

static struct vn_disk *vn_disk_get(struct gendisk *gendisk)
{
	struct vn_disk *disk, *new;

	/*
	 * Not with the lock, which all owners take: there may be little memory in the
	 * cgroup of this one. Nor is it charged, since others use it, too.
	 */
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return NULL;
	new->disk = gendisk;
	spin_lock_init(&new->lock);

	mutex_lock(&vn_disks_lock);
	list_for_each_entry(disk, &vn_disks, node)
		if (disk->disk == gendisk)
			goto found;
	disk = new;
	new = NULL;
	list_add_tail(&disk->node, &vn_disks);
found:
	disk->users++;
	mutex_unlock(&vn_disks_lock);
	kfree(new);
	return disk;
}

static void vn_disk_put(struct vn_disk *disk)
{
	mutex_lock(&vn_disks_lock);
	if (!--disk->users) {
		list_del(&disk->node);
		kfree(disk);
	}
	mutex_unlock(&vn_disks_lock);
}

/*
 * Queues of a namespace
 */

static void vn_turns_add(struct vn_turns *turns, struct vn_req *req)
{
	u16 sqid = req->sq->sqid;

	lockdep_assert_held(&turns->lock);
	list_add_tail(&req->node, &turns->queue[sqid]);
	__set_bit(sqid, turns->waiting);
	if (!req->op->blocking && !turns->nr_refused[sqid]++)
		vn_share_crowd(turns, sqid, true);
}

static void vn_turns_move(struct vn_turns *turns, struct vn_req *req,
			  struct list_head *to)
{
	u16 sqid = req->sq->sqid;

	lockdep_assert_held(&turns->lock);
	list_move_tail(&req->node, to);
	if (list_empty(&turns->queue[sqid]))
		__clear_bit(sqid, turns->waiting);
	if (!req->op->blocking && !--turns->nr_refused[sqid])
		vn_share_crowd(turns, sqid, false);
}

/*
 * Whose turn it is: one command; or all of an SQ that is being deleted, whatever it
 * has had, since they only have to end, and who deletes it waits for them.
 */
static void vn_turns_take(struct vn_turns *turns, struct list_head *to)
{
	u32 lead, least = VN_NO_LEAD;
	unsigned int sqid, next = 0;
	struct vn_req *req, *tmp;

	lockdep_assert_held(&turns->lock);
	for_each_set_bit_wrap(sqid, turns->waiting, VN_MAX_QUEUES + 1,
			      turns->next) {
		req = list_first_entry(&turns->queue[sqid], struct vn_req,
				       node);
		lead = 0;
		if (!READ_ONCE(req->sq->deleting))
			lead = vn_lead(turns->served[sqid], turns->now);
		if (lead < least) {
			least = lead;
			next = sqid;
		}
		if (!lead)
			break;
	}
	if (least == VN_NO_LEAD)
		return;
	vn_have_turn(&turns->served[next], &turns->now, least);
	turns->next = next + 1;
	if (turns->disk)
		vn_share_turn(turns);

	list_for_each_entry_safe(req, tmp, &turns->queue[next], node) {
		vn_turns_move(turns, req, to);
		if (!READ_ONCE(req->sq->deleting))
			break;
	}
}

/*
 * May a new command go past those of others? As long as its own do not get too far
 * ahead of those. The thread that brings new ones runs already, others have yet to be
 * woken: where CPUs are scarce, it could take all that the disk has become free for.
 */
static bool vn_turns_pass(struct vn_req *req)
{
	struct vn_turns *turns = req->ns->turns;
	u32 lead, least = VN_NO_LEAD, disk_least;
	struct vn_disk *disk = turns->disk;
	u16 own = req->sq->sqid;
	unsigned int sqid;

	spin_lock_irq(&turns->lock);
	for_each_set_bit(sqid, turns->refused, VN_MAX_QUEUES + 1) {
		lead = vn_lead(turns->served[sqid], turns->now);
		if (sqid != own)
			least = min(least, lead);
	}
	lead = vn_lead(turns->served[own], turns->now);

	spin_lock(&disk->lock);
	vn_share_out(turns);
	disk_least = vn_share_least(disk);
	req->passes = lead < least + VN_MAX_LEAD &&
		      vn_lead(turns->shared, disk->now) <
		      disk_least + VN_MAX_LEAD;
	if (req->passes) {
		vn_have_turn(&turns->served[own], &turns->now, least);
		vn_have_turn(&turns->shared, &disk->now, disk_least);
	}
	vn_share_in(turns);
	spin_unlock(&disk->lock);
	spin_unlock_irq(&turns->lock);
	return req->passes;
}

/* It has not had its turn after all: the disk was too busy. */
static void vn_turns_not_passed(struct vn_turns *turns, unsigned int sqid)
{
	struct vn_disk *disk = turns->disk;

	lockdep_assert_held(&turns->lock);
	turns->served[sqid] = vn_turn_undone(turns->served[sqid], turns->now);
	spin_lock(&disk->lock);
	vn_share_out(turns);
	turns->shared = vn_turn_undone(turns->shared, disk->now);
	vn_share_in(turns);
	spin_unlock(&disk->lock);
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

static void vn_req_end(struct vn_req *req)
{
	if (req->op->end)
		req->op->end(req);
	else
		kfree(req->data);
	vn_data_unmap(req, vn_req_is_read(req));
	vn_req_complete(req);
}

/* True if it is not over. */
static bool vn_req_run(struct vn_req *req)
{
	bool more = false;

	/*
	 * Who deletes a queue, or resets, waits neither for all of a command nor for
	 * those that have not begun.
	 */
	if (READ_ONCE(req->sq->deleting)) {
		req->status = NVME_SC_ABORT_QUEUE;
		vn_req_end(req);
		return false;
	}

	vn_cgroup_enter(req->sq->cq->worker);
	if (!req->op->step)
		req->op->issue(req);
	else if (req->op->step(req))
		more = true;
	else
		vn_req_end(req);
	kthread_associate_blkcg(NULL);
	return more;
}

/*
 * One command, or one step of one, or the end of some. Not a loop: the freezer stops a
 * workqueue between two executions of its work items, and waits no longer than 20 s for
 * the present ones.
 */
static void vn_runner_work(struct work_struct *work)
{
	struct vn_runner *runner = container_of(work, struct vn_runner, work);
	struct vn_turns *turns = runner->turns;
	struct vn_req *req, *more = NULL;
	LIST_HEAD(taken);

	spin_lock_irq(&turns->lock);
	vn_turns_take(turns, &taken);
	spin_unlock_irq(&turns->lock);

	while ((req = list_first_entry_or_null(&taken, struct vn_req, node))) {
		/* Whoever completes it may use it for another command at once. */
		list_del(&req->node);
		if (vn_req_run(req))
			more = req;
		cond_resched();
	}

	spin_lock_irq(&turns->lock);
	if (more)
		vn_turns_add(turns, more);
	if (bitmap_empty(turns->waiting, VN_MAX_QUEUES + 1))
		__set_bit(runner - turns->runner, &turns->idle);
	else
		queue_work(turns->wq, work);
	spin_unlock_irq(&turns->lock);
}

/**
 * vn_turns_create - a place for commands to wait
 * @name: of its workqueue
 * @disk: for which they wait, if it is always the same; it outlives this
 *
 * Context: process context.
 * Return: it, or NULL.
 */
struct vn_turns *vn_turns_create(const char *name, struct gendisk *disk)
{
	struct vn_turns *turns;
	unsigned int i;

	turns = kzalloc(sizeof(*turns), GFP_KERNEL_ACCOUNT);
	if (!turns)
		return NULL;
	/* As its workers do, a VM's I/O stops when the system is suspended. */
	turns->wq = alloc_workqueue("%s", WQ_UNBOUND | WQ_FREEZABLE,
				    VN_MAX_BLOCKING, name);
	if (!turns->wq)
		goto err_free;
	if (disk) {
		turns->disk = vn_disk_get(disk);
		if (!turns->disk)
			goto err_wq;
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

err_wq:
	destroy_workqueue(turns->wq);
err_free:
	kfree(turns);
	return NULL;
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
	if (turns->disk)
		vn_disk_put(turns->disk);
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
	if (req->passes)
		vn_turns_not_passed(turns, req->sq->sqid);
	req->passes = false;
	vn_turns_add(turns, req);
	if (turns->idle) {
		i = __ffs(turns->idle);
		__clear_bit(i, &turns->idle);
		/* While locked: nobody can have executed and freed it all. */
		queue_work(turns->wq, &turns->runner[i].work);
	}
	spin_unlock_irqrestore(&turns->lock, flags);
}

/**
 * vn_req_crowded - execute a new command of a disk that keeps others waiting
 * @req: a command that vn_nvm_prep() has found good, which does not block
 *
 * At once, if none of another queue waits or they are to let it pass.
 *
 * Context: the worker. @req may be gone on return.
 */
void vn_req_crowded(struct vn_req *req)
{
	const struct vn_turns *turns = req->ns->turns;

	if ((READ_ONCE(turns->disk->nr_crowding) == 1 &&
	     test_bit(req->sq->sqid, turns->refused)) || vn_turns_pass(req))
		req->op->issue(req);
	else
		vn_req_defer(req);
}
