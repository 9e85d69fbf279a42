// SPDX-License-Identifier: GPL-2.0
/*
 * cost - the I/O whose instructions are counted
 *
 *	cost DISK
 *
 * Runs one workload after the other on a disk, each between two marks for the
 * plugin (mark.h): a guest on /dev/vhost-nvme without a VM, and io_uring, which
 * is what a program on the host would use. For every window a line of JSON
 * describes it. The guest and its worker have a CPU each, so that the kernel's
 * instructions on the worker's CPU are the worker's.
 *
 * Windows come in pairs: I/O, and the same set-up without any, which shows what
 * one look at nothing costs.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <liburing.h>
#include <linux/fs.h>

#include "mark.h"
#include "vng.h"

#define GUEST_CPU	0
#define WORKER_CPU	1

#define PAGE		4096
#define KIB		1024
#define MIB		(1UL << 20)
/* Memory: rings and PRP lists, then data, which is as large in all workloads */
#define RING_BYTES	(16 * MIB)
#define DATA_BYTES	(63 * MIB)
#define DATA_GPA	(1UL << 32)
#define MAX_BATCH	64
#define MAX_PAGES	256
#define MAX_QUEUES	64
#define QUEUE_ENTRIES	128
#define IDLE_LOOKS	400
/* Turns of the worker's CPU in which it certainly falls asleep */
#define SLEEP_LOOKS	20

enum kind { GUEST, URING, SQPOLL };

/**
 * struct work - a workload
 * @name: what the report calls it
 * @kind: who does the I/O
 * @batch: commands per doorbell write, or per submission
 * @ios: commands while counting
 * @bytes: per command
 * @queues: guest: queue pairs, of which one is used; 0 for 1
 * @nss: guest: namespaces, all used; 0 for 1
 * @regions: guest: pieces of memory with data, all used; 0 for 1
 * @pinned: guest: its memory is pinned as a whole
 * @asleep: guest: the worker does not poll, and sleeps when a command comes
 * @sgl: guest: an SGL of one descriptor instead of PRPs
 * @scattered: no two pages of a command are neighbours
 * @registered: io_uring: registered buffers
 */
struct work {
	const char	*name;
	enum kind	kind;
	unsigned int	batch;
	unsigned int	ios;
	unsigned int	bytes;
	unsigned int	queues;
	unsigned int	nss;
	unsigned int	regions;
	bool		pinned;
	bool		asleep;
	bool		sgl;
	bool		scattered;
	bool		registered;
};

