// SPDX-License-Identifier: GPL-2.0
/*
 * Commands by chance. Most are built to be good, with data pointers of every shape;
 * some of them then get a mistake.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define DSM_DEALLOCATE	(1 << 2)
#define RW_FUA		(1U << 30)
#define RW_LR		(1U << 31)
#define WZ_DEAC		(1U << 25)

static uint64_t between(struct rng *r, uint64_t from, uint64_t to)
{
	return from + rng_below(r, to - from + 1);
}

static void put(const struct fuzz *f, uint32_t at, uint64_t value)
{
	value = htole64(value);
	memcpy(f->arena + at, &value, sizeof(value));
}

/*
 * PRPs: pages of the window, in a row or here and there, none of them twice. False if
 * there is no room.
 */
static bool gen_prps(struct fuzz *f, const struct window *w, struct sqe *sqe,
		     uint32_t len)
{
	uint32_t page = f->page, first = w->data[0] / page, offset = 0;
	uint32_t most = w->data[1] / page - first, nr, i, j, at, room, next;
	uint32_t pages[DATA_SIZE / PAGE];
	bool chain;

	switch (rng_below(&f->rng, 4)) {
	case 0:
		offset = rng_below(&f->rng, page / 4) * 4;
		break;
	case 1:
		offset = rng_below(&f->rng, page / 512) * 512;
		break;
	}
	if (offset + len > most * page)
		offset = 0;
	nr = (offset + len + page - 1) / page;
	if (nr > most)
		return false;
	i = rng_below(&f->rng, most - nr + 1);
	for (j = 0; j < most; j++)
		pages[j] = first + (i + j) % most;
	if (rng_one_in(&f->rng, 2)) {
		/* Swap some, or all, with others. */
		uint32_t swaps = 1 + rng_below(&f->rng, nr);

		while (swaps--) {
			i = rng_below(&f->rng, nr);
			j = rng_below(&f->rng, most);
			at = pages[i];
			pages[i] = pages[j];
			pages[j] = at;
		}
	}
	sqe->prp1 = htole64(f->addr + pages[0] * page + offset);
	if (nr == 1) {
		/* Nobody looks at it. */
		if (rng_one_in(&f->rng, 4))
			sqe->prp2 = htole64(rng_next(&f->rng) | NOWHERE);
		return true;
	}
	if (nr == 2) {
		sqe->prp2 = htole64(f->addr + pages[1] * page);
		return true;
	}
	/* The list begins anywhere in a page, and goes on in others if need be. */
	chain = w->lists[1] - w->lists[0] >= 2 * page && rng_one_in(&f->rng, 2);
	at = w->lists[0];
	next = (at / page + 1) * page;
	if (chain) {
		room = 1 + rng_below(&f->rng, nr < page / 8 ? nr : page / 8);
		at = next - room * 8;
	} else {
		room = (w->lists[1] < next ? w->lists[1] : next) - at;
		at += rng_below(&f->rng, room / 8 - nr + 2) * 8;
	}
	sqe->prp2 = htole64(f->addr + at);
	for (i = 1; i < nr; i++) {
		if (at + 8 == next && i < nr - 1) {
			if (next + page > w->lists[1])
				return false;
			put(f, at, f->addr + next);
			at = next;
			next += page;
		}
		put(f, at, f->addr + pages[i] * page);
		at += 8;
	}
	return true;
}

#define MOST_DESCS	128

static void set_desc(void *p, unsigned int type, uint64_t addr, uint32_t len)
{
	uint64_t desc[2] = {
		htole64(addr), htole64((uint64_t)type << 56 | len),
	};

	memcpy(p, desc, sizeof(desc));
}

