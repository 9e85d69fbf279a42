// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzzer of ioctls. A sequence is a process whose threads call them as they come,
 * with good and bad arguments, while memory regions vanish (fuzz_mem.c), file descriptors
 * travel, and queues run; it ends by itself or is killed. Each ioctl may fail only with
 * what include/uapi/linux/vhost_nvme.h documents, no sequence hangs, and nothing is
 * left of any.
 *
 * The environment, beside that of test.h:
 *
 *	FUZZ_SEQUENCES	how many
 *	FUZZ_SECONDS	time, instead
 *
 * Each sequence has a seed of its own. Which thread is first is not repeated, but what
 * each of them does is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "fuzz_mem.h"
#include "kselftest.h"
#include "util.h"

#define FILES		3	/* controllers of a sequence */
#define EVENTFDS	4
#define THREADS		4
#define STEPS		120	/* of a thread */

#define GPA(area)	(AREA_SIZE * (1 + (area)))

/* What a sequence has; its threads share it without any lock. */
struct seq {
	int	file[FILES];
	int	disk;
	int	rdonly;
	int	odd[4];		/* files that are nothing the module could want */
	int	eventfd[EVENTFDS];
	int	pair[2];	/* of sockets, through which descriptors travel */
	uint64_t ring[FILES];	/* where call_queues() has the SQ, from GPA(0) */
	/* No stack of a thread may come to lie where memory has vanished. */
	pthread_barrier_t begin;
};

static struct seq seq;

/* Shared with the processes of the sequences */
struct total {
	uint64_t	calls;
	uint64_t	good;
	uint64_t	commands;	/* Reads and Writes that went well */
};

static struct total *total;

struct thread {
	struct rng	rng;
	pthread_t	thread;
};

static int rng_pick(struct rng *r, const int *list, unsigned int nr)
{
	return list[rng_below(r, nr)];
}

/* Members that are mostly small, sometimes at a limit, sometimes anything */
static uint32_t rng_member(struct rng *r, uint32_t limit)
{
	switch (rng_below(r, 12)) {
	case 0:
		return rng_sized(r);
	case 1:
		return limit + rng_below(r, 3) - 1;
	case 2:
		return 0;
	default:
		return 1 + rng_below(r, limit < 4 ? limit : 4);
	}
}

/* A page, mostly one of few: what is written there is to be found. */
static uint64_t rng_offset(struct rng *r)
{
	unsigned int pages = rng_one_in(r, 4) ? AREA_PAGES : 2;

	return rng_below(r, AREAS) * AREA_SIZE + rng_below(r, pages) * 4096;
}

static uint64_t rng_gpa(struct rng *r)
{
	if (rng_one_in(r, 12))
		return rng_sized(r);
	return GPA(0) + rng_offset(r);
}

static int rng_eventfd(struct rng *r)
{
	switch (rng_below(r, 8)) {
	case 0:
		return -1;
	case 1:
		return rng_pick(r, seq.odd, 4);
	default:
		return rng_pick(r, seq.eventfd, EVENTFDS);
	}
}

static bool rng_dirt(struct rng *r)
{
	return rng_one_in(r, 32);
}

/* What an ioctl may fail with, beside what all may that need an owner */
struct call {
	unsigned long	cmd;
	const char	*name;
	int		err[8];
};

enum {
	SET_OWNER, GET_FEATURES, SET_FEATURES, SET_MEM_TABLE, GET_CAPS, SET_NS,
	CREATE_CQ, CREATE_SQ, DELETE_SQ, DELETE_CQ, RESET, SET_DBBUF, DOORBELL,
	SET_POLL, GET_STATS, SET_WORKERS, SET_CTRL, SET_COALESCE, GET_ERRORS,
	NR_CALLS,
};

