// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz OFF ON SEED COMMANDS: sends the same commands, made by chance, to the controllers
 * of two PCI functions, of which one has vhost=off and the other one vhost=on, and whose
 * disks are equal. The status of each command, dword 0, all of the memory that it could
 * have written and the namespace have to be the same afterwards, but for what
 * known_difference() names.
 *
 * A command has the same SQE for both, bit by bit, since both use the same memory: it is
 * put back as it was in between. A round of commands depends on its seed only; the
 * output tells it, and "fuzz OFF ON THAT 1" repeats it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define ROUND		150	/* commands */
#define MOST_QUEUES	4
#define MAX_QID		8	/* of ours */
#define MOST_FAILURES	10

#define ARENA_PAGE	(NR_HUGE_PAGES - 1)	/* of the first controller */
#define DISK_PAGE	(NR_HUGE_PAGES - 2)	/* of each */
#define GUARD		0x5c

/**
 * struct side - a controller
 * @name: which
 * @c: it
 * @cq: completion queues
 * @sq: submission queues
 * @disk: room for the contents of a namespace
 */
struct side {
	const char	*name;
	struct ctrl	c;
	struct queue	cq[MOST_QUEUES];
	struct queue	sq[MOST_QUEUES];
	uint8_t		*disk;
};

static struct side sides[2] = { { .name = "off" }, { .name = "on" } };
static struct side *const off = &sides[0], *const on = &sides[1];

#define FOR_SIDES(s) for ((s) = sides; (s) < sides + 2; (s)++)

static struct fuzz f;
/* What is in the arena before a command, and after its first execution */
static uint8_t before[ARENA_SIZE], after[ARENA_SIZE];

/* The round's queues */
static unsigned int cqs, sqs;
static bool shadow;
static uint64_t round_seed;

static struct command cmds[MOST_SLOTS];
static unsigned int sq_of[MOST_SLOTS];
static struct outcome outcomes[2][MOST_SLOTS];

static struct {
	unsigned long	commands;
	unsigned long	good;
	unsigned long	admin;
	unsigned long	batches;
	unsigned long	queues;
	unsigned long	rounds;
	unsigned long	doorbells;
	unsigned int	failures;
} count;

static struct {
	const char	*reason;
	unsigned long	n;
} known[32];

static void report(const char *fmt, va_list args)
{
	printf("seed %llu, command %lu: ", (unsigned long long)round_seed,
	       count.commands);
	vprintf(fmt, args);
	putchar('\n');
}

/* Something differs. */
__attribute__((format(printf, 1, 2)))
static void failure(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(fmt, args);
	va_end(args);
	if (++count.failures == MOST_FAILURES) {
		printf("too many differences\n");
		exit(1);
	}
}

/* A controller cannot be used any more. */
__attribute__((format(printf, 1, 2), noreturn))
static void lost(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(fmt, args);
	va_end(args);
	exit(1);
}

static void show(const struct command *cmd)
{
	const struct sqe *s = &cmd->sqe;
	unsigned int i;

	printf("  %s opcode %02x flags %02x nsid %x prp1 %llx prp2 %llx cdw10 %x %x %x %x %x %x, %u bytes, traits %x\n",
	       cmd->admin ? "admin" : "I/O", s->opcode, s->flags,
	       le32toh(s->nsid),
	       (unsigned long long)(le64toh(s->prp1) - f.addr),
	       (unsigned long long)(le64toh(s->prp2) - f.addr),
	       le32toh(s->cdw10), le32toh(s->cdw11), le32toh(s->cdw12),
	       le32toh(s->cdw13), le32toh(s->cdw14), le32toh(s->cdw15),
	       cmd->len, cmd->traits);
	for (i = 0; i < cmd->pieces && i < 8; i++)
		printf("  %u bytes at %x\n", cmd->piece[i].len, cmd->piece[i].at);
	printf("  pages of %zu, %u CQs, %u SQs%s\n", f.page, cqs, sqs,
	       shadow ? ", shadow doorbells" : "");
}

