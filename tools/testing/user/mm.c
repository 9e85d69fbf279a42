// SPDX-License-Identifier: GPL-2.0
/*
 * Memory. The guest's is one piece of the process's, between margins that no memory
 * table has; pages of the kernel follow. While the module runs, AddressSanitizer lets
 * nobody at pages that are not mapped by kmap_local_page().
 */
#include <stdio.h>
#include <sys/mman.h>

#include <sanitizer/asan_interface.h>

#include "kernel.h"

/* A border of VN_PIN_SIZE is in the midst of the guest's memory. */
#define MM_BASE		(0x500000000000UL + (1UL << 26) - 150 * PAGE_SIZE)
#define MM_GUEST	832
#define MM_KERNEL	512
#define MM_PAGES	(MM_GUEST + MM_KERNEL)

static struct page mm_pages[MM_PAGES];
static u8 *mm_base;
static unsigned int mm_region_page[UNIT_REGIONS];
static unsigned int mm_nr_guest;
static unsigned int mm_folio_order;
static unsigned int mm_free[MM_KERNEL];
static unsigned int mm_nr_free;

/* What there is and has to be given back */
static struct mm_use {
	long	allocations;
	long	pages;
	long	pins;
	long	maps;
	long	locked;
} mm_use;

uint64_t mm_copied;

static u8 *mm_data(const struct page *page)
{
	return mm_base + (page - mm_pages) * PAGE_SIZE;
}

static bool mm_is_page(const void *p)
{
	return (const u8 *)p >= mm_base &&
	       (const u8 *)p < mm_base + MM_PAGES * PAGE_SIZE;
}

static struct page *mm_page(const void *p)
{
	return &mm_pages[((const u8 *)p - mm_base) >> PAGE_SHIFT];
}

/* Regions in a row, with a page that is nobody's on both sides of each */
static void mm_layout(void)
{
	unsigned int i, at = 0, n, mask = ~0U << mm_folio_order;
	struct page *page;

	memset(mm_pages, 0, sizeof(mm_pages));
	for (i = 0; i < UNIT_REGIONS; i++) {
		mm_pages[at++].kind = PAGE_MARGIN;
		mm_region_page[i] = at;
		for (n = unit_config->region[i].size / PAGE_SIZE; n; n--)
			mm_pages[at++].kind = PAGE_GUEST;
	}
	mm_pages[at++].kind = PAGE_MARGIN;
	unit_assert(at <= MM_GUEST, "%u pages of guest memory", at);
	mm_nr_guest = at;
	for (i = 0; i < MM_PAGES; i++) {
		page = &mm_pages[i];
		page->folio = (struct folio *)
			&mm_pages[i < MM_GUEST ? i & mask : i];
	}
	for (i = 0; i < MM_KERNEL; i++)
		mm_free[i] = MM_PAGES - 1 - i;
	mm_nr_free = MM_KERNEL;
}

void mm_open(void)
{
	if (!mm_base) {
		mm_base = mmap((void *)MM_BASE, MM_PAGES * PAGE_SIZE,
			       PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			       -1, 0);
		unit_assert(mm_base == (u8 *)MM_BASE, "no memory for the guest");
		ASAN_POISON_MEMORY_REGION(mm_base + MM_GUEST * PAGE_SIZE,
					  MM_KERNEL * PAGE_SIZE);
	}
	mm_folio_order = unit_config->folio_order;
	mm_layout();
	mm_copied = 0;
}

void *mm_region(unsigned int region)
{
	return mm_base + mm_region_page[region] * PAGE_SIZE;
}

/* The guest's memory is the guest's: not the module's, as long as it runs. */
void mm_enter(void)
{
	ASAN_POISON_MEMORY_REGION(mm_base, mm_nr_guest * PAGE_SIZE);
}

void mm_leave(void)
{
	ASAN_UNPOISON_MEMORY_REGION(mm_base, mm_nr_guest * PAGE_SIZE);
}

static struct mm_use mm_before;

void mm_remember(void)
{
	mm_before = mm_use;
}

