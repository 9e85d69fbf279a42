// SPDX-License-Identifier: GPL-2.0
/*
 * Disks with poll queues: their commands complete only if somebody looks for
 * them, whatever becomes of the queue, the controller and the process.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "scsi.h"
#include "test.h"

#define NULL_ATTRS	"submit_queues=1 poll_queues=1 max_sectors=128 virt_boundary=1"
/* More than what happens meanwhile on a machine that is not overloaded */
#define DELAY_NS	200000000

static int start(struct box *b, char *path, size_t len, bool scsi,
		 bool poll_disks, unsigned int poll_us)
{
	struct box_opts opts = {
		.poll_disks = poll_disks,
		.poll_us = poll_us,
		.attrs = NULL_ATTRS,
	};
	int ret;

	if (scsi) {
		ret = scsi_start(path, len);
		if (ret)
			return ret;
		opts.path = path;
	}
	return box_start(b, &opts);
}

FIXTURE(hostpoll) {
	struct box box;
	char path[64];
	uint64_t buf;
};

FIXTURE_VARIANT(hostpoll) {
	bool scsi;
	unsigned int poll_us;
};

FIXTURE_VARIANT_ADD(hostpoll, null) { };
FIXTURE_VARIANT_ADD(hostpoll, null_polling) { .poll_us = 10000 };
FIXTURE_VARIANT_ADD(hostpoll, scsi) { .scsi = true };

FIXTURE_SETUP(hostpoll)
{
	int ret = start(&self->box, self->path, sizeof(self->path),
			variant->scsi, true, variant->poll_us);

	if (ret == -ENOENT || ret == -ENODEV)
		SKIP(return, "%s", vng_msg(&self->box.g));
	ASSERT_EQ(0, ret) TH_LOG("%s", vng_msg(&self->box.g));
	self->buf = vng_alloc(&self->box.g, 1 << 20, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(hostpoll)
{
	box_stop(&self->box);
	if (variant->scsi)
		scsi_stop();
}

/* Data of all sizes, also of those that the disk wants split, and with FUA */
TEST_F(hostpoll, transfers)
{
	static const size_t size[] = { 512, 4096, 12288, 131072, 1 << 20 };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i, fua;
	struct vng_sqe sqe;
	char *p;

	for (i = 0; i < 2 * sizeof(size) / sizeof(size[0]); i++) {
		fua = i % 2 ? VNG_RW_FUA : 0;
		p = vng_ptr(g, self->buf, size[i / 2]);
		pattern_fill(p, size[i / 2], i);
		vng_cmd_rw(&sqe, VNG_CMD_WRITE, 1, 0, size[i / 2] / 512);
		sqe.cdw12 |= htole32(fua);
		OK(vng_prp_contig(g, &sqe, self->buf, size[i / 2]));
		EXPECT_EQ(0, box_exec(&b->sq, &sqe));
		memset(p, 0, size[i / 2]);
		sqe.opcode = VNG_CMD_READ;
		EXPECT_EQ(0, box_exec(&b->sq, &sqe));
		EXPECT_EQ(-1, pattern_check(p, size[i / 2], i));
	}
	vng_cmd_flush(&sqe, 1);
	EXPECT_EQ(0, box_exec(&b->sq, &sqe));
}

/* Many at once; each completes, and the worker sleeps afterwards. */
TEST_F(hostpoll, many)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vhost_nvme_stats before, after;
	unsigned int i, j;
	struct vng_sqe sqe;
	struct vng_cqe cqe;

	for (i = 0; i < 20; i++) {
		for (j = 0; j < 40; j++) {
			vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 8 * j, 8);
			OK(vng_prp_contig(g, &sqe, self->buf + 4096 * j, 4096));
			OK(vng_submit(&b->sq, &sqe));
		}
		for (j = 0; j < 40; j++) {
			OK(vng_cq_wait(&b->cq, &cqe));
			ASSERT_EQ(0, vng_status(&cqe));
		}
	}
	sleep_ms(100);
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &before));
	sleep_ms(100);
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &after));
	EXPECT_EQ(before.passes, after.passes);
}

/*
 * Commands for neighbouring blocks, fetched together: some that are polled for, and
 * some that the disk takes only in pieces, which are not.
 */
TEST_F(hostpoll, neighbours)
{
	static const unsigned int blocks[] = { 8, 256, 8, 8, 512, 8, 256, 256 };
	const unsigned int nr = sizeof(blocks) / sizeof(blocks[0]);
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i, round, lba;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	uint64_t mark, sgl;

	for (round = 0; round < 40; round++) {
		mark = g->next;
		for (i = 0, lba = 0; i < nr; i++) {
			vng_cmd_rw(&sqe, round & 1 ? VNG_CMD_READ : VNG_CMD_WRITE,
				   1, lba, blocks[(i + round) % nr]);
			lba += blocks[(i + round) % nr];
			if (round & 2 && blocks[(i + round) % nr] == 8) {
				/* A gap that the disk does not take as one */
				sgl = vng_alloc(g, 2 * sizeof(struct vng_sgl), 8);
				ASSERT_NE(0, sgl);
				vng_sgl_set(vng_ptr(g, sgl, 32), 0, VNG_SGL_DATA,
					    self->buf, 512);
				vng_sgl_set(vng_ptr(g, sgl, 32), 1, VNG_SGL_DATA,
					    self->buf + 8192, 3584);
				vng_sgl_use(&sqe, VNG_SGL_LAST_SEGMENT, sgl, 32);
			} else {
				OK(vng_prp_contig(g, &sqe, self->buf,
						  512 * blocks[(i + round) % nr]));
			}
			OK(vng_sq_push(&b->sq, &sqe));
		}
		OK(vng_sq_ring(&b->sq));
		for (i = 0; i < nr; i++) {
			OK(vng_cq_wait(&b->cq, &cqe));
			ASSERT_EQ(0, vng_status(&cqe));
		}
		g->next = mark;
	}
}

