// SPDX-License-Identifier: GPL-2.0
/* Guest memory: regions, the memory table, a simple allocator. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vng.h"

int vng_mem_map(struct vng *g, uint64_t gpa, void *hva, size_t size)
{
	struct vng_region *r;

	if (g->nr_regions == VNG_MAX_REGIONS)
		return vng_fail(g, -ENOSPC, "more than %u regions",
				VNG_MAX_REGIONS);
	r = &g->region[g->nr_regions];
	r->gpa = gpa;
	r->hva = hva;
	r->size = size;
	r->owned = false;
	if (!g->nr_regions)
		g->next = gpa;
	return g->nr_regions++;
}

int vng_mem_add(struct vng *g, enum vng_mem kind, uint64_t gpa, size_t size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS, fd = -1, ret;
	void *hva;

	if (kind != VNG_MEM_ANON) {
		fd = memfd_create("vng", MFD_CLOEXEC |
				  (kind == VNG_MEM_HUGETLB ? MFD_HUGETLB : 0));
		if (fd < 0)
			return vng_fail(g, -errno, "memfd_create");
		if (ftruncate(fd, size)) {
			ret = vng_fail(g, -errno, "size of a memfd");
			close(fd);
			return ret;
		}
		flags = MAP_SHARED;
	}
	hva = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (hva == MAP_FAILED)
		ret = vng_fail(g, -errno, "%zu bytes of guest memory", size);
	else
		ret = vng_mem_map(g, gpa, hva, size);
	if (fd >= 0)
		close(fd);
	if (ret >= 0)
		g->region[ret].owned = true;
	else if (hva != MAP_FAILED)
		munmap(hva, size);
	return ret;
}

void vng_mem_del(struct vng *g, unsigned int index)
{
	g->nr_regions--;
	memmove(&g->region[index], &g->region[index + 1],
		(g->nr_regions - index) * sizeof(g->region[0]));
}

int vng_mem_publish(struct vng *g)
{
	struct vhost_memory_region *vr;
	struct vhost_memory *table;
	unsigned int i;
	int ret;

	table = calloc(1, sizeof(*table) + g->nr_regions * sizeof(*vr));
	if (!table)
		return vng_fail(g, -ENOMEM, "memory table");
	table->nregions = g->nr_regions;
	for (i = 0; i < g->nr_regions; i++) {
		vr = &table->regions[i];
		vr->guest_phys_addr = g->region[i].gpa;
		vr->memory_size = g->region[i].size;
		vr->userspace_addr = (uintptr_t)g->region[i].hva;
	}
	ret = vng_ioctl(g, VHOST_SET_MEM_TABLE, table, "VHOST_SET_MEM_TABLE");
	free(table);
	return ret;
}

uint64_t vng_alloc(struct vng *g, size_t size, size_t align)
{
	uint64_t gpa = (g->next + align - 1) & ~(uint64_t)(align - 1);
	void *p = vng_ptr(g, gpa, size);

	if (!p) {
		vng_fail(g, -ENOMEM, "%zu bytes of the first region", size);
		return 0;
	}
	memset(p, 0, size);
	g->next = gpa + size;
	return gpa;
}

void *vng_ptr(struct vng *g, uint64_t gpa, size_t size)
{
	unsigned int i;

	for (i = 0; i < g->nr_regions; i++) {
		const struct vng_region *r = &g->region[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size &&
		    size <= r->size - (gpa - r->gpa))
			return (char *)r->hva + (gpa - r->gpa);
	}
	return NULL;
}

static int vng_copy(struct vng *g, uint64_t gpa, void *buf, size_t size,
		    bool to_guest)
{
	char *p = buf;

	while (size) {
		/* No region ends inside a page of 4096 bytes. */
		size_t n = 4096 - (gpa & 4095);
		void *hva;

		if (n > size)
			n = size;
		hva = vng_ptr(g, gpa, n);
		if (!hva)
			return vng_fail(g, -EFAULT, "guest address %#llx",
					(unsigned long long)gpa);
		if (to_guest)
			memcpy(hva, p, n);
		else
			memcpy(p, hva, n);
		gpa += n;
		p += n;
		size -= n;
	}
	return 0;
}

int vng_copy_to(struct vng *g, uint64_t gpa, const void *buf, size_t size)
{
	return vng_copy(g, gpa, (void *)buf, size, true);
}

int vng_copy_from(struct vng *g, uint64_t gpa, void *buf, size_t size)
{
	return vng_copy(g, gpa, buf, size, false);
}
