// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: when to signal the eventfd of a CQ.
 *
 * Completions outside of the worker's thread signal at once. Those in it are
 * "owed" to the guest for as long as that saves interrupts and costs it
 * nothing, which two observations of the polling worker tell:
 *
 * - An interrupt is outstanding: one was raised, and the guest has not moved
 *   the CQ's head since. It will look at all entries before it does. If there
 *   are entries after it has, they may have come after its last look, and are
 *   due. An interrupt counts as outstanding for a bounded time only.
 *
 * - The guest goes on submitting: it is not waiting for this completion, and
 *   taking it now would only interrupt its work. How many entries such a guest
 *   lets gather is learned for each CQ (@batch): where the guest stopped early,
 *   it is waiting, and the next time fewer are awaited. A guest with one command
 *   at a time has a batch of 1, that is, nothing is ever held back, but for a
 *   rare trial whether it has become another.
 *
 * Nothing is owed by a worker that does not look: it pays before it sleeps and
 * before it lets another task run. Entries that the guest has consumed by
 * itself need no interrupt.
 *
 * Where the guest has asked for interrupt coalescing, that holds instead, for
 * completions in every context: entries are counted, and the first one starts a
 * timer. Each entry is signalled, by the one that completes the threshold or by
 * the timer: whoever takes the count back to zero.
 */

#include <linux/nospec.h>

#include "compat.h"
#include "vhost_nvme.h"

/* Most entries that are awaited before an interrupt */
#define VN_IRQ_MAX_BATCH	32
/* Interrupts after full batches until a larger one is tried */
#define VN_IRQ_GROW		4
/* The same for a guest that seems to have one command at a time */
#define VN_IRQ_MIN_TRIAL	64
#define VN_IRQ_MAX_TRIAL	1024

static void vn_irq_signal(struct vn_irq *irq)
{
	atomic_long_inc(&irq->signals);
	eventfd_signal(irq->ctx);
}

/* What has gathered; an entry that comes now starts the timer anew. */
static void vn_irq_signal_gathered(struct vn_irq *irq)
{
	if (atomic_xchg(&irq->gathered, 0) &&
	    READ_ONCE(irq->mode) != VN_IRQ_OFF)
		vn_irq_signal(irq);
}

static enum hrtimer_restart vn_irq_timeout(struct hrtimer *timer)
{
	vn_irq_signal_gathered(container_of(timer, struct vn_irq, timer));
	return HRTIMER_NORESTART;
}

/*
 * A timer that is not needed any more is not cancelled: it may be that of the
 * next batch already.
 */
static void vn_irq_gather(struct vn_irq *irq)
{
	int nr = atomic_inc_return(&irq->gathered);

	if (nr >= READ_ONCE(irq->threshold))
		vn_irq_signal_gathered(irq);
	else if (nr == 1)
		hrtimer_start(&irq->timer, ns_to_ktime(READ_ONCE(irq->time_ns)),
			      HRTIMER_MODE_REL_SOFT);
}

/**
 * vn_irq_coalesce_set - VHOST_NVME_SET_COALESCE
 * @ctrl: controller, locked
 * @arg: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_irq_coalesce_set(struct vn_ctrl *ctrl,
			const struct vhost_nvme_coalesce *arg)
{
	bool on = arg->threshold > 1 && arg->time_us;
	struct vn_irq *irq;
	struct vn_cq *cq;

	lockdep_assert_held(&ctrl->lock);

	if (arg->time_us > VN_MAX_COALESCE_US)
		return -EINVAL;
	if (!arg->cqid || arg->cqid > VN_MAX_QUEUES)
		return -ENOENT;
	cq = ctrl->cqs[array_index_nospec(arg->cqid, VN_MAX_QUEUES + 1)];
	if (!cq)
		return -ENOENT;
	irq = &cq->irq;

	mutex_lock(&cq->worker->lock);
	if (irq->mode != VN_IRQ_OFF) {
		WRITE_ONCE(irq->threshold, arg->threshold);
		WRITE_ONCE(irq->time_ns, (u64)arg->time_us * NSEC_PER_USEC);
		WRITE_ONCE(irq->mode, on ? VN_IRQ_COALESCE : VN_IRQ_ECONOMY);
	}
	mutex_unlock(&cq->worker->lock);
	/* Nothing waits for what held before. */
	vn_irq_signal_gathered(irq);
	return 0;
}

/**
 * vn_irq_init - set up the interrupt of a new CQ
 * @cq: the queue
 */
void vn_irq_init(struct vn_cq *cq)
{
	vn_hrtimer_setup(&cq->irq.timer, vn_irq_timeout);
	INIT_LIST_HEAD(&cq->irq.node);
	cq->irq.batch = 1;
	cq->irq.trial = VN_IRQ_MIN_TRIAL;
	cq->irq.grow = VN_IRQ_MIN_TRIAL;
}

