// SPDX-License-Identifier: GPL-2.0
/*
 * What a command may and must do, from the specifications (NVMe Base 2.0, NVM
 * Command Set 1.0) and include/uapi/linux/vhost_nvme.h, not from the module.
 *
 * If more than one thing is wrong with a command, any of them may be its status. A
 * command that fails by what it says, not by what a disk does, changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define DNR(sc)	((sc) | VNG_SC_DNR)

uint8_t *model_ptr(struct fuzz *f, uint64_t gpa, uint64_t *run)
{
	unsigned int i;

	*run = 0;
	for (i = 0; i < FUZZ_REGIONS; i++) {
		struct fuzz_region *r = &f->mem[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size) {
			*run = r->size - (gpa - r->gpa);
			return r->model + (gpa - r->gpa);
		}
	}
	return NULL;
}

/* The region of a part of the model */
static struct fuzz_region *model_region(struct fuzz *f, const uint8_t *model)
{
	struct fuzz_region *r = f->mem;

	while (model < r->model || model >= r->model + r->size)
		r++;
	return r;
}

/* The guest's memory that belongs to it */
static uint8_t *model_actual(struct fuzz *f, const uint8_t *model)
{
	struct fuzz_region *r = model_region(f, model);

	return r->hva + (model - r->model);
}

bool model_write(struct fuzz *f, uint64_t gpa, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint8_t *to;
	uint64_t n;

	while (len) {
		to = model_ptr(f, gpa, &n);
		if (!to)
			return false;
		if (n > len)
			n = len;
		memcpy(to, p, n);
		memcpy(model_actual(f, to), p, n);
		gpa += n;
		p += n;
		len -= n;
	}
	return true;
}

static void model_error(struct fuzz_outcome *o, uint16_t error)
{
	unsigned int i;

	for (i = 0; i < o->nr_errors; i++)
		if (o->error[i] == error)
			return;
	if (o->nr_errors < FUZZ_MAX_ERRORS)
		o->error[o->nr_errors++] = error;
}

static bool model_in(const uint64_t range[2], uint64_t from, uint64_t len)
{
	return from >= range[0] && from < range[1] && len <= range[1] - from;
}

/*
 * Is it memory as a whole? Notes if it is not the window's: the guard and the rings
 * are nobody's.
 */
static bool model_touch(struct fuzz *f, const struct fuzz_window *w,
			struct fuzz_outcome *o, uint64_t gpa, uint64_t len)
{
	uint64_t n;

	if (gpa >= FUZZ_CONTROL && gpa < FUZZ_CONTROL + f->control.size)
		o->outside = true;
	if (!model_in(w->data, gpa, len) && !model_in(w->lists, gpa, len) &&
	    !(w->near && gpa < FUZZ_NOWHERE))
		o->outside |= model_ptr(f, gpa, &n) != NULL;
	while (len) {
		if (!model_ptr(f, gpa, &n))
			return false;
		if (n > len)
			n = len;
		gpa += n;
		len -= n;
	}
	return true;
}

/* Copy from the model's memory. */
static bool model_read(struct fuzz *f, const struct fuzz_window *w,
		       struct fuzz_outcome *o, uint64_t gpa, void *buf,
		       size_t len)
{
	uint8_t *p = buf, *from;
	uint64_t n;

	if (!model_touch(f, w, o, gpa, len)) {
		model_error(o, VNG_SC_DATA_XFER_ERROR);
		return false;
	}
	o->fetched += len;
	while (len) {
		from = model_ptr(f, gpa, &n);
		if (n > len)
			n = len;
		memcpy(p, from, n);
		gpa += n;
		p += n;
		len -= n;
	}
	return true;
}

