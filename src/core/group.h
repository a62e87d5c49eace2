/* SPDX-License-Identifier: MIT */
/* The group commit's two sides: what has gathered for the next group, and the group that is on its way to
 * disk. Who may join it, and what follows when it is durable, are rules (commit.c, repair.c). */
#ifndef CORE_GROUP_H
#define CORE_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ids.h"
#include "core/gather.h"
#include "core/record.h"

struct group_commit {
	struct batch_box **pending; /* clients' batches, for the next own records; owned references */
	size_t pending_count, pending_capacity;
	size_t pending_bytes;
	struct record **incoming; /* peers' records; owned references */
	size_t incoming_count, incoming_capacity;
	size_t incoming_bytes;
	struct gather gather; /* since when pending and incoming wait */

	struct record **records; /* being committed, in journal order; owned references */
	size_t count, capacity;
	bool committing; /* … or the membership is, alone */
};

void group_init(struct group_commit *g);
void group_deinit(struct group_commit *g);

/* For the next group: a reference to each. 0 or -ENOMEM. */
int group_add_batch(struct group_commit *g, struct batch_box *box);
int group_add_record(struct group_commit *g, struct record *record);
bool group_waits(const struct group_commit *g); /* something has gathered */
void group_drop_incoming(struct group_commit *g);
/* The batch or close with that number that has gathered; NULL: none. */
const struct batch *group_find(const struct group_commit *g, struct session session, uint64_t seq);
/* A record of the pending batches from `first` on, as many as fit; tells how many. NULL: out of memory. */
struct record *group_make_record(const struct group_commit *g, struct position at, size_t first,
				 size_t *taken);
void group_drop_pending(struct group_commit *g);

/* Takes the reference over, also when it fails. 0 or -ENOMEM. */
int group_append(struct group_commit *g, struct record *record);

#endif
