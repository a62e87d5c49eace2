/* SPDX-License-Identifier: MIT */
#include "core/record.h"

#include <stdlib.h>

struct batch_box *batch_box_ref(struct batch_box *box)
{
	box->refs++;
	return box;
}

void batch_box_unref(struct batch_box *box)
{
	if (box && --box->refs == 0)
		free(box);
}

struct record *record_ref(struct record *r)
{
	r->refs++;
	return r;
}

void record_unref(struct record *r)
{
	if (!r || --r->refs > 0)
		return;
	for (size_t i = 0; r->boxes && i < r->batch_count; i++)
		batch_box_unref(r->boxes[i]);
	free(r->boxes);
	free(r->events);
	free(r->batches);
	free(r->raw);
	free(r);
}

struct record *record_new(struct position at, struct batch_box *const *boxes, size_t count)
{
	struct record *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	*r = (struct record){.refs = 1, .at = at};
	r->batches = calloc(count ? count : 1, sizeof *r->batches);
	r->boxes = calloc(count ? count : 1, sizeof *r->boxes);
	if (!r->batches || !r->boxes) {
		record_unref(r);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		r->boxes[i] = batch_box_ref(boxes[i]);
		r->batches[i] = boxes[i]->batch;
	}
	r->batch_count = count;
	return r;
}
