// SPDX-License-Identifier: GPL-2.0
/* Queues and controllers that compete for a disk or a CPU: each gets its share. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include "test.h"

/* Of two that should have the same: at least and at most so many percent */
#define EVEN_LOW	45
#define EVEN_HIGH	55

/* ... where one is ahead of the other most of the time */
#define LATE_LOW	42
#define LATE_HIGH	58

/*
 * One who does not run for a moment, on a machine that is busy, has less. With time that
 * matters less and less, unlike unfairness: look again, so often, at all that each had
 * since the first look.
 */
#define LOOKS		4

/* ... of a CPU, where the time for which the machine stands still counts, too */
#define FAIR_LOW	35
#define FAIR_HIGH	65

/**
 * struct side - one of two that compete
 * @g: its controller
 * @cq: its completion queue
 * @sq: its submission queue
 * @buf: for all of its data
 * @depth: commands that it has sent and not got back, at most
 * @sent: commands
 * @done: of them
 * @done_at: value of @done when a command was sent, by its number; or NULL
 * @passed: most commands that were done while another one waited
 */
struct side {
	struct vng *g;
	struct vng_cq cq;
	struct vng_sq sq;
	uint64_t buf;
	unsigned int depth;
	unsigned int sent;
	unsigned int done;
	unsigned int *done_at;
	unsigned int passed;
};

static int controller(struct vng *g, int disk)
{
	int ret = vng_open(g);

	if (ret)
		return ret;
	ret = vng_set_owner(g);
	if (!ret)
		ret = vng_mem_add(g, VNG_MEM_ANON, BOX_GPA, 32 << 20);
	if (ret >= 0)
		ret = vng_mem_publish(g);
	return ret ?: vng_set_ns(g, 1, disk, 9, 0, 0) ?: vng_dbbuf_on(g);
}

static int queues(struct side *s, struct vng *g, uint16_t id, uint32_t entries,
		  unsigned int flags)
{
	s->g = g;
	s->depth = entries - 1;
	s->buf = vng_alloc(g, 4096, 4096);
	return vng_cq_create(g, &s->cq, id, entries, flags) ?:
	       vng_sq_create(g, &s->sq, id, &s->cq, entries, VNG_KICK);
}

static int look_back(struct side *s, uint16_t cid)
{
	if (cid >= s->sent)
		return vng_fail(s->g, -EIO, "completion of CID %u", cid);
	if (s->passed < s->done - s->done_at[cid])
		s->passed = s->done - s->done_at[cid];
	return 0;
}

/* Send what it may have, and take what has come back. */
static int turn(struct side *s, uint8_t opcode)
{
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	int ret = 0, n = 0;

	while (s->sent - s->done < s->depth && vng_sq_room(&s->sq) && !ret) {
		vng_cmd_rw(&sqe, opcode, 1, s->sent % 1024, 1);
		sqe.prp1 = htole64(s->buf);
		if (s->done_at)
			s->done_at[s->sent] = s->done;
		sqe.cid = htole16(s->sent++);
		ret = vng_sq_push(&s->sq, &sqe);
	}
	if (!ret && s->sq.tail != s->sq.last_tail)
		ret = vng_sq_ring(&s->sq);
	while (!ret && (ret = vng_cq_peek(&s->cq, &cqe)) == 1) {
		ret = vng_status(&cqe) ? vng_fail(s->g, -EIO, "status %#x",
						  vng_status(&cqe)) : 0;
		if (s->done_at)
			ret = look_back(s, le16toh(cqe.cid)) ?: ret;
		s->done++;
		n++;
	}
	return ret ?: n ? vng_cq_ring(&s->cq) : 0;
}

#define WORKQUEUES	"/sys/devices/virtual/workqueue/cpumask"
#define LATE_MS		5

/**
 * struct late - something more important than the kernel's workqueues
 * @thread: of the highest class of all, now and then
 * @mask: the CPUs that they had; they have CPU 0 now
 * @on: all of this is so
 * @stop: end of @thread
 */
struct late {
	pthread_t thread;
	char mask[256];
	bool on;
	bool stop;
};

static void *late_thread(void *arg)
{
	struct late *l = arg;
	uint64_t end;

	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		for (end = vng_now_ms() + LATE_MS; vng_now_ms() < end;)
			;
		sleep_ms(LATE_MS);
	}
	return NULL;
}

