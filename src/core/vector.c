/* SPDX-License-Identifier: MIT */
#include "core/vector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void vector_deinit(struct vector *v)
{
	free(v->at);
	*v = (struct vector){0};
}

/* Index of the first entry whose origin is not below o. */
static size_t lower_bound(const struct vector *v, struct origin o)
{
	size_t lo = 0, hi = v->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (v->at[mid].origin.id < o.id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool holds(const struct vector *v, size_t i, struct origin o)
{
	return i < v->count && origin_equal(v->at[i].origin, o);
}

uint64_t vector_get(const struct vector *v, struct origin o)
{
	size_t i = lower_bound(v, o);
	return holds(v, i, o) ? v->at[i].lsn : 0;
}

static int reserve(struct vector *v, size_t count)
{
	if (count <= v->capacity)
		return 0;
	size_t capacity = v->capacity * 2 > count ? v->capacity * 2 : count;
	struct position *at = realloc(v->at, capacity * sizeof *at);
	if (!at)
		return -ENOMEM;
	v->at = at;
	v->capacity = capacity;
	return 0;
}

int vector_set(struct vector *v, struct origin o, uint64_t lsn)
{
	size_t i = lower_bound(v, o);
	if (!holds(v, i, o)) {
		int r = reserve(v, v->count + 1);
		if (r < 0)
			return r;
		memmove(&v->at[i + 1], &v->at[i], (v->count - i) * sizeof *v->at);
		v->count++;
	}
	v->at[i] = (struct position){o, lsn};
	return 0;
}

void vector_remove(struct vector *v, struct origin o)
{
	size_t i = lower_bound(v, o);
	if (!holds(v, i, o))
		return;
	v->count--;
	memmove(&v->at[i], &v->at[i + 1], (v->count - i) * sizeof *v->at);
}

int vector_copy(struct vector *v, const struct vector *from)
{
	int r = reserve(v, from->count);
	if (r < 0)
		return r;
	if (from->count)
		memcpy(v->at, from->at, from->count * sizeof *v->at);
	v->count = from->count;
	return 0;
}

int vector_merge(struct vector *v, const struct vector *from)
{
	for (size_t i = 0; i < from->count; i++) {
		if (vector_get(v, from->at[i].origin) < from->at[i].lsn) {
			int r = vector_set(v, from->at[i].origin, from->at[i].lsn);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

bool vector_covers(const struct vector *a, const struct vector *b)
{
	for (size_t i = 0; i < b->count; i++) {
		if (vector_get(a, b->at[i].origin) < b->at[i].lsn)
			return false;
	}
	return true;
}
