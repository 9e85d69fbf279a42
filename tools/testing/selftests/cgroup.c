// SPDX-License-Identifier: GPL-2.0
/* What the owner's cgroup is charged for, and what its limits mean. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "cg.h"
#include "test.h"

#define MIB	(1UL << 20)
#define LBAS	(MIB / 512)

FIXTURE(cgroup) {
	struct box box;
	char dir[2][64];
	char dev[32];		/* the disk's line in io.stat */
	uint64_t buf;
};

FIXTURE_VARIANT(cgroup) {
	const char *attrs;
	bool busy;
};

FIXTURE_VARIANT_ADD(cgroup, disk) { .attrs = "discard=1" };
/* It mostly cannot take a command at once. */
FIXTURE_VARIANT_ADD(cgroup, busy) {
	.attrs = "discard=1 irqmode=2 completion_nsec=12000000 hw_queue_depth=1 submit_queues=1",
	.busy = true,
};

FIXTURE_SETUP(cgroup)
{
	struct vng *g = &self->box.g;
	struct stat st;
	int i;

	for (i = 0; i < 2; i++)
		CGROUP_SETUP(self->dir[i], "+io +pids");
	ASSERT_EQ(0, cg_enter(self->dir[0]));
	BOX_SETUP(&self->box, .attrs = variant->attrs, .entries = 512);
	OK(vng_set_ns_copy(g, 1, self->box.disk.fd, 9, UINT32_MAX, UINT16_MAX,
			   255));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	self->buf = vng_alloc(g, MIB, 4096);
	ASSERT_NE(0, self->buf);
	ASSERT_EQ(0, fstat(self->box.disk.fd, &st));
	snprintf(self->dev, sizeof(self->dev), "%u:%u ", major(st.st_rdev),
		 minor(st.st_rdev));
}

FIXTURE_TEARDOWN(cgroup)
{
	box_stop(&self->box);
	cg_remove(self->dir[0]);
	cg_remove(self->dir[1]);
}

/* What a cgroup has done on the disk: bytes read, written, discarded; reads */
struct io {
	long r, w, d, rios;
};

static long io_stat(const char *dir, const char *dev, const char *key)
{
	long n = cg_get(dir, "io.stat", dev, key);

	return n < 0 ? 0 : n;
}

static struct io io_get(const char *dir, const char *dev)
{
	return (struct io) {
		.r = io_stat(dir, dev, "rbytes="),
		.w = io_stat(dir, dev, "wbytes="),
		.d = io_stat(dir, dev, "dbytes="),
		.rios = io_stat(dir, dev, "rios="),
	};
}

/* What is tried again because the disk was busy counts again. */
#define CHARGED(bytes, n)						\
do {									\
	if (variant->busy && (bytes) > 0) {					\
		EXPECT_LE((long)(bytes), n);				\
	} else {							\
		EXPECT_EQ((long)(bytes), n);				\
	}								\
} while (0)

/* A command that charges the cgroup with so many bytes */
#define CHARGES(read, written, discarded, call)				\
do {									\
	struct io __a = io_get(self->dir[0], self->dev), __b;		\
									\
	STATUS(0, call);						\
	__b = io_get(self->dir[0], self->dev);				\
	CHARGED(read, __b.r - __a.r);					\
	CHARGED(written, __b.w - __a.w);				\
	CHARGED(discarded, __b.d - __a.d);				\
} while (0)

