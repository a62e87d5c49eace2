/* SPDX-License-Identifier: MIT */
/* Watched keys: each is watched once at the cluster, however many streams want it, and told to them at most
 * so many times a second. A stream that reads slowly misses the counts in between, never the last. */
#ifndef GATEWAY_HUB_H
#define GATEWAY_HUB_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "kudos.h"
#include "options.h"

#define HUB_HANDLES 16 /* of libkudos, with a thousand keys each */

struct hub_key {
	char key[KUDOS_KEY_MAX + 1];
	char *json; /* the key as a JSON string; owned */
	unsigned handle;
	int64_t count;
	uint64_t version;      /* of what is to be told; 0: nothing yet */
	bool late;	       /* changed since the last version, which is too young */
	int64_t told;	       /* when the last version was made */
	struct hub_key *later; /* in the list of those that are late */
	struct hub_reader *readers;
};

/* One key of one stream; the stream owns it. */
struct hub_reader {
	struct hub_key *key;
	uint64_t version; /* that it has told */
	void (*changed)(struct hub_reader *r);
	void *arg;
	struct hub_reader *next, *previous; /* of the same key */
};

struct hub {
	kudos *shared; /* whose context the handles use */
	struct kudos_options how;
	int64_t interval;
	kudos *handles[HUB_HANDLES];
	unsigned watched[HUB_HANDLES]; /* keys at each */
	void *keys;		       /* tsearch(3)'s tree of struct hub_key */
	struct hub_key *late;
	size_t key_count, reader_count;
};

void hub_init(struct hub *hub, kudos *shared, const struct options *options);
void hub_deinit(struct hub *hub); /* all readers have left */
/* From now on r->changed() says when key's version is not r->version. key is valid. KUDOS_LIMIT,
 * KUDOS_NO_MEMORY and what kudos_open() says. */
int hub_join(struct hub *hub, struct hub_reader *r, const char *key);
void hub_leave(struct hub *hub, struct hub_reader *r);
/* Receives changes and tells of them. What kudos_process() says. */
int hub_process(struct hub *hub, int64_t now);
int64_t hub_deadline(const struct hub *hub);
/* Fills in what is to be polled; returns how many. */
nfds_t hub_fds(const struct hub *hub, struct pollfd *fds);

#endif
