// SPDX-License-Identifier: GPL-2.0
/* SET_NS: what may be a namespace and what may not */
#include <linux/fs.h>
#include <sys/eventfd.h>

#include "test.h"

FIXTURE(ns) {
	struct box box;
	struct vhost_nvme_ns arg;	/* a good one, for nsid 2 */
};

FIXTURE_SETUP(ns)
{
	BOX_SETUP(&self->box);
	self->arg.nsid = 2;
	self->arg.fd = self->box.disk.fd;
	self->arg.lba_shift = 9;
}

FIXTURE_TEARDOWN(ns)
{
	box_stop(&self->box);
}

static int set_ns(struct vng *g, struct vhost_nvme_ns *arg)
{
	return vng_ioctl(g, VHOST_NVME_SET_NS, arg, "SET_NS");
}

/* Status of reading the first 4096 bytes of @nsid, whose LBA has 512 */
static int probe(struct box *b, uint32_t nsid)
{
	uint64_t gpa = vng_alloc(&b->g, 4096, 4096);
	struct vng_sqe sqe;

	if (!gpa)
		return -ENOMEM;
	vng_cmd_rw(&sqe, VNG_CMD_READ, nsid, 0, 8);
	return vng_prp_contig(&b->g, &sqe, gpa, 4096) ?:
	       box_exec(&b->sq, &sqe);
}

/* A namespace comes, and goes with an event. */
TEST_F(ns, add_remove)
{
	struct vng *g = &self->box.g;

	EXPECT_EQ(NO_NS, probe(&self->box, 2)) TH_LOG("%s", vng_msg(g));
	OK(set_ns(g, &self->arg));
	OK(probe(&self->box, 2));
	OK(vng_set_ns(g, 2, -1, 0, 0, 0));
	EXPECT_EQ(NO_NS, probe(&self->box, 2)) TH_LOG("%s", vng_msg(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	OK(probe(&self->box, 1));
}

/* Removing what is not there does nothing, silently. */
TEST_F(ns, remove_nothing)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;

	OK(vng_set_ns(g, 2, -1, 0, 0, 0));
	OK(vng_set_ns(g, g->caps.max_nsid, -1, 0, 0, 0));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 50));
}

/* Namespace identifiers begin with 1 and end with the announced maximum. */
TEST_F(ns, nsid_range)
{
	struct vng *g = &self->box.g;

	self->arg.nsid = 0;
	FAILS(EINVAL, set_ns(g, &self->arg));
	self->arg.nsid = g->caps.max_nsid + 1;
	FAILS(EINVAL, set_ns(g, &self->arg));
	self->arg.nsid = UINT32_MAX;
	FAILS(EINVAL, set_ns(g, &self->arg));
	FAILS(EINVAL, vng_set_ns(g, 0, -1, 0, 0, 0));
	self->arg.nsid = g->caps.max_nsid;
	OK(set_ns(g, &self->arg));
	OK(probe(&self->box, g->caps.max_nsid));
}

/* Unknown flags and reserved members are refused, each of them. */
TEST_F(ns, reserved)
{
	struct vng *g = &self->box.g;
	unsigned int i;

	for (i = 2; i < 32; i++) {
		self->arg.flags = 1U << i;
		FAILS(EINVAL, set_ns(g, &self->arg));
	}
	self->arg.flags = 0;
	for (i = 0; i < 3; i++) {
		self->arg.reserved8[i] = 0x80;
		FAILS(EINVAL, set_ns(g, &self->arg));
		self->arg.reserved8[i] = 0;
	}
	self->arg.reserved2 = 1;
	FAILS(EINVAL, set_ns(g, &self->arg));
	self->arg.reserved2 = 0;
	self->arg.reserved = 1ULL << 63;
	FAILS(EINVAL, set_ns(g, &self->arg));
	self->arg.reserved = 0;
	EXPECT_EQ(NO_NS, probe(&self->box, 2)) TH_LOG("%s", vng_msg(g));
	OK(set_ns(g, &self->arg));
	OK(probe(&self->box, 2));
}

