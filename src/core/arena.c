/* SPDX-License-Identifier: MIT */
#include "core/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/pages.h"

static size_t chunk_bytes(const struct arena *a)
{
	return ARENA_CHUNK * a->block;
}

void arena_init(struct arena *a, size_t block)
{
	*a = (struct arena){.block = block};
}

void arena_deinit(struct arena *a)
{
	for (size_t i = 1; i * ARENA_CHUNK < a->block_count; i++)
		pages_free(a->chunks[i], chunk_bytes(a));
	if (a->chunks)
		free(a->chunks[0]);
	free(a->chunks);
	free(a->states);
	arena_init(a, a->block);
}

/* The first chunk grows with what is in it: most counters are few. */
static int grow_first(struct arena *a)
{
	size_t before = a->first_capacity;
	if (array_reserve(&a->chunks[0], a->block_count + 1, &a->first_capacity, a->block) < 0)
		return -ENOMEM;
	memset(a->chunks[0] + before * a->block, 0, (a->first_capacity - before) * a->block);
	return 0;
}

static int reserve_chunks(struct arena *a, size_t chunk)
{
	if (chunk < a->chunk_capacity)
		return 0;
	size_t capacity = a->chunk_capacity;
	if (array_reserve(&a->states, chunk + 1, &capacity, ARENA_CHUNK) < 0 ||
	    array_reserve(&a->chunks, chunk + 1, &a->chunk_capacity, sizeof(uint8_t *)) < 0)
		return -ENOMEM;
	if (chunk == 0)
		a->chunks[0] = NULL;
	return 0;
}

/* Another block, in another chunk if need be. */
static int add_block(struct arena *a, enum block_state state)
{
	size_t chunk = a->block_count / ARENA_CHUNK;
	if (reserve_chunks(a, chunk) < 0)
		return -ENOMEM;
	if (chunk == 0 && a->block_count == a->first_capacity && grow_first(a) < 0)
		return -ENOMEM;
	if (chunk > 0 && a->block_count % ARENA_CHUNK == 0 && !(a->chunks[chunk] = pages_new(chunk_bytes(a))))
		return -ENOMEM;
	a->states[a->block_count++] = (uint8_t)state;
	a->used = 0;
	return 0;
}

static uint64_t last_place(const struct arena *a)
{
	return (uint64_t)(a->block_count - 1) << ARENA_OFFSET_BITS | a->used;
}

int arena_add(struct arena *a, size_t size, uint64_t *place)
{
	bool full = a->block_count == 0 || a->used + size > a->block;
	if (full && add_block(a, BLOCK_CHANGED) < 0)
		return -ENOMEM;
	arena_touch(a, last_place(a));
	*place = last_place(a);
	a->used += size;
	return 0;
}

struct block arena_block(const struct arena *a, uint32_t number)
{
	return (struct block){number, arena_at(a, (uint64_t)number << ARENA_OFFSET_BITS),
			      number + 1 == a->block_count ? a->used : a->block};
}

static void give(struct arena *a, uint32_t number)
{
	struct block block = arena_block(a, number);
	a->states[number] &= (uint8_t)~BLOCK_DUE;
	a->give(a->give_arg, &block);
}

void arena_touch(struct arena *a, uint64_t place)
{
	uint32_t number = (uint32_t)(place >> ARENA_OFFSET_BITS);
	if (a->states[number] & BLOCK_DUE)
		give(a, number);
	a->states[number] |= BLOCK_CHANGED;
}

int arena_load(struct arena *a, const uint8_t *bytes, size_t size)
{
	int e = add_block(a, 0);
	if (e < 0)
		return e;
	memcpy(arena_at(a, last_place(a)), bytes, size);
	a->used = size;
	return 0;
}

void arena_cut(struct arena *a, arena_give_fn fn, void *arg)
{
	for (uint32_t i = 0; i < a->block_count; i++)
		a->states[i] = a->states[i] & BLOCK_CHANGED ? BLOCK_DUE | BLOCK_CUT : 0;
	a->cut_at = 0;
	a->give = fn;
	a->give_arg = arg;
}

bool arena_cut_next(struct arena *a, unsigned count)
{
	for (; a->cut_at < a->block_count && count > 0; a->cut_at++) {
		if (a->states[a->cut_at] & BLOCK_DUE) {
			give(a, a->cut_at);
			count--;
		}
	}
	return a->cut_at < a->block_count;
}

void arena_cut_done(struct arena *a)
{
	for (uint32_t i = 0; i < a->block_count; i++)
		a->states[i] &= BLOCK_CHANGED;
}

void arena_cut_abandon(struct arena *a)
{
	for (uint32_t i = 0; i < a->block_count; i++)
		a->states[i] = a->states[i] & (BLOCK_CHANGED | BLOCK_CUT) ? BLOCK_CHANGED : 0;
}
