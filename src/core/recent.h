/* SPDX-License-Identifier: MIT */
/* Which origins' entries of V changed last, the newest first: what a vector message says of a V that may be
 * long. Who has heard the messages before needs no more. */
#ifndef CORE_RECENT_H
#define CORE_RECENT_H

#include <stddef.h>

#include "base/ids.h"
#include "core/vector.h"

struct recent {
	struct origin *origins;	    /* the newest first, each once, owned */
	struct position *positions; /* room for as many, owned */
	size_t count;
	size_t capacity;
};

void recent_deinit(struct recent *r);
/* The origin's entry has changed. Of those beyond limit (at least 1) the oldest are let go. 0 or -ENOMEM. */
int recent_touch(struct recent *r, struct origin o, size_t limit);
/* What v holds of the newest of them, at most limit, sorted by origin. Valid until the next call. */
const struct position *recent_positions(struct recent *r, const struct vector *v, size_t limit,
					size_t *count);

#endif
