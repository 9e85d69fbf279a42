// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzzer of commands that knows what each of them has to do.
 *
 *	fuzz [serial] [parallel] [rewritten] [doorbells] [guided]
 *
 * The environment, beside that of test.h:
 *
 *	FUZZ_COUNT	commands of each of these tests
 *	FUZZ_SECONDS	time for each of them, instead
 *	FUZZ_VERBOSE	print every command
 *	FUZZ_INPUT	a file with the inputs of a round of `guided`, to repeat it
 *
 * A test consists of rounds, each with a seed of its own, which is printed when it
 * fails: with that as VNG_SEED and with FUZZ_COUNT=1, a test does this round alone.
 * `guided` prints the round's inputs instead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "kselftest.h"
#include "util.h"

#define ROUND		500	/* commands */
#define CHECK		32	/* of them between two looks at everything */

/* Memory with a margin on both sides */
static int fuzz_map(struct fuzz_region *r, uint64_t gpa, size_t size, bool shared)
{
	r->gpa = gpa;
	r->size = size;
	r->map = mmap(NULL, size + 2 * FUZZ_MARGIN, PROT_READ | PROT_WRITE,
		      (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
	if (r->map == MAP_FAILED)
		return -errno;
	memset(r->map, 0xa5, size + 2 * FUZZ_MARGIN);
	r->hva = r->map + FUZZ_MARGIN;
	return 0;
}

static int fuzz_memory(struct fuzz *f)
{
	static const uint64_t where[FUZZ_REGIONS][2] = {
		{ FUZZ_DATA, FUZZ_DATA_SIZE },
		{ FUZZ_NEAR, FUZZ_NEAR_SIZE },
		{ FUZZ_LISTS, FUZZ_LISTS_SIZE },
		{ FUZZ_GUARD, FUZZ_GUARD_SIZE },
	};
	unsigned int i;
	int ret;

	for (i = 0; i < FUZZ_REGIONS; i++) {
		ret = fuzz_map(&f->mem[i], where[i][0], where[i][1], i == 0);
		if (ret)
			return ret;
		f->mem[i].model = malloc(f->mem[i].size);
		f->mem[i].seen = calloc(f->mem[i].size, sizeof(bool));
		if (!f->mem[i].model || !f->mem[i].seen)
			return -ENOMEM;
	}
	return fuzz_map(&f->control, FUZZ_CONTROL, FUZZ_CONTROL_SIZE, false);
}

static int fuzz_disks(struct fuzz *f)
{
	static const char * const attrs[FUZZ_DISKS] = {
		"discard=1 submit_queues=2",
		"max_sectors=64 submit_queues=1 poll_queues=1",
	};
	struct fuzz_disk *d;
	unsigned int i;
	int ret;

	for (i = 0; i < FUZZ_DISKS; i++) {
		d = &f->disk[i];
		ret = disk_create(&d->d, FUZZ_DISK_MIB, 9, attrs[i]);
		if (ret)
			return ret;
		d->discard = !i;
		d->model = malloc(FUZZ_DISK_SIZE);
		d->actual = malloc(FUZZ_DISK_SIZE);
		if (!d->model || !d->actual)
			return -ENOMEM;
	}
	return 0;
}

/* New contents for everything */
static int fuzz_fill(struct fuzz *f)
{
	unsigned int i;
	int ret;

	for (i = 0; i < FUZZ_REGIONS; i++) {
		pattern_fill(f->mem[i].model, f->mem[i].size,
			     rng_next(&f->rng));
		memcpy(f->mem[i].hva, f->mem[i].model, f->mem[i].size);
	}
	for (i = 0; i < FUZZ_DISKS; i++) {
		pattern_fill(f->disk[i].model, FUZZ_DISK_SIZE,
			     rng_next(&f->rng));
		ret = disk_write(&f->disk[i].d, 0, f->disk[i].model,
				 FUZZ_DISK_SIZE);
		if (ret)
			return vng_fail(&f->g, ret, "write of disk %u", i);
	}
	return 0;
}

static int fuzz_namespaces(struct fuzz *f)
{
	const struct fuzz_ns *ns = f->ns;
	struct vhost_nvme_ns arg;
	unsigned int i;
	int ret = 0;

	model_namespaces(f, FUZZ_DISK_SIZE);
	for (i = 0; i < FUZZ_NS && !ret; i++) {
		arg = (struct vhost_nvme_ns) {
			.nsid = i + 1,
			.flags = ns[i].flags,
			.fd = f->disk[ns[i].disk].d.fd,
			.lba_shift = ns[i].shift,
			.nlb = ns[i].nlb,
			.mcl = ns[i].mcl,
			.mssrl = ns[i].mssrl,
			.msrc = ns[i].msrc,
		};
		ret = vng_ioctl(&f->g, VHOST_NVME_SET_NS, &arg, "SET_NS");
	}
	return ret;
}

static int fuzz_limits(struct fuzz *f)
{
	struct vhost_nvme_ctrl ctrl = { 0 };

	if (rng_one_in(&f->rng, 2))
		ctrl.max_transfer = 4096 * (1 + rng_below(&f->rng, 64));
	if (rng_one_in(&f->rng, 2))
		ctrl.max_verify = 512 * (1 + rng_below(&f->rng, 4096));
	if (rng_one_in(&f->rng, 4))
		ctrl.flags = VHOST_NVME_CTRL_WRITE_THROUGH;
	ctrl.burst = rng_below(&f->rng, 9);
	if (!rng_one_in(&f->rng, 4))
		ctrl.copy_formats = 1 << 2;
	if (rng_one_in(&f->rng, 2))
		ctrl.copy_formats |= 1 << 3;
	f->max_transfer = ctrl.max_transfer ?: f->g.caps.max_transfer;
	f->max_verify = ctrl.max_verify ?: UINT32_MAX;
	f->copy_formats = ctrl.copy_formats | 3;
	return vng_ioctl(&f->g, VHOST_NVME_SET_CTRL, &ctrl, "SET_CTRL");
}

/* A controller of a kind by chance */
static int fuzz_open(struct fuzz *f)
{
	static const unsigned int shift[] = { 12, 12, 12, 12, 13, 14, 16 };
	struct vng *g = &f->g;
	unsigned int i;
	int ret;

	ret = vng_open(g);
	if (ret)
		return ret;
	g->page_shift = shift[rng_below(&f->rng, sizeof(shift) / sizeof(*shift))];
	memset(f->control.hva, 0, f->control.size);
	ret = vng_mem_map(g, f->control.gpa, f->control.hva, f->control.size);
	for (i = 0; i < FUZZ_REGIONS && ret >= 0; i++)
		ret = vng_mem_map(g, f->mem[i].gpa, f->mem[i].hva,
				  f->mem[i].size);
	if (ret >= 0)
		ret = vng_set_owner(g);
	ret = ret ?: vng_set_features(g, rng_below(&f->rng, 4));
	ret = ret ?: vng_mem_publish(g);
	ret = ret ?: fuzz_namespaces(f);
	ret = ret ?: fuzz_limits(f);
	ret = ret ?: vng_set_workers(g, 1 + rng_below(&f->rng, 3));
	return ret ?: vng_set_poll(g, rng_one_in(&f->rng, 2) ? 0 :
				   rng_below(&f->rng, 200));
}

int fuzz_queues(struct fuzz *f, bool shadow)
{
	static const uint32_t entries[] = { 2, 3, 5, 8, 16, 33, 64, 256 };
	struct vng_cq *cq;
	unsigned int i;
	int ret = 0;

	f->pairs = 1 + rng_below(&f->rng, FUZZ_PAIRS);
	f->sqs = f->pairs + rng_below(&f->rng, 2);
	if (shadow || !rng_one_in(&f->rng, 4))
		ret = vng_dbbuf_on(&f->g);
	memset(f->cq, 0, sizeof(f->cq));
	memset(f->sq, 0, sizeof(f->sq));
	for (i = 0; i < f->pairs && !ret; i++) {
		f->cq[i].worker = rng_below(&f->rng, f->g.workers);
		ret = vng_cq_create(&f->g, &f->cq[i], i + 1,
				    entries[rng_below(&f->rng, 8)],
				    VNG_KICK | rng_below(&f->rng, 2));
	}
	for (i = 0; i < f->sqs && !ret; i++) {
		cq = &f->cq[i < f->pairs ? i : 0];
		ret = vng_sq_create(&f->g, &f->sq[i], i + 1, cq,
				    entries[rng_below(&f->rng, 8)], VNG_KICK);
	}
	return ret;
}

/*
 * The rings' memory: behind a ring up to the next page, in EventIdx of other queues,
 * and behind everything, there is nothing.
 */
static int fuzz_check_control(struct fuzz *f)
{
	const uint8_t *p;
	unsigned int i;
	size_t size;

	for (i = 0; i < f->pairs; i++) {
		p = (const uint8_t *)f->cq[i].ring;
		size = f->cq[i].entries * sizeof(struct vng_cqe);
		if (mem_check(p + size, 0, -size & 4095) >= 0)
			return vng_fail(&f->g, -EPROTO, "behind CQ %u",
					i + 1);
	}
	p = (const uint8_t *)f->g.eis;
	if (p && (mem_check(p, 0, 8) >= 0 ||
		  mem_check(p + 8 * (FUZZ_SQS + 1), 0,
			    4096 - 8 * (FUZZ_SQS + 1)) >= 0))
		return vng_fail(&f->g, -EPROTO, "EventIdx of other queues");
	p = f->control.hva + (f->g.next - f->control.gpa);
	if (mem_check(p, 0, f->control.hva + f->control.size - p) >= 0)
		return vng_fail(&f->g, -EPROTO, "behind all queues");
	return 0;
}

static size_t fuzz_diff(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	while (i < len && a[i] == b[i])
		i++;
	return i;
}

static int fuzz_check_memory(struct fuzz *f)
{
	const struct fuzz_region *r;
	unsigned int i;
	size_t at;

	for (i = 0; i < FUZZ_REGIONS; i++) {
		r = &f->mem[i];
		if (memcmp(r->model, r->hva, r->size)) {
			at = fuzz_diff(r->model, r->hva, r->size);
			return vng_fail(&f->g, -EPROTO,
					"memory at %#llx is %#x instead of %#x",
					(unsigned long long)(r->gpa + at),
					r->hva[at], r->model[at]);
		}
		for (at = 0; at < FUZZ_MARGIN; at++)
			if (r->map[at] != 0xa5 ||
			    r->hva[r->size + at] != 0xa5)
				return vng_fail(&f->g, -EPROTO,
						"memory beside region %u", i);
	}
	return 0;
}

static int fuzz_check_disks(struct fuzz *f)
{
	struct fuzz_disk *d;
	unsigned int i;
	size_t at;
	int ret;

	for (i = 0; i < FUZZ_DISKS; i++) {
		d = &f->disk[i];
		ret = disk_read(&d->d, 0, d->actual, FUZZ_DISK_SIZE);
		if (ret)
			return vng_fail(&f->g, ret, "read of disk %u", i);
		if (memcmp(d->model, d->actual, FUZZ_DISK_SIZE)) {
			at = fuzz_diff(d->model, d->actual, FUZZ_DISK_SIZE);
			return vng_fail(&f->g, -EPROTO,
					"disk %u, byte %zu (block %zu) is %#x instead of %#x",
					i, at, at / 512, d->actual[at],
					d->model[at]);
		}
	}
	return 0;
}

/* Everything is as it should be, and nobody has completions left. */
static int fuzz_check(struct fuzz *f)
{
	struct vng_cqe cqe;
	unsigned int i;

	for (i = 0; i < f->pairs; i++)
		if (vng_cq_peek(&f->cq[i], &cqe))
			return vng_fail(&f->g, -EPROTO,
					"CQ %u: a completion too many", i + 1);
	return fuzz_check_control(f) ?: fuzz_check_memory(f) ?:
	       fuzz_check_disks(f);
}

int fuzz_reset_end(struct fuzz *f)
{
	uint64_t end = vng_now_ms() + f->g.timeout_ms;
	struct vhost_nvme_event ev = { 0 };
	unsigned int i;
	int ret = 0;

	while (!ret && ev.type != VHOST_NVME_EVENT_RESET_DONE) {
		ret = vng_event(&f->g, &ev, f->g.timeout_ms);
		if (!ret && vng_now_ms() > end)
			ret = vng_fail(&f->g, -ETIMEDOUT, "reset");
	}
	if (ret)
		return ret;
	ret = fuzz_check_control(f);
	for (i = 0; i < f->sqs; i++)
		vng_sq_drop(&f->sq[i]);
	for (i = 0; i < f->pairs; i++)
		vng_cq_drop(&f->cq[i]);
	vng_dbbuf_forget(&f->g);
	memset(f->control.hva, 0, f->control.size);
	f->g.next = f->control.gpa;
	f->sqs = 0;
	f->pairs = 0;
	return ret;
}

/* Where a disk's writable namespaces end */
static uint64_t fuzz_disk_end(const struct fuzz *f, unsigned int disk)
{
	uint64_t end = 0, bytes;
	unsigned int i;

	for (i = 0; i < FUZZ_NS; i++) {
		bytes = f->ns[i].nlb << f->ns[i].shift;
		if (f->ns[i].disk == disk && bytes > end &&
		    !(f->ns[i].flags & VHOST_NVME_NS_RDONLY))
			end = bytes;
	}
	return end;
}

int fuzz_adopt(struct fuzz *f)
{
	struct fuzz_disk *d;
	unsigned int i;
	int ret;

	for (i = 0; i < FUZZ_REGIONS; i++)
		if (f->mem[i].gpa < FUZZ_NOWHERE)
			memcpy(f->mem[i].model, f->mem[i].hva, f->mem[i].size);
	for (i = 0; i < FUZZ_DISKS; i++) {
		d = &f->disk[i];
		ret = disk_read(&d->d, 0, d->actual, FUZZ_DISK_SIZE);
		if (ret)
			return vng_fail(&f->g, ret, "read of disk %u", i);
		memcpy(d->model, d->actual, fuzz_disk_end(f, i));
	}
	/* From here on, nothing may change by itself. */
	return fuzz_check_memory(f) ?: fuzz_check_disks(f);
}

static void fuzz_print(struct fuzz *f, const struct vng_sqe *sqe,
		       const struct fuzz_outcome *o)
{
	const uint32_t *dw = (const uint32_t *)sqe;
	char line[16 * 9 + 1];
	unsigned int i;

	for (i = 0; i < 16; i++)
		sprintf(line + 9 * i, " %08x", le32toh(dw[i]));
	ksft_print_msg("command%s\n", line);
	ksft_print_msg("  page size %u, max_transfer %u, %u pieces:",
		       1U << f->g.page_shift, f->max_transfer, o->nr_pieces);
	for (i = 0; i < o->nr_pieces && i < 16; i++)
		printf(" %#llx+%u%s", (unsigned long long)o->piece[i].gpa,
		       o->piece[i].len, o->piece[i].bucket ? "b" : "");
	for (i = 0; i < o->nr_errors; i++)
		printf(" error %#x", o->error[i]);
	printf("\n");
}

int fuzz_one(struct fuzz *f, bool check)
{
	const struct fuzz_window all = gen_window_all();
	static struct fuzz_outcome o;
	struct vng_sq *sq;
	struct vng_sqe sqe;
	struct vng_cqe cqe;
	int ret;

	gen_command(f, &all, &sqe, &o);
	sq = &f->sq[rng_below(&f->rng, f->sqs)];
	sq->next_cid = f->cid++;
	if (f->verbose)
		fuzz_print(f, &sqe, &o);
	ret = vng_exec(sq, &sqe, &cqe) ?: model_apply(f, &sqe, &o, &cqe);
	if (!ret && check)
		ret = fuzz_check(f);
	if (ret && !f->verbose)
		fuzz_print(f, &sqe, &o);
	return ret;
}

int fuzz_serial(struct fuzz *f, unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = fuzz_one(f, i % CHECK == CHECK - 1 || i == nr - 1);
	return ret;
}

/* A command in flight */
struct fuzz_slot {
	struct vng_sqe		sqe;
	struct fuzz_outcome	o;
	struct vng_sq		*sq;
};

/* Put it into a queue that has room; false if there is none. */
static bool fuzz_push(struct fuzz *f, struct fuzz_slot *slot)
{
	unsigned int first = rng_below(&f->rng, f->sqs), i;
	struct vng_sq *sq;

	for (i = 0; i < f->sqs; i++) {
		sq = &f->sq[(first + i) % f->sqs];
		slot->sqe.cid = htole16(f->cid);
		if (vng_sq_push(sq, &slot->sqe))
			continue;
		f->cid++;
		slot->sq = sq;
		return true;
	}
	return false;
}

static int fuzz_complete(struct fuzz *f, struct fuzz_slot *slot,
			 unsigned int nr, const struct vng_cqe *cqe)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		if (!slot[i].sq || cqe->cid != slot[i].sqe.cid ||
		    le16toh(cqe->sqid) != slot[i].sq->id)
			continue;
		slot[i].sq = NULL;
		ret = model_apply(f, &slot[i].sqe, &slot[i].o, cqe);
		if (ret && !f->verbose)
			fuzz_print(f, &slot[i].sqe, &slot[i].o);
		return ret;
	}
	return vng_fail(&f->g, -EPROTO, "completion of command %u of SQ %u",
			le16toh(cqe->cid), le16toh(cqe->sqid));
}

