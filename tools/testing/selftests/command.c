// SPDX-License-Identifier: GPL-2.0
/* Every command: its data, its limits, and the status of its bad cases */
#include "test.h"

FIXTURE(cmd) {
	struct box box;
	unsigned int lba;	/* bytes */
	uint64_t nlb;		/* of the namespace */
	uint64_t buf;		/* 1 MiB and a page */
};

FIXTURE_VARIANT(cmd) {
	unsigned int lba_shift;
};

FIXTURE_VARIANT_ADD(cmd, lba512) { .lba_shift = 9 };
FIXTURE_VARIANT_ADD(cmd, lba4096) { .lba_shift = 12 };

#define MIB	(1UL << 20)

FIXTURE_SETUP(cmd)
{
	BOX_SETUP(&self->box, .lba_shift = variant->lba_shift,
		  .attrs = "discard=1");
	self->lba = 1 << variant->lba_shift;
	self->nlb = self->box.disk.bytes >> variant->lba_shift;
	self->buf = vng_alloc(&self->box.g, MIB + 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(cmd)
{
	box_stop(&self->box);
}

static int flush(struct box *b, uint32_t nsid)
{
	struct vng_sqe sqe;

	vng_cmd_flush(&sqe, nsid);
	return box_exec(&b->sq, &sqe);
}

/* Transfers of one block up to 1 MiB, read and written, on two positions */
TEST_F(cmd, sizes)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	size_t size[] = { self->lba, 2 * self->lba, 3 * self->lba, 8192, 12288,
			  16384, 65536, 65536 + 4096, 131072, 524288, MIB };
	uint64_t slba[] = { 0, self->nlb - MIB / self->lba };
	unsigned int i, at;
	void *p = vng_ptr(g, self->buf, MIB);

	for (at = 0; at < 2; at++) {
		for (i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
			uint64_t seed = at * 100 + i + 1;
			uint32_t nlb = size[i] / self->lba;

			pattern_fill(p, size[i], seed);
			STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, slba[at],
					 nlb, 0));
			EXPECT_EQ(-1, box_check(b, slba[at], size[i], seed));
			ASSERT_EQ(0, box_fill(b, slba[at], size[i], seed + 50));
			memset(p, 0xee, MIB);
			STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, slba[at],
					 nlb, 0));
			EXPECT_EQ(-1, pattern_check(p, size[i], seed + 50));
			EXPECT_EQ(-1, mem_check((char *)p + size[i], 0xee,
						MIB - size[i]));
		}
	}
}

/* Counters of the submission queue follow the commands. */
TEST_F(cmd, stats)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vhost_nvme_stats s;
	unsigned int i;

	STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 2, 0));
	STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, 3, 0));
	STATUS(0, flush(b, 1));
	STATUS(NO_NS, flush(b, 9));
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
	EXPECT_EQ(4, s.commands);
	EXPECT_EQ(1, s.errors);
	EXPECT_EQ(3 * self->lba, s.read_bytes);
	EXPECT_EQ(2 * self->lba, s.write_bytes);
	EXPECT_EQ(0, s.bounced);
	/* The last of it happens after the completion is visible. */
	for (i = 0; i < g->timeout_ms && s.inflight; i++) {
		sleep_ms(1);
		OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
	}
	EXPECT_EQ(0, s.inflight);
	OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
	for (i = 0; i < g->timeout_ms && s.irqs < 4; i++) {
		sleep_ms(1);
		OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &s));
	}
	EXPECT_EQ(4, s.cqes);
	EXPECT_EQ(4, s.irqs);
}

/* Writes with Force Unit Access, also reads, and with Limited Retry */
TEST_F(cmd, fua)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;

	pattern_fill(vng_ptr(g, self->buf, 8192), 8192, 5);
	STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 8, 8192 / self->lba,
			 VNG_RW_FUA));
	EXPECT_EQ(-1, box_check(b, 8, 8192, 5));
	memset(vng_ptr(g, self->buf, 8192), 0, 8192);
	STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 8, 8192 / self->lba,
			 VNG_RW_FUA | VNG_RW_LR));
	EXPECT_EQ(-1, pattern_check(vng_ptr(g, self->buf, 8192), 8192, 5));
}

