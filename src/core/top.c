/* SPDX-License-Identifier: MIT */
#include "core/top.h"

#include <stdlib.h>

#include "core/entry.h"

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

/* Leaves each place once, highest first, without those that have sunk below what the pool answers for. */
static void tidy(struct top_pool *p, const struct arena *arena)
{
	struct ranked ranked[TOP_POOL];
	size_t kept = 0;
	if (p->count == 0)
		return;
	for (size_t i = 0; i < p->count; i++)
		ranked[i] = (struct ranked){entry_count(arena_at(arena, p->places[i])), p->places[i]};
	qsort(ranked, p->count, sizeof *ranked, higher_first);
	for (size_t i = 0; i < p->count && ranked[i].count >= p->floor && ranked[i].count > 0; i++) {
		if (kept == 0 || ranked[i].place != p->places[kept - 1])
			p->places[kept++] = ranked[i].place;
	}
	p->count = kept;
}

static int64_t count_of(const struct top_pool *p, const struct arena *arena, size_t i)
{
	return entry_count(arena_at(arena, p->places[i]));
}

/* Whoever is not kept counts no more than the new floor. */
static void halve(struct top_pool *p, const struct arena *arena)
{
	tidy(p, arena);
	if (p->count <= TOP_POOL / 2)
		return;
	p->count = TOP_POOL / 2;
	int64_t best = count_of(p, arena, p->count);
	if (best > p->floor)
		p->floor = best;
}

static void note(struct top_pool *p, const struct arena *arena, uint64_t place, int64_t before, int64_t after)
{
	if (after <= p->floor || before > p->floor)
		return;
	if (p->count == TOP_POOL)
		halve(p, arena);
	if (after > p->floor) /* it may have risen */
		p->places[p->count++] = place;
}

void top_add(struct top *t, const struct arena *arena, uint64_t place, int64_t before, int64_t after)
{
	note(&t->pool, arena, place, before, after);
	if (t->walking)
		note(&t->next, arena, place, before, after);
}

static void begin_walk(struct top *t)
{
	t->walking = true;
	t->block = 0;
	t->next.count = 0;
	t->next.floor = 0;
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
}
