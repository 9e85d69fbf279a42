// SPDX-License-Identifier: GPL-2.0
/* Commands for ranges of blocks, without data: Write Zeroes, Dataset Management */
#include "test.h"

FIXTURE(range) {
	struct box box;
	unsigned int lba;	/* bytes */
	uint64_t nlb;		/* of the namespace */
	uint64_t buf;		/* 1 MiB and a page */
};

FIXTURE_VARIANT(range) {
	unsigned int lba_shift;
};

FIXTURE_VARIANT_ADD(range, lba512) { .lba_shift = 9 };
FIXTURE_VARIANT_ADD(range, lba4096) { .lba_shift = 12 };

#define MIB	(1UL << 20)

FIXTURE_SETUP(range)
{
	BOX_SETUP(&self->box, .lba_shift = variant->lba_shift,
		  .attrs = "discard=1");
	self->lba = 1 << variant->lba_shift;
	self->nlb = self->box.disk.bytes >> variant->lba_shift;
	self->buf = vng_alloc(&self->box.g, MIB + 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(range)
{
	box_stop(&self->box);
}

/* Write Zeroes of one block, of many, and of the rest of the disk */
TEST_F(range, write_zeroes)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t last = self->nlb - MIB / self->lba;

	ASSERT_EQ(0, box_fill(b, 0, MIB, 1));
	STATUS(0, box_write_zeroes(b, 1, 1, 0));
	EXPECT_EQ(-1, box_check(b, 1, self->lba, 0));
	EXPECT_EQ(0, box_check(b, 2, self->lba, 0));
	STATUS(0, box_write_zeroes(b, 0, MIB / self->lba, VNG_RW_FUA));
	EXPECT_EQ(-1, box_check(b, 0, MIB, 0));

	ASSERT_EQ(0, box_fill(b, last, MIB, 2));
	STATUS(0, box_write_zeroes(b, last, MIB / self->lba, VNG_WZ_DEAC));
	EXPECT_EQ(-1, box_check(b, last, MIB, 0));

}

/* The highest number of blocks, which is not limited by MDTS, takes two steps. */
TEST_F(range, long_write_zeroes)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint32_t nlb = self->nlb < 65537 ? self->nlb - 1 : 65536;
	uint64_t end = 1 + nlb - MIB / self->lba;

	ASSERT_EQ(0, box_fill(b, 0, MIB, 1));
	ASSERT_EQ(0, box_fill(b, end, MIB, 2));
	STATUS(0, box_write_zeroes(b, 1, nlb, 0));
	EXPECT_EQ(-1, box_check(b, 1, MIB, 0));
	EXPECT_EQ(-1, box_check(b, end, MIB, 0));
	EXPECT_EQ(0, box_check(b, 0, self->lba, 0)) TH_LOG("not its own");
}

/* Deallocate reads as zero on this disk, and touches nothing else. */
TEST_F(range, dsm)
{
	struct vng_dsm_range range[2] = {
		{ .slba = htole64(2), .nlb = htole32(2) },
		{ .slba = htole64(6), .nlb = htole32(1) },
	};
	struct box *b = &self->box;
	struct vng *g = &b->g;
	char *p = malloc(8 * 4096);
	unsigned int i, lba = self->lba;

	ASSERT_NE(NULL, p);
	pattern_fill(p, 8 * lba, 3);
	ASSERT_EQ(0, disk_write(&b->disk, 0, p, 8 * lba));
	STATUS(0, box_dsm(b, self->buf, range, 2, VNG_DSM_AD));
	memset(p + 2 * lba, 0, 2 * lba);
	memset(p + 6 * lba, 0, lba);
	ASSERT_EQ(0, disk_read(&b->disk, 0, vng_ptr(g, self->buf, 8 * lba),
			       8 * lba));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, memcmp(p + i * lba, (char *)vng_ptr(g, self->buf,
				    8 * lba) + i * lba, lba))
			TH_LOG("block %u", i);
	free(p);
}

