/* SPDX-License-Identifier: MIT */
/* A server without its sockets: the replica's rules over a store, and the conversations with clients, peers
 * and leaders. The daemon (server.c) feeds it from ZeroMQ, the simulator from its own network and disk: what
 * the simulator tests is this.
 *
 * host_receive_client(), peers.h and leaders.h take one message each; host_flush() then commits what has
 * gathered and carries out what is to be done. host.c opens, carries out the actions and keeps the time; what
 * it routes between has a header each: serve.h (the client port), peers.h, leaders.h, out.h (what is sent),
 * drains.h, reads.h (that wait), watch.h (watched keys), shared.h (a journal that several write to),
 * metrics.h. checkpoint.c (checkpoint, recovery) and snapshot.c (others' checkpoints) are of the host's own.
 *
 * Functions returning int: 0, or a negative errno after which the host must be closed (the server stops,
 * I12). */
#ifndef SERVER_HOST_H
#define SERVER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"
#include "core/replica.h"
#include "net/port.h"
#include "server/drains.h"
#include "server/leaders.h"
#include "server/metrics.h"
#include "server/out.h"
#include "server/reads.h"
#include "server/watch.h"
#include "store/store.h"

struct host_config {
	struct member self; /* node: for a new data folder; an old one keeps its own. origin: fresh, random */
	uint64_t seed;
	unsigned ack_peers;
	bool accept_stale;	     /* an operator's word: a copy of a data folder may serve as it is */
	size_t leaders;		     /* how many there are to register with */
	int64_t session_idle, grace; /* 0: the defaults */
	int64_t lazy;		     /* how long peers' records may wait for more; 0: not at all */
	size_t session_limit;	     /* likewise */
	uint64_t snapshot_bytes;     /* of missing records above which a snapshot is preferred; 0: as many as
					counts take, and 16 MiB */
	uint64_t checkpoint_bytes;   /* of journal between two checkpoints; 0: 64 MiB */
	int64_t checkpoint_interval; /* at most so long between two, while anything changes; 0: 60 s */
	size_t checkpoint_block;     /* bytes in a block of counts; 0: the default */
	unsigned checkpoint_slice;   /* blocks handed to the store between two commits; 0: 64 */
	size_t told, gaps, runs;     /* as in replica_config */
	int64_t (*clock)(void);	     /* in µs, for the time of commits; NULL: it is not measured */
};

/* A snapshot that this server gives: one reader's place in the newest checkpoint. */
struct snapshot_out {
	uint64_t client, id, index;
	struct store_cursor *cursor;
	struct bytes part; /* the last one sent, to be sent again when it was lost */
	int64_t until;
};

/* A snapshot that this server takes in. */
struct snapshot_in {
	struct node from; /* 0: none */
	uint64_t id, index;
	int64_t asked; /* when index was last asked for */
	unsigned tries;
	int64_t patience; /* until it is asked for again */
	unsigned waited;  /* times that the giver was making a checkpoint first */
	bool begun, committing;
	uint32_t blocks;      /* of counts that came so far */
	struct vector vector; /* its own */
};

#define CHECKPOINT_TABLES 5

enum checkpoint_phase { CHECKPOINT_NONE, CHECKPOINT_CUTTING, CHECKPOINT_WRITING };

struct checkpointing {
	enum checkpoint_phase phase;
	struct vector vector; /* of the newest durable one */
	struct vector next;   /* of the one being made */
	bool wanted;	      /* by someone who waits for a snapshot */
	bool exists;
	bool base_known;	/* vector's base is what stands in its table 'r' */
	bool failed;		/* the last one: it is to be tried again */
	uint64_t appended_then; /* bytes appended to the journal when the last one began */
	uint64_t records_then;	/* records applied by then */
	uint64_t records;	/* … when the newest durable one began */
	int64_t began;
	int64_t made;			       /* when the newest durable one began */
	size_t next_chunks[CHECKPOINT_TABLES]; /* of the one being made */
	size_t chunks[CHECKPOINT_TABLES];      /* of each table in the newest one */
};

