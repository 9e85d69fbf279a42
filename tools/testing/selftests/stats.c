// SPDX-License-Identifier: GPL-2.0
/* What is counted for a namespace identifier, and the log of errors */
#include <errno.h>

#include "test.h"

#define MAX_ERRORS	1024

FIXTURE(stats) {
	struct box box;
	struct vng_cq cq;	/* those of a second worker */
	struct vng_sq sq;
	struct disk disk;	/* namespace 2, with blocks that cannot be read */
	uint64_t buf;
	struct vhost_nvme_error error[MAX_ERRORS];
};

FIXTURE_SETUP(stats)
{
	struct vng *g = &self->box.g;
	int ret;

	BOX_SETUP(&self->box, .no_queues = true);
	ret = disk_create(&self->disk, 8, 9, "badblocks=+0-31");
	if (ret == -ENODEV || ret == -EINVAL)
		SKIP(return, "no bad blocks in null_blk: %s", strerror(-ret));
	ASSERT_EQ(0, ret);
	OK(vng_set_ns(g, 2, self->disk.fd, 9, 0, 0));
	OK(vng_set_workers(g, 2));
	self->cq.worker = 1;
	OK(vng_cq_create(g, &self->box.cq, 1, 64, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &self->box.sq, 1, &self->box.cq, 64, VNG_KICK));
	OK(vng_cq_create(g, &self->cq, 2, 64, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &self->sq, 2, &self->cq, 64, VNG_KICK));
	self->buf = vng_alloc(g, 65536, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(stats)
{
	box_stop(&self->box);
	disk_destroy(&self->disk);
}

static int rw(struct vng_sq *sq, uint64_t buf, uint8_t opcode, uint32_t nsid,
	      uint64_t slba, uint32_t nlb)
{
	struct vng_sqe sqe;

	vng_cmd_rw(&sqe, opcode, nsid, slba, nlb);
	return vng_prp_contig(sq->g, &sqe, buf, nlb * 512) ?: box_exec(sq, &sqe);
}

static struct vhost_nvme_stats ns_stats(struct vng *g, uint16_t nsid)
{
	struct vhost_nvme_stats s = {};

	vng_stats(g, VHOST_NVME_STATS_NS, nsid, &s);
	return s;
}

static int get_errors(struct vng *g, struct vhost_nvme_error *error, uint32_t nr,
		      uint64_t *total)
{
	struct vhost_nvme_errors arg = {
		.entries = (uintptr_t)error,
		.nr = nr,
	};
	int ret = vng_ioctl(g, VHOST_NVME_GET_ERRORS, &arg, "GET_ERRORS");

	*total = arg.total;
	return ret ?: (int)arg.nr;
}

/* Counted for the namespace whatever queue and worker it came by */
TEST_F(stats, namespaces)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		OK(rw(&self->box.sq, self->buf, VNG_CMD_WRITE, 1, 0, 8));
		OK(rw(&self->sq, self->buf, VNG_CMD_WRITE, 1, 8, 4));
		OK(rw(&self->box.sq, self->buf, VNG_CMD_READ, 2, 64, 2));
		OK(rw(&self->sq, self->buf, VNG_CMD_READ, 1, 8, 1));
	}
	s = ns_stats(g, 1);
	EXPECT_EQ(6, s.write_commands);
	EXPECT_EQ(36 * 512, s.write_bytes);
	EXPECT_EQ(3, s.read_commands);
	EXPECT_EQ(3 * 512, s.read_bytes);
	s = ns_stats(g, 2);
	EXPECT_EQ(0, s.write_commands);
	EXPECT_EQ(0, s.write_bytes);
	EXPECT_EQ(3, s.read_commands);
	EXPECT_EQ(6 * 512, s.read_bytes);
	EXPECT_EQ(0, s.errors | s.media_errors | s.commands | s.cqes | s.tid);
	FAILS(ENOENT, vng_stats(g, VHOST_NVME_STATS_NS, 0, &s));
	FAILS(ENOENT, vng_stats(g, VHOST_NVME_STATS_NS, g->caps.max_nsid + 1,
				&s));
	OK(vng_stats(g, VHOST_NVME_STATS_NS, g->caps.max_nsid, &s));
}

/* The counters outlive the queues, the worker and the disk. */
TEST_F(stats, lasting)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;

	OK(rw(&self->sq, self->buf, VNG_CMD_WRITE, 1, 0, 8));
	OK(rw(&self->box.sq, self->buf, VNG_CMD_WRITE, 1, 0, 8));
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	OK(vng_set_workers(g, 1));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	s = ns_stats(g, 1);
	EXPECT_EQ(2, s.write_commands);
	EXPECT_EQ(16 * 512, s.write_bytes);
}