static void count_known(const char *reason)
{
	unsigned int i;

	for (i = 0; known[i].reason && known[i].reason != reason; i++)
		;
	known[i].reason = reason;
	known[i].n++;
}

/*
 * Execution
 */

static struct queue *queue_of(struct side *s, const struct command *cmd,
			      unsigned int i)
{
	return cmd->admin ? &s->c.admin : &s->sq[sq_of[i]];
}

/* The completion of one of @nr commands; each has one. */
static void take(struct side *s, const struct cqe *cqe, unsigned int nr,
		 const uint16_t *cid, bool *done)
{
	struct outcome *o = outcomes[s - sides];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (done[i] || cid[i] != le16toh(cqe->cid) ||
		    queue_of(s, &cmds[i], i)->id != le16toh(cqe->sqid))
			continue;
		done[i] = true;
		o[i].status = cqe_status(cqe);
		o[i].dw0 = le32toh(cqe->dw0);
		return;
	}
	lost("%s: completion of a command %u of queue %u that was not sent",
	     s->name, le16toh(cqe->cid), le16toh(cqe->sqid));
}

static bool look(struct side *s, struct cqe *cqe)
{
	unsigned int i;

	if (cmds[0].admin)
		return queue_peek(&s->c, &s->c.admin, cqe);
	for (i = 0; i < cqs; i++)
		if (queue_peek(&s->c, &s->cq[i], cqe))
			return true;
	return false;
}

/* All @nr commands, in flight together */
static void execute(struct side *s, unsigned int nr)
{
	uint64_t end = now_ms() + s->c.timeout_ms;
	bool done[MOST_SLOTS] = { false };
	unsigned int i, left = nr, looks = 0;
	uint16_t cid[MOST_SLOTS];
	struct queue *q;
	struct cqe cqe;
	struct sqe sqe;

	for (i = 0; i < nr; i++) {
		q = queue_of(s, &cmds[i], i);
		sqe = cmds[i].sqe;
		cid[i] = q->cid;
		queue_push(q, &sqe);
	}
	for (i = 0; i < sqs; i++)
		if (s->sq[i].tail != s->sq[i].head) {
			queue_ring(&s->c, &s->sq[i]);
			s->sq[i].head = s->sq[i].tail;
		}
	if (cmds[0].admin)
		queue_ring(&s->c, &s->c.admin);
	while (left) {
		if (look(s, &cqe)) {
			take(s, &cqe, nr, cid, done);
			left--;
			continue;
		}
		if (++looks < 1000)
			continue;
		if (now_ms() >= end) {
			for (i = 0; i < nr; i++)
				if (!done[i])
					show(&cmds[i]);
			lost("%s: no completion, CSTS %x", s->name,
			     reg32(&s->c, REG_CSTS));
		}
		usleep(50);
	}
}

/* Where they differ; @len if nowhere */
static size_t difference(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i;

	if (!memcmp(a, b, len))
		return len;
	for (i = 0; a[i] == b[i]; i++)
		;
	return i;
}

/* Where memory, or a namespace, differs */
static size_t memory_at, disk_at;

/* At both controllers, with the same memory. Returns DIFF_MEMORY or 0. */
static unsigned int execute_both(unsigned int nr, bool changed[2], bool *inside)
{
	unsigned int first = rng_below(&f.rng, 2), second = !first, i, diff = 0;
	const uint8_t *expected = before;

	memcpy(before, f.arena, ARENA_SIZE);
	execute(&sides[first], nr);
	changed[first] = memcmp(f.arena, before, ARENA_SIZE);
	if (changed[first]) {
		memcpy(after, f.arena, ARENA_SIZE);
		memcpy(f.arena, before, ARENA_SIZE);
		expected = after;
	}
	execute(&sides[second], nr);
	changed[second] = memcmp(f.arena, before, ARENA_SIZE);

	*inside = true;
	memory_at = difference(f.arena, expected, ARENA_SIZE);
	if (memory_at < ARENA_SIZE) {
		diff = DIFF_MEMORY;
		for (i = 0; i < cmds[0].pieces; i++)
			memcpy(f.arena + cmds[0].piece[i].at,
			       expected + cmds[0].piece[i].at,
			       cmds[0].piece[i].len);
		*inside = nr == 1 && !memcmp(f.arena, expected, ARENA_SIZE);
		memcpy(f.arena, before, ARENA_SIZE);
	}
	return diff;
}

