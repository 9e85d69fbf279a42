// SPDX-License-Identifier: GPL-2.0
/*
 * Compare and Verify: commands that read the disk for themselves, in steps of
 * 256 KiB
 */
#include "test.h"

#define MIB	(1UL << 20)
#define STEP	(MIB / 4)

FIXTURE(compare) {
	struct box box;
	unsigned int lba;	/* bytes */
	uint64_t nlb;		/* of the namespace */
	uint64_t buf;		/* 1 MiB and a page */
};

FIXTURE_VARIANT(compare) {
	unsigned int lba_shift;
	bool pin;
};

FIXTURE_VARIANT_ADD(compare, lba512) { .lba_shift = 9 };
FIXTURE_VARIANT_ADD(compare, lba4096) { .lba_shift = 12, .pin = true };

FIXTURE_SETUP(compare)
{
	BOX_SETUP(&self->box, .lba_shift = variant->lba_shift,
		  .pin = variant->pin);
	self->lba = 1 << variant->lba_shift;
	self->nlb = self->box.disk.bytes >> variant->lba_shift;
	self->buf = vng_alloc(&self->box.g, MIB + 4096, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(compare)
{
	box_stop(&self->box);
}

#define FAILED	DNR(VNG_SC_COMPARE_FAILED)

static int compare(struct box *b, uint64_t buf, uint64_t slba, uint32_t nlb)
{
	return box_io(b, buf, VNG_CMD_COMPARE, 1, slba, nlb, 0);
}

static int verify(struct box *b, uint64_t slba, uint32_t nlb)
{
	return box_io(b, b->g.region[0].gpa, VNG_CMD_VERIFY, 1, slba, nlb, 0);
}

/* Equal data of all sizes, in buffers of all alignments, and one byte that differs */
TEST_F(compare, sizes)
{
	const size_t size[] = { self->lba, 8192, 65536, STEP, STEP + 4096,
				2 * STEP, MIB };
	const uint32_t offset[] = { 0, 512, 4, 4092 };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i, j;
	uint32_t nlb;
	char *p;

	for (i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		ASSERT_EQ(0, box_fill(b, 3, size[i], i + 1));
		nlb = size[i] / self->lba;
		for (j = 0; j < sizeof(offset) / sizeof(offset[0]); j++) {
			const size_t at[] = { 0, size[i] / 2, size[i] - 1,
					      random_below(size[i]) };
			uint64_t buf = self->buf + offset[j];
			unsigned int k;

			p = vng_ptr(g, buf, size[i]);
			pattern_fill(p, size[i], i + 1);
			STATUS(0, compare(b, buf, 3, nlb));
			for (k = 0; k < sizeof(at) / sizeof(at[0]); k++) {
				p[at[k]] ^= 1;
				EXPECT_EQ(FAILED, compare(b, buf, 3, nlb))
					TH_LOG("byte %zu of %zu at %u: %s",
					       at[k], size[i], offset[j],
					       vng_msg(g));
				p[at[k]] ^= 1;
			}
			STATUS(0, compare(b, buf, 3, nlb));
			/* Nobody has changed anything. */
			EXPECT_EQ(-1, pattern_check(p, size[i], i + 1));
		}
		EXPECT_EQ(-1, box_check(b, 3, size[i], i + 1));
	}
}

/* The data lies in pages that do not follow one another. */
TEST_F(compare, scattered)
{
	uint64_t page[64];
	struct vng_prp prp = { .page = page, .nr = 64, .list_offset = 4096 - 64 };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;
	char *data = malloc(64 * 4096);
	unsigned int i;

	ASSERT_NE(NULL, data);
	pattern_fill(data, 64 * 4096, 1);
	ASSERT_EQ(0, box_fill(b, 0, 64 * 4096, 1));
	for (i = 0; i < 64; i++) {
		page[i] = self->buf + (i * 37 % 64) * 8192 % MIB;
		OK(vng_copy_to(g, page[i], data + i * 4096, 4096));
	}
	vng_cmd_rw(&sqe, VNG_CMD_COMPARE, 1, 0, 64 * 4096 / self->lba);
	OK(vng_prp_build(g, &sqe, &prp));
	STATUS(0, box_exec(&b->sq, &sqe));
	data[40 * 4096] ^= 0x80;
	OK(vng_copy_to(g, page[40], data + 40 * 4096, 4096));
	STATUS(FAILED, box_exec(&b->sq, &sqe));
	free(data);
}

/* A source that is read-only memory is good enough. */
TEST_F(compare, read_only_memory)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	void *p;

	if (variant->pin)
		SKIP(return, "all memory of the table must be writable");
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	pattern_fill(p, 8192, 4);
	ASSERT_EQ(0, mprotect(p, 8192, PROT_READ));
	ASSERT_LE(0, vng_mem_map(g, 1ULL << 40, p, 8192));
	OK(vng_mem_publish(g));
	ASSERT_EQ(0, box_fill(b, 0, 8192, 4));
	STATUS(0, compare(b, 1ULL << 40, 0, 8192 / self->lba));
	ASSERT_EQ(0, box_fill(b, 0, 8192, 5));
	STATUS(FAILED, compare(b, 1ULL << 40, 0, 8192 / self->lba));
}

/* As for Read: the range, the size, the namespace, the pointer */
TEST_F(compare, limits)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t end = g->region[0].gpa + g->region[0].size;
	uint32_t max = g->caps.max_transfer / self->lba;
	const uint64_t outside[] = { end, 1ULL << 52, -(uint64_t)4096 };
	unsigned int i;

	ASSERT_EQ(0, box_fill(b, self->nlb - 1, self->lba, 3));
	pattern_fill(vng_ptr(g, self->buf, 4096), 4096, 3);
	STATUS(0, compare(b, self->buf, self->nlb - 1, 1));
	STATUS(DNR(VNG_SC_LBA_RANGE), compare(b, self->buf, self->nlb - 1, 2));
	STATUS(DNR(VNG_SC_LBA_RANGE), compare(b, self->buf, UINT64_MAX, 2));
	STATUS(DNR(VNG_SC_LBA_RANGE), compare(b, self->buf, 1ULL << 55, 1));
	STATUS(DNR(VNG_SC_INVALID_FIELD), compare(b, self->buf, 0, max + 1));
	STATUS(NO_NS, box_io(b, self->buf, VNG_CMD_COMPARE, 2, 0, 1, 0));
	STATUS(DNR(VNG_SC_INVALID_NS),
	       box_io(b, self->buf, VNG_CMD_COMPARE, UINT32_MAX, 0, 1, 0));
	STATUS(DNR(VNG_SC_PRP_OFFSET_INVALID), compare(b, self->buf + 1, 0, 1));
	for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		STATUS(VNG_SC_DATA_XFER_ERROR, compare(b, outside[i], 0, 1));
	STATUS(VNG_SC_DATA_XFER_ERROR,
	       compare(b, end - 4096, 0, 8192 / self->lba));
}

