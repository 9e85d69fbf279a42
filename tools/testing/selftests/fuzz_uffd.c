// SPDX-License-Identifier: GPL-2.0
/* The ioctl fuzzer: faults that userfaultfd answers, or nobody */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz_mem.h"
#include "util.h"

/* Younger than the headers of some distributions */
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON	(1 << 14)
#define UFFDIO_POISON		_IOWR(UFFDIO, 0x08, struct uffdio_poison)

struct uffdio_poison {
	struct uffdio_range	range;
	__u64			mode;
	__s64			updated;
};
#endif

#define FEATURES	(UFFD_FEATURE_PAGEFAULT_FLAG_WP |		\
			 UFFD_FEATURE_WP_HUGETLBFS_SHMEM |		\
			 UFFD_FEATURE_MISSING_HUGETLBFS |		\
			 UFFD_FEATURE_MISSING_SHMEM |			\
			 UFFD_FEATURE_MINOR_HUGETLBFS |			\
			 UFFD_FEATURE_MINOR_SHMEM |			\
			 UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_POISON)

static uint64_t features;	/* those that the kernel has of them */
static bool present;
static const char *source;
static int uffd = -1;
static struct rng uffd_rng;

/* Pages of an area: all are as large as its first. */
static size_t page_size[AREAS];

static int uffd_open(uint64_t *wanted)
{
	struct uffdio_api api = { .api = UFFD_API, .features = *wanted };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	*wanted = api.features;
	return fd;
}

void uffd_begin(const char *s)
{
	int fd = uffd_open(&features);
	unsigned int e;

	source = s;
	features &= FEATURES;
	present = fd >= 0;
	if (present)
		close(fd);
	for (e = UFFD_COPY; e <= UFFD_NEVER; e++)
		if (!present)
			mem_absent(e);
	if (!(features & UFFD_FEATURE_POISON))
		mem_absent(UFFD_POISON);
	if (!(features & UFFD_FEATURE_MINOR_SHMEM))
		mem_absent(UFFD_CONTINUE);
	if (!(features & UFFD_FEATURE_PAGEFAULT_FLAG_WP))
		mem_absent(UFFD_UNPROTECT);
}

/* Who has faulted is a thread of the module's. */
static bool is_worker(pid_t tid)
{
	char path[64], comm[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, comm, sizeof(comm) - 1) < 0)
		comm[0] = '\0';
	close(fd);
	return !strncmp(comm, "vhost-", 6);
}

/* Put something there; false with errno if that is not possible. */
static bool uffd_fill(struct rng *r, struct uffdio_range range)
{
	struct uffdio_poison poison = { .range = range };
	struct uffdio_zeropage zero = { .range = range };
	struct uffdio_copy copy = {
		.dst = range.start,
		.src = (uintptr_t)source,
		.len = range.len,
	};

	if (features & UFFD_FEATURE_POISON && rng_one_in(r, 16)) {
		mem_count(UFFD_POISON, 1);
		return !ioctl(uffd, UFFDIO_POISON, &poison);
	}
	/* A huge page cannot be had in that way. */
	if (range.len < AREA_SIZE && rng_one_in(r, 2)) {
		mem_count(UFFD_ZERO, 1);
		return !ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
	}
	mem_count(UFFD_COPY, 1);
	return !ioctl(uffd, UFFDIO_COPY, &copy);
}

static bool uffd_resolve(struct rng *r, uint64_t flags, struct uffdio_range range)
{
	struct uffdio_writeprotect wp = { .range = range };
	struct uffdio_continue cont = { .range = range };

	if (flags & UFFD_PAGEFAULT_FLAG_WP) {
		mem_count(UFFD_UNPROTECT, 1);
		return !ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
	}
	if (flags & UFFD_PAGEFAULT_FLAG_MINOR) {
		mem_count(UFFD_CONTINUE, 1);
		return !ioctl(uffd, UFFDIO_CONTINUE, &cont);
	}
	return uffd_fill(r, range);
}

/* For one page, or for some more, as one does who brings them all. */
static void uffd_answer(struct rng *r, const struct uffd_msg *msg)
{
	uint64_t at = msg->arg.pagefault.address - (uintptr_t)mem_at(0);
	size_t page = page_size[at / AREA_SIZE], left;
	struct uffdio_range range;

	at &= ~(page - 1);
	left = (AREA_SIZE - at % AREA_SIZE) / page;
	range.start = (uintptr_t)mem_at(at);
	range.len = page * (1 + rng_below(r, left < 64 ? left : 64));
	if (rng_one_in(r, 8))
		sleep_us(rng_below(r, 3000));
	if (uffd_resolve(r, msg->arg.pagefault.flags, range))
		return;
	/* What cannot be had: the fault is the kernel's, which may refuse. */
	if (errno != EEXIST && errno != EAGAIN)
		ioctl(uffd, UFFDIO_UNREGISTER, &range);
	ioctl(uffd, UFFDIO_WAKE, &range);
}

/* Some stop answering; they close, or the process ends while others still wait. */
static void *uffd_main(void *arg)
{
	unsigned int left = ~0U;
	struct rng *r = arg;
	struct uffd_msg msg;

	if (rng_one_in(r, 3))
		left = rng_below(r, 40);
	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		if (features & UFFD_FEATURE_THREAD_ID &&
		    is_worker(msg.arg.pagefault.feat.ptid))
			mem_count(UFFD_WORKER, 1);
		if (left--) {
			uffd_answer(r, &msg);
			continue;
		}
		mem_count(UFFD_NEVER, 1);
		sleep_us(rng_below(r, 30000));
		if (rng_one_in(r, 2))
			_exit(0);
		close(uffd);
		break;
	}
	return NULL;
}

bool uffd_prepare(struct rng *r)
{
	uint64_t wanted = features;
	pthread_t thread;

	if (!present)
		return true;
	uffd = uffd_open(&wanted);
	uffd_rng = (struct rng) { .state = rng_next(r) };
	return uffd >= 0 && !pthread_create(&thread, NULL, uffd_main, &uffd_rng);
}

void uffd_register(struct rng *r, char *area, size_t page, bool file)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)area, AREA_SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	page_size[(area - mem_at(0)) / AREA_SIZE] = page;
	if (file && features & UFFD_FEATURE_MINOR_SHMEM && rng_one_in(r, 2))
		reg.mode = UFFDIO_REGISTER_MODE_MINOR;
	if (features & UFFD_FEATURE_PAGEFAULT_FLAG_WP && rng_one_in(r, 2))
		reg.mode |= UFFDIO_REGISTER_MODE_WP;
	/* Without, they are faults as others. */
	ioctl(uffd, UFFDIO_REGISTER, &reg);
}

void uffd_protect(char *p, size_t len)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)p, len },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}
