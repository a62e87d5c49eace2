/* SPDX-License-Identifier: MIT */
/* A journal that several servers write to, each its own records, and all may read (store/stream.h). What is
 * published is in it already (I3), so nobody writes it a second time; what a server that died had written and
 * not published is read from it.
 *
 * A node's being forgotten must not take with it what the node had acknowledged: so a server that can read
 * the shared journal takes in that a node is forgotten only when it has applied all that the node left there,
 * and has a checkpoint that covers it. Meanwhile it announces the membership as it was, with
 * a mark for that node: nobody can agree without it (I14), and the node, should it come back, is not
 * confirmed and does not serve. From then on nothing that the node may still write is taken: others may have
 * agreed without it. Who has not served does not wait for what the journal has let go of: a snapshot has it.
 *
 * The shared journal may let go of what nobody reads in it again: what every member has in its checkpoint,
 * for that a record is applied is not enough here (I6): it is durable in the journal alone. */
#ifndef CORE_SHARED_H
#define CORE_SHARED_H

#include "core/replica.h"

/* The shared journal: node wrote its records there up to `at`. */
int replica_held(struct replica *r, int64_t now, struct node node, struct position at);
/* None of the records that node wrote there up to `at` is the run's last (ACTION_END). An earlier run of this
 * node may have more on its way: before this server goes by what is there, the run is ended. -ENOMEM. */
int replica_not_ended(struct replica *r, struct node node, struct position at);
/* It was looked through: all that it held a while ago, when the newest number that it had given a record was
 * this one, was told by replica_held(). */
int replica_looked(struct replica *r, int64_t now, uint64_t number);
/* The newest durable checkpoint began when so many records (stats.records) had been applied. */
void replica_checkpointed(struct replica *r, uint64_t records);
/* Up to which number every member has all records in its checkpoint, and says so under the membership that is
 * held here; 0: not known, or one wants them kept. */
uint64_t replica_purgeable(const struct replica *r);

/* Within the core only. */
void replica_follow_look(struct replica *r); /* whether all that was told is applied by now */
/* Whether the node's being forgotten must wait, which is kept in mind; the row is for it or none. -ENOMEM. */
int replica_leaves(struct replica *r, struct node node);
/* Whether the shared journal keeps the origin's records for this server. What a node leaves that is not read
 * there is kept by this server itself, for it will not be read there again. */
void replica_drop_shared(struct replica *r); /* what nodes that are forgotten have there is read no more */
bool replica_is_shared(const struct replica *r, struct origin origin);

#endif
