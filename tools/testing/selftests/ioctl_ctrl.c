// SPDX-License-Identifier: GPL-2.0
/* ioctls of the controller as a whole: ownership, caps, events, statistics */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "test.h"

/* One call of every ioctl with a harmless argument */
static const struct {
	unsigned long	cmd;
	const char	*name;
} needs_owner[] = {
	{ VHOST_SET_FEATURES,		"VHOST_SET_FEATURES" },
	{ VHOST_SET_MEM_TABLE,		"VHOST_SET_MEM_TABLE" },
	{ VHOST_NVME_SET_NS,		"SET_NS" },
	{ VHOST_NVME_CREATE_CQ,		"CREATE_CQ" },
	{ VHOST_NVME_CREATE_SQ,		"CREATE_SQ" },
	{ VHOST_NVME_DELETE_SQ,		"DELETE_SQ" },
	{ VHOST_NVME_DELETE_CQ,		"DELETE_CQ" },
	{ VHOST_NVME_RESET,		"RESET" },
	{ VHOST_NVME_SET_DBBUF,		"SET_DBBUF" },
	{ VHOST_NVME_DOORBELL,		"DOORBELL" },
	{ VHOST_NVME_SET_POLL,		"SET_POLL" },
	{ VHOST_NVME_SET_CTRL,		"SET_CTRL" },
	{ VHOST_NVME_GET_STATS,		"GET_STATS" },
};

#define NR_NEEDS_OWNER	(sizeof(needs_owner) / sizeof(needs_owner[0]))

/* How many of them do not fail with EPERM; says which */
static int not_refused(int fd)
{
	uint64_t arg[64];
	unsigned int i;
	int n = 0;

	for (i = 0; i < NR_NEEDS_OWNER; i++) {
		memset(arg, 0, sizeof(arg));
		errno = 0;
		if (ioctl(fd, needs_owner[i].cmd, arg) != -1 || errno != EPERM) {
			printf("# %s: %s instead of EPERM\n",
			       needs_owner[i].name, strerror(errno));
			n++;
		}
	}
	return n;
}

FIXTURE(fresh) {
	struct vng g;
};

FIXTURE_SETUP(fresh)
{
	int ret = vng_open(&self->g);

	if (ret == -ENOENT)
		SKIP(return, "%s", vng_msg(&self->g));
	ASSERT_EQ(0, ret) TH_LOG("%s", vng_msg(&self->g));
}

FIXTURE_TEARDOWN(fresh)
{
	vng_close(&self->g);
}

/* Without an owner, nothing but caps and features can be had. */
TEST_F(fresh, no_owner)
{
	EXPECT_EQ(0, not_refused(self->g.fd));
}

/* Features can be read without an owner. */
TEST_F(fresh, get_features)
{
	uint64_t features = ~0ULL;

	IOCTL_OK(self->g.fd, VHOST_GET_FEATURES, &features);
	EXPECT_EQ(1ULL << VHOST_NVME_F_PIN | 1ULL << VHOST_NVME_F_POLL_DISK,
		  features);
}

/* An owner cannot be replaced, not even by itself. */
TEST_F(fresh, owner_twice)
{
	struct vng *g = &self->g;

	OK(vng_set_owner(g));
	IOCTL_FAILS(EBUSY, g->fd, VHOST_SET_OWNER, NULL);
}

/* Another process gets EPERM for everything, also for becoming the owner. */
TEST_F(fresh, other_process)
{
	struct vng *g = &self->g;
	uint64_t features;
	int status;
	pid_t pid;

	OK(vng_set_owner(g));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int bad = not_refused(g->fd);

		bad += ioctl(g->fd, VHOST_SET_OWNER, NULL) == 0;
		bad += ioctl(g->fd, VHOST_GET_FEATURES, &features) != 0;
		bad += ioctl(g->fd, VHOST_NVME_GET_CAPS, &g->caps) != 0;
		fflush(stdout);
		_exit(bad);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

static void *thread_set_poll(void *arg)
{
	return (void *)(intptr_t)vng_set_poll(arg, 1);
}

/* Other threads of the owner are the owner. */
TEST_F(fresh, other_thread)
{
	struct vng *g = &self->g;
	pthread_t thread;
	void *ret;

	OK(vng_set_owner(g));
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_set_poll, g));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(0, (intptr_t)ret) TH_LOG("%s", vng_msg(g));
}

