// SPDX-License-Identifier: GPL-2.0
/* VHOST_SET_MEM_TABLE and SET_DBBUF */
#include <sys/eventfd.h>

#include "test.h"

FIXTURE(mem) {
	struct box box;
	struct {
		struct vhost_memory		head;
		struct vhost_memory_region	r[4];
	} table;
};

FIXTURE_SETUP(mem)
{
	BOX_SETUP(&self->box, .no_shadow = true);
	self->table.head.nregions = 1;
	self->table.r[0].guest_phys_addr = self->box.g.region[0].gpa;
	self->table.r[0].memory_size = self->box.g.region[0].size;
	self->table.r[0].userspace_addr =
		(uintptr_t)self->box.g.region[0].hva;
}

FIXTURE_TEARDOWN(mem)
{
	box_stop(&self->box);
}

static int set_table(int fd, void *table)
{
	return ioctl(fd, VHOST_SET_MEM_TABLE, table) ? -errno : 0;
}

/* The old table is in force, if a Read by it works. */
static int still_works(struct box *b)
{
	uint64_t gpa = vng_alloc(&b->g, 4096, 4096);

	return gpa ? box_rw(b, VNG_CMD_READ, 0, gpa, 4096) : -ENOMEM;
}

/* The table of one region as the guest has it */
TEST_F(mem, same_again)
{
	struct vng *g = &self->box.g;

	EXPECT_EQ(0, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

/* Overlapping guest addresses are refused and change nothing. */
TEST_F(mem, overlap)
{
	struct vng *g = &self->box.g;

	self->table.head.nregions = 2;
	self->table.r[1] = self->table.r[0];
	EXPECT_EQ(-EINVAL, set_table(g->fd, &self->table));
	self->table.r[1].guest_phys_addr += self->table.r[0].memory_size - 4096;
	EXPECT_EQ(-EINVAL, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

/* One host page at two guest addresses is not our business. */
TEST_F(mem, alias)
{
	struct vng *g = &self->box.g;

	self->table.head.nregions = 2;
	self->table.r[1] = self->table.r[0];
	self->table.r[1].guest_phys_addr = 1ULL << 40;
	EXPECT_EQ(0, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

/* A region may not wrap around the guest's address space. */
TEST_F(mem, wrap)
{
	struct vng *g = &self->box.g;

	self->table.r[0].guest_phys_addr = -4096ULL;
	self->table.r[0].memory_size = 8192;
	EXPECT_EQ(-EINVAL, set_table(g->fd, &self->table));
	self->table.r[0].guest_phys_addr = BOX_GPA;
	self->table.r[0].memory_size = UINT64_MAX;
	EXPECT_GT(0, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

/* Nor may it lie outside of the user's half of the address space. */
TEST_F(mem, kernel_address)
{
	struct vng *g = &self->box.g;

	self->table.r[0].userspace_addr = 0xffff888000000000;
	EXPECT_EQ(-EFAULT, set_table(g->fd, &self->table));
	self->table.r[0].userspace_addr = UINT64_MAX - 4095;
	EXPECT_EQ(-EFAULT, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

/* An empty region means nothing and is refused. */
TEST_F(mem, empty_region)
{
	struct vng *g = &self->box.g;

	self->table.r[0].memory_size = 0;
	EXPECT_EQ(-EINVAL, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

/* Regions consist of whole pages. */
TEST_F(mem, unaligned)
{
	struct vng *g = &self->box.g;

	self->table.r[0].memory_size -= 512;
	EXPECT_EQ(-EINVAL, set_table(g->fd, &self->table));
	self->table.r[0].memory_size -= 4096 - 512;
	self->table.r[0].userspace_addr += 512;
	EXPECT_EQ(-EINVAL, set_table(g->fd, &self->table));
	self->table.r[0].userspace_addr -= 512;
	self->table.r[0].guest_phys_addr += 512;
	EXPECT_EQ(-EINVAL, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

/* Padding must be zero. */
TEST_F(mem, padding)
{
	struct vng *g = &self->box.g;

	self->table.head.padding = 1;
	EXPECT_GT(0, set_table(g->fd, &self->table));
	self->table.head.padding = 0;
	self->table.r[0].flags_padding = 1;
	EXPECT_EQ(-EINVAL, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

/* One region too many is refused, the announced number is not. */
TEST_F(mem, too_many)
{
	struct vng *g = &self->box.g;
	unsigned int i, max = g->caps.max_mem_regions;
	struct vhost_memory *t;

	t = calloc(1, sizeof(*t) + (max + 1) * sizeof(t->regions[0]));
	ASSERT_NE(NULL, t);
	for (i = 0; i < max + 1; i++) {
		t->regions[i] = self->table.r[0];
		if (i) {
			t->regions[i].guest_phys_addr = (1ULL << 40) + i * 8192;
			t->regions[i].memory_size = 4096;
		}
	}
	t->nregions = max + 1;
	EXPECT_EQ(-E2BIG, set_table(g->fd, t));
	OK(still_works(&self->box));
	t->nregions = UINT32_MAX;
	EXPECT_EQ(-E2BIG, set_table(g->fd, t));
	t->nregions = max;
	EXPECT_EQ(0, set_table(g->fd, t));
	OK(still_works(&self->box));
	free(t);
}

/* A table that ends in unmapped memory is EFAULT. */
TEST_F(mem, unreadable_table)
{
	struct vng *g = &self->box.g;
	char *page;

	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + 4096, 4096));
	self->table.head.nregions = 2;
	memcpy(page + 4096 - 40, &self->table, 40);
	EXPECT_EQ(-EFAULT, set_table(g->fd, page + 4096 - 40));
	OK(still_works(&self->box));
}

/* The table may be empty; queues then have lost their rings. */
TEST_F(mem, none)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_event ev[2];

	self->table.head.nregions = 0;
	EXPECT_EQ(0, set_table(g->fd, &self->table));
	OK(vng_event(g, &ev[0], g->timeout_ms));
	OK(vng_event(g, &ev[1], g->timeout_ms));
	EXPECT_EQ(VHOST_NVME_EVENT_SQ_ERROR, ev[0].type);
	EXPECT_EQ(1, ev[0].id);
	EXPECT_EQ(VHOST_NVME_EVENT_CQ_ERROR, ev[1].type);
	EXPECT_EQ(1, ev[1].id);
}

/* The order of the regions does not matter. */
TEST_F(mem, unsorted)
{
	struct vng *g = &self->box.g;

	self->table.head.nregions = 3;
	self->table.r[1] = self->table.r[0];
	self->table.r[2] = self->table.r[0];
	self->table.r[0].guest_phys_addr = 1ULL << 41;
	self->table.r[2].guest_phys_addr = 1ULL << 40;
	EXPECT_EQ(0, set_table(g->fd, &self->table));
	OK(still_works(&self->box));
}

FIXTURE(places) {
	struct box box;
	char *p;
};

FIXTURE_VARIANT(places) {
	bool pin;
};

FIXTURE_VARIANT_ADD(places, plain) { };
FIXTURE_VARIANT_ADD(places, pinned) { .pin = true };

#define NR_PLACES	61

/* Lone pages, neighbours with gaps, and the last page of all */
static uint64_t place(unsigned int i)
{
	if (i < 30)
		return 1ULL << (34 + i);
	if (i < 60)
		return (1ULL << 33) + (i - 30) * 8192;
	return -4096ULL;
}

FIXTURE_SETUP(places)
{
	unsigned int i;

	BOX_SETUP(&self->box, .pin = variant->pin);
	self->p = mmap(NULL, NR_PLACES * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->p);
	for (i = 0; i < NR_PLACES; i++)
		ASSERT_LE(0, vng_mem_map(&self->box.g, place(i),
					 self->p + i * 4096, 4096));
	ASSERT_EQ(0, vng_mem_publish(&self->box.g));
}

FIXTURE_TEARDOWN(places)
{
	box_stop(&self->box);
}

/* Every region is found from its first to its last byte, and nothing else. */
TEST_F(places, found)
{
	struct box *b = &self->box;
	struct vng *g = &b->g;
	size_t len = NR_PLACES * 4096;
	char *buf = malloc(len);
	unsigned int i;

	ASSERT_NE(NULL, buf);
	pattern_fill(buf, len, 7);
	ASSERT_EQ(0, disk_write(&b->disk, 0, buf, len));
	free(buf);
	for (i = 0; i < NR_PLACES; i++) {
		OK(box_rw(b, VNG_CMD_READ, i * 4096, place(i), 3584));
		OK(box_rw(b, VNG_CMD_READ, i * 4096 + 3584, place(i) + 3584,
			  512));
		EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
			  box_rw(b, VNG_CMD_READ, 0, place(i) - 512, 512));
		EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
			  box_rw(b, VNG_CMD_READ, 0, place(i) + 4096, 512));
	}
	EXPECT_EQ(-1, pattern_check(self->p, len, 7));
}

FIXTURE(dbbuf) {
	struct box box;
	uint64_t a;
	uint64_t b;
};

FIXTURE_SETUP(dbbuf)
{
	BOX_SETUP(&self->box, .no_shadow = true);
	self->a = vng_alloc(&self->box.g, 4096, 4096);
	self->b = vng_alloc(&self->box.g, 4096, 4096);
	ASSERT_NE(0, self->a);
	ASSERT_NE(0, self->b);
}

FIXTURE_TEARDOWN(dbbuf)
{
	box_stop(&self->box);
}

static int set_dbbuf(struct vng *g, uint64_t dbs, uint64_t eis)
{
	struct vhost_nvme_dbbuf arg = { .dbs = dbs, .eis = eis };

	return vng_ioctl(g, VHOST_NVME_SET_DBBUF, &arg, "SET_DBBUF");
}

/* Addresses must be aligned. */
TEST_F(dbbuf, unaligned)
{
	struct vng *g = &self->box.g;

	FAILS(EINVAL, set_dbbuf(g, self->a + 4, self->b));
	FAILS(EINVAL, set_dbbuf(g, self->a + 2048, self->b));
	FAILS(EINVAL, set_dbbuf(g, self->a, self->b + 1));
	/* Still without shadow doorbells */
	OK(still_works(&self->box));
}

/* Reserved members must be zero. */
TEST_F(dbbuf, reserved)
{
	struct vhost_nvme_dbbuf arg = { .dbs = self->a, .eis = self->b };
	struct vng *g = &self->box.g;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		arg.reserved[i] = 1ULL << (63 * i);
		FAILS(EINVAL, vng_ioctl(g, VHOST_NVME_SET_DBBUF, &arg,
					"SET_DBBUF"));
		arg.reserved[i] = 0;
	}
	OK(still_works(&self->box));
}

/* Both pages in one would mix up what guest and device write. */
TEST_F(dbbuf, same_page)
{
	struct vng *g = &self->box.g;

	FAILS(EINVAL, set_dbbuf(g, self->a, self->a));
	OK(still_works(&self->box));
}

/* Addresses outside of guest memory */
TEST_F(dbbuf, outside)
{
	struct vng *g = &self->box.g;
	uint64_t end = g->region[0].gpa + g->region[0].size;

	FAILS(EFAULT, set_dbbuf(g, self->a, 0));
	FAILS(EFAULT, set_dbbuf(g, 0, self->b));
	FAILS(EFAULT, set_dbbuf(g, self->a, end));
	FAILS(EFAULT, set_dbbuf(g, self->a, -4096ULL));
	OK(still_works(&self->box));
}

/* Memory that the owner may not write is no guest memory. */
TEST_F(dbbuf, read_only_memory)
{
	struct vng *g = &self->box.g;
	void *p;

	p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_LE(0, vng_mem_map(g, 1ULL << 40, p, 8192));
	OK(vng_mem_publish(g));
	FAILS(EFAULT, set_dbbuf(g, self->a, 1ULL << 40));
	FAILS(EFAULT, set_dbbuf(g, 1ULL << 40, self->b));
	OK(still_works(&self->box));
}

/* Memory that is in the table but not mapped */
TEST_F(dbbuf, unmapped_memory)
{
	struct vng *g = &self->box.g;
	void *p;

	p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p, 8192));
	ASSERT_LE(0, vng_mem_map(g, 1ULL << 40, p, 8192));
	OK(vng_mem_publish(g));
	FAILS(EFAULT, set_dbbuf(g, self->a, 1ULL << 40));
	OK(still_works(&self->box));
}

/* Pages that fail are not pinned, those that work are, once. */
TEST_F(dbbuf, pinned)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;
	uint64_t before;

	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	before = s.pinned_pages;
	FAILS(EFAULT, set_dbbuf(g, self->a, 0));
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	EXPECT_EQ(before, s.pinned_pages);
	OK(set_dbbuf(g, self->a, self->b));
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	EXPECT_EQ(before + 2, s.pinned_pages);
	OK(set_dbbuf(g, self->b, self->a));
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	EXPECT_EQ(before + 2, s.pinned_pages);
}

FIXTURE(pin) {
	struct box box;
	uint64_t before;	/* pages that are pinned for other reasons */
};

static int64_t pinned(struct vng *g)
{
	struct vhost_nvme_stats s;

	return vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s) ?:
	       (int64_t)s.pinned_pages;
}

/* Pages go when the last command that uses them has ended. */
static int wait_pinned(struct vng *g, int64_t pages)
{
	uint64_t end = vng_now_ms() + g->timeout_ms;

	while (pinned(g) != pages) {
		if (vng_now_ms() > end)
			return vng_fail(g, -ETIMEDOUT, "%lld pages of %lld",
					(long long)pinned(g), (long long)pages);
		sleep_ms(1);
	}
	return 0;
}

#define PIN_MIB		4
#define PIN_PAGES	(PIN_MIB << 8)

FIXTURE_SETUP(pin)
{
	/* Rings and doorbells are pinned by themselves too. */
	BOX_SETUP(&self->box, .mib = PIN_MIB, .pin = true,
		  .attrs = "irqmode=2 completion_nsec=50000000");
	self->before = pinned(&self->box.g) - PIN_PAGES;
	EXPECT_GT(16, self->before);
}

FIXTURE_TEARDOWN(pin)
{
	box_stop(&self->box);
}

/* It is all or nothing, and not to be had later. */
TEST_F(pin, too_late)
{
	struct vng *g = &self->box.g;

	FAILS(EBUSY, vng_set_features(g, 0));
	FAILS(EBUSY, vng_set_features(g, 1ULL << VHOST_NVME_F_PIN));
	FAILS(EOPNOTSUPP, vng_set_features(g, 1ULL << 63));
}

/* Regions come and go; those that stay are pinned once. */
TEST_F(pin, regions)
{
	struct vng *g = &self->box.g;
	struct vng one = *g;

	ASSERT_LE(0, vng_mem_add(g, VNG_MEM_ANON, 1ULL << 40, 1 << 20));
	OK(vng_mem_publish(g));
	OK(wait_pinned(g, self->before + PIN_PAGES + 256));
	OK(vng_mem_publish(g));
	OK(wait_pinned(g, self->before + PIN_PAGES + 256));
	OK(box_rw(&self->box, VNG_CMD_READ, 0, 1ULL << 40, 8192));
	OK(vng_mem_publish(&one));
	OK(wait_pinned(g, self->before + PIN_PAGES));
	EXPECT_EQ(VNG_SC_DATA_XFER_ERROR, VNG_SC_MASK &
		  box_rw(&self->box, VNG_CMD_READ, 0, 1ULL << 40, 8192));
}

/* A command in flight keeps the pages of the table it began with. */
TEST_F(pin, in_flight)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;
	struct vng one = *g;
	struct vng_sqe sqe;
	struct vng_cqe cqe;

	ASSERT_LE(0, vng_mem_add(g, VNG_MEM_ANON, 1ULL << 40, 1 << 20));
	OK(vng_mem_publish(g));
	vng_cmd_rw(&sqe, VNG_CMD_READ, 1, 0, 8);
	OK(vng_prp_contig(g, &sqe, 1ULL << 40, 4096));
	memset(vng_ptr(g, 1ULL << 40, 4096), 0xee, 4096);
	OK(vng_submit(&self->box.sq, &sqe));
	while (!vng_stats(g, VHOST_NVME_STATS_SQ, 1, &s) && !s.commands)
		sleep_ms(1);
	OK(vng_mem_publish(&one));
	EXPECT_EQ(self->before + PIN_PAGES + 256, pinned(g));
	OK(vng_cq_wait(&self->box.cq, &cqe));
	EXPECT_EQ(0, vng_status(&cqe));
	EXPECT_EQ(-1, mem_check(vng_ptr(g, 1ULL << 40, 4096), 0, 4096));
	OK(wait_pinned(g, self->before + PIN_PAGES));
}

/* A region of the same place and another size is another region. */
TEST_F(pin, resized)
{
	struct vng *g = &self->box.g;

	g->region[0].size /= 2;
	OK(vng_mem_publish(g));
	OK(wait_pinned(g, self->before + PIN_PAGES / 2));
	OK(box_rw(&self->box, VNG_CMD_READ, 0, BOX_GPA + 65536, 65536));
}

/*
 * A border that moves, as firmware does it, lets all but the memory near it stay
 * as it is pinned: more would be beyond the limit. Transfers go across the
 * pieces.
 */
TEST_F(pin, border)
{
	const size_t size = 160 << 20, piece = 64 << 20, mib = 1 << 20;
	struct vng *g = &self->box.g;
	uint64_t gpa = 1ULL << 40, at;
	char *p, *data;
	int k;

	k = vng_mem_add(g, VNG_MEM_ANON, gpa, size);
	ASSERT_LE(0, k);
	OK(vng_mem_publish(g));
	ASSERT_EQ(0, drop_ipc_lock());
	ASSERT_EQ(0, set_memlock((self->before + PIN_PAGES) * 4096 + size +
				 piece));
	g->region[k].size -= 4096;
	OK(vng_mem_publish(g));
	OK(wait_pinned(g, self->before + PIN_PAGES + size / 4096 - 1));
	g->region[k].gpa += 8192;
	g->region[k].hva = (char *)g->region[k].hva + 8192;
	g->region[k].size -= 8192;
	OK(vng_mem_publish(g));
	OK(wait_pinned(g, self->before + PIN_PAGES + size / 4096 - 3));

	/* An odd address: PRPs with an offset, and pages on both sides */
	data = malloc(mib);
	ASSERT_NE(NULL, data);
	p = g->region[k].hva;
	at = piece - (uintptr_t)p % piece - mib / 2 + 512;
	pattern_fill(p + at, mib, 7);
	OK(box_rw(&self->box, VNG_CMD_WRITE, 0, gpa + 8192 + at, mib));
	ASSERT_EQ(0, disk_read(&self->box.disk, 0, data, mib));
	EXPECT_EQ(-1, pattern_check(data, mib, 7));
	memset(p + at, 0xee, mib);
	OK(box_rw(&self->box, VNG_CMD_READ, 0, gpa + 8192 + at, mib));
	EXPECT_EQ(-1, pattern_check(p + at, mib, 7));
	free(data);
}

/* What cannot be pinned: nothing changes, also if other regions could. */
TEST_F(pin, refused)
{
	struct vng *g = &self->box.g;
	void *p;

	p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_LE(0, vng_mem_add(g, VNG_MEM_ANON, 1ULL << 40, 1 << 20));
	ASSERT_LE(0, vng_mem_map(g, 1ULL << 41, p, 8192));
	FAILS(EFAULT, vng_mem_publish(g));
	EXPECT_EQ(self->before + PIN_PAGES, pinned(g));
	OK(still_works(&self->box));
}

/* RLIMIT_MEMLOCK counts, and what was refused is not charged. */
TEST_F(pin, memlock)
{
	struct vng *g = &self->box.g;
	uint64_t pages = self->before + PIN_PAGES;

	ASSERT_LE(0, vng_mem_add(g, VNG_MEM_ANON, 1ULL << 40, 1 << 20));
	ASSERT_EQ(0, drop_ipc_lock());
	ASSERT_EQ(0, set_memlock((pages + 255) * 4096));
	FAILS(ENOMEM, vng_mem_publish(g));
	EXPECT_EQ(pages, pinned(g));
	ASSERT_EQ(0, set_memlock((pages + 256) * 4096));
	OK(vng_mem_publish(g));
	EXPECT_EQ(pages + 256, pinned(g));
}

TEST_HARNESS_MAIN
