// SPDX-License-Identifier: GPL-2.0
/*
 * When a completion queue's interrupt is raised: never too late, and no more
 * often than the guest has use for it
 */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "test.h"

/*
 * The worker polls for a second and would hold an interrupt back for up to half
 * of it: far more than anything here takes, so that an interrupt that comes
 * in time was due, and did not come because the worker went to sleep.
 */
#define POLL_US		1000000

FIXTURE(irq) {
	struct box box;
	uint64_t buf;
	uint64_t wakeups;
};

static int submit_read(struct vng *g, struct vng_sq *sq, uint64_t buf)
{
	struct vng_sqe sqe;
	int ret;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8);
	ret = vng_prp_contig(g, &sqe, buf, 4096);
	return ret ?: vng_submit(sq, &sqe);
}

static int do_read(struct vng *g, struct vng_sq *sq, uint64_t buf)
{
	struct vng_cqe cqe;
	int ret;

	ret = submit_read(g, sq, buf);
	ret = ret ?: vng_cq_wait(sq->cq, &cqe);
	if (ret)
		return ret;
	return vng_status(&cqe) ? vng_fail(g, -EIO, "status") : 0;
}

/* Takes the interrupts that have come within @ms; their number, or -errno. */
static int take_irqs(struct vng_cq *cq, int ms)
{
	struct pollfd pfd = { .fd = cq->irq_fd, .events = POLLIN };
	uint64_t count;

	if (poll(&pfd, 1, ms) != 1)
		return 0;
	if (read(cq->irq_fd, &count, sizeof(count)) != sizeof(count))
		return -errno;
	return count;
}

static int wait_posted(struct vng *g, uint64_t cqes)
{
	uint64_t end = vng_now_ms() + g->timeout_ms;
	struct vhost_nvme_stats s;
	int ret;

	do {
		ret = vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s);
		if (ret || s.cqes == cqes)
			return ret;
	} while (vng_now_ms() < end);
	return vng_fail(g, -ETIMEDOUT, "%llu of %llu entries posted",
			(unsigned long long)s.cqes, (unsigned long long)cqes);
}

static uint64_t irqs(struct vng *g)
{
	struct vhost_nvme_stats s;

	return vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s) ? ~0ULL : s.irqs;
}

static uint64_t wakeups(struct vng *g)
{
	struct vhost_nvme_stats s;

	return vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s) ? ~0ULL : s.wakeups;
}

/* Let the worker sleep for a moment until it polls as long as it may. */
static int open_window(struct vng *g, struct vng_sq *sq, uint64_t buf)
{
	uint64_t end = vng_now_ms() + g->timeout_ms;
	struct vhost_nvme_stats s;
	int ret;

	do {
		ret = do_read(g, sq, buf) ?:
		      vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s);
		if (ret || s.poll_ns == POLL_US * 1000ULL)
			return ret;
		sleep_ms(s.poll_ns / 1000000 + 50);
	} while (vng_now_ms() < end);
	return vng_fail(g, -ETIMEDOUT, "window of %llu ns",
			(unsigned long long)s.poll_ns);
}

FIXTURE_SETUP(irq)
{
	struct vng *g = &self->box.g;

	BOX_SETUP(&self->box, .poll_us = POLL_US, .entries = 64);
	self->buf = vng_alloc(g, 4096, 4096);
	ASSERT_NE(0, self->buf);
	OK(open_window(g, &self->box.sq, self->buf));
	take_irqs(&self->box.cq, 0);
	self->wakeups = wakeups(g);
}

FIXTURE_TEARDOWN(irq)
{
	box_stop(&self->box);
}

/* What was seen was the polling worker's doing. */
#define EXPECT_AWAKE()	EXPECT_EQ(self->wakeups, wakeups(g))