/* Two controllers of one process do not know of each other. */
TEST_F(fresh, two_controllers)
{
	struct vng *g = &self->g, other;

	OK(vng_set_owner(g));
	ASSERT_EQ(0, vng_open(&other));
	EXPECT_EQ(0, vng_set_owner(&other)) TH_LOG("%s", vng_msg(&other));
	vng_close(&other);
	OK(vng_set_poll(g, 1));
}

/* What is no ioctl of ours gets ENOTTY. */
TEST_F(fresh, unknown_ioctl)
{
	uint64_t arg[64] = { 0 };

	ASSERT_EQ(0, vng_set_owner(&self->g));
	IOCTL_FAILS(ENOTTY, self->g.fd, _IO(VHOST_VIRTIO, 0xEE), arg);
	IOCTL_FAILS(ENOTTY, self->g.fd, _IO('N', 0x40), arg);
}

/* A feature bit that was not offered is refused, with others or alone. */
TEST_F(fresh, set_features)
{
	uint64_t features, offered;
	unsigned int bit;

	ASSERT_EQ(0, vng_set_owner(&self->g));
	IOCTL_OK(self->g.fd, VHOST_GET_FEATURES, &offered);
	IOCTL_OK(self->g.fd, VHOST_SET_FEATURES, &offered);
	for (bit = 0; bit < 64; bit++) {
		features = 1ULL << bit;
		if (features & offered)
			continue;
		IOCTL_FAILS(EOPNOTSUPP, self->g.fd, VHOST_SET_FEATURES, &features);
		features |= offered;
		IOCTL_FAILS(EOPNOTSUPP, self->g.fd, VHOST_SET_FEATURES, &features);
	}
	features = 0;
	IOCTL_OK(self->g.fd, VHOST_SET_FEATURES, &features);
}

/* The capabilities say what the project promises. */
TEST_F(fresh, caps_values)
{
	const struct vhost_nvme_caps *c = &self->g.caps;
	uint64_t must = 1 << VNG_CMD_FLUSH | 1 << VNG_CMD_WRITE |
			1 << VNG_CMD_READ | 1 << VNG_CMD_WRITE_ZEROES |
			1 << VNG_CMD_DSM | 1 << VNG_CMD_COMPARE |
			1 << VNG_CMD_VERIFY;

	EXPECT_LE(VHOST_NVME_CAPS_SIZE_V1, c->size);
	EXPECT_LE(1, c->max_queues);
	EXPECT_LE(2, c->max_entries);
	EXPECT_GE(65536, c->max_entries);
	EXPECT_LE(1, c->max_nsid);
	EXPECT_LE(1 << 20, c->max_transfer);
	EXPECT_LE(64, c->max_mem_regions);
	EXPECT_EQ(256, c->max_dsm_ranges);
	EXPECT_EQ(12, c->min_page_shift);
	EXPECT_LE(16, c->max_page_shift);
	EXPECT_EQ(9, c->min_lba_shift);
	EXPECT_LE(12, c->max_lba_shift);
	EXPECT_LE(1, c->max_workers);
	EXPECT_EQ(must, c->opcodes[0] & must);
	/* Any alignment; bit buckets */
	EXPECT_EQ(1, c->sgls & 3);
	EXPECT_EQ(1 << 16, c->sgls & 1 << 16);
}