/* Nothing is in use that was not at mm_remember(), or nothing at all. */
void mm_check(bool all)
{
	const struct mm_use none = { 0 }, *was = all ? &none : &mm_before;

	unit_assert(mm_use.allocations == was->allocations,
		    "%ld allocations are left",
		    mm_use.allocations - was->allocations);
	unit_assert(mm_use.pages == was->pages, "%ld pages are left",
		    mm_use.pages - was->pages);
	unit_assert(mm_use.pins == was->pins, "%ld pages are left pinned",
		    mm_use.pins - was->pins);
	unit_assert(mm_use.maps == was->maps, "%ld pages are left mapped",
		    mm_use.maps - was->maps);
	unit_assert(mm_use.locked == was->locked,
		    "%ld pages are left in the account",
		    mm_use.locked - was->locked);
}

/*
 * Allocations
 */

void *kmalloc(size_t size, gfp_t gfp)
{
	void *p;

	if (gfp == GFP_KERNEL)
		might_sleep();
	unit_assert(size <= 4 << 20, "kmalloc() of %zu bytes", size);
	if (unit_fault())
		return NULL;
	p = malloc(size);
	unit_assert(p, "out of memory");
	memset(p, 0xa5, size);
	mm_use.allocations++;
	return p;
}

void *kzalloc(size_t size, gfp_t gfp)
{
	void *p = kmalloc(size, gfp);

	return p ? memset(p, 0, size) : NULL;
}

void *krealloc_array(void *p, size_t nr, size_t size, gfp_t gfp)
{
	void *new;

	if (gfp == GFP_KERNEL)
		might_sleep();
	unit_assert(p && nr * size <= 4 << 20, "krealloc() of %zu bytes",
		    nr * size);
	if (unit_fault())
		return NULL;
	new = realloc(p, nr * size);
	unit_assert(new, "out of memory");
	return new;
}

void kfree(const void *p)
{
	if (!p)
		return;
	mm_use.allocations--;
	free((void *)p);
}

struct page *alloc_page(gfp_t gfp)
{
	struct page *page;

	if (gfp == GFP_KERNEL)
		might_sleep();
	if (unit_fault() || !mm_nr_free)
		return NULL;
	page = &mm_pages[mm_free[--mm_nr_free]];
	page->kind = PAGE_KERNEL;
	memset(kmap_local_page(page), 0xa5, PAGE_SIZE);
	kunmap_local(mm_data(page));
	mm_use.pages++;
	return page;
}

void __free_page(struct page *page)
{
	unit_assert(page->kind == PAGE_KERNEL && !page->maps,
		    "a page is freed that is not the module's, or mapped");
	page->kind = PAGE_NONE;
	mm_free[mm_nr_free++] = page - mm_pages;
	mm_use.pages--;
}

void *kmap_local_page(struct page *page)
{
	unit_assert(page >= mm_pages && page < mm_pages + MM_PAGES,
		    "mapping of what is no page");
	unit_assert(page->kind == PAGE_KERNEL || page->pins,
		    "mapping of a page that is not pinned");
	page->maps++;
	mm_use.maps++;
	ASAN_UNPOISON_MEMORY_REGION(mm_data(page), PAGE_SIZE);
	return mm_data(page);
}

void kunmap_local(const void *p)
{
	struct page *page = mm_page(p);

	unit_assert(page->maps, "a page is not mapped");
	mm_use.maps--;
	if (!--page->maps)
		ASAN_POISON_MEMORY_REGION(mm_data(page), PAGE_SIZE);
}

/*
 * Folios
 */

unsigned long folio_nr_pages(const struct folio *folio)
{
	return &folio->page < mm_pages + MM_GUEST ? 1UL << mm_folio_order : 1;
}

bool folio_test_dirty(const struct folio *folio)
{
	return folio->page.dirty;
}

int folio_lock_killable(struct folio *folio)
{
	might_sleep();
	unit_assert(folio == folio->page.folio, "no folio");
	return unit_fault() ? -EINTR : 0;
}

void folio_unlock(struct folio *folio)
{
	unit_assert(folio == folio->page.folio, "no folio");
}

void folio_mark_dirty(struct folio *folio)
{
	folio->page.dirty = true;
}

/*
 * What the owner has in his address space
 */

int account_locked_vm(struct mm_struct *mm, unsigned long nr, bool inc)
{
	(void)mm;
	mm_use.locked += inc ? nr : -nr;
	return 0;
}

