// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: the table of VHOST_SET_MEM_TABLE, pinned as a whole if userspace
 * wants that, reading through it, and ranges that stay pinned and mapped while
 * a queue or doorbell buffer lives.
 */

#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "vhost_nvme.h"

/* Pages to pin with interrupts off */
#define VN_PIN_BATCH	512UL

static int vn_region_cmp(const void *a, const void *b)
{
	const struct vn_region *l = a, *r = b;

	return l->gpa < r->gpa ? -1 : l->gpa > r->gpa;
}

/**
 * vn_mem_region - the region of an address
 * @mem: table, may be NULL
 * @gpa: guest physical address
 *
 * The slot of the address leaves few regions to choose from, mostly one, however
 * many there are.
 *
 * Return: the region, or NULL if there is none.
 */
const struct vn_region *vn_mem_region(const struct vn_mem *mem, u64 gpa)
{
	unsigned int low, high, mid;
	const struct vn_region *r;
	u64 slot;

	if (!mem || !mem->nr)
		return NULL;
	slot = gpa >> mem->slot_shift;
	if (slot >= VN_MEM_SLOTS)
		return NULL;
	slot = array_index_nospec((unsigned long)slot, VN_MEM_SLOTS);
	/* The last region that does not begin behind the address, or the first */
	low = mem->slots[slot];
	high = mem->slots[slot + 1];
	while (low < high) {
		mid = (low + high + 1) / 2;
		if (mem->regions[mid].gpa <= gpa)
			low = mid;
		else
			high = mid - 1;
	}
	r = &mem->regions[low];
	return gpa - r->gpa < r->size ? r : NULL;
}

/* The regions are sorted, and there is one. */
static void vn_mem_index(struct vn_mem *mem)
{
	const struct vn_region *last = &mem->regions[mem->nr - 1];
	unsigned int i, region = 0;

	mem->slot_shift = fls64((last->gpa + (last->size - 1)) / VN_MEM_SLOTS);
	for (i = 0; i <= VN_MEM_SLOTS; i++) {
		/* gpa <= i << slot_shift, where that may be 2^64 */
		while (region + 1 < mem->nr &&
		       (mem->regions[region + 1].gpa - 1) >> mem->slot_shift < i)
			region++;
		mem->slots[i] = region;
	}
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
	const struct vn_region *r = vn_mem_region(mem, gpa);
	u64 off;

	if (!r)
		return false;
	*uaddr = vn_region_uaddr(r, gpa);
	off = *uaddr - r->uaddr;
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
	if (mem->nr)
		vn_mem_index(mem);
	return mem;

err_free:
	kvfree(mem);
	return ERR_PTR(err);
}

/*
 * Regions that are pinned as a whole
 */

static void vn_pin_put(struct vn_ctrl *ctrl, struct vn_pin *pin)
{
	if (!pin || !refcount_dec_and_test(&pin->ref))
		return;
	unpin_user_pages_dirty_lock(pin->pages, pin->nr_pages, true);
	account_locked_vm(ctrl->mm, pin->nr_pages, false);
	atomic_long_sub(pin->nr_pages, &ctrl->locked_pages);
	kvfree(pin);
}

static struct vn_pin *vn_pin_create(struct vn_ctrl *ctrl, u64 start,
				    unsigned long nr)
{
	unsigned long done = 0;
	struct vn_pin *pin;
	int n, err;

	pin = kvzalloc(struct_size(pin, pages, nr), GFP_KERNEL_ACCOUNT);
	if (!pin)
		return ERR_PTR(-ENOMEM);
	err = account_locked_vm(ctrl->mm, nr, true);
	if (err)
		goto err_free;

	while (done < nr) {
		n = pin_user_pages_fast(start + done * PAGE_SIZE,
					min(nr - done, VN_PIN_BATCH),
					FOLL_WRITE | FOLL_LONGTERM,
					pin->pages + done);
		if (n <= 0) {
			err = n == -ENOMEM || n == -EINTR ? n : -EFAULT;
			goto err_unpin;
		}
		done += n;
	}
	refcount_set(&pin->ref, 1);
	pin->start = start;
	pin->nr_pages = nr;
	atomic_long_add(nr, &ctrl->locked_pages);
	return pin;

err_unpin:
	unpin_user_pages(pin->pages, done);
	account_locked_vm(ctrl->mm, nr, false);
err_free:
	kvfree(pin);
	return ERR_PTR(err);
}

/* What the table in force has of the same memory in the same place stays. */
static struct vn_pin *vn_pin_get(struct vn_ctrl *ctrl, u64 gpa, u64 uaddr,
				 u64 start, unsigned long nr)
{
	const struct vn_region *old = vn_mem_region(ctrl->mem, gpa);
	struct vn_pin *pin;

	if (old && old->pins && gpa - old->gpa == uaddr - old->uaddr) {
		pin = vn_region_pin(old, uaddr);
		if (pin->start == start && pin->nr_pages == nr) {
			refcount_inc(&pin->ref);
			return pin;
		}
	}
	return vn_pin_create(ctrl, start, nr);
}

