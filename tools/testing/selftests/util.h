/* SPDX-License-Identifier: GPL-2.0 */
/* Patterns, random numbers, looks into /proc */
#ifndef UTIL_H
#define UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* $VNG_SCALE and $VNG_TIMEOUT_MS, see test.h */
unsigned int test_scale(void);
unsigned int test_timeout_ms(void);

/* A time limit that is @seconds where neither of them is set */
int test_limit(unsigned int seconds);

/* Bytes that depend on @seed and on their position */
void pattern_fill(void *buf, size_t len, uint64_t seed);

/* Index of the first byte that differs from pattern_fill()'s, or -1 */
long pattern_check(const void *buf, size_t len, uint64_t seed);

/* Index of the first byte that is not @c, or -1 */
long mem_check(const void *buf, int c, size_t len);

/* Seed from $VNG_SEED or the clock; returned for printing. */
uint64_t random_seed(void);
uint64_t random_next(void);
static inline uint64_t random_below(uint64_t n)
{
	return random_next() % n;
}

/* Write @text to a file of the kernel's; 0 or -errno */
int write_file(const char *path, const char *text);

/* A counter of /proc/vmstat, or -1 */
long vmstat(const char *name);

/* Reference count of the module, or -1 */
int module_refcount(void);

/* Pages that are pinned now, whoever pinned them */
long pages_pinned(void);

/*
 * Wait until the disk can be opened exclusively, and as many pages are pinned and
 * references to the module held as were before; NULL, or what remains.
 */
const char *remains(const char *path, long pinned, int refcount);

/* User and system ticks of all threads whose name starts with @comm, or -1 */
long thread_ticks(pid_t pid, const char *comm);

/* Number of threads whose name starts with @comm */
int threads(pid_t pid, const char *comm);

/* State of the last of these threads, as 'S' for sleeping, or 0 */
char thread_state(pid_t pid, const char *comm);

/* Give up CAP_IPC_LOCK; 0 or -errno */
int drop_ipc_lock(void);

/* Set the limit on locked memory; 0 or -errno */
int set_memlock(rlim_t bytes);

void sleep_ms(unsigned int ms);
void sleep_us(unsigned int us);

#endif /* UTIL_H */