static void model_piece(struct fuzz *f, const struct fuzz_window *w,
			struct fuzz_outcome *o, uint64_t gpa, uint32_t len,
			bool bucket)
{
	if (!bucket && !model_touch(f, w, o, gpa, len))
		model_error(o, VNG_SC_DATA_XFER_ERROR);
	o->piece[o->nr_pieces++] = (struct fuzz_piece) {
		.gpa = gpa,
		.len = len,
		.bucket = bucket,
	};
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Base 2.0, 4.1.1 */
static void model_walk_prps(struct fuzz *f, const struct fuzz_window *w,
			    const struct vng_sqe *sqe, uint32_t left,
			    struct fuzz_outcome *o)
{
	uint32_t page = 1U << f->g.page_shift, n;
	uint64_t prp = le64toh(sqe->prp1), at = le64toh(sqe->prp2);

	if (prp & 3) {
		model_error(o, DNR(VNG_SC_PRP_OFFSET_INVALID));
		return;
	}
	n = min_u32(left, page - (prp & (page - 1)));
	model_piece(f, w, o, prp, n, false);
	left -= n;
	if (!left)
		return;
	if (left <= page) {
		if (at & (page - 1))
			model_error(o, DNR(VNG_SC_PRP_OFFSET_INVALID));
		else
			model_piece(f, w, o, at, left, false);
		return;
	}
	if (at & 7) {
		model_error(o, DNR(VNG_SC_PRP_OFFSET_INVALID));
		return;
	}
	while (left) {
		if (!model_read(f, w, o, at, &prp, sizeof(prp)))
			return;
		prp = le64toh(prp);
		/* The last entry of a list page leads on, if more than one is needed. */
		if (left > page && (at & (page - 1)) == page - sizeof(prp)) {
			if (prp & (page - 1)) {
				model_error(o, DNR(VNG_SC_PRP_OFFSET_INVALID));
				return;
			}
			at = prp;
			continue;
		}
		at += sizeof(prp);
		n = min_u32(left, page);
		if (prp & (page - 1))
			model_error(o, DNR(VNG_SC_PRP_OFFSET_INVALID));
		else
			model_piece(f, w, o, prp, n, false);
		left -= n;
	}
}

/*
 * Base 2.0, 4.1.2. A descriptor behind the data has to be empty, but the last one
 * with data may be too long.
 */
static void model_walk_sgl(struct fuzz *f, const struct fuzz_window *w,
			   const struct vng_sqe *sqe, uint32_t left,
			   struct fuzz_outcome *o)
{
	unsigned int budget = 4096, more = 1;
	bool last = false, first = true;
	struct vng_sgl desc;
	uint64_t at = 0, addr;
	uint32_t len;

	memcpy(&desc, &sqe->prp1, sizeof(desc));
	while (more--) {
		if (!first) {
			if (!model_read(f, w, o, at, &desc, sizeof(desc)))
				return;
			at += sizeof(desc);
		}
		first = false;
		addr = le64toh(desc.addr);
		len = le32toh(desc.len);
		switch (desc.type) {
		case VNG_SGL_SEGMENT:
		case VNG_SGL_LAST_SEGMENT:
			if (more) {
				model_error(o, DNR(VNG_SC_SGL_COUNT_INVALID));
				return;
			}
			if (last || addr & 7 || !len || len % sizeof(desc) ||
			    addr + len < addr) {
				model_error(o, DNR(VNG_SC_SGL_SEGMENT_INVALID));
				return;
			}
			if (len / sizeof(desc) > budget) {
				model_error(o, DNR(VNG_SC_SGL_COUNT_INVALID));
				return;
			}
			last = desc.type == VNG_SGL_LAST_SEGMENT;
			at = addr;
			more = len / sizeof(desc);
			budget -= more;
			/* It may be read more than one descriptor at a time. */
			if (!model_touch(f, w, o, at, len))
				model_error(o, VNG_SC_DATA_XFER_ERROR);
			continue;
		case VNG_SGL_DATA:
			if (addr + len < addr) {
				model_error(o, DNR(VNG_SC_SGL_LENGTH_INVALID));
				return;
			}
			break;
		case VNG_SGL_BIT_BUCKET:
			/* Only a transfer to the guest has something for it. */
			if (sqe->opcode != VNG_CMD_READ)
				continue;
			break;
		default:
			model_error(o, DNR(VNG_SC_SGL_TYPE_INVALID));
			return;
		}
		if (!len)
			continue;
		if (!left) {
			model_error(o, DNR(VNG_SC_SGL_LENGTH_INVALID));
			return;
		}
		len = min_u32(len, left);
		model_piece(f, w, o, addr, len,
			    desc.type == VNG_SGL_BIT_BUCKET);
		left -= len;
	}
	if (left)
		model_error(o, DNR(VNG_SC_SGL_LENGTH_INVALID));
}

void model_walk(struct fuzz *f, const struct fuzz_window *w,
		const struct vng_sqe *sqe, uint32_t len,
		struct fuzz_outcome *o)
{
	o->len = len;
	o->nr_pieces = 0;
	if (sqe->flags & 0xc0)
		model_walk_sgl(f, w, sqe, len, o);
	else
		model_walk_prps(f, w, sqe, len, o);
}

void model_namespaces(struct fuzz *f, uint64_t disk_size)
{
	const uint64_t blocks = disk_size >> 9;
	const struct fuzz_ns ns[FUZZ_NS] = {
		{ .disk = 0, .shift = 9, .nlb = blocks - 101, .mcl = 1800,
		  .mssrl = 1500, .msrc = 255 },
		{ .disk = 1, .shift = 9, .nlb = blocks - 33, .mcl = 900,
		  .mssrl = 40, .msrc = 99 },
		{ .disk = 1, .shift = 12, .nlb = blocks / 8, .mssrl = 30,
		  .flags = VHOST_NVME_NS_RDONLY },
		{ .disk = 0, .shift = 12, .nlb = blocks / 8 - 17, .mcl = 50,
		  .mssrl = 20, .msrc = 9, .flags = VHOST_NVME_NS_NODEALLOC },
		{ .disk = 0, .shift = 9, .nlb = blocks - 333, .mssrl = 1500 },
	};

	memcpy(f->ns, ns, sizeof(ns));
}

const struct fuzz_ns *model_ns(const struct fuzz *f, uint32_t nsid)
{
	return nsid && nsid <= FUZZ_NS ? &f->ns[nsid - 1] : NULL;
}

static uint64_t model_slba(const struct vng_sqe *sqe)
{
	return (uint64_t)le32toh(sqe->cdw11) << 32 | le32toh(sqe->cdw10);
}

static uint32_t model_nlb(const struct vng_sqe *sqe)
{
	return (le32toh(sqe->cdw12) & 0xffff) + 1;
}

static bool model_in_ns(const struct fuzz_ns *ns, uint64_t slba, uint64_t nlb)
{
	return slba <= ns->nlb && nlb <= ns->nlb - slba;
}

/* Blocks that the command reads or writes */
static void model_blocks(const struct fuzz_window *w, struct fuzz_outcome *o,
			 const struct fuzz_ns *ns, uint64_t slba, uint64_t nlb)
{
	if (!model_in_ns(ns, slba, nlb))
		model_error(o, DNR(VNG_SC_LBA_RANGE));
	else if (nlb && !model_in(w->disk[ns->disk], slba << ns->shift,
				  nlb << ns->shift))
		o->outside = true;
}

static void model_writable(const struct fuzz_ns *ns, struct fuzz_outcome *o)
{
	if (ns->flags & VHOST_NVME_NS_RDONLY)
		model_error(o, DNR(VNG_SC_NS_WRITE_PROTECTED));
}

/* The command's parameters; their pieces are none of its data. */
static bool model_params(struct fuzz *f, const struct fuzz_window *w,
			 const struct vng_sqe *sqe, uint32_t len,
			 struct fuzz_outcome *o)
{
	unsigned int i, errors = o->nr_errors;
	uint8_t *p = o->params;

	model_walk(f, w, sqe, len, o);
	for (i = 0; i < o->nr_pieces && o->nr_errors == errors; i++) {
		model_read(f, w, o, o->piece[i].gpa, p, o->piece[i].len);
		p += o->piece[i].len;
	}
	o->nr_pieces = 0;
	return o->nr_errors == errors;
}

static void model_predict_dsm(struct fuzz *f, const struct fuzz_window *w,
			      const struct vng_sqe *sqe,
			      const struct fuzz_ns *ns, struct fuzz_outcome *o)
{
	unsigned int nr = (le32toh(sqe->cdw10) & 0xff) + 1, i;
	const struct vng_dsm_range *range = (const void *)o->params;

	/* All else are hints, whose ranges nobody looks at. */
	if (!(le32toh(sqe->cdw11) & VNG_DSM_AD) ||
	    ns->flags & VHOST_NVME_NS_NODEALLOC)
		return;
	model_writable(ns, o);
	if (!model_params(f, w, sqe, nr * sizeof(*range), o))
		return;
	for (i = 0; i < nr; i++)
		model_blocks(w, o, ns, le64toh(range[i].slba),
			     le32toh(range[i].nlb));
}

static unsigned int model_copy_format(const struct vng_sqe *sqe)
{
	return le32toh(sqe->cdw12) >> 8 & 0xf;
}

/* The namespace that a range is read from */
static const struct fuzz_ns *model_source(const struct fuzz *f,
					  const struct vng_sqe *sqe,
					  const struct vng_copy_range *range)
{
	return model_ns(f, le32toh(model_copy_format(sqe) == 2 ? range->snsid :
				   sqe->nsid));
}

static void model_no_ns(struct fuzz *f, uint32_t nsid, struct fuzz_outcome *o)
{
	model_error(o, DNR(!nsid || nsid > f->g.caps.max_nsid ?
			   VNG_SC_INVALID_NS : VNG_SC_INVALID_FIELD));
}

/* NVM Command Set 1.1: format 2 is for blocks that are not written as well. */
static void model_predict_range(struct fuzz *f, const struct fuzz_window *w,
				const struct vng_sqe *sqe,
				const struct fuzz_ns *ns,
				const struct vng_copy_range *range,
				uint64_t total, struct fuzz_outcome *o)
{
	const struct fuzz_ns *source = model_source(f, sqe, range);
	uint64_t from = le64toh(range->slba), to = model_slba(sqe);
	uint32_t nlb = le16toh(range->nlb) + 1;

	if (!source) {
		model_no_ns(f, le32toh(range->snsid), o);
		return;
	}
	if (source->shift != ns->shift)
		model_error(o, DNR(VNG_SC_INCOMPATIBLE_NS));
	if (nlb > source->mssrl)
		model_error(o, DNR(VNG_SC_SIZE_LIMIT));
	model_blocks(w, o, source, from, nlb);
	if (model_copy_format(sqe) == 2 && source == ns &&
	    (from > to ? from - to < total : to - from < nlb))
		model_error(o, DNR(VNG_SC_OVERLAPPING_RANGE));
}

static void model_predict_copy(struct fuzz *f, const struct fuzz_window *w,
			       const struct vng_sqe *sqe,
			       const struct fuzz_ns *ns,
			       struct fuzz_outcome *o)
{
	unsigned int nr = (le32toh(sqe->cdw12) & 0xff) + 1, i;
	const struct vng_copy_range *range = (const void *)o->params;
	unsigned int format = model_copy_format(sqe);
	uint64_t nlb = 0;

	if (!(f->copy_formats & 1U << format))
		model_error(o, DNR(VNG_SC_INVALID_FIELD));
	else if (format & 1)
		model_error(o, DNR(VNG_SC_INVALID_FORMAT));
	model_writable(ns, o);
	if (nr > ns->msrc + 1U)
		model_error(o, DNR(VNG_SC_SIZE_LIMIT));
	if (!model_params(f, w, sqe, nr * sizeof(*range), o))
		return;
	for (i = 0; i < nr; i++)
		nlb += le16toh(range[i].nlb) + 1;
	for (i = 0; i < nr; i++)
		model_predict_range(f, w, sqe, ns, &range[i], nlb, o);
	if (nlb > ns->mcl)
		model_error(o, DNR(VNG_SC_SIZE_LIMIT));
	model_blocks(w, o, ns, model_slba(sqe), nlb);
}

/* Is the guest's data what the disk has? */
static bool model_equal(struct fuzz *f, const uint8_t *data,
			const struct fuzz_outcome *o)
{
	uint64_t gpa, n, left;
	unsigned int i;
	uint8_t *p;

	for (i = 0; i < o->nr_pieces; i++) {
		gpa = o->piece[i].gpa;
		for (left = o->piece[i].len; left; left -= n) {
			p = model_ptr(f, gpa, &n);
			if (n > left)
				n = left;
			if (memcmp(p, data, n))
				return false;
			gpa += n;
			data += n;
		}
	}
	return true;
}

static uint8_t *model_disk(struct fuzz *f, const struct fuzz_ns *ns,
			   uint64_t slba)
{
	return f->disk[ns->disk].model + (slba << ns->shift);
}

static void model_predict_rw(struct fuzz *f, const struct fuzz_window *w,
			     const struct vng_sqe *sqe,
			     const struct fuzz_ns *ns, struct fuzz_outcome *o)
{
	uint64_t slba = model_slba(sqe), nlb = model_nlb(sqe);
	uint64_t len = nlb << ns->shift;

	if (sqe->opcode == VNG_CMD_WRITE || sqe->opcode == VNG_CMD_WRITE_ZEROES)
		model_writable(ns, o);
	model_blocks(w, o, ns, slba, nlb);
	if (sqe->opcode == VNG_CMD_WRITE_ZEROES)
		return;
	if (len > (sqe->opcode == VNG_CMD_VERIFY ? f->max_verify :
						   f->max_transfer)) {
		model_error(o, DNR(VNG_SC_INVALID_FIELD));
		return;
	}
	if (sqe->opcode == VNG_CMD_VERIFY)
		return;
	model_walk(f, w, sqe, len, o);
	if (sqe->opcode == VNG_CMD_COMPARE && !o->nr_errors &&
	    !model_equal(f, model_disk(f, ns, slba), o))
		model_error(o, DNR(VNG_SC_COMPARE_FAILED));
}

void model_predict(struct fuzz *f, const struct fuzz_window *w,
		   const struct vng_sqe *sqe, struct fuzz_outcome *o)
{
	uint32_t nsid = le32toh(sqe->nsid);
	const struct fuzz_ns *ns = model_ns(f, nsid);

	o->nr_errors = 0;
	o->nr_pieces = 0;
	o->len = 0;
	o->outside = false;
	o->fetched = 0;
	switch (sqe->opcode) {
	case VNG_CMD_FLUSH:
	case VNG_CMD_WRITE:
	case VNG_CMD_READ:
	case VNG_CMD_COMPARE:
	case VNG_CMD_WRITE_ZEROES:
	case VNG_CMD_DSM:
	case VNG_CMD_VERIFY:
	case VNG_CMD_COPY:
		break;
	default:
		model_error(o, DNR(VNG_SC_INVALID_OPCODE));
		return;
	}
	/* Fused commands, and a PSDT that does not exist */
	if (sqe->flags & 3 || (sqe->flags & 0xc0) == 0xc0)
		model_error(o, DNR(VNG_SC_INVALID_FIELD));
	if (sqe->opcode == VNG_CMD_FLUSH && nsid == UINT32_MAX)
		return;
	if (!ns) {
		model_no_ns(f, nsid, o);
		return;
	}
	switch (sqe->opcode) {
	case VNG_CMD_FLUSH:
		break;
	case VNG_CMD_DSM:
		model_predict_dsm(f, w, sqe, ns, o);
		break;
	case VNG_CMD_COPY:
		model_predict_copy(f, w, sqe, ns, o);
		break;
	default:
		model_predict_rw(f, w, sqe, ns, o);
	}
}

/* A part of a piece that lies within a region */
struct fuzz_span {
	uint8_t		*model;
	uint8_t		*actual;
	bool		*seen;
	const uint8_t	*data;
	uint64_t	len;
};

/* For each span of the data: @data is the disk's part of it. */
static bool model_next_span(struct fuzz *f, const struct fuzz_outcome *o,
			    unsigned int *i, uint32_t *off,
			    const uint8_t **data, struct fuzz_span *s)
{
	const struct fuzz_piece *p;
	struct fuzz_region *r;

	for (; *i < o->nr_pieces; (*i)++, *off = 0) {
		p = &o->piece[*i];
		if (p->bucket) {
			*data += p->len;
			continue;
		}
		if (*off == p->len)
			continue;
		s->model = model_ptr(f, p->gpa + *off, &s->len);
		if (s->len > p->len - *off)
			s->len = p->len - *off;
		r = model_region(f, s->model);
		s->actual = r->hva + (s->model - r->model);
		s->seen = r->seen + (s->model - r->model);
		s->data = *data;
		*off += s->len;
		*data += s->len;
		return true;
	}
	return false;
}

/*
 * The memory of a Read has what the disk had. Pieces may overlap: a byte then has
 * one of the values that it was to get.
 */
static int model_apply_read(struct fuzz *f, const uint8_t *data,
			    const struct fuzz_outcome *o)
{
	const uint8_t *from = data;
	unsigned int i = 0;
	struct fuzz_span s;
	uint32_t off = 0;
	uint64_t n;

	while (model_next_span(f, o, &i, &off, &from, &s))
		for (n = 0; n < s.len; n++)
			if (s.actual[n] == s.data[n]) {
				s.model[n] = s.data[n];
				s.seen[n] = true;
			}
	from = data;
	for (i = 0, off = 0; model_next_span(f, o, &i, &off, &from, &s);)
		if (memchr(s.seen, false, s.len))
			return vng_fail(&f->g, -EPROTO,
					"data of a Read, piece %u at %#llx", i,
					(unsigned long long)o->piece[i].gpa);
	for (i = 0, off = 0; model_next_span(f, o, &i, &off, &from, &s);)
		memset(s.seen, false, s.len);
	return 0;
}

static void model_apply_write(struct fuzz *f, uint8_t *data,
			      const struct fuzz_outcome *o)
{
	const uint8_t *to = data;
	unsigned int i = 0;
	struct fuzz_span s;
	uint32_t off = 0;

	while (model_next_span(f, o, &i, &off, &to, &s))
		memcpy(data + (s.data - data), s.model, s.len);
}

static void model_apply_dsm(struct fuzz *f, const struct vng_sqe *sqe,
			    const struct fuzz_ns *ns,
			    const struct fuzz_outcome *o)
{
	const struct vng_dsm_range *range = (const void *)o->params;
	unsigned int nr = (le32toh(sqe->cdw10) & 0xff) + 1, i;

	if (!(le32toh(sqe->cdw11) & VNG_DSM_AD) ||
	    ns->flags & VHOST_NVME_NS_NODEALLOC || !f->disk[ns->disk].discard)
		return;
	for (i = 0; i < nr; i++)
		memset(model_disk(f, ns, le64toh(range[i].slba)), 0,
		       (uint64_t)le32toh(range[i].nlb) << ns->shift);
}

/* One range after the other, each read as a whole before it is written */
static void model_apply_copy(struct fuzz *f, const struct vng_sqe *sqe,
			     const struct fuzz_ns *ns,
			     const struct fuzz_outcome *o)
{
	const struct vng_copy_range *range = (const void *)o->params;
	unsigned int nr = (le32toh(sqe->cdw12) & 0xff) + 1, i;
	uint64_t to = model_slba(sqe), nlb;

	for (i = 0; i < nr; i++) {
		nlb = le16toh(range[i].nlb) + 1;
		memmove(model_disk(f, ns, to),
			model_disk(f, model_source(f, sqe, &range[i]),
				   le64toh(range[i].slba)),
			nlb << ns->shift);
		to += nlb;
	}
}

static int model_check_status(struct fuzz *f, const struct fuzz_outcome *o,
			      const struct vng_cqe *cqe)
{
	uint16_t status = vng_status(cqe);
	char want[8 * FUZZ_MAX_ERRORS + 8] = "0";
	unsigned int i, n = 0;

	if (!o->nr_errors && !status)
		return 0;
	for (i = 0; i < o->nr_errors; i++) {
		if (status == o->error[i])
			return 0;
		n += snprintf(want + n, sizeof(want) - n, "%s%#x", i ? " or " : "",
			      o->error[i]);
		if (n > sizeof(want) - 16)
			break;
	}
	return vng_fail(&f->g, -EPROTO, "status %#x instead of %s", status,
			want);
}

int model_apply(struct fuzz *f, const struct vng_sqe *sqe,
		const struct fuzz_outcome *o, const struct vng_cqe *cqe)
{
	const struct fuzz_ns *ns = model_ns(f, le32toh(sqe->nsid));
	uint64_t slba = model_slba(sqe);
	int ret;

	ret = model_check_status(f, o, cqe);
	if (ret)
		return ret;
	if (cqe->dw1 || (cqe->dw0 && sqe->opcode != VNG_CMD_COPY))
		return vng_fail(&f->g, -EPROTO, "dwords 0 and 1: %#x %#x",
				le32toh(cqe->dw0), le32toh(cqe->dw1));
	/* Of a Copy that was refused, no range was copied. */
	if (cqe->dw0)
		return vng_fail(&f->g, -EPROTO, "dword 0 of Copy: %u",
				le32toh(cqe->dw0));
	f->status[vng_status(cqe) & VNG_SC_MASK]++;
	if (o->nr_errors) {
		f->count[sqe->opcode].bad++;
		return 0;
	}
	f->count[sqe->opcode].good++;
	switch (sqe->opcode) {
	case VNG_CMD_READ:
		return model_apply_read(f, model_disk(f, ns, slba), o);
	case VNG_CMD_WRITE:
		model_apply_write(f, model_disk(f, ns, slba), o);
		break;
	case VNG_CMD_WRITE_ZEROES:
		memset(model_disk(f, ns, slba), 0,
		       (uint64_t)model_nlb(sqe) << ns->shift);
		break;
	case VNG_CMD_DSM:
		model_apply_dsm(f, sqe, ns, o);
		break;
	case VNG_CMD_COPY:
		model_apply_copy(f, sqe, ns, o);
		break;
	}
	return 0;
}
