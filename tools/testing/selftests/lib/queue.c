// SPDX-License-Identifier: GPL-2.0
/*
 * Rings and doorbells, in the order in which drivers/nvme/host/pci.c of Linux
 * does things.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "vng.h"

/* CAP.DSTRD is 0: tail of queue N at dword 2N, head at dword 2N + 1. */

uint32_t *vng_sq_db(struct vng *g, uint16_t qid)
{
	return &g->dbs[2 * qid];
}

uint32_t *vng_cq_db(struct vng *g, uint16_t qid)
{
	return &g->dbs[2 * qid + 1];
}

uint32_t *vng_sq_ei(struct vng *g, uint16_t qid)
{
	return &g->eis[2 * qid];
}

uint32_t *vng_cq_ei(struct vng *g, uint16_t qid)
{
	return &g->eis[2 * qid + 1];
}

int vng_dbbuf_on(struct vng *g)
{
	struct vhost_nvme_dbbuf db = { 0 };
	uint64_t dbs, eis;
	int ret;

	dbs = vng_alloc(g, 4096, 4096);
	eis = vng_alloc(g, 4096, 4096);
	if (!dbs || !eis)
		return -ENOMEM;
	db.dbs = dbs;
	db.eis = eis;
	ret = vng_ioctl(g, VHOST_NVME_SET_DBBUF, &db, "SET_DBBUF");
	if (ret)
		return ret;
	g->dbs_gpa = dbs;
	g->eis_gpa = eis;
	g->dbs = vng_ptr(g, dbs, 4096);
	g->eis = vng_ptr(g, eis, 4096);
	return 0;
}

void vng_dbbuf_forget(struct vng *g)
{
	g->dbs = NULL;
	g->eis = NULL;
}

static int vng_eventfd(struct vng *g, bool want)
{
	int fd;

	if (!want)
		return -1;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return vng_fail(g, -errno, "eventfd");
	return fd;
}

static void vng_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* -1 is a value that a queue may have, errors of vng_eventfd() are below. */
static bool vng_bad_fd(int fd)
{
	return fd < -1;
}

int vng_cq_create(struct vng *g, struct vng_cq *cq, uint16_t cqid,
		  uint32_t entries, unsigned int flags)
{
	struct vhost_nvme_cq arg = { .cqid = cqid, .entries = entries };
	uint16_t worker = cq->worker;
	uint64_t gpa = cq->gpa;
	int ret;

	memset(cq, 0, sizeof(*cq));
	cq->irq_fd = -1;
	cq->kick_fd = -1;
	cq->g = g;
	cq->id = cqid;
	cq->worker = worker;
	cq->entries = entries;
	cq->phase = 1;
	cq->gpa = gpa ?: vng_alloc(g, entries * sizeof(*cq->ring), 4096);
	if (!cq->gpa)
		return -ENOMEM;
	cq->ring = vng_ptr(g, cq->gpa, entries * sizeof(*cq->ring));
	if (!cq->ring)
		return vng_fail(g, -EFAULT, "ring of CQ %u", cqid);
	memset(cq->ring, 0, entries * sizeof(*cq->ring));
	cq->irq_fd = vng_eventfd(g, flags & VNG_IEN);
	cq->kick_fd = vng_eventfd(g, flags & VNG_KICK);
	if (vng_bad_fd(cq->irq_fd) || vng_bad_fd(cq->kick_fd)) {
		ret = -EMFILE;
		goto err;
	}
	if (g->dbs) {
		*vng_cq_db(g, cqid) = 0;
		*vng_cq_ei(g, cqid) = 0;
	}

	arg.worker = cq->worker;
	arg.addr = cq->gpa;
	arg.irq_fd = cq->irq_fd;
	arg.kick_fd = cq->kick_fd;
	ret = vng_ioctl(g, VHOST_NVME_CREATE_CQ, &arg, "CREATE_CQ");
	if (ret)
		goto err;
	g->cq[cqid] = cq;
	return 0;
err:
	vng_close_fd(&cq->irq_fd);
	vng_close_fd(&cq->kick_fd);
	return ret;
}

int vng_sq_create(struct vng *g, struct vng_sq *sq, uint16_t sqid,
		  struct vng_cq *cq, uint32_t entries, unsigned int flags)
{
	struct vhost_nvme_sq arg = { .sqid = sqid, .entries = entries };
	uint64_t gpa = sq->gpa;
	int ret;

