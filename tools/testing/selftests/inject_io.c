// SPDX-License-Identifier: GPL-2.0
/*
 * I/O while there is no memory, copies from the guest fail, and the disk fails: the
 * kernel makes that up. Each command completes once, and does what its status says.
 */
#include <sys/mman.h>

#include "fault.h"
#include "test.h"

/* More points that can fail than any command has, so that a loop over them ends */
#define MAX_POINTS	600

#define LEN_MAX		(128 * 1024)
#define DISK_LEN	(256 * 1024)	/* from its start, with the pattern of SEED */
#define SEED		7
#define SGL_PIECES	64

/* A command; data at @offset of its first page, which is not there if @absent */
struct kind {
	const char	*name;
	uint8_t		opcode;
	uint32_t	len;
	uint32_t	offset;
	bool		sgl;
	bool		absent;
	uint32_t	nsid;
};

#define KIND(_name, _opcode, _len, ...)					\
	{ .name = _name, .opcode = _opcode, .len = _len, __VA_ARGS__ }

static const struct kind kinds[] = {
	KIND("Read of a page", VNG_CMD_READ, 4096),
	KIND("Read, PRP list", VNG_CMD_READ, LEN_MAX),
	KIND("Read, bounced", VNG_CMD_READ, 65536, .offset = 4),
	KIND("Read, SGL", VNG_CMD_READ, LEN_MAX, .sgl = true),
	KIND("Read, pages are not there", VNG_CMD_READ, 16384, .absent = true),
	KIND("Write of a page", VNG_CMD_WRITE, 4096),
	KIND("Write, PRP list", VNG_CMD_WRITE, LEN_MAX),
	KIND("Write, bounced", VNG_CMD_WRITE, 65536, .offset = 4),
	KIND("Write, SGL", VNG_CMD_WRITE, LEN_MAX, .sgl = true),
	KIND("Compare", VNG_CMD_COMPARE, LEN_MAX),
	KIND("Verify", VNG_CMD_VERIFY, LEN_MAX),
	KIND("Write Zeroes", VNG_CMD_WRITE_ZEROES, LEN_MAX),
	KIND("Dataset Management", VNG_CMD_DSM, LEN_MAX),
	KIND("Copy", VNG_CMD_COPY, LEN_MAX),
	KIND("Flush", VNG_CMD_FLUSH, 0),
	KIND("Flush of all", VNG_CMD_FLUSH, 0, .nsid = UINT32_MAX),
};

#define NR_KINDS	ARRAY_SIZE(kinds)

/* Data that an SGL has in pieces, from the last one of the buffer to the first */
static void sgl_use(struct vng *g, struct vng_sqe *sqe, uint64_t buf, uint32_t len)
{
	uint64_t gpa = vng_alloc(g, SGL_PIECES * sizeof(struct vng_sgl), 4096);
	uint32_t i, piece = len / SGL_PIECES;
	struct vng_sgl *sgl;

	sgl = vng_ptr(g, gpa, SGL_PIECES * sizeof(*sgl));
	for (i = 0; i < SGL_PIECES; i++)
		vng_sgl_set(sgl, i, VNG_SGL_DATA,
			    buf + (SGL_PIECES - 1 - i) * piece, piece);
	vng_sgl_use(sqe, VNG_SGL_LAST_SEGMENT, gpa, SGL_PIECES * sizeof(*sgl));
}

/* Between the order of the disk and that of the SGL, to and fro */
static void sgl_reverse(char *p, uint32_t len)
{
	uint32_t i, piece = len / SGL_PIECES;
	char tmp[4096];

	for (i = 0; i < SGL_PIECES / 2; i++) {
		char *a = p + i * piece, *b = p + (SGL_PIECES - 1 - i) * piece;

		memcpy(tmp, a, piece);
		memcpy(a, b, piece);
		memcpy(b, tmp, piece);
	}
}

