// SPDX-License-Identifier: GPL-2.0
/*
 * Data pointers: from the PRPs of a command, or its SGL (sgl.c), to pinned guest
 * memory, and to a bounce buffer where the disk cannot use that memory.
 */

#include <linux/blkdev.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "vhost_nvme.h"

/**
 * struct vn_prp - a walk along the PRPs of a command (NVMe Base 2.0, 4.1.1)
 * @ctrl: controller
 * @prp1: PRP Entry 1 of the command
 * @prp2: PRP Entry 2 of the command
 * @page: memory page size
 * @left: bytes that remain
 * @first: PRP1 was not used yet
 * @list: PRP2 points to a list
 * @next: guest physical address of the next list entry to read
 * @idx: next entry of @buf
 * @nr: valid entries of @buf
 * @buf: list entries read: the worker's scratch
 */
struct vn_prp {
	struct vn_ctrl	*ctrl;
	u64		prp1;
	u64		prp2;
	u32		page;
	u32		left;
	bool		first;
	bool		list;
	u64		next;
	unsigned int	idx;
	unsigned int	nr;
	__le64		*buf;
};

static void vn_prp_init(struct vn_prp *prp, struct vn_req *req, u32 len)
{
	prp->ctrl = req->sq->ctrl;
	prp->prp1 = le64_to_cpu(req->cmd.common.dptr.prp1);
	prp->prp2 = le64_to_cpu(req->cmd.common.dptr.prp2);
	prp->page = 1U << req->sq->page_shift;
	prp->left = len;
	prp->first = true;
	prp->list = false;
	prp->idx = 0;
	prp->nr = 0;
	prp->buf = req->sq->cq->worker->prps;
}

/*
 * Reads entries up to the end of the list page. Its last entry is no data
 * pointer if more entries are needed, but points to the next list page. Since
 * that one is used from its start, every second reading at the latest brings
 * entries: the walk is as long as the data, whatever the guest writes.
 */
static u16 vn_prp_read_list(struct vn_prp *prp)
{
	u32 need = DIV_ROUND_UP(prp->left, prp->page);
	u32 room = (prp->page - (prp->next & (prp->page - 1))) / sizeof(__le64);
	__le64 chain;

	if (room == 1 && need > 1) {
		if (vn_mem_read(prp->ctrl, prp->next, &chain, sizeof(chain)))
			return NVME_SC_DATA_XFER_ERROR;
		prp->next = le64_to_cpu(chain);
		if (prp->next & (prp->page - 1))
			return NVME_SC_PRP_INVALID_OFFSET | NVME_STATUS_DNR;
		room = prp->page / sizeof(__le64);
	}

	prp->nr = min3(need, need > room ? room - 1 : room, VN_PRP_CHUNK);
	prp->idx = 0;
	if (vn_mem_read(prp->ctrl, prp->next, prp->buf,
			prp->nr * sizeof(__le64)))
		return NVME_SC_DATA_XFER_ERROR;
	prp->next += prp->nr * sizeof(__le64);
	return NVME_SC_SUCCESS;
}

/* The next piece of at most one memory page; call while prp->left. */
static u16 vn_prp_next(struct vn_prp *prp, u64 *gpa, u32 *len)
{
	u64 mask = prp->page - 1;
	u16 status;

	if (prp->first) {
		prp->first = false;
		*gpa = prp->prp1;
		if (*gpa & 3)
			return NVME_SC_PRP_INVALID_OFFSET | NVME_STATUS_DNR;
		*len = min(prp->left, prp->page - (u32)(*gpa & mask));
		prp->left -= *len;
		if (prp->left > prp->page) {
			prp->list = true;
			prp->next = prp->prp2;
			if (prp->next & 7)
				return NVME_SC_PRP_INVALID_OFFSET |
				       NVME_STATUS_DNR;
		}
		return NVME_SC_SUCCESS;
	}

	if (!prp->list) {
		*gpa = prp->prp2;
	} else {
		if (prp->idx == prp->nr) {
			status = vn_prp_read_list(prp);
			if (status)
				return status;
		}
		*gpa = le64_to_cpu(prp->buf[prp->idx++]);
	}
	if (*gpa & mask)
		return NVME_SC_PRP_INVALID_OFFSET | NVME_STATUS_DNR;
	*len = min(prp->left, prp->page);
	prp->left -= *len;
	return NVME_SC_SUCCESS;
}