/* Verify needs no data pointer and may be longer than a transfer. */
TEST_F(compare, verify)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;
	uint64_t nlb = self->nlb < 65536 ? self->nlb : 65536;

	STATUS(0, verify(b, 0, 1));
	STATUS(0, verify(b, self->nlb - 1, 1));
	STATUS(0, verify(b, self->nlb - nlb, nlb));
	STATUS(DNR(VNG_SC_LBA_RANGE), verify(b, self->nlb - 1, 2));
	STATUS(DNR(VNG_SC_LBA_RANGE), verify(b, UINT64_MAX, 2));
	vng_cmd_rw(&sqe, VNG_CMD_VERIFY, 1, 0, 8);
	sqe.prp1 = htole64(UINT64_MAX);
	sqe.prp2 = htole64(UINT64_MAX);
	STATUS(0, box_exec(&b->sq, &sqe));
	vng_cmd_rw(&sqe, VNG_CMD_VERIFY, 9, 0, 8);
	STATUS(NO_NS, box_exec(&b->sq, &sqe));
}

/* Neither changes anything, and both work where nothing may be changed. */
TEST_F(compare, write_protected)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;

	ASSERT_EQ(0, box_fill(b, 0, 4096, 9));
	pattern_fill(vng_ptr(g, self->buf, 4096), 4096, 9);
	OK(vng_set_ns(g, 1, b->disk.fd, b->disk.lba_shift, 0,
		      VHOST_NVME_NS_RDONLY));
	STATUS(0, compare(b, self->buf, 0, 4096 / self->lba));
	STATUS(0, verify(b, 0, 4096 / self->lba));
	EXPECT_EQ(-1, box_check(b, 0, 4096, 9));
}

