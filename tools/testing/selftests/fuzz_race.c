// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that change while they are executed. What they become is anybody's guess,
 * but it cannot be anything: addresses lead to the model's data, lists and what is
 * near them, blocks into the namespaces. All else has to stay as it is.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"

#define RACE_HOT	16

/**
 * struct race - the thread that rewrites
 * @f: the guest
 * @rng: its own
 * @cids: also command identifiers
 * @doorbells: also doorbells and EventIdx
 * @hot: where the last commands have data, lists or ranges
 * @stop: it has to end
 * @thread: it
 */
struct race {
	struct fuzz	*f;
	struct rng	rng;
	bool		cids;
	bool		doorbells;
	uint64_t	hot[RACE_HOT];
	bool		stop;
	pthread_t	thread;
};

static uint64_t race_address(struct rng *r)
{
	uint64_t gpa = FUZZ_DATA + rng_below(r, FUZZ_DATA_SIZE);

	switch (rng_below(r, 8)) {
	case 0:
		return gpa;
	case 1:
		return gpa & ~7ULL;
	case 2:
		return gpa | 0xffULL << 56;
	default:
		return gpa & ~4095ULL;
	}
}

/* For a list: an address, half of an SGL descriptor, a block, a number of blocks */
static uint64_t race_word(struct rng *r)
{
	static const uint8_t type[] = {
		VNG_SGL_DATA, VNG_SGL_DATA, VNG_SGL_DATA, VNG_SGL_BIT_BUCKET,
		VNG_SGL_SEGMENT, VNG_SGL_LAST_SEGMENT, 0x01, 0x40, 0xff,
	};
	uint64_t len;

	switch (rng_below(r, 8)) {
	case 0:
		/* Mostly at the end of a namespace */
		return rng_one_in(r, 4) ? rng_below(r, 4400) :
					  3980 + rng_below(r, 120);
	case 1:
		/* The second dword of a range of Dataset Management */
		return rng_below(r, 128) << 32;
	case 2:
	case 3:
		len = rng_next(r) & (rng_one_in(r, 2) ? 0x3e00 : 0x1fffff);
		return len | (uint64_t)type[rng_below(r, sizeof(type))] << 56;
	default:
		return race_address(r);
	}
}

static void race_set(void *p, uint64_t value)
{
	__atomic_store_n((uint64_t *)p, htole64(value), __ATOMIC_RELAXED);
}

static void race_set32(void *p, uint32_t value)
{
	__atomic_store_n((uint32_t *)p, htole32(value), __ATOMIC_RELAXED);
}

static void race_entry(struct race *race, struct vng_sqe *sqe)
{
	static const uint8_t op[] = {
		VNG_CMD_FLUSH, VNG_CMD_WRITE, VNG_CMD_WRITE, VNG_CMD_READ,
		VNG_CMD_READ, VNG_CMD_COMPARE, VNG_CMD_WRITE_ZEROES,
		VNG_CMD_DSM, VNG_CMD_VERIFY, VNG_CMD_COPY, 0x7f,
	};
	static const uint8_t flags[] = { 0, 0, 0x40, 0x40, 0x80, 0xc0, 1 };
	struct rng *r = &race->rng;

	switch (rng_below(r, 10)) {
	case 0:
		__atomic_store_n(&sqe->opcode, op[rng_below(r, sizeof(op))],
				 __ATOMIC_RELAXED);
		break;
	case 1:
		__atomic_store_n(&sqe->flags,
				 flags[rng_below(r, sizeof(flags))],
				 __ATOMIC_RELAXED);
		break;
	case 2:
		if (race->cids)
			__atomic_store_n(&sqe->cid, rng_next(r),
					 __ATOMIC_RELAXED);
		break;
	case 3:
		race_set32(&sqe->nsid, rng_below(r, FUZZ_NS + 2));
		break;
	case 4:
		race_set(&sqe->prp1, race_word(r));
		break;
	case 5:
		race_set(&sqe->prp2, race_word(r));
		break;
	case 6:
		race_set32(&sqe->cdw10, rng_below(r, 4300));
		break;
	case 7:
		race_set32(&sqe->cdw11, rng_below(r, 8));
		break;
	default:
		race_set32(&sqe->cdw12, rng_next(r) & (rng_one_in(r, 4) ?
						       0x400003ff : 0x0f));
	}
}