/* Those entries of a list, among the ones read, that follow what ends at @end */
static u32 vn_prp_follow(struct vn_prp *prp, u64 end)
{
	u32 n, len = 0;

	while (prp->idx < prp->nr && prp->left &&
	       le64_to_cpu(prp->buf[prp->idx]) == end + len) {
		n = min(prp->left, prp->page);
		prp->left -= n;
		prp->idx++;
		len += n;
	}
	return len;
}

/**
 * vn_data_copy - copy a command's parameters from the guest
 * @req: the command
 * @buf: where to
 * @len: bytes
 *
 * Context: the worker.
 * Return: NVMe status.
 */
u16 vn_data_copy(struct vn_req *req, void *buf, u32 len)
{
	struct vn_prp prp;
	u16 status;
	u64 gpa;
	u32 n;

	if (vn_req_has_sgl(req))
		return vn_sgl_copy(req, buf, len);
	vn_prp_init(&prp, req, len);
	while (prp.left) {
		status = vn_prp_next(&prp, &gpa, &n);
		if (status)
			return status;
		if (vn_mem_read(prp.ctrl, gpa, buf, n))
			return NVME_SC_DATA_XFER_ERROR;
		buf += n;
	}
	return NVME_SC_SUCCESS;
}

/* One segment stays within one folio, so that one check covers it. */
static void vn_data_add_segment(struct vn_req *req, struct page *page,
				unsigned int off, unsigned int len)
{
	struct bio_vec *bv = &req->bv[req->nr_bv];
	unsigned int end;

	if (req->nr_bv) {
		end = bv[-1].bv_offset + bv[-1].bv_len;
		if (!off && PAGE_ALIGNED(end) &&
		    page == bv[-1].bv_page + (end >> PAGE_SHIFT) &&
		    page_folio(page) == page_folio(bv[-1].bv_page)) {
			bv[-1].bv_len += len;
			return;
		}
	}
	bvec_set_page(bv, page, len, off);
	req->nr_bv++;
}

/* Pages that follow one another in a folio are one segment. */
static void vn_data_add_pages(struct vn_req *req, struct page **pages,
			      unsigned int off, u64 len)
{
	unsigned long i, nr;
	struct folio *folio;
	struct page *page;
	u64 n;

	if (len <= PAGE_SIZE - off) {
		vn_data_add_segment(req, pages[0], off, len);
		return;
	}
	while (len) {
		page = pages[0];
		folio = page_folio(page);
		nr = min_t(u64, folio_nr_pages(folio) - folio_page_idx(folio, page),
			   PFN_UP(off + len));
		for (i = 1; i < nr && pages[i] == page + i; i++)
			;
		n = min(len, i * PAGE_SIZE - off);
		vn_data_add_segment(req, page, off, n);
		pages += i;
		len -= n;
		off = 0;
	}
}

/* Pins len bytes at uaddr, which are contiguous in the owner's memory. */
static u16 vn_data_pin(struct vn_req *req, u64 uaddr, u64 len)
{
	struct page **pages = req->sq->cq->worker->pages;
	unsigned int gup = vn_req_is_read(req) ? FOLL_WRITE : 0;
	unsigned int off;
	int nr;
	u64 n;

	while (len) {
		off = offset_in_page(uaddr);
		n = DIV_ROUND_UP(off + len, PAGE_SIZE);
		nr = pin_user_pages_fast(uaddr - off, n, gup | FOLL_NOFAULT,
					 pages);
		if (unlikely(nr <= 0)) {
			/* This may sleep. */
			vn_irq_flush(req->sq->cq->worker);
			nr = pin_user_pages_fast(uaddr - off, n, gup, pages);
		}
		if (nr <= 0)
			return NVME_SC_DATA_XFER_ERROR;
		n = min(len, (u64)nr * PAGE_SIZE - off);
		vn_data_add_pages(req, pages, off, n);
		uaddr += n;
		len -= n;
	}
	return NVME_SC_SUCCESS;
}

