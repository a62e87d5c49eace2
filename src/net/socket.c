/* SPDX-License-Identifier: MIT */
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/limits.h"
#include "kudos.h"

#define SOCKETS 4096

/* High-water marks count messages, a connection each. Nothing is unbounded: libzmq would take all memory for
 * one reader that stopped reading.
 *
 * ROUTER out: acks and answers of one client, 64 batches in flight (LIMIT_IN_FLIGHT) and its reads many times
 * over; a peer that does not read them is answered KUDOS_BUSY here. Their bytes are unread.h's. In: a few.
 * libzmq reads on whatever we have time for, and what is not read yet waits at the sender, where it belongs:
 * with room for 256, 2,000 clients that asked long questions faster than they could be answered took 1.5 GiB.
 * With 8 a batch costs as much as with 256, with 2 half as much again. DEALER out: what one client may have
 * in flight, and pings; the sender resends, so it may learn early. XPUB out: dropped silently when full, and
 * repaired by a fetch. Their bytes are unread.h's, too. Small records find room for far more in the kernel's
 * buffers; and with 100,000 here the cluster was no faster. XPUB in: few. libzmq reads on until it finds the
 * queue empty, into one without an end, and with room for thousands it does not get there while somebody goes
 * on sending: 200 MiB and a server that did nothing else for as long, by one subscriber. SUB in: as XPUB out.
 * SUB out: its two subscriptions; those above the mark are lost on a reconnection. */
static const struct {
	int type, out, in;
} kinds[] = {
    [SOCKET_ROUTER] = {ZMQ_ROUTER, 1000, 8},
    [SOCKET_DEALER] = {ZMQ_DEALER, 1000, 1000},
    [SOCKET_XPUB] = {ZMQ_XPUB, 340, 10},
    [SOCKET_SUB] = {ZMQ_SUB, 10, 340},
};

static int set(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int set_options(void *socket, enum socket_kind kind)
{
	/* What comes to an XPUB are subscriptions, and libzmq keeps as many of them as anybody sends. */
	const int64_t message_max = kind == SOCKET_XPUB ? LIMIT_SUBSCRIPTION : LIMIT_MESSAGE;
	const struct {
		int option, value;
	} common[] = {
	    {ZMQ_SNDHWM, kinds[kind].out},
	    {ZMQ_RCVHWM, kinds[kind].in},
	    /* Last answers still go out at a clean stop, but a dead peer holds that up for a second only. */
	    {ZMQ_LINGER, 1000},
	    {ZMQ_RECONNECT_IVL, 50},
	    {ZMQ_RECONNECT_IVL_MAX, 1000},
	    /* Thousands of clients come back at once when a server does, and who finds the queue full waits
	     * for its own TCP to try again: up to a minute. The system's own limit (somaxconn) is below this.
	     */
	    {ZMQ_BACKLOG, LIMIT_CLIENTS},
	    /* A peer whose machine lost its power says nothing more. A SUB, which never sends, would wait for
	     * it for ever and never connect anew; so the kernel asks. */
	    {ZMQ_TCP_KEEPALIVE, 1},
	    {ZMQ_TCP_KEEPALIVE_IDLE, 5},
	    {ZMQ_TCP_KEEPALIVE_INTVL, 2},
	    {ZMQ_TCP_KEEPALIVE_CNT, 3},
	    /* It does not ask while something it sent is unacknowledged, and then, as for a connection that
	     * is being made, tries again ever more rarely: after a minute without network it took 22 s more
	     * until servers heard each other, after an hour it may take two minutes. */
	    {ZMQ_TCP_MAXRT, 10000},
	    {ZMQ_CONNECT_TIMEOUT, 3000},
	};

	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max)) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		if (set(socket, common[i].option, common[i].value) < 0)
			return -1;

	switch (kind) {
	case SOCKET_ROUTER:
		/* Without the first it drops silently what it cannot route; without the second it ignores
		 * silently whoever comes back under an identity it still holds. */
		if (set(socket, ZMQ_ROUTER_MANDATORY, 1) < 0)
			return -1;
		return set(socket, ZMQ_ROUTER_HANDOVER, 1);
	case SOCKET_DEALER:
		/* Else it queues for peers that are not there. */
		return set(socket, ZMQ_IMMEDIATE, 1);
	case SOCKET_XPUB:
		/* Else only a topic's first and last subscriber would be seen. */
		return set(socket, ZMQ_XPUB_VERBOSER, 1);
	case SOCKET_SUB:
		break;
	}
	return 0;
}

void socket_begin(void)
{
	zsys_handler_set(NULL);
	zsys_set_logstream(stderr);
	zsys_set_max_sockets(SOCKETS);
}

/* zsock_new() ends the process when there is no descriptor for it, and strangers' connections may have taken
 * all that they can: so it gets one of those that are kept, and is not tried where there is none. */
zsock_t *socket_open(enum socket_kind kind)
{
	descriptors_use_kept(true);
	int fd = eventfd(0, EFD_CLOEXEC);
	int error = errno;
	if (fd >= 0)
		close(fd);
	zsock_t *socket = fd >= 0 ? zsock_new(kinds[kind].type) : NULL;
	descriptors_use_kept(false);
	if (socket && set_options(zsock_resolve(socket), kind) < 0) {
		error = errno;
		zsock_destroy(&socket);
	}
	errno = error;
	return socket;
}

void *socket_new(void *context, enum socket_kind kind)
{
	void *socket = zmq_socket(context, kinds[kind].type);

	if (socket != NULL && set_options(socket, kind) < 0) {
		int error = errno;

		zmq_close(socket);
		errno = error;
		return NULL;
	}
	return socket;
}

