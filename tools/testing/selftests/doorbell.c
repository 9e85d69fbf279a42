// SPDX-License-Identifier: GPL-2.0
/* Shadow doorbells, EventIdx, kicks, polling and sleeping */
#include <pthread.h>
#include <sys/eventfd.h>

#include "test.h"

/* Busy waiting, since a sleep is far longer than the races looked for */
static void spin(unsigned int loops)
{
	while (loops--)
		__asm__ volatile("" ::: "memory");
}

static int submit_flush(struct vng_sq *sq)
{
	struct vng_sqe sqe;

	vng_cmd_flush(&sqe, 1);
	return vng_submit(sq, &sqe);
}

/*
 * Wait until the worker sleeps: its passes stand still, and not just because
 * its CPU has other things to do.
 */
static int wait_idle(struct vng *g)
{
	uint64_t end = vng_now_ms() + g->timeout_ms, last = ~0ULL;
	struct vhost_nvme_stats s;
	unsigned int still = 0;
	int ret;

	while (still < 5) {
		ret = vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s);
		if (ret)
			return ret;
		if (s.passes == last && thread_state(getpid(), "vhost") == 'S')
			still++;
		else
			still = 0;
		if (vng_now_ms() > end)
			return vng_fail(g, -ETIMEDOUT,
					"worker not asleep within %u ms",
					g->timeout_ms);
		last = s.passes;
		sleep_ms(10);
	}
	return 0;
}

FIXTURE(race) {
	struct box box;
};

FIXTURE_VARIANT(race) {
	unsigned int poll_us;
	bool no_shadow;
	unsigned int rounds;
};

FIXTURE_VARIANT_ADD(race, sleep) { .rounds = 3000 };
FIXTURE_VARIANT_ADD(race, poll_20) { .poll_us = 20, .rounds = 3000 };
FIXTURE_VARIANT_ADD(race, poll_200) { .poll_us = 200, .rounds = 1000 };
FIXTURE_VARIANT_ADD(race, poll_5000) { .poll_us = 5000, .rounds = 300 };
FIXTURE_VARIANT_ADD(race, ioctl) { .no_shadow = true, .rounds = 3000 };

FIXTURE_SETUP(race)
{
	BOX_SETUP(&self->box, .poll_us = variant->poll_us, .entries = 8,
		  .cq_entries = 2, .no_shadow = variant->no_shadow);
	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
}

FIXTURE_TEARDOWN(race)
{
	box_stop(&self->box);
}

/* The kicks that the guest sent are those that arrived, in either way. */
#define EXPECT_KICKS(what, scope, q)					\
do {									\
	struct vhost_nvme_stats __s;					\
									\
	OK(vng_stats(g, scope, (q)->id, &__s));				\
	EXPECT_EQ((q)->kicks, __s.kicks + __s.doorbells)		\
		TH_LOG(what);						\
} while (0)

/* From idle to busy, again and again, while the worker goes to sleep */
TEST_F(race, sq)
{
	struct vng *g = &self->box.g;
	struct vng_cqe cqe;
	unsigned int i;

	for (i = 0; i < variant->rounds * test_scale(); i++) {
		OK(submit_flush(&self->box.sq));
		OK(vng_cq_wait(&self->box.cq, &cqe));
		ASSERT_EQ(0, vng_status(&cqe));
		spin(random_below(random_below(8) ? 2000 : 50000));
	}
	EXPECT_KICKS("SQ", VHOST_NVME_STATS_SQ, &self->box.sq);
	EXPECT_KICKS("CQ", VHOST_NVME_STATS_CQ, &self->box.cq);
}

/*
 * The CQ has one entry to give, so that the worker goes to sleep with commands
 * at hand and waits for the head.
 */