/* What the command does its work on: behind the part that is only read */
static uint64_t kind_slba(const struct kind *k)
{
	switch (k->opcode) {
	case VNG_CMD_READ:
	case VNG_CMD_COMPARE:
	case VNG_CMD_VERIFY:
		return 0;
	default:
		return DISK_LEN / 512;
	}
}

static void kind_params(const struct kind *k, void *p)
{
	struct vng_dsm_range *range = p;
	unsigned int i, nlb = k->len / 512 / 8;

	for (i = 0; i < 8; i++) {
		if (k->opcode == VNG_CMD_COPY)
			vng_range_set((struct vng_copy_range *)p + i, 0,
				      i * nlb, nlb);
		else
			range[i] = (struct vng_dsm_range) {
				.nlb = htole32(nlb),
				.slba = htole64(kind_slba(k) + i * nlb),
			};
	}
}

/* Makes the command, and its data or parameters at @buf. */
static int kind_build(struct box *b, const struct kind *k, uint64_t buf,
		      uint64_t seed, struct vng_sqe *sqe)
{
	uint32_t nsid = k->nsid ?: 1, len = k->len;
	char *p = vng_ptr(&b->g, buf, LEN_MAX);

	switch (k->opcode) {
	case VNG_CMD_FLUSH:
		vng_cmd_flush(sqe, nsid);
		return 0;
	case VNG_CMD_DSM:
		vng_cmd_dsm(sqe, nsid, 8, VNG_DSM_AD);
		kind_params(k, p);
		len = 8 * sizeof(struct vng_dsm_range);
		break;
	case VNG_CMD_COPY:
		vng_cmd_copy(sqe, nsid, kind_slba(k), 8, 0);
		kind_params(k, p);
		len = 8 * sizeof(struct vng_copy_range);
		break;
	default:
		vng_cmd_rw(sqe, k->opcode, nsid, kind_slba(k), len / 512);
		pattern_fill(p, len, seed);
		if (k->sgl)
			sgl_reverse(p, len);
	}
	if (k->opcode == VNG_CMD_READ)
		memset(p, 0xee, len);
	if (k->absent)
		madvise(p, len, MADV_DONTNEED);
	if (k->opcode == VNG_CMD_VERIFY || k->opcode == VNG_CMD_WRITE_ZEROES)
		return 0;
	if (k->sgl) {
		sgl_use(&b->g, sqe, buf, len);
		return 0;
	}
	return vng_prp_contig(&b->g, sqe, buf, len);
}

/* After success: memory and disk have what they should have. */
static int kind_check(struct box *b, const struct kind *k, uint64_t buf,
		      uint64_t seed)
{
	char *p = vng_ptr(&b->g, buf, LEN_MAX);
	long at = -1;

	switch (k->opcode) {
	case VNG_CMD_READ:
		if (k->sgl)
			sgl_reverse(p, k->len);
		at = pattern_check(p, k->len, SEED);
		break;
	case VNG_CMD_WRITE:
		at = box_check(b, kind_slba(k), k->len, seed);
		break;
	case VNG_CMD_COPY:
		at = box_check(b, kind_slba(k), k->len, SEED);
		break;
	case VNG_CMD_WRITE_ZEROES:
		at = box_check(b, kind_slba(k), k->len, 0);
		break;
	}
	return at == -1 ? 0 : vng_fail(&b->g, -EILSEQ, "wrong data at %ld", at);
}

/* The status of the command, or -errno, also if success was none. */
static int kind_exec(struct box *b, const struct kind *k, uint64_t buf)
{
	static uint64_t last = SEED;
	uint64_t mark = b->g.next, seed;
	struct vng_sqe sqe;
	int ret;

	seed = k->opcode == VNG_CMD_WRITE ? ++last : SEED;
	buf += k->offset;
	ret = kind_build(b, k, buf, seed, &sqe) ?: box_exec(&b->sq, &sqe);
	b->g.next = mark;
	return ret ?: kind_check(b, k, buf, seed);
}