/* Commands that are in flight together, and have nothing in common */
static int fuzz_batch(struct fuzz *f, struct fuzz_slot *slot, unsigned int *nr)
{
	unsigned int missing[FUZZ_PAIRS] = { 0 }, i, n;
	struct fuzz_window w;
	struct vng_cqe cqe;
	int ret = 0;

	for (n = 0; n < *nr; n++) {
		w = gen_window_slot(n);
		gen_command(f, &w, &slot[n].sqe, &slot[n].o);
		if (!fuzz_push(f, &slot[n]))
			break;
		if (f->verbose)
			fuzz_print(f, &slot[n].sqe, &slot[n].o);
		missing[slot[n].sq->cq - f->cq]++;
		if (rng_one_in(&f->rng, 4))
			ret = ret ?: vng_sq_ring(slot[n].sq);
	}
	for (i = 0; i < f->sqs && !ret; i++)
		if (f->sq[i].tail != f->sq[i].last_tail)
			ret = vng_sq_ring(&f->sq[i]);
	for (i = 0; i < f->pairs && !ret; i++)
		for (; missing[i] && !ret; missing[i]--)
			ret = vng_cq_wait(&f->cq[i], &cqe) ?:
			      fuzz_complete(f, slot, n, &cqe);
	*nr = n;
	return ret;
}

