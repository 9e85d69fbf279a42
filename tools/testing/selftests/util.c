// SPDX-License-Identifier: GPL-2.0
/* Patterns, random numbers, looks into /proc */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util.h"
#include "vng.h"

/* What libvng waits by default */
#define VNG_TIMEOUT_MS	10000

unsigned int test_scale(void)
{
	const char *s = getenv("VNG_SCALE");
	unsigned long n = s ? strtoul(s, NULL, 0) : 1;

	return n ?: 1;
}

unsigned int test_timeout_ms(void)
{
	const char *s = getenv("VNG_TIMEOUT_MS");

	return s ? strtoul(s, NULL, 0) : VNG_TIMEOUT_MS;
}

int test_limit(unsigned int seconds)
{
	unsigned int slow = test_timeout_ms() / VNG_TIMEOUT_MS;

	return seconds * test_scale() * (slow ?: 1);
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

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
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

long pages_pinned(void)
{
	return vmstat("nr_foll_pin_acquired") - vmstat("nr_foll_pin_released");
}

const char *remains(const char *path, long pinned, int refcount)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	static char what[128];
	int fd;

	for (;;) {
		fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
		if (fd < 0)
			snprintf(what, sizeof(what), "disk: %s",
				 strerror(errno));
		else
			close(fd);
		if (fd >= 0 && pages_pinned() != pinned)
			snprintf(what, sizeof(what), "%ld pages pinned",
				 pages_pinned() - pinned);
		else if (fd >= 0 && module_refcount() != refcount)
			snprintf(what, sizeof(what), "module: %d references",
				 module_refcount() - refcount);
		else if (fd >= 0)
			return NULL;
		if (vng_now_ms() > end)
			return what;
		sleep_ms(2);
	}
}

/* What a thread whose name starts with @comm has in its stat file */
struct thread_stat {
	char		state;
	unsigned long	user;
	unsigned long	sys;
};

static int thread_stat(pid_t pid, const char *tid, const char *comm,
		       struct thread_stat *st)
{
	char path[300], line[512], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	p = fgets(line, sizeof(line), f);
	fclose(f);
	if (!p)
		return 0;
	p = strchr(line, '(');
	if (!p || strncmp(p + 1, comm, strlen(comm)))
		return 0;
	/* Fields 3, 14 and 15; the name, field 2, may contain blanks. */
	p = strrchr(line, ')');
	return sscanf(p + 2, "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		      &st->state, &st->user, &st->sys) == 3;
}

/* All threads: their number, the sum of their ticks, the state of the last */
static int thread_stats(pid_t pid, const char *comm, struct thread_stat *sum)
{
	struct thread_stat st;
	struct dirent *de;
	char path[64];
	int n = 0;
	DIR *dir;

	memset(sum, 0, sizeof(*sum));
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		if (!thread_stat(pid, de->d_name, comm, &st))
			continue;
		sum->state = st.state;
		sum->user += st.user;
		sum->sys += st.sys;
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

long thread_ticks(pid_t pid, const char *comm)
{
	struct thread_stat sum;

	return thread_stats(pid, comm, &sum) ? (long)(sum.user + sum.sys) : -1;
}

int threads(pid_t pid, const char *comm)
{
	struct thread_stat sum;

	return thread_stats(pid, comm, &sum);
}

char thread_state(pid_t pid, const char *comm)
{
	struct thread_stat sum;

	thread_stats(pid, comm, &sum);
	return sum.state;
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

int drop_ipc_lock(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
	if (syscall(SYS_capset, &head, data))
		return -errno;
	return 0;
}

int set_memlock(rlim_t bytes)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_MEMLOCK, &lim))
		return -errno;
	lim.rlim_cur = bytes;
	if (lim.rlim_max < bytes)
		lim.rlim_max = bytes;
	return setrlimit(RLIMIT_MEMLOCK, &lim) ? -errno : 0;
}
