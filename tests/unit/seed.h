/* SPDX-License-Identifier: MIT */
/* The seed of a test that draws: another each time, told, and given again by KUDOS_SEED. */
#ifndef UNIT_SEED_H
#define UNIT_SEED_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

static inline uint64_t test_seed(void)
{
	const char *text = getenv("KUDOS_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : random_id();
	fprintf(stderr, "KUDOS_SEED=%" PRIu64 "\n", seed);
	return seed;
}

#endif