static int round_serial(struct fuzz *f)
{
	return fuzz_queues(f, false) ?: fuzz_serial(f, ROUND);
}

static int round_parallel(struct fuzz *f)
{
	struct fuzz_slot *slot;
	unsigned int done, unchecked = 0, n;
	int ret;

	slot = calloc(FUZZ_SLOTS, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	ret = fuzz_queues(f, false);
	for (done = 0; done < ROUND && !ret; done += n) {
		n = 1 + rng_below(&f->rng, FUZZ_SLOTS);
		ret = fuzz_batch(f, slot, &n);
		unchecked += n;
		if (ret || (unchecked < CHECK && done + n < ROUND))
			continue;
		ret = fuzz_check(f);
		unchecked = 0;
	}
	free(slot);
	return ret;
}

/* Everything works as before. */
static int round_after(struct fuzz *f)
{
	return fuzz_queues(f, false) ?: fuzz_serial(f, CHECK);
}

static int round_rewritten(struct fuzz *f)
{
	return race_commands(f, ROUND) ?: round_after(f);
}

static int round_doorbells(struct fuzz *f)
{
	return race_doorbells(f, ROUND) ?: round_after(f);
}

static uint64_t fuzz_total(const struct fuzz *f)
{
	uint64_t n = f->raced;
	unsigned int i;

	for (i = 0; i < 256; i++)
		n += f->count[i].good + f->count[i].bad;
	return n;
}

struct fuzz_test {
	const char	*name;
	const char	*text;
	int		(*round)(struct fuzz *f);
};

static const struct fuzz_test tests[] = {
	{ "serial", "one command at a time does what it has to", round_serial },
	{ "parallel", "so do commands in flight together", round_parallel },
	{ "rewritten", "commands that are rewritten complete once, and stay inside",
	  round_rewritten },
	{ "doorbells", "doorbells that are rewritten break nothing that a reset does not end",
	  round_doorbells },
	{ "guided", "what leads to new places in the module does what it has to",
	  guided_round },
};

#define NR_TESTS	ARRAY_SIZE(tests)

static bool fuzz_is_guided(const struct fuzz_test *test)
{
	return test->round == guided_round;
}

static unsigned long fuzz_env(const char *name, unsigned long value)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 0) : value;
}