TEST_F(race, cq)
{
	struct vng *g = &self->box.g;
	struct vng_cqe cqe;
	unsigned int i, n;

	for (i = 0; i < variant->rounds / 3 * test_scale(); i++) {
		/* A third command would make good what the second one lost. */
		unsigned int lot = 2 + (random_below(4) ? 0 : random_below(6));

		/* Some of them meet the worker on its way to sleep. */
		for (n = 0; n < lot; n++) {
			OK(submit_flush(&self->box.sq));
			spin(random_below(4000));
		}
		for (n = 0; n < lot; n++) {
			spin(random_below(random_below(8) ? 2000 : 50000));
			OK(vng_cq_wait(&self->box.cq, &cqe));
			ASSERT_EQ(0, vng_status(&cqe));
		}
	}
	EXPECT_KICKS("SQ", VHOST_NVME_STATS_SQ, &self->box.sq);
	EXPECT_KICKS("CQ", VHOST_NVME_STATS_CQ, &self->box.cq);
}

struct pest {
	struct box *box;
	bool stop;
	unsigned int kicks;
};

static void *pest_thread(void *arg)
{
	uint64_t one = 1;
	struct pest *p = arg;

	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
		if (write(p->box->sq.kick_fd, &one, sizeof(one)) < 0 ||
		    write(p->box->cq.kick_fd, &one, sizeof(one)) < 0)
			break;
		p->kicks++;
		spin(5000);
	}
	return NULL;
}

/* A guest may kick without a reason; nothing comes of it. */
TEST_F(race, spurious_kicks)
{
	struct vng *g = &self->box.g;
	struct pest pest = { .box = &self->box };
	struct vhost_nvme_stats s;
	struct vng_cqe cqe;
	pthread_t thread;
	unsigned int i;
	int ret = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, pest_thread, &pest));
	for (i = 0; i < 500 * test_scale() && !ret; i++)
		ret = submit_flush(&self->box.sq) ?:
		      vng_cq_wait(&self->box.cq, &cqe);
	__atomic_store_n(&pest.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	OK(ret);
	EXPECT_LT(0, pest.kicks);
	EXPECT_EQ(0, vng_cq_peek(&self->box.cq, &cqe));
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
	EXPECT_EQ(i, s.commands);
}

FIXTURE(db) {
	struct box box;
	uint64_t buf;
};