/* The size member of the capabilities works in both directions. */
TEST_F(fresh, caps_size)
{
	union {
		struct vhost_nvme_caps caps;
		unsigned char byte[512];
	} u;

	memset(&u, 0xa5, sizeof(u));
	u.caps.size = sizeof(u);
	IOCTL_OK(self->g.fd, VHOST_NVME_GET_CAPS, &u);
	EXPECT_EQ(self->g.caps.size, u.caps.size);
	EXPECT_EQ(-1, mem_check(u.byte + u.caps.size, 0xa5,
				sizeof(u) - u.caps.size));

	memset(&u, 0xa5, sizeof(u));
	u.caps.size = VHOST_NVME_CAPS_SIZE_V1;
	IOCTL_OK(self->g.fd, VHOST_NVME_GET_CAPS, &u);
	EXPECT_EQ(-1, mem_check(u.byte + VHOST_NVME_CAPS_SIZE_V1, 0xa5,
				sizeof(u) - VHOST_NVME_CAPS_SIZE_V1));

	memset(&u, 0xa5, sizeof(u));
	u.caps.size = VHOST_NVME_CAPS_SIZE_V1 - 1;
	IOCTL_FAILS(EINVAL, self->g.fd, VHOST_NVME_GET_CAPS, &u);
	EXPECT_EQ(-1, mem_check(u.byte + 4, 0xa5, sizeof(u) - 4));
	u.caps.size = 0;
	IOCTL_FAILS(EINVAL, self->g.fd, VHOST_NVME_GET_CAPS, &u);
}

/* A bad pointer is EFAULT everywhere. */
TEST_F(fresh, bad_pointer)
{
	unsigned int i;
	int fd = self->g.fd;

	IOCTL_FAILS(EFAULT, fd, VHOST_NVME_GET_CAPS, (void *)16);
	IOCTL_FAILS(EFAULT, fd, VHOST_GET_FEATURES, (void *)16);
	ASSERT_EQ(0, vng_set_owner(&self->g));
	for (i = 0; i < NR_NEEDS_OWNER; i++) {
		if (_IOC_DIR(needs_owner[i].cmd) == _IOC_NONE)
			continue;
		EXPECT_EQ(-1, ioctl(fd, needs_owner[i].cmd, (void *)16)) {
			TH_LOG("%s", needs_owner[i].name);
		}
		EXPECT_EQ(EFAULT, errno) {
			TH_LOG("%s", needs_owner[i].name);
		}
	}
}

/* Nothing to read: O_NONBLOCK says EAGAIN, and poll sees nothing. */
TEST_F(fresh, no_event)
{
	struct vhost_nvme_event ev;
	struct pollfd pfd = { .fd = self->g.fd, .events = POLLIN };

	ASSERT_EQ(0, vng_set_owner(&self->g));
	ASSERT_EQ(0, fcntl(self->g.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(-1, read(self->g.fd, &ev, sizeof(ev)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
}

/* Nothing can be written, and nothing mapped. */
TEST_F(fresh, no_write)
{
	struct vhost_nvme_event ev = { 0 };

	EXPECT_EQ(-1, write(self->g.fd, &ev, sizeof(ev)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED,
				   self->g.fd, 0));
}

/* A controller can be closed in every stage of its making. */
TEST_F(fresh, close_early)
{
	struct vng g;
	int stage;

	for (stage = 0; stage < 5; stage++) {
		struct vng_cq cq = { 0 };

		ASSERT_EQ(0, vng_open(&g));
		if (stage > 0)
			ASSERT_EQ(0, vng_set_owner(&g));
		if (stage > 1) {
			ASSERT_LE(0, vng_mem_add(&g, VNG_MEM_ANON, 0, 1 << 20));
			ASSERT_EQ(0, vng_mem_publish(&g));
			g.next = 4096;
		}
		if (stage > 2)
			ASSERT_EQ(0, vng_dbbuf_on(&g));
		if (stage > 3)
			ASSERT_EQ(0, vng_cq_create(&g, &cq, 1, 16, VNG_IEN));
		vng_close(&g);
	}
}

FIXTURE(owned) {
	struct box box;
};

FIXTURE_SETUP(owned)
{
	BOX_SETUP(&self->box, .no_queues = true);
}

FIXTURE_TEARDOWN(owned)
{
	box_stop(&self->box);
}

/* A reset without queues is complete at once, and is reported once. */
TEST_F(owned, reset_empty)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;

	OK(vng_reset(g));
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 50));
}

static void *thread_read_event(void *arg)
{
	struct vng *g = arg;
	struct vhost_nvme_event ev = { 0 };
	ssize_t n = read(g->fd, &ev, sizeof(ev));

	return (void *)(intptr_t)(n == sizeof(ev) ? ev.type : 0);
}

/* A blocked reader is woken by an event. */
TEST_F(owned, blocking_read)
{
	struct vng *g = &self->box.g;
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_read_event, g));
	sleep_ms(20);
	OK(vng_reset(g));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(VHOST_NVME_EVENT_RESET_DONE, (uintptr_t)ret);
}

