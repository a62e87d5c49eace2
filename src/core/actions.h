/* SPDX-License-Identifier: MIT */
/* What a replica hands back to its driver, in the order in which it is to be carried out. */
#ifndef CORE_ACTIONS_H
#define CORE_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/record.h"

enum action_type {
	ACTION_APPEND,	       /* record: journal it; encode it first when its raw is NULL */
	ACTION_APPEND_SHARED,  /* record: the shared journal has it already */
	ACTION_APPEND_META,    /* journal what replica_meta() tells: identity and membership */
	ACTION_COMMIT,	       /* make durable what was appended, then call replica_committed() */
	ACTION_PUBLISH,	       /* record, to every peer */
	ACTION_PUBLISH_VECTOR, /* replica_vector_message(), to every peer */
	ACTION_ACK,	   /* client: session, seq is durable; lsn: in this server's record, or 0: within V */
	ACTION_REFUSE,	   /* client: session, seq is not accepted, because of error */
	ACTION_CLOSED,	   /* client: session's close is durable */
	ACTION_CLOSE_IDLE, /* session was idle for too long: replica_close() it, with client 0 */
	ACTION_LAPSE,	 /* of its issuer's sessions up to this one those that are unused: replica_lapse() */
	ACTION_FETCH,	 /* ask node for origin's records from..to */
	ACTION_SNAPSHOT, /* ask node for a snapshot, then call replica_snapshot_ended() */
	ACTION_END,	 /* end this node's earlier run, origin, in the shared journal with record `from` */
	ACTION_REACH,	 /* ask node for the positions of its V above origin */
	ACTION_TELL_MEMBERS, /* send node the membership */
	ACTION_MEMBERS,	     /* the membership or a member's endpoints changed: look at members */
};

struct action {
	enum action_type type;
	struct record *record; /* a reference that the receiver of the action drops */
	uint64_t client;
	struct session session;
	uint64_t seq;
	uint64_t lsn;
	int error;
	struct node node;
	struct origin origin;
	uint64_t from, to;
};

struct actions { /* a queue: head..count; zeroed: empty */
	struct action *list;
	size_t head, count, capacity;
};

/* Frees what is left, with its records. */
void actions_deinit(struct actions *a);
/* Takes over the reference to action.record, also when it fails. 0 or -ENOMEM. */
int actions_push(struct actions *a, struct action action);
bool actions_next(struct actions *a, struct action *action); /* false: none */

#endif
