// SPDX-License-Identifier: GPL-2.0
/* A disk that does not answer for as long as the test wants */
#include <poll.h>

#include "dm.h"
#include "test.h"

#define LEN		4096
#define FILLED		0x5a	/* the disk */
#define UNTOUCHED	0xa5	/* the guest's memory */

/* How long is enough to see that something does not happen */
#define WHILE_MS	200

/* As many as a controller may have: see SET_NS in the UAPI header */
#define MAX_LEAVING	512

FIXTURE(hang) {
	struct box box;
	struct dm dm;		/* namespace 1 */
	struct disk other;
	uint64_t buf;
};

FIXTURE_VARIANT(hang) {
	unsigned int poll_us;
	bool no_shadow;
	bool pin;
	unsigned int misaligned;	/* then data is copied */
};

FIXTURE_VARIANT_ADD(hang, sleep) { .poll_us = 0 };
FIXTURE_VARIANT_ADD(hang, poll) { .poll_us = 200 };
FIXTURE_VARIANT_ADD(hang, ioctl) { .no_shadow = true };
FIXTURE_VARIANT_ADD(hang, pinned) { .pin = true };
FIXTURE_VARIANT_ADD(hang, bounced) { .misaligned = 4 };

FIXTURE_SETUP(hang)
{
	int ret;

	self->other.fd = -1;
	self->other.check = -1;
	ret = dm_create(&self->dm, 16, 9);
	if (ret == -ENODEV)
		SKIP(return, "no device mapper, or no null_blk");
	ASSERT_EQ(0, ret) TH_LOG("device mapper: %s", strerror(-ret));
	BOX_SETUP(&self->box, .path = self->dm.path, .entries = 1024,
		  .poll_us = variant->poll_us, .pin = variant->pin,
		  .no_shadow = variant->no_shadow);
	ASSERT_EQ(0, disk_create(&self->other, 16, 9, NULL));
	self->buf = vng_alloc(&self->box.g, 2 * LEN, 4096);
	ASSERT_NE(0, self->buf);
	self->buf += variant->misaligned;
}

FIXTURE_TEARDOWN(hang)
{
	/* Else nothing that waits for it ends. */
	dm_resume(&self->dm);
	box_stop(&self->box);
	disk_destroy(&self->other);
	dm_destroy(&self->dm);
}

static int fill(struct box *b, uint8_t value)
{
	char *p = malloc(LEN);
	int ret;

	if (!p)
		return -ENOMEM;
	memset(p, value, LEN);
	ret = disk_write(&b->disk, 0, p, LEN);
	free(p);
	return ret;
}

/*
 * A Read of namespace 1 is with the disk when this returns, the @nr th one. It reads
 * what fill() has written.
 */
static int read_hangs(struct box *b, uint64_t buf, unsigned int nr)
{
	uint64_t end = vng_now_ms() + b->g.timeout_ms;
	struct vhost_nvme_stats s = { 0 };
	struct vng_sqe sqe;
	int ret;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, LEN / 512);
	ret = vng_prp_contig(&b->g, &sqe, buf, LEN) ?:
	      vng_submit(&b->sq, &sqe);
	while (!ret && s.inflight < nr) {
		if (vng_now_ms() > end)
			return vng_fail(&b->g, -ETIMEDOUT, "%u Reads in flight",
					nr);
		ret = vng_stats(&b->g, VHOST_NVME_STATS_SQ, 1, &s);
	}
	return ret;
}

/* The disk does not answer, and has been asked. */
#define HANG()								\
do {									\
	memset(vng_ptr(g, self->buf, LEN), UNTOUCHED, LEN);		\
	ASSERT_EQ(0, fill(&self->box, FILLED));				\
	ASSERT_EQ(0, dm_suspend(&self->dm));				\
	OK(read_hangs(&self->box, self->buf, 1));			\
} while (0)

/* Status of a command to the namespace, while other commands may be in flight */
static int flush(struct box *b, uint32_t nsid)
{
	struct vng_sqe sqe;

	vng_cmd_flush(&sqe, nsid);
	return box_exec(&b->sq, &sqe);
}

