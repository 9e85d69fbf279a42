// SPDX-License-Identifier: GPL-2.0
/*
 * ioctls while there is no memory, and while copies from and to user space fail: the
 * kernel makes that up. What fails has changed nothing.
 */
#include <poll.h>
#include <sys/mman.h>

#include "fault.h"
#include "load.h"
#include "test.h"

/* More points that can fail than any call has, so that a loop over them ends */
#define MAX_POINTS	600

/* More ioctls than a life has */
#define MAX_CALLS	64

#define MIB		0x100000

/* What a controller holds of the host's */
struct held {
	long	pinned;		/* pages, by whomever */
	long	locked;		/* KiB that are charged to this process */
	int	refs;		/* of the module */
	int	workers;
};

static long locked_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long n = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %ld", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

static struct held held(void)
{
	return (struct held) {
		.pinned = vmstat("nr_foll_pin_acquired") -
			  vmstat("nr_foll_pin_released"),
		.locked = locked_kib(),
		.refs = module_refcount(),
		.workers = threads(getpid(), "vhost-nvme"),
	};
}

/* No more than that; some of it goes a little later. */
static bool settles(const struct held *want, char *msg, size_t size)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	struct held now;

	for (;;) {
		now = held();
		if (now.pinned <= want->pinned && now.locked <= want->locked &&
		    now.refs <= want->refs && now.workers <= want->workers)
			return true;
		if (vng_now_ms() > end)
			break;
		sleep_ms(2);
	}
	snprintf(msg, size,
		 "%ld pages pinned, %ld KiB locked, %d references, %d workers instead of %ld, %ld, %d, %d",
		 now.pinned, now.locked, now.refs, now.workers, want->pinned,
		 want->locked, want->refs, want->workers);
	return false;
}

/*
 * Faults in the ioctls of a library that does not know of them: each call fails at
 * its @nth point, has changed nothing then, and is repeated without a fault.
 *
 * @fd: of fault_open(), for this thread
 * @nth: which point; 0: no faults, but @before is filled in
 * @hits: calls that came to that point
 * @failed: calls that failed there
 * @calls: calls so far
 * @before: what is held before each call, in a life without faults
 * @watch: it is compared
 * @wrong: what was not as it should be, in words, or empty
 */
static struct {
	int		fd;
	unsigned int	nth;
	unsigned int	hits;
	unsigned int	failed;
	unsigned int	calls;
	struct held	before[MAX_CALLS];
	bool		watch;
	char		wrong[256];
} faulty;

/* What the UAPI header allows, where there is no memory or none of the caller's */
static bool fits(int err)
{
	return err == ENOMEM || err == EFAULT;
}

static void check_failure(unsigned int call, const char *what, int err)
{
	size_t n;
	char *p;

	faulty.failed++;
	if (faulty.wrong[0])
		return;
	n = snprintf(faulty.wrong, sizeof(faulty.wrong), "%s, point %u: ", what,
		     faulty.nth);
	p = faulty.wrong + n;
	n = sizeof(faulty.wrong) - n;
	if (!fits(err))
		snprintf(p, n, "%s", strerror(err));
	else if (!faulty.watch || call >= MAX_CALLS ||
		 settles(&faulty.before[call], p, n))
		faulty.wrong[0] = '\0';
}

static int faulty_ioctl(struct vng *g, unsigned long cmd, void *arg)
{
	unsigned int call = faulty.calls++;
	bool out = _IOC_DIR(cmd) & _IOC_READ;
	char copy[1024], what[32];
	int ret, err, hit;

	if (!faulty.nth) {
		if (faulty.watch && call < MAX_CALLS)
			faulty.before[call] = held();
		return ioctl(g->fd, cmd, arg);
	}
	if (out)
		memcpy(copy, arg, _IOC_SIZE(cmd));
	fault_arm(faulty.fd, faulty.nth);
	ret = ioctl(g->fd, cmd, arg);
	err = errno;
	hit = fault_disarm(faulty.fd);
	faulty.hits += hit == 1;
	errno = err;
	if (!ret || hit != 1)
		return ret;
	snprintf(what, sizeof(what), "ioctl %#x, call %u",
		 (unsigned int)_IOC_NR(cmd), call);
	check_failure(call, what, err);
	if (out)
		memcpy(arg, copy, _IOC_SIZE(cmd));
	return ioctl(g->fd, cmd, arg);
}

