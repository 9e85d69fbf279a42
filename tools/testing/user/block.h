/* SPDX-License-Identifier: GPL-2.0 */
/* The block layer, as far as the module knows it, with disks that are memory */
#ifndef USER_BLOCK_H
#define USER_BLOCK_H

#define SECTOR_SHIFT	9

enum {
	REQ_OP_READ	= 0,
	REQ_OP_WRITE	= 1,
	REQ_OP_MASK	= 0xff,
	REQ_SYNC	= 1 << 11,
	REQ_IDLE	= 1 << 12,
	REQ_FUA		= 1 << 13,
	REQ_PREFLUSH	= 1 << 14,
	REQ_NOWAIT	= 1 << 15,
};

enum {
	BLK_STS_OK,
	BLK_STS_NOTSUPP,
	BLK_STS_NOSPC,
	BLK_STS_TARGET,
	BLK_STS_RESV_CONFLICT,
	BLK_STS_MEDIUM,
	BLK_STS_PROTECTION,
	BLK_STS_RESOURCE,
	BLK_STS_IOERR,
	BLK_STS_AGAIN,
	BLK_STS_INVAL,
};

#define GD_DEAD			0
#define BLKDEV_ZERO_NOUNMAP	1

struct gendisk {
	unsigned long	state;
};

struct queue_limits {
	unsigned int	max_sectors;
	unsigned int	max_segments;
	unsigned int	chunk_sectors;
	unsigned int	physical_block_size;
};

struct request_queue {
	struct queue_limits	limits;
};

/**
 * struct block_device - a disk
 * @bd_disk: its state
 * @bd_start_sect: it is no partition
 * @bd_queue: its limits
 * @dma_mask: of addresses that its DMA cannot have
 * @nowait: it takes REQ_NOWAIT
 * @synchronous: submitting never waits
 * @discard: what is discarded reads as zeroes; else discarding is not supported
 * @data: its blocks
 * @size: bytes
 */
struct block_device {
	struct gendisk		*bd_disk;
	sector_t		bd_start_sect;
	struct request_queue	bd_queue;
	unsigned int		dma_mask;
	bool			nowait;
	bool			synchronous;
	bool			discard;
	u8			*data;
	u64			size;
};

#define bdev_get_queue(bdev)		(&(bdev)->bd_queue)
#define bdev_dma_alignment(bdev)	((bdev)->dma_mask)
#define bdev_logical_block_size(bdev)	((void)(bdev), 512U)
#define bdev_nowait(bdev)		((bdev)->nowait)
#define bdev_synchronous(bdev)		((bdev)->synchronous)

struct bio_vec {
	struct page	*bv_page;
	unsigned int	bv_len;
	unsigned int	bv_offset;
};

struct bvec_iter {
	sector_t	bi_sector;
	unsigned int	bi_size;
	unsigned int	bi_idx;
	unsigned int	bi_bvec_done;
};

/**
 * struct bio - a transfer
 *
 * The kernel's members, and:
 * @remaining: pieces that have not ended, and itself
 * @next: the next one that the disk is slow with
 */
struct bio {
	struct block_device	*bi_bdev;
	blk_opf_t		bi_opf;
	blk_status_t		bi_status;
	struct bvec_iter	bi_iter;
	struct bio_vec		*bi_io_vec;
	unsigned short		bi_vcnt;
	void			*bi_private;
	void			(*bi_end_io)(struct bio *bio);
	int			remaining;
	struct bio		*next;
};

struct bio_set {
	int	nothing;
};

static inline void bvec_set_page(struct bio_vec *bv, struct page *page,
				 unsigned int len, unsigned int off)
{
	bv->bv_page = page;
	bv->bv_len = len;
	bv->bv_offset = off;
}

static inline void bvec_iter_advance(const struct bio_vec *bv,
				     struct bvec_iter *iter, unsigned int n)
{
	unit_assert(n <= iter->bi_size, "beyond the end of an iterator");
	iter->bi_size -= n;
	n += iter->bi_bvec_done;
	while (n && n >= bv[iter->bi_idx].bv_len) {
		n -= bv[iter->bi_idx].bv_len;
		iter->bi_idx++;
	}
	iter->bi_bvec_done = n;
}

/* What is left of the present segment, up to the end of a page */
static inline struct bio_vec bvec_iter_bvec(const struct bio_vec *bv,
					    struct bvec_iter iter)
{
	const struct bio_vec *b = &bv[iter.bi_idx];
	unsigned int at = b->bv_offset + iter.bi_bvec_done;
	struct bio_vec one = {
		/* In numbers, since the page of a bit bucket is NULL */
		.bv_page = (struct page *)((uintptr_t)b->bv_page +
					   (at >> PAGE_SHIFT) * sizeof(struct page)),
		.bv_offset = offset_in_page(at),
	};

	one.bv_len = min3(iter.bi_size, b->bv_len - iter.bi_bvec_done,
			  (unsigned int)PAGE_SIZE - one.bv_offset);
	return one;
}

#define bvec_kmap_local(bv) \
	((char *)kmap_local_page((bv)->bv_page) + (bv)->bv_offset)

static inline unsigned int blk_boundary_sectors_left(sector_t start,
						     unsigned int chunk)
{
	return chunk - (start & (chunk - 1));
}

void bio_init(struct bio *bio, struct block_device *bdev, struct bio_vec *bv,
	      unsigned short max, blk_opf_t opf);
#define bio_uninit(bio)		((void)(bio))
int bio_split_rw_at(struct bio *bio, const struct queue_limits *lim,
		    unsigned int *segs, unsigned int max_bytes);
struct bio *bio_split(struct bio *bio, int sectors, gfp_t gfp,
		      struct bio_set *set);
void bio_chain(struct bio *piece, struct bio *parent);
void bio_endio(struct bio *bio);
void submit_bio(struct bio *bio);
int submit_bio_wait(struct bio *bio);
int blkdev_issue_flush(struct block_device *bdev);
int blkdev_issue_zeroout(struct block_device *bdev, sector_t sector, sector_t nr,
			 gfp_t gfp, unsigned int flags);
int blkdev_issue_discard(struct block_device *bdev, sector_t sector, sector_t nr,
			 gfp_t gfp);
blk_status_t errno_to_blk_status(int err);

#endif /* USER_BLOCK_H */