/* A namespace whose blocks stay allocated, as the user wants it */
TEST_F(range, no_deallocate)
{
	struct vng_dsm_range range = { .nlb = htole32(8) };
	struct box *b = &self->box;
	struct vng *g = &b->g;

	OK(vng_set_ns(g, 1, b->disk.fd, b->disk.lba_shift, 0,
		      VHOST_NVME_NS_NODEALLOC));
	ASSERT_EQ(0, box_fill(b, 0, 8 * self->lba, 3));
	STATUS(0, box_dsm(b, self->buf, &range, 1, VNG_DSM_AD));
	EXPECT_EQ(-1, box_check(b, 0, 8 * self->lba, 3));
	STATUS(0, box_write_zeroes(b, 0, 8, VNG_WZ_DEAC));
	EXPECT_EQ(-1, box_check(b, 0, 8 * self->lba, 0));
}

/* Without a volatile write cache whatever writes is as with FUA. */
TEST_F(range, write_through)
{
	struct vng_dsm_range range = { .nlb = htole32(8) };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct disk cached;
	long before;
	int ret;

	ret = disk_create(&cached, 8, b->disk.lba_shift,
			  "cache_size=1 fua=0 discard=1");
	if (ret)
		SKIP(return, "no cache in null_blk: %s", strerror(-ret));
	OK(vng_set_ns(g, 1, cached.fd, b->disk.lba_shift, 0, 0));
	before = disk_flushes(&cached);
	OK(vng_set_ctrl(g, VHOST_NVME_CTRL_WRITE_THROUGH, 0, 0, 0));
	STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 1, 0));
	EXPECT_EQ(before + 1, disk_flushes(&cached)) TH_LOG("Write");
	STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, 1, 0));
	STATUS(0, box_io(b, self->buf, VNG_CMD_VERIFY, 1, 0, 1, 0));
	EXPECT_EQ(before + 1, disk_flushes(&cached)) TH_LOG("Read, Verify");
	STATUS(0, box_write_zeroes(b, 0, 1, 0));
	EXPECT_LE(before + 2, disk_flushes(&cached)) TH_LOG("Write Zeroes");
	before = disk_flushes(&cached);
	STATUS(0, box_dsm(b, self->buf, &range, 1, VNG_DSM_AD));
	EXPECT_EQ(before + 1, disk_flushes(&cached)) TH_LOG("Deallocate");
	/* And with it again */
	OK(vng_set_ctrl(g, 0, 0, 0, 0));
	STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 1, 0));
	STATUS(0, box_write_zeroes(b, 0, 1, 0));
	STATUS(0, box_dsm(b, self->buf, &range, 1, VNG_DSM_AD));
	EXPECT_EQ(before + 1, disk_flushes(&cached)) TH_LOG("off");
	STATUS(0, box_io(b, self->buf, VNG_CMD_VERIFY, 1, 0, 1, VNG_RW_FUA));
	EXPECT_EQ(before + 2, disk_flushes(&cached)) TH_LOG("Verify, FUA");
	memset(vng_ptr(g, self->buf, 4096), 0, 4096);
	STATUS(0, box_io(b, self->buf, VNG_CMD_COMPARE, 1, 0, 1, VNG_RW_FUA));
	EXPECT_EQ(before + 3, disk_flushes(&cached)) TH_LOG("Compare, FUA");
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&cached);
}

/* 256 ranges in one command, in a buffer that is not page aligned */
TEST_F(range, dsm_256)
{
	struct vng_dsm_range range[256];
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i, wrong = 0;
	char *p = malloc(512 * self->lba);

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, box_fill(b, 0, 512 * self->lba, 4));
	for (i = 0; i < 256; i++)
		range[i] = (struct vng_dsm_range) {
			.slba = htole64(2 * i),
			.nlb = htole32(1),
		};
	STATUS(0, box_dsm(b, self->buf + 1024, range, 256, VNG_DSM_AD));
	ASSERT_EQ(0, disk_read(&b->disk, 0, p, 512 * self->lba));
	for (i = 0; i < 512; i++) {
		bool zero = mem_check(p + i * self->lba, 0, self->lba) == -1;

		wrong += zero != !(i & 1);
	}
	EXPECT_EQ(0, wrong);
	free(p);
}

