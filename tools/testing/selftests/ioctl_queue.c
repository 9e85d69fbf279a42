// SPDX-License-Identifier: GPL-2.0
/* CREATE and DELETE of queues, DOORBELL, and the limit on locked memory */
#include <sys/eventfd.h>

#include "test.h"

FIXTURE(queue) {
	struct box box;
	struct vhost_nvme_cq cq;	/* a good one */
	struct vhost_nvme_sq sq;	/* a good one, once its CQ exists */
};

FIXTURE_SETUP(queue)
{
	struct vng *g = &self->box.g;

	BOX_SETUP(&self->box, .no_queues = true);
	self->cq = (struct vhost_nvme_cq) {
		.cqid = 1,
		.entries = 64,
		.addr = vng_alloc(g, 64 * 16, 4096),
		.irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	self->sq = (struct vhost_nvme_sq) {
		.sqid = 1,
		.cqid = 1,
		.entries = 64,
		.addr = vng_alloc(g, 64 * 64, 4096),
		.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.page_shift = 12,
	};
}

FIXTURE_TEARDOWN(queue)
{
	box_stop(&self->box);
}

static int make_cq(struct vng *g, const struct vhost_nvme_cq *arg)
{
	return vng_ioctl(g, VHOST_NVME_CREATE_CQ, (void *)arg, "CREATE_CQ");
}

static int make_sq(struct vng *g, const struct vhost_nvme_sq *arg)
{
	return vng_ioctl(g, VHOST_NVME_CREATE_SQ, (void *)arg, "CREATE_SQ");
}

static int delete_cq(struct vng *g, unsigned long id)
{
	return vng_ioctl(g, VHOST_NVME_DELETE_CQ, (void *)id, "DELETE_CQ");
}

static int delete_sq(struct vng *g, unsigned long id)
{
	return vng_ioctl(g, VHOST_NVME_DELETE_SQ, (void *)id, "DELETE_SQ");
}

static int ring(struct vng *g, uint16_t qid, uint16_t flags, uint32_t value)
{
	struct vhost_nvme_doorbell arg = {
		.qid = qid,
		.flags = flags,
		.value = value,
	};

	return vng_ioctl(g, VHOST_NVME_DOORBELL, &arg, "DOORBELL");
}

static int64_t pinned(struct vng *g)
{
	struct vhost_nvme_stats s;
	int ret = vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s);

	return ret ?: (int64_t)s.pinned_pages;
}

