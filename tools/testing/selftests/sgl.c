// SPDX-License-Identifier: GPL-2.0
/*
 * SGLs of every legal shape and the illegal ones. The data lies in an arena whose
 * other bytes must not change.
 */
#include "test.h"

#define MIB	(1UL << 20)
#define ARENA	(2 * MIB)
#define MAX	4096		/* descriptors */
#define SGL_BAD(what)	DNR(VNG_SC_SGL_ ## what ## _INVALID)

FIXTURE(sgl) {
	struct box box;
	uint64_t gpa;		/* of the arena */
	char *arena;
	char *model;		/* what the arena must look like */
	char *data;		/* what is on the disk */
	uint64_t seg;		/* room for segments */
	struct vng_sgl *desc;	/* the same */
};

FIXTURE_VARIANT(sgl) {
	unsigned int lba_shift;
	bool pin;
	const char *attrs;
};

FIXTURE_VARIANT_ADD(sgl, lba_512) { .lba_shift = 9 };
/* Also a disk that takes no gaps between pages, as those with PRPs */
FIXTURE_VARIANT_ADD(sgl, pinned) {
	.lba_shift = 9, .pin = true, .attrs = "virt_boundary=1",
};
/* As in prp.c: only the namespace has large blocks. */
FIXTURE_VARIANT_ADD(sgl, lba_4k) {
	.lba_shift = 12, .attrs = "blocksize=512 max_sectors=128",
};

FIXTURE_SETUP(sgl)
{
	struct vng *g = &self->box.g;

	BOX_SETUP(&self->box, .pin = variant->pin,
		  .lba_shift = variant->lba_shift, .attrs = variant->attrs);
	self->gpa = vng_alloc(g, ARENA, 4096);
	self->seg = vng_alloc(g, (MAX + 64) * sizeof(*self->desc), 4096);
	ASSERT_NE(0, self->gpa);
	ASSERT_NE(0, self->seg);
	self->arena = vng_ptr(g, self->gpa, ARENA);
	self->desc = vng_ptr(g, self->seg, (MAX + 64) * sizeof(*self->desc));
	self->model = malloc(ARENA);
	self->data = malloc(MIB);
	ASSERT_NE(NULL, self->model);
	ASSERT_NE(NULL, self->data);
	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
}

FIXTURE_TEARDOWN(sgl)
{
	box_stop(&self->box);
	free(self->model);
	free(self->data);
}

/* A piece of data: offset in the arena, or nowhere */
struct piece {
	uint32_t	off;
	uint32_t	len;
	bool		bucket;
};

struct shape {
	size_t		len;
	unsigned int	nr;
	unsigned int	per_segment;	/* descriptors, with that of the next */
	bool		empty;		/* also descriptors without length */
	struct piece	piece[MAX];
};

/* Pieces of about @mean bytes, whole multiples of @unit, that do not overlap */
static void shape_random(struct shape *s, size_t len, size_t mean, size_t unit,
			 bool buckets)
{
	size_t left = len, n, gap = (ARENA - len) / (len / unit + 1) / unit;
	uint32_t off = 0, swap;
	unsigned int i, j;

	s->len = len;
	for (s->nr = 0; left; s->nr++) {
		n = (1 + random_below(2 * mean / unit)) * unit;
		n = n < left && s->nr < MAX / 2 ? n : left;
		off += random_below(gap + 1) * unit;
		s->piece[s->nr] = (struct piece) { off, n, false };
		s->piece[s->nr].bucket = buckets && !random_below(3);
		off += n;
		left -= n;
	}
	/* Not in the order of the memory */
	for (i = s->nr - 1; i; i--) {
		struct piece p = s->piece[i];

		j = random_below(i + 1);
		swap = random_below(2);
		if (!swap)
			continue;
		s->piece[i] = s->piece[j];
		s->piece[j] = p;
	}
}

/* Copy between @data and the pieces in @base. */
static void shape_copy(const struct shape *s, char *base, char *data,
		       bool to_pieces)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		const struct piece *p = &s->piece[i];

		if (to_pieces && !p->bucket)
			memcpy(base + p->off, data, p->len);
		else if (!p->bucket)
			memcpy(data, base + p->off, p->len);
		data += p->len;
	}
}

