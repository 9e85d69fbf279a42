// SPDX-License-Identifier: GPL-2.0
/* Copy: ranges of all kinds, limits, and what a bad one leaves on the disk */
#include "test.h"

#define MIB	(1UL << 20)
#define STEP	(MIB / 4)	/* of a copy in the module */
#define AREA	(8 * MIB)	/* of the disk that is looked at */

FIXTURE(copy) {
	struct box box;
	unsigned int lba;	/* bytes */
	uint64_t nlb;		/* of the namespace */
	uint64_t buf;		/* for ranges */
	struct vng_copy_range *range;
	uint32_t dw0;		/* of the last completion */
	char *model;
	char *data;
};

FIXTURE_VARIANT(copy) {
	unsigned int lba_shift;
};

FIXTURE_VARIANT_ADD(copy, lba512) { .lba_shift = 9 };
FIXTURE_VARIANT_ADD(copy, lba4096) { .lba_shift = 12 };

FIXTURE_SETUP(copy)
{
	struct vng *g = &self->box.g;

	BOX_SETUP(&self->box, .lba_shift = variant->lba_shift, .disk_mib = 16);
	self->lba = 1 << variant->lba_shift;
	self->nlb = self->box.disk.bytes >> variant->lba_shift;
	self->buf = vng_alloc(g, 16384, 4096);
	ASSERT_NE(0, self->buf);
	self->range = vng_ptr(g, self->buf, 16384);
	self->model = malloc(AREA);
	self->data = malloc(AREA);
	ASSERT_NE(NULL, self->model);
	ASSERT_NE(NULL, self->data);
	pattern_fill(self->model, AREA, 1);
	ASSERT_EQ(0, disk_write(&self->box.disk, 0, self->model, AREA));
	OK(vng_set_ns_copy(g, 1, self->box.disk.fd, variant->lba_shift,
			   UINT32_MAX, UINT16_MAX, 255));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
}

FIXTURE_TEARDOWN(copy)
{
	box_stop(&self->box);
	free(self->model);
	free(self->data);
}

static void set_range(struct vng_copy_range *r, uint64_t slba, uint32_t nlb)
{
	vng_range_set(r, 0, slba, nlb);
}

static int copy(struct box *b, uint64_t buf, uint64_t dlba, unsigned int nr,
		uint32_t cdw12, uint32_t *dw0)
{
	return box_copy(b, buf, 1, dlba, nr, cdw12, dw0);
}

#define COPY(dlba, nr)	copy(&self->box, self->buf, dlba, nr, 0, &self->dw0)

/* What the ranges do to the model: each is read as a whole, in their order. */
static void model_copy(char *model, char *tmp, unsigned int lba,
		       const struct vng_copy_range *range, unsigned int nr,
		       uint64_t dlba)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		size_t n = (le16toh(range[i].nlb) + 1UL) * lba;

		memcpy(tmp, model + le64toh(range[i].slba) * lba, n);
		memcpy(model + dlba * lba, tmp, n);
		dlba += le16toh(range[i].nlb) + 1;
	}
}

#define CHECK_COPY(dlba, nr)						\
do {									\
	uint64_t __dlba = dlba;						\
									\
	model_copy(self->model, self->data, self->lba, self->range, nr,	\
		   __dlba);						\
	ASSERT_EQ(0, COPY(__dlba, nr)) TH_LOG("%s", vng_msg(g));	\
	EXPECT_EQ(0, self->dw0);					\
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, self->data, AREA));	\
	ASSERT_EQ(0, memcmp(self->data, self->model, AREA))		\
		TH_LOG("%u ranges to %llu", nr, (unsigned long long)__dlba); \
} while (0)

/* One range, of one block, of a step, of many */
TEST_F(copy, one)
{
	const size_t size[] = { self->lba, 8192, STEP - 4096, STEP, STEP + 4096,
				MIB, 3 * MIB };
	struct vng *g = &self->box.g;
	unsigned int i;

	for (i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		set_range(self->range, 3 + i, size[i] / self->lba);
		CHECK_COPY(4 * MIB / self->lba + i, 1);
	}
}