/* The disk of the namespace becomes another one, which is known to it only. */
static int replace(struct box *b, struct disk *disk)
{
	int ret = vng_set_ns(&b->g, 1, disk->fd, 9, 0, 0);

	close(disk->fd);
	disk->fd = -1;
	return ret;
}

static int pending(struct vng *g)
{
	struct pollfd pfd = { .fd = g->fd, .events = POLLIN };

	return poll(&pfd, 1, 0);
}

/* Until the module has closed that disk; the test's own file of it must be closed. */
static int closes(struct vng *g, const struct disk *disk)
{
	uint64_t end = vng_now_ms() + g->timeout_ms;
	int fd;

	while ((fd = open(disk->path, O_RDWR | O_EXCL | O_CLOEXEC)) < 0) {
		if (vng_now_ms() > end)
			return vng_fail(g, -errno, "%s", disk->path);
		sleep_ms(5);
	}
	close(fd);
	return 0;
}

/* The Read completes as if nothing had happened meanwhile. */
#define READ_ENDS()							\
do {									\
	struct vng_cqe __cqe;						\
									\
	OK(vng_cq_wait(&self->box.cq, &__cqe));				\
	EXPECT_EQ(0, vng_status(&__cqe));				\
	EXPECT_EQ(-1, mem_check(vng_ptr(g, self->buf, LEN), FILLED, LEN)); \
} while (0)

/*
 * The disk that hangs is replaced, and the one that replaced it is removed and idle:
 * no event before the first is closed as well, and commands see the new state at once.
 */
TEST_F(hang, generations)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;

	HANG();
	OK(replace(&self->box, &self->other));
	STATUS(0, flush(&self->box, 1));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	STATUS(NO_NS, flush(&self->box, 1));
	OK(closes(g, &self->other));
	FAILS(ETIMEDOUT, vng_event(g, &ev, WHILE_MS));
	EXPECT_EQ(-1, mem_check(vng_ptr(g, self->buf, LEN), UNTOUCHED, LEN));

	ASSERT_EQ(0, dm_resume(&self->dm));
	READ_ENDS();
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	FAILS(ETIMEDOUT, vng_event(g, &ev, WHILE_MS));
}

/* An event that nobody has read does not speak of what is removed after it. */
TEST_F(hang, event_taken_back)
{
	struct vng *g = &self->box.g;
	uint64_t end = vng_now_ms() + g->timeout_ms;
	struct vhost_nvme_event ev;

	OK(vng_set_ns(g, 1, self->box.disk.fd, 9, 0, 0));
	while (pending(g) != 1)
		ASSERT_GT(end, vng_now_ms()) TH_LOG("no event");
	HANG();
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	EXPECT_EQ(0, pending(g));
	FAILS(ETIMEDOUT, vng_event(g, &ev, WHILE_MS));

	ASSERT_EQ(0, dm_resume(&self->dm));
	READ_ENDS();
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	FAILS(ETIMEDOUT, vng_event(g, &ev, WHILE_MS));
}

/* Another identifier's event does not wait for it, nor does a new namespace. */
TEST_F(hang, other_identifier)
{
	struct vng *g = &self->box.g;

	HANG();
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_set_ns(g, 2, self->other.fd, 9, 0, 0));
	STATUS(0, flush(&self->box, 2));
	OK(vng_set_ns(g, 2, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 2));
	OK(vng_set_ns(g, 1, self->other.fd, 9, 0, 0));
	STATUS(0, flush(&self->box, 1));

	ASSERT_EQ(0, dm_resume(&self->dm));
	READ_ENDS();
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	STATUS(0, flush(&self->box, 1));
}

