// SPDX-License-Identifier: GPL-2.0
/* Every command on every kind of disk that this kernel has */
#include <linux/fs.h>
#include <linux/loop.h>

#include "scsi.h"
#include "test.h"
#include "ublk.h"

#define MIB	(1UL << 20)

enum kind { KIND_NULL, KIND_NULL_BIO, KIND_NULL_FUA, KIND_LOOP, KIND_BRD,
	    KIND_SCSI, KIND_UBLK, KIND_GIVEN };

FIXTURE(kinds) {
	struct box box;
	struct disk made;	/* if it is null_blk */
	int loop;		/* if it is a loop device */
	bool scsi;		/* if it is scsi_debug */
	struct ublk ublk;	/* if it is served by this process */
	char path[64];
	uint64_t buf;
};

FIXTURE_VARIANT(kinds) {
	enum kind kind;
	unsigned int lba_shift;
};

FIXTURE_VARIANT_ADD(kinds, null) { KIND_NULL, 9 };
FIXTURE_VARIANT_ADD(kinds, null_bio) { KIND_NULL_BIO, 9 };
FIXTURE_VARIANT_ADD(kinds, null_fua) { KIND_NULL_FUA, 9 };
FIXTURE_VARIANT_ADD(kinds, loop) { KIND_LOOP, 9 };
FIXTURE_VARIANT_ADD(kinds, loop_4k) { KIND_LOOP, 12 };
FIXTURE_VARIANT_ADD(kinds, brd) { KIND_BRD, 9 };
FIXTURE_VARIANT_ADD(kinds, scsi) { KIND_SCSI, 9 };
FIXTURE_VARIANT_ADD(kinds, ublk) { KIND_UBLK, 9 };
FIXTURE_VARIANT_ADD(kinds, ublk_4k) { KIND_UBLK, 12 };
FIXTURE_VARIANT_ADD(kinds, given) { KIND_GIVEN };

static int make_loop(char *path, size_t len, unsigned int lba_shift, int *loop)
{
	struct loop_config config = { .block_size = 1U << lba_shift };
	int ctl, nr, file, ret = 0;

	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (ctl < 0)
		return -ENODEV;
	nr = ioctl(ctl, LOOP_CTL_GET_FREE);
	close(ctl);
	if (nr < 0)
		return -errno;
	snprintf(path, len, "/dev/loop%d", nr);
	*loop = open(path, O_RDWR | O_CLOEXEC);
	file = memfd_create("loop", MFD_CLOEXEC);
	config.fd = file;
	if (*loop < 0 || file < 0 || ftruncate(file, 16 * MIB) ||
	    ioctl(*loop, LOOP_CONFIGURE, &config))
		ret = -errno;
	close(file);
	return ret;
}

/* What is on it will be lost. */
static int find_given(char *path, size_t len, unsigned int *lba_shift)
{
	const char *given = getenv("VNG_DISK");
	int fd, size, ret = 0;

	if (!given)
		return -ENODEV;
	snprintf(path, len, "%s", given);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, BLKSSZGET, &size))
		ret = -errno;
	else
		*lba_shift = __builtin_ctz(size);
	close(fd);
	return ret;
}

