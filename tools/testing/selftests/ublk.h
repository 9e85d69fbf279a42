/* SPDX-License-Identifier: GPL-2.0 */
/* A disk that a thread of the test serves: the driver ublk */
#ifndef UBLK_H
#define UBLK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct uring - an io_uring for commands of which each is waited for
 * @fd: file of the ring, or -1
 * @ring: the rings' memory, @ring_size bytes
 * @sqes: the submission queue's entries, @sqes_size bytes
 * @sq_tail: free-running tail
 * @sq_mask: of an index
 * @sqe_size: 64 or 128
 * @cq_head: head and tail of the completion queue
 * @cq_tail: see @cq_head
 * @cq_mask: of an index
 * @cqes: the completion queue's entries
 */
struct uring {
	int		fd;
	void		*ring;
	size_t		ring_size;
	char		*sqes;
	size_t		sqes_size;
	unsigned int	*sq_tail;
	unsigned int	sq_mask;
	unsigned int	sqe_size;
	unsigned int	*cq_head;
	unsigned int	*cq_tail;
	unsigned int	cq_mask;
	void		*cqes;
};

/**
 * struct ublk - the disk
 * @path: its device node
 * @id: its number, or -1
 * @control: /dev/ublk-control
 * @dev: /dev/ublkcN
 * @ctl: for commands to @control
 * @io: for commands to @dev, the thread's
 * @thread: serves the disk
 * @served: @thread exists
 * @depth: requests at a time
 * @max_io: bytes of each
 * @descs: what the disk is asked for, by tag
 * @buf: @depth buffers of @max_io bytes
 * @data: what is on the disk
 * @bytes: size
 * @hold: for the thread: answer no request
 * @held: one waits for that
 */
struct ublk {
	char		path[32];
	int		id;
	int		control;
	int		dev;
	struct uring	ctl;
	struct uring	io;
	pthread_t	thread;
	bool		served;
	unsigned int	depth;
	unsigned int	max_io;
	void		*descs;
	char		*buf;
	char		*data;
	uint64_t	bytes;
	bool		hold;
	bool		held;
};

/* 0, or a negative errno; -ENODEV or -ENOENT if the driver is not there */
int ublk_start(struct ublk *u, unsigned int mib, unsigned int lba_shift,
	       unsigned int depth, unsigned int max_io);

/* From now on, no request is answered; or all are again. */
void ublk_hold(struct ublk *u, bool hold);

/* A request waits for that. */
bool ublk_is_held(const struct ublk *u);

/* Wait until one does, or until there is no request, and see whether it came to that. */
bool ublk_wait_held(const struct ublk *u);
bool ublk_wait_idle(const struct ublk *u);

/* Nobody may have the disk open. */
void ublk_stop(struct ublk *u);

#endif /* UBLK_H */