/* Descriptors of data that is cut into pieces, in the window, in any order */
static unsigned int gen_descs(struct fuzz *f, const struct window *w,
			      uint8_t (*desc)[16], uint32_t len, bool read)
{
	uint32_t room = w->data[1] - w->data[0] - len, at = w->data[0], n, gap;
	unsigned int nr = 1 + rng_below(&f->rng, rng_one_in(&f->rng, 4) ? 64 : 8);
	static const uint32_t units[] = { 1, 4, 512 };
	uint32_t unit = units[rng_below(&f->rng, 3)];
	/* What else is in flight does not suffer from a known difference. */
	bool plain = w->slots > 1;
	bool bucket = !plain && read && rng_one_in(&f->rng, 12);
	unsigned int i, j, used = 0;
	uint8_t tmp[16];

	for (i = 0; i < nr && len; i++) {
		n = len;
		if (i < nr - 1 && n > unit)
			n = unit * between(&f->rng, 1, n / unit);
		if (i < nr - 1 && n > len / 2 && rng_one_in(&f->rng, 2))
			n = (n / 4 / unit + 1) * unit;
		if (n > len)
			n = len;
		gap = rng_below(&f->rng, room / (nr - i) + 1) / unit * unit;
		if (bucket && rng_one_in(&f->rng, 4)) {
			set_desc(desc[used++], 0x10, 0, n);
		} else {
			set_desc(desc[used++], 0, f->addr + at + gap, n);
			at += gap + n;
			room -= gap;
		}
		len -= n;
		if (!plain && rng_one_in(&f->rng, 16))
			set_desc(desc[used++], 0, rng_next(&f->rng) | NOWHERE, 0);
	}
	for (i = used; i > 1; i--) {
		j = rng_below(&f->rng, i);
		memcpy(tmp, desc[i - 1], sizeof(tmp));
		memcpy(desc[i - 1], desc[j], sizeof(tmp));
		memcpy(desc[j], tmp, sizeof(tmp));
	}
	return used;
}

static bool gen_sgl(struct fuzz *f, const struct window *w, struct sqe *sqe,
		    uint32_t len)
{
	uint8_t desc[MOST_DESCS + 64][16], link[16];
	unsigned int nr, n, done = 0, segments;
	uint32_t at = w->lists[0], before = 0;

	if (len > w->data[1] - w->data[0])
		return false;
	nr = gen_descs(f, w, desc, len, sqe->opcode == IO_READ);
	sqe->flags |= rng_one_in(&f->rng, 8) ? 0x80 : 0x40;
	if (nr == 1 && rng_one_in(&f->rng, 2)) {
		memcpy(&sqe->prp1, desc[0], sizeof(desc[0]));
		return true;
	}
	segments = between(&f->rng, 1, w->slots > 1 ? 2 : 3);
	if (w->lists[1] - at < (nr + segments) * 16 + segments * 64)
		return false;
	/* A segment that leads on has at least one descriptor of data before. */
	while (done < nr) {
		n = nr - done;
		if (segments > 1 && n > 1)
			n = between(&f->rng, 1, n - 1);
		at += rng_below(&f->rng, 8) * 8;
		/* The last segment need not be called so. */
		set_desc(link, done + n == nr && !rng_one_in(&f->rng, 4) ?
			       0x30 : 0x20, f->addr + at,
			 (n + (done + n < nr)) * 16);
		if (before)
			memcpy(f->arena + before, link, sizeof(link));
		else
			memcpy(&sqe->prp1, link, sizeof(link));
		memcpy(f->arena + at, desc[done], n * 16);
		before = at + n * 16;
		at = before + 16;
		done += n;
		segments--;
	}
	return true;
}

static bool gen_dptr(struct fuzz *f, const struct window *w, struct sqe *sqe,
		     uint32_t len)
{
	if (rng_below(&f->rng, 3))
		return gen_prps(f, w, sqe, len);
	return gen_sgl(f, w, sqe, len);
}

/* The window's part of a namespace */
static void part_of(const struct window *w, const struct ns *ns, uint64_t part[2])
{
	part[0] = ns->blocks * w->slot / w->slots;
	part[1] = ns->blocks * (w->slot + 1) / w->slots;
}

