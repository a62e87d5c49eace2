/* SPDX-License-Identifier: MIT */
/* One client of the load: a libkudos handle of its own, or a session in one that carries several, and what is
 * remembered of its likes until each has a result.
 *
 * Likes are numbered as the handle does: ticket 1, 2, 3, … Two rings are indexed from them:
 *
 *	tickets   ... | 41 42 43 | 44 45 46 47 48 | 49 50 | next = 51
 *	chunks         ^ head    ^                 ^          runs sent at one moment, with their time
 *	key_of        one key index a ticket, at ticket modulo the ring's size
 *
 * A chunk stays until all its likes have a result; both rings grow when they must and hold no more than
 * the plan's window. */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <kudos.h>

#include "carrier.h"
#include "histogram.h"
#include "keys.h"

struct chunk {
	struct histogram *latency; /* of the phase in which it was sent */
	uint64_t first;		   /* ticket */
	uint32_t count;		   /* likes in it */
	uint32_t left;		   /* of them, still without a result */
	int64_t start;		   /* when the first was to be sent, nanoseconds */
	double spacing;		   /* from each intended time to the next, nanoseconds; 0: all at start */
};

/* What became of likes, by the phase that the answer came in; and the latencies in nanoseconds of the
 * acknowledged ones, by the phase that they were sent in: else the backlog of a burst would hide how soon the
 * phase after it was served well again. */
struct tally {
	uint64_t acknowledged, in_doubt, refused;
	struct histogram latency;
};

struct client {
	kudos *handle; /* owned; NULL: */
	struct carrier *carrier;
	char session[KUDOS_SESSION_SIZE]; /* there; "": not yet */
	uint64_t number;		  /* of its last batch */
	struct keys *keys;
	struct tally *tally;		       /* the phase's */
	struct chunk *chunks;		       /* owned ring */
	uint32_t *key_of;		       /* owned ring */
	uint64_t chunk_head, chunk_next;       /* counted up for ever; modulo chunk_capacity in the ring */
	uint64_t chunk_capacity, key_capacity; /* powers of two, or 0 */
	uint64_t next;			       /* the ticket that the next like gets */
	uint64_t unresolved;		       /* likes taken without a result */
	bool stirred; /* worked since kudos_wait_ms() was asked: `wake` is no longer true */
	bool ready;   /* something arrived, or `wake` has come */
	int64_t wake; /* when the handle wants to work, clock_ns() */
	int refusal;  /* the last error other than OK and IN_DOUBT, for the report */
};

/* options: all but on_result and arg. The client must not move in memory afterwards. What kudos_open() says;
 * *client is to be deinit-ed all the same. */
int client_init(struct client *client, const struct kudos_options *options, struct keys *keys);
void client_init_carried(struct client *client, struct carrier *carrier, struct keys *keys);
void client_deinit(struct client *client);
/* The carrier's word for these tickets. */
void client_resolved(struct client *client, uint64_t first, uint64_t last, int error);

/* Hands up to count likes of drawn keys to the library, as one chunk; *sent of them were taken: fewer when
 * the window or the library is full. KUDOS_OK, KUDOS_NO_MEMORY, or what else kudos_send() or kudos_ask_put()
 * says. */
int client_send(struct client *client, uint32_t count, uint32_t window, int64_t start, double spacing,
		uint32_t *sent);

#endif