/* A guest with one command at a time has an interrupt for each, at once. */
TEST_F(irq, one_at_a_time)
{
	struct vng *g = &self->box.g;
	uint64_t before = irqs(g);
	unsigned int i;

	for (i = 0; i < 50; i++) {
		OK(submit_read(g, &self->box.sq, self->buf));
		ASSERT_EQ(1, take_irqs(&self->box.cq, 10000));
		OK(vng_cq_wait(&self->box.cq, &(struct vng_cqe) {}));
	}
	EXPECT_EQ(before + 50, irqs(g));
	EXPECT_AWAKE();
}

/*
 * One is outstanding until the head moves; seldom more, when the worker has to yield
 * its CPU.
 */
TEST_F(irq, outstanding)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	unsigned int round, i, one = 0;
	struct vng_cqe cqe;
	uint64_t before;
	int taken;

	for (round = 0; round < 20; round++) {
		before = irqs(g);
		for (i = 0; i < 10; i++) {
			OK(submit_read(g, &self->box.sq, self->buf));
			OK(wait_posted(g, cq->cqes + i + 1));
		}
		/* The guest finds them all with what came. */
		for (i = 0; i < 10; i++)
			ASSERT_EQ(1, vng_cq_peek(cq, &cqe));
		OK(vng_cq_ring(cq));
		taken = take_irqs(cq, 0);
		ASSERT_LE(1, taken);
		taken += take_irqs(cq, 50);
		ASSERT_EQ(before + taken, irqs(g));
		one += taken == 1;
	}
	EXPECT_LT(10, one);
	EXPECT_AWAKE();
}

/* With irq_us 0 each has its own, whatever the guest does with it. */
TEST_F(irq, at_once)
{
	struct vhost_nvme_poll poll = { .poll_us = POLL_US };
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	uint64_t before = irqs(g);
	unsigned int i;

	OK(vng_ioctl(g, VHOST_NVME_SET_POLL, &poll, "SET_POLL"));
	for (i = 0; i < 10; i++) {
		OK(submit_read(g, &self->box.sq, self->buf));
		OK(wait_posted(g, cq->cqes + i + 1));
		ASSERT_EQ(1, take_irqs(cq, 10000));
	}
	EXPECT_EQ(before + 10, irqs(g));
	EXPECT_AWAKE();
}

/*
 * Entries that came after the guest's last look: it has looked when it moves
 * the head. A worker that must let others run does not wait for that.
 */
TEST_F(irq, remaining)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	struct vng_cqe cqe;
	unsigned int i, early = 0;

	for (i = 0; i < 20; i++) {
		OK(submit_read(g, &self->box.sq, self->buf));
		ASSERT_EQ(1, take_irqs(cq, 10000));
		OK(submit_read(g, &self->box.sq, self->buf));
		OK(wait_posted(g, cq->cqes + 2));
		ASSERT_EQ(1, vng_cq_peek(cq, &cqe));
		if (take_irqs(cq, 0)) {
			early++;
			OK(vng_cq_ring(cq));
		} else {
			OK(vng_cq_ring(cq));
			ASSERT_EQ(1, take_irqs(cq, 10000));
		}
		ASSERT_EQ(1, vng_cq_peek(cq, &cqe));
		OK(vng_cq_ring(cq));
	}
	EXPECT_GT(10, early);
	EXPECT_AWAKE();
}

/* A guest that lost the interrupt is told again, though the worker stays awake. */
TEST_F(irq, told_again)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq, cq2 = {};
	uint64_t end = vng_now_ms() + g->timeout_ms;
	struct vng_sq sq2 = {};
	unsigned int i;

	OK(vng_cq_create(g, &cq2, 2, 16, 0));
	OK(vng_sq_create(g, &sq2, 2, &cq2, 16, VNG_KICK));
	OK(submit_read(g, &self->box.sq, self->buf));
	ASSERT_EQ(1, take_irqs(cq, 10000));
	OK(submit_read(g, &self->box.sq, self->buf));
	while (!take_irqs(cq, 10)) {
		ASSERT_GT(end, vng_now_ms());
		OK(do_read(g, &sq2, self->buf));
	}
	EXPECT_AWAKE();
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, vng_cq_peek(cq, &(struct vng_cqe) {}));
	OK(vng_cq_ring(cq));
}