/* A guest cannot make the host keep more devices than there may be. */
TEST_F(hang, limit)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;
	unsigned int i;

	HANG();
	for (i = 1; i <= MAX_LEAVING; i++) {
		OK(vng_set_ns(g, 1, self->box.disk.fd, 9, 0, 0));
		OK(read_hangs(&self->box, self->buf, i + 1));
	}
	FAILS(EBUSY, vng_set_ns(g, 1, self->box.disk.fd, 9, 0, 0));
	FAILS(EBUSY, vng_set_ns(g, 2, self->other.fd, 9, 0, 0));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	STATUS(NO_NS, flush(&self->box, 1));
	FAILS(ETIMEDOUT, vng_event(g, &ev, WHILE_MS));

	ASSERT_EQ(0, dm_resume(&self->dm));
	for (i = 0; i <= MAX_LEAVING; i++)
		READ_ENDS();
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	OK(vng_set_ns(g, 1, self->box.disk.fd, 9, 0, 0));
	STATUS(0, flush(&self->box, 1));
	FAILS(ETIMEDOUT, vng_event(g, &ev, WHILE_MS));
}

/*
 * The queue of the Read goes, and nothing is heard of it. A host that has had no time
 * to ask the disk yet does so no more: 0 with the event, and a Read that was aborted.
 */
static int silent(struct box *b, struct vhost_nvme_event *ev)
{
	struct vng_cqe cqe;
	int ret = vng_event(&b->g, ev, WHILE_MS);

	if (ret)
		return ret;
	if (vng_cq_peek(&b->cq, &cqe) != 1 ||
	    vng_status(&cqe) != VNG_SC_ABORT_QUEUE)
		return vng_fail(&b->g, -EBADMSG, "event %u of a Read in flight",
				ev->type);
	return 0;
}

/*
 * A reset is not complete before the disk has answered, and then the memory is the
 * guest's alone.
 */
TEST_F(hang, reset)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;
	struct vhost_nvme_event ev;
	char *p = vng_ptr(g, self->buf, LEN), seen[LEN];
	int ret;

	HANG();
	sleep_ms(WHILE_MS);
	OK(vng_reset(g));
	ret = silent(&self->box, &ev);
	EXPECT_EQ(-1, mem_check(p, UNTOUCHED, LEN));

	ASSERT_EQ(0, dm_resume(&self->dm));
	if (ret) {
		ASSERT_EQ(-ETIMEDOUT, ret) TH_LOG("%s", vng_msg(g));
		OK(vng_event(g, &ev, g->timeout_ms));
	}
	EXPECT_EQ(VHOST_NVME_EVENT_RESET_DONE, ev.type);
	memcpy(seen, p, LEN);
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	EXPECT_EQ(variant->pin ? g->region[0].size / 4096 : 0, s.pinned_pages);
	sleep_ms(WHILE_MS);
	EXPECT_EQ(0, memcmp(seen, p, LEN))
		TH_LOG("written after the end of the reset");
	FAILS(ETIMEDOUT, vng_event(g, &ev, 0));
}

/* Neither is the deletion of a queue, and the completion comes before its end. */
TEST_F(hang, delete_sq)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev;
	struct vng_cqe cqe;
	int ret;

	HANG();
	sleep_ms(WHILE_MS);
	OK(vng_sq_delete(&self->box.sq));
	ret = silent(&self->box, &ev);
	EXPECT_EQ(-1, mem_check(vng_ptr(g, self->buf, LEN), UNTOUCHED, LEN));
	if (!ret) {
		EXPECT_EQ(VHOST_NVME_EVENT_SQ_DELETED, ev.type);
		return;
	}
	ASSERT_EQ(-ETIMEDOUT, ret) TH_LOG("%s", vng_msg(g));
	EXPECT_EQ(0, vng_cq_peek(&self->box.cq, &cqe));

	ASSERT_EQ(0, dm_resume(&self->dm));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_SQ_DELETED, 1));
	EXPECT_EQ(1, vng_cq_peek(&self->box.cq, &cqe));
	EXPECT_EQ(0, vng_status(&cqe));
	EXPECT_EQ(-1, mem_check(vng_ptr(g, self->buf, LEN), FILLED, LEN));
}

TEST_HARNESS_MAIN
