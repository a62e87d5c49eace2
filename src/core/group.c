/* SPDX-License-Identifier: MIT */
#include "core/group.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/limits.h"

void group_init(struct group_commit *g)
{
	*g = (struct group_commit){0};
	gather_init(&g->gather);
}

void group_deinit(struct group_commit *g)
{
	group_drop_pending(g);
	group_drop_incoming(g);
	for (size_t i = 0; i < g->count; i++)
		record_unref(g->records[i]);
	free(g->pending);
	free(g->incoming);
	free(g->records);
	*g = (struct group_commit){0};
}

int group_add_batch(struct group_commit *g, struct batch_box *box)
{
	if (array_reserve(&g->pending, g->pending_count + 1, &g->pending_capacity, sizeof box) < 0)
		return -ENOMEM;
	g->pending[g->pending_count++] = batch_box_ref(box);
	g->pending_bytes += box->batch.raw_size;
	return 0;
}

int group_add_record(struct group_commit *g, struct record *record)
{
	if (array_reserve(&g->incoming, g->incoming_count + 1, &g->incoming_capacity, sizeof record) < 0)
		return -ENOMEM;
	g->incoming[g->incoming_count++] = record_ref(record);
	g->incoming_bytes += record->raw_size;
	return 0;
}

bool group_waits(const struct group_commit *g)
{
	return g->pending_count > 0 || g->incoming_count > 0;
}

void group_drop_incoming(struct group_commit *g)
{
	for (size_t i = 0; i < g->incoming_count; i++)
		record_unref(g->incoming[i]);
	g->incoming_count = 0;
	g->incoming_bytes = 0;
}

const struct batch *group_find(const struct group_commit *g, struct session session, uint64_t seq)
{
	for (size_t i = 0; i < g->pending_count; i++) {
		const struct batch *b = &g->pending[i]->batch;
		if (b->seq == seq && session_equal(b->session, session))
			return b;
	}
	return NULL;
}

struct record *group_make_record(const struct group_commit *g, struct position at, size_t first,
				 size_t *taken)
{
	size_t n = 0, bytes = 0;
	while (first + n < g->pending_count && n < LIMIT_RECORD_BATCHES) {
		bytes += g->pending[first + n]->batch.raw_size;
		if (bytes > LIMIT_RECORD_BYTES)
			break;
		n++;
	}
	*taken = n;
	return record_new(at, &g->pending[first], n);
}

void group_drop_pending(struct group_commit *g)
{
	for (size_t i = 0; i < g->pending_count; i++)
		batch_box_unref(g->pending[i]);
	g->pending_count = 0;
	g->pending_bytes = 0;
}

int group_append(struct group_commit *g, struct record *record)
{
	if (array_reserve(&g->records, g->count + 1, &g->capacity, sizeof record) < 0) {
		record_unref(record);
		return -ENOMEM;
	}
	g->records[g->count++] = record;
	return 0;
}
