// SPDX-License-Identifier: GPL-2.0
/* The ioctl fuzzer: memory of several kinds, and what becomes of it */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <unistd.h>

#include "disk.h"
#include "fuzz_mem.h"
#include "kselftest.h"
#include "util.h"

/* Younger than some C libraries */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define HUGE_PAGES	(2 * AREAS)	/* copies of private ones, too */
#define SAME_PAGES	64		/* for KSM, in each of its areas */
#define SWAP_MIB	64

#define KSM_DIR		"/sys/kernel/mm/ksm"

enum kind { ANON, SHARED, HUGETLB, KSM, THP, KINDS };

/**
 * struct area - a part of guest memory
 * @kind: what it is made of
 * @flags: of its mappings
 * @file: that it maps, or -1
 * @page: size of its pages
 * @uffd: userfaultfd answers its faults
 */
struct area {
	enum kind	kind;
	int		flags;
	int		file;
	size_t		page;
	bool		uffd;
};

static struct area areas[AREAS];
static char *base;

/* Bytes of the pages that are equal, and of those that userfaultfd brings */
static char source[AREA_SIZE];

static struct disk swap_disk;

/* How the host was before, for as long as the run lasts */
static struct knob {
	const char	*path;
	const char	*value;	/* NULL: HUGE_PAGES more */
	char		old[32];
} knobs[] = {
	{ .path = "/proc/sys/vm/nr_hugepages" },
	{ .path = KSM_DIR "/pages_to_scan", .value = "100" },
	{ .path = KSM_DIR "/sleep_millisecs", .value = "10" },
	{ .path = KSM_DIR "/run", .value = "1" },
};

/* The kernel counts some of it itself, for the whole host. */
static struct {
	const char	*name;
	const char	*vmstat;
	long		before;
	bool		absent;
} events[MEM_EVENTS] = {
	[MEM_HUGETLB].name	= "hugetlb pages",
	[MEM_MERGED].name	= "pages merged by KSM",
	[MEM_UNMERGED].name	= "of KSM written",
	[MEM_UNMERGED].vmstat	= "cow_ksm",
	[MEM_THP].name		= "transparent huge pages",
	[MEM_THP].vmstat	= "thp_fault_alloc",
	[MEM_COLLAPSED].name	= "collapsed",
	[MEM_COLLAPSED].vmstat	= "thp_collapse_alloc",
	[MEM_SWAPPED].name	= "swapped out",
	[MEM_SWAPPED].vmstat	= "pswpout",
	[MEM_MIGRATED].name	= "migrated",
	[MEM_MIGRATED].vmstat	= "pgmigrate_success",
	[MEM_BALLOONED].name	= "ballooned",
	[MEM_PUNCHED].name	= "punched",
	[UFFD_COPY].name	= "faults copied",
	[UFFD_ZERO].name	= "zeroed",
	[UFFD_POISON].name	= "poisoned",
	[UFFD_CONTINUE].name	= "continued",
	[UFFD_UNPROTECT].name	= "unprotected",
	[UFFD_WORKER].name	= "of workers",
	[UFFD_NEVER].name	= "never answered",
};

static uint64_t *counts;	/* shared with all sequences */

void mem_count(enum mem_event event, uint64_t nr)
{
	__atomic_add_fetch(&counts[event], nr, __ATOMIC_RELAXED);
}

void mem_absent(enum mem_event event)
{
	events[event].absent = true;
}

void mem_print(void)
{
	char line[1024] = "";
	unsigned int i, n = 0;

	for (i = 0; i < MEM_EVENTS; i++) {
		if (events[i].vmstat)
			counts[i] = vmstat(events[i].vmstat) - events[i].before;
		if (events[i].absent)
			n += snprintf(line + n, sizeof(line) - n, ", no %s",
				      events[i].name);
		else
			n += snprintf(line + n, sizeof(line) - n, ", %llu %s",
				      (unsigned long long)counts[i],
				      events[i].name);
	}
	ksft_print_msg("fuzz_ioctl: memory: %s\n", line + 2);
}