/* One member of a good argument is spoilt, and the call must fail with @err. */
#define CQ_REFUSED(err, member, value)					\
do {									\
	struct vhost_nvme_cq __bad = self->cq;				\
									\
	__bad.member = (value);						\
	EXPECT_EQ(-(err), make_cq(&self->box.g, &__bad)) {		\
		TH_LOG(#member " = " #value);				\
	}								\
} while (0)

#define SQ_REFUSED(err, member, value)					\
do {									\
	struct vhost_nvme_sq __bad = self->sq;				\
									\
	__bad.member = (value);						\
	EXPECT_EQ(-(err), make_sq(&self->box.g, &__bad)) {		\
		TH_LOG(#member " = " #value);				\
	}								\
} while (0)

/* Members of CREATE_CQ that are out of range; afterwards a good call works. */
TEST_F(queue, cq_einval)
{
	struct vng *g = &self->box.g;
	int64_t before = pinned(g);

	CQ_REFUSED(EINVAL, cqid, 0);
	CQ_REFUSED(EINVAL, cqid, g->caps.max_queues + 1);
	CQ_REFUSED(EINVAL, cqid, 0xffff);
	CQ_REFUSED(EINVAL, worker, 1);
	CQ_REFUSED(EINVAL, worker, 0xffff);
	CQ_REFUSED(EINVAL, entries, 0);
	CQ_REFUSED(EINVAL, entries, 1);
	CQ_REFUSED(EINVAL, entries, g->caps.max_entries + 1);
	CQ_REFUSED(EINVAL, entries, UINT32_MAX);
	CQ_REFUSED(EINVAL, addr, self->cq.addr + 16);
	CQ_REFUSED(EINVAL, addr, self->cq.addr + 2048);
	CQ_REFUSED(EINVAL, reserved[0], 1);
	CQ_REFUSED(EINVAL, reserved[1], 1ULL << 63);
	EXPECT_EQ(before, pinned(g));
	OK(make_cq(g, &self->cq));
	EXPECT_EQ(before + 1, pinned(g));
	OK(delete_cq(g, 1));
	EXPECT_EQ(before, pinned(g));
}

/* Rings of CREATE_CQ that are not wholly in guest memory */
TEST_F(queue, cq_efault)
{
	struct vng *g = &self->box.g;
	uint64_t end = g->region[0].gpa + g->region[0].size;
	int64_t before = pinned(g);
	struct vhost_nvme_cq cq;

	CQ_REFUSED(EFAULT, addr, 0);
	CQ_REFUSED(EFAULT, addr, end);
	CQ_REFUSED(EFAULT, addr, BOX_GPA - 4096);
	CQ_REFUSED(EFAULT, addr, -4096ULL);
	/* One page inside, one page outside */
	cq = self->cq;
	cq.addr = end - 4096;
	cq.entries = 257;
	FAILS(EFAULT, make_cq(g, &cq));
	EXPECT_EQ(before, pinned(g));
	cq.entries = 256;
	OK(make_cq(g, &cq));
}

/* Descriptors of CREATE_CQ */
TEST_F(queue, cq_fds)
{
	struct vng *g = &self->box.g;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, null);
	CQ_REFUSED(EINVAL, irq_fd, -2);
	CQ_REFUSED(EBADF, irq_fd, 1000);
	CQ_REFUSED(EINVAL, irq_fd, null);
	CQ_REFUSED(EINVAL, irq_fd, g->fd);
	CQ_REFUSED(EINVAL, kick_fd, -2);
	CQ_REFUSED(EBADF, kick_fd, 1000);
	CQ_REFUSED(EINVAL, kick_fd, null);
	CQ_REFUSED(EINVAL, kick_fd, g->fd);
	close(null);
	self->cq.irq_fd = -1;
	self->cq.kick_fd = -1;
	OK(make_cq(g, &self->cq));
}

/* A completion queue exists once. */
TEST_F(queue, cq_eexist)
{
	struct vng *g = &self->box.g;
	int64_t before;

	OK(make_cq(g, &self->cq));
	before = pinned(g);
	FAILS(EEXIST, make_cq(g, &self->cq));
	EXPECT_EQ(before, pinned(g));
	OK(delete_cq(g, 1));
	OK(make_cq(g, &self->cq));
}

/* Members of CREATE_SQ that are out of range; afterwards a good call works. */
TEST_F(queue, sq_einval)
{
	struct vng *g = &self->box.g;
	int64_t before;

	OK(make_cq(g, &self->cq));
	before = pinned(g);
	SQ_REFUSED(EINVAL, sqid, 0);
	SQ_REFUSED(EINVAL, sqid, g->caps.max_queues + 1);
	SQ_REFUSED(EINVAL, sqid, 0xffff);
	SQ_REFUSED(EINVAL, entries, 0);
	SQ_REFUSED(EINVAL, entries, 1);
	SQ_REFUSED(EINVAL, entries, g->caps.max_entries + 1);
	SQ_REFUSED(EINVAL, entries, UINT32_MAX);
	SQ_REFUSED(EINVAL, addr, self->sq.addr + 64);
	SQ_REFUSED(EINVAL, addr, self->sq.addr + 2048);
	SQ_REFUSED(EINVAL, page_shift, 0);
	SQ_REFUSED(EINVAL, page_shift, g->caps.min_page_shift - 1);
	SQ_REFUSED(EINVAL, page_shift, g->caps.max_page_shift + 1);
	SQ_REFUSED(EINVAL, page_shift, 255);
	SQ_REFUSED(EINVAL, reserved8[0], 1);
	SQ_REFUSED(EINVAL, reserved8[2], 0x80);
	SQ_REFUSED(EINVAL, reserved[0], 1);
	SQ_REFUSED(EINVAL, reserved[1], 1ULL << 63);
	EXPECT_EQ(before, pinned(g));
	OK(make_sq(g, &self->sq));
	EXPECT_EQ(before + 1, pinned(g));
}

/* Rings of CREATE_SQ that are not wholly in guest memory */
TEST_F(queue, sq_efault)
{
	struct vng *g = &self->box.g;
	uint64_t end = g->region[0].gpa + g->region[0].size;
	struct vhost_nvme_sq sq;
	int64_t before;

	OK(make_cq(g, &self->cq));
	before = pinned(g);
	SQ_REFUSED(EFAULT, addr, 0);
	SQ_REFUSED(EFAULT, addr, end);
	SQ_REFUSED(EFAULT, addr, BOX_GPA - 4096);
	SQ_REFUSED(EFAULT, addr, -4096ULL);
	sq = self->sq;
	sq.addr = end - 4096;
	sq.entries = 65;
	FAILS(EFAULT, make_sq(g, &sq));
	EXPECT_EQ(before, pinned(g));
	sq.entries = 64;
	OK(make_sq(g, &sq));
}

/* The kick of CREATE_SQ must be an eventfd, if any. */
TEST_F(queue, sq_fds)
{
	struct vng *g = &self->box.g;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, null);
	OK(make_cq(g, &self->cq));
	SQ_REFUSED(EINVAL, kick_fd, -2);
	SQ_REFUSED(EBADF, kick_fd, 1000);
	SQ_REFUSED(EINVAL, kick_fd, null);
	SQ_REFUSED(EINVAL, kick_fd, g->fd);
	close(null);
	self->sq.kick_fd = -1;
	OK(make_sq(g, &self->sq));
}