/* An error of the disk is a media error, one of the guest is not. */
TEST_F(stats, media)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;

	EXPECT_EQ(VNG_SC_READ_ERROR, VNG_SC_MASK &
		  rw(&self->sq, self->buf, VNG_CMD_READ, 2, 8, 8));
	EXPECT_EQ(VNG_SC_WRITE_FAULT, VNG_SC_MASK &
		  rw(&self->box.sq, self->buf, VNG_CMD_WRITE, 2, 16, 8));
	EXPECT_EQ(VNG_SC_LBA_RANGE, VNG_SC_MASK &
		  rw(&self->sq, self->buf, VNG_CMD_READ, 2, 1 << 20, 1));
	s = ns_stats(g, 2);
	EXPECT_EQ(3, s.errors);
	EXPECT_EQ(2, s.media_errors);
	s = ns_stats(g, 1);
	EXPECT_EQ(0, s.errors);
	EXPECT_EQ(0, s.media_errors);
}

/* What failed, the newest first, with all that is known of it */
TEST_F(stats, errors)
{
	struct vhost_nvme_error *e = self->error;
	struct vng *g = &self->box.g;
	struct vng_sqe sqe;
	uint64_t total;

	ASSERT_EQ(0, get_errors(g, e, MAX_ERRORS, &total));
	EXPECT_EQ(0, total);
	OK(rw(&self->sq, self->buf, VNG_CMD_READ, 1, 0, 8));
	rw(&self->sq, self->buf, VNG_CMD_READ, 1, 0x123456789a, 8);
	rw(&self->box.sq, self->buf, VNG_CMD_WRITE, 77, 5, 1);
	vng_cmd_flush(&sqe, 0xffffff);
	sqe.cdw10 = htole32(1);
	box_exec(&self->sq, &sqe);

	ASSERT_EQ(3, get_errors(g, e, MAX_ERRORS, &total));
	EXPECT_EQ(3, total);
	EXPECT_EQ(3, e[0].count);
	EXPECT_EQ(0xffffff, e[0].nsid);
	EXPECT_EQ(0, e[0].lba);
	EXPECT_EQ(VNG_CMD_FLUSH, e[0].opcode);
	EXPECT_EQ(2, e[0].sqid);
	EXPECT_EQ((uint16_t)(self->sq.next_cid - 1), e[0].cid);
	EXPECT_EQ(VNG_SC_INVALID_NS, VNG_SC_MASK & e[0].status);
	EXPECT_EQ(2, e[1].count);
	EXPECT_EQ(77, e[1].nsid);
	EXPECT_EQ(5, e[1].lba);
	EXPECT_EQ(VNG_CMD_WRITE, e[1].opcode);
	EXPECT_EQ(1, e[1].sqid);
	EXPECT_EQ(VNG_SC_INVALID_FIELD, VNG_SC_MASK & e[1].status);
	EXPECT_EQ(1, e[2].count);
	EXPECT_EQ(1, e[2].nsid);
	EXPECT_EQ(0x123456789a, e[2].lba);
	EXPECT_EQ(VNG_CMD_READ, e[2].opcode);
	EXPECT_EQ(2, e[2].sqid);
	EXPECT_EQ((uint16_t)(self->sq.next_cid - 2), e[2].cid);
	EXPECT_EQ(VNG_SC_LBA_RANGE, VNG_SC_MASK & e[2].status);
	EXPECT_EQ(0, e[2].reserved[0]);
}

/* More than are kept; and room for fewer */
TEST_F(stats, many_errors)
{
	struct vhost_nvme_error *e = self->error;
	struct vng *g = &self->box.g;
	uint32_t max = g->caps.max_errors;
	uint64_t total;
	unsigned int i;

	ASSERT_LE(64, max);
	ASSERT_GT(MAX_ERRORS, max);
	for (i = 0; i < max + 10; i++)
		rw(i % 2 ? &self->sq : &self->box.sq, self->buf, VNG_CMD_READ, 1,
		   1 << 20 | i, 1);
	ASSERT_EQ(max, get_errors(g, e, MAX_ERRORS, &total));
	EXPECT_EQ(max + 10, total);
	for (i = 0; i < max; i++) {
		ASSERT_EQ(max + 10 - i, e[i].count);
		ASSERT_EQ(1 << 20 | (max + 9 - i), e[i].lba);
	}
	e[2].count = 12345;
	ASSERT_EQ(2, get_errors(g, e, 2, &total));
	EXPECT_EQ(max + 10, e[0].count);
	EXPECT_EQ(max + 9, e[1].count);
	EXPECT_EQ(12345, e[2].count);
	ASSERT_EQ(0, get_errors(g, NULL, 0, &total));
	EXPECT_EQ(max + 10, total);
	EXPECT_EQ(max + 10, ns_stats(g, 1).errors);
}

TEST_F(stats, bad)
{
	struct vhost_nvme_errors arg = { .reserved = 1 };
	struct vng *g = &self->box.g;
	uint64_t total;

	IOCTL_FAILS(EINVAL, g->fd, VHOST_NVME_GET_ERRORS, &arg);
	IOCTL_FAILS(EFAULT, g->fd, VHOST_NVME_GET_ERRORS, NULL);
	rw(&self->sq, self->buf, VNG_CMD_READ, 1, 1 << 20, 1);
	FAILS(EFAULT, get_errors(g, (void *)16, 1, &total));
}

TEST_HARNESS_MAIN
