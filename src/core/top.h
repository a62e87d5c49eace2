/* SPDX-License-Identifier: MIT */
/* Which keys have the most likes, exactly, at the cost of two comparisons a like.
 *
 *   pool    places of entries in the arena, in no order; one may be there twice
 *   floor   every key that is not in the pool counts this at most
 *
 * So only a key that rises above the floor has to be added, which is rare: one that was above it is in the
 * pool. A full pool keeps its best, and the floor rises to the best of the rest. The n highest in the pool
 * are the n highest of all as long as they count no less than the floor. When unlikes have sunk too many of
 * them, the pool is filled anew by a walk over all keys, block by block between likes: `next` is the pool
 * that it fills.
 *
 * A pool that leaves none out costs nothing, so it may be large. Once it leaves some out it is kept small:
 * the sooner the floor follows counts that all rise, the fewer keys cross it.
 *
 * Keys that count 0 or less are in no top. Of those that count the same, any may be taken. */
#ifndef CORE_TOP_H
#define CORE_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"

#define TOP_POOL 1024 /* places, as long as none was left out … */
#define TOP_FULL 256  /* … and from then on */
#define TOP_KEPT 128  /* of a full pool; a top of up to so many can be told */

struct top_pool {
	uint64_t places[TOP_POOL];
	size_t count;
	int64_t floor;
};

struct top {
	int64_t low, high; /* the pool's floor; while there is a walk all counts are between them */
	struct top_pool pool, next;
	bool walking;	/* next is being filled … */
	uint32_t block; /* … and holds what is in the blocks below this one */
};			/* all zero: of no keys */

/* The entry at place counts after now, and counted before (0: it is new). */
void top_add(struct top *t, const struct arena *arena, uint64_t place, int64_t before, int64_t after);
static inline void top_note(struct top *t, const struct arena *arena, uint64_t place, int64_t before,
			    int64_t after)
{
	if (after > t->low && before <= t->high)
		top_add(t, arena, place, before, after);
}

/* The places of the n highest, highest first; *found: how many there are, at most n (at most TOP_KEPT).
 * False: they are not known now, until top_walk() has come to its end. */
bool top_get(struct top *t, const struct arena *arena, size_t n, uint64_t *places, size_t *found);

/* Goes on with the walk by so many blocks, when one is under way. */
void top_walk(struct top *t, const struct arena *arena, unsigned blocks);

#endif
