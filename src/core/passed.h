/* SPDX-License-Identifier: MIT */
/* Requests that were passed on to a member: who asked is answered when that member has confirmed, not before.
 * Each gets an id of its own, which the member repeats; it is sent again until it is confirmed or too late.
 */
#ifndef CORE_PASSED_H
#define CORE_PASSED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"

struct passed_one {
	struct node to;
	struct origin run;	    /* of it: what is meant for one is not for the next */
	uint64_t id;		    /* 0: nothing is in this place */
	uint64_t client, client_id; /* who asked, and under which id */
	int64_t again, until;
};

struct passed {
	struct passed_one list[LIMIT_PASSED];
	uint64_t last_id;
};

/* seed: random, so that no confirmation that is meant for a former run fits. */
void passed_init(struct passed *p, uint64_t seed);

/* Remembers one for a member's present run; the same again from the same client changes nothing. 0, or
 * KUDOS_BUSY: there is no room. */
int passed_add(struct passed *p, int64_t now, struct node to, struct origin run, uint64_t client,
	       uint64_t client_id);

/* The member has answered: *one is what it answered, and is forgotten. False: nothing that waits. */
bool passed_take(struct passed *p, struct node from, uint64_t id, struct passed_one *one);

enum passed_due { PASSED_NONE, PASSED_SEND, PASSED_OVER };
/* What is to be done now, *one at a time: send it (again), if that run still goes on (else take it), or tell
 * who asked that it came to nothing, upon which it is forgotten. */
enum passed_due passed_next(struct passed *p, int64_t now, struct passed_one *one);
int64_t passed_deadline(const struct passed *p);

#endif
