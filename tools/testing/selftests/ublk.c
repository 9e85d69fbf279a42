// SPDX-License-Identifier: GPL-2.0
/* A disk in memory, served by a thread of this process through ublk */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/ublk_cmd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ublk.h"
#include "util.h"
#include "vng.h"

/* Not all headers have the encoded commands yet. */
#define CTL(cmd)	_IOWR('u', cmd, struct ublksrv_ctrl_cmd)
#define IO(cmd)		_IOWR('u', cmd, struct ublksrv_io_cmd)

static int uring_open(struct uring *r, unsigned int entries, bool big)
{
	struct io_uring_params p = { .flags = big ? IORING_SETUP_SQE128 : 0 };
	char *ring;

	r->fd = syscall(__NR_io_uring_setup, entries, &p);
	if (r->fd < 0)
		return -errno;
	r->sqe_size = sizeof(struct io_uring_sqe) << big;
	r->sqes_size = p.sq_entries * r->sqe_size;
	r->ring_size = p.cq_off.cqes +
		       p.cq_entries * sizeof(struct io_uring_cqe);
	if (r->ring_size < p.sq_off.array + p.sq_entries * sizeof(int))
		r->ring_size = p.sq_off.array + p.sq_entries * sizeof(int);
	ring = mmap(NULL, r->ring_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    r->fd, IORING_OFF_SQ_RING);
	if (ring == MAP_FAILED)
		return -errno;
	r->ring = ring;
	r->sqes = mmap(NULL, r->sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       r->fd, IORING_OFF_SQES);
	if (r->sqes == MAP_FAILED) {
		r->sqes = NULL;
		return -errno;
	}
	r->sq_tail = (void *)(ring + p.sq_off.tail);
	r->sq_mask = p.sq_entries - 1;
	r->cq_head = (void *)(ring + p.cq_off.head);
	r->cq_tail = (void *)(ring + p.cq_off.tail);
	r->cq_mask = p.cq_entries - 1;
	r->cqes = ring + p.cq_off.cqes;
	/* Entries are used in their order. */
	for (unsigned int i = 0; i < p.sq_entries; i++)
		((unsigned int *)(ring + p.sq_off.array))[i] = i;
	return 0;
}

static void uring_close(struct uring *r)
{
	if (r->sqes)
		munmap(r->sqes, r->sqes_size);
	if (r->ring)
		munmap(r->ring, r->ring_size);
	if (r->fd >= 0)
		close(r->fd);
	memset(r, 0, sizeof(*r));
	r->fd = -1;
}

