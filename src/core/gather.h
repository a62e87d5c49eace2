/* SPDX-License-Identifier: MIT */
/* How long what has come waits for more, so that one sync serves it all. Two kinds wait:
 *
 * - clients' batches, for half as long as a sync takes, while so many come that some more will by then: the
 *   sync after this one would else have to wait for them;
 * - peers' records, for `lazy`, while nobody asks for them here: they are durable already where they come
 *   from, and where several servers share a disk, or a processor, each sync is in the others' way.
 *
 * Pure: times are given, in microseconds. */
#ifndef CORE_GATHER_H
#define CORE_GATHER_H

#include <stddef.h>
#include <stdint.h>

struct gather {
	int64_t own, others; /* since when a client's batch waits, and a peer's record; NEVER: none */
	int64_t sync;	     /* how long the last one took; 0: not known */
	int64_t counted_at;  /* batches are counted since then … */
	uint64_t counted;    /* … so many */
	uint64_t rate;	     /* a second, of late */
};

void gather_init(struct gather *g);
void gather_own(struct gather *g, int64_t now);
void gather_others(struct gather *g, int64_t now);
/* A group begins to be committed: nothing waits any more. */
void gather_taken(struct gather *g);
/* It is durable: how long that took. A driver that does not tell has clients' batches never wait. */
void gather_synced(struct gather *g, int64_t now, int64_t took);
/* When what waits is to be committed: NEVER when nothing does. */
int64_t gather_until(const struct gather *g, int64_t lazy);

#endif
