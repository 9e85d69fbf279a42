// SPDX-License-Identifier: GPL-2.0
/*
 * Submission and completion queues: creation, deletion, completion of
 * requests. Fetching from submission queues is the worker's (worker.c).
 */

#include <linux/nospec.h>
#include <linux/slab.h>

#include "vhost_nvme.h"

/*
 * Completion queues
 */

/**
 * vn_cq_fail - stop a CQ and all its SQs for good
 * @cq: the queue; its worker is paused, or calls
 */
void vn_cq_fail(struct vn_cq *cq)
{
	if (cq->failed)
		return;
	WRITE_ONCE(cq->failed, true);
	vn_event(cq->ctrl, VHOST_NVME_EVENT_CQ_ERROR, cq->cqid);
}

/**
 * vn_cq_update_head - take over the guest's head
 * @cq: the queue; called by its worker
 *
 * A head that overtakes the tail would hand out entries that the guest has not
 * consumed: the queue fails.
 */
void vn_cq_update_head(struct vn_cq *cq)
{
	u32 head, moved;

	if (!vn_db_read(&cq->db, cq->entries, &head)) {
		vn_cq_fail(cq);
		return;
	}
	if (head == cq->head)
		return;

	moved = head - cq->head;
	if (head < cq->head)
		moved += cq->entries;
	/* Read after the head: an entry that was consumed is counted in it. */
	if (moved > (u32)READ_ONCE(cq->posted) - cq->released) {
		vn_cq_fail(cq);
		return;
	}
	cq->head = head;
	cq->released += moved;
	vn_db_quiet(&cq->db, head, cq->entries);
}

/**
 * vn_cq_credits - how many commands may be fetched
 * @cq: the queue; called by its worker
 * @want: no more than this
 *
 * Every command that is fetched has an entry set aside, so that a completion
 * never waits and never overtakes the guest.
 *
 * Return: 0 to @want; 0 if the queue has failed.
 */
u32 vn_cq_credits(struct vn_cq *cq, u32 want)
{
	u32 left = cq->entries - 1 - (cq->reserved - cq->released);

	if (left < want) {
		vn_cq_update_head(cq);
		left = cq->entries - 1 - (cq->reserved - cq->released);
	}
	return cq->failed ? 0 : min(left, want);
}

/*
 * The dword with the phase tag is written last (NVMe Base 2.0, 3.3.3.2). @own is
 * vn_worker_is_current().
 */
static void vn_cq_post(struct vn_cq *cq, const struct vn_req *req, bool own)
{
	struct vn_sq *sq = req->sq;
	union {
		struct nvme_completion	cqe;
		u32			dw[4];
	} new = {
		.cqe.result.u32	= cpu_to_le32(req->result),
		.cqe.sq_id	= cpu_to_le16(sq->sqid),
		.cqe.command_id	= req->cmd.common.command_id,
	};
	unsigned long flags;
	u32 *slot;

	if (unlikely(READ_ONCE(cq->failed)))
		return;

	spin_lock_irqsave(&cq->lock, flags);
	/* Locked, so that it does not go back from one entry to the next */
	new.cqe.sq_head = cpu_to_le16(READ_ONCE(sq->head));
	new.cqe.status = cpu_to_le16(req->status << 1 | cq->phase);
	slot = cq->map.vaddr + cq->tail * sizeof(new.cqe);
	/* Before the guest can see the entry: see vn_cq_update_head() */
	WRITE_ONCE(cq->posted, cq->posted + 1);
	WRITE_ONCE(slot[0], new.dw[0]);
	WRITE_ONCE(slot[1], new.dw[1]);
	WRITE_ONCE(slot[2], new.dw[2]);
	/* The guest reads the phase tag first, then the rest. */
	smp_store_release(&slot[3], new.dw[3]);
	if (++cq->tail == cq->entries) {
		cq->tail = 0;
		cq->phase ^= 1;
	}
	spin_unlock_irqrestore(&cq->lock, flags);
	vn_irq_post(cq, own);
}

