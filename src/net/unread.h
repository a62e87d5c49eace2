/* SPDX-License-Identifier: MIT */
/* What was sent and is not read yet: how many bytes libzmq holds for those that do not read, with one limit
 * for all connections of a socket together.
 *
 * libzmq has no call that tells what it has queued, and its own marks count messages, for each connection.
 * But it gives back the memory of a message by a function of ours (zmq_msg_init_data) when the last byte has
 * gone to the kernel or the connection has ended. So each message owes its bytes from the sending to that
 * call, which comes from libzmq's own thread.
 *
 * When the limit is reached, the connections that have not read for a second are ended (source.h), the
 * slowest first, until there is room. How long a message has waited is not kept for each: of each connection
 * one is remembered, and while it is unread, so long has the oldest waited at least. While nobody is known to
 * be stuck, who has its share of the limit (of all that have something unread) gets no more, and the others
 * do: so one that asks for a gibibyte at once is in nobody's way. */
#ifndef NET_UNREAD_H
#define NET_UNREAD_H

#include <stddef.h>
#include <stdint.h>

#include "net/socket.h"

#define UNREAD_MESSAGE 256 /* bytes that a message costs besides its own: libzmq's share, and ours */

struct unread;

/* NULL: out of memory. port: of the socket, as far as it is a ROUTER. */
struct unread *unread_new(size_t limit);
void unread_free(struct unread *u);	       /* after the context has ended; takes NULL */
void unread_bound(struct unread *u, int port); /* the ROUTER's port: connections of no other are ended */

/* Before what a ROUTER received is answered: whose connection it is. 0; KUDOS_NO_SERVER: that is being ended,
 * and nobody should look at the message; -ENOMEM. */
int unread_heard(struct unread *u, int64_t now, struct packet *packet);

/* As socket_send() to a ROUTER's peer. KUDOS_BUSY also when there is no room for it, KUDOS_NO_SERVER also
 * when its connection is being ended. */
int unread_send(struct unread *u, void *socket, int64_t now, const uint8_t *id, size_t id_size,
		const void *data, size_t size);

/* As socket_send() of an XPUB. What several subscribers have not read counts once, as it is there once.
 * KUDOS_BUSY: no room for it, and nothing was sent. */
int unread_publish(struct unread *u, void *socket, const void *topic, size_t topic_size, const void *data,
		   size_t size);

size_t unread_bytes(const struct unread *u);
/* How many connections were ended since the last call. */
size_t unread_ended(struct unread *u);

#endif