static const struct call calls[NR_CALLS] = {
	[SET_OWNER] = { VHOST_SET_OWNER, "SET_OWNER",
		{ EBUSY, ENOMEM, EAGAIN, EINTR } },
	[GET_FEATURES] = { VHOST_GET_FEATURES, "GET_FEATURES" },
	[SET_FEATURES] = { VHOST_SET_FEATURES, "SET_FEATURES",
		{ EOPNOTSUPP, EBUSY } },
	[SET_MEM_TABLE] = { VHOST_SET_MEM_TABLE, "SET_MEM_TABLE",
		{ EINVAL, EOPNOTSUPP, E2BIG, ENOMEM, EINTR } },
	[GET_CAPS] = { VHOST_NVME_GET_CAPS, "GET_CAPS", { EINVAL } },
	[SET_NS] = { VHOST_NVME_SET_NS, "SET_NS",
		{ EINVAL, EBADF, ENOTBLK, EACCES, EOPNOTSUPP, ENOMEM,
		  EBUSY } },
	[CREATE_CQ] = { VHOST_NVME_CREATE_CQ, "CREATE_CQ",
		{ EINVAL, EEXIST, EBADF, ENOMEM, EBUSY } },
	[CREATE_SQ] = { VHOST_NVME_CREATE_SQ, "CREATE_SQ",
		{ EINVAL, EEXIST, EBADF, ENOMEM, EBUSY, ENOENT } },
	[DELETE_SQ] = { VHOST_NVME_DELETE_SQ, "DELETE_SQ",
		{ ENOENT, EALREADY } },
	[DELETE_CQ] = { VHOST_NVME_DELETE_CQ, "DELETE_CQ", { ENOENT, EBUSY } },
	[RESET] = { VHOST_NVME_RESET, "RESET" },
	[SET_DBBUF] = { VHOST_NVME_SET_DBBUF, "SET_DBBUF",
		{ EINVAL, EBUSY, ENOMEM } },
	[DOORBELL] = { VHOST_NVME_DOORBELL, "DOORBELL", { ENOENT, EINVAL } },
	[SET_POLL] = { VHOST_NVME_SET_POLL, "SET_POLL", { EINVAL } },
	[GET_STATS] = { VHOST_NVME_GET_STATS, "GET_STATS",
		{ EINVAL, ENOENT, ENOMEM } },
	[SET_WORKERS] = { VHOST_NVME_SET_WORKERS, "SET_WORKERS",
		{ EINVAL, EBUSY, ENOMEM, EAGAIN, EINTR } },
	[SET_CTRL] = { VHOST_NVME_SET_CTRL, "SET_CTRL", { EINVAL } },
	[SET_COALESCE] = { VHOST_NVME_SET_COALESCE, "SET_COALESCE",
		{ ENOENT, EINVAL } },
	[GET_ERRORS] = { VHOST_NVME_GET_ERRORS, "GET_ERRORS",
		{ EINVAL, ENOMEM } },
};

static bool call_may_fail(const struct call *c, int err)
{
	unsigned int i;

	/* The file may be closed at any time, and its number be another file's. */
	if (err == EFAULT || err == EPERM || err == ESRCH || err == EBADF ||
	    err == ENOTTY)
		return true;
	for (i = 0; i < 8; i++)
		if (c->err[i] == err)
			return true;
	return false;
}

/* What is not documented ends the sequence. */
static void call_file(int file, unsigned int nr, unsigned long cmd, void *arg)
{
	const struct call *c = &calls[nr];
	int ret = ioctl(file, cmd, arg);

	__atomic_add_fetch(&total->calls, 1, __ATOMIC_RELAXED);
	if (ret >= 0) {
		__atomic_add_fetch(&total->good, 1, __ATOMIC_RELAXED);
	} else if (!call_may_fail(c, errno)) {
		ksft_print_msg("%s failed with errno %d (%s)\n", c->name, errno,
			       strerror(errno));
		_exit(3);
	}
}

/* Call it on some controller. */
static void call(struct rng *r, unsigned int nr, void *arg)
{
	unsigned long cmd = calls[nr].cmd;

	/* A bad pointer, or the size of another version of the structure */
	if (_IOC_DIR(cmd) && rng_one_in(r, 40))
		arg = (void *)(rng_one_in(r, 2) ? rng_sized(r) :
			       (uintptr_t)mem_at(rng_offset(r)) + 4088);
	if (rng_one_in(r, 60))
		cmd = _IOC(_IOC_DIR(cmd), _IOC_TYPE(cmd), _IOC_NR(cmd),
			   rng_below(r, 512));
	call_file(rng_pick(r, seq.file, FILES), nr, cmd, arg);
}

