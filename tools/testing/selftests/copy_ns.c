// SPDX-License-Identifier: GPL-2.0
/* Copy from other namespaces: descriptor format 2 */
#include <linux/blkpg.h>

#include "test.h"

#define MIB	(1UL << 20)
#define STEP	(MIB / 4)	/* of a copy in the module */
#define DISK	(8 * MIB)

/*
 * Namespace 1 is the box's disk, and 3 the first half of it. 2 is another one.
 */
FIXTURE(copy_ns) {
	struct box box;
	struct disk other;
	unsigned int shift;
	unsigned int lba;	/* bytes */
	uint64_t buf;		/* for ranges */
	struct vng_copy_range *range;
	uint32_t dw0;		/* of the last completion */
	char *model[2];
	char *data;
};

FIXTURE_VARIANT(copy_ns) {
	unsigned int lba_shift;
};

FIXTURE_VARIANT_ADD(copy_ns, lba512) { .lba_shift = 9 };
FIXTURE_VARIANT_ADD(copy_ns, lba4096) { .lba_shift = 12 };

/* A namespace with limits that hinder no Copy */
static int set_ns(struct vng *g, uint32_t nsid, const struct disk *d,
		  uint64_t nlb, uint32_t flags)
{
	struct vhost_nvme_ns ns = {
		.nsid = nsid,
		.flags = flags,
		.fd = d->fd,
		.lba_shift = d->lba_shift,
		.nlb = nlb,
		.mcl = UINT32_MAX,
		.mssrl = UINT16_MAX,
		.msrc = 255,
	};

	return vng_ioctl(g, VHOST_NVME_SET_NS, &ns, "SET_NS");
}

static int enable(struct vng *g, uint32_t formats, uint32_t flags)
{
	struct vhost_nvme_ctrl ctrl = {
		.flags = flags,
		.copy_formats = formats,
	};

	return vng_ioctl(g, VHOST_NVME_SET_CTRL, &ctrl, "SET_CTRL");
}

FIXTURE_SETUP(copy_ns)
{
	struct vng *g = &self->box.g;
	struct disk *d = &self->box.disk;
	unsigned int i;

	BOX_SETUP(&self->box, .lba_shift = variant->lba_shift,
		  .disk_mib = DISK / MIB);
	ASSERT_EQ(0, disk_create(&self->other, DISK / MIB, variant->lba_shift,
				 NULL));
	self->shift = variant->lba_shift;
	self->lba = 1 << self->shift;
	self->buf = vng_alloc(g, 16384, 4096);
	ASSERT_NE(0, self->buf);
	self->range = vng_ptr(g, self->buf, 16384);
	self->data = malloc(DISK);
	ASSERT_NE(NULL, self->data);
	for (i = 0; i < 2; i++) {
		self->model[i] = malloc(DISK);
		ASSERT_NE(NULL, self->model[i]);
		pattern_fill(self->model[i], DISK, 1 + i);
		ASSERT_EQ(0, disk_write(i ? &self->other : d, 0, self->model[i],
					DISK));
	}
	OK(set_ns(g, 1, d, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	OK(set_ns(g, 2, &self->other, 0, 0));
	OK(set_ns(g, 3, d, DISK / 2 >> self->shift, 0));
	OK(enable(g, 1 << 2, 0));
}

FIXTURE_TEARDOWN(copy_ns)
{
	box_stop(&self->box);
	disk_destroy(&self->other);
	free(self->model[0]);
	free(self->model[1]);
	free(self->data);
}

#define COPY2(nsid, dlba, nr)						\
	box_copy(&self->box, self->buf, nsid, dlba, nr,			\
		 VNG_COPY_FORMAT(2), &self->dw0)

/* What the ranges do to the models: each is read as a whole, in their order. */
static void model_copy(char *model[2], char *tmp, unsigned int lba,
		       const struct vng_copy_range *range, unsigned int nr,
		       uint32_t nsid, uint64_t dlba)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		size_t n = (le16toh(range[i].nlb) + 1UL) * lba;

		memcpy(tmp, model[le32toh(range[i].snsid) == 2] +
			    le64toh(range[i].slba) * lba, n);
		memcpy(model[nsid == 2] + dlba * lba, tmp, n);
		dlba += le16toh(range[i].nlb) + 1;
	}
}

