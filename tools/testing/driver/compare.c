// SPDX-License-Identifier: GPL-2.0
/*
 * compare FUNCTION: asks the controller of that PCI function for all it can tell,
 * sends it good and bad commands, and prints a line "name: value" for each answer.
 * Two controllers that are the same to a guest print the same. Namespaces 1 and 2
 * are overwritten; 4 is one that cannot be written.
 *
 * A value is the status, as in the completion queue entry without its phase bit,
 * and dword 0 if it is not zero. What came in a buffer follows under the same
 * name: each byte that is not zero, by its offset.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

#define IO_ENTRIES	16

static struct ctrl c;
static struct queue io;

/* The namespace that is being used; its size is in logical blocks. */
static uint32_t ns;
static uint64_t ns_size;
static unsigned int lba_size;
static char item[128];

/* Reset; an admin queue, and an I/O queue without interrupts */
static int begin(void);

__attribute__((format(printf, 1, 2)))
static void name(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(item, sizeof(item), fmt, args);
	va_end(args);
}

__attribute__((format(printf, 1, 2)))
static void value(const char *fmt, ...)
{
	va_list args;

	printf("%s: ", item);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

static void bytes(const void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			printf("%s+%zu: %02x\n", item, i, p[i]);
}

/* FNV-1a: enough to tell contents apart */
static uint32_t hash(const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint32_t h = 2166136261;

	while (len--)
		h = (h ^ *p++) * 16777619;
	return h;
}

/* Send a command and print its status; a controller that hangs is reset. */
static int run(struct queue *q, struct sqe *sqe)
{
	struct cqe cqe;
	uint16_t cid = q->cid;

	if (queue_exec(&c, q, sqe, &cqe)) {
		value("no completion, CSTS %x", reg32(&c, REG_CSTS));
		if (begin()) {
			printf("lost: the controller does not come back\n");
			exit(1);
		}
		return -1;
	}
	if (le16toh(cqe.cid) != cid || le16toh(cqe.sqid) != q->id)
		value("completion of command %u of queue %u instead of %u of %u",
		      le16toh(cqe.cid), le16toh(cqe.sqid), cid, q->id);
	else if (cqe.dw0)
		value("%04x %08x", cqe_status(&cqe), le32toh(cqe.dw0));
	else
		value("%04x", cqe_status(&cqe));
	return cqe_status(&cqe);
}

/* An admin command that fills up to 4 KiB, which are printed if it succeeds */
static int admin_in(struct sqe *sqe)
{
	size_t mark = c.used;
	void *buf = dma_alloc(&c, PAGE, PAGE);
	int status;

	prp_build(&c, sqe, buf, PAGE);
	status = run(&c.admin, sqe);
	if (!status)
		bytes(buf, PAGE);
	c.used = mark;
	return status;
}

static const uint32_t nsids[] = { 0, 1, 2, 3, 4, 0xfffffffe, 0xffffffff };

#define FOR_EACH(p, array) \
	for (p = (array); p < (array) + sizeof(array) / sizeof((array)[0]); p++)

static void registers(void)
{
	static const unsigned int offsets[] = {
		0x04, 0x08, 0x0c, 0x10, 0x14, 0x1c, 0x20, 0x24, 0x38, 0x3c,
		0x40, 0x44, 0x50, 0x54, 0x58, 0x5c, 0x60, 0x64, 0x68, 0xe00,
		0xe04, 0xe08, 0xe0c, 0xe10,
	};
	const unsigned int *p;
	uint32_t cap = reg32(&c, REG_CAP);

	name("registers.000, without TO");
	value("%06x", cap & 0xffffff);
	name("registers.cap.to");
	value("%u", cap >> 24);
	FOR_EACH(p, offsets) {
		name("registers.%03x", *p);
		value("%08x", reg32(&c, *p));
	}
	name("registers.asq");
	value("%s", reg64(&c, REG_ASQ) == dma_addr(&c, c.admin.sq) ?
	      "as written" : "changed");
	name("registers.acq");
	value("%s", reg64(&c, REG_ACQ) == dma_addr(&c, c.admin.cq) ?
	      "as written" : "changed");
	set_reg32(&c, REG_INTMS, 5);
	name("registers.intms=5");
	value("%x %x", reg32(&c, REG_INTMS), reg32(&c, REG_INTMC));
	set_reg32(&c, REG_INTMC, 1);
	name("registers.intmc=1");
	value("%x %x", reg32(&c, REG_INTMS), reg32(&c, REG_INTMC));
	set_reg32(&c, REG_INTMC, 4);
}

static void identify(void)
{
	const uint32_t *nsid;
	unsigned int cns, csi;

	for (cns = 0; cns < 0x20; cns++)
		FOR_EACH(nsid, nsids)
			for (csi = 0; csi < 4; csi++) {
				struct sqe sqe = {
					.opcode = ADMIN_IDENTIFY,
					.nsid = htole32(*nsid),
					.cdw10 = htole32(cns),
					.cdw11 = htole32(csi << 24),
				};

				/* Where CSI means nothing, once is enough. */
				if (csi && cns < 4)
					break;
				name("identify.cns%02x.nsid%x.csi%u", cns, *nsid,
				     csi);
				admin_in(&sqe);
			}
}

static int get_feature(unsigned int fid, unsigned int sel, uint32_t nsid,
		       uint32_t cdw11)
{
	struct sqe sqe = {
		.opcode = ADMIN_GET_FEATURES,
		.nsid = htole32(nsid),
		.cdw10 = htole32(fid | sel << 8),
		.cdw11 = htole32(cdw11),
	};

	name("features.get%02x.sel%u.nsid%x.%x", fid, sel, nsid, cdw11);
	/* Timestamp: what it is depends on when it is. */
	if (fid == 0x0e) {
		size_t mark = c.used;
		uint8_t *buf = dma_alloc(&c, PAGE, PAGE);

		prp_build(&c, &sqe, buf, PAGE);
		run(&c.admin, &sqe);
		value("attributes %02x", buf[6]);
		c.used = mark;
		return 0;
	}
	return admin_in(&sqe);
}

static void features(void)
{
	const uint32_t *nsid;
	unsigned int fid, sel, i;

	for (fid = 0; fid < 0x100; fid++) {
		/* What nobody defines is asked for once. */
		if ((fid >= 0x20 && fid < 0x78) || (fid >= 0x86 && fid < 0xc0) ||
		    fid > 0xd0) {
			get_feature(fid, 0, 0, 0);
			continue;
		}
		for (sel = 0; sel < 5; sel++)
			get_feature(fid, sel, 0, 0);
		FOR_EACH(nsid, nsids)
			get_feature(fid, 0, *nsid, 0);
	}
	/* Temperature thresholds; interrupt vectors */
	for (i = 0; i < 4; i++) {
		get_feature(0x04, 0, 0, i << 20);
		get_feature(0x04, 2, 0, i << 16);
	}
	for (i = 0; i < 3; i++)
		get_feature(0x09, 0, 0, i);
	get_feature(0x09, 0, 0, 64);
	get_feature(0x09, 0, 0, 65);
	get_feature(0x09, 0, 0, 0xffff);
}

static int set_feature(unsigned int fid, uint32_t nsid, uint32_t cdw11,
		       bool save)
{
	struct sqe sqe = {
		.opcode = ADMIN_SET_FEATURES,
		.nsid = htole32(nsid),
		.cdw10 = htole32(fid | (uint32_t)save << 31),
		.cdw11 = htole32(cdw11),
	};

	name("set.%02x=%x.nsid%x%s", fid, cdw11, nsid, save ? ".save" : "");
	return admin_in(&sqe);
}

/* Set what is there already, or nonsense; then see what has become of it. */
static void set_features(void)
{
	static const struct {
		unsigned int fid;
		uint32_t nsid;
		uint32_t cdw11;
	} good[] = {
		{ 0x01, 0, 0x07070702 }, { 0x01, 0, 0x00000007 },
		{ 0x02, 0, 0 }, { 0x02, 0, 1 }, { 0x02, 0, 0x20 },
		{ 0x04, 0, 0x0160 }, { 0x04, 0, 0x0157 }, { 0x04, 0, 0x100100 },
		{ 0x04, 0, 0x100000 }, { 0x04, 0, 0x200157 }, { 0x04, 0, 0x010157 },
		{ 0x05, 1, 0x10005 }, { 0x05, 1, 0 }, { 0x05, 0xffffffff, 0x20 },
		{ 0x05, 0xffffffff, 0 }, { 0x05, 0, 0 },
		{ 0x06, 0, 0 }, { 0x06, 0, 1 }, { 0x06, 1, 1 },
		{ 0x06, 0xffffffff, 1 }, { 0x06, 0, 2 }, { 0x06, 0, 1 },
		{ 0x07, 0, 0x10001 }, { 0x07, 0, 0xffff0001 }, { 0x07, 0, 0xffff },
		{ 0x07, 1, 0x10001 },
		{ 0x08, 0, 0x0a07 }, { 0x08, 0, 0 },
		{ 0x09, 0, 0 }, { 0x09, 0, 1 }, { 0x09, 0, 0x10001 },
		{ 0x09, 0, 0xffff },
		{ 0x0a, 0, 1 }, { 0x0a, 0, 0 },
		{ 0x0b, 0, 0x31f }, { 0x0b, 0, 0xffffffff }, { 0x0b, 0, 0 },
		{ 0x16, 0, 0 }, { 0x18, 0, 0 },
		{ 0x19, 0, 0 }, { 0x19, 0, 1 }, { 0x1d, 0, 1 }, { 0x1e, 0, 1 },
		{ 0x80, 0, 1 }, { 0x81, 0, 1 }, { 0x84, 1, 1 },
	};
	unsigned int fid, i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		set_feature(good[i].fid, good[i].nsid, good[i].cdw11, false);
		get_feature(good[i].fid, 0, good[i].nsid, good[i].cdw11);
	}
	for (fid = 0; fid < 0x100; fid++) {
		set_feature(fid, 0, 0, true);
		set_feature(fid, 2, 0, false);
		set_feature(fid, 0xfffffffe, 0, false);
	}
	/* As the others found it */
	set_feature(0x06, 0, 1, false);
}