static void call_mem_table(struct rng *r)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region[AREAS + 1];
	} t = { 0 };
	unsigned int i, n = rng_below(r, AREAS + 2);

	t.head.nregions = rng_dirt(r) ? rng_sized(r) : n;
	t.head.padding = rng_dirt(r);
	for (i = 0; i < n; i++) {
		t.region[i] = (struct vhost_memory_region) {
			.guest_phys_addr = GPA(i),
			.memory_size = AREA_SIZE,
			.userspace_addr = (uintptr_t)mem_at(i % AREAS * AREA_SIZE),
			.flags_padding = rng_dirt(r),
		};
		if (rng_one_in(r, 8))
			t.region[i].guest_phys_addr = rng_gpa(r);
		if (rng_one_in(r, 8))
			t.region[i].memory_size = rng_below(r, 2 * AREA_PAGES) * 4096;
		if (rng_one_in(r, 16))
			t.region[i].userspace_addr += rng_below(r, 128) * 2048;
		if (rng_dirt(r))
			t.region[i].userspace_addr = rng_sized(r);
	}
	call(r, SET_MEM_TABLE, &t);
}

static void call_ns(struct rng *r)
{
	struct vhost_nvme_ns ns = {
		.nsid = rng_member(r, 256),
		.flags = rng_below(r, 4),
		.fd = seq.disk,
		.lba_shift = rng_one_in(r, 4) ? 12 : 9,
		.mcl = rng_below(r, 64),
		.mssrl = rng_below(r, 64),
		.msrc = rng_below(r, 64),
		.reserved = rng_dirt(r),
	};

	switch (rng_below(r, 8)) {
	case 0:
		ns.fd = -1;
		break;
	case 1:
		ns.fd = rng_pick(r, seq.odd, 4);
		break;
	case 2:
		ns.fd = rng_pick(r, seq.file, FILES);
		break;
	case 3:
		ns.fd = seq.rdonly;
		break;
	}
	if (rng_dirt(r))
		ns.lba_shift = rng_next(r);
	if (rng_one_in(r, 8))
		ns.nlb = rng_sized(r);
	call(r, SET_NS, &ns);
}

static void call_cq(struct rng *r)
{
	struct vhost_nvme_cq cq = {
		.cqid = rng_member(r, 128),
		.worker = rng_one_in(r, 4) ? rng_member(r, 8) : 0,
		.entries = rng_member(r, 65536) * 4,
		.addr = rng_gpa(r),
		.irq_fd = rng_eventfd(r),
		.kick_fd = rng_eventfd(r),
		.reserved[1] = rng_dirt(r),
	};

	call(r, CREATE_CQ, &cq);
}

static void call_sq(struct rng *r)
{
	struct vhost_nvme_sq sq = {
		.sqid = rng_member(r, 128),
		.cqid = rng_member(r, 128),
		.entries = rng_member(r, 65536) * 4,
		.addr = rng_gpa(r),
		.kick_fd = rng_eventfd(r),
		.page_shift = rng_dirt(r) ? rng_next(r) : 12,
		.reserved8[1] = rng_dirt(r),
	};

	call(r, CREATE_SQ, &sq);
}

static void call_stats(struct rng *r)
{
	struct vhost_nvme_stats stats = {
		.size = rng_dirt(r) ? rng_sized(r) : sizeof(stats),
		.scope = rng_below(r, 5),
		.id = rng_member(r, 256) - rng_below(r, 2),
	};

	call(r, GET_STATS, &stats);
}

static void call_caps(struct rng *r)
{
	struct vhost_nvme_caps caps = {
		.size = rng_one_in(r, 2) ? rng_below(r, 256) : sizeof(caps),
	};

	/* No more than is there is written. */
	if (caps.size > sizeof(caps))
		caps.size = sizeof(caps);
	call(r, GET_CAPS, &caps);
}

static void call_errors(struct rng *r)
{
	struct vhost_nvme_error entry[8];
	struct vhost_nvme_errors arg = {
		.entries = rng_dirt(r) ? rng_sized(r) : (uintptr_t)entry,
		.nr = rng_below(r, 9),
		.reserved = rng_dirt(r),
	};

	call(r, GET_ERRORS, &arg);
}

