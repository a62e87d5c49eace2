/* SPDX-License-Identifier: MIT */
/* Who is at the other end of an XPUB that is for servers: they subscribe to records ("r") and vectors ("v"),
 * and say nothing else. libzmq gives an XPUB neither identities nor limits: whatever a connection subscribes
 * to goes into its table. But it tells of each message the file descriptor that it came by, and so one that
 * says anything else can be ended by shutdown(2), upon which libzmq forgets all of it (source.h). One of whom
 * no message was read before another took its descriptor is taken for the other, which at the worst is ended
 * in its place: it comes back. */
#ifndef NET_SUBSCRIBERS_H
#define NET_SUBSCRIBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/role.h"
#include "net/source.h"

struct subscriber {
	struct source source; /* of no connection: nobody is at this descriptor */
	unsigned messages;
	uint64_t taken; /* bytes, when it was last seen to lag */
	bool ended;
};

struct subscribers {
	struct subscriber *by_fd; /* owned */
	size_t count;
	int64_t looked; /* when the slowest was last looked for */
};

void subscribers_init(struct subscribers *s);
void subscribers_deinit(struct subscribers *s);

/* One message, of one whose key has this role. 0; or why its connection was ended: KUDOS_FORBIDDEN (it is no
 * server), KUDOS_PROTOCOL (no subscription to r or v), KUDOS_LIMIT (over LIMIT_SUBSCRIPTIONS). -ENOMEM. */
int subscribers_heard(struct subscribers *s, zmq_msg_t *frame, const uint8_t *body, size_t size,
		      enum role role, int port);

void subscribers_end_all(struct subscribers *s, int port);

/* Ends the connections of those that do not read: of those that the kernel has something left to send to, all
 * that took nothing since the last look, and if there are none the one that took least. libzmq does not tell
 * how much it holds for which subscriber; but what the kernel holds for one that reads nothing does not get
 * less. Call it over and over once much waits: it looks ten times a second at most. end: or it only looks, so
 * as to have something to compare with. How many were ended. */
unsigned subscribers_end_slowest(struct subscribers *s, int64_t now, int port, bool end);

#endif
