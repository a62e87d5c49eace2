/* SPDX-License-Identifier: MIT */
/* A server's rules. Everything that a server decides is decided here, from what it is told (batches, records,
 * vectors, membership, the end of a commit, the time) and handed back as actions; there is no socket, disk,
 * clock or thread. The server's driver (src/server/host.c) and the simulator (tests/sim) feed the same
 * functions.
 *
 * The life of a like:    replica_batch ── replica_flush ── APPEND, COMMIT ── replica_committed ── PUBLISH,
 * ACK and of a peer's:       replica_record ─ replica_flush ── APPEND, COMMIT ── replica_committed
 *
 * Each part of the state has its own header, with what follows from that part alone. The rules, which go
 * from one part to the other, each calling only those before it: this one (apply, recovery), reach.h
 * (vectors: what this server tells, what peers are known to hold), repair.h (peers' records, gaps), shared.h
 * (a journal that several servers write to), agree.h (membership, when to serve, what all members agree may
 * be dropped), commit.h (clients' batches, the group commit), heard.h (what peers tell of what they hold).
 *
 * Functions that return int: 0, or -ENOMEM, after which the replica must not be used further (the server
 * stops; all that was acknowledged is in the journal). Time is in microseconds of a clock that never goes
 * back. One thread. */
#ifndef CORE_REPLICA_H
#define CORE_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/actions.h"
#include "core/counts.h"
#include "core/group.h"
#include "core/logs.h"
#include "core/looks.h"
#include "core/membership.h"
#include "core/peers.h"
#include "core/readiness.h"
#include "core/recent.h"
#include "core/record.h"
#include "core/sessions.h"
#include "core/vector.h"
#include "core/waiters.h"

struct replica_stats { /* since the start; what is replayed from the journal counts, too */
	uint64_t events, batches, records; /* applied */
	uint64_t duplicates;		   /* batches of records that were applied before */
	uint64_t again;			   /* … from clients, applied or on their way to disk */
	uint64_t fetches, refused, gaps;
	uint64_t contradicted; /* batches applied before with other content (I5) */
};

struct contradiction {
	struct session session;
	uint64_t seq;
	struct position at; /* of the record that holds the content that was not counted here */
};

struct replica_config {
	struct member self;   /* node, origin, endpoints, name, since, ephemeral */
	uint64_t seed;	      /* for hash tables and the spreading of timers */
	unsigned ack_peers;   /* acknowledge when so many others have it on disk too */
	int64_t session_idle; /* close sessions after so long without a batch; 0: the default, 10 minutes */
	size_t session_limit; /* open ones, and intervals of forgotten ones; 0: the defaults */
	int64_t grace;	      /* how long to wait for members that do not show up; 0: the default, 2 s */
	size_t block;	      /* bytes in a block of the counts' arena; 0: the default */
	size_t told;	      /* positions in a vector message; 0: all that changed lately */
	size_t gaps;	      /* 0: LIMIT_GAPS */
	size_t runs;	      /* 0: LIMIT_RUNS */
	int64_t lazy;	      /* how long peers' records may wait for more while nobody asks for them */
	struct origin former; /* an earlier run of this node that has begun to write to the shared journal,
				 perhaps not all of it is there yet; 0: none */
	bool alone;	      /* there is no leader to wait for before a first start */
	bool doubtful;	      /* what it holds may be older than what it has acknowledged: a copy */
	bool shared; /* the journal is one that several servers write to, each its own records, … */
	bool purges; /* … and may let go of what every member has in a checkpoint */
};

/* Whether this server is to take a member's snapshot instead of records, and how far that is. */
struct snapshot_wish {
	bool wanted;	  /* others hold records of more origins than are fetched at a time, or so many that a
			     snapshot is preferred */
	struct node from; /* one is being fetched from there; 0: none */
	bool adopting;	  /* … and is becoming durable: the membership stays as it is. The driver sets it */
	int64_t after;	  /* none is asked for before then */
};

struct replica {
	struct replica_config config;
	int64_t started;
	struct readiness ready;

	/* What is applied, and durable (I2). */
	struct counts counts;
	struct sessions sessions;
	struct vector v;		    /* V */
	struct recent recent;		    /* what changed in it lately */
	struct contradiction contradiction; /* the last */

	/* What is on its way to that. */
	struct logs logs;
	struct group_commit group;
	struct waiters waiters;
	bool stalled; /* nothing gets durable for a while: new batches are refused; the driver sets it */
	struct snapshot_wish snapshot;
	struct looks looks; /* at the shared journal */

	struct membership membership;
	struct peers peers;
	uint64_t serial; /* of the next vector message */

	int64_t next_tick, next_vector, next_agree, next_idle;
	struct actions actions;
	struct replica_stats stats;
};

/* V is empty, membership is what meta said before (rows may be NULL, 0) plus self. Load what is on disk next,
 * in this order: replica_load_*, replica_replay, replica_loaded. */
int replica_init(struct replica *r, const struct replica_config *config, int64_t now, bool established,
		 const struct member *rows, size_t row_count);
void replica_deinit(struct replica *r);

/* Recovery, and the adoption of a snapshot (I7), which is a recovery from another's checkpoint: */
void replica_unload(struct replica *r); /* drops counts, sessions and V; nothing may be committing */
int replica_load_seen(struct replica *r, struct session session, const struct interval *applied, size_t count,
		      struct position closed, int64_t now);
int replica_load_forgotten(struct replica *r, uint64_t issuer, uint64_t lo, uint64_t hi);
int replica_load_vector(struct replica *r, const struct position *at, size_t count);
int replica_loaded(struct replica *r);
int replica_replay(struct replica *r, struct record *record, int64_t now);
/* The journal held this record once. What is not applied here, damage has taken. */
int replica_replay_gone(struct replica *r, struct position at);

/* The next thing to do; false when there is nothing more. Actions are to be carried out in order. */
bool replica_next(struct replica *r, struct action *action);

/* Whether everything up to the positions is applied here. */
bool replica_reached(const struct replica *r, const struct position *at, size_t count);

/* Records that somebody holds and this server has not applied. */
uint64_t replica_lag(const struct replica *r);

/* Within the core only. */
/* Finds or makes. NULL: no memory, or replica_logs_full(). */
struct log *replica_log(struct replica *r, struct origin origin);
bool replica_logs_full(const struct replica *r);
void replica_close_logs(struct replica *r);    /* those with which nothing is going on any more */
bool replica_crowded(const struct replica *r); /* this run may take no likes: there are too many */
int replica_apply(struct replica *r, const struct record *record, int64_t now);
bool replica_has(const struct replica *r, struct origin origin, uint64_t lsn);

#endif
