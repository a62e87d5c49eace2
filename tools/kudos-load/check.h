/* SPDX-License-Identifier: MIT */
/* The check after the load: every server's counts must equal what was acknowledged. */
#ifndef LOAD_CHECK_H
#define LOAD_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kudos.h>

#include "keys.h"

#define CHECK_SHOWN 8
#define CHECK_SERVERS 64 /* at most so many servers are compared */

struct check_difference {
	char key[KUDOS_KEY_MAX + 1];
	char server[64];
	int64_t low, high; /* what was expected: from all acknowledged to all in doubt as well */
	int64_t found;
};

struct check {
	bool ok;
	size_t servers; /* compared */
	uint64_t keys;	/* compared on each of them */
	uint64_t differences;
	struct check_difference shown[CHECK_SHOWN]; /* the first of them */
	int64_t took;	   /* nanoseconds until all were equal, or until it gave up */
	char problem[512]; /* why the comparison could not be made; "" when it was */
};

/* Reads the count of every key before the load, from the handle's server. What kudos_count() says. */
int check_before(kudos *handle, struct keys *keys);

/* Compares until all servers hold, for every key, the same count within [before + acked, before + sent], at
 * most settle nanoseconds long. options: those of handle, which is asked for the servers. all: keys without
 * an acknowledged or doubtful like too. */
void check_run(struct check *check, kudos *handle, const struct kudos_options *options,
	       const struct keys *keys, bool all, int64_t settle);

#endif
