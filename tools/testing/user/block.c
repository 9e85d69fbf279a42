// SPDX-License-Identifier: GPL-2.0
/*
 * The block layer, and disks that are memory. A disk does a transfer at once, in the
 * context of who submits it, or later, in that of an interrupt; it looks at every
 * segment of it, and whether the module keeps the limits that it was told.
 */
#include <stdio.h>

#include "kernel.h"

/* More segments than this no disk is asked for: 1 MiB, beginning within a page */
#define BLOCK_MAX_SEGMENTS	257

static struct unit_disk {
	struct block_device	bdev;
	struct gendisk		disk;
	u8			*data;
	bool			cached;
	bool			cached_now;
} block_disks[UNIT_DISKS];

#define BLOCK_MAX_SIZE	(2 << 20)

static struct bio *block_slow;

struct block_device *block_disk(unsigned int disk)
{
	return &block_disks[disk].bdev;
}

uint8_t *unit_disk(unsigned int disk)
{
	return block_disks[disk].data;
}

void block_open(void)
{
	struct block_device *bdev;
	struct unit_disk *d;
	unsigned int i;

	for (i = 0; i < UNIT_DISKS; i++) {
		d = &block_disks[i];
		if (!d->data)
			d->data = malloc(BLOCK_MAX_SIZE);
		unit_assert(d->data && unit_config->disk[i].size <= BLOCK_MAX_SIZE,
			    "a disk of %llu bytes",
			    (unsigned long long)unit_config->disk[i].size);
		d->cached = false;
		bdev = &d->bdev;
		memset(bdev, 0, sizeof(*bdev));
		bdev->bd_disk = &d->disk;
		bdev->data = d->data;
		bdev->size = unit_config->disk[i].size;
		bdev->dma_mask = unit_config->disk[i].dma_mask;
		bdev->nowait = unit_config->disk[i].nowait;
		bdev->synchronous = unit_config->disk[i].synchronous;
		bdev->discard = unit_config->disk[i].discard;
		bdev->bd_queue.limits = (struct queue_limits) {
			.max_sectors = unit_config->disk[i].max_sectors,
			.max_segments = unit_config->disk[i].max_segments,
			.physical_block_size = 512,
		};
	}
}

/* What a disk may still have in its cache, since ever or since block_start() */
void block_start(void)
{
	unsigned int i;

	for (i = 0; i < UNIT_DISKS; i++)
		block_disks[i].cached_now = false;
}

bool block_cached(unsigned int disk, bool now)
{
	return now ? block_disks[disk].cached_now : block_disks[disk].cached;
}

static struct unit_disk *block_of(struct block_device *bdev)
{
	return container_of(bdev, struct unit_disk, bdev);
}

static void block_written(struct block_device *bdev, bool fua)
{
	struct unit_disk *d = block_of(bdev);

	if (!fua) {
		d->cached = true;
		d->cached_now = true;
	}
}

static void block_flushed(struct block_device *bdev)
{
	struct unit_disk *d = block_of(bdev);

	d->cached = false;
	d->cached_now = false;
}

static u8 *block_at(struct block_device *bdev, sector_t sector, u64 len)
{
	unit_assert(sector <= bdev->size >> SECTOR_SHIFT &&
		    len <= bdev->size - (sector << SECTOR_SHIFT),
		    "%llu bytes at sector %llu are beyond the disk",
		    (unsigned long long)len, (unsigned long long)sector);
	return bdev->data + (sector << SECTOR_SHIFT);
}

/*
 * bios
 */

void bio_init(struct bio *bio, struct block_device *bdev, struct bio_vec *bv,
	      unsigned short max, blk_opf_t opf)
{
	(void)max;
	memset(bio, 0, sizeof(*bio));
	bio->bi_bdev = bdev;
	bio->bi_io_vec = bv;
	bio->bi_opf = opf;
	bio->remaining = 1;
}

void bio_endio(struct bio *bio)
{
	unit_assert(bio->remaining > 0, "a bio ends that has ended");
	if (!--bio->remaining)
		bio->bi_end_io(bio);
}

static void bio_end_piece(struct bio *piece)
{
	struct bio *parent = piece->bi_private;

	if (piece->bi_status && !parent->bi_status)
		parent->bi_status = piece->bi_status;
	kfree(piece);
	bio_endio(parent);
}