/* 256 ranges, gathered in the order in which they are given */
TEST_F(copy, gather)
{
	struct vng *g = &self->box.g;
	unsigned int i;

	for (i = 0; i < 256; i++)
		set_range(&self->range[i], (i * 37 % 256) * 4, 1 + i % 4);
	CHECK_COPY(5 * MIB / self->lba, 256);
	/* The list of ranges need not be aligned. */
	memmove((char *)self->range + 4, self->range, 256 * 32);
	STATUS(0, copy(&self->box, self->buf + 4, 5 * MIB / self->lba, 256, 0,
		       &self->dw0));
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, self->data, AREA));
	EXPECT_EQ(0, memcmp(self->data, self->model, AREA));
}

/* A range that overlaps its destination is read before it is written. */
TEST_F(copy, overlap)
{
	const int shift[] = { 1, -1, 7, -7, STEP / 4096, -(int)STEP / 4096, 0 };
	struct vng *g = &self->box.g;
	uint64_t slba = 2 * MIB / self->lba;
	unsigned int i;

	for (i = 0; i < sizeof(shift) / sizeof(shift[0]); i++) {
		set_range(self->range, slba, (2 * MIB + 8192) / self->lba);
		CHECK_COPY(slba + shift[i], 1);
	}
	/* One reads what another one has written. */
	for (i = 0; i < 16; i++)
		set_range(&self->range[i], slba + i, 2);
	CHECK_COPY(slba + 1, 16);
}

/* Ranges by chance */
TEST_F(copy, random)
{
	struct vng *g = &self->box.g;
	uint64_t end = AREA / self->lba, total;
	unsigned int i, nr, round;
	uint32_t n;

	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
	for (round = 0; round < 10 * test_scale(); round++) {
		nr = 1 + random_below(20);
		for (i = 0, total = 0; i < nr; i++) {
			n = 1 + random_below(random_below(4) ? 16 :
					     MIB / 4 / self->lba);
			set_range(&self->range[i], random_below(end - n), n);
			total += n;
		}
		CHECK_COPY(random_below(end - total), nr);
	}
}

/* Nothing of a command beyond the namespace's limits is executed. */
TEST_F(copy, limits)
{
	const uint16_t limit = DNR(VNG_SC_SIZE_LIMIT);
	struct vng *g = &self->box.g;
	struct disk *d = &self->box.disk;
	unsigned int i;

	OK(vng_set_ns_copy(g, 1, d->fd, d->lba_shift, 10, 4, 2));
	for (i = 0; i < 4; i++)
		set_range(&self->range[i], i, 3);
	CHECK_COPY(100, 3);
	STATUS(limit, COPY(200, 4));
	set_range(&self->range[1], 1, 4);
	CHECK_COPY(100, 3);
	set_range(&self->range[2], 1, 4);
	STATUS(limit, COPY(200, 3));
	set_range(&self->range[2], 1, 1);
	set_range(&self->range[1], 1, 5);
	STATUS(limit, COPY(200, 3));
	EXPECT_EQ(0, self->dw0);
	/* A namespace without limits has no Copy. */
	OK(vng_set_ns(g, 1, d->fd, d->lba_shift, 0, 0));
	STATUS(limit, COPY(200, 1));
	ASSERT_EQ(0, disk_read(d, 0, self->data, AREA));
	EXPECT_EQ(0, memcmp(self->data, self->model, AREA));
	EXPECT_EQ(256, g->caps.max_copy_ranges);
	EXPECT_EQ(0xf, g->caps.copy_formats);
	EXPECT_EQ(1, g->caps.opcodes[0] >> VNG_CMD_COPY & 1);
}

