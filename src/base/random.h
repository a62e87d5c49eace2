/* SPDX-License-Identifier: MIT */
/* Random numbers: identities from the kernel, everything repeatable from a seed. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* From getrandom(2), never 0. Aborts only if the kernel has no random numbers at all. */
uint64_t random_id(void);
void random_bytes(void *out, size_t size); /* likewise, at most 256 */

/* A small seeded generator (xoshiro256**, Blackman and Vigna 2018; seeded by splitmix64). */
struct random {
	uint64_t s[4];
};

void random_seed(struct random *r, uint64_t seed);
uint64_t random_next(struct random *r);
/* Uniform in 0..below-1; below > 0. */
uint64_t random_below(struct random *r, uint64_t below);

#endif
