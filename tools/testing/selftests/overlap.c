// SPDX-License-Identifier: GPL-2.0
/*
 * A guest may lay rings, doorbells and data over one another. What comes of its
 * commands is its own affair; the host, other memory, and the controller after a
 * reset are not.
 */
#include <sys/eventfd.h>

#include "test.h"

/* Pages that the guest has for all of it, between two that nothing may touch */
#define PAGES	8
#define ENTRIES	64	/* of an SQ: a page */

/* Where the parts are, by page; doorbells and EventIdx have to differ */
struct layout {
	unsigned int	sq[2];
	unsigned int	cq[2];
	unsigned int	dbs;
	unsigned int	eis;
	unsigned int	data;
};

FIXTURE(overlap) {
	struct box box;
	uint64_t gpa;
	uint8_t *page;		/* the guard before the first */
	int kick_fd[2];
};

FIXTURE_VARIANT(overlap) {
	struct layout at;
};

/* At sq[0], sq[1], cq[0], cq[1], dbs, eis, data */
#define VARIANT(name, ...) \
	FIXTURE_VARIANT_ADD(overlap, name) { .at = { __VA_ARGS__ } }

VARIANT(sq_and_cq,	{ 0, 1 }, { 0, 1 }, 4, 5, 6);
VARIANT(two_sqs,	{ 0, 0 }, { 2, 3 }, 4, 5, 6);
VARIANT(two_cqs,	{ 0, 1 }, { 2, 2 }, 4, 5, 6);
VARIANT(doorbells_sq,	{ 0, 1 }, { 2, 3 }, 0, 5, 6);
VARIANT(doorbells_cq,	{ 0, 1 }, { 2, 3 }, 2, 5, 6);
VARIANT(eventidx_sq,	{ 0, 1 }, { 2, 3 }, 4, 0, 6);
VARIANT(eventidx_cq,	{ 0, 1 }, { 2, 3 }, 4, 2, 6);
VARIANT(data_sq,	{ 0, 1 }, { 2, 3 }, 4, 5, 0);
VARIANT(data_cq,	{ 0, 1 }, { 2, 3 }, 4, 5, 2);
VARIANT(data_doorbells,	{ 0, 1 }, { 2, 3 }, 4, 5, 4);
VARIANT(data_eventidx,	{ 0, 1 }, { 2, 3 }, 4, 5, 5);
VARIANT(all,		{ 0, 0 }, { 0, 0 }, 0, 1, 0);

static uint64_t gpa_of(uint64_t gpa, unsigned int page)
{
	return gpa + 4096 * (1 + page);
}

FIXTURE_SETUP(overlap)
{
	struct vng *g = &self->box.g;
	const struct layout *at = &variant->at;
	struct vhost_nvme_dbbuf dbbuf;
	struct vhost_nvme_cq cq;
	struct vhost_nvme_sq sq;
	unsigned int i;

	self->kick_fd[0] = -1;
	self->kick_fd[1] = -1;
	BOX_SETUP(&self->box, .no_queues = true, .no_shadow = true, .poll_us = 100);
	self->gpa = vng_alloc(g, 4096 * (PAGES + 2), 4096);
	self->page = vng_ptr(g, self->gpa, 4096 * (PAGES + 2));
	ASSERT_NE(NULL, self->page);
	pattern_fill(self->page, 4096, 1);
	pattern_fill(self->page + 4096 * (PAGES + 1), 4096, 2);
	/* What a Read brings may be commands, doorbells, completions. */
	ASSERT_EQ(0, box_fill(&self->box, 0, 1 << 20, 3));

	for (i = 0; i < 2; i++) {
		self->kick_fd[i] = eventfd(0, EFD_NONBLOCK);
		ASSERT_LE(0, self->kick_fd[i]);
		cq = (struct vhost_nvme_cq) {
			.cqid = 1 + i, .entries = ENTRIES,
			.addr = gpa_of(self->gpa, at->cq[i]),
			.irq_fd = -1, .kick_fd = -1,
		};
		OK(vng_ioctl(g, VHOST_NVME_CREATE_CQ, &cq, "CREATE_CQ"));
		sq = (struct vhost_nvme_sq) {
			.sqid = 1 + i, .cqid = 1 + i, .entries = ENTRIES,
			.addr = gpa_of(self->gpa, at->sq[i]),
			.page_shift = 12, .kick_fd = self->kick_fd[i],
		};
		OK(vng_ioctl(g, VHOST_NVME_CREATE_SQ, &sq, "CREATE_SQ"));
	}
	dbbuf = (struct vhost_nvme_dbbuf) {
		.dbs = gpa_of(self->gpa, at->dbs),
		.eis = gpa_of(self->gpa, at->eis),
	};
	OK(vng_ioctl(g, VHOST_NVME_SET_DBBUF, &dbbuf, "SET_DBBUF"));
}