/**
 * vn_data_add - pin a piece of guest memory
 * @req: the command, with room in bv for each VHOST_PAGE_SIZE that the piece
 *	touches
 * @gpa: guest physical address
 * @len: bytes, at most VN_MAX_TRANSFER
 *
 * Context: the worker; may sleep and fault on guest memory.
 * Return: NVMe status.
 */
u16 vn_data_add(struct vn_req *req, u64 gpa, u64 len)
{
	const struct vn_region *r;
	u64 uaddr, run, off;
	struct vn_pin *pin;
	u16 status;

	while (len) {
		r = vn_mem_region(req->sq->ctrl->mem, gpa);
		if (!r)
			return NVME_SC_DATA_XFER_ERROR;
		run = min(len, r->size - (gpa - r->gpa));
		uaddr = vn_region_uaddr(r, gpa);
		if (r->pins) {
			pin = vn_region_pin(r, uaddr);
			off = uaddr - pin->start;
			run = min(run, pin->nr_pages * PAGE_SIZE - off);
			vn_data_add_pages(req, pin->pages + (off >> PAGE_SHIFT),
					  offset_in_page(off), run);
		} else {
			status = vn_data_pin(req, uaddr, run);
			if (status)
				return status;
		}
		gpa += run;
		len -= run;
	}
	return NVME_SC_SUCCESS;
}

/* Adds the pieces, those together that follow one another in guest memory. */
static u16 vn_data_add_prps(struct vn_req *req)
{
	u64 gpa = le64_to_cpu(req->cmd.common.dptr.prp1), run, run_len;
	u32 page = 1U << req->sq->page_shift, n;
	unsigned int max;
	struct vn_prp prp;
	u16 status;

	max = DIV_ROUND_UP((gpa & (VHOST_PAGE_SIZE - 1)) + req->len,
			   VHOST_PAGE_SIZE);
	if (max > VN_INLINE_BVECS) {
		req->bv = kmalloc_array(max, sizeof(*req->bv),
					GFP_KERNEL_ACCOUNT);
		if (!req->bv)
			return NVME_SC_INTERNAL;
	}

	/* All data in one page, as most commands have it */
	if (req->len <= page - (gpa & (page - 1)) && !(gpa & 3))
		return vn_data_add(req, gpa, req->len);

	vn_prp_init(&prp, req, req->len);
	run = gpa;
	run_len = 0;
	while (prp.left) {
		status = vn_prp_next(&prp, &gpa, &n);
		if (status)
			return status;
		n += vn_prp_follow(&prp, gpa + n);
		if (run_len && run + run_len != gpa) {
			status = vn_data_add(req, run, run_len);
			if (status)
				return status;
			run_len = 0;
		}
		if (!run_len)
			run = gpa;
		run_len += n;
	}
	return vn_data_add(req, run, run_len);
}

/* All data in one page of memory that is pinned anyway: a path of its own */
static bool vn_data_add_page(struct vn_req *req)
{
	u64 gpa = le64_to_cpu(req->cmd.common.dptr.prp1), uaddr;
	const struct vn_region *r;
	struct vn_pin *pin;

	r = vn_mem_region(req->mem, gpa);
	if (!r || gpa & 3 || req->len > r->size - (gpa - r->gpa))
		return false;
	uaddr = vn_region_uaddr(r, gpa);
	if (offset_in_page(uaddr) + req->len > PAGE_SIZE ||
	    offset_in_page(gpa) + req->len > PAGE_SIZE)
		return false;
	pin = vn_region_pin(r, uaddr);
	bvec_set_page(&req->bv[0], pin->pages[(uaddr - pin->start) >> PAGE_SHIFT],
		      req->len, offset_in_page(uaddr));
	req->nr_bv = 1;
	return true;
}

