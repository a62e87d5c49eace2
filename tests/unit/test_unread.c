/* SPDX-License-Identifier: MIT */
/* What is queued to those that do not read: real connections, as it is libzmq that says when something was
 * read. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kudos.h"
#include "net/unread.h"

#define PORT 21760
#define LIMIT ((size_t)8 << 20)
#define PIECE 100000

struct fixture {
	void *context;
	zsock_t *bound;
	void *router; /* bound, as libzmq knows it */
	struct unread *u;
	uint8_t *piece;
};

static void setup(struct fixture *f, int port)
{
	f->context = zmq_ctx_new();
	f->bound = socket_open(SOCKET_ROUTER);
	f->router = zsock_resolve(f->bound);
	f->u = unread_new(LIMIT);
	f->piece = calloc(1, PIECE);
	cr_assert(socket_bind(f->bound, "127.0.0.1", port, port) > 0);
	unread_bound(f->u, port);
}

static void teardown(struct fixture *f)
{
	zsock_set_linger(f->bound, 0);
	zsock_destroy(&f->bound);
	zsys_shutdown();
	zmq_ctx_term(f->context);
	cr_assert(unread_bytes(f->u) == 0, "all comes back in the end");
	unread_free(f->u);
	free(f->piece);
}

/* One that reads a message only when told to. */
static void *client_new(const struct fixture *f, int port, const char *name)
{
	char endpoint[64];
	const int few = 1, small = 4096, linger = 0;
	void *socket = zmq_socket(f->context, ZMQ_DEALER);
	zmq_setsockopt(socket, ZMQ_RCVHWM, &few, sizeof few);
	zmq_setsockopt(socket, ZMQ_RCVBUF, &small, sizeof small);
	zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
	zmq_setsockopt(socket, ZMQ_ROUTING_ID, name, strlen(name));
	snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
	cr_assert(zmq_connect(socket, endpoint) == 0);
	return socket;
}

/* It says something, and is heard. */
static void say(struct fixture *f, void *client, int64_t now)
{
	int64_t deadline = clock_now() + 10 * SECOND;
	struct packet p;
	int r;
	cr_assert(zmq_send(client, "x", 1, 0) == 1);
	while ((r = socket_receive(f->router, SOCKET_ROUTER, &p)) == 0 && clock_now() < deadline) {
		zmq_pollitem_t item = {.socket = f->router, .events = ZMQ_POLLIN};
		zmq_poll(&item, 1, 100);
	}
	cr_assert(r == 1 && unread_heard(f->u, now, &p) == 0);
	packet_deinit(&p);
}

static int answer(struct fixture *f, int64_t now, const char *name)
{
	return unread_send(f->u, f->router, now, (const uint8_t *)name, strlen(name), f->piece, PIECE);
}

/* Until the condition holds. */
#define AWAIT(condition)                                              \
	for (int64_t end_ = clock_now() + 10 * SECOND; !(condition);) \
	cr_assert(clock_now() < end_)

Test(unread, counts_until_it_is_read)
{
	struct fixture f;
	setup(&f, PORT);
	void *a = client_new(&f, PORT, "a");
	say(&f, a, 0);
	cr_assert(unread_bytes(f.u) == 0);
	for (int i = 0; i < 50; i++)
		cr_assert(answer(&f, 0, "a") == 0);
	cr_assert(unread_bytes(f.u) > 10 * PIECE, "it reads nothing: %zu", unread_bytes(f.u));
	for (int i = 0; i < 50; i++) {
		zmq_msg_t m;
		zmq_msg_init(&m);
		cr_assert(zmq_msg_recv(&m, a, 0) == PIECE);
		zmq_msg_close(&m);
	}
	AWAIT(unread_bytes(f.u) == 0);
	cr_assert(unread_ended(f.u) == 0);
	zmq_close(a);
	teardown(&f);
}

/* It reads, only now, and so it learns. */
static bool comes_back(struct fixture *f, void *client)
{
	struct packet p;
	zmq_recv(client, NULL, 0, ZMQ_DONTWAIT);
	zmq_send(client, "y", 1, ZMQ_DONTWAIT);
	if (socket_receive(f->router, SOCKET_ROUTER, &p) != 1)
		return false;
	cr_assert(p.head_size == 1 && p.head[0] == 'a' && unread_heard(f->u, SECOND, &p) == 0);
	packet_deinit(&p);
	return true;
}