/* Whoever executes a command, the owner's cgroup is charged. */
TEST_F(cgroup, every_command)
{
	struct vng_dsm_range range = { .nlb = htole32(LBAS) };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_copy_range *copy;
	uint32_t dw0;

	CHARGES(0, MIB, 0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, LBAS, 0));
	CHARGES(MIB, 0, 0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, LBAS, 0));
	CHARGES(MIB, 0, 0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, LBAS,
				  VNG_RW_FUA));
	CHARGES(MIB, 0, 0, box_io(b, self->buf, VNG_CMD_COMPARE, 1, 0, LBAS, 0));
	CHARGES(MIB, 0, 0, box_io(b, self->buf, VNG_CMD_VERIFY, 1, 0, LBAS, 0));
	CHARGES(0, MIB, 0, box_write_zeroes(b, LBAS, LBAS, 0));
	CHARGES(0, 0, MIB, box_dsm(b, self->buf, &range, 1, VNG_DSM_AD));
	copy = vng_ptr(g, self->buf, sizeof(*copy));
	vng_range_set(copy, 0, 0, LBAS);
	CHARGES(MIB, MIB, 0, box_copy(b, self->buf, 1, 4 * LBAS, 1, 0, &dw0));
}

/* From when the owner is in another cgroup, that one is. */
TEST_F(cgroup, moves)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, cg_enter(self->dir[!i]));
		CHARGES(i * MIB, 0, 0,
			box_io(b, self->buf, VNG_CMD_READ, 1, 0, LBAS, 0));
		CHARGES(i * MIB, 0, 0,
			box_io(b, self->buf, VNG_CMD_VERIFY, 1, 0, LBAS, 0));
	}
	CHARGED(2 * MIB, io_get(self->dir[1], self->dev).r);
}

/* Many Reads or Verifies at once; milliseconds that they take */
#define TAKES(opcode, n)						\
({									\
	uint64_t __start = vng_now_ms();				\
	struct vng_sqe __sqe;						\
	struct vng_cqe __cqe;						\
	unsigned int __i;						\
									\
	for (__i = 0; __i < (n); __i++) {				\
		vng_cmd_rw(&__sqe, opcode, 1, 8 * __i, 8);		\
		__sqe.prp1 = htole64(self->buf);			\
		__sqe.cid = htole16(__i);				\
		OK(vng_sq_push(&self->box.sq, &__sqe));			\
	}								\
	OK(vng_sq_ring(&self->box.sq));					\
	for (__i = 0; __i < (n); __i++) {				\
		OK(vng_cq_wait(&self->box.cq, &__cqe));			\
		ASSERT_EQ(0, vng_status(&__cqe));			\
	}								\
	vng_now_ms() - __start;						\
})

/*
 * io.max holds for what the worker submits, what is tried again because the disk
 * was busy, and what is done in steps; and all of it is in io.stat.
 */
TEST_F(cgroup, io_max)
{
	const uint8_t opcodes[] = { VNG_CMD_READ, VNG_CMD_VERIFY };
	const unsigned int n = 200, iops = 100;
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats st[2];
	unsigned int i, tries;
	struct io io[2];
	char limit[64];
	uint64_t ms, without;

	without = TAKES(VNG_CMD_READ, n);
	TH_LOG("without: in %llu ms", (unsigned long long)without);
	snprintf(limit, sizeof(limit), "%sriops=%u", self->dev, iops);
	ASSERT_EQ(0, cg_set(self->dir[0], "io.max", limit));
	for (i = 0; i < 2; i++) {
		OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &st[0]));
		io[0] = io_get(self->dir[0], self->dev);
		ms = TAKES(opcodes[i], n);
		OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &st[1]));
		io[1] = io_get(self->dir[0], self->dev);
		tries = n + st[1].retries - st[0].retries;
		TH_LOG("%u reads, %u tries, in %llu ms", n, tries,
		       (unsigned long long)ms);
		EXPECT_EQ(tries, io[1].rios - io[0].rios);
		/* It may be generous at first: for some tenths of a second. */
		EXPECT_LE((n - iops / 2) * 1000 / iops, ms);
		/* Each try counts; the rest is what this machine takes. */
		EXPECT_GE(3 * (tries * 1000 / iops + without), ms);
	}
}

