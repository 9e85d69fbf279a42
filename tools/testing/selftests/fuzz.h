/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the command fuzzer share: a guest whose memory and disks have
 * a model beside them, in which every byte is what it has to be.
 *
 *	fuzz_model.c	what a command may and must do
 *	fuzz_gen.c	commands by chance, good and bad
 *	fuzz_race.c	commands that are rewritten while they are executed
 *	fuzz_guided.c	which chance to take, by what the last one has reached
 *	fuzz.c		rounds, comparison with the model, results
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "rng.h"
#include "vng.h"

#define FUZZ_NS		5
#define FUZZ_DISKS	2
#define FUZZ_DISK_MIB	2
#define FUZZ_DISK_SIZE	((uint64_t)FUZZ_DISK_MIB << 20)
#define FUZZ_REGIONS	4
#define FUZZ_PAIRS	4	/* at most, of queues */
#define FUZZ_SQS	(FUZZ_PAIRS + 1)
#define FUZZ_SLOTS	16	/* commands in flight */

/*
 * Guest physical addresses. No command is told the first two, and while commands are
 * rewritten, no mixture of bytes of other addresses, lengths or blocks gives them.
 */
#define FUZZ_CONTROL	0x5a5a5a5a5a000000ULL	/* rings and doorbells */
#define FUZZ_CONTROL_SIZE	0x200000ULL
#define FUZZ_GUARD	0x5b5b5b5b5b000000ULL
#define FUZZ_GUARD_SIZE	0x40000ULL
#define FUZZ_DATA	0x1000000ULL
#define FUZZ_DATA_SIZE	0x100000ULL
#define FUZZ_NEAR	(FUZZ_DATA + FUZZ_DATA_SIZE)	/* next to it, but elsewhere */
#define FUZZ_NEAR_SIZE	0x40000ULL
#define FUZZ_LISTS	0x2000000ULL	/* PRP lists and SGL segments */
#define FUZZ_LISTS_SIZE	0x100000ULL
#define FUZZ_NOWHERE	0x3000000ULL	/* no memory from here to FUZZ_CONTROL */

/**
 * struct fuzz_region - guest memory
 * @gpa: its guest physical address
 * @size: bytes
 * @map: the mapping, with FUZZ_MARGIN bytes on both sides that no table knows
 * @hva: the memory
 * @model: what has to be in it; NULL for the rings'
 * @seen: for each byte: it has a value that the present Read was to bring
 */
struct fuzz_region {
	uint64_t	gpa;
	size_t		size;
	uint8_t		*map;
	uint8_t		*hva;
	uint8_t		*model;
	bool		*seen;
};

#define FUZZ_MARGIN	0x10000

/**
 * struct fuzz_disk - a disk
 * @d: it
 * @model: what has to be on it
 * @actual: room for what is
 * @discard: deallocated blocks read as zeroes, else they are as before
 */
struct fuzz_disk {
	struct disk	d;
	uint8_t		*model;
	uint8_t		*actual;
	bool		discard;
};

/**
 * struct fuzz_ns - a namespace
 * @disk: index of its disk
 * @flags: VHOST_NVME_NS_*
 * @shift: LBA size as a power of two
 * @nlb: size in LBAs
 * @mcl: limits of Copy: those of the namespace that is written, but for @mssrl
 * @mssrl: of them
 * @msrc: of them
 */
struct fuzz_ns {
	unsigned int	disk;
	uint32_t	flags;
	unsigned int	shift;
	uint64_t	nlb;
	uint32_t	mcl;
	uint16_t	mssrl;
	uint8_t		msrc;
};

/* What came of the commands with an opcode */
struct fuzz_count {
	uint64_t	good;
	uint64_t	bad;
};

/**
 * struct fuzz - a guest with a model
 * @rng: random numbers of the main thread
 * @seed: the round's
 * @g: the guest
 * @mem: regions of the model: data, near, lists, guard
 * @control: the rings' region
 * @disk: disks
 * @ns: namespaces; NSID 1 is the first
 * @max_transfer: most bytes of a Read, Write or Compare
 * @max_verify: most bytes of a Verify
 * @copy_formats: descriptor formats of Copy that are enabled, by bits
 * @cq: completion queues
 * @sq: submission queues; the last one shares CQ 1
 * @pairs: number of completion queues
 * @sqs: number of submission queues
 * @cid: the next command's
 * @count: by opcode, of the whole run
 * @status: by status, of the whole run
 * @raced: commands that were fetched while they were rewritten
 * @rounds: of the whole run
 * @verbose: print every command
 */
struct fuzz {
	struct rng		rng;
	uint64_t		seed;
	struct vng		g;
	struct fuzz_region	mem[FUZZ_REGIONS];
	struct fuzz_region	control;
	struct fuzz_disk	disk[FUZZ_DISKS];
	struct fuzz_ns		ns[FUZZ_NS];
	uint32_t		max_transfer;
	uint32_t		max_verify;
	uint32_t		copy_formats;
	struct vng_cq		cq[FUZZ_PAIRS];
	struct vng_sq		sq[FUZZ_SQS];
	unsigned int		pairs;
	unsigned int		sqs;
	uint16_t		cid;
	struct fuzz_count	count[256];
	uint64_t		status[0x800];
	uint64_t		raced;
	uint64_t		rounds;
	bool			verbose;
};

