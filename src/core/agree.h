/* SPDX-License-Identifier: MIT */
/* Membership, and what rests on it: when this server may take clients, and what all members have agreed may
 * be dropped.
 *
 * Agreement (I14) is judged only on vectors that every member sent while serving and while it held the very
 * membership that this server holds. A membership counts once it is durable here: it is announced (by its
 * digest) only then. */
#ifndef CORE_AGREE_H
#define CORE_AGREE_H

#include "core/replica.h"

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

/* Within the core only. */
int replica_agree(struct replica *r, int64_t now);
int replica_membership_committed(struct replica *r, int64_t now);
int replica_judge_phase(struct replica *r, int64_t now);
int replica_tell_vector(struct replica *r, int64_t now); /* when it is time */

#endif