static void use_pieces(struct vng_sqe *sqe, const struct shape *s,
		       uint64_t gpa, uint64_t seg, struct vng_sgl *desc)
{
	unsigned int per = s->per_segment ?: MAX, i = 0, at = 0, first = 0, n;
	unsigned int left = s->nr, link = MAX;

	if (s->nr == 1 && !s->per_segment) {
		vng_sgl_use(sqe, s->piece[0].bucket ? VNG_SGL_BIT_BUCKET :
			    VNG_SGL_DATA, gpa + s->piece[0].off,
			    s->piece[0].len);
		return;
	}
	do {
		n = left <= per ? left : per - 1;
		left -= n;
		first = at;
		while (n--) {
			const struct piece *p = &s->piece[i++];

			vng_sgl_set(desc, at++, p->bucket ? VNG_SGL_BIT_BUCKET :
				    VNG_SGL_DATA, gpa + p->off, p->len);
		}
		if (s->empty)
			vng_sgl_set(desc, at++, VNG_SGL_DATA, UINT64_MAX, 0);
		n = at - first + !!left;
		/* Lead to this one from the one before, or from the command. */
		if (!first)
			vng_sgl_use(sqe, left ? VNG_SGL_SEGMENT :
				    VNG_SGL_LAST_SEGMENT, seg, n * 16);
		else
			vng_sgl_set(desc, link, left ? VNG_SGL_SEGMENT :
				    VNG_SGL_LAST_SEGMENT, seg + first * 16,
				    n * 16);
		link = at++;
	} while (left);
}

#define EXEC(op, s)							\
({									\
	struct vng_sqe __sqe;						\
									\
	vng_cmd_rw(&__sqe, op, 1, 0, (s)->len >> variant->lba_shift);	\
	use_pieces(&__sqe, s, self->gpa, self->seg, self->desc);	\
	box_exec(&self->box.sq, &__sqe);				\
})

/* Read into a shape, write from it, compare with it. */
#define CHECK_SHAPE(s)							\
do {									\
	uint64_t __seed = random_next();				\
									\
	pattern_fill(self->data, (s)->len, __seed);			\
	ASSERT_EQ(0, disk_write(&self->box.disk, 0, self->data, (s)->len)); \
	memset(self->arena, 0xa5, ARENA);				\
	memset(self->model, 0xa5, ARENA);				\
	shape_copy(s, self->model, self->data, true);			\
	ASSERT_EQ(0, EXEC(VNG_CMD_READ, s))				\
		TH_LOG("Read of %zu in %u: %s", (s)->len, (s)->nr,	\
		       vng_msg(&self->box.g));				\
	ASSERT_EQ(0, memcmp(self->arena, self->model, ARENA))		\
		TH_LOG("Read of %zu in %u", (s)->len, (s)->nr);		\
} while (0)

/* What a Write by pieces puts on the disk is what they have. */
static long check_write(struct box *b, const struct shape *s, char *arena,
			char *want)
{
	char *have = malloc(s->len);
	long ret = -1;

	if (!have || disk_read(&b->disk, 0, have, s->len))
		return -2;
	shape_copy(s, arena, want, false);
	if (memcmp(have, want, s->len))
		ret = 0;
	free(have);
	return ret;
}

#define CHECK_BOTH(s)							\
do {									\
	CHECK_SHAPE(s);							\
	pattern_fill(self->arena, ARENA, random_next());		\
	memcpy(self->model, self->arena, ARENA);			\
	ASSERT_EQ(0, EXEC(VNG_CMD_WRITE, s))				\
		TH_LOG("Write of %zu in %u: %s", (s)->len, (s)->nr,	\
		       vng_msg(&self->box.g));				\
	ASSERT_EQ(-1, check_write(&self->box, s, self->arena, self->data)) \
		TH_LOG("Write of %zu in %u", (s)->len, (s)->nr);	\
	ASSERT_EQ(0, EXEC(VNG_CMD_COMPARE, s));				\
	ASSERT_EQ(0, memcmp(self->arena, self->model, ARENA));		\
} while (0)

/* One descriptor, in the command or in a segment, at any offset */
TEST_F(sgl, one)
{
	const uint32_t offset[] = { 0, 512, 4, 1, 4095, 3 * 4096 + 511 };
	const size_t len[] = { 4096, 12288, 65536, MIB };
	struct shape *s = calloc(1, sizeof(*s));
	unsigned int i, j;

	ASSERT_NE(NULL, s);
	s->nr = 1;
	for (i = 0; i < sizeof(offset) / sizeof(offset[0]); i++) {
		for (j = 0; j < sizeof(len) / sizeof(len[0]); j++) {
			s->len = len[j];
			s->piece[0] = (struct piece) { offset[i], len[j], false };
			s->per_segment = 0;
			CHECK_BOTH(s);
			s->per_segment = MAX;
			CHECK_BOTH(s);
		}
	}
	free(s);
}

