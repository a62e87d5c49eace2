/* SPDX-License-Identifier: MIT */
/* What one address may do: requests a second (a bucket that fills at that rate and holds a second's worth)
 * and connections at once. IPv6 addresses are told apart by their first 64 bits, which is what one customer
 * has.
 *
 * The table has QUOTA_ADDRESSES places and never grows. An address whose bucket is full and which has no
 * connection is as good as one that was never seen, so its place is free; when there is none, that of the one
 * that is nearest to it is taken. */
#ifndef GATEWAY_QUOTA_H
#define GATEWAY_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

#define QUOTA_ADDRESSES 65536 /* a power of two */

struct quota_place;

struct quota {
	int rate, connections;	    /* 0: no limit */
	uint64_t seed;		    /* so that nobody can choose who shares a place */
	struct quota_place *places; /* owned; NULL: nothing is limited */
};

/* False: out of memory. */
bool quota_init(struct quota *q, int rate, int connections);
void quota_deinit(struct quota *q);
/* One request more. False: too many; within a second there is room for one. */
bool quota_request(struct quota *q, const struct address *a, int64_t now);
bool quota_has_connection(struct quota *q, const struct address *a, int64_t now);
void quota_connected(struct quota *q, const struct address *a, int64_t now);
void quota_disconnected(struct quota *q, const struct address *a);

#endif
