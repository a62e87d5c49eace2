/* SPDX-License-Identifier: MIT */
/* Identities, wrapped in structs so that the compiler tells them apart (doc/architecture.md, "Words").
 * An lsn is a plain uint64_t: it is counted with everywhere, and always stands beside its origin. */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stdbool.h>
#include <stdint.h>

/* One run of one server: random, fresh at every start. 0 is none. */
struct origin {
	uint64_t id;
};

/* A server's lasting identity: random, kept in its data folder. 0 is none. */
struct node {
	uint64_t id;
};

/* One client's identity. issuer: a leader's incarnation or a server's origin; numbers count from 1. */
struct session {
	uint64_t issuer;
	uint64_t number;
};

/* What shows that a session was issued, and not made up (core/proof.h): whose secret signed it, and the code.
 */
struct proof {
	struct node signer; /* 0: none */
	uint64_t code;
};

/* A place in an origin's log. */
struct position {
	struct origin origin;
	uint64_t lsn;
};

static inline bool origin_equal(struct origin a, struct origin b)
{
	return a.id == b.id;
}

static inline bool node_equal(struct node a, struct node b)
{
	return a.id == b.id;
}

static inline bool session_equal(struct session a, struct session b)
{
	return a.issuer == b.issuer && a.number == b.number;
}

#endif
