// SPDX-License-Identifier: GPL-2.0
/* The owner dies at any moment: nothing may remain. */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "load.h"
#include "test.h"

/* How the owner comes to its end */
enum end { END_KILL, END_EXIT, END_EXEC };

FIXTURE(owner) {
	struct disk disk;
	long pinned;
	int refcount;
};

FIXTURE_VARIANT(owner) {
	const char *attrs;
	uint32_t poll_us;
	bool bounce;
	bool pin;
	unsigned int rounds;
};

FIXTURE_VARIANT_ADD(owner, sleep) { .rounds = 40 };
FIXTURE_VARIANT_ADD(owner, poll) { .poll_us = 500, .rounds = 25 };
/* Commands in flight complete long after their owner is gone. */
FIXTURE_VARIANT_ADD(owner, timer) {
	.attrs = "irqmode=2 completion_nsec=20000000", .rounds = 25,
};
FIXTURE_VARIANT_ADD(owner, pinned) {
	.attrs = "irqmode=2 completion_nsec=20000000", .pin = true,
	.rounds = 15,
};
FIXTURE_VARIANT_ADD(owner, bounce) {
	.attrs = "irqmode=2 completion_nsec=5000000", .bounce = true,
	.rounds = 10,
};

FIXTURE_SETUP(owner)
{
	MODULE_SETUP();
	DISK_SETUP(&self->disk, 64, 9, variant->attrs);
	ASSERT_EQ(0, load_fill(&self->disk));
	/* Each owner opens the disk for itself, and exclusively. */
	close(self->disk.fd);
	self->disk.fd = -1;
	self->pinned = pages_pinned();
	self->refcount = module_refcount();
	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
}

FIXTURE_TEARDOWN(owner)
{
	disk_destroy(&self->disk);
}

/*
 * The owner: a controller with two loaded pairs of queues. Says through @ready
 * how many are running, then goes on until it is ended.
 */
static void owner_main(struct disk *disk, uint32_t poll_us, bool bounce,
		       bool pin, int ready, enum end end)
{
	static struct box box;
	static struct vng_cq cq[2];
	static struct vng_sq sq[2];
	static struct load load[2];
	struct box_opts opts = {
		.path = disk->path, .poll_us = poll_us, .no_queues = true,
		.pin = pin,
	};
	struct vng *g = &box.g;
	unsigned int i;
	int ret;

	ret = box_start(&box, &opts);
	for (i = 0; i < 2 && !ret; i++) {
		ret = vng_cq_create(g, &cq[i], i + 1, 64, VNG_IEN | VNG_KICK) ?:
		      vng_sq_create(g, &sq[i], i + 1, &cq[i], 64, VNG_KICK);
		load[i].sq = &sq[i];
		load[i].nsid = 1;
		load[i].buf = vng_alloc(g, 2 * LOAD_DEPTH * LOAD_IO, 4096) +
			      (bounce ? 4 : 0);
		/* An offset in the page needs a second PRP, so not the load. */
		if (!ret && !bounce)
			ret = load_start(&load[i]);
	}
	if (!ret && bounce) {
		struct vng_sqe sqe;

		for (i = 0; i < 20 && !ret; i++) {
			vng_cmd_rw(&sqe, i & 1 ? VNG_CMD_READ : VNG_CMD_WRITE,
				   1, 0, 128);
			ret = vng_prp_contig(g, &sqe, load[i & 1].buf, 65536) ?:
			      vng_submit(&sq[i & 1], &sqe);
		}
	} else if (!ret) {
		ret = load_progress(&load[0], 1);
	}
	if (ret)
		printf("# owner: %s\n", vng_msg(g));
	fflush(stdout);
	if (write(ready, &ret, sizeof(ret)) != sizeof(ret))
		_exit(1);
	if (end == END_KILL)
		for (;;)
			pause();
	sleep_us(random_below(2000));
	if (end == END_EXEC) {
		/* The controller's file stays open, its memory does not. */
		fcntl(g->fd, F_SETFD, 0);
		execl("/proc/self/exe", "owner", "-l", NULL);
	}
	_exit(0);
}

/* Start an owner; its pid, once it is busy, or -1. */
static pid_t owner_start(struct disk *disk, uint32_t poll_us, bool bounce,
			 bool pin, enum end end)
{
	int pipefd[2], ret = -1;
	pid_t pid;

	if (pipe(pipefd))
		return -1;
	pid = fork();
	if (!pid) {
		close(pipefd[0]);
		owner_main(disk, poll_us, bounce, pin, pipefd[1], end);
	}
	close(pipefd[1]);
	if (read(pipefd[0], &ret, sizeof(ret)) != sizeof(ret))
		ret = -1;
	close(pipefd[0]);
	if (ret && pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -1;
	}
	return pid;
}

/* SIGKILL in the middle of I/O, again and again */
TEST_F_TIMEOUT(owner, killed, test_limit(120))
{
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < variant->rounds * test_scale(); i++) {
		pid = owner_start(&self->disk, variant->poll_us,
				  variant->bounce, variant->pin, END_KILL);
		ASSERT_LT(0, pid);
		sleep_us(random_below(5000));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		NOTHING_REMAINS(self->disk.path);
	}
}

/* The owner exits without closing anything. */
TEST_F(owner, exits)
{
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < 5 * test_scale(); i++) {
		pid = owner_start(&self->disk, variant->poll_us,
				  variant->bounce, variant->pin, END_EXIT);
		ASSERT_LT(0, pid);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		NOTHING_REMAINS(self->disk.path);
	}
}

