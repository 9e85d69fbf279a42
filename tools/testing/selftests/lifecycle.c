// SPDX-License-Identifier: GPL-2.0
/* Queues, memory and namespaces that come and go while commands are running */
#include "load.h"
#include "test.h"

FIXTURE(life) {
	struct box box;
	struct vng_cq cq[2];
	struct vng_sq sq[2];
	struct load load[2];
	uint64_t cq_gpa[2];
	uint64_t sq_gpa[2];
};

FIXTURE_VARIANT(life) {
	unsigned int poll_us;
	unsigned int workers;
	bool no_shadow;
	bool pin;
	const char *attrs;
};

FIXTURE_VARIANT_ADD(life, sleep) { .poll_us = 0 };
FIXTURE_VARIANT_ADD(life, poll) { .poll_us = 200 };
/* A worker for each pair of queues */
FIXTURE_VARIANT_ADD(life, two_sleep) { .workers = 2 };
FIXTURE_VARIANT_ADD(life, two_poll) { .workers = 2, .poll_us = 200 };
FIXTURE_VARIANT_ADD(life, pinned) { .pin = true, .poll_us = 200 };
FIXTURE_VARIANT_ADD(life, pinned_timer) {
	.pin = true, .attrs = "irqmode=2 completion_nsec=1000000",
};
FIXTURE_VARIANT_ADD(life, ioctl) { .no_shadow = true };
/* Completions come from a timer's interrupt, some time later. */
FIXTURE_VARIANT_ADD(life, timer) {
	.attrs = "irqmode=2 completion_nsec=1000000",
};

static int pair_create(struct vng *g, struct vng_cq *cq, struct vng_sq *sq,
		       uint64_t cq_gpa, uint64_t sq_gpa, uint16_t id)
{
	memset(cq, 0, sizeof(*cq));
	memset(sq, 0, sizeof(*sq));
	cq->gpa = cq_gpa;
	sq->gpa = sq_gpa;
	cq->worker = (id - 1) % g->workers;
	return vng_cq_create(g, cq, id, 32, VNG_IEN | VNG_KICK) ?:
	       vng_sq_create(g, sq, id, cq, 32, VNG_KICK);
}

FIXTURE_SETUP(life)
{
	struct vng *g = &self->box.g;
	unsigned int i;

	BOX_SETUP(&self->box, .no_queues = true, .poll_us = variant->poll_us,
		  .no_shadow = variant->no_shadow, .pin = variant->pin,
		  .attrs = variant->attrs);
	ASSERT_EQ(0, load_fill(&self->box.disk));
	if (variant->workers)
		OK(vng_set_workers(g, variant->workers));
	for (i = 0; i < 2; i++) {
		self->cq_gpa[i] = vng_alloc(g, 4096, 4096);
		self->sq_gpa[i] = vng_alloc(g, 4096, 4096);
		self->load[i].buf = vng_alloc(g, LOAD_DEPTH * LOAD_IO, 4096);
		self->load[i].sq = &self->sq[i];
		self->load[i].nsid = 1;
		OK(pair_create(g, &self->cq[i], &self->sq[i], self->cq_gpa[i],
			       self->sq_gpa[i], i + 1));
	}
	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
}

FIXTURE_TEARDOWN(life)
{
	box_stop(&self->box);
}

/* Announce the first @nr regions only; the load goes on to use all of them. */
static int publish_first(struct vng *g, unsigned int nr)
{
	struct vng part = *g;
	int ret;

	part.nr_regions = nr;
	ret = vng_mem_publish(&part);
	return ret ? vng_fail(g, ret, "VHOST_SET_MEM_TABLE") : 0;
}

/* Nothing of the guest's memory changes any more. */
#define EXPECT_QUIET(p, len)						\
do {									\
	char *__copy = malloc(len);					\
									\
	ASSERT_NE(NULL, __copy);					\
	memcpy(__copy, p, len);						\
	sleep_ms(5);							\
	EXPECT_EQ(0, memcmp(__copy, p, len));				\
	free(__copy);							\
} while (0)

