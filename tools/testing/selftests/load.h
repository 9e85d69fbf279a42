/* SPDX-License-Identifier: GPL-2.0 */
/* A thread that keeps a pair of queues busy and checks the data */
#ifndef LOAD_H
#define LOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "box.h"

#define LOAD_DEPTH	16
#define LOAD_IO		4096

/**
 * struct load - what to do, and what came of it
 * @sq: the queue; its CQ belongs to the thread too
 * @nsid: namespace, which load_fill() has filled
 * @buf: LOAD_DEPTH buffers of LOAD_IO bytes
 * @lossy: the queues may end at any time: silence is no error
 * @tolerate: status, without DNR, that is no error; or 0
 * @stop: for the thread: finish what is in flight, then end
 * @abandon: for the thread: end at once
 * @thread: the thread
 * @submitted: commands sent
 * @completed: commands that came back
 * @refused: of them, with @tolerate as status
 * @ret: 0 or -errno, with the words in @msg
 */
struct load {
	struct vng_sq	*sq;
	uint32_t	nsid;
	uint64_t	buf;
	bool		lossy;
	uint16_t	tolerate;
	bool		stop;
	bool		abandon;
	pthread_t	thread;
	uint64_t	submitted;
	uint64_t	completed;
	uint64_t	refused;
	int		ret;
	char		msg[256];
};

/* Give the disk the contents that the loads expect. */
int load_fill(struct disk *d);

/* Start; all members up to @tolerate are set. */
int load_start(struct load *l);

/* Let the load make some progress; 0 or -errno. */
int load_progress(struct load *l, uint64_t commands);

/* Stop it, with or without its commands in flight; 0 or -errno. */
int load_finish(struct load *l);
int load_abandon(struct load *l);

#endif /* LOAD_H */
