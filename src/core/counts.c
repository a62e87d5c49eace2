/* SPDX-License-Identifier: MIT */
#include "core/counts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/pages.h"

#define ENTRIES_MAX (ARENA_BLOCK / (ENTRY_HEADER + 1)) /* of a block */
#define RESIZE_AHEAD 16
#define PLACE_BITS 48
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

void counts_init(struct counts *c, uint64_t seed, size_t block)
{
	*c = (struct counts){.seed = seed};
	arena_init(&c->arena, block);
}

static uint64_t *slots_new(uint32_t capacity)
{
	size_t size = capacity * sizeof(uint64_t);
	return size < PAGES_UNIT ? calloc(1, size) : pages_new(size);
}

static void slots_free(uint64_t *slots, uint32_t capacity)
{
	size_t size = capacity * sizeof *slots;
	if (size < PAGES_UNIT)
		free(slots);
	else
		pages_free(slots, size);
}

void counts_deinit(struct counts *c)
{
	for (size_t i = 0; i < COUNTS_SHARDS; i++)
		slots_free(c->shards[i].slots, c->shards[i].capacity);
	arena_deinit(&c->arena);
	*c = (struct counts){0};
}

static const struct shard *shard_of(const struct counts *c, uint64_t hash)
{
	return &c->shards[hash >> (64 - COUNTS_SHARD_BITS)];
}

/* The slot that holds key, or the free one where it belongs. The shard has a free slot. */
static uint64_t *find(const struct counts *c, const struct shard *s, uint64_t hash, const char *key,
		      size_t size)
{
	uint64_t tag = hash & 0xffff;
	uint32_t mask = s->capacity - 1;
	for (uint32_t i = (uint32_t)(hash >> 16) & mask;; i = (i + 1) & mask) {
		uint64_t slot = s->slots[i];
		if (slot == 0 || (slot >> PLACE_BITS == tag &&
				  entry_is(arena_at(&c->arena, (slot & PLACE_MASK) - 1), key, size)))
			return &s->slots[i];
	}
}

static void put_slot(uint64_t *slots, uint32_t mask, uint64_t slot, uint64_t hash)
{
	uint32_t at = (uint32_t)(hash >> 16) & mask;
	while (slots[at] != 0)
		at = (at + 1) & mask;
	slots[at] = slot;
}

/* The entries, whose keys have to be hashed again, are asked for some slots ahead. */
static int shard_resize(const struct counts *c, struct shard *s, uint32_t capacity)
{
	uint64_t *slots = slots_new(capacity);
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->capacity; i++) {
		if (i + RESIZE_AHEAD < s->capacity && s->slots[i + RESIZE_AHEAD] != 0)
			__builtin_prefetch(
			    arena_at(&c->arena, (s->slots[i + RESIZE_AHEAD] & PLACE_MASK) - 1));
		if (s->slots[i] == 0)
			continue;
		const uint8_t *entry = arena_at(&c->arena, (s->slots[i] & PLACE_MASK) - 1);
		put_slot(slots, capacity - 1, s->slots[i],
			 hash_bytes(entry + ENTRY_HEADER, entry[8], c->seed));
	}
	slots_free(s->slots, s->capacity);
	s->slots = slots;
	s->capacity = capacity;
	return 0;
}

static int shard_grow(const struct counts *c, struct shard *s)
{
	return shard_resize(c, s, s->capacity ? s->capacity * 2 : 4);
}

int counts_reserve(struct counts *c, uint64_t keys)
{
	uint64_t share = keys / COUNTS_SHARDS + keys / COUNTS_SHARDS / 16; /* shards differ by a little */
	for (size_t i = 0; i < COUNTS_SHARDS && share < UINT32_MAX / 4; i++) {
		struct shard *s = &c->shards[i];
		uint32_t capacity = s->capacity ? s->capacity : 4;
		while ((s->used + share) * 8 > (uint64_t)capacity * 7)
			capacity *= 2;
		if (capacity > s->capacity && shard_resize(c, s, capacity) < 0)
			return -ENOMEM;
	}
	return 0;
}

uint64_t counts_hash(const struct counts *c, const char *key, size_t size)
{
	return hash_bytes(key, size, c->seed);
}

/* The slot for key: of its entry, or free, its shard having room for one more. NULL: no memory. */
static uint64_t *slot_for(struct counts *c, uint64_t hash, const char *key, size_t size)
{
	struct shard *s = &c->shards[hash >> (64 - COUNTS_SHARD_BITS)];
	if ((uint64_t)(s->used + 1) * 8 > (uint64_t)s->capacity * 7 && shard_grow(c, s) < 0)
		return NULL;
	return find(c, s, hash, key, size);
}

