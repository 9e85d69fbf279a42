/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers of which each thread has its own, for the fuzzers */
#ifndef RNG_H
#define RNG_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct rng - a sequence of numbers
 * @state: where it has come to
 * @mix: bytes that change the next numbers, one each, or NULL
 * @mix_end: their end
 */
struct rng {
	uint64_t	state;
	const uint8_t	*mix;
	const uint8_t	*mix_end;
};

/* splitmix64 */
static inline uint64_t rng_next(struct rng *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	x ^= x >> 31;
	if (r->mix != r->mix_end)
		x ^= *r->mix++ * 0x0101010101010101;
	return x;
}

/* 0 to @n - 1 */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

/* True once in @n times */
static inline bool rng_one_in(struct rng *r, unsigned int n)
{
	return !rng_below(r, n);
}

/* A number whose number of digits is even more by chance than it is */
static inline uint64_t rng_sized(struct rng *r)
{
	return rng_next(r) >> rng_below(r, 64);
}

#endif /* RNG_H */
