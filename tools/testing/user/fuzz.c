// SPDX-License-Identifier: GPL-2.0
/*
 * The fuzz target: a controller by chance, and commands by chance, by the selftests'
 * generator (fuzz_gen.c) and with their model of what must come of it (fuzz_model.c).
 *
 * An input is what chance is made of: a header for the controller, and a record for
 * each command, both of which begin with a seed. The bytes behind it change the numbers
 * that follow from the seed, one each: so every input is a valid one, and a byte
 * changed is a decision changed, of one command.
 *
 * An environment variable FUZZ_VERBOSE has all commands printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "target.h"
#include "unit.h"

#define SEED		8
#define HEADER		32
#define RECORD		48
#define COMMANDS	32

/* Guest memory and disks: few commands need much of them. */
struct geometry {
	uint64_t	data, near, lists, guard;
	uint64_t	disk;
	uint32_t	transfer;
};

static const struct geometry small = {
	.data = 0x14000, .near = 0x4000, .lists = 0xa000, .guard = 0x2000,
	.disk = 0x30000, .transfer = 0x10000,
};

static const struct geometry large = {
	.data = 0x100000, .near = 0x40000, .lists = 0x100000, .guard = 0x10000,
	.disk = 0x180000, .transfer = 0x100000,
};

enum mode { EXACT, REWRITTEN, FAULTS };

static struct fuzz f;
static struct fuzz_outcome outcome;
static struct fuzz_window window;
static struct unit_config config;
static enum mode mode;

/* What was done */
static struct {
	uint64_t	runs;
	uint64_t	commands;
	uint64_t	good;
	uint64_t	tables;
} counts;

static struct vng_sqe command;
static bool verbose;

void target_report(void)
{
	printf("# parse: %llu controllers, %llu commands (%llu succeeded), %llu memory tables\n",
	       (unsigned long long)counts.runs,
	       (unsigned long long)counts.commands,
	       (unsigned long long)counts.good,
	       (unsigned long long)counts.tables);
}

static void print_command(void)
{
	const uint32_t *dw = (const uint32_t *)&command;
	unsigned int i;

	fprintf(stderr, "command");
	for (i = 0; i < 16; i++)
		fprintf(stderr, " %08x", le32toh(dw[i]));
	fprintf(stderr, "\n  page size %u, max_transfer %u, %u pieces:",
		1U << f.g.page_shift, f.max_transfer, outcome.nr_pieces);
	for (i = 0; i < outcome.nr_pieces && i < 16; i++)
		fprintf(stderr, " %#llx+%u%s",
			(unsigned long long)outcome.piece[i].gpa,
			outcome.piece[i].len, outcome.piece[i].bucket ? "b" : "");
	for (i = 0; i < outcome.nr_errors; i++)
		fprintf(stderr, " error %#x", outcome.error[i]);
	fprintf(stderr, "\n");
}

/* Contents that differ everywhere, so that nothing in a wrong place looks right */
static const uint8_t *contents(size_t size)
{
	static uint8_t pool[4 << 20];
	struct rng r = { .state = 1 };
	size_t i;

	if (!pool[0]) {
		for (i = 0; i < sizeof(pool); i++)
			pool[i] = rng_next(&r);
		pool[0] = 1;
	}
	return pool + rng_below(&f.rng, sizeof(pool) - size) / 64 * 64;
}

