/* SPDX-License-Identifier: MIT */
/* The keys that a client watches, and what was last told of each. Sorted by key. */
#ifndef CLIENT_WATCHES_H
#define CLIENT_WATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct watch {
	char key[LIMIT_KEY + 1];
	bool told; /* count was told to the user */
	int64_t count;
	int64_t
	    heard_at; /* when the last change was published to us; an answer to an older question is older */
};

struct watches {
	struct watch *list; /* owned */
	size_t count, capacity;
};

void watches_deinit(struct watches *w);
/* KUDOS_OK (also when it is there already), KUDOS_LIMIT, -ENOMEM. key is valid; size is its bytes. */
int watches_add(struct watches *w, const char *key, size_t size);
/* Whether it was there. */
bool watches_remove(struct watches *w, const char *key, size_t size);
struct watch *watches_find(const struct watches *w, const char *key, size_t size); /* NULL: not watched */

#endif
