/* SPDX-License-Identifier: MIT */
#include "store/items.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static void item_unref(struct item *item)
{
	if (--item->refs == 0)
		free(item);
}

void items_unref(struct items *s)
{
	if (!s || --s->refs > 0)
		return;
	for (size_t i = 0; i < s->count; i++)
		item_unref(s->list[i]);
	free(s->list);
	free(s);
}

struct items *items_ref(struct items *s)
{
	if (s)
		s->refs++;
	return s;
}

struct items *items_copy(const struct items *from)
{
	struct items *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->refs = 1;
	if (!from || from->count == 0)
		return s;
	if (array_reserve(&s->list, from->count, &s->capacity, sizeof(void *)) < 0) {
		items_unref(s);
		return NULL;
	}
	for (; s->count < from->count; s->count++) {
		s->list[s->count] = from->list[s->count];
		s->list[s->count]->refs++;
	}
	return s;
}

static int compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
	int r = memcmp(a, b, a_size < b_size ? a_size : b_size);
	return r ? r : (a_size > b_size) - (a_size < b_size);
}

/* The first item that is not below key; *found: it is key's. */
static size_t place_of(const struct items *s, const void *key, size_t size, bool *found)
{
	size_t lo = 0, hi = s->count;
	*found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = compare(s->list[mid]->bytes, s->list[mid]->key_size, key, size);
		*found = *found || order == 0;
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int put_item(struct items *s, size_t at, struct item *item)
{
	if (array_reserve(&s->list, s->count + 1, &s->capacity, sizeof(void *)) < 0) {
		free(item);
		return -ENOMEM;
	}
	memmove(&s->list[at + 1], &s->list[at], (s->count++ - at) * sizeof(void *));
	s->list[at] = item;
	return 0;
}

static void remove_item(struct items *s, size_t at)
{
	item_unref(s->list[at]);
	memmove(&s->list[at], &s->list[at + 1], (--s->count - at) * sizeof(void *));
}

int items_put(struct items *s, const void *key, size_t key_size, const void *value, size_t value_size)
{
	bool found;
	size_t at = place_of(s, key, key_size, &found);
	if (value_size == 0) {
		if (found)
			remove_item(s, at);
		return 0;
	}
	if (key_size > UINT32_MAX / 4 || value_size > UINT32_MAX / 4)
		return -E2BIG;
	struct item *item = malloc(sizeof *item + key_size + value_size);
	if (!item)
		return -ENOMEM;
	*item = (struct item){.refs = 1, .key_size = (uint32_t)key_size, .value_size = (uint32_t)value_size};
	memcpy(item->bytes, key, key_size);
	memcpy(item->bytes + key_size, value, value_size);
	if (!found)
		return put_item(s, at, item);
	item_unref(s->list[at]);
	s->list[at] = item;
	return 0;
}