/* LBA sizes outside of the announced range */
TEST_F(ns, lba_shift)
{
	struct vng *g = &self->box.g;
	unsigned int shift;

	for (shift = 0; shift < 256; shift++) {
		self->arg.lba_shift = shift;
		if (shift < g->caps.min_lba_shift ||
		    shift > g->caps.max_lba_shift)
			FAILS(EINVAL, set_ns(g, &self->arg));
	}
	self->arg.lba_shift = g->caps.max_lba_shift;
	OK(set_ns(g, &self->arg));
}

/* LBAs smaller than the disk's blocks cannot be written. */
TEST_F(ns, lba_below_block)
{
	struct vng *g = &self->box.g;
	struct disk big;

	ASSERT_EQ(0, disk_create(&big, 16, 12, NULL));
	self->arg.fd = big.fd;
	self->arg.lba_shift = 9;
	EXPECT_EQ(-EINVAL, set_ns(g, &self->arg));
	self->arg.lba_shift = 11;
	EXPECT_EQ(-EINVAL, set_ns(g, &self->arg));
	self->arg.lba_shift = 12;
	EXPECT_EQ(0, set_ns(g, &self->arg)) TH_LOG("%s", vng_msg(g));
	vng_set_ns(g, 2, -1, 0, 0, 0);
	vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2);
	disk_destroy(&big);
}

/* A namespace may be smaller than the disk, not larger. */
TEST_F(ns, nlb)
{
	struct vng *g = &self->box.g;
	uint64_t blocks = self->box.disk.bytes >> 9;

	self->arg.nlb = blocks + 1;
	FAILS(EINVAL, set_ns(g, &self->arg));
	self->arg.nlb = UINT64_MAX;
	FAILS(EINVAL, set_ns(g, &self->arg));
	/* In bytes this would be 4096. */
	self->arg.nlb = (1ULL << 55) + 8;
	FAILS(EINVAL, set_ns(g, &self->arg));
	self->arg.nlb = blocks;
	OK(set_ns(g, &self->arg));
	self->arg.nlb = 7;
	OK(set_ns(g, &self->arg));
	EXPECT_EQ(VNG_SC_LBA_RANGE | VNG_SC_DNR, probe(&self->box, 2))
		TH_LOG("%s", vng_msg(g));
	self->arg.nlb = 8;
	OK(set_ns(g, &self->arg));
	OK(probe(&self->box, 2));
}

/* What is no open file is EBADF, an O_PATH descriptor among it. */
TEST_F(ns, bad_fd)
{
	struct vng *g = &self->box.g;
	int fd;

	fd = eventfd(0, 0);
	ASSERT_LE(0, fd);
	close(fd);
	self->arg.fd = fd;
	FAILS(EBADF, set_ns(g, &self->arg));
	self->arg.fd = -2;
	FAILS(EBADF, set_ns(g, &self->arg));
	self->arg.fd = INT32_MIN;
	FAILS(EBADF, set_ns(g, &self->arg));
	fd = open(self->box.disk.path, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, fd);
	self->arg.fd = fd;
	FAILS(EBADF, set_ns(g, &self->arg));
	close(fd);
}

/* What is no block device is ENOTBLK. */
TEST_F(ns, not_block)
{
	struct vng *g = &self->box.g;
	int pipefd[2];

	self->arg.fd = eventfd(0, EFD_CLOEXEC);
	FAILS(ENOTBLK, set_ns(g, &self->arg));
	close(self->arg.fd);
	self->arg.fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	FAILS(ENOTBLK, set_ns(g, &self->arg));
	close(self->arg.fd);
	self->arg.fd = open("/", O_RDONLY | O_CLOEXEC);
	FAILS(ENOTBLK, set_ns(g, &self->arg));
	close(self->arg.fd);
	self->arg.fd = memfd_create("file", MFD_CLOEXEC);
	FAILS(ENOTBLK, set_ns(g, &self->arg));
	close(self->arg.fd);
	self->arg.fd = g->fd;
	FAILS(ENOTBLK, set_ns(g, &self->arg));
	ASSERT_EQ(0, pipe(pipefd));
	self->arg.fd = pipefd[0];
	FAILS(ENOTBLK, set_ns(g, &self->arg));
	close(pipefd[0]);
	close(pipefd[1]);
}

