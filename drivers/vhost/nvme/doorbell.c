// SPDX-License-Identifier: GPL-2.0
/*
 * Doorbells: shadow doorbells with EventIdx (NVMe Base 2.0, 5.8 and Annex B.5,
 * Doorbell Buffer Config), the eventfds behind doorbell registers, and values
 * of trapped register writes.
 *
 * EventIdx, for both kinds of queue. The guest moves a doorbell from old to
 * new, reads EventIdx, and writes the register if EventIdx is one of the values
 * old, old + 1 .. new - 1 (modulo 2^16, see nvme_dbbuf_need_event() in Linux).
 * With 'seen' being the last value that we took from the shadow doorbell:
 *
 *   seen		the next movement is announced: "armed"
 *   seen - 1		no movement is announced before the doorbell has gone
 *			once around the ring: "quiet". It cannot: a tail stays
 *			behind the head we know, and a head behind the tail, so
 *			that neither moves by more than entries - 1 from seen.
 *
 * No wake-up is lost. The guest and the worker do, in this order:
 *
 *	guest				worker
 *	1. shadow = new			a. EventIdx = seen	(vn_db_arm)
 *	2. full barrier			b. full barrier		(vn_worker_arm)
 *	3. read EventIdx		c. read shadow
 *	4. ring if it was passed	d. sleep if shadow == seen
 *
 * If c does not see 1, then c came before 1, so a came before 3 (2 and b are
 * full barriers), and 3 reads 'seen' and rings, since seen is what the guest
 * moved away from. The ring finds the worker asleep and wakes it, or finds it
 * between c and d; it set its task state before c, so d does not sleep then.
 */

#include <linux/file.h>
#include <linux/nospec.h>

#include "vhost_nvme.h"

/* Indexes of a queue's entries in the shadow doorbell and EventIdx pages */
static unsigned int vn_sq_db(u16 sqid)
{
	return 2 * sqid;
}

static unsigned int vn_cq_db(u16 cqid)
{
	return 2 * cqid + 1;
}

/* Runs in any context, under the lock of the eventfd's wait queue. */
static int vn_kick_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync,
			  void *key)
{
	struct vn_kick *kick = container_of(wait, struct vn_kick, wait);

	if (key_to_poll(key) & EPOLLIN) {
		vn_add(&kick->count, 1);
		vn_worker_wake(kick->worker);
	}
	return 0;
}

static void vn_kick_queue(struct file *file, wait_queue_head_t *wqh,
			  poll_table *pt)
{
	struct vn_kick *kick = container_of(pt, struct vn_kick, pt);

	kick->wqh = wqh;
	add_wait_queue(wqh, &kick->wait);
}

/**
 * vn_kick_init - let an eventfd wake a worker
 * @kick: to initialise
 * @worker: whom to wake
 * @fd: the eventfd, or -1 for none
 *
 * The counter of the eventfd is never read: a signal is only a reason to look
 * at the doorbells, and the worker looks before it sleeps.
 *
 * Context: process context.
 * Return: 0, -EBADF if @fd is not open, -EINVAL if it is no eventfd.
 */
int vn_kick_init(struct vn_kick *kick, struct vn_worker *worker, int fd)
{
	struct file *file;

	kick->file = NULL;
	if (fd == -1)
		return 0;

	file = eventfd_fget(fd);
	if (IS_ERR(file))
		return PTR_ERR(file);

	kick->file = file;
	kick->worker = worker;
	init_waitqueue_func_entry(&kick->wait, vn_kick_wakeup);
	init_poll_funcptr(&kick->pt, vn_kick_queue);
	if (vfs_poll(file, &kick->pt) & EPOLLIN)
		vn_worker_wake(worker);
	return 0;
}

/**
 * vn_kick_exit - undo vn_kick_init(); afterwards nothing wakes the worker
 * @kick: may have no eventfd
 */
void vn_kick_exit(struct vn_kick *kick)
{
	if (!kick->file)
		return;
	remove_wait_queue(kick->wqh, &kick->wait);
	fput(kick->file);
	kick->file = NULL;
}

