// SPDX-License-Identifier: GPL-2.0
/*
 * What a command's data pointer leads to, as far as it is safe to know, and what
 * vhost=on and vhost=off may make of a command that is not the same. host/differences.py
 * has the same for single bad commands, Documentation/matrix.rst what is tested where.
 */
#include <string.h>

#include "fuzz.h"

/* Statuses with DNR (Base 2.0, 3.3.3.2.1) */
enum {
	OPCODE		= 0x4001,
	FIELD		= 0x4002,
	TRANSFER	= 0x0004,	/* perhaps there is memory later */
	NSID		= 0x400b,
	OFFSET		= 0x4013,
	PROTECTED	= 0x4020,
	LBA_RANGE	= 0x4080,
	OVERLAP		= 0x4187,
	SIZE_LIMIT	= 0x4183,
	INCOMPATIBLE	= 0x4185,
};

#define SGL_DATA	0x0
#define SGL_BIT_BUCKET	0x1
#define SGL_SEGMENT	0x2
#define SGL_LAST	0x3

const struct ns *find_ns(const struct fuzz *f, uint32_t nsid)
{
	unsigned int i;

	for (i = 0; i < NAMESPACES; i++)
		if (f->ns[i].nsid == nsid)
			return &f->ns[i];
	return NULL;
}

static uint32_t nlb_of(const struct sqe *sqe)
{
	return (le32toh(sqe->cdw12) & 0xffff) + 1;
}

static uint64_t slba_of(const struct sqe *sqe)
{
	return le32toh(sqe->cdw10) | (uint64_t)le32toh(sqe->cdw11) << 32;
}

static bool in_range(const struct ns *ns, uint64_t slba, uint64_t nlb)
{
	return slba <= ns->blocks && nlb <= ns->blocks - slba;
}

bool may_write(const struct command *cmd)
{
	switch (cmd->sqe.opcode) {
	case IO_READ:
	case IO_FLUSH:
	case IO_COMPARE:
	case IO_VERIFY:
		return false;
	default:
		return !cmd->admin;
	}
}

/* Bytes that are transferred, if anything is */
static uint32_t data_len(const struct fuzz *f, const struct sqe *sqe)
{
	const struct ns *ns = find_ns(f, le32toh(sqe->nsid));

	switch (sqe->opcode) {
	case IO_READ:
	case IO_WRITE:
	case IO_COMPARE:
		if (!ns || !in_range(ns, slba_of(sqe), nlb_of(sqe)))
			return 0;
		return nlb_of(sqe) << ns->shift;
	case IO_DSM:
		if (!(le32toh(sqe->cdw11) & 1 << 2))
			return 0;
		return ((le32toh(sqe->cdw10) & 0xff) + 1) * 16;
	case IO_COPY:
		return ((le32toh(sqe->cdw12) & 0xff) + 1) * 32;
	default:
		return 0;
	}
}

static uint32_t admin_len(const struct sqe *sqe)
{
	switch (sqe->opcode) {
	case ADMIN_IDENTIFY:
	case ADMIN_GET_FEATURES:
	case ADMIN_SET_FEATURES:
		return PAGE;
	case ADMIN_GET_LOG:
		return ((le32toh(sqe->cdw10) >> 16 |
			 (le32toh(sqe->cdw11) & 0xffff) << 16) + 1) * 4;
	default:
		return 0;
	}
}

/* Is it the test's? Else there must be nothing, which is another trait. */
static bool in_arena(const struct fuzz *f, struct command *cmd, uint64_t addr,
		     uint64_t len)
{
	if (addr - f->addr < ARENA_SIZE && len <= ARENA_SIZE - (addr - f->addr))
		return true;
	cmd->traits |= addr >= NOWHERE && addr + len > addr ? NO_MEMORY : UNSAFE;
	return false;
}

