/* SPDX-License-Identifier: MIT */
/* Which connection a message came by. libzmq has no call that ends one connection of a socket, but tells of
 * each message the file descriptor that it came by; shutdown(2) on that ends it, upon which libzmq forgets
 * all that it held for it.
 *
 * libzmq may close a descriptor at any time, and another connection may get the same number while messages of
 * the first still wait to be read. Two things tell them apart. All messages of a connection share its
 * properties; whoever keeps one of them keeps those in their place in memory, where no others can be then.
 * And each socket has an inode number of its own: when that of the descriptor has changed, the connection has
 * gone. */
#ifndef NET_SOURCE_H
#define NET_SOURCE_H

#include <stdbool.h>
#include <sys/types.h>
#include <zmq.h>

struct source {
	zmq_msg_t kept;	  /* one of its messages */
	const char *mark; /* one of the properties of it; NULL: none was kept, all were too long for that */
	int fd;
	ino_t inode; /* 0: no connection */
};

/* The descriptor that a message came by, or -1: libzmq made it itself. */
int source_fd(zmq_msg_t *frame);
/* Keeps a copy of the message, if it is no longer than one keeps. False when its connection has gone. */
bool source_take(struct source *s, zmq_msg_t *frame);
void source_drop(struct source *s); /* takes one without a connection */

/* Whether this came by the same one; not known, and false, while no message is kept. */
bool source_sent(const struct source *s, zmq_msg_t *frame);
bool source_same(const struct source *a, const struct source *b);
bool source_lives(const struct source *s);
/* Where it comes from: address and port. */
void source_name(const struct source *s, char *text, size_t size);
/* Ends it, if it is one of the port's. What remains is that libzmq may close the descriptor, and give its
 * number to another connection, in the very moment between the look and the deed: that one is ended in its
 * place, and comes back. */
void source_end(const struct source *s, int port);

#endif
