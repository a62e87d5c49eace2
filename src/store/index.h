/* SPDX-License-Identifier: MIT */
/* Where each record of a journal lies: (origin, lsn) -> place, about 8 bytes a record.
 *
 *   origin ──> run {first 1, places[…]}  run {first 65537, places[…]}  run {first 90000, …}   sorted by lsn
 *
 * A run has no gaps and at most 65,536 records, so that growing one or dropping its front never moves much.
 * What a place means is the journal's own affair. */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/map.h"
#include "core/vector.h"

struct index {
	struct map logs; /* origin -> struct held, owned */
};

void index_init(struct index *x, uint64_t seed);
void index_deinit(struct index *x);

/* 1: held already, the old place stays. -ENOMEM. */
int index_add(struct index *x, struct position at, uint64_t place);
bool index_get(const struct index *x, struct position at, uint64_t *place);
/* The first lsn after o's last gap; 0 when none of its records are held. */
uint64_t index_lowest(const struct index *x, struct origin o);
/* Forgets the records of upto's origins, up to the lsn given there, whose place is in from..to-1. -ENOMEM:
 * some of them are still there. */
int index_drop(struct index *x, const struct vector *upto, uint64_t from, uint64_t to);

#endif
