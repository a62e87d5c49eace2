/* SPDX-License-Identifier: MIT */
/* Connections, and who does not get on: within the time allowed a whole request has come, however it
 * trickles, or a whole answer was taken, or a stream's reader took something; else the connection is ended.
 * While the cluster is waited for it does not count. */
#ifndef GATEWAY_VISITS_H
#define GATEWAY_VISITS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

struct visit {
	int fd;
	struct address address;
	bool counted;  /* against its address's connections */
	bool due;      /* in the list */
	int64_t since; /* when it had to begin to do what it is to do */
	struct visit *next, *previous;
};

struct visits {
	int64_t patience;
	struct visit *first, *last; /* those that are due, the longest first */
	size_t count;		    /* all */
	uint64_t ended;		    /* for having taken too long, since the start */
};

/* NULL: out of memory. */
struct visit *visits_add(struct visits *v, struct MHD_Connection *connection, int64_t now);
void visits_remove(struct visits *v, struct visit *visit);
struct visit *visits_of(struct MHD_Connection *connection);
/* It is its turn, from now on. visit may be NULL, here and below. */
void visits_due(struct visits *v, struct visit *visit, int64_t now);
/* It is ours. */
void visits_rest(struct visits *v, struct visit *visit);
/* Ends the connections whose time is over: libmicrohttpd sees it at its next run. */
void visits_expire(struct visits *v, int64_t now);
int64_t visits_deadline(const struct visits *v);

#endif