/**
 * vn_db_read - the guest's present value of a doorbell
 * @db: doorbell
 * @entries: size of the ring
 * @value: set on success
 *
 * What the guest wrote before it moved the doorbell can be read afterwards.
 *
 * Return: false if the guest wrote a value outside of the ring.
 */
bool vn_db_read(const struct vn_db *db, u32 entries, u32 *value)
{
	u32 v;

	if (db->shadow)
		v = le32_to_cpu(READ_ONCE(*db->shadow));
	else
		v = READ_ONCE(db->value);
	/*
	 * Before what the doorbell covers is read: the guest wrote it, with a
	 * barrier, before the doorbell (NVMe Base 2.0, 3.3.3.1).
	 */
	smp_rmb();
	if (unlikely(v >= entries))
		return false;
	*value = v;
	return true;
}

/**
 * vn_db_arm - have the next movement of a doorbell announced
 * @db: doorbell
 * @seen: its last value
 *
 * The caller issues a full barrier and reads the doorbell again.
 */
void vn_db_arm(struct vn_db *db, u32 seen)
{
	if (db->eventidx)
		WRITE_ONCE(*db->eventidx, cpu_to_le32(seen));
}

/**
 * vn_db_quiet - have no movement of a doorbell announced
 * @db: doorbell
 * @seen: its last value
 * @entries: size of the ring
 */
void vn_db_quiet(struct vn_db *db, u32 seen, u32 entries)
{
	u32 idx = (seen ? seen : entries) - 1;

	if (db->eventidx && READ_ONCE(*db->eventidx) != cpu_to_le32(idx))
		WRITE_ONCE(*db->eventidx, cpu_to_le32(idx));
}

/*
 * The shadow doorbell starts from the value that is in force. The guest does
 * not touch it meanwhile: it waits for Doorbell Buffer Config or Create I/O
 * Queue to complete. Armed, since the worker may be asleep.
 */
static void vn_db_attach(struct vn_ctrl *ctrl, struct vn_db *db,
			 unsigned int index, u32 seen)
{
	u32 value;

	if (!ctrl->dbs.pages)
		return;
	value = db->shadow ? le32_to_cpu(READ_ONCE(*db->shadow)) : db->value;
	db->shadow = (__le32 *)ctrl->dbs.vaddr + index;
	db->eventidx = (__le32 *)ctrl->eis.vaddr + index;
	WRITE_ONCE(*db->shadow, cpu_to_le32(value));
	vn_db_arm(db, seen);
}

static void vn_db_detach(struct vn_db *db)
{
	db->shadow = NULL;
	db->eventidx = NULL;
}

/**
 * vn_dbbuf_attach_sq - use the shadow doorbell of an SQ, if they are on
 * @sq: the queue; not served yet, or its worker is paused
 */
void vn_dbbuf_attach_sq(struct vn_sq *sq)
{
	vn_db_attach(sq->ctrl, &sq->db, vn_sq_db(sq->sqid), sq->head);
}

/**
 * vn_dbbuf_attach_cq - use the shadow doorbell of a CQ, if they are on
 * @cq: the queue; not in use yet, or its worker is paused
 */
void vn_dbbuf_attach_cq(struct vn_cq *cq)
{
	vn_db_attach(cq->ctrl, &cq->db, vn_cq_db(cq->cqid), cq->head);
	vn_db_quiet(&cq->db, cq->head, cq->entries);
}

/**
 * vn_dbbuf_detach - forget the shadow doorbells
 * @ctrl: controller, locked
 *
 * On return their pages are not touched any more. No queue is served that could
 * miss them: see vn_ctrl_reset().
 *
 * Context: process context; waits for one pass of the workers.
 */