static __always_inline bool vn_data_needs_bounce(const struct vn_req *req,
						 unsigned int nr)
{
	struct block_device *bdev = req->ns->bdev;
	unsigned int mask = bdev_dma_alignment(bdev), len_mask, i;

	/* What block/fops.c asks of direct I/O: stacked disks count on it. */
	len_mask = mask | (bdev_logical_block_size(bdev) - 1);
	for (i = 0; i < nr; i++)
		if (req->bv[i].bv_offset & mask || req->bv[i].bv_len & len_mask)
			return true;
	return false;
}

static void vn_bounce_free(struct vn_req *req)
{
	unsigned int i;

	for (i = 0; i < req->nr_bounce; i++)
		__free_page(req->bounce[i].bv_page);
	kfree(req->bounce);
	req->bounce = NULL;
	req->nr_bounce = 0;
}

static bool vn_bounce_alloc(struct vn_req *req)
{
	unsigned int nr = DIV_ROUND_UP(req->len, PAGE_SIZE);
	u32 left = req->len, n;
	struct page *page;

	req->bounce = kmalloc_array(nr, sizeof(*req->bounce),
				    GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!req->bounce)
		return false;
	while (left) {
		page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!page) {
			vn_bounce_free(req);
			return false;
		}
		n = min_t(u32, left, PAGE_SIZE);
		bvec_set_page(&req->bounce[req->nr_bounce++], page, n, 0);
		left -= n;
	}
	return true;
}

/* Where that is too much memory, or there is none, the command is done in steps. */
static noinline void vn_bounce(struct vn_req *req)
{
	atomic_long_t *bytes = &req->sq->ctrl->bounce_bytes;

	vn_add(&req->sq->bounced, 1);
	if (atomic_long_add_return(req->len, bytes) <= VN_MAX_BOUNCE &&
	    vn_bounce_alloc(req))
		return;
	atomic_long_sub(req->len, bytes);
	vn_rw_in_steps(req);
}

/*
 * DMA makes pages dirty behind the page tables' back. That can be recorded
 * only where sleeping is allowed, so it is recorded before, and looked after
 * at the end (as block/bio.c does for direct I/O). Who has a file system in user
 * space can keep a page of it locked: that must not outlive the worker's process.
 */
static bool vn_data_set_dirty(struct vn_req *req)
{
	struct folio *folio;
	unsigned int i;

	for (i = 0; i < req->nr_bv; i++) {
		if (!req->bv[i].bv_page)
			continue;
		folio = page_folio(req->bv[i].bv_page);
		if (folio_test_dirty(folio))
			continue;
		if (folio_lock_killable(folio))
			return false;
		folio_mark_dirty(folio);
		folio_unlock(folio);
	}
	return true;
}

/* See vn_data_dirty(). */
bool vn_data_all_dirty(const struct vn_req *req)
{
	unsigned int i;

	for (i = 0; i < req->nr_bv; i++)
		if (req->bv[i].bv_page &&
		    !folio_test_dirty(page_folio(req->bv[i].bv_page)))
			return false;
	return true;
}

static bool vn_data_has_bucket(const struct vn_req *req)
{
	unsigned int i;

	for (i = 0; i < req->nr_bv; i++)
		if (!req->bv[i].bv_page)
			return true;
	return false;
}

static noinline u16 vn_data_map_all(struct vn_req *req, bool dma)
{
	struct vn_ctrl *ctrl = req->sq->ctrl;
	u16 status;

	if (vn_req_has_sgl(req))
		status = vn_sgl_map(req);
	else
		status = vn_data_add_prps(req);
	/* All of them may be of one page, whose references are not endless. */
	if (unlikely(req->nr_bv > VN_MAX_PAGES) &&
	    atomic_long_add_return(req->nr_bv, &ctrl->scattered) >
	    VN_MAX_SCATTERED && !status)
		status = NVME_SC_INTERNAL;
	if (status)
		return status;
	if (vn_req_is_read(req) && !req->mem && !vn_data_set_dirty(req))
		return NVME_SC_DATA_XFER_ERROR;
	/* Nor does a disk expect a bio of more segments than others make. */
	if (dma && (req->nr_bv > VN_MAX_PAGES || vn_data_has_bucket(req) ||
		    vn_data_needs_bounce(req, req->nr_bv)))
		vn_bounce(req);
	return NVME_SC_SUCCESS;
}

