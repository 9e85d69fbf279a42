/* SPDX-License-Identifier: GPL-2.0 */
/* The fuzz target, as its drivers see it */
#ifndef USER_TARGET_H
#define USER_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Do what an input says; any bytes are one. What is found ends the program. */
void target_run(const uint8_t *data, size_t size);

/* Make an input, or another one of it, by chance; the new size. */
size_t target_random(uint8_t *data, size_t max, uint64_t number);
size_t target_mutate(uint8_t *data, size_t size, size_t max, uint64_t number);

/* Print what was done. */
void target_report(void);

#endif /* USER_TARGET_H */
