// SPDX-License-Identifier: GPL-2.0
/* Patterns, random numbers, looks into /proc */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

unsigned int test_scale(void)
{
	const char *s = getenv("VNG_SCALE");
	unsigned long n = s ? strtoul(s, NULL, 0) : 1;

	return n ?: 1;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

void pattern_fill(void *buf, size_t len, uint64_t seed)
{
	char *p = buf;
	uint64_t word;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		word = mix(seed + i);
		n = len - i < sizeof(word) ? len - i : sizeof(word);
		memcpy(p + i, &word, n);
	}
}

long pattern_check(const void *buf, size_t len, uint64_t seed)
{
	const char *p = buf;
	uint64_t word;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		word = mix(seed + i);
		n = len - i < sizeof(word) ? len - i : sizeof(word);
		if (memcmp(p + i, &word, n))
			return i;
	}
	return -1;
}

long mem_check(const void *buf, int c, size_t len)
{
	const unsigned char *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != c)
			return i;
	return -1;
}

static uint64_t random_state;

uint64_t random_seed(void)
{
	const char *s = getenv("VNG_SEED");
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	random_state = s ? strtoull(s, NULL, 0) :
			   (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
	return random_state;
}

uint64_t random_next(void)
{
	return mix(random_state++);
}

long vmstat(const char *name)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY);
	char key[64];
	long value, found = -1;
	FILE *f;

	/* Else each CPU may hold back some of its counts for a second. */
	if (fd >= 0) {
		if (read(fd, key, sizeof(key)) < 0)
			perror("# stat_refresh");
		close(fd);
	}
	f = fopen("/proc/vmstat", "r");
	if (!f)
		return -1;
	while (fscanf(f, "%63s %ld", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(f);
	return found;
}

int module_refcount(void)
{
	FILE *f = fopen("/sys/module/vhost_nvme/refcnt", "r");
	int n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

long thread_ticks(pid_t pid, const char *comm)
{
	unsigned long user, sys;
	char path[300], line[512], *p;
	struct dirent *de;
	long sum = -1;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((de = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid,
			 de->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		p = fgets(line, sizeof(line), f);
		fclose(f);
		if (!p)
			continue;
		p = strchr(line, '(');
		if (!p || strncmp(p + 1, comm, strlen(comm)))
			continue;
		/* Fields 14 and 15; the name, field 2, may contain blanks. */
		p = strrchr(line, ')');
		if (sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			   &user, &sys) == 2)
			sum = (sum < 0 ? 0 : sum) + user + sys;
	}
	closedir(dir);
	return sum;
}

void sleep_us(unsigned int us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

void sleep_ms(unsigned int ms)
{
	sleep_us(ms * 1000);
}