/* Many, in segments of all sizes, with and without empty ones */
TEST_F(sgl, segments)
{
	const unsigned int per[] = { MAX, 2, 3, 16, 63, 64, 65, 256 };
	struct shape *s = calloc(1, sizeof(*s));
	unsigned int i;

	ASSERT_NE(NULL, s);
	for (i = 0; i < sizeof(per) / sizeof(per[0]); i++) {
		s->per_segment = per[i];
		s->empty = false;
		shape_random(s, MIB, 8192, 512, false);
		CHECK_BOTH(s);
		s->empty = true;
		shape_random(s, 65536, 512, 512, false);
		CHECK_BOTH(s);
	}
	free(s);
}

/* Pieces of any length, down to a byte */
TEST_F(sgl, odd_lengths)
{
	struct shape *s = calloc(1, sizeof(*s));
	struct vhost_nvme_stats st;
	unsigned int i;

	ASSERT_NE(NULL, s);
	for (i = 0; i < 5 * test_scale(); i++) {
		s->per_segment = 2 + random_below(300);
		shape_random(s, 4096 * (1 + random_below(16)), 40, 1, false);
		CHECK_BOTH(s);
		shape_random(s, MIB, 3000, 1, false);
		CHECK_BOTH(s);
	}
	ASSERT_EQ(0, vng_stats(&self->box.g, VHOST_NVME_STATS_SQ, 1, &st));
	/* Compare needs none. */
	EXPECT_EQ(4 * i, st.bounced);
	free(s);
}

/* What lies in whole blocks of the disk, and not in too many, is not copied. */
TEST_F(sgl, zero_copy)
{
	struct shape *s = calloc(1, sizeof(*s));
	struct vhost_nvme_stats st;
	size_t len;

	ASSERT_NE(NULL, s);
	for (len = 4096; len <= MIB / 4; len *= 4) {
		shape_random(s, len, 8192, 512, false);
		CHECK_BOTH(s);
	}
	ASSERT_EQ(0, vng_stats(&self->box.g, VHOST_NVME_STATS_SQ, 1, &st));
	EXPECT_EQ(0, st.bounced);
	free(s);
}

/* What a disk takes only in pieces is submitted in pieces, and not tried twice. */
TEST_F(sgl, gap)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats st;
	struct shape *s = calloc(1, sizeof(*s));
	unsigned int i;

	ASSERT_NE(NULL, s);
	s->len = 4096;
	s->nr = 2;
	s->piece[0] = (struct piece) { 512, 512, false };
	s->piece[1] = (struct piece) { 8192, 3584, false };
	for (i = 0; i < 10; i++)
		CHECK_BOTH(s);
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &st));
	EXPECT_EQ(0, st.retries);
	EXPECT_EQ(0, st.bounced);
	free(s);
}

/* Bit buckets take data of a Read. */
TEST_F(sgl, bit_buckets)
{
	struct shape *s = calloc(1, sizeof(*s));
	unsigned int i;

	ASSERT_NE(NULL, s);
	/* All of it */
	s->nr = 1;
	s->len = 65536;
	s->piece[0] = (struct piece) { 0, 65536, true };
	CHECK_SHAPE(s);
	for (i = 0; i < 5 * test_scale(); i++) {
		s->per_segment = 2 + random_below(100);
		shape_random(s, 65536, 3000, 512, true);
		CHECK_SHAPE(s);
		shape_random(s, MIB, 5000, 1, true);
		CHECK_SHAPE(s);
	}
	free(s);
}

/* For a command that takes data from the guest they have no length. */
TEST_F(sgl, bit_bucket_of_write)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;

	pattern_fill(self->arena, 8192, 3);
	vng_sgl_set(self->desc, 0, VNG_SGL_BIT_BUCKET, 0, 4096);
	vng_sgl_set(self->desc, 1, VNG_SGL_DATA, self->gpa, 4096);
	vng_sgl_set(self->desc, 2, VNG_SGL_BIT_BUCKET, 0, UINT32_MAX);
	vng_sgl_set(self->desc, 3, VNG_SGL_DATA, self->gpa + 4096, 4096);
	vng_sgl_set(self->desc, 4, VNG_SGL_BIT_BUCKET, 0, 1);
	vng_cmd_rw(&sqe, VNG_CMD_WRITE, 1, 0, 8192 >> variant->lba_shift);
	vng_sgl_use(&sqe, VNG_SGL_LAST_SEGMENT, self->seg, 5 * 16);
	STATUS(0, box_exec(&b->sq, &sqe));
	EXPECT_EQ(-1, box_check(b, 0, 8192, 3));
	sqe.opcode = VNG_CMD_COMPARE;
	STATUS(0, box_exec(&b->sq, &sqe));
	vng_sgl_use(&sqe, VNG_SGL_BIT_BUCKET, 0, 8192);
	STATUS(SGL_BAD(LENGTH), box_exec(&b->sq, &sqe));
}

