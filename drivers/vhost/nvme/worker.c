// SPDX-License-Identifier: GPL-2.0
/*
 * The thread that serves submission queues: fetch, prepare, issue, and look
 * again for a while before it sleeps.
 */

#include <linux/blkdev.h>
#include <linux/slab.h>

#include "compat.h"
#include "vhost_nvme.h"

/* A batch is prepared as a whole, then issued under one plug. */
struct vn_batch {
	unsigned int	nr;
	struct vn_req	*reqs[VN_SQ_BATCH];
};

/*
 * The entry is copied once; barrier() keeps the compiler from reading the
 * guest's memory again where the copy is meant.
 */
static void vn_sq_fetch(struct vn_sq *sq, struct vn_batch *batch, u32 max)
{
	const struct nvme_command *ring = sq->map.vaddr;
	struct vn_req *req;
	u32 head = sq->head;

	while (batch->nr < max) {
		req = vn_req_get(sq);
		if (!req)
			break;
		memcpy(&req->cmd, &ring[head], sizeof(req->cmd));
		barrier();
		if (++head == sq->entries)
			head = 0;
		batch->reqs[batch->nr++] = req;
	}
	WRITE_ONCE(sq->head, head);
	sq->cq->reserved += batch->nr;
	sq->commands += batch->nr;
}

/* Returns how many commands it found. */
static unsigned int vn_sq_serve(struct vn_sq *sq)
{
	struct vn_batch batch;
	struct blk_plug plug;
	unsigned int i;
	u32 tail, n;

	if (unlikely(sq->failed || sq->cq->failed))
		return 0;
	if (unlikely(!vn_db_read(&sq->db, sq->entries, &tail))) {
		vn_sq_fail(sq);
		return 0;
	}
	if (tail == sq->head)
		return 0;

	n = tail - sq->head;
	if (tail < sq->head)
		n += sq->entries;
	n = vn_cq_credits(sq->cq, min(n, VN_SQ_BATCH));
	if (!n) {
		if (!sq->waiting)
			sq->cq->full++;
		sq->waiting = true;
		return 0;
	}
	sq->waiting = false;

	batch.nr = 0;
	vn_sq_fetch(sq, &batch, n);
	if (!batch.nr)
		return 0;
	vn_db_quiet(&sq->db, sq->head, sq->entries);

	for (i = 0; i < batch.nr; i++)
		batch.reqs[i]->status = vn_nvm_prep(batch.reqs[i]);

	blk_start_plug(&plug);
	for (i = 0; i < batch.nr; i++)
		vn_nvm_issue(batch.reqs[i]);
	blk_finish_plug(&plug);
	vn_irq_settle(sq->cq, ktime_get_ns());
	return batch.nr;
}

/*
 * Queues without commands are looked at now and then: the cost of a command does
 * not grow with their number, and the wait of their first one is bounded.
 */
static unsigned int vn_worker_scan(struct vn_worker *worker)
{
	unsigned int n, found = 0;
	struct vn_sq *sq;

	list_for_each_entry(sq, &worker->sqs, node) {
		if (!list_empty(&sq->active))
			continue;
		n = vn_sq_serve(sq);
		if (!n)
			continue;
		found += n;
		sq->misses = 0;
		list_add_tail(&sq->active, &worker->active);
	}
	/* Each in its turn is first at the entries of a CQ that they share. */
	list_rotate_left(&worker->sqs);
	return found;
}

static bool vn_worker_pass(struct vn_worker *worker)
{
	unsigned int n, found = 0;
	struct vn_sq *sq, *next;

	mutex_lock(&worker->lock);
	list_for_each_entry_safe(sq, next, &worker->active, active) {
		n = vn_sq_serve(sq);
		found += n;
		if (n)
			sq->misses = 0;
		else if (++sq->misses == VN_SQ_MISSES)
			list_del_init(&sq->active);
	}
	list_rotate_left(&worker->active);

	worker->unscanned += found;
	if (!found || worker->unscanned >= VN_SCAN_COMMANDS) {
		worker->unscanned = 0;
		found += vn_worker_scan(worker);
	}
	if (!list_empty(&worker->owed)) {
		if (need_resched())
			vn_irq_flush(worker);
		else
			vn_irq_settle_all(worker, ktime_get_ns());
	}
	mutex_unlock(&worker->lock);

	worker->passes++;
	worker->busy_passes += !!found;
	return found;
}