static void get_log(unsigned int lid, uint32_t nsid, uint32_t dwords,
		    uint64_t offset, uint32_t cdw14)
{
	struct sqe sqe = {
		.opcode = ADMIN_GET_LOG,
		.nsid = htole32(nsid),
		.cdw10 = htole32(lid | (dwords - 1) << 16),
		.cdw11 = htole32((dwords - 1) >> 16),
		.cdw12 = htole32(offset),
		.cdw13 = htole32(offset >> 32),
		.cdw14 = htole32(cdw14),
	};

	name("logs.%02x.nsid%x.%u@%llx%s", lid, nsid, dwords * 4,
	     (unsigned long long)offset, cdw14 ? ".csi" : "");
	admin_in(&sqe);
}

static void logs(void)
{
	const uint32_t *nsid;
	unsigned int lid;

	for (lid = 0; lid < 0x100; lid++) {
		get_log(lid, 0xffffffff, 128, 0, 0);
		if (lid > 0x20 && lid < 0xc0)
			continue;
		FOR_EACH(nsid, nsids)
			get_log(lid, *nsid, 16, 0, 0);
		get_log(lid, 0xffffffff, 1, 4, 0);
		get_log(lid, 0xffffffff, 4, 508, 0);
		get_log(lid, 0xffffffff, 4, 512, 0);
		get_log(lid, 0xffffffff, 4, 4092, 0);
		get_log(lid, 0xffffffff, 4, 1 << 20, 0);
		get_log(lid, 0xffffffff, 4, 2, 0);
		get_log(lid, 0xffffffff, 1 << 20, 0, 0);
	}
	get_log(0x05, 0xffffffff, 1024, 0, 0);
	get_log(0x05, 0xffffffff, 1024, 0, 2U << 24);
	get_log(0x05, 0xffffffff, 1024, 0, 3U << 24);
}

/* Every opcode with no argument and with nonsense */
static void admin(void)
{
	unsigned int opcode, bit;

	for (opcode = 0; opcode < 0x100; opcode++) {
		struct sqe sqe = { .opcode = opcode };

		/* Would wait; would give memory away; has its own test */
		if (opcode == ADMIN_ASYNC_EVENT || opcode == ADMIN_DBBUF ||
		    opcode == ADMIN_FORMAT)
			continue;
		name("admin.%02x.zero", opcode);
		admin_in(&sqe);
		sqe.nsid = 0xffffffff;
		sqe.cdw10 = 0xffffffff;
		sqe.cdw11 = 0xffffffff;
		sqe.cdw12 = 0xffffffff;
		sqe.cdw13 = 0xffffffff;
		sqe.cdw14 = 0xffffffff;
		sqe.cdw15 = 0xffffffff;
		name("admin.%02x.ones", opcode);
		admin_in(&sqe);
	}
	for (bit = 0; bit < 8; bit++) {
		struct sqe sqe = {
			.opcode = ADMIN_IDENTIFY,
			.flags = 1 << bit,
			.cdw10 = htole32(1),
		};

		name("admin.identify.flags%02x", 1 << bit);
		admin_in(&sqe);
	}
}