/* A worker that has ended is a thread for a moment more. */
static bool has_threads(const char *dir, int workers, long pids)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	while (threads(getpid(), "vhost-nvme") != workers ||
	       cg_get(dir, "pids.current", "", "") != pids) {
		if (vng_now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* Workers count as threads of the owner; if there may not be more, nothing changes. */
TEST_F(cgroup, pids_max)
{
	struct vhost_nvme_workers arg = { .nr = 8 };
	struct vng *g = &self->box.g;
	char limit[16];
	long pids;
	int fd;

	OK(vng_sq_delete(&self->box.sq));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	vng_sq_drop(&self->box.sq);
	OK(vng_cq_delete(&self->box.cq));
	pids = cg_get(self->dir[0], "pids.current", "", "");
	ASSERT_EQ(2, pids);	/* with the first worker */
	snprintf(limit, sizeof(limit), "%ld", pids + 3);
	ASSERT_EQ(0, cg_set(self->dir[0], "pids.max", limit));
	IOCTL_FAILS(EAGAIN, g->fd, VHOST_NVME_SET_WORKERS, &arg);
	EXPECT_TRUE(has_threads(self->dir[0], 1, pids));
	arg.nr = 4;
	IOCTL_OK(g->fd, VHOST_NVME_SET_WORKERS, &arg);
	EXPECT_TRUE(has_threads(self->dir[0], 4, pids + 3));
	/* No worker for a second controller */
	fd = open("/dev/vhost-nvme", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	IOCTL_FAILS(EAGAIN, fd, VHOST_SET_OWNER, NULL);
	ASSERT_EQ(0, cg_set(self->dir[0], "pids.max", "max"));
	IOCTL_OK(fd, VHOST_SET_OWNER, NULL);
	close(fd);
	/* The first is as good as before. */
	OK(vng_cq_create(g, &self->box.cq, 1, 512, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &self->box.sq, 1, &self->box.cq, 512, VNG_KICK));
	STATUS(0, box_io(&self->box, self->buf, VNG_CMD_READ, 1, 0, LBAS, 0));
}

/*
 * Weights
 */

/*
 * What iocost is told that the disk can do in a second: so little that disk and CPUs
 * do next to nothing, however slow they are. What an owner could not use at once it may
 * use later, for half a period, which is twice the latency and a second at most.
 */
#define COST_IOPS	200
#define COST_MODEL	"ctrl=user model=linear rbps=1000000000000 rseqiops=%u rrandiops=%u"
#define COST_QOS	"enable=1 ctrl=user rpct=0 rlat=500000 wpct=0 wlat=500000 min=100 max=100"

/* For a weight of 100 beside 300: at least and at most so many percent of the disk */
#define LIGHT_LOW	20
#define LIGHT_HIGH	30

/* How often to look at that, at most */
#define LOOKS		4

FIXTURE(weight) {
	struct disk disk;
	char dir[2][64];
	pid_t pid[2];
	unsigned int *done;	/* of either owner: commands */
};

FIXTURE_VARIANT(weight) {
	uint8_t opcode;
};

/* What the worker submits, and what is done in steps */
FIXTURE_VARIANT_ADD(weight, read) { .opcode = VNG_CMD_READ };
FIXTURE_VARIANT_ADD(weight, verify) { .opcode = VNG_CMD_VERIFY };

/* An owner that always has more commands waiting; how it fails */
static int compete(const char *dir, int disk, uint8_t opcode, unsigned int *done)
{
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	unsigned int sent = 0;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	struct vng g;
	uint64_t buf;

	if (cg_enter(dir) || vng_open(&g) || vng_set_owner(&g) ||
	    vng_mem_add(&g, VNG_MEM_ANON, BOX_GPA, 4 << 20) < 0 ||
	    vng_mem_publish(&g) || vng_set_ns(&g, 1, disk, 9, 0, 0) ||
	    vng_dbbuf_on(&g) ||
	    vng_cq_create(&g, &cq, 1, 64, VNG_IEN | VNG_KICK) ||
	    vng_sq_create(&g, &sq, 1, &cq, 64, VNG_KICK))
		return 1;
	buf = vng_alloc(&g, 4096, 4096);
	for (;;) {
		while (vng_sq_room(&sq)) {
			/* Nothing to merge */
			vng_cmd_rw(&sqe, opcode, 1, sent * 16 % LBAS, 1);
			sqe.prp1 = htole64(buf);
			sqe.cid = htole16(sent++);
			if (vng_sq_push(&sq, &sqe))
				return 2;
		}
		if (vng_sq_ring(&sq) || vng_cq_wait(&cq, &cqe) ||
		    vng_status(&cqe))
			return 3;
		__atomic_fetch_add(done, 1, __ATOMIC_RELAXED);
	}
}

FIXTURE_SETUP(weight)
{
	char text[160], dev[16];
	struct stat st;
	int ret, i;

	self->disk.fd = -1;
	self->disk.check = -1;
	MODULE_SETUP();
	for (i = 0; i < 2; i++)
		CGROUP_SETUP(self->dir[i], "+io");
	DISK_SETUP(&self->disk, 1, 9, NULL);
	ASSERT_EQ(0, fstat(self->disk.fd, &st));
	snprintf(dev, sizeof(dev), "%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	snprintf(text, sizeof(text), "%s " COST_MODEL, dev, COST_IOPS,
		 COST_IOPS);
	ret = cg_set(NULL, "io.cost.model", text);
	if (ret == -ENOENT)
		SKIP(return, "no iocost");
	ASSERT_EQ(0, ret);
	snprintf(text, sizeof(text), "%s " COST_QOS, dev);
	ASSERT_EQ(0, cg_set(NULL, "io.cost.qos", text));

	self->done = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->done);
	for (i = 0; i < 2; i++) {
		self->pid[i] = fork();
		ASSERT_LE(0, self->pid[i]);
		if (!self->pid[i])
			_exit(compete(self->dir[i], self->disk.fd,
				      variant->opcode, &self->done[i]));
	}
}

FIXTURE_TEARDOWN(weight)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (self->pid[i] > 0) {
			kill(self->pid[i], SIGKILL);
			waitpid(self->pid[i], NULL, 0);
		}
		cg_remove(self->dir[i]);
	}
	disk_destroy(&self->disk);
}