static void add_piece(const struct fuzz *f, struct command *cmd, uint64_t addr,
		      uint32_t len)
{
	if (!in_arena(f, cmd, addr, len))
		return;
	if (cmd->pieces == MAX_PIECES) {
		cmd->traits |= UNSAFE;
		return;
	}
	cmd->piece[cmd->pieces++] = (struct piece) { addr - f->addr, len };
	if (cmd->pieces > 1000)
		cmd->traits |= MANY_PIECES;
}

static bool fetch(const struct fuzz *f, struct command *cmd, uint64_t addr,
		  void *buf, size_t len)
{
	if (!in_arena(f, cmd, addr, len))
		return false;
	memcpy(buf, f->arena + (addr - f->addr), len);
	return true;
}

/* Base 2.0, 4.1.1. A list that is not at a qword is followed all the same. */
static void walk_prps(const struct fuzz *f, struct command *cmd)
{
	uint64_t prp1 = le64toh(cmd->sqe.prp1), at = le64toh(cmd->sqe.prp2);
	uint64_t mask = f->page - 1, entry;
	uint32_t left = cmd->len, n = f->page - (prp1 & mask), room;

	if (prp1 & 3)
		cmd->traits |= PRP1_ODD;
	n = n < left ? n : left;
	add_piece(f, cmd, prp1, n);
	left -= n;
	if (left && left <= f->page) {
		if (at & mask)
			cmd->traits |= PRP_OFFSET;
		else
			add_piece(f, cmd, at, left);
		return;
	}
	if (left && at & 7)
		cmd->traits |= LIST_ODD;
	room = (f->page - (at & mask)) / 8;
	while (left) {
		if (!fetch(f, cmd, at, &entry, sizeof(entry)))
			return;
		entry = le64toh(entry);
		if (entry & mask) {
			cmd->traits |= PRP_OFFSET;
			return;
		}
		if (room <= 1 && left > f->page) {
			at = entry;
			room = f->page / 8;
			if (!fetch(f, cmd, at, &entry, sizeof(entry)))
				return;
			entry = le64toh(entry);
			if (entry & mask) {
				cmd->traits |= PRP_OFFSET;
				return;
			}
		}
		n = left < f->page ? left : f->page;
		add_piece(f, cmd, entry, n);
		left -= n;
		at += 8;
		room--;
	}
}

struct sgl_desc {
	uint64_t	addr;
	uint32_t	len;
	uint8_t		reserved[3];
	uint8_t		type;		/* and sub type */
};

/*
 * Base 2.0, 4.1.2. @desc is followed even where it is bad, since one of the
 * controllers might.
 */
static void walk_sgl(const struct fuzz *f, struct command *cmd)
{
	uint32_t left = cmd->len, n, nr = 1, steps = 0;
	uint64_t in_segment = 0;
	uint64_t at = 0, addr;
	struct sgl_desc desc;
	bool last = false;

	memcpy(&desc, &cmd->sqe.prp1, sizeof(desc));
	for (;;) {
		nr--;
		addr = le64toh(desc.addr);
		n = le32toh(desc.len);
		if (desc.type & 15)
			cmd->traits |= SGL_UNSEEN;
		switch (desc.type >> 4) {
		case SGL_DATA:
			if (!n)
				break;
			/* The last one may be too long, but there may not be more. */
			if (!left) {
				cmd->traits |= SGL_BAD;
				break;
			}
			n = n < left ? n : left;
			add_piece(f, cmd, addr, n);
			left -= n;
			in_segment += n;
			break;
		case SGL_BIT_BUCKET:
			cmd->traits |= SGL_BUCKET;
			in_segment += n;
			if (cmd->sqe.opcode == IO_READ)
				left -= n < left ? n : left;
			break;
		case SGL_SEGMENT:
		case SGL_LAST:
			if (at && !in_segment)
				cmd->traits |= SGL_LEADS_ON;
			if (addr & 7)
				cmd->traits |= SGL_UNSEEN;
			if (nr || last || !n || n % sizeof(desc))
				cmd->traits |= SGL_BAD;
			last = desc.type >> 4 == SGL_LAST;
			at = addr;
			nr = n / sizeof(desc);
			in_segment = 0;
			/* Part of it may be read, whatever becomes of the rest. */
			if (nr && !in_arena(f, cmd, at, n))
				return;
			break;
		default:
			cmd->traits |= SGL_BAD;
		}
		if (!nr)
			break;
		if (++steps > 10000) {
			cmd->traits |= SGL_BAD;
			return;
		}
		if (!fetch(f, cmd, at, &desc, sizeof(desc)))
			return;
		at += sizeof(desc);
	}
	if (left)
		cmd->traits |= SGL_BAD;
}

