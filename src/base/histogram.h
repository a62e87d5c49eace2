/* SPDX-License-Identifier: MIT */
/* How many values were no more than each of a few bounds. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS 16 /* at most */

struct histogram_bound {
	int64_t at;
	const char *text; /* as people read it, in their unit */
};

struct histogram {
	const struct histogram_bound *bounds; /* ascending; by reference */
	size_t bound_count;
	uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* above the bound before, up to this one; last: above all */
	int64_t sum;
};

static inline void histogram_add(struct histogram *h, int64_t value)
{
	size_t i = 0;
	while (i < h->bound_count && value > h->bounds[i].at)
		i++;
	h->counts[i]++;
	h->sum += value;
}

#endif