/* A submission queue needs its completion queue first. */
TEST_F(queue, sq_enoent)
{
	struct vng *g = &self->box.g;

	FAILS(ENOENT, make_sq(g, &self->sq));
	OK(make_cq(g, &self->cq));
	SQ_REFUSED(ENOENT, cqid, 2);
	OK(make_sq(g, &self->sq));
	FAILS(EEXIST, make_sq(g, &self->sq));
}

/* A completion queue outlives its submission queues, not the other way. */
TEST_F(queue, delete_order)
{
	struct vng *g = &self->box.g;

	OK(make_cq(g, &self->cq));
	OK(make_sq(g, &self->sq));
	FAILS(EBUSY, delete_cq(g, 1));
	OK(delete_sq(g, 1));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	OK(delete_cq(g, 1));
	FAILS(ENOENT, delete_cq(g, 1));
	FAILS(ENOENT, delete_sq(g, 1));
	EXPECT_EQ(2, pinned(g));
}

/* Identifiers that are no queue's, also those that are one modulo 2^16 */
TEST_F(queue, delete_enoent)
{
	struct vng *g = &self->box.g;

	OK(make_cq(g, &self->cq));
	OK(make_sq(g, &self->sq));
	FAILS(ENOENT, delete_sq(g, 0));
	FAILS(ENOENT, delete_sq(g, 2));
	FAILS(ENOENT, delete_sq(g, g->caps.max_queues + 1));
	FAILS(ENOENT, delete_sq(g, 0x10001));
	FAILS(ENOENT, delete_sq(g, 0x100000001));
	FAILS(ENOENT, delete_sq(g, -1UL));
	FAILS(ENOENT, delete_cq(g, 0));
	FAILS(ENOENT, delete_cq(g, 2));
	FAILS(ENOENT, delete_cq(g, 0x10001));
	FAILS(ENOENT, delete_cq(g, 0x100000001));
	FAILS(ENOENT, delete_cq(g, -1UL));
}