/* Identify with PRPs of many kinds; it wants 4 KiB. */
static void admin_prps(void)
{
	uint8_t *buf = dma_alloc(&c, 4 * PAGE, PAGE);
	uint64_t addr = dma_addr(&c, buf);
	const struct {
		const char *name;
		uint64_t prp1, prp2;
	} prps[] = {
		{ "two pages", addr + 256, addr + PAGE },
		{ "prp2 with an offset", addr + 256, addr + PAGE + 8 },
		{ "prp1 not a dword", addr + 2, addr + PAGE },
		{ "prp1 odd", addr + 1, addr + PAGE },
		{ "no prp2", addr + 256, 0 },
		{ "no memory", 1ULL << 45, 0 },
		{ "no memory at prp2", addr + 256, 1ULL << 45 },
		{ "registers", c.bar_addr, 0 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(prps) / sizeof(prps[0]); i++) {
		struct sqe sqe = {
			.opcode = ADMIN_IDENTIFY,
			.cdw10 = htole32(1),
			.prp1 = htole64(prps[i].prp1),
			.prp2 = htole64(prps[i].prp2),
		};

		name("admin.prp.%s", prps[i].name);
		run(&c.admin, &sqe);
	}
}

static void queue_command(const char *what, uint8_t opcode, uint64_t prp1,
			  uint32_t cdw10, uint32_t cdw11)
{
	struct sqe sqe = {
		.opcode = opcode,
		.prp1 = htole64(prp1),
		.cdw10 = htole32(cdw10),
		.cdw11 = htole32(cdw11),
	};

	name("queues.%s", what);
	run(&c.admin, &sqe);
}

/* A command in SQ 2, of 16 entries at @ring, which completes in @io's CQ */
static void second_queue(uint64_t ring)
{
	struct queue sq = { .id = 2, .entries = 16 };
	struct sqe flush = { .opcode = IO_FLUSH, .nsid = htole32(1) };
	struct cqe cqe;
	unsigned int i;

	for (i = 0; i < NR_HUGE_PAGES; i++)
		if (ring - c.addr[i] < HUGE_PAGE)
			sq.sq = (void *)(c.mem + i * HUGE_PAGE + ring - c.addr[i]);
	queue_push(&sq, &flush);
	queue_ring(&c, &sq);
	name("queues.sq 2 on cq 1");
	if (queue_wait(&c, &io, &cqe, c.timeout_ms))
		value("no completion");
	else
		value("%04x of sq %u, head %u", cqe_status(&cqe),
		      le16toh(cqe.sqid), le16toh(cqe.sqhd));
}

/* Creation and deletion, right and wrong; @io has identifier 1. */
static void queues(void)
{
	uint64_t ring = dma_addr(&c, dma_alloc(&c, 4 * PAGE, PAGE));
	uint32_t size = 15 << 16;

	queue_command("cq that exists", ADMIN_CREATE_CQ, ring, 1 | size, 1);
	queue_command("cq 0", ADMIN_CREATE_CQ, ring, 0 | size, 1);
	queue_command("cq 65", ADMIN_CREATE_CQ, ring, 65 | size, 1);
	queue_command("cq ffff", ADMIN_CREATE_CQ, ring, 0xffff | size, 1);
	queue_command("cq of 1 entry", ADMIN_CREATE_CQ, ring, 2, 1);
	queue_command("cq too large", ADMIN_CREATE_CQ, ring, 2 | 0xffffU << 16, 1);
	queue_command("cq not contiguous", ADMIN_CREATE_CQ, ring, 2 | size, 0);
	queue_command("cq with an offset", ADMIN_CREATE_CQ, ring + 64, 2 | size, 1);
	queue_command("cq with vector 1", ADMIN_CREATE_CQ, ring, 2 | size,
		      3 | 1 << 16);
	queue_command("cq with vector ffff", ADMIN_CREATE_CQ, ring, 2 | size,
		      3 | 0xffffU << 16);
	queue_command("sq without cq", ADMIN_CREATE_SQ, ring, 2 | size, 1 | 2 << 16);
	queue_command("sq on cq 0", ADMIN_CREATE_SQ, ring, 2 | size, 1);
	queue_command("sq that exists", ADMIN_CREATE_SQ, ring, 1 | size, 1 | 1 << 16);
	queue_command("sq 0", ADMIN_CREATE_SQ, ring, size, 1 | 1 << 16);
	queue_command("sq 65", ADMIN_CREATE_SQ, ring, 65 | size, 1 | 1 << 16);
	queue_command("sq of 1 entry", ADMIN_CREATE_SQ, ring, 2, 1 | 1 << 16);
	queue_command("sq too large", ADMIN_CREATE_SQ, ring, 2 | 0xffffU << 16,
		      1 | 1 << 16);
	queue_command("sq not contiguous", ADMIN_CREATE_SQ, ring, 2 | size, 1 << 16);
	queue_command("sq with an offset", ADMIN_CREATE_SQ, ring + 64, 2 | size,
		      1 | 1 << 16);
	queue_command("sq of each priority", ADMIN_CREATE_SQ, ring, 2 | size,
		      1 | 3 << 1 | 1 << 16);
	second_queue(ring);
	queue_command("delete that sq", ADMIN_DELETE_SQ, 0, 2, 0);
	queue_command("delete it again", ADMIN_DELETE_SQ, 0, 2, 0);
	queue_command("delete sq 0", ADMIN_DELETE_SQ, 0, 0, 0);
	queue_command("delete sq ffff", ADMIN_DELETE_SQ, 0, 0xffff, 0);
	queue_command("delete cq in use", ADMIN_DELETE_CQ, 0, 1, 0);
	queue_command("delete cq 0", ADMIN_DELETE_CQ, 0, 0, 0);
	queue_command("delete cq ffff", ADMIN_DELETE_CQ, 0, 0xffff, 0);
	queue_command("another cq", ADMIN_CREATE_CQ, ring, 2 | size, 1);
	queue_command("delete it", ADMIN_DELETE_CQ, 0, 2, 0);
	queue_command("delete it again too", ADMIN_DELETE_CQ, 0, 2, 0);
	queue_command("abort of nothing", ADMIN_ABORT, 0, 1 | 0x1234 << 16, 0);
	queue_command("abort in sq 0", ADMIN_ABORT, 0, 0x1234 << 16, 0);
	queue_command("abort in no queue", ADMIN_ABORT, 0, 7, 0);
	queue_command("abort in queue ffff", ADMIN_ABORT, 0, 0xffff, 0);
	queue_command("doorbell buffer, with an offset", ADMIN_DBBUF, ring + 8, 0, 0);
}

/*
 * I/O. A valid command of each kind, on eight blocks from block 64, that the tests
 * then bend: the disk has zeroes there, so that Compare succeeds.
 */
static const struct op {
	const char *name;
	uint8_t opcode;
	bool blocks;		/* CDW10 to 12 say which */
} ops[] = {
	{ "flush", IO_FLUSH },
	{ "write", IO_WRITE, true },
	{ "read", IO_READ, true },
	{ "compare", IO_COMPARE, true },
	{ "write zeroes", IO_WRITE_ZEROES, true },
	{ "dsm", IO_DSM },
	{ "verify", IO_VERIFY, true },
	{ "copy", IO_COPY },
	{ "uncorrectable", 0x04, true },
	{ "management receive", 0x12 },
	{ "management send", 0x1d },
};

#define SLBA	64
#define NLB	8

static void set_blocks(struct sqe *sqe, uint64_t slba, uint32_t nlb)
{
	sqe->cdw10 = htole32(slba);
	sqe->cdw11 = htole32(slba >> 32);
	sqe->cdw12 = htole32((nlb - 1) & 0xffff);
}

/* One range of Dataset Management, and a descriptor of Copy, formats 0 and 1 */
static void set_range(void *p, uint32_t nlb, uint64_t slba)
{
	uint32_t range[4] = {
		0, htole32(nlb), htole32(slba), htole32(slba >> 32),
	};

	memcpy(p, range, sizeof(range));
}

static void set_source(void *p, uint64_t slba, uint32_t nlb)
{
	uint32_t source[8] = {
		[2] = htole32(slba), [3] = htole32(slba >> 32),
		[4] = htole32((nlb - 1) & 0xffff),
	};

	memcpy(p, source, sizeof(source));
}

/* The valid command; its buffer, which is as large as the data */
static void *io_command(struct sqe *sqe, const struct op *op)
{
	void *buf = dma_alloc(&c, 64 * 1024, PAGE);

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op->opcode;
	sqe->nsid = htole32(ns);
	prp_build(&c, sqe, buf, NLB * lba_size);
	if (op->blocks) {
		set_blocks(sqe, SLBA, NLB);
	} else if (op->opcode == IO_DSM) {
		set_range(buf, NLB, SLBA);
		sqe->cdw11 = htole32(1 << 2);
	} else if (op->opcode == IO_COPY) {
		set_source(buf, SLBA, NLB);
		set_blocks(sqe, 2 * SLBA, 1);
	}
	return buf;
}

static void io_plain(const char *what)
{
	const struct op *op;
	struct sqe sqe;

	FOR_EACH(op, ops) {
		size_t mark = c.used;

		io_command(&sqe, op);
		name("io%u.%s.%s", ns, op->name, what);
		run(&io, &sqe);
		c.used = mark;
	}
}

static void io_opcodes(void)
{
	unsigned int opcode;
	struct sqe sqe;

	for (opcode = 0; opcode < 0x100; opcode++) {
		size_t mark = c.used;
		struct op op = { .opcode = opcode };

		io_command(&sqe, &op);
		name("io%u.opcode%02x.zero", ns, opcode);
		run(&io, &sqe);
		sqe.cdw2 = 0xffffffff;
		sqe.cdw3 = 0xffffffff;
		sqe.cdw10 = 0xffffffff;
		sqe.cdw11 = 0xffffffff;
		sqe.cdw12 = 0xffffffff;
		sqe.cdw13 = 0xffffffff;
		sqe.cdw14 = 0xffffffff;
		sqe.cdw15 = 0xffffffff;
		name("io%u.opcode%02x.ones", ns, opcode);
		run(&io, &sqe);
		c.used = mark;
	}
}

static void io_nsids(void)
{
	static const uint32_t more[] = { 0x100, 0x101, 0x80000000 };
	const uint32_t *nsid;
	const struct op *op;
	struct sqe sqe;

	FOR_EACH(op, ops) {
		size_t mark = c.used;

		io_command(&sqe, op);
		FOR_EACH(nsid, nsids) {
			name("io%u.%s.nsid%x", ns, op->name, *nsid);
			sqe.nsid = htole32(*nsid);
			run(&io, &sqe);
		}
		FOR_EACH(nsid, more) {
			name("io%u.%s.nsid%x", ns, op->name, *nsid);
			sqe.nsid = htole32(*nsid);
			run(&io, &sqe);
		}
		c.used = mark;
	}
}

/* FUSE and PSDT; then each bit of the dwords that a command uses */
static void io_bits(void)
{
	const struct op *op;
	unsigned int bit;
	struct sqe sqe;

	FOR_EACH(op, ops) {
		size_t mark = c.used;

		for (bit = 0; bit < 8; bit++) {
			io_command(&sqe, op);
			sqe.flags = 1 << bit;
			name("io%u.%s.flags%02x", ns, op->name, 1 << bit);
			run(&io, &sqe);
			c.used = mark;
		}
		for (bit = 16; bit < 32; bit++) {
			io_command(&sqe, op);
			sqe.cdw12 |= htole32(1U << bit);
			name("io%u.%s.cdw12 bit %u", ns, op->name, bit);
			run(&io, &sqe);
			c.used = mark;
		}
#define DWORD(member)							\
		io_command(&sqe, op);					\
		sqe.member = 0xa5a5a5a5;				\
		name("io%u.%s." #member, ns, op->name);		\
		run(&io, &sqe);						\
		c.used = mark
		DWORD(cdw2);
		DWORD(cdw3);
		DWORD(mptr);
		DWORD(cdw13);
		DWORD(cdw14);
		DWORD(cdw15);
#undef DWORD
	}
}

/* The two halves of a fused command, together and without each other */
static void fused(const char *what, unsigned int first, unsigned int second,
		  uint32_t nlb)
{
	size_t mark = c.used;
	struct sqe sqe[2];
	struct cqe cqe;
	unsigned int i;

	io_command(&sqe[0], &ops[3]);
	io_command(&sqe[1], &ops[1]);
	sqe[0].flags = first;
	sqe[1].flags = second;
	set_blocks(&sqe[1], SLBA, nlb);
	queue_push(&io, &sqe[0]);
	queue_push(&io, &sqe[1]);
	queue_ring(&c, &io);
	for (i = 0; i < 2; i++) {
		name("io%u.fused.%s.%u", ns, what, i);
		if (queue_wait(&c, &io, &cqe, c.timeout_ms)) {
			value("no completion");
			begin();
			break;
		}
		value("%04x, its command %s", cqe_status(&cqe),
		      cqe.cid == sqe[0].cid ? "first" : "second");
	}
	c.used = mark;
}

/* Blocks at all borders; @max is what MDTS allows. */
static void io_ranges(uint32_t max)
{
	const struct {
		uint64_t slba;
		uint32_t nlb;
	} ranges[] = {
		{ 0, 1 }, { ns_size - 1, 1 }, { ns_size - 2, 2 }, { ns_size - 1, 2 },
		{ ns_size, 1 }, { ns_size + 1, 1 }, { 1ULL << 32, 1 },
		{ 1ULL << 55, 1 }, { 1ULL << 63, 1 }, { -1ULL, 1 }, { -1ULL, 2 },
		{ -8ULL, 16 }, { 0, max }, { 0, max + 1 }, { 0, 65536 },
		{ ns_size - max, max }, { ns_size - max + 1, max },
		{ ns_size, 65536 }, { -1ULL, 65536 },
	};
	const struct op *op;
	unsigned int i;

	FOR_EACH(op, ops) {
		for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
			size_t mark = c.used;
			uint32_t nlb = ranges[i].nlb;
			struct sqe sqe;
			void *buf;

			if (!op->blocks)
				break;
			io_command(&sqe, op);
			/* At most the largest that can be allowed */
			if (nlb * lba_size <= HUGE_PAGE) {
				buf = dma_alloc(&c, nlb * lba_size, PAGE);
				prp_build(&c, &sqe, buf, nlb * lba_size);
			}
			set_blocks(&sqe, ranges[i].slba, nlb);
			name("io%u.%s.blocks %llx+%x", ns, op->name,
			     (unsigned long long)ranges[i].slba, nlb);
			run(&io, &sqe);
			c.used = mark;
		}
	}
}

/* A Read of eight blocks and its data pointer */
static void io_prps(void)
{
	size_t mark = c.used;
	uint8_t *buf = dma_alloc(&c, 64 * 1024, PAGE);
	uint64_t *list = dma_alloc(&c, 2 * PAGE, PAGE);
	uint64_t addr = dma_addr(&c, buf), at = dma_addr(&c, list);
	const uint64_t hole = 1ULL << 45;
	struct {
		const char *name;
		uint64_t prp1, prp2, list0, list1;
	} prps[] = {
		{ "aligned", addr, addr + PAGE },
		{ "prp1 a dword in", addr + 4, addr + PAGE },
		{ "prp1 a word in", addr + 2, addr + PAGE },
		{ "prp1 a byte in", addr + 1, addr + PAGE },
		{ "prp2 with an offset", addr + 512, addr + PAGE + 512 },
		{ "prp2 missing", addr + 512, 0 },
		{ "prp1 without memory", hole, hole + PAGE },
		{ "prp2 without memory", addr + 512, hole },
		{ "prp1 registers", c.bar_addr, addr },
		{ "prp1 the end of all", -PAGE, addr },
		{ "list", addr + 512, at, addr + PAGE, addr + 2 * PAGE },
		{ "list with an offset", addr + 512, at + 16, addr + PAGE,
		  addr + 2 * PAGE },
		{ "list not at a qword", addr + 512, at + 4, addr + PAGE,
		  addr + 2 * PAGE },
		{ "list entry with an offset", addr + 512, at, addr + PAGE + 8,
		  addr + 2 * PAGE },
		{ "list entry missing", addr + 512, at, addr + PAGE, 0 },
		{ "list entry without memory", addr + 512, at, addr + PAGE, hole },
		{ "list without memory", addr + 512, hole },
		{ "list at the end of a page", addr + 512, at + PAGE - 8, 0, at },
	};
	unsigned int i, large;

	for (large = 0; large < 2; large++) {
		for (i = 0; i < sizeof(prps) / sizeof(prps[0]); i++) {
			struct sqe sqe = {
				.opcode = IO_READ,
				.nsid = htole32(ns),
				.prp1 = htole64(prps[i].prp1),
				.prp2 = htole64(prps[i].prp2),
			};

			memset(list, 0, 2 * PAGE);
			list[0] = list[2] = htole64(prps[i].list0);
			list[1] = list[3] = htole64(prps[i].list1);
			/* Two or three pages */
			set_blocks(&sqe, SLBA,
				   (large ? 2 * PAGE : PAGE) / lba_size);
			name("io%u.prp.%s.%s", ns, large ? "8k" : "4k", prps[i].name);
			run(&io, &sqe);
		}
	}
	c.used = mark;
}

/* SGL descriptors in place of the PRPs */
static void io_sgls(void)
{
	size_t mark = c.used;
	uint8_t *buf = dma_alloc(&c, 64 * 1024, PAGE);
	uint64_t *segment = dma_alloc(&c, PAGE, PAGE);
	uint64_t addr = dma_addr(&c, buf), at = dma_addr(&c, segment);
	const uint64_t len = NLB * lba_size, hole = 1ULL << 45;
#define SGL(type, length)	((uint64_t)(type) << 56 | (length))
	const struct {
		const char *name;
		uint64_t addr, rest;	/* the descriptor of the command */
		uint64_t segment[4];
	} sgls[] = {
		{ "data block", addr, SGL(0x00, len) },
		{ "data block, any byte", addr + 3, SGL(0x00, len) },
		{ "data block, too long", addr, SGL(0x00, len + 512) },
		{ "data block, too short", addr, SGL(0x00, len - 512) },
		{ "data block, empty", addr, SGL(0x00, 0) },
		{ "data block, no memory", hole, SGL(0x00, len) },
		{ "data block, subtype 1", addr, SGL(0x01, len) },
		{ "data block, subtype a", addr, SGL(0x0a, len) },
		{ "bit bucket", 0, SGL(0x10, len) },
		{ "keyed", addr, SGL(0x40, len) },
		{ "type 9", addr, SGL(0x90, len) },
		{ "vendor", addr, SGL(0xf0, len) },
		{ "last segment", at, SGL(0x30, 32),
		  { addr, SGL(0x00, 512), addr + 512, SGL(0x00, len - 512) } },
		{ "last segment, bit bucket", at, SGL(0x30, 32),
		  { 0, SGL(0x10, 512), addr, SGL(0x00, len - 512) } },
		{ "last segment, empty", at, SGL(0x30, 0) },
		{ "last segment, odd length", at, SGL(0x30, 24),
		  { addr, SGL(0x00, len) } },
		{ "last segment, too short", at, SGL(0x30, 16),
		  { addr, SGL(0x00, 512) } },
		{ "last segment, no memory", hole, SGL(0x30, 16) },
		{ "last segment with a segment", at, SGL(0x30, 32),
		  { addr, SGL(0x00, 512), at, SGL(0x30, 16) } },
		{ "segment", at, SGL(0x20, 16), { at + 16, SGL(0x30, 16),
		  addr, SGL(0x00, len) } },
		{ "segment without a next", at, SGL(0x20, 16),
		  { addr, SGL(0x00, len) } },
		{ "segment loop", at, SGL(0x20, 16), { at, SGL(0x20, 16) } },
	};
#undef SGL
	unsigned int i, psdt;

	for (psdt = 1; psdt <= 3; psdt++) {
		for (i = 0; i < sizeof(sgls) / sizeof(sgls[0]); i++) {
			struct sqe sqe = {
				.opcode = IO_READ,
				.flags = psdt << 6,
				.nsid = htole32(ns),
				.prp1 = htole64(sgls[i].addr),
				.prp2 = htole64(sgls[i].rest),
			};

			memcpy(segment, sgls[i].segment, sizeof(sgls[i].segment));
			set_blocks(&sqe, SLBA, NLB);
			name("io%u.sgl.psdt%u.%s", ns, psdt, sgls[i].name);
			run(&io, &sqe);
		}
	}
	c.used = mark;
}

static void dsm(const char *what, unsigned int nr, uint32_t attributes,
		uint64_t slba, uint32_t nlb)
{
	size_t mark = c.used;
	struct sqe sqe;
	uint8_t *buf = io_command(&sqe, &ops[5]);
	unsigned int i;

	for (i = 0; i < nr; i++)
		set_range(buf + 16 * i, nlb, slba + (uint64_t)i * nlb);
	sqe.cdw10 = htole32(nr - 1);
	sqe.cdw11 = htole32(attributes);
	name("io%u.dsm.%s", ns, what);
	run(&io, &sqe);
	c.used = mark;
}

static void io_dsm(void)
{
	unsigned int bit;

	dsm("1 range", 1, 4, 64, 8);
	dsm("256 ranges", 256, 4, 64, 8);
	dsm("256 ranges, all attributes", 256, 7, 64, 1);
	dsm("no blocks", 1, 4, 64, 0);
	dsm("no blocks at the end", 1, 4, ns_size, 0);
	dsm("no blocks behind the end", 1, 4, ns_size + 1, 0);
	dsm("all blocks", 1, 4, 0, ns_size);
	dsm("one too many", 1, 4, 0, ns_size + 1);
	dsm("behind the end", 1, 4, ns_size, 1);
	dsm("the second behind the end", 2, 4, ns_size - 8, 8);
	dsm("4 Gi blocks", 1, 4, 0, 0xffffffff);
	dsm("far away", 1, 4, -1ULL, 1);
	for (bit = 0; bit < 32; bit++) {
		char text[16];

		snprintf(text, sizeof(text), "cdw11 bit %u", bit);
		dsm(text, 1, 1U << bit, 64, 8);
		snprintf(text, sizeof(text), "far, bit %u", bit);
		dsm(text, 1, 1U << bit, ns_size, 8);
	}
}

static void copy(const char *what, unsigned int nr, uint32_t cdw12, uint64_t sdlba,
		 uint64_t slba, uint32_t nlb)
{
	/* Format 1 has descriptors of 40 bytes. */
	size_t mark = c.used, step = (cdw12 >> 8 & 15) & 1 ? 40 : 32;
	struct sqe sqe;
	uint8_t *buf = io_command(&sqe, &ops[7]);
	unsigned int i;

	prp_build(&c, &sqe, buf, 256 * step);
	for (i = 0; i < nr; i++)
		set_source(buf + step * i, slba + (uint64_t)i * nlb, nlb);
	sqe.cdw10 = htole32(sdlba);
	sqe.cdw11 = htole32(sdlba >> 32);
	sqe.cdw12 = htole32((nr - 1) | cdw12);
	name("io%u.copy.%s", ns, what);
	run(&io, &sqe);
	c.used = mark;
}

static void io_copy(void)
{
	unsigned int format;

	for (format = 0; format < 16; format++) {
		char text[16];

		snprintf(text, sizeof(text), "format %u", format);
		copy(text, 1, format << 8, 1024, 64, 8);
	}
	copy("16 ranges", 16, 0, 1024, 64, 8);
	copy("128 ranges", 128, 0, 1024, 64, 1);
	copy("129 ranges", 129, 0, 1024, 64, 1);
	copy("256 ranges", 256, 0, 1024, 64, 1);
	copy("128 blocks", 1, 0, 1024, 64, 128);
	copy("129 blocks", 1, 0, 1024, 64, 129);
	copy("129 blocks in three", 3, 0, 1024, 64, 43);
	copy("65536 blocks", 1, 0, 1024, 64, 65536);
	copy("from behind the end", 1, 0, 1024, ns_size - 4, 8);
	copy("to behind the end", 1, 0, ns_size - 4, 64, 8);
	copy("from far away", 1, 0, 1024, -1ULL, 1);
	copy("to far away", 1, 0, -1ULL, 64, 1);
	copy("onto itself", 1, 0, 64, 64, 8);
	copy("overlapping, upwards", 1, 0, 68, 64, 8);
	copy("overlapping, downwards", 1, 0, 60, 64, 8);
}

/* What is on the disk, which the name says how it came about */
static void on_disk(const char *what, uint64_t slba, uint32_t nlb)
{
	size_t mark = c.used;
	struct sqe sqe;
	uint8_t *buf;

	io_command(&sqe, &ops[2]);
	buf = dma_alloc(&c, nlb * lba_size, PAGE);
	prp_build(&c, &sqe, buf, nlb * lba_size);
	set_blocks(&sqe, slba, nlb);
	name("data%u.%s.read", ns, what);
	run(&io, &sqe);
	name("data%u.%s.is", ns, what);
	value("%08x", hash(buf, nlb * lba_size));
	c.used = mark;
}

/* Set Features, Host Behavior Support: the copy descriptor formats that are enabled */
static void enable_formats(uint16_t formats)
{
	struct sqe sqe = {
		.opcode = ADMIN_SET_FEATURES,
		.cdw10 = htole32(0x16),
	};
	size_t mark = c.used;
	uint8_t *buf = dma_alloc(&c, PAGE, PAGE);

	memset(buf, 0, PAGE);
	buf[4] = formats;
	buf[5] = formats >> 8;
	prp_build(&c, &sqe, buf, PAGE);
	name("io%u.copy2.cdfe%x", ns, formats);
	run(&c.admin, &sqe);
	c.used = mark;
	get_feature(0x16, 0, 0, 0);
}

/* A source range of descriptor format 2 */
struct source {
	uint32_t nsid;
	uint64_t slba;
	uint32_t nlb;
};

static void copy2(const char *what, unsigned int format, uint64_t sdlba,
		  const struct source *source, unsigned int nr)
{
	size_t mark = c.used, step = format & 1 ? 40 : 32;
	uint32_t nsid;
	unsigned int i;
	struct sqe sqe;
	uint8_t *buf = io_command(&sqe, &ops[7]);

	for (i = 0; i < nr; i++) {
		set_source(buf + step * i, source[i].slba, source[i].nlb);
		nsid = htole32(source[i].nsid);
		memcpy(buf + step * i, &nsid, sizeof(nsid));
	}
	sqe.cdw10 = htole32(sdlba);
	sqe.cdw11 = htole32(sdlba >> 32);
	sqe.cdw12 = htole32((nr - 1) | format << 8);
	name("io%u.copy2.%s", ns, what);
	run(&io, &sqe);
	c.used = mark;
}

/* Copy from other namespaces, and what has to be enabled for it */
static void io_copy_across(void)
{
	static const uint32_t sources[] = {
		0, 1, 2, 3, 4, 5, 255, 256, 257, 0x10001, 0xfffffffe, 0xffffffff,
	};
	const struct source own = { ns, 64, 8 };
	struct source two[2];
	const uint32_t *nsid;
	unsigned int formats, format;
	char text[48];
	int shift;

	for (formats = 0; formats < 16; formats += 4) {
		enable_formats(formats);
		for (format = 0; format < 5; format++) {
			snprintf(text, sizeof(text), "cdfe%x.format %u", formats,
				 format);
			copy2(text, format, 1024, &own, 1);
		}
	}
	enable_formats(0xffff);
	copy2("all enabled", 2, 1024, &own, 1);
	copy2("all enabled, format 4", 4, 1024, &own, 1);
	enable_formats(1 << 2);
	FOR_EACH(nsid, sources) {
		snprintf(text, sizeof(text), "from nsid %x", *nsid);
		two[0] = (struct source) { *nsid, 0, 8 };
		copy2(text, 2, 2000, two, 1);
	}
	for (shift = -16; shift <= 16; shift += 4) {
		snprintf(text, sizeof(text), "own blocks, %d", shift);
		copy2(text, 2, 64 + shift, &own, 1);
	}
	two[0] = (struct source) { 4, ns_size - 4, 8 };
	copy2("from behind the end", 2, 1024, two, 1);
	two[0] = (struct source) { 4, 0, 129 };
	copy2("129 blocks", 2, 1024, two, 1);
	two[0] = own;
	copy2("to behind the end", 2, ns_size - 4, two, 1);
	if (ns == 1) {
		/* Namespace 4 has blocks of the same size. */
		two[1] = (struct source) { 4, 1, 8 };
		copy2("own and another", 2, 1100, two, 2);
		on_disk("own and another", 1090, 32);
		two[0] = two[1];
		two[1] = own;
		copy2("another and own", 2, 1200, two, 2);
		on_disk("another and own", 1190, 32);
	}
	enable_formats(0);
	copy2("disabled", 2, 1024, &own, 1);
	enable_formats(1 << 2);
	begin();
	get_feature(0x16, 0, 0, 0);
	copy2("after a reset", 2, 1024, &own, 1);
}

static void data_command(const char *what, const struct op *op, uint64_t slba,
			 uint32_t nlb, uint32_t cdw12, uint32_t seed)
{
	size_t mark = c.used;
	struct sqe sqe;
	uint32_t *buf;
	unsigned int i;

	io_command(&sqe, op);
	buf = dma_alloc(&c, nlb * lba_size, PAGE);
	prp_build(&c, &sqe, buf, nlb * lba_size);
	for (i = 0; i < nlb * lba_size / 4; i++)
		buf[i] = seed ? seed + i * 2654435761U : 0;
	set_blocks(&sqe, slba, nlb);
	sqe.cdw12 |= htole32(cdw12);
	name("data%u.%s", ns, what);
	run(&io, &sqe);
	c.used = mark;
}

/* What commands do to the data */
static void data(void)
{
	const struct op *write = &ops[1], *compare = &ops[3], *zeroes = &ops[4];

	data_command("write", write, 200, 64, 0, 1);
	on_disk("write", 192, 80);
	data_command("write, FUA", write, 300, 8, 1U << 30, 2);
	on_disk("write, FUA", 296, 16);
	data_command("compare, same", compare, 200, 64, 0, 1);
	data_command("compare, other", compare, 200, 64, 0, 3);
	data_command("compare, one block on", compare, 201, 64, 0, 1);
	data_command("compare, FUA", compare, 200, 64, 1U << 30, 1);
	copy("for data", 4, 0, 400, 200, 8);
	on_disk("copy", 392, 48);
	copy("for data, upwards", 1, 0, 204, 200, 16);
	on_disk("copy upwards", 196, 80);
	data_command("write zeroes", zeroes, 210, 5, 0, 0);
	on_disk("write zeroes", 196, 80);
	data_command("write zeroes, DEAC", zeroes, 220, 5, 1U << 25, 0);
	on_disk("write zeroes, DEAC", 196, 80);
	data_command("write zeroes, FUA", zeroes, 230, 5, 1U << 30, 0);
	on_disk("write zeroes, FUA", 196, 80);
	dsm("for data", 2, 4, 240, 4);
	on_disk("deallocate", 196, 80);
	data_command("write over it", write, 232, 16, 0, 4);
	on_disk("write over it", 196, 80);
}

/*
 * What the SMART log counts for so many commands (Base 2.0, 5.16.1.3). Data
 * units are of 1000 * 512 bytes: the commands move a multiple of that.
 */
static void smart(const char *what, uint8_t *log)
{
	struct sqe sqe = {
		.opcode = ADMIN_GET_LOG,
		.nsid = 0xffffffff,
		.cdw10 = htole32(2 | 127 << 16),
	};

	prp_build(&c, &sqe, log, 512);
	name("smart.%s", what);
	run(&c.admin, &sqe);
}

static void smart_counts(void)
{
	static const struct {
		const char *name;
		unsigned int offset;
	} counts[] = {
		{ "data units read", 32 }, { "data units written", 48 },
		{ "host reads", 64 }, { "host writes", 80 },
		{ "media errors", 160 }, { "error log entries", 176 },
	};
	uint8_t *before = dma_alloc(&c, PAGE, PAGE);
	uint8_t *after = dma_alloc(&c, PAGE, PAGE);
	static const uint8_t opcodes[] = {
		IO_READ, IO_WRITE, IO_COMPARE, IO_VERIFY, IO_WRITE_ZEROES,
	};
	unsigned int i, j, n = 1000 * 512 / lba_size / 5;
	struct sqe sqe;

	for (j = 0; j < sizeof(opcodes); j++) {
		struct op op = { .opcode = opcodes[j], .blocks = true };
		size_t mark = c.used;

		smart("before", before);
		io_command(&sqe, &op);
		set_blocks(&sqe, 512, 5);
		for (i = 0; i < n; i++)
			exec(&c, &io, &sqe);
		smart("after", after);
		for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			uint64_t a, b;

			memcpy(&a, before + counts[i].offset, 8);
			memcpy(&b, after + counts[i].offset, 8);
			name("smart.%u of %02x.%s", n, opcodes[j], counts[i].name);
			value("%llu", (unsigned long long)(le64toh(b) - le64toh(a)));
		}
		c.used = mark;
	}
	/* Commands that fail */
	smart("before", before);
	io_command(&sqe, &ops[2]);
	set_blocks(&sqe, ns_size, 1);
	for (i = 0; i < 3; i++)
		exec(&c, &io, &sqe);
	smart("after", after);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		name("smart.3 failed.%s", counts[i].name);
		value("%d", memcmp(before + counts[i].offset,
				   after + counts[i].offset, 8));
	}
	get_log(0x01, 0xffffffff, 64, 0, 0);
}

