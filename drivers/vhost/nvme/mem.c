// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: the table of VHOST_SET_MEM_TABLE, reading through it, and
 * ranges that stay pinned and mapped while a queue or doorbell buffer lives.
 */

#include <linux/bsearch.h>
#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "vhost_nvme.h"

/**
 * struct vn_region - guest memory that is contiguous for guest and owner
 * @gpa: guest physical address
 * @size: bytes, not 0; neither @gpa nor @uaddr wrap
 * @uaddr: address in the owner's address space
 */
struct vn_region {
	u64	gpa;
	u64	size;
	u64	uaddr;
};

/**
 * struct vn_mem - a memory table; never changes
 * @nr: number of regions
 * @regions: by ascending gpa, not overlapping
 */
struct vn_mem {
	unsigned int		nr;
	struct vn_region	regions[] __counted_by(nr);
};

static int vn_region_cmp(const void *a, const void *b)
{
	const struct vn_region *l = a, *r = b;

	return l->gpa < r->gpa ? -1 : l->gpa > r->gpa;
}

static int vn_region_lookup(const void *key, const void *elt)
{
	const struct vn_region *r = elt;
	u64 gpa = *(const u64 *)key;

	if (gpa < r->gpa)
		return -1;
	return gpa - r->gpa >= r->size;
}

/**
 * vn_mem_find - where the owner has guest memory
 * @mem: table, may be NULL
 * @gpa: guest physical address
 * @len: bytes wanted, not 0
 * @uaddr: set to the address in the owner's address space
 * @run: set to how many of @len bytes are contiguous from there, at least 1
 *
 * Return: false if @gpa is not in the table.
 */
bool vn_mem_find(const struct vn_mem *mem, u64 gpa, u64 len, u64 *uaddr,
		 u64 *run)
{
	const struct vn_region *r;
	u64 off;

	if (!mem)
		return false;
	r = bsearch(&gpa, mem->regions, mem->nr, sizeof(*r), vn_region_lookup);
	if (!r)
		return false;
	off = gpa - r->gpa;
	*uaddr = r->uaddr + off;
	*run = min(len, r->size - off);
	return true;
}

/**
 * vn_mem_read - copy from guest memory
 * @ctrl: controller, whose worker calls
 * @gpa: guest physical address
 * @buf: where to
 * @len: bytes
 *
 * Context: the owner's address space, worker->lock held; may fault.
 * Return: 0, or -EFAULT.
 */
int vn_mem_read(struct vn_ctrl *ctrl, u64 gpa, void *buf, size_t len)
{
	u64 uaddr, run;

	while (len) {
		if (!vn_mem_find(ctrl->mem, gpa, len, &uaddr, &run))
			return -EFAULT;
		if (copy_from_user(buf, u64_to_user_ptr(uaddr), run))
			return -EFAULT;
		gpa += run;
		buf += run;
		len -= run;
	}
	return 0;
}

/* Does the page lie at the same place in both tables? */
static bool vn_mem_same(const struct vn_mem *a, const struct vn_mem *b, u64 gpa)
{
	u64 ua, ub, run_a, run_b;

	return vn_mem_find(a, gpa, PAGE_SIZE, &ua, &run_a) &&
	       vn_mem_find(b, gpa, PAGE_SIZE, &ub, &run_b) &&
	       ua == ub && run_a == PAGE_SIZE && run_b == PAGE_SIZE;
}

static bool vn_map_moved(const struct vn_map *map, const struct vn_mem *from,
			 const struct vn_mem *to)
{
	unsigned int i;

	for (i = 0; i < map->nr_pages; i++)
		if (!vn_mem_same(from, to, map->gpa + i * PAGE_SIZE))
			return true;
	return false;
}

/* Queues whose ring or doorbells the new table has elsewhere cannot go on. */
static void vn_mem_fail_moved(struct vn_ctrl *ctrl, const struct vn_mem *from,
			      const struct vn_mem *to)
{
	bool dbbuf = vn_map_moved(&ctrl->dbs, from, to) ||
		     vn_map_moved(&ctrl->eis, from, to);
	struct vn_sq *sq;
	struct vn_cq *cq;
	unsigned int i;

	for (i = 1; i <= VN_MAX_QUEUES; i++) {
		sq = ctrl->sqs[i];
		cq = ctrl->cqs[i];
		if (sq && !sq->deleting &&
		    (dbbuf || vn_map_moved(&sq->map, from, to)))
			vn_sq_fail(sq);
		if (cq && !ctrl->resetting &&
		    (dbbuf || vn_map_moved(&cq->map, from, to)))
			vn_cq_fail(cq);
	}
}

static struct vn_mem *vn_mem_copy(struct vhost_memory __user *arg)
{
	struct vhost_memory_region region;
	struct vhost_memory head;
	struct vn_region *r;
	struct vn_mem *mem;
	unsigned int i;
	int err;

	if (copy_from_user(&head, arg, sizeof(head)))
		return ERR_PTR(-EFAULT);
	if (head.padding)
		return ERR_PTR(-EOPNOTSUPP);
	if (head.nregions > VN_MAX_MEM_REGIONS)
		return ERR_PTR(-E2BIG);

	mem = kvzalloc(struct_size(mem, regions, head.nregions),
		       GFP_KERNEL_ACCOUNT);
	if (!mem)
		return ERR_PTR(-ENOMEM);
	mem->nr = head.nregions;

