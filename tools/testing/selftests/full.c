// SPDX-License-Identifier: GPL-2.0
/*
 * An owner's cgroup has no more memory, and what it could give back goes to a disk that
 * does not answer. The owner waits for that; nobody else has to.
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
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

#define SIZE		(4UL << 20)
#define ROUNDS		40
#define MAX_PAGES	16

/* Another owner: takes a namespace and gives it back, over and over, while it may */
struct other {
	struct vng g;
	int disk;
	pthread_t thread;
	bool started;
	bool go;
	bool stop;
	unsigned int turns;
};

/* So many are in each other's way, and in the owner's: SET_NS takes longer then. */
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

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ret = cg_enter(dir) ?: vng_open(&g) ?: vng_set_owner(&g);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, SIZE, MADV_NOHUGEPAGE))
		return 1;
	for (i = 0; !ret; i++) {
		while (__atomic_load_n(&steps->todo, __ATOMIC_ACQUIRE) == i)
			sleep_us(200);
		switch (i % STEPS) {
		case STEP_FILL:
			/* These pages are the first to be swapped out. */
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
	printf("# owner: %s\n", vng_msg(&g));
	fflush(stdout);
	return 1;
}

static void step_begin(struct steps *steps)
{
	__atomic_store_n(&steps->todo, steps->todo + 1, __ATOMIC_RELEASE);
}

static bool step_done(struct steps *steps)
{
	return __atomic_load_n(&steps->done, __ATOMIC_ACQUIRE) == steps->todo;
}

/* Within the time limit of a wait; 0 or -errno, -ESRCH if the owner has ended */
static int step_end(struct steps *steps, pid_t *pid)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	while (!step_done(steps)) {
		if (waitpid(*pid, NULL, WNOHANG) == *pid) {
			*pid = 0;
			return -ESRCH;
		}
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
		if (!__atomic_load_n(&o->go, __ATOMIC_ACQUIRE)) {
			sleep_us(200);
			continue;
		}
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

static void others_go(struct other *o, bool go)
{
	unsigned int i;

	for (i = 0; i < OTHERS; i++)
		__atomic_store_n(&o[i].go, go, __ATOMIC_RELEASE);
}

/* Do all of them get on, within the time limit of a wait? */
static bool others_work(struct other *o)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	unsigned int first, i;

	for (i = 0; i < OTHERS; i++) {
		first = __atomic_load_n(&o[i].turns, __ATOMIC_ACQUIRE);
		while (__atomic_load_n(&o[i].turns, __ATOMIC_ACQUIRE) - first < 2) {
			if (vng_now_ms() > end)
				return false;
			sleep_us(200);
		}
	}
	return true;
}

/* Is there swap already? Then pages would go there. -1: the kernel has none */
static int swaps(void)
{
	FILE *f = fopen("/proc/swaps", "r");
	char line[256];
	int n = -1;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	return n;
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
	MODULE_SETUP();
	ret = swaps();
	if (ret)
		SKIP(return, ret < 0 ? "no swap" : "there is swap already");
	CGROUP_SETUP(self->dir, "+memory");
	cg_set(self->dir, "memory.zswap.max", "0");
	for (i = 0; i < 2; i++)
		DISK_SETUP(&self->disk[i], 4, 9, NULL);
	/* A page takes the only tag: who reclaims waits where it submits the next one. */
	ret = ublk_start(&self->swap, 16, 12, 1, 4096);
	if (ret == -ENOENT || ret == -ENODEV)
		SKIP(return, "no ublk");
	ASSERT_EQ(0, ret) TH_LOG("%s", strerror(-ret));
	snprintf(command, sizeof(command), "mkswap -q %s", self->swap.path);
	ASSERT_EQ(0, system(command));
	self->steps = mmap(NULL, sizeof(*self->steps), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->steps);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		_exit(owner_main(self->steps, self->dir, self->disk[0].fd));
	for (i = 0; i < OTHERS; i++)
		ASSERT_EQ(0, other_start(&self->others[i], self->disk[1].fd));
	/* What serves the swap is not to be in it. */
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	self->on = !swapon(self->swap.path, 0);
	ASSERT_TRUE(self->on) TH_LOG("%s", strerror(errno));
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

/* To the next CPU */
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

/* Limit the cgroup to what it has now, and so many pages more. */
static int leave_pages(const char *dir, long pages)
{
	long now = cg_get(dir, "memory.current", "", "");
	char text[32];

	snprintf(text, sizeof(text), "%ld", now + pages * 4096);
	return now < 0 ? -EIO : cg_set(dir, "memory.max", text);
}

/* The owner may take so many pages, and then has to wait; 0 or -errno */
static int before_set_ns(FIXTURE_DATA(full) *self, unsigned int room)
{
	int ret;

	step_begin(self->steps);
	/* To have less than there is, the kernel takes back what each CPU keeps for it. */
	ret = step_end(self->steps, &self->pid) ?: leave_pages(self->dir, -1);
	sleep_ms(20);
	if (!ret && !ublk_wait_idle(&self->swap))
		ret = -ETIMEDOUT;
	ublk_hold(&self->swap, true);
	return ret ?: leave_pages(self->dir, room);
}

/* Until it is done, or has to wait, or nothing happens */
static void during_set_ns(FIXTURE_DATA(full) *self, bool moving)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	step_begin(self->steps);
	while (!step_done(self->steps) && !ublk_is_held(&self->swap) &&
	       vng_now_ms() < end) {
		if (moving)
			move(self->pid);
		else
			sleep_us(200);
	}
}

static int after_set_ns(FIXTURE_DATA(full) *self)
{
	int ret;

	ublk_hold(&self->swap, false);
	ret = cg_set(self->dir, "memory.max", "max") ?:
	      step_end(self->steps, &self->pid);
	step_begin(self->steps);
	return ret ?: step_end(self->steps, &self->pid);
}

/*
 * Wherever in SET_NS an owner waits for memory, others do not wait with it: neither to take
 * a disk nor to give one back.
 *
 * Of the pages that it takes there, something is left over, which the CPU keeps for the
 * cgroup. So the last allocations take no page, and do not wait however little there is;
 * unless the owner is on another CPU by then. That is what it is moved for.
 */
TEST_F_TIMEOUT(full, others, test_limit(120))
{
	unsigned int i, same = 0, pages = 0, waited = 0, rounds;
	struct steps *steps = self->steps;

	/* How many it takes: so many that three times it does not wait */
	while (same < 3) {
		ASSERT_EQ(0, before_set_ns(self, pages));
		during_set_ns(self, false);
		sleep_ms(20);
		same++;
		if (!step_done(steps)) {
			pages++;
			same = 0;
		}
		ASSERT_EQ(0, after_set_ns(self));
		ASSERT_GT(MAX_PAGES, pages);
	}
	ASSERT_LT(0, pages);

	rounds = ROUNDS * test_scale();
	for (i = 0; i < rounds; i++) {
		/* Mostly those */
		ASSERT_EQ(0, before_set_ns(self, i % 6 ? pages : i / 6 % pages));
		others_go(self->others, true);
		ASSERT_TRUE(others_work(self->others));
		during_set_ns(self, true);
		ASSERT_TRUE(others_work(self->others)) TH_LOG("round %u", i);
		others_go(self->others, false);
		waited += !step_done(steps);
		ASSERT_EQ(0, after_set_ns(self));
	}
	TH_LOG("SET_NS takes %u pages; it waited in %u of %u rounds", pages, waited,
	       rounds);
	EXPECT_LT(0, waited);
}

TEST_HARNESS_MAIN
