/* SPDX-License-Identifier: MIT */
#include "core/vector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"

/* So many entries may differ from the base, and one more for so many in it; then both become a new base. */
#define DIFFER_LEAST 8
#define DIFFER_SHARE 64

static uint64_t hash_of(struct origin o, uint64_t lsn)
{
	return lsn ? hash_pair(o.id, lsn, 0) : 0;
}

static void base_unref(struct vector_base *base)
{
	if (base && --base->refs == 0)
		free(base);
}

static struct vector_base *base_new(size_t count)
{
	struct vector_base *base = malloc(sizeof *base + count * sizeof *base->at);
	if (base)
		*base = (struct vector_base){.refs = 1};
	return base;
}

void vector_deinit(struct vector *v)
{
	base_unref(v->base);
	free(v->at);
	*v = (struct vector){0};
}

void vector_clear(struct vector *v)
{
	base_unref(v->base);
	*v = (struct vector){.at = v->at, .capacity = v->capacity};
}

/* Index of the first entry whose origin is not below o. */
static size_t lower_bound(const struct position *at, size_t count, struct origin o)
{
	return array_place(at, count, sizeof *at, o.id);
}

static bool holds(const struct vector *v, size_t i, struct origin o)
{
	return i < v->count && origin_equal(v->at[i].origin, o);
}

static uint64_t base_get(const struct vector *v, struct origin o)
{
	if (!v->base)
		return 0;
	size_t i = lower_bound(v->base->at, v->base->count, o);
	return i < v->base->count && origin_equal(v->base->at[i].origin, o) ? v->base->at[i].lsn : 0;
}

uint64_t vector_get(const struct vector *v, struct origin o)
{
	size_t i = lower_bound(v->at, v->count, o);
	return holds(v, i, o) ? v->at[i].lsn : base_get(v, o);
}

size_t vector_size(const struct vector *v)
{
	return (v->base ? v->base->count : 0) + v->beyond;
}

struct vector_walk vector_walk_after(const struct vector *v, struct origin o)
{
	struct origin next = {o.id + 1};
	if (next.id == 0)
		return (struct vector_walk){v->base ? v->base->count : 0, v->count};
	return (struct vector_walk){v->base ? lower_bound(v->base->at, v->base->count, next) : 0,
				    lower_bound(v->at, v->count, next)};
}

bool vector_next(const struct vector *v, struct vector_walk *walk, struct position *entry)
{
	const struct position *low = v->base && walk->base < v->base->count ? &v->base->at[walk->base] : NULL;
	const struct position *high = walk->at < v->count ? &v->at[walk->at] : NULL;
	if (!low && !high)
		return false;
	bool take_high = high && (!low || high->origin.id <= low->origin.id);
	if (low && (!take_high || origin_equal(low->origin, high->origin)))
		walk->base++;
	if (take_high)
		walk->at++;
	*entry = take_high ? *high : *low;
	return true;
}

static int reserve(struct vector *v, size_t count)
{
	return array_reserve(&v->at, count, &v->capacity, sizeof *v->at);
}

/* Both layers become a new base. */
static int fold(struct vector *v)
{
	struct vector_base *base = base_new(vector_size(v));
	if (!base)
		return -ENOMEM;
	struct vector_walk walk = {0};
	while (vector_next(v, &walk, &base->at[base->count]))
		base->count++;
	base_unref(v->base);
	v->base = base;
	v->count = v->beyond = 0;
	return 0;
}

int vector_set(struct vector *v, struct origin o, uint64_t lsn)
{
	size_t i = lower_bound(v->at, v->count, o);
	bool here = holds(v, i, o);
	uint64_t old = here ? v->at[i].lsn : base_get(v, o);
	if (old == lsn)
		return 0;
	if (!here) {
		if (v->count >= DIFFER_LEAST + vector_size(v) / DIFFER_SHARE) {
			if (fold(v) < 0)
				return -ENOMEM;
			i = 0;
		}
		if (reserve(v, v->count + 1) < 0)
			return -ENOMEM;
		if (v->count > i)
			memmove(&v->at[i + 1], &v->at[i], (v->count - i) * sizeof *v->at);
		v->count++;
		v->beyond += old == 0;
	}
	v->at[i] = (struct position){o, lsn};
	v->digest += hash_of(o, lsn) - hash_of(o, old);
	return 0;
}

int vector_copy(struct vector *v, const struct vector *from)
{
	int r = reserve(v, from->count);
	if (r < 0)
		return r;
	if (from->count)
		memcpy(v->at, from->at, from->count * sizeof *v->at);
	if (from->base)
		from->base->refs++;
	base_unref(v->base);
	v->base = from->base;
	v->count = from->count;
	v->beyond = from->beyond;
	v->digest = from->digest;
	return 0;
}

int vector_lower(struct vector *v, const struct vector *bound)
{
	if (vector_covers(bound, v))
		return 0;
	size_t most = vector_size(v) < vector_size(bound) ? vector_size(v) : vector_size(bound);
	struct vector_base *base = base_new(most);
	if (!base)
		return -ENOMEM;
	struct position a, b;
	struct vector_walk in_v = {0}, in_bound = {0};
	bool more = vector_next(v, &in_v, &a) && vector_next(bound, &in_bound, &b);
	uint64_t digest = 0;
	while (more) {
		if (origin_equal(a.origin, b.origin)) {
			a.lsn = a.lsn < b.lsn ? a.lsn : b.lsn;
			digest += hash_of(a.origin, a.lsn);
			base->at[base->count++] = a;
			more = vector_next(v, &in_v, &a) && vector_next(bound, &in_bound, &b);
		} else {
			more = a.origin.id < b.origin.id ? vector_next(v, &in_v, &a)
							 : vector_next(bound, &in_bound, &b);
		}
	}
	vector_clear(v);
	v->base = base;
	v->digest = digest;
	return 0;
}

static bool reached_above(const struct vector *a, const struct position *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (vector_get(a, at[i].origin) < at[i].lsn)
			return false;
	}
	return true;
}

/* With the same base only what differs from it, in either, can decide. */
static bool covers_on_same_base(const struct vector *a, const struct vector *b)
{
	for (size_t i = 0; i < a->count; i++) {
		if (a->at[i].lsn < vector_get(b, a->at[i].origin))
			return false;
	}
	return reached_above(a, b->at, b->count);
}

bool vector_covers(const struct vector *a, const struct vector *b)
{
	if (a->base == b->base)
		return covers_on_same_base(a, b);
	if (vector_size(a) < vector_size(b))
		return false;
	struct position of_b;
	if (vector_size(b) < vector_size(a) / 32) { /* few among many: look each up */
		for (struct vector_walk walk = {0}; vector_next(b, &walk, &of_b);) {
			if (vector_get(a, of_b.origin) < of_b.lsn)
				return false;
		}
		return true;
	}
	struct position of_a = {{0}, 0};
	struct vector_walk in_a = {0}, in_b = {0};
	while (vector_next(b, &in_b, &of_b)) {
		while (of_a.origin.id < of_b.origin.id && vector_next(a, &in_a, &of_a))
			;
		if (!origin_equal(of_a.origin, of_b.origin) || of_a.lsn < of_b.lsn)
			return false;
	}
	return true;
}

uint64_t vector_digest_with(const struct vector *v, const struct position *at, size_t count)
{
	uint64_t digest = v->digest;
	for (size_t i = 0; i < count; i++)
		digest +=
		    hash_of(at[i].origin, at[i].lsn) - hash_of(at[i].origin, vector_get(v, at[i].origin));
	return digest;
}