static bool fuzz_run(struct fuzz *f, const struct fuzz_test *test, uint64_t seed)
{
	uint64_t count = fuzz_env("FUZZ_COUNT", 2000 * test_scale());
	uint64_t seconds = fuzz_env("FUZZ_SECONDS", 0), first = fuzz_total(f);
	uint64_t start = vng_now_ms(), now = start, said = start;
	int ret = 0;

	while (!ret && (seconds ? now - start < seconds * 1000 :
				  fuzz_total(f) - first < count)) {
		f->seed = seed++;
		f->rng = (struct rng){ .state = f->seed };
		if (fuzz_is_guided(test) && !guided_controller(f))
			break;
		ret = fuzz_open(f);
		if (ret) {
			ksft_print_msg("%s\n", vng_msg(&f->g));
			return false;
		}
		ret = fuzz_fill(f) ?: test->round(f);
		if (ret)
			ksft_print_msg("%s: %s\n", test->name, vng_msg(&f->g));
		if (ret && !fuzz_is_guided(test))
			ksft_print_msg("to repeat: VNG_SEED=%#llx FUZZ_COUNT=1 fuzz %s\n",
				       (unsigned long long)f->seed, test->name);
		vng_close(&f->g);
		f->rounds++;
		now = vng_now_ms();
		if (now - said > 60000) {
			ksft_print_msg("%s: %llu commands in %llu s\n", test->name,
				       (unsigned long long)(fuzz_total(f) - first),
				       (unsigned long long)(now - start) / 1000);
			said = now;
		}
	}
	return !ret;
}

