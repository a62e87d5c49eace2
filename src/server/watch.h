/* SPDX-License-Identifier: MIT */
/* Watched keys. A client says which (message `watch`), and is told of each that differs from what it was at
 * the last look. Looking costs the watched keys only, whatever the likes a second, and the likes nothing; a
 * look goes over so many of them, and tells so many clients, and no more, and the next one goes on there.
 *
 * What a client watches is said as a whole, again and again, and lasts for as long as it is heard: so there
 * is nothing to take back, and who has left watches nothing soon. */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/map.h"
#include "core/replica.h"
#include "net/port.h"

struct tie { /* one key of one client */
	struct watched *key;
	uint64_t client; /* the handle of its connection */
	struct tie *before, *after;
};

struct watched {
	char key[LIMIT_KEY + 1];
	size_t size, place; /* place: in the list of all */
	int64_t told;
	struct tie *first; /* who watches it, at least one */
};

struct watching {
	struct watched **keys; /* owned */
	size_t count, capacity;
	struct map by_key;  /* by two hashes of the key */
	struct map clients; /* struct watcher by the handle of the connection; owned */
	size_t ties;	    /* of all of them together */
	size_t next;	    /* where the next look goes on; 0: a round begins */
	struct tie *at; /* … and with whom, of those that watch the key before that; NULL: with that key */
	uint64_t began; /* events applied when this round began */
	uint64_t seen;	/* … and when the last whole one did */
	int64_t began_at, next_round;
};

void watch_init(struct watching *w, uint64_t seed);
void watch_deinit(struct watching *w);

/* From now on the client watches these keys, at most LIMIT_WATCHES, and no others. 0; -ENOMEM, or KUDOS_BUSY
 * (more than this server can watch for all together): then it watches what it did before. */
int watch_set(struct watching *w, const struct replica *r, uint64_t client, const struct text *keys,
	      size_t count);
void watch_end_all(struct watching *w);
/* Ends what those watch that have been silent for the port's rules.silent, or have gone. */
void watch_expire(struct watching *w, int64_t now, const struct port *port);

/* One look at what the replica counts: a round over all watched keys may take several. */
void watch_look(struct watching *w, int64_t now, const struct replica *r, struct port *port);
int64_t watch_deadline(const struct watching *w,
		       const struct replica *r); /* when the next is due, or NEVER */

#endif