static void race_doorbell(struct race *race)
{
	struct rng *r = &race->rng;
	struct vng *g = &race->f->g;
	unsigned int qid = 1 + rng_below(r, FUZZ_SQS);
	uint32_t *p[] = {
		vng_sq_db(g, qid), vng_cq_db(g, qid),
		vng_sq_ei(g, qid), vng_cq_ei(g, qid),
	};
	unsigned int i = rng_below(r, 4);

	/* Mostly what could be, so that the queues are not all dead at once */
	if (rng_one_in(r, 2000))
		race_set32(p[i], rng_sized(r));
	else if (i == 1 && !rng_one_in(r, 200))
		return;
	else
		race_set32(p[i], rng_below(r, 8));
}

/*
 * Another value for a word of what a command is about to read, or has just read: where
 * it is, and what was there.
 */
static uint64_t *race_hot(struct race *race, uint64_t *old)
{
	struct rng *r = &race->rng;
	uint64_t gpa = __atomic_load_n(&race->hot[rng_below(r, RACE_HOT)],
				       __ATOMIC_RELAXED);
	uint64_t *p;

	gpa = (gpa & ~7ULL) + 8 * rng_below(r, 1 + rng_below(r, 64));
	if (gpa >= FUZZ_NOWHERE)
		return NULL;
	p = vng_ptr(&race->f->g, gpa, 8);
	if (!p)
		return NULL;
	*old = __atomic_load_n(p, __ATOMIC_RELAXED);
	race_set(p, race_word(r));
	return p;
}

static void *race_thread(void *arg)
{
	struct race *race = arg;
	struct rng *r = &race->rng;
	struct vng_sq *sq;
	uint8_t *data = race->f->mem[0].hva, *lists = race->f->mem[2].hva;
	uint64_t *hot, old;

	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
		sq = &race->f->sq[rng_below(r, race->f->sqs)];
		race_entry(race, &sq->ring[rng_below(r, sq->entries)]);
		hot = race_hot(race, &old);
		race_set(lists + 8 * rng_below(r, FUZZ_LISTS_SIZE / 8),
			 race_word(r));
		race_set(data + 8 * rng_below(r, FUZZ_DATA_SIZE / 8),
			 race_word(r));
		if (race->doorbells && rng_one_in(r, 8))
			race_doorbell(race);
		/* What was good is so again, mostly, for the next one who looks. */
		if (hot && !rng_one_in(r, 8))
			__atomic_store_n(hot, old, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int race_start(struct race *race, struct fuzz *f, bool doorbells)
{
	*race = (struct race) {
		.f = f,
		.rng.state = rng_next(&f->rng),
		.cids = doorbells || rng_one_in(&f->rng, 2),
		.doorbells = doorbells,
	};
	if (pthread_create(&race->thread, NULL, race_thread, race))
		return vng_fail(&f->g, -EAGAIN, "a thread");
	return 0;
}

static void race_stop(struct race *race)
{
	__atomic_store_n(&race->stop, true, __ATOMIC_RELAXED);
	pthread_join(race->thread, NULL);
}

/* A command that was good when it was made, more or less */
static void race_command(struct race *race, struct vng_sqe *sqe)
{
	static struct fuzz_outcome o;
	struct fuzz_window all = gen_window_all();
	struct fuzz *f = race->f;
	unsigned int i = 2 * f->cid % RACE_HOT;

	gen_command(f, &all, sqe, &o);
	sqe->cid = htole16(f->cid++);
	__atomic_store_n(&race->hot[i], le64toh(sqe->prp1), __ATOMIC_RELAXED);
	__atomic_store_n(&race->hot[i + 1], le64toh(sqe->prp2),
			 __ATOMIC_RELAXED);
}

/*
 * Whatever a command has become, it was checked before the disk heard of it: the disk,
 * which is a good one, has no reason to refuse it.
 */
static bool race_status_bad(uint16_t status)
{
	switch (status & VNG_SC_MASK) {
	case VNG_SC_SUCCESS:
	case VNG_SC_INVALID_OPCODE:
	case VNG_SC_INVALID_FIELD:
	case VNG_SC_DATA_XFER_ERROR:
	case VNG_SC_INVALID_NS:
	case VNG_SC_SGL_SEGMENT_INVALID:
	case VNG_SC_SGL_COUNT_INVALID:
	case VNG_SC_SGL_LENGTH_INVALID:
	case VNG_SC_SGL_TYPE_INVALID:
	case VNG_SC_PRP_OFFSET_INVALID:
	case VNG_SC_NS_WRITE_PROTECTED:
	case VNG_SC_LBA_RANGE:
	case VNG_SC_INVALID_FORMAT:
	case VNG_SC_SIZE_LIMIT:
	case VNG_SC_INCOMPATIBLE_NS:
	case VNG_SC_OVERLAPPING_RANGE:
	case VNG_SC_COMPARE_FAILED:
		return false;
	}
	return true;
}

/* Some commands of one queue, and their completions */
static int race_batch(struct race *race, struct vng_sq *sq, unsigned int nr)
{
	struct fuzz *f = race->f;
	uint64_t missing = 0;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	uint16_t first = f->cid, i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++) {
		race_command(race, &sqe);
		ret = vng_sq_push(sq, &sqe);
		missing |= 1ULL << i;
	}
	if (!ret)
		ret = vng_sq_ring(sq);
	for (i = 0; i < nr && !ret; i++) {
		ret = vng_cq_wait(sq->cq, &cqe);
		if (ret)
			return ret;
		if (le16toh(cqe.sqid) != sq->id)
			return vng_fail(&f->g, -EPROTO, "completion of SQ %u",
					le16toh(cqe.sqid));
		f->status[vng_status(&cqe) & VNG_SC_MASK]++;
		if (race_status_bad(vng_status(&cqe)))
			return vng_fail(&f->g, -EPROTO, "status %#x",
					vng_status(&cqe));
		if (race->cids)
			continue;
		cqe.cid = le16toh(cqe.cid) - first;
		if (cqe.cid >= nr || !(missing & 1ULL << cqe.cid))
			return vng_fail(&f->g, -EPROTO,
					"command %u of %u completes again",
					cqe.cid, nr);
		missing &= ~(1ULL << cqe.cid);
	}
	if (!ret && vng_cq_peek(sq->cq, &cqe))
		ret = vng_fail(&f->g, -EPROTO, "a completion too many");
	return ret;
}

int race_commands(struct fuzz *f, unsigned int nr)
{
	unsigned int n, done = 0;
	struct vng_sq *sq;
	struct race race;
	int ret;

	ret = fuzz_queues(f, false) ?: race_start(&race, f, false);
	if (ret)
		return ret;
	while (done < nr && !ret) {
		sq = &f->sq[rng_below(&f->rng, f->sqs)];
		n = vng_sq_room(sq);
		n = 1 + rng_below(&f->rng, n < 32 ? n : 32);
		ret = race_batch(&race, sq, n);
		done += n;
	}
	race_stop(&race);
	f->raced += done;
	return ret ?: vng_reset(&f->g) ?: fuzz_reset_end(f) ?: fuzz_adopt(f);
}

/* Commands that were fetched */
static int race_fetched(struct fuzz *f)
{
	struct vhost_nvme_stats s;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < f->sqs && !ret; i++) {
		ret = vng_stats(&f->g, VHOST_NVME_STATS_SQ, f->sq[i].id, &s);
		f->raced += s.commands;
	}
	return ret;
}

