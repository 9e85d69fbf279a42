// SPDX-License-Identifier: GPL-2.0
/*
 * Commands by chance. Most are built to be good, with data pointers of every shape,
 * and every few of them then gets a mistake somewhere.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

struct fuzz_window gen_window_all(void)
{
	struct fuzz_window w = {
		.data = { FUZZ_DATA, FUZZ_NEAR + FUZZ_NEAR_SIZE },
		.lists = { FUZZ_LISTS, FUZZ_LISTS + FUZZ_LISTS_SIZE },
		.near = true,
	};
	unsigned int i;

	for (i = 0; i < FUZZ_DISKS; i++)
		w.disk[i][1] = FUZZ_DISK_SIZE;
	return w;
}

static void gen_slice(uint64_t range[2], uint64_t base, uint64_t size,
		      unsigned int slot)
{
	range[0] = base + size / FUZZ_SLOTS * slot;
	range[1] = range[0] + size / FUZZ_SLOTS;
}

struct fuzz_window gen_window_slot(unsigned int slot)
{
	struct fuzz_window w = { .near = false };
	unsigned int i;

	gen_slice(w.data, FUZZ_DATA, FUZZ_DATA_SIZE, slot);
	gen_slice(w.lists, FUZZ_LISTS, FUZZ_LISTS_SIZE, slot);
	for (i = 0; i < FUZZ_DISKS; i++)
		gen_slice(w.disk[i], 0, FUZZ_DISK_SIZE, slot);
	return w;
}

/* Somewhere in a range, aligned, with room for @len if the range has it */
static uint64_t gen_in(struct rng *r, const uint64_t range[2], uint64_t align,
		       uint64_t len)
{
	uint64_t room = range[1] - range[0];

	room = len < room ? room - len : 0;
	return range[0] + rng_below(r, room / align + 1) * align;
}

static void gen_put(struct fuzz *f, uint64_t gpa, uint64_t value)
{
	value = htole64(value);
	model_write(f, gpa, &value, sizeof(value));
}

/* Pages of a buffer: in a row, here and there, or some of each */
static void gen_pages(struct fuzz *f, const struct fuzz_window *w,
		      uint64_t *page, unsigned int nr)
{
	uint64_t size = 1ULL << f->g.page_shift;
	unsigned int jump = 1 + rng_below(&f->rng, 8), i;

	for (i = 0; i < nr; i++) {
		if (i && !rng_one_in(&f->rng, jump) &&
		    page[i - 1] + 2 * size <= w->data[1])
			page[i] = page[i - 1] + size;
		else
			page[i] = gen_in(&f->rng, w->data, size, size);
	}
	if (jump == 1 && nr * size <= w->data[1] - w->data[0]) {
		page[0] = gen_in(&f->rng, w->data, size, nr * size);
		for (i = 1; i < nr; i++)
			page[i] = page[i - 1] + size;
	}
}

/*
 * A list of @nr entries that begins anywhere in a page of the window and goes on in
 * others. Returns false if they do not suffice.
 */
static bool gen_list(struct fuzz *f, const struct fuzz_window *w,
		     const uint64_t *page, unsigned int nr, uint64_t *list)
{
	uint64_t size = 1ULL << f->g.page_shift, at, next;
	uint64_t per_page = size / 8, slot = 0;
	uint64_t used = w->lists[0], end = w->lists[1];

	if (end - used < size)
		return false;
	if (rng_one_in(&f->rng, 2))
		slot = per_page - 1 - rng_below(&f->rng, nr < per_page ? nr :
							 per_page);
	/* No second page to go on in */
	if (end - used < 2 * size && per_page - slot < nr)
		slot = 0;
	at = used + slot * 8;
	used += size;
	*list = at;
	while (nr) {
		if ((at & (size - 1)) == size - 8 && nr > 1) {
			if (used == end)
				return false;
			next = used;
			used += size;
			gen_put(f, at, next);
			at = next;
		}
		gen_put(f, at, *page++);
		at += 8;
		nr--;
	}
	return true;
}

static bool gen_prps(struct fuzz *f, const struct fuzz_window *w,
		     struct vng_sqe *sqe, uint32_t len)
{
	uint64_t size = 1ULL << f->g.page_shift, list = 0;
	uint32_t offset = 0;
	uint64_t *page;
	unsigned int nr;
	bool ok = true;

