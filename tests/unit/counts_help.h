/* SPDX-License-Identifier: MIT */
/* What only tests do with the counts: one like, and a look at all of them. */
#ifndef TESTS_COUNTS_HELP_H
#define TESTS_COUNTS_HELP_H

#include "base/hash.h"
#include "core/counts.h"

static inline int counts_add(struct counts *c, const char *key, size_t size, int64_t n)
{
	return counts_add_hashed(c, counts_hash(c, key, size), key, size, n);
}

/* Walks all keys in order of their first like: start with *at = 0. False at the end. */
static inline bool counts_next(const struct counts *c, uint64_t *at, struct counted *out)
{
	uint32_t number = (uint32_t)(*at >> ARENA_OFFSET_BITS);
	size_t offset = *at & ((1 << ARENA_OFFSET_BITS) - 1);
	for (; number < c->arena.block_count; number++, offset = 0) {
		struct block block = arena_block(&c->arena, number);
		if (entry_next(block.bytes, block.size, &offset, out)) {
			*at = (uint64_t)number << ARENA_OFFSET_BITS | offset;
			return true;
		}
	}
	return false;
}

/* Of all keys and their counts, in whatever order they came; keys that count 0 included. */
static inline uint64_t counts_digest(const struct counts *c)
{
	uint64_t digest = 0;
	struct counted e;
	for (uint64_t at = 0; counts_next(c, &at, &e);)
		digest += hash_bytes(e.key, e.size, (uint64_t)e.count);
	return digest;
}

#endif