static void open_memory(const struct geometry *g)
{
	const uint64_t where[UNIT_REGIONS][2] = {
		/* It ends where the second one begins. */
		{ FUZZ_NEAR - g->data, g->data },
		{ FUZZ_NEAR, g->near },
		{ FUZZ_LISTS, g->lists },
		/* Without it, addresses are few enough for another index. */
		{ FUZZ_GUARD, g->guard },
		{ FUZZ_CONTROL, 4096 },
	};
	unsigned int i;

	for (i = 0; i < UNIT_REGIONS; i++) {
		config.region[i].gpa = where[i][0];
		config.region[i].size = where[i][1];
		config.region[i].pieces = 1;
		if (rng_one_in(&f.rng, 2))
			config.region[i].pieces = 1 + rng_below(&f.rng,
								UNIT_PIECES);
	}
	config.folio_order = rng_below(&f.rng, 5);
	window = (struct fuzz_window) {
		.data = { FUZZ_NEAR - g->data, FUZZ_NEAR + g->near },
		.lists = { FUZZ_LISTS, FUZZ_LISTS + g->lists },
		.near = true,
	};
}

static void open_disks(const struct geometry *g)
{
	static const unsigned int dma_mask[] = { 0, 3, 3, 3, 511 };
	unsigned int i;

	for (i = 0; i < FUZZ_DISKS; i++) {
		window.disk[i][1] = g->disk;
		f.disk[i].discard = rng_one_in(&f.rng, 2);
		config.disk[i].size = g->disk;
		config.disk[i].discard = f.disk[i].discard;
		config.disk[i].max_sectors = 8 << rng_below(&f.rng, 9);
		config.disk[i].max_segments = 1 + rng_below(&f.rng, 128);
		config.disk[i].dma_mask = dma_mask[rng_below(&f.rng, 5)];
		config.disk[i].nowait = !rng_one_in(&f.rng, 8);
		config.disk[i].synchronous = rng_one_in(&f.rng, 4);
	}
}

/* Those of the selftests' fuzzer, on disks of any size */
static void open_namespaces(const struct geometry *g)
{
	const struct fuzz_ns *ns = f.ns;
	unsigned int i;

	model_namespaces(&f, g->disk);
	for (i = 0; i < FUZZ_NS; i++) {
		config.ns[i].disk = ns[i].disk;
		config.ns[i].shift = ns[i].shift;
		config.ns[i].nlb = ns[i].nlb;
		config.ns[i].mcl = ns[i].mcl;
		config.ns[i].mssrl = ns[i].mssrl;
		config.ns[i].msrc = ns[i].msrc;
		config.ns[i].rdonly = ns[i].flags & VHOST_NVME_NS_RDONLY;
		config.ns[i].nodealloc = ns[i].flags & VHOST_NVME_NS_NODEALLOC;
	}
}

static void open_limits(const struct geometry *g)
{
	f.g.caps.max_nsid = 256;
	f.max_transfer = g->transfer;
	if (rng_one_in(&f.rng, 2))
		f.max_transfer = 4096 * (1 + rng_below(&f.rng, 16));
	f.max_verify = UINT32_MAX;
	if (rng_one_in(&f.rng, 2))
		f.max_verify = 512 * (1 + rng_below(&f.rng, 4096));
	f.copy_formats = 3 | rng_below(&f.rng, 4) << 2;
	config.max_transfer = f.max_transfer;
	config.max_verify = f.max_verify;
	config.copy_formats = f.copy_formats;
	config.write_through = rng_one_in(&f.rng, 4);
	config.pin = rng_one_in(&f.rng, 2);
}

static void fill(void)
{
	struct fuzz_region *r;
	unsigned int i;

	for (i = 0; i < FUZZ_REGIONS; i++) {
		r = &f.mem[i];
		r->gpa = config.region[i].gpa;
		r->size = config.region[i].size;
		r->hva = unit_memory(i);
		memcpy(r->model, contents(r->size), r->size);
		memcpy(r->hva, r->model, r->size);
	}
	f.control.gpa = FUZZ_CONTROL;
	f.control.size = 4096;
	f.control.hva = unit_memory(FUZZ_REGIONS);
	for (i = 0; i < FUZZ_DISKS; i++) {
		memcpy(f.disk[i].model, contents(config.disk[i].size),
		       config.disk[i].size);
		memcpy(unit_disk(i), f.disk[i].model, config.disk[i].size);
	}
}