	switch (rng_below(&f->rng, 4)) {
	case 0:
		offset = rng_below(&f->rng, size / 4) * 4;
		break;
	case 1:
		offset = rng_below(&f->rng, size / 512) * 512;
		break;
	}
	nr = (offset + (uint64_t)len + size - 1) >> f->g.page_shift;
	page = calloc(nr, sizeof(*page));
	if (!page)
		return false;
	gen_pages(f, w, page, nr);
	sqe->prp1 = htole64(page[0] + offset);
	if (nr == 2)
		sqe->prp2 = htole64(page[1]);
	else if (nr > 2)
		ok = gen_list(f, w, page + 1, nr - 1, &list);
	else if (rng_one_in(&f->rng, 4))
		/* Nobody looks at it. */
		sqe->prp2 = htole64(rng_next(&f->rng));
	if (nr > 2)
		sqe->prp2 = htole64(list);
	free(page);
	return ok;
}

#define GEN_DESCS	400

/* Descriptors for @len bytes */
static unsigned int gen_descs(struct fuzz *f, const struct fuzz_window *w,
			      struct vng_sgl *desc, uint32_t len, bool read)
{
	unsigned int nr = 0, most = 1 + rng_below(&f->rng, 64);
	unsigned int unit = 1 << rng_below(&f->rng, 13);
	uint64_t room = w->data[1] - w->data[0];
	uint32_t n;

	if (rng_one_in(&f->rng, 8))
		most = GEN_DESCS / 2;
	while (len) {
		if (rng_one_in(&f->rng, 16) && nr < GEN_DESCS - 4)
			vng_sgl_set(desc, nr++, VNG_SGL_DATA,
				    rng_next(&f->rng), 0);
		n = len;
		if (nr < most && n > unit)
			n = unit * (1 + rng_below(&f->rng, n / unit));
		if (read && rng_one_in(&f->rng, 6)) {
			vng_sgl_set(desc, nr++, VNG_SGL_BIT_BUCKET,
				    rng_next(&f->rng), n);
		} else {
			if (n > room)
				n = room;
			vng_sgl_set(desc, nr++, VNG_SGL_DATA,
				    gen_in(&f->rng, w->data,
					   rng_one_in(&f->rng, 2) ? 1 : unit, n),
				    n);
		}
		len -= n;
		if (!read && rng_one_in(&f->rng, 16) && nr < GEN_DESCS - 4)
			vng_sgl_set(desc, nr++, VNG_SGL_BIT_BUCKET, 0,
				    rng_next(&f->rng));
		if (nr >= GEN_DESCS - 8)
			break;
	}
	if (!len && rng_one_in(&f->rng, 8))
		vng_sgl_set(desc, nr++, VNG_SGL_DATA, rng_next(&f->rng), 0);
	return nr;
}

/* The descriptors in up to four segments; how the first one is to be found */
static void gen_segments(struct fuzz *f, const struct fuzz_window *w,
			 struct vng_sqe *sqe, const struct vng_sgl *desc,
			 unsigned int nr)
{
	unsigned int segments = 1 + rng_below(&f->rng, 4), n;
	uint64_t at = w->lists[0] + rng_below(&f->rng, 512) * 8, link = 0, next;
	struct vng_sgl sgl;
	uint8_t type;

	while (nr) {
		n = segments > 1 ? 1 + rng_below(&f->rng, nr) : nr;
		/* A segment that is not called the last may be it as well. */
		type = n == nr && !rng_one_in(&f->rng, 4) ?
		       VNG_SGL_LAST_SEGMENT : VNG_SGL_SEGMENT;
		next = at + n * sizeof(*desc);
		/* All but the last have one more descriptor, which leads on. */
		vng_sgl_set(&sgl, 0, type, at, (n + (n < nr)) * sizeof(sgl));
		if (link)
			model_write(f, link, &sgl, sizeof(sgl));
		else
			vng_sgl_use(sqe, type, at, le32toh(sgl.len));
		model_write(f, at, desc, n * sizeof(*desc));
		link = next;
		at = next + sizeof(sgl) + rng_below(&f->rng, 64) * 8;
		desc += n;
		nr -= n;
		segments--;
	}
}