/* The number in a file, behind a name or first; 0 if there is none */
static unsigned long number(const char *path, const char *name)
{
	unsigned long value = 0;
	char line[128];
	FILE *f;

	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name), NULL, 10);
	fclose(f);
	return value;
}

static bool knob_set(struct knob *k)
{
	char value[24];
	FILE *f;

	f = fopen(k->path, "r");
	if (!f)
		return false;
	if (!fgets(k->old, sizeof(k->old), f))
		k->old[0] = '\0';
	fclose(f);
	snprintf(value, sizeof(value), "%lu",
		 strtoul(k->old, NULL, 10) + HUGE_PAGES);
	return !write_file(k->path, k->value ?: value);
}

/* Memory can go somewhere only if there is something to swap to. */
static bool swap_begin(void)
{
	char command[128];
	int ret;

	ret = disk_create(&swap_disk, SWAP_MIB, 12, NULL);
	if (ret)
		return false;
	snprintf(command, sizeof(command), "mkswap -q %s", swap_disk.path);
	if (!system(command) && !swapon(swap_disk.path, 0))
		return true;
	disk_destroy(&swap_disk);
	swap_disk.path[0] = '\0';
	return false;
}

int mem_begin(void)
{
	bool ksm = true;
	unsigned int i;

	counts = mmap(NULL, MEM_EVENTS * sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		return -errno;
	memset(source, 0x5a, sizeof(source));
	uffd_begin(source);
	knob_set(&knobs[0]);
	if (!number("/proc/meminfo", "HugePages_Free:")) {
		ksft_print_msg("no huge pages: goes without\n");
		mem_absent(MEM_HUGETLB);
	}
	for (i = 1; i < ARRAY_SIZE(knobs); i++)
		ksm &= knob_set(&knobs[i]);
	if (!ksm)
		mem_absent(MEM_MERGED);
	for (i = 0; i < MEM_EVENTS; i++) {
		if (!events[i].vmstat)
			continue;
		events[i].before = vmstat(events[i].vmstat);
		events[i].absent = events[i].before < 0;
	}
	if (!swap_begin())
		mem_absent(MEM_SWAPPED);
	return 0;
}

void mem_end(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(knobs); i++)
		if (knobs[i].old[0])
			write_file(knobs[i].path, knobs[i].old);
	if (!swap_disk.path[0])
		return;
	if (swapoff(swap_disk.path))
		ksft_print_msg("swapoff: %s\n", strerror(errno));
	else
		disk_destroy(&swap_disk);
}

char *mem_at(uint64_t offset)
{
	return base + offset;
}

void mem_write(uint64_t offset, const void *buf, size_t len)
{
	struct iovec from = { (void *)buf, len }, to = { mem_at(offset), len };

	/* By way of the kernel, where no signal kills us; this may wait. */
	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) < 0)
		return;
}

/* As it is in the beginning, or again */
static bool area_map(struct rng *r, unsigned int i)
{
	struct area *a = &areas[i];
	char *p = mem_at(i * AREA_SIZE);

	if (mmap(p, AREA_SIZE, PROT_READ | PROT_WRITE, a->flags, a->file, 0) ==
	    MAP_FAILED)
		return false;
	/* By default, an area might be one huge page, and never of small ones. */
	if (a->kind != HUGETLB)
		madvise(p, AREA_SIZE, a->kind == THP ? MADV_HUGEPAGE :
						       MADV_NOHUGEPAGE);
	if (a->kind == KSM) {
		madvise(p, AREA_SIZE, MADV_MERGEABLE);
		mem_write(i * AREA_SIZE, source, SAME_PAGES * 4096);
	}
	if (a->uffd)
		uffd_register(r, p, a->page, a->file >= 0);
	return true;
}