FIXTURE_TEARDOWN(overlap)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (self->kick_fd[i] >= 0)
			close(self->kick_fd[i]);
	box_stop(&self->box);
}

/* Reads and Writes of up to four blocks, in any entry of the ring */
static void fill_ring(struct vng_sqe *ring, uint64_t data)
{
	struct vng_sqe sqe;
	unsigned int i;

	for (i = 0; i < ENTRIES; i++) {
		vng_cmd_rw(&sqe, random_below(3) ? VNG_CMD_READ : VNG_CMD_WRITE,
			   1, random_below(1024), 1 + random_below(4));
		sqe.prp1 = htole64(data + 512 * random_below(5));
		sqe.cid = htole16(i);
		if (random_below(4))
			ring[i] = sqe;
	}
}

TEST_F(overlap, reset)
{
	unsigned int i, q, rounds = 100 * test_scale();
	const struct layout *at = &variant->at;
	struct vng *g = &self->box.g;
	uint8_t *base = self->page + 4096, before[4096 * PAGES];
	uint32_t *dbs = (uint32_t *)(base + 4096 * at->dbs);
	struct vhost_nvme_stats sq, cq;
	struct vhost_nvme_event ev;
	const uint64_t one = 1;
	uint64_t commands = 0;

	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
	for (i = 0; i < rounds; i++) {
		for (q = 0; q < 2; q++) {
			fill_ring((struct vng_sqe *)(base + 4096 * at->sq[q]),
				  gpa_of(self->gpa, at->data));
			__atomic_store_n(&dbs[2 * (1 + q)],
					 htole32(random_below(ENTRIES)),
					 __ATOMIC_RELEASE);
			if (random_below(2))
				__atomic_store_n(&dbs[2 * (1 + q) + 1],
						 htole32(random_below(ENTRIES)),
						 __ATOMIC_RELEASE);
			ASSERT_EQ(sizeof(one), write(self->kick_fd[q], &one,
						     sizeof(one)));
		}
		sleep_us(500);
	}
	for (q = 0; q < 2; q++) {
		OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1 + q, &sq));
		OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1 + q, &cq));
		EXPECT_LE(cq.cqes, sq.commands);
		commands += sq.commands;
	}
	TH_LOG("%llu commands", (unsigned long long)commands);
	EXPECT_LT(0, commands);

	OK(vng_reset(g));
	do {
		OK(vng_event(g, &ev, g->timeout_ms));
	} while (ev.type != VHOST_NVME_EVENT_RESET_DONE);
	memcpy(before, base, sizeof(before));
	EXPECT_EQ(-1, pattern_check(self->page, 4096, 1));
	EXPECT_EQ(-1, pattern_check(self->page + 4096 * (PAGES + 1), 4096, 2));

	/* All of this was forgotten, and the guest starts over. */
	OK(vng_dbbuf_on(g));
	OK(vng_cq_create(g, &self->box.cq, 1, 16, VNG_IEN | VNG_KICK));
	OK(vng_sq_create(g, &self->box.sq, 1, &self->box.cq, 16, VNG_KICK));
	ASSERT_EQ(0, box_fill(&self->box, 0, 4096, 4));
	STATUS(0, box_rw(&self->box, VNG_CMD_READ, 0,
			 gpa_of(self->gpa, PAGES), 4096));
	EXPECT_EQ(-1, pattern_check(self->page + 4096 * (PAGES + 1), 4096, 4));
	EXPECT_EQ(0, memcmp(before, base, sizeof(before)));
}

TEST_HARNESS_MAIN