static void late_off(struct late *l)
{
	if (!l->on)
		return;
	__atomic_store_n(&l->stop, true, __ATOMIC_RELAXED);
	pthread_join(l->thread, NULL);
	write_file(WORKQUEUES, l->mask);
	l->on = false;
}

/*
 * CPU 0 is for unbound workqueues, which have it half of the time; the others are for
 * this process and those that it creates from now on.
 */
static int late_on(struct late *l)
{
	const struct sched_param param = { .sched_priority = 1 };
	FILE *f = fopen(WORKQUEUES, "r");
	cpu_set_t cpu, others;
	pthread_attr_t attr;
	int ret;

	if (!f)
		return -errno;
	ret = fgets(l->mask, sizeof(l->mask), f) ? 0 : -EIO;
	fclose(f);
	if (ret)
		return ret;
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (sched_getaffinity(0, sizeof(others), &others))
		return -errno;
	CPU_CLR(0, &others);
	if (sched_setaffinity(0, sizeof(others), &others))
		return -errno;
	ret = write_file(WORKQUEUES, "1");
	if (ret)
		return ret;
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(cpu), &cpu);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	ret = -pthread_create(&l->thread, &attr, late_thread, l);
	pthread_attr_destroy(&attr);
	if (ret)
		write_file(WORKQUEUES, l->mask);
	else
		l->on = true;
	return ret;
}

/*
 * So slow that the disk is what is scarce: each queue has more to do than it could in
 * the time for which this process may have to wait for a CPU.
 */
#define SLOW_DISK	\
	"irqmode=2 completion_nsec=16000000 hw_queue_depth=8 submit_queues=1"

/* Queues of the greedy one, at most */
#define QUEUES	3

FIXTURE(share) {
	struct disk disk;
	struct vng g[2];
	struct side greedy[QUEUES], modest;
	struct late late;
};

FIXTURE_VARIANT(share) {
	uint8_t opcode;
	unsigned int controllers;
	unsigned int queues;
	bool late;
};

FIXTURE_VARIANT_ADD(share, queues) {
	.opcode = VNG_CMD_READ, .controllers = 1, .queues = 1,
};

FIXTURE_VARIANT_ADD(share, queues_long) {
	.opcode = VNG_CMD_VERIFY, .controllers = 1, .queues = 1,
};

FIXTURE_VARIANT_ADD(share, controllers) {
	.opcode = VNG_CMD_READ, .controllers = 2, .queues = 1,
};

/* Nobody gets more by having more queues. */
FIXTURE_VARIANT_ADD(share, controllers_queues) {
	.opcode = VNG_CMD_READ, .controllers = 2, .queues = QUEUES,
};

/* ... or because its new commands come before the threads of those that wait. */
FIXTURE_VARIANT_ADD(share, controllers_late) {
	.opcode = VNG_CMD_READ, .controllers = 2, .queues = 1, .late = true,
};

FIXTURE_VARIANT_ADD(share, controllers_long) {
	.opcode = VNG_CMD_VERIFY, .controllers = 2, .queues = QUEUES,
};

FIXTURE_SETUP(share)
{
	struct vng *g = self->g;
	unsigned int i;

	self->disk.fd = -1;
	self->disk.check = -1;
	if (variant->late && get_nprocs() < 2)
		SKIP(return, "only one CPU");
	MODULE_SETUP();
	DISK_SETUP(&self->disk, 16, 9, SLOW_DISK);
	/* The workers are to be on the other CPUs, too. */
	if (variant->late)
		ASSERT_EQ(0, late_on(&self->late));
	for (i = 0; i < variant->controllers; i++, g++)
		OK(controller(g, self->disk.fd));
	g = &self->g[0];
	for (i = 0; i < variant->queues; i++)
		OK(queues(&self->greedy[i], g, 1 + i, 1024, VNG_KICK));
	g = &self->g[variant->controllers - 1];
	OK(queues(&self->modest, g, 1 + QUEUES, 1024, VNG_KICK));
	self->modest.depth = 250;
}

FIXTURE_TEARDOWN(share)
{
	unsigned int i;

	late_off(&self->late);
	for (i = 0; i < variant->controllers; i++)
		vng_close(&self->g[i]);
	disk_destroy(&self->disk);
}

/* Forget what a side has had, but not what it waits for. */
static void begin(struct side *s)
{
	s->sent -= s->done;
	s->done = 0;
}