/* Blocks there: mostly few; at its borders more often than by chance */
static void gen_blocks(struct fuzz *f, const struct window *w,
		       const struct ns *ns, uint64_t most, uint64_t *slba,
		       uint32_t *nlb)
{
	uint64_t part[2], room;

	part_of(w, ns, part);
	room = part[1] - part[0];
	if (most > room)
		most = room;
	*nlb = between(&f->rng, 1, most);
	if (*nlb > 8 && !rng_one_in(&f->rng, 3))
		*nlb = between(&f->rng, 1, 8);
	switch (rng_below(&f->rng, 8)) {
	case 0:
		*slba = part[0];
		break;
	case 1:
		*slba = part[1] - *nlb;
		break;
	default:
		*slba = between(&f->rng, part[0], part[1] - *nlb);
	}
}

static void set_blocks(struct sqe *sqe, uint64_t slba, uint32_t nlb)
{
	sqe->cdw10 = htole32(slba);
	sqe->cdw11 = htole32(slba >> 32);
	sqe->cdw12 = htole32((nlb - 1) & 0xffff);
}

static void gen_ranges(struct fuzz *f, const struct window *w,
		       const struct ns *ns, uint8_t *p, unsigned int nr)
{
	uint64_t slba, range[2];
	unsigned int i;
	uint32_t nlb;

	for (i = 0; i < nr; i++) {
		gen_blocks(f, w, ns, 32, &slba, &nlb);
		if (rng_one_in(&f->rng, 16))
			nlb = 0;
		range[0] = htole64((uint64_t)nlb << 32 |
				   (uint32_t)rng_next(&f->rng));
		range[1] = htole64(slba);
		memcpy(p + 16 * i, range, sizeof(range));
	}
}

/* Source ranges of Copy; returns the sum of their blocks, at most @most. */
static uint32_t gen_sources(struct fuzz *f, const struct window *w,
			    const struct ns *ns, uint8_t *p, unsigned int *nr,
			    bool across, uint32_t most)
{
	uint32_t sum = 0, nlb, word;
	const struct ns *src = ns;
	unsigned int i;
	uint64_t slba;

	for (i = 0; i < *nr && sum < most; i++, p += 32) {
		memset(p, 0, 32);
		if (across) {
			do
				src = &f->ns[rng_below(&f->rng, NAMESPACES)];
			while (src->shift != ns->shift ||
			       (src == ns && w->slots > 1));
			word = htole32(src->nsid);
			memcpy(p, &word, sizeof(word));
		}
		gen_blocks(f, w, src, most - sum < 16 ? most - sum : 16, &slba,
			   &nlb);
		slba = htole64(slba);
		memcpy(p + 8, &slba, sizeof(slba));
		word = htole32(nlb - 1);
		memcpy(p + 16, &word, sizeof(word));
		sum += nlb;
	}
	*nr = i;
	return sum;
}

static bool gen_copy(struct fuzz *f, const struct window *w, const struct ns *ns,
		     struct sqe *sqe, uint8_t *params)
{
	unsigned int nr = between(&f->rng, 1, rng_one_in(&f->rng, 8) ? 64 : 6);
	bool across = rng_one_in(&f->rng, 2);
	uint64_t part[2];
	uint32_t sum;

	/*
	 * Of what is refused for an overlap, hw/nvme has copied some. There is only one
	 * namespace with large blocks.
	 */
	if (w->slots > 1 && ns->shift != 9)
		across = false;
	part_of(w, ns, part);
	sum = gen_sources(f, w, ns, params, &nr, across,
			  part[1] - part[0] < 128 ? part[1] - part[0] : 128);
	set_blocks(sqe, between(&f->rng, part[0], part[1] - sum), nr);
	if (across)
		sqe->cdw12 |= htole32(2 << 8);
	return gen_dptr(f, w, sqe, nr * 32);
}

