// SPDX-License-Identifier: GPL-2.0
/* A disk of scsi_debug, which run.sh has loaded without any */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scsi.h"
#include "util.h"
#include "vng.h"

#define SCSI_DEBUG	"/sys/bus/pseudo/drivers/scsi_debug/"

/* The disk of scsi_debug's one host */
static int find_scsi(char *path, size_t len)
{
	char name[300], model[32];
	struct dirent *de;
	int fd, ret = -ENODEV;
	DIR *dir;
	FILE *f;

	dir = opendir("/sys/block");
	while (dir && (de = readdir(dir))) {
		snprintf(name, sizeof(name), "/sys/block/%s/device/model",
			 de->d_name);
		f = fopen(name, "r");
		if (!f)
			continue;
		if (fgets(model, sizeof(model), f) &&
		    !strncmp(model, "scsi_debug", 10)) {
			snprintf(path, len, "/dev/%.50s", de->d_name);
			/* One that is just going cannot be opened. */
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd >= 0) {
				ret = 0;
				close(fd);
			}
		}
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return ret;
}

int scsi_start(char *path, size_t len)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	int ret;

	if (write_file(SCSI_DEBUG "add_host", "1"))
		return -ENODEV;
	while ((ret = find_scsi(path, len)) && vng_now_ms() < end)
		sleep_ms(10);
	return ret;
}

void scsi_stop(void)
{
	scsi_delay(0);
	write_file(SCSI_DEBUG "add_host", "-1");
}

int scsi_delay(unsigned int ns)
{
	char value[16];
	int ret, tries = 1000;

	snprintf(value, sizeof(value), "%u", ns);
	/* Not while a command is in flight, as the partition scan's may be */
	while ((ret = write_file(SCSI_DEBUG "ndelay", value)) == -EBUSY && tries--)
		sleep_ms(10);
	return ret;
}