/*
 * Asks for a wake-up by everything that can make an SQ ready: its tail, and
 * where commands wait already, the CQ's head or a request that comes back.
 */
static void vn_sq_arm(struct vn_sq *sq)
{
	u32 tail;

	if (sq->failed || sq->cq->failed)
		return;
	vn_db_arm(&sq->db, sq->head);
	if (!vn_db_read(&sq->db, sq->entries, &tail) || tail == sq->head)
		return;
	WRITE_ONCE(sq->starved, true);
	WRITE_ONCE(sq->cq->starved, true);
	vn_db_arm(&sq->cq->db, sq->cq->head);
}

static void vn_sq_disarm(struct vn_sq *sq)
{
	if (sq->failed || sq->cq->failed)
		return;
	vn_db_quiet(&sq->db, sq->head, sq->entries);
	if (sq->starved) {
		WRITE_ONCE(sq->starved, false);
		WRITE_ONCE(sq->cq->starved, false);
		vn_db_quiet(&sq->cq->db, sq->cq->head, sq->cq->entries);
	}
}

static bool vn_sq_ready(struct vn_sq *sq)
{
	u32 tail;

	if (sq->failed || sq->cq->failed)
		return false;
	/* A bad tail is for vn_sq_serve() to find. */
	if (!vn_db_read(&sq->db, sq->entries, &tail))
		return true;
	if (tail == sq->head)
		return false;
	/* It came after vn_sq_arm() looked: what it may lack is not armed. */
	if (!sq->starved)
		return true;
	/*
	 * Credits last: taking over the CQ's head disarms it, which is right
	 * only if the answer is then yes.
	 */
	return (sq->idle || !llist_empty(&sq->done)) &&
	       vn_cq_credits(sq->cq, 1);
}

/*
 * The barrier is the worker's half of the handshakes with the guest (proof in
 * doorbell.c), with vn_doorbell() and with vn_req_complete(): arm, barrier,
 * look; theirs is change, barrier, look whether armed.
 *
 * Returns with the task state set for sleeping, or false if a queue is ready.
 */
static bool vn_worker_arm(struct vn_worker *worker)
{
	struct vn_sq *sq;
	bool ready;

	mutex_lock(&worker->lock);
	vn_irq_flush(worker);
	list_for_each_entry(sq, &worker->sqs, node)
		vn_sq_arm(sq);
	set_current_state(TASK_INTERRUPTIBLE);	/* a full barrier */
	/*
	 * vhost_task_fn() looked for the stop flag before vn_worker_fn() made
	 * the task runnable again: a stop since then would not wake it.
	 */
	ready = READ_ONCE(worker->stop);
	list_for_each_entry(sq, &worker->sqs, node) {
		if (ready)
			break;
		ready = vn_sq_ready(sq);
	}
	if (ready) {
		__set_current_state(TASK_RUNNING);
		list_for_each_entry(sq, &worker->sqs, node)
			vn_sq_disarm(sq);
	}
	mutex_unlock(&worker->lock);
	return !ready;
}

/*
 * The window grows while sleeps are shorter than the limit (polling would have
 * caught the next command) and shrinks to nothing while they are longer.
 */
static void vn_worker_woken(struct vn_worker *worker)
{
	u64 max = READ_ONCE(worker->poll_max_ns), now = ktime_get_ns();
	struct vn_sq *sq;

	if (now - worker->slept < max)
		worker->poll_ns = min(max, max(2 * worker->poll_ns, max / 4));
	else if (worker->poll_ns > max / 16)
		worker->poll_ns /= 2;
	else
		worker->poll_ns = 0;

	worker->asleep = false;
	worker->last_busy = now;
	worker->wakeups++;

	mutex_lock(&worker->lock);
	list_for_each_entry(sq, &worker->sqs, node)
		vn_sq_disarm(sq);
	mutex_unlock(&worker->lock);
}