/* Ranges and destinations out of bounds: nothing is written. */
TEST_F(copy, bounds)
{
	const uint16_t bad = DNR(VNG_SC_LBA_RANGE);
	struct vng *g = &self->box.g;

	set_range(&self->range[0], 0, 8);
	set_range(&self->range[1], self->nlb - 8, 8);
	CHECK_COPY(0, 1);
	STATUS(0, COPY(self->nlb - 16, 2));
	STATUS(bad, COPY(self->nlb - 15, 2));
	STATUS(bad, COPY(self->nlb, 1));
	STATUS(bad, COPY(UINT64_MAX, 2));
	STATUS(bad, COPY(UINT64_MAX - 15, 2));
	STATUS(bad, COPY(1ULL << 55, 1));
	set_range(&self->range[1], self->nlb - 7, 8);
	STATUS(bad, COPY(100, 2));
	set_range(&self->range[1], UINT64_MAX - 3, 8);
	STATUS(bad, COPY(100, 2));
	set_range(&self->range[1], UINT64_MAX - 7, 8);
	STATUS(bad, COPY(100, 2));
	set_range(&self->range[1], 1ULL << 55, 1);
	STATUS(bad, COPY(100, 2));
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, self->data, AREA));
	EXPECT_EQ(0, memcmp(self->data, self->model, AREA));
}

/* Formats for other namespaces or not enabled, bad pointers and namespaces */
TEST_F(copy, bad_fields)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t end = g->region[0].gpa + g->region[0].size;
	struct vng_sqe sqe;
	unsigned int i;

	set_range(self->range, 0, 8);
	for (i = 1; i < 16; i++)
		STATUS(DNR(i == 1 ? VNG_SC_INVALID_FORMAT :
				    VNG_SC_INVALID_FIELD),
		       copy(b, self->buf, 100, 1, VNG_COPY_FORMAT(i),
			    &self->dw0));
	STATUS(VNG_SC_DATA_XFER_ERROR, copy(b, end, 100, 1, 0, &self->dw0));
	STATUS(VNG_SC_DATA_XFER_ERROR,
	       copy(b, end - 4096, 100, 256, 0, &self->dw0));
	STATUS(DNR(VNG_SC_PRP_OFFSET_INVALID),
	       copy(b, self->buf + 1, 100, 1, 0, &self->dw0));
	vng_cmd_copy(&sqe, 2, 100, 1, 0);
	STATUS(NO_NS, box_exec(&b->sq, &sqe));
	/* The ranges by SGL */
	vng_cmd_copy(&sqe, 1, 0, 1, 0);
	vng_sgl_use(&sqe, VNG_SGL_DATA, self->buf, 32);
	STATUS(0, box_exec(&b->sq, &sqe));
	vng_sgl_use(&sqe, VNG_SGL_DATA, self->buf, 31);
	STATUS(DNR(VNG_SC_SGL_LENGTH_INVALID), box_exec(&b->sq, &sqe));
	/* Without protection information or directives, and with Limited Retry */
	STATUS(0, copy(b, self->buf, 0, 1, 0xf000 | VNG_RW_LR |
		       VNG_RW_PRINFO(15) | VNG_RW_DTYPE(15), &self->dw0));
	ASSERT_EQ(0, disk_read(&b->disk, 0, self->data, AREA));
	EXPECT_EQ(0, memcmp(self->data, self->model, AREA));
}

/* Not where nothing may be written */
TEST_F(copy, write_protected)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vhost_nvme_ns ns = {
		.nsid = 1,
		.fd = b->disk.fd,
		.lba_shift = b->disk.lba_shift,
		.flags = VHOST_NVME_NS_RDONLY,
		.mcl = 100,
		.mssrl = 100,
		.msrc = 10,
	};

	set_range(self->range, 0, 8);
	IOCTL_OK(g->fd, VHOST_NVME_SET_NS, &ns);
	STATUS(DNR(VNG_SC_NS_WRITE_PROTECTED), COPY(100, 1));
	ASSERT_EQ(0, disk_read(&b->disk, 0, self->data, AREA));
	EXPECT_EQ(0, memcmp(self->data, self->model, AREA));
}