/*
 * Disks
 */

static void transfer(struct side *s, const struct ns *ns, uint8_t opcode)
{
	struct sqe sqe = {
		.opcode = opcode,
		.nsid = htole32(ns->nsid),
		.cdw12 = htole32(ns->blocks - 1),
	};
	size_t mark = s->c.used;
	struct cqe cqe;

	prp_build(&s->c, &sqe, s->disk, ns->blocks << ns->shift);
	queue_push(&s->sq[0], &sqe);
	queue_ring(&s->c, &s->sq[0]);
	s->sq[0].head = s->sq[0].tail;
	if (queue_wait(&s->c, &s->cq[0], &cqe, s->c.timeout_ms))
		lost("%s: no completion of opcode %x, all blocks", s->name, opcode);
	if (cqe_status(&cqe))
		lost("%s: all blocks, opcode %x: %04x", s->name, opcode,
		     cqe_status(&cqe));
	s->c.used = mark;
}

static void write_disk(struct side *s, const struct ns *ns, const uint8_t *content)
{
	memcpy(s->disk, content, ns->blocks << ns->shift);
	transfer(s, ns, IO_WRITE);
}

/* What is on the disks now. Returns DIFF_DISK or 0. */
static unsigned int read_disks(const struct ns *ns, bool *on_changed)
{
	size_t len = ns->blocks << ns->shift;

	transfer(off, ns, IO_READ);
	transfer(on, ns, IO_READ);
	*on_changed = memcmp(on->disk, ns->content, len);
	disk_at = difference(off->disk, on->disk, len);
	return disk_at < len ? DIFF_DISK : 0;
}

/* That is what is expected from now on. */
static void adopt_disk(const struct ns *ns, unsigned int diff)
{
	memcpy(ns->content, on->disk, ns->blocks << ns->shift);
	if (diff & DIFF_DISK)
		write_disk(off, ns, ns->content);
}

/* All disks are as they should be, and so is the memory that nobody knows. */
static void check_all(void)
{
	const uint8_t *p;
	const struct ns *ns;
	bool changed;

	for (ns = f.ns; ns < f.ns + NAMESPACES; ns++)
		if (read_disks(ns, &changed) || changed)
			failure("namespace %u is not what it should be at %zx",
				ns->nsid, disk_at);
	for (p = f.arena + ARENA_SIZE; p < f.arena + HUGE_PAGE; p++)
		if (*p != GUARD) {
			failure("memory at %zx was written", (size_t)(p - f.arena));
			break;
		}
}

/*
 * Commands
 */

static void judge(unsigned int i, unsigned int diff, bool inside)
{
	const struct outcome *a = &outcomes[0][i], *b = &outcomes[1][i];
	const struct command *cmd = &cmds[i];
	const char *why;

	count.good += !b->status;
	if (a->status != b->status)
		diff |= DIFF_STATUS;
	if (a->dw0 != b->dw0)
		diff |= DIFF_DW0;
	if (!diff)
		return;
	why = known_difference(&f, cmd, a, b, diff, inside);
	if (why) {
		count_known(why);
		return;
	}
	failure("off %04x %x, on %04x %x", a->status, a->dw0, b->status, b->dw0);
	if (diff & DIFF_MEMORY)
		printf("  memory differs at %zx, %s its data\n", memory_at,
		       inside ? "in" : "outside");
	if (diff & DIFF_DISK)
		printf("  disks differ at %zx\n", disk_at);
	show(cmd);
}

