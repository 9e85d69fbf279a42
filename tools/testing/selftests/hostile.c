// SPDX-License-Identifier: GPL-2.0
/* What a broken or hostile guest may write into rings, doorbells and lists */
#include <pthread.h>

#include "test.h"

FIXTURE(hostile) {
	struct box box;
	struct vng_cq cq2;	/* a second pair, which has to go on */
	struct vng_sq sq2;
	uint64_t buf;
};

FIXTURE_SETUP(hostile)
{
	struct vng *g = &self->box.g;

	BOX_SETUP(&self->box, .entries = 16, .cq_entries = 4);
	ASSERT_EQ(0, vng_cq_create(g, &self->cq2, 2, 16, VNG_IEN | VNG_KICK));
	ASSERT_EQ(0, vng_sq_create(g, &self->sq2, 2, &self->cq2, 16, VNG_KICK));
	self->buf = vng_alloc(g, 65536, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(hostile)
{
	box_stop(&self->box);
}

static int one_read(struct vng_sq *sq, uint64_t buf)
{
	struct vng_sqe sqe;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 1);
	sqe.prp1 = htole64(buf);
	return box_exec(sq, &sqe);
}

/* Make a pair of queues anew, after an error. */
static int renew(struct box *b)
{
	struct vng *g = &b->g;
	uint64_t cq = b->cq.gpa, sq = b->sq.gpa;
	int ret;

	ret = vng_sq_delete(&b->sq) ?:
	      vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1);
	if (ret)
		return ret;
	vng_sq_drop(&b->sq);
	ret = vng_cq_delete(&b->cq);
	if (ret)
		return ret;
	memset(&b->cq, 0, sizeof(b->cq));
	memset(&b->sq, 0, sizeof(b->sq));
	b->cq.gpa = cq;
	b->sq.gpa = sq;
	return vng_cq_create(g, &b->cq, 1, 4, VNG_IEN | VNG_KICK) ?:
	       vng_sq_create(g, &b->sq, 1, &b->cq, 16, VNG_KICK);
}

/* A tail outside of the ring stops the queue, and no other. */
TEST_F(hostile, sq_tail)
{
	const uint32_t bad[] = { 16, 17, 0xffff, 0x10000, 0x10001, 0x80000000,
				 UINT32_MAX };
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;
	struct vng_cqe cqe;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		OK(one_read(&self->box.sq, self->buf));
		*vng_sq_db(g, 1) = htole32(bad[i]);
		OK(vng_sq_kick(&self->box.sq));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_ERROR, 1));
		/* For good, also if the tail is good again */
		*vng_sq_db(g, 1) = htole32(2);
		OK(vng_sq_kick(&self->box.sq));
		OK(one_read(&self->sq2, self->buf));
		sleep_ms(5);
		EXPECT_EQ(0, vng_cq_peek(&self->box.cq, &cqe));
		FAILS(ETIMEDOUT, vng_event(g, &ev, 0));
		OK(renew(&self->box));
	}
}

/* Commands that were fetched before the bad tail complete. */
TEST_F(hostile, sq_tail_in_flight)
{
	struct vng *g = &self->box.g;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	int i;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 128);
	OK(vng_prp_contig(g, &sqe, self->buf, 65536));
	for (i = 0; i < 3; i++)
		OK(vng_submit(&self->box.sq, &sqe));
	for (i = 0; i < 3; i++)
		OK(vng_cq_wait(&self->box.cq, &cqe));
	*vng_sq_db(g, 1) = htole32(99);
	OK(vng_sq_kick(&self->box.sq));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_ERROR, 1));
}

/* Fill the CQ, and let commands wait for the guest's head. */
static int starve(struct box *b, uint64_t buf)
{
	uint64_t end = vng_now_ms() + b->g.timeout_ms;
	struct vhost_nvme_stats s;
	struct vng_sqe sqe;
	int i, ret = 0;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 1);
	sqe.prp1 = htole64(buf);
	for (i = 0; i < 10 && !ret; i++)
		ret = vng_sq_push(&b->sq, &sqe);
	ret = ret ?: vng_sq_ring(&b->sq);
	while (!ret) {
		ret = vng_stats(&b->g, VHOST_NVME_STATS_CQ, 1, &s);
		if (s.cqes >= 3 && s.full)
			break;
		if (vng_now_ms() > end)
			return vng_fail(&b->g, -ETIMEDOUT,
					"CQ not full within %u ms",
					b->g.timeout_ms);
		sleep_us(200);
	}
	return ret;
}