static const struct work works[] = {
	{ "guest-4k-b1", GUEST, 1, 1000, 4 * KIB },
	{ "guest-4k-b2", GUEST, 2, 1000, 4 * KIB },
	{ "guest-4k-b4", GUEST, 4, 2000, 4 * KIB },
	{ "guest-4k-b8", GUEST, 8, 2000, 4 * KIB },
	{ "guest-4k-b16", GUEST, 16, 4000, 4 * KIB },
	{ "guest-4k-b32", GUEST, 32, 6400, 4 * KIB },
	{ "pinned-4k-b1", GUEST, 1, 1000, 4 * KIB, .pinned = true },
	{ "pinned-4k-b8", GUEST, 8, 2000, 4 * KIB, .pinned = true },
	{ "pinned-4k-b32", GUEST, 32, 6400, 4 * KIB, .pinned = true },
	{ "guest-4k-b1-asleep", GUEST, 1, 1000, 4 * KIB, .asleep = true },
	{ "guest-4k-b32-asleep", GUEST, 32, 6400, 4 * KIB, .asleep = true },
	{ "uring-4k-b1", URING, 1, 1000, 4 * KIB, .registered = true },
	{ "uring-4k-b8", URING, 8, 2000, 4 * KIB, .registered = true },
	{ "uring-4k-b32", URING, 32, 6400, 4 * KIB, .registered = true },
	{ "sqpoll-4k-b1", SQPOLL, 1, 200, 4 * KIB, .registered = true },
	{ "sqpoll-4k-b32", SQPOLL, 32, 3200, 4 * KIB, .registered = true },
	{ "guest-4k-b1-64-queues", GUEST, 1, 1000, 4 * KIB, .queues = 64 },
	{ "guest-4k-b1-64-namespaces", GUEST, 1, 1000, 4 * KIB, .nss = 64 },
	{ "guest-4k-b1-64-regions", GUEST, 1, 1000, 4 * KIB, .regions = 63 },
	{ "guest-4k-b32-64-queues", GUEST, 32, 6400, 4 * KIB, .queues = 64 },
	{ "guest-4k-b32-64-namespaces", GUEST, 32, 6400, 4 * KIB, .nss = 64 },
	{ "guest-4k-b32-64-regions", GUEST, 32, 6400, 4 * KIB, .regions = 63 },
	{ "pinned-4k-b32-64-regions", GUEST, 32, 6400, 4 * KIB, .regions = 63,
	  .pinned = true },
	{ "guest-128k-b8", GUEST, 8, 400, 128 * KIB },
	{ "guest-128k-b8-scattered", GUEST, 8, 400, 128 * KIB, .scattered = true },
	{ "guest-128k-b8-sgl", GUEST, 8, 400, 128 * KIB, .sgl = true },
	{ "pinned-128k-b8", GUEST, 8, 400, 128 * KIB, .pinned = true },
	{ "pinned-128k-b8-sgl", GUEST, 8, 400, 128 * KIB, .pinned = true,
	  .sgl = true },
	{ "uring-4k-b8-unregistered", URING, 8, 2000, 4 * KIB },
	{ "uring-128k-b8-unregistered", URING, 8, 400, 128 * KIB },
	{ "uring-128k-b8-scattered", URING, 8, 400, 128 * KIB, .scattered = true },
	{ "uring-128k-b8", URING, 8, 400, 128 * KIB, .registered = true },
	{ "guest-1m-b8", GUEST, 8, 160, MIB },
	{ "guest-1m-b8-sgl", GUEST, 8, 160, MIB, .sgl = true },
	{ "guest-1m-b8-scattered", GUEST, 8, 160, MIB, .scattered = true },
	{ "pinned-1m-b8", GUEST, 8, 160, MIB, .pinned = true },
	{ "pinned-1m-b8-sgl", GUEST, 8, 160, MIB, .pinned = true, .sgl = true },
	{ "uring-1m-b8-unregistered", URING, 8, 160, MIB },
	{ "uring-1m-b8-scattered", URING, 8, 160, MIB, .scattered = true },
	{ "uring-1m-b8", URING, 8, 160, MIB, .registered = true },
};

static char *memory;		/* RING_BYTES + DATA_BYTES */
static uint64_t disk_bytes;
static uint64_t seed;

static unsigned int nr(unsigned int n)
{
	return n ?: 1;
}

static unsigned int pick(unsigned int n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

static uint64_t pick_offset(const struct work *w)
{
	return (uint64_t)pick(disk_bytes / w->bytes) * w->bytes;
}

static void relax(void)
{
	/* Where CPUs take turns, this one's ends here. */
	__asm__ volatile("pause" : : : "memory");
}

static void pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(tid, sizeof(set), &set))
		err(1, "sched_setaffinity");
}

static void pin_worker(void)
{
	char path[64], comm[32];
	struct dirent *d;
	DIR *dir = opendir("/proc/self/task");
	FILE *f;
	int found = 0;

	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm",
			 d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && !strncmp(comm, "vhost", 5)) {
			pin(atoi(d->d_name), WORKER_CPU);
			found++;
		}
		fclose(f);
	}
	if (dir)
		closedir(dir);
	if (found != 1)
		errx(1, "%d worker threads instead of one", found);
}