/* Opens the controller's file, with a fault, and if that fails without. */
static int faulty_open(struct vng *g)
{
	const char *dev = getenv("VNG_DEVICE") ?: "/dev/vhost-nvme";
	int fd, err, ret;

	if (faulty.nth) {
		fault_arm(faulty.fd, faulty.nth);
		fd = open(dev, O_RDWR | O_CLOEXEC);
		err = errno;
		faulty.hits += fault_disarm(faulty.fd) == 1;
		if (fd < 0)
			check_failure(0, "open", err);
		else
			close(fd);
	} else if (faulty.watch) {
		faulty.before[0] = held();
	}
	faulty.calls = 1;
	ret = vng_open(g);
	g->ioctl = faulty_ioctl;
	return ret;
}

/* Closing cannot fail, and leaves nothing. */
static void faulty_close(struct vng *g)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), ret, err;

	if (faulty.nth)
		fault_arm(faulty.fd, faulty.nth);
	ret = close(g->fd);
	err = errno;
	if (faulty.nth)
		faulty.hits += fault_disarm(faulty.fd) == 1;
	if (ret && !faulty.wrong[0])
		snprintf(faulty.wrong, sizeof(faulty.wrong), "close: %s",
			 strerror(err));
	/* The library frees the rest. */
	g->fd = null;
	vng_close(g);
}

/* An event whose copy fails is read again. */
static int faulty_event(struct vng *g, uint32_t type, uint32_t id)
{
	struct pollfd pfd = { .fd = g->fd, .events = POLLIN };
	struct vhost_nvme_event ev;
	ssize_t n;
	int err, hit;

	if (!faulty.nth)
		return vng_event_wait(g, type, id);
	if (poll(&pfd, 1, g->timeout_ms) != 1)
		return vng_fail(g, -ETIMEDOUT, "no event %u of %u", type, id);
	fault_arm(faulty.fd, faulty.nth);
	n = read(g->fd, &ev, sizeof(ev));
	err = errno;
	hit = fault_disarm(faulty.fd);
	faulty.hits += hit == 1;
	if (n < 0 && hit == 1) {
		faulty.failed++;
		return fits(err) ? vng_event_wait(g, type, id) :
				   vng_fail(g, -err, "read of an event");
	}
	if (n != sizeof(ev) || ev.type != type || ev.id != id)
		return vng_fail(g, -EPROTO, "event %u of %u", ev.type, ev.id);
	return 0;
}

/*
 * A controller's whole life
 */

FIXTURE(inject) {
	struct disk disk;
	struct disk other;
	struct held before;
};

FIXTURE_VARIANT(inject) {
	bool pin;
	unsigned int poll_us;
	unsigned int workers;
};

FIXTURE_VARIANT_ADD(inject, plain) { .workers = 1 };
FIXTURE_VARIANT_ADD(inject, pinned) {
	.pin = true, .poll_us = 200, .workers = 2,
};

FIXTURE_SETUP(inject)
{
	self->disk.fd = -1;
	self->disk.check = -1;
	self->other = self->disk;
	if (!fault_able())
		SKIP(return, "this kernel cannot inject faults");
	MODULE_SETUP();
	DISK_SETUP(&self->disk, 32, 9, "discard=1");
	ASSERT_EQ(0, disk_create(&self->other, 8, 9, NULL));
	ASSERT_EQ(0, fault_begin());
	faulty.fd = fault_open(0);
	ASSERT_LE(0, faulty.fd);
	self->before = held();
}

FIXTURE_TEARDOWN(inject)
{
	fault_end();
	disk_destroy(&self->disk);
	disk_destroy(&self->other);
}

#define EXPECT_NOTHING_HELD()						\
do {									\
	char __msg[256];						\
									\
	EXPECT_TRUE(settles(&self->before, __msg, sizeof(__msg)))	\
		TH_LOG("%s", __msg);					\
} while (0)

