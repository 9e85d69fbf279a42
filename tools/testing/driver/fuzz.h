/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the guest's fuzzer share: the same commands go to two controllers,
 * of which nothing may differ but what fuzz_known.c names.
 *
 *	fuzz.c		rounds, comparison, results
 *	fuzz_gen.c	commands by chance, good and bad
 *	fuzz_known.c	what a command's data pointer leads to; known differences
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "../selftests/rng.h"
#include "driver.h"

/*
 * The huge page that commands may address, the same for both controllers: data, then
 * PRP lists and SGL segments, then room for what starts there and is too long. The
 * rest of it is a guard.
 */
#define DATA_SIZE	0x40000UL
#define LISTS_SIZE	0x10000UL
#define MOST_DATA	0x40000UL	/* more than a namespace has */
#define ARENA_SIZE	(DATA_SIZE + LISTS_SIZE + MOST_DATA)

/* No guest of ours has memory from here on, or devices. */
#define NOWHERE		(1ULL << 44)

#define NAMESPACES	4
#define MAX_NSID	5
#define MOST_SLOTS	16	/* commands in flight */
#define MAX_PIECES	2048
#define MAX_PARAMS	(256 * 40)

/**
 * struct ns - a namespace, the same for both controllers
 * @nsid: its identifier
 * @shift: size of its logical blocks as a power of two
 * @blocks: their number
 * @read_only: it cannot be written
 * @content: what has to be in it
 */
struct ns {
	uint32_t	nsid;
	unsigned int	shift;
	uint64_t	blocks;
	bool		read_only;
	uint8_t		*content;
};

/**
 * struct piece - some of a command's data
 * @at: offset in the arena
 * @len: bytes
 */
struct piece {
	uint32_t	at;
	uint32_t	len;
};

/* What is special about a command and its data pointer */
enum {
	PRP1_ODD	= 1 << 0,	/* not at a dword */
	LIST_ODD	= 1 << 1,	/* a PRP list that is not at a qword */
	PRP_OFFSET	= 1 << 2,	/* an entry within a page */
	NO_MEMORY	= 1 << 3,	/* data or a list where nothing is */
	SGL_BUCKET	= 1 << 4,	/* a bit bucket */
	SGL_LEADS_ON	= 1 << 5,	/* a segment that has no data */
	SGL_UNSEEN	= 1 << 6,	/* a sub type, a segment not at a qword */
	SGL_BAD		= 1 << 7,	/* any other mistake in an SGL */
	MANY_PIECES	= 1 << 8,	/* more than QEMU maps */
	/* Goes to memory that is not the test's: not to be sent */
	UNSAFE		= 1 << 9,
};

/**
 * struct command - a command by chance
 * @sqe: the command
 * @admin: it is one for the admin queue
 * @len: bytes of data, or of parameters
 * @traits: what is special about it
 * @piece: where its data is
 * @pieces: number of them
 * @params: parameters of Dataset Management and Copy
 */
struct command {
	struct sqe	sqe;
	bool		admin;
	uint32_t	len;
	uint32_t	traits;
	struct piece	piece[MAX_PIECES];
	unsigned int	pieces;
	uint8_t		params[MAX_PARAMS];
};

/**
 * struct window - what a command may use, so that commands that are in flight at the
 *	same time have nothing in common
 * @data: offsets in the arena, from and to
 * @lists: the same
 * @slot: its part of each namespace
 * @slots: number of parts
 */
struct window {
	uint32_t	data[2];
	uint32_t	lists[2];
	unsigned int	slot;
	unsigned int	slots;
};

/**
 * struct fuzz - what both controllers have in common
 * @rng: random numbers
 * @ns: namespaces
 * @arena: memory that commands may address
 * @addr: its physical address
 * @page: size of the controllers' memory pages
 */
struct fuzz {
	struct rng	rng;
	struct ns	ns[NAMESPACES];
	uint8_t		*arena;
	uint64_t	addr;
	size_t		page;
};

/* What came of a command at one of the controllers */
struct outcome {
	uint16_t	status;
	uint32_t	dw0;
};

/* What differs */
enum {
	DIFF_STATUS	= 1 << 0,
	DIFF_DW0	= 1 << 1,
	DIFF_MEMORY	= 1 << 2,
	DIFF_DISK	= 1 << 3,
};

/* -- fuzz_gen.c -- */

/* One that should succeed */
void gen_good(struct fuzz *f, const struct window *w, struct command *cmd);

/* One that may have a mistake */
void gen_any(struct fuzz *f, const struct window *w, struct command *cmd);

/* An admin command that does not change what others do */
void gen_admin(struct fuzz *f, const struct window *w, struct command *cmd);

/* -- fuzz_known.c -- */

/* The namespace with that identifier, or NULL */
const struct ns *find_ns(const struct fuzz *f, uint32_t nsid);

/* Could it change what is in a namespace? */
bool may_write(const struct command *cmd);

/* Follow the data pointer: sets len, traits, piece, pieces and params. */
void walk(const struct fuzz *f, struct command *cmd);

/* Copy data to where the command's data pointer leads */
void scatter(const struct fuzz *f, const struct command *cmd, const void *data);

/*
 * Why this command may have another outcome, or NULL. @diff: what differs; @inside: the
 * difference in memory is in the command's own buffer.
 */
const char *known_difference(const struct fuzz *f, const struct command *cmd,
			     const struct outcome *off, const struct outcome *on,
			     unsigned int diff, bool inside);

#endif /* FUZZ_H */
