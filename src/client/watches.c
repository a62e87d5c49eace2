/* SPDX-License-Identifier: MIT */
#include "client/watches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "kudos.h"

void watches_deinit(struct watches *w)
{
	free(w->list);
	*w = (struct watches){0};
}

static int compare(const struct watch *w, const char *key, size_t size)
{
	int order = strncmp(w->key, key, size);
	return order ? order : w->key[size] != '\0';
}

/* Index of the first that is not below key. */
static size_t lower_bound(const struct watches *w, const char *key, size_t size)
{
	size_t lo = 0, hi = w->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (compare(&w->list[mid], key, size) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct watch *watches_find(const struct watches *w, const char *key, size_t size)
{
	if (size > LIMIT_KEY)
		return NULL;
	size_t i = lower_bound(w, key, size);
	return i < w->count && compare(&w->list[i], key, size) == 0 ? &w->list[i] : NULL;
}

int watches_add(struct watches *w, const char *key, size_t size)
{
	if (watches_find(w, key, size))
		return 0;
	if (w->count == LIMIT_WATCHES)
		return KUDOS_LIMIT;
	if (array_reserve(&w->list, w->count + 1, &w->capacity, sizeof *w->list) < 0)
		return -ENOMEM;
	size_t i = lower_bound(w, key, size);
	memmove(&w->list[i + 1], &w->list[i], (w->count - i) * sizeof *w->list);
	w->list[i] = (struct watch){.heard_at = -1};
	memcpy(w->list[i].key, key, size);
	w->count++;
	return 0;
}

bool watches_remove(struct watches *w, const char *key, size_t size)
{
	struct watch *found = watches_find(w, key, size);
	if (!found)
		return false;
	size_t i = (size_t)(found - w->list);
	memmove(found, found + 1, (--w->count - i) * sizeof *found);
	return true;
}
