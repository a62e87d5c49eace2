/* SPDX-License-Identifier: MIT */
/* The count of every key, compact: a key costs its bytes + 9 in the arena and 8 bytes a slot of its shard.
 *
 *   shard (by the top bits of the hash): slots, open addressing, each   [ 16 bits of hash | 48 bits place+1 ]
 *   arena:                               entry = [ count 8, little-endian | key size 1 | key ]
 *
 * Shards, so that growing one rehashes a part of the keys and no like waits for long: two milliseconds with
 * ten million. The hash is seeded, so that those who choose the keys cannot make it slow. Checkpoints are
 * cuts of the arena, block by block; the shards are made again from the entries when blocks are loaded. */
#ifndef CORE_COUNTS_H
#define CORE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/entry.h"
#include "core/top.h"

#define COUNTS_SHARD_BITS 6
#define COUNTS_SHARDS (1 << COUNTS_SHARD_BITS)

struct shard {
	uint64_t *slots;   /* 0: free */
	uint32_t capacity; /* a power of two, or 0 */
	uint32_t used;
};

struct counts {
	uint64_t seed;
	struct shard shards[COUNTS_SHARDS];
	struct arena arena;
	struct top top;
	uint64_t keys;
	int64_t total; /* sum of all counts */
};

void counts_init(struct counts *c, uint64_t seed, size_t block); /* block: of the arena */
void counts_deinit(struct counts *c);

int64_t counts_get(const struct counts *c, const char *key, size_t size); /* 0 when absent */
/* Adds n to key (1..128 bytes), in steps: the memory that each next step will read is asked for ahead of it,
 * so that with many keys the misses of several adds overlap. Adding: 0 or -ENOMEM, nothing changed then. */
uint64_t counts_hash(const struct counts *c, const char *key, size_t size);
void counts_prefetch_slot(const struct counts *c, uint64_t hash);
void counts_prefetch_entry(const struct counts *c, uint64_t hash);
int counts_add_hashed(struct counts *c, uint64_t hash, const char *key, size_t size, int64_t n);

/* Makes room for so many keys more, evenly spread, so that the shards need not grow one doubling after the
 * other. 0 or -ENOMEM. */
int counts_reserve(struct counts *c, uint64_t keys);

/* The n keys (at most TOP_KEPT) that have the most likes, highest first, as far as they have any; see
 * core/top.h. False: it is not known now, and being found out: top_walk(&c->top, …). */
bool counts_top(struct counts *c, size_t n, struct counted *out, size_t *found);

/* The next block of a checkpoint. Of a key that comes twice the first count is kept. 0, -ENOMEM, or -EBADMSG:
 * it is damaged or not the next. */
int counts_load_block(struct counts *c, const struct block *block);

#endif
