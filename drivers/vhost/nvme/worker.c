// SPDX-License-Identifier: GPL-2.0
/*
 * The thread that serves submission queues: fetch, prepare, issue, and look
 * again for a while before it sleeps.
 */

#include <linux/blkdev.h>
#include <linux/kcov.h>
#include <linux/slab.h>

#include "compat.h"
#include "vhost_nvme.h"

/*
 * The entry is copied once; barrier() keeps the compiler from reading the
 * guest's memory again where the copy is meant.
 */
static unsigned int vn_sq_fetch(struct vn_sq *sq, struct vn_req **batch,
				unsigned int max)
{
	const struct nvme_command *ring = sq->map.vaddr;
	struct vn_mem *mem = sq->ctrl->mem;
	struct vn_req *req;
	unsigned int nr = 0;
	u32 head = sq->head;

	if (mem && !mem->pinned)
		mem = NULL;
	while (nr < max) {
		req = vn_req_get(sq);
		if (!req)
			break;
		memcpy(&req->cmd, &ring[head], sizeof(req->cmd));
		barrier();
		req->mem = mem;
		if (++head == sq->entries)
			head = 0;
		batch[nr++] = req;
	}
	WRITE_ONCE(sq->head, head);
	if (nr) {
		refcount_add(nr, &sq->ref);
		if (mem)
			percpu_ref_get_many(&mem->ref, nr);
	}
	sq->cq->reserved += nr;
	vn_add(&sq->commands, nr);
	return nr;
}

/* Returns how many commands it found. */
static unsigned int vn_sq_serve(struct vn_sq *sq)
{
	struct vn_worker *worker = sq->cq->worker;
	struct vn_req **batch = worker->batch;
	struct blk_plug plug;
	unsigned int i, nr;
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
	n = vn_cq_credits(sq->cq, min(n, sq->ctrl->batch));
	if (!n) {
		if (!sq->waiting)
			vn_add(&sq->cq->full, 1);
		sq->waiting = true;
		return 0;
	}
	sq->waiting = false;

	/* A batch is prepared as a whole, then issued under one plug. */
	nr = vn_sq_fetch(sq, batch, n);
	if (!nr)
		return 0;
	vn_db_quiet(&sq->db, sq->head, sq->entries);

	for (i = 0; i < nr; i++)
		batch[i]->status = vn_nvm_prep(batch[i]);

	blk_start_plug(&plug);
	for (i = 0; i < nr; i++)
		vn_nvm_issue(batch[i]);
	blk_finish_plug(&plug);
	vn_irq_settle(sq->cq, worker->now);
	return nr;
}

/*
 * SGLs of many pieces in many queues could make a pass last for seconds. Whoever
 * waits for its end, to change the controller, waits for one queue and little more.
 */
static bool vn_pass_is_long(const struct vn_worker *worker)
{
	return ktime_get_ns() - worker->now > VN_PASS_NS;
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
		if (!list_empty(&sq->active) ||
		    vn_db_is(&sq->db, sq->head))
			continue;
		n = vn_sq_serve(sq);
		/* One that waits for entries of its CQ competes from now on. */
		if (!n && (sq->failed || sq->cq->failed))
			continue;
		found += n;
		sq->misses = 0;
		list_add_tail(&sq->active, &worker->active);
		if (vn_pass_is_long(worker))
			break;
	}
	return found;
}