/**
 * vn_irq_off - a CQ goes: its interrupt is of no interest any more
 * @cq: the queue; none of its SQs is served
 *
 * Its head is not looked at any more either: the doorbells may go.
 *
 * Context: process context; waits for one pass of the worker.
 */
void vn_irq_off(struct vn_cq *cq)
{
	mutex_lock(&cq->worker->lock);
	WRITE_ONCE(cq->irq.mode, VN_IRQ_OFF);
	list_del_init(&cq->irq.node);
	mutex_unlock(&cq->worker->lock);
}

/**
 * vn_irq_exit - the end of a CQ's interrupt
 * @cq: the queue; it has no SQ any more, and so no entry comes
 *
 * Context: process context; waits for one pass of the worker.
 */
void vn_irq_exit(struct vn_cq *cq)
{
	vn_irq_off(cq);
	hrtimer_cancel(&cq->irq.timer);
}

static void vn_irq_pay(struct vn_cq *cq, u64 now)
{
	struct vn_irq *irq = &cq->irq;

	list_del_init(&irq->node);
	irq->sent = true;
	irq->sent_head = cq->head;
	irq->sent_at = now;
	vn_irq_signal(irq);
}

/* A full batch: the guest may be one for larger ones. */
static void vn_irq_grow(struct vn_irq *irq)
{
	if (--irq->grow)
		return;
	if (irq->batch > 1)
		irq->trial = VN_IRQ_MIN_TRIAL;
	irq->batch = min(irq->batch + 1 + irq->batch / 2, VN_IRQ_MAX_BATCH);
	irq->grow = VN_IRQ_GROW;
}

/*
 * The guest stopped at @nr entries: there it waits for us. Or it lost its CPU
 * for a moment, so that one observation does not say much.
 */
static void vn_irq_shrink(struct vn_irq *irq, u32 nr)
{
	irq->batch = max3(nr / 2, irq->batch / 2, 1);
	irq->grow = VN_IRQ_GROW;
	if (irq->batch == 1) {
		irq->grow = irq->trial;
		irq->trial = min(2 * irq->trial, VN_IRQ_MAX_TRIAL);
	}
}

/**
 * vn_irq_settle - signal a CQ's entries if they are due
 * @cq: the queue
 * @now: worker->now
 *
 * Context: its worker, with worker->lock.
 */
void vn_irq_settle(struct vn_cq *cq, u64 now)
{
	struct vn_irq *irq = &cq->irq;
	u64 window = READ_ONCE(cq->worker->irq_max_ns);
	u32 posted, nr;

	if (list_empty(&irq->node))
		return;
	vn_cq_update_head(cq);
	posted = READ_ONCE(cq->posted);
	nr = posted - cq->released;
	if (!nr || cq->failed) {
		irq->sent = false;
		list_del_init(&irq->node);
		return;
	}

	if (!irq->since)
		irq->since = now;
	if (irq->sent && irq->sent_head == cq->head &&
	    now - irq->sent_at < window)
		return;

	if (posted != irq->seen) {
		irq->seen = posted;
		irq->seen_at = now;
	}
	if (nr >= irq->batch)
		vn_irq_grow(irq);
	else if (now - irq->since >= window / 2)
		irq->batch = nr;
	else if (now - irq->seen_at >= window / 4)
		vn_irq_shrink(irq, nr);
	else
		return;
	vn_irq_pay(cq, now);
}

/**
 * vn_irq_settle_all - signal all entries that are due
 * @worker: the caller's, locked
 * @now: worker->now
 */
void vn_irq_settle_all(struct vn_worker *worker, u64 now)
{
	struct vn_cq *cq, *next;

	list_for_each_entry_safe(cq, next, &worker->owed, irq.node)
		vn_irq_settle(cq, now);
}

/**
 * vn_irq_flush - signal all entries that are owed
 * @worker: the caller's, locked
 */
void vn_irq_flush(struct vn_worker *worker)
{
	struct vn_cq *cq, *next;

	list_for_each_entry_safe(cq, next, &worker->owed, irq.node)
		vn_irq_pay(cq, worker->now);
}

/**
 * vn_irq_post - an entry was posted
 * @cq: its queue
 * @own: vn_worker_is_current(), for the queue's worker
 *
 * Context: any; in the worker's thread, a pass.
 */
void vn_irq_post(struct vn_cq *cq, bool own)
{
	struct vn_irq *irq = &cq->irq;

	enum vn_irq_mode mode = READ_ONCE(irq->mode);

	if (!irq->ctx)
		return;
	if (unlikely(mode != VN_IRQ_ECONOMY)) {
		if (mode == VN_IRQ_COALESCE)
			vn_irq_gather(irq);
		return;
	}
	if (!own) {
		vn_irq_signal(irq);
	} else if (list_empty(&irq->node)) {
		irq->since = 0;
		list_add_tail(&irq->node, &cq->worker->owed);
	}
}
