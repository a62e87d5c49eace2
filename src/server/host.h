/* SPDX-License-Identifier: MIT */
/* A server without its sockets: the replica's rules over a store, and the conversations with clients, peers
 * and leaders. The daemon (server.c) feeds it from ZeroMQ, the simulator from its own network and disk: what
 * the simulator tests is this.
 *
 * host_receive_client(), peers.h and leaders.h take one message each; host_flush() then commits what has
 * gathered and carries out what is to be done. host.c opens, carries out the actions and keeps the time; what
 * it routes between has a header each: serve.h (the client port), peers.h, leaders.h, out.h (what is sent),
 * drains.h, reads.h (that wait), watch.h (watched keys), shared.h (a journal that several write to),
 * checkpointing.h (and recovery), giving.h and taking.h (snapshots), metrics.h.
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
#include "server/checkpointing.h"
#include "server/drains.h"
#include "server/giving.h"
#include "server/leaders.h"
#include "server/metrics.h"
#include "server/out.h"
#include "server/reads.h"
#include "server/taking.h"
#include "server/watch.h"
#include "store/hand.h"
#include "store/store.h"

struct host_config {
	/* self's node and secret: for a new data folder; an old one keeps its own. Its origin: fresh, random.
	 * alone, former, doubtful and shared: as host_open() finds it. */
	struct replica_config replica;
	size_t leaders;		     /* how many there are to register with */
	bool accept_stale;	     /* an operator's word: a copy of a data folder may serve as it is */
	uint64_t snapshot_bytes;     /* of missing records above which a snapshot is preferred; 0: as many as
					counts take, and 16 MiB */
	uint64_t checkpoint_bytes;   /* of journal between two checkpoints; 0: 64 MiB */
	int64_t checkpoint_interval; /* at most so long between two, while anything changes; 0: 60 s */
	unsigned checkpoint_slice;   /* blocks handed to the store between two commits; 0: 64 */
	int64_t (*clock)(void);	     /* in µs, for the time of commits; NULL: it is not measured */
};

struct host_shared { /* the journal, where several write to it */
	int64_t next_look;
	int64_t committing_since, commit_began; /* the second by clock */
	int64_t tell_trouble;
	bool troubled;		/* as last told */
	bool wrote;		/* this run has begun to write there */
	struct hand lent;	/* read again for peers that asked */
	struct position absent; /* the last that was asked for there and is not there */
	/* Records there of nodes that are no members, in this look and the one before (0: none was), how many
	 * looks found more, and one of those nodes. */
	uint64_t strange, strange_before;
	int strange_looks;
	struct node stranger;
	int64_t tell_stranger;
};

struct host {
	int64_t (*clock)(void); /* as configured */
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
	struct giving giving;
	struct taking snapshot;

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
/* … and that has to wait, for a stream to write the group before. */
bool host_blocked(const struct host *h);
/* Commits what has gathered, unless it is worth to wait for more (host_deadline() says until when). */
int host_flush(struct host *h, int64_t now);
/* Whether nobody waits here for what peers publish. */
bool host_is_patient(const struct host *h);
int host_tick(struct host *h, int64_t now);
int64_t host_deadline(const struct host *h);

/* What the folder keeps of a server besides (an entry META), members and all: written with each change of it.
 * Tests put it into folders of their own, and read it. */
int host_meta(const struct host *h, struct bytes *out);
#define META_UNENDED 8 /* in its first byte: an origin stands behind that */
#define META_HEAD 9
static inline size_t host_meta_head(uint8_t flags) /* bytes before its message */
{
	return flags & META_UNENDED ? META_HEAD : 1;
}

#endif