	for (i = 0; i < mem->nr; i++) {
		r = &mem->regions[i];
		err = -EFAULT;
		if (copy_from_user(&region, &arg->regions[i], sizeof(region)))
			goto err_free;
		err = -EINVAL;
		if (region.flags_padding || !region.memory_size ||
		    !IS_ALIGNED(region.guest_phys_addr |
				region.memory_size |
				region.userspace_addr, VHOST_PAGE_SIZE) ||
		    region.guest_phys_addr + region.memory_size - 1 <
		    region.guest_phys_addr)
			goto err_free;
		err = -EFAULT;
		if (region.userspace_addr != (unsigned long)region.userspace_addr ||
		    region.memory_size != (unsigned long)region.memory_size ||
		    !access_ok(u64_to_user_ptr(region.userspace_addr),
			       region.memory_size))
			goto err_free;
		r->gpa = region.guest_phys_addr;
		r->size = region.memory_size;
		r->uaddr = region.userspace_addr;
	}

	sort(mem->regions, mem->nr, sizeof(*r), vn_region_cmp, NULL);
	err = -EINVAL;
	for (i = 1; i < mem->nr; i++) {
		r = &mem->regions[i];
		if (r[-1].gpa + (r[-1].size - 1) >= r->gpa)
			goto err_free;
	}
	return mem;

err_free:
	kvfree(mem);
	return ERR_PTR(err);
}

/**
 * vn_mem_set - VHOST_SET_MEM_TABLE
 * @ctrl: controller, locked
 * @arg: the table
 *
 * Return: 0, -EFAULT (unreadable table, or not the caller's memory),
 * -EINVAL (empty, unaligned, wrapping or overlapping regions, flags), -EOPNOTSUPP
 * (padding), -E2BIG, -ENOMEM.
 */
int vn_mem_set(struct vn_ctrl *ctrl, struct vhost_memory __user *arg)
{
	struct vn_mem *mem, *old;

	lockdep_assert_held(&ctrl->lock);

	mem = vn_mem_copy(arg);
	if (IS_ERR(mem))
		return PTR_ERR(mem);

	vn_ctrl_pause(ctrl);
	old = ctrl->mem;
	ctrl->mem = mem;
	vn_mem_fail_moved(ctrl, old, mem);
	vn_ctrl_resume(ctrl);

	vn_mem_free(old);
	return 0;
}

/**
 * vn_mem_free - free a table that nothing uses
 * @mem: table, may be NULL
 */
void vn_mem_free(struct vn_mem *mem)
{
	kvfree(mem);
}

/* Pins what one region has of a map; *nr grows by the pages pinned. */
static int vn_map_pin(struct vn_ctrl *ctrl, struct vn_map *map,
		      unsigned int *nr)
{
	u64 gpa = map->gpa + (u64)*nr * PAGE_SIZE, uaddr, run;
	u64 len = (u64)(map->nr_pages - *nr) * PAGE_SIZE;
	int n;

	/* Regions are aligned to 4 KiB, which need not be a host page. */
	if (!vn_mem_find(ctrl->mem, gpa, len, &uaddr, &run) ||
	    !PAGE_ALIGNED(uaddr) || run < PAGE_SIZE)
		return -EFAULT;
	n = pin_user_pages_fast(uaddr, run >> PAGE_SHIFT,
				FOLL_WRITE | FOLL_LONGTERM, map->pages + *nr);
	if (n < 0)
		return n;
	*nr += n;
	return n ? 0 : -EFAULT;
}

/**
 * vn_map_create - pin and map guest memory for long
 * @ctrl: controller, locked, called by its owner
 * @map: to fill
 * @gpa: guest physical address
 * @len: bytes
 *
 * Return: 0; -EINVAL if @gpa is not aligned; -EFAULT if the range is not
 * wholly in the memory table or may not be written and pinned; -ENOMEM, also
 * if RLIMIT_MEMLOCK does not allow it.
 */
int vn_map_create(struct vn_ctrl *ctrl, struct vn_map *map, u64 gpa, size_t len)
{
	unsigned int nr = 0;
	int err;

	lockdep_assert_held(&ctrl->lock);

	if (!IS_ALIGNED(gpa, PAGE_SIZE) || gpa + len - 1 < gpa)
		return -EINVAL;

	map->gpa = gpa;
	map->nr_pages = DIV_ROUND_UP(len, PAGE_SIZE);
	map->pages = kvcalloc(map->nr_pages, sizeof(*map->pages),
			      GFP_KERNEL_ACCOUNT);
	if (!map->pages)
		return -ENOMEM;

	err = account_locked_vm(ctrl->mm, map->nr_pages, true);
	if (err)
		goto err_pages;

	while (nr < map->nr_pages) {
		err = vn_map_pin(ctrl, map, &nr);
		if (err) {
			/* What may not be written or pinned is no guest RAM. */
			if (err != -ENOMEM)
				err = -EFAULT;
			goto err_unpin;
		}
	}

	map->vaddr = vmap(map->pages, map->nr_pages, VM_MAP, PAGE_KERNEL);
	if (!map->vaddr) {
		err = -ENOMEM;
		goto err_unpin;
	}
	atomic_long_add(map->nr_pages, &ctrl->locked_pages);
	return 0;

err_unpin:
	unpin_user_pages(map->pages, nr);
	account_locked_vm(ctrl->mm, map->nr_pages, false);
err_pages:
	kvfree(map->pages);
	memset(map, 0, sizeof(*map));
	return err;
}

/**
 * vn_map_destroy - undo vn_map_create()
 * @ctrl: controller
 * @map: may be empty, is empty afterwards
 *
 * Context: process context, of any process.
 */
void vn_map_destroy(struct vn_ctrl *ctrl, struct vn_map *map)
{
	if (!map->pages)
		return;
	vunmap(map->vaddr);
	unpin_user_pages_dirty_lock(map->pages, map->nr_pages, true);
	account_locked_vm(ctrl->mm, map->nr_pages, false);
	atomic_long_sub(map->nr_pages, &ctrl->locked_pages);
	kvfree(map->pages);
	memset(map, 0, sizeof(*map));
}