/* What has to be on stable storage reaches a disk with a volatile cache. */
TEST_F(cmd, stable_storage)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct disk cached;
	long before;
	int ret;

	/* Without FUA of its own, so that it becomes a flush that counts */
	ret = disk_create(&cached, 8, b->disk.lba_shift, "cache_size=1 fua=0");
	if (ret)
		SKIP(return, "no cache in null_blk: %s", strerror(-ret));
	OK(vng_set_ns(g, 1, cached.fd, b->disk.lba_shift, 0, 0));
	before = disk_flushes(&cached);
	ASSERT_LE(0, before);
	STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 1, 0));
	STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, 1, 0));
	EXPECT_EQ(before, disk_flushes(&cached));
	STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 1, VNG_RW_FUA));
	EXPECT_EQ(before + 1, disk_flushes(&cached)) TH_LOG("Write, FUA");
	STATUS(0, flush(b, 1));
	EXPECT_EQ(before + 2, disk_flushes(&cached)) TH_LOG("Flush");
	STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, 1, VNG_RW_FUA));
	EXPECT_EQ(before + 3, disk_flushes(&cached)) TH_LOG("Read, FUA");
	STATUS(0, flush(b, UINT32_MAX));
	EXPECT_EQ(before + 4, disk_flushes(&cached)) TH_LOG("Flush of all");
	STATUS(0, box_write_zeroes(b, 0, 1, 0));
	EXPECT_EQ(before + 4, disk_flushes(&cached)) TH_LOG("Write Zeroes");
	STATUS(0, box_write_zeroes(b, 0, 1, VNG_RW_FUA));
	EXPECT_LE(before + 5, disk_flushes(&cached)) TH_LOG("Write Zeroes, FUA");
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&cached);
}

/* Flush of one namespace, and of all of them */
TEST_F(cmd, flush)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;

	STATUS(0, flush(b, 1));
	STATUS(NO_NS, flush(b, 2));
	STATUS(DNR(VNG_SC_INVALID_NS), flush(b, 0));
	OK(vng_set_ns(g, 2, b->disk.fd, b->disk.lba_shift, 0, 0));
	STATUS(0, flush(b, 2));
	STATUS(0, flush(b, UINT32_MAX));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	STATUS(0, flush(b, UINT32_MAX));
}

/* Opcodes that the kernel did not announce, all of them */
TEST_F(cmd, invalid_opcode)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int op;

	for (op = 0; op < 256; op++) {
		if (g->caps.opcodes[op / 64] >> op % 64 & 1)
			continue;
		STATUS(DNR(VNG_SC_INVALID_OPCODE),
		       box_io(b, self->buf, op, 1, 0, 1, 0));
	}
	STATUS(0, flush(b, 1));
}

/* Invalid namespaces, as the broadcast value is for Read, and those not used */
TEST_F(cmd, invalid_nsid)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint32_t nsid[] = { 0, g->caps.max_nsid + 1, 0x80000001,
			    UINT32_MAX - 1, UINT32_MAX };
	unsigned int i;

	for (i = 0; i < sizeof(nsid) / sizeof(nsid[0]); i++) {
		STATUS(DNR(VNG_SC_INVALID_NS),
		       box_io(b, self->buf, VNG_CMD_READ, nsid[i], 0, 1, 0));
		STATUS(DNR(VNG_SC_INVALID_NS),
		       box_io(b, self->buf, VNG_CMD_WRITE, nsid[i], 0, 1, 0));
	}
	STATUS(NO_NS, box_io(b, self->buf, VNG_CMD_READ, 2, 0, 1, 0));
	STATUS(NO_NS, box_io(b, self->buf, VNG_CMD_WRITE, g->caps.max_nsid, 0,
			     1, 0));
}