static void one(void)
{
	const struct window all = {
		.data = { 0, DATA_SIZE },
		.lists = { DATA_SIZE, DATA_SIZE + LISTS_SIZE },
		.slots = 1,
	};
	struct command *cmd = &cmds[0];
	const struct ns *ns;
	bool changed[2], inside, disk_changed = false;
	unsigned int diff;

	if (rng_one_in(&f.rng, 16)) {
		gen_admin(&f, &all, cmd);
		count.admin++;
	} else {
		gen_any(&f, &all, cmd);
	}
	count.commands++;
	sq_of[0] = rng_below(&f.rng, sqs);
	diff = execute_both(1, changed, &inside);
	ns = find_ns(&f, le32toh(cmd->sqe.nsid));
	if (ns && (ns->read_only || !may_write(cmd)))
		ns = NULL;
	if (ns)
		diff |= read_disks(ns, &disk_changed);
	if (outcomes[1][0].status && !cmd->admin && (changed[1] || disk_changed)) {
		failure("refused with %04x, but something was written",
			outcomes[1][0].status);
		show(cmd);
	}
	judge(0, diff, inside);
	if (ns)
		adopt_disk(ns, diff);
}

/* Several that have nothing in common, in flight together */
static void batch(void)
{
	unsigned int in_sq[MOST_QUEUES] = { 0 }, slots, nr, i, diff;
	struct window w;
	bool changed[2], inside, disk_changed;
	struct ns *ns;

	slots = DATA_SIZE / f.page < MOST_SLOTS ? DATA_SIZE / f.page : MOST_SLOTS;
	w.slots = slots;
	nr = 1 + rng_below(&f.rng, slots);
	for (i = 0; i < nr; i++) {
		sq_of[i] = rng_below(&f.rng, sqs);
		if (++in_sq[sq_of[i]] == on->sq[sq_of[i]].entries)
			break;
		w.slot = i;
		w.data[0] = DATA_SIZE / slots * i;
		w.data[1] = w.data[0] + DATA_SIZE / slots;
		w.lists[0] = DATA_SIZE + LISTS_SIZE / slots * i;
		w.lists[1] = w.lists[0] + LISTS_SIZE / slots;
		gen_good(&f, &w, &cmds[i]);
	}
	nr = i;
	if (!nr)
		return;
	count.batches++;
	count.commands += nr;
	diff = execute_both(nr, changed, &inside);
	if (diff)
		failure("memory differs at %zx after %u commands", memory_at, nr);
	for (i = 0; i < nr; i++)
		judge(i, 0, false);
	for (ns = f.ns; ns < f.ns + NAMESPACES; ns++) {
		if (ns->read_only)
			continue;
		diff = read_disks(ns, &disk_changed);
		if (diff)
			failure("namespace %u differs at %zx after %u commands",
				ns->nsid, disk_at, nr);
		adopt_disk(ns, diff);
	}
}

/*
 * Queues
 */

/* An admin command that is for memory of each controller's own; its status */
static uint16_t both(const struct sqe *sqe, const uint64_t prp1[2], const char *what)
{
	uint16_t status[2];
	struct side *s;

	FOR_SIDES(s) {
		struct sqe own = *sqe;
		int ret;

		if (prp1)
			own.prp1 = htole64(prp1[s - sides]);
		ret = exec(&s->c, &s->c.admin, &own);
		if (ret < 0)
			lost("%s: %s: error %d, CSTS %x", s->name, what, ret,
			     reg32(&s->c, REG_CSTS));
		status[s - sides] = ret;
	}
	if (status[0] != status[1])
		failure("%s, cdw10 %x, cdw11 %x, prp1 %llx: off %04x, on %04x", what,
			le32toh(sqe->cdw10), le32toh(sqe->cdw11),
			(unsigned long long)(prp1 ? prp1[0] : 0), status[0],
			status[1]);
	return status[0] | status[1];
}

