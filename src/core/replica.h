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
 * from one part to the other: replica.c (apply, recovery), commit.c (clients' batches, the group commit),
 * repair.c (peers' records, gaps), reach.c (vectors: what peers hold), agree.c (membership, when to serve,
 * what all members agree may be dropped), shared.c (a journal that several servers write to).
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

/* From clients. The box is borrowed. client names the connection; it comes back in the actions. */
int replica_batch(struct replica *r, int64_t now, uint64_t client, struct batch_box *box);
/* Whether a batch was counted, from who does not send it again: an acknowledgement, as it would get for that,
 * or a refusal (NOT_COUNTED: not here, or not yet). Changes nothing. */
int replica_seen(struct replica *r, uint64_t client, struct session session, uint64_t seq);
/* close: a box with seq 0 (message_make_batch). */
int replica_close(struct replica *r, int64_t now, uint64_t client, struct batch_box *box);
/* A box with SEQ_LAPSE. */
int replica_lapse(struct replica *r, struct batch_box *box);
/* Whether everything up to the positions is applied here. */
bool replica_reached(const struct replica *r, const struct position *at, size_t count);

/* Begins a group commit of what has gathered, unless one is on its way. */
int replica_flush(struct replica *r);
/* When that is worth it, for what has gathered so far; 0: at once; NEVER: there is nothing. looked_at:
 * somebody waits here to see what peers send. */
int64_t replica_flush_at(const struct replica *r, bool looked_at);
/* The group is durable: apply, publish, acknowledge. */
int replica_committed(struct replica *r, int64_t now);

/* From peers. The record is borrowed. published: it came on a notify port, not as an answer to a fetch. */
int replica_record(struct replica *r, int64_t now, struct record *record, bool published);
int replica_fetched(struct replica *r, int64_t now,
		    struct position from); /* the answer to a fetch from there on is complete */
int replica_gone(struct replica *r, int64_t now, struct node who, struct position from);
/* A peer has heard this server's hello: what it was asked before that is asked again. */
int replica_welcomed(struct replica *r, int64_t now, struct node by);
/* Adopted, or given up; after a while it is asked for again when it is still needed. */
int replica_snapshot_ended(struct replica *r, int64_t now);
/* Records can be had, and a snapshot is wanted all the same, of the first member that serves; when there is
 * none, records it is. Only for one that does not serve. */
void replica_prefer_snapshot(struct replica *r);

int replica_vector(struct replica *r, int64_t now, const struct vector_message *m);
/* This server's; at is valid until the next call. Counts the serial up. */
struct vector_message replica_vector_message(struct replica *r);
/* What changed lately in V, 64 positions and two for each peer at most. Valid until the next call. */
const struct position *replica_recent(struct replica *r, size_t *count);
/* The positions of V above an origin, as many as there is room for; returns how many. */
size_t replica_reach(const struct replica *r, struct origin after, struct position *at, size_t room,
		     bool *last);
/* A peer's answer to ACTION_REACH: origin is its run's. */
int replica_reached_by(struct replica *r, int64_t now, struct node from, struct origin origin,
		       struct origin after, const struct position *at, size_t count, bool last);

/* From a peer, or a leader (from is 0 then): membership, merged by union. */
int replica_members(struct replica *r, int64_t now, struct node from, const struct member *rows,
		    size_t count);
/* An operator's word, by node. 0, KUDOS_UNKNOWN_NODE, -ENOMEM. */
int replica_forget(struct replica *r, struct node node);
bool replica_is_forgotten(const struct replica *r); /* this server itself was */

int replica_tick(struct replica *r, int64_t now);
int64_t replica_deadline(const struct replica *r); /* when replica_tick() wants to be called next */

/* What every member has applied and the checkpoint with this vector covers (I6):
 * the journal may drop it. Empty while not every member has agreed. */
int replica_floor(struct replica *r, const struct vector *checkpoint, struct vector *floor);

/* What a server that does not serve yet waits for, as "waiting for …"; NULL: nothing. */
const char *replica_waits_for(const struct replica *r, int64_t now);

/* Records that somebody holds and this server has not applied. */
uint64_t replica_lag(const struct replica *r);

/* Within the core only. */
/* Finds or makes. NULL: no memory, or replica_logs_full(). */
struct log *replica_log(struct replica *r, struct origin origin);
bool replica_logs_full(const struct replica *r);
void replica_close_logs(struct replica *r); /* those with which nothing is going on any more */
int replica_learn(struct replica *r, int64_t now, const struct position *at, size_t count);
int replica_learn_all(struct replica *r, int64_t now); /* from the vectors of all peers in reach */
bool replica_crowded(const struct replica *r);	       /* this run may take no likes: there are too many */
int replica_ask_reach(struct replica *r, int64_t now);
int replica_apply(struct replica *r, const struct record *record, int64_t now);
int replica_applied(struct replica *r, struct position at); /* raises V, and remembers that it changed */
bool replica_has(const struct replica *r, struct origin origin, uint64_t lsn);
int replica_drop_all_waiting(struct replica *r, int64_t now);
/* What nobody can give any more is not waited for; where nobody gives a snapshot, records are fetched after
 * all, of some origins at a time. */
int replica_relearn(struct replica *r, int64_t now);
/* After a change of the membership, or of who leaves it. Whether it is another one now. */
bool replica_renew_view(struct replica *r);
int replica_acknowledge(struct replica *r);
int replica_agree(struct replica *r, int64_t now);
int replica_membership_committed(struct replica *r, int64_t now);
int replica_judge_phase(struct replica *r, int64_t now);
int replica_tell_vector(struct replica *r, int64_t now);		  /* when it is time */
int replica_tell_members(struct replica *r, struct peer *p, int64_t now); /* not too often */
int replica_repair(struct replica *r, int64_t now);

#endif