/* The way in which the file is open limits what it is good for. */
TEST_F(ns, access_mode)
{
	struct vng *g = &self->box.g;

	self->arg.fd = open(self->box.disk.path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->arg.fd);
	FAILS(EACCES, set_ns(g, &self->arg));
	self->arg.flags = VHOST_NVME_NS_RDONLY;
	OK(set_ns(g, &self->arg));
	OK(probe(&self->box, 2));
	close(self->arg.fd);

	self->arg.fd = open(self->box.disk.path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->arg.fd);
	FAILS(EACCES, set_ns(g, &self->arg));
	self->arg.flags = 0;
	FAILS(EACCES, set_ns(g, &self->arg));
	close(self->arg.fd);
}

/* A disk that has become read-only is no writable namespace. */
TEST_F(ns, read_only_disk)
{
	struct vng *g = &self->box.g;
	int on = 1, off = 0;

	ASSERT_EQ(0, ioctl(self->box.disk.fd, BLKROSET, &on));
	EXPECT_EQ(-EACCES, set_ns(g, &self->arg));
	self->arg.flags = VHOST_NVME_NS_RDONLY;
	EXPECT_EQ(0, set_ns(g, &self->arg)) TH_LOG("%s", vng_msg(g));
	ASSERT_EQ(0, ioctl(self->box.disk.fd, BLKROSET, &off));
}

/* The namespace keeps its disk open, and closes it before it says so. */
TEST_F(ns, fd_closed)
{
	struct vng *g = &self->box.g;
	int fd, round;

	for (round = 0; round < 10; round++) {
		self->arg.fd = open(self->box.disk.path,
				    O_RDWR | O_EXCL | O_CLOEXEC);
		ASSERT_LE(0, self->arg.fd)
			TH_LOG("round %d: %s", round, strerror(errno));
		OK(set_ns(g, &self->arg));
		close(self->arg.fd);
		OK(probe(&self->box, 2));
		fd = open(self->box.disk.path, O_RDWR | O_EXCL | O_CLOEXEC);
		ASSERT_EQ(-1, fd);
		ASSERT_EQ(EBUSY, errno);
		OK(vng_set_ns(g, 2, -1, 0, 0, 0));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	}
}

/* Zoned disks need commands that do not exist here. */
TEST_F(ns, zoned)
{
	struct vng *g = &self->box.g;
	struct disk zoned;
	int ret;

	ret = disk_create(&zoned, 16, 12, "zoned=1 zone_size=4");
	if (ret)
		SKIP(return, "no zoned null_blk: %s", strerror(-ret));
	self->arg.fd = zoned.fd;
	self->arg.lba_shift = 12;
	EXPECT_EQ(-EOPNOTSUPP, set_ns(g, &self->arg));
	disk_destroy(&zoned);
}

/* A replacement that fails leaves the old namespace. */
TEST_F(ns, failed_replacement)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;

	FAILS(EBADF, vng_set_ns(g, 1, -2, 9, 0, 0));
	FAILS(EINVAL, vng_set_ns(g, 1, self->box.disk.fd, 9, 1ULL << 40, 0));
	OK(probe(&self->box, 1));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 50));
}

/* A replacement shows the new disk and reports the old one as gone. */
TEST_F(ns, replacement)
{
	struct vng *g = &self->box.g;
	struct disk other;
	char buf[4096];
	uint64_t gpa;

	gpa = vng_alloc(g, sizeof(buf), 4096);
	ASSERT_EQ(0, disk_create(&other, 16, 9, NULL));
	pattern_fill(buf, sizeof(buf), 77);
	EXPECT_EQ(0, disk_write(&other, 0, buf, sizeof(buf)));
	EXPECT_EQ(0, vng_set_ns(g, 1, other.fd, 9, 0, 0));
	EXPECT_EQ(0, box_rw(&self->box, VNG_CMD_READ, 0, gpa, sizeof(buf)));
	EXPECT_EQ(-1, pattern_check(vng_ptr(g, gpa, sizeof(buf)), sizeof(buf), 77));
	EXPECT_EQ(0, vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1))
		TH_LOG("%s", vng_msg(g));
	vng_set_ns(g, 1, -1, 0, 0, 0);
	vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1);
	disk_destroy(&other);
}

TEST_HARNESS_MAIN