FIXTURE(inject_io) {
	struct box box;
	uint64_t buf;
	int fd;
};

FIXTURE_VARIANT(inject_io) {
	const char *path;
	const char *attrs;
	bool pin;
	unsigned int poll_us;
};

/* Faults of the worker are also of this disk: what it forgets takes its 5 s. */
FIXTURE_VARIANT_ADD(inject_io, null) {
	.attrs = "discard=1 timeout_inject/verbose=0 requeue_inject/verbose=0",
};
FIXTURE_VARIANT_ADD(inject_io, ram) { .path = "/dev/ram0" };
FIXTURE_VARIANT_ADD(inject_io, ram_pinned) {
	.path = "/dev/ram0", .pin = true, .poll_us = 200,
};

FIXTURE_SETUP(inject_io)
{
	struct vng *g = &self->box.g;
	struct vhost_nvme_stats s;

	if (!fault_able())
		SKIP(return, "this kernel cannot inject faults");
	BOX_SETUP(&self->box, .disk_mib = 16, .mib = 8, .path = variant->path,
		  .attrs = variant->attrs, .pin = variant->pin,
		  .poll_us = variant->poll_us);
	ASSERT_EQ(0, fault_begin());
	OK(vng_set_ns_copy(g, 1, self->box.disk.fd, 9, 65536, 65535, 127));
	OK(vng_event_wait(g, VHOST_NVME_EVENT_NS_REMOVED, 1));
	/* Else the disk would need memory to keep what is written. */
	ASSERT_EQ(0, box_fill(&self->box, 0, self->box.disk.bytes, SEED));
	self->buf = vng_alloc(g, LEN_MAX + 4096, 4096);
	ASSERT_NE(0, self->buf);
	STATUS(0, box_rw(&self->box, VNG_CMD_READ, 0, self->buf, 4096));
	OK(vng_stats(g, VHOST_NVME_STATS_WORKER, 0, &s));
	self->fd = fault_open(s.tid);
	ASSERT_LE(0, self->fd);
	TH_LOG("VNG_SEED=%#llx", (unsigned long long)random_seed());
}

FIXTURE_TEARDOWN(inject_io)
{
	fault_end();
	fault_mark_disk(&self->box.disk, false);
	box_stop(&self->box);
}

/* What a fault in the worker may come to: nothing that is for ever */
static bool status_fits(int status)
{
	return status == VNG_SC_SUCCESS || status == VNG_SC_INTERNAL ||
	       status == VNG_SC_DATA_XFER_ERROR;
}

/* No command is in flight or has completed twice. */
#define EXPECT_IDLE(sent)						\
do {									\
	struct vhost_nvme_stats __s;					\
	struct vng_cqe __cqe;						\
	unsigned int __i;						\
									\
	EXPECT_EQ(0, vng_cq_peek(&self->box.cq, &__cqe));		\
	OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &__s));			\
	/* The last of it happens after the completion is visible. */	\
	for (__i = 0; __i < g->timeout_ms && __s.inflight; __i++) {	\
		sleep_ms(1);						\
		OK(vng_stats(g, VHOST_NVME_STATS_SQ, 1, &__s));		\
	}								\
	EXPECT_EQ(0, __s.inflight);					\
	EXPECT_EQ(sent, __s.commands);					\
	OK(vng_stats(g, VHOST_NVME_STATS_CQ, 1, &__s));			\
	EXPECT_EQ(sent, __s.cqes);					\
} while (0)

/*
 * Each command with the worker's first, second ... point failing; it fails with a
 * status that says so, or does all of it. The next one is a success.
 */
