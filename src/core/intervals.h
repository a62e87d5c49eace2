/* SPDX-License-Identifier: MIT */
/* A set of numbers as sorted, disjoint, non-touching intervals: what a session's applied batch numbers and an
 * issuer's closed session numbers compress to. Nearly always one interval, so the common ends are looked at
 * first. (The shape of the set follows the gap tracker of a QUIC stack; see doc/architecture.md.) */
#ifndef CORE_INTERVALS_H
#define CORE_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval { /* both ends included */
	uint64_t lo, hi;
};

struct intervals {
	struct interval *at; /* owned */
	size_t count;
	size_t capacity;
};

void intervals_deinit(struct intervals *s);
bool intervals_has(const struct intervals *s, uint64_t x);
/* Adds lo..hi (lo <= hi). 0 or -ENOMEM, the set unchanged then. */
int intervals_add(struct intervals *s, uint64_t lo, uint64_t hi);
/* Takes x out if it is in. 0 or -ENOMEM (taking out may split an interval). */
int intervals_remove(struct intervals *s, uint64_t x);

#endif
