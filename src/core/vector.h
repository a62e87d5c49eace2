/* SPDX-License-Identifier: MIT */
/* The vector V: origin → highest lsn up to which every record has been durably applied. It names every run
 * that ever took a like, so it may be long; what changes is short. So it is in two layers, and copies share
 * the lower one:
 *
 *   base  sorted, never changed, counted by reference      77:5  78:3  79:9  …
 *   at    sorted, what differs from base or is beyond it         78:4        … 93:1
 *
 * A copy costs what is in `at`, as does a comparison of two vectors with the same base. The digest is the sum
 * of a hash of each entry: equal vectors have equal digests. */
#ifndef CORE_VECTOR_H
#define CORE_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

struct vector_base {
	unsigned refs;
	size_t count;
	struct position at[];
};

struct vector {
	struct vector_base *base; /* a reference, or NULL */
	struct position *at;	  /* sorted by origin id, owned */
	size_t count;
	size_t capacity;
	size_t beyond; /* of these, origins that are not in base */
	uint64_t digest;
};

void vector_deinit(struct vector *v);
void vector_clear(struct vector *v);
uint64_t vector_get(const struct vector *v, struct origin o); /* 0 when absent */
size_t vector_size(const struct vector *v);		      /* origins in it */
/* Raises or lowers o's entry to lsn, which is not 0. -ENOMEM. */
int vector_set(struct vector *v, struct origin o, uint64_t lsn);
/* Replaces v's content by from's. -ENOMEM, v unchanged then. */
int vector_copy(struct vector *v, const struct vector *from);
/* Lowers each entry to bound's; one that bound lacks goes. -ENOMEM, v unchanged then. */
int vector_lower(struct vector *v, const struct vector *bound);
/* Whether every entry of b is reached in a. */
bool vector_covers(const struct vector *a, const struct vector *b);
/* The digest that v would have with these entries (each origin once) set. */
uint64_t vector_digest_with(const struct vector *v, const struct position *at, size_t count);

/* What a server tells of its vector, V. */
struct vector_message {
	struct node node;
	struct origin origin;
	uint64_t serial;	   /* counts up within the origin */
	uint64_t digest;	   /* of the membership it holds */
	bool serving;		   /* holds every count there is */
	uint64_t all;		   /* digest of its whole V, … */
	uint64_t covered;	   /* of a shared journal, by its checkpoint; 0: it is to be kept whole */
	const struct position *at; /* … of which these changed lately, sorted by origin id */
	size_t count;
};

/* Walks in the order of origins: {0} at first, or from the first origin above one that is given. */
struct vector_walk {
	size_t base, at;
};
struct vector_walk vector_walk_after(const struct vector *v, struct origin o);
bool vector_next(const struct vector *v, struct vector_walk *walk, struct position *entry);

#endif
