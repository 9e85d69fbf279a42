// SPDX-License-Identifier: GPL-2.0
/*
 * PRPs of every legal shape and the illegal ones. The data pages lie in an
 * arena whose other bytes must not change.
 */
#include "test.h"

#define MIB		(1UL << 20)
#define MAX_PAGES	(MIB / 4096 + 1)

FIXTURE(prp) {
	struct box box;
	size_t page;
	unsigned int nr;	/* pages of the arena */
	size_t size;		/* bytes of the arena */
	uint64_t gpa;		/* of the arena */
	char *arena;
	char *model;		/* what the arena must look like */
	char *data;		/* what is on the disk */
	uint64_t mark;
};

FIXTURE_VARIANT(prp) {
	unsigned int page_shift;
	unsigned int lba_shift;
	bool pin;
	const char *attrs;
};

FIXTURE_VARIANT_ADD(prp, page_4k) { .page_shift = 12, .lba_shift = 9 };
FIXTURE_VARIANT_ADD(prp, pinned) {
	.page_shift = 12, .lba_shift = 9, .pin = true,
};
FIXTURE_VARIANT_ADD(prp, page_8k) { .page_shift = 13, .lba_shift = 9 };
FIXTURE_VARIANT_ADD(prp, page_16k) { .page_shift = 14, .lba_shift = 9 };
FIXTURE_VARIANT_ADD(prp, page_32k) {
	.page_shift = 15, .lba_shift = 9, .pin = true,
};
FIXTURE_VARIANT_ADD(prp, page_64k) { .page_shift = 16, .lba_shift = 9 };
/*
 * Only the namespace has large blocks: null_blk of Linux 6.12, if it has them,
 * reads zeroes and writes past its pages where a segment ends inside a block
 * (as it does for direct I/O from a buffer at offset 512).
 */
FIXTURE_VARIANT_ADD(prp, lba_4k) {
	.page_shift = 12, .lba_shift = 12, .attrs = "blocksize=512",
};

FIXTURE_SETUP(prp)
{
	struct vng *g = &self->box.g;

	BOX_SETUP(&self->box, .page_shift = variant->page_shift,
		  .pin = variant->pin, .lba_shift = variant->lba_shift, .attrs = variant->attrs);
	self->page = 1UL << variant->page_shift;
	self->nr = MIB / self->page + 4;
	self->size = self->nr * self->page;
	self->gpa = vng_alloc(g, self->size, self->page);
	ASSERT_NE(0, self->gpa);
	self->arena = vng_ptr(g, self->gpa, self->size);
	self->model = malloc(self->size);
	self->data = malloc(MIB);
	ASSERT_NE(NULL, self->model);
	ASSERT_NE(NULL, self->data);
	self->mark = g->next;
	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
}

FIXTURE_TEARDOWN(prp)
{
	box_stop(&self->box);
	free(self->model);
	free(self->data);
}

enum order { ASCENDING, DESCENDING, SHUFFLED };

/* A data buffer in the arena */
struct shape {
	size_t		len;
	uint32_t	offset;
	uint32_t	list_offset;
	enum order	order;
	unsigned int	nr;
	uint64_t	page[MAX_PAGES];
};

static void shape_pages(struct shape *s, uint64_t gpa, size_t page,
			unsigned int nr)
{
	uint64_t all[MAX_PAGES + 4];
	unsigned int i, j;

	for (i = 0; i < nr; i++)
		all[i] = gpa + (s->order == DESCENDING ? nr - 1 - i : i) * page;
	for (i = nr - 1; i && s->order == SHUFFLED; i--) {
		uint64_t t = all[i];

		j = random_below(i + 1);
		all[i] = all[j];
		all[j] = t;
	}
	s->nr = (s->offset + s->len + page - 1) / page;
	memcpy(s->page, all, s->nr * sizeof(s->page[0]));
}

/* Copy between @data and the pages of the shape, whose memory is at @base. */
static void shape_copy(const struct shape *s, uint64_t gpa, size_t page,
		       char *base, char *data, bool to_pages)
{
	size_t done = 0, off = s->offset, n;
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		char *p = base + (s->page[i] - gpa) + off;

		n = page - off < s->len - done ? page - off : s->len - done;
		if (to_pages)
			memcpy(p, data + done, n);
		else
			memcpy(data + done, p, n);
		done += n;
		off = 0;
	}
}