void vn_dbbuf_detach(struct vn_ctrl *ctrl)
{
	unsigned int i;

	lockdep_assert_held(&ctrl->lock);

	if (!ctrl->dbs.pages)
		return;

	vn_ctrl_pause(ctrl);
	for (i = 1; i <= VN_MAX_QUEUES; i++) {
		if (ctrl->sqs[i])
			vn_db_detach(&ctrl->sqs[i]->db);
		if (ctrl->cqs[i])
			vn_db_detach(&ctrl->cqs[i]->db);
	}
	vn_ctrl_resume(ctrl);

	vn_map_destroy(ctrl, &ctrl->dbs);
	vn_map_destroy(ctrl, &ctrl->eis);
}

/**
 * vn_dbbuf_set - VHOST_NVME_SET_DBBUF
 * @ctrl: controller, locked
 * @arg: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_dbbuf_set(struct vn_ctrl *ctrl, const struct vhost_nvme_dbbuf *arg)
{
	struct vn_map dbs = {}, eis = {}, old_dbs, old_eis;
	unsigned int i;
	int err;

	lockdep_assert_held(&ctrl->lock);

	if (arg->dbs == arg->eis ||
	    memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (ctrl->resetting)
		return -EBUSY;

	err = vn_map_create(ctrl, &dbs, arg->dbs, VHOST_PAGE_SIZE);
	if (err)
		return err;
	err = vn_map_create(ctrl, &eis, arg->eis, VHOST_PAGE_SIZE);
	if (err) {
		vn_map_destroy(ctrl, &dbs);
		return err;
	}

	vn_ctrl_pause(ctrl);
	old_dbs = ctrl->dbs;
	old_eis = ctrl->eis;
	ctrl->dbs = dbs;
	ctrl->eis = eis;
	for (i = 1; i <= VN_MAX_QUEUES; i++) {
		if (ctrl->sqs[i] && !ctrl->sqs[i]->deleting)
			vn_dbbuf_attach_sq(ctrl->sqs[i]);
		else if (ctrl->sqs[i])
			vn_db_detach(&ctrl->sqs[i]->db);
		if (ctrl->cqs[i])
			vn_dbbuf_attach_cq(ctrl->cqs[i]);
	}
	vn_ctrl_resume(ctrl);

	/* A worker that sleeps for want of CQ entries arms the new EventIdx. */
	for (i = 0; i < ctrl->nr_workers; i++)
		vn_worker_wake(ctrl->workers[i]);

	vn_map_destroy(ctrl, &old_dbs);
	vn_map_destroy(ctrl, &old_eis);
	return 0;
}

/**
 * vn_doorbell - VHOST_NVME_DOORBELL
 * @ctrl: controller, locked
 * @arg: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_doorbell(struct vn_ctrl *ctrl, const struct vhost_nvme_doorbell *arg)
{
	struct vn_sq *sq;
	struct vn_cq *cq;
	u16 qid;

	lockdep_assert_held(&ctrl->lock);

	if (arg->flags & ~VHOST_NVME_DOORBELL_CQ)
		return -EINVAL;
	if (!arg->qid || arg->qid > VN_MAX_QUEUES)
		return -ENOENT;
	qid = array_index_nospec(arg->qid, VN_MAX_QUEUES + 1);

	if (arg->flags & VHOST_NVME_DOORBELL_CQ) {
		cq = ctrl->cqs[qid];
		if (!cq)
			return -ENOENT;
		if (arg->value >= cq->entries)
			return -EINVAL;
		cq->db.rings++;
		WRITE_ONCE(cq->db.value, arg->value);
		/* Value before starved: against vn_worker_arm() */
		smp_mb();
		if (READ_ONCE(cq->starved))
			vn_worker_wake(cq->worker);
		return 0;
	}

	sq = ctrl->sqs[qid];
	if (!sq || sq->deleting)
		return -ENOENT;
	if (arg->value >= sq->entries)
		return -EINVAL;
	sq->db.rings++;
	/* The wake-up orders it before the worker's next look. */
	WRITE_ONCE(sq->db.value, arg->value);
	vn_worker_wake(sq->cq->worker);
	return 0;
}
