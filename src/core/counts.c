#include "core/counts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define CHUNK ((size_t)1 << 20)
#define HEADER 10 /* count, flags, key size */
#define PLACE_BITS 48
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

void counts_init(struct counts *c, uint64_t seed)
{
	*c = (struct counts){.seed = seed, .chunk_used = CHUNK, .dirty_flag = 1};
}

void counts_deinit(struct counts *c)
{
	for (size_t i = 0; i < COUNTS_SHARDS; i++)
		free(c->shards[i].slots);
	for (size_t i = 0; i < c->chunk_count; i++)
		free(c->chunks[i]);
	free(c->chunks);
	free(c->dirty.at);
	free(c->cut.at);
	free(c->saved);
	*c = (struct counts){0};
}

static uint8_t *entry_at(const struct counts *c, uint64_t place)
{
	return c->chunks[place / CHUNK] + place % CHUNK;
}

static int64_t entry_count(const uint8_t *entry)
{
	int64_t count;
	memcpy(&count, entry, sizeof count);
	return count;
}

static void entry_set_count(uint8_t *entry, int64_t count)
{
	memcpy(entry, &count, sizeof count);
}

static uint8_t cut_flag(const struct counts *c)
{
	return c->dirty_flag ^ 3;
}

static bool entry_is(const uint8_t *entry, const char *key, size_t size)
{
	return entry[9] == size && memcmp(entry + HEADER, key, size) == 0;
}

static struct counted entry_counted(const uint8_t *entry)
{
	return (struct counted){(const char *)entry + HEADER, entry[9], entry_count(entry)};
}

static const struct shard *shard_of(const struct counts *c, uint64_t hash)
{
	return &c->shards[hash >> 54]; /* 1024 shards: the top 10 bits */
}

/* The slot that holds key, or the free one where it belongs. The shard has a free slot. */
static uint64_t *find(const struct counts *c, const struct shard *s, uint64_t hash, const char *key,
		      size_t size)
{
	uint64_t tag = hash & 0xffff;
	uint32_t mask = s->capacity - 1;
	for (uint32_t i = (uint32_t)(hash >> 16) & mask;; i = (i + 1) & mask) {
		uint64_t slot = s->slots[i];
		if (slot == 0 ||
		    (slot >> PLACE_BITS == tag && entry_is(entry_at(c, (slot & PLACE_MASK) - 1), key, size)))
			return &s->slots[i];
	}
}

static int shard_resize(const struct counts *c, struct shard *s, uint32_t capacity)
{
	uint64_t *slots = calloc(capacity, sizeof *slots);
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->capacity; i++) {
		if (s->slots[i] == 0)
			continue;
		const uint8_t *entry = entry_at(c, (s->slots[i] & PLACE_MASK) - 1);
		uint64_t hash = hash_bytes(entry + HEADER, entry[9], c->seed);
		uint32_t at = (uint32_t)(hash >> 16) & (capacity - 1);
		while (slots[at] != 0)
			at = (at + 1) & (capacity - 1);
		slots[at] = s->slots[i];
	}
	free(s->slots);
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
	uint64_t share =
	    keys / COUNTS_SHARDS + keys / COUNTS_SHARDS / 16; /* shards differ by a few per cent */
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

/* Room for one more place; doubling. */
static int places_reserve(struct places *p)
{
	if (p->count < p->capacity)
		return 0;
	size_t capacity = p->capacity ? p->capacity * 2 : 64;
	uint64_t *at = realloc(p->at, capacity * sizeof *at);
	if (!at)
		return -ENOMEM;
	p->at = at;
	p->capacity = capacity;
	return 0;
}

static int saved_reserve(struct counts *c)
{
	if (c->saved_count < c->saved_capacity)
		return 0;
	size_t capacity = c->saved_capacity ? c->saved_capacity * 2 : 64;
	struct saved *saved = realloc(c->saved, capacity * sizeof *saved);
	if (!saved)
		return -ENOMEM;
	c->saved = saved;
	c->saved_capacity = capacity;
	return 0;
}

/* A new entry in the arena with count 0; an entry never crosses chunks. */
static int arena_add(struct counts *c, const char *key, size_t size, uint64_t *place)
{
	if (c->chunk_used + HEADER + size > CHUNK) {
		if (c->chunk_count == c->chunk_capacity) {
			size_t capacity = c->chunk_capacity ? c->chunk_capacity * 2 : 16;
			uint8_t **chunks = realloc(c->chunks, capacity * sizeof *chunks);
			if (!chunks)
				return -ENOMEM;
			c->chunks = chunks;
			c->chunk_capacity = capacity;
		}
		uint8_t *chunk = calloc(1, CHUNK); /* zeros: a key size of 0 marks the end */
		if (!chunk)
			return -ENOMEM;
		c->chunks[c->chunk_count++] = chunk;
		c->chunk_used = 0;
	}
	*place = (c->chunk_count - 1) * CHUNK + c->chunk_used;
	uint8_t *entry = entry_at(c, *place);
	entry[9] = (uint8_t)size;
	memcpy(entry + HEADER, key, size);
	c->chunk_used += HEADER + size;
	return 0;
}