/* One read returns as many events as fit, and each of them once. */
TEST_F(owned, several_events)
{
	struct vhost_nvme_event ev[8];
	struct vng *g = &self->box.g;
	unsigned int seen = 0;
	uint32_t nsid;
	int i, n, got;

	for (nsid = 2; nsid <= 6; nsid++)
		OK(vng_set_ns(g, nsid, self->box.disk.fd, 9, 0, 0));
	for (nsid = 2; nsid <= 6; nsid++)
		OK(vng_set_ns(g, nsid, -1, 0, 0, 0));
	sleep_ms(200);
	for (got = 0; got < 5; got += n) {
		struct pollfd pfd = { .fd = g->fd, .events = POLLIN };

		ASSERT_EQ(1, poll(&pfd, 1, g->timeout_ms))
			TH_LOG("%d of 5 NS_REMOVED events came", got);
		/* First room for 2 and a half, then for all. */
		n = read(g->fd, ev, got ? sizeof(ev) : 20);
		ASSERT_LT(0, n);
		ASSERT_EQ(0, n % sizeof(ev[0]));
		n /= sizeof(ev[0]);
		if (!got)
			ASSERT_GE(2, n);
		for (i = 0; i < n; i++) {
			EXPECT_EQ(VHOST_NVME_EVENT_NS_REMOVED, ev[i].type);
			EXPECT_EQ(0, seen & 1U << ev[i].id);
			seen |= 1U << ev[i].id;
		}
	}
	EXPECT_EQ(0x7c, seen);
	FAILS(ETIMEDOUT, vng_event(g, ev, 50));
}

/* An event that cannot be written to the reader's memory is read by the next one. */
TEST_F(owned, event_kept)
{
	struct vng *g = &self->box.g;
	struct pollfd pfd = { .fd = g->fd, .events = POLLIN };
	/* Of different kinds, one at a time */
	static const uint32_t type[] = {
		VHOST_NVME_EVENT_SQ_DELETED,
		VHOST_NVME_EVENT_NS_REMOVED,
		VHOST_NVME_EVENT_RESET_DONE,
	};
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	unsigned int i;
	void *nowhere;

	nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, nowhere);
	OK(vng_cq_create(g, &cq, 1, 16, VNG_IEN));
	OK(vng_sq_create(g, &sq, 1, &cq, 16, 0));
	for (i = 0; i < sizeof(type) / sizeof(type[0]); i++) {
		switch (type[i]) {
		case VHOST_NVME_EVENT_SQ_DELETED:
			OK(vng_sq_delete(&sq));
			break;
		case VHOST_NVME_EVENT_NS_REMOVED:
			OK(vng_set_ns(g, 1, -1, 0, 0, 0));
			break;
		default:
			OK(vng_reset(g));
			break;
		}
		ASSERT_EQ(1, poll(&pfd, 1, g->timeout_ms));
		EXPECT_EQ(-1, read(g->fd, nowhere, 64));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(1, poll(&pfd, 1, 0)) TH_LOG("event %u", type[i]);
		OK(vng_event_wait(g, type[i],
				  type[i] != VHOST_NVME_EVENT_RESET_DONE));
	}
}

/* The polling limit is what the capabilities say. */
TEST_F(owned, set_poll)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_poll poll = { .irq_us = g->caps.max_poll_us + 1 };

	OK(vng_set_poll(g, g->caps.max_poll_us));
	OK(vng_set_poll(g, 0));
	FAILS(EINVAL, vng_set_poll(g, g->caps.max_poll_us + 1));
	FAILS(EINVAL, vng_set_poll(g, UINT32_MAX));
	IOCTL_FAILS(EINVAL, g->fd, VHOST_NVME_SET_POLL, &poll);
}