/* The end of the namespace, from both sides, and sums that overflow */
TEST_F(cmd, lba_range)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t buf = self->buf;
	const uint8_t op[] = { VNG_CMD_READ, VNG_CMD_WRITE };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		STATUS(0, box_io(b, buf, op[i], 1, self->nlb - 1, 1, 0));
		STATUS(DNR(VNG_SC_LBA_RANGE),
		       box_io(b, buf, op[i], 1, self->nlb, 1, 0));
		STATUS(DNR(VNG_SC_LBA_RANGE),
		       box_io(b, buf, op[i], 1, self->nlb - 1, 2, 0));
		STATUS(DNR(VNG_SC_LBA_RANGE),
		       box_io(b, buf, op[i], 1, UINT64_MAX, 1, 0));
		STATUS(DNR(VNG_SC_LBA_RANGE),
		       box_io(b, buf, op[i], 1, UINT64_MAX, 2, 0));
		STATUS(DNR(VNG_SC_LBA_RANGE),
		       box_io(b, buf, op[i], 1, UINT64_MAX - 6, 8, 0));
		/* In bytes these are 0. */
		STATUS(DNR(VNG_SC_LBA_RANGE),
		       box_io(b, buf, op[i], 1, 1ULL << 55, 1, 0));
		STATUS(DNR(VNG_SC_LBA_RANGE),
		       box_io(b, buf, op[i], 1, 1ULL << 61, 1, 0));
	}
	STATUS(0, box_write_zeroes(b, self->nlb - 1, 1, 0));
	STATUS(DNR(VNG_SC_LBA_RANGE), box_write_zeroes(b, self->nlb - 1, 2, 0));
	STATUS(DNR(VNG_SC_LBA_RANGE), box_write_zeroes(b, self->nlb, 1, 0));
	STATUS(DNR(VNG_SC_LBA_RANGE), box_write_zeroes(b, UINT64_MAX, 65536, 0));
}

/* More than the maximum data transfer size is an invalid field. */
TEST_F(cmd, mdts)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint32_t max = g->caps.max_transfer / self->lba;

	STATUS(DNR(VNG_SC_INVALID_FIELD),
	       box_io(b, self->buf, VNG_CMD_READ, 1, 0, max + 1, 0));
	STATUS(DNR(VNG_SC_INVALID_FIELD),
	       box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, max + 1, 0));
	if (max < 65536)
		STATUS(DNR(VNG_SC_INVALID_FIELD),
		       box_io(b, self->buf, VNG_CMD_READ, 1, 0, 65536 / 8, 0));
	STATUS(0, flush(b, 1));
}

/* Less than the kernel can, as Identify says it: MDTS and VSL */
TEST_F(cmd, lower_limits)
{
	const uint8_t op[] = { VNG_CMD_READ, VNG_CMD_WRITE, VNG_CMD_COMPARE };
	uint32_t max = 65536 / self->lba;
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i;

	memset(vng_ptr(g, self->buf, MIB), 0, MIB);
	OK(vng_set_ctrl(g, 0, 65536, 2 * 65536, 0));
	for (i = 0; i < 3; i++) {
		STATUS(0, box_io(b, self->buf, op[i], 1, 0, max, 0));
		STATUS(DNR(VNG_SC_INVALID_FIELD),
		       box_io(b, self->buf, op[i], 1, 0, max + 1, 0));
	}
	STATUS(0, box_io(b, self->buf, VNG_CMD_VERIFY, 1, 0, 2 * max, 0));
	STATUS(DNR(VNG_SC_INVALID_FIELD),
	       box_io(b, self->buf, VNG_CMD_VERIFY, 1, 0, 2 * max + 1, 0));
	STATUS(0, box_write_zeroes(b, 0, 4 * max, 0));
	OK(vng_set_ctrl(g, 0, 0, 0, 0));
	STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, MIB / self->lba, 0));
	STATUS(0, box_io(b, self->buf, VNG_CMD_VERIFY, 1, 0, 4 * max, 0));
}

/* Fused commands are not supported, nor both kinds of SGLs together. */
TEST_F(cmd, fuse_and_psdt)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	const uint8_t flags[] = { 0xc0, 0x01, 0x02, 0x03, 0x41, 0x82, 0xc1 };
	struct vng_sqe sqe;
	unsigned int i;

	for (i = 0; i < sizeof(flags); i++) {
		vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 1);
		OK(vng_prp_contig(g, &sqe, self->buf, self->lba));
		sqe.flags = flags[i];
		EXPECT_EQ(DNR(VNG_SC_INVALID_FIELD), box_exec(&b->sq, &sqe))
			TH_LOG("flags %#x", flags[i]);
		vng_cmd_flush(&sqe, 1);
		sqe.flags = flags[i];
		EXPECT_EQ(DNR(VNG_SC_INVALID_FIELD), box_exec(&b->sq, &sqe))
			TH_LOG("flags %#x of Flush", flags[i]);
	}
}