static void gen_sgl(struct fuzz *f, const struct fuzz_window *w,
		    struct vng_sqe *sqe, uint32_t len)
{
	struct vng_sgl desc[GEN_DESCS];
	bool read = sqe->opcode == VNG_CMD_READ;
	unsigned int nr = gen_descs(f, w, desc, len, read);

	if (nr == 1 && rng_one_in(&f->rng, 2)) {
		sqe->flags |= VNG_PSDT_SGL;
		memcpy(&sqe->prp1, desc, sizeof(desc[0]));
	} else {
		gen_segments(f, w, sqe, desc, nr);
	}
	if (rng_one_in(&f->rng, 8))
		sqe->flags ^= VNG_PSDT_SGL | VNG_PSDT_SGL_META;
}

static bool gen_dptr(struct fuzz *f, const struct fuzz_window *w,
		     struct vng_sqe *sqe, uint32_t len)
{
	if (!rng_below(&f->rng, 5) || rng_below(&f->rng, 2))
		return gen_prps(f, w, sqe, len);
	gen_sgl(f, w, sqe, len);
	return true;
}

/* Spread bytes over the memory that the command's data pointer leads to. */
static void gen_scatter(struct fuzz *f, const struct fuzz_window *w,
			const struct vng_sqe *sqe, const uint8_t *p,
			uint32_t len, struct fuzz_outcome *o)
{
	unsigned int i;

	o->nr_errors = 0;
	o->outside = false;
	model_walk(f, w, sqe, len, o);
	for (i = 0; i < o->nr_pieces && !o->nr_errors && !o->outside; i++) {
		if (!o->piece[i].bucket)
			model_write(f, o->piece[i].gpa, p, o->piece[i].len);
		p += o->piece[i].len;
	}
}

/* A number of blocks: mostly few, sometimes as many as can be, or more */
static uint32_t gen_nlb(struct fuzz *f, const struct fuzz_ns *ns)
{
	uint32_t most = f->max_transfer >> ns->shift;

	switch (rng_below(&f->rng, 16)) {
	case 0:
		return 1 + rng_below(&f->rng, 65536);
	case 1:
		return most + rng_below(&f->rng, 3) - (most > 1);
	case 2:
	case 3:
		return 1 + rng_below(&f->rng, most);
	case 4:
	case 5:
	case 6:
	case 7:
		return 1 + rng_below(&f->rng, 64);
	default:
		return 1 + rng_below(&f->rng, 8);
	}
}

/* Where they begin: in the window, at its borders or the namespace's, or anywhere */
static uint64_t gen_slba(struct fuzz *f, const struct fuzz_window *w,
			 const struct fuzz_ns *ns, uint64_t nlb)
{
	uint64_t blocks[2] = {
		w->disk[ns->disk][0] >> ns->shift,
		w->disk[ns->disk][1] >> ns->shift,
	};

	if (blocks[1] > ns->nlb)
		blocks[1] = ns->nlb;
	if (blocks[0] > blocks[1])
		blocks[0] = blocks[1];
	switch (rng_below(&f->rng, 24)) {
	case 0:
		return ns->nlb - nlb + rng_below(&f->rng, 4) - 1;
	case 1:
		return ns->nlb + rng_below(&f->rng, 4) - 2;
	case 2:
		return rng_sized(&f->rng);
	case 3:
		return (1ULL << 32) + rng_below(&f->rng, 8) - 4;
	case 4:
		return 0 - rng_below(&f->rng, 2 * nlb + 1);
	case 5:
		return blocks[0];
	case 6:
		return nlb < blocks[1] ? blocks[1] - nlb : 0;
	default:
		return gen_in(&f->rng, blocks, 1, nlb);
	}
}

static uint32_t gen_nsid(struct fuzz *f)
{
	static const uint32_t odd[] = {
		0, FUZZ_NS + 1, 255, 256, 257, 0x10001, UINT32_MAX,
		UINT32_MAX - 1, 0x80000001,
	};

	if (rng_one_in(&f->rng, 24))
		return odd[rng_below(&f->rng, sizeof(odd) / sizeof(odd[0]))];
	return 1 + rng_below(&f->rng, FUZZ_NS);
}

