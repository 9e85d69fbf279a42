// SPDX-License-Identifier: GPL-2.0
/*
 * Commands led by coverage. An input is what chance is made of: a seed, and bytes that
 * change the numbers that follow from it, one each, so that a byte changed is a decision
 * changed. Those of which the module's threads have gone a way that they had not gone
 * before are kept, and every other one that follows is one of them with other bytes.
 *
 * There are inputs for a controller and its queues, and for a command: one of a
 * hundred commands with one controller can be told from the others by its coverage.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kcov.h"
#include "kselftest.h"

#define ROUND	100	/* commands */
#define CHECK	20	/* of them between two looks at everything */
#define BYTES	63
#define KEPT	4096
#define RECENT	16

/**
 * struct input - what chance is made of
 * @seed: as struct rng has it
 * @bytes: that change the numbers that follow from it
 * @used: so many of them do, as there were so many numbers
 */
struct input {
	uint64_t	seed;
	uint8_t		bytes[BYTES];
	uint8_t		used;
};

/**
 * struct corpus - inputs worth keeping
 * @input: they
 * @nr: their number
 */
struct corpus {
	struct input	input[KEPT];
	unsigned int	nr;
};

static struct {
	struct kcov	kcov;
	struct corpus	controllers;
	struct corpus	commands;
	struct rng	rng;		/* of the choice among them, and of changes */
	struct input	round[1 + ROUND];	/* the present one's */
	unsigned int	nr;
	uint64_t	inputs;
	unsigned int	first_pcs;	/* after the first round */
	FILE		*repeat;	/* $FUZZ_INPUT */
} guided;

/* A few bytes, or all from somewhere on: what has been decided before remains. */
static void input_change(struct input *in)
{
	struct rng *r = &guided.rng;
	unsigned int n = 1 + rng_below(r, 4), i = rng_below(r, in->used);

	if (rng_one_in(r, 2))
		for (; i < BYTES; i++)
			in->bytes[i] = rng_next(r);
	else
		while (n--)
			in->bytes[rng_below(r, in->used)] = rng_next(r);
}

/* One that was kept; every other time one of the last, which may lead further. */
static const struct input *input_kept(const struct corpus *c)
{
	struct rng *r = &guided.rng;
	unsigned int n = c->nr;

	if (rng_one_in(r, 2) && n > RECENT)
		n = RECENT;
	return &c->input[c->nr - 1 - rng_below(r, n)];
}

/* As guided_print() has printed it */
static bool input_read(struct input *in)
{
	uint8_t *p = (uint8_t *)in;
	char line[512], *s;
	unsigned int i;

	while (fgets(line, sizeof(line), guided.repeat)) {
		s = strstr(line, "input: ");
		for (i = 0; s && i < sizeof(*in); i++)
			if (sscanf(s + 7 + 2 * i, "%2hhx", &p[i]) != 1)
				s = NULL;
		if (s)
			return true;
	}
	return false;
}

/* The next input; false if there is none left to repeat. */
static bool input_choose(struct fuzz *f, const struct corpus *c)
{
	struct rng *r = &guided.rng;
	struct input *in = &guided.round[guided.nr];

	if (guided.repeat) {
		if (!input_read(in))
			return false;
	} else if (!c->nr || rng_one_in(r, 2)) {
		*in = (struct input){ .seed = rng_next(r) };
	} else {
		*in = *input_kept(c);
		input_change(in);
	}
	guided.nr++;
	guided.inputs++;
	f->rng = (struct rng){
		.state = in->seed,
		.mix = in->bytes,
		.mix_end = in->bytes + BYTES,
	};
	return true;
}

static void input_keep(struct corpus *c, const struct input *in)
{
	if (c->nr == KEPT)
		memmove(c->input, c->input + 1, --c->nr * sizeof(*in));
	c->input[c->nr++] = *in;
}

static void guided_print(void)
{
	const uint8_t *p = (const uint8_t *)guided.round;
	unsigned int i;

	ksft_print_msg("to repeat: FUZZ_INPUT=FILE fuzz guided, with these lines in FILE:");
	for (i = 0; i < guided.nr * sizeof(struct input); i++) {
		if (i % sizeof(struct input) == 0)
			printf("\n# input: ");
		printf("%02x", p[i]);
	}
	printf("\n");
}

int guided_begin(uint64_t seed)
{
	const char *name = getenv("FUZZ_INPUT");

	if (name) {
		guided.repeat = fopen(name, "r");
		if (!guided.repeat)
			ksft_exit_fail_msg("%s: %s\n", name, strerror(errno));
		return 0;
	}
	guided.rng.state = seed;
	return kcov_begin(&guided.kcov);
}

bool guided_end(void)
{
	const struct kcov *k = &guided.kcov;

	if (guided.repeat) {
		fclose(guided.repeat);
		return guided.inputs;
	}
	ksft_print_msg("fuzz: guided: %llu inputs, of which %u controllers and %u commands are kept\n",
		       (unsigned long long)guided.inputs,
		       guided.controllers.nr, guided.commands.nr);
	ksft_print_msg("fuzz: guided: %u PCs after the first round, %u at the end, and %u edges\n",
		       guided.first_pcs, k->pcs, k->edges);
	kcov_end(&guided.kcov);
	if (!k->pcs)
		ksft_print_msg("the module is not instrumented\n");
	return k->pcs;
}

bool guided_controller(struct fuzz *f)
{
	guided.nr = 0;
	return input_choose(f, &guided.controllers);
}

/* After the end of an input: true if it has led to new ways. */
static bool input_is_news(const struct fuzz *f)
{
	struct input *in = &guided.round[guided.nr - 1];

	in->used = f->rng.mix - in->bytes;
	return !guided.repeat && kcov_take(&guided.kcov);
}

int guided_round(struct fuzz *f)
{
	bool rewritten = rng_one_in(&f->rng, 4), kept;
	unsigned int nr = rewritten ? CHECK : ROUND, i;
	int ret = 0;

	if (rewritten)
		ret = race_commands(f, ROUND);
	ret = ret ?: fuzz_queues(f, false);
	kept = input_is_news(f);
	for (i = 0; i < nr && !ret; i++) {
		if (!input_choose(f, &guided.commands))
			break;
		ret = fuzz_one(f, i % CHECK == CHECK - 1);
		if (!input_is_news(f))
			continue;
		input_keep(&guided.commands, &guided.round[guided.nr - 1]);
		kept = true;
	}
	if (kept)
		input_keep(&guided.controllers, &guided.round[0]);
	if (!guided.first_pcs)
		guided.first_pcs = guided.kcov.pcs;
	if (ret)
		guided_print();
	return ret;
}
