/* SPDX-License-Identifier: MIT */
/* Clients' reads of counts. One that names positions waits until this server has reached them, or for two
 * seconds. */
#ifndef SERVER_READS_H
#define SERVER_READS_H

#include "core/replica.h"
#include "net/port.h"

struct reads {
	struct read_waiting *list; /* owned */
	size_t count, capacity;
	size_t bytes;  /* of the encoded questions */
	uint64_t seen; /* records applied when they were last looked at */
	int64_t next;
};

void reads_deinit(struct reads *r);
/* Answers a count message, now or by reads_look(). 0 or -ENOMEM. */
int reads_take(struct reads *r, const struct replica *replica, const struct request *rq);
/* Answers those whose positions were reached, and tells those that waited long enough. 0 or -ENOMEM. */
int reads_look(struct reads *r, int64_t now, const struct replica *replica, struct port *port);

#endif
