/* SPDX-License-Identifier: MIT */
#include "store/contents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/random.h"
#include "store/files.h"

static uint64_t place_of(uint64_t segment, uint64_t offset)
{
	return segment << 32 | offset;
}

void contents_init(struct contents *c)
{
	*c = (struct contents){0};
	index_init(&c->index, random_id());
}

void contents_deinit(struct contents *c)
{
	while (c->count > 0)
		contents_remove_newest(c);
	free(c->segments);
	index_deinit(&c->index);
	bytes_deinit(&c->meta);
}

static int found_file(void *arg, const char *name)
{
	uint64_t number;
	if (!segment_is_name(name, &number))
		return 0;
	return number == 0 || number >= UINT32_MAX ? -EOVERFLOW : contents_add(arg, number);
}

static int by_number(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

int contents_find(struct contents *c, int dir)
{
	int r = files_list(dir, found_file, c);
	if (r == 0 && c->count > 0)
		qsort(c->segments, c->count, sizeof *c->segments, by_number);
	return r;
}

struct segment *contents_newest(const struct contents *c)
{
	return &c->segments[c->count - 1];
}

uint64_t contents_next(const struct contents *c)
{
	return c->count ? contents_newest(c)->number + 1 : 1;
}

int contents_add(struct contents *c, uint64_t number)
{
	if (array_reserve(&c->segments, c->count + 1, &c->capacity, sizeof *c->segments) < 0)
		return -ENOMEM;
	c->segments[c->count++] = (struct segment){.number = number};
	return 0;
}

void contents_remove_newest(struct contents *c)
{
	vector_deinit(&c->segments[--c->count].highest);
}

static int set_meta(struct contents *c, const uint8_t *data, size_t size, uint64_t segment)
{
	bytes_clear(&c->meta);
	bytes_append(&c->meta, data, size);
	if (bytes_failed(&c->meta))
		return -ENOMEM;
	c->meta_segment = segment;
	return 0;
}

int contents_note(struct contents *c, struct segment *segment, const struct segment_head *head, size_t offset,
		  const uint8_t *data)
{
	if (head->kind == ENTRY_META)
		return set_meta(c, data, head->size, segment->number);
	if (vector_get(&segment->highest, head->at.origin) < head->at.lsn) {
		int r = vector_set(&segment->highest, head->at.origin, head->at.lsn);
		if (r < 0)
			return r;
	}
	int r = index_add(&c->index, head->at, place_of(segment->number, offset));
	return r < 0 ? r : 0; /* 1: fetched again from a peer once; the first copy serves */
}

bool contents_get(const struct contents *c, struct position at, uint64_t *segment, uint64_t *offset)
{
	uint64_t place;
	if (!index_get(&c->index, at, &place))
		return false;
	*segment = place >> 32;
	*offset = place & UINT32_MAX;
	return true;
}

int contents_forget(struct contents *c, struct position at, uint64_t segment, uint64_t offset)
{
	uint64_t place = place_of(segment, offset);
	return index_drop(&c->index, &(struct vector){.at = &at, .count = 1}, place, place + 1);
}

int contents_drop(struct contents *c, const struct vector *floor)
{
	size_t count = 0;
	/* One stays always: it may be active, and it holds the newest meta if any does. */
	while (count + 1 < c->count && c->segments[count].number != c->meta_segment &&
	       (!floor || vector_covers(floor, &c->segments[count].highest))) {
		const struct segment *s = &c->segments[count++];
		int r =
		    index_drop(&c->index, &s->highest, place_of(s->number, 0), place_of(s->number + 1, 0));
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < count; i++)
		vector_deinit(&c->segments[i].highest);
	c->count -= count;
	if (count > 0) /* all at once: there may be a hundred thousand */
		memmove(c->segments, c->segments + count, c->count * sizeof *c->segments);
	return 0;
}

uint64_t contents_bytes(const struct contents *c)
{
	uint64_t total = 0;
	for (size_t i = 0; i < c->count; i++)
		total += c->segments[i].size;
	return total;
}
