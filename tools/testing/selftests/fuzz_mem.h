/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the ioctl fuzzer's sequences have as guest memory, and what becomes of it:
 *
 *	fuzz_mem.c	memory of several kinds, which vanishes, moves, is swapped, merged
 *	fuzz_uffd.c	faults that a thread of the sequence answers, late or never
 *	fuzz_ioctl.c	everything else
 */
#ifndef FUZZ_MEM_H
#define FUZZ_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rng.h"

#define AREAS		4		/* one after the other */
#define AREA_SIZE	0x200000UL	/* one huge page */
#define AREA_PAGES	(AREA_SIZE / 4096)

/* What is counted, over all sequences */
enum mem_event {
	MEM_HUGETLB, MEM_MERGED, MEM_UNMERGED, MEM_THP, MEM_COLLAPSED, MEM_SWAPPED,
	MEM_MIGRATED, MEM_BALLOONED, MEM_PUNCHED, UFFD_COPY, UFFD_ZERO, UFFD_POISON,
	UFFD_CONTINUE, UFFD_UNPROTECT, UFFD_WORKER, UFFD_NEVER, MEM_EVENTS,
};

/* For the whole run: what the host needs for it, and what it had before */
int mem_begin(void);
void mem_end(void);

/* The counts, in one comment line */
void mem_print(void);
void mem_count(enum mem_event event, uint64_t nr);
void mem_absent(enum mem_event event);

/* In a sequence, before it has more threads; false if there is no memory */
bool mem_prepare(struct rng *r);

/* Of a sequence that has come to its end */
void mem_done(void);

char *mem_at(uint64_t offset);

/* Writes to memory that may be gone. */
void mem_write(uint64_t offset, const void *buf, size_t len);

/* Something becomes of a part of it. */
void mem_step(struct rng *r);

/* Finds out what there is of userfaultfd; @source has what pages are filled with. */
void uffd_begin(const char *source);

/* In a sequence: a thread that answers */
bool uffd_prepare(struct rng *r);

/* Hand over faults on an area, of this page size; @file: on a file */
void uffd_register(struct rng *r, char *area, size_t page, bool file);

/* Have writes there fault. */
void uffd_protect(char *p, size_t len);

#endif /* FUZZ_MEM_H */