TEST_F_TIMEOUT(inject_io, commands, test_limit(120))
{
	unsigned int i, nth, sent = 1, failed = 0;
	struct vng *g = &self->box.g;
	int status, hit;

	for (i = 0; i < NR_KINDS; i++) {
		/* With VHOST_NVME_F_PIN, memory has to stay where it is. */
		if (kinds[i].absent && variant->pin)
			continue;
		for (nth = 1, hit = 1; hit && nth < MAX_POINTS; nth++) {
			ASSERT_EQ(0, fault_arm(self->fd, nth));
			status = kind_exec(&self->box, &kinds[i], self->buf);
			hit = fault_disarm(self->fd);
			ASSERT_LE(0, status) TH_LOG("%s, point %u: %s",
						    kinds[i].name, nth,
						    vng_msg(g));
			ASSERT_TRUE(hit ? status_fits(status) : !status)
				TH_LOG("%s, point %u: status %#x",
				       kinds[i].name, nth, status);
			failed += !!status;
			STATUS(0, kind_exec(&self->box, &kinds[i], self->buf));
			sent += 2;
		}
		ASSERT_GT(MAX_POINTS, nth);
		TH_LOG("%s: %u points", kinds[i].name, nth - 2);
	}
	EXPECT_LT(0, failed);
	EXPECT_IDLE(sent);
}

/*
 * By chance, in all threads that serve the controller, and in what its disk is asked
 * for. Each slot has a part of the disk, twice, of which it knows what is in there.
 */

#define SLOTS		16
#define SLOTS_AT	0x800000	/* on the disk */
#define PERCENT		4

/* Contents of a part of the disk, or a pattern's seed above them */
enum { UNKNOWN, ZEROES, PATTERNS };

/**
 * struct slot - one command in flight
 * @busy: there is one
 * @opcode: which
 * @part: which part it is about
 * @slba: of both parts; the second is behind the first
 * @len: of each of them
 * @buf: data, somewhere in its first page
 * @aux: a page for PRP lists, another for parameters
 * @seed: what is in the parts
 * @next: what will be in there after success
 * @differs: a Compare with other data
 */
struct slot {
	bool		busy;
	uint8_t		opcode;
	unsigned int	part;
	uint64_t	slba;
	uint32_t	len;
	uint64_t	buf;
	uint64_t	aux;
	uint64_t	seed[2];
	uint64_t	next;
	bool		differs;
};

static bool slots_init(struct vng *g, struct slot *slot)
{
	static const uint32_t len[] = { 512, 4096, 20480, 65536, LEN_MAX };
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		slot[i] = (struct slot) {
			.slba = (SLOTS_AT + i * 2 * LEN_MAX) / 512,
			.len = len[i % 5],
			.buf = vng_alloc(g, LEN_MAX + 4096, 4096),
			.aux = vng_alloc(g, 2 * 4096, 4096),
		};
		if (!slot[i].buf || !slot[i].aux)
			return false;
		/* Some of these are copied, and some have an offset only. */
		slot[i].buf += i % 3 == 0 ? 0 : i % 3 == 1 ? 4 : 512;
	}
	return true;
}

static uint64_t slot_slba(const struct slot *s, unsigned int part)
{
	return s->slba + part * (LEN_MAX / 512);
}

static const uint8_t ops[] = {
	VNG_CMD_WRITE, VNG_CMD_WRITE, VNG_CMD_WRITE, VNG_CMD_WRITE,
	VNG_CMD_READ, VNG_CMD_READ, VNG_CMD_READ, VNG_CMD_READ,
	VNG_CMD_COMPARE, VNG_CMD_COMPARE, VNG_CMD_VERIFY, VNG_CMD_WRITE_ZEROES,
	VNG_CMD_DSM, VNG_CMD_COPY, VNG_CMD_COPY, VNG_CMD_FLUSH,
};