static uint8_t gen_opcode(struct fuzz *f)
{
	static const uint8_t op[] = {
		VNG_CMD_WRITE, VNG_CMD_WRITE, VNG_CMD_WRITE, VNG_CMD_WRITE,
		VNG_CMD_READ, VNG_CMD_READ, VNG_CMD_READ, VNG_CMD_READ,
		VNG_CMD_COMPARE, VNG_CMD_COMPARE, VNG_CMD_COPY, VNG_CMD_COPY,
		VNG_CMD_DSM, VNG_CMD_WRITE_ZEROES, VNG_CMD_VERIFY,
		VNG_CMD_FLUSH,
	};

	if (rng_one_in(&f->rng, 50))
		return rng_next(&f->rng);
	return op[rng_below(&f->rng, sizeof(op))];
}

static void gen_dsm_ranges(struct fuzz *f, const struct fuzz_window *w,
			   const struct fuzz_ns *ns, uint8_t *params,
			   unsigned int nr)
{
	struct vng_dsm_range *range = (void *)params;
	uint64_t nlb;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		nlb = rng_below(&f->rng, 40);
		range[i] = (struct vng_dsm_range) {
			.attributes = htole32(rng_next(&f->rng)),
			.nlb = htole32(nlb),
			.slba = htole64(gen_in(&f->rng, w->disk[ns->disk],
					       1ULL << ns->shift,
					       nlb << ns->shift) >> ns->shift),
		};
		/* Many ranges are good more often if few of them are not. */
		if (rng_below(&f->rng, 10 * nr) < 2)
			range[i].slba = htole64(gen_slba(f, w, ns, nlb));
		if (rng_one_in(&f->rng, 20 * nr))
			range[i].nlb = htole32(rng_sized(&f->rng));
	}
}

/* Blocks of a range: few, at the limit, or anything below */
static uint64_t gen_copy_nlb(struct fuzz *f, const struct fuzz_ns *ns)
{
	switch (rng_below(&f->rng, 16)) {
	case 0:
		return ns->mssrl + rng_below(&f->rng, 2) + !ns->mssrl;
	case 1:
		return 1 + rng_below(&f->rng, ns->mssrl + 1);
	default:
		return 1 + rng_below(&f->rng, 12);
	}
}

/* The namespace of a range: mostly one with blocks of the same size */
static uint32_t gen_source(struct fuzz *f, const struct fuzz_ns *ns)
{
	uint32_t nsid;

	do
		nsid = gen_nsid(f);
	while (nsid - 1 < FUZZ_NS && f->ns[nsid - 1].shift != ns->shift &&
	       !rng_one_in(&f->rng, 40));
	return nsid;
}

static void gen_copy_ranges(struct fuzz *f, const struct fuzz_window *w,
			    const struct fuzz_ns *dest, uint8_t *params,
			    unsigned int nr, bool across)
{
	struct vng_copy_range *range = (void *)params;
	const struct fuzz_ns *ns = dest;
	uint64_t nlb;
	uint32_t nsid = rng_next(&f->rng);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		/* Many ranges of many namespaces are seldom all good. */
		if (across && (!i || rng_one_in(&f->rng, 4))) {
			nsid = gen_source(f, dest);
			ns = model_ns(f, nsid) ?: dest;
		}
		nlb = gen_copy_nlb(f, ns);
		range[i] = (struct vng_copy_range) {
			.snsid = htole32(nsid),
			.reserved4 = rng_next(&f->rng),
			.slba = htole64(gen_in(&f->rng, w->disk[ns->disk],
					       1ULL << ns->shift,
					       nlb << ns->shift) >> ns->shift),
			.nlb = htole16(nlb - 1),
		};
		if (rng_below(&f->rng, 10 * nr) < 2)
			range[i].slba = htole64(gen_slba(f, w, ns, nlb));
		if (rng_one_in(&f->rng, 40 * nr))
			range[i].nlb = htole16(rng_next(&f->rng));
	}
}

/* One range that is copied in many steps, and overlaps where it goes */
static void gen_copy_overlap(struct fuzz *f, const struct fuzz_ns *ns,
			     struct vng_sqe *sqe, uint8_t *params, bool across)
{
	struct vng_copy_range *range = (void *)params;
	uint64_t nlb = 1 + rng_below(&f->rng, ns->mssrl + 1), from, to;

