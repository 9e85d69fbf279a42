/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's parsing of commands as a unit in user space: what the fuzzer sees of it,
 * without the kernel's names, and what its parts share.
 *
 *	unit.c		a controller with one queue around the module's own files
 *	mm.c		memory: allocations, guest pages, pinning, copying from the guest
 *	block.c		bios, and disks that are memory
 */
#ifndef USER_UNIT_H
#define USER_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNIT_NS		5
#define UNIT_DISKS	2
#define UNIT_REGIONS	5	/* the last one has the ring */
#define UNIT_PIECES	8	/* at most, of a region in the memory table */

/**
 * struct unit_config - a controller
 * @page_shift: memory page size
 * @pin: all memory is pinned
 * @write_through: no volatile write cache
 * @max_transfer: most bytes of a Read, Write or Compare
 * @max_verify: most bytes of a Verify
 * @copy_formats: descriptor formats of Copy that are enabled
 * @region: guest memory, and in how many parts the table has it
 * @folio_order: size of the folios of its pages, as a power of two
 * @disk: disks; @max_sectors and @max_segments of one transfer
 * @ns: namespaces
 * @rewritten: what the module has read of the guest's memory changes at once
 * @faults: one in so many allocations, copies or transfers fails; 0 for none
 * @seed: of all that may be one way or another
 */
struct unit_config {
	unsigned int	page_shift;
	bool		pin;
	bool		write_through;
	uint32_t	max_transfer;
	uint32_t	max_verify;
	uint32_t	copy_formats;
	struct {
		uint64_t	gpa;
		uint64_t	size;
		unsigned int	pieces;
	}		region[UNIT_REGIONS];
	unsigned int	folio_order;
	struct {
		uint64_t	size;
		unsigned int	max_sectors;
		unsigned int	max_segments;
		unsigned int	dma_mask;
		bool		nowait;
		bool		synchronous;
		bool		discard;
	}		disk[UNIT_DISKS];
	struct {
		unsigned int	disk;
		unsigned int	shift;
		uint64_t	nlb;
		uint32_t	mcl;
		uint16_t	mssrl;
		uint8_t		msrc;
		bool		rdonly;
		bool		nodealloc;
	}		ns[UNIT_NS];
	bool		rewritten;
	unsigned int	faults;
	uint64_t	seed;
};

/* A controller is made, executes commands, and is gone without a trace. */
void unit_open(const struct unit_config *config);
void unit_close(void);

/* Where a region's memory and a disk's blocks are */
uint8_t *unit_memory(unsigned int region);
uint8_t *unit_disk(unsigned int disk);

/* Execute a command; its status, without the phase tag, and dword 0. */
uint16_t unit_execute(const void *sqe, uint32_t *dw0);

/* Bytes that it has copied from guest memory, beside its data */
uint64_t unit_copied(void);

/* A memory table by chance, and looking for addresses in it */
void unit_try_table(uint64_t seed);

/* What ends the program with a stack trace, after @unit_failed */
void unit_fail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));
extern void (*unit_failed)(void);

#define unit_assert(condition, ...) \
	do { if (!(condition)) unit_fail(__VA_ARGS__); } while (0)

/*
 * For the parts of the unit
 */

/* Where the module believes itself to be */
extern enum unit_context {
	UNIT_OUTSIDE,
	UNIT_WORKER,
	UNIT_WORK,
	UNIT_IRQ,
} unit_context;

extern const struct unit_config *unit_config;

/* True once in @n times; and whether to fail for once */
bool unit_one_in(unsigned int n);
bool unit_fault(void);
uint64_t unit_random(void);

void mm_open(void);
void mm_remember(void);
void mm_check(bool all);
void *mm_region(unsigned int region);
void mm_enter(void);
void mm_leave(void);
extern uint64_t mm_copied;

void block_open(void);
bool block_run(void);
void block_start(void);
bool block_cached(unsigned int disk, bool now);
struct block_device *block_disk(unsigned int disk);

#endif /* USER_UNIT_H */