/* A queue is deleted in mid-flight and made again; its neighbour goes on. */
TEST_F(life, delete_sq)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;
	unsigned int i;

	OK(load_start(&self->load[1]));
	self->load[0].lossy = true;
	for (i = 0; i < 20 * test_scale(); i++) {
		OK(load_start(&self->load[0]));
		OK(load_progress(&self->load[0], 1));
		sleep_us(random_below(3000));
		OK(vng_sq_delete(&self->sq[0]));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
		OK(load_abandon(&self->load[0]));
		/* No completion comes after the event, and no data. */
		EXPECT_QUIET(self->cq[0].ring, 32 * 16);
		EXPECT_QUIET(vng_ptr(g, self->load[0].buf, 1),
			     LOAD_DEPTH * LOAD_IO);
		vng_sq_drop(&self->sq[0]);
		OK(vng_cq_delete(&self->cq[0]));
		OK(pair_create(g, &self->cq[0], &self->sq[0], self->cq_gpa[0],
			       self->sq_gpa[0], 1));
	}
	OK(load_progress(&self->load[1], 10));
	OK(load_finish(&self->load[1]));
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	EXPECT_EQ(4 + (variant->no_shadow ? 0 : 2) + (variant->pin ? 8192 : 0),
		  s.pinned_pages);
}

/* Completions of a deleted queue are all there when the event comes. */
TEST_F(life, delete_completes)
{
	struct vng *g = &self->box.g;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	unsigned int i, n, got;

	for (i = 0; i < 20 * test_scale(); i++) {
		struct vhost_nvme_stats s;

		vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8);
		sqe.prp1 = htole64(self->load[0].buf);
		for (n = 0; n < 31; n++)
			OK(vng_sq_push(&self->sq[0], &sqe));
		OK(vng_sq_ring(&self->sq[0]));
		sleep_us(random_below(500));
		OK(vng_sq_delete(&self->sq[0]));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
		for (got = 0; vng_cq_peek(&self->cq[0], &cqe) == 1; got++)
			ASSERT_EQ(0, vng_status(&cqe));
		OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
		ASSERT_EQ(s.cqes, self->cq[0].cqes);
		ASSERT_GE(31, got);
		vng_sq_drop(&self->sq[0]);
		OK(vng_cq_delete(&self->cq[0]));
		OK(pair_create(g, &self->cq[0], &self->sq[0], self->cq_gpa[0],
			       self->sq_gpa[0], 1));
	}
}

/* The controller is reset in mid-flight and comes up again. */
TEST_F(life, reset)
{
	struct vng *g = &self->box.g;
	unsigned int i, k;

	for (i = 0; i < 20 * test_scale(); i++) {
		for (k = 0; k < 2; k++) {
			self->load[k].lossy = true;
			OK(load_start(&self->load[k]));
		}
		OK(load_progress(&self->load[0], 1));
		sleep_us(random_below(3000));
		OK(vng_reset(g));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
		for (k = 0; k < 2; k++)
			OK(load_abandon(&self->load[k]));
		/* Now the memory is the guest's alone. */
		EXPECT_QUIET(vng_ptr(g, BOX_GPA, 1), 262144);
		for (k = 0; k < 2; k++) {
			vng_sq_drop(&self->sq[k]);
			vng_cq_drop(&self->cq[k]);
		}
		if (!variant->no_shadow) {
			struct vhost_nvme_dbbuf db = {
				.dbs = g->dbs_gpa, .eis = g->eis_gpa,
			};

			OK(vng_ioctl(g, VHOST_NVME_SET_DBBUF, &db, "SET_DBBUF"));
		}
		for (k = 0; k < 2; k++)
			OK(pair_create(g, &self->cq[k], &self->sq[k],
				       self->cq_gpa[k], self->sq_gpa[k], k + 1));
	}
}

