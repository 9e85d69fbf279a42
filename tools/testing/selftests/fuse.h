/* SPDX-License-Identifier: GPL-2.0 */
/* A file system of one file that a thread of the test serves, or lets wait */
#ifndef FUSE_H
#define FUSE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the file, all zero at first */
#define FUSE_SIZE	0x10000

/* What may be let wait */
enum fuse_op { FUSE_OP_READ, FUSE_OP_WRITE, FUSE_OPS };

/**
 * struct fuse - the file system
 * @dir: where it is mounted
 * @path: the file
 * @dev: /dev/fuse, or -1
 * @thread: serves it
 * @served: @thread exists
 * @inval: sends a notification, whose end may depend on @thread
 * @notified: @inval exists
 * @lock: the members below
 * @changed: one of them
 * @hold: for the thread: leave what begins at this byte unanswered, or -1
 * @held: an operation waits for that
 * @unique: which one that is
 * @len: its number of bytes
 */
struct fuse {
	char		dir[32];
	char		path[48];
	int		dev;
	pthread_t	thread;
	bool		served;
	pthread_t	inval;
	bool		notified;
	pthread_mutex_t	lock;
	pthread_cond_t	changed;
	int64_t		hold[FUSE_OPS];
	bool		held[FUSE_OPS];
	uint64_t	unique[FUSE_OPS];
	uint32_t	len[FUSE_OPS];
};

/* 0 or a negative errno; -ENODEV if the kernel has no FUSE */
int fuse_start(struct fuse *f);

/* What waits fails, and so does everything from then on. */
void fuse_stop(struct fuse *f);

/* The next operation of this kind at byte @off is to wait. */
void fuse_hold(struct fuse *f, enum fuse_op op, uint64_t off);

/* Whether there is one that waits, within the time limit */
bool fuse_is_held(struct fuse *f, enum fuse_op op);

/* None is to wait any more; the one that does is answered. */
void fuse_release(struct fuse *f, enum fuse_op op);

/*
 * Have a thread tell the kernel that the first page of the file is another now. The
 * kernel locks its page, and writes it back before it drops it. 0 or a negative errno
 */
int fuse_invalidate(struct fuse *f);

#endif /* FUSE_H */
