// SPDX-License-Identifier: GPL-2.0
/*
 * An owner's cgroup has no more memory, and what it could give back goes to a disk that
 * does not answer. The owner waits for that; nobody else has to.
 */
#include <sched.h>
#include <signal.h>
#include <sys/swap.h>
#include <sys/wait.h>

#include "cg.h"
#include "test.h"
#include "ublk.h"

/* What the owner, another process, does: these, again and again */
enum { STEP_FILL, STEP_SET_NS, STEP_REMOVE_NS, STEPS };

struct steps {
	unsigned int todo;	/* how many it has been asked for ... */
	unsigned int done;	/* ... and has done */
	int ret;		/* of the last one */
};

#define SIZE	(4UL << 20)
#define ROUNDS	60

/* Another owner: takes a namespace and gives it back, over and over */
struct other {
	struct vng g;
	int disk;
	pthread_t thread;
	bool started;
	bool stop;
	unsigned int turns;
};

/* They are in each other's and the owner's way, who needs longer then. */
#define OTHERS	3

FIXTURE(full) {
	char dir[64];
	struct ublk swap;
	bool on;		/* it is used for swap */
	struct disk disk[2];	/* the owner's, and the others' */
	struct steps *steps;
	pid_t pid;
	struct other others[OTHERS];
};

static int owner_main(struct steps *steps, const char *dir, int disk)
{
	unsigned int i;
	struct vng g;
	char *memory;
	int ret;

	ret = cg_enter(dir) ?: vng_open(&g) ?: vng_set_owner(&g);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, SIZE, MADV_NOHUGEPAGE))
		return -errno;
	for (i = 0; !ret; i++) {
		while (__atomic_load_n(&steps->todo, __ATOMIC_ACQUIRE) == i)
			sleep_us(200);
		switch (i % STEPS) {
		case STEP_FILL:
			/* Then there is something to give back, and where to begin. */
			memset(memory, 1, SIZE);
			madvise(memory, SIZE, MADV_COLD);
			break;
		case STEP_SET_NS:
			ret = vng_set_ns(&g, 1, disk, 9, 0, 0);
			break;
		case STEP_REMOVE_NS:
			ret = vng_set_ns(&g, 1, -1, 0, 0, 0) ?:
			      vng_event_wait(&g, VHOST_NVME_EVENT_NS_REMOVED, 1);
			break;
		}
		steps->ret = ret;
		__atomic_store_n(&steps->done, i + 1, __ATOMIC_RELEASE);
	}
	return ret;
}

static void step_begin(struct steps *steps)
{
	__atomic_store_n(&steps->todo, steps->todo + 1, __ATOMIC_RELEASE);
}

static bool step_done(struct steps *steps)
{
	return __atomic_load_n(&steps->done, __ATOMIC_ACQUIRE) == steps->todo;
}

/* Within the time limit of a wait; 0 or -errno */
static int step_end(struct steps *steps)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	while (!step_done(steps)) {
		if (vng_now_ms() > end)
			return -ETIMEDOUT;
		sleep_us(200);
	}
	return steps->ret;
}