/* Data or parameters, and what will be in the part of the disk */
static int slot_prepare(struct vng *g, struct slot *s, struct vng_sqe *sqe)
{
	uint64_t slba = slot_slba(s, s->part), data = s->buf;
	uint32_t nlb = s->len / 512, len = s->len;
	static uint64_t last = PATTERNS;
	char *p = vng_ptr(g, data, len);
	void *aux;

	aux = vng_ptr(g, s->aux + 4096, 4096);
	s->next = s->seed[s->part];
	vng_cmd_rw(sqe, s->opcode, 1, slba, nlb);
	switch (s->opcode) {
	case VNG_CMD_WRITE:
		s->next = ++last;
		pattern_fill(p, len, s->next);
		break;
	case VNG_CMD_COMPARE:
		pattern_fill(p, len, s->next);
		if (s->differs)
			p[random_below(len)] ^= 1;
		break;
	case VNG_CMD_READ:
		memset(p, 0xee, len);
		break;
	case VNG_CMD_DSM:
		s->next = UNKNOWN;
		*(struct vng_dsm_range *)aux = (struct vng_dsm_range) {
			.nlb = htole32(nlb), .slba = htole64(slba),
		};
		vng_cmd_dsm(sqe, 1, 1, VNG_DSM_AD);
		data = s->aux + 4096;
		len = sizeof(struct vng_dsm_range);
		break;
	case VNG_CMD_COPY:
		s->next = s->seed[!s->part];
		vng_range_set(aux, 0, slot_slba(s, !s->part), nlb);
		vng_cmd_copy(sqe, 1, slba, 1, 0);
		data = s->aux + 4096;
		len = sizeof(struct vng_copy_range);
		break;
	case VNG_CMD_WRITE_ZEROES:
		s->next = ZEROES;
		return 0;
	case VNG_CMD_FLUSH:
		vng_cmd_flush(sqe, random_below(4) ? 1 : UINT32_MAX);
		return 0;
	default:
		return 0;
	}
	return vng_prp_contig(g, sqe, data, len);
}

static int slot_submit(struct vng_sq *sq, struct slot *s, uint16_t cid)
{
	struct vng *g = sq->g;
	uint64_t mark = g->next;
	struct vng_sqe sqe;
	int ret;

	s->busy = true;
	s->opcode = ops[random_below(sizeof(ops))];
	s->part = random_below(2);
	if (s->opcode == VNG_CMD_COMPARE && s->seed[s->part] < PATTERNS)
		s->opcode = VNG_CMD_WRITE;
	s->differs = s->opcode == VNG_CMD_COMPARE && random_below(2);
	g->next = s->aux;
	ret = slot_prepare(g, s, &sqe);
	g->next = mark;
	sqe.cid = htole16(cid);
	return ret ?: vng_sq_push(sq, &sqe) ?: vng_sq_ring(sq);
}

/* Index of the first byte that is not as it should be, or -1 */
static long content_check(const void *p, size_t len, uint64_t seed)
{
	if (seed == UNKNOWN)
		return -1;
	return seed == ZEROES ? mem_check(p, 0, len) : pattern_check(p, len, seed);
}

/* 0: it was done; 1: it failed as it may; or -errno. */
static int slot_complete(struct vng *g, struct slot *s, unsigned int status)
{
	bool writes = s->opcode == VNG_CMD_WRITE ||
		      s->opcode == VNG_CMD_WRITE_ZEROES ||
		      s->opcode == VNG_CMD_COPY || s->opcode == VNG_CMD_DSM;
	long at;

	s->busy = false;
	if (s->differs && status == DNR(VNG_SC_COMPARE_FAILED))
		return 0;
	if (s->differs && !status)
		return -EIO;
	if (!status) {
		s->seed[s->part] = s->next;
		at = s->opcode == VNG_CMD_READ ?
		     content_check(vng_ptr(g, s->buf, s->len), s->len,
				   s->seed[s->part]) : -1;
		return at < 0 ? 0 : vng_fail(g, -EILSEQ, "Read of LBA %llu, byte %ld",
					     (unsigned long long)s->slba, at);
	}
	if (writes)
		s->seed[s->part] = UNKNOWN;
	switch (status) {
	case VNG_SC_INTERNAL:
	case VNG_SC_DATA_XFER_ERROR:
		return 1;
	case VNG_SC_READ_ERROR:
		/* Copy reads, too. */
		return !writes || s->opcode == VNG_CMD_COPY ? 1 : -EIO;
	case VNG_SC_WRITE_FAULT:
		return writes || s->opcode == VNG_CMD_FLUSH ? 1 : -EIO;
	case DNR(VNG_SC_CAP_EXCEEDED):
		/* null_blk, if it has no memory for what it has deallocated */
		return writes ? 1 : -EIO;
	default:
		return -EIO;
	}
}