	memset(sq, 0, sizeof(*sq));
	sq->kick_fd = -1;
	sq->g = g;
	sq->cq = cq;
	sq->id = sqid;
	sq->entries = entries;
	sq->gpa = gpa ?: vng_alloc(g, entries * sizeof(*sq->ring), 4096);
	if (!sq->gpa)
		return -ENOMEM;
	sq->ring = vng_ptr(g, sq->gpa, entries * sizeof(*sq->ring));
	if (!sq->ring)
		return vng_fail(g, -EFAULT, "ring of SQ %u", sqid);
	memset(sq->ring, 0, entries * sizeof(*sq->ring));
	sq->kick_fd = vng_eventfd(g, flags & VNG_KICK);
	if (vng_bad_fd(sq->kick_fd))
		return -EMFILE;
	if (g->dbs) {
		*vng_sq_db(g, sqid) = 0;
		*vng_sq_ei(g, sqid) = 0;
	}

	arg.cqid = cq->id;
	arg.addr = sq->gpa;
	arg.kick_fd = sq->kick_fd;
	arg.page_shift = g->page_shift;
	ret = vng_ioctl(g, VHOST_NVME_CREATE_SQ, &arg, "CREATE_SQ");
	if (ret) {
		vng_close_fd(&sq->kick_fd);
		return ret;
	}
	g->sq[sqid] = sq;
	return 0;
}

int vng_sq_delete(struct vng_sq *sq)
{
	return vng_ioctl(sq->g, VHOST_NVME_DELETE_SQ,
			 (void *)(uintptr_t)sq->id, "DELETE_SQ");
}

int vng_cq_delete(struct vng_cq *cq)
{
	int ret;

	ret = vng_ioctl(cq->g, VHOST_NVME_DELETE_CQ,
			(void *)(uintptr_t)cq->id, "DELETE_CQ");
	if (!ret)
		vng_cq_drop(cq);
	return ret;
}

void vng_sq_drop(struct vng_sq *sq)
{
	sq->g->sq[sq->id] = NULL;
	vng_close_fd(&sq->kick_fd);
}

void vng_cq_drop(struct vng_cq *cq)
{
	cq->g->cq[cq->id] = NULL;
	vng_close_fd(&cq->irq_fd);
	vng_close_fd(&cq->kick_fd);
}

static int vng_notify(struct vng *g, int kick_fd, uint16_t qid, uint16_t flags,
		      uint32_t value)
{
	struct vhost_nvme_doorbell db = {
		.qid = qid,
		.flags = flags,
		.value = value,
	};
	uint64_t one = 1;

	/* An eventfd cannot carry the value: only with shadow doorbells. */
	if (!g->dbs || kick_fd < 0)
		return vng_ioctl(g, VHOST_NVME_DOORBELL, &db, "DOORBELL");
	if (write(kick_fd, &one, sizeof(one)) != sizeof(one))
		return vng_fail(g, -errno, "kick of queue %u", qid);
	return 0;
}

/* nvme_dbbuf_need_event() */
static bool vng_need_event(uint16_t event_idx, uint16_t new_idx, uint16_t old)
{
	return (uint16_t)(new_idx - event_idx - 1) < (uint16_t)(new_idx - old);
}