FIXTURE_SETUP(db)
{
	BOX_SETUP(&self->box, .no_shadow = true, .entries = 16);
	self->buf = vng_alloc(&self->box.g, 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(db)
{
	box_stop(&self->box);
}

static int flushes(struct box *b, unsigned int n)
{
	struct vng_cqe cqe;
	int ret = 0;

	while (n-- && !ret)
		ret = submit_flush(&b->sq) ?: vng_cq_wait(&b->cq, &cqe) ?:
		      vng_status(&cqe);
	return ret;
}

/* Shadow doorbells take over the tail and head of queues in use. */
TEST_F(db, late)
{
	struct vng *g = &self->box.g;

	OK(flushes(&self->box, 23));
	OK(vng_dbbuf_on(g));
	EXPECT_EQ(23 % 16, le32toh(*vng_sq_db(g, 1)));
	EXPECT_EQ(23 % 16, le32toh(*vng_cq_db(g, 1)));
	OK(flushes(&self->box, 50));
	EXPECT_LT(0, self->box.sq.kicks);
}

/* They can be moved, and take their values with them. */
TEST_F(db, moved)
{
	struct vng *g = &self->box.g;
	uint32_t *old;

	OK(vng_dbbuf_on(g));
	OK(flushes(&self->box, 21));
	old = g->dbs;
	OK(vng_dbbuf_on(g));
	EXPECT_NE(old, g->dbs);
	EXPECT_EQ(5, le32toh(*vng_sq_db(g, 1)));
	EXPECT_EQ(5, le32toh(*vng_cq_db(g, 1)));
	memset(old, 0xff, 4096);
	OK(flushes(&self->box, 21));
	EXPECT_EQ(-1, mem_check(old, 0xff, 4096));
}

/* Commands that wait in the ring for a CQ entry survive the move. */
TEST_F(db, late_with_backlog)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	struct vng_cqe cqe;
	int i;

	OK(vng_cq_create(g, &cq, 2, 3, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &sq, 2, &cq, 16, VNG_KICK));
	for (i = 0; i < 15; i++)
		OK(submit_flush(&sq));
	sleep_ms(20);
	OK(vng_dbbuf_on(g));
	for (i = 0; i < 15; i++)
		OK(vng_cq_wait(&cq, &cqe));
	EXPECT_EQ(0, vng_cq_peek(&cq, &cqe));
}

/* DOORBELL is only a reason to look while the shadow page has the value. */
TEST_F(db, ioctl_with_shadow)
{
	struct vhost_nvme_doorbell db = { .qid = 1, .value = 7 };
	struct vng *g = &self->box.g;
	struct vng_cqe cqe;
	struct vng_sqe sqe;

	OK(vng_dbbuf_on(g));
	OK(vng_ioctl(g, VHOST_NVME_DOORBELL, &db, "DOORBELL"));
	sleep_ms(20);
	EXPECT_EQ(0, vng_cq_peek(&self->box.cq, &cqe));
	vng_cmd_flush(&sqe, 1);
	OK(vng_sq_push(&self->box.sq, &sqe));
	*vng_sq_db(g, 1) = htole32(1);
	OK(vng_ioctl(g, VHOST_NVME_DOORBELL, &db, "DOORBELL"));
	OK(vng_cq_wait(&self->box.cq, &cqe));
	EXPECT_EQ(0, vng_cq_peek(&self->box.cq, &cqe));
}

/* Entries of the shadow pages that belong to no I/O queue stay untouched. */
TEST_F(db, other_entries)
{
	struct vng *g = &self->box.g;
	unsigned int i;

	OK(vng_dbbuf_on(g));
	for (i = 0; i < 1024; i++) {
		if (i == 2 || i == 3)
			continue;
		g->dbs[i] = 0x5a5a5a5a;
		g->eis[i] = 0xa5a5a5a5;
	}
	OK(flushes(&self->box, 100));
	for (i = 0; i < 1024; i++) {
		if (i == 2 || i == 3)
			continue;
		ASSERT_EQ(0x5a5a5a5a, g->dbs[i]);
		ASSERT_EQ(0xa5a5a5a5, g->eis[i]);
	}
}

/*
 * A reset ends the shadow doorbells: whatever the rebooted guest puts into
 * those pages stays there.
 */
TEST_F(db, forgotten_by_reset)
{
	struct vng *g = &self->box.g;
	uint32_t *dbs, *eis;
	unsigned int round;

	OK(vng_dbbuf_on(g));
	dbs = g->dbs;
	eis = g->eis;
	for (round = 0; round < 3; round++) {
		OK(flushes(&self->box, 40));
		OK(submit_flush(&self->box.sq));
		OK(vng_reset(g));
		/* From here on, not one more write */
		memset(dbs, 0x11 + round, 4096);
		memset(eis, 0x81 + round, 4096);
		OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
		vng_sq_drop(&self->box.sq);
		vng_cq_drop(&self->box.cq);
		vng_dbbuf_forget(g);
		memset(&self->box.cq, 0, sizeof(self->box.cq));
		memset(&self->box.sq, 0, sizeof(self->box.sq));
		OK(vng_cq_create(g, &self->box.cq, 1, 16, VNG_IEN | VNG_KICK));
		OK(vng_sq_create(g, &self->box.sq, 1, &self->box.cq, 16,
				 VNG_KICK));
		OK(flushes(&self->box, 40));
		EXPECT_EQ(-1, mem_check(dbs, 0x11 + round, 4096));
		EXPECT_EQ(-1, mem_check(eis, 0x81 + round, 4096));
		/* And on again, elsewhere */
		OK(vng_dbbuf_on(g));
	}
	EXPECT_EQ(-1, mem_check(dbs, 0x13, 4096));
	EXPECT_EQ(-1, mem_check(eis, 0x83, 4096));
}

/* A queue that comes later uses the shadow doorbells too. */
TEST_F(db, later_queue)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	struct vhost_nvme_stats s;
	struct vng_cqe cqe;
	int i;

	OK(vng_dbbuf_on(g));
	OK(vng_cq_create(g, &cq, 9, 16, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &sq, 9, &cq, 16, VNG_KICK));
	for (i = 0; i < 50; i++) {
		OK(submit_flush(&sq));
		OK(vng_cq_wait(&cq, &cqe));
	}
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 9, &s));
	EXPECT_EQ(0, s.doorbells);
	EXPECT_LT(0, s.kicks);
}

