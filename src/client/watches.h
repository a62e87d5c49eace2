/* SPDX-License-Identifier: MIT */
/* The keys that a client watches, and what was last told of each. Sorted by key. The server in use is told
 * all of them whenever there is another one of either, and every two seconds, for as long as it is to tell of
 * changes. Each time it answers with the counts, since a change that it told can be lost. */
#ifndef CLIENT_WATCHES_H
#define CLIENT_WATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "client/question.h"

struct watch {
	char key[LIMIT_KEY + 1];
	bool told; /* count was told to the user */
	int64_t count;
};

struct watches {
	struct watch *list; /* owned */
	size_t count, capacity;
	uint64_t asked; /* id of the last question */
	bool only_read; /* the server watches for too many: the next question is a count */
	bool ended;	/* the last key was taken back, and the server is not told yet */
	int64_t at;	/* the next question */
};

void watches_deinit(struct watches *w);
/* io.changed is told the key's count from now on. Watching a key twice is once. KUDOS_BAD_KEY, KUDOS_LIMIT,
 * -ENOMEM. */
int watches_add(struct agent *a, int64_t now, const char *key);
/* From now on it is not told any more. Keys that are not watched are ignored. */
void watches_remove(struct agent *a, const char *key);

/* For the agent: another server is in use, or the same anew. */
void watches_use_server(struct agent *a);
void watches_tick(struct agent *a, int64_t now);
int64_t watches_deadline(const struct agent *a);
/* What came: a change, or the answer to its own question. */
void watches_changed(struct agent *a, const struct message *m);
void watches_counted(struct agent *a, const struct question *r, const int64_t *counts);
/* The question with that id was answered `busy`. Whether it was a `watch`: then the counts are read instead.
 */
bool watches_busy(struct agent *a, int64_t now, uint64_t id);

#endif