/* Memory and disks are those of the model. */
static void check(void)
{
	unsigned int i;
	size_t at;

	for (i = 0; i < FUZZ_REGIONS; i++) {
		if (!memcmp(f.mem[i].model, f.mem[i].hva, f.mem[i].size))
			continue;
		for (at = 0; f.mem[i].model[at] == f.mem[i].hva[at];)
			at++;
		unit_fail("memory at %#llx is %#x instead of %#x",
			  (unsigned long long)(f.mem[i].gpa + at),
			  f.mem[i].hva[at], f.mem[i].model[at]);
	}
	for (i = 0; i < FUZZ_DISKS; i++) {
		if (!memcmp(f.disk[i].model, unit_disk(i), config.disk[i].size))
			continue;
		for (at = 0; f.disk[i].model[at] == unit_disk(i)[at];)
			at++;
		unit_fail("disk %u, byte %zu (block %zu), is %#x instead of %#x",
			  i, at, at / 512, unit_disk(i)[at],
			  f.disk[i].model[at]);
	}
}

/* Where a disk's writable namespaces end */
static uint64_t disk_end(unsigned int disk)
{
	uint64_t end = 0, bytes;
	unsigned int i;

	for (i = 0; i < FUZZ_NS; i++) {
		bytes = f.ns[i].nlb << f.ns[i].shift;
		if (f.ns[i].disk == disk && bytes > end &&
		    !(f.ns[i].flags & VHOST_NVME_NS_RDONLY))
			end = bytes;
	}
	return end;
}

/* What the model cannot follow may have changed this, and nothing else. */
static void adopt(void)
{
	unsigned int i;

	for (i = 0; i < FUZZ_REGIONS; i++)
		if (f.mem[i].gpa < FUZZ_NOWHERE)
			memcpy(f.mem[i].model, f.mem[i].hva, f.mem[i].size);
	for (i = 0; i < FUZZ_DISKS; i++)
		memcpy(f.disk[i].model, unit_disk(i), disk_end(i));
}

static bool expected(uint16_t status)
{
	unsigned int i;

	for (i = 0; i < outcome.nr_errors; i++)
		if (outcome.error[i] == status)
			return true;
	return false;
}

static void execute(void)
{
	uint32_t dw0 = 0;
	uint16_t status = unit_execute(&command, &dw0);
	struct vng_cqe cqe = {
		.dw0 = htole32(dw0),
		.status = htole16(status << 1),
	};

	counts.commands++;
	/* 4096 descriptors, and 256 ranges: so much it may read, and no more. */
	unit_assert(unit_copied() <= 4096 * 16 + 256 * 32,
		    "%llu bytes of lists and ranges are read",
		    (unsigned long long)unit_copied());
	counts.good += !status;
	if (mode == REWRITTEN)
		return;
	/* What fails by chance has done some of it, or nothing. */
	if (mode == FAULTS && status && !expected(status)) {
		adopt();
		return;
	}
	if (model_apply(&f, &command, &outcome, &cqe))
		unit_fail("%s", vng_msg(&f.g));
	/* Whoever reads something twice may get something else. */
	unit_assert(status || unit_copied() == outcome.fetched,
		    "%llu bytes of lists and ranges are read, not %llu",
		    (unsigned long long)unit_copied(),
		    (unsigned long long)outcome.fetched);
}

/* Once for the whole run */
static void init(void)
{
	unsigned int i;

	if (f.disk[0].model)
		return;
	verbose = getenv("FUZZ_VERBOSE");
	unit_failed = print_command;
	for (i = 0; i < FUZZ_DISKS; i++)
		f.disk[i].model = calloc(1, FUZZ_DISK_SIZE);
	for (i = 0; i < FUZZ_REGIONS; i++) {
		f.mem[i].model = malloc(large.data);
		f.mem[i].seen = calloc(large.data, sizeof(bool));
		unit_assert(f.mem[i].model && f.mem[i].seen, "out of memory");
	}
	unit_assert(f.disk[0].model && f.disk[1].model, "out of memory");
}

