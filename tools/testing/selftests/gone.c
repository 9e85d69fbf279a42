// SPDX-License-Identifier: GPL-2.0
/* A disk that is removed from the host while it is a namespace */
#include "load.h"
#include "scsi.h"
#include "test.h"

#define GONE	DNR(VNG_SC_INTERNAL)

FIXTURE(gone) {
	struct box box;
	uint64_t buf;
};

FIXTURE_VARIANT(gone) {
	const char *attrs;
	bool cache;
	bool rmdir;	/* instead of switching it off */
	bool scsi;	/* instead of null_blk */
	bool poll_disks;
};

FIXTURE_VARIANT_ADD(gone, off) { .attrs = "discard=1" };
FIXTURE_VARIANT_ADD(gone, off_cache) { .attrs = "cache_size=1", .cache = true };
FIXTURE_VARIANT_ADD(gone, off_bio) { .attrs = "queue_mode=0" };
FIXTURE_VARIANT_ADD(gone, off_slow) {
	.attrs = "irqmode=2 completion_nsec=2000000 discard=1",
};
FIXTURE_VARIANT_ADD(gone, off_polled) {
	.attrs = "submit_queues=1 poll_queues=1 discard=1",
	.poll_disks = true,
};

FIXTURE_VARIANT_ADD(gone, rmdir) { .attrs = "discard=1", .rmdir = true };

FIXTURE_VARIANT_ADD(gone, scsi) { .scsi = true, .cache = true };

FIXTURE_SETUP(gone)
{
	struct vng *g = &self->box.g;
	char path[64];
	int ret;

	ret = variant->scsi ? scsi_start(path, sizeof(path)) : 0;
	if (ret)
		SKIP(return, "no scsi_debug: %s", strerror(-ret));
	BOX_SETUP(&self->box, .attrs = variant->attrs,
		  .poll_disks = variant->poll_disks,
		  .path = variant->scsi ? path : NULL);
	ASSERT_EQ(0, load_fill(&self->box.disk));
	OK(vng_set_ns_copy(g, 1, self->box.disk.fd, 9, 1000, 1000, 9));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	self->buf = vng_alloc(g, LOAD_DEPTH * LOAD_IO, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(gone)
{
	box_stop(&self->box);
	if (variant->scsi)
		scsi_stop();
}

/* How many of the commands do not fail as they should; says which */
static int not_gone(struct box *b, uint64_t buf)
{
	const uint8_t op[] = { VNG_CMD_READ, VNG_CMD_WRITE, VNG_CMD_COMPARE,
			       VNG_CMD_VERIFY, VNG_CMD_WRITE_ZEROES };
	unsigned int i;
	int ret, n = 0;

	for (i = 0; i < sizeof(op); i++) {
		ret = box_io(b, buf, op[i], 1, 0, 8, 0);
		if (ret != GONE) {
			printf("# opcode %#x: %#x\n", op[i], ret);
			n++;
		}
	}
	return n;
}

static int take_away(struct box *b, bool scsi, bool rmdir)
{
	if (scsi) {
		scsi_stop();
		return 0;
	}
	return rmdir ? disk_remove(&b->disk) : disk_power_off(&b->disk);
}

/* Every command fails; the event comes once, until another disk takes the place. */
TEST_F(gone, commands)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vhost_nvme_event ev;
	struct vng_sqe sqe;
	struct disk other;

	OK(box_rw(b, VNG_CMD_READ, 0, self->buf, 4096));
	ASSERT_EQ(0, take_away(b, variant->scsi, variant->rmdir));
	/* Nobody knows before a command finds out. */
	STATUS(GONE, box_rw(b, VNG_CMD_READ, 0, self->buf, 4096));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_GONE, 1));
	EXPECT_EQ(0, not_gone(b, self->buf));
	EXPECT_EQ(GONE, box_io(b, self->buf, VNG_CMD_READ, 1, 0, 8, VNG_RW_FUA));
	/* A Flush has something to do where there is a volatile cache. */
	vng_cmd_flush(&sqe, 1);
	EXPECT_EQ(variant->cache ? GONE : 0, box_exec(&b->sq, &sqe));
	vng_cmd_flush(&sqe, UINT32_MAX);
	EXPECT_EQ(variant->cache ? GONE : 0, box_exec(&b->sq, &sqe));
	memset(vng_ptr(g, self->buf, 4096), 0, 4096);
	vng_cmd_copy(&sqe, 1, 100, 1, 0);
	OK(vng_prp_contig(g, &sqe, self->buf, 32));
	EXPECT_EQ(GONE, box_exec(&b->sq, &sqe));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 20));

	ASSERT_EQ(0, disk_create(&other, 64, 9, NULL));
	ASSERT_EQ(0, load_fill(&other));
	OK(vng_set_ns(g, 1, other.fd, 9, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	OK(box_rw(b, VNG_CMD_READ, 0, self->buf, 4096));
	/* It happens to this one too. */
	ASSERT_EQ(0, disk_power_off(&other));
	STATUS(GONE, box_rw(b, VNG_CMD_WRITE, 0, self->buf, 4096));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_GONE, 1));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	STATUS(NO_NS, box_rw(b, VNG_CMD_READ, 0, self->buf, 4096));
	FAILS(ETIMEDOUT, vng_event(g, &ev, 20));
	disk_destroy(&other);
}

/* An event that nobody has read goes with the namespace. */
TEST_F(gone, forgotten)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;

	ASSERT_EQ(0, take_away(b, variant->scsi, variant->rmdir));
	STATUS(GONE, box_rw(b, VNG_CMD_READ, 0, self->buf, 4096));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
}

/* Under load: commands in flight succeed or fail, and all of them end. */
TEST_F(gone, busy)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct load load = {
		.sq = &b->sq, .nsid = 1, .buf = self->buf,
		.tolerate = VNG_SC_INTERNAL,
	};

	OK(load_start(&load));
	OK(load_progress(&load, 50));
	ASSERT_EQ(0, take_away(b, variant->scsi, variant->rmdir));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_GONE, 1));
	OK(load_progress(&load, 50));
	ASSERT_EQ(0, load_finish(&load)) TH_LOG("%s", load.msg);
	EXPECT_LT(0, load.refused);
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
}

TEST_HARNESS_MAIN