/*
 * With a thousand commands at a time, in one queue or several, one gets no more of a
 * disk than another with less, since either always has some waiting.
 */
TEST_F_TIMEOUT(share, of_disk, 60)
{
	struct side *greedy = self->greedy, *modest = &self->modest;
	const unsigned int total = (variant->late ? 3000 : 1500) * test_scale();
	const unsigned int high = variant->late ? LATE_HIGH : EVEN_HIGH;
	const unsigned int low = variant->late ? LATE_LOW : EVEN_LOW;
	uint64_t end = vng_now_ms() + 50000 * test_scale();
	unsigned int i, had, share = 0, looks = 0;
	uint64_t next = 0;
	struct vng *g = self->g;
	bool begun = false;

	/* The greedy one is first, until the disk has all that it may have. */
	while (greedy->done < 100 && vng_now_ms() < end) {
		for (i = 0; i < variant->queues; i++)
			OK(turn(&greedy[i], variant->opcode));
		sleep_us(500);
	}
	while (looks < LOOKS && vng_now_ms() < end) {
		for (i = 0, had = 0; i < variant->queues; i++) {
			OK(turn(&greedy[i], variant->opcode));
			had += greedy[i].done;
		}
		/*
		 * One that is slow leaves what it has had of the disk to those that
		 * wait; the other has its own back before their threads run.
		 */
		if (!variant->late || vng_now_ms() >= next) {
			OK(turn(modest, variant->opcode));
			next = vng_now_ms() + 4 * LATE_MS;
		}
		/* What it has had of that does not count, nor what is left of it. */
		if (!begun && modest->done >= 100) {
			for (i = 0, had = 0; i < variant->queues; i++)
				begin(&greedy[i]);
			begin(modest);
			begun = true;
		}
		if (begun && had + modest->done >= total * (looks ?: 1)) {
			looks++;
			share = 100 * modest->done / (had + modest->done);
			TH_LOG("%u and %u: %u %%", had, modest->done, share);
			if (low <= share && share <= high)
				break;
			/* Nor does that, if it was not even: one may have begun late. */
			begun = looks > 1;
		}
		sleep_us(500);
	}
	ASSERT_LT(0, looks);
	EXPECT_LE(low, share);
	EXPECT_GE(high, share);
}

/*
 * A queue without others
 */

#define OWN_DEPTH	1023
#define OWN_COMMANDS	(6 * OWN_DEPTH)

FIXTURE(own) {
	struct disk disk;
	struct vng g;
	struct side side;
	unsigned int done_at[OWN_COMMANDS + OWN_DEPTH];
};

FIXTURE_SETUP(own)
{
	struct vng *g = &self->g;

	self->disk.fd = -1;
	self->disk.check = -1;
	MODULE_SETUP();
	DISK_SETUP(&self->disk, 16, 9, SLOW_DISK);
	OK(controller(g, self->disk.fd));
	OK(queues(&self->side, g, 1, OWN_DEPTH + 1, VNG_KICK));
	self->side.done_at = self->done_at;
}

FIXTURE_TEARDOWN(own)
{
	vng_close(&self->g);
	disk_destroy(&self->disk);
}

/*
 * New commands may go past older ones that the disk was too busy for, but none of these
 * waits for ever: meanwhile, no more are done than three times the queue's depth.
 */
TEST_F_TIMEOUT(own, oldest, 60)
{
	uint64_t end = vng_now_ms() + 50000 * test_scale();
	struct side *s = &self->side;
	struct vng *g = &self->g;

	while ((s->depth || s->done < s->sent) && vng_now_ms() < end) {
		OK(turn(s, VNG_CMD_READ));
		if (s->sent >= OWN_COMMANDS)
			s->depth = 0;
		sleep_us(500);
	}
	ASSERT_EQ(0, s->depth);
	ASSERT_EQ(s->sent, s->done);
	TH_LOG("%u passed one, of a depth of %u", s->passed, OWN_DEPTH);
	EXPECT_GE(3 * OWN_DEPTH, s->passed);
}

/*
 * A CPU for two
 */

FIXTURE(cpu) {
	struct disk disk;
	struct vng g[2];
	struct side side[2];
	cpu_set_t all, one, others;
};

