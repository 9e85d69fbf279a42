// SPDX-License-Identifier: GPL-2.0
/* Rings: wrap-around, shared and full completion queues, interrupts */
#include <poll.h>
#include <sys/eventfd.h>

#include "test.h"

/*
 * Run @count Flush or Read commands through a queue that is kept full, with
 * each completion exactly once. Returns 0 or -errno.
 */
static int run(struct vng_sq *sq, uint64_t buf, unsigned int count)
{
	struct vng *g = sq->g;
	uint8_t *state = calloc(1, 65536);
	unsigned int sent = 0, got = 0, lba = 0;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	int ret = 0;

	while (state && got < count && !ret) {
		/* A queue and what it has in flight may be more than all CIDs. */
		while (sent < count && vng_sq_room(sq) && !ret &&
		       state[sent & 0xffff] != 1) {
			vng_cmd_rw(&sqe, VNG_CMD_READ, 1, lba++ % 1024, 1);
			sqe.prp1 = htole64(buf);
			sqe.cid = htole16(sent);
			ret = vng_sq_push(sq, &sqe);
			state[sent++ & 0xffff] = 1;
		}
		if (!ret && sq->tail != sq->last_tail)
			ret = vng_sq_ring(sq);
		if (!ret)
			ret = vng_cq_wait(sq->cq, &cqe);
		if (ret)
			break;
		if (vng_status(&cqe))
			ret = vng_fail(g, -EIO, "status %#x",
				       vng_status(&cqe));
		if (state[le16toh(cqe.cid)] != 1)
			ret = vng_fail(g, -EBADMSG,
				       "completion %u of SQ %u: CID %u is not in flight",
				       got, sq->id, le16toh(cqe.cid));
		state[le16toh(cqe.cid)] = 2;
		got++;
	}
	free(state);
	return ret;
}

FIXTURE(wrap) {
	struct box box;
	uint64_t buf;
};

FIXTURE_VARIANT(wrap) {
	unsigned int entries;
	unsigned int count;
	bool no_shadow;
	bool no_irq;
};

FIXTURE_VARIANT_ADD(wrap, e2) { .entries = 2, .count = 1000 };
FIXTURE_VARIANT_ADD(wrap, e3) { .entries = 3, .count = 2000 };
FIXTURE_VARIANT_ADD(wrap, e16) { .entries = 16, .count = 5000 };
FIXTURE_VARIANT_ADD(wrap, e1024) { .entries = 1024, .count = 10000 };
FIXTURE_VARIANT_ADD(wrap, e65536) { .entries = 65536, .count = 140000 };
FIXTURE_VARIANT_ADD(wrap, e2_ioctl) {
	.entries = 2, .count = 1000, .no_shadow = true,
};
FIXTURE_VARIANT_ADD(wrap, e3_ioctl) {
	.entries = 3, .count = 2000, .no_shadow = true,
};
FIXTURE_VARIANT_ADD(wrap, e1024_ioctl) {
	.entries = 1024, .count = 5000, .no_shadow = true,
};
FIXTURE_VARIANT_ADD(wrap, e16_no_irq) {
	.entries = 16, .count = 5000, .no_irq = true,
};

