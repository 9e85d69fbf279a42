/* SPDX-License-Identifier: GPL-2.0 */
/* A ready-made guest for the tests */
#ifndef BOX_H
#define BOX_H

#include "disk.h"
#include "vng.h"

/**
 * struct box - one controller with one namespace and one pair of queues
 * @g: the guest
 * @disk: what namespace 1 is
 * @cq: completion queue 1
 * @sq: submission queue 1
 */
struct box {
	struct vng	g;
	struct disk	disk;
	struct vng_cq	cq;
	struct vng_sq	sq;
};

/**
 * struct box_opts - what to make; zero means the default
 * @mib: guest memory, 32
 * @disk_mib: size of the disk, 64
 * @entries: of SQ 1, 64
 * @cq_entries: of CQ 1, as @entries
 * @lba_shift: 9
 * @page_shift: 12
 * @attrs: of the disk, for disk_create()
 * @path: a disk that exists, instead of one from disk_create()
 * @kind: of guest memory, VNG_MEM_ANON
 * @no_shadow: no shadow doorbells
 * @no_irq: CQ 1 without interrupt
 * @no_queues: neither CQ 1 nor SQ 1
 * @pin: guest memory is pinned as a whole
 * @poll_disks: disks with poll queues are polled
 * @poll_us: polling limit, 0
 */
struct box_opts {
	unsigned int	mib;
	unsigned int	disk_mib;
	unsigned int	entries;
	unsigned int	cq_entries;
	unsigned int	lba_shift;
	unsigned int	page_shift;
	const char	*attrs;
	const char	*path;
	enum vng_mem	kind;
	bool		no_shadow;
	bool		no_irq;
	bool		no_queues;
	bool		pin;
	bool		poll_disks;
	unsigned int	poll_us;
};

#define BOX_GPA	0x100000

/* -ENOENT: the module is not loaded; -ENODEV: no disk to be had */
int box_start(struct box *b, const struct box_opts *opts);

/* The same with a controller that is open and has no owner. */
int box_adopt(struct box *b, const struct vng *g, const struct box_opts *opts);

void box_stop(struct box *b);

/* Execute a command; its status, or -errno with vng_msg(). */
int box_exec(struct vng_sq *sq, struct vng_sqe *sqe);

/*
 * Copy to @dlba of namespace @nsid from the @nr ranges in guest memory at @buf; dword
 * 0 of the completion is stored.
 */
int box_copy(struct box *b, uint64_t buf, uint32_t nsid, uint64_t dlba,
	     unsigned int nr, uint32_t cdw12, uint32_t *dw0);

/* Read or write @len bytes at byte @off of namespace 1, as one command. */
int box_rw(struct box *b, uint8_t opcode, uint64_t off, uint64_t gpa,
	   size_t len);

/*
 * The same for any LBA, number of LBAs and NSID, good or bad, and with flags of
 * command dword 12; for all commands that look like Read.
 */
int box_io(struct box *b, uint64_t buf, uint8_t opcode, uint32_t nsid,
	   uint64_t slba, uint32_t nlb, uint32_t cdw12);

/* On namespace 1; the ranges are copied to @buf in guest memory. */
int box_write_zeroes(struct box *b, uint64_t slba, uint32_t nlb, uint32_t cdw12);
int box_dsm(struct box *b, uint64_t buf, const struct vng_dsm_range *range,
	    unsigned int nr, uint32_t attributes);

/*
 * Fill the disk from LBA @slba on with pattern_fill()'s; or compare: index of the
 * first byte that differs, or is not zero if @seed is 0, else -1.
 */
int box_fill(struct box *b, uint64_t slba, size_t len, uint64_t seed);
long box_check(struct box *b, uint64_t slba, size_t len, uint64_t seed);

#endif /* BOX_H */
