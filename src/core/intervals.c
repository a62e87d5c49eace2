/* SPDX-License-Identifier: MIT */
#include "core/intervals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void intervals_deinit(struct intervals *s)
{
	free(s->at);
	*s = (struct intervals){0};
}

/* Index of the first interval that ends at or above x. */
static size_t first_reaching(const struct intervals *s, uint64_t x)
{
	if (s->count > 0 && s->at[s->count - 1].hi < x)
		return s->count; /* the usual case: numbers grow */
	size_t i = array_place(s->at, s->count, sizeof *s->at, x);
	return i > 0 && s->at[i - 1].hi >= x ? i - 1 : i;
}

bool intervals_has(const struct intervals *s, uint64_t x)
{
	size_t i = first_reaching(s, x);
	return i < s->count && s->at[i].lo <= x;
}

static int insert(struct intervals *s, size_t i, struct interval new)
{
	if (array_reserve(&s->at, s->count + 1, &s->capacity, sizeof *s->at) < 0)
		return -ENOMEM;
	memmove(&s->at[i + 1], &s->at[i], (s->count - i) * sizeof *s->at);
	s->at[i] = new;
	s->count++;
	return 0;
}

int intervals_add(struct intervals *s, uint64_t lo, uint64_t hi)
{
	/* All intervals that overlap or touch lo..hi melt into one: those from i up to before end. */
	size_t i = first_reaching(s, lo > 0 ? lo - 1 : 0);
	size_t end = i;
	while (end < s->count && (hi == UINT64_MAX || s->at[end].lo <= hi + 1))
		end++;
	if (end == i)
		return insert(s, i, (struct interval){lo, hi});
	if (s->at[i].lo < lo)
		lo = s->at[i].lo;
	if (s->at[end - 1].hi > hi)
		hi = s->at[end - 1].hi;
	s->at[i] = (struct interval){lo, hi};
	memmove(&s->at[i + 1], &s->at[end], (s->count - end) * sizeof *s->at);
	s->count -= end - i - 1;
	return 0;
}

int intervals_remove(struct intervals *s, uint64_t x)
{
	size_t i = first_reaching(s, x);
	if (i == s->count || s->at[i].lo > x)
		return 0;
	struct interval *at = &s->at[i];
	if (at->lo == x && at->hi == x) {
		s->count--;
		memmove(at, at + 1, (s->count - i) * sizeof *at);
	} else if (at->lo == x) {
		at->lo++;
	} else if (at->hi == x) {
		at->hi--;
	} else {
		int r = insert(s, i, (struct interval){at->lo, x - 1});
		if (r < 0)
			return r;
		s->at[i + 1].lo = x + 1;
	}
	return 0;
}
