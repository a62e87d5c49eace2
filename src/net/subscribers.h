/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a notify port. libzmq gives an XPUB neither identities nor limits: whatever a
 * connection subscribes to goes into its table. But it tells of each message the file descriptor that it came
 * by, and so one that goes too far can be ended by shutdown(2), upon which libzmq forgets all of it
 * (source.h). One of whom no message was read before another took its descriptor is taken for the other,
 * which at the worst is ended in its place: it comes back. */
#ifndef NET_SUBSCRIBERS_H
#define NET_SUBSCRIBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/source.h"

struct subscriber {
	uint64_t id; /* never used again; 0: nobody is at this descriptor */
	struct source source;
	int64_t since; /* when the second began in which messages are counted */
	unsigned messages;
	uint64_t taken; /* bytes, when it was last seen to lag */
	bool ended;
};

struct subscribers {
	struct subscriber *by_fd; /* owned */
	size_t count;
	uint64_t last_id;
	size_t next;	    /* to be looked at, whether it is still there */
	int64_t next_sweep; /* NEVER: nobody left since the last one */
	int64_t looked;	    /* when the slowest was last looked for */
};

void subscribers_init(struct subscribers *s);
void subscribers_deinit(struct subscribers *s);

/* Who sent this: 0, and NULL when it has gone or was ended already, or when the message is libzmq's own word
 * that a connection has gone. *gone becomes the id of who had the same descriptor before, 0 for none.
 * -ENOMEM. */
int subscribers_find(struct subscribers *s, int64_t now, zmq_msg_t *frame, struct subscriber **found,
		     uint64_t *gone);

/* Counts a message; whether it was one more than anybody may send in a second. */
bool subscriber_floods(struct subscriber *one, int64_t now);

/* Ends its connection. Messages of it that came before are not to be heard any more. */
void subscriber_end(struct subscriber *one, int port);

/* Ends the connections of those that do not read: of those that the kernel has something left to send to, all
 * that took nothing since the last look, and if there are none the one that took least. libzmq does not tell
 * how much it holds for which subscriber; but what the kernel holds for one that reads nothing does not get
 * less. Call it over and over once much waits: it looks ten times a second at most. end: or it only looks, so
 * as to have something to compare with. How many were ended. */
unsigned subscribers_end_slowest(struct subscribers *s, int64_t now, int port, bool end);

/* The id of one that has gone, each once; 0: none, or not all were looked at in this slice. After
 * subscribers_deadline(), NEVER while nobody has left. */
uint64_t subscribers_gone(struct subscribers *s, int64_t now);
int64_t subscribers_deadline(const struct subscribers *s);

#endif