/* A queue is deleted while it is owed an interrupt. */
TEST_F(irq, deleted)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		OK(submit_read(g, &self->box.sq, self->buf));
		OK(wait_posted(g, cq->cqes + i + 1));
	}
	OK(vng_sq_delete(&self->box.sq));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	OK(vng_cq_delete(cq));
	OK(vng_cq_create(g, cq, 1, 64, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &self->box.sq, 1, cq, 64, VNG_KICK));
	for (i = 0; i < 10; i++)
		OK(do_read(g, &self->box.sq, self->buf));
}

/* A reset, with entries owed and other commands that take their time */
TEST_F(irq, reset)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	struct vhost_nvme_event ev;
	struct vng_sqe sqe;
	struct disk slow;
	unsigned int i;

	ASSERT_EQ(0, disk_create(&slow, 1, 9,
				 "irqmode=2 completion_nsec=100000000"));
	OK(vng_set_ns(g, 2, slow.fd, 9, 0, 0));
	/* That may have taken longer than the worker polls. */
	OK(open_window(g, &self->box.sq, self->buf));
	take_irqs(cq, 0);
	self->wakeups = wakeups(g);
	vng_cmd_rw(&sqe, VNG_CMD_READ, 2, 0, 8);
	OK(vng_prp_contig(g, &sqe, self->buf, 4096));
	OK(vng_submit(&self->box.sq, &sqe));
	for (i = 0; i < 3; i++) {
		OK(submit_read(g, &self->box.sq, self->buf));
		OK(wait_posted(g, cq->cqes + i + 1));
	}
	EXPECT_AWAKE();
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 20));
	vng_close(g);
	disk_destroy(&slow);
}

/*
 * Interrupt Coalescing. Completions come from the worker, which polls or
 * sleeps, or from the disk's own interrupt.
 */
FIXTURE(coalesce) {
	struct box box;
	uint64_t buf;
	uint64_t before;
};

FIXTURE_VARIANT(coalesce) {
	const char *attrs;
	unsigned int poll_us;
};

FIXTURE_VARIANT_ADD(coalesce, sleeping) { };
FIXTURE_VARIANT_ADD(coalesce, polling) { .poll_us = POLL_US };
FIXTURE_VARIANT_ADD(coalesce, interrupt) {
	.attrs = "irqmode=2 completion_nsec=100000",
};

static int set_coalesce(struct vng *g, uint16_t cqid, uint16_t threshold,
			uint32_t time_us)
{
	struct vhost_nvme_coalesce arg = {
		.cqid = cqid,
		.threshold = threshold,
		.time_us = time_us,
	};

	return vng_ioctl(g, VHOST_NVME_SET_COALESCE, &arg, "SET_COALESCE");
}

/* Ends the test's time rather than an interrupt's: it is 25 ms at most. */
#define LONGEST_US	25500

FIXTURE_SETUP(coalesce)
{
	struct vng *g = &self->box.g;

	BOX_SETUP(&self->box, .poll_us = variant->poll_us, .entries = 64,
		  .attrs = variant->attrs);
	self->buf = vng_alloc(g, 4096, 4096);
	ASSERT_NE(0, self->buf);
	OK(do_read(g, &self->box.sq, self->buf));
	take_irqs(&self->box.cq, 0);
	self->before = irqs(g);
}

FIXTURE_TEARDOWN(coalesce)
{
	box_stop(&self->box);
}

/* Submits @nr reads and waits until all their entries are there. */
static int read_many(struct vng *g, struct vng_sq *sq, uint64_t buf,
		     unsigned int nr)
{
	uint64_t done = sq->cq->cqes;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = submit_read(g, sq, buf);
	return ret ?: wait_posted(g, done + nr);
}