static uint32_t gen_entries(void)
{
	static const uint16_t sizes[] = {
		2, 2, 3, 4, 5, 7, 16, 17, 31, 64, 65, 100, 127, 255, 256, 257,
		1000, 1023, 1024, 2048,
	};

	return sizes[rng_below(&f.rng, sizeof(sizes) / sizeof(sizes[0]))];
}

static void create_cq(unsigned int i, uint16_t id, uint32_t *shadows[2])
{
	struct sqe sqe = { .opcode = ADMIN_CREATE_CQ };
	uint32_t entries = gen_entries();
	uint64_t prp1[2];
	struct side *s;

	FOR_SIDES(s) {
		struct queue *q = &s->cq[i];

		*q = (struct queue) { .id = id, .entries = entries, .phase = 1 };
		q->cq = dma_alloc(&s->c, entries * sizeof(*q->cq), s->c.page);
		if (shadow)
			q->cq_shadow = shadows[s - sides] + 2 * id + 1;
		prp1[s - sides] = dma_addr(&s->c, q->cq);
	}
	sqe.cdw10 = htole32(id | (entries - 1) << 16);
	sqe.cdw11 = htole32(QUEUE_PC);
	if (both(&sqe, prp1, "Create I/O Completion Queue"))
		lost("no completion queue");
}

static void create_sq(unsigned int i, uint16_t id, uint32_t *shadows[2])
{
	struct sqe sqe = { .opcode = ADMIN_CREATE_SQ };
	uint32_t entries = gen_entries();
	uint64_t prp1[2];
	struct side *s;

	FOR_SIDES(s) {
		struct queue *q = &s->sq[i];

		*q = (struct queue) { .id = id, .entries = entries };
		q->sq = dma_alloc(&s->c, entries * sizeof(*q->sq), s->c.page);
		if (shadow)
			q->sq_shadow = shadows[s - sides] + 2 * id;
		prp1[s - sides] = dma_addr(&s->c, q->sq);
	}
	sqe.cdw10 = htole32(id | (entries - 1) << 16);
	sqe.cdw11 = htole32(QUEUE_PC | rng_below(&f.rng, 4) << 1 |
			    on->cq[i % cqs].id << 16);
	if (both(&sqe, prp1, "Create I/O Submission Queue"))
		lost("no submission queue");
}

static void delete_queue(uint8_t opcode, uint16_t id)
{
	struct sqe sqe = { .opcode = opcode, .cdw10 = htole32(id) };

	if (both(&sqe, NULL, "Delete I/O Queue"))
		lost("a queue that cannot be deleted");
}

/* An identifier that none of the SQs, or of the CQs, has */
static uint16_t free_id(const struct queue *q, unsigned int nr)
{
	unsigned int i;
	uint16_t id;

	do {
		id = 1 + rng_below(&f.rng, MAX_QID);
		for (i = 0; i < nr && q[i].id != id; i++)
			;
	} while (i < nr);
	return id;
}

static uint32_t *shadows[2];

static void create_queues(void)
{
	unsigned int i;

	cqs = 1 + rng_below(&f.rng, MOST_QUEUES);
	sqs = cqs + rng_below(&f.rng, MOST_QUEUES - cqs + 1);
	for (i = 0; i < cqs; i++)
		create_cq(i, free_id(on->cq, i), shadows);
	for (i = 0; i < sqs; i++)
		create_sq(i, free_id(on->sq, i), shadows);
}

/* All of them are deleted, and there are others. */
static void other_queues(size_t mark)
{
	struct side *s;
	unsigned int i;

	for (i = 0; i < sqs; i++)
		delete_queue(ADMIN_DELETE_SQ, on->sq[i].id);
	for (i = 0; i < cqs; i++)
		delete_queue(ADMIN_DELETE_CQ, on->cq[i].id);
	FOR_SIDES(s) {
		s->c.used = mark;
		/* Those of the admin queue are the controller's to write. */
		if (shadow)
			memset(shadows[s - sides] + 2, 0, PAGE - 8);
	}
	create_queues();
	count.queues++;
}