/* A bad doorbell value; the controller says so by an event, or fails. */
static void bad_doorbell(const char *what, unsigned int offset, uint32_t bad)
{
	struct sqe aer = { .opcode = ADMIN_ASYNC_EVENT };
	struct sqe get = { .opcode = ADMIN_GET_FEATURES, .cdw10 = htole32(7) };
	struct cqe cqe;

	/* Once the second is complete, the first has been taken. */
	queue_push(&c.admin, &aer);
	exec(&c, &c.admin, &get);
	name("doorbells.%s", what);
	set_reg32(&c, REG_DOORBELLS + offset, bad);
	if (queue_wait(&c, &c.admin, &cqe, 1000))
		value("no event, CSTS %x", reg32(&c, REG_CSTS));
	else
		value("%04x %08x, CSTS %x", cqe_status(&cqe), le32toh(cqe.dw0),
		      reg32(&c, REG_CSTS));
	if (begin())
		exit(1);
}

static void doorbells(void)
{
	bad_doorbell("sq 1 = its size", 8, IO_ENTRIES);
	bad_doorbell("sq 1 = ffffffff", 8, 0xffffffff);
	bad_doorbell("cq 1 = its size", 12, IO_ENTRIES);
	bad_doorbell("sq 2", 16, 1);
	bad_doorbell("cq 2", 20, 1);
	bad_doorbell("sq 100", 800, 1);
	bad_doorbell("sq 0 = 64", 0, 64);
	bad_doorbell("half a doorbell", 10, 0);
}