FIXTURE_SETUP(wrap)
{
	BOX_SETUP(&self->box, .entries = variant->entries,
		  .no_shadow = variant->no_shadow, .no_irq = variant->no_irq);
	self->buf = vng_alloc(&self->box.g, 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(wrap)
{
	box_stop(&self->box);
}

/* The rings go round many times, and nothing is lost or comes twice. */
TEST_F(wrap, around)
{
	unsigned int count = variant->count * test_scale();
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;

	OK(run(&self->box.sq, self->buf, count));
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
	EXPECT_EQ(count, s.commands);
	EXPECT_EQ(0, s.errors);
	if (variant->no_shadow) {
		EXPECT_EQ(self->box.sq.kicks, s.doorbells);
		EXPECT_EQ(0, s.kicks);
	} else {
		EXPECT_EQ(self->box.sq.kicks, s.kicks);
		EXPECT_EQ(0, s.doorbells);
	}
	OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
	EXPECT_EQ(count, s.cqes);
	EXPECT_EQ(variant->no_irq, !s.irqs);
	EXPECT_GE(count, s.irqs);
}

FIXTURE(ring) {
	struct box box;
	uint64_t buf;
};

FIXTURE_VARIANT(ring) {
	bool no_shadow;
};

FIXTURE_VARIANT_ADD(ring, shadow) { .no_shadow = false };
FIXTURE_VARIANT_ADD(ring, ioctl) { .no_shadow = true };

FIXTURE_SETUP(ring)
{
	BOX_SETUP(&self->box, .no_shadow = variant->no_shadow,
		  .no_queues = true);
	self->buf = vng_alloc(&self->box.g, 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(ring)
{
	box_stop(&self->box);
}

static int push_reads(struct vng_sq *sq, uint64_t buf, unsigned int n)
{
	struct vng_sqe sqe;
	int ret = 0;

	while (n-- && !ret) {
		vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 1);
		sqe.prp1 = htole64(buf);
		sqe.cid = htole16(sq->next_cid++);
		ret = vng_sq_push(sq, &sqe);
	}
	return ret;
}

/* Wait until the CQ has posted @n entries in all. */
static int wait_posted(struct vng_cq *cq, uint64_t n)
{
	uint64_t end = vng_now_ms() + cq->g->timeout_ms;
	struct vhost_nvme_stats s;
	int ret;

	for (;;) {
		ret = vng_stats(cq->g, VHOST_NVME_STATS_CQ, cq->id, &s);
		if (ret || s.cqes >= n)
			return ret;
		if (vng_now_ms() > end)
			return vng_fail(cq->g, -ETIMEDOUT,
					"CQ %u has posted %llu of %llu entries within %u ms",
					cq->id, (unsigned long long)s.cqes,
					(unsigned long long)n,
					cq->g->timeout_ms);
		sleep_us(500);
	}
}

/* A CQ that nobody empties fills up and stops its SQ, and nothing is lost. */
TEST_F(ring, cq_full)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	struct vhost_nvme_stats s;
	struct vng_cqe cqe;
	unsigned int i;

	OK(vng_cq_create(g, &cq, 1, 4, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &sq, 1, &cq, 256, VNG_KICK));
	OK(push_reads(&sq, self->buf, 255));
	OK(vng_sq_ring(&sq));
	OK(wait_posted(&cq, 3));
	for (i = 0, s.full = 0; i < g->timeout_ms && !s.full; i++) {
		OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
		sleep_ms(1);
	}
	EXPECT_LE(1, s.full);
	sleep_ms(20);
	OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
	EXPECT_EQ(3, s.cqes);
	/* The fourth entry stays free, else full would look like empty. */
	EXPECT_EQ(-1, mem_check(&cq.ring[3], 0, sizeof(cq.ring[3])));
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
	EXPECT_EQ(3, s.commands);
	for (i = 0; i < 255; i++) {
		OK(vng_cq_wait(&cq, &cqe));
		ASSERT_EQ(0, vng_status(&cqe));
		ASSERT_EQ(i, le16toh(cqe.cid));
	}
	EXPECT_EQ(0, vng_cq_peek(&cq, &cqe));
	OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
	EXPECT_EQ(255, s.cqes);
}

/* The same with a guest that takes its entries in lots and sleeps between. */
TEST_F(ring, cq_full_often)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	struct vng_cqe cqe;
	unsigned int round, left;

	OK(vng_cq_create(g, &cq, 1, 8, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &sq, 1, &cq, 64, VNG_KICK));
	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
	for (round = 0; round < 20 * test_scale(); round++) {
		OK(push_reads(&sq, self->buf, 63));
		OK(vng_sq_ring(&sq));
		for (left = 63; left;) {
			unsigned int lot = 1 + random_below(7);

			if (lot > left)
				lot = left;
			if (!random_below(4))
				sleep_us(random_below(2000));
			left -= lot;
			/* The last of the lot rings for all of it. */
			while (lot) {
				int n = vng_cq_peek(&cq, &cqe);

				ASSERT_LE(0, n) TH_LOG("%s", vng_msg(g));
				if (!n) {
					OK(vng_cq_wait(&cq, &cqe));
				}
				ASSERT_EQ(0, vng_status(&cqe));
				lot--;
			}
			OK(vng_cq_ring(&cq));
		}
	}
}

/* Several SQs of different sizes complete to one CQ. */
TEST_F(ring, shared_cq)
{
	static const unsigned int size[] = { 2, 5, 16, 64, 256 };
	unsigned int count = 400 * test_scale(), i, total = 0;
	unsigned int sent[5] = { 0 }, got[5] = { 0 };
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq sq[5];
	struct vng_cqe cqe;

	memset(sq, 0, sizeof(sq));
	OK(vng_cq_create(g, &cq, 3, 64, VNG_IEN | VNG_KICK));
	for (i = 0; i < 5; i++)
		OK(vng_sq_create(g, &sq[i], 10 + i, &cq, size[i], VNG_KICK));
	while (total < 5 * count) {
		for (i = 0; i < 5; i++) {
			unsigned int n = vng_sq_room(&sq[i]);

			if (n > count - sent[i])
				n = count - sent[i];
			if (!n)
				continue;
			OK(push_reads(&sq[i], self->buf, n));
			OK(vng_sq_ring(&sq[i]));
			sent[i] += n;
		}
		OK(vng_cq_wait(&cq, &cqe));
		ASSERT_EQ(0, vng_status(&cqe));
		got[le16toh(cqe.sqid) - 10]++;
		total++;
	}
	for (i = 0; i < 5; i++)
		EXPECT_EQ(count, got[i]);
	EXPECT_EQ(0, vng_cq_peek(&cq, &cqe));
}

/* Two pairs of queues do not get in each other's way. */
TEST_F(ring, two_pairs)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq[2];
	struct vng_sq sq[2];
	unsigned int i;

	memset(cq, 0, sizeof(cq));
	memset(sq, 0, sizeof(sq));
	for (i = 0; i < 2; i++) {
		OK(vng_cq_create(g, &cq[i], 1 + i, 16, VNG_IEN | VNG_KICK));
		/* Crosswise: SQ 1 to CQ 2 is as good as any other. */
		OK(vng_sq_create(g, &sq[i], 2 - i, &cq[i], 16, VNG_KICK));
	}
	for (i = 0; i < 200; i++)
		OK(run(&sq[i & 1], self->buf, 10));
}