/* Data of a Write that was not there before; that of Compare, which mostly is */
static void gen_data(struct fuzz *f, const struct ns *ns, struct command *cmd,
		     uint64_t slba)
{
	uint8_t *data = malloc(cmd->len);
	uint64_t n;
	uint32_t i;

	if (!data)
		abort();
	if (cmd->sqe.opcode == IO_COMPARE) {
		memcpy(data, ns->content + (slba << ns->shift), cmd->len);
		if (rng_one_in(&f->rng, 4))
			data[rng_below(&f->rng, cmd->len)] ^= 0x10;
	} else {
		n = rng_next(&f->rng);
		for (i = 0; i < cmd->len; i++)
			data[i] = n >> (i & 7) * 8 ^ i >> 3;
	}
	scatter(f, cmd, data);
	free(data);
}

static bool try_good(struct fuzz *f, const struct window *w, struct command *cmd)
{
	static const uint8_t opcodes[] = {
		IO_WRITE, IO_WRITE, IO_WRITE, IO_WRITE, IO_READ, IO_READ,
		IO_READ, IO_READ, IO_COMPARE, IO_COMPARE, IO_COPY, IO_COPY,
		IO_DSM, IO_WRITE_ZEROES, IO_VERIFY, IO_FLUSH,
	};
	const struct ns *ns = &f->ns[rng_below(&f->rng, NAMESPACES)];
	struct sqe *sqe = &cmd->sqe;
	uint8_t params[256 * 32];
	uint64_t slba, part[2];
	uint32_t nlb, nr;

	memset(sqe, 0, sizeof(*sqe));
	cmd->admin = false;
	sqe->opcode = opcodes[rng_below(&f->rng, sizeof(opcodes))];
	sqe->nsid = htole32(ns->nsid);
	sqe->cdw2 = rng_next(&f->rng);
	sqe->cdw3 = rng_next(&f->rng);
	sqe->cdw14 = rng_next(&f->rng);
	sqe->cdw15 = rng_next(&f->rng);
	part_of(w, ns, part);
	gen_blocks(f, w, ns, part[1] - part[0], &slba, &nlb);
	set_blocks(sqe, slba, nlb);
	switch (sqe->opcode) {
	case IO_FLUSH:
		if (rng_one_in(&f->rng, 4))
			sqe->nsid = 0xffffffff;
		break;
	case IO_READ:
	case IO_WRITE:
	case IO_COMPARE:
		if (!gen_dptr(f, w, sqe, nlb << ns->shift))
			return false;
		break;
	case IO_DSM:
		nr = between(&f->rng, 1, rng_one_in(&f->rng, 8) ? 256 : 8);
		gen_ranges(f, w, ns, params, nr);
		sqe->cdw10 = htole32(nr - 1);
		sqe->cdw11 = htole32(rng_one_in(&f->rng, 4) ? rng_next(&f->rng) :
							      DSM_DEALLOCATE);
		sqe->cdw12 = rng_next(&f->rng);
		if (!gen_dptr(f, w, sqe, nr * 16))
			return false;
		break;
	case IO_COPY:
		if (!gen_copy(f, w, ns, sqe, params))
			return false;
		break;
	case IO_WRITE_ZEROES:
		if (rng_one_in(&f->rng, 2))
			sqe->cdw12 |= htole32(WZ_DEAC);
		break;
	}
	if (sqe->opcode != IO_DSM) {
		if (rng_one_in(&f->rng, 8))
			sqe->cdw12 |= htole32(RW_FUA);
		if (rng_one_in(&f->rng, 8))
			sqe->cdw12 |= htole32(RW_LR);
	}
	walk(f, cmd);
	if (sqe->opcode == IO_COPY || sqe->opcode == IO_DSM) {
		scatter(f, cmd, params);
		walk(f, cmd);
	} else if (sqe->opcode == IO_WRITE || sqe->opcode == IO_COMPARE) {
		gen_data(f, ns, cmd, slba);
	}
	return true;
}