/* A queue that most likely cannot be created; if it can, it is deleted. */
static void bad_queue(void)
{
	struct sqe sqe = { .opcode = rng_one_in(&f.rng, 2) ? ADMIN_CREATE_SQ :
							     ADMIN_CREATE_CQ };
	uint32_t id = rng_one_in(&f.rng, 2) ? rng_below(&f.rng, MAX_QID + 1) :
					      rng_sized(&f.rng) & 0xffff;
	uint32_t size = rng_one_in(&f.rng, 2) ? rng_below(&f.rng, 16) :
						rng_sized(&f.rng) & 0xffff;
	uint32_t cdw11 = rng_below(&f.rng, 4) | rng_below(&f.rng, 10) << 16;
	uint64_t offset = 0, prp1[2];
	struct side *s;

	switch (rng_below(&f.rng, 4)) {
	case 0:
		offset = rng_below(&f.rng, f.page);
		break;
	case 1:
		cdw11 = rng_sized(&f.rng);
		break;
	}
	/* For as many entries as there can be, from the last page on */
	FOR_SIDES(s)
		prp1[s - sides] = s->c.addr[DISK_PAGE] + offset;
	sqe.cdw10 = htole32(id | size << 16);
	sqe.cdw11 = htole32(cdw11);
	if (!both(&sqe, prp1, "Create I/O Queue, by chance"))
		delete_queue(sqe.opcode == ADMIN_CREATE_SQ ? ADMIN_DELETE_SQ :
							     ADMIN_DELETE_CQ, id);
	count.queues++;
}

/*
 * Rounds
 */

/* Base 2.0, 5.27.1.18: without it there is no Copy of format 2. */
static void enable_formats(uint8_t formats)
{
	struct sqe sqe = {
		.opcode = ADMIN_SET_FEATURES,
		.cdw10 = htole32(0x16),
	};
	uint64_t prp1[2];
	struct side *s;

	FOR_SIDES(s) {
		memset(s->disk, 0, PAGE);
		s->disk[4] = formats;
		prp1[s - sides] = dma_addr(&s->c, s->disk);
	}
	if (both(&sqe, prp1, "Host Behavior Support"))
		lost("no Host Behavior Support");
}

static void enable_shadow(void)
{
	struct sqe sqe = { .opcode = ADMIN_DBBUF };
	struct side *s;
	int ret;

	FOR_SIDES(s) {
		shadows[s - sides] = dma_alloc(&s->c, s->c.page, s->c.page);
		sqe.prp1 = htole64(dma_addr(&s->c, shadows[s - sides]));
		sqe.prp2 = htole64(dma_addr(&s->c, dma_alloc(&s->c, s->c.page,
							      s->c.page)));
		ret = exec(&s->c, &s->c.admin, &sqe);
		if (ret)
			lost("%s: Doorbell Buffer Config: %x", s->name, ret);
	}
}

static void begin(void)
{
	static const uint8_t admin_entries[] = { 3, 17, 32, 64 };
	uint32_t entries = admin_entries[rng_below(&f.rng, 4)];
	struct side *s;

	f.page = PAGE << (rng_one_in(&f.rng, 3) ? rng_below(&f.rng, 5) : 0);
	FOR_SIDES(s) {
		int ret = ctrl_disable(&s->c);

		s->c.page = f.page;
		if (ret || ctrl_enable(&s->c, entries))
			lost("%s: the controller does not start, CSTS %x",
			     s->name, reg32(&s->c, REG_CSTS));
	}
	shadow = rng_one_in(&f.rng, 2);
	if (shadow)
		enable_shadow();
	if (!rng_one_in(&f.rng, 4))
		enable_formats(1 << 2);
}

