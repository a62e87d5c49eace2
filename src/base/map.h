/* SPDX-License-Identifier: MIT */
/* A hash map from a pair of 64-bit numbers (a session; or an id and 0) to a pointer. Seeded, so that peers
 * who choose the numbers cannot make it slow. Open addressing, linear probing, backward-shift deletion. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t a, b;
	void *value; /* NULL: free */
};

struct map {
	struct map_slot *slots; /* owned; the values are not */
	size_t count;
	size_t capacity; /* a power of two, or 0 */
	uint64_t seed;
};

void map_init(struct map *m, uint64_t seed);
void map_deinit(struct map *m);
void *map_get(const struct map *m, uint64_t a, uint64_t b); /* NULL when absent */
/* Sets or replaces; value not NULL. 0 or -ENOMEM. */
int map_put(struct map *m, uint64_t a, uint64_t b, void *value);
void *map_remove(struct map *m, uint64_t a, uint64_t b); /* the value it had, or NULL */

/* Walks in slot order: start with *at = 0; NULL at the end. The map must not change in between. */
struct map_slot *map_next(const struct map *m, size_t *at);

#endif
