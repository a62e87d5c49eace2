/* SPDX-License-Identifier: MIT */
/* Watched keys. A subscription at the notify port names one; what changed since the last look is published
 * under the key's topic. Looking costs the watched keys only, whatever the likes a second, and the likes
 * nothing; a look goes over so many of them and no more, and the next one goes on there.
 *
 * Each subscriber has a list of its keys, and a key the number of lists that it is in: so that who subscribes
 * twice, or ends what it never began, changes nothing for others, and what it leaves behind is none. */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/map.h"
#include "core/replica.h"
#include "net/role.h"
#include "server/out.h"

struct watched {
	char key[LIMIT_KEY + 1];
	size_t size, place; /* place: in the list of all */
	int64_t told;
	unsigned subscribers;
};

struct watching {
	struct watched **keys; /* owned */
	size_t count, capacity;
	struct map by_key;	/* by two hashes of the key */
	struct map subscribers; /* by the driver's number of the connection; owned */
	size_t subscriptions;	/* keys of all of them together */
	size_t next;		/* where the next look goes on; 0: a round begins */
	uint64_t began;		/* events applied when this round began */
	uint64_t seen;		/* … and when the last whole one did */
	int64_t next_round;
};

void watch_init(struct watching *w, uint64_t seed);
void watch_deinit(struct watching *w);

/* A subscription message of the notify port: 1 or 0, then the topic. subscriber: a number of its connection,
 * never used again. 0, -ENOMEM; or what is wrong with it, after which its connection should be ended:
 * KUDOS_PROTOCOL (no topic of the protocol), KUDOS_LIMIT (over LIMIT_WATCHES), KUDOS_BUSY (over what this
 * server can watch for all together). */
int watch_receive(struct watching *w, const struct replica *r, uint64_t subscriber, const uint8_t *data,
		  size_t size);
void watch_end(struct watching *w, uint64_t subscriber); /* its connection has ended */
void watch_end_all(struct watching *w); /* the notify port starts afresh: nobody is subscribed */
/* Whether one of that role may have the topic of such a message: records and vectors are for servers, a
 * watched key for everybody, and nothing for one without a role. To end a subscription is always allowed.
 * What is not a subscription is a server's alone to send. */
bool watch_allowed(enum role role, const uint8_t *data, size_t size);

/* One look at what the replica counts: a round over all watched keys may take several. */
void watch_look(struct watching *w, int64_t now, const struct replica *r, struct out *out);
int64_t watch_deadline(const struct watching *w,
		       const struct replica *r); /* when the next is due, or NEVER */

#endif
