/* SPDX-License-Identifier: MIT */
/* Which positions a commit tells once more. The last record of an origin has no later one that would show its
 * absence; so every commit says of some origins how far the journal had come with them before it. Each newest
 * position is told 1, 2, 4, 8, … commits after its own: what goes bad over n commits is seen by one of the
 * next n, and what a record costs stays a few words. */
#ifndef STORE_ECHO_H
#define STORE_ECHO_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "core/vector.h"

#define ECHO_MOST ((size_t)1024) /* positions in one commit; what is over waits for the next */

struct told {
	struct position at;
	uint64_t since; /* the commit that wrote it */
	uint64_t due;	/* the commit that tells it next */
};

struct echo {
	struct told *heap; /* owned; the one that is due first is at the front */
	size_t count, capacity;
	uint64_t commit;
};

void echo_deinit(struct echo *e);
void echo_clear(struct echo *e); /* all that was noted is told elsewhere */
/* The record was written by the commit that was last told of. -ENOMEM. */
int echo_note(struct echo *e, struct position at);
/* Begins a commit. Appends what it is to tell to out, 16 bytes each (echo_put); newest: of all that was
 * noted, a position that is no origin's newest any more is not told. skip: nor are those of whose origin it
 * says true. -ENOMEM, out failed. */
int echo_tell(struct echo *e, const struct vector *newest,
	      bool (*skip)(const void *arg, struct origin origin), const void *arg, struct bytes *out);

/* A position as 16 bytes, [origin 8, lsn 8], little-endian, and back. */
void echo_put(struct bytes *out, struct position at);
struct position echo_get(const uint8_t bytes[16]);

#endif