static void fill(void *buf, size_t len)
{
	uint8_t *p = buf;
	uint64_t value;
	size_t i;

	for (i = 0; i < len; i += sizeof(value)) {
		value = rng_next(&f.rng);
		memcpy(p + i, &value, sizeof(value));
	}
}

/*
 * Values beyond the queue's end, registers of no queue or of half of one: an event, or
 * nothing. Not with shadow doorbells: then the register's value means nothing.
 */
static void bad_doorbell(void)
{
	struct sqe aer = { .opcode = ADMIN_ASYNC_EVENT };
	struct sqe get = { .opcode = ADMIN_GET_FEATURES, .cdw10 = htole32(7) };
	uint32_t value = rng_next(&f.rng), offset;
	const struct queue *q;
	bool came[2] = { false }, patient = false;
	struct cqe cqe[2];
	struct side *s;
	uint64_t end;

	switch (rng_below(&f.rng, 4)) {
	case 0:
	case 1:
		q = rng_one_in(&f.rng, 2) ? &on->sq[rng_below(&f.rng, sqs)] :
					    &on->cq[rng_below(&f.rng, cqs)];
		offset = 8 * q->id + (q->cq ? 4 : 0);
		value &= ~0xffffU;
		value |= q->entries + rng_below(&f.rng, 0x10000 - q->entries);
		if (rng_one_in(&f.rng, 4))
			value = q->entries;
		break;
	case 2:
		offset = 8 * (MAX_QID + 1) + 4 * rng_below(&f.rng, 180);
		break;
	default:
		offset = 4 * rng_below(&f.rng, 2 * MAX_QID) + 2;
	}
	FOR_SIDES(s) {
		/* Once the second is complete, the first has been taken. */
		queue_push(&s->c.admin, &aer);
		queue_ring(&s->c, &s->c.admin);
		if (exec(&s->c, &s->c.admin, &get))
			lost("%s: no Get Features", s->name);
		set_reg32(&s->c, REG_DOORBELLS + offset, value);
	}
	/* If there is an event on one side, so there is on the other. */
	end = now_ms() + 300;
	do {
		FOR_SIDES(s)
			if (!came[s - sides])
				came[s - sides] = queue_peek(&s->c, &s->c.admin,
							     &cqe[s - sides]);
		if (came[0] != came[1] && !patient) {
			patient = true;
			end = now_ms() + 20000;
		}
		usleep(1000);
	} while ((!came[0] || !came[1]) && now_ms() < end);
	count.doorbells++;
	if (came[0] != came[1] ||
	    (came[0] && (cqe_status(&cqe[0]) != cqe_status(&cqe[1]) ||
			 cqe[0].dw0 != cqe[1].dw0)))
		failure("doorbell %x = %x: off %s %x, on %s %x", offset, value,
			came[0] ? "event" : "nothing", came[0] ? cqe[0].dw0 : 0,
			came[1] ? "event" : "nothing", came[1] ? cqe[1].dw0 : 0);
}

static void check_csts(void)
{
	uint32_t csts[2] = { reg32(&off->c, REG_CSTS), reg32(&on->c, REG_CSTS) };

	if (csts[0] != csts[1] || csts[0] != CSTS_RDY)
		failure("CSTS is %x with off, %x with on", csts[0], csts[1]);
}