static void event_requests(void)
{
	struct sqe aer = { .opcode = ADMIN_ASYNC_EVENT };
	struct cqe cqe;
	unsigned int i;

	name("events.limit");
	for (i = 0; i < 8; i++)
		queue_push(&c.admin, &aer);
	queue_ring(&c, &c.admin);
	for (i = 0; i < 8 && !queue_wait(&c, &c.admin, &cqe, 500); i++)
		value("%04x", cqe_status(&cqe));
	begin();
}

static void format(const char *what, uint32_t nsid, uint32_t cdw10)
{
	struct sqe sqe = {
		.opcode = ADMIN_FORMAT,
		.nsid = htole32(nsid),
		.cdw10 = htole32(cdw10),
	};

	name("format.%s", what);
	run(&c.admin, &sqe);
}

static void read_namespace(const char *what)
{
	struct sqe sqe = {
		.opcode = ADMIN_IDENTIFY,
		.nsid = htole32(ns),
	};
	size_t mark = c.used;
	uint8_t *id = dma_alloc(&c, PAGE, PAGE);

	prp_build(&c, &sqe, id, PAGE);
	if (exec(&c, &c.admin, &sqe))
		exit(1);
	ns_size = le64toh(*(uint64_t *)id);
	lba_size = 1 << id[128 + 4 * (id[26] & 15) + 2];
	name("namespace.%u.%s", ns, what);
	value("%llu blocks of %u bytes", (unsigned long long)ns_size, lba_size);
	c.used = mark;
}

