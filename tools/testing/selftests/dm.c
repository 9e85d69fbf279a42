// SPDX-License-Identifier: GPL-2.0
/* A disk that stops to answer when it is told to: device mapper */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm.h"
#include "util.h"
#include "vng.h"

/* The ioctls of device mapper, with room for one target of a table */
struct dm_call {
	struct dm_ioctl		io;
	struct dm_target_spec	target;
	char			params[80];
};

static int dm_ioctl(struct dm *d, unsigned long cmd, struct dm_call *call)
{
	int fd, ret = 0;

	call->io.version[0] = DM_VERSION_MAJOR;
	call->io.data_size = sizeof(*call);
	call->io.data_start = offsetof(struct dm_call, target);
	snprintf(call->io.name, sizeof(call->io.name), "%s", d->name);
	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -ENODEV;
	if (ioctl(fd, cmd, call))
		ret = -errno;
	close(fd);
	return ret;
}

static int dm_load(struct dm *d)
{
	struct dm_call call = {
		.io.target_count = 1,
		.target = {
			.length = d->under.bytes >> 9,
			.target_type = "linear",
		},
	};

	snprintf(call.params, sizeof(call.params), "%s 0", d->under.path);
	return dm_ioctl(d, DM_TABLE_LOAD, &call);
}

int dm_create(struct dm *d, unsigned int mib, unsigned int lba_shift)
{
	struct dm_call call = { 0 };
	int ret;

	d->name[0] = '\0';
	ret = disk_create(&d->under, mib, lba_shift, NULL);
	if (ret)
		return ret;
	snprintf(d->name, sizeof(d->name), "%s", d->under.name);
	ret = dm_ioctl(d, DM_DEV_CREATE, &call);
	if (ret) {
		d->name[0] = '\0';
		goto err;
	}
	/* The node is devtmpfs's: there need be no udev. */
	snprintf(d->path, sizeof(d->path), "/dev/dm-%u", minor(call.io.dev));
	ret = dm_load(d) ?: dm_resume(d);
	if (ret)
		goto err;
	return 0;
err:
	dm_destroy(d);
	return ret;
}

int dm_suspend(struct dm *d)
{
	struct dm_call call = {
		.io.flags = DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG |
			    DM_SKIP_LOCKFS_FLAG,
	};

	return dm_ioctl(d, DM_DEV_SUSPEND, &call);
}

int dm_resume(struct dm *d)
{
	struct dm_call call = { 0 };

	return dm_ioctl(d, DM_DEV_SUSPEND, &call);
}

void dm_destroy(struct dm *d)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	int ret;

	if (d->name[0]) {
		dm_resume(d);
		/* The end of a controller does not wait for its disks. */
		do {
			struct dm_call call = { 0 };

			ret = dm_ioctl(d, DM_DEV_REMOVE, &call);
			if (ret == -EBUSY)
				sleep_ms(10);
		} while (ret == -EBUSY && vng_now_ms() < end);
		d->name[0] = '\0';
	}
	disk_destroy(&d->under);
}
