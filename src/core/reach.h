/* SPDX-License-Identifier: MIT */
/* What each peer holds: its V, as its vector messages tell it. V names every run that ever took a like, so it
 * is long where servers restarted often, and a message says only what changed lately, with the digest of the
 * whole. Whoever knew the vector before, or has the same (nearly always: its own), knows the whole by that.
 * Who does not asks for its positions in pages. Until they have come, what is known of a peer is less than it
 * has: safe for whatever needs that a peer *has* something. What needs that a peer has *no more* waits for
 * `exact`. */
#ifndef CORE_REACH_H
#define CORE_REACH_H

#include "core/replica.h"

/* This server's; at is valid until the next call. Counts the serial up. */
struct vector_message replica_vector_message(struct replica *r);
/* What changed lately in V, 64 positions and two for each peer at most. Valid until the next call. */
const struct position *replica_recent(struct replica *r, size_t *count);
/* The positions of V above an origin, as many as there is room for; returns how many. */
size_t replica_reach(const struct replica *r, struct origin after, struct position *at, size_t room,
		     bool *last);

/* Within the core only. */
/* After a change of the membership, or of who leaves it: whether another one is announced from now on. */
bool replica_renew_view(struct replica *r);
int replica_learn(struct replica *r, int64_t now, const struct position *at, size_t count);
int replica_learn_all(struct replica *r, int64_t now); /* from the vectors of all peers in reach */
int replica_ask_reach(struct replica *r, int64_t now);
int replica_tell_members(struct replica *r, struct peer *p, int64_t now); /* not too often */

#endif