/* What admin commands set: limits, and flags that there are not */
TEST_F(owned, set_ctrl)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_ctrl ctrl = { .flags = VHOST_NVME_CTRL_WRITE_THROUGH };
	unsigned int i;
	uint32_t max = g->caps.max_transfer;

	OK(vng_set_ctrl(g, 0, 0, 0, 0));
	OK(vng_set_ctrl(g, VHOST_NVME_CTRL_WRITE_THROUGH, max, UINT32_MAX, 1));
	OK(vng_set_ctrl(g, 0, 512, 512, UINT32_MAX));
	FAILS(EINVAL, vng_set_ctrl(g, 2, 0, 0, 0));
	FAILS(EINVAL, vng_set_ctrl(g, 1U << 31, 0, 0, 0));
	FAILS(EINVAL, vng_set_ctrl(g, 0, max + 1, 0, 0));
	FAILS(EINVAL, vng_set_ctrl(g, 0, UINT32_MAX, 0, 0));
	IOCTL_OK(g->fd, VHOST_NVME_SET_CTRL, &ctrl);
	ctrl.reserved[0] = 1;
	IOCTL_FAILS(EINVAL, g->fd, VHOST_NVME_SET_CTRL, &ctrl);
	ctrl.reserved[0] = 0;
	ctrl.reserved[2] = 1U << 31;
	IOCTL_FAILS(EINVAL, g->fd, VHOST_NVME_SET_CTRL, &ctrl);
	ctrl.reserved[2] = 0;
	/* Formats of Copy that need not be enabled, or that there are not */
	for (i = 0; i < 32; i++) {
		ctrl.copy_formats = 1U << i;
		EXPECT_EQ(i == 2 || i == 3 ? 0 : -1,
			  ioctl(g->fd, VHOST_NVME_SET_CTRL, &ctrl))
			TH_LOG("format %u", i);
	}
}

/* The number of workers, while there is no queue */
TEST_F(owned, set_workers)
{
	struct vhost_nvme_workers workers = { .nr = 1, .reserved = 1 };
	struct vng *g = &self->box.g;
	unsigned int i, j, max = g->caps.max_workers;
	struct vhost_nvme_stats s;
	struct vng_cq cq = {};

	FAILS(EINVAL, vng_set_workers(g, 0));
	FAILS(EINVAL, vng_set_workers(g, max + 1));
	FAILS(EINVAL, vng_set_workers(g, UINT32_MAX));
	IOCTL_FAILS(EINVAL, g->fd, VHOST_NVME_SET_WORKERS, &workers);
	for (i = 1; i <= max; i++) {
		OK(vng_set_workers(g, i));
		for (j = 0; j < i; j++)
			OK(vng_stats(g, VHOST_NVME_STATS_WORKER, j, &s));
		FAILS(ENOENT, vng_stats(g, VHOST_NVME_STATS_WORKER, i, &s));
		EXPECT_EQ(i, threads(getpid(), "vhost"));
	}
	/* The last one serves queues, and only those that there are. */
	cq.worker = max;
	FAILS(EINVAL, vng_cq_create(g, &cq, 1, 16, VNG_IEN | VNG_KICK));
	cq.gpa = 0;
	cq.worker = max - 1;
	OK(vng_cq_create(g, &cq, 1, 16, VNG_IEN | VNG_KICK));
	FAILS(EBUSY, vng_set_workers(g, 1));
	OK(vng_cq_delete(&cq));
	OK(vng_set_workers(g, 1));
	/* A thread that has ended is seen for another moment. */
	for (i = 0; i < g->timeout_ms && threads(getpid(), "vhost") > 1; i++)
		sleep_ms(1);
	EXPECT_EQ(1, threads(getpid(), "vhost"));
}

/* A worker is a thread of this process, and says which. */
TEST_F(owned, worker_tid)
{
	struct vng *g = &self->box.g;
	uint64_t end = vng_now_ms() + g->timeout_ms;
	struct vhost_nvme_stats s[2];
	char path[64], name[16] = "";
	int fd;

	OK(vng_set_workers(g, 2));
	do {
		OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s[0]));
		OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 1, &s[1]));
		ASSERT_GT(end, vng_now_ms());
	} while (!s[0].tid || !s[1].tid);
	EXPECT_NE(s[0].tid, s[1].tid);
	snprintf(path, sizeof(path), "/proc/self/task/%llu/comm",
		 (unsigned long long)s[1].tid);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, name, sizeof(name) - 1));
	close(fd);
	EXPECT_EQ(0, strncmp(name, "vhost", 5));
}