/* What a VMM asks for: queues that run, until chance has it otherwise */
static void call_queues(struct rng *r, unsigned int i)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region;
	} table = {
		.head.nregions = 1,
		.region.guest_phys_addr = GPA(0),
		.region.memory_size = AREAS * AREA_SIZE,
		.region.userspace_addr = (uintptr_t)mem_at(0),
	};
	struct vhost_nvme_ns ns = { .nsid = 1, .fd = seq.disk, .lba_shift = 9 };
	struct vhost_nvme_cq cq = {
		.cqid = 1,
		.entries = 64,
		.addr = GPA(0) + rng_offset(r),
		.irq_fd = rng_pick(r, seq.eventfd, EVENTFDS),
		.kick_fd = -1,
	};
	struct vhost_nvme_sq sq = {
		.sqid = 1,
		.cqid = 1,
		.entries = 16,
		.addr = GPA(0) + seq.ring[i],
		.kick_fd = rng_pick(r, seq.eventfd, EVENTFDS),
		.page_shift = 12,
	};

	/* Each of them may be there already, or be refused. */
	call_file(seq.file[i], SET_MEM_TABLE, VHOST_SET_MEM_TABLE, &table);
	call_file(seq.file[i], SET_NS, VHOST_NVME_SET_NS, &ns);
	call_file(seq.file[i], CREATE_CQ, VHOST_NVME_CREATE_CQ, &cq);
	call_file(seq.file[i], CREATE_SQ, VHOST_NVME_CREATE_SQ, &sq);
}

static void call_any(struct rng *r)
{
	struct vhost_nvme_workers workers = { .nr = rng_member(r, 8),
					      .reserved = rng_dirt(r) };
	struct vhost_nvme_poll poll = { .poll_us = rng_below(r, 300) };
	struct vhost_nvme_dbbuf dbbuf = { rng_gpa(r), rng_gpa(r), {} };
	struct vhost_nvme_doorbell db = {
		.qid = rng_member(r, 128),
		.flags = rng_below(r, rng_dirt(r) ? 9 : 2),
		.value = rng_member(r, 16),
	};
	struct vhost_nvme_ctrl ctrl = {
		.flags = rng_below(r, rng_dirt(r) ? 9 : 2),
		.max_transfer = rng_below(r, 256) * 4096,
		.burst = rng_below(r, 9),
		.copy_formats = rng_below(r, rng_dirt(r) ? 64 : 4) << 2,
	};
	struct vhost_nvme_coalesce coalesce = {
		.cqid = rng_member(r, 128),
		.threshold = rng_below(r, 20),
		.time_us = rng_below(r, rng_dirt(r) ? 60000 : 2000),
	};
	uint64_t features = rng_below(r, rng_dirt(r) ? 9 : 4);

	if (rng_dirt(r))
		poll.irq_us = rng_sized(r);
	switch (rng_below(r, 26)) {
	case 0:
		call(r, SET_OWNER, NULL);
		break;
	case 1:
		call(r, GET_FEATURES, &features);
		break;
	case 2:
		call(r, SET_FEATURES, &features);
		break;
	case 3:
		call_caps(r);
		break;
	case 4:
		call(r, SET_WORKERS, &workers);
		break;
	case 5:
		call(r, SET_POLL, &poll);
		break;
	case 6:
		call(r, SET_CTRL, &ctrl);
		break;
	case 7:
		call(r, SET_COALESCE, &coalesce);
		break;
	case 8:
		call_errors(r);
		break;
	case 9:
		call_stats(r);
		break;
	case 10:
		call(r, RESET, NULL);
		break;
	case 11:
		call(r, DELETE_SQ, (void *)(uintptr_t)rng_member(r, 128));
		break;
	case 12:
		call(r, DELETE_CQ, (void *)(uintptr_t)rng_member(r, 128));
		break;
	case 13:
		call(r, SET_DBBUF, &dbbuf);
		break;
	case 14:
	case 15:
		call_mem_table(r);
		break;
	case 16:
	case 17:
		call_ns(r);
		break;
	case 18:
	case 19:
		call_cq(r);
		break;
	case 20:
	case 21:
		call_sq(r);
		break;
	case 22:
	case 23:
		call_queues(r, rng_below(r, FILES));
		break;
	default:
		call(r, DOORBELL, &db);
	}
}