/* Regions come and go beside the ones in use. */
TEST_F(life, memory_table)
{
	struct vng *g = &self->box.g;
	char *p;
	unsigned int i;

	p = mmap(NULL, 16 * 65536, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	OK(load_start(&self->load[0]));
	OK(load_start(&self->load[1]));
	for (i = 0; i < 200 * test_scale(); i++) {
		if (g->nr_regions == 1 ||
		    (g->nr_regions < 16 && random_below(2))) {
			ASSERT_LE(0, vng_mem_map(g, (1ULL << 40) + i * 65536,
						 p + g->nr_regions * 65536,
						 65536));
		} else {
			vng_mem_del(g, 1 + random_below(g->nr_regions - 1));
		}
		OK(vng_mem_publish(g));
		if (!(i & 7))
			sleep_us(random_below(1000));
	}
	OK(load_progress(&self->load[0], 10));
	OK(load_progress(&self->load[1], 10));
	OK(load_finish(&self->load[0]));
	OK(load_finish(&self->load[1]));
}

/* The data's region goes: Data Transfer Error until it is back. */
TEST_F(life, data_region)
{
	struct vng *g = &self->box.g;
	unsigned int i;
	void *p;
	int k;

	p = mmap(NULL, LOAD_DEPTH * LOAD_IO, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	k = vng_mem_map(g, 1ULL << 40, p, LOAD_DEPTH * LOAD_IO);
	ASSERT_LE(0, k);
	OK(vng_mem_publish(g));
	self->load[0].buf = 1ULL << 40;
	self->load[0].tolerate = VNG_SC_DATA_XFER_ERROR;
	OK(load_start(&self->load[0]));
	OK(load_start(&self->load[1]));
	for (i = 0; i < 10 * test_scale(); i++) {
		uint64_t refused;

		OK(load_progress(&self->load[0], 5));
		OK(publish_first(g, k));
		refused = __atomic_load_n(&self->load[0].refused,
					  __ATOMIC_RELAXED);
		OK(load_progress(&self->load[0], 40));
		EXPECT_LT(refused, __atomic_load_n(&self->load[0].refused,
						   __ATOMIC_RELAXED));
		OK(vng_mem_publish(g));
	}
	OK(load_finish(&self->load[0]));
	OK(load_finish(&self->load[1]));
	self->load[0].tolerate = 0;
	OK(load_start(&self->load[0]));
	OK(load_progress(&self->load[0], 20));
	OK(load_finish(&self->load[0]));
}

/* A ring's region goes: its queue stops with an event, the others go on. */
TEST_F(life, ring_region)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq;
	struct vng_sq sq;
	struct load l = { .sq = &sq, .nsid = 1, .lossy = true };
	struct vhost_nvme_event ev[2];
	struct vng_cqe cqe;
	void *p;

	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_LE(0, vng_mem_map(g, 1ULL << 40, p, 8192));
	OK(vng_mem_publish(g));
	OK(pair_create(g, &cq, &sq, 1ULL << 40, (1ULL << 40) + 4096, 3));
	l.buf = vng_alloc(g, LOAD_DEPTH * LOAD_IO, 4096);
	OK(load_start(&self->load[0]));
	OK(load_start(&l));
	OK(load_progress(&l, 5));
	OK(publish_first(g, g->nr_regions - 1));
	OK(vng_event(g, &ev[0], g->timeout_ms));
	OK(vng_event(g, &ev[1], g->timeout_ms));
	EXPECT_EQ(VHOST_NVME_EVENT_SQ_ERROR, ev[0].type);
	EXPECT_EQ(3, ev[0].id);
	EXPECT_EQ(VHOST_NVME_EVENT_CQ_ERROR, ev[1].type);
	EXPECT_EQ(3, ev[1].id);
	OK(load_progress(&self->load[0], 20));
	OK(load_abandon(&l));
	while (vng_cq_peek(&cq, &cqe) == 1)
		;
	EXPECT_QUIET(p, 8192);
	FAILS(ETIMEDOUT, vng_event(g, ev, 20));
	OK(vng_sq_delete(&sq));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 3));
	vng_sq_drop(&sq);
	OK(vng_cq_delete(&cq));
	/* Again, with the region back in the table */
	OK(vng_mem_publish(g));
	OK(pair_create(g, &cq, &sq, 1ULL << 40, (1ULL << 40) + 4096, 3));
	l.lossy = false;
	OK(load_start(&l));
	OK(load_progress(&l, 20));
	OK(load_finish(&l));
	OK(load_finish(&self->load[0]));
}

/* A ring that the new table has at another host address is lost as well. */
TEST_F(life, ring_moved)
{
	struct vng *g = &self->box.g;
	size_t size = g->region[0].size;
	struct vng moved = *g;
	unsigned int i, seen = 0;
	void *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	moved.region[0].hva = p;
	ASSERT_EQ(0, vng_mem_publish(&moved)) TH_LOG("%s", moved.msg);
	for (i = 0; i < 4; i++) {
		struct vhost_nvme_event ev;

		OK(vng_event(g, &ev, g->timeout_ms));
		ASSERT_LE(1, ev.id);
		ASSERT_GE(2, ev.id);
		if (ev.type == VHOST_NVME_EVENT_SQ_ERROR)
			seen |= 1 << ev.id;
		if (ev.type == VHOST_NVME_EVENT_CQ_ERROR)
			seen |= 16 << ev.id;
	}
	EXPECT_EQ(0x66, seen);
	munmap(p, size);
}