#define CHECK_DISKS()							\
do {									\
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, self->data, DISK));	\
	ASSERT_EQ(0, memcmp(self->data, self->model[0], DISK));		\
	ASSERT_EQ(0, disk_read(&self->other, 0, self->data, DISK));	\
	ASSERT_EQ(0, memcmp(self->data, self->model[1], DISK));		\
} while (0)

#define CHECK_COPY2(nsid, dlba, nr)					\
do {									\
	uint64_t __dlba = dlba;						\
									\
	STATUS(0, COPY2(nsid, __dlba, nr));				\
	EXPECT_EQ(0, self->dw0);					\
	model_copy(self->model, self->data, self->lba, self->range, nr,	\
		   nsid, __dlba);					\
	CHECK_DISKS();							\
} while (0)

/* From another disk and to it; in steps; from all namespaces together */
TEST_F(copy_ns, sources)
{
	struct vng *g = &self->box.g;
	unsigned int i;

	vng_range_set(self->range, 2, 3, 5);
	CHECK_COPY2(1, 9, 1);
	vng_range_set(self->range, 1, 7, (STEP + 8192) / self->lba);
	CHECK_COPY2(2, 2 * MIB / self->lba, 1);
	for (i = 0; i < 256; i++)
		vng_range_set(&self->range[i], 1 + i % 3, (i * 37 % 256) * 4,
			      1 + i % 4);
	CHECK_COPY2(1, 5 * MIB / self->lba, 256);
	CHECK_COPY2(2, 5 * MIB / self->lba, 256);
	/* From its own alone, and back from the other one's after it */
	vng_range_set(&self->range[0], 1, 2, 3);
	CHECK_COPY2(1, 2000, 1);
	vng_range_set(&self->range[0], 2, 2, 3);
	vng_range_set(&self->range[1], 1, 2, 3);
	CHECK_COPY2(1, 1000, 2);
}

/* What is read from a disk may be what is written, but not through one NSID. */
TEST_F(copy_ns, overlap)
{
	const int shift[] = { 0, 1, -1, 7, -7, STEP / 4096, -(int)STEP / 4096 };
	const uint16_t bad = DNR(VNG_SC_OVERLAPPING_RANGE);
	const uint32_t n = (MIB + 8192) / self->lba;
	struct vng *g = &self->box.g;
	uint64_t slba = 2 * MIB / self->lba;
	unsigned int i;

	for (i = 0; i < sizeof(shift) / sizeof(shift[0]); i++) {
		vng_range_set(self->range, 1, slba, n);
		STATUS(bad, COPY2(1, slba + shift[i], 1));
		EXPECT_EQ(0, self->dw0);
		vng_range_set(self->range, 3, slba, n);
		CHECK_COPY2(1, slba + shift[i], 1);
		vng_range_set(self->range, 1, slba, n);
		CHECK_COPY2(3, slba + shift[i], 1);
	}
	/* The destination is that of all ranges. */
	vng_range_set(&self->range[0], 2, 0, 8);
	vng_range_set(&self->range[1], 1, 99, 8);
	STATUS(bad, COPY2(1, 92, 2));
	STATUS(bad, COPY2(1, 106, 2));
	CHECK_COPY2(1, 107, 2);
	CHECK_COPY2(1, 83, 2);
	/* It is nothing but the NSID that makes the difference. */
	vng_range_set(&self->range[1], 2, 99, 8);
	CHECK_COPY2(1, 92, 2);
}