static void formats(void)
{
	unsigned int lbaf;

	format("nsid 0", 0, 0);
	format("nsid 3", 3, 0);
	format("nsid fffffffe", 0xfffffffe, 0);
	format("lbaf 15", 1, 15);
	format("pi 7", 1, 7 << 5);
	format("ses 7", 1, 7 << 9);
	for (lbaf = 0; lbaf < 8; lbaf++) {
		char text[32];

		snprintf(text, sizeof(text), "lbaf %u", lbaf);
		format(text, 1, lbaf);
		read_namespace(text);
		on_disk(text, 0, 8);
	}
	format("lbaf 0 again", 1, 0);
	read_namespace("lbaf 0 again");
	data_command("write after format", &ops[1], 200, 64, 0, 5);
	format("ses 1", 1, 1 << 9);
	on_disk("user data erase", 196, 80);
	format("ses 2", 1, 2 << 9);
}

static void shutdown_and_reset(void)
{
	name("reset.shutdown");
	value("%d", ctrl_shutdown(&c));
	name("reset.csts");
	value("%x", reg32(&c, REG_CSTS));
	name("reset.disable");
	value("%d", ctrl_disable(&c));
	registers();
	begin();
	name("reset.after");
	get_feature(0x0b, 0, 0, 0);
	get_feature(0x04, 0, 0, 0);
	/* Without a shutdown, and with CC.EN cleared in one */
	set_reg32(&c, REG_CC, 0);
	name("reset.cc=0");
	value("%d", ctrl_wait(&c, CSTS_RDY | CSTS_CFS, 0));
}

