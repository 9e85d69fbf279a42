// SPDX-License-Identifier: GPL-2.0
/* The owner waits for its memory: nobody else has to; and mostly SIGKILL ends it. */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "fuse.h"
#include "test.h"
#include "ublk.h"

/* Nobody answers yet for what is missing. */
FIXTURE(absent) {
	struct box box;
	int uffd;
	char *at;
	long pinned;
	int refcount;
};

#define ABSENT_GPA	(1ULL << 40)
#define ABSENT_SIZE	0x10000

FIXTURE_SETUP(absent)
{
	struct box_opts opts = { .disk_mib = 4 };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range.len = ABSENT_SIZE,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct vng *g = &self->box.g;
	int ret;

	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (self->uffd < 0 && errno == ENOSYS)
		SKIP(return, "no userfaultfd");
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	self->pinned = pages_pinned();
	self->refcount = module_refcount();
	ret = box_start(&self->box, &opts);
	if (ret == -ENOENT || ret == -ENODEV)
		SKIP(return, "%s", vng_msg(g));
	ASSERT_EQ(0, ret) TH_LOG("%s", vng_msg(g));
	self->at = mmap(NULL, ABSENT_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->at);
	reg.range.start = (uintptr_t)self->at;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
	ASSERT_LE(0, vng_mem_map(g, ABSENT_GPA, self->at, ABSENT_SIZE));
	OK(vng_mem_publish(g));
}

/* Somebody waits for the memory now. */
static bool absent_wanted(int uffd)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&pfd, 1, test_timeout_ms()) == 1 &&
	       read(uffd, &msg, sizeof(msg)) == sizeof(msg);
}

/* The memory is there. */
static int absent_answer(int uffd, char *at)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)at, ABSENT_SIZE },
	};

	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

FIXTURE_TEARDOWN(absent)
{
	absent_answer(self->uffd, self->at);
	if (self->box.g.fd >= 0)
		box_stop(&self->box);
	else
		disk_destroy(&self->box.disk);
	close(self->uffd);
}

/* Its exit status; or -1 if it does not end, -2 if a signal ended it */
static int exit_status(pid_t pid)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (vng_now_ms() > end)
			return -1;
		sleep_ms(2);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

/* An ioctl that looks at the memory */
static void *absent_cq(void *arg)
{
	struct vhost_nvme_cq cq = {
		.cqid = 9, .entries = 64, .addr = ABSENT_GPA,
		.irq_fd = -1, .kick_fd = -1,
	};
	struct box *b = arg;

	return (void *)(intptr_t)ioctl(b->g.fd, VHOST_NVME_CREATE_CQ, &cq);
}

static int refused_main(void *arg)
{
	struct box *b = arg;

	if (!ioctl(b->g.fd, VHOST_NVME_RESET) || errno != EPERM)
		_exit(1);
	if (!ioctl(b->g.fd, VHOST_SET_OWNER) || errno != EBUSY)
		_exit(2);
	_exit(0);
}

/*
 * What another process may not do, it need not wait for, also if it has the owner's
 * memory.
 */
TEST_F(absent, others_refused)
{
	static char stack[65536] __attribute__((aligned(16)));
	pthread_t thread;
	void *ret;
	pid_t pid;

	ASSERT_EQ(0, pthread_create(&thread, NULL, absent_cq, &self->box));
	EXPECT_TRUE(absent_wanted(self->uffd));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		refused_main(&self->box);
	EXPECT_EQ(0, exit_status(pid));
	pid = clone(refused_main, stack + sizeof(stack), CLONE_VM | SIGCHLD,
		    &self->box);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(EBUSY, pthread_tryjoin_np(thread, NULL));
	EXPECT_EQ(0, absent_answer(self->uffd, self->at));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
}

/* The last who closes the file need not wait for the owner's memory. */
TEST_F(absent, others_close)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;
	int pipefd[2];
	char byte;
	pid_t pid;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8);
	sqe.prp1 = htole64(ABSENT_GPA);
	OK(vng_submit(&b->sq, &sqe));
	EXPECT_TRUE(absent_wanted(self->uffd));
	ASSERT_EQ(0, pipe(pipefd));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(pipefd[1]);
		_exit(read(pipefd[0], &byte, 1));
	}
	close(pipefd[0]);
	close(b->g.fd);
	b->g.fd = -1;
	/* Now the child is the only one that has it. */
	close(pipefd[1]);
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_LT(0, threads(getpid(), "vhost-"));
	EXPECT_EQ(0, absent_answer(self->uffd, self->at));
	close(b->disk.fd);
	b->disk.fd = -1;
	NOTHING_REMAINS(b->disk.path);
	while (threads(getpid(), "vhost-") > 0 && vng_now_ms() < end)
		sleep_ms(2);
	EXPECT_EQ(0, threads(getpid(), "vhost-"));
}

