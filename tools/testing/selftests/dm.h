/* SPDX-License-Identifier: GPL-2.0 */
/* A disk that stops to answer when it is told to: device mapper */
#ifndef DM_H
#define DM_H

#include <stdbool.h>

#include "disk.h"

/**
 * struct dm - the disk
 * @path: its device node
 * @name: how device mapper knows it, or empty
 * @under: where its data is
 */
struct dm {
	char		path[32];
	char		name[32];
	struct disk	under;
};

/* 0, or a negative errno; -ENODEV if the kernel has no device mapper or null_blk */
int dm_create(struct dm *d, unsigned int mib, unsigned int lba_shift);

/*
 * Returns when nothing is in flight; what is submitted from then on waits until it
 * is resumed.
 */
int dm_suspend(struct dm *d);
int dm_resume(struct dm *d);

/* Resumes it first. Nobody may have it open. */
void dm_destroy(struct dm *d);

#endif /* DM_H */
