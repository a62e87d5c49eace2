/* SPDX-License-Identifier: MIT */
/* Peers' records: in order they join the next group, beyond a gap they wait (within a limit) while the gap is
 * fetched from anyone who holds it. Vectors (core/heard.h) tell what is missing, a lost tail too. */
#ifndef CORE_REPAIR_H
#define CORE_REPAIR_H

#include "core/replica.h"

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

/* Within the core only. */
int replica_drop_all_waiting(struct replica *r, int64_t now);
/* What nobody can give any more is not waited for; where nobody gives a snapshot, records are fetched after
 * all, of some origins at a time. */
int replica_relearn(struct replica *r, int64_t now);
int replica_repair(struct replica *r, int64_t now);

#endif