/* Ranges that are so long that they take several steps */
TEST_F(range, dsm_long)
{
	const uint64_t gib = 1 << 30, size = 3 * gib;
	const uint64_t spot[] = { 0, MIB, gib - MIB, gib, 2 * gib - MIB,
				  2 * gib, size - MIB };
	struct vng_dsm_range range[2] = {
		{ .slba = htole64(1),
		  .nlb = htole32((gib + 2 * MIB) / self->lba - 1) },
		{ .slba = htole64((gib + 2 * MIB) / self->lba),
		  .nlb = htole32((size - gib - 2 * MIB) / self->lba) },
	};
	struct box *b = &self->box;
	struct vng *g = &b->g;
	char *p = malloc(MIB);
	struct disk large;
	unsigned int i;

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, disk_create(&large, size / MIB, b->disk.lba_shift,
				 "discard=1"));
	pattern_fill(p, MIB, 1);
	for (i = 0; i < sizeof(spot) / sizeof(spot[0]); i++)
		ASSERT_EQ(0, disk_write(&large, spot[i], p, MIB));
	OK(vng_set_ns(g, 1, large.fd, b->disk.lba_shift, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	STATUS(0, box_dsm(b, self->buf, range, 2, VNG_DSM_AD));
	for (i = 0; i < sizeof(spot) / sizeof(spot[0]); i++) {
		ASSERT_EQ(0, disk_read(&large, spot[i], p, MIB));
		EXPECT_EQ(i ? -1 : 0, mem_check(p, 0, MIB)) TH_LOG("%u", i);
		EXPECT_EQ(-1, mem_check(p + self->lba, 0, MIB - self->lba));
	}
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&large);
	free(p);
}

/* Ranges out of bounds, the last of them; hints do nothing. */
TEST_F(range, dsm_bounds)
{
	struct vng_dsm_range range[3] = {
		{ .slba = htole64(0), .nlb = htole32(1) },
		{ .slba = htole64(1), .nlb = htole32(1) },
	};
	struct box *b = &self->box;
	struct vng *g = &b->g;

	range[2].slba = htole64(self->nlb);
	range[2].nlb = htole32(1);
	STATUS(DNR(VNG_SC_LBA_RANGE), box_dsm(b, self->buf, range, 3, VNG_DSM_AD));
	range[2].slba = htole64(self->nlb - 1);
	range[2].nlb = htole32(2);
	STATUS(DNR(VNG_SC_LBA_RANGE), box_dsm(b, self->buf, range, 3, VNG_DSM_AD));
	range[2].slba = htole64(1);
	range[2].nlb = htole32(UINT32_MAX);
	STATUS(DNR(VNG_SC_LBA_RANGE), box_dsm(b, self->buf, range, 3, VNG_DSM_AD));
	range[2].slba = htole64(UINT64_MAX);
	range[2].nlb = htole32(2);
	STATUS(DNR(VNG_SC_LBA_RANGE), box_dsm(b, self->buf, range, 3, VNG_DSM_AD));
	range[2].slba = htole64(self->nlb - 1);
	range[2].nlb = htole32(1);
	STATUS(0, box_dsm(b, self->buf, range, 3, VNG_DSM_AD));
	/* An empty range is not an error. */
	range[2].nlb = 0;
	STATUS(0, box_dsm(b, self->buf, range, 3, VNG_DSM_AD));
	/* Without Deallocate, the ranges are only advice. */
	ASSERT_EQ(0, box_fill(b, 0, 4096, 6));
	STATUS(0, box_dsm(b, self->buf, range, 1, VNG_DSM_IDR | VNG_DSM_IDW));
	STATUS(0, box_dsm(b, self->buf, range, 1, 0));
	EXPECT_EQ(-1, box_check(b, 0, 4096, 6));
}

TEST_HARNESS_MAIN