void walk(const struct fuzz *f, struct command *cmd)
{
	uint8_t psdt = cmd->sqe.flags >> 6;
	uint32_t at = 0, n;
	unsigned int i;

	cmd->traits = 0;
	cmd->pieces = 0;
	cmd->len = cmd->admin ? admin_len(&cmd->sqe) : data_len(f, &cmd->sqe);
	if (!cmd->len || psdt == 3)
		return;
	if (psdt && cmd->admin)
		return;
	if (psdt)
		walk_sgl(f, cmd);
	else
		walk_prps(f, cmd);
	if (cmd->admin ||
	    (cmd->sqe.opcode != IO_DSM && cmd->sqe.opcode != IO_COPY))
		return;
	memset(cmd->params, 0, sizeof(cmd->params));
	for (i = 0; i < cmd->pieces; i++) {
		n = cmd->piece[i].len;
		memcpy(cmd->params + at, f->arena + cmd->piece[i].at, n);
		at += n;
	}
}

void scatter(const struct fuzz *f, const struct command *cmd, const void *data)
{
	const uint8_t *p = data;
	unsigned int i;

	for (i = 0; i < cmd->pieces; i++) {
		memcpy(f->arena + cmd->piece[i].at, p, cmd->piece[i].len);
		p += cmd->piece[i].len;
	}
}

/*
 * Known differences. Each is as narrow as it can be: what the command is like, and
 * what vhost=on makes of it.
 */

static bool is_known_opcode(uint8_t opcode)
{
	return opcode == IO_FLUSH || opcode == IO_WRITE || opcode == IO_READ ||
	       opcode == IO_COMPARE || opcode == IO_WRITE_ZEROES ||
	       opcode == IO_DSM || opcode == IO_VERIFY || opcode == IO_COPY;
}

static bool dsm_beyond_end(const struct fuzz *f, const struct command *cmd)
{
	const struct ns *ns = find_ns(f, le32toh(cmd->sqe.nsid));
	uint32_t nlb, i, at;
	uint64_t slba;

	if (!ns || cmd->sqe.opcode != IO_DSM)
		return false;
	for (i = 0; i < cmd->len / 16; i++) {
		at = i * 16;
		memcpy(&nlb, cmd->params + at + 4, sizeof(nlb));
		memcpy(&slba, cmd->params + at + 8, sizeof(slba));
		if (!in_range(ns, le64toh(slba), le32toh(nlb)))
			return true;
	}
	return false;
}

static bool is_sgl_error(uint16_t status)
{
	/* Invalid segment descriptor, count, data length, metadata length, type */
	return (status >= 0x400d && status <= 0x4011) || (status & ~0x4000) == TRANSFER;
}

static bool is_copy_error(uint16_t status)
{
	return status == FIELD || status == NSID || status == LBA_RANGE ||
	       status == OVERLAP || status == SIZE_LIMIT ||
	       status == INCOMPATIBLE || status == PROTECTED;
}

/* Does the command have a data pointer that anybody looks at? */
static bool has_data(const struct command *cmd)
{
	return cmd->len && is_known_opcode(cmd->sqe.opcode);
}