#define PAIR_READS	4

/* A Read of each block of the disk's beginning, PAIR_READS by each queue */
static int push_pairs(struct vng_sq *sq, unsigned int n, uint64_t buf)
{
	unsigned int i, block;
	struct vng_sqe sqe;
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		for (block = i * PAIR_READS;
		     block < (i + 1) * PAIR_READS && !ret; block++) {
			vng_cmd_rw(&sqe, VNG_CMD_READ, 1, block, 1);
			sqe.prp1 = htole64(buf + block * 512);
			sqe.cid = htole16(block);
			ret = vng_sq_push(&sq[i], &sqe);
		}
	}
	for (i = 0; i < n && !ret; i++)
		ret = vng_sq_ring(&sq[i]);
	return ret;
}

/* All queues that there may be have commands in flight at the same time. */
TEST_F(ring, all_pairs)
{
	struct vng *g = &self->box.g;
	const unsigned int n = g->caps.max_queues;
	const size_t len = n * PAIR_READS * 512;
	struct vng_cq *cq = calloc(n, sizeof(*cq));
	struct vng_sq *sq = calloc(n, sizeof(*sq));
	char *data = malloc(len);
	unsigned int i, k, round;
	struct vng_cqe cqe;
	uint64_t buf;

	ASSERT_TRUE(cq && sq && data);
	pattern_fill(data, len, 1);
	ASSERT_EQ(0, disk_write(&self->box.disk, 0, data, len));
	buf = vng_alloc(g, len, 4096);
	ASSERT_NE(0, buf);
	OK(vng_set_workers(g, 4));
	for (i = 0; i < n; i++) {
		cq[i].worker = i % 4;
		OK(vng_cq_create(g, &cq[i], 1 + i, 8, VNG_IEN | VNG_KICK));
		OK(vng_sq_create(g, &sq[i], 1 + i, &cq[i], 8, VNG_KICK));
	}
	for (round = 0; round < 5; round++) {
		memset(vng_ptr(g, buf, len), 0, len);
		OK(push_pairs(sq, n, buf));
		for (i = 0; i < n; i++) {
			for (k = 0; k < PAIR_READS; k++) {
				OK(vng_cq_wait(&cq[i], &cqe));
				ASSERT_EQ(0, vng_status(&cqe));
				ASSERT_EQ(i + 1, le16toh(cqe.sqid));
			}
			ASSERT_EQ(0, vng_cq_peek(&cq[i], &cqe));
		}
		ASSERT_EQ(-1, pattern_check(vng_ptr(g, buf, len), len, 1));
	}
	for (i = 0; i < n; i++) {
		vng_sq_drop(&sq[i]);
		vng_cq_drop(&cq[i]);
	}
	free(cq);
	free(sq);
	free(data);
}

/* Signals that came: waits for the first if there ought to be one. */
static unsigned int signals(struct vng *g, int fd, bool expected)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	poll(&pfd, 1, expected ? g->timeout_ms : 5);
	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* Each CQ signals its own eventfd; two may share one, as one vector. */