/* True if there was something to do, or commands are polled for. */
static bool vn_worker_pass(struct vn_worker *worker)
{
	unsigned int n, found = 0;
	struct vn_sq *sq, *next;
	bool polling = false, rotate = true;

	mutex_lock(&worker->lock);
	list_for_each_entry_safe(sq, next, &worker->active, active) {
		n = vn_sq_serve(sq);
		found += n;
		if (n)
			sq->misses = 0;
		else if (++sq->misses == VN_SQ_MISSES)
			list_del_init(&sq->active);
		if (n && !list_entry_is_head(next, &worker->active, active) &&
		    vn_pass_is_long(worker)) {
			list_rotate_to_front(&next->active, &worker->active);
			rotate = false;
			break;
		}
	}
	/* Each in its turn is first at the entries of a CQ that they share. */
	if (rotate && !list_is_singular(&worker->active))
		list_rotate_left(&worker->active);

	if (!list_empty_careful(&worker->polled))
		polling = vn_poll_disks(worker);

	worker->unscanned += found;
	if (!found || worker->unscanned >= VN_SCAN_COMMANDS) {
		worker->unscanned = 0;
		found += vn_worker_scan(worker);
	}
	if (!list_empty(&worker->owed)) {
		if (vn_should_yield())
			vn_irq_flush(worker);
		else
			vn_irq_settle_all(worker, worker->now);
	}
	if (worker->mem_puts) {
		percpu_ref_put_many(&worker->ctrl->mem->ref, worker->mem_puts);
		worker->mem_puts = 0;
	}
	mutex_unlock(&worker->lock);

	vn_add(&worker->passes, 1);
	vn_add(&worker->busy_passes, !!found);
	return found || polling;
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
	u64 poll_ns = worker->poll_ns;
	struct vn_sq *sq;

	if (now - worker->slept < max)
		poll_ns = min(max, max(2 * poll_ns, max / 4));
	else if (poll_ns > max / 16)
		poll_ns /= 2;
	else
		poll_ns = 0;
	WRITE_ONCE(worker->poll_ns, poll_ns);

	worker->asleep = false;
	worker->last_busy = now;
	worker->now = now;
	vn_add(&worker->wakeups, 1);

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
	kcov_remote_start_common(worker->kcov_handle);
	if (worker->asleep)
		vn_worker_woken(worker);

	busy = vn_worker_pass(worker);
	kcov_remote_stop();
	now = ktime_get_ns();
	worker->now = now;
	/*
	 * RCU Tasks, which frees what tracers and BPF used, waits for all threads to
	 * sleep or to be in user space. One that polls does neither for long.
	 */
	if (busy) {
		worker->last_busy = now;
		cond_resched_tasks_rcu_qs();
		return true;
	}
	if (now - worker->last_busy < min(worker->poll_ns,
					  READ_ONCE(worker->poll_max_ns))) {
		cpu_relax();
		cond_resched_tasks_rcu_qs();
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
	WRITE_ONCE(worker->thread, NULL);
	spin_unlock_irq(&worker->wake_lock);
	/* First, so that nobody can end this worker while poll_work uses it */
	vn_ctrl_owner_died(worker->ctrl);
	vn_poll_end(worker);
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
 * vn_worker_create - create a worker, a thread of the calling process
 * @ctrl: controller
 *
 * Return: the worker, or an ERR_PTR().
 */
struct vn_worker *vn_worker_create(struct vn_ctrl *ctrl)
{
	struct vn_worker *worker;
	struct vhost_task *task;

	worker = kvzalloc(sizeof(*worker), GFP_KERNEL_ACCOUNT);
	if (!worker)
		return ERR_PTR(-ENOMEM);
	worker->ctrl = ctrl;
	worker->poll_max_ns = ctrl->poll_max_ns;
	worker->irq_max_ns = ctrl->irq_max_ns;
	worker->poll_disks = ctrl->poll_disks;
	worker->kcov_handle = kcov_common_handle();
	spin_lock_init(&worker->wake_lock);
	mutex_init(&worker->lock);
	INIT_LIST_HEAD(&worker->sqs);
	INIT_LIST_HEAD(&worker->active);
	INIT_LIST_HEAD(&worker->owed);
	vn_poll_init(worker);

	task = vn_task_create(vn_worker_fn, vn_worker_killed, worker,
			      "vhost-nvme");
	if (IS_ERR(task)) {
		kvfree(worker);
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
	WRITE_ONCE(worker->thread, NULL);
	vn_poll_end(worker);
}