/* What the controller does when it is enabled with nonsense */
static void bad_enables(void)
{
	static const struct {
		const char *name;
		uint32_t cc, aqa;
		uint64_t offset;
	} bad[] = {
		{ "entry sizes 0", CC_EN, 0x3f003f, 0 },
		{ "command set 1", CC_EN | CC_ENTRY_SIZES | 1 << 4, 0x3f003f, 0 },
		{ "command set 6", CC_EN | CC_ENTRY_SIZES | 6 << 4, 0x3f003f, 0 },
		{ "command set 7", CC_EN | CC_ENTRY_SIZES | 7 << 4, 0x3f003f, 0 },
		{ "page size 15", CC_EN | CC_ENTRY_SIZES | 15 << 7, 0x3f003f, 0 },
		{ "arbitration 7", CC_EN | CC_ENTRY_SIZES | 7 << 11, 0x3f003f, 0 },
		{ "no admin queue", CC_EN | CC_ENTRY_SIZES, 0, 0 },
		{ "admin queue of 1", CC_EN | CC_ENTRY_SIZES, 0x3f0000, 0 },
		{ "admin queue with an offset", CC_EN | CC_ENTRY_SIZES, 0x3f003f, 64 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t ring;

		ctrl_disable(&c);
		ring = dma_addr(&c, dma_alloc(&c, 8 * PAGE, PAGE)) + bad[i].offset;
		set_reg32(&c, REG_AQA, bad[i].aqa);
		set_reg64(&c, REG_ASQ, ring);
		set_reg64(&c, REG_ACQ, ring + 4 * PAGE);
		set_reg32(&c, REG_CC, bad[i].cc);
		usleep(10000);
		name("enable.%s", bad[i].name);
		value("CSTS %x CC %x", reg32(&c, REG_CSTS), reg32(&c, REG_CC));
	}
}

/* Pages of all sizes, and data that begins anywhere in one */
static void page_sizes(void)
{
	static const unsigned int offsets[] = { 0, 4, 512, 4096, 8188 };
	const unsigned int *offset;
	size_t page;

	for (page = PAGE; page <= 16 * PAGE; page *= 2) {
		c.page = page;
		name("pages.%zu.enable", page);
		value("%d CSTS %x", begin(), reg32(&c, REG_CSTS));
		FOR_EACH(offset, offsets) {
			size_t len = 4 * page, mark = c.used;
			uint8_t *out = dma_alloc(&c, len + page, page) + *offset % page;
			uint8_t *in = dma_alloc(&c, len + page, page) + *offset % page;
			struct sqe sqe;
			unsigned int i;

			for (i = 0; i < len; i++)
				out[i] = i * 7 + i / 251 + *offset;
			io_command(&sqe, &ops[1]);
			set_blocks(&sqe, SLBA, len / lba_size);
			prp_build(&c, &sqe, out, len);
			name("pages.%zu.write from %u", page, *offset);
			run(&io, &sqe);
			sqe.opcode = IO_READ;
			prp_build(&c, &sqe, in, len);
			name("pages.%zu.read to %u", page, *offset);
			run(&io, &sqe);
			name("pages.%zu.data at %u", page, *offset);
			value("%s", memcmp(in, out, len) ? "differs" : "is the same");
			c.used = mark;
		}
	}
	c.page = PAGE;
	begin();
}

static int begin(void)
{
	return ctrl_disable(&c) ?: ctrl_enable(&c, 32) ?:
	       queue_create(&c, &io, 1, IO_ENTRIES, 0, 0);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (argc != 2 || ctrl_open(&c, argv[1]))
		return 2;
	if (begin()) {
		fprintf(stderr, "the controller does not start, CSTS %x\n",
			reg32(&c, REG_CSTS));
		return 1;
	}
	registers();
	identify();
	features();
	logs();
	queues();
	admin();
	admin_prps();
	begin();
	for (ns = 1; ns <= 2; ns++) {
		read_namespace("first");
		io_plain("plain");
		io_opcodes();
		io_nsids();
		io_bits();
		fused("pair", 1, 2, NLB);
		fused("pair of two sizes", 1, 2, NLB - 1);
		fused("two first halves", 1, 1, NLB);
		fused("two second halves", 2, 2, NLB);
		/* The largest transfer that the device's default of MDTS allows */
		io_ranges((1 << 20) / lba_size);
		io_prps();
		io_sgls();
		io_dsm();
		io_copy();
		io_copy_across();
		data();
	}
	ns = 4;
	read_namespace("first");
	io_plain("read-only");
	dsm("read-only, no attribute", 1, 0, 64, 8);
	enable_formats(1 << 2);
	copy2("read-only", 2, 1024, &(struct source) { 1, 64, 8 }, 1);
	ns = 1;
	read_namespace("again");
	smart_counts();
	page_sizes();
	set_features();
	event_requests();
	doorbells();
	formats();
	shutdown_and_reset();
	bad_enables();
	printf("end: 0\n");
	return 0;
}