/*
 * Wait until both together have had @total more commands, of which @n are each one's;
 * milliseconds
 */
static uint64_t had(const unsigned int *done, unsigned int total, unsigned int *n)
{
	uint64_t start = vng_now_ms(), ms;
	unsigned int before[2];
	int i;

	for (i = 0; i < 2; i++)
		before[i] = __atomic_load_n(&done[i], __ATOMIC_RELAXED);
	do {
		sleep_ms(1);
		for (i = 0; i < 2; i++)
			n[i] = __atomic_load_n(&done[i], __ATOMIC_RELAXED) -
			       before[i];
		ms = vng_now_ms() - start;
	} while (n[0] + n[1] < total && ms < test_timeout_ms());
	return ms;
}

/* Who has more weight gets more of the disk, whoever submits, from when it has it. */
TEST_F(weight, of_owners)
{
	unsigned int heavy, look, percent = 0, n[2];
	uint64_t ms = 0;

	for (heavy = 0; heavy < 2; heavy++) {
		ASSERT_EQ(0, cg_set(self->dir[heavy], "io.weight", "300"));
		ASSERT_EQ(0, cg_set(self->dir[!heavy], "io.weight", "100"));
		/* Until both are at work, and have had these for a period */
		had(self->done, 3 * COST_IOPS / 2, n);
		/* Again, if it was CPUs that were scarce, which have no such weights */
		for (look = 0; look < LOOKS; look++) {
			ms = had(self->done, 2 * COST_IOPS, n);
			ASSERT_LE(2 * COST_IOPS, n[0] + n[1]);
			percent = 100 * n[!heavy] / (n[0] + n[1]);
			TH_LOG("%u and %u in %llu ms: %u %% with less weight",
			       n[0], n[1], (unsigned long long)ms, percent);
			if (LIGHT_LOW <= percent && percent <= LIGHT_HIGH)
				break;
		}
		/* Not by chance: iocost never lets through twice as much. */
		EXPECT_LE(1000, ms);
		EXPECT_LE(LIGHT_LOW, percent);
		EXPECT_GE(LIGHT_HIGH, percent);
	}
}

