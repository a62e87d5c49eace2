/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a notify port. libzmq gives an XPUB neither identities nor limits: whatever a
 * connection subscribes to goes into its table. But it tells of each message the file descriptor that it came
 * by, and so one that goes too far can be ended by shutdown(2), upon which libzmq forgets all of it.
 *
 * libzmq may close a descriptor at any time, and another connection may get the same number while messages of
 * the first still wait to be read. Two things tell them apart. All messages of a connection share its
 * properties; whoever keeps one of them keeps those in their place in memory, where no others can be then.
 * And each socket has an inode number of its own: when that of the descriptor has changed, the connection has
 * gone. What remains is that one of whom no message was read before another took its descriptor is taken for
 * the other, which at the worst is ended in its place: it comes back. */
#ifndef NET_SUBSCRIBERS_H
#define NET_SUBSCRIBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zmq.h>

struct subscriber {
	uint64_t id;	  /* never used again; 0: nobody is at this descriptor */
	zmq_msg_t first;  /* one of its messages */
	const char *mark; /* one of the properties of it */
	ino_t inode;
	int64_t since; /* when the second began in which messages are counted */
	unsigned messages;
	bool ended;
};

struct subscribers {
	struct subscriber *by_fd; /* owned */
	size_t count;
	uint64_t last_id;
	size_t next;	    /* to be looked at, whether it is still there */
	int64_t next_sweep; /* NEVER: nobody left since the last one */
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
void subscribers_end(struct subscribers *s, struct subscriber *one, int port);

/* The id of one that has gone, each once; 0: none, or not all were looked at in this slice. After
 * subscribers_deadline(), NEVER while nobody has left. */
uint64_t subscribers_gone(struct subscribers *s, int64_t now);
int64_t subscribers_deadline(const struct subscribers *s);

#endif