/* A head outside of the ring, or beyond what was posted, stops the CQ. */
TEST_F(hostile, cq_head)
{
	const uint32_t bad[] = { 4, 5, 0xffff, 0x10000, 0x10001, UINT32_MAX };
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		OK(starve(&self->box, self->buf));
		*vng_cq_db(g, 1) = htole32(bad[i]);
		OK(vng_cq_kick(&self->box.cq));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_CQ_ERROR, 1));
		OK(one_read(&self->sq2, self->buf));
		OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
		EXPECT_EQ(3, s.cqes);
		OK(renew(&self->box));
	}
}

/* A head that has overtaken the tail would make posted entries free. */
TEST_F(hostile, cq_head_overtakes)
{
	struct vng *g = &self->box.g;
	struct vng_cqe cqe;

	/* Entries 0 and 1 are posted and consumed; 2, 3 and 0 are free. */
	OK(one_read(&self->box.sq, self->buf));
	OK(one_read(&self->box.sq, self->buf));
	/* 2 and 3 consumed, though only 2 will ever be posted */
	*vng_cq_db(g, 1) = htole32(0);
	self->box.cq.head = 0;
	OK(vng_sq_push(&self->box.sq, &(struct vng_sqe) { .nsid = htole32(1) }));
	OK(vng_sq_ring(&self->box.sq));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_CQ_ERROR, 1));
	OK(one_read(&self->sq2, self->buf));
	EXPECT_EQ(0, vng_cq_peek(&self->cq2, &cqe));
	OK(renew(&self->box));
	OK(one_read(&self->box.sq, self->buf));
}

/* Both queues of a pair fail, and a reset repairs everything. */
TEST_F(hostile, reset_after_errors)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;

	OK(starve(&self->box, self->buf));
	*vng_cq_db(g, 1) = htole32(77);
	*vng_sq_db(g, 1) = htole32(77);
	*vng_sq_db(g, 2) = htole32(77);
	OK(vng_cq_kick(&self->box.cq));
	OK(vng_sq_kick(&self->sq2));
	sleep_ms(50);
	OK(vng_reset(g));
	/* The events of what is no more are gone. */
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 20));
	vng_sq_drop(&self->box.sq);
	vng_cq_drop(&self->box.cq);
	vng_dbbuf_forget(g);
	memset(&self->box.cq, 0, sizeof(self->box.cq));
	memset(&self->box.sq, 0, sizeof(self->box.sq));
	OK(vng_dbbuf_on(g));
	OK(vng_cq_create(g, &self->box.cq, 1, 4, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &self->box.sq, 1, &self->box.cq, 16, VNG_KICK));
	OK(one_read(&self->box.sq, self->buf));
}

/*
 * Commands by chance, whose data can only be a buffer or nothing. Each gets a
 * completion.
 */
TEST_F(hostile, random_commands)
{
	static const uint8_t op[] = { 0, 1, 2, 5, 8, 9, 12, 25 };
	unsigned int i, n, sent, rounds = 300 * test_scale();
	struct vng *g = &self->box.g;
	uint64_t *buf = vng_ptr(g, self->buf, 65536);
	struct vng_sqe sqe[15];
	struct vng_cqe cqe;

	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
	for (i = 0; i < rounds; i++) {
		for (n = 0; n < 8192; n += 1 + random_below(256))
			buf[n] = htole64(self->buf + (random_below(4) ?
					 random_below(16) * 4096 :
					 random_below(8192) * 8));
		sent = 1 + random_below(15);
		for (n = 0; n < sent; n++) {
			uint32_t *dw = (uint32_t *)&sqe[n];
			unsigned int k;

			for (k = 0; k < 16; k++)
				dw[k] = random_below(3) ? random_next() : 0;
			if (random_below(8))
				sqe[n].opcode = op[random_below(sizeof(op))];
			if (random_below(8))
				sqe[n].flags = 0;
			if (random_below(8))
				sqe[n].nsid = htole32(random_below(3));
			if (random_below(4)) {
				sqe[n].cdw10 = htole32(random_below(1000));
				sqe[n].cdw11 = 0;
				sqe[n].cdw12 = htole32(random_below(32));
			}
			/* High addresses are never guest memory. */
			sqe[n].prp1 = htole64(random_below(8) ?
				self->buf + random_below(65536) :
				1ULL << 63 | random_next());
			sqe[n].prp2 = htole64(random_below(8) ?
				self->buf + random_below(65536) :
				1ULL << 63 | random_next());
			if (random_below(2))
				sqe[n].prp2 &= ~htole64(4095);
			sqe[n].cid = htole16(n);
			OK(vng_sq_push(&self->sq2, &sqe[n]));
		}
		OK(vng_sq_ring(&self->sq2));
		for (n = 0; n < sent; n++)
			OK(vng_cq_wait(&self->cq2, &cqe));
		ASSERT_EQ(0, vng_cq_peek(&self->cq2, &cqe));
	}
	OK(one_read(&self->box.sq, self->buf));
}

