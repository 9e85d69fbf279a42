/* SPDX-License-Identifier: GPL-2.0 */
/* Failures that the kernel injects (Documentation/fault-injection of Linux) */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <sys/types.h>

#include "disk.h"

/* Can this kernel do that, and is debugfs mounted? */
bool fault_able(void);

/*
 * Has all allocations of memory, also those that may wait, and copies from and to
 * user space count as what can fail, without a word in the kernel log; 0 or -errno.
 */
int fault_begin(void);

/* No faults any more, and all settings as they were before fault_begin(). */
void fault_end(void);

/* For the next functions: a thread of this process, 0 for the calling one */
int fault_open(pid_t tid);

/* The thread's @nth allocation or copy from now on fails. */
int fault_arm(int fd, unsigned int nth);

/* No more; 1 if it has failed, 0 if the thread has not come so far. */
int fault_disarm(int fd);

/*
 * Of the allocations, copies and bios of marked tasks, so many in a hundred fail;
 * bios only of marked disks.
 */
int fault_percent(unsigned int percent);
int fault_mark_disk(const struct disk *d, bool on);

/* All threads of the process, or all kernel threads, whose name starts with @comm */
int fault_mark(pid_t pid, const char *comm);
int fault_mark_kthreads(const char *comm);

#endif /* FAULT_H */
