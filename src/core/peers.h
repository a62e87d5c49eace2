/* SPDX-License-Identifier: MIT */
/* The other members, as their vector messages show them, and what follows from that alone: who is in reach,
 * who holds what, what all of them have reached (I14). */
#ifndef CORE_PEERS_H
#define CORE_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/members.h"
#include "core/vector.h"

struct peer {
	struct node node;
	struct origin origin;
	uint64_t serial;
	int64_t heard;	 /* 0: never */
	uint64_t digest; /* of the membership it holds */
	uint64_t all;	 /* digest of its whole V */
	bool exact;	 /* vector is that V; else it is what is known of it, and never more than it has */
	struct origin after; /* inexact: it is asked for its positions above this … */
	int64_t ask_at;	     /* … not before then */
	bool serving;
	uint64_t checkpointed; /* up to here it has all of the shared journal in a checkpoint */
	bool confirmed;	       /* it has sent a vector under our membership: target */
	bool vouched;	       /* … and served when it sent that */
	struct vector target;  /* to be reached here before this server serves, while the peer is in reach */
	struct vector vector;
	struct vector sample;  /* one of its exact vectors under our membership, to be reached here … */
	struct vector covered; /* … and the newest of those that were reached here */
	bool has_sample, has_covered;
	int64_t told; /* when it was last sent the membership */
};

struct peers {		   /* zeroed: none */
	struct peer *list; /* owned; one for each other member that is not forgotten */
	size_t count;
};

void peers_deinit(struct peers *p);
/* Makes them the living members but self, keeping what is known of those that stay. 0 or -ENOMEM. */
int peers_match(struct peers *p, const struct members *members, struct node self);
struct peer *peers_find(const struct peers *p, struct node node); /* NULL when not a living other member */

bool peer_reachable(const struct peer *p, int64_t now); /* heard lately */
/* Whether it serves, and went by the membership with this digest when it said so. */
bool peer_shares_view(const struct peer *p, uint64_t digest);
/* Whether a member says that it has that. */
bool peers_have(const struct peers *p, struct position at);

/* Before this server serves, each member in reach is to say anew what it holds. */
void peers_expect_confirmations(struct peers *p);
struct survey {		  /* of the members in reach, but … */
	size_t missing;	  /* … these */
	size_t served;	  /* have served, as far as can be told */
	bool unconfirmed; /* one has not said anew what it holds */
	bool vouched;	  /* one served when it did */
	bool serving;	  /* one serves */
	bool ahead;	  /* one has what is not here */
};
/* v is what is here. */
struct survey peers_survey(const struct peers *p, const struct vector *v, int64_t now);

/* Agreement. The view has changed: what was sampled under the last one is nothing. */
void peers_drop_samples(struct peers *p);
/* v is what is reached here; takes the next samples of those who share the view. 0 or -ENOMEM. */
int peers_advance_samples(struct peers *p, const struct vector *v, uint64_t digest);
/* Whether of each a sample was reached here; … and that position in it. */
bool peers_covered(const struct peers *p);
bool peers_agree_on(const struct peers *p, struct position at);

#endif