static int shape_exec(struct box *b, struct shape *s, uint8_t opcode)
{
	struct vng_prp prp = {
		.page = s->page,
		.nr = s->nr,
		.offset = s->offset,
		.list_offset = s->list_offset,
	};
	uint64_t mark = b->g.next;
	struct vng_sqe sqe;
	int ret;

	vng_cmd_rw(&sqe, opcode, 1, 0, s->len >> b->disk.lba_shift);
	ret = vng_prp_build(&b->g, &sqe, &prp) ?: box_exec(&b->sq, &sqe);
	b->g.next = mark;
	return ret;
}

/* Read into a shape and write from it. */
#define CHECK_SHAPE(s)							\
do {									\
	uint64_t __seed = random_next();				\
									\
	pattern_fill(self->data, (s)->len, __seed);			\
	ASSERT_EQ(0, disk_write(&self->box.disk, 0, self->data, (s)->len)); \
	memset(self->arena, 0xa5, self->size);				\
	memset(self->model, 0xa5, self->size);				\
	shape_copy(s, self->gpa, self->page, self->model, self->data, true); \
	ASSERT_EQ(0, shape_exec(&self->box, s, VNG_CMD_READ))		\
		TH_LOG("Read of %zu at %u, list at %u: %s", (s)->len,	\
		       (s)->offset, (s)->list_offset,			\
		       vng_msg(&self->box.g));				\
	ASSERT_EQ(0, memcmp(self->arena, self->model, self->size))	\
		TH_LOG("Read of %zu at %u, list at %u", (s)->len,	\
		       (s)->offset, (s)->list_offset);			\
									\
	pattern_fill(self->arena, self->size, __seed + 1);		\
	memcpy(self->model, self->arena, self->size);			\
	ASSERT_EQ(0, shape_exec(&self->box, s, VNG_CMD_WRITE))		\
		TH_LOG("Write of %zu at %u, list at %u: %s", (s)->len,	\
		       (s)->offset, (s)->list_offset,			\
		       vng_msg(&self->box.g));				\
	ASSERT_EQ(0, memcmp(self->arena, self->model, self->size));	\
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, self->data, (s)->len)); \
	shape_copy(s, self->gpa, self->page, self->model, self->data, true); \
	ASSERT_EQ(0, memcmp(self->arena, self->model, self->size))	\
		TH_LOG("Write of %zu at %u, list at %u", (s)->len,	\
		       (s)->offset, (s)->list_offset);			\
} while (0)

/* One page and two, aligned for the disk, with all orders of the pages */
TEST_F(prp, one_and_two)
{
	uint32_t lba = 1 << variant->lba_shift;
	struct shape s = { 0 };

	for (s.order = ASCENDING; s.order <= SHUFFLED; s.order++) {
		for (s.offset = 0; s.offset < self->page;
		     s.offset += self->page / 4) {
			s.len = lba;
			shape_pages(&s, self->gpa, self->page, self->nr);
			CHECK_SHAPE(&s);
			s.len = self->page;
			shape_pages(&s, self->gpa, self->page, self->nr);
			CHECK_SHAPE(&s);
		}
	}
}

/* Offsets that no disk can use directly: the data takes the bounce buffer. */
TEST_F(prp, misaligned)
{
	const uint32_t offset[] = { 4, 8, 252, 508, 516, 1020, 2044,
				    self->page - 512 + 4, self->page - 4 };
	const size_t len[] = { 4096, 8192, 65536 };
	struct shape s = { .order = SHUFFLED };
	unsigned int i, j, n = 0;
	struct vhost_nvme_stats st;

	s.len = MIB;
	s.offset = self->page - 4;
	shape_pages(&s, self->gpa, self->page, self->nr);
	CHECK_SHAPE(&s);
	n += 2;
	for (i = 0; i < sizeof(offset) / sizeof(offset[0]); i++) {
		for (j = 0; j < sizeof(len) / sizeof(len[0]); j++) {
			s.offset = offset[i];
			s.len = len[j];
			shape_pages(&s, self->gpa, self->page, self->nr);
			CHECK_SHAPE(&s);
			n += 2;
		}
	}
	ASSERT_EQ(0, vng_stats(&self->box.g, VHOST_NVME_STATS_SQ, 1, &st));
	EXPECT_EQ(n, st.bounced);
}

