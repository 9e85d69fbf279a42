// SPDX-License-Identifier: GPL-2.0
/*
 * Polled completion (VHOST_NVME_F_POLL_DISK): requests to a disk that has poll
 * queues raise no interrupt on the host. Somebody must look for their
 * completions for as long as one is in flight:
 *
 * - the worker that submitted them, which does not sleep meanwhile, also while
 *   their queue is being deleted or the controller reset;
 * - after the end of its thread a work item, until the last one is complete.
 *
 * Everybody else who polls the same queue of the disk may find them as well, so
 * that they complete in any context.
 */

#include <linux/blk-mq.h>
#include <linux/blkdev.h>

#include "vhost_nvme.h"

/* Requests looked for in one pass, each for itself: they may be on many disks. */
#define VN_POLL_BATCH	8

/*
 * The driver may free its tag set as soon as the disk is removed, although that is
 * open here: nobody can enter its queue then.
 */
static bool vn_has_poll_queues(struct request_queue *q)
{
	bool has;

	if (!percpu_ref_tryget_live(&q->q_usage_counter))
		return false;
	has = q->tag_set->map[HCTX_TYPE_POLL].nr_queues;
	percpu_ref_put(&q->q_usage_counter);
	return has;
}

/* Only requests, of which the block layer can say which queue they went to */
static bool vn_poll_able(struct bio *bio)
{
	struct request_queue *q = bdev_get_queue(bio->bi_bdev);

	return q->limits.features & BLK_FEAT_POLL && queue_is_mq(q) &&
	       bio->bi_opf & REQ_NOWAIT && !op_is_flush(bio->bi_opf) &&
	       !bio_flagged(bio, BIO_CHAIN) && vn_has_poll_queues(q);
}

/**
 * vn_poll_add - have a request polled for, if its disk can be polled
 * @req: about to be submitted by its worker
 *
 * Requests that the block layer may have to make others of are left alone, and so
 * are those with a flush.
 */
void vn_poll_add(struct vn_req *req)
{
	struct vn_worker *worker = req->sq->cq->worker;

	if (!vn_poll_able(&req->bio))
		return;
	/*
	 * Not merged: a request goes to the hardware queue of its first bio, and only
	 * the bio at its head is told which that was, if it is a polled one.
	 */
	req->bio.bi_opf |= REQ_POLLED | REQ_NOMERGE;
	req->polled = true;
	spin_lock_irq(&worker->polled_lock);
	list_add_tail(&req->node, &worker->polled);
	spin_unlock_irq(&worker->polled_lock);
}

/**
 * vn_poll_del - a request that was polled for is complete
 * @req: the request
 *
 * Context: any.
 */
void vn_poll_del(struct vn_req *req)
{
	struct vn_worker *worker = req->sq->cq->worker;
	unsigned long flags;

	req->polled = false;
	spin_lock_irqsave(&worker->polled_lock, flags);
	list_del(&req->node);
	spin_unlock_irqrestore(&worker->polled_lock, flags);
}

/*
 * The one that was looked for the longest time ago. Where to look is copied, since
 * others may complete the request meanwhile. The disk's hardware queue, which the
 * cookie names, remains: a request holds the usage counter, so that another reference
 * is to be had. A bio that the host's limits (io.max) still keep back has neither, and
 * is not to be found anywhere: without bdev, nobody looks.
 */
static struct vn_ns *vn_poll_next(struct vn_worker *worker, struct bio *bio)
{
	struct request_queue *q;
	struct vn_ns *ns = NULL;
	struct vn_req *req;

	spin_lock_irq(&worker->polled_lock);
	req = list_first_entry_or_null(&worker->polled, struct vn_req, node);
	if (req) {
		list_move_tail(&req->node, &worker->polled);
		ns = req->ns;
		refcount_inc(&ns->ref);
		bio->bi_cookie = READ_ONCE(req->bio.bi_cookie);
		q = bdev_get_queue(ns->bdev);
		bio->bi_bdev = percpu_ref_tryget(&q->q_usage_counter) ?
			       ns->bdev : NULL;
	}
	spin_unlock_irq(&worker->polled_lock);
	return ns;
}

/**
 * vn_poll_disks - look for completions
 * @worker: the caller's, locked, or one whose thread has ended
 *
 * Return: whether there is still something to look for.
 */
bool vn_poll_disks(struct vn_worker *worker)
{
	struct block_device *bdev = NULL;
	blk_qc_t cookie = BLK_QC_T_NONE;
	struct bio bio = {};
	struct vn_ns *ns;
	unsigned int i;

	for (i = 0; i < VN_POLL_BATCH; i++) {
		ns = vn_poll_next(worker, &bio);
		if (!ns)
			break;
		/* Mostly all of them are in one place, which needs one look. */
		if (bio.bi_bdev != bdev || bio.bi_cookie != cookie) {
			bio_poll(&bio, NULL, BLK_POLL_ONESHOT);
			bdev = bio.bi_bdev;
			cookie = bio.bi_cookie;
		}
		if (bio.bi_bdev)
			percpu_ref_put(&bdev_get_queue(bio.bi_bdev)->q_usage_counter);
		vn_ns_put(ns);
	}
	return !list_empty_careful(&worker->polled);
}

static void vn_poll_work(struct work_struct *work)
{
	struct vn_worker *worker = container_of(to_delayed_work(work),
						struct vn_worker, poll_work);
	struct vn_ctrl *ctrl = worker->ctrl;
	bool more;

	mutex_lock(&worker->lock);
	more = vn_poll_disks(worker);
	mutex_unlock(&worker->lock);
	/* Every time it is queued, it has a reference. */
	if (!more || !queue_delayed_work(ctrl->wq, &worker->poll_work, 1))
		vn_ctrl_put(ctrl);
}

/**
 * vn_poll_init - set up polling for a new worker
 * @worker: the worker
 */
void vn_poll_init(struct vn_worker *worker)
{
	spin_lock_init(&worker->polled_lock);
	INIT_LIST_HEAD(&worker->polled);
	INIT_DELAYED_WORK(&worker->poll_work, vn_poll_work);
}

/**
 * vn_poll_end - go on polling for the requests of a thread that ends
 * @worker: submits no more requests
 *
 * Nobody waits for completions in a hurry any more, so that this leaves the CPU to
 * others in between.
 */
void vn_poll_end(struct vn_worker *worker)
{
	if (list_empty_careful(&worker->polled))
		return;
	vn_ctrl_get(worker->ctrl);
	if (!queue_delayed_work(worker->ctrl->wq, &worker->poll_work, 0))
		vn_ctrl_put(worker->ctrl);
}