	if (rng_one_in(&f->rng, 4))
		nlb = gen_copy_nlb(f, ns);
	from = rng_below(&f->rng, ns->nlb);
	to = from + rng_below(&f->rng, nlb) - rng_below(&f->rng, nlb);
	/* The last namespace is blocks of the first. */
	*range = (struct vng_copy_range) {
		.snsid = htole32(across && !rng_one_in(&f->rng, 8) ?
				 FUZZ_NS : 1),
		.slba = htole64(from),
		.nlb = htole16(nlb - 1),
	};
	sqe->cdw10 = htole32(to);
	sqe->cdw11 = htole32(to >> 32);
}

static unsigned int gen_nr_ranges(struct fuzz *f)
{
	return 1 + rng_below(&f->rng, rng_one_in(&f->rng, 8) ? 256 : 12);
}

/* A command as it should be; false if the window has no room for its lists. */
static bool gen_good(struct fuzz *f, const struct fuzz_window *w,
		     struct vng_sqe *sqe, struct fuzz_outcome *o)
{
	uint32_t nsid = gen_nsid(f), nlb, len, i;
	const struct fuzz_ns *ns = model_ns(f, nsid) ?: &f->ns[0];
	uint8_t opcode = gen_opcode(f), *p;
	bool overlap = false, across = false, ok;
	struct rng data;

	nlb = gen_nlb(f, ns);
	vng_cmd_rw(sqe, opcode, nsid, gen_slba(f, w, ns, nlb), nlb);
	sqe->cdw2 = rng_next(&f->rng);
	sqe->cdw3 = rng_next(&f->rng);
	sqe->cdw14 = rng_next(&f->rng);
	sqe->cdw15 = rng_next(&f->rng);
	if (rng_one_in(&f->rng, 8))
		sqe->cdw12 |= htole32(VNG_RW_FUA);
	if (rng_one_in(&f->rng, 8))
		sqe->cdw12 |= htole32(VNG_RW_LR);
	switch (opcode) {
	case VNG_CMD_READ:
	case VNG_CMD_WRITE:
	case VNG_CMD_COMPARE:
		len = nlb << ns->shift;
		/* Beyond what can be, there is nothing to point to. */
		if (len > 2 * f->max_transfer)
			len = f->max_transfer;
		if (!gen_dptr(f, w, sqe, len))
			return false;
		p = malloc(len);
		if (!p)
			return false;
		if (opcode == VNG_CMD_COMPARE && !rng_one_in(&f->rng, 4)) {
			uint64_t slba = le32toh(sqe->cdw10);

			if (slba << ns->shift < FUZZ_DISK_SIZE &&
			    len <= FUZZ_DISK_SIZE - (slba << ns->shift))
				memcpy(p, f->disk[ns->disk].model +
					  (slba << ns->shift), len);
			if (rng_one_in(&f->rng, 4))
				p[rng_below(&f->rng, len)] ^= 0x10;
			gen_scatter(f, w, sqe, p, len, o);
		} else if (opcode != VNG_CMD_READ) {
			/* One number for all, which leaves more to decisions. */
			data = (struct rng){ .state = rng_next(&f->rng) };
			for (i = 0; i < len; i++)
				p[i] = i & 7 ? p[i - 1] + 29U : rng_next(&data);
			gen_scatter(f, w, sqe, p, len, o);
		}
		free(p);
		return true;
	case VNG_CMD_DSM:
		nlb = gen_nr_ranges(f);
		sqe->cdw10 = htole32((nlb - 1) | (rng_one_in(&f->rng, 4) << 8));
		sqe->cdw11 = htole32(rng_one_in(&f->rng, 4) ? rng_next(&f->rng) :
				     VNG_DSM_AD);
		len = nlb * sizeof(struct vng_dsm_range);
		break;
	case VNG_CMD_COPY:
		overlap = ns == &f->ns[0] && rng_one_in(&f->rng, 2);
		nlb = overlap ? 1 : gen_nr_ranges(f);
		sqe->cdw12 &= htole32(VNG_RW_FUA | VNG_RW_LR);
		sqe->cdw12 |= htole32(nlb - 1);
		across = rng_below(&f->rng, 2);
		if (across)
			sqe->cdw12 |= htole32(VNG_COPY_FORMAT(2));
		if (rng_one_in(&f->rng, 32))
			sqe->cdw12 ^= htole32(VNG_COPY_FORMAT(
					      rng_below(&f->rng, 16)));
		len = nlb * sizeof(struct vng_copy_range);
		break;
	default:
		return true;
	}
	p = calloc(1, len);
	if (!p)
		return false;
	if (opcode == VNG_CMD_DSM)
		gen_dsm_ranges(f, w, ns, p, nlb);
	else if (overlap)
		gen_copy_overlap(f, ns, sqe, p, across);
	else
		gen_copy_ranges(f, w, ns, p, nlb, across);
	ok = gen_dptr(f, w, sqe, len);
	if (ok)
		gen_scatter(f, w, sqe, p, len, o);
	free(p);
	return ok;
}