Test(unread, the_slowest_goes_first)
{
	struct fixture f;
	setup(&f, PORT + 1);
	void *a = client_new(&f, PORT + 1, "a"), *b = client_new(&f, PORT + 1, "b");
	say(&f, a, 0);
	say(&f, b, 0);
	for (int i = 0; i < 40; i++)
		cr_assert(answer(&f, 0, "a") == 0);
	int sent = 0, e;
	while ((e = answer(&f, 1, "b")) == 0 && sent < 1000)
		sent++;
	cr_assert(e == KUDOS_BUSY && sent < 1000, "nobody is stuck yet, but b has more than its share");
	cr_assert(answer(&f, 1, "a") == 0, "which a has not");
	cr_assert(answer(&f, SECOND, "b") == KUDOS_BUSY);
	cr_assert(unread_ended(f.u) == 0 && unread_bytes(f.u) < LIMIT + LIMIT / 8);

	/* Now both are stuck, a for longer; its place is enough. */
	answer(&f, SECOND + 1, "b");
	cr_assert(unread_ended(f.u) == 1);
	cr_assert(answer(&f, SECOND + 1, "a") == KUDOS_NO_SERVER);
	AWAIT(comes_back(&f, a) && unread_bytes(f.u) < LIMIT - LIMIT / 8);
	cr_assert(answer(&f, SECOND + 1, "a") == 0, "another connection under the same name");

	/* Who asks may be stuck itself. */
	while ((e = answer(&f, SECOND + 1, "b")) == 0 && sent < 2000)
		sent++;
	cr_assert(e == KUDOS_NO_SERVER || answer(&f, 3 * SECOND, "b") == KUDOS_NO_SERVER);
	cr_assert(unread_ended(f.u) > 0);
	zmq_close(a);
	zmq_close(b);
	teardown(&f);
}

Test(unread, a_message_that_was_not_queued_is_not_owed)
{
	struct fixture f;
	setup(&f, PORT + 2);
	cr_assert(answer(&f, 0, "stranger") == KUDOS_NO_SERVER);
	void *a = client_new(&f, PORT + 2, "a");
	say(&f, a, 0);
	zmq_close(a);
	/* libzmq hears of the end when its socket is used. */
	struct packet p;
	AWAIT(answer(&f, 0, "a") == KUDOS_NO_SERVER && socket_receive(f.router, SOCKET_ROUTER, &p) == 0 &&
	      unread_bytes(f.u) == 0);
	teardown(&f);
}

Test(unread, what_nobody_takes_is_not_published)
{
	struct fixture f;
	setup(&f, PORT + 3);
	zsock_t *bound = socket_open(SOCKET_XPUB);
	void *xpub = zsock_resolve(bound);
	cr_assert(unread_publish(f.u, xpub, "r", 1, f.piece, PIECE) == 0);
	cr_assert(unread_bytes(f.u) == 0, "nobody is subscribed");
	void *sub = zmq_socket(f.context, ZMQ_SUB);
	const int few = 1, small = 4096;
	zmq_setsockopt(sub, ZMQ_RCVHWM, &few, sizeof few);
	zmq_setsockopt(sub, ZMQ_RCVBUF, &small, sizeof small);
	zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "r", 1);
	char endpoint[64];
	snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", PORT + 4);
	cr_assert(socket_bind(bound, "127.0.0.1", PORT + 4, PORT + 4) > 0 && zmq_connect(sub, endpoint) == 0);
	struct packet p;
	AWAIT(socket_receive(xpub, SOCKET_XPUB, &p) == 1);
	packet_deinit(&p);
	int sent = 0;
	while (unread_publish(f.u, xpub, "r", 1, f.piece, PIECE) == 0 && sent < 1000)
		sent++;
	cr_assert(sent > 50 && sent < 300, "%d", sent);
	cr_assert(unread_bytes(f.u) <= LIMIT);
	zmq_close(sub);
	AWAIT(socket_receive(xpub, SOCKET_XPUB, &p) == 0 && unread_bytes(f.u) == 0);
	zsock_destroy(&bound);
	teardown(&f);
}
