// SPDX-License-Identifier: GPL-2.0
/* Failures that the kernel injects: debugfs, /proc/PID/fail-nth and make-it-fail */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "util.h"

#define DEBUGFS		"/sys/kernel/debug/"

static const struct setting {
	const char	*name;
	const char	*value;
} settings[] = {
	{ "failslab/ignore-gfp-wait",		"N" },
	{ "fail_page_alloc/ignore-gfp-wait",	"N" },
	{ "fail_page_alloc/ignore-gfp-highmem",	"N" },
	{ "fail_page_alloc/min-order",		"0" },
	{ "failslab/verbose",			"0" },
	{ "fail_page_alloc/verbose",		"0" },
	{ "fail_usercopy/verbose",		"0" },
	{ "fail_make_request/verbose",		"0" },
	{ "failslab/task-filter",		"Y" },
	{ "fail_page_alloc/task-filter",	"Y" },
	{ "fail_usercopy/task-filter",		"Y" },
	{ "fail_make_request/task-filter",	"Y" },
	{ "failslab/times",			"-1" },
	{ "fail_page_alloc/times",		"-1" },
	{ "fail_usercopy/times",		"-1" },
	{ "fail_make_request/times",		"-1" },
};

#define NR_SETTINGS	(sizeof(settings) / sizeof(settings[0]))

/* What they were before */
static char old[NR_SETTINGS][16];

static const char * const kinds[] = {
	"failslab", "fail_page_alloc", "fail_usercopy", "fail_make_request",
};

#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static int read_file(const char *path, char *value, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, value, size - 1);
	n = n < 0 ? -errno : n;
	close(fd);
	if (n < 0)
		return n;
	value[n] = '\0';
	return 0;
}

static void log_line(const char *line)
{
	/* Where the kernel log is checked, this line is looked for. */
	write_file("/dev/kmsg", line);
}

bool fault_able(void)
{
	char path[80];
	unsigned int i;

	for (i = 0; i < NR_SETTINGS; i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s", settings[i].name);
		if (access(path, R_OK | W_OK))
			return false;
	}
	return true;
}

int fault_begin(void)
{
	char path[80];
	unsigned int i;
	int ret;

	log_line("vng: faults are injected from here on\n");
	for (i = 0; i < NR_SETTINGS; i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s", settings[i].name);
		ret = read_file(path, old[i], sizeof(old[i])) ?:
		      write_file(path, settings[i].value);
		if (ret)
			return ret;
	}
	return 0;
}

void fault_end(void)
{
	char path[80];
	unsigned int i;

	fault_percent(0);
	for (i = 0; i < NR_SETTINGS; i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s", settings[i].name);
		if (old[i][0])
			write_file(path, old[i]);
	}
	log_line("vng: no faults are injected any more\n");
}

int fault_open(pid_t tid)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth",
		 tid ?: gettid());
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int fault_arm(int fd, unsigned int nth)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", nth);
	return pwrite(fd, value, strlen(value), 0) < 0 ? -errno : 0;
}

/*
 * If the thread is this one, looking and disarming copy as well, and may be what
 * fails: then it had not come so far before.
 */
int fault_disarm(int fd)
{
	char value[16] = "";
	bool hit;

	hit = pread(fd, value, sizeof(value) - 1, 0) > 0 && !atoi(value);
	while (pwrite(fd, "0", 1, 0) < 0)
		if (errno != EFAULT)
			return -errno;
	return hit;
}

int fault_percent(unsigned int percent)
{
	char path[80], value[16];
	unsigned int i;
	int ret = 0;

	snprintf(value, sizeof(value), "%u", percent);
	for (i = 0; i < NR_KINDS && !ret; i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/probability", kinds[i]);
		ret = write_file(path, value);
	}
	return ret;
}

int fault_mark_disk(const struct disk *d, bool on)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/block/%s/make-it-fail",
		 strrchr(d->path, '/') + 1);
	return write_file(path, on ? "1" : "0");
}

/* Marks what is in @dir, a directory of tasks. */
static int mark_in(const char *dir, const char *comm)
{
	char path[300], name[32];
	struct dirent *de;
	int n = 0;
	DIR *d;

	d = opendir(dir);
	if (!d)
		return -errno;
	while ((de = readdir(d))) {
		if (!atoi(de->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s/comm", dir, de->d_name);
		if (read_file(path, name, sizeof(name)) ||
		    strncmp(name, comm, strlen(comm)))
			continue;
		snprintf(path, sizeof(path), "%s/%s/make-it-fail", dir,
			 de->d_name);
		n += !write_file(path, "1");
	}
	closedir(d);
	return n;
}

int fault_mark(pid_t pid, const char *comm)
{
	char dir[32];

	snprintf(dir, sizeof(dir), "/proc/%d/task", pid);
	return mark_in(dir, comm);
}

int fault_mark_kthreads(const char *comm)
{
	return mark_in("/proc", comm);
}
