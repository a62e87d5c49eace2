/* SPDX-License-Identifier: MIT */
/* Watched keys: each is watched once at the cluster, however many readers want it, and told to each of them
 * at most so many times a second. What is told is the count at that time, so whoever cannot be told now
 * misses the counts in between, never the last.
 *
 * A key's readers stand in the order in which they were last told, so that the first knows the oldest
 * count: if that one is up to date, all are. */
#ifndef GATEWAY_HUB_H
#define GATEWAY_HUB_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "kudos.h"
#include "options.h"

#define HUB_HANDLES 16	     /* of libkudos, with a thousand keys each */
#define HUB_TURNS_A_PASS 256 /* readers told before others are looked at: a few milliseconds */

struct hub_key {
	char key[KUDOS_KEY_MAX + 1];
	char *text; /* what a reader is told: an event of the present count; owned */
	size_t text_size, number_at;
	unsigned handle;
	uint64_t version; /* of the count; 0: not known yet */
	bool busy;	  /* in the list of those that may have somebody to tell */
	struct hub_key *next;
	struct hub_reader *first, *last;
	size_t reader_count; /* resting ones, too */
};

/* One key of one stream; the stream owns it. */
struct hub_reader {
	struct hub_key *key;
	uint64_t version; /* that it has told */
	int64_t told;	  /* when */
	bool resting;	  /* cannot be told for now, and does not stand with the others */
	/* Its turn: hub_told() for it and whichever others; or false, and it rests until hub_again(). */
	bool (*tell)(struct hub_reader *r);
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
	struct hub_key *busy, *busy_last;
	size_t key_count, reader_count;
};

void hub_init(struct hub *hub, kudos *shared, const struct options *options);
void hub_deinit(struct hub *hub); /* all readers have left */
/* r rests until hub_again(). key is valid. KUDOS_LIMIT, KUDOS_NO_MEMORY and what kudos_open() says. */
int hub_join(struct hub *hub, struct hub_reader *r, const char *key);
void hub_leave(struct hub *hub, struct hub_reader *r);
/* Whether r has something to be told, and its time has come. */
bool hub_due(const struct hub *hub, const struct hub_reader *r, int64_t now);
void hub_told(struct hub_reader *r, int64_t now);
void hub_again(struct hub *hub, struct hub_reader *r);
/* Receives changes and tells of them, to so many readers that others get their turn, too. What
 * kudos_process() says. */
int hub_process(struct hub *hub, int64_t now);
int64_t hub_deadline(const struct hub *hub, int64_t now);
/* Fills in what is to be polled; returns how many. */
nfds_t hub_fds(const struct hub *hub, struct pollfd *fds);

#endif
