/* SPDX-License-Identifier: MIT */
#include "core/window.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* More than any event's bytes: an open batch with less room than this is full. */
#define EVENT_ROOM 192

void window_init(struct window *w)
{
	*w = (struct window){.first = 1, .numbered = 1, .next = 1};
}

static void parcel_free(struct parcel *p)
{
	if (!p)
		return;
	bytes_deinit(&p->content);
	free(p);
}

void window_deinit(struct window *w)
{
	for (size_t i = 0; i < WINDOW_RING; i++)
		parcel_free(w->ring[i]);
	parcel_free(w->open);
	while (w->spare) {
		struct parcel *p = w->spare;
		w->spare = p->next;
		parcel_free(p);
	}
	window_init(w);
}

/* The one used last comes first: its memory is still in the cache. */
static struct parcel *parcel_take(struct window *w)
{
	struct parcel *p = w->spare;
	if (p)
		w->spare = p->next;
	else
		p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	struct bytes content = p->content;
	bytes_clear(&content);
	*p = (struct parcel){.content = content};
	if (!bytes_extend(&p->content, PARCEL_HEADROOM)) {
		parcel_free(p);
		return NULL;
	}
	return p;
}

static void parcel_give_back(struct window *w, struct parcel *p)
{
	p->next = w->spare;
	w->spare = p;
}

static bool has_room(const struct parcel *p, size_t size)
{
	return p->events < LIMIT_BATCH_EVENTS &&
	       p->content.size - PARCEL_HEADROOM + size <= WINDOW_CONTENT_MAX;
}

int window_add(struct window *w, int64_t now, const void *event, size_t size)
{
	if (w->open && !has_room(w->open, size) && !window_close(w))
		return KUDOS_BUSY;
	struct parcel *p = w->open ? w->open : parcel_take(w);
	if (!p)
		return -ENOMEM;
	size_t before = p->content.size;
	bytes_append(&p->content, event, size);
	if (bytes_failed(&p->content)) {
		p->content.failed = false;
		p->content.size = before;
		if (!w->open)
			parcel_give_back(w, p);
		return -ENOMEM;
	}
	if (!w->open) {
		p->opened_at = now;
		p->first = w->taken + 1;
		w->open = p;
	}
	p->events++;
	w->taken++;
	return 0;
}

bool window_full(const struct window *w)
{
	return w->open && !has_room(w->open, EVENT_ROOM);
}

bool window_close(struct window *w)
{
	if (!w->open || w->next - w->first >= LIMIT_IN_FLIGHT)
		return false;
	w->ring[w->next++ % WINDOW_RING] = w->open;
	w->open = NULL;
	return true;
}

void window_begin_session(struct window *w)
{
	assert(!window_in_flight(w));
	w->base = w->numbered - 1;
}

struct parcel *window_number(struct window *w)
{
	if (w->numbered == w->next)
		return NULL;
	struct parcel *p = w->ring[w->numbered % WINDOW_RING];
	p->seq = w->numbered++ - w->base;
	return p;
}

struct parcel *window_find(const struct window *w, uint64_t seq)
{
	uint64_t serial = seq + w->base; /* beyond the end it is below the first */
	return serial >= w->first && serial < w->numbered ? w->ring[serial % WINDOW_RING] : NULL;
}

struct parcel *window_walk(const struct window *w, uint64_t *serial)
{
	uint64_t s = *serial < w->first ? w->first : *serial;
	while (s < w->numbered && !w->ring[s % WINDOW_RING])
		s++;
	*serial = s + 1;
	return s < w->numbered ? w->ring[s % WINDOW_RING] : NULL;
}

static void tell(const struct kudos_result *run, window_result_fn fn, void *arg)
{
	if (run->first)
		fn(arg, run);
}

bool window_resolve(struct window *w, uint64_t lo, uint64_t hi, int error, window_result_fn fn, void *arg)
{
	uint64_t s = lo > UINT64_MAX - w->base ? UINT64_MAX : lo + w->base;
	uint64_t last = hi > UINT64_MAX - w->base ? UINT64_MAX : hi + w->base;
	if (s < w->first)
		s = w->first;
	if (last >= w->numbered)
		last = w->numbered - 1;
	struct kudos_result run = {.error = error};
	for (; s <= last; s++) {
		struct parcel *p = w->ring[s % WINDOW_RING];
		if (!p)
			continue;
		if (p->first != run.last + 1) {
			tell(&run, fn, arg);
			run.first = 0;
		}
		if (!run.first)
			run.first = p->first;
		run.last = p->first + p->events - 1;
		w->resolved += p->events;
		w->ring[s % WINDOW_RING] = NULL;
		parcel_give_back(w, p);
	}
	while (w->first < w->numbered && !w->ring[w->first % WINDOW_RING])
		w->first++;
	tell(&run, fn, arg);
	return run.first != 0;
}