TEST_F(ring, vectors)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_cq arg = { .cqid = 3, .entries = 16, .kick_fd = -1 };
	struct vng_cq cq[2];
	struct vng_sq sq[3];
	unsigned int i;

	memset(cq, 0, sizeof(cq));
	memset(sq, 0, sizeof(sq));
	for (i = 0; i < 2; i++) {
		OK(vng_cq_create(g, &cq[i], 1 + i, 16, VNG_IEN | VNG_KICK));
		OK(vng_sq_create(g, &sq[i], 1 + i, &cq[i], 16, VNG_KICK));
	}
	arg.addr = vng_alloc(g, 4096, 4096);
	arg.irq_fd = cq[1].irq_fd;
	OK(vng_ioctl(g, VHOST_NVME_CREATE_CQ, &arg, "CREATE_CQ"));
	cq[0].id = 3;
	OK(vng_sq_create(g, &sq[2], 3, &cq[0], 16, VNG_KICK));
	cq[0].id = 1;

	OK(push_reads(&sq[0], self->buf, 1));
	OK(vng_sq_ring(&sq[0]));
	OK(wait_posted(&cq[0], 1));
	EXPECT_EQ(1, signals(g, cq[0].irq_fd, true));
	EXPECT_EQ(0, signals(g, cq[1].irq_fd, false));
	OK(push_reads(&sq[1], self->buf, 1));
	OK(vng_sq_ring(&sq[1]));
	OK(wait_posted(&cq[1], 1));
	EXPECT_EQ(0, signals(g, cq[0].irq_fd, false));
	EXPECT_EQ(1, signals(g, cq[1].irq_fd, true));
	OK(push_reads(&sq[2], self->buf, 1));
	OK(vng_sq_ring(&sq[2]));
	cq[0].id = 3;
	OK(wait_posted(&cq[0], 1));
	cq[0].id = 1;
	EXPECT_EQ(0, signals(g, cq[0].irq_fd, false));
	EXPECT_EQ(1, signals(g, cq[1].irq_fd, true));
}

/* One eventfd may be the kick of several queues. */
TEST_F(ring, shared_kick)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_sq arg = {
		.sqid = 2, .cqid = 1, .entries = 64, .page_shift = 12,
	};
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 }, other;
	struct vng_cqe cqe;
	int i;

	if (variant->no_shadow)
		SKIP(return, "eventfds kick only with shadow doorbells");
	OK(vng_cq_create(g, &cq, 1, 64, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &sq, 1, &cq, 64, VNG_KICK));
	other = sq;
	other.id = 2;
	other.gpa = vng_alloc(g, 4096, 4096);
	other.ring = vng_ptr(g, other.gpa, 4096);
	arg.addr = other.gpa;
	arg.kick_fd = sq.kick_fd;
	OK(vng_ioctl(g, VHOST_NVME_CREATE_SQ, &arg, "CREATE_SQ"));
	g->sq[2] = &other;
	for (i = 0; i < 100; i++) {
		struct vng_sq *s = i & 1 ? &sq : &other;

		OK(push_reads(s, self->buf, 1));
		OK(vng_sq_ring(s));
		OK(vng_cq_wait(&cq, &cqe));
		ASSERT_EQ(s->id, le16toh(cqe.sqid));
	}
	g->sq[2] = NULL;
}

/* A queue with a thousand commands lets another one with a single command in. */
TEST_F(ring, fairness)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq many = { 0 }, one = { 0 };
	struct vng_cqe cqe;
	unsigned int i, at = 0;

	if (variant->no_shadow)
		SKIP(return, "needs two doorbells at the same time");
	OK(vng_cq_create(g, &cq, 1, 2048, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &many, 1, &cq, 1024, VNG_KICK));
	OK(vng_sq_create(g, &one, 2, &cq, 4, VNG_KICK));
	OK(push_reads(&many, self->buf, 1023));
	OK(push_reads(&one, self->buf, 1));
	/* The worker sleeps; it finds both when it wakes. */
	sleep_ms(10);
	*vng_sq_db(g, 1) = htole32(many.tail);
	*vng_sq_db(g, 2) = htole32(one.tail);
	OK(vng_sq_kick(&many));
	for (i = 1; i <= 1024; i++) {
		OK(vng_cq_wait(&cq, &cqe));
		if (le16toh(cqe.sqid) == 2)
			at = i;
	}
	EXPECT_LE(1, at);
	EXPECT_GE(256, at);
}

