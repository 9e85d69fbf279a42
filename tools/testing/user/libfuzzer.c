// SPDX-License-Identifier: GPL-2.0
/* The target for libFuzzer: coverage decides which inputs are worth keeping. */
#include <stdlib.h>

#include "target.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	atexit(target_report);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target_run(data, size);
	return 0;
}

/* Whole commands, or bytes of them */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	if (seed % 2)
		return target_mutate(data, size, max, seed);
	return LLVMFuzzerMutate(data, size, max);
}
