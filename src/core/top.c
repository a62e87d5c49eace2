/* SPDX-License-Identifier: MIT */
#include "core/top.h"

#include <stdlib.h>

#include "core/entry.h"

#define SEEN_BITS 11
#define SEEN ((size_t)1 << SEEN_BITS) /* twice what is looked for in it */
_Static_assert(SEEN >= 2 * (size_t)TOP_POOL, "so there is always an end of looking");

struct ranked {
	int64_t count;
	uint64_t place;
};

static int higher_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Each place once, without those that have sunk below what the pool answers for; how many. */
static size_t gather(const struct top_pool *p, const struct arena *arena, struct ranked *out)
{
	uint16_t seen[SEEN] = {0}; /* by a hash of the place: its number in out and one more */
	size_t count = 0;
	for (size_t i = 0; i < p->count; i++) {
		struct ranked r = {entry_count(arena_at(arena, p->places[i])), p->places[i]};
		size_t at = (size_t)(r.place * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SEEN_BITS));
		if (r.count < p->floor || r.count <= 0)
			continue;
		while (seen[at] && out[seen[at] - 1].place != r.place)
			at = (at + 1) % SEEN;
		if (seen[at])
			continue;
		out[count++] = r;
		seen[at] = (uint16_t)count;
	}
	return count;
}

static void put(struct top_pool *p, const struct ranked *r, size_t count)
{
	p->count = count;
	for (size_t i = 0; i < count; i++)
		p->places[i] = r[i].place;
}

/* Highest first. */
static void tidy(struct top_pool *p, const struct arena *arena)
{
	struct ranked ranked[TOP_POOL];
	size_t count = gather(p, arena, ranked);
	if (count > 0)
		qsort(ranked, count, sizeof *ranked, higher_first);
	put(p, ranked, count);
}

/* Leaves the TOP_KEPT highest in front, in no order, and behind them the best of the rest (Hoare's find). */
static void find_best(struct ranked *r, int count)
{
	int low = 0, high = count - 1;
	while (low < high) {
		int64_t pivot = r[low + (high - low) / 2].count;
		int i = low, j = high;
		while (i <= j) {
			while (r[i].count > pivot)
				i++;
			while (r[j].count < pivot)
				j--;
			if (i <= j) {
				struct ranked swapped = r[i];
				r[i++] = r[j];
				r[j--] = swapped;
			}
		}
		low = j < TOP_KEPT ? i : low;
		high = i > TOP_KEPT ? j : high;
	}
}

/* Whoever is not kept counts no more than the new floor. */
static void cut(struct top_pool *p, const struct arena *arena)
{
	struct ranked ranked[TOP_POOL];
	size_t count = gather(p, arena, ranked);
	if (count > TOP_KEPT) {
		find_best(ranked, (int)count);
		count = TOP_KEPT;
		p->floor = ranked[count].count;
	}
	put(p, ranked, count);
}

static void note(struct top_pool *p, const struct arena *arena, uint64_t place, int64_t before, int64_t after)
{
	if (after <= p->floor || before > p->floor)
		return;
	if (p->count >= (p->floor > 0 ? TOP_FULL : TOP_POOL))
		cut(p, arena);
	if (after > p->floor) /* it may have risen */
		p->places[p->count++] = place;
}

static void set_bounds(struct top *t)
{
	t->low = t->walking ? INT64_MIN : t->pool.floor;
	t->high = t->walking ? INT64_MAX : t->pool.floor;
}

void top_add(struct top *t, const struct arena *arena, uint64_t place, int64_t before, int64_t after)
{
	note(&t->pool, arena, place, before, after);
	if (t->walking)
		note(&t->next, arena, place, before, after);
	set_bounds(t);
}

static void begin_walk(struct top *t)
{
	t->walking = true;
	t->block = 0;
	t->next.count = 0;
	t->next.floor = 0;
	set_bounds(t);
}

bool top_get(struct top *t, const struct arena *arena, size_t n, uint64_t *places, size_t *found)
{
	struct top_pool *p = &t->pool;
	tidy(p, arena);
	if (p->count < n && p->floor > 0) { /* there may be others now that count as much as these */
		if (!t->walking)
			begin_walk(t);
		return false;
	}
	*found = p->count < n ? p->count : n;
	for (size_t i = 0; i < *found; i++)
		places[i] = p->places[i];
	return true;
}

static void walk_block(struct top *t, const struct arena *arena, uint32_t number)
{
	struct block block = arena_block(arena, number);
	struct counted e;
	size_t begin = 0;
	for (size_t at = 0; entry_next(block.bytes, block.size, &at, &e); begin = at)
		note(&t->next, arena, (uint64_t)number << ARENA_OFFSET_BITS | begin, 0, e.count);
}

void top_walk(struct top *t, const struct arena *arena, unsigned blocks)
{
	if (!t->walking)
		return;
	for (; blocks > 0 && t->block < arena->block_count; blocks--)
		walk_block(t, arena, t->block++);
	if (t->block < arena->block_count)
		return;
	t->pool = t->next;
	t->walking = false;
	set_bounds(t);
}