/* A piece of guest memory whose pages are there, so that pinning needs none */
static int mem_add(struct vng *g, uint64_t gpa, size_t size)
{
	int i = vng_mem_add(g, VNG_MEM_ANON, gpa, size);

	if (i < 0)
		return i;
	madvise(g->region[i].hva, size, MADV_NOHUGEPAGE);
	memset(g->region[i].hva, 0xa5, size);
	return vng_mem_publish(g);
}

/* Writes and reads @len bytes by a list of PRPs, and compares them. */
static int verified_io(struct vng_sq *sq, uint32_t nsid, uint64_t buf, size_t len)
{
	static uint64_t seed;
	struct vng *g = sq->g;
	void *p = vng_ptr(g, buf, len);
	uint64_t mark = g->next;
	struct vng_sqe sqe;
	int ret;

	pattern_fill(p, len, ++seed);
	vng_cmd_rw(&sqe, VNG_CMD_WRITE, nsid, 8, len / 512);
	ret = vng_prp_contig(g, &sqe, buf, len) ?: box_exec(sq, &sqe);
	if (!ret) {
		memset(p, 0, len);
		sqe.opcode = VNG_CMD_READ;
		ret = box_exec(sq, &sqe);
	}
	g->next = mark;
	if (ret > 0)
		return vng_fail(g, -EIO, "status %#x", ret);
	if (!ret && pattern_check(p, len, seed) >= 0)
		return vng_fail(g, -EILSEQ, "wrong data");
	return ret;
}

/* Everything that asks, and does not change */
static int ask(struct vng *g)
{
	struct vhost_nvme_error error[2];
	struct vhost_nvme_errors errors = {
		.entries = (uintptr_t)error, .nr = 2,
	};
	struct vhost_nvme_stats stats;
	uint64_t features;

	return vng_ioctl(g, VHOST_NVME_GET_CAPS, &g->caps, "GET_CAPS") ?:
	       vng_ioctl(g, VHOST_GET_FEATURES, &features, "GET_FEATURES") ?:
	       vng_stats(g, VHOST_NVME_STATS_SQ, 1, &stats) ?:
	       vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &stats) ?:
	       vng_stats(g, VHOST_NVME_STATS_NS, 1, &stats) ?:
	       vng_ioctl(g, VHOST_NVME_GET_ERRORS, &errors, "GET_ERRORS");
}

static int set_coalesce(struct vng *g, uint16_t cqid)
{
	struct vhost_nvme_coalesce arg = { .cqid = cqid };

	return vng_ioctl(g, VHOST_NVME_SET_COALESCE, &arg, "SET_COALESCE");
}

static int ring_bell(struct vng *g, uint16_t qid)
{
	struct vhost_nvme_doorbell arg = { .qid = qid };

	return vng_ioctl(g, VHOST_NVME_DOORBELL, &arg, "DOORBELL");
}

/* Another namespace, region and pair of queues come, are used, and go. */
static int guests_come(struct vng *g, struct disk *other, unsigned int worker)
{
	struct vng_cq cq = { .worker = worker };
	struct vng_sq sq = { 0 };
	uint64_t mark = g->next, gpa = 1ULL << 40;
	size_t size = 65536;
	void *hva;
	int ret;

	ret = vng_set_ns(g, 2, other->fd, 9, 0, 0) ?:
	      mem_add(g, gpa, size) ?:
	      vng_cq_create(g, &cq, 2, 16, VNG_IEN | VNG_KICK) ?:
	      vng_sq_create(g, &sq, 2, &cq, 64, VNG_KICK) ?:
	      verified_io(&sq, 2, gpa, 16384) ?:
	      vng_sq_delete(&sq) ?:
	      faulty_event(g, VHOST_NVME_EVENT_SQ_DELETED, 2);
	if (g->sq[2])
		vng_sq_drop(&sq);
	ret = ret ?: vng_cq_delete(&cq);
	ret = ret ?: vng_set_ns(g, 2, -1, 0, 0, 0);
	ret = ret ?: vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2);
	if (ret)
		return ret;
	g->next = mark;
	hva = vng_ptr(g, gpa, size);
	vng_mem_del(g, g->nr_regions - 1);
	ret = vng_mem_publish(g);
	munmap(hva, size);
	return ret;
}