void bio_chain(struct bio *piece, struct bio *parent)
{
	piece->bi_private = parent;
	piece->bi_end_io = bio_end_piece;
	parent->remaining++;
}

/* How many bytes of it, in whole sectors, are within the limits */
static unsigned int bio_fits(const struct bio *bio,
			     const struct queue_limits *lim,
			     unsigned int max_bytes)
{
	struct bvec_iter iter = bio->bi_iter;
	unsigned int segs = 0, bytes = 0, n;
	const struct bio_vec *bv;

	while (iter.bi_size && segs < lim->max_segments && bytes < max_bytes) {
		bv = &bio->bi_io_vec[iter.bi_idx];
		n = min3(iter.bi_size, bv->bv_len - iter.bi_bvec_done,
			 max_bytes - bytes);
		bvec_iter_advance(bio->bi_io_vec, &iter, n);
		bytes += n;
		segs++;
	}
	return bytes & ~511U;
}

int bio_split_rw_at(struct bio *bio, const struct queue_limits *lim,
		    unsigned int *segs, unsigned int max_bytes)
{
	unsigned int bytes = bio_fits(bio, lim, max_bytes);

	unit_assert(!(bio->bi_opf & REQ_NOWAIT), "it would fail, not split");
	*segs = 0;
	if (bytes == bio->bi_iter.bi_size)
		return 0;
	return bytes ? (int)(bytes >> SECTOR_SHIFT) : -EINVAL;
}

struct bio *bio_split(struct bio *bio, int sectors, gfp_t gfp,
		      struct bio_set *set)
{
	unsigned int bytes = (unsigned int)sectors << SECTOR_SHIFT;
	struct bio *piece;

	(void)set;
	unit_assert(sectors > 0 && bytes < bio->bi_iter.bi_size,
		    "a split behind %d sectors", sectors);
	piece = kmalloc(sizeof(*piece), gfp);
	if (!piece)
		return NULL;
	*piece = *bio;
	piece->bi_iter.bi_size = bytes;
	piece->remaining = 1;
	bvec_iter_advance(bio->bi_io_vec, &bio->bi_iter, bytes);
	bio->bi_iter.bi_sector += sectors;
	return piece;
}

/* The disk's own access to memory */
static void block_segment(struct bio *bio, const struct bio_vec *bv, u8 *data)
{
	bool read = (bio->bi_opf & REQ_OP_MASK) == REQ_OP_READ;
	struct page *page = bv->bv_page;
	u8 *p;

	unit_assert(page, "a segment without page");
	p = (u8 *)kmap_local_page(page) + bv->bv_offset;
	if (read) {
		unit_assert(page->kind == PAGE_KERNEL || page->write_pins,
			    "a disk writes to a page that was pinned for reading");
		/* The page was written out, and is clean, for a moment. */
		if (unit_one_in(16))
			page_folio(page)->page.dirty = false;
		page->written = page->kind == PAGE_GUEST;
		memcpy(p, data, bv->bv_len);
	} else {
		memcpy(data, p, bv->bv_len);
	}
	kunmap_local(p);
}

static void block_transfer(struct bio *bio)
{
	unsigned int op = bio->bi_opf & REQ_OP_MASK;
	struct bvec_iter iter = bio->bi_iter;
	struct bio_vec bv;
	u8 *data;

	data = block_at(bio->bi_bdev, iter.bi_sector, iter.bi_size);
	if (bio->bi_opf & REQ_PREFLUSH)
		block_flushed(bio->bi_bdev);
	while (iter.bi_size) {
		bv = bvec_iter_bvec(bio->bi_io_vec, iter);
		block_segment(bio, &bv, data);
		data += bv.bv_len;
		bvec_iter_advance(bio->bi_io_vec, &iter, bv.bv_len);
	}
	if (op == REQ_OP_WRITE && bio->bi_iter.bi_size)
		block_written(bio->bi_bdev, bio->bi_opf & REQ_FUA);
}

static blk_status_t block_error(void)
{
	static const blk_status_t error[] = {
		BLK_STS_NOSPC, BLK_STS_TARGET, BLK_STS_RESV_CONFLICT,
		BLK_STS_MEDIUM, BLK_STS_PROTECTION, BLK_STS_RESOURCE,
		BLK_STS_IOERR, BLK_STS_AGAIN, BLK_STS_INVAL, BLK_STS_NOTSUPP,
	};

	return error[unit_random() % ARRAY_SIZE(error)];
}