/* What lies in whole blocks of the disk is not copied. */
TEST_F(prp, zero_copy)
{
	struct shape s = { .order = SHUFFLED };
	struct vhost_nvme_stats st;

	/* The disk's blocks have 512 bytes in all variants. */
	for (s.offset = 0; s.offset < 2048; s.offset += 512) {
		for (s.len = 4096; s.len <= MIB; s.len *= 4) {
			shape_pages(&s, self->gpa, self->page, self->nr);
			CHECK_SHAPE(&s);
		}
	}
	ASSERT_EQ(0, vng_stats(&self->box.g, VHOST_NVME_STATS_SQ, 1, &st));
	EXPECT_EQ(0, st.bounced);
}

/* A list may begin anywhere in its page, and then goes on in the next one. */
TEST_F(prp, chained_lists)
{
	struct shape s = { .len = MIB, .order = SHUFFLED };
	unsigned int last = self->page / 8 - 1;
	unsigned int slot[] = { 0, 1, last - 300, last - 255, last - 254,
				last - 20, last - 15, last - 14, last - 2,
				last - 1, last };
	unsigned int i;

	for (i = 0; i < sizeof(slot) / sizeof(slot[0]); i++) {
		s.list_offset = slot[i] * 8;
		s.offset = 0;
		shape_pages(&s, self->gpa, self->page, self->nr);
		CHECK_SHAPE(&s);
		s.offset = 512;
		shape_pages(&s, self->gpa, self->page, self->nr);
		CHECK_SHAPE(&s);
	}
}

/* A list of few entries whose last one is the last of its page */
TEST_F(prp, list_ends_page)
{
	struct shape s = { .order = DESCENDING };
	unsigned int last = self->page / 8 - 1, n;

	for (n = 2; n <= 5; n++) {
		s.len = (n + 1) * self->page;
		if (s.len > MIB)
			break;
		s.list_offset = (last - n + 1) * 8;
		shape_pages(&s, self->gpa, self->page, self->nr);
		CHECK_SHAPE(&s);
	}
}

/* Shapes by chance */
TEST_F(prp, random_shapes)
{
	uint32_t lba = 1 << variant->lba_shift;
	unsigned int i, max;
	struct shape s;

	for (i = 0; i < 15 * test_scale(); i++) {
		max = random_below(3) ? 65536 / lba : MIB / lba;
		s.len = (1 + random_below(max)) * lba;
		s.offset = random_below(self->page / 4) * 4;
		if (random_below(2))
			s.offset &= ~511;
		s.list_offset = random_below(self->page / 8) * 8;
		s.order = random_below(3);
		shape_pages(&s, self->gpa, self->page, self->nr);
		CHECK_SHAPE(&s);
	}
}

/* The page of a Write may be named more than once. */
TEST_F(prp, same_page_often)
{
	struct shape s = { .len = 4 * self->page, .nr = 4 };
	unsigned int i;

	for (i = 0; i < s.nr; i++)
		s.page[i] = self->gpa + self->page;
	pattern_fill(self->arena, self->size, 8);
	ASSERT_EQ(0, shape_exec(&self->box, &s, VNG_CMD_WRITE));
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, self->data, s.len));
	for (i = 0; i < s.nr; i++)
		EXPECT_EQ(0, memcmp(self->data + i * self->page,
				    self->arena + self->page, self->page));
}

#define OFFSET_INVALID	(VNG_SC_PRP_OFFSET_INVALID | VNG_SC_DNR)

/* A Read of 4 pages; one PRP of it is then spoilt. */
static int spoilt(struct box *b, uint64_t gpa, size_t page, int which,
		  uint64_t value)
{
	const uint64_t pages[] = { gpa, gpa + page, gpa + 3 * page,
				   gpa + 2 * page };
	struct vng_prp prp = { .page = pages, .nr = 4 };
	uint64_t mark = b->g.next;
	struct vng_sqe sqe;
	uint64_t *list;
	int ret;

	/* With 2 entries in the first page of the list */
	if (which >= 3)
		prp.list_offset = page - 16;
	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 4 * page >> b->disk.lba_shift);
	ret = vng_prp_build(&b->g, &sqe, &prp);
	if (ret)
		return ret;
	list = vng_ptr(&b->g, prp.list, page);
	switch (which) {
	case 0:
		sqe.prp1 = htole64(value);
		break;
	case 1:
		sqe.prp2 = htole64(value);
		break;
	case 2:		/* an entry */
		list[1] = htole64(value);
		break;
	case 3:		/* the pointer to the next list */
		list[page / 8 - 1] = htole64(value);
		break;
	}
	ret = box_exec(&b->sq, &sqe);
	b->g.next = mark;
	return ret;
}