#define CROWD_QUEUES	128

/* A controller that has many queues, and deletes them while a worker waits for memory */
struct crowd {
	struct vng	g;
	struct vng_cq	cq[2];
	struct vng_sq	sq[CROWD_QUEUES];
	pthread_t	thread;
};

/* All queues but the last are one worker's; for the last one there is a command. */
static int crowd_start(struct crowd *c, int disk, void *at)
{
	struct vng *g = &c->g;
	unsigned int i;
	uint64_t gpa;
	int ret;

	ret = vng_open(g) ?: vng_set_owner(g);
	if (ret)
		return ret;
	ret = vng_mem_add(g, VNG_MEM_ANON, BOX_GPA, 1 << 20);
	if (ret >= 0)
		ret = vng_mem_map(g, ABSENT_GPA, at, ABSENT_SIZE);
	if (ret < 0)
		return ret;
	c->cq[1].worker = 1;
	ret = vng_mem_publish(g) ?: vng_set_ns(g, 1, disk, 9, 0, 0) ?:
	      vng_set_workers(g, 2) ?:
	      vng_cq_create(g, &c->cq[0], 1, 8, 0) ?:
	      vng_cq_create(g, &c->cq[1], 2, 8, 0);
	gpa = vng_alloc(g, 4096, 4096);
	for (i = 0; i < CROWD_QUEUES && !ret; i++) {
		c->sq[i].gpa = gpa;
		ret = vng_sq_create(g, &c->sq[i], i + 1,
				    &c->cq[i == CROWD_QUEUES - 1], 2, 0);
	}
	return ret;
}

static int crowd_command(struct crowd *c)
{
	struct vng_sqe sqe;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8);
	sqe.prp1 = htole64(ABSENT_GPA);
	return vng_submit(&c->sq[CROWD_QUEUES - 1], &sqe);
}

static void *crowd_reset(void *arg)
{
	struct crowd *c = arg;

	return (void *)(intptr_t)vng_reset(&c->g);
}

/* However many work items wait for memory, those of other controllers do not. */
TEST_F(absent, crowd)
{
	struct vng *g = &self->box.g;
	static struct crowd crowd[9];
	unsigned int i;
	void *ret;

	for (i = 0; i < ARRAY_SIZE(crowd); i++) {
		ASSERT_EQ(0, crowd_start(&crowd[i], self->box.disk.fd, self->at))
			TH_LOG("%s", vng_msg(&crowd[i].g));
		ASSERT_EQ(0, crowd_command(&crowd[i]));
		ASSERT_TRUE(absent_wanted(self->uffd));
		ASSERT_EQ(0, pthread_create(&crowd[i].thread, NULL, crowd_reset,
					    &crowd[i]));
	}
	/* They have deleted the other queues by then, which wait for the reset. */
	sleep_ms(200);
	OK(vng_sq_delete(&self->box.sq));
	EXPECT_EQ(0, vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1))
		TH_LOG("%s", vng_msg(g));
	EXPECT_EQ(0, absent_answer(self->uffd, self->at));
	for (i = 0; i < ARRAY_SIZE(crowd); i++) {
		ASSERT_EQ(0, pthread_join(crowd[i].thread, &ret));
		EXPECT_EQ(NULL, ret);
		EXPECT_EQ(0, vng_event_wait(&crowd[i].g,
					    VHOST_NVME_EVENT_RESET_DONE, 0));
		vng_close(&crowd[i].g);
	}
}

/* The owner, another process, has memory of which a file system keeps a page locked. */
FIXTURE(locked) {
	struct fuse fuse;
	struct ublk disk;
	long pinned;
	int refcount;
	pid_t pid;
};

FIXTURE_VARIANT(locked) {
	bool in_flight;		/* when the page becomes locked, or only being mapped */
};

FIXTURE_VARIANT_ADD(locked, mapped) {};
FIXTURE_VARIANT_ADD(locked, in_flight) { .in_flight = true };