static void block_do(struct bio *bio)
{
	if (unit_fault())
		bio->bi_status = block_error();
	else
		block_transfer(bio);
	bio_endio(bio);
}

/* What the block layer expects of everybody */
static void block_check(const struct bio *bio)
{
	struct block_device *bdev = bio->bi_bdev;
	unsigned int i, mask = bdev_dma_alignment(bdev), left;
	const struct bio_vec *bv;

	unit_assert(!(bio->bi_iter.bi_size & 511), "%u bytes are no sectors",
		    bio->bi_iter.bi_size);
	unit_assert(bio->bi_vcnt <= BLOCK_MAX_SEGMENTS, "a bio of %u segments",
		    bio->bi_vcnt);
	left = bio->bi_iter.bi_size;
	if (left)
		left += bio->bi_iter.bi_bvec_done;
	for (i = bio->bi_iter.bi_idx; left; i++) {
		unit_assert(i < bio->bi_vcnt, "segments are shorter than the bio");
		bv = &bio->bi_io_vec[i];
		unit_assert(!(bv->bv_offset & mask) &&
			    !(bv->bv_len & (mask | 511)),
			    "a segment of %u bytes at %#x is not aligned",
			    bv->bv_len, bv->bv_offset);
		left -= min(left, bv->bv_len);
	}
	if (bio->bi_opf & REQ_NOWAIT && bio->bi_iter.bi_size)
		unit_assert(bio_fits(bio, &bdev->bd_queue.limits,
				     bdev->bd_queue.limits.max_sectors <<
				     SECTOR_SHIFT) == bio->bi_iter.bi_size,
			    "a bio that must not wait is too large");
}

void submit_bio(struct bio *bio)
{
	unit_assert(bio->bi_opf & REQ_NOWAIT || unit_context != UNIT_WORKER ||
		    bio->bi_bdev->synchronous, "the worker waits for a disk");
	block_check(bio);
	if (bio->bi_opf & REQ_NOWAIT && unit_one_in(16)) {
		bio->bi_status = BLK_STS_AGAIN;
		bio_endio(bio);
	} else if (unit_one_in(2)) {
		block_do(bio);
	} else {
		bio->next = block_slow;
		block_slow = bio;
	}
}

/* In the context of an interrupt: what the disk was slow with, if there is any */
bool block_run(void)
{
	struct bio *bio;
	bool any = block_slow;

	while (block_slow) {
		bio = block_slow;
		block_slow = bio->next;
		unit_context = UNIT_IRQ;
		block_do(bio);
		unit_context = UNIT_OUTSIDE;
	}
	return any;
}

#define block_may_wait() \
	unit_assert(unit_context == UNIT_WORK, "%s() where nobody may wait", \
		    __func__)

static int block_errno(void)
{
	return unit_fault() ? -EIO : 0;
}

int submit_bio_wait(struct bio *bio)
{
	block_may_wait();
	block_check(bio);
	if (block_errno())
		return -EIO;
	block_transfer(bio);
	return 0;
}

int blkdev_issue_flush(struct block_device *bdev)
{
	block_may_wait();
	if (block_errno())
		return -EIO;
	block_flushed(bdev);
	return 0;
}

int blkdev_issue_zeroout(struct block_device *bdev, sector_t sector, sector_t nr,
			 gfp_t gfp, unsigned int flags)
{
	(void)gfp;
	(void)flags;
	block_may_wait();
	if (block_errno())
		return -EIO;
	memset(block_at(bdev, sector, nr << SECTOR_SHIFT), 0, nr << SECTOR_SHIFT);
	block_written(bdev, false);
	return 0;
}

int blkdev_issue_discard(struct block_device *bdev, sector_t sector, sector_t nr,
			 gfp_t gfp)
{
	u8 *p = block_at(bdev, sector, nr << SECTOR_SHIFT);

	(void)gfp;
	block_may_wait();
	if (!bdev->discard)
		return -EOPNOTSUPP;
	if (block_errno())
		return -EIO;
	memset(p, 0, nr << SECTOR_SHIFT);
	block_written(bdev, false);
	return 0;
}

blk_status_t errno_to_blk_status(int err)
{
	switch (err) {
	case 0:
		return BLK_STS_OK;
	case -EOPNOTSUPP:
		return BLK_STS_NOTSUPP;
	default:
		return BLK_STS_IOERR;
	}
}
