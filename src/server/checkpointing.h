/* SPDX-License-Identifier: MIT */
/* When a checkpoint is made, its cut and its writing, what may leave the journal by it; and recovery from it.
 * Returns as in host.h. */
#ifndef SERVER_CHECKPOINTING_H
#define SERVER_CHECKPOINTING_H

#include "server/metrics.h"
#include "server/tables.h"

enum checkpoint_phase { CHECKPOINT_NONE, CHECKPOINT_CUTTING, CHECKPOINT_WRITING };

struct checkpointing {
	struct store *store; /* by reference, as are the next two */
	struct replica *replica;
	struct metrics *metrics;
	uint64_t bytes; /* as in host_config, as are the next two */
	int64_t interval;
	unsigned slice;

	enum checkpoint_phase phase;
	struct vector vector; /* of the newest durable one */
	struct vector next;   /* of the one being made */
	bool wanted;	      /* by someone who waits for a snapshot */
	bool exists;
	bool base_known;   /* vector's base is what stands in its table 'r' */
	bool failed;	   /* the last one: it is to be tried again */
	uint64_t appended; /* bytes of records, to the journal, and replayed from it above the checkpoint */
	uint64_t appended_then; /* … when the last one began */
	uint64_t records_then;	/* records applied by then */
	uint64_t records;	/* … when the newest durable one began */
	int64_t began;
	int64_t made; /* when the newest durable one began */
	struct tables tables;
};

void checkpointing_deinit(struct checkpointing *c);
/* Counts, sessions, V from checkpoint and journal. */
int checkpointing_recover(struct checkpointing *c, int64_t now);
/* What is to be done at this time. held: the store takes in another's checkpoint, which may rest on what the
 * journal still has. */
int checkpointing_step(struct checkpointing *c, int64_t now, bool held);
/* What every member has and the durable one covers may leave the journal. */
int checkpointing_truncate(struct checkpointing *c, bool held);
/* Gives up one that is half made. False: it is being written, and ends by itself. */
bool checkpointing_give_way(struct checkpointing *c);
/* Whether the durable one is one to give away: it has everything, or nearly. An old one may lack what the
 * asker has already and no longer keeps in its journal. */
bool checkpointing_fresh(const struct checkpointing *c, int64_t now);

#endif
