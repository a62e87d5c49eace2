/* SPDX-License-Identifier: MIT */
#include "batches.h"

#include <string.h>

/* The next row that is any like at all. */
static int next_row(struct batches *b)
{
	int r;
	while ((r = rows_next(b->rows, &b->row)) == 1) {
		if (b->row.bad) {
			b->bad_count++;
			if (b->bad)
				b->bad(b->arg, &b->row);
			continue;
		}
		b->row_count++;
		if (__builtin_add_overflow(b->likes, b->row.count, &b->likes))
			b->overflow = true;
		b->rest = b->row.count;
		if (b->rest != 0)
			return 1;
	}
	return r;
}

static int64_t clamp(int64_t n)
{
	return n > KUDOS_AMOUNT_MAX ? KUDOS_AMOUNT_MAX : n < -KUDOS_AMOUNT_MAX ? -KUDOS_AMOUNT_MAX : n;
}

/* Of the row, as an event; false: the batch is full. */
static bool add(struct batches *b, struct batch *batch)
{
	const size_t bytes = b->row.key_size + BATCH_EVENT;
	if (batch->count == BATCH_EVENTS || batch->bytes + bytes > BATCH_BYTES)
		return false;
	char *key = batch->keys + batch->bytes;
	memcpy(key, b->row.key, b->row.key_size);
	key[b->row.key_size] = '\0';
	batch->bytes += bytes;
	batch->events[batch->count++] = (struct kudos_event){key, clamp(b->rest)};
	b->rest -= clamp(b->rest);
	b->events++;
	if (batch->first_line == 0)
		batch->first_line = b->row.line;
	batch->last_line = b->row.line;
	return true;
}

int batches_next(struct batches *b, struct batch *batch)
{
	batch->count = batch->bytes = 0;
	batch->first_line = batch->last_line = 0;
	for (;;) {
		const int r = b->rest != 0 ? 1 : next_row(b);
		if (r < 0)
			return r;
		if (r == 0 || !add(b, batch)) {
			b->number += batch->count > 0;
			batch->number = b->number;
			batch->rows = b->row_count - (b->rest != 0);
			return batch->count > 0;
		}
	}
}