static void fuzz_test(struct fuzz *f, const struct fuzz_test *test,
		      uint64_t seed)
{
	int ret = fuzz_is_guided(test) ? guided_begin(seed) : 0;
	bool ok;

	if (ret == -ENOENT) {
		ksft_test_result_skip("%s: the kernel has no KCOV\n",
				      test->name);
		return;
	}
	ok = !ret && fuzz_run(f, test, seed);
	if (ret)
		ksft_print_msg("kcov: %s\n", strerror(-ret));
	else if (fuzz_is_guided(test))
		ok &= guided_end();
	ksft_test_result(ok, "%s: %s\n", test->name, test->text);
}

/* What came of it: that not all failed, nor all for the same reason */
static void fuzz_report(const struct fuzz *f)
{
	static const uint8_t op[] = {
		VNG_CMD_FLUSH, VNG_CMD_WRITE, VNG_CMD_READ, VNG_CMD_COMPARE,
		VNG_CMD_WRITE_ZEROES, VNG_CMD_DSM, VNG_CMD_VERIFY, VNG_CMD_COPY,
	};
	static const char * const name[] = {
		"flush", "write", "read", "compare", "write zeroes", "dsm",
		"verify", "copy",
	};
	unsigned int i;

	for (i = 0; i < sizeof(op); i++)
		ksft_print_msg("%s: %llu done, %llu refused\n", name[i],
			       (unsigned long long)f->count[op[i]].good,
			       (unsigned long long)f->count[op[i]].bad);
	ksft_print_msg("status:");
	for (i = 0; i < 0x800; i++)
		if (f->status[i])
			printf(" %#x: %llu", i,
			       (unsigned long long)f->status[i]);
	printf("\n");
	ksft_print_msg("fuzz: %llu commands in %llu rounds, %llu of them rewritten while they were executed\n",
		       (unsigned long long)fuzz_total(f),
		       (unsigned long long)f->rounds,
		       (unsigned long long)f->raced);
}

