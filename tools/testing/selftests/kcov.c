// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "kcov.h"

#define KCOV_WORDS		0x100000
#define KCOV_THREAD_WORDS	0x10000	/* of one pass of a thread */

int kcov_begin(struct kcov *kcov)
{
	struct kcov_remote_arg arg = {
		.trace_mode = KCOV_TRACE_PC,
		.area_size = KCOV_THREAD_WORDS,
		.common_handle = kcov_remote_handle(KCOV_SUBSYSTEM_COMMON,
						    getpid()),
	};
	int err;

	kcov->fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov->fd < 0)
		return -errno;
	if (ioctl(kcov->fd, KCOV_INIT_TRACE, KCOV_WORDS))
		goto err_close;
	kcov->buffer = mmap(NULL, KCOV_WORDS * sizeof(*kcov->buffer),
			    PROT_READ | PROT_WRITE, MAP_SHARED, kcov->fd, 0);
	if (kcov->buffer == MAP_FAILED)
		goto err_close;
	if (ioctl(kcov->fd, KCOV_REMOTE_ENABLE, &arg))
		goto err_unmap;
	return 0;

err_unmap:
	err = -errno;
	munmap(kcov->buffer, KCOV_WORDS * sizeof(*kcov->buffer));
	close(kcov->fd);
	return err;
err_close:
	err = -errno;
	close(kcov->fd);
	return err;
}

void kcov_end(struct kcov *kcov)
{
	ioctl(kcov->fd, KCOV_DISABLE, 0);
	munmap(kcov->buffer, KCOV_WORDS * sizeof(*kcov->buffer));
	close(kcov->fd);
}

static bool kcov_is_new(struct kcov *kcov, uint64_t from, uint64_t to)
{
	uint64_t hash = (from * 31 + to) * 0x9e3779b97f4a7c15;
	bool *seen = &kcov->seen[hash / (UINT64_MAX / KCOV_SEEN + 1)];

	if (*seen)
		return false;
	*seen = true;
	return true;
}

unsigned int kcov_take(struct kcov *kcov)
{
	unsigned int before = kcov->edges;
	uint64_t from = 0, i = 0, n;

	/*
	 * The kernel adds a whole pass of a thread, and the count comes last. What it
	 * adds while the count is set back stays there for the next time.
	 */
	do {
		n = __atomic_load_n(&kcov->buffer[0], __ATOMIC_ACQUIRE);
		while (i < n) {
			i++;
			kcov->pcs += kcov_is_new(kcov, 0, kcov->buffer[i]);
			kcov->edges += kcov_is_new(kcov, from, kcov->buffer[i]);
			from = kcov->buffer[i];
		}
	} while (!__atomic_compare_exchange_n(&kcov->buffer[0], &n, 0, false,
					      __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return kcov->edges - before;
}
