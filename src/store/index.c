/* SPDX-License-Identifier: MIT */
#include "store/index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define RUN_MAX 65536u

struct run {
	uint64_t first;
	uint64_t *places; /* [start, start + count) are in use */
	uint32_t start;
	uint32_t count;
	size_t capacity;
};

struct held {
	struct run *runs; /* sorted, never overlapping, never empty */
	size_t count;
	size_t capacity;
};

static void held_free(struct held *held)
{
	for (size_t i = 0; i < held->count; i++)
		free(held->runs[i].places);
	free(held->runs);
	free(held);
}

void index_init(struct index *x, uint64_t seed)
{
	map_init(&x->logs, seed);
}

void index_deinit(struct index *x)
{
	size_t at = 0;
	struct map_slot *slot;
	while ((slot = map_next(&x->logs, &at)))
		held_free(slot->value);
	map_deinit(&x->logs);
}

static uint64_t run_end(const struct run *run)
{
	return run->first + run->count;
}

/* Index of the first run that ends above lsn: the one that holds it, if any does. */
static size_t run_find(const struct held *held, uint64_t lsn)
{
	size_t i = array_place(held->runs, held->count, sizeof *held->runs, lsn);
	return i > 0 && run_end(&held->runs[i - 1]) > lsn ? i - 1 : i;
}

static int run_append(struct run *run, uint64_t place)
{
	if (array_reserve(&run->places, run->start + run->count + 1, &run->capacity, sizeof *run->places) < 0)
		return -ENOMEM;
	run->places[run->start + run->count++] = place;
	return 0;
}

/* Makes room for a run before held->runs[i]; it is left unset. */
static int run_insert(struct held *held, size_t i)
{
	if (array_reserve(&held->runs, held->count + 1, &held->capacity, sizeof *held->runs) < 0)
		return -ENOMEM;
	memmove(&held->runs[i + 1], &held->runs[i], (held->count - i) * sizeof *held->runs);
	held->count++;
	return 0;
}

static void run_remove(struct held *held, size_t i)
{
	free(held->runs[i].places);
	held->count--;
	memmove(&held->runs[i], &held->runs[i + 1], (held->count - i) * sizeof *held->runs);
}

static int held_get(struct index *x, struct origin o, struct held **found)
{
	struct held *held = map_get(&x->logs, o.id, 0);
	if (!held) {
		held = calloc(1, sizeof *held);
		if (!held)
			return -ENOMEM;
		int r = map_put(&x->logs, o.id, 0, held);
		if (r < 0) {
			free(held);
			return r;
		}
	}
	*found = held;
	return 0;
}

int index_add(struct index *x, struct position at, uint64_t place)
{
	struct held *held;
	int r = held_get(x, at.origin, &held);
	if (r < 0)
		return r;
	size_t i = run_find(held, at.lsn);
	if (i < held->count && held->runs[i].first <= at.lsn)
		return 1;
	if (i > 0 && run_end(&held->runs[i - 1]) == at.lsn &&
	    held->runs[i - 1].start + held->runs[i - 1].count < RUN_MAX)
		return run_append(&held->runs[i - 1], place);
	struct run fresh = {.first = at.lsn};
	r = run_append(&fresh, place);
	if (r < 0)
		return r;
	r = run_insert(held, i);
	if (r < 0) {
		free(fresh.places);
		return r;
	}
	held->runs[i] = fresh;
	return 0;
}

bool index_get(const struct index *x, struct position at, uint64_t *place)
{
	const struct held *held = map_get(&x->logs, at.origin.id, 0);
	size_t i = held ? run_find(held, at.lsn) : 0;
	if (!held || i == held->count || held->runs[i].first > at.lsn)
		return false;
	const struct run *run = &held->runs[i];
	*place = run->places[run->start + (at.lsn - run->first)];
	return true;
}

uint64_t index_lowest(const struct index *x, struct origin o)
{
	const struct held *held = map_get(&x->logs, o.id, 0);
	if (!held || held->count == 0)
		return 0;
	size_t i = held->count - 1;
	while (i > 0 && run_end(&held->runs[i - 1]) == held->runs[i].first)
		i--;
	return held->runs[i].first;
}

/* Cuts run i in two before its n-th record, 0 < n < count. */
static int run_split(struct held *held, size_t i, uint32_t n)
{
	assert(n > 0 && n < held->runs[i].count);
	uint32_t rest = held->runs[i].count - n;
	uint64_t *places = malloc(rest * sizeof *places);
	if (!places)
		return -ENOMEM;
	int r = run_insert(held, i + 1);
	if (r < 0) {
		free(places);
		return r;
	}
	struct run *run = &held->runs[i];
	memcpy(places, run->places + run->start + n, rest * sizeof *places);
	held->runs[i + 1] =
	    (struct run){.first = run->first + n, .places = places, .count = rest, .capacity = rest};
	run->count = n;
	return 0;
}

/* How many of the run's records, from its n-th on and up to lsn `upto`, lie inside from..to-1 (or, with
 * inside false, outside) without interruption. */
static uint32_t stretch(const struct run *run, uint32_t n, uint64_t upto, uint64_t from, uint64_t to,
			bool inside)
{
	uint32_t begin = n;
	while (n < run->count && run->first + n <= upto) {
		uint64_t place = run->places[run->start + n];
		if ((place >= from && place < to) != inside)
			break;
		n++;
	}
	return n - begin;
}

static int held_drop(struct held *held, uint64_t upto, uint64_t from, uint64_t to)
{
	size_t i = 0;
	while (i < held->count && held->runs[i].first <= upto) {
		struct run *run = &held->runs[i];
		uint32_t kept = stretch(run, 0, upto, from, to, false);
		uint32_t gone = stretch(run, kept, upto, from, to, true);
		if (gone == 0) {
			i++; /* nothing here, or all that is left lies above upto */
			continue;
		}
		if (kept > 0) { /* the part to drop becomes the front of a run of its own */
			int r = run_split(held, i, kept);
			if (r < 0)
				return r;
			run = &held->runs[++i];
		}
		run->first += gone;
		run->start += gone;
		run->count -= gone;
		if (run->count == 0)
			run_remove(held, i);
	}
	return 0;
}

int index_drop(struct index *x, const struct vector *upto, uint64_t from, uint64_t to)
{
	struct position last;
	for (struct vector_walk walk = {0}; vector_next(upto, &walk, &last);) {
		struct origin o = last.origin;
		struct held *held = map_get(&x->logs, o.id, 0);
		if (!held)
			continue;
		int r = held_drop(held, last.lsn, from, to);
		if (r < 0)
			return r;
		if (held->count == 0) {
			map_remove(&x->logs, o.id, 0);
			held_free(held);
		}
	}
	return 0;
}