static void one_round(uint64_t seed)
{
	unsigned long until = count.commands + ROUND;
	struct side *s;
	struct ns *ns;
	size_t mark;

	round_seed = seed;
	f.rng.state = seed;
	begin();
	mark = on->c.used;
	create_queues();
	fill(f.arena, DATA_SIZE + LISTS_SIZE);
	memset(f.arena + DATA_SIZE + LISTS_SIZE, GUARD,
	       HUGE_PAGE - DATA_SIZE - LISTS_SIZE);
	for (ns = f.ns; ns < f.ns + NAMESPACES; ns++) {
		if (ns->read_only)
			continue;
		fill(ns->content, ns->blocks << ns->shift);
		FOR_SIDES(s)
			write_disk(s, ns, ns->content);
	}
	while (count.commands < until) {
		switch (rng_below(&f.rng, 48)) {
		case 0:
			other_queues(mark);
			break;
		case 1:
			bad_queue();
			break;
		case 2:
		case 3:
		case 4:
			batch();
			break;
		default:
			one();
		}
	}
	check_all();
	check_csts();
	if (!shadow && rng_one_in(&f.rng, 2)) {
		bad_doorbell();
		check_csts();
	}
	count.rounds++;
}

static void identify_namespace(struct ns *ns, uint32_t nsid)
{
	struct sqe sqe = { .opcode = ADMIN_IDENTIFY, .nsid = htole32(nsid) };
	struct side *s;

	FOR_SIDES(s) {
		uint64_t blocks;
		unsigned int shift;

		prp_build(&s->c, &sqe, s->disk, PAGE);
		if (exec(&s->c, &s->c.admin, &sqe))
			lost("%s: no namespace %u", s->name, nsid);
		memcpy(&blocks, s->disk, sizeof(blocks));
		blocks = le64toh(blocks);
		shift = s->disk[128 + 4 * (s->disk[26] & 15) + 2];
		if (s == on && (blocks != ns->blocks || shift != ns->shift))
			lost("namespace %u is not the same", nsid);
		ns->blocks = blocks;
		ns->shift = shift;
		ns->read_only = s->disk[99] & 1;
	}
	ns->nsid = nsid;
	if (!ns->blocks || ns->blocks << ns->shift > MOST_DATA)
		lost("namespace %u has %llu blocks", nsid,
		     (unsigned long long)ns->blocks);
	ns->content = calloc(ns->blocks, 1 << ns->shift);
	if (!ns->content)
		lost("no memory");
}

static void open_both(char **functions)
{
	static const uint32_t nsids[NAMESPACES] = { 1, 2, 4, 5 };
	struct side *s;
	unsigned int i;

	FOR_SIDES(s) {
		if (ctrl_open(&s->c, functions[s - sides]) || ctrl_msix(&s->c))
			exit(2);
		/* The machine may be a slow one, and busy. */
		s->c.timeout_ms = 60000;
		s->disk = s->c.mem + DISK_PAGE * HUGE_PAGE;
	}
	f.arena = off->c.mem + ARENA_PAGE * HUGE_PAGE;
	f.addr = off->c.addr[ARENA_PAGE];
	begin();
	for (i = 0; i < NAMESPACES; i++)
		identify_namespace(&f.ns[i], nsids[i]);
	/* What is on a disk that cannot be written */
	create_queues();
	for (i = 0; i < NAMESPACES; i++) {
		if (!f.ns[i].read_only)
			continue;
		transfer(on, &f.ns[i], IO_READ);
		memcpy(f.ns[i].content, on->disk, f.ns[i].blocks << f.ns[i].shift);
	}
}

int main(int argc, char **argv)
{
	unsigned long commands;
	uint64_t seed;
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 5) {
		printf("usage: see the top of fuzz.c\n");
		return 2;
	}
	seed = strtoull(argv[3], NULL, 0);
	commands = strtoul(argv[4], NULL, 0);
	f.rng.state = seed;
	open_both(argv + 1);
	while (count.commands < commands)
		one_round(seed + count.rounds);
	for (i = 0; known[i].reason; i++)
		printf("%lu may differ: %s\n", known[i].n, known[i].reason);
	printf("seed %llu: %lu commands, %lu of them succeeded, %lu for the admin queue; %lu batches, %lu rounds, %lu changes of queues, %lu bad doorbells; %u differ\n",
	       (unsigned long long)seed, count.commands, count.good,
	       count.admin, count.batches, count.rounds, count.queues,
	       count.doorbells, count.failures);
	return count.failures != 0;
}