/* Blocks that cannot be read, in the second step of a command */
TEST_F(compare, disk_errors)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint32_t nlb = MIB / self->lba;
	char attrs[64];
	struct disk bad;
	int ret;

	snprintf(attrs, sizeof(attrs), "badblocks=+%lu-%lu", STEP / 512 + 8,
		 STEP / 512 + 15);
	ret = disk_create(&bad, 8, b->disk.lba_shift, attrs);
	if (ret)
		SKIP(return, "no bad blocks in null_blk: %s", strerror(-ret));
	OK(vng_set_ns(g, 1, bad.fd, b->disk.lba_shift, 0, 0));
	memset(vng_ptr(g, self->buf, MIB), 0, MIB);
	STATUS(0, compare(b, self->buf, 0, STEP / self->lba));
	STATUS(0, verify(b, 0, STEP / self->lba));
	EXPECT_EQ(VNG_SC_READ_ERROR, VNG_SC_MASK & compare(b, self->buf, 0, nlb));
	EXPECT_EQ(VNG_SC_READ_ERROR, VNG_SC_MASK & verify(b, 0, nlb));
	/* What differs before the bad blocks is found first. */
	*(char *)vng_ptr(g, self->buf, 1) = 1;
	STATUS(FAILED, compare(b, self->buf, 0, nlb));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&bad);
}

/* Commands in steps, many at a time, beside Reads: all come to an end. */
TEST_F(compare, many)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint32_t nlb = 512 * 1024 / self->lba;
	uint16_t status;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	int round, i;

	ASSERT_EQ(0, box_fill(b, 0, 512 * 1024, 9));
	pattern_fill(vng_ptr(g, self->buf, 512 * 1024), 512 * 1024, 9);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 60; i++) {
			const uint8_t op[] = { VNG_CMD_COMPARE, VNG_CMD_VERIFY,
					       VNG_CMD_COMPARE, VNG_CMD_READ };

			vng_cmd_rw(&sqe, op[i % 4], 1, (i & 3) == 2, nlb);
			OK(vng_prp_contig(g, &sqe, self->buf +
					  (i % 4 == 3 ? 512 * 1024 : 0),
					  512 * 1024));
			sqe.cid = htole16(i);
			OK(vng_sq_push(&b->sq, &sqe));
		}
		OK(vng_sq_ring(&b->sq));
		for (i = 0; i < 60; i++) {
			OK(vng_cq_wait(&b->cq, &cqe));
			status = le16toh(cqe.cid) % 4 == 2 ? FAILED : 0;
			EXPECT_EQ(status, vng_status(&cqe))
				TH_LOG("command %u", le16toh(cqe.cid));
		}
	}
}

/* A slow disk with a long queue of steps: what goes does not wait for all. */
FIXTURE(steps) {
	struct box box;
	struct disk slow;
};