/* All identifiers can be in use at the same time, and all can go. */
TEST_F(queue, all_of_them)
{
	struct vng *g = &self->box.g;
	unsigned int i;

	self->cq.irq_fd = -1;
	self->cq.kick_fd = -1;
	self->sq.kick_fd = -1;
	self->cq.entries = 2;
	self->sq.entries = 2;
	for (i = 1; i <= g->caps.max_queues; i++) {
		self->cq.cqid = i;
		self->sq.sqid = i;
		self->sq.cqid = i;
		OK(make_cq(g, &self->cq));
		OK(make_sq(g, &self->sq));
	}
	for (i = 1; i <= g->caps.max_queues; i++) {
		OK(delete_sq(g, i));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, i));
		OK(delete_cq(g, i));
	}
	EXPECT_EQ(2, pinned(g));
}

/* DOORBELL for queues that do not exist, and values outside of the ring */
TEST_F(queue, doorbell)
{
	struct vng *g = &self->box.g;

	FAILS(ENOENT, ring(g, 1, 0, 0));
	FAILS(ENOENT, ring(g, 1, VHOST_NVME_DOORBELL_CQ, 0));
	OK(make_cq(g, &self->cq));
	FAILS(ENOENT, ring(g, 1, 0, 0));
	OK(make_sq(g, &self->sq));
	FAILS(ENOENT, ring(g, 0, 0, 0));
	FAILS(ENOENT, ring(g, 0xffff, 0, 0));
	FAILS(ENOENT, ring(g, 0, VHOST_NVME_DOORBELL_CQ, 0));
	FAILS(EINVAL, ring(g, 1, 0, 64));
	FAILS(EINVAL, ring(g, 1, 0, UINT32_MAX));
	FAILS(EINVAL, ring(g, 1, 0, 0x10000));
	FAILS(EINVAL, ring(g, 1, VHOST_NVME_DOORBELL_CQ, 64));
	FAILS(EINVAL, ring(g, 1, 2, 0));
	FAILS(EINVAL, ring(g, 1, 0x8000, 0));
	OK(ring(g, 1, 0, 0));
	OK(ring(g, 1, VHOST_NVME_DOORBELL_CQ, 0));
}

/* A ring need not be contiguous for the owner. */
TEST_F(queue, ring_over_regions)
{
	struct vng *g = &self->box.g;
	uint64_t gpa = 1ULL << 40, buf;
	struct vng_cq cq = { .gpa = gpa };
	struct vng_sq sq = { .gpa = gpa + 4096 };
	char *p;
	int i;

	/* Three pages, back to front; the library wants rings contiguous. */
	p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < 3; i++)
		ASSERT_LE(0, vng_mem_map(g, gpa + i * 4096,
					 p + (2 - i) * 4096, 4096));
	OK(vng_mem_publish(g));
	OK(vng_cq_create(g, &cq, 1, 64, VNG_IEN));
	/* The SQ has 128 entries, of which the library knows one page. */
	OK(vng_sq_create(g, &sq, 1, &cq, 64, VNG_KICK));
	OK(delete_sq(g, 1));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	self->sq.addr = gpa + 4096;
	self->sq.entries = 128;
	self->sq.kick_fd = sq.kick_fd;
	*vng_sq_db(g, 1) = 0;
	OK(make_sq(g, &self->sq));
	buf = vng_alloc(g, 4096, 4096);
	sq.entries = 128;
	sq.tail = 0;
	sq.head = 0;
	for (i = 0; i < 200; i++) {
		struct vng_cqe cqe;
		struct vng_sqe sqe;

		vng_cmd_rw(&sqe, VNG_CMD_READ, 1, i, 1);
		OK(vng_prp_contig(g, &sqe, buf, 512));
		sqe.cid = htole16(i);
		/* Page 0 of the ring is p's second, page 1 its first. */
		sq.ring = (struct vng_sqe *)(p + (sq.tail < 64 ? 4096 : 0)) -
			  (sq.tail < 64 ? 0 : 64);
		OK(vng_sq_push(&sq, &sqe));
		OK(vng_sq_ring(&sq));
		OK(vng_cq_wait(&cq, &cqe));
		ASSERT_EQ(i, le16toh(cqe.cid));
		ASSERT_EQ(0, vng_status(&cqe));
	}
}