FIXTURE_SETUP(cpu)
{
	unsigned int last = get_nprocs() - 1, i;
	struct vng *g = self->g;

	self->disk.fd = -1;
	self->disk.check = -1;
	if (!last)
		SKIP(return, "only one CPU");
	MODULE_SETUP();
	DISK_SETUP(&self->disk, 16, 9, NULL);
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(self->all), &self->all));
	CPU_ZERO(&self->one);
	CPU_SET(last, &self->one);
	CPU_XOR(&self->others, &self->all, &self->one);
	for (i = 0; i < 2; i++, g++)
		OK(controller(g, self->disk.fd));
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(self->others), &self->others));
}

FIXTURE_TEARDOWN(cpu)
{
	vng_close(&self->g[0]);
	vng_close(&self->g[1]);
	disk_destroy(&self->disk);
}

/* Thread ID of the worker, which gets the last CPU for itself and whoever is there */
static pid_t pin_worker(struct vng *g, const cpu_set_t *cpu)
{
	struct vhost_nvme_stats st;

	if (vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &st) || !st.tid ||
	    sched_setaffinity(st.tid, sizeof(*cpu), cpu))
		return -1;
	return st.tid;
}

static bool posted(struct side *s, unsigned int index)
{
	return le16toh(__atomic_load_n(&s->cq.ring[index].status,
				       __ATOMIC_ACQUIRE)) & 1;
}

/* The other's SQ, and the same doorbell eventfd for both */
static int queue_beside(struct side *s, struct vng *g, const struct side *first)
{
	struct vhost_nvme_sq arg = {
		.sqid = 1, .cqid = 1, .entries = first->sq.entries,
		.page_shift = g->page_shift, .kick_fd = first->sq.kick_fd,
	};
	const size_t size = first->sq.entries * sizeof(*s->sq.ring);
	int ret;

	s->buf = vng_alloc(g, 4096, 4096);
	ret = vng_cq_create(g, &s->cq, 1, first->cq.entries, VNG_KICK);
	if (ret)
		return ret;
	arg.addr = vng_alloc(g, size, 4096);
	s->sq = (struct vng_sq) {
		.g = g, .cq = &s->cq, .id = 1, .entries = arg.entries,
		.gpa = arg.addr, .ring = vng_ptr(g, arg.addr, size),
		.kick_fd = -1,
	};
	g->sq[1] = &s->sq;
	return vng_ioctl(g, VHOST_NVME_CREATE_SQ, &arg, "CREATE_SQ");
}

/*
 * Two that have all their commands from the start, which is the same for both. When
 * the last of one are done, the other has about as many.
 */
TEST_F_TIMEOUT(cpu, two_workers, 120)
{
	const unsigned int total = 65535;
	uint64_t end = vng_now_ms() + 90000 * test_scale();
	struct side *s = self->side, *first;
	unsigned int i, j, other;
	struct vng *g = self->g;
	struct vng_sqe sqe;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 1);
	for (i = 0; i < 2; i++, g++) {
		OK(i ? queue_beside(&s[1], g, &s[0]) :
		       queues(&s[0], g, 1, total + 1, VNG_KICK));
		ASSERT_LT(0, pin_worker(g, &self->one));
		sqe.prp1 = htole64(s[i].buf);
		for (j = 0; j < total; j++) {
			sqe.cid = htole16(j);
			OK(vng_sq_push(&s[i].sq, &sqe));
		}
	}
	/* The workers sleep, and both wake. */
	sleep_ms(10);
	g = self->g;
	for (i = 0; i < 2; i++)
		*vng_sq_db(&g[i], 1) = htole32(s[i].sq.tail);
	OK(vng_sq_kick(&s[0].sq));
	while (!posted(&s[0], total - 1) && !posted(&s[1], total - 1) &&
	       vng_now_ms() < end)
		sleep_us(200);
	first = posted(&s[0], total - 1) ? &s[0] : &s[1];
	ASSERT_TRUE(posted(first, total - 1));
	for (other = 0; other < total; other++)
		if (!posted(first == &s[0] ? &s[1] : &s[0], other))
			break;
	TH_LOG("%u and %u", total, other);
	EXPECT_LE(total / FAIR_HIGH * FAIR_LOW, other);
	while (!(posted(&s[0], total - 1) && posted(&s[1], total - 1)) &&
	       vng_now_ms() < end)
		sleep_ms(1);
}