static const char *known_admin(const struct command *cmd, const struct outcome *on,
			       unsigned int diff, bool inside)
{
	uint8_t id = le32toh(cmd->sqe.cdw10);

	switch (cmd->sqe.opcode) {
	case ADMIN_IDENTIFY:
		if (diff == DIFF_MEMORY && inside)
			return "Identify: compare has all of it, byte by byte";
		break;
	case ADMIN_GET_LOG:
		if (diff == DIFF_MEMORY && inside)
			return "logs: compare has all of them, byte by byte";
		if (id == 1)
			return "there is an error log; hw/nvme's is empty";
		break;
	case ADMIN_GET_FEATURES:
		if (id == 0x06 && on->status == FIELD)
			return "no volatile write cache where the host's disk has none";
		if (id == 0x01 || id == 0x08 || id == 0x09)
			return "arbitration and interrupt coalescing can be set";
		if (id == 0x0e && diff == DIFF_MEMORY && inside)
			return "the time goes on";
		break;
	case ADMIN_SET_FEATURES:
		if (id == 0x06 && on->status == FIELD)
			return "no volatile write cache where the host's disk has none";
		if (id == 0x01 || id == 0x08 || id == 0x09)
			return "arbitration and interrupt coalescing can be set";
		break;
	}
	return NULL;
}

const char *known_difference(const struct fuzz *f, const struct command *cmd,
			     const struct outcome *off, const struct outcome *on,
			     unsigned int diff, bool inside)
{
	const struct sqe *sqe = &cmd->sqe;
	const struct ns *ns = find_ns(f, le32toh(sqe->nsid));
	bool sgl = has_data(cmd) && (sqe->flags >> 6 == 1 || sqe->flags >> 6 == 2);
	bool prps = has_data(cmd) && !(sqe->flags >> 6);

	if (cmd->admin)
		return known_admin(cmd, on, diff, inside);
	if (!is_known_opcode(sqe->opcode) && on->status == OPCODE)
		return "an opcode that does not exist is noticed first, and so is I/O management";
	if (sqe->flags & 3 && on->status == FIELD)
		return "half of a fused command is refused for good (DNR), of Flush as well";
	if (sqe->flags >> 6 == 3 && on->status == FIELD)
		return "PSDT 3 is refused for good (DNR), without data as well";
	if (prps && cmd->traits & (PRP1_ODD | LIST_ODD) && on->status == OFFSET)
		return "PRP Offset Invalid for bits that hw/nvme does not look at";
	if (cmd->traits & NO_MEMORY && on->status == TRANSFER)
		return "Data Transfer Error where there is no memory; PCI reads nothing there";
	if (ns && ns->read_only && sqe->opcode == IO_DSM &&
	    off->status == PROTECTED && !on->status)
		return "Dataset Management that does nothing succeeds, on a read-only disk too";
	if (ns && ns->read_only && off->status == PROTECTED && on->status == FIELD)
		return "of a command that is bad in itself, on a read-only disk, that is told";
	if (sgl && cmd->traits & (SGL_BUCKET | SGL_LEADS_ON) &&
	    off->status >= 0x400d && off->status <= 0x4011)
		return "SGL: bit buckets, segments that only lead on";
	if (sgl && cmd->traits & (SGL_BAD | NO_MEMORY) && is_sgl_error(on->status) &&
	    is_sgl_error(off->status))
		return "SGL: a status for each mistake";
	if (sgl && cmd->traits & SGL_UNSEEN && is_sgl_error(on->status))
		return "SGL: hw/nvme does not look at sub types and where segments begin";
	if (sgl && cmd->traits & MANY_PIECES && off->status == 0x4006)
		return "SGL: hw/nvme maps 1024 pieces at most";
	if (dsm_beyond_end(f, cmd) && !off->status && on->status == LBA_RANGE)
		return "Deallocate behind the end is out of range; hw/nvme leaves it out";
	if (sqe->opcode == IO_COPY && is_copy_error(off->status) &&
	    is_copy_error(on->status))
		return "all of a Copy is checked before anything is written";
	return NULL;
}