/* The disk is replaced by another one with the same contents. */
TEST_F(life, replace_ns)
{
	struct vng *g = &self->box.g;
	struct disk other;
	unsigned int i;
	int ret = 0;

	ASSERT_EQ(0, disk_create(&other, 64, 9, variant->attrs));
	ASSERT_EQ(0, load_fill(&other));
	OK(load_start(&self->load[0]));
	OK(load_start(&self->load[1]));
	for (i = 0; i < 20 * test_scale() && !ret; i++) {
		sleep_us(random_below(2000));
		ret = vng_set_ns(g, 1, i & 1 ? self->box.disk.fd : other.fd, 9,
				 0, 0) ?:
		      vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1);
	}
	OK(ret);
	OK(load_progress(&self->load[0], 10));
	OK(load_finish(&self->load[0]));
	OK(load_finish(&self->load[1]));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&other);
}

/* The namespace goes and comes back: its commands fail meanwhile, no other's. */
TEST_F(life, remove_ns)
{
	struct vng *g = &self->box.g;
	unsigned int i;

	OK(vng_set_ns(g, 2, self->box.disk.fd, 9, 0, 0));
	self->load[0].tolerate = VNG_SC_INVALID_FIELD;
	self->load[1].nsid = 2;
	OK(load_start(&self->load[0]));
	OK(load_start(&self->load[1]));
	for (i = 0; i < 20 * test_scale(); i++) {
		OK(load_progress(&self->load[0], 2));
		OK(vng_set_ns(g, 1, -1, 0, 0, 0));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
		sleep_us(random_below(1000));
		OK(vng_set_ns(g, 1, self->box.disk.fd, 9, 0, 0));
	}
	OK(load_progress(&self->load[1], 10));
	OK(load_finish(&self->load[0]));
	OK(load_finish(&self->load[1]));
}

/* The polling limit changes all the time. */
TEST_F(life, set_poll)
{
	struct vng *g = &self->box.g;
	unsigned int i;

	OK(load_start(&self->load[0]));
	OK(load_start(&self->load[1]));
	for (i = 0; i < 50 * test_scale(); i++) {
		OK(vng_set_poll(g, random_below(3) ? random_below(1000) : 0));
		sleep_us(random_below(1000));
	}
	OK(load_progress(&self->load[0], 10));
	OK(load_finish(&self->load[0]));
	OK(load_finish(&self->load[1]));
}

/* Many queues come and go beside a busy one. */
TEST_F(life, other_queues)
{
	struct vng *g = &self->box.g;
	uint64_t cq_gpa = vng_alloc(g, 4096, 4096);
	uint64_t sq_gpa = vng_alloc(g, 4096, 4096);
	unsigned int i;

	OK(load_start(&self->load[0]));
	OK(load_start(&self->load[1]));
	for (i = 0; i < 50 * test_scale(); i++) {
		struct vng_cq cq;
		struct vng_sq sq;
		struct vng_sqe sqe;

		OK(pair_create(g, &cq, &sq, cq_gpa, sq_gpa, 3 + i % 60));
		vng_cmd_flush(&sqe, 1);
		OK(box_exec(&sq, &sqe));
		OK(vng_sq_delete(&sq));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, sq.id));
		vng_sq_drop(&sq);
		OK(vng_cq_delete(&cq));
	}
	OK(load_progress(&self->load[0], 10));
	OK(load_finish(&self->load[0]));
	OK(load_finish(&self->load[1]));
}

/* A disk with room for one request, which takes long: commands wait for their turn. */
#define SLOW_DISK	"irqmode=2 completion_nsec=200000000 submit_queues=1 hw_queue_depth=1 cache_size=1"

FIXTURE(turns) {
	struct box box;
};

FIXTURE_VARIANT(turns) {
	bool reset;
};

FIXTURE_VARIANT_ADD(turns, sq) { };
FIXTURE_VARIANT_ADD(turns, reset) { .reset = true };

FIXTURE_SETUP(turns)
{
	BOX_SETUP(&self->box, .attrs = SLOW_DISK);
}

FIXTURE_TEARDOWN(turns)
{
	box_stop(&self->box);
}

/*
 * Those that have begun end, 16 of each kind at a time, and the others are not
 * executed. The Reads alone would take the disk 6 s.
 */