static void take_slot(struct counts *c, uint64_t *slot, uint64_t hash, uint64_t place)
{
	*slot = (hash & 0xffff) << PLACE_BITS | (place + 1);
	c->shards[hash >> (64 - COUNTS_SHARD_BITS)].used++;
	c->keys++;
}

/* A snapshot may hold any counts: what is over 64 bits wraps. */
static int64_t sum(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

int counts_add_hashed(struct counts *c, uint64_t hash, const char *key, size_t size, int64_t n)
{
	uint64_t *slot = slot_for(c, hash, key, size);
	if (!slot)
		return -ENOMEM;
	uint8_t *entry;
	uint64_t place;
	if (*slot != 0) {
		place = (*slot & PLACE_MASK) - 1;
		arena_touch(&c->arena, place);
		entry = arena_at(&c->arena, place);
	} else {
		if (arena_add(&c->arena, ENTRY_HEADER + size, &place) < 0)
			return -ENOMEM;
		entry = arena_at(&c->arena, place);
		entry[8] = (uint8_t)size;
		memcpy(entry + ENTRY_HEADER, key, size);
		take_slot(c, slot, hash, place);
	}
	int64_t before = entry_count(entry), after = sum(before, n);
	entry_set_count(entry, after);
	c->total = sum(c->total, n);
	top_note(&c->top, &c->arena, place, before, after);
	return 0;
}

int64_t counts_get(const struct counts *c, const char *key, size_t size)
{
	uint64_t hash = hash_bytes(key, size, c->seed);
	const struct shard *s = shard_of(c, hash);
	if (s->capacity == 0)
		return 0;
	uint64_t slot = *find(c, s, hash, key, size);
	return slot ? entry_count(arena_at(&c->arena, (slot & PLACE_MASK) - 1)) : 0;
}

static const uint64_t *home_slot(const struct counts *c, uint64_t hash)
{
	const struct shard *s = shard_of(c, hash);
	return s->capacity ? &s->slots[(uint32_t)(hash >> 16) & (s->capacity - 1)] : NULL;
}

void counts_prefetch_slot(const struct counts *c, uint64_t hash)
{
	const uint64_t *slot = home_slot(c, hash);
	if (slot)
		__builtin_prefetch(slot);
}

void counts_prefetch_entry(const struct counts *c, uint64_t hash)
{
	const uint64_t *slot = home_slot(c, hash);
	if (slot && *slot != 0)
		__builtin_prefetch(arena_at(&c->arena, (*slot & PLACE_MASK) - 1), 1);
}

bool counts_top(struct counts *c, size_t n, struct counted *out, size_t *found)
{
	uint64_t places[TOP_KEPT];
	if (n > TOP_KEPT || !top_get(&c->top, &c->arena, n, places, found))
		return false;
	for (size_t i = 0; i < *found; i++)
		out[i] = entry_counted(arena_at(&c->arena, places[i]));
	return true;
}

static int load_entry(struct counts *c, uint64_t hash, uint64_t place)
{
	const uint8_t *entry = arena_at(&c->arena, place);
	uint64_t *slot = slot_for(c, hash, (const char *)entry + ENTRY_HEADER, entry[8]);
	if (!slot)
		return -ENOMEM;
	if (*slot != 0)
		return 0; /* the key was there before: a snapshot by no Kudos, but what is adopted must load
			   */
	take_slot(c, slot, hash, place);
	int64_t count = entry_count(entry);
	c->total = sum(c->total, count);
	top_note(&c->top, &c->arena, place, 0, count);
	return 0;
}

int counts_load_block(struct counts *c, const struct block *block)
{
	uint64_t hashes[ENTRIES_MAX], places[ENTRIES_MAX];
	size_t count = 0, at = 0;
	struct counted e;
	if (block->number != c->arena.block_count || block->size > c->arena.block)
		return -EBADMSG;
	for (size_t begin = 0; entry_next(block->bytes, block->size, &at, &e); begin = at) {
		places[count] = (uint64_t)block->number << ARENA_OFFSET_BITS | begin;
		hashes[count] = counts_hash(c, e.key, e.size);
		counts_prefetch_slot(c, hashes[count++]);
	}
	if (!entry_is_end(block->bytes, block->size, at))
		return -EBADMSG;
	/* Without the zeros that may follow: the next new entry goes where a walk finds it. */
	if (arena_load(&c->arena, block->bytes, at) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int r = load_entry(c, hashes[i], places[i]);
		if (r < 0)
			return r;
	}
	return 0;
}