/* Commands, in a ring or where one may be; and a doorbell, and a kick */
static void step_commands(struct rng *r)
{
	static const uint8_t op[] = { 0, 1, 1, 2, 2, 5, 8, 9, 12, 25 };
	unsigned int i, file = rng_below(r, FILES);
	struct vhost_nvme_doorbell db = { .qid = 1 };
	uint64_t one = 1, data;
	struct vng_sqe sqe[8];

	for (i = 0; i < 8; i++) {
		vng_cmd_rw(&sqe[i], op[rng_below(r, sizeof(op))],
			   rng_one_in(r, 4) ? rng_below(r, 4) : 1,
			   rng_below(r, 64),
			   1 + rng_below(r, rng_one_in(r, 4) ? 64 : 16));
		data = rng_gpa(r);
		sqe[i].prp1 = htole64(data);
		sqe[i].prp2 = htole64(rng_one_in(r, 2) ? data + 4096 :
							 rng_gpa(r));
		sqe[i].cid = htole16(rng_next(r));
	}
	db.value = rng_below(r, 16);
	mem_write(rng_one_in(r, 4) ? rng_offset(r) :
				     seq.ring[file] + rng_below(r, 2) * sizeof(sqe),
		  sqe, sizeof(sqe));
	call_file(seq.file[file], DOORBELL, VHOST_NVME_DOORBELL, &db);
	if (write(rng_pick(r, seq.eventfd, EVENTFDS), &one, sizeof(one)) < 0)
		return;
}

/* A doorbell page's entries */
static void step_doorbells(struct rng *r)
{
	uint32_t db[16];
	unsigned int i;

	for (i = 0; i < 16; i++)
		db[i] = htole32(rng_one_in(r, 20) ? rng_sized(r) :
						    rng_below(r, 8));
	mem_write(rng_offset(r), db, sizeof(db));
	step_commands(r);
}