/* A disk and a partition of it are one disk, with other numbers for its sectors. */
TEST_F(copy_ns, partition)
{
	const int shift[] = { 1, -1, STEP / 4096, -(int)STEP / 4096 };
	const uint64_t slba = MIB / self->lba, start = MIB / self->lba;
	const uint32_t n = (MIB + 8192) / self->lba;
	struct blkpg_partition part = { .start = MIB, .length = 5 * MIB, .pno = 1 };
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION,
		.datalen = sizeof(part),
		.data = &part,
	};
	struct disk *d = &self->box.disk, p = *d;
	struct vng *g = &self->box.g;
	unsigned int i;

	if (ioctl(d->check, BLKPG, &arg))
		SKIP(return, "no partitions: %s", strerror(errno));
	snprintf(p.path, sizeof(p.path), "/dev/%sp1", d->name);
	p.fd = open(p.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, p.fd) TH_LOG("%s: %s", p.path, strerror(errno));
	OK(set_ns(g, 3, &p, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 3));
	for (i = 0; i < sizeof(shift) / sizeof(shift[0]); i++) {
		/* The partition's blocks to the disk's that are some further on */
		vng_range_set(self->range, 3, slba, n);
		STATUS(0, COPY2(1, start + slba + shift[i], 1));
		vng_range_set(self->range, 1, start + slba, n);
		model_copy(self->model, self->data, self->lba, self->range, 1,
			   1, start + slba + shift[i]);
		CHECK_DISKS();
		/* The other way round */
		STATUS(0, COPY2(3, slba + shift[i], 1));
		model_copy(self->model, self->data, self->lba, self->range, 1,
			   1, start + slba + shift[i]);
		CHECK_DISKS();
	}
	OK(vng_set_ns(g, 3, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 3));
	close(p.fd);
	arg.op = BLKPG_DEL_PARTITION;
	EXPECT_EQ(0, ioctl(d->check, BLKPG, &arg)) TH_LOG("%s", strerror(errno));
}

/* Formats 2 and 3 only while they are enabled */
TEST_F(copy_ns, enabled)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int set, format, want;

	vng_range_set(self->range, 2, 3, 5);
	for (set = 0; set < 16; set += 4) {
		OK(enable(g, set, 0));
		for (format = 0; format < 16; format++) {
			want = DNR(VNG_SC_INVALID_FIELD);
			if (format < 2 || set & 1 << format)
				want = format & 1 ?
				       DNR(VNG_SC_INVALID_FORMAT) : 0;
			STATUS(want, box_copy(b, self->buf, 1, 9, 1,
					      VNG_COPY_FORMAT(format),
					      &self->dw0));
			if (want || !format)
				continue;
			model_copy(self->model, self->data, self->lba,
				   self->range, 1, 1, 9);
			CHECK_DISKS();
		}
		/* To format 0, the NSID is nothing. */
		STATUS(0, box_copy(b, self->buf, 1, 9, 1, 0, &self->dw0));
		vng_range_set(self->range, 1, 3, 5);
		model_copy(self->model, self->data, self->lba, self->range, 1,
			   1, 9);
		vng_range_set(self->range, 2, 3, 5);
		CHECK_DISKS();
	}
	/* It stays until it is set anew. */
	OK(enable(g, 1 << 2, 0));
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	vng_sq_drop(&b->sq);
	vng_cq_drop(&b->cq);
	vng_dbbuf_forget(g);
	OK(vng_cq_create(g, &b->cq, 1, 16, VNG_KICK));
	OK(vng_sq_create(g, &b->sq, 1, &b->cq, 16, VNG_KICK));
	CHECK_COPY2(1, 9, 1);
}

