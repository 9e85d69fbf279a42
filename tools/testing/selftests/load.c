// SPDX-License-Identifier: GPL-2.0
/* Reads and Writes in random order, each of a block that knows its place */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "util.h"

/* The part of the disk in use */
#define LOAD_BLOCKS	256

int load_fill(struct disk *d)
{
	char *p = malloc(LOAD_BLOCKS * LOAD_IO);
	unsigned int i;
	int ret;

	if (!p)
		return -ENOMEM;
	for (i = 0; i < LOAD_BLOCKS; i++)
		pattern_fill(p + i * LOAD_IO, LOAD_IO, i);
	ret = disk_write(d, 0, p, LOAD_BLOCKS * LOAD_IO);
	free(p);
	return ret;
}

struct slot {
	bool		busy;
	bool		read;
	unsigned int	block;
};

static int load_submit(struct load *l, struct slot *slot, unsigned int cid,
		       unsigned int lba_shift)
{
	uint64_t gpa = l->buf + cid * LOAD_IO;
	void *p = vng_ptr(l->sq->g, gpa, LOAD_IO);
	struct vng_sqe sqe;
	int ret;

	slot->busy = true;
	slot->block = rand() % LOAD_BLOCKS;
	slot->read = rand() % 2;
	if (slot->read)
		memset(p, 0xee, LOAD_IO);
	else
		pattern_fill(p, LOAD_IO, slot->block);
	vng_cmd_rw(&sqe, slot->read ? VNG_CMD_READ : VNG_CMD_WRITE, l->nsid,
		   (uint64_t)slot->block * LOAD_IO >> lba_shift,
		   LOAD_IO >> lba_shift);
	sqe.prp1 = htole64(gpa);
	sqe.cid = htole16(cid);
	ret = vng_sq_push(l->sq, &sqe);
	if (!ret)
		__atomic_fetch_add(&l->submitted, 1, __ATOMIC_RELAXED);
	return ret;
}

static int load_complete(struct load *l, struct slot *slots,
			 const struct vng_cqe *cqe)
{
	unsigned int cid = le16toh(cqe->cid), status = vng_status(cqe);
	struct vng *g = l->sq->g;
	struct slot *slot;
	void *p;

	if (cid >= LOAD_DEPTH || !slots[cid].busy ||
	    le16toh(cqe->sqid) != l->sq->id)
		return vng_fail(g, -EBADMSG, "SQ %u: completion of CID %u",
				l->sq->id, cid);
	slot = &slots[cid];
	slot->busy = false;
	__atomic_fetch_add(&l->completed, 1, __ATOMIC_RELAXED);
	if (l->tolerate && (status & VNG_SC_MASK) == l->tolerate) {
		__atomic_fetch_add(&l->refused, 1, __ATOMIC_RELAXED);
		return 0;
	}
	if (status)
		return vng_fail(g, -EIO, "SQ %u: status %#x", l->sq->id, status);
	p = vng_ptr(g, l->buf + cid * LOAD_IO, LOAD_IO);
	if (slot->read && pattern_check(p, LOAD_IO, slot->block) >= 0)
		return vng_fail(g, -EILSEQ, "SQ %u: wrong data of block %u",
				l->sq->id, slot->block);
	return 0;
}

static int load_run(struct load *l)
{
	/* All disks of the tests that carry a load have these blocks. */
	const unsigned int lba_shift = 9;
	struct slot slots[LOAD_DEPTH] = { 0 };
	unsigned int cid, busy = 0;
	struct vng_sq *sq = l->sq;
	struct vng_cqe cqe;
	uint64_t quiet = vng_now_ms();
	int ret = 0, n;

	while (!__atomic_load_n(&l->abandon, __ATOMIC_ACQUIRE)) {
		bool stop = __atomic_load_n(&l->stop, __ATOMIC_ACQUIRE);

		if (stop && !busy)
			break;
		for (cid = 0; cid < LOAD_DEPTH && !stop; cid++) {
			if (slots[cid].busy || !vng_sq_room(sq))
				continue;
			ret = load_submit(l, &slots[cid], cid, lba_shift);
			if (ret)
				return ret;
			busy++;
		}
		if (sq->tail != sq->last_tail) {
			ret = vng_sq_ring(sq);
			if (ret)
				return l->lossy && ret == -ENOENT ? 0 : ret;
		}
		n = vng_cq_peek(sq->cq, &cqe);
		if (n < 0)
			return n;
		if (!n) {
			if (!l->lossy &&
			    vng_now_ms() - quiet > sq->g->timeout_ms)
				return vng_fail(sq->g, -ETIMEDOUT,
						"SQ %u: no completion for %u ms (%u in flight)",
						sq->id, sq->g->timeout_ms, busy);
			sleep_us(50);
			continue;
		}
		quiet = vng_now_ms();
		busy--;
		ret = load_complete(l, slots, &cqe);
		ret = ret ?: vng_cq_ring(sq->cq);
		if (ret)
			return l->lossy && ret == -ENOENT ? 0 : ret;
	}
	return 0;
}

static void *load_thread(void *arg)
{
	struct load *l = arg;

	l->ret = load_run(l);
	if (l->ret)
		snprintf(l->msg, sizeof(l->msg), "%s", vng_msg(l->sq->g));
	return NULL;
}

int load_start(struct load *l)
{
	l->stop = false;
	l->abandon = false;
	l->submitted = 0;
	l->completed = 0;
	l->refused = 0;
	l->ret = 0;
	return -pthread_create(&l->thread, NULL, load_thread, l);
}

int load_progress(struct load *l, uint64_t commands)
{
	uint64_t end = vng_now_ms() + l->sq->g->timeout_ms;
	uint64_t goal = __atomic_load_n(&l->completed, __ATOMIC_RELAXED) +
			commands;

	while (__atomic_load_n(&l->completed, __ATOMIC_RELAXED) < goal) {
		if (vng_now_ms() > end)
			return vng_fail(l->sq->g, -ETIMEDOUT,
					"SQ %u: not %llu commands within %u ms: %s",
					l->sq->id, (unsigned long long)commands,
					l->sq->g->timeout_ms, l->msg);
		sleep_us(200);
	}
	return 0;
}

static int load_join(struct load *l)
{
	pthread_join(l->thread, NULL);
	if (l->ret)
		return vng_fail(l->sq->g, l->ret, "load: %s", l->msg);
	return 0;
}

int load_finish(struct load *l)
{
	__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
	return load_join(l);
}

int load_abandon(struct load *l)
{
	__atomic_store_n(&l->abandon, true, __ATOMIC_RELEASE);
	return load_join(l);
}
