/* SPDX-License-Identifier: MIT */
/* A snapshot that this server takes: a peer's newest checkpoint, part by part. Adopting it is a recovery from
 * another's checkpoint (I7): it replaces this server's own atomically, then everything is loaded anew from it
 * and from this server's journal above it. Returns as in host.h. */
#ifndef SERVER_TAKING_H
#define SERVER_TAKING_H

#include "server/checkpointing.h"
#include "server/out.h"

struct taking {
	struct store *store; /* by reference, as are the next three */
	struct replica *replica;
	struct checkpointing *checkpoint;
	struct out *out;
	uint64_t bytes;	  /* as snapshot_bytes in host_config */
	struct node from; /* 0: none */
	uint64_t id, index;
	int64_t asked; /* when index was last asked for */
	unsigned tries;
	int64_t patience; /* until it is asked for again */
	unsigned waited;  /* times that the giver was making a checkpoint first */
	bool begun, committing;
	bool preferred;	      /* to records that could be had: once a run */
	uint32_t blocks;      /* of counts that came so far */
	struct vector vector; /* its own */
};

void taking_deinit(struct taking *t);
bool taking_now(const struct taking *t);
int taking_start(struct taking *t, int64_t now, struct node from);
int taking_part(struct taking *t, int64_t now, struct node from, const struct message *m);
/* Asks again for what did not come, and adopts what is durable. Nothing may be gathered for a commit. */
int taking_step(struct taking *t, int64_t now);
int64_t taking_deadline(const struct taking *t);
/* Records came: whether a snapshot is less than those that are still missing. */
void taking_weigh(struct taking *t, const struct message *records);
void taking_busy(struct taking *t, struct node from, uint64_t id); /* the giver says so */

#endif