/* nvme_dbbuf_update_and_check_event() */
static bool vng_update_and_check(uint32_t *db, uint32_t *ei, uint16_t value)
{
	uint16_t old;

	/* The entry is written, or read, before the doorbell says so. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	old = le32toh(__atomic_load_n(db, __ATOMIC_RELAXED));
	__atomic_store_n(db, htole32(value), __ATOMIC_RELAXED);
	/*
	 * Pairs with the controller's barrier between publishing EventIdx and
	 * looking at the doorbell a last time: one of both sees the other.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return vng_need_event(le32toh(__atomic_load_n(ei, __ATOMIC_RELAXED)),
			      value, old);
}

int vng_sq_kick(struct vng_sq *sq)
{
	sq->kicks++;
	return vng_notify(sq->g, sq->kick_fd, sq->id, 0, sq->tail);
}

int vng_cq_kick(struct vng_cq *cq)
{
	cq->kicks++;
	return vng_notify(cq->g, cq->kick_fd, cq->id, VHOST_NVME_DOORBELL_CQ,
			  cq->head);
}

int vng_sq_ring(struct vng_sq *sq)
{
	struct vng *g = sq->g;

	sq->updates++;
	sq->last_tail = sq->tail;
	if (g->dbs && !vng_update_and_check(vng_sq_db(g, sq->id),
					    vng_sq_ei(g, sq->id), sq->tail))
		return 0;
	return vng_sq_kick(sq);
}

int vng_cq_ring(struct vng_cq *cq)
{
	struct vng *g = cq->g;

	cq->updates++;
	if (g->dbs && !vng_update_and_check(vng_cq_db(g, cq->id),
					    vng_cq_ei(g, cq->id), cq->head))
		return 0;
	return vng_cq_kick(cq);
}

uint32_t vng_sq_room(const struct vng_sq *sq)
{
	return (sq->head + sq->entries - sq->tail - 1) % sq->entries;
}

int vng_sq_push(struct vng_sq *sq, const struct vng_sqe *sqe)
{
	if (!vng_sq_room(sq))
		return vng_fail(sq->g, -ENOSPC, "SQ %u is full", sq->id);
	sq->ring[sq->tail] = *sqe;
	if (++sq->tail == sq->entries)
		sq->tail = 0;
	return 0;
}

int vng_submit(struct vng_sq *sq, struct vng_sqe *sqe)
{
	int ret;

	sqe->cid = htole16(sq->next_cid++);
	ret = vng_sq_push(sq, sqe);
	return ret ?: vng_sq_ring(sq);
}

int vng_cq_peek(struct vng_cq *cq, struct vng_cqe *cqe)
{
	struct vng_cqe *slot = &cq->ring[cq->head];
	struct vng_sq *sq = NULL;
	uint16_t status, sqid, sqhd;

	/* Nothing else of the entry is valid before its phase has changed. */
	status = le16toh(__atomic_load_n(&slot->status, __ATOMIC_ACQUIRE));
	if ((status & 1) != cq->phase)
		return 0;
	*cqe = *slot;
	if (++cq->head == cq->entries) {
		cq->head = 0;
		cq->phase ^= 1;
	}
	cq->cqes++;
	sqid = le16toh(cqe->sqid);
	if (sqid && sqid <= cq->g->caps.max_queues)
		sq = cq->g->sq[sqid];
	if (!sq || sq->cq != cq)
		return vng_fail(cq->g, -EBADMSG, "CQ %u: entry for SQ %u",
				cq->id, sqid);
	sqhd = le16toh(cqe->sqhd);
	/* Between the last one and the tail: never back */
	if (sqhd >= sq->entries || (sqhd + sq->entries - sq->head) % sq->entries >
				   (sq->tail + sq->entries - sq->head) % sq->entries)
		return vng_fail(cq->g, -EBADMSG,
				"SQ %u: head %u of %u, after %u, tail %u", sqid,
				sqhd, sq->entries, sq->head, sq->tail);
	sq->head = sqhd;
	return 1;
}

/* Wait for the interrupt, or a moment if the queue has none. */
static int vng_cq_sleep(struct vng_cq *cq, int ms)
{
	struct pollfd pfd = { .fd = cq->irq_fd, .events = POLLIN };
	struct timespec ts = { .tv_nsec = 50000 };
	uint64_t count;

	if (cq->irq_fd < 0) {
		nanosleep(&ts, NULL);
		return 1;
	}
	if (poll(&pfd, 1, ms) <= 0)
		return 0;
	if (read(cq->irq_fd, &count, sizeof(count)) == sizeof(count))
		cq->irqs += count;
	return 1;
}

int vng_cq_wait(struct vng_cq *cq, struct vng_cqe *cqe)
{
	uint64_t end = vng_now_ms() + cq->g->timeout_ms, now;
	bool slept = true;
	int ret;

	while (!(ret = vng_cq_peek(cq, cqe))) {
		now = vng_now_ms();
		if (!slept || now >= end)
			return vng_fail(cq->g, -ETIMEDOUT,
					"no completion on CQ %u within %u ms (head %u)",
					cq->id, cq->g->timeout_ms, cq->head);
		slept = vng_cq_sleep(cq, end - now);
		if (!slept && vng_cq_peek(cq, cqe))
			return vng_fail(cq->g, -EILSEQ,
					"CQ %u: completion %u without interrupt",
					cq->id, cq->head);
	}
	if (ret < 0)
		return ret;
	return vng_cq_ring(cq);
}

int vng_exec(struct vng_sq *sq, struct vng_sqe *sqe, struct vng_cqe *cqe)
{
	int ret;

	ret = vng_submit(sq, sqe);
	if (ret)
		return ret;
	ret = vng_cq_wait(sq->cq, cqe);
	if (ret)
		return ret;
	if (cqe->cid != sqe->cid || le16toh(cqe->sqid) != sq->id)
		return vng_fail(sq->g, -EBADMSG,
				"completion of command %u of SQ %u instead of %u of %u",
				le16toh(cqe->cid), le16toh(cqe->sqid),
				le16toh(sqe->cid), sq->id);
	return 0;
}