/* A Read to the first page, which is dirty, and maybe to the second, which is absent */
static int locked_owner(const char *disk, const char *file, bool both)
{
	static struct box box;
	struct box_opts opts = { .path = disk };
	struct vng *g = &box.g;
	struct vng_sqe sqe;
	char *at;
	int fd, ret;

	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	at = mmap(NULL, FUSE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* MADV_RANDOM: only the page that is touched is read. */
	if (at == MAP_FAILED || madvise(at, FUSE_SIZE, MADV_RANDOM))
		return -errno;
	/* Else the owner's end closes it, and waits for what is written back then. */
	close(fd);
	*(volatile char *)at = 1;
	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, both ? 16 : 8);
	sqe.prp1 = htole64(ABSENT_GPA);
	if (both)
		sqe.prp2 = htole64(ABSENT_GPA + 4096);
	ret = box_start(&box, &opts);
	if (!ret)
		ret = vng_mem_map(g, ABSENT_GPA, at, FUSE_SIZE);
	if (ret >= 0)
		ret = vng_mem_publish(g) ?: vng_submit(&box.sq, &sqe);
	if (ret)
		printf("# owner: %s\n", vng_msg(g));
	return ret;
}

/* From Linux 6.16 on, FUSE writes back the page itself, and the end of a mapping waits. */
static bool locked_end_waits(void)
{
	unsigned int major, minor;
	struct utsname name;

	return !uname(&name) &&
	       sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 16));
}

FIXTURE_SETUP(locked)
{
	int pipefd[2], ret;

	self->fuse.dev = -1;
	self->disk.control = -1;
	MODULE_SETUP();
	if (locked_end_waits())
		SKIP(return, "the end of a process waits for its FUSE servers");
	ret = fuse_start(&self->fuse);
	if (ret == -ENODEV)
		SKIP(return, "no FUSE");
	ASSERT_EQ(0, ret) TH_LOG("%s", strerror(-ret));
	ret = ublk_start(&self->disk, 4, 9, 4, 64 * 1024);
	if (ret == -ENOENT || ret == -ENODEV)
		SKIP(return, "no ublk");
	ASSERT_EQ(0, ret) TH_LOG("%s", strerror(-ret));
	fuse_hold(&self->fuse, FUSE_OP_READ, 4096);
	fuse_hold(&self->fuse, FUSE_OP_WRITE, 0);
	ublk_hold(&self->disk, variant->in_flight);
	self->pinned = pages_pinned();
	self->refcount = module_refcount();
	ASSERT_EQ(0, pipe(pipefd));
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid) {
		/* Neither this nor the file system outlives who serves it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(self->fuse.dev);
		ret = locked_owner(self->disk.path, self->fuse.path,
				   !variant->in_flight);
		fflush(stdout);
		if (write(pipefd[1], &ret, sizeof(ret)) != sizeof(ret) || ret)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipefd[1]);
	ret = -ESRCH;
	EXPECT_LE(0, read(pipefd[0], &ret, sizeof(ret)));
	close(pipefd[0]);
	ASSERT_EQ(0, ret) TH_LOG("%s", strerror(-ret));
}

FIXTURE_TEARDOWN(locked)
{
	ublk_hold(&self->disk, false);
	fuse_stop(&self->fuse);
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	ublk_stop(&self->disk);
}

/* Within the time limit of a wait */
static bool worker_becomes(pid_t pid, char state)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	while (thread_state(pid, "vhost-") != state) {
		if (vng_now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/*
 * Before a Read, its worker waits for the page's lock; after it, a workqueue does. SIGKILL
 * ends the owner in both cases, and in the first one all that it had.
 */
TEST_F(locked, killed)
{
	struct fuse *f = &self->fuse;

	if (variant->in_flight) {
		ASSERT_TRUE(ublk_wait_held(&self->disk));
	} else {
		/* The first page is pinned now. */
		ASSERT_TRUE(fuse_is_held(f, FUSE_OP_READ));
	}
	ASSERT_EQ(0, fuse_invalidate(f));
	ASSERT_TRUE(fuse_is_held(f, FUSE_OP_WRITE));
	/* It is locked now, and no longer dirty. */
	if (variant->in_flight) {
		ublk_hold(&self->disk, false);
		ASSERT_TRUE(ublk_wait_idle(&self->disk));
	} else {
		fuse_release(f, FUSE_OP_READ);
		ASSERT_TRUE(worker_becomes(self->pid, 'D'));
	}
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_EQ(-2, exit_status(self->pid));
	self->pid = 0;
	if (variant->in_flight) {
		ASSERT_EQ(-1, open(self->disk.path, O_RDWR | O_EXCL | O_CLOEXEC));
		ASSERT_EQ(EBUSY, errno);
		fuse_release(f, FUSE_OP_WRITE);
	}
	NOTHING_REMAINS(self->disk.path);
}

TEST_HARNESS_MAIN