void gen_good(struct fuzz *f, const struct window *w, struct command *cmd)
{
	while (!try_good(f, w, cmd))
		;
}

/* An address at which something might go wrong, but nothing but the test */
static uint64_t gen_address(struct fuzz *f)
{
	uint64_t addr = f->addr + rng_below(&f->rng, DATA_SIZE + LISTS_SIZE);

	switch (rng_below(&f->rng, 6)) {
	case 0:
		return NOWHERE + rng_sized(&f->rng) % NOWHERE;
	case 1:
		return -PAGE;
	case 2:
		return addr;
	case 3:
		return addr & ~3ULL;
	default:
		return addr & ~(f->page - 1);
	}
}

static uint64_t bend(struct fuzz *f, uint64_t old)
{
	switch (rng_below(&f->rng, 4)) {
	case 0:
		return gen_address(f);
	case 1:
		return old ^ 1ULL << rng_below(&f->rng, 12);
	case 2:
		return old ^ 1ULL << between(&f->rng, 44, 63);
	default:
		return old + (between(&f->rng, 0, 2) - 1) * f->page;
	}
}

/* One mistake, in the command or in what it leads to */
static void gen_mistake(struct fuzz *f, struct command *cmd)
{
	static const uint32_t nsids[] = {
		0, 3, 6, 255, 256, 257, 0x10001, 0x80000001, 0xfffffffe,
		0xffffffff,
	};
	struct sqe *sqe = &cmd->sqe;
	uint32_t *dword = (uint32_t *)sqe;
	uint64_t at, value;

	switch (rng_below(&f->rng, 10)) {
	case 0:
		sqe->opcode = rng_next(&f->rng);
		break;
	case 1:
		sqe->flags ^= 1 << rng_below(&f->rng, 8);
		break;
	case 2:
		sqe->nsid = htole32(nsids[rng_below(&f->rng, 10)]);
		break;
	case 3:
		dword[10 + rng_below(&f->rng, 6)] ^=
			htole32(1U << rng_below(&f->rng, 32));
		break;
	case 4:
		dword[10 + rng_below(&f->rng, 6)] = htole32(rng_sized(&f->rng));
		break;
	case 5:
		sqe->prp1 = htole64(bend(f, le64toh(sqe->prp1)));
		break;
	case 6:
		sqe->prp2 = htole64(bend(f, le64toh(sqe->prp2)));
		break;
	case 7:
		sqe->mptr = rng_next(&f->rng);
		break;
	default:
		/* A list's entry, or half of a descriptor; or of a range */
		at = le64toh(sqe->flags & 0xc0 ? sqe->prp1 : sqe->prp2) - f->addr;
		if ((sqe->opcode == IO_DSM || sqe->opcode == IO_COPY) &&
		    cmd->pieces && rng_one_in(&f->rng, 2))
			at = cmd->piece[0].at;
		at = (at & ~7ULL) + 8 * rng_below(&f->rng,
						  1 + rng_below(&f->rng, 16));
		if (at > DATA_SIZE + LISTS_SIZE - 8)
			break;
		memcpy(&value, f->arena + at, sizeof(value));
		put(f, at, bend(f, le64toh(value)));
	}
}

void gen_any(struct fuzz *f, const struct window *w, struct command *cmd)
{
	do {
		gen_good(f, w, cmd);
		if (rng_one_in(&f->rng, 3)) {
			gen_mistake(f, cmd);
			if (rng_one_in(&f->rng, 8))
				gen_mistake(f, cmd);
		}
		walk(f, cmd);
	} while (cmd->traits & UNSAFE);
}

