// SPDX-License-Identifier: GPL-2.0
/* What a guest can make the host allocate has bounds. */
#include <errno.h>
#include <string.h>

#include "cg.h"
#include "test.h"

#define MIB		(1L << 20)
#define COMMANDS	160
/* As many different places of guest memory and disk */
#define AREAS		8
/* Of all bounce buffers of a controller; and for what else there is meanwhile */
#define BOUNCE_LIMIT	(64 * MIB)
#define MARGIN		(24 * MIB)
/* Data that nobody wants: more than a page */
#define BUCKET		12800
/* Data of a Write: more pieces than a disk gets as they are */
#define PIECE		2048
#define PIECES		(MIB / PIECE)

/* Bytes of kernel memory that count for the cgroup, or -1 */
static long cgroup_kernel(const char *dir)
{
	return cg_get(dir, "memory.stat", "kernel ", "kernel ");
}

FIXTURE(bounds) {
	struct box box;
	char cgroup[64];
	uint64_t data;
	uint64_t sgl;
};

FIXTURE_SETUP(bounds)
{
	struct vng *g = &self->box.g;
	int ret;

	/*
	 * The controller's threads are this process's, and what they allocate for
	 * the guest counts for its cgroup.
	 */
	ret = cg_make(self->cgroup, sizeof(self->cgroup), "+memory");
	if (ret == -ENOENT)
		SKIP(return, "no memory controller of cgroup v2");
	ASSERT_EQ(0, ret) TH_LOG("%s: %s", self->cgroup, strerror(-ret));
	ASSERT_EQ(0, cg_enter(self->cgroup));
	/* A disk that is slow, one command after the other: the others wait. */
	BOX_SETUP(&self->box, .entries = 2 * COMMANDS,
		  .attrs = "irqmode=2 completion_nsec=10000000 hw_queue_depth=1");
	self->data = vng_alloc(g, AREAS * MIB, 4096);
	self->sgl = vng_alloc(g, AREAS * PIECES * sizeof(struct vng_sgl), 4096);
	ASSERT_NE(0, self->data);
	ASSERT_NE(0, self->sgl);
}

FIXTURE_TEARDOWN(bounds)
{
	box_stop(&self->box);
	cg_remove(self->cgroup);
}

/* Commands of 1 MiB, all at once; the most kernel memory meanwhile */
#define RUN(op, first_lba, pieces)					\
({									\
	long __most = 0, __now;						\
	struct vng_sqe __sqe;						\
	struct vng_cqe __cqe;						\
	unsigned int __i, __left = COMMANDS;				\
	uint64_t __end;							\
									\
	for (__i = 0; __i < COMMANDS; __i++) {				\
		vng_cmd_rw(&__sqe, op, 1,				\
			   (first_lba) + __i % AREAS * (MIB / 512), MIB / 512); \
		vng_sgl_use(&__sqe, VNG_SGL_LAST_SEGMENT, self->sgl +	\
			    __i % AREAS * PIECES * sizeof(struct vng_sgl), \
			    (pieces) * sizeof(struct vng_sgl));		\
		__sqe.cid = __i;					\
		OK(vng_sq_push(&self->box.sq, &__sqe));			\
	}								\
	OK(vng_sq_ring(&self->box.sq));					\
	__end = vng_now_ms() + 11 * g->timeout_ms;			\
	while (__left && vng_now_ms() < __end) {			\
		__now = cgroup_kernel(self->cgroup);			\
		ASSERT_LT(0, __now);					\
		__most = __now > __most ? __now : __most;		\
		while (vng_cq_peek(&self->box.cq, &__cqe) == 1) {	\
			ASSERT_EQ(0, vng_status(&__cqe));		\
			__left--;					\
		}							\
		vng_cq_ring(&self->box.cq);				\
		sleep_ms(5);						\
	}								\
	ASSERT_EQ(0, __left);						\
	__most;								\
})

/* Data that nobody wants, in front of the rest */
TEST_F_TIMEOUT(bounds, bounce_of_reads, test_limit(120))
{
	struct vng *g = &self->box.g;
	struct vng_sgl *desc;
	struct vhost_nvme_stats st;
	unsigned int i;
	long before;
	char *p;

	for (i = 0; i < AREAS; i++) {
		uint64_t gpa = self->sgl + i * PIECES * sizeof(*desc);

		desc = vng_ptr(g, gpa, 2 * sizeof(*desc));
		vng_sgl_set(desc, 0, VNG_SGL_BIT_BUCKET, 0, BUCKET);
		vng_sgl_set(desc, 1, VNG_SGL_DATA, self->data + i * MIB + BUCKET,
			    MIB - BUCKET);
		ASSERT_EQ(0, box_fill(&self->box, i * (MIB / 512), MIB, i + 1));
		p = vng_ptr(g, self->data + i * MIB, MIB);
		pattern_fill(p, MIB, i + 1);
		memset(p + BUCKET, 0xa5, MIB - BUCKET);
	}
	before = cgroup_kernel(self->cgroup);
	ASSERT_LT(0, before);
	EXPECT_GE(before + BOUNCE_LIMIT + MARGIN, RUN(VNG_CMD_READ, 0, 2));
	for (i = 0; i < AREAS; i++)
		EXPECT_EQ(-1, pattern_check(vng_ptr(g, self->data + i * MIB, MIB),
					    MIB, i + 1));
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &st));
	EXPECT_EQ(COMMANDS, st.bounced);
}

/* Data in very many pieces */
TEST_F_TIMEOUT(bounds, bounce_of_writes, test_limit(120))
{
	struct vng *g = &self->box.g;
	struct vng_sgl *desc;
	unsigned int i, j;
	long before;

	for (i = 0; i < AREAS; i++) {
		uint64_t gpa = self->sgl + i * PIECES * sizeof(*desc);

		desc = vng_ptr(g, gpa, PIECES * sizeof(*desc));
		for (j = 0; j < PIECES; j++)
			vng_sgl_set(desc, j, VNG_SGL_DATA, self->data + i * MIB +
				    (uint64_t)j * PIECE, PIECE);
		pattern_fill(vng_ptr(g, self->data + i * MIB, MIB), MIB, i + 100);
	}
	before = cgroup_kernel(self->cgroup);
	ASSERT_LT(0, before);
	/* And 16 bytes for each of the segments */
	EXPECT_GE(before + BOUNCE_LIMIT + MARGIN,
		  RUN(VNG_CMD_WRITE, 32 * MIB / 512, PIECES));
	for (i = 0; i < AREAS; i++)
		EXPECT_EQ(-1, box_check(&self->box, (32 + i) * (MIB / 512), MIB,
					i + 100));
}

TEST_HARNESS_MAIN