/* Takes a completion, and looks whether it is one of the commands in flight. */
static int slot_take(struct vng_cq *cq, struct slot *slot)
{
	struct vng_cqe cqe;
	unsigned int cid;
	int ret;

	ret = vng_cq_wait(cq, &cqe);
	if (ret)
		return ret;
	cid = le16toh(cqe.cid);
	if (cid >= SLOTS || !slot[cid].busy)
		return vng_fail(cq->g, -EBADMSG, "completion of CID %u", cid);
	ret = slot_complete(cq->g, &slot[cid], vng_status(&cqe));
	if (ret == -EIO)
		vng_fail(cq->g, ret, "opcode %#x: status %#x", slot[cid].opcode,
			 vng_status(&cqe));
	return ret;
}

/* What the slots know of the disk is so, from the host's point of view. */
static int slots_check(struct box *b, const struct slot *slot)
{
	unsigned int i, part;
	static char p[LEN_MAX];
	long at;
	int ret;

	for (i = 0; i < SLOTS; i++) {
		for (part = 0; part < 2; part++) {
			ret = disk_read(&b->disk, slot_slba(&slot[i], part) * 512,
					p, slot[i].len);
			if (ret)
				return vng_fail(&b->g, ret, "read of the disk");
			at = content_check(p, slot[i].len, slot[i].seed[part]);
			if (at >= 0)
				return vng_fail(&b->g, -EILSEQ,
						"slot %u, part %u, byte %ld", i,
						part, at);
		}
	}
	return 0;
}

TEST_F_TIMEOUT(inject_io, chance, test_limit(120))
{
	unsigned int i, sent = 0, failed = 0, busy = 0, count, marked = 0;
	struct slot slot[SLOTS];
	struct vng *g = &self->box.g;
	int ret;

	count = 2000 * test_scale();
	ASSERT_TRUE(slots_init(g, slot));
	ASSERT_EQ(1, fault_mark(getpid(), "vhost-nvme"));
	ASSERT_EQ(0, fault_mark_disk(&self->box.disk, true));
	ASSERT_EQ(0, fault_percent(PERCENT));
	while (sent < count || busy) {
		/* There are more of them after a while. */
		if (sent >= marked) {
			ASSERT_LT(0, fault_mark_kthreads("kworker/u"));
			marked += 200;
		}
		for (i = 0; i < SLOTS && sent < count; i++) {
			if (slot[i].busy)
				continue;
			OK(slot_submit(&self->box.sq, &slot[i], i));
			busy++;
			sent++;
		}
		ret = slot_take(&self->box.cq, slot);
		ASSERT_LE(0, ret) TH_LOG("%s", vng_msg(g));
		failed += ret;
		busy--;
	}
	ASSERT_EQ(0, fault_percent(0));
	TH_LOG("%u of %u commands failed", failed, sent);
	EXPECT_LT(0, failed);
	EXPECT_LT(failed, sent / 2);
	OK(slots_check(&self->box, slot));
	for (i = 0; i < NR_KINDS; i++) {
		if (kinds[i].absent && variant->pin)
			continue;
		STATUS(0, kind_exec(&self->box, &kinds[i], self->buf));
		sent++;
	}
	EXPECT_IDLE(1 + sent);
}

TEST_HARNESS_MAIN