FIXTURE_SETUP(kinds)
{
	struct box_opts opts = { .lba_shift = variant->lba_shift };
	const char *attrs = NULL;
	int ret = -ENODEV;

	self->loop = -1;
	self->ublk.control = -1;
	self->made.fd = -1;
	self->made.check = -1;
	switch (variant->kind) {
	case KIND_NULL:
		attrs = "discard=1";
		break;
	case KIND_NULL_BIO:
		attrs = "queue_mode=0";
		break;
	case KIND_NULL_FUA:
		attrs = "cache_size=1 discard=1 irqmode=1";
		break;
	case KIND_LOOP:
		ret = make_loop(self->path, sizeof(self->path),
				variant->lba_shift, &self->loop);
		break;
	case KIND_BRD:
		snprintf(self->path, sizeof(self->path), "/dev/ram0");
		ret = access(self->path, R_OK | W_OK) ? -ENODEV : 0;
		break;
	case KIND_SCSI:
		ret = scsi_start(self->path, sizeof(self->path));
		self->scsi = !ret;
		break;
	case KIND_UBLK:
		ret = ublk_start(&self->ublk, 16, variant->lba_shift,
				 32, 512 * 1024);
		snprintf(self->path, sizeof(self->path), "%s", self->ublk.path);
		break;
	case KIND_GIVEN:
		ret = find_given(self->path, sizeof(self->path),
				 &opts.lba_shift);
		if (ret == -ENODEV)
			SKIP(return, "VNG_DISK names no disk");
		break;
	}
	if (attrs) {
		ret = disk_create(&self->made, 16, variant->lba_shift, attrs);
		snprintf(self->path, sizeof(self->path), "%s", self->made.path);
		/* The box opens it again, for itself alone. */
		close(self->made.fd);
		self->made.fd = -1;
	}
	if (ret)
		SKIP(return, "no such disk: %s", strerror(-ret));
	opts.path = self->path;
	ret = box_start(&self->box, &opts);
	if (ret == -ENOENT)
		SKIP(return, "%s", vng_msg(&self->box.g));
	ASSERT_EQ(0, ret) TH_LOG("%s: %s", self->path, vng_msg(&self->box.g));
	self->buf = vng_alloc(&self->box.g, MIB + 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(kinds)
{
	vng_set_ns(&self->box.g, 1, -1, 0, 0, 0);
	vng_event_wait(&self->box.g, VHOST_NVME_EVENT_NS_REMOVED, 1);
	box_stop(&self->box);
	disk_destroy(&self->made);
	if (self->loop >= 0) {
		ioctl(self->loop, LOOP_CLR_FD);
		close(self->loop);
	}
	ublk_stop(&self->ublk);
	if (self->scsi)
		scsi_stop();
}

/* Data written by either path is read by the other. */
TEST_F(kinds, transfers)
{
	const size_t len[] = { 4096, 8192, 65536, 262144, MIB };
	const uint32_t offset[] = { 0, 512, 4 };
	struct vng *g = &self->box.g;
	char *buf = malloc(MIB), *p;
	unsigned int i, j;

	ASSERT_NE(NULL, buf);
	for (i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		for (j = 0; j < sizeof(offset) / sizeof(offset[0]); j++) {
			p = vng_ptr(g, self->buf + offset[j], len[i]);
			pattern_fill(p, len[i], i + 10 * j);
			OK(box_rw(&self->box, VNG_CMD_WRITE, 4096,
				  self->buf + offset[j], len[i]));
			ASSERT_EQ(0, disk_read(&self->box.disk, 4096, buf,
					       len[i]));
			ASSERT_EQ(-1, pattern_check(buf, len[i], i + 10 * j));
			pattern_fill(buf, len[i], i + 10 * j + 5);
			ASSERT_EQ(0, disk_write(&self->box.disk, 4096, buf,
						len[i]));
			OK(box_rw(&self->box, VNG_CMD_READ, 4096,
				  self->buf + offset[j], len[i]));
			ASSERT_EQ(-1, pattern_check(p, len[i], i + 10 * j + 5));
		}
	}
	free(buf);
}

/* Flush, FUA, Write Zeroes and Deallocate do what they must, or nothing. */
TEST_F(kinds, commands)
{
	unsigned int shift = self->box.disk.lba_shift;
	struct vng *g = &self->box.g;
	struct vng_dsm_range *range;
	struct vng_sqe sqe;
	char *p, *buf = malloc(65536);

	ASSERT_NE(NULL, buf);
	vng_cmd_flush(&sqe, 1);
	OK(box_exec(&self->box.sq, &sqe));

	p = vng_ptr(g, self->buf, 65536);
	pattern_fill(p, 65536, 1);
	vng_cmd_rw(&sqe, VNG_CMD_WRITE, 1, 0, 65536 >> shift);
	sqe.cdw12 |= htole32(VNG_RW_FUA);
	OK(vng_prp_contig(g, &sqe, self->buf, 65536));
	OK(box_exec(&self->box.sq, &sqe));
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, buf, 65536));
	EXPECT_EQ(-1, pattern_check(buf, 65536, 1));

	vng_cmd_write_zeroes(&sqe, 1, 4096 >> shift, 8192 >> shift, 0);
	OK(box_exec(&self->box.sq, &sqe));
	memset(p + 4096, 0, 8192);
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, buf, 65536));
	EXPECT_EQ(0, memcmp(buf, p, 65536));

	range = vng_ptr(g, self->buf + MIB, 4096);
	range->attributes = 0;
	range->slba = htole64(32768 >> shift);
	range->nlb = htole32(8192 >> shift);
	vng_cmd_dsm(&sqe, 1, 1, VNG_DSM_AD);
	OK(vng_prp_contig(g, &sqe, self->buf + MIB, 16));
	OK(box_exec(&self->box.sq, &sqe));
	/* What was deallocated may read as anything; the rest may not. */
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, buf, 65536));
	EXPECT_EQ(0, memcmp(buf, p, 32768));
	EXPECT_EQ(0, memcmp(buf + 40960, p + 40960, 65536 - 40960));

	vng_cmd_flush(&sqe, UINT32_MAX);
	OK(box_exec(&self->box.sq, &sqe));
	free(buf);
}

TEST_HARNESS_MAIN
