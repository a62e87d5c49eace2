/* Entries of different sizes in blocks of one, and what changed since when.
 *
 * A block is what a checkpoint saves and loads: 4,080 bytes, which LMDB keeps in one page. Entries lie one
 * after the other in it, none crosses its end; the rest is zero. Blocks lie in chunks and never move, so a
 * place is valid for as long as the arena: [ block number | 12 bits of offset ].
 *
 * A cut is a consistent picture of all blocks that changed since the cut before, taken without copying them
 * at once: they are handed out by arena_cut_next() at leisure, and one that changes before its turn is
 * copied first. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_BLOCK ((size_t)4080)
#define ARENA_CHUNK 256 /* blocks: about a megabyte is asked for at a time */
#define ARENA_OFFSET_BITS 12

enum block_state {
	BLOCK_CHANGED = 1, /* since the last cut */
	BLOCK_DUE = 2,	   /* in the cut, neither handed out nor saved yet */
	BLOCK_CUT = 4,	   /* in the cut */
};

struct block {
	uint32_t number;
	const uint8_t *bytes;
	size_t size; /* without the zeros after the last entry, where that is known */
};

struct arena {
	uint8_t **chunks;
	size_t chunk_capacity;
	uint8_t *states; /* enum block_state of every block */
	uint32_t block_count, block_capacity;
	size_t used; /* bytes of the last block */

	uint32_t cut_at;     /* the next block to be handed out, those saved come first */
	struct block *saved; /* as they were at the cut; owned */
	size_t saved_count, saved_given, saved_capacity;
};

void arena_deinit(struct arena *a);

static inline uint8_t *arena_at(const struct arena *a, uint64_t place)
{
	uint64_t block = place >> ARENA_OFFSET_BITS;
	return a->chunks[block / ARENA_CHUNK] + block % ARENA_CHUNK * ARENA_BLOCK +
	       (place & ((1 << ARENA_OFFSET_BITS) - 1));
}

/* Room for a new entry of size bytes (at most ARENA_BLOCK), zeroed. 0 or -ENOMEM. */
int arena_add(struct arena *a, size_t size, uint64_t *place);

/* To be called before the entry at place changes. 0 or -ENOMEM. */
int arena_touch(struct arena *a, uint64_t place);

/* A block from a checkpoint, unchanged: the next number, none may be left out. 0 or -ENOMEM. */
int arena_load(struct arena *a, const uint8_t *bytes, size_t size);

/* A block's bytes up to where nothing is any more, for whoever walks it. */
struct block arena_block(const struct arena *a, uint32_t number);

/* Begins a cut; the one before must have been ended by arena_cut_done() or arena_cut_abandon(). */
void arena_cut(struct arena *a);
/* The next block of the cut as it was then, valid until one of these four is called; false when all have been
 * handed out. */
bool arena_cut_next(struct arena *a, struct block *out);
/* What was handed out is safe elsewhere. */
void arena_cut_done(struct arena *a);
/* The cut came to nothing: all that was in it counts as changed again. */
void arena_cut_abandon(struct arena *a);

#endif
