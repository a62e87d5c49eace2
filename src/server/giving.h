/* SPDX-License-Identifier: MIT */
/* Snapshots that this server gives: its newest checkpoint, part by part. */
#ifndef SERVER_GIVING_H
#define SERVER_GIVING_H

#include "net/port.h"
#include "server/checkpointing.h"

struct snapshot_out { /* one reader's place */
	uint64_t client, id, index;
	struct store_cursor *cursor;
	struct bytes part; /* the last one sent, to be sent again when it was lost */
	int64_t until;
};

struct giving {
	struct snapshot_out list[LIMIT_SNAPSHOTS];
};

void giving_deinit(struct giving *g, struct store *store);
/* Answers a snapshot message. 0 or -ENOMEM. */
int giving_answer(struct giving *g, struct checkpointing *c, const struct request *rq);
void giving_expire(struct giving *g, struct store *store, int64_t now); /* readers that fell silent */

#endif
