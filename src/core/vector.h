/* SPDX-License-Identifier: MIT */
/* The vector V: origin → highest lsn up to which every record has been durably applied.
 * A sorted array: a cluster has few live origins. */
#ifndef CORE_VECTOR_H
#define CORE_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

struct vector {
	struct position *at; /* sorted by origin id, owned */
	size_t count;
	size_t capacity;
};

void vector_deinit(struct vector *v);
uint64_t vector_get(const struct vector *v, struct origin o); /* 0 when absent */
/* Raises or lowers o's entry to lsn. -ENOMEM. */
int vector_set(struct vector *v, struct origin o, uint64_t lsn);
void vector_remove(struct vector *v, struct origin o);
/* Replaces v's content by from's. -ENOMEM, v unchanged then. */
int vector_copy(struct vector *v, const struct vector *from);
/* Raises each entry to from's where that is higher. -ENOMEM. */
int vector_merge(struct vector *v, const struct vector *from);
/* Whether every entry of b is reached in a. */
bool vector_covers(const struct vector *a, const struct vector *b);

#endif