/* The machine's clock counts instructions. */
static uint64_t started, stopped;

static void start(void)
{
	MARK(MARK_START);
	started = __builtin_ia32_rdtsc();
}

static void stop(void)
{
	stopped = __builtin_ia32_rdtsc();
	MARK(MARK_STOP);
}

static void describe(const struct work *w, bool idle)
{
	static const char * const kinds[] = { "guest", "uring", "sqpoll" };

	printf("{\"name\": \"%s\", \"kind\": \"%s\", \"ios\": %u, \"batch\": %u, \"clock\": %llu",
	       w->name, kinds[w->kind], idle ? 0 : w->ios, w->batch,
	       (unsigned long long)(stopped - started));
}

/*
 * The guest
 */

struct guest {
	struct vng	g;
	struct vng_cq	cq[MAX_QUEUES];
	struct vng_sq	sq[MAX_QUEUES];
	uint64_t	list[MAX_BATCH];	/* a page for PRPs per command */
	uint64_t	region_bytes;
};

#define CHECK(g, call) do {						\
	if ((call) < 0)							\
		errx(1, "%s: %s", #call, vng_msg(g));			\
} while (0)

static uint64_t data_gpa(const struct guest *t, uint64_t off)
{
	/* Twice as far apart as they are long: no neighbours */
	return DATA_GPA + off / t->region_bytes * t->region_bytes * 2 +
	       off % t->region_bytes;
}

static void guest_open(struct guest *t, const struct work *w, int disk)
{
	struct vng *g = &t->g;
	unsigned int i;

	memset(t, 0, sizeof(*t));
	CHECK(g, vng_open(g));
	CHECK(g, vng_set_owner(g));
	pin_worker();
	if (w->pinned)
		CHECK(g, vng_set_features(g, 1ULL << VHOST_NVME_F_PIN));
	t->region_bytes = DATA_BYTES / nr(w->regions);
	CHECK(g, vng_mem_map(g, MIB, memory, RING_BYTES));
	for (i = 0; i < nr(w->regions); i++)
		CHECK(g, vng_mem_map(g, data_gpa(t, i * t->region_bytes),
				     memory + RING_BYTES + i * t->region_bytes,
				     t->region_bytes));
	CHECK(g, vng_mem_publish(g));
	CHECK(g, vng_set_poll(g, w->asleep ? 0 : g->caps.max_poll_us));
	for (i = 0; i < nr(w->nss); i++)
		CHECK(g, vng_set_ns(g, i + 1, disk, 9, 0, 0));
	CHECK(g, vng_dbbuf_on(g));
	for (i = 0; i < nr(w->queues); i++) {
		CHECK(g, vng_cq_create(g, &t->cq[i], i + 1, QUEUE_ENTRIES,
				       VNG_IEN | VNG_KICK));
		CHECK(g, vng_sq_create(g, &t->sq[i], i + 1, &t->cq[i],
				       QUEUE_ENTRIES, VNG_KICK));
	}
	for (i = 0; i < w->batch; i++)
		t->list[i] = vng_alloc(g, PAGE, PAGE);
}

static void guest_command(struct guest *t, const struct work *w, unsigned int i)
{
	unsigned int pages = w->bytes / PAGE, p;
	unsigned int all = DATA_BYTES / PAGE, first = pick(all / pages) * pages;
	uint64_t *list = vng_ptr(&t->g, t->list[i], PAGE);
	uint64_t gpa = data_gpa(t, (uint64_t)first * PAGE);
	struct vng_sqe sqe;

	vng_cmd_rw(&sqe, VNG_CMD_READ, pick(nr(w->nss)) + 1, pick_offset(w) >> 9,
		   w->bytes >> 9);
	sqe.cid = htole16(i);
	sqe.prp1 = htole64(gpa);
	for (p = 1; p < pages; p++)
		list[p - 1] = htole64(data_gpa(t, (uint64_t)(w->scattered ?
				pick(all) : first + p) * PAGE));
	if (w->sgl)
		vng_sgl_use(&sqe, VNG_SGL_DATA, gpa, w->bytes);
	else if (pages > 2)
		sqe.prp2 = htole64(t->list[i]);
	else if (pages == 2)
		sqe.prp2 = list[0];
	CHECK(&t->g, vng_sq_push(&t->sq[0], &sqe));
}

