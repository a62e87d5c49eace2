#include "core/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void saved_free(struct arena *a)
{
	for (size_t i = 0; i < a->saved_count; i++)
		free((void *)(uintptr_t)a->saved[i].bytes);
	free(a->saved);
	a->saved = NULL;
	a->saved_count = a->saved_given = a->saved_capacity = 0;
}

void arena_deinit(struct arena *a)
{
	for (size_t i = 0; i * ARENA_CHUNK < a->block_count; i++)
		free(a->chunks[i]);
	free(a->chunks);
	free(a->states);
	saved_free(a);
	*a = (struct arena){0};
}

/* Another block, in another chunk if need be. */
static int add_block(struct arena *a, enum block_state state)
{
	size_t chunk = a->block_count / ARENA_CHUNK;
	if (a->block_count % ARENA_CHUNK == 0) {
		if (chunk == a->chunk_capacity) {
			size_t capacity = chunk ? chunk * 2 : 4;
			uint8_t **chunks = realloc(a->chunks, capacity * sizeof *chunks);
			if (chunks)
				a->chunks = chunks;
			uint8_t *states = realloc(a->states, capacity * ARENA_CHUNK);
			if (states)
				a->states = states;
			if (!chunks || !states)
				return -ENOMEM;
			a->chunk_capacity = capacity;
		}
		a->chunks[chunk] = calloc(ARENA_CHUNK, ARENA_BLOCK);
		if (!a->chunks[chunk])
			return -ENOMEM;
	}
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
	bool full = a->block_count == 0 || a->used + size > ARENA_BLOCK;
	int e = full ? add_block(a, BLOCK_CHANGED) : arena_touch(a, last_place(a));
	if (e < 0)
		return e;
	*place = last_place(a);
	a->used += size;
	return 0;
}

struct block arena_block(const struct arena *a, uint32_t number)
{
	return (struct block){number, arena_at(a, (uint64_t)number << ARENA_OFFSET_BITS),
			      number + 1 == a->block_count ? a->used : ARENA_BLOCK};
}

static int save(struct arena *a, uint32_t number)
{
	if (a->saved_count == a->saved_capacity) {
		size_t capacity = a->saved_capacity ? a->saved_capacity * 2 : 16;
		struct block *saved = realloc(a->saved, capacity * sizeof *saved);
		if (!saved)
			return -ENOMEM;
		a->saved = saved;
		a->saved_capacity = capacity;
	}
	struct block block = arena_block(a, number);
	uint8_t *copy = malloc(ARENA_BLOCK);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, block.bytes, block.size);
	block.bytes = copy;
	a->saved[a->saved_count++] = block;
	return 0;
}

int arena_touch(struct arena *a, uint64_t place)
{
	uint32_t number = (uint32_t)(place >> ARENA_OFFSET_BITS);
	unsigned state = a->states[number];
	if ((state & (BLOCK_CHANGED | BLOCK_DUE)) == BLOCK_CHANGED)
		return 0;
	if ((state & BLOCK_DUE) && save(a, number) < 0)
		return -ENOMEM;
	a->states[number] = (uint8_t)((state & ~(unsigned)BLOCK_DUE) | BLOCK_CHANGED);
	return 0;
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

void arena_cut(struct arena *a)
{
	for (uint32_t i = 0; i < a->block_count; i++)
		a->states[i] = a->states[i] & BLOCK_CHANGED ? BLOCK_DUE | BLOCK_CUT : 0;
	a->cut_at = 0;
}

bool arena_cut_next(struct arena *a, struct block *out)
{
	if (a->saved_given < a->saved_count) {
		*out = a->saved[a->saved_given++];
		return true;
	}
	for (; a->cut_at < a->block_count; a->cut_at++) {
		if (a->states[a->cut_at] & BLOCK_DUE) {
			a->states[a->cut_at] &= (uint8_t)~BLOCK_DUE;
			*out = arena_block(a, a->cut_at++);
			return true;
		}
	}
	return false;
}

void arena_cut_done(struct arena *a)
{
	for (uint32_t i = 0; i < a->block_count; i++)
		a->states[i] &= BLOCK_CHANGED;
	saved_free(a);
}

void arena_cut_abandon(struct arena *a)
{
	for (uint32_t i = 0; i < a->block_count; i++)
		a->states[i] = a->states[i] & (BLOCK_CHANGED | BLOCK_CUT) ? BLOCK_CHANGED : 0;
	saved_free(a);
}