/* @g, queues and all, is only good for vng_close() if this fails. */
static int life(struct vng *g, struct disk *disk, struct disk *other, bool pin,
		uint32_t poll_us, unsigned int workers)
{
	struct vng_cq cq = { 0 };
	struct vng_sq sq = { 0 };
	uint64_t buf = 0;
	int ret;

	faulty.hits = 0;
	ret = faulty_open(g);
	if (ret)
		return ret;
	ret = vng_set_owner(g) ?:
	      vng_set_features(g, (uint64_t)pin << VHOST_NVME_F_PIN) ?:
	      mem_add(g, BOX_GPA, MIB) ?:
	      vng_set_ns(g, 1, disk->fd, 9, 0, 0) ?:
	      vng_set_workers(g, workers + 1) ?:
	      vng_set_workers(g, workers) ?:
	      vng_set_poll(g, poll_us) ?:
	      vng_set_ctrl(g, 0, 0, 0, 0) ?:
	      vng_dbbuf_on(g) ?:
	      vng_cq_create(g, &cq, 1, 128, VNG_IEN | VNG_KICK) ?:
	      vng_sq_create(g, &sq, 1, &cq, 128, VNG_KICK) ?:
	      set_coalesce(g, 1) ?:
	      ring_bell(g, 1);
	if (!ret) {
		buf = vng_alloc(g, 65536, 4096);
		ret = verified_io(&sq, 1, buf, 65536);
	}
	ret = ret ?: guests_come(g, other, workers - 1);
	ret = ret ?: verified_io(&sq, 1, buf, 65536);
	ret = ret ?: ask(g);
	ret = ret ?: vng_reset(g);
	ret = ret ?: faulty_event(g, VHOST_NVME_EVENT_RESET_DONE, 0);
	faulty_close(g);
	return ret;
}

/*
 * One life after the other, in which each ioctl fails at its first, second ... point
 * until none comes so far.
 */
TEST_F_TIMEOUT(inject, lives, test_limit(120))
{
	unsigned int hits = 0;
	struct vng vng, *g = &vng;

	faulty.watch = true;
	for (faulty.nth = 0; faulty.nth < MAX_POINTS; faulty.nth++) {
		ASSERT_EQ(0, life(g, &self->disk, &self->other, variant->pin,
				  variant->poll_us, variant->workers))
			TH_LOG("point %u: %s", faulty.nth, vng_msg(g));
		ASSERT_EQ(0, faulty.wrong[0]) TH_LOG("%s", faulty.wrong);
		EXPECT_NOTHING_HELD();
		hits += faulty.hits;
		if (faulty.nth && !faulty.hits)
			break;
	}
	TH_LOG("%u faults in %u lives, %u calls failed", hits, faulty.nth,
	       faulty.failed);
	EXPECT_GT(MAX_POINTS, faulty.nth);
	EXPECT_LT(0, faulty.failed);
}

/* The same while another pair of queues is busy, and does not notice. */
TEST_F_TIMEOUT(inject, neighbours, test_limit(120))
{
	struct box_opts opts = {
		.path = self->disk.path, .pin = variant->pin, .mib = 2,
		.poll_us = variant->poll_us,
	};
	struct load load = { .nsid = 1 };
	struct box box;
	struct vng *g = &box.g;

	close(self->disk.fd);
	self->disk.fd = -1;
	ASSERT_EQ(0, load_fill(&self->disk));
	OK(box_start(&box, &opts));
	load.sq = &box.sq;
	load.buf = vng_alloc(g, LOAD_DEPTH * LOAD_IO, 4096);
	OK(load_start(&load));
	for (faulty.nth = 1; faulty.nth < MAX_POINTS; faulty.nth++) {
		struct vng mine = *g;

		faulty.hits = 0;
		mine.ioctl = faulty_ioctl;
		ASSERT_EQ(0, guests_come(&mine, &self->other, 0))
			TH_LOG("point %u: %s", faulty.nth, vng_msg(&mine));
		ASSERT_EQ(0, faulty.wrong[0]) TH_LOG("%s", faulty.wrong);
		OK(load_progress(&load, 10));
		if (!faulty.hits)
			break;
	}
	EXPECT_GT(MAX_POINTS, faulty.nth);
	EXPECT_LT(0, faulty.failed);
	OK(load_finish(&load));
	box_stop(&box);
	EXPECT_NOTHING_HELD();
}

TEST_HARNESS_MAIN