/*
 * Without protection information in the namespace, PRINFO is ignored; and without
 * directives, as reserved, their type.
 */
TEST_F(cmd, control_bits)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 1,
				 VNG_RW_PRINFO(1 << i)));
		STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, 1,
				 VNG_RW_PRINFO(1 << i)));
		STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 1,
				 VNG_RW_DTYPE(1 << i)));
		STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, 1,
				 VNG_RW_DTYPE(1 << i)));
	}
}

/* Writes to a read-only namespace say so, reads and flushes work. */
TEST_F(cmd, write_protected)
{
	const uint16_t wp = VNG_SC_NS_WRITE_PROTECTED | VNG_SC_DNR;
	struct vng_dsm_range range = { .nlb = htole32(1) };
	struct box *b = &self->box;
	struct vng *g = &b->g;

	ASSERT_EQ(0, box_fill(b, 0, 4096, 9));
	OK(vng_set_ns(g, 1, b->disk.fd, b->disk.lba_shift, 0,
		      VHOST_NVME_NS_RDONLY));
	STATUS(wp, box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 1, 0));
	STATUS(wp, box_write_zeroes(b, 0, 1, 0));
	STATUS(wp, box_dsm(b, self->buf, &range, 1, VNG_DSM_AD));
	STATUS(0, flush(b, 1));
	STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, 0, 4096 / self->lba, 0));
	EXPECT_EQ(-1, pattern_check(vng_ptr(g, self->buf, 4096), 4096, 9));
	EXPECT_EQ(-1, box_check(b, 0, 4096, 9));
}

/* Two namespaces of different sizes and block sizes on two disks */
TEST_F(cmd, namespaces)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;
	struct disk other;
	unsigned int shift = b->disk.lba_shift == 9 ? 12 : 9;
	char buf[4096];

	ASSERT_EQ(0, disk_create(&other, 8, shift, NULL));
	OK(vng_set_ns(g, 7, other.fd, shift, 0, 0));
	ASSERT_EQ(0, box_fill(b, 0, 4096, 11));
	pattern_fill(vng_ptr(g, self->buf, 4096), 4096, 12);
	vng_cmd_rw(&sqe, VNG_CMD_WRITE, 7, 0, 4096 >> shift);
	OK(vng_prp_contig(g, &sqe, self->buf, 4096));
	STATUS(0, box_exec(&b->sq, &sqe));
	ASSERT_EQ(0, disk_read(&other, 0, buf, sizeof(buf)));
	EXPECT_EQ(-1, pattern_check(buf, sizeof(buf), 12));
	EXPECT_EQ(-1, box_check(b, 0, 4096, 11));
	vng_cmd_rw(&sqe, VNG_CMD_WRITE, 7, other.bytes >> shift, 1);
	OK(vng_prp_contig(g, &sqe, self->buf, 4096));
	STATUS(DNR(VNG_SC_LBA_RANGE), box_exec(&b->sq, &sqe));
	OK(vng_set_ns(g, 7, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 7));
	disk_destroy(&other);
}

/* 4096-byte LBAs on a disk of 512-byte blocks */
TEST_F(cmd, lba_above_block)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;

	if (self->lba != 512)
		SKIP(return, "only for disks of 512-byte blocks");
	OK(vng_set_ns(g, 2, b->disk.fd, 12, 0, 0));
	ASSERT_EQ(0, box_fill(b, 8 * 5, 8192, 21));
	vng_cmd_rw(&sqe, VNG_CMD_READ, 2, 5, 2);
	OK(vng_prp_contig(g, &sqe, self->buf, 8192));
	STATUS(0, box_exec(&b->sq, &sqe));
	EXPECT_EQ(-1, pattern_check(vng_ptr(g, self->buf, 8192), 8192, 21));
	vng_cmd_rw(&sqe, VNG_CMD_READ, 2, b->disk.bytes >> 12, 1);
	OK(vng_prp_contig(g, &sqe, self->buf, 4096));
	STATUS(DNR(VNG_SC_LBA_RANGE), box_exec(&b->sq, &sqe));
}