/* Sources that are not there, are not alike, or not as large: nothing is written. */
TEST_F(copy_ns, bad_sources)
{
	const uint32_t invalid[] = { 0, 257, 0x10002, UINT32_MAX - 1, UINT32_MAX };
	const uint64_t half = DISK / 2 >> self->shift;
	struct vng *g = &self->box.g;
	struct disk alien = self->other;
	unsigned int i;

	/* Ranges before and after it are good. */
	for (i = 0; i < 3; i++)
		vng_range_set(&self->range[i], 2, 8 * i, 8);
	for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		self->range[1].snsid = htole32(invalid[i]);
		STATUS(DNR(VNG_SC_INVALID_NS), COPY2(1, 100, 3));
		EXPECT_EQ(0, self->dw0);
	}
	self->range[1].snsid = htole32(4);
	STATUS(NO_NS, COPY2(1, 100, 3));
	self->range[1].snsid = htole32(256);
	STATUS(NO_NS, COPY2(1, 100, 3));

	/* Bounds are those of the namespace that is read, or written. */
	vng_range_set(&self->range[1], 3, half - 8, 8);
	CHECK_COPY2(1, half, 3);
	vng_range_set(&self->range[1], 3, half - 7, 8);
	STATUS(DNR(VNG_SC_LBA_RANGE), COPY2(1, 100, 3));
	vng_range_set(&self->range[1], 2, half, 8);
	CHECK_COPY2(3, half - 24, 3);
	STATUS(DNR(VNG_SC_LBA_RANGE), COPY2(3, half - 23, 3));
	vng_range_set(&self->range[1], 2, UINT64_MAX - 3, 8);
	STATUS(DNR(VNG_SC_LBA_RANGE), COPY2(1, 100, 3));

	/* Another LBA size */
	if (self->shift != 12) {
		alien.lba_shift = 12;
		OK(set_ns(g, 4, &alien, 0, 0));
		vng_range_set(&self->range[1], 4, 0, 8);
		STATUS(DNR(VNG_SC_INCOMPATIBLE_NS), COPY2(1, 100, 3));
		EXPECT_EQ(0, self->dw0);
		STATUS(DNR(VNG_SC_INCOMPATIBLE_NS), COPY2(4, 100, 1));
	}

	/* The source's limit of a range, the destination's of all */
	vng_range_set(&self->range[1], 2, 8, 8);
	OK(vng_set_ns_copy(g, 2, self->other.fd, self->shift, 23, 7, 2));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	STATUS(DNR(VNG_SC_SIZE_LIMIT), COPY2(1, 100, 3));
	OK(vng_set_ns_copy(g, 2, self->other.fd, self->shift, 0, 8, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	CHECK_COPY2(1, 100, 3);
	for (i = 0; i < 3; i++)
		vng_range_set(&self->range[i], 1, 8 * i, 8);
	STATUS(DNR(VNG_SC_SIZE_LIMIT), COPY2(2, 100, 1));
	OK(vng_set_ns_copy(g, 2, self->other.fd, self->shift, 24, 0, 2));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	CHECK_COPY2(2, 100, 3);
	OK(vng_set_ns_copy(g, 2, self->other.fd, self->shift, 23, 0, 2));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	STATUS(DNR(VNG_SC_SIZE_LIMIT), COPY2(2, 100, 3));
	OK(vng_set_ns_copy(g, 2, self->other.fd, self->shift, 24, 0, 1));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	STATUS(DNR(VNG_SC_SIZE_LIMIT), COPY2(2, 100, 3));
	CHECK_DISKS();
}

/* What may not be written may be read. */
TEST_F(copy_ns, write_protected)
{
	struct vng *g = &self->box.g;

	OK(set_ns(g, 2, &self->other, 0, VHOST_NVME_NS_RDONLY));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	vng_range_set(self->range, 2, 3, 5);
	CHECK_COPY2(1, 9, 1);
	vng_range_set(self->range, 1, 3, 5);
	STATUS(DNR(VNG_SC_NS_WRITE_PROTECTED), COPY2(2, 100, 1));
	CHECK_DISKS();
}

/* Bytes count for the namespace that was read, and the one that was written. */
TEST_F(copy_ns, counters)
{
	struct vhost_nvme_stats s[3], sq;
	struct vng *g = &self->box.g;
	unsigned int i;

	vng_range_set(&self->range[0], 2, 3, 5);
	vng_range_set(&self->range[1], 1, 90, 7);
	CHECK_COPY2(1, 9, 2);
	for (i = 0; i < 3; i++)
		OK(vng_stats(g, VHOST_NVME_STATS_NS, 1 + i, &s[i]));
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &sq));
	EXPECT_EQ(7 * self->lba, s[0].read_bytes);
	EXPECT_EQ(12 * self->lba, s[0].write_bytes);
	EXPECT_EQ(5 * self->lba, s[1].read_bytes);
	EXPECT_EQ(0, s[1].write_bytes);
	EXPECT_EQ(0, s[2].read_bytes + s[2].write_bytes);
	EXPECT_EQ(12 * self->lba, sq.read_bytes);
	EXPECT_EQ(12 * self->lba, sq.write_bytes);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, s[i].read_commands + s[i].write_commands);
}