int pin_user_pages_fast(unsigned long start, int nr, unsigned int flags,
			struct page **pages)
{
	struct page *page = mm_page((void *)start);
	int i;

	unit_assert(PAGE_ALIGNED(start) && nr > 0 && mm_is_page((void *)start),
		    "pinning of %d pages at %#lx", nr, start);
	unit_assert(flags & FOLL_LONGTERM || unit_context == UNIT_WORKER,
		    "pinning elsewhere than in the worker");
	if (flags & FOLL_NOFAULT && unit_one_in(8))
		return unit_one_in(2) ? 0 : -EFAULT;
	if (unit_fault())
		return -EFAULT;
	/* Pages are not always there all at once. */
	if (unit_one_in(8))
		nr = 1 + unit_random() % nr;
	for (i = 0; i < nr; i++, page++) {
		unit_assert(page->kind == PAGE_GUEST,
			    "pinning of a page that is not in the table");
		if (!page->pins++)
			page->written = false;
		if (flags & FOLL_WRITE)
			page->write_pins++;
		pages[i] = page;
	}
	mm_use.pins += nr;
	return nr;
}

/* All pins of a page are of a kind. */
static void mm_unpin(struct page *page, bool dirty)
{
	unit_assert(page->pins, "a page is unpinned that was not pinned");
	if (dirty)
		folio_mark_dirty(page_folio(page));
	unit_assert(!page->written || folio_test_dirty(page_folio(page)),
		    "a page is unpinned that the disk has written to, and not dirty");
	page->pins--;
	if (page->write_pins > page->pins)
		page->write_pins = page->pins;
	mm_use.pins--;
}

void unpin_user_pages_dirty_lock(struct page **pages, unsigned long nr,
				 bool dirty)
{
	unsigned long i;

	if (dirty)
		might_sleep();
	for (i = 0; i < nr; i++)
		mm_unpin(pages[i], dirty);
}

void unpin_user_pages(struct page **pages, unsigned long nr)
{
	unpin_user_pages_dirty_lock(pages, nr, false);
}

void unpin_user_page_range_dirty_lock(struct page *page, unsigned long nr,
				      bool dirty)
{
	unsigned long i;

	if (dirty)
		might_sleep();
	for (i = 0; i < nr; i++) {
		unit_assert(page_folio(page + i) == page_folio(page),
			    "a segment of more than one folio");
		mm_unpin(page + i, dirty);
	}
}

/* Only what lies in a row anyway */
void *vmap(struct page **pages, unsigned int nr, unsigned long flags, int prot)
{
	unsigned int i;

	(void)flags;
	(void)prot;
	for (i = 1; i < nr; i++)
		unit_assert(pages[i] == pages[0] + i, "vmap() of pages not in a row");
	return mm_data(pages[0]);
}

/* Somebody changes a few of the bytes that were just read. */
static void mm_rewrite(u8 *p, size_t len)
{
	unsigned int n = unit_random() % 4;

	while (n--)
		p[unit_random() % len] ^= 1U << unit_random() % 8;
}

static void mm_copy_page(u8 *to, const u8 *from, size_t len)
{
	struct page *page = mm_page(from);

	unit_assert(page->kind == PAGE_GUEST,
		    "reading of a page that is not in the table");
	ASAN_UNPOISON_MEMORY_REGION(mm_data(page), PAGE_SIZE);
	memcpy(to, from, len);
	if (unit_config->rewritten)
		mm_rewrite((u8 *)from, len);
	ASAN_POISON_MEMORY_REGION(mm_data(page), PAGE_SIZE);
}

unsigned long copy_from_user(void *to, const void *from, unsigned long n)
{
	u8 *p = to;
	size_t len;

	/* An argument of an ioctl */
	if (unit_context == UNIT_OUTSIDE) {
		memcpy(to, from, n);
		return 0;
	}
	unit_assert(unit_context == UNIT_WORKER && mm_is_page(from) &&
		    n <= MM_PAGES * PAGE_SIZE, "copying of %lu bytes from %p",
		    n, from);
	if (unit_fault())
		return n;
	mm_copied += n;
	while (n) {
		len = min(n, PAGE_SIZE - offset_in_page(from));
		mm_copy_page(p, from, len);
		from = (const u8 *)from + len;
		p += len;
		n -= len;
	}
	return 0;
}
