/* SPDX-License-Identifier: MIT */
/* An ordered map of byte strings, in memory. Copies share the items that they have in common:
 *
 *   items: item, item, item, …
 *   next:  item, other, item, …
 *
 * In byte order, the shorter key first when one is the other's beginning, as LMDB has it. */
#ifndef STORE_ITEMS_H
#define STORE_ITEMS_H

#include <stddef.h>
#include <stdint.h>

struct item {
	unsigned refs;
	uint32_t key_size, value_size;
	uint8_t bytes[]; /* key, then value */
};

struct items {
	unsigned refs;
	struct item **list;
	size_t count, capacity;
};

/* Both take NULL, as empty. */
struct items *items_ref(struct items *s);
void items_unref(struct items *s);
/* One to be changed, of from's content (NULL: empty). NULL: no memory. */
struct items *items_copy(const struct items *from);
/* value_size 0 removes the key. -ENOMEM, -E2BIG. */
int items_put(struct items *s, const void *key, size_t key_size, const void *value, size_t value_size);

#endif