static int consume(struct vng_cq *cq, unsigned int nr)
{
	struct vng_cqe cqe;

	while (nr--)
		if (vng_cq_peek(cq, &cqe) != 1)
			return -ENOENT;
	return vng_cq_ring(cq);
}

/* Fewer than the threshold wait for the timer, which signals once for all. */
TEST_F(coalesce, timer)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	unsigned int i;

	OK(set_coalesce(g, 1, 63, LONGEST_US));
	for (i = 1; i <= 5; i++) {
		OK(read_many(g, &self->box.sq, self->buf, 9));
		EXPECT_EQ(1, take_irqs(cq, 10000));
		/* More only if this machine was slower than the timer */
		EXPECT_GE(self->before + 9 * i, irqs(g));
		OK(consume(cq, 9));
		take_irqs(cq, 100);
	}
	EXPECT_GT(self->before + 15, irqs(g));
}

/* Reaching the threshold is an interrupt, long before the time has passed. */
TEST_F(coalesce, threshold)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	uint64_t begin = vng_now_ms();
	unsigned int i, irqs_seen = 0;

	OK(set_coalesce(g, 1, 4, LONGEST_US));
	for (i = 0; i < 20; i++) {
		OK(read_many(g, &self->box.sq, self->buf, 8));
		irqs_seen += take_irqs(cq, 10000);
		OK(consume(cq, 8));
	}
	irqs_seen += take_irqs(cq, 100);
	EXPECT_LE(40, irqs_seen);
	/* The timer's, if the machine is slow */
	EXPECT_GE(40 + (vng_now_ms() - begin) / 25 + 1, irqs_seen);
}

/* Turned off, with entries gathered: they are signalled then. */
TEST_F(coalesce, off)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		OK(set_coalesce(g, 1, 64, LONGEST_US));
		OK(read_many(g, &self->box.sq, self->buf, 3));
		OK(set_coalesce(g, 1, i % 2 ? 1 : 64, i % 2 ? LONGEST_US : 0));
		EXPECT_LE(1, take_irqs(cq, 10000));
		OK(consume(cq, 3));
	}
	/* As without it */
	OK(do_read(g, &self->box.sq, self->buf));
}

/* Every entry is signalled in the end, while the settings change all the time. */
TEST_F(coalesce, changes)
{
	struct vng *g = &self->box.g;
	struct vng_cqe cqe;
	unsigned int i;

	for (i = 0; i < 200; i++) {
		OK(submit_read(g, &self->box.sq, self->buf));
		OK(set_coalesce(g, 1, i % 7, i % 3 * 300));
		OK(submit_read(g, &self->box.sq, self->buf));
		OK(set_coalesce(g, 1, i % 5, i % 4 * 200));
		OK(vng_cq_wait(&self->box.cq, &cqe));
		OK(vng_cq_wait(&self->box.cq, &cqe));
	}
}

/* Queues that go while their timer runs */
TEST_F(coalesce, gone)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		OK(set_coalesce(g, 1, 64, LONGEST_US));
		OK(read_many(g, &self->box.sq, self->buf, 3));
		if (i % 2) {
			OK(vng_sq_delete(&self->box.sq));
			OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
			OK(vng_cq_delete(cq));
		} else {
			OK(vng_reset(g));
			OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
			vng_dbbuf_forget(g);
			vng_sq_drop(&self->box.sq);
			vng_cq_drop(cq);
			OK(vng_dbbuf_on(g));
		}
		OK(vng_cq_create(g, cq, 1, 64, VNG_IEN | VNG_KICK));
		OK(vng_sq_create(g, &self->box.sq, 1, cq, 64, VNG_KICK));
	}
	/* It was off for the new queue. */
	OK(do_read(g, &self->box.sq, self->buf));
}