static bool area_prepare(struct rng *r, unsigned int i)
{
	struct area *a = &areas[i];

	do {
		a->kind = rng_below(r, KINDS);
	} while (a->kind == HUGETLB && events[MEM_HUGETLB].absent);
	a->uffd = !events[UFFD_COPY].absent && rng_one_in(r, 3);
	a->page = a->kind == HUGETLB ? AREA_SIZE : 4096;
	a->file = -1;
	/* Who finds no huge page left gets a signal or an error, and not here. */
	a->flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
	if (a->kind != SHARED && a->kind != HUGETLB) {
		a->flags |= MAP_ANONYMOUS;
		return area_map(r, i);
	}
	a->file = memfd_create("fuzz", MFD_CLOEXEC |
			       (a->kind == HUGETLB ? MFD_HUGETLB : 0));
	if (a->file < 0 || ftruncate(a->file, AREA_SIZE))
		return false;
	if (!rng_one_in(r, 4))
		a->flags ^= MAP_PRIVATE | MAP_SHARED;
	/* Pages that are there and have no mapping yet, or none */
	if (rng_one_in(r, 2) && fallocate(a->file, 0, 0, AREA_SIZE / 4))
		return false;
	return area_map(r, i);
}

bool mem_prepare(struct rng *r)
{
	unsigned int i;
	char *p;

	p = mmap(NULL, (AREAS + 1) * AREA_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	base = (char *)(((uintptr_t)p + AREA_SIZE - 1) & ~(AREA_SIZE - 1));
	if (!uffd_prepare(r))
		return false;
	for (i = 0; i < AREAS; i++)
		if (!area_prepare(r, i))
			return false;
	return true;
}

void mem_done(void)
{
	mem_count(MEM_HUGETLB, number("/proc/self/status", "HugetlbPages:") * 1024 /
			       AREA_SIZE);
	mem_count(MEM_MERGED, number("/proc/self/ksm_merging_pages", ""));
}

/* What the kernel is told of it; some are a balloon's. */
static void mem_advise(struct rng *r, char *p, size_t len)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT,
		MADV_PAGEOUT, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_UNMERGEABLE,
		MADV_DONTFORK, MADV_DOFORK,
	};
	unsigned int i = rng_below(r, ARRAY_SIZE(advice));

	if (!madvise(p, len, advice[i]) && i < 3)
		mem_count(MEM_BALLOONED, 1);
}

/* The file loses pages, or its end. */
static void mem_cut(struct rng *r, const struct area *a, size_t off, size_t len)
{
	if (a->file < 0)
		return;
	if (rng_one_in(r, 2)) {
		if (ftruncate(a->file, rng_below(r, AREA_SIZE / a->page + 1) *
			      a->page))
			return;
	} else if (!fallocate(a->file, FALLOC_FL_PUNCH_HOLE |
			      FALLOC_FL_KEEP_SIZE, off, len)) {
		mem_count(MEM_PUNCHED, 1);
	}
}

void mem_step(struct rng *r)
{
	unsigned int i = rng_below(r, AREAS);
	size_t page = areas[i].page, off, len;
	char *p;

	off = rng_below(r, AREA_SIZE / page) * page;
	len = (1 + rng_below(r, 64)) * page;
	if (len > AREA_SIZE - off)
		len = AREA_SIZE - off;
	p = mem_at(i * AREA_SIZE + off);
	switch (rng_below(r, 16)) {
	case 0:
		munmap(p, len);
		break;
	case 1:
		mprotect(p, len, rng_one_in(r, 2) ? PROT_NONE : PROT_READ);
		break;
	case 2:
		/* What lies elsewhere comes here, and nothing is left there. */
		mremap(mem_at(rng_below(r, AREAS) * AREA_SIZE + off), len, len,
		       MREMAP_MAYMOVE | MREMAP_FIXED, p);
		break;
	case 3:
	case 4:
		area_map(r, i);
		break;
	case 5:
	case 6:
		mem_cut(r, &areas[i], off, len);
		break;
	case 7:
		madvise(p - off, AREA_SIZE, MADV_HUGEPAGE);
		madvise(p - off, AREA_SIZE, MADV_COLLAPSE);
		break;
	case 8:
		uffd_protect(p - off, AREA_SIZE);
		break;
	case 9:
		/* All that can move does. */
		if (rng_one_in(r, 64))
			write_file("/proc/sys/vm/compact_memory", "1");
		break;
	case 10:
		set_memlock(rng_below(r, AREA_PAGES) * 4096);
		break;
	default:
		mem_advise(r, p, len);
	}
}