/* Addresses at which something might go wrong */
static uint64_t gen_address(struct fuzz *f)
{
	static const uint64_t odd[] = {
		0, FUZZ_DATA, FUZZ_NEAR, FUZZ_NEAR + FUZZ_NEAR_SIZE,
		FUZZ_LISTS, FUZZ_LISTS + FUZZ_LISTS_SIZE, FUZZ_NOWHERE,
		1ULL << 32, 1ULL << 63, UINT64_MAX - 4095,
	};
	uint64_t gpa = odd[rng_below(&f->rng, sizeof(odd) / sizeof(odd[0]))];

	switch (rng_below(&f->rng, 4)) {
	case 0:
		return gpa;
	case 1:
		return gpa + rng_below(&f->rng, 8192) - 4096;
	case 2:
		return gpa - 4096;
	default:
		return rng_sized(&f->rng);
	}
}

/* One mistake, in the command or in what it leads to */
static void gen_mistake(struct fuzz *f, const struct fuzz_window *w,
			struct vng_sqe *sqe)
{
	uint8_t *p = (uint8_t *)sqe;
	uint64_t at, gpa;
	unsigned int i;
	uint32_t dw;

	switch (rng_below(&f->rng, 8)) {
	case 0:
		/* Any bit but the command identifier's */
		i = rng_below(&f->rng, 64 - 2);
		p[i < 2 ? i : i + 2] ^= 1 << rng_below(&f->rng, 8);
		break;
	case 1:
		i = 1 + rng_below(&f->rng, 15);
		dw = htole32(rng_sized(&f->rng));
		memcpy(p + 4 * i, &dw, sizeof(dw));
		break;
	case 2:
		sqe->prp1 = htole64(gen_address(f));
		break;
	case 3:
		sqe->prp2 = htole64(gen_address(f));
		break;
	case 4:
		sqe->flags = rng_next(&f->rng);
		break;
	default:
		/* A list entry, or a half of a descriptor of a segment */
		at = sqe->flags & 0xc0 ? le64toh(sqe->prp1) :
					 le64toh(sqe->prp2);
		at &= ~7ULL;
		at += 8 * rng_below(&f->rng, 1 + rng_below(&f->rng, 64));
		if (at < w->lists[0] || at >= w->lists[1])
			break;
		gpa = gen_address(f);
		if (rng_one_in(&f->rng, 2)) {
			uint64_t run;

			memcpy(&gpa, model_ptr(f, at, &run), sizeof(gpa));
			gpa = le64toh(gpa) ^ 1ULL << rng_below(&f->rng, 64);
		}
		gen_put(f, at, gpa);
	}
}

void gen_command(struct fuzz *f, const struct fuzz_window *w,
		 struct vng_sqe *sqe, struct fuzz_outcome *o)
{
	unsigned int tries;

	for (tries = 0; tries < 20; tries++) {
		if (!gen_good(f, w, sqe, o))
			continue;
		if (rng_one_in(&f->rng, 5) && tries < 10)
			gen_mistake(f, w, sqe);
		model_predict(f, w, sqe, o);
		if (!o->outside)
			return;
	}
	vng_cmd_flush(sqe, 1);
	model_predict(f, w, sqe, o);
}