void socket_free(void **socket)
{
	if (*socket != NULL)
		zmq_close(*socket);
	*socket = NULL;
}

/* Not the kernel's choice of a port: that would be an ephemeral one, where a socket that keeps connecting to
 * a server that is down can connect to itself and hold the port. Nor zsock's of a range, which tries all of
 * it whatever the error. */
int socket_bind(zsock_t *socket, const char *address, int first, int last)
{
	int port = -1;
	if (first < 1 || last > 65535)
		return -EINVAL;
	errno = EADDRINUSE; /* when there are none to try */
	for (int i = first; i <= last && port < 0 && errno == EADDRINUSE; i++)
		port = zsock_bind(socket, "tcp://%s:%d", address, i);
	return port < 0 ? -errno : port;
}

int socket_connect(void *socket, const char *endpoint)
{
	if (!endpoint_valid(endpoint))
		return KUDOS_BAD_ENDPOINT;
	if (zmq_connect(zsock_resolve(socket), endpoint) == 0)
		return 0;
	return errno == EINVAL ? KUDOS_BAD_ENDPOINT : -errno;
}

void socket_disconnect(void *socket, const char *endpoint)
{
	zmq_disconnect(zsock_resolve(socket), endpoint);
}

int socket_subscribe(void *socket, const void *topic, size_t size)
{
	return zmq_setsockopt(zsock_resolve(socket), ZMQ_SUBSCRIBE, topic, size) < 0 ? -errno : 0;
}

static int receive_frame(void *socket, zmq_msg_t *frame)
{
	int r;
	do
		r = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* Reads the rest of a message that has too many frames: they arrive whole, so all of them are there. */
static int drop_rest(void *socket, zmq_msg_t *scratch)
{
	while (zmq_msg_more(scratch)) {
		int r = receive_frame(socket, scratch);
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_frames(void *socket, enum socket_kind kind, struct packet *packet)
{
	const bool has_head = kind == SOCKET_ROUTER || kind == SOCKET_SUB;
	zmq_msg_t *body = &packet->frames[has_head ? 1 : 0];
	int r = receive_frame(socket, &packet->frames[0]);
	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	if (has_head) {
		if (!zmq_msg_more(&packet->frames[0]))
			return -1;
		packet->head = zmq_msg_data(&packet->frames[0]);
		packet->head_size = zmq_msg_size(&packet->frames[0]);
		r = receive_frame(socket, body);
		if (r < 0)
			return r;
	}
	if (zmq_msg_more(body)) {
		r = drop_rest(socket, body);
		if (r < 0 || (kind != SOCKET_ROUTER && kind != SOCKET_XPUB))
			return r < 0 ? r : -1;
		return 1; /* with an empty body, so that its sender gets an error for an answer */
	}
	packet->body = zmq_msg_data(body);
	packet->body_size = zmq_msg_size(body);
	return 1;
}

int socket_receive(void *socket, enum socket_kind kind, struct packet *packet)
{
	packet->head = packet->body = NULL;
	packet->head_size = packet->body_size = 0;
	zmq_msg_init(&packet->frames[0]);
	zmq_msg_init(&packet->frames[1]);
	int r = receive_frames(socket, kind, packet);
	if (r != 1)
		packet_deinit(packet);
	return r;
}

void packet_deinit(struct packet *packet)
{
	zmq_msg_close(&packet->frames[0]);
	zmq_msg_close(&packet->frames[1]);
	packet->head = packet->body = NULL;
	packet->head_size = packet->body_size = 0;
}

static int make_frame(zmq_msg_t *frame, const void *data, size_t size)
{
	if (zmq_msg_init_size(frame, size) < 0)
		return -errno;
	if (size > 0)
		memcpy(zmq_msg_data(frame), data, size);
	return 0;
}

/* Takes the frame over, whatever comes of it. */
static int send_frame(void *socket, zmq_msg_t *frame, int flags)
{
	int r;
	do
		r = zmq_msg_send(frame, socket, flags | ZMQ_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return 0;
	r = -errno;
	zmq_msg_close(frame);
	if (r == -EAGAIN)
		return KUDOS_BUSY;
	return r == -EHOSTUNREACH ? KUDOS_NO_SERVER : r;
}

/* Both frames are made before the first is sent: a head without its body would spoil the next message. */
int socket_send_frame(void *socket, const void *head, size_t head_size, zmq_msg_t *body)
{
	zmq_msg_t first;
	if (head_size > 0) {
		int r = make_frame(&first, head, head_size);
		if (r == 0)
			r = send_frame(socket, &first, ZMQ_SNDMORE);
		if (r != 0) {
			zmq_msg_close(body);
			return r;
		}
	}
	return send_frame(socket, body, 0);
}

int socket_send(void *socket, const void *head, size_t head_size, const void *body, size_t body_size)
{
	zmq_msg_t frame;
	int r = make_frame(&frame, body, body_size);
	return r < 0 ? r : socket_send_frame(socket, head, head_size, &frame);
}

bool endpoint_valid(const char *endpoint)
{
	static const char host_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *host;
	const char *digits;
	size_t host_size;
	size_t digit_count;
	long port;

	if (strlen(endpoint) > LIMIT_ENDPOINT || strncmp(endpoint, "tcp://", 6) != 0)
		return false;
	host = endpoint + 6;
	host_size = strspn(host, host_chars);
	if (host_size == 0 || host[host_size] != ':')
		return false;
	digits = host + host_size + 1;
	digit_count = strspn(digits, "0123456789");
	if (digit_count == 0 || digit_count > 5 || digits[digit_count] != '\0')
		return false;
	port = strtol(digits, NULL, 10);
	return port >= 1 && port <= 65535;
}
