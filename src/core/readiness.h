/* SPDX-License-Identifier: MIT */
/* When a server serves:
 *
 *   catching up ──nothing is in its way──> established, by a commit ──> serving ──told to stop──> draining
 *       ^ └──────────was established before this run──────────────────> │ ^
 *       └──────────────────needs a snapshot─────────────────────────────┘ */
#ifndef CORE_READINESS_H
#define CORE_READINESS_H

#include <stdbool.h>

#include "core/peers.h"

enum phase {
	PHASE_CATCHING_UP, /* new or restarted: takes no clients yet */
	PHASE_SERVING,
	PHASE_DRAINING, /* stopping: takes no new batches */
};

struct readiness {
	enum phase phase;
	bool established;  /* was serving once, durably: what it holds counts as a member's state */
	bool establishing; /* … will have been, with the next commit */
	bool anew; /* not established, and a member was forgotten, or the shared journal does not begin at the
		      beginning perhaps: it takes a snapshot of one that serves */
	bool doubtful;	   /* what it holds may be older than what it has acknowledged, until it serves; as
			      durable as established */
	bool met_leader;   /* a majority of the leaders, which others had time to register with, knows of
			      nobody else */
	bool heard_leader; /* one has told it the membership since the start, or knows it */
};

/* What the other parts tell. */
struct obstacles {
	struct survey peers;
	bool alone;	 /* there are no leaders */
	bool early;	 /* members and leaders may need a while yet to show up */
	bool committing; /* something, or this run's start is not durable yet */
	bool snapshot;	 /* one is to be taken */
	bool shared;	 /* the journal is, … */
	bool unread;	 /* … and was not looked through yet */
	bool crowded;	 /* no run may begin to take likes */
	bool damaged;	 /* what its journal held once is not here */
};

/* What it waits for, as "waiting for …"; NULL: nothing. */
const char *readiness_waits_for(const struct readiness *r, const struct obstacles *o);

/* It waits for nothing: it serves or, to be established, is to after a commit. Whether one is needed. */
bool readiness_serve(struct readiness *r);
/* A commit begins, that has it established unless somebody new is to be looked at first; … and is durable. */
void readiness_commit(struct readiness *r, bool settled);
void readiness_committed(struct readiness *r);
bool readiness_endures(const struct readiness *r); /* established, once what is being committed is durable */
/* A member was forgotten; holds: what is here may be of that one alone. */
void readiness_member_forgotten(struct readiness *r, bool holds);
bool readiness_fall_behind(struct readiness *r); /* it lacks counts; whether it served */
void readiness_drain(struct readiness *r);

void readiness_hear_leader(struct readiness *r);
void readiness_meet_leaders(struct readiness *r, bool majority);

#endif
