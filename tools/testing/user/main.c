// SPDX-License-Identifier: GPL-2.0
/*
 * The target without libFuzzer, for any compiler:
 *
 *	parse RUNS [FIRST]	the inputs FIRST, FIRST + 1 ... (1) by chance
 *	parse FILE...		inputs as libFuzzer has left them
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

static uint8_t input[4096];
static uint64_t number;

/* Whatever is found ends here: what to repeat it by. */
static void at_abort(int sig)
{
	(void)sig;
	fprintf(stderr, "# to repeat this: parse 1 %" PRIu64 "\n", number);
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}

static void run_files(char **name)
{
	size_t size;
	FILE *file;

	for (; *name; name++) {
		file = fopen(*name, "rb");
		if (!file) {
			perror(*name);
			exit(1);
		}
		size = fread(input, 1, sizeof(input), file);
		fclose(file);
		target_run(input, size);
	}
}

static void run_random(uint64_t runs)
{
	signal(SIGABRT, at_abort);
	while (runs--) {
		target_run(input, target_random(input, sizeof(input), number));
		number++;
	}
}

int main(int argc, char **argv)
{
	uint64_t runs;
	char *end;

	if (argc < 2) {
		fprintf(stderr, "usage: %s RUNS [FIRST] | FILE...\n", argv[0]);
		return 2;
	}
	runs = strtoull(argv[1], &end, 0);
	if (*end) {
		run_files(argv + 1);
	} else {
		number = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
		run_random(runs);
	}
	target_report();
	return 0;
}