struct host_shared { /* the journal, where several write to it */
	int64_t next_look;
	int64_t committing_since, commit_began; /* the second by config.clock */
	int64_t tell_trouble;
	bool troubled;		/* as last told */
	struct position absent; /* the last that was asked for there and is not there */
	/* Records there of nodes that are no members, in this look and the one before (0: none was), how many
	 * looks found more, and one of those nodes. */
	uint64_t strange, strange_before;
	int strange_looks;
	struct node stranger;
	int64_t tell_stranger;
};

struct host {
	struct host_config config;
	struct out out;
	struct store *store; /* owned */
	struct replica replica;
	struct port port; /* where clients come, and other servers to ask */
	struct leaders leaders;
	uint64_t sessions_given; /* to clients that were pointed straight here */

	struct reads reads;
	struct watching watching;
	int64_t next_expiry;

	struct metrics metrics;
	struct checkpointing checkpoint;
	struct host_shared shared;
	struct snapshot_out snapshots[LIMIT_SNAPSHOTS];
	struct snapshot_in snapshot;
	bool snapshot_preferred; /* to records that could be had: once a run */

	uint64_t appended; /* bytes of records, to the journal, and replayed from it above the checkpoint */
	struct drains drains;
	int forgotten; /* KUDOS_FORGOTTEN once another says that this node was */
	enum phase told_phase;
	uint64_t told_contradicted;
	int64_t contradicted_after;
	const char *told_waiting; /* what the log last said that it waits for */
	int64_t tell_waiting;
};

/* Takes over the store, recovers from it. On failure the store is closed, too; error (may be NULL) receives a
 * text. */
int host_open(struct host **host, const struct host_config *config, struct store *store,
	      const struct host_io *io, int64_t now, char *error, size_t error_size);
void host_close(struct host **host);

/* role: what the sender may do (net/role.h). */
int host_receive_client(struct host *h, int64_t now, enum role role, const uint8_t *id, size_t id_size,
			const void *data, size_t size);
/* Stops in order: no new clients or batches, those that are there are told to move, the leaders to send
 * nobody. */
void host_drain(struct host *h, int64_t now);
/* Whether nothing is left to do for anybody: all that was accepted is durable and acknowledged, and every
 * peer in reach has it, so that whoever moves there reads what it wrote. */
bool host_drained(const struct host *h, int64_t now);

/* Whether so much has gathered that host_flush() should come before more is received. */
bool host_full(const struct host *h);
/* Commits what has gathered, unless it is worth to wait for more (host_deadline() says until when). */
int host_flush(struct host *h, int64_t now);
int host_tick(struct host *h, int64_t now);
int64_t host_deadline(const struct host *h);

/* Within src/server only. */
int host_meta(const struct host *h, struct bytes *out);
int host_recover(struct host *h, int64_t now); /* counts, sessions, V from checkpoint and journal */
int host_checkpoint_step(struct host *h, int64_t now);
/* Whether recovery would take the entry; *blocks is how many blocks came before it. */
bool host_checkpoint_entry_ok(const struct blob *key, const struct blob *value, uint32_t *blocks);
bool host_checkpoint_fresh(const struct host *h, int64_t now);
int host_truncate(struct host *h);
/* Records came: whether a snapshot is less than those that are still missing. */
void host_snapshot_weigh(struct host *h, const struct message *records);
void host_snapshot_busy(struct host *h, struct node from, uint64_t id); /* the giver says so */
int host_snapshot_start(struct host *h, int64_t now, struct node from);
int host_snapshot_part(struct host *h, int64_t now, struct node from, const struct message *m);
int host_snapshot_step(struct host *h, int64_t now);
int host_snapshot_give(struct host *h, int64_t now, uint64_t client, const struct message *m);
void host_snapshot_drop(struct host *h, int64_t now); /* readers that fell silent */

#endif
