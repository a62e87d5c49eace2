/* SPDX-License-Identifier: MIT */
/* How long things took: a log-linear histogram in the manner of HdrHistogram (Tene). Below 128 each value has
 * its own bucket; above, every power of two is cut into 64 equal buckets, so a value is known to within 1/64
 * = 1.6 % (its middle, which is reported, to within 0.8 %). Fixed size, no allocation, adding is a few
 * instructions. */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB 64 /* buckets in a power of two */
#define HISTOGRAM_TOP 42 /* values from 2^42 up (73 minutes in nanoseconds) count as that */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_TOP - 5) * HISTOGRAM_SUB)

/* All zero is empty. */
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	int64_t max; /* exact */
};

/* Adds n times the value; a negative one counts as 0. */
void histogram_add(struct histogram *h, int64_t value, uint64_t n);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value that share (0..1) of what was added does not exceed; 0 when empty. */
int64_t histogram_at(const struct histogram *h, double share);

#endif