/* A command for @fd in the next entry; it is for uring_enter() to submit. */
static void uring_cmd(struct uring *r, int fd, uint32_t op, const void *cmd,
		      size_t len, uint64_t tag)
{
	unsigned int tail = *r->sq_tail;
	struct io_uring_sqe *sqe;

	sqe = (void *)(r->sqes + (tail & r->sq_mask) * r->sqe_size);
	memset(sqe, 0, r->sqe_size);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = op;
	sqe->user_data = tag;
	memcpy(sqe->cmd, cmd, len);
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Submit @nr commands and wait for a completion. */
static int uring_enter(struct uring *r, unsigned int nr)
{
	while (syscall(__NR_io_uring_enter, r->fd, nr, 1,
		       IORING_ENTER_GETEVENTS, NULL, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* The next completion, if there is one */
static bool uring_peek(struct uring *r, struct io_uring_cqe *cqe)
{
	unsigned int head = *r->cq_head;

	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return false;
	*cqe = ((struct io_uring_cqe *)r->cqes)[head & r->cq_mask];
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

static int ublk_control(struct ublk *u, uint32_t op, void *buf, size_t len,
			uint64_t value)
{
	struct ublksrv_ctrl_cmd cmd = {
		.dev_id = u->id,
		.queue_id = UINT16_MAX,
		.len = len,
		.addr = (uintptr_t)buf,
		.data = { value },
	};
	struct io_uring_cqe cqe;
	int ret;

	uring_cmd(&u->ctl, u->control, op, &cmd, sizeof(cmd), 0);
	ret = uring_enter(&u->ctl, 1);
	if (ret)
		return ret;
	return uring_peek(&u->ctl, &cqe) ? cqe.res : -EIO;
}

/* What the disk does: the number of bytes, or a negative errno */
static int ublk_serve(struct ublk *u, unsigned int tag)
{
	const struct ublksrv_io_desc *d;
	uint64_t off, len;
	char *buf = u->buf + (size_t)tag * u->max_io;

	d = (const struct ublksrv_io_desc *)u->descs + tag;
	if (ublksrv_get_op(d) == UBLK_IO_OP_FLUSH)
		return 0;
	off = d->start_sector << 9;
	len = (uint64_t)d->nr_sectors << 9;
	if (off > u->bytes || len > u->bytes - off)
		return -EIO;
	switch (ublksrv_get_op(d)) {
	case UBLK_IO_OP_READ:
		memcpy(buf, u->data + off, len);
		return len;
	case UBLK_IO_OP_WRITE:
		memcpy(u->data + off, buf, len);
		return len;
	case UBLK_IO_OP_DISCARD:
	case UBLK_IO_OP_WRITE_ZEROES:
		memset(u->data + off, 0, len);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static void ublk_next(struct ublk *u, uint32_t op, unsigned int tag, int result)
{
	struct ublksrv_io_cmd cmd = {
		.tag = tag,
		.result = result,
		.addr = (uintptr_t)(u->buf + (size_t)tag * u->max_io),
	};

	uring_cmd(&u->io, u->dev, op, &cmd, sizeof(cmd), tag);
}

static void ublk_wait(struct ublk *u)
{
	while (__atomic_load_n(&u->hold, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&u->held, true, __ATOMIC_RELEASE);
		sleep_us(500);
	}
	__atomic_store_n(&u->held, false, __ATOMIC_RELEASE);
}

static void *ublk_thread(void *arg)
{
	struct ublk *u = arg;
	unsigned int tag, live = u->depth, nr = u->depth;
	struct io_uring_cqe cqe;

	for (tag = 0; tag < u->depth; tag++)
		ublk_next(u, IO(UBLK_IO_FETCH_REQ), tag, 0);
	/* Every command ends when the disk is stopped. */
	while (live && !uring_enter(&u->io, nr)) {
		nr = 0;
		while (uring_peek(&u->io, &cqe)) {
			if (cqe.res != UBLK_IO_RES_OK) {
				live--;
				continue;
			}
			ublk_wait(u);
			ublk_next(u, IO(UBLK_IO_COMMIT_AND_FETCH_REQ),
				  cqe.user_data, ublk_serve(u, cqe.user_data));
			nr++;
		}
	}
	return NULL;
}

static int ublk_add(struct ublk *u, unsigned int lba_shift)
{
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = u->depth,
		.max_io_buf_bytes = u->max_io,
		.dev_id = UINT32_MAX,
		.ublksrv_pid = getpid(),
	};
	struct ublk_params params = {
		.len = sizeof(params),
		.types = UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD,
		.basic = {
			.attrs = UBLK_ATTR_VOLATILE_CACHE,
			.logical_bs_shift = lba_shift,
			.physical_bs_shift = lba_shift,
			.io_opt_shift = lba_shift,
			.io_min_shift = lba_shift,
			.max_sectors = u->max_io >> 9,
			.dev_sectors = u->bytes >> 9,
		},
		.discard = {
			.discard_granularity = 1U << lba_shift,
			.max_discard_sectors = u->max_io >> 9,
			.max_write_zeroes_sectors = u->max_io >> 9,
			.max_discard_segments = 1,
		},
	};
	int ret;

	ret = ublk_control(u, CTL(UBLK_CMD_ADD_DEV), &info, sizeof(info), 0);
	if (ret)
		return ret;
	u->id = info.dev_id;
	return ublk_control(u, CTL(UBLK_CMD_SET_PARAMS), &params,
			    sizeof(params), 0);
}

static int ublk_open(struct ublk *u)
{
	size_t size = u->depth * sizeof(struct ublksrv_io_desc);
	char path[32];

	snprintf(path, sizeof(path), "/dev/ublkc%d", u->id);
	u->dev = open(path, O_RDWR | O_CLOEXEC);
	if (u->dev < 0)
		return -errno;
	u->descs = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE,
			u->dev, UBLKSRV_CMD_BUF_OFFSET);
	if (u->descs == MAP_FAILED) {
		u->descs = NULL;
		return -errno;
	}
	return uring_open(&u->io, u->depth, false);
}

int ublk_start(struct ublk *u, unsigned int mib, unsigned int lba_shift,
	       unsigned int depth, unsigned int max_io)
{
	int ret;

	memset(u, 0, sizeof(*u));
	u->id = -1;
	u->dev = -1;
	u->ctl.fd = -1;
	u->io.fd = -1;
	u->bytes = (uint64_t)mib << 20;
	u->depth = depth;
	u->max_io = max_io;
	u->control = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (u->control < 0)
		return -errno;
	u->data = calloc(1, u->bytes);
	u->buf = aligned_alloc(4096, u->depth * u->max_io);
	ret = -ENOMEM;
	if (!u->data || !u->buf)
		goto err;
	ret = uring_open(&u->ctl, 4, true) ?: ublk_add(u, lba_shift) ?:
	      ublk_open(u);
	if (ret)
		goto err;
	ret = -pthread_create(&u->thread, NULL, ublk_thread, u);
	if (ret)
		goto err;
	u->served = true;
	/* Returns when the thread waits for work. */
	ret = ublk_control(u, CTL(UBLK_CMD_START_DEV), NULL, 0, getpid());
	if (ret)
		goto err;
	snprintf(u->path, sizeof(u->path), "/dev/ublkb%d", u->id);
	return 0;
err:
	ublk_stop(u);
	return ret;
}

void ublk_hold(struct ublk *u, bool hold)
{
	__atomic_store_n(&u->hold, hold, __ATOMIC_RELEASE);
}

bool ublk_is_held(const struct ublk *u)
{
	return __atomic_load_n(&u->held, __ATOMIC_ACQUIRE);
}

bool ublk_wait_held(const struct ublk *u)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	while (!ublk_is_held(u)) {
		if (vng_now_ms() > end)
			return false;
		sleep_us(500);
	}
	return true;
}

static bool ublk_is_idle(const struct ublk *u)
{
	unsigned int reads, writes;
	bool idle = false;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/ublkb%d/inflight", u->id);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (fscanf(f, "%u %u", &reads, &writes) == 2)
		idle = !reads && !writes;
	fclose(f);
	return idle;
}

bool ublk_wait_idle(const struct ublk *u)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();

	while (!ublk_is_idle(u)) {
		if (vng_now_ms() > end)
			return false;
		sleep_us(500);
	}
	return true;
}

void ublk_stop(struct ublk *u)
{
	if (u->control < 0)
		return;
	ublk_hold(u, false);
	if (u->served) {
		ublk_control(u, CTL(UBLK_CMD_STOP_DEV), NULL, 0, 0);
		pthread_join(u->thread, NULL);
	}
	uring_close(&u->io);
	if (u->descs)
		munmap(u->descs, u->depth * sizeof(struct ublksrv_io_desc));
	if (u->dev >= 0)
		close(u->dev);
	if (u->id >= 0)
		ublk_control(u, CTL(UBLK_CMD_DEL_DEV), NULL, 0, 0);
	uring_close(&u->ctl);
	close(u->control);
	u->control = -1;
	free(u->buf);
	free(u->data);
}