/**
 * struct fuzz_window - what a command may touch, so that commands in flight at the
 *	same time do not depend on each other
 * @data: guest physical addresses for data, from and to
 * @lists: for lists and segments, from and to
 * @near: all other memory of the model too
 * @disk: bytes of each disk, from and to
 */
struct fuzz_window {
	uint64_t	data[2];
	uint64_t	lists[2];
	bool		near;
	uint64_t	disk[FUZZ_DISKS][2];
};

/* A piece of a command's data; a bucket is nowhere. */
struct fuzz_piece {
	uint64_t	gpa;
	uint32_t	len;
	bool		bucket;
};

#define FUZZ_MAX_PIECES	4608	/* more than the 4096 descriptors of an SGL */
#define FUZZ_MAX_ERRORS	16

/**
 * struct fuzz_outcome - what the model expects of a command
 * @error: status codes of which it has to have one
 * @nr_errors: their number; 0: it has to succeed
 * @outside: it touches what its window does not have
 * @len: bytes of data
 * @piece: where the data is
 * @nr_pieces: their number
 * @params: ranges of Dataset Management and Copy
 * @fetched: bytes of lists, segments and ranges that it has to read
 */
struct fuzz_outcome {
	uint16_t		error[FUZZ_MAX_ERRORS];
	unsigned int		nr_errors;
	bool			outside;
	uint32_t		len;
	struct fuzz_piece	piece[FUZZ_MAX_PIECES];
	unsigned int		nr_pieces;
	uint8_t			params[256 * 32];
	uint64_t		fetched;
};

/* -- fuzz_model.c -- */

/*
 * Sets @f->ns: namespaces that share disks of @disk_size bytes, with other LBA sizes
 * and ends before the disk's: what is behind is nobody's.
 */
void model_namespaces(struct fuzz *f, uint64_t disk_size);

/*
 * Memory of the model at @gpa; @run is set to the bytes from there to the region's
 * end. NULL if there is none.
 */
uint8_t *model_ptr(struct fuzz *f, uint64_t gpa, uint64_t *run);

/* Write to the guest's memory and to its model; false if some of it is not memory. */
bool model_write(struct fuzz *f, uint64_t gpa, const void *buf, size_t len);

/* The pieces of @len bytes of data, and what is wrong with them */
void model_walk(struct fuzz *f, const struct fuzz_window *w,
		const struct vng_sqe *sqe, uint32_t len,
		struct fuzz_outcome *o);

/* Everything the model can tell before the command is executed */
void model_predict(struct fuzz *f, const struct fuzz_window *w,
		   const struct vng_sqe *sqe, struct fuzz_outcome *o);

/*
 * Check its completion, and the data that it has read, and do in the model what it
 * has done; 0 or -EPROTO with vng_msg().
 */
int model_apply(struct fuzz *f, const struct vng_sqe *sqe,
		const struct fuzz_outcome *o, const struct vng_cqe *cqe);

/* The namespace of a command, or NULL */
const struct fuzz_ns *model_ns(const struct fuzz *f, uint32_t nsid);

/* -- fuzz_gen.c -- */

/* A command, its lists and data; @o is what the model expects of it. */
void gen_command(struct fuzz *f, const struct fuzz_window *w,
		 struct vng_sqe *sqe, struct fuzz_outcome *o);

/* The window of everything, and one of FUZZ_SLOTS that have nothing in common */
struct fuzz_window gen_window_all(void);
struct fuzz_window gen_window_slot(unsigned int slot);

/* -- fuzz_race.c -- */

/*
 * @nr commands while another thread rewrites the rings' entries, lists and data: each
 * has one completion, whatever it has become. Then a reset. 0 or -errno with
 * vng_msg().
 */
int race_commands(struct fuzz *f, unsigned int nr);

/*
 * The same with doorbells that are rewritten as well: nobody can tell how many
 * completions there will be, but a reset ends it all.
 */
int race_doorbells(struct fuzz *f, unsigned int nr);

/* -- fuzz_guided.c -- */

/* 0 or -errno: -ENOENT on kernels without KCOV */
int guided_begin(uint64_t seed);

/* Print what came of it; false if nothing did. */
bool guided_end(void);

/*
 * Choose @f->rng for a controller, then a round of commands with that; false if there
 * is none left to repeat.
 */
bool guided_controller(struct fuzz *f);
int guided_round(struct fuzz *f);

/* -- fuzz.c -- */

/* Queues of a shape by chance, and shadow doorbells, perhaps or surely */
int fuzz_queues(struct fuzz *f, bool shadow);

/* Wait for the end of a reset, whatever else there is to hear of. */
int fuzz_reset_end(struct fuzz *f);

/* Execute a command, and check what it has done, or everything. */
int fuzz_one(struct fuzz *f, bool check);

/* Execute @nr commands, one at a time, and check everything. */
int fuzz_serial(struct fuzz *f, unsigned int nr);

/*
 * After commands that the model cannot follow: check what none of them may touch,
 * and take over the rest.
 */
int fuzz_adopt(struct fuzz *f);

#endif /* FUZZ_H */
