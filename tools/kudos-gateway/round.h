/* SPDX-License-Identifier: MIT */
/* A round through the cluster: its status, then what every leader and server tells of itself, for /metrics.
 * One at a time: whoever wants another meanwhile gets the outcome of the one under way. Who does not answer
 * in time is told of as not reached. */
#ifndef GATEWAY_ROUND_H
#define GATEWAY_ROUND_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "exposition.h"
#include "kudos.h"
#include "options.h"
#include "questions.h"

#define ROUND_HANDLES 16 /* asked at once */

struct target { /* a leader or server to ask */
	bool is_leader, is_down, answered;
	const char *endpoint, *name, *node;
};

struct asked { /* one that is being asked */
	struct round *round;
	struct target *target; /* NULL: nobody */
	kudos *handle;
	bool over;
};

/* Owned by who waits for the outcome. */
struct round_guest {
	void (*told)(struct round_guest *g, struct exposition *cluster);
	bool waits;
	struct round_guest *next;
};

struct round {
	kudos *shared; /* whose context and keys the handles use */
	struct questions *questions;
	char *leaders; /* endpoints, each with a NUL; owned */
	size_t leader_count;
	struct question question;   /* for the status */
	struct kudos_status *known; /* the last that was told; owned */
	bool fresh;		    /* … in this round */
	struct target *targets;	    /* owned; [0..next) were asked */
	size_t count, next;
	struct asked asked[ROUND_HANDLES];
	struct exposition told;
	int64_t patience; /* ms, for each part */
	int64_t until;	  /* of its part that is under way; 0: there is no round */
	bool asking;	  /* it has got beyond the status */
	struct round_guest *guests;
};

/* False: out of memory. */
bool round_init(struct round *r, kudos *shared, struct questions *questions, const struct options *options);
void round_deinit(struct round *r); /* tells nobody */
/* g->told() gets the outcome, from within round_process(). KUDOS_OK or KUDOS_NO_MEMORY. */
int round_join(struct round *r, struct round_guest *g);
void round_leave(struct round *r, struct round_guest *g); /* takes one that was told, too */
void round_process(struct round *r, int64_t now);
int64_t round_deadline(struct round *r, int64_t now);
/* Fills in what is to be polled; returns how many. */
nfds_t round_fds(const struct round *r, struct pollfd *fds);

#endif