static int race_poke(struct race *race, struct vng_sq *sq)
{
	struct fuzz *f = race->f;
	unsigned int i, n = 1 + rng_below(&f->rng, 8);
	struct vng_sqe sqe;
	struct vng_cqe cqe;

	for (i = 0; i < n; i++) {
		race_command(race, &sqe);
		sq->ring[sq->tail] = sqe;
		sq->tail = (sq->tail + 1) % sq->entries;
	}
	*vng_sq_db(&f->g, sq->id) = htole32(sq->tail);
	for (i = 0; i < n && vng_cq_peek(sq->cq, &cqe) > 0; i++)
		f->status[vng_status(&cqe) & VNG_SC_MASK]++;
	*vng_cq_db(&f->g, sq->cq->id) = htole32(sq->cq->head);
	return vng_sq_kick(sq) ?: vng_cq_kick(sq->cq);
}

int race_doorbells(struct fuzz *f, unsigned int nr)
{
	struct race race;
	unsigned int i;
	int ret;

	ret = fuzz_queues(f, true) ?: race_start(&race, f, true);
	if (ret)
		return ret;
	for (i = 0; i < nr && !ret; i += 4)
		ret = race_poke(&race, &f->sq[rng_below(&f->rng, f->sqs)]);
	ret = ret ?: race_fetched(f);
	/* A reset comes at any moment. */
	ret = ret ?: vng_reset(&f->g);
	race_stop(&race);
	return ret ?: fuzz_reset_end(f) ?: fuzz_adopt(f);
}
