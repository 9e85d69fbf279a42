// SPDX-License-Identifier: GPL-2.0
/* Cgroups (version 2) of the test's own */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cg.h"
#include "util.h"

#define CGROUPS	"/sys/fs/cgroup"

int cg_set(const char *dir, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir ?: CGROUPS, file);
	return write_file(path, text);
}

int cg_enter(const char *dir)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	return cg_set(dir, "cgroup.procs", pid);
}

int cg_make(char *dir, size_t size, const char *controllers)
{
	static unsigned int serial;
	int ret;

	dir[0] = '\0';
	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("none", CGROUPS, "cgroup2", 0, NULL);
	ret = cg_set(NULL, "cgroup.subtree_control", controllers);
	if (ret)
		return ret == -EINVAL ? -ENOENT : ret;
	snprintf(dir, size, CGROUPS "/vng%d_%u", getpid(), serial++);
	if (mkdir(dir, 0755))
		return -errno;
	return 0;
}

long cg_get(const char *dir, const char *file, const char *line,
	    const char *key)
{
	char path[256], text[512], *p;
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "r");
	while (f && value < 0 && fgets(text, sizeof(text), f)) {
		if (strncmp(text, line, strlen(line)))
			continue;
		p = strstr(text, key);
		if (p)
			value = strtol(p + strlen(key), NULL, 10);
	}
	if (f)
		fclose(f);
	return value;
}

void cg_remove(const char *dir)
{
	if (!dir[0])
		return;
	cg_enter(NULL);
	rmdir(dir);
}