/* Offsets where there must be none, and those that are no dword's */
TEST_F(prp, illegal_offsets)
{
	struct box *b = &self->box;
	uint64_t gpa = self->gpa;
	size_t page = self->page;

	memset(self->arena, 0xa5, self->size);
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 0, gpa + 1));
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 0, gpa + 2));
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 0, gpa + page - 1));
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 1, gpa + 4));
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 1, gpa + 1));
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 2, gpa + page + 4));
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 2, gpa + page / 2));
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 2, gpa + page - 1));
	EXPECT_EQ(OFFSET_INVALID, spoilt(b, gpa, page, 3, gpa + 8));
	EXPECT_EQ(-1, mem_check(self->arena, 0xa5, self->size));
}

/* A second PRP with an offset, where the data takes two pages */
TEST_F(prp, illegal_prp2)
{
	const uint32_t bad[] = { 1, 4, 8, 512, 2048 };
	struct box *b = &self->box;
	struct vng_sqe sqe;
	unsigned int i;

	memset(self->arena, 0xa5, self->size);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0,
			   2 * self->page >> variant->lba_shift);
		sqe.prp1 = htole64(self->gpa);
		sqe.prp2 = htole64(self->gpa + self->page + bad[i]);
		EXPECT_EQ(OFFSET_INVALID, box_exec(&b->sq, &sqe))
			TH_LOG("offset %u", bad[i]);
	}
	EXPECT_EQ(-1, mem_check(self->arena, 0xa5, self->size));
}

/* The second PRP is not looked at when the first is enough. */
TEST_F(prp, unused_prp2)
{
	struct box *b = &self->box;
	struct vng_sqe sqe;

	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, self->page >> variant->lba_shift);
	sqe.prp1 = htole64(self->gpa);
	sqe.prp2 = htole64(UINT64_MAX);
	EXPECT_EQ(0, box_exec(&b->sq, &sqe));
}

/* Addresses that are not guest memory, in every place */
TEST_F(prp, outside)
{
	struct box *b = &self->box;
	uint64_t end = b->g.region[0].gpa + b->g.region[0].size;
	uint64_t bad[] = { end, end + self->page, 1ULL << 52,
			   -(uint64_t)self->page };
	unsigned int i;
	int which, sc;

	memset(self->arena, 0xa5, self->size);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (which = 0; which < 4; which++) {
			sc = spoilt(b, self->gpa, self->page, which, bad[i]);
			EXPECT_LE(0, sc) TH_LOG("%s", vng_msg(&b->g));
			EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, sc & VNG_SC_MASK)
				TH_LOG("PRP %d: %#llx", which,
				       (unsigned long long)bad[i]);
		}
	}
	EXPECT_EQ(-1, mem_check(self->arena, 0xa5, self->size));
}

/* A list that leads to itself comes to an end. */
TEST_F(prp, list_loop)
{
	struct box *b = &self->box;
	uint64_t list = vng_alloc(&b->g, self->page, self->page);
	uint64_t *entry = vng_ptr(&b->g, list, self->page);
	struct vng_sqe sqe;
	unsigned int i, last = self->page / 8 - 1;

	ASSERT_NE(0, list);
	for (i = 0; i < last; i++)
		entry[i] = htole64(self->gpa + i % self->nr * self->page);
	entry[last] = htole64(list);
	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, MIB >> variant->lba_shift);
	sqe.prp1 = htole64(self->gpa);
	sqe.prp2 = htole64(list + last * 8);
	EXPECT_EQ(0, box_exec(&b->sq, &sqe)) TH_LOG("%s", vng_msg(&b->g));
	/* Nothing but itself */
	for (i = 0; i <= last; i++)
		entry[i] = htole64(list);
	sqe.opcode = VNG_CMD_WRITE;
	EXPECT_EQ(0, box_exec(&b->sq, &sqe)) TH_LOG("%s", vng_msg(&b->g));
}

FIXTURE(border) {
	struct box box;
	uint64_t gpa;		/* of the first of three regions */
	char *p;
};

FIXTURE_VARIANT(border) {
	unsigned int page_shift;
};