static int device_open(void)
{
	return open(getenv("VNG_DEVICE") ?: "/dev/vhost-nvme",
		    O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

/* Send a controller to ourselves; on its way, it may be nobody's. */
static void step_travel(struct rng *r)
{
	char data = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &data, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = rng_pick(r, seq.file, FILES);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (rng_one_in(r, 2)) {
		sendmsg(seq.pair[0], &msg, MSG_DONTWAIT);
		return;
	}
	if (recvmsg(seq.pair[1], &msg, MSG_DONTWAIT) < 0)
		return;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_len == CMSG_LEN(sizeof(fd))) {
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		close(fd);
	}
}

/* A child has the same files, and another address space. */
static void step_fork(struct rng *r)
{
	pid_t pid = fork();
	unsigned int i;

	if (!pid) {
		for (i = 0; i < 4; i++)
			call_any(r);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void step_file(struct rng *r)
{
	struct vhost_nvme_event ev[4];
	unsigned int i = rng_below(r, FILES);
	struct pollfd pfd = { .fd = seq.file[i], .events = POLLIN };
	int fd;

	switch (rng_below(r, 6)) {
	case 0:
		fd = device_open();
		if (fd < 0)
			return;
		/* The old one closes, whatever others do with it. */
		dup2(fd, seq.file[i]);
		close(fd);
		call(r, SET_OWNER, NULL);
		break;
	case 1:
		fd = dup(seq.file[i]);
		call_any(r);
		if (fd >= 0)
			close(fd);
		break;
	case 2:
		poll(&pfd, 1, 0);
		break;
	default:
		if (read(seq.file[i], ev, rng_below(r, sizeof(ev))) < 0)
			return;
	}
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	unsigned int i;

	pthread_barrier_wait(&seq.begin);
	for (i = 0; i < STEPS; i++) {
		switch (rng_below(&t->rng, 64)) {
		case 0:
			step_fork(&t->rng);
			break;
		case 1:
		case 2:
			step_travel(&t->rng);
			break;
		case 3 ... 6:
			step_file(&t->rng);
			break;
		case 7 ... 12:
			mem_step(&t->rng);
			break;
		case 13 ... 18:
			step_commands(&t->rng);
			break;
		case 19 ... 22:
			step_doorbells(&t->rng);
			break;
		default:
			call_any(&t->rng);
		}
	}
	return NULL;
}

/* Controllers that begin with queues, or with what chance gives them */
static void seq_prepare(struct rng *r, const char *disk)
{
	uint64_t features;
	unsigned int i;

	seq.disk = open(disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	seq.rdonly = open(disk, O_RDONLY | O_CLOEXEC);
	seq.odd[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	seq.odd[1] = open("/", O_RDONLY | O_CLOEXEC);
	seq.odd[2] = 999;
	seq.odd[3] = seq.disk;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, seq.pair) ||
	    !mem_prepare(r))
		_exit(4);
	for (i = 0; i < EVENTFDS; i++)
		seq.eventfd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (i = 0; i < FILES; i++) {
		seq.file[i] = device_open();
		if (seq.file[i] < 0)
			_exit(4);
		if (!rng_one_in(r, 8))
			ioctl(seq.file[i], VHOST_SET_OWNER, NULL);
	}
	for (i = 0; i < FILES; i++) {
		features = rng_one_in(r, 4) ? rng_below(r, 4) : 0;
		call_file(seq.file[i], SET_FEATURES, VHOST_SET_FEATURES,
			  &features);
		seq.ring[i] = rng_offset(r);
		if (!rng_one_in(r, 4)) {
			call_queues(r, i);
			continue;
		}
		call_mem_table(r);
		call_ns(r);
		call_cq(r);
		call_sq(r);
	}
	/* Half of them have a limit on memory that counts. */
	if (rng_one_in(r, 2) && (drop_ipc_lock() ||
				 set_memlock(rng_below(r, AREA_PAGES) * 4096)))
		_exit(4);
}

/* What has become of the commands, in a sequence that comes to its end */
static void seq_commands(void)
{
	struct vhost_nvme_stats stats;
	unsigned int i, nsid;

	for (i = 0; i < FILES; i++) {
		for (nsid = 1; nsid < 4; nsid++) {
			stats = (struct vhost_nvme_stats) {
				.size = sizeof(stats),
				.scope = VHOST_NVME_STATS_NS,
				.id = nsid,
			};
			if (!ioctl(seq.file[i], VHOST_NVME_GET_STATS, &stats))
				__atomic_add_fetch(&total->commands,
						   stats.read_commands +
						   stats.write_commands,
						   __ATOMIC_RELAXED);
		}
	}
}

static void seq_main(uint64_t seed, const char *disk)
{
	struct thread thread[THREADS];
	struct rng r = { .state = seed };
	unsigned int i, nr = 1 + rng_below(&r, THREADS);

	seq_prepare(&r, disk);
	pthread_barrier_init(&seq.begin, NULL, nr);
	for (i = 0; i < nr; i++) {
		thread[i].rng = (struct rng) { .state = rng_next(&r) };
		if (pthread_create(&thread[i].thread, NULL, thread_main,
				   &thread[i]))
			_exit(4);
	}
	/* Some end while their threads are in the middle of it. */
	if (rng_one_in(&r, 8)) {
		sleep_us(rng_below(&r, 20000));
		_exit(0);
	}
	if (rng_one_in(&r, 16)) {
		sleep_us(rng_below(&r, 20000));
		execl("/bin/true", "true", NULL);
		_exit(0);
	}
	for (i = 0; i < nr; i++)
		pthread_join(thread[i].thread, NULL);
	seq_commands();
	mem_done();
	_exit(0);
}

/* Wait for a process; its status, or -1 if it does not end. */
static int seq_wait(pid_t pid, unsigned int timeout_ms)
{
	uint64_t end = vng_now_ms() + timeout_ms;
	int status;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (vng_now_ms() > end)
			return -1;
		sleep_us(500);
	}
}

static bool seq_run(uint64_t seed, const char *disk, unsigned int timeout_ms)
{
	struct rng r = { .state = ~seed };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		seq_main(seed, disk);
	if (pid < 0) {
		ksft_print_msg("fork: %s\n", strerror(errno));
		return false;
	}
	if (rng_one_in(&r, 4)) {
		sleep_us(rng_below(&r, 40000));
		kill(pid, SIGKILL);
	}
	status = seq_wait(pid, timeout_ms);
	if (status == -1) {
		ksft_print_msg("sequence %#llx does not end\n",
			       (unsigned long long)seed);
		kill(pid, SIGKILL);
		if (seq_wait(pid, timeout_ms) == -1)
			ksft_print_msg("not even by SIGKILL\n");
		return false;
	}
	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) {
		ksft_print_msg("sequence %#llx: status %#x\n",
			       (unsigned long long)seed, status);
		return false;
	}
	return true;
}

static unsigned long env(const char *name, unsigned long value)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 0) : value;
}