static bool fuzz_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	static struct fuzz f;
	uint64_t seed = random_seed();
	unsigned int i, n = 0;
	int ret;

	for (i = 0; i < NR_TESTS; i++)
		n += fuzz_wanted(tests[i].name, argc, argv);
	ksft_print_header();
	ret = vng_open(&f.g);
	if (ret == -ENOENT)
		ksft_exit_skip("%s\n", vng_msg(&f.g));
	if (!ret)
		vng_close(&f.g);
	ret = ret ?: fuzz_disks(&f);
	if (ret == -ENODEV)
		ksft_exit_skip("no null_blk\n");
	ret = ret ?: fuzz_memory(&f);
	if (ret)
		ksft_exit_fail_msg("set-up: %s\n", strerror(-ret));
	f.verbose = fuzz_env("FUZZ_VERBOSE", 0);
	ksft_print_msg("VNG_SEED=%#llx\n", (unsigned long long)seed);
	ksft_set_plan(n);
	for (i = 0; i < NR_TESTS; i++)
		if (fuzz_wanted(tests[i].name, argc, argv))
			fuzz_test(&f, &tests[i], seed);
	fuzz_report(&f);
	for (i = 0; i < FUZZ_DISKS; i++)
		disk_destroy(&f.disk[i].d);
	ksft_finished();
}