FIXTURE_VARIANT_ADD(border, page_4k) { .page_shift = 12 };
FIXTURE_VARIANT_ADD(border, page_64k) { .page_shift = 16 };

#define BORDER_SIZE	(20 * 4096)

FIXTURE_SETUP(border)
{
	struct vng *g = &self->box.g;
	int i;

	BOX_SETUP(&self->box, .page_shift = variant->page_shift);
	self->gpa = 1ULL << 40;
	self->p = mmap(NULL, 3 * BORDER_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->p);
	/* Neighbours for the guest, in reverse order for the host */
	for (i = 0; i < 3; i++)
		ASSERT_LE(0, vng_mem_map(g, self->gpa + i * BORDER_SIZE,
					 self->p + (2 - i) * BORDER_SIZE,
					 BORDER_SIZE));
	ASSERT_EQ(0, vng_mem_publish(g));
}

FIXTURE_TEARDOWN(border)
{
	box_stop(&self->box);
}

/* Data over two borders of regions arrives in order, whatever its offset. */
TEST_F(border, across)
{
	const uint32_t offset[] = { 0, 512, 4, 65536 - 512, 65536 + 508 };
	size_t len = 3 * BORDER_SIZE - 2 * 65536;
	struct vng *g = &self->box.g;
	char *buf = malloc(len);
	unsigned int i;

	ASSERT_NE(NULL, buf);
	for (i = 0; i < sizeof(offset) / sizeof(offset[0]); i++) {
		pattern_fill(buf, len, i);
		ASSERT_EQ(0, disk_write(&self->box.disk, 0, buf, len));
		OK(box_rw(&self->box, VNG_CMD_READ, 0, self->gpa + offset[i],
			  len));
		OK(vng_copy_from(g, self->gpa + offset[i], buf, len));
		EXPECT_EQ(-1, pattern_check(buf, len, i));

		pattern_fill(buf, len, i + 100);
		OK(vng_copy_to(g, self->gpa + offset[i], buf, len));
		OK(box_rw(&self->box, VNG_CMD_WRITE, 0, self->gpa + offset[i],
			  len));
		ASSERT_EQ(0, disk_read(&self->box.disk, 0, buf, len));
		EXPECT_EQ(-1, pattern_check(buf, len, i + 100));
	}
	free(buf);
}

/* The end of the last region is the end. */
TEST_F(border, end)
{
	struct vng *g = &self->box.g;
	uint64_t end = self->gpa + 3 * BORDER_SIZE;

	OK(box_rw(&self->box, VNG_CMD_READ, 0, end - 8192, 8192));
	EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
		  box_rw(&self->box, VNG_CMD_READ, 0, end - 8192, 8704));
	EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
		  box_rw(&self->box, VNG_CMD_READ, 0, end, 512));
	EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
		  box_rw(&self->box, VNG_CMD_READ, 0, self->gpa - 512, 512));
}

FIXTURE(kind) {
	struct box box;
	uint64_t buf;
};

FIXTURE_VARIANT(kind) {
	enum vng_mem kind;
	bool pin;
};

FIXTURE_VARIANT_ADD(kind, anon) { .kind = VNG_MEM_ANON };
FIXTURE_VARIANT_ADD(kind, memfd) { .kind = VNG_MEM_MEMFD };
FIXTURE_VARIANT_ADD(kind, hugetlb) { .kind = VNG_MEM_HUGETLB };
FIXTURE_VARIANT_ADD(kind, anon_pinned) { .kind = VNG_MEM_ANON, .pin = true };
FIXTURE_VARIANT_ADD(kind, memfd_pinned) { .kind = VNG_MEM_MEMFD, .pin = true };
FIXTURE_VARIANT_ADD(kind, hugetlb_pinned) {
	.kind = VNG_MEM_HUGETLB, .pin = true,
};

FIXTURE_SETUP(kind)
{
	struct box_opts opts = {
		.mib = 8, .kind = variant->kind, .pin = variant->pin,
	};
	int ret = box_start(&self->box, &opts);

	if (ret == -ENOENT || ret == -ENODEV ||
	    (ret == -ENOMEM && variant->kind == VNG_MEM_HUGETLB))
		SKIP(return, "%s", vng_msg(&self->box.g));
	ASSERT_EQ(0, ret) TH_LOG("%s", vng_msg(&self->box.g));
	self->buf = vng_alloc(&self->box.g, MIB + 8192, 4096);
	ASSERT_NE(0, self->buf);
}