/* A disk that loses data: its errors reach the guest as media errors. */
TEST_F(cmd, disk_errors)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct disk bad;
	int ret;

	ret = disk_create(&bad, 8, b->disk.lba_shift, "badblocks=+0-31");
	if (ret)
		SKIP(return, "no bad blocks in null_blk: %s", strerror(-ret));
	OK(vng_set_ns(g, 1, bad.fd, b->disk.lba_shift, 0, 0));
	EXPECT_EQ(VNG_SC_READ_ERROR, VNG_SC_MASK &
		  box_io(b, self->buf, VNG_CMD_READ, 1, 0, 1, 0));
	EXPECT_EQ(VNG_SC_WRITE_FAULT, VNG_SC_MASK &
		  box_io(b, self->buf, VNG_CMD_WRITE, 1, 0, 1, 0));
	EXPECT_EQ(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, 64, 1, 0));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&bad);
}

/* Command identifiers are the guest's business: any value comes back. */
TEST_F(cmd, any_cid)
{
	const uint16_t cid[] = { 0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff, 0xffff };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	unsigned int i;

	for (i = 0; i < sizeof(cid) / sizeof(cid[0]); i++) {
		vng_cmd_flush(&sqe, 1);
		sqe.cid = htole16(cid[i]);
		OK(vng_sq_push(&b->sq, &sqe));
		OK(vng_sq_ring(&b->sq));
		OK(vng_cq_wait(&b->cq, &cqe));
		EXPECT_EQ(cid[i], le16toh(cqe.cid));
		EXPECT_EQ(1, le16toh(cqe.sqid));
		EXPECT_EQ((i + 1) % 64, le16toh(cqe.sqhd));
		EXPECT_EQ(0, cqe.dw0);
		EXPECT_EQ(0, cqe.dw1);
	}
}

FIXTURE(limits) {
	struct box box;
	uint64_t buf;
};

FIXTURE_VARIANT(limits) {
	const char *attrs;
};

FIXTURE_VARIANT_ADD(limits, none) { NULL };
FIXTURE_VARIANT_ADD(limits, sectors_8) { "max_sectors=8" };
FIXTURE_VARIANT_ADD(limits, sectors_20) { "max_sectors=20" };
FIXTURE_VARIANT_ADD(limits, sectors_255) { "max_sectors=255" };
FIXTURE_VARIANT_ADD(limits, timer) {
	"max_sectors=40 irqmode=2 completion_nsec=100000",
};
FIXTURE_VARIANT_ADD(limits, bio) { "max_sectors=40 queue_mode=0" };

FIXTURE_SETUP(limits)
{
	BOX_SETUP(&self->box, .attrs = variant->attrs);
	self->buf = vng_alloc(&self->box.g, 2 * MIB, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(limits)
{
	box_stop(&self->box);
}

/* Transfers beyond what the disk takes at once, from where it likes and not */
TEST_F(limits, split)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	size_t size[] = { 4096, 8192, 10240, 65536, 130560, 131072, 524288,
			  MIB - 512, MIB };
	unsigned int i, at;
	void *p = vng_ptr(g, self->buf, MIB);
	struct vhost_nvme_stats s;

	for (at = 0; at < 8; at += 3) {
		for (i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
			uint64_t seed = at * 100 + i + 1;

			pattern_fill(p, size[i], seed);
			STATUS(0, box_io(b, self->buf, VNG_CMD_WRITE, 1, at,
					 size[i] / 512, 0));
			EXPECT_EQ(-1, box_check(b, at, size[i], seed));
			ASSERT_EQ(0, box_fill(b, at, size[i], seed + 50));
			memset(p, 0xee, MIB);
			STATUS(0, box_io(b, self->buf, VNG_CMD_READ, 1, at,
					 size[i] / 512, 0));
			EXPECT_EQ(-1, pattern_check(p, size[i], seed + 50));
			EXPECT_EQ(-1, mem_check((char *)p + size[i], 0xee,
						MIB - size[i]));
		}
	}
	/* None had to be done once more for it. */
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s));
	EXPECT_EQ(0, s.retries);
	EXPECT_EQ(0, s.errors);
}

TEST_HARNESS_MAIN