/* Statistics of what does not exist: EINVAL for a scope, ENOENT for a queue. */
TEST_F(owned, stats_bad)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;

	FAILS(EINVAL, vng_stats(g, 4, 0, &s));
	FAILS(EINVAL, vng_stats(g, 0xffff, 0, &s));
	FAILS(ENOENT, vng_stats(g, VHOST_NVME_STATS_SQ, 0, &s));
	FAILS(ENOENT, vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
	FAILS(ENOENT, vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
	FAILS(ENOENT, vng_stats(g, VHOST_NVME_STATS_CQ, 0xffff, &s));
	memset(&s, 0, sizeof(s));
	s.size = VHOST_NVME_STATS_SIZE_V1 - 1;
	IOCTL_FAILS(EINVAL, g->fd, VHOST_NVME_GET_STATS, &s);
}

/* The size member of the statistics works in both directions. */
TEST_F(owned, stats_size)
{
	union {
		struct vhost_nvme_stats stats;
		unsigned char byte[512];
	} u;
	struct vng *g = &self->box.g;

	memset(&u, 0xa5, sizeof(u));
	u.stats.size = sizeof(u);
	u.stats.scope = VHOST_NVME_STATS_WORKER;
	u.stats.id = 0;
	IOCTL_OK(g->fd, VHOST_NVME_GET_STATS, &u);
	EXPECT_LE(VHOST_NVME_STATS_SIZE_V1, u.stats.size);
	EXPECT_GT(sizeof(u), u.stats.size);
	EXPECT_EQ(-1, mem_check(u.byte + u.stats.size, 0xa5,
				sizeof(u) - u.stats.size));
}

/* Counters that do not belong to the scope are 0. */
TEST_F(owned, stats_scope)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;

	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	EXPECT_EQ(0, s.commands | s.errors | s.read_bytes | s.write_bytes |
		     s.bounced | s.retries | s.inflight | s.cqes | s.irqs |
		     s.full | s.kicks | s.doorbells);
	/* The two pages of the shadow doorbells */
	EXPECT_EQ(2, s.pinned_pages);
}

/* Programs of the past and of the future have other sizes, also in the number. */
TEST_F(owned, other_versions)
{
	struct vng *g = &self->box.g;
	struct {
		uint32_t size;
		uint16_t scope;
		uint16_t id;
		char more[4096];
	} u;

	memset(&u, 0xa5, sizeof(u));
	u.size = VHOST_NVME_CAPS_SIZE_V1;
	IOCTL_OK(g->fd, _IOWR(VHOST_VIRTIO, 0xA0,
			      char[VHOST_NVME_CAPS_SIZE_V1]), &u);
	EXPECT_EQ(sizeof(struct vhost_nvme_caps), u.size);
	EXPECT_EQ(-1, mem_check((char *)&u + VHOST_NVME_CAPS_SIZE_V1, 0xa5,
				sizeof(u) - VHOST_NVME_CAPS_SIZE_V1));
	u.size = sizeof(u);
	IOCTL_OK(g->fd, _IOWR(VHOST_VIRTIO, 0xA0, u), &u);
	EXPECT_EQ(sizeof(struct vhost_nvme_caps), u.size);

	memset(&u, 0xa5, sizeof(u));
	u.size = VHOST_NVME_STATS_SIZE_V1;
	u.scope = VHOST_NVME_STATS_WORKER;
	u.id = 0;
	IOCTL_OK(g->fd, _IOWR(VHOST_VIRTIO, 0xAA,
			      char[VHOST_NVME_STATS_SIZE_V1]), &u);
	EXPECT_EQ(sizeof(struct vhost_nvme_stats), u.size);
	EXPECT_EQ(-1, mem_check((char *)&u + VHOST_NVME_STATS_SIZE_V1, 0xa5,
				sizeof(u) - VHOST_NVME_STATS_SIZE_V1));
}

TEST_HARNESS_MAIN