FIXTURE_SETUP(steps)
{
	struct vng *g = &self->box.g;
	int ret;

	BOX_SETUP(&self->box);
	/* 5 ms for each request of the disk, which has 4 KiB at most */
	ret = disk_create(&self->slow, 64, 9,
			  "irqmode=2 completion_nsec=5000000 max_sectors=8 submit_queues=1 hw_queue_depth=1");
	if (ret)
		SKIP(return, "no such null_blk: %s", strerror(-ret));
	OK(vng_set_ns(g, 1, self->slow.fd, 9, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
}

FIXTURE_TEARDOWN(steps)
{
	vng_set_ns(&self->box.g, 1, -1, 0, 0, 0);
	vng_event_wait(&self->box.g, VHOST_NVME_EVENT_NS_REMOVED, 1);
	box_stop(&self->box);
	disk_destroy(&self->slow);
}

/* 32 MiB take 40 s. */
static int verify_all(struct box *b, unsigned int nr)
{
	struct vng_sqe sqe;
	int ret = 0;

	vng_cmd_rw(&sqe, VNG_CMD_VERIFY, 1, 0, 65536);
	while (nr-- && !ret)
		ret = vng_submit(&b->sq, &sqe);
	return ret;
}

/* Wait until the worker has taken a command from the SQ. */
static int wait_for_fetch(struct box *b)
{
	struct vhost_nvme_stats s = { 0 };
	unsigned int ms;
	int ret = 0;

	for (ms = 0; !ret && !s.commands; ms += 10) {
		if (ms >= b->g.timeout_ms)
			return -ETIMEDOUT;
		sleep_ms(10);
		ret = vng_stats(&b->g, VHOST_NVME_STATS_SQ, 1, &s);
	}
	return ret;
}

/* The queue is deleted: what is left of the commands is not executed. */
TEST_F(steps, delete_sq)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_cqe cqe;

	OK(verify_all(b, 1));
	OK(wait_for_fetch(b));
	OK(vng_sq_delete(&b->sq));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	OK(vng_cq_wait(&b->cq, &cqe));
	EXPECT_EQ(VNG_SC_ABORT_QUEUE, vng_status(&cqe));
	vng_sq_drop(&b->sq);
}

/* Commands of all kinds that are done in steps, some seconds each */
static int all_kinds(struct box *b, uint64_t buf, unsigned int nr)
{
	struct vng_copy_range *range = vng_ptr(&b->g, buf, 10 * 32);
	struct vng_dsm_range *dsm = vng_ptr(&b->g, buf + 4096, 16);
	struct vng_sqe sqe;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < 10; i++) {
		range[i].slba = htole64(i);
		range[i].nlb = htole16(511);
	}
	dsm->nlb = htole32(65536);
	for (i = 0; i < nr && !ret; i++) {
		switch (i % 5) {
		case 0:
			vng_cmd_rw(&sqe, VNG_CMD_VERIFY, 1, 0, 65536);
			break;
		case 1:
			vng_cmd_rw(&sqe, VNG_CMD_COMPARE, 1, 65536, 2048);
			ret = vng_prp_contig(&b->g, &sqe, buf + 8192, MIB);
			break;
		case 2:
			vng_cmd_copy(&sqe, 1, 8192, 10, 0);
			ret = vng_prp_contig(&b->g, &sqe, buf, 10 * 32);
			break;
		case 3:
			vng_cmd_write_zeroes(&sqe, 1, 65536 - 8, 16, 0);
			break;
		case 4:
			vng_cmd_dsm(&sqe, 1, 1, VNG_DSM_AD);
			ret = vng_prp_contig(&b->g, &sqe, buf + 4096, 16);
			break;
		}
		ret = ret ?: vng_submit(&b->sq, &sqe);
	}
	return ret;
}

/* So with a reset, with all such commands, and those that are not yet begun */
TEST_F(steps, reset)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t buf = vng_alloc(g, MIB + 8192, 4096);

	ASSERT_NE(0, buf);
	g->timeout_ms *= 3;
	OK(vng_set_ns_copy(g, 1, self->slow.fd, 9, 65536, 4096, 255));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	OK(all_kinds(b, buf, 40));
	sleep_ms(50);
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	vng_sq_drop(&b->sq);
	vng_cq_drop(&b->cq);
}

/* The namespace goes: its commands finish, or end with their queue. */
TEST_F(steps, remove_ns)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vhost_nvme_event ev;
	struct vng_cqe cqe;

	OK(verify_all(b, 1));
	OK(wait_for_fetch(b));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 20));
	OK(vng_sq_delete(&b->sq));
	/* In no certain order */
	OK(vng_event(g, &ev, g->timeout_ms));
	OK(vng_event(g, &ev, g->timeout_ms));
	OK(vng_cq_wait(&b->cq, &cqe));
	EXPECT_EQ(VNG_SC_ABORT_QUEUE, vng_status(&cqe));
	vng_sq_drop(&b->sq);
	OK(vng_set_ns(g, 1, self->slow.fd, 9, 0, 0));
}

/* A disk that is busy for long holds up no other one's commands. */
TEST_F(steps, other_disk)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;
	struct vng_cqe cqe;

	OK(vng_set_ns(g, 2, b->disk.fd, 9, 0, 0));
	OK(verify_all(b, 40));
	vng_cmd_rw(&sqe, VNG_CMD_VERIFY, 2, 0, 65536);
	sqe.cid = htole16(99);
	OK(vng_sq_push(&b->sq, &sqe));
	OK(vng_sq_ring(&b->sq));
	OK(vng_cq_wait(&b->cq, &cqe));
	EXPECT_EQ(99, le16toh(cqe.cid));
	EXPECT_EQ(0, vng_status(&cqe));
	g->timeout_ms *= 3;
	OK(vng_reset(g));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_RESET_DONE, 0));
	vng_sq_drop(&b->sq);
	vng_cq_drop(&b->cq);
}

TEST_HARNESS_MAIN