/* Before an entry changes: saves what the cut still needs of it, and notes it for the next cut. */
static int touch(struct counts *c, uint8_t *entry, uint64_t place)
{
	if (entry[8] & cut_flag(c)) {
		if (saved_reserve(c) < 0)
			return -ENOMEM;
		c->saved[c->saved_count++] = (struct saved){place, entry_count(entry)};
		entry[8] = 0;
	}
	if (!(entry[8] & c->dirty_flag)) {
		if (places_reserve(&c->dirty) < 0)
			return -ENOMEM;
		c->dirty.at[c->dirty.count++] = place;
		entry[8] |= c->dirty_flag;
	}
	return 0;
}

uint64_t counts_hash(const struct counts *c, const char *key, size_t size)
{
	return hash_bytes(key, size, c->seed);
}

int counts_add(struct counts *c, const char *key, size_t size, int64_t n)
{
	return counts_add_hashed(c, counts_hash(c, key, size), key, size, n);
}

int counts_add_hashed(struct counts *c, uint64_t hash, const char *key, size_t size, int64_t n)
{
	struct shard *s = &c->shards[hash >> 54];
	if ((uint64_t)(s->used + 1) * 8 > (uint64_t)s->capacity * 7 && shard_grow(c, s) < 0)
		return -ENOMEM;
	uint64_t *slot = find(c, s, hash, key, size);
	uint64_t place;
	if (*slot == 0) {
		if (arena_add(c, key, size, &place) < 0)
			return -ENOMEM;
		*slot = (hash & 0xffff) << PLACE_BITS | (place + 1);
		s->used++;
		c->keys++;
	} else {
		place = (*slot & PLACE_MASK) - 1;
	}
	uint8_t *entry = entry_at(c, place);
	if (entry[8] != c->dirty_flag && touch(c, entry, place) < 0)
		return -ENOMEM;
	/* A snapshot may hold any counts: what is over 64 bits wraps. */
	entry_set_count(entry, (int64_t)((uint64_t)entry_count(entry) + (uint64_t)n));
	c->total = (int64_t)((uint64_t)c->total + (uint64_t)n);
	return 0;
}

int64_t counts_get(const struct counts *c, const char *key, size_t size)
{
	uint64_t hash = hash_bytes(key, size, c->seed);
	const struct shard *s = shard_of(c, hash);
	if (s->capacity == 0)
		return 0;
	uint64_t slot = *find(c, s, hash, key, size);
	return slot ? entry_count(entry_at(c, (slot & PLACE_MASK) - 1)) : 0;
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
		__builtin_prefetch(entry_at(c, (*slot & PLACE_MASK) - 1), 1);
}

bool counts_next(const struct counts *c, uint64_t *at, struct counted *out)
{
	for (;;) {
		size_t chunk = *at / CHUNK, offset = *at % CHUNK;
		if (chunk >= c->chunk_count || (chunk == c->chunk_count - 1 && offset >= c->chunk_used))
			return false;
		if (offset + HEADER < CHUNK && entry_at(c, *at)[9] != 0) {
			*out = entry_counted(entry_at(c, *at));
			*at += HEADER + out->size;
			return true;
		}
		*at = (chunk + 1) * CHUNK;
	}
}

uint64_t counts_digest(const struct counts *c)
{
	uint64_t digest = 0;
	struct counted e;
	for (uint64_t at = 0; counts_next(c, &at, &e);)
		digest += hash_bytes(e.key, e.size, (uint64_t)e.count);
	return digest;
}

void counts_cut(struct counts *c)
{
	struct places old = c->cut;
	c->cut = c->dirty;
	c->dirty = (struct places){.at = old.at, .capacity = old.capacity};
	c->cut_at = 0;
	c->saved_count = 0;
	c->dirty_flag = cut_flag(c);
}

bool counts_cut_next(struct counts *c, struct counted *out)
{
	if (c->saved_count > 0) {
		struct saved saved = c->saved[--c->saved_count];
		*out = entry_counted(entry_at(c, saved.place));
		out->count = saved.count;
		return true;
	}
	while (c->cut_at < c->cut.count) {
		uint8_t *entry = entry_at(c, c->cut.at[c->cut_at++]);
		if (entry[8] & cut_flag(c)) {
			entry[8] &= c->dirty_flag;
			*out = entry_counted(entry);
			return true;
		}
	}
	return false;
}

void counts_cut_done(struct counts *c)
{
	free(c->cut.at);
	free(c->saved);
	c->cut = (struct places){0};
	c->saved = NULL;
	c->cut_at = c->saved_count = c->saved_capacity = 0;
}

int counts_cut_abandon(struct counts *c)
{
	for (size_t i = 0; i < c->cut.count; i++) {
		uint8_t *entry = entry_at(c, c->cut.at[i]);
		entry[8] &= c->dirty_flag;
		if (touch(c, entry, c->cut.at[i]) < 0)
			return -ENOMEM;
	}
	c->cut.count = c->cut_at = 0;
	c->saved_count = 0;
	return 0;
}

void counts_mark_clean(struct counts *c)
{
	for (size_t i = 0; i < c->dirty.count; i++)
		entry_at(c, c->dirty.at[i])[8] = 0;
	free(c->dirty.at);
	c->dirty = (struct places){0};
}