/* One command now and then, so that the worker polls all of the time */
static int trickle(struct side *s, uint64_t *end)
{
	int ret = 0;

	s->depth = 1;
	while (!ret && vng_now_ms() < __atomic_load_n(end, __ATOMIC_RELAXED)) {
		ret = turn(s, VNG_CMD_READ);
		sleep_ms(2);
	}
	return ret;
}

static int poll_always(struct side *s, struct vng *g)
{
	uint64_t end = vng_now_ms() + 100;

	return vng_set_poll(g, 1000000) ?: queues(s, g, 1, 64, VNG_KICK) ?:
	       trickle(s, &end);
}

struct spinner {
	pthread_t thread;
	pid_t tid;
	bool stop;
};

static void *spin(void *arg)
{
	struct spinner *s = arg;

	__atomic_store_n(&s->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

/* Nanoseconds that a thread has run */
static uint64_t ran(pid_t tid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	if (f)
		fclose(f);
	return ns;
}

/* A worker that polls leaves others on its CPU as much as any thread would. */
TEST_F(cpu, others)
{
	uint64_t end, worker_ns, spinner_ns;
	struct vng *g = self->g;
	struct spinner s = { 0 };
	unsigned int share;
	pid_t tid;
	int ret;

	OK(poll_always(&self->side[0], g));
	tid = pin_worker(g, &self->one);
	ASSERT_LT(0, tid);
	ASSERT_EQ(0, pthread_create(&s.thread, NULL, spin, &s));
	while (!__atomic_load_n(&s.tid, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	ASSERT_EQ(0, sched_setaffinity(s.tid, sizeof(self->one), &self->one));
	worker_ns = ran(tid);
	spinner_ns = ran(s.tid);
	end = vng_now_ms() + 2000;
	ret = trickle(&self->side[0], &end);
	worker_ns = ran(tid) - worker_ns;
	spinner_ns = ran(s.tid) - spinner_ns;
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(s.thread, NULL);
	ASSERT_EQ(0, ret) TH_LOG("%s", vng_msg(g));
	share = 100 * spinner_ns / (worker_ns + spinner_ns);
	TH_LOG("%llu ms and %llu ms: %u %%",
	       (unsigned long long)worker_ns / 1000000,
	       (unsigned long long)spinner_ns / 1000000, share);
	EXPECT_LE(FAIR_LOW, share);
}

#define TRACING		"/sys/kernel/tracing"
#define TRACE_MS	30000

struct tracer {
	char dir[64];
	int ret;
	uint64_t end;	/* of the trickle: now, when this is done */
};

static int trace_set(const struct tracer *t, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", t->dir, file);
	return write_file(path, text);
}

/* The end of a tracer waits for RCU Tasks. */
static void *trace(void *arg)
{
	struct tracer *t = arg;

	t->ret = trace_set(t, "set_ftrace_filter", "vfs_fsync") ?:
		 trace_set(t, "current_tracer", "function") ?:
		 trace_set(t, "current_tracer", "nop");
	__atomic_store_n(&t->end, 0, __ATOMIC_RELAXED);
	return NULL;
}

/* A worker that polls does not hold up those who wait for all threads to pass by. */
TEST_F_TIMEOUT(cpu, rcu_tasks, 120)
{
	struct tracer t = { .end = vng_now_ms() + TRACE_MS * test_scale() };
	struct vng *g = self->g;
	pthread_t thread;
	bool in_time;
	int ret;

	if (access(TRACING "/instances", W_OK))
		mount("none", TRACING, "tracefs", 0, NULL);
	snprintf(t.dir, sizeof(t.dir), TRACING "/instances/vng%d", getpid());
	if (mkdir(t.dir, 0755) ||
	    trace_set(&t, "set_ftrace_filter", "vfs_fsync")) {
		rmdir(t.dir);
		SKIP(return, "no function tracer");
	}
	OK(poll_always(&self->side[0], g));
	ASSERT_EQ(0, pthread_create(&thread, NULL, trace, &t));
	ret = trickle(&self->side[0], &t.end);
	in_time = !__atomic_load_n(&t.end, __ATOMIC_RELAXED);
	/* Without commands the worker sleeps, and the tracer ends. */
	pthread_join(thread, NULL);
	rmdir(t.dir);
	EXPECT_EQ(0, ret) TH_LOG("%s", vng_msg(g));
	EXPECT_EQ(0, t.ret);
	EXPECT_TRUE(in_time);
}

TEST_HARNESS_MAIN
