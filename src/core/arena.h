/* SPDX-License-Identifier: MIT */
/* Entries of different sizes in blocks of one, and what changed since when.
 *
 * A block is what a checkpoint saves and loads: 8,176 bytes, which LMDB keeps in two pages (it would hold on
 * to the memory of single ones). Entries lie one after the other in it, none crosses its end; the rest is
 * zero. A place is valid for as long as the arena: [ block number | 13 bits of offset ].
 *
 * A cut is a consistent picture of all blocks that changed since the cut before, taken without copying them
 * at once: they are given out at leisure, and one that is about to change is given out before. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_BLOCK ((size_t)8176) /* the usual size, and the largest */
#define ARENA_CHUNK 256		   /* blocks: about two megabytes are asked for at a time */
#define ARENA_OFFSET_BITS 13

enum block_state {
	BLOCK_CHANGED = 1, /* since the last cut */
	BLOCK_DUE = 2,	   /* in the cut, not given out yet */
	BLOCK_CUT = 4,	   /* in the cut */
};

struct block {
	uint32_t number;
	const uint8_t *bytes;
	size_t size; /* without the zeros after the last entry, where that is known */
};

/* Takes a copy of a block of the cut, in whatever order. What goes wrong with it is the taker's to remember.
 */
typedef void (*arena_give_fn)(void *arg, const struct block *block);

struct arena {
	size_t block;	  /* bytes in one */
	uint8_t **chunks; /* of ARENA_CHUNK blocks; while there is only one, of first_capacity blocks */
	size_t chunk_capacity;
	size_t first_capacity;
	uint8_t *states; /* enum block_state of every block */
	uint32_t block_count;
	size_t used; /* bytes of the last block */

	uint32_t cut_at; /* below it no block is due */
	arena_give_fn give;
	void *give_arg;
};

/* block: bytes in one, at most ARENA_BLOCK; the simulator takes less, so that its few keys fill several. */
void arena_init(struct arena *a, size_t block);
void arena_deinit(struct arena *a);

static inline uint8_t *arena_at(const struct arena *a, uint64_t place)
{
	uint64_t block = place >> ARENA_OFFSET_BITS;
	return a->chunks[block / ARENA_CHUNK] + block % ARENA_CHUNK * a->block +
	       (place & ((1 << ARENA_OFFSET_BITS) - 1));
}

/* Room for a new entry of size bytes (at most a block), zeroed. 0 or -ENOMEM. */
int arena_add(struct arena *a, size_t size, uint64_t *place);

/* To be called before the entry at place changes. */
void arena_touch(struct arena *a, uint64_t place);

/* A block from a checkpoint, unchanged: the next number, none may be left out. 0 or -ENOMEM. */
int arena_load(struct arena *a, const uint8_t *bytes, size_t size);

/* A block's bytes up to where nothing is any more, for whoever walks it. */
struct block arena_block(const struct arena *a, uint32_t number);

/* Begins a cut; the one before must have been ended by arena_cut_done() or arena_cut_abandon(). */
void arena_cut(struct arena *a, arena_give_fn give, void *arg);
/* Gives out up to count blocks more, as they were when the cut began; false when all have been given out. */
bool arena_cut_next(struct arena *a, unsigned count);
/* What was given out is safe elsewhere. */
void arena_cut_done(struct arena *a);
/* The cut came to nothing: all that was in it counts as changed again. */
void arena_cut_abandon(struct arena *a);

#endif