/* An address of metadata, which there is not, is not looked at. */
TEST_F(sgl, metadata_sgl)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_sqe sqe;

	pattern_fill(self->arena, 4096, 3);
	vng_cmd_rw(&sqe, VNG_CMD_WRITE, 1, 0, 4096 >> variant->lba_shift);
	vng_sgl_use(&sqe, VNG_SGL_DATA, self->gpa, 4096);
	sqe.flags = VNG_PSDT_SGL_META;
	sqe.mptr = htole64(UINT64_MAX);
	STATUS(0, box_exec(&b->sq, &sqe));
	EXPECT_EQ(-1, box_check(b, 0, 4096, 3));
	sqe.flags = VNG_PSDT_SGL | VNG_PSDT_SGL_META;
	STATUS(DNR(VNG_SC_INVALID_FIELD), box_exec(&b->sq, &sqe));
}

/* Parameters come by SGL too, and may be more than is needed, as Linux does it. */
TEST_F(sgl, dsm)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	struct vng_dsm_range *range = (void *)self->arena;
	struct vng_sqe sqe;
	struct disk discard;
	unsigned int i;

	ASSERT_EQ(0, disk_create(&discard, 16, 9, "discard=1"));
	OK(vng_set_ns(g, 1, discard.fd, variant->lba_shift, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	pattern_fill(self->data, MIB, 1);
	ASSERT_EQ(0, disk_write(&discard, 0, self->data, MIB));
	for (i = 0; i < 2; i++) {
		range[i].nlb = htole32(65536 >> variant->lba_shift);
		range[i].slba = htole64(i * 131072 >> variant->lba_shift);
	}
	vng_cmd_dsm(&sqe, 1, 2, VNG_DSM_AD);
	vng_sgl_set(self->desc, 0, VNG_SGL_DATA, self->gpa, 5);
	vng_sgl_set(self->desc, 1, VNG_SGL_DATA, self->gpa + 5, 4091);
	vng_sgl_use(&sqe, VNG_SGL_LAST_SEGMENT, self->seg, 32);
	STATUS(0, box_exec(&b->sq, &sqe));
	memset(self->data, 0, 65536);
	memset(self->data + 131072, 0, 65536);
	ASSERT_EQ(0, disk_read(&discard, 0, self->model, MIB));
	EXPECT_EQ(0, memcmp(self->model, self->data, MIB));
	vng_sgl_use(&sqe, VNG_SGL_DATA, self->gpa, 31);
	STATUS(SGL_BAD(LENGTH), box_exec(&b->sq, &sqe));
	OK(vng_set_ns(g, 1, -1, 0, 0, 0));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	disk_destroy(&discard);
}

/* A Read of 8 KiB with the @nr descriptors that are made, by one of this type */
static int use(struct box *b, uint8_t type, uint64_t gpa, uint32_t len)
{
	struct vng_sqe sqe;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8192 >> b->disk.lba_shift);
	vng_sgl_use(&sqe, type, gpa, len);
	return box_exec(&b->sq, &sqe);
}