/* Queues, namespaces, events, Format and what sets doorbell buffers are elsewhere. */
static uint8_t admin_opcode(struct fuzz *f)
{
	static const uint8_t opcodes[] = {
		ADMIN_IDENTIFY, ADMIN_GET_LOG, ADMIN_GET_FEATURES,
		ADMIN_SET_FEATURES, ADMIN_ABORT, ADMIN_DELETE_SQ,
		ADMIN_DELETE_CQ,
	};
	uint8_t opcode;

	if (!rng_one_in(&f->rng, 6))
		return opcodes[rng_below(&f->rng, sizeof(opcodes))];
	do
		opcode = rng_next(&f->rng);
	while (opcode == ADMIN_CREATE_SQ || opcode == ADMIN_CREATE_CQ ||
	       opcode == ADMIN_ASYNC_EVENT || opcode == ADMIN_NS_ATTACHMENT ||
	       opcode == ADMIN_DBBUF || opcode == ADMIN_FORMAT ||
	       opcode == ADMIN_DELETE_SQ || opcode == ADMIN_DELETE_CQ);
	return opcode;
}

/* That set nothing that a later command depends on */
static uint8_t settable(struct fuzz *f)
{
	static const uint8_t no[] = {
		0x04,	/* temperature: an event, when there is a request for one */
		0x05,	/* error recovery */
		0x07,	/* queues, of which there are some */
		0x0e,	/* the time */
		0x16,	/* host behavior: formats of Copy */
	};
	uint8_t fid = rng_one_in(&f->rng, 3) ? rng_next(&f->rng) :
					       rng_below(&f->rng, 0x20);

	return memchr(no, fid, sizeof(no)) ? 0x06 : fid;
}

void gen_admin(struct fuzz *f, const struct window *w, struct command *cmd)
{
	struct sqe *sqe = &cmd->sqe;
	uint32_t len = PAGE;

	do {
		memset(sqe, 0, sizeof(*sqe));
		cmd->admin = true;
		sqe->opcode = admin_opcode(f);
		sqe->nsid = htole32(rng_one_in(&f->rng, 4) ? rng_sized(&f->rng) :
				    rng_one_in(&f->rng, 2) ? 0xffffffff :
				    rng_below(&f->rng, 6));
		sqe->cdw10 = htole32(rng_sized(&f->rng));
		sqe->cdw11 = htole32(rng_sized(&f->rng));
		sqe->cdw12 = htole32(rng_sized(&f->rng));
		sqe->cdw13 = htole32(rng_one_in(&f->rng, 2) ?
				     rng_sized(&f->rng) : 0);
		sqe->cdw14 = htole32(rng_one_in(&f->rng, 2) ?
				     rng_sized(&f->rng) : 0);
		switch (sqe->opcode) {
		case ADMIN_IDENTIFY:
			sqe->cdw10 = htole32(rng_below(&f->rng, 0x24));
			break;
		case ADMIN_GET_LOG:
			len = 4 * between(&f->rng, 1, 4 * PAGE / 4);
			sqe->cdw10 = htole32(rng_below(&f->rng, 0x24) |
					     (len / 4 - 1) << 16);
			sqe->cdw11 = 0;
			break;
		case ADMIN_GET_FEATURES:
			sqe->cdw10 = htole32(rng_below(&f->rng, 0x24) |
					     rng_below(&f->rng, 8) << 8);
			break;
		case ADMIN_SET_FEATURES:
			sqe->cdw10 = htole32(settable(f) |
					     (uint32_t)rng_one_in(&f->rng, 4) << 31);
			break;
		case ADMIN_DELETE_SQ:
		case ADMIN_DELETE_CQ:
			/* None that there is */
			sqe->cdw10 |= htole32(1 << rng_below(&f->rng, 16) | 64);
			break;
		}
		if (!gen_prps(f, w, sqe, len))
			continue;
		if (rng_one_in(&f->rng, 6))
			sqe->flags = rng_next(&f->rng);
		if (rng_one_in(&f->rng, 6))
			sqe->prp1 = htole64(bend(f, le64toh(sqe->prp1)));
		if (rng_one_in(&f->rng, 12))
			sqe->prp2 = htole64(bend(f, le64toh(sqe->prp2)));
		walk(f, cmd);
		if (cmd->traits & UNSAFE)
			continue;
		return;
	} while (true);
}
