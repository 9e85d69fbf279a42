// SPDX-License-Identifier: GPL-2.0
/* Disks for the tests: null_blk instances made through configfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "util.h"

#define NULLB	"/sys/kernel/config/nullb"

/* Alignment of buffers for O_DIRECT, and the most one transfer takes */
#define CHUNK	(1 << 20)

static int disk_attr(const struct disk *d, const char *attr, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), NULLB "/%s/%s", d->name, attr);
	return write_file(path, value);
}

static int disk_attr_num(const struct disk *d, const char *attr, unsigned long n)
{
	char value[24];

	snprintf(value, sizeof(value), "%lu", n);
	return disk_attr(d, attr, value);
}

static int disk_attrs(const struct disk *d, const char *attrs)
{
	char *copy, *save, *word, *value;
	int ret = 0;

	copy = strdup(attrs ?: "");
	if (!copy)
		return -ENOMEM;
	for (word = strtok_r(copy, " ", &save); word && !ret;
	     word = strtok_r(NULL, " ", &save)) {
		value = strchr(word, '=');
		*value++ = '\0';
		ret = disk_attr(d, word, value);
	}
	free(copy);
	return ret;
}

int disk_create(struct disk *d, unsigned int mib, unsigned int lba_shift,
		const char *attrs)
{
	static unsigned int serial;
	char path[128];
	int ret;

	memset(d, 0, sizeof(*d));
	d->fd = -1;
	d->check = -1;
	d->lba_shift = lba_shift;
	d->bytes = (uint64_t)mib << 20;
	snprintf(d->name, sizeof(d->name), "vng%d_%u", getpid(), serial++);
	snprintf(d->path, sizeof(d->path), "/dev/%s", d->name);
	snprintf(path, sizeof(path), NULLB "/%s", d->name);
	if (access(NULLB, W_OK)) {
		d->name[0] = '\0';
		return -ENODEV;
	}
	if (mkdir(path, 0755)) {
		ret = -errno;
		d->name[0] = '\0';
		return ret;
	}
	ret = disk_attr_num(d, "size", mib) ?:
	      disk_attr_num(d, "blocksize", 1UL << lba_shift) ?:
	      disk_attr_num(d, "memory_backed", 1) ?:
	      disk_attrs(d, attrs) ?:
	      disk_attr_num(d, "power", 1);
	if (ret)
		goto err;
	d->fd = open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	d->check = open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd < 0 || d->check < 0) {
		ret = -errno;
		goto err;
	}
	return 0;
err:
	disk_destroy(d);
	return ret;
}

int disk_open(struct disk *d, const char *path, unsigned int lba_shift)
{
	off_t end;
	int ret;

	memset(d, 0, sizeof(*d));
	d->check = -1;
	d->lba_shift = lba_shift;
	snprintf(d->path, sizeof(d->path), "%s", path);
	d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC | O_EXCL);
	if (d->fd < 0)
		return -errno;
	d->check = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	end = lseek(d->fd, 0, SEEK_END);
	if (d->check < 0 || end < 0) {
		ret = -errno;
		disk_destroy(d);
		return ret;
	}
	d->bytes = end;
	return 0;
}

void disk_destroy(struct disk *d)
{
	char path[128];

	if (d->fd >= 0)
		close(d->fd);
	if (d->check >= 0)
		close(d->check);
	d->fd = -1;
	d->check = -1;
	if (!d->name[0])
		return;
	snprintf(path, sizeof(path), NULLB "/%s", d->name);
	rmdir(path);
	d->name[0] = '\0';
}

int disk_power_off(struct disk *d)
{
	return disk_attr_num(d, "power", 0);
}

int disk_remove(struct disk *d)
{
	char path[128];

	snprintf(path, sizeof(path), NULLB "/%s", d->name);
	return rmdir(path) ? -errno : 0;
}

/* The number of that place, from 1, in the disk's stat; or -1 */
static long disk_stat(const struct disk *d, unsigned int place)
{
	char path[96];
	unsigned int i;
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", d->name);
	f = fopen(path, "r");
	for (i = 0; f && i < place; i++)
		if (fscanf(f, "%ld", &n) != 1)
			n = -1;
	if (f)
		fclose(f);
	return n;
}

long disk_flushes(const struct disk *d)
{
	return disk_stat(d, 16);
}

long disk_written(const struct disk *d)
{
	return disk_stat(d, 7);
}

static int disk_io(struct disk *d, uint64_t off, void *buf, size_t len,
		   bool write)
{
	char *bounce, *p = buf;
	int ret = 0;

	bounce = aligned_alloc(4096, CHUNK);
	if (!bounce)
		return -ENOMEM;
	while (len && !ret) {
		size_t n = len < CHUNK ? len : CHUNK;
		ssize_t done;

		if (write)
			memcpy(bounce, p, n);
		done = write ? pwrite(d->check, bounce, n, off) :
			       pread(d->check, bounce, n, off);
		if (done != (ssize_t)n)
			ret = done < 0 ? -errno : -EIO;
		else if (!write)
			memcpy(p, bounce, n);
		p += n;
		off += n;
		len -= n;
	}
	free(bounce);
	return ret;
}

int disk_read(struct disk *d, uint64_t off, void *buf, size_t len)
{
	return disk_io(d, off, buf, len, false);
}

int disk_write(struct disk *d, uint64_t off, const void *buf, size_t len)
{
	return disk_io(d, off, (void *)buf, len, true);
}