/* What sequences left is not there for ever: nobody else's turn is theirs. */
static bool settles(long pinned, int refcount)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	for (;;) {
		if (vmstat("nr_foll_pin_acquired") -
		    vmstat("nr_foll_pin_released") == pinned &&
		    module_refcount() == refcount)
			return true;
		if (vng_now_ms() > end)
			return false;
		sleep_ms(20);
	}
}

/* A controller for somebody who does as one should */
static bool works(void)
{
	struct box_opts opts = { .disk_mib = 4 };
	struct vng_sqe sqe;
	struct box b;
	int ret;

	ret = box_start(&b, &opts);
	if (!ret) {
		vng_cmd_flush(&sqe, 1);
		ret = box_exec(&b.sq, &sqe);
	}
	if (ret)
		ksft_print_msg("afterwards: %d, %s\n", ret, vng_msg(&b.g));
	if (b.g.fd >= 0)
		box_stop(&b);
	return !ret;
}

int main(void)
{
	uint64_t seed = random_seed(), start, done, said;
	uint64_t count = env("FUZZ_SEQUENCES", 150 * test_scale());
	uint64_t seconds = env("FUZZ_SECONDS", 0);
	unsigned int timeout_ms = 6 * test_timeout_ms();
	struct disk disk;
	bool good = true;
	int refcount, ret;
	long pinned;

	ksft_print_header();
	refcount = module_refcount();
	if (refcount < 0)
		ksft_exit_skip("vhost_nvme is not loaded\n");
	ret = disk_create(&disk, 4, 9, "discard=1 irqmode=2 completion_nsec=20000");
	if (ret == -ENODEV)
		ksft_exit_skip("no null_blk\n");
	total = mmap(NULL, sizeof(*total), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (total == MAP_FAILED)
		ret = -errno;
	ret = ret ?: mem_begin();
	if (ret)
		ksft_exit_fail_msg("set-up: %s\n", strerror(-ret));
	pinned = vmstat("nr_foll_pin_acquired") - vmstat("nr_foll_pin_released");
	ksft_print_msg("VNG_SEED=%#llx\n", (unsigned long long)seed);
	ksft_set_plan(3);

	start = vng_now_ms();
	said = start;
	for (done = 0; good && (seconds ? vng_now_ms() - start < seconds * 1000 :
					  done < count); done++) {
		good = seq_run(seed + done, disk.path, timeout_ms);
		if (vng_now_ms() - said > 60000) {
			said = vng_now_ms();
			ksft_print_msg("%llu sequences in %llu s\n",
				       (unsigned long long)done + 1,
				       (unsigned long long)(said - start) / 1000);
		}
	}
	ksft_test_result(good, "sequences end, with errors that are documented\n");
	ksft_test_result(settles(pinned, refcount),
			 "nothing stays of them\n");
	ksft_test_result(works(), "a controller works afterwards\n");
	ksft_print_msg("fuzz_ioctl: %llu sequences, %llu ioctls, %llu of them successful, %llu commands\n",
		       (unsigned long long)done,
		       (unsigned long long)total->calls,
		       (unsigned long long)total->good,
		       (unsigned long long)total->commands);
	mem_print();
	mem_end();
	disk_destroy(&disk);
	ksft_finished();
}
