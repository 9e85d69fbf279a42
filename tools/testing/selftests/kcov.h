/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel's KCOV tells of the module's threads that this one creates */
#ifndef KCOV_H
#define KCOV_H

#include <stdbool.h>
#include <stdint.h>

#define KCOV_SEEN	0x400000

/**
 * struct kcov - coverage
 * @fd: of KCOV
 * @buffer: a count, and so many program counters
 * @pcs: different ones that were seen
 * @edges: different pairs of two in a row
 * @seen: hash table of both
 */
struct kcov {
	int		fd;
	uint64_t	*buffer;
	unsigned int	pcs;
	unsigned int	edges;
	bool		seen[KCOV_SEEN];
};

/*
 * From here on, for threads that this one will create in the kernel; 0 or -errno,
 * -ENOENT on kernels without KCOV
 */
int kcov_begin(struct kcov *kcov);
void kcov_end(struct kcov *kcov);

/* What has come since the last call: the number of edges that are new */
unsigned int kcov_take(struct kcov *kcov);

#endif /* KCOV_H */
