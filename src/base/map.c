/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

void map_init(struct map *m, uint64_t seed)
{
	*m = (struct map){.seed = seed};
}

void map_deinit(struct map *m)
{
	free(m->slots);
	m->slots = NULL;
	m->count = m->capacity = 0;
}

static size_t home_of(const struct map *m, uint64_t a, uint64_t b)
{
	return hash_pair(a, b, m->seed) & (m->capacity - 1);
}

/* The slot that holds (a, b), or the free one where it belongs. */
static size_t find(const struct map *m, uint64_t a, uint64_t b)
{
	size_t i = home_of(m, a, b);
	while (m->slots[i].value && (m->slots[i].a != a || m->slots[i].b != b))
		i = (i + 1) & (m->capacity - 1);
	return i;
}

void *map_get(const struct map *m, uint64_t a, uint64_t b)
{
	return m->capacity ? m->slots[find(m, a, b)].value : NULL;
}

static int grow(struct map *m)
{
	struct map bigger = {.seed = m->seed, .capacity = m->capacity ? m->capacity * 2 : 16};
	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->capacity; i++) {
		if (m->slots[i].value)
			bigger.slots[find(&bigger, m->slots[i].a, m->slots[i].b)] = m->slots[i];
	}
	bigger.count = m->count;
	free(m->slots);
	*m = bigger;
	return 0;
}

int map_put(struct map *m, uint64_t a, uint64_t b, void *value)
{
	if (m->capacity) {
		struct map_slot *slot = &m->slots[find(m, a, b)];
		if (slot->value) {
			slot->value = value;
			return 0;
		}
	}
	if ((m->count + 1) * 4 > m->capacity * 3) {
		int r = grow(m);
		if (r < 0)
			return r;
	}
	m->slots[find(m, a, b)] = (struct map_slot){a, b, value};
	m->count++;
	return 0;
}

void *map_remove(struct map *m, uint64_t a, uint64_t b)
{
	if (!m->capacity)
		return NULL;
	size_t hole = find(m, a, b);
	void *value = m->slots[hole].value;
	if (!value)
		return NULL;
	size_t mask = m->capacity - 1;
	for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		/* Move back whatever would no longer be found across the hole. */
		size_t home = home_of(m, m->slots[i].a, m->slots[i].b);
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole].value = NULL;
	m->count--;
	return value;
}

struct map_slot *map_next(const struct map *m, size_t *at)
{
	while (*at < m->capacity) {
		struct map_slot *slot = &m->slots[(*at)++];
		if (slot->value)
			return slot;
	}
	return NULL;
}
