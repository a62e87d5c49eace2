/* SPDX-License-Identifier: MIT */
/* What decides whether a batch counts: for each session the numbers of its applied batches (`seen`), and the
 * compact set of sessions that are closed and forgotten (I8).
 *
 *   open ──close applied──> closing (seen is kept) ──every member agrees──> forgotten (one number in
 * `forgotten`) */
#ifndef CORE_SESSIONS_H
#define CORE_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/map.h"
#include "core/intervals.h"
#include "core/lapse.h"
#include "core/peers.h"

#define SEEN_CONTENTS 4

struct seen {
	struct session session;
	struct intervals applied; /* batch numbers that are in the counts */
	struct intervals pending; /* accepted here, on their way to disk */
	struct position closed;	  /* the record that closed it; lsn 0: open */
	int64_t active;		  /* when something of it was last accepted or applied here, µs */
	bool accepted_here;	  /* the last batch came from a client of this server */
	/* What the latest batches held, at [seq % SEEN_CONTENTS]; seq 0: not known. Only in memory: to refuse
	 * other content under a number (I5) is a service to who makes mistakes. */
	struct content {
		uint64_t seq, hash;
	} contents[SEEN_CONTENTS];
};

struct issuer {
	uint64_t id;
	struct intervals forgotten; /* session numbers, but those that have a seen entry */
	struct lapse lapse;
};

struct sessions {
	struct map seen;	 /* (issuer, number) → struct seen, owned */
	struct map issuers;	 /* (issuer, 0) → struct issuer, owned */
	size_t lasting;		 /* of seen, with a lifetime of their own */
	size_t forgotten;	 /* intervals of all issuers */
	size_t lapsing;		 /* issuers of which a lapse is not agreed on yet */
	struct session *closing; /* those closed and not forgotten yet, owned */
	size_t closing_count, closing_capacity;
};

void sessions_init(struct sessions *s, uint64_t seed);
void sessions_deinit(struct sessions *s);

struct seen *sessions_find(const struct sessions *s, struct session session); /* NULL when absent */
/* Finds or makes. NULL: out of memory. */
struct seen *sessions_get(struct sessions *s, struct session session, int64_t now);
/* A close is applied, of the record at that position. 0 or -ENOMEM. */
int sessions_close(struct sessions *s, struct seen *seen, struct position at);
/* Lets go of an entry that nothing is in. */
void sessions_drop(struct sessions *s, struct seen *seen);
/* Whether it is closed and agreed to be: there is no seen entry, and there will be none. */
bool sessions_forgotten(const struct sessions *s, struct session session);
/* Whether it was given and not used in time: nothing of it is applied, and nothing will be taken here. */
bool sessions_lapsed(const struct sessions *s, struct session session, const struct seen *seen);
/* A lapse of its issuer's numbers up to the session's is applied. 0 or -ENOMEM. */
int sessions_lapse(struct sessions *s, struct session to, struct position at);
/* What all members have agreed to forget (I8) is forgotten: closed sessions of which nothing is on its way,
 * and numbers that lapsed. 0 or -ENOMEM. */
int sessions_settle(struct sessions *s, const struct peers *peers);
/* Walks, from *at = 0 on, those that are to be closed after so long without a batch: sessions, … */
bool sessions_next_idle(const struct sessions *s, size_t *at, int64_t now, int64_t idle,
			struct session *session);
/* … and issuers' numbers up to one's that were given and never used; it is asked for regularly. */
bool sessions_next_unused(struct sessions *s, size_t *at, int64_t now, int64_t idle, struct session *to);
/* Moves a session into the compact set; a seen entry it has is freed. 0 or -ENOMEM. Only sessions_settle()
 * does it; tests do without the agreement before it. */
int sessions_forget(struct sessions *s, struct session session);
/* Adds numbers lo..hi of an issuer to the compact set (from a checkpoint). 0 or -ENOMEM. */
int sessions_forget_range(struct sessions *s, uint64_t issuer, uint64_t lo, uint64_t hi);

void seen_note_content(struct seen *seen, uint64_t seq, const void *raw, size_t size);
/* Whether the batch with that number is known to have held something else. */
bool seen_contradicts(const struct seen *seen, uint64_t seq, const void *raw, size_t size);

static inline bool seen_closed(const struct seen *seen)
{
	return seen->closed.lsn != 0;
}

#endif