TEST_F(coalesce, bad)
{
	struct vng *g = &self->box.g;

	FAILS(ENOENT, set_coalesce(g, 0, 4, 100));
	FAILS(ENOENT, set_coalesce(g, 2, 4, 100));
	FAILS(ENOENT, set_coalesce(g, UINT16_MAX, 4, 100));
	FAILS(EINVAL, set_coalesce(g, 1, 4, LONGEST_US + 1));
	OK(set_coalesce(g, 1, UINT16_MAX, LONGEST_US));
	OK(set_coalesce(g, 1, 0, 0));
}

FIXTURE(stream) {
	struct box box;
	uint64_t buf;
};

FIXTURE_VARIANT(stream) {
	unsigned int depth;
	unsigned int poll_us;
	bool no_shadow;
};

FIXTURE_VARIANT_ADD(stream, d16) { .depth = 16, .poll_us = 20000 };
FIXTURE_VARIANT_ADD(stream, d63) { .depth = 63, .poll_us = 20000 };
FIXTURE_VARIANT_ADD(stream, d16_ioctl) {
	.depth = 16, .poll_us = 20000, .no_shadow = true,
};
FIXTURE_VARIANT_ADD(stream, d16_sleep) { .depth = 16 };

FIXTURE_SETUP(stream)
{
	BOX_SETUP(&self->box, .poll_us = variant->poll_us, .entries = 64,
		  .no_shadow = variant->no_shadow);
	self->buf = vng_alloc(&self->box.g, 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(stream)
{
	box_stop(&self->box);
}

static void spin_us(unsigned int us)
{
	struct timespec t;
	int64_t end, now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = t.tv_sec * 1000000000LL + t.tv_nsec;
	for (end = now + us * 1000LL; now < end;
	     now = t.tv_sec * 1000000000LL + t.tv_nsec)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

/*
 * A guest that submits one by one up to its depth, slower than the worker
 * completes, and is interrupted in it, as one CPU is that runs both.
 */
static int stream(struct box *b, uint64_t buf, unsigned int depth,
		  unsigned int count)
{
	unsigned int submitted = 0, done = 0;
	struct vng_cq *cq = &b->cq;
	struct vng_cqe cqe;
	int ret;

	while (done < count) {
		while (submitted < count && submitted - done < depth) {
			ret = submit_read(&b->g, &b->sq, buf);
			if (ret)
				return ret;
			submitted++;
			spin_us(100);
			if (take_irqs(cq, 0) > 0)
				goto consume;
		}
		if (take_irqs(cq, b->g.timeout_ms) <= 0)
			return vng_fail(&b->g, -ETIMEDOUT,
					"no interrupt for %u commands",
					submitted - done);
consume:
		while ((ret = vng_cq_peek(cq, &cqe)) > 0)
			done++;
		ret = ret ?: vng_cq_ring(cq);
		if (ret)
			return ret;
	}
	return 0;
}

/* Nothing is owed when the worker sleeps, which it does before it tells again. */
TEST_F(stream, paid_before_sleep)
{
	struct vng *g = &self->box.g;
	struct vng_cq *cq = &self->box.cq;
	unsigned int i;

	for (i = 0; i < 3; i++)
		OK(do_read(g, &self->box.sq, self->buf));
	take_irqs(cq, 0);
	for (i = 0; i < 2; i++) {
		OK(submit_read(g, &self->box.sq, self->buf));
		ASSERT_EQ(1, take_irqs(cq, 10000));
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, vng_cq_peek(cq, &(struct vng_cqe) {}));
	OK(vng_cq_ring(cq));
}

/* Nothing is lost, and a guest that goes on submitting is left to its work. */
TEST_F(stream, left_alone)
{
	unsigned int count = 4000 * test_scale();
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;

	OK(stream(&self->box, self->buf, variant->depth, count));
	OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
	TH_LOG("%.3f interrupts per command", (double)s.irqs / count);
	EXPECT_EQ(count, s.cqes);
	if (variant->poll_us)
		EXPECT_GT(count / 2, s.irqs);
	/* Afterwards it has one command at a time again. */
	OK(stream(&self->box, self->buf, 1, 100));
}

TEST_HARNESS_MAIN
