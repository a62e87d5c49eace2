/* SPDX-License-Identifier: MIT */
/* Batches under identities that the caller keeps: each is sent until a server has answered for it, as the
 * window's are, but each in a session of its own.
 *
 *   ready  to be sent at the next chance
 *   sent   in the order in which they were sent, so that only the first can be due again
 *
 *   held   behind another of the same name, until that one is answered
 *
 * An answer carries a name and not what was asked, so of one name only one is on its way at a time: two may
 * have other contents, or other proofs, and must not hear each other's answers. */
#ifndef CORE_RELAY_H
#define CORE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/map.h"

/* Embedded by the driver, who owns it and fills in the first four. */
struct relayed {
	struct session session;
	uint64_t seq; /* 0: the session's close */
	uint64_t id;
	bool asks; /* whether it was counted; the content is not sent */
	/* relay.c's own */
	int64_t sent_at;
	unsigned strange; /* answers that nobody knows who issued the session */
	bool sent, held;
	struct relayed *next, *previous; /* in its list */
	struct relayed *same; /* the next of those with the same hash, in the order in which they go */
};

struct relayed_list {
	struct relayed *first, *last;
};

struct relay {
	struct relayed_list ready, sent;
	struct map by_name; /* (session, seq) → the first of those with that hash */
	size_t count;
};

void relay_init(struct relay *r, uint64_t seed);
void relay_deinit(struct relay *r); /* the relayed stay the driver's */
/* KUDOS_OK, KUDOS_BUSY (LIMIT_RELAYED are there), -ENOMEM. */
int relay_add(struct relay *r, struct relayed *item);
/* The next to be sent now; counts as sent. NULL: none. */
struct relayed *relay_next(struct relay *r, int64_t now);
/* When relay_next() will have something; 0: at once; NEVER. */
int64_t relay_deadline(const struct relay *r);
/* All are to be sent again: there is another server, or another connection. */
void relay_all_due(struct relay *r);
/* Whom an answer concerns: who sends and who asks may be told different things of one name. */
enum relay_part { RELAY_ALL, RELAY_SENDS, RELAY_ASKS };
/* Unlinks the one with that name that is not held, or the one with that id. NULL: there is none (any more).
 */
struct relayed *relay_take(struct relay *r, struct session session, uint64_t seq, enum relay_part part);
struct relayed *relay_take_id(struct relay *r, uint64_t id);
/* The lowest number within lo..hi of that session; 0: none. Goes through all. */
uint64_t relay_lowest(const struct relay *r, struct session session, uint64_t lo, uint64_t hi);
/* The server does not know who issued that session. Whether that was said so often that it is taken for an
 * answer: made-up names must not keep a client busy for ever. Those held behind it go first now. */
bool relay_is_strange(struct relay *r, struct session session, uint64_t seq);

#endif