struct flipper {
	uint64_t	*entry;
	uint64_t	value[4];
	bool		stop;
};

static void *flipper_thread(void *arg)
{
	struct flipper *f = arg;
	unsigned int i = 0;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED))
		__atomic_store_n(f->entry, f->value[i++ % 4], __ATOMIC_RELAXED);
	return NULL;
}

/* A PRP list that changes all the time: the old or the new, nothing else */
TEST_F(hostile, changing_list)
{
	struct vng *g = &self->box.g;
	uint64_t data = vng_alloc(g, 5 * 4096, 4096);
	char *guard = vng_ptr(g, data, 5 * 4096);
	unsigned int i, seen[3] = { 0 };
	struct flipper f;
	struct vng_sqe sqe;
	uint64_t list;
	pthread_t thread;
	int sc = 0;

	ASSERT_NE(0, data);
	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 24);
	OK(vng_prp_contig(g, &sqe, data, 3 * 4096));
	list = le64toh(sqe.prp2);
	f = (struct flipper) {
		.entry = (uint64_t *)vng_ptr(g, list, 16) + 1,
		.value = {
			htole64(data + 2 * 4096), htole64(data + 4),
			htole64(data + 3 * 4096), htole64(1ULL << 50),
		},
	};
	memset(guard + 4 * 4096, 0xa5, 4096);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flipper_thread, &f));
	for (i = 0; i < 500 * test_scale(); i++) {
		sc = box_exec(&self->box.sq, &sqe);
		if (sc == 0)
			seen[0]++;
		else if (sc == (VNG_SC_PRP_OFFSET_INVALID | VNG_SC_DNR))
			seen[1]++;
		else if ((sc & VNG_SC_MASK) == VNG_SC_DATA_XFER_ERROR)
			seen[2]++;
		else
			break;
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(i, seen[0] + seen[1] + seen[2])
		TH_LOG("status %#x %s", sc, vng_msg(g));
	EXPECT_EQ(-1, mem_check(guard + 4 * 4096, 0xa5, 4096));
}

/* So with an SGL whose descriptor is data, a segment, or of no type */
TEST_F(hostile, changing_sgl)
{
	struct vng *g = &self->box.g;
	uint64_t data = vng_alloc(g, 4 * 4096, 4096);
	uint64_t seg = vng_alloc(g, 4096, 4096);
	char *guard = vng_ptr(g, data, 4 * 4096);
	unsigned int i, good = 0, bad = 0;
	struct vng_sgl *sgl;
	struct flipper f;
	struct vng_sqe sqe;
	pthread_t thread;
	int sc = 0;

	ASSERT_NE(0, seg);
	sgl = vng_ptr(g, seg, 4096);
	vng_sgl_set(sgl, 0, VNG_SGL_DATA, data, 4096);
	vng_sgl_set(sgl, 1, VNG_SGL_DATA, data + 4096, 4096);
	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 16);
	vng_sgl_use(&sqe, VNG_SGL_LAST_SEGMENT, seg, 32);
	/* The second half of the second descriptor: length and type */
	f = (struct flipper) {
		.entry = (uint64_t *)&sgl[1] + 1,
		.value = {
			htole64(4096), htole64(4096 | 0xffULL << 56),
			htole64(8192), htole64(32 | 0x30ULL << 56),
		},
	};
	memset(guard + 2 * 4096, 0xa5, 2 * 4096);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flipper_thread, &f));
	for (i = 0; i < 500 * test_scale(); i++) {
		sc = box_exec(&self->box.sq, &sqe);
		if (sc == 0)
			good++;
		else if (sc == DNR(VNG_SC_SGL_TYPE_INVALID) ||
			 sc == DNR(VNG_SC_SGL_SEGMENT_INVALID))
			bad++;
		else
			break;
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(i, good + bad) TH_LOG("status %#x %s", sc, vng_msg(g));
	EXPECT_EQ(-1, mem_check(guard + 2 * 4096, 0xa5, 2 * 4096));
}