TEST_F(turns, not_begun)
{
	const unsigned int nr = 60;
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t buf = vng_alloc(g, 4096, 4096);
	uint64_t end = vng_now_ms() + g->timeout_ms;
	unsigned int i, aborted = 0;
	struct vhost_nvme_stats s;
	struct vng_sqe sqe;
	struct vng_cqe cqe;

	ASSERT_NE(0, buf);
	for (i = 0; i < nr; i++) {
		if (i & 1) {
			vng_cmd_flush(&sqe, UINT32_MAX);
		} else {
			/* Not one behind the other: they would be one request. */
			vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 16 * i, 8);
			OK(vng_prp_contig(g, &sqe, buf, 4096));
		}
		sqe.cid = htole16(i);
		OK(vng_sq_push(&b->sq, &sqe));
	}
	OK(vng_sq_ring(&b->sq));
	do {
		OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
		ASSERT_GT(end, vng_now_ms());
	} while (s.commands < nr);

	if (variant->reset) {
		OK(vng_reset(g));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	} else {
		OK(vng_sq_delete(&b->sq));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	}
	for (i = 0; vng_cq_peek(&b->cq, &cqe) == 1; i++) {
		if (vng_status(&cqe) == VNG_SC_ABORT_QUEUE)
			aborted++;
		else
			EXPECT_EQ(0, vng_status(&cqe));
	}
	EXPECT_EQ(nr, i);
	EXPECT_LT(0, aborted);
	TH_LOG("%u of %u not executed", aborted, nr);
}

/* Flush of all namespaces ends between two of them. */
TEST_F(turns, flush_all)
{
	const unsigned int nr = 30;
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t end = vng_now_ms() + g->timeout_ms;
	long before = disk_flushes(&b->disk);
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	unsigned int i;

	for (i = 2; i <= nr; i++)
		OK(vng_set_ns(g, i, b->disk.fd, 9, 0, 0));
	vng_cmd_flush(&sqe, UINT32_MAX);
	OK(vng_submit(&b->sq, &sqe));
	while (disk_flushes(&b->disk) == before)
		ASSERT_GT(end, vng_now_ms());
	if (variant->reset) {
		OK(vng_reset(g));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	} else {
		OK(vng_sq_delete(&b->sq));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	}
	ASSERT_EQ(1, vng_cq_peek(&b->cq, &cqe));
	EXPECT_EQ(VNG_SC_ABORT_QUEUE, vng_status(&cqe));
	EXPECT_GT(before + nr, disk_flushes(&b->disk));
}

FIXTURE(neighbours) {
	struct box box;
	struct vng_cq cq;
	struct vng_sq sq;
};

FIXTURE_SETUP(neighbours)
{
	struct vng *g = &self->box.g;

	BOX_SETUP(&self->box, .attrs = SLOW_DISK);
	OK(vng_cq_create(g, &self->cq, 2, 64, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &self->sq, 2, &self->cq, 64, VNG_KICK));
}

FIXTURE_TEARDOWN(neighbours)
{
	box_stop(&self->box);
}

/*
 * Of a queue that is deleted while another one has the disk busy, what has not begun
 * does not wait for the other's commands, one by one.
 */
TEST_F(neighbours, deleted)
{
	const unsigned int nr = 60;
	struct vng_sq *sq[2] = { &self->box.sq, &self->sq };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t buf = vng_alloc(g, 4096, 4096);
	uint64_t end = vng_now_ms() + g->timeout_ms;
	struct vhost_nvme_stats s;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	unsigned int i, j;

	ASSERT_NE(0, buf);
	for (i = 0; i < nr; i++) {
		for (j = 0; j < 2; j++) {
			vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 32 * i + 16 * j, 8);
			OK(vng_prp_contig(g, &sqe, buf, 4096));
			sqe.cid = htole16(i);
			OK(vng_sq_push(sq[j], &sqe));
		}
	}
	for (j = 0; j < 2; j++) {
		OK(vng_sq_ring(sq[j]));
		do {
			OK(vng_stats(g, VHOST_NVME_STATS_SQ, j + 1, &s));
			ASSERT_GT(end, vng_now_ms());
		} while (s.commands < nr);
	}
	while (vng_cq_peek(&self->cq, &cqe) == 1)
		EXPECT_EQ(0, vng_status(&cqe));
	OK(vng_sq_delete(&b->sq));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	for (i = 0; vng_cq_peek(&self->cq, &cqe) == 1; i++)
		EXPECT_EQ(0, vng_status(&cqe));
	TH_LOG("the other queue had %u executed meanwhile", i);
	/* No more than begin at a time, and one or two that the disk had. */
	EXPECT_GT(20, i);
	for (i = 0; vng_cq_peek(&b->cq, &cqe) == 1; i++)
		;
	EXPECT_EQ(nr, i);
}

TEST_HARNESS_MAIN