static void *other_main(void *arg)
{
	struct other *o = arg;
	struct vng *g = &o->g;

	while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE)) {
		if (vng_set_ns(g, 1, o->disk, 9, 0, 0) ||
		    vng_set_ns(g, 1, -1, 0, 0, 0) ||
		    vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1)) {
			printf("# another owner: %s\n", vng_msg(g));
			return NULL;
		}
		__atomic_add_fetch(&o->turns, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static int other_start(struct other *o, int disk)
{
	int ret;

	o->disk = disk;
	ret = vng_open(&o->g) ?: vng_set_owner(&o->g) ?:
	      -pthread_create(&o->thread, NULL, other_main, o);
	o->started = !ret;
	return ret;
}

static void other_stop(struct other *o)
{
	__atomic_store_n(&o->stop, true, __ATOMIC_RELEASE);
	if (!o->started)
		return;
	pthread_join(o->thread, NULL);
	vng_close(&o->g);
}

/* Does it get on, within the time limit of a wait? */
static bool other_works(struct other *o)
{
	unsigned int first = __atomic_load_n(&o->turns, __ATOMIC_ACQUIRE);
	uint64_t end = vng_now_ms() + test_timeout_ms();

	while (__atomic_load_n(&o->turns, __ATOMIC_ACQUIRE) - first < 2) {
		if (vng_now_ms() > end)
			return false;
		sleep_us(200);
	}
	return true;
}

FIXTURE_SETUP(full)
{
	char command[64];
	int ret, i;

	self->swap.control = -1;
	for (i = 0; i < 2; i++) {
		self->disk[i].fd = -1;
		self->disk[i].check = -1;
	}
	if (access(getenv("VNG_DEVICE") ?: "/dev/vhost-nvme", F_OK))
		SKIP(return, "no /dev/vhost-nvme");
	ret = cg_make(self->dir, sizeof(self->dir), "+memory");
	if (ret == -ENOENT)
		SKIP(return, "no memory controller of cgroup v2");
	ASSERT_EQ(0, ret) TH_LOG("%s: %s", self->dir, strerror(-ret));
	/* Who reclaims is to wait there for the second page, with the first. */
	ret = ublk_start(&self->swap, 64, 12, 1, 4096);
	if (ret == -ENOENT || ret == -ENODEV)
		SKIP(return, "no ublk");
	ASSERT_EQ(0, ret) TH_LOG("%s", strerror(-ret));
	snprintf(command, sizeof(command), "mkswap -q %s", self->swap.path);
	ASSERT_EQ(0, system(command));
	self->on = !swapon(self->swap.path, 0);
	if (!self->on && errno == ENOSYS)
		SKIP(return, "no swap");
	ASSERT_TRUE(self->on) TH_LOG("%s", strerror(errno));
	for (i = 0; i < 2; i++) {
		ret = disk_create(&self->disk[i], 4, 9, NULL);
		if (ret == -ENODEV)
			SKIP(return, "no null_blk");
		ASSERT_EQ(0, ret);
	}
	self->steps = mmap(NULL, sizeof(*self->steps), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->steps);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		_exit(owner_main(self->steps, self->dir, self->disk[0].fd));
	for (i = 0; i < OTHERS; i++)
		ASSERT_EQ(0, other_start(&self->others[i],
					      self->disk[1].fd));
}

FIXTURE_TEARDOWN(full)
{
	int i;

	ublk_hold(&self->swap, false);
	for (i = 0; i < OTHERS; i++)
		other_stop(&self->others[i]);
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	disk_destroy(&self->disk[0]);
	disk_destroy(&self->disk[1]);
	if (self->on)
		swapoff(self->swap.path);
	ublk_stop(&self->swap);
	cg_remove(self->dir);
}

/* To the next CPU: see room() */
static void move(pid_t pid)
{
	static unsigned int last;
	cpu_set_t cpus, one;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return;
	do
		last = (last + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(last, &cpus));
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	sched_setaffinity(pid, sizeof(one), &one);
}

/* The owner's cgroup has so many pages now, and may have so many more. */
static int leave_pages(const char *dir, long pages)
{
	char text[32];
	long now;

	now = cg_get(dir, "memory.current", "", "");
	snprintf(text, sizeof(text), "%ld", now + pages * 4096);
	return now < 0 ? -EIO : cg_set(dir, "memory.max", text);
}

/*
 * How many pages the owner may take before it has to wait. What SET_NS allocates for its
 * owner alone takes three, and leaves so much of them over that what it allocates next
 * takes none, as long as the owner is on the same CPU, which keeps it for the cgroup.
 * That is why it is moved; and why most rounds leave three.
 */
static unsigned int room(unsigned int round)
{
	return round % 6 ? 3 : round / 6 % 3;
}

/*
 * Wherever in SET_NS an owner waits for memory, others do not wait with it: neither to take
 * a disk nor to give one back.
 */
TEST_F_TIMEOUT(full, others, test_limit(120))
{
	struct steps *steps = self->steps;
	unsigned int i, j, waited = 0;
	uint64_t end;

	for (i = 0; i < ROUNDS; i++) {
		step_begin(steps);
		ASSERT_EQ(0, step_end(steps));
		/* CPUs give back what they keep for the cgroup, by work items. */
		ASSERT_EQ(0, leave_pages(self->dir, -1));
		sleep_ms(20);
		ublk_hold(&self->swap, true);
		ASSERT_EQ(0, leave_pages(self->dir, room(i)));
		end = vng_now_ms() + test_timeout_ms();
		step_begin(steps);
		while (!step_done(steps) && !ublk_is_held(&self->swap) &&
		       vng_now_ms() < end)
			move(self->pid);
		for (j = 0; j < OTHERS; j++)
			ASSERT_TRUE(other_works(&self->others[j]))
				TH_LOG("round %u", i);
		waited += !step_done(steps);
		ublk_hold(&self->swap, false);
		ASSERT_EQ(0, cg_set(self->dir, "memory.max", "max"));
		ASSERT_EQ(0, step_end(steps));
		step_begin(steps);
		ASSERT_EQ(0, step_end(steps));
	}
	TH_LOG("it waited in %u of %u rounds", waited, ROUNDS);
	EXPECT_LT(0, waited);
}

TEST_HARNESS_MAIN