/* With FUA, or without a write cache, the disk that was written is flushed. */
TEST_F(copy_ns, stable_storage)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	long before[2], after[2];
	struct disk cached[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, disk_create(&cached[i], 8, self->shift,
					 "cache_size=1 fua=0"));
		OK(set_ns(g, 4 + i, &cached[i], 0, 0));
	}
	vng_range_set(self->range, 5, 0, 8);
	for (i = 0; i < 3; i++) {
		OK(enable(g, 1 << 2, i == 2 ? VHOST_NVME_CTRL_WRITE_THROUGH : 0));
		before[0] = disk_flushes(&cached[0]);
		before[1] = disk_flushes(&cached[1]);
		STATUS(0, box_copy(b, self->buf, 4, 9, 1, VNG_COPY_FORMAT(2) |
				   (i == 1 ? VNG_RW_FUA : 0), &self->dw0));
		after[0] = disk_flushes(&cached[0]);
		after[1] = disk_flushes(&cached[1]);
		EXPECT_EQ(before[0] + !!i, after[0]);
		EXPECT_EQ(before[1], after[1]);
	}
	for (i = 0; i < 2; i++) {
		OK(vng_set_ns(g, 4 + i, -1, 0, 0, 0));
		OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 4 + i));
		disk_destroy(&cached[i]);
	}
}

/* Which disk it was that failed, or has gone */
TEST_F(copy_ns, disk_errors)
{
	const uint64_t spot = 8000 * 512 / self->lba;
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vhost_nvme_event ev;
	struct disk bad;
	int ret;

	ret = disk_create(&bad, 8, self->shift, "badblocks=+8000-8007");
	if (ret)
		SKIP(return, "no bad blocks in null_blk: %s", strerror(-ret));
	OK(set_ns(g, 4, &bad, 0, 0));
	vng_range_set(&self->range[0], 2, 0, 4);
	vng_range_set(&self->range[1], 4, spot, 1);
	EXPECT_EQ(VNG_SC_READ_ERROR, VNG_SC_MASK & COPY2(1, 100, 2));
	EXPECT_EQ(1, self->dw0);
	vng_range_set(&self->range[1], 2, 4, 4);
	EXPECT_EQ(VNG_SC_WRITE_FAULT, VNG_SC_MASK & COPY2(4, spot - 4, 2));
	EXPECT_EQ(1, self->dw0);

	vng_range_set(&self->range[1], 4, 0, 4);
	ASSERT_EQ(0, disk_power_off(&bad));
	STATUS(DNR(VNG_SC_INTERNAL), COPY2(1, 100, 2));
	EXPECT_EQ(1, self->dw0);
	OK(vng_event(g, &ev, g->timeout_ms));
	EXPECT_EQ(VHOST_NVME_EVENT_NS_GONE, ev.type);
	EXPECT_EQ(4, ev.id);
	OK(vng_set_ns(g, 4, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 4));
	disk_destroy(&bad);
}

/* A disk that takes its time, and more commands than the module executes at a time */
#define SLOW	"irqmode=2 completion_nsec=3000000000 submit_queues=1 hw_queue_depth=64"
#define SLOW_MS	3000
#define AT_A_TIME	16
#define WAITING	(2 * AT_A_TIME + 8)

FIXTURE(copy_slow) {
	struct box box;
	struct disk slow;
	uint64_t buf;
};