static void guest_run(struct guest *t, const struct work *w, unsigned int ios)
{
	struct vng_cq *cq = &t->cq[0];
	struct vng_cqe cqe;
	unsigned int i, got;
	bool moved;
	int n;

	for (; ios >= w->batch; ios -= w->batch) {
		for (i = 0; i < w->batch; i++)
			guest_command(t, w, i);
		CHECK(&t->g, vng_sq_ring(&t->sq[0]));
		moved = false;
		for (got = 0; got < w->batch; got += n) {
			n = vng_cq_peek(cq, &cqe);
			if (n < 0 || (n && vng_status(&cqe)))
				errx(1, "%s: status %#x: %s", w->name,
				     vng_status(&cqe), vng_msg(&t->g));
			if (n) {
				moved = true;
				continue;
			}
			/* As a driver's handler does after its last entry */
			if (moved)
				CHECK(&t->g, vng_cq_ring(cq));
			moved = false;
			relax();
		}
		CHECK(&t->g, vng_cq_ring(cq));
		for (i = 0; w->asleep && i < SLEEP_LOOKS; i++)
			relax();
	}
}

static void guest_stats(struct guest *t, struct vhost_nvme_stats *worker,
			struct vhost_nvme_stats *cq)
{
	CHECK(&t->g, vng_stats(&t->g, VHOST_NVME_STATS_WORKER, 0, worker));
	CHECK(&t->g, vng_stats(&t->g, VHOST_NVME_STATS_CQ, 1, cq));
}

static void guest_window(struct guest *t, const struct work *w, bool idle)
{
	struct vhost_nvme_stats worker[2], cq[2];
	unsigned int i;

	guest_stats(t, &worker[0], &cq[0]);
	if (idle) {
		start();
		for (i = 0; i < IDLE_LOOKS; i++)
			relax();
		stop();
	} else {
		start();
		guest_run(t, w, w->ios);
		stop();
	}
	guest_stats(t, &worker[1], &cq[1]);
	describe(w, idle);
	printf(", \"passes\": %llu, \"busy_passes\": %llu, \"wakeups\": %llu, \"irqs\": %llu}\n",
	       worker[1].passes - worker[0].passes,
	       worker[1].busy_passes - worker[0].busy_passes,
	       worker[1].wakeups - worker[0].wakeups,
	       cq[1].irqs - cq[0].irqs);
}

static void guest_work(const struct work *w, int disk)
{
	static struct guest t;

	guest_open(&t, w, disk);
	/* The worker stays awake from the second command on. */
	guest_run(&t, w, 32 * w->batch);
	guest_window(&t, w, false);
	guest_window(&t, w, true);
	vng_close(&t.g);
}

/*
 * io_uring, at its best: fixed file, one issuer, completions run by it
 */

static void uring_open(struct io_uring *ring, const struct work *w, int disk)
{
	struct iovec iov = { memory + RING_BYTES, DATA_BYTES };
	struct io_uring_params p = { 0 };
	int ret;

	p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	if (w->kind == SQPOLL) {
		p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SQPOLL |
			  IORING_SETUP_SQ_AFF;
		p.sq_thread_cpu = WORKER_CPU;
		p.sq_thread_idle = 60000;
	}
	ret = io_uring_queue_init_params(MAX_BATCH, ring, &p);
	if (ret)
		errx(1, "io_uring: %s", strerror(-ret));
	ret = io_uring_register_files(ring, &disk, 1);
	if (!ret && w->registered)
		ret = io_uring_register_buffers(ring, &iov, 1);
	if (ret)
		errx(1, "io_uring: registering: %s", strerror(-ret));
}