/* Too short, too long */
TEST_F(sgl, lengths)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t gpa = self->gpa;

	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_DATA, gpa, 0));
	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_DATA, gpa, 8191));
	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_BIT_BUCKET, 0, 8191));
	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_DATA, -(uint64_t)4096, 8192));
	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_DATA, gpa, 4096));
	vng_sgl_set(self->desc, 0, VNG_SGL_DATA, gpa, 4096);
	vng_sgl_set(self->desc, 1, VNG_SGL_DATA, gpa + 8192, 4095);
	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_LAST_SEGMENT, self->seg, 32));
	/* The last one with data may lead beyond, into nothing even. */
	memset(self->arena, 0xa5, ARENA);
	vng_sgl_set(self->desc, 1, VNG_SGL_DATA, gpa + 8192, 1 << 30);
	STATUS(0, use(b, VNG_SGL_LAST_SEGMENT, self->seg, 32));
	EXPECT_EQ(-1, mem_check(self->arena + 12288, 0xa5, ARENA - 12288));
	/* No other may follow, but an empty one. */
	vng_sgl_set(self->desc, 2, VNG_SGL_DATA, gpa, 0);
	STATUS(0, use(b, VNG_SGL_LAST_SEGMENT, self->seg, 48));
	vng_sgl_set(self->desc, 2, VNG_SGL_DATA, gpa, 1);
	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_LAST_SEGMENT, self->seg, 48));
	vng_sgl_set(self->desc, 2, VNG_SGL_BIT_BUCKET, 0, 1);
	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_LAST_SEGMENT, self->seg, 48));
}

/* Types that there are not, and sub types: only addresses are understood. */
TEST_F(sgl, types)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int type;

	for (type = 0; type < 256; type++) {
		if (type == VNG_SGL_DATA || type == VNG_SGL_BIT_BUCKET ||
		    type == VNG_SGL_SEGMENT || type == VNG_SGL_LAST_SEGMENT)
			continue;
		EXPECT_EQ(SGL_BAD(TYPE), use(b, type, self->gpa, 8192))
			TH_LOG("type %#x in the command: %s", type, vng_msg(g));
		vng_sgl_set(self->desc, 0, type, self->gpa, 8192);
		EXPECT_EQ(SGL_BAD(TYPE),
			  use(b, VNG_SGL_LAST_SEGMENT, self->seg, 16))
			TH_LOG("type %#x: %s", type, vng_msg(g));
	}
}

/* Descriptors of segments: bad ones, and where none may be */
TEST_F(sgl, bad_segments)
{
	const uint8_t types[] = { VNG_SGL_SEGMENT, VNG_SGL_LAST_SEGMENT };
	const uint32_t lens[] = { 0, 1, 8, 15, 17, 40, UINT32_MAX };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i, j;

	vng_sgl_set(self->desc, 0, VNG_SGL_DATA, self->gpa, 4096);
	vng_sgl_set(self->desc, 1, VNG_SGL_DATA, self->gpa, 4096);
	for (i = 0; i < 2; i++) {
		STATUS(0, use(b, types[i], self->seg, 32));
		STATUS(SGL_BAD(SEGMENT), use(b, types[i], self->seg + 4, 32));
		STATUS(SGL_BAD(SEGMENT), use(b, types[i], self->seg + 1, 32));
		STATUS(SGL_BAD(SEGMENT), use(b, types[i], -(uint64_t)16, 32));
		for (j = 0; j < sizeof(lens) / sizeof(lens[0]); j++)
			STATUS(SGL_BAD(SEGMENT),
			       use(b, types[i], self->seg, lens[j]));
	}
	/* A segment may begin at any qword. */
	memmove((char *)self->desc + 8, self->desc, 32);
	STATUS(0, use(b, VNG_SGL_LAST_SEGMENT, self->seg + 8, 32));

	for (i = 0; i < 2; i++) {
		vng_sgl_set(self->desc, 0, VNG_SGL_DATA, self->gpa, 4096);
		vng_sgl_set(self->desc, 1, types[i], self->seg + 1024, 16);
		vng_sgl_set(self->desc, 2, VNG_SGL_DATA, self->gpa, 4096);
		vng_sgl_set(self->desc, 64, VNG_SGL_DATA, self->gpa, 4096);
		/* In the middle of a segment */
		STATUS(SGL_BAD(COUNT), use(b, VNG_SGL_SEGMENT, self->seg, 48));
		/* At the end of one, and of the last one */
		STATUS(0, use(b, VNG_SGL_SEGMENT, self->seg, 32));
		STATUS(SGL_BAD(SEGMENT),
		       use(b, VNG_SGL_LAST_SEGMENT, self->seg, 32));
	}
}

/* In the middle of a long segment, which is read in parts */
TEST_F(sgl, bad_links)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int at, i;

	for (at = 62; at <= 66; at++) {
		for (i = 0; i < 129; i++)
			vng_sgl_set(self->desc, i, VNG_SGL_DATA, self->gpa, 64);
		STATUS(0, use(b, VNG_SGL_SEGMENT, self->seg, 128 * 16));
		vng_sgl_set(self->desc, at, VNG_SGL_SEGMENT, self->seg, 16);
		EXPECT_EQ(SGL_BAD(COUNT),
			  use(b, VNG_SGL_SEGMENT, self->seg, 128 * 16))
			TH_LOG("%u: %s", at, vng_msg(g));
	}
}

