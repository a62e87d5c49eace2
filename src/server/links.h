/* SPDX-License-Identifier: MIT */
/* A server's connections to the other members: a DEALER to each one's client port, and the one SUB connected
 * to the notify ports of these and of no others. */
#ifndef SERVER_LINKS_H
#define SERVER_LINKS_H

#include <czmq.h>

#include "core/members.h"
#include "net/reactor.h"
#include "net/security.h"

struct member_link {
	void *owner; /* as in links */
	struct node node;
	zsock_t *dealer;
	char client_endpoint[LIMIT_ENDPOINT + 1];
	char notify_endpoint[LIMIT_ENDPOINT + 1];
};

struct links {
	struct reactor *reactor;   /* by reference, as are the next two */
	struct security *security; /* NULL: without CURVE */
	zsock_t *sub;
	reactor_fn on_readable; /* gets the link */
	void *owner;
	struct member_link **list; /* owned */
	size_t count;
};

/* NULL: there is none. */
struct member_link *links_to(const struct links *l, struct node node);
/* Makes those that are missing and ends those that are not wanted any more. Out of memory: the next change of
 * the membership tries again. */
void links_match(struct links *l, const struct members *members, struct node self);
void links_close(struct links *l);

#endif