/* Dword 0 tells which range could not be read, or written. */
TEST_F(copy, disk_errors)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct disk bad;
	int ret;

	ret = disk_create(&bad, 8, b->disk.lba_shift, "badblocks=+8000-8007");
	if (ret)
		SKIP(return, "no bad blocks in null_blk: %s", strerror(-ret));
	ASSERT_EQ(0, disk_write(&bad, 0, self->model, MIB));
	OK(vng_set_ns_copy(g, 1, bad.fd, b->disk.lba_shift, 1000, 1000, 9));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	set_range(&self->range[0], 0, 4);
	set_range(&self->range[1], 4, 4);
	set_range(&self->range[2], 8000 * 512 / self->lba, 1);
	EXPECT_EQ(VNG_SC_READ_ERROR, VNG_SC_MASK & COPY(100, 3));
	EXPECT_EQ(2, self->dw0);
	EXPECT_EQ(VNG_SC_WRITE_FAULT, VNG_SC_MASK &
		  COPY(8000 * 512 / self->lba - 4, 2));
	EXPECT_EQ(1, self->dw0);
	STATUS(0, COPY(100, 2));
	EXPECT_EQ(0, self->dw0);
	ASSERT_EQ(0, disk_read(&bad, 100 * self->lba, self->data,
			       8 * self->lba));
	EXPECT_EQ(0, memcmp(self->data, self->model, 8 * self->lba));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&bad);
}

/* With FUA, or without a volatile write cache, one flush at the end */
TEST_F(copy, stable_storage)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct disk cached;
	long before;
	int ret;

	ret = disk_create(&cached, 8, b->disk.lba_shift, "cache_size=1 fua=0");
	if (ret)
		SKIP(return, "no cache in null_blk: %s", strerror(-ret));
	OK(vng_set_ns_copy(g, 1, cached.fd, b->disk.lba_shift, UINT32_MAX,
			   UINT16_MAX, 9));
	set_range(self->range, 0, MIB / self->lba);
	set_range(self->range + 1, 9, 1);
	before = disk_flushes(&cached);
	STATUS(0, COPY(4 * MIB / self->lba, 2));
	EXPECT_EQ(before, disk_flushes(&cached));
	STATUS(0, copy(b, self->buf, 4 * MIB / self->lba, 2, VNG_RW_FUA,
		       &self->dw0));
	EXPECT_EQ(before + 1, disk_flushes(&cached));
	OK(vng_set_ctrl(g, VHOST_NVME_CTRL_WRITE_THROUGH, 0, 0, 0));
	STATUS(0, COPY(4 * MIB / self->lba, 2));
	EXPECT_EQ(before + 2, disk_flushes(&cached));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&cached);
}

/* A long Copy ends with its queue, and says how far it got. */
TEST_F(copy, delete_sq)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	struct disk slow;
	uint64_t end;
	unsigned int i;
	int ret;

	/* 20 ms for each of 4 KiB; 10 times 64 KiB read and written: 6.4 s */
	ret = disk_create(&slow, 16, b->disk.lba_shift,
			  "irqmode=2 completion_nsec=20000000 max_sectors=8 submit_queues=1 hw_queue_depth=1");
	if (ret)
		SKIP(return, "no such null_blk: %s", strerror(-ret));
	OK(vng_set_ns_copy(g, 1, slow.fd, b->disk.lba_shift, UINT32_MAX,
			   UINT16_MAX, 99));
	for (i = 0; i < 10; i++)
		set_range(self->range + i, i, 65536 / self->lba);
	vng_cmd_copy(&sqe, 1, MIB / self->lba, 10, 0);
	OK(vng_prp_contig(g, &sqe, self->buf, 10 * 32));
	OK(vng_submit(&b->sq, &sqe));
	end = vng_now_ms() + g->timeout_ms;
	while (disk_written(&slow) <= 65536 / 512) {
		ASSERT_GT(end, vng_now_ms());
		sleep_ms(10);
	}
	OK(vng_sq_delete(&b->sq));
	OK(vng_cq_wait(&b->cq, &cqe));
	EXPECT_EQ(VNG_SC_ABORT_QUEUE, vng_status(&cqe));
	EXPECT_LE(1, le32toh(cqe.dw0));
	EXPECT_GE(9, le32toh(cqe.dw0));
	vng_sq_drop(&b->sq);
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	/* The events of the queue and of two disks, in no certain order */
	sleep_ms(300);
	disk_destroy(&slow);
}

TEST_HARNESS_MAIN