/* It executes another program, which inherits the controller's file. */
TEST_F(owner, execs)
{
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < 3 * test_scale(); i++) {
		pid = owner_start(&self->disk, variant->poll_us,
				  variant->bounce, variant->pin, END_EXEC);
		ASSERT_LT(0, pid);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		NOTHING_REMAINS(self->disk.path);
	}
}

/* Owners that die before they have done much */
TEST_F(owner, dies_early)
{
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < 20 * test_scale(); i++) {
		int pipefd[2];

		ASSERT_EQ(0, pipe(pipefd));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			owner_main(&self->disk, variant->poll_us,
				   variant->bounce, variant->pin, pipefd[1],
				   END_KILL);
		sleep_us(random_below(20000));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		close(pipefd[0]);
		close(pipefd[1]);
		NOTHING_REMAINS(self->disk.path);
	}
}

/* Shares the owner's memory, but not its life: learns of its end, and may do nothing */
static int twin_main(void *arg)
{
	volatile int *result = arg;
	static struct vhost_nvme_event ev;
	struct vng *g = *(struct vng **)(result + 2);
	int ret;

	do
		ret = vng_event(g, &ev, g->timeout_ms);
	while (!ret && ev.type != VHOST_NVME_EVENT_WORKER_DIED);
	result[0] = ret ?: vng_reset(g);
	result[1] = 1;
	_exit(0);
}

/* Who has the owner's memory is another all the same, and told that no worker is left. */
TEST_F(owner, twin)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	volatile int *result;
	static struct vng g;
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid;

	result = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, result);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		*(struct vng **)(result + 2) = &g;
		if (vng_open(&g) || vng_set_owner(&g) ||
		    clone(twin_main, stack + sizeof(stack), CLONE_VM | SIGCHLD,
			  (void *)result) < 0)
			result[1] = 1;
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	while (!result[1] && vng_now_ms() < end)
		sleep_ms(5);
	ASSERT_EQ(1, result[1]);
	EXPECT_EQ(-EPERM, result[0]);
	NOTHING_REMAINS(self->disk.path);
}

FIXTURE(survivor) {
	struct disk disk;
	long pinned;
	int refcount;
	struct vng g;		/* open here, owned by a child */
	pid_t pid;
};

FIXTURE_SETUP(survivor)
{
	struct box_opts opts = { .path = self->disk.path };
	int pipefd[2], ret;

	MODULE_SETUP();
	DISK_SETUP(&self->disk, 64, 9, NULL);
	ASSERT_EQ(0, load_fill(&self->disk));
	close(self->disk.fd);
	self->disk.fd = -1;
	self->pinned = pages_pinned();
	self->refcount = module_refcount();
	ASSERT_EQ(0, vng_open(&self->g));
	ASSERT_EQ(0, pipe(pipefd));
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid) {
		static struct box box;
		static struct load load;

		/* As box_start(), with the file that was open before the fork */
		ret = box_adopt(&box, &self->g, &opts);
		load.sq = &box.sq;
		load.nsid = 1;
		load.buf = vng_alloc(&box.g, LOAD_DEPTH * LOAD_IO, 4096);
		ret = ret ?: load_start(&load) ?: load_progress(&load, 1);
		if (write(pipefd[1], &ret, sizeof(ret)) != sizeof(ret))
			_exit(1);
		for (;;)
			pause();
	}
	close(pipefd[1]);
	ASSERT_EQ(sizeof(ret), read(pipefd[0], &ret, sizeof(ret)));
	close(pipefd[0]);
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(survivor)
{
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	vng_close(&self->g);
	disk_destroy(&self->disk);
}

static void owner_kill(pid_t *pid)
{
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

/* Who still has the file is told that nothing is left of the controller. */
TEST_F(survivor, told)
{
	struct vng *g = &self->g;
	unsigned int seen = 0, i;

	FAILS(EPERM, vng_reset(g));
	owner_kill(&self->pid);
	for (i = 0; i < 3; i++) {
		struct vhost_nvme_event ev;

		OK(vng_event(g, &ev, g->timeout_ms));
		seen |= 1U << ev.type;
		EXPECT_EQ(ev.type == VHOST_NVME_EVENT_NS_REMOVED, ev.id);
	}
	EXPECT_EQ(1U << VHOST_NVME_EVENT_RESET_DONE |
		  1U << VHOST_NVME_EVENT_NS_REMOVED |
		  1U << VHOST_NVME_EVENT_WORKER_DIED, seen);
	FAILS(EPERM, vng_reset(g));
	FAILS(EPERM, vng_set_ns(g, 1, -1, 0, 0, 0));
	IOCTL_FAILS(EBUSY, g->fd, VHOST_SET_OWNER, NULL);
	/* Disk and memory do not wait for this file to be closed. */
	self->refcount = module_refcount();
	NOTHING_REMAINS(self->disk.path);
}

/* When the last file is closed, everything is free, in another process too. */
TEST_F(survivor, closes)
{
	owner_kill(&self->pid);
	vng_close(&self->g);
	NOTHING_REMAINS(self->disk.path);
}

/* The survivor closes first: the owner goes on, and takes all with it. */
TEST_F(survivor, closes_first)
{
	vng_close(&self->g);
	sleep_ms(20);
	EXPECT_EQ(0, kill(self->pid, 0));
	owner_kill(&self->pid);
	NOTHING_REMAINS(self->disk.path);
}

/* The survivor itself is killed, long after the owner. */
TEST_F(survivor, killed)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		for (;;)
			pause();
	vng_close(&self->g);
	owner_kill(&self->pid);
	sleep_ms(20);
	owner_kill(&pid);
	NOTHING_REMAINS(self->disk.path);
}

TEST_HARNESS_MAIN