static void uring_command(struct io_uring *ring, const struct work *w,
			  struct iovec *iov)
{
	unsigned int pages = w->bytes / PAGE, p;
	unsigned int all = DATA_BYTES / PAGE, first = pick(all / pages) * pages;
	char *data = memory + RING_BYTES, *buf = data + first * PAGE;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	uint64_t off = pick_offset(w);

	if (w->scattered) {
		for (p = 0; p < pages; p++) {
			iov[p].iov_base = data + pick(all) * PAGE;
			iov[p].iov_len = PAGE;
		}
		io_uring_prep_readv(sqe, 0, iov, pages, off);
	} else if (w->registered) {
		io_uring_prep_read_fixed(sqe, 0, buf, w->bytes, off, 0);
	} else {
		io_uring_prep_read(sqe, 0, buf, w->bytes, off);
	}
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = w->bytes;
}

static void uring_reap(struct io_uring *ring, const struct work *w)
{
	struct io_uring_cqe *cqe;
	unsigned int got = 0;

	while (got < w->batch) {
		if (io_uring_peek_cqe(ring, &cqe)) {
			relax();
			continue;
		}
		if (cqe->res < 0 || (unsigned int)cqe->res != w->bytes)
			errx(1, "%s: result %d", w->name, cqe->res);
		io_uring_cqe_seen(ring, cqe);
		got++;
	}
}

static void uring_run(struct io_uring *ring, const struct work *w,
		      unsigned int ios)
{
	static struct iovec iov[MAX_BATCH][MAX_PAGES];
	unsigned int i;
	int ret;

	for (; ios >= w->batch; ios -= w->batch) {
		for (i = 0; i < w->batch; i++)
			uring_command(ring, w, iov[i]);
		ret = w->kind == SQPOLL ? io_uring_submit(ring) :
			io_uring_submit_and_wait(ring, w->batch);
		if (ret != (int)w->batch)
			errx(1, "%s: submitted %d", w->name, ret);
		uring_reap(ring, w);
	}
}

static void uring_work(const struct work *w, int disk)
{
	struct io_uring ring;
	unsigned int i;

	uring_open(&ring, w, disk);
	uring_run(&ring, w, 32 * w->batch);
	start();
	uring_run(&ring, w, w->ios);
	stop();
	describe(w, false);
	printf("}\n");

	start();
	for (i = 0; w->kind == SQPOLL && i < 8; i++)
		relax();
	stop();
	describe(w, true);
	printf("}\n");
	io_uring_queue_exit(&ring);
}

int main(int argc, char **argv)
{
	size_t i, size = RING_BYTES + DATA_BYTES + MIB;	/* whole huge pages */
	int disk;

	if (argc != 2)
		errx(2, "usage: cost DISK");
	setlinebuf(stdout);
	disk = open(argv[1], O_RDWR | O_DIRECT);
	if (disk < 0 || ioctl(disk, BLKGETSIZE64, &disk_bytes))
		err(1, "%s", argv[1]);

	/* Huge pages, as QEMU asks for */
	memory = mmap(NULL, size + 2 * MIB, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "memory");
	memory = (char *)(((uintptr_t)memory + 2 * MIB - 1) & -(2 * MIB));
	madvise(memory, size, MADV_HUGEPAGE);
	memset(memory, 1, RING_BYTES + DATA_BYTES);

	pin(0, GUEST_CPU);
	for (i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		/* Until the kernel has cleared away the last one's remains */
		sleep(2);
		seed = 1;
		fprintf(stderr, "%s\n", works[i].name);
		if (works[i].kind == GUEST)
			guest_work(&works[i], disk);
		else
			uring_work(&works[i], disk);
	}
	return 0;
}