/*
 * One pass. vhost_task calls again at once if it returns true, and sleeps in
 * the task state that is left if it returns false.
 */
static bool vn_worker_fn(void *arg)
{
	struct vn_worker *worker = arg;
	bool busy;
	u64 now;

	__set_current_state(TASK_RUNNING);
	if (unlikely(!worker->thread)) {
		WRITE_ONCE(worker->tid, task_pid_vnr(current));
		WRITE_ONCE(worker->thread, current);
	}
	if (worker->asleep)
		vn_worker_woken(worker);

	busy = vn_worker_pass(worker);
	now = ktime_get_ns();
	if (busy) {
		worker->last_busy = now;
		cond_resched();
		return true;
	}
	if (now - worker->last_busy < min(worker->poll_ns,
					  READ_ONCE(worker->poll_max_ns))) {
		cpu_relax();
		cond_resched();
		return true;
	}
	if (!vn_worker_arm(worker))
		return true;
	worker->asleep = true;
	worker->slept = now;
	return false;
}

/* The owner got SIGKILL, or exits; the file may stay open in other processes. */
static void vn_worker_killed(void *arg)
{
	struct vn_worker *worker = arg;

	/* vhost_task may hold no reference on the thread: not after its end. */
	spin_lock_irq(&worker->wake_lock);
	worker->killed = true;
	spin_unlock_irq(&worker->wake_lock);
	vn_ctrl_owner_died(worker->ctrl);
}

/**
 * vn_worker_wake - have a worker look at its queues
 * @worker: may have ended
 *
 * Context: any.
 */
void vn_worker_wake(struct vn_worker *worker)
{
	unsigned long flags;

	spin_lock_irqsave(&worker->wake_lock, flags);
	if (!worker->stop && !worker->killed)
		vhost_task_wake(worker->task);
	spin_unlock_irqrestore(&worker->wake_lock, flags);
}

/**
 * vn_worker_is_current - is this the worker's own context?
 * @worker: worker
 *
 * Context: any; interrupts do not count as the worker's.
 */
bool vn_worker_is_current(const struct vn_worker *worker)
{
	return in_task() && READ_ONCE(worker->thread) == current;
}

/**
 * vn_worker_create - create a worker, a thread of the calling process
 * @ctrl: controller
 *
 * Return: the worker, or an ERR_PTR().
 */
struct vn_worker *vn_worker_create(struct vn_ctrl *ctrl)
{
	struct vn_worker *worker;
	struct vhost_task *task;

	worker = kzalloc(sizeof(*worker), GFP_KERNEL_ACCOUNT);
	if (!worker)
		return ERR_PTR(-ENOMEM);
	worker->ctrl = ctrl;
	worker->poll_max_ns = ctrl->poll_max_ns;
	spin_lock_init(&worker->wake_lock);
	mutex_init(&worker->lock);
	INIT_LIST_HEAD(&worker->sqs);
	INIT_LIST_HEAD(&worker->active);
	INIT_LIST_HEAD(&worker->owed);

	task = vn_task_create(vn_worker_fn, vn_worker_killed, worker,
			      "vhost-nvme");
	if (IS_ERR(task)) {
		kfree(worker);
		return ERR_CAST(task);
	}
	worker->task = task;
	vhost_task_start(task);
	return worker;
}

/**
 * vn_worker_stop - end a worker's thread
 * @worker: its memory remains for requests in flight
 *
 * Context: process context; waits for one pass.
 */
void vn_worker_stop(struct vn_worker *worker)
{
	spin_lock_irq(&worker->wake_lock);
	WRITE_ONCE(worker->stop, true);
	spin_unlock_irq(&worker->wake_lock);
	vhost_task_stop(worker->task);
}