/**
 * vn_data_map - pin the guest memory that a command's data pointer names
 * @req: the command, with its namespace
 * @len: bytes of data, 1 to VN_MAX_TRANSFER
 *
 * Sets @req's len, bv and, if the disk cannot use the guest's memory directly,
 * bounce, or op for a command that is done in steps. Whatever the result,
 * vn_data_unmap() undoes it.
 *
 * Context: the worker; may sleep and fault on guest memory.
 * Return: NVMe status.
 */
u16 vn_data_map(struct vn_req *req, u32 len)
{
	req->len = len;
	req->bv = req->inline_bv;
	if (!req->mem || vn_req_has_sgl(req) || !vn_data_add_page(req))
		return vn_data_map_all(req, true);
	if (unlikely(vn_data_needs_bounce(req, 1)))
		vn_bounce(req);
	return NVME_SC_SUCCESS;
}

/**
 * vn_data_map_cpu - the same for data that no disk will transfer
 * @req: the command, with its namespace
 * @len: bytes of data, 1 to VN_MAX_TRANSFER
 *
 * Context: the worker; may sleep and fault on guest memory.
 * Return: NVMe status.
 */
u16 vn_data_map_cpu(struct vn_req *req, u32 len)
{
	req->len = len;
	req->bv = req->inline_bv;
	return vn_data_map_all(req, false);
}

/**
 * vn_data_sync - copy between bounce buffer and guest memory
 * @req: a command with a bounce buffer
 * @to_guest: the direction
 *
 * Context: any.
 */
void vn_data_sync(struct vn_req *req, bool to_guest)
{
	unsigned int i = 0, j, off = 0, pos, at, n;
	struct bio_vec *bv = req->bv;
	void *guest, *bounce;

	for (j = 0; j < req->nr_bounce; j++) {
		for (pos = 0; pos < req->bounce[j].bv_len; pos += n) {
			at = bv[i].bv_offset + off;
			n = min3(req->bounce[j].bv_len - pos,
				 bv[i].bv_len - off,
				 (unsigned int)(PAGE_SIZE - offset_in_page(at)));
			if (bv[i].bv_page) {
				guest = kmap_local_page(bv[i].bv_page +
							(at >> PAGE_SHIFT)) +
					offset_in_page(at);
				bounce = kmap_local_page(req->bounce[j].bv_page) +
					 pos;
				if (to_guest)
					memcpy(guest, bounce, n);
				else
					memcpy(bounce, guest, n);
				kunmap_local(bounce);
				kunmap_local(guest);
			}
			off += n;
			if (off == bv[i].bv_len) {
				off = 0;
				i++;
			}
		}
	}
}

/* See vn_data_unmap(). */
void vn_data_unmap_all(struct vn_req *req, bool redirty)
{
	struct bio_vec *bv;
	unsigned int i, n;

	if (unlikely(req->nr_bv > VN_MAX_PAGES))
		atomic_long_sub(req->nr_bv, &req->sq->ctrl->scattered);
	for (i = 0; i < req->nr_bv && !req->mem; i++) {
		bv = &req->bv[i];
		if (!bv->bv_page)
			continue;
		n = DIV_ROUND_UP(bv->bv_offset + bv->bv_len, PAGE_SIZE);
		unpin_user_page_range_dirty_lock(bv->bv_page, n, redirty);
	}
	req->nr_bv = 0;
	if (req->bounce) {
		vn_bounce_free(req);
		atomic_long_sub(req->len, &req->sq->ctrl->bounce_bytes);
	}
	if (req->bv != req->inline_bv)
		kfree(req->bv);
	req->bv = NULL;
}