static int vn_cq_check(struct vn_ctrl *ctrl, const struct vhost_nvme_cq *arg)
{
	if (!arg->cqid || arg->cqid > VN_MAX_QUEUES ||
	    arg->worker >= ctrl->nr_workers ||
	    arg->entries < 2 || arg->entries > VN_MAX_ENTRIES ||
	    arg->irq_fd < -1 || arg->kick_fd < -1 ||
	    memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (ctrl->resetting)
		return -EBUSY;
	if (ctrl->cqs[arg->cqid])
		return -EEXIST;
	return 0;
}

/**
 * vn_cq_create - VHOST_NVME_CREATE_CQ
 * @ctrl: controller, locked
 * @arg: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_cq_create(struct vn_ctrl *ctrl, const struct vhost_nvme_cq *arg)
{
	struct vn_cq *cq;
	int err;

	lockdep_assert_held(&ctrl->lock);

	err = vn_cq_check(ctrl, arg);
	if (err)
		return err;
	cq = kzalloc(sizeof(*cq), GFP_KERNEL_ACCOUNT);
	if (!cq)
		return -ENOMEM;

	cq->ctrl = ctrl;
	cq->worker = ctrl->workers[array_index_nospec(arg->worker,
						      VN_MAX_WORKERS)];
	cq->cqid = arg->cqid;
	cq->entries = arg->entries;
	cq->phase = 1;
	spin_lock_init(&cq->lock);
	vn_irq_init(cq);

	if (arg->irq_fd >= 0) {
		cq->irq.ctx = eventfd_ctx_fdget(arg->irq_fd);
		if (IS_ERR(cq->irq.ctx)) {
			err = PTR_ERR(cq->irq.ctx);
			goto err_free;
		}
	}
	err = vn_map_create(ctrl, &cq->map, arg->addr,
			    arg->entries * sizeof(struct nvme_completion));
	if (err)
		goto err_irq;
	err = vn_kick_init(&cq->kick, cq->worker, arg->kick_fd);
	if (err)
		goto err_map;

	vn_event_forget_errors(ctrl, 0, cq->cqid);
	vn_dbbuf_attach_cq(cq);
	ctrl->cqs[cq->cqid] = cq;
	ctrl->nr_cqs++;
	return 0;

err_map:
	vn_map_destroy(ctrl, &cq->map);
err_irq:
	if (cq->irq.ctx)
		eventfd_ctx_put(cq->irq.ctx);
err_free:
	kfree(cq);
	return err;
}

/**
 * vn_cq_free - free a CQ that no SQ uses
 * @cq: the queue; its controller is locked
 *
 * Context: process context, of any process; waits for one pass of the worker.
 */
void vn_cq_free(struct vn_cq *cq)
{
	struct vn_ctrl *ctrl = cq->ctrl;

	lockdep_assert_held(&ctrl->lock);
	WARN_ON_ONCE(cq->nr_sqs);

	vn_kick_exit(&cq->kick);
	vn_irq_exit(cq);
	ctrl->cqs[cq->cqid] = NULL;
	ctrl->nr_cqs--;
	vn_map_destroy(ctrl, &cq->map);
	if (cq->irq.ctx)
		eventfd_ctx_put(cq->irq.ctx);
	kfree(cq);
}

/**
 * vn_cq_delete - VHOST_NVME_DELETE_CQ
 * @ctrl: controller, locked
 * @cqid: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_cq_delete(struct vn_ctrl *ctrl, unsigned long cqid)
{
	struct vn_cq *cq;

	lockdep_assert_held(&ctrl->lock);

	if (!cqid || cqid > VN_MAX_QUEUES)
		return -ENOENT;
	cq = ctrl->cqs[array_index_nospec(cqid, VN_MAX_QUEUES + 1)];
	if (!cq)
		return -ENOENT;
	if (cq->nr_sqs)
		return -EBUSY;
	vn_cq_free(cq);
	return 0;
}

/*
 * Requests
 */

/**
 * vn_req_get - take a request for a command to fetch
 * @sq: the queue; called by its worker
 *
 * The caller takes the request's reference on @sq, before it is executed.
 *
 * Return: a request that belongs to the caller until vn_req_complete(), or NULL
 * if all are in flight.
 */
struct vn_req *vn_req_get(struct vn_sq *sq)
{
	struct llist_node *node;

	if (!sq->idle)
		sq->idle = llist_del_all(&sq->done);
	node = sq->idle;
	if (!node)
		return NULL;
	sq->idle = node->next;
	return llist_entry(node, struct vn_req, link);
}

/**
 * vn_req_complete - post the completion and give the request back
 * @req: with its status; its data is unmapped
 *
 * Context: any. @req, its SQ and its namespace may be gone on return.
 */
void vn_req_complete(struct vn_req *req)
{
	struct vn_sq *sq = req->sq;
	struct vn_worker *worker = sq->cq->worker;
	bool own = vn_worker_is_current(worker);
	struct vn_mem *mem = req->mem;
	struct vn_ns *ns = req->ns;

	if (unlikely(req->status))
		vn_error_log(req);
	vn_cq_post(sq->cq, req, own);
	if (own) {
		req->link.next = sq->idle;
		sq->idle = &req->link;
		/* The table of this pass: dropped together with others */
		if (mem && mem == sq->ctrl->mem) {
			worker->mem_puts++;
			mem = NULL;
		}
	} else {
		llist_add(&req->link, &sq->done);
		/* llist_add() is a full barrier: against vn_worker_arm() */
		if (READ_ONCE(sq->starved))
			vn_worker_wake(worker);
	}
	if (mem)
		percpu_ref_put(&mem->ref);
	if (ns)
		vn_ns_put(ns);
	vn_sq_put(sq);
}

/*
 * Submission queues
 */

/**
 * vn_sq_fail - stop an SQ for good
 * @sq: the queue; its worker is paused, or calls
 */
void vn_sq_fail(struct vn_sq *sq)
{
	if (sq->failed)
		return;
	sq->failed = true;
	vn_event(sq->ctrl, VHOST_NVME_EVENT_SQ_ERROR, sq->sqid);
}

static void vn_sq_free(struct vn_sq *sq)
{
	struct vn_ctrl *ctrl = sq->ctrl;

	vn_map_destroy(ctrl, &sq->map);
	kvfree(sq->reqs);

	mutex_lock(&ctrl->lock);
	ctrl->sqs[sq->sqid] = NULL;
	ctrl->nr_sqs--;
	sq->cq->nr_sqs--;
	if (!ctrl->resetting)
		vn_event(ctrl, VHOST_NVME_EVENT_SQ_DELETED, sq->sqid);
	else if (!ctrl->nr_sqs)
		vn_ctrl_reset_done(ctrl);
	mutex_unlock(&ctrl->lock);

	kfree(sq);
	vn_ctrl_put(ctrl);
}

/**
 * vn_sqs_free_work - free the SQs of a controller that are no longer in use
 * @work: ctrl->sqs_work; each of the SQs holds the controller
 *
 * One work item for all of them: it may have to wait for an ioctl.
 */
void vn_sqs_free_work(struct work_struct *work)
{
	struct vn_ctrl *ctrl = container_of(work, struct vn_ctrl, sqs_work);
	struct vn_sq *sq, *next;

	llist_for_each_entry_safe(sq, next, llist_del_all(&ctrl->dead_sqs),
				  dead)
		vn_sq_free(sq);
}

static int vn_sq_check(struct vn_ctrl *ctrl, const struct vhost_nvme_sq *arg)
{
	if (!arg->sqid || arg->sqid > VN_MAX_QUEUES ||
	    !arg->cqid || arg->cqid > VN_MAX_QUEUES ||
	    arg->entries < 2 || arg->entries > VN_MAX_ENTRIES ||
	    arg->page_shift < VN_MIN_PAGE_SHIFT ||
	    arg->page_shift > VN_MAX_PAGE_SHIFT || arg->kick_fd < -1 ||
	    memchr_inv(arg->reserved8, 0, sizeof(arg->reserved8)) ||
	    memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (ctrl->resetting)
		return -EBUSY;
	if (!ctrl->cqs[arg->cqid])
		return -ENOENT;
	if (ctrl->sqs[arg->sqid])
		return -EEXIST;
	return 0;
}

static int vn_sq_alloc_reqs(struct vn_sq *sq)
{
	u32 i, nr = min(sq->entries - 1, VN_MAX_INFLIGHT);

	sq->reqs = kvcalloc(nr, sizeof(*sq->reqs), GFP_KERNEL_ACCOUNT);
	if (!sq->reqs)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		sq->reqs[i].sq = sq;
		llist_add(&sq->reqs[i].link, &sq->done);
	}
	return 0;
}

/**
 * vn_sq_create - VHOST_NVME_CREATE_SQ
 * @ctrl: controller, locked
 * @arg: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_sq_create(struct vn_ctrl *ctrl, const struct vhost_nvme_sq *arg)
{
	struct vn_worker *worker;
	struct vn_sq *sq;
	int err;

	lockdep_assert_held(&ctrl->lock);

	err = vn_sq_check(ctrl, arg);
	if (err)
		return err;
	sq = kzalloc(sizeof(*sq), GFP_KERNEL_ACCOUNT);
	if (!sq)
		return -ENOMEM;

	sq->ctrl = ctrl;
	sq->cq = ctrl->cqs[arg->cqid];
	sq->sqid = arg->sqid;
	sq->entries = arg->entries;
	sq->page_shift = arg->page_shift;
	refcount_set(&sq->ref, 1);
	init_llist_head(&sq->done);
	INIT_LIST_HEAD(&sq->active);

	err = vn_sq_alloc_reqs(sq);
	if (err)
		goto err_free;
	err = vn_map_create(ctrl, &sq->map, arg->addr,
			    arg->entries * sizeof(struct nvme_command));
	if (err)
		goto err_reqs;
	worker = sq->cq->worker;
	err = vn_kick_init(&sq->kick, worker, arg->kick_fd);
	if (err)
		goto err_map;

	vn_event_forget_errors(ctrl, sq->sqid, 0);
	vn_dbbuf_attach_sq(sq);
	ctrl->sqs[sq->sqid] = sq;
	ctrl->nr_sqs++;
	sq->cq->nr_sqs++;
	vn_ctrl_get(ctrl);

	mutex_lock(&worker->lock);
	list_add_tail(&sq->node, &worker->sqs);
	mutex_unlock(&worker->lock);
	return 0;

err_map:
	vn_map_destroy(ctrl, &sq->map);
err_reqs:
	kvfree(sq->reqs);
err_free:
	kfree(sq);
	return err;
}

/**
 * vn_sq_detach - serve an SQ no more; it is freed after its last request
 * @sq: the queue, not being deleted yet; its controller is locked
 *
 * Context: process context; waits for one pass of the worker.
 */
void vn_sq_detach(struct vn_sq *sq)
{
	struct vn_worker *worker = sq->cq->worker;

	lockdep_assert_held(&sq->ctrl->lock);

	WRITE_ONCE(sq->deleting, true);
	vn_kick_exit(&sq->kick);
	mutex_lock(&worker->lock);
	list_del(&sq->node);
	list_del_init(&sq->active);
	mutex_unlock(&worker->lock);
	vn_sq_put(sq);
}

/**
 * vn_sq_delete - VHOST_NVME_DELETE_SQ
 * @ctrl: controller, locked
 * @sqid: from userspace
 *
 * Return: see the UAPI header.
 */
int vn_sq_delete(struct vn_ctrl *ctrl, unsigned long sqid)
{
	struct vn_sq *sq;

	lockdep_assert_held(&ctrl->lock);

	if (!sqid || sqid > VN_MAX_QUEUES)
		return -ENOENT;
	sq = ctrl->sqs[array_index_nospec(sqid, VN_MAX_QUEUES + 1)];
	if (!sq)
		return -ENOENT;
	if (sq->deleting)
		return -EALREADY;
	vn_sq_detach(sq);
	return 0;
}