/* Segments that lead in a circle, and more of them than anyone needs */
TEST_F(sgl, endless)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i;

	vng_sgl_set(self->desc, 0, VNG_SGL_SEGMENT, self->seg, 16);
	STATUS(SGL_BAD(COUNT), use(b, VNG_SGL_SEGMENT, self->seg, 16));
	vng_sgl_set(self->desc, 0, VNG_SGL_DATA, self->gpa, 1);
	vng_sgl_set(self->desc, 1, VNG_SGL_SEGMENT, self->seg, 32);
	STATUS(SGL_BAD(COUNT), use(b, VNG_SGL_SEGMENT, self->seg, 32));
	vng_sgl_set(self->desc, 0, VNG_SGL_DATA, self->gpa, 8192);
	STATUS(SGL_BAD(LENGTH), use(b, VNG_SGL_SEGMENT, self->seg, 32));
	for (i = 0; i < MAX; i++)
		vng_sgl_set(self->desc, i, VNG_SGL_DATA, self->gpa + 3 * i, 2);
	STATUS(0, use(b, VNG_SGL_LAST_SEGMENT, self->seg, MAX * 16));
	STATUS(SGL_BAD(COUNT),
	       use(b, VNG_SGL_LAST_SEGMENT, self->seg, (MAX + 1) * 16));
	STATUS(SGL_BAD(COUNT), use(b, VNG_SGL_LAST_SEGMENT, self->seg,
				   UINT32_MAX - 15));
}

/* Addresses that are not guest memory, of data and of segments */
TEST_F(sgl, outside)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	uint64_t end = g->region[0].gpa + g->region[0].size;
	const uint64_t bad[] = { end, 1ULL << 52, -(uint64_t)65536 };
	unsigned int i;

	memset(self->arena, 0xa5, ARENA);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		STATUS(VNG_SC_DATA_XFER_ERROR, use(b, VNG_SGL_DATA, bad[i], 8192));
		STATUS(VNG_SC_DATA_XFER_ERROR,
		       use(b, VNG_SGL_LAST_SEGMENT, bad[i], 32));
		vng_sgl_set(self->desc, 0, VNG_SGL_DATA, self->gpa, 4096);
		vng_sgl_set(self->desc, 1, VNG_SGL_DATA, bad[i], 4096);
		STATUS(VNG_SC_DATA_XFER_ERROR,
		       use(b, VNG_SGL_LAST_SEGMENT, self->seg, 32));
	}
	STATUS(VNG_SC_DATA_XFER_ERROR, use(b, VNG_SGL_DATA, end - 4096, 8192));
	STATUS(VNG_SC_DATA_XFER_ERROR,
	       use(b, VNG_SGL_LAST_SEGMENT, end - 16, 32));
	EXPECT_EQ(-1, mem_check(self->arena, 0xa5, ARENA));
}

/* Descriptors by chance: some status, and no harm beyond the arena's pages */
TEST_F(sgl, random)
{
	const uint8_t types[] = { 0, 0, 0, 0x10, 0x20, 0x30, 0x01, 0x40, 0xff };
	struct box *b = &self->box;
	struct vng *g = &b->g;
	unsigned int i, round;
	struct vng_sqe sqe;

	for (round = 0; round < 200 * test_scale(); round++) {
		for (i = 0; i < 32; i++) {
			uint8_t type = types[random_below(sizeof(types))];
			bool link = type == 0x20 || type == 0x30;

			vng_sgl_set(self->desc, i, type, link ?
				    self->seg + random_below(33) * 16 :
				    self->gpa + random_below(MIB),
				    link ? random_below(20) * 16 :
				    random_below(3000));
		}
		vng_cmd_rw(&sqe, random_below(2) ? VNG_CMD_READ : VNG_CMD_WRITE,
			   1, 0, 1 + random_below(4));
		vng_sgl_use(&sqe, VNG_SGL_SEGMENT, self->seg,
			    (1 + random_below(32)) * 16);
		ASSERT_LE(0, box_exec(&b->sq, &sqe)) TH_LOG("%s", vng_msg(g));
	}
	STATUS(0, use(b, VNG_SGL_DATA, self->gpa, 8192));
}

TEST_HARNESS_MAIN
