/* SPDX-License-Identifier: MIT */
#include "histogram.h"

static unsigned bucket_of(int64_t value)
{
	const uint64_t v = value < 0 ? 0 : (uint64_t)value;
	if (v < UINT64_C(2) * HISTOGRAM_SUB)
		return (unsigned)v;
	if (v >> HISTOGRAM_TOP)
		return HISTOGRAM_BUCKETS - 1;
	const unsigned shift = 63u - (unsigned)__builtin_clzll(v) - 6u; /* v >> shift is in 64..127 */
	return shift * HISTOGRAM_SUB + (unsigned)(v >> shift);
}

static int64_t middle_of(unsigned bucket)
{
	if (bucket < 2 * HISTOGRAM_SUB)
		return bucket;
	const unsigned shift = bucket / HISTOGRAM_SUB - 1;
	const int64_t low = (int64_t)(bucket - shift * HISTOGRAM_SUB) << shift;
	return low + (INT64_C(1) << shift) / 2;
}

void histogram_add(struct histogram *h, int64_t value, uint64_t n)
{
	h->counts[bucket_of(value)] += n;
	h->total += n;
	if (value > h->max)
		h->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->counts[i] += from->counts[i];
	into->total += from->total;
	if (from->max > into->max)
		into->max = from->max;
}

int64_t histogram_at(const struct histogram *h, double share)
{
	if (h->total == 0)
		return 0;
	uint64_t rank = (uint64_t)(share * (double)h->total);
	if (rank >= h->total)
		rank = h->total - 1;
	uint64_t passed = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		passed += h->counts[i];
		if (passed > rank)
			return middle_of(i) < h->max ? middle_of(i) : h->max;
	}
	return h->max;
}