/* The arbitration burst bounds what is fetched at once. */
TEST_F(ring, burst)
{
	const uint32_t burst[] = { 0, 1, 4, UINT32_MAX };
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats before, after;
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	struct vng_cqe cqe;
	unsigned int i, j;
	uint64_t passes;

	OK(vng_cq_create(g, &cq, 1, 1024, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &sq, 1, &cq, 1024, VNG_KICK));
	for (i = 0; i < sizeof(burst) / sizeof(burst[0]); i++) {
		OK(vng_set_ctrl(g, 0, 0, 0, burst[i]));
		OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &before));
		OK(push_reads(&sq, self->buf, 512));
		OK(vng_sq_ring(&sq));
		for (j = 0; j < 512; j++)
			OK(vng_cq_wait(&cq, &cqe));
		OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &after));
		passes = after.busy_passes - before.busy_passes;
		if (burst[i] && burst[i] < 32) {
			EXPECT_LE(512 / burst[i] - 1, passes);
		} else {
			EXPECT_GE(64, passes);
		}
	}
}

FIXTURE(largest) {
	struct box box;
};

FIXTURE_SETUP(largest)
{
	BOX_SETUP(&self->box, .entries = 65536, .no_irq = true);
}

FIXTURE_TEARDOWN(largest)
{
	box_stop(&self->box);
}

/* The largest rings, full, for a guest that has no interrupt */
TEST_F(largest, full_rings)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	unsigned int i, round;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 1);
	sqe.prp1 = htole64(vng_alloc(g, 4096, 4096));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 65535; i++) {
			sqe.cid = htole16(i);
			OK(vng_sq_push(&b->sq, &sqe));
		}
		FAILS(ENOSPC, vng_sq_push(&b->sq, &sqe));
		OK(vng_sq_ring(&b->sq));
		for (i = 0; i < 65535; i++) {
			OK(vng_cq_wait(&b->cq, &cqe));
			ASSERT_EQ(0, vng_status(&cqe));
		}
		EXPECT_EQ(0, vng_cq_peek(&b->cq, &cqe));
	}
}

/*
 * A disk that takes few commands at a time, and those slowly: the others wait
 * in the ring, or for the disk, and none is lost.
 */
FIXTURE(deep) {
	struct box box;
	uint64_t buf;
};

FIXTURE_VARIANT(deep) {
	unsigned int poll_us;
	bool no_shadow;
};

FIXTURE_VARIANT_ADD(deep, sleep) { .poll_us = 0 };
FIXTURE_VARIANT_ADD(deep, poll) { .poll_us = 100 };
FIXTURE_VARIANT_ADD(deep, ioctl) { .no_shadow = true };

FIXTURE_SETUP(deep)
{
	BOX_SETUP(&self->box, .entries = 4096, .poll_us = variant->poll_us,
		  .no_shadow = variant->no_shadow,
		  .attrs = "irqmode=2 completion_nsec=5000000 hw_queue_depth=64");
	self->buf = vng_alloc(&self->box.g, 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(deep)
{
	box_stop(&self->box);
}

/* A full ring of 4096 entries */
TEST_F(deep, full_ring)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;
	struct vng_cqe cqe;
	unsigned int i;

	OK(push_reads(&self->box.sq, self->buf, 4095));
	OK(vng_sq_ring(&self->box.sq));
	for (i = 0; i < 4095; i++) {
		OK(vng_cq_wait(&self->box.cq, &cqe));
		ASSERT_EQ(0, vng_status(&cqe));
	}
	EXPECT_EQ(0, vng_cq_peek(&self->box.cq, &cqe));
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
	EXPECT_EQ(4095, s.commands);
	EXPECT_LT(0, s.retries);
	TH_LOG("%llu retries", (unsigned long long)s.retries);
}

/*
 * The same while the guest looks at nothing and rings nothing: completions
 * alone make the rest go on.
 */
TEST_F(deep, silent_guest)
{
	struct vng *g = &self->box.g;
	struct vng_cqe cqe;
	unsigned int i;

	OK(push_reads(&self->box.sq, self->buf, 4095));
	OK(vng_sq_ring(&self->box.sq));
	OK(wait_posted(&self->box.cq, 4095));
	for (i = 0; i < 4095; i++) {
		ASSERT_EQ(1, vng_cq_peek(&self->box.cq, &cqe));
		ASSERT_EQ(0, vng_status(&cqe));
	}
}

TEST_HARNESS_MAIN
