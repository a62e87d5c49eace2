/* SPDX-License-Identifier: MIT */
#include "core/recent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void recent_deinit(struct recent *r)
{
	free(r->origins);
	free(r->positions);
	*r = (struct recent){0};
}

static int grow(struct recent *r)
{
	size_t capacity = r->capacity;
	int e = array_reserve(&r->positions, r->count + 1, &capacity, sizeof *r->positions);
	return e < 0 ? e : array_reserve(&r->origins, r->count + 1, &r->capacity, sizeof *r->origins);
}

int recent_touch(struct recent *r, struct origin o, size_t limit)
{
	size_t i = 0;
	while (i < r->count && !origin_equal(r->origins[i], o))
		i++;
	if (i == r->count) {
		if (r->count >= limit)
			r->count = limit - 1;
		if (r->count == r->capacity && grow(r) < 0)
			return -ENOMEM;
		i = r->count++;
	}
	memmove(&r->origins[1], &r->origins[0], i * sizeof *r->origins);
	r->origins[0] = o;
	return 0;
}

static int by_origin(const void *a, const void *b)
{
	const struct position *x = a, *y = b;
	return (x->origin.id > y->origin.id) - (x->origin.id < y->origin.id);
}

const struct position *recent_positions(struct recent *r, const struct vector *v, size_t limit, size_t *count)
{
	*count = r->count < limit ? r->count : limit;
	for (size_t i = 0; i < *count; i++)
		r->positions[i] = (struct position){r->origins[i], vector_get(v, r->origins[i])};
	if (*count)
		qsort(r->positions, *count, sizeof *r->positions, by_origin);
	return r->positions;
}