FIXTURE_TEARDOWN(kind)
{
	box_stop(&self->box);
}

/* 1 MiB out and in again, with each kind of guest memory */
TEST_F(kind, write_read)
{
	const uint32_t offset[] = { 0, 512, 4 };
	struct vng *g = &self->box.g;
	unsigned int i;
	char *p;

	for (i = 0; i < 3; i++) {
		p = vng_ptr(g, self->buf + offset[i], MIB);
		pattern_fill(p, MIB, i);
		OK(box_rw(&self->box, VNG_CMD_WRITE, 0, self->buf + offset[i],
			  MIB));
		memset(p, 0, MIB);
		OK(box_rw(&self->box, VNG_CMD_READ, 0, self->buf + offset[i],
			  MIB));
		EXPECT_EQ(-1, pattern_check(p, MIB, i));
	}
}

/* Memory that nobody has touched yet */
TEST_F(kind, fresh_memory)
{
	struct vng *g = &self->box.g;
	char *p = vng_ptr(g, self->buf, 1);
	void *fresh;

	fresh = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, fresh);
	ASSERT_LE(0, vng_mem_map(g, 1ULL << 40, fresh, MIB));
	OK(vng_mem_publish(g));
	pattern_fill(p, MIB, 3);
	OK(box_rw(&self->box, VNG_CMD_WRITE, 0, self->buf, MIB));
	OK(box_rw(&self->box, VNG_CMD_READ, 0, 1ULL << 40, MIB));
	EXPECT_EQ(-1, pattern_check(fresh, MIB, 3));
	/* Pinned pages do not go. */
	if (variant->pin)
		return;
	/* The page of zeroes, as a source */
	ASSERT_EQ(0, madvise(fresh, MIB, MADV_DONTNEED));
	OK(box_rw(&self->box, VNG_CMD_WRITE, 0, 1ULL << 40, MIB));
	OK(box_rw(&self->box, VNG_CMD_READ, 0, self->buf, MIB));
	EXPECT_EQ(-1, mem_check(p, 0, MIB));
}

/* Memory that the owner may not write: good for Write, not for Read */
TEST_F(kind, read_only_memory)
{
	struct vng *g = &self->box.g;
	char buf[8192];
	void *p;

	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	pattern_fill(p, 8192, 4);
	ASSERT_EQ(0, mprotect(p, 8192, PROT_READ));
	ASSERT_LE(0, vng_mem_map(g, 1ULL << 40, p, 8192));
	if (variant->pin) {
		FAILS(EFAULT, vng_mem_publish(g));
		OK(box_rw(&self->box, VNG_CMD_READ, 0, self->buf, 8192));
		return;
	}
	OK(vng_mem_publish(g));
	OK(box_rw(&self->box, VNG_CMD_WRITE, 0, 1ULL << 40, 8192));
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, buf, sizeof(buf)));
	EXPECT_EQ(-1, pattern_check(buf, sizeof(buf), 4));
	EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
		  box_rw(&self->box, VNG_CMD_READ, 0, 1ULL << 40, 8192));
	EXPECT_EQ(-1, pattern_check(p, 8192, 4));
}

/* Memory that is in the table and not mapped */
TEST_F(kind, unmapped_memory)
{
	struct vng *g = &self->box.g;
	void *p;

	p = mmap(NULL, 16384, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_LE(0, vng_mem_map(g, 1ULL << 40, p, 16384));
	if (variant->pin) {
		ASSERT_EQ(0, munmap((char *)p + 8192, 4096));
		FAILS(EFAULT, vng_mem_publish(g));
		OK(box_rw(&self->box, VNG_CMD_READ, 0, self->buf, 16384));
		return;
	}
	OK(vng_mem_publish(g));
	ASSERT_EQ(0, munmap((char *)p + 8192, 4096));
	OK(box_rw(&self->box, VNG_CMD_READ, 0, 1ULL << 40, 8192));
	EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
		  box_rw(&self->box, VNG_CMD_READ, 0, 1ULL << 40, 16384));
	EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
		  box_rw(&self->box, VNG_CMD_WRITE, 0, 1ULL << 40, 16384));
	OK(box_rw(&self->box, VNG_CMD_READ, 0, (1ULL << 40) + 12288, 4096));
}

TEST_HARNESS_MAIN