/* The numbers of a header or record, which may be cut off */
static void seed(const uint8_t *data, size_t size)
{
	memset(&f.rng, 0, sizeof(f.rng));
	memcpy(&f.rng.state, data, size < SEED ? size : SEED);
	if (size > SEED) {
		f.rng.mix = data + SEED;
		f.rng.mix_end = data + size;
	}
}

void target_run(const uint8_t *data, size_t size)
{
	size_t n = size < HEADER ? size : HEADER, i;
	const struct geometry *g = &small;

	init();
	seed(data, n);
	data += n;
	size -= n;
	memset(&config, 0, sizeof(config));
	config.seed = rng_next(&f.rng);
	if (rng_one_in(&f.rng, 16)) {
		unit_try_table(config.seed);
		counts.tables++;
		return;
	}
	f.g.page_shift = rng_one_in(&f.rng, 4) ? 13 + rng_below(&f.rng, 4) : 12;
	if (f.g.page_shift > 13 || rng_one_in(&f.rng, 8))
		g = &large;
	config.page_shift = f.g.page_shift;
	mode = EXACT;
	switch (rng_below(&f.rng, 8)) {
	case 0:
		mode = REWRITTEN;
		config.rewritten = true;
		break;
	case 1:
		mode = FAULTS;
		config.faults = 1 + rng_below(&f.rng, 64);
		break;
	}
	open_memory(g);
	open_disks(g);
	open_namespaces(g);
	open_limits(g);
	unit_open(&config);
	fill();

	for (i = 0; i < COMMANDS && (size || !i); i++) {
		n = size < RECORD ? size : RECORD;
		seed(data, n);
		data += n;
		size -= n;
		gen_command(&f, &window, &command, &outcome);
		if (verbose)
			print_command();
		execute();
	}
	if (mode == REWRITTEN)
		adopt();
	check();
	unit_close();
	counts.runs++;
}

/*
 * Records
 */

size_t target_random(uint8_t *data, size_t max, uint64_t number)
{
	struct rng r = { .state = number };
	size_t size = HEADER + (1 + rng_below(&r, COMMANDS)) * RECORD, i;

	if (size > max)
		size = max;
	memset(data, 0, size);
	/* The seeds are enough: what changes them is for who learns from it. */
	for (i = 0; i < SEED; i++)
		data[i] = rng_next(&r);
	for (i = 0; i + HEADER < size; i++)
		if (i % RECORD < SEED)
			data[HEADER + i] = rng_next(&r);
	return size;
}

size_t target_mutate(uint8_t *data, size_t size, size_t max, uint64_t number)
{
	size_t nr, from, to, i;
	struct rng r = { .state = number };

	if (size < HEADER + RECORD || rng_one_in(&r, 64))
		return target_random(data, max, number);
	nr = (size - HEADER) / RECORD;
	size = HEADER + nr * RECORD;
	from = HEADER + rng_below(&r, nr) * RECORD;
	to = HEADER + rng_below(&r, nr) * RECORD;
	switch (rng_below(&r, 4)) {
	case 0:
		/* One more */
		if (size + RECORD > max || nr == COMMANDS)
			break;
		memmove(data + to + RECORD, data + to, size - to);
		for (i = 0; i < RECORD; i++)
			data[to + i] = i < SEED ? rng_next(&r) : 0;
		return size + RECORD;
	case 1:
		/* One less */
		if (nr == 1)
			break;
		memmove(data + to, data + to + RECORD, size - to - RECORD);
		return size - RECORD;
	case 2:
		memmove(data + to, data + from, RECORD);
		return size;
	}
	/* Another one */
	for (i = 0; i < SEED; i++)
		data[to + i] = rng_next(&r);
	return size;
}