/* A disk that takes its time */
FIXTURE(slow) {
	struct box box;
	char path[64];
	uint64_t buf;
	bool scsi;
};

FIXTURE_VARIANT(slow) {
	bool poll_disks;
};

FIXTURE_VARIANT_ADD(slow, polled) { .poll_disks = true };
FIXTURE_VARIANT_ADD(slow, interrupt) { };

FIXTURE_SETUP(slow)
{
	int ret = start(&self->box, self->path, sizeof(self->path), true,
			variant->poll_disks, 0);

	if (ret == -ENOENT || ret == -ENODEV)
		SKIP(return, "%s", vng_msg(&self->box.g));
	ASSERT_EQ(0, ret) TH_LOG("%s", vng_msg(&self->box.g));
	self->scsi = true;
	ASSERT_EQ(0, scsi_delay(DELAY_NS));
	self->buf = vng_alloc(&self->box.g, 65536, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(slow)
{
	box_stop(&self->box);
	if (self->scsi)
		scsi_stop();
}

static int submit_read(struct box *b, uint64_t buf)
{
	struct vng_sqe sqe;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8);
	return vng_prp_contig(&b->g, &sqe, buf, 4096) ?: vng_submit(&b->sq, &sqe);
}

static int wait_fetched(struct box *b, unsigned int nr)
{
	uint64_t end = vng_now_ms() + b->g.timeout_ms;
	struct vhost_nvme_stats s;
	int ret;

	do {
		ret = vng_stats(&b->g, VHOST_NVME_STATS_SQ, 1, &s);
		if (ret || s.commands == nr)
			return ret;
	} while (vng_now_ms() < end);
	return vng_fail(&b->g, -ETIMEDOUT, "%llu of %u commands fetched",
			(unsigned long long)s.commands, nr);
}

/* The worker looks all the time, and only if that was asked for. */
TEST_F(slow, who_looks)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vhost_nvme_stats before, after;
	struct vng_cqe cqe;
	unsigned int i;

	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &before));
	for (i = 0; i < 4; i++)
		OK(submit_read(b, self->buf + 4096 * i));
	for (i = 0; i < 4; i++) {
		OK(vng_cq_wait(&b->cq, &cqe));
		EXPECT_EQ(0, vng_status(&cqe));
	}
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &after));
	EXPECT_EQ(variant->poll_disks, after.passes - before.passes > 100);
	EXPECT_GE(before.wakeups + 4, after.wakeups);
}

/* Deletion of the queue waits for what is in flight, which must be looked for. */
TEST_F(slow, deleted)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_cqe cqe;

	OK(submit_read(b, self->buf));
	OK(wait_fetched(b, 1));
	OK(vng_sq_delete(&b->sq));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	EXPECT_EQ(1, vng_cq_peek(&b->cq, &cqe));
	EXPECT_EQ(0, vng_status(&cqe));
}

TEST_F(slow, reset)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_cqe cqe;

	OK(submit_read(b, self->buf));
	OK(wait_fetched(b, 1));
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	EXPECT_EQ(1, vng_cq_peek(&b->cq, &cqe));
}

/* The namespace goes from the controller, and closes with its last command. */
TEST_F(slow, removed)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_cqe cqe;

	OK(submit_read(b, self->buf));
	OK(wait_fetched(b, 1));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_cq_wait(&b->cq, &cqe));
	EXPECT_EQ(0, vng_status(&cqe));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
}

/* Nobody else has the disk. */
static int wait_free(const char *path)
{
	uint64_t end = vng_now_ms() + test_timeout_ms();
	int fd;

	do {
		fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		sleep_ms(10);
	} while (vng_now_ms() < end);
	return -errno;
}

/* The worker's thread ends before the command does. */
TEST_F(slow, closed)
{
	struct box *b = &self->box;
	int refs = module_refcount();
	struct vng *g = &b->g;

	OK(submit_read(b, self->buf));
	OK(wait_fetched(b, 1));
	close(b->disk.fd);
	close(b->disk.check);
	b->disk.fd = -1;
	b->disk.check = -1;
	vng_close(g);
	/* Mostly not over yet: the command is what keeps the module. */
	EXPECT_EQ(0, wait_free(self->path));
	EXPECT_GT(refs, module_refcount());
}

/* The process is killed. */
TEST_F(slow, killed)
{
	char path[64];
	struct box b;
	int status;
	pid_t pid;

	box_stop(&self->box);
	snprintf(path, sizeof(path), "%s", self->path);
	/* It is closed when all is over. */
	ASSERT_EQ(0, wait_free(path));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct box_opts opts = {
			.poll_disks = variant->poll_disks,
			.path = path,
		};

		if (!box_start(&b, &opts) &&
		    !submit_read(&b, vng_alloc(&b.g, 4096, 4096)) &&
		    !wait_fetched(&b, 1))
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, wait_free(path));
}

TEST_HARNESS_MAIN