FIXTURE_SETUP(copy_slow)
{
	struct vng *g = &self->box.g;
	struct vng_copy_range *range;

	BOX_SETUP(&self->box, .disk_mib = 8);
	ASSERT_EQ(0, disk_create(&self->slow, 8, 9, SLOW));
	self->buf = vng_alloc(g, 8192, 4096);
	ASSERT_NE(0, self->buf);
	range = vng_ptr(g, self->buf, 8192);
	OK(set_ns(g, 1, &self->box.disk, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	OK(set_ns(g, 2, &self->slow, 0, 0));
	OK(enable(g, 1 << 2, 0));
	vng_range_set(&range[0], 2, 8, 8);
	vng_range_set(&range[1], 1, 8, 8);
}

FIXTURE_TEARDOWN(copy_slow)
{
	box_stop(&self->box);
	disk_destroy(&self->slow);
}

/* Put @nr Copy commands of one range at @buf into the queue. */
static int push(struct box *b, uint64_t buf, unsigned int nr)
{
	struct vng_sqe sqe;
	int ret = 0;

	vng_cmd_copy(&sqe, 1, 100, 1, VNG_COPY_FORMAT(2));
	sqe.prp1 = htole64(buf);
	while (nr-- && !ret) {
		sqe.cid = htole16(b->sq.next_cid++);
		ret = vng_sq_push(&b->sq, &sqe);
	}
	return ret;
}

/* Start them, and wait until some have been fetched. */
static int start(struct box *b)
{
	struct vhost_nvme_stats s = { 0 };
	uint64_t end = vng_now_ms() + b->g.timeout_ms;
	int ret = vng_sq_ring(&b->sq);

	while (!ret && !s.inflight) {
		if (vng_now_ms() > end)
			return vng_fail(&b->g, -ETIMEDOUT, "not fetched");
		ret = vng_stats(&b->g, VHOST_NVME_STATS_SQ, 1, &s);
	}
	return ret;
}

/* A source that is taken away stays with the command until it ends. */
TEST_F(copy_slow, removed)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_cqe cqe;
	uint64_t begin;
	uint32_t dw0;

	ASSERT_EQ(0, box_fill(b, 100, 4096, 1));
	begin = vng_now_ms();
	OK(push(b, self->buf, 1));
	OK(start(b));
	OK(vng_set_ns(g, 2, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	EXPECT_LE(SLOW_MS, vng_now_ms() - begin);
	OK(vng_cq_wait(&b->cq, &cqe));
	EXPECT_EQ(0, vng_status(&cqe));
	EXPECT_EQ(0, cqe.dw0);
	EXPECT_EQ(-1, box_check(b, 100, 4096, 0));
	/* It is only this command that had it. */
	STATUS(NO_NS, box_copy(b, self->buf, 1, 100, 1, VNG_COPY_FORMAT(2),
			       &dw0));
}

/* So it does when the controller is reset, or closed, whatever has begun by then. */
TEST_F(copy_slow, reset)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vhost_nvme_event ev;
	unsigned int events = 0;

	OK(push(b, self->buf, WAITING));
	OK(start(b));
	OK(vng_reset(g));
	OK(vng_set_ns(g, 2, -1, 0, 0, 0));
	/* In no certain order */
	while (events != 3) {
		OK(vng_event(g, &ev, g->timeout_ms));
		if (ev.type == VHOST_NVME_EVENT_RESET_DONE)
			events |= 1;
		else if (ev.type == VHOST_NVME_EVENT_NS_REMOVED && ev.id == 2)
			events |= 2;
	}
	vng_sq_drop(&b->sq);
	vng_cq_drop(&b->cq);
	vng_dbbuf_forget(g);
	OK(set_ns(g, 2, &self->slow, 0, 0));
	OK(vng_cq_create(g, &b->cq, 1, 64, VNG_KICK));
	OK(vng_sq_create(g, &b->sq, 1, &b->cq, 64, VNG_KICK));
	OK(push(b, self->buf, WAITING));
	OK(start(b));
}

/* They hold up no command that does without that disk. */
TEST_F(copy_slow, others)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i, before = WAITING;
	struct vng_cqe cqe;

	OK(push(b, self->buf, WAITING));
	OK(push(b, self->buf + sizeof(struct vng_copy_range), 1));
	OK(vng_sq_ring(&b->sq));
	for (i = 0; i <= WAITING; i++) {
		OK(vng_cq_wait(&b->cq, &cqe));
		EXPECT_EQ(0, vng_status(&cqe));
		if (le16toh(cqe.cid) == (uint16_t)(b->sq.next_cid - 1))
			before = i;
	}
	/* Behind them it would begin when no more are left than run at a time. */
	EXPECT_GT(AT_A_TIME, before);
}

TEST_HARNESS_MAIN
