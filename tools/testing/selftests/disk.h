/* SPDX-License-Identifier: GPL-2.0 */
/* Disks for the tests */
#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct disk - a block device of the test's own
 * @name: its directory in configfs
 * @path: its device node
 * @fd: open for reading, writing and O_DIRECT; what the module gets
 * @check: a second such file, by which the test looks at the disk
 * @lba_shift: logical block size
 * @bytes: size
 */
struct disk {
	char		name[32];
	char		path[64];
	int		fd;
	int		check;
	unsigned int	lba_shift;
	uint64_t	bytes;
};

/*
 * A null_blk instance that keeps its data. @attrs are further attributes of it,
 * as "name=value name=value", or NULL. Returns 0 or a negative errno; -ENODEV
 * if this kernel has no null_blk.
 */
int disk_create(struct disk *d, unsigned int mib, unsigned int lba_shift,
		const char *attrs);

/* Another struct for a disk that exists; @fd is open for exclusive use. */
int disk_open(struct disk *d, const char *path, unsigned int lba_shift);

/* Close; what disk_create() made disappears. */
void disk_destroy(struct disk *d);

/* The disk goes, while files of it are open; off, it can still be destroyed. */
int disk_power_off(struct disk *d);
int disk_remove(struct disk *d);

/* Number of flushes that it had to do, or -1 */
long disk_flushes(const struct disk *d);
/* Sectors of 512 bytes that were written to it, or -1 */
long disk_written(const struct disk *d);

/* Read or write the disk beside the module; whole blocks, any buffer. */
int disk_read(struct disk *d, uint64_t off, void *buf, size_t len);
int disk_write(struct disk *d, uint64_t off, const void *buf, size_t len);

#endif /* DISK_H */