/* The index is 16 bits wide and the ring as large: 65535 is followed by 0. */
TEST_F(db, ring_65536)
{
	unsigned int i, n, total = 65600;
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	struct vng_cqe cqe;
	struct vng_sqe sqe;

	if (g->caps.max_entries < 65536)
		SKIP(return, "no queues of 65536 entries");
	OK(vng_dbbuf_on(g));
	OK(vng_cq_create(g, &cq, 2, 65536, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &sq, 2, &cq, 65536, VNG_KICK));
	vng_cmd_flush(&sqe, 1);
	/* In lots up to near the end, then one by one around it */
	for (i = 0; i < total; i += n) {
		n = i + 512 < 65500 ? 512 : 1;
		for (unsigned int k = 0; k < n; k++) {
			sqe.cid = htole16(i + k);
			OK(vng_sq_push(&sq, &sqe));
		}
		OK(vng_sq_ring(&sq));
		for (unsigned int k = 0; k < n; k++) {
			OK(vng_cq_wait(&cq, &cqe));
			ASSERT_EQ((uint16_t)(i + k), le16toh(cqe.cid));
		}
		if (n == 1)
			spin(random_below(20000));
	}
	EXPECT_EQ(64, sq.tail);
	EXPECT_EQ(64, cq.head);
	EXPECT_EQ(64, le32toh(*vng_sq_db(g, 2)));
}

/* All 65535 entries at once, with completions at a CQ of the same size */
TEST_F(db, ring_65536_full)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	struct vng_cqe cqe;
	struct vng_sqe sqe;
	unsigned int i;

	if (g->caps.max_entries < 65536)
		SKIP(return, "no queues of 65536 entries");
	OK(vng_dbbuf_on(g));
	OK(vng_cq_create(g, &cq, 2, 65536, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &sq, 2, &cq, 65536, VNG_KICK));
	vng_cmd_flush(&sqe, 1);
	for (i = 0; i < 65535; i++) {
		sqe.cid = htole16(i);
		OK(vng_sq_push(&sq, &sqe));
	}
	EXPECT_EQ(0, vng_sq_room(&sq));
	OK(vng_sq_ring(&sq));
	for (i = 0; i < 65535; i++)
		OK(vng_cq_wait(&cq, &cqe));
	EXPECT_EQ(0, vng_cq_peek(&cq, &cqe));
}

FIXTURE(closing) {
	struct disk disk;
};

FIXTURE_SETUP(closing)
{
	MODULE_SETUP();
	DISK_SETUP(&self->disk, 16, 9, NULL);
	close(self->disk.fd);
	self->disk.fd = -1;
}

FIXTURE_TEARDOWN(closing)
{
	disk_destroy(&self->disk);
}

/* close() meets the worker on its way to sleep, and ends nevertheless. */
TEST_F(closing, race)
{
	struct box_opts opts = { .path = self->disk.path, .mib = 1 };
	struct box box;
	struct vng *g = &box.g;
	struct vng_cqe cqe;
	unsigned int i;
	uint64_t end;
	int ret;

	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
	for (i = 0; i < 300 * test_scale(); i++) {
		opts.poll_us = i & 1 ? 10 : 0;
		/* The disk of the last round is closed in a moment. */
		end = vng_now_ms() + test_timeout_ms();
		do {
			ret = box_start(&box, &opts);
		} while (ret == -EBUSY && vng_now_ms() < end);
		OK(ret);
		OK(submit_flush(&box.sq));
		OK(vng_cq_wait(&box.cq, &cqe));
		OK(submit_flush(&box.sq));
		spin(random_below(3000));
		box_stop(&box);
	}
}

FIXTURE(poll) {
	struct box box;
};

FIXTURE_VARIANT(poll) {
	unsigned int poll_us;
};

