/* SPDX-License-Identifier: MIT */
/* ZeroMQ sockets as this project uses them: options set before bind and connect, messages of one payload
 * frame with an identity (ROUTER) or a topic (XPUB, SUB) before it, nothing ever blocks. What libzmq does
 * that one must know stands beside each option in socket.c. A socket belongs to one thread.
 *
 * The daemons' are czmq's (zsock_t); libkudos's are libzmq's, since czmq has one context for a whole process,
 * signal handlers and an end of its own. A void *socket below is of
 * either kind where it connects and subscribes, and libzmq's (zsock_resolve()) on the path of messages. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <czmq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum socket_kind {
	SOCKET_ROUTER,
	SOCKET_DEALER,
	SOCKET_XPUB,
	SOCKET_SUB,
};

/* czmq, once at a daemon's start: no signal handlers, log lines on stderr, sockets for all members. */
void socket_begin(void);

/* The options every socket gets: HWMs (socket.c says which and why), LINGER, MAXMSGSIZE = LIMIT_MESSAGE,
 * RECONNECT_IVL and _MAX, for ROUTER also MANDATORY and HANDOVER, for DEALER IMMEDIATE. NULL on failure
 * (errno). */
zsock_t *socket_open(enum socket_kind kind); /* zsock_destroy() ends it */
void *socket_new(void *context, enum socket_kind kind);
void socket_free(void **socket); /* takes NULL inside */

#define SOCKET_PORT_LAST 32767 /* above lie the ephemeral ports: see socket_bind() */

/* Binds to tcp://address:port, the first that is free from first to last. The port, or a negative errno
 * (-EADDRINUSE, -EADDRNOTAVAIL, …). */
int socket_bind(zsock_t *socket, const char *address, int first, int last);
/* 0; KUDOS_BAD_ENDPOINT for what is not an endpoint; negative errno. */
int socket_connect(void *socket, const char *endpoint);
void socket_disconnect(void *socket, const char *endpoint);
int socket_subscribe(void *socket, const void *topic, size_t size);

/* A received message: head is the identity (ROUTER) or topic (SUB), empty for DEALER; for XPUB body is the
 * subscription (first byte 1 or 0, then the topic). Views into the frames below until packet_deinit(). */
struct packet {
	const uint8_t *head;
	size_t head_size;
	const uint8_t *body;
	size_t body_size;
	zmq_msg_t frames[2];
};

/* Receives without waiting. 1: got one (deinit it); 0: none there; -1: a message of the wrong number of
 * frames was read and dropped; other negative errno. From a ROUTER or XPUB such a message comes with an empty
 * body instead: no message of the protocol, but its sender can be told so, or found out. */
int socket_receive(void *socket, enum socket_kind kind, struct packet *packet);
void packet_deinit(struct packet *packet);

/* Sends head (when head_size > 0) and body without waiting. 0; KUDOS_BUSY: the peer's queue is full, or a
 * DEALER is not connected; KUDOS_NO_SERVER: the ROUTER's peer is not there (any more); negative errno.
 * Nothing was sent unless 0. */
int socket_send(void *socket, const void *head, size_t head_size, const void *body, size_t body_size);
/* The same of a body that is a message already: closed, whatever comes of it. */
int socket_send_frame(void *socket, const void *head, size_t head_size, zmq_msg_t *body);

/* Whether a string is tcp://HOST:PORT with a port of 1..65535. */
bool endpoint_valid(const char *endpoint);

#endif