/* Queues and their commands do without eventfds, by polling and ioctl. */
TEST_F(queue, no_eventfds)
{
	struct vng *g = &self->box.g;
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	struct vng_sqe sqe;
	int i;

	OK(vng_cq_create(g, &cq, 1, 4, 0));
	OK(vng_sq_create(g, &sq, 1, &cq, 4, 0));
	for (i = 0; i < 10; i++) {
		vng_cmd_flush(&sqe, 1);
		OK(box_exec(&sq, &sqe));
	}
}

/* The limit on locked memory holds, counts freed pages, and can be raised. */
TEST_F(queue, memlock)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_dbbuf db = { 0 };
	int64_t before = pinned(g);

	/* 1 MiB: 256 pages */
	self->cq.entries = 65536;
	if (self->cq.entries > g->caps.max_entries)
		SKIP(return, "rings of 1 MiB are not supported");
	self->cq.addr = vng_alloc(g, 1 << 20, 4096);
	ASSERT_NE(0, self->cq.addr);
	ASSERT_EQ(0, drop_ipc_lock());

	ASSERT_EQ(0, set_memlock(255 * 4096));
	FAILS(ENOMEM, make_cq(g, &self->cq));
	EXPECT_EQ(before, pinned(g));
	FAILS(ENOENT, delete_cq(g, 1));

	ASSERT_EQ(0, set_memlock((256 + before) * 4096));
	OK(make_cq(g, &self->cq));
	EXPECT_EQ(before + 256, pinned(g));
	FAILS(ENOMEM, make_sq(g, &self->sq));
	EXPECT_EQ(before + 256, pinned(g));
	db.dbs = vng_alloc(g, 4096, 4096);
	db.eis = vng_alloc(g, 4096, 4096);
	FAILS(ENOMEM, vng_ioctl(g, VHOST_NVME_SET_DBBUF, &db, "SET_DBBUF"));
	EXPECT_EQ(before + 256, pinned(g));

	ASSERT_EQ(0, set_memlock((257 + before) * 4096));
	OK(make_sq(g, &self->sq));
	OK(delete_sq(g, 1));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	OK(make_sq(g, &self->sq));
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	EXPECT_EQ(0, pinned(g));
	OK(make_cq(g, &self->cq));
}

/* CAP_IPC_LOCK is above the limit. */
TEST_F(queue, ipc_lock)
{
	struct vng *g = &self->box.g;

	ASSERT_EQ(0, set_memlock(4096));
	OK(make_cq(g, &self->cq));
	OK(make_sq(g, &self->sq));
}

/* A disk that takes its time for each command */
#define SLOW	"irqmode=2 completion_nsec=1000000000"
#define SLOW_MS	1000

FIXTURE(slow) {
	struct box box;
	uint64_t buf;
};

