/* SPDX-License-Identifier: MIT */
/* Which batches a file becomes. Batch number n is a function of the rows alone, in their order: who reads the
 * file again makes the same ones, however often he was interrupted. So these two limits must not change while
 * an import may be under way (IMPORT_FORMAT of state.h counts such changes). A row of 0 is nothing, one of
 * more than KUDOS_AMOUNT_MAX becomes several events. */
#ifndef IMPORT_BATCHES_H
#define IMPORT_BATCHES_H

#include <kudos.h>

#include "rows.h"

#define BATCH_EVENTS 1000
#define BATCH_BYTES 56000 /* of keys, and of BATCH_EVENT for each event; the library takes 60,000 */
#define BATCH_EVENT 8

struct batch {
	uint64_t number; /* 1, 2, 3, … */
	uint64_t first_line, last_line;
	uint64_t rows; /* up to its last event */
	size_t count, bytes;
	struct kudos_event events[BATCH_EVENTS]; /* keys are in `keys` */
	char keys[BATCH_BYTES];
};

/* Whoever wants to hear of bad rows. */
typedef void (*bad_row_fn)(void *arg, const struct row *row);

struct batches {
	struct rows *rows; /* the caller's */
	bad_row_fn bad;	   /* may be NULL */
	void *arg;
	struct row row; /* of which rest is still to be told */
	int64_t rest;
	uint64_t number; /* of the last batch */
	/* so far */
	uint64_t row_count, bad_count, events;
	int64_t likes; /* the sum of all counts; wrong once it is beyond 64 bits, which overflow says */
	bool overflow;
};

/* 1: the next batch; 0: there is none any more; or what rows_next() says. */
int batches_next(struct batches *b, struct batch *batch);

#endif