FIXTURE_VARIANT_ADD(poll, never) { .poll_us = 0 };
FIXTURE_VARIANT_ADD(poll, short) { .poll_us = 50 };
FIXTURE_VARIANT_ADD(poll, long) { .poll_us = 200000 };

FIXTURE_SETUP(poll)
{
	BOX_SETUP(&self->box, .poll_us = variant->poll_us);
}

FIXTURE_TEARDOWN(poll)
{
	box_stop(&self->box);
}

/* An idle worker sleeps: neither passes nor CPU time grow. */
TEST_F(poll, idle)
{
	struct vhost_nvme_stats before, after;
	struct vng *g = &self->box.g;
	long ticks;

	OK(flushes(&self->box, 100));
	OK(wait_idle(g));
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &before));
	EXPECT_LT(0, before.passes);
	EXPECT_LT(0, before.busy_passes);
	EXPECT_LE(before.busy_passes, before.passes);
	ticks = thread_ticks(getpid(), "vhost");
	ASSERT_LE(0, ticks);
	sleep_ms(500);
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &after));
	EXPECT_EQ(before.passes, after.passes);
	EXPECT_EQ(before.wakeups, after.wakeups);
	EXPECT_EQ(ticks, thread_ticks(getpid(), "vhost"));
	/* And it still wakes up. */
	OK(flushes(&self->box, 1));
}

/* While the worker polls, the guest has (nearly) no reason to kick. */
TEST_F(poll, kicks)
{
	struct vng *g = &self->box.g;
	unsigned int rounds = 300 * test_scale();
	struct vhost_nvme_stats s;
	uint64_t before;

	OK(flushes(&self->box, 100));
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	before = self->box.sq.kicks;
	OK(flushes(&self->box, rounds));
	TH_LOG("%llu kicks in %u rounds, window %llu ns",
	       (unsigned long long)(self->box.sq.kicks - before), rounds,
	       (unsigned long long)s.poll_ns);
	if (variant->poll_us >= 1000)
		EXPECT_GE(rounds / 20, self->box.sq.kicks - before);
	EXPECT_EQ(0, self->box.cq.kicks);
	EXPECT_GE(variant->poll_us * 1000ULL, s.poll_ns);
	EXPECT_KICKS("SQ", VHOST_NVME_STATS_SQ, &self->box.sq);
}

/*
 * Commands that come far apart: one wake-up for each, and no polling that could
 * not find the next.
 */
TEST_F(poll, trickle)
{
	struct vhost_nvme_stats before, after;
	struct vng *g = &self->box.g;
	unsigned int i;

	if (variant->poll_us > 1000)
		return;
	OK(flushes(&self->box, 100));
	for (i = 0; i < 40; i++) {
		sleep_ms(10);
		OK(flushes(&self->box, 1));
		if (i == 9)
			OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &before));
	}
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &after));
	EXPECT_EQ(0, after.poll_ns);
	EXPECT_GE(33, after.wakeups - before.wakeups);
	TH_LOG("%llu passes for 30 commands",
	       (unsigned long long)(after.passes - before.passes));
	EXPECT_GE(30 * 6, after.passes - before.passes);
}

/* A batch that is rung once causes one kick at most. */
TEST_F(poll, batch)
{
	struct vng *g = &self->box.g;
	struct vng_cqe cqe;
	struct vng_sqe sqe;
	unsigned int i;

	OK(wait_idle(g));
	vng_cmd_flush(&sqe, 1);
	for (i = 0; i < 32; i++)
		OK(vng_sq_push(&self->box.sq, &sqe));
	OK(vng_sq_ring(&self->box.sq));
	EXPECT_EQ(1, self->box.sq.kicks);
	for (i = 0; i < 32; i++)
		OK(vng_cq_wait(&self->box.cq, &cqe));
}

/* A shorter limit applies at once, also to a worker that polls. */
TEST_F(poll, lowered)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;

	OK(flushes(&self->box, 50));
	OK(vng_set_poll(g, 0));
	OK(wait_idle(g));
	OK(flushes(&self->box, 50));
	OK(wait_idle(g));
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	EXPECT_EQ(0, s.poll_ns);
}

TEST_HARNESS_MAIN