/*
 * Memory
 */

FIXTURE(memory) {
	char dir[64];
	struct disk disk;
};

FIXTURE_VARIANT(memory) {
	uint32_t sq_entries;	/* of which requests take most ... */
	uint32_t cq_entries;	/* ... or rings */
};

FIXTURE_VARIANT_ADD(memory, kernel) { .sq_entries = 1025, .cq_entries = 2 };
FIXTURE_VARIANT_ADD(memory, rings) { .sq_entries = 2, .cq_entries = 65536 };

FIXTURE_SETUP(memory)
{
	self->disk.fd = -1;
	self->disk.check = -1;
	MODULE_SETUP();
	CGROUP_SETUP(self->dir, "+memory");
	DISK_SETUP(&self->disk, 16, 9, NULL);
}

FIXTURE_TEARDOWN(memory)
{
	disk_destroy(&self->disk);
	cg_remove(self->dir);
}

/* For whoever looks through the kernel's log */
static void kernel_log(const char *line)
{
	cg_set("/dev", "kmsg", line);
}

/* Takes memory until there is none; the status to exit with if it outlives that */
static int take_memory(const char *dir, int disk, uint32_t sq_entries,
		       uint32_t cq_entries)
{
	static struct vng_cq cq[128];
	static struct vng_sq sq[128];
	struct vng g;
	unsigned int i;

	if (cg_enter(dir) || cg_set(dir, "memory.max", "16M") || vng_open(&g) ||
	    vng_set_owner(&g) ||
	    vng_mem_add(&g, VNG_MEM_ANON, BOX_GPA, 512 << 20) < 0 ||
	    vng_mem_publish(&g) || vng_set_ns(&g, 1, disk, 9, 0, 0))
		return 1;
	for (i = 0; i < 127; i++)
		if (vng_cq_create(&g, &cq[i], i + 1, cq_entries, 0) ||
		    vng_sq_create(&g, &sq[i], i + 1, &cq[i], sq_entries, 0))
			return 2;
	return 3;
}

/*
 * Whether no controller is left, and all that a cgroup was charged for is free, but for
 * what the kernel caches
 */
static bool is_free(const char *dir)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	while (module_refcount() ||
	       cg_get(dir, "memory.current", "", "") > 2 << 20) {
		if (vng_now_ms() > end)
			return false;
		sleep_ms(10);
	}
	return true;
}

/*
 * An owner that may not have more memory, and has none to give back, is killed as any
 * process. Nothing of it is left, and the next one works.
 */
TEST_F(memory, at_limit)
{
	struct vng *g;
	struct box b;
	int status;
	pid_t pid;

	cg_set(self->dir, "memory.swap.max", "0");
	kernel_log("vng: a cgroup is full\n");
	pid = fork();
	if (!pid)
		_exit(take_memory(self->dir, self->disk.fd,
				  variant->sq_entries, variant->cq_entries));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	kernel_log("vng: no longer full\n");
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		TH_LOG("status %#x", status);
	EXPECT_LE(1, cg_get(self->dir, "memory.events", "oom_kill ", "oom_kill"));
	EXPECT_TRUE(is_free(self->dir))
		TH_LOG("%ld", cg_get(self->dir, "memory.current", "", ""));

	BOX_SETUP(&b, .entries = 1024);
	g = &b.g;
	STATUS(0, box_io(&b, vng_alloc(g, 4096, 4096), VNG_CMD_READ, 1, 0, 8, 0));
	box_stop(&b);
}

TEST_HARNESS_MAIN