FIXTURE_SETUP(slow)
{
	BOX_SETUP(&self->box, .attrs = SLOW);
	self->buf = vng_alloc(&self->box.g, 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(slow)
{
	box_stop(&self->box);
}

/* Start a Read and do not wait for it. */
static int start_read(struct box *b, uint64_t buf)
{
	struct vhost_nvme_stats s = { 0 };
	uint64_t end = vng_now_ms() + b->g.timeout_ms;
	struct vng_sqe sqe;
	int ret;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8);
	ret = vng_prp_contig(&b->g, &sqe, buf, 4096) ?:
	      vng_submit(&b->sq, &sqe);
	while (!ret && !s.inflight) {
		if (vng_now_ms() > end)
			return vng_fail(&b->g, -ETIMEDOUT,
					"command not fetched within %u ms",
					b->g.timeout_ms);
		ret = vng_stats(&b->g, VHOST_NVME_STATS_SQ, 1, &s);
	}
	return ret;
}

/* What happens to a queue while its last command is on the disk */
TEST_F(slow, delete)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_sq sq = {
		.sqid = 1,
		.cqid = 1,
		.entries = 64,
		.addr = self->box.sq.gpa,
		.kick_fd = -1,
		.page_shift = 12,
	};
	uint64_t start = vng_now_ms();
	struct vng_cqe cqe;

	OK(start_read(&self->box, self->buf));
	OK(delete_sq(g, 1));
	FAILS(EALREADY, delete_sq(g, 1));
	FAILS(EBUSY, delete_cq(g, 1));
	FAILS(EEXIST, make_sq(g, &sq));
	EXPECT_GT(SLOW_MS, vng_now_ms() - start)
		TH_LOG("an ioctl has waited for the disk");
	/* The completion comes before the event. */
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	EXPECT_LE(SLOW_MS, vng_now_ms() - start);
	EXPECT_EQ(1, vng_cq_peek(&self->box.cq, &cqe));
	EXPECT_EQ(0, vng_status(&cqe));
	FAILS(ENOENT, delete_sq(g, 1));
	OK(make_sq(g, &sq));
}

/* While a reset drains, nothing can be created; then all can. */
TEST_F(slow, reset)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_cq cq = {
		.cqid = 2,
		.entries = 64,
		.addr = self->box.cq.gpa,
		.irq_fd = -1,
		.kick_fd = -1,
	};
	struct vhost_nvme_dbbuf db = { .dbs = g->dbs_gpa, .eis = g->eis_gpa };
	struct vhost_nvme_event ev;
	uint64_t start = vng_now_ms();

	OK(start_read(&self->box, self->buf));
	OK(vng_reset(g));
	FAILS(EBUSY, make_cq(g, &cq));
	FAILS(EBUSY, vng_ioctl(g, VHOST_NVME_SET_DBBUF, &db, "SET_DBBUF"));
	FAILS(ENOENT, ring(g, 1, 0, 0));
	OK(vng_reset(g));
	FAILS(EBUSY, make_cq(g, &cq));
	EXPECT_GT(SLOW_MS, vng_now_ms() - start)
		TH_LOG("an ioctl has waited for the disk");
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	EXPECT_LE(SLOW_MS, vng_now_ms() - start);
	EXPECT_EQ(0, pinned(g));
	OK(make_cq(g, &cq));
	OK(vng_ioctl(g, VHOST_NVME_SET_DBBUF, &db, "SET_DBBUF"));
	FAILS(ETIMEDOUT, vng_event(g, &ev, SLOW_MS + 100));
}

/* Events of queues are dropped by a reset. */
TEST_F(slow, reset_drops_events)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;

	OK(delete_sq(g, 1));
	sleep_ms(100);
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 50));
}

/* A namespace leaves at once, its disk after the last command. */
TEST_F(slow, remove_ns)
{
	struct vng *g = &self->box.g;
	uint64_t start = vng_now_ms();
	struct vng_sqe sqe;
	struct vng_cqe cqe;

	OK(start_read(&self->box, self->buf));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	vng_cmd_flush(&sqe, 1);
	OK(vng_exec(&self->box.sq, &sqe, &cqe));
	EXPECT_EQ(NO_NS, vng_status(&cqe));
	EXPECT_GT(SLOW_MS, vng_now_ms() - start);
	OK(vng_cq_wait(&self->box.cq, &cqe));
	EXPECT_EQ(0, vng_status(&cqe));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	EXPECT_LE(SLOW_MS, vng_now_ms() - start);
}

TEST_HARNESS_MAIN
