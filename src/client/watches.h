/* SPDX-License-Identifier: MIT */
/* The keys that a client watches, and what was last told of each. Sorted by key. What is published at the
 * notify endpoint of the server in use is told at once; it can be lost, so the counts are also read, soon
 * after a move and then now and then. */
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
	int64_t
	    heard_at; /* when the last change was published to us; an answer to an older question is older */
};

struct watches {
	struct watch *list; /* owned */
	size_t count, capacity;
	uint64_t read;	     /* id of the last reading */
	uint64_t ask;	     /* id of the status asked for the notify endpoint; 0: none */
	bool endpoint_known; /* io.use_notify was told that of the server in use */
	unsigned round;	     /* readings since the server in use was taken */
	int64_t at;	     /* the next one */
};

void watches_deinit(struct watches *w);
/* io.changed is told the key's count from now on. Watching a key twice is once. KUDOS_BAD_KEY, KUDOS_LIMIT,
 * -ENOMEM. */
int watches_add(struct agent *a, int64_t now, const char *key);
/* From now on it is not told any more. Keys that are not watched are ignored. */
void watches_remove(struct agent *a, const char *key);

/* For the agent: another server is in use, or the same anew; "": its notify endpoint is not known. */
void watches_use_server(struct agent *a, const char *endpoint);
void watches_tick(struct agent *a, int64_t now);
int64_t watches_deadline(const struct agent *a);
/* What came: a change that was published; the answers to its own questions, or that there is none. */
void watches_changed(struct agent *a, int64_t now, const struct message *m);
void watches_counted(struct agent *a, const struct question *r, const int64_t *counts);
void watches_state(struct agent *a, const struct message *m);
void watches_refused(struct agent *a, uint64_t id);

#endif