static unsigned long vn_region_nr_pins(const struct vn_region *r)
{
	return ((r->uaddr + r->size - 1) >> VN_PIN_SHIFT) -
	       (r->uaddr >> VN_PIN_SHIFT) + 1;
}

static int vn_region_pin_all(struct vn_ctrl *ctrl, struct vn_region *r)
{
	u64 uaddr = r->uaddr, last = r->uaddr + r->size - 1, start, stop;
	unsigned long i, nr = vn_region_nr_pins(r);
	struct vn_pin *pin;

	/* Any size is userspace's to try, and no reason to warn. */
	r->pins = kvcalloc(nr, sizeof(*r->pins),
			   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!r->pins)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		/* Both inclusive, in whole host pages */
		stop = min(last, uaddr | (VN_PIN_SIZE - 1));
		start = round_down(uaddr, PAGE_SIZE);
		pin = vn_pin_get(ctrl, r->gpa + (uaddr - r->uaddr), uaddr, start,
				 ((stop - start) >> PAGE_SHIFT) + 1);
		if (IS_ERR(pin))
			return PTR_ERR(pin);
		r->pins[i] = pin;
		uaddr = stop + 1;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static void vn_region_unpin(struct vn_ctrl *ctrl, struct vn_region *r)
{
	unsigned long i, nr = vn_region_nr_pins(r);

	if (!r->pins)
		return;
	for (i = 0; i < nr; i++) {
		vn_pin_put(ctrl, r->pins[i]);
		cond_resched();
	}
	kvfree(r->pins);
}

static void vn_mem_free(struct vn_mem *mem)
{
	unsigned int i;

	for (i = 0; i < mem->nr; i++)
		vn_region_unpin(mem->ctrl, &mem->regions[i]);
	kvfree(mem);
}

static void vn_mem_free_work(struct work_struct *work)
{
	struct vn_mem *mem = container_of(work, struct vn_mem, free_work);
	struct vn_ctrl *ctrl = mem->ctrl;

	percpu_ref_exit(&mem->ref);
	vn_mem_free(mem);
	vn_ctrl_put(ctrl);
}

/* Any context: the last command that uses the pages has ended. */
static void vn_mem_release(struct percpu_ref *ref)
{
	struct vn_mem *mem = container_of(ref, struct vn_mem, ref);

	queue_work(mem->ctrl->wq, &mem->free_work);
}

static int vn_mem_pin(struct vn_ctrl *ctrl, struct vn_mem *mem)
{
	unsigned int i;
	int err;

	for (i = 0; i < mem->nr; i++) {
		err = vn_region_pin_all(ctrl, &mem->regions[i]);
		if (err)
			return err;
	}
	err = percpu_ref_init(&mem->ref, vn_mem_release, 0, GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	INIT_WORK(&mem->free_work, vn_mem_free_work);
	vn_ctrl_get(ctrl);
	mem->pinned = true;
	return 0;
}

/* No command will use the table any more; some may still use its pages. */
static void vn_mem_retire(struct vn_mem *mem)
{
	if (!mem)
		return;
	if (mem->pinned)
		percpu_ref_kill(&mem->ref);
	else
		vn_mem_free(mem);
}

/**
 * vn_mem_set - VHOST_SET_MEM_TABLE
 * @ctrl: controller, locked
 * @arg: the table
 *
 * Return: 0, -EFAULT (unreadable table, or not the caller's memory, or it may
 * not be written and pinned), -EINVAL (empty, unaligned, wrapping or overlapping
 * regions, flags), -EOPNOTSUPP (padding), -E2BIG, -ENOMEM (also by
 * RLIMIT_MEMLOCK), -EINTR (killed meanwhile).
 */
int vn_mem_set(struct vn_ctrl *ctrl, struct vhost_memory __user *arg)
{
	struct vn_mem *mem, *old;
	int err;

	lockdep_assert_held(&ctrl->lock);

	mem = vn_mem_copy(arg);
	if (IS_ERR(mem))
		return PTR_ERR(mem);
	mem->ctrl = ctrl;
	if (ctrl->pin) {
		err = vn_mem_pin(ctrl, mem);
		if (err) {
			vn_mem_free(mem);
			return err;
		}
	}

	vn_ctrl_pause(ctrl);
	old = ctrl->mem;
	ctrl->mem = mem;
	vn_mem_fail_moved(ctrl, old, mem);
	vn_ctrl_resume(ctrl);

	vn_mem_retire(old);
	return 0;
}

/**
 * vn_mem_drop - forget the table
 * @ctrl: controller, locked, with owner; no queue is served
 *
 * Context: process context, of any process; waits for one pass.
 */
void vn_mem_drop(struct vn_ctrl *ctrl)
{
	struct vn_mem *old;

	lockdep_assert_held(&ctrl->lock);

	vn_ctrl_pause(ctrl);
	old = ctrl->mem;
	ctrl->mem = NULL;
	vn_ctrl_resume(ctrl);
	vn_mem_retire(old);
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
