/* SPDX-License-Identifier: MIT */
#include "store/index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RUN_MAX 65536u

struct run {
	uint64_t first;
	uint64_t *places; /* [start, start + count) are in use */
	uint32_t start;
	uint32_t count;
	uint32_t capacity;
};

struct log {
	struct run *runs; /* sorted, never overlapping, never empty */
	size_t count;
	size_t capacity;
};

static void log_free(struct log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->runs[i].places);
	free(log->runs);
	free(log);
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
		log_free(slot->value);
	map_deinit(&x->logs);
}

static uint64_t run_end(const struct run *run)
{
	return run->first + run->count;
}

/* Index of the first run that ends above lsn: the one that holds it, if any does. */
static size_t run_find(const struct log *log, uint64_t lsn)
{
	size_t lo = 0, hi = log->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (run_end(&log->runs[mid]) <= lsn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int run_append(struct run *run, uint64_t place)
{
	if (run->start + run->count == run->capacity) {
		uint32_t capacity = run->capacity ? run->capacity * 2 : 1; /* many origins have but one */
		uint64_t *places = realloc(run->places, capacity * sizeof *places);
		if (!places)
			return -ENOMEM;
		run->places = places;
		run->capacity = capacity;
	}
	run->places[run->start + run->count++] = place;
	return 0;
}

/* Makes room for a run before log->runs[i]; it is left unset. */
static int run_insert(struct log *log, size_t i)
{
	if (log->count == log->capacity) {
		size_t capacity = log->capacity ? log->capacity * 2 : 1;
		struct run *runs = realloc(log->runs, capacity * sizeof *runs);
		if (!runs)
			return -ENOMEM;
		log->runs = runs;
		log->capacity = capacity;
	}
	memmove(&log->runs[i + 1], &log->runs[i], (log->count - i) * sizeof *log->runs);
	log->count++;
	return 0;
}

static void run_remove(struct log *log, size_t i)
{
	free(log->runs[i].places);
	log->count--;
	memmove(&log->runs[i], &log->runs[i + 1], (log->count - i) * sizeof *log->runs);
}

static int log_get(struct index *x, struct origin o, struct log **found)
{
	struct log *log = map_get(&x->logs, o.id, 0);
	if (!log) {
		log = calloc(1, sizeof *log);
		if (!log)
			return -ENOMEM;
		int r = map_put(&x->logs, o.id, 0, log);
		if (r < 0) {
			free(log);
			return r;
		}
	}
	*found = log;
	return 0;
}

int index_add(struct index *x, struct position at, uint64_t place)
{
	struct log *log;
	int r = log_get(x, at.origin, &log);
	if (r < 0)
		return r;
	size_t i = run_find(log, at.lsn);
	if (i < log->count && log->runs[i].first <= at.lsn)
		return 1;
	if (i > 0 && run_end(&log->runs[i - 1]) == at.lsn &&
	    log->runs[i - 1].start + log->runs[i - 1].count < RUN_MAX)
		return run_append(&log->runs[i - 1], place);
	struct run fresh = {.first = at.lsn};
	r = run_append(&fresh, place);
	if (r < 0)
		return r;
	r = run_insert(log, i);
	if (r < 0) {
		free(fresh.places);
		return r;
	}
	log->runs[i] = fresh;
	return 0;
}

bool index_get(const struct index *x, struct position at, uint64_t *place)
{
	const struct log *log = map_get(&x->logs, at.origin.id, 0);
	size_t i = log ? run_find(log, at.lsn) : 0;
	if (!log || i == log->count || log->runs[i].first > at.lsn)
		return false;
	const struct run *run = &log->runs[i];
	*place = run->places[run->start + (at.lsn - run->first)];
	return true;
}

uint64_t index_lowest(const struct index *x, struct origin o)
{
	const struct log *log = map_get(&x->logs, o.id, 0);
	if (!log || log->count == 0)
		return 0;
	size_t i = log->count - 1;
	while (i > 0 && run_end(&log->runs[i - 1]) == log->runs[i].first)
		i--;
	return log->runs[i].first;
}

/* Cuts run i in two before its n-th record, 0 < n < count. */
static int run_split(struct log *log, size_t i, uint32_t n)
{
	assert(n > 0 && n < log->runs[i].count);
	uint32_t rest = log->runs[i].count - n;
	uint64_t *places = malloc(rest * sizeof *places);
	if (!places)
		return -ENOMEM;
	int r = run_insert(log, i + 1);
	if (r < 0) {
		free(places);
		return r;
	}
	struct run *run = &log->runs[i];
	memcpy(places, run->places + run->start + n, rest * sizeof *places);
	log->runs[i + 1] =
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

static int log_drop(struct log *log, uint64_t upto, uint64_t from, uint64_t to)
{
	size_t i = 0;
	while (i < log->count && log->runs[i].first <= upto) {
		struct run *run = &log->runs[i];
		uint32_t kept = stretch(run, 0, upto, from, to, false);
		uint32_t gone = stretch(run, kept, upto, from, to, true);
		if (gone == 0) {
			i++; /* nothing here, or all that is left lies above upto */
			continue;
		}
		if (kept > 0) { /* the part to drop becomes the front of a run of its own */
			int r = run_split(log, i, kept);
			if (r < 0)
				return r;
			run = &log->runs[++i];
		}
		run->first += gone;
		run->start += gone;
		run->count -= gone;
		if (run->count == 0)
			run_remove(log, i);
	}
	return 0;
}

int index_drop(struct index *x, const struct vector *upto, uint64_t from, uint64_t to)
{
	struct position last;
	for (struct vector_walk walk = {0}; vector_next(upto, &walk, &last);) {
		struct origin o = last.origin;
		struct log *log = map_get(&x->logs, o.id, 0);
		if (!log)
			continue;
		int r = log_drop(log, last.lsn, from, to);
		if (r < 0)
			return r;
		if (log->count == 0) {
			map_remove(&x->logs, o.id, 0);
			log_free(log);
		}
	}
	return 0;
}