/* Data that changes while it is compared: equal or not, nothing else */
TEST_F(hostile, changing_data)
{
	struct vng *g = &self->box.g;
	unsigned int i, equal = 0, failed = 0;
	struct vng_sqe sqe;
	struct flipper f;
	pthread_t thread;
	int sc = 0;

	memset(vng_ptr(g, self->buf, 65536), 0, 65536);
	f = (struct flipper) {
		.entry = vng_ptr(g, self->buf + 32768, 8),
		.value = { 0, 1, 0, UINT64_MAX },
	};
	vng_cmd_rw(&sqe, VNG_CMD_COMPARE, 1, 0, 128);
	OK(vng_prp_contig(g, &sqe, self->buf, 65536));
	ASSERT_EQ(0, pthread_create(&thread, NULL, flipper_thread, &f));
	for (i = 0; i < 300 * test_scale(); i++) {
		sc = box_exec(&self->box.sq, &sqe);
		if (sc == 0)
			equal++;
		else if (sc == DNR(VNG_SC_COMPARE_FAILED))
			failed++;
		else
			break;
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(i, equal + failed) TH_LOG("status %#x %s", sc, vng_msg(g));
}

/* A source range of Copy that changes after it was checked, or before */
TEST_F(hostile, changing_range)
{
	struct vng *g = &self->box.g;
	struct vng_copy_range *range = vng_ptr(g, self->buf, 64);
	uint64_t nlb = self->box.disk.bytes >> 9;
	unsigned int i, good = 0, bad = 0;
	struct vng_sqe sqe;
	struct flipper f;
	pthread_t thread;
	int sc = 0;

	OK(vng_set_ns_copy(g, 1, self->box.disk.fd, 9, 64, 8, 9));
	memset(range, 0, 64);
	f = (struct flipper) {
		.entry = &range[1].slba,
		.value = {
			0, htole64(nlb), htole64(UINT64_MAX), htole64(nlb - 1),
		},
	};
	vng_cmd_copy(&sqe, 1, 100, 2, 0);
	sqe.prp1 = htole64(self->buf);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flipper_thread, &f));
	for (i = 0; i < 300 * test_scale(); i++) {
		sc = box_exec(&self->box.sq, &sqe);
		if (sc == 0)
			good++;
		else if (sc == DNR(VNG_SC_LBA_RANGE))
			bad++;
		else
			break;
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(i, good + bad) TH_LOG("status %#x %s", sc, vng_msg(g));
}

/* Entries of the ring that change while they are fetched */
TEST_F(hostile, changing_command)
{
	struct vng *g = &self->box.g;
	unsigned int i, ok = 0, bad = 0;
	struct flipper f = { .entry = NULL };
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	pthread_t thread;
	int ret = 0;

	/*
	 * Dwords 12 and 13 of each entry: number of blocks, and nothing. An entry is
	 * copied byte by byte, maybe: no mixture of these is a number of blocks that
	 * there is one page too little for.
	 */
	f.value[0] = htole64(0);
	f.value[1] = htole64(0xff00);
	f.value[2] = htole64(7);
	f.value[3] = htole64(0x00f00000);
	f.entry = (uint64_t *)&self->box.sq.ring[3].cdw12;
	ASSERT_EQ(0, pthread_create(&thread, NULL, flipper_thread, &f));
	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 1);
	sqe.prp1 = htole64(self->buf);
	for (i = 0; i < 2000 * test_scale() && !ret; i++) {
		ret = vng_submit(&self->box.sq, &sqe) ?:
		      vng_cq_wait(&self->box.cq, &cqe);
		if (!ret && !vng_status(&cqe))
			ok++;
		else if (!ret && vng_status(&cqe) ==
			 (VNG_SC_INVALID_FIELD | VNG_SC_DNR))
			bad++;
		else if (!ret)
			ret = vng_fail(g, -EIO, "status %#x", vng_status(&cqe));
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	OK(ret);
	EXPECT_EQ(i, ok + bad);
}

TEST_HARNESS_MAIN
