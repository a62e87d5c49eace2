/* The count of every key, compact: a key costs its bytes + 10 in the arena and 8 bytes a slot of its shard.
 *
 *   shard (by the top bits of the hash): slots, open addressing, each   [ 16 bits of hash | 48 bits place+1 ]
 *   arena (1 MiB chunks, never moved):   entry = [ count 8 | flags 1 | key size 1 | key ]
 *
 * Many shards, so that growing one rehashes few keys and no like waits for long. The hash is seeded, so that
 * those who choose the keys cannot make it slow.
 *
 * A cut is a consistent picture of what changed since the cut before, taken without copying all of it at
 * once: entries are handed out by counts_cut_next() at leisure, and an add to one not yet handed out saves
 * its old value first. */
#ifndef CORE_COUNTS_H
#define CORE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTS_SHARDS 1024

struct shard {
	uint64_t *slots;   /* 0: free */
	uint32_t capacity; /* a power of two, or 0 */
	uint32_t used;
};

struct places { /* entries by their place in the arena */
	uint64_t *at;
	size_t count, capacity;
};

struct saved { /* the value an entry had at the cut */
	uint64_t place;
	int64_t count;
};

struct counts {
	uint64_t seed;
	struct shard shards[COUNTS_SHARDS];
	uint8_t **chunks; /* the arena */
	size_t chunk_count, chunk_capacity;
	size_t chunk_used; /* bytes of the last chunk */
	uint64_t keys;
	int64_t total; /* sum of all counts */

	uint8_t dirty_flag;  /* 1 or 2; the other one means "in the cut, not yet handed out or saved" */
	struct places dirty; /* changed since the last cut */
	struct places cut;   /* changed before it, from cut_at on still to be handed out */
	size_t cut_at;
	struct saved *saved; /* of those changed again meanwhile; handed out first */
	size_t saved_count, saved_capacity;
};

void counts_init(struct counts *c, uint64_t seed);
void counts_deinit(struct counts *c);

/* Adds n to key (1..128 bytes). 0 or -ENOMEM, nothing changed then. */
int counts_add(struct counts *c, const char *key, size_t size, int64_t n);
int64_t counts_get(const struct counts *c, const char *key, size_t size); /* 0 when absent */
/* The same in steps, for whoever adds many: the memory that each next step will read is asked for ahead of
 * it, so that with many keys the misses of several adds overlap. */
uint64_t counts_hash(const struct counts *c, const char *key, size_t size);
void counts_prefetch_slot(const struct counts *c, uint64_t hash);
void counts_prefetch_entry(const struct counts *c, uint64_t hash);
int counts_add_hashed(struct counts *c, uint64_t hash, const char *key, size_t size, int64_t n);

/* Makes room for so many keys more, evenly spread, so that the shards need not grow one doubling after the
 * other. 0 or -ENOMEM. */
int counts_reserve(struct counts *c, uint64_t keys);

struct counted {
	const char *key; /* within the arena, not NUL-terminated */
	size_t size;
	int64_t count;
};

/* Walks all keys in order of their first like: start with *at = 0. False at the end. */
bool counts_next(const struct counts *c, uint64_t *at, struct counted *out);
/* Of all keys and their counts, in whatever order they came; keys that count 0 included. */
uint64_t counts_digest(const struct counts *c);

/* Begins a cut. The one before must have been handed out to its end, or been abandoned. */
void counts_cut(struct counts *c);
/* The next entry of the cut as it was then; false when all have been handed out. */
bool counts_cut_next(struct counts *c, struct counted *out);
/* What was handed out is safe elsewhere: the cut's list is freed. */
void counts_cut_done(struct counts *c);
/* The cut came to nothing: all that it held is dirty again. 0 or -ENOMEM. */
int counts_cut_abandon(struct counts *c);
/* Nothing is dirty (after loading from a checkpoint). */
void counts_mark_clean(struct counts *c);

#endif
