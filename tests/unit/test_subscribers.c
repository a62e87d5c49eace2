/* SPDX-License-Identifier: MIT */
/* Who is at the other end of an XPUB: real connections, as what is told apart are descriptors. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/time.h"
#include "kudos.h"
#include "net/socket.h"
#include "net/subscribers.h"

#define PORT 21750

struct fixture {
	void *context;
	zsock_t *bound;
	void *xpub; /* bound, as libzmq knows it */
	struct subscribers s;
};

static void setup(struct fixture *f, int port)
{
	f->context = zmq_ctx_new();
	f->bound = socket_open(SOCKET_XPUB);
	f->xpub = zsock_resolve(f->bound);
	cr_assert(socket_bind(f->bound, "127.0.0.1", port, port) > 0);
	subscribers_init(&f->s);
}

static void teardown(struct fixture *f)
{
	subscribers_deinit(&f->s);
	zsock_destroy(&f->bound);
	zsys_shutdown();
	zmq_ctx_term(f->context);
}

static void *subscriber_new(const struct fixture *f, int port)
{
	char endpoint[64];
	const int linger = 0;
	void *socket = zmq_socket(f->context, ZMQ_XSUB);
	zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
	snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
	cr_assert(zmq_connect(socket, endpoint) == 0);
	return socket;
}

/* The next message at the XPUB. The other socket, if any, gets to do its part meanwhile. */
static void receive(const struct fixture *f, void *other, struct packet *p)
{
	int64_t deadline = clock_now() + 10 * SECOND;
	while (socket_receive(f->xpub, SOCKET_XPUB, p) != 1) {
		zmq_pollitem_t items[] = {{.socket = f->xpub, .events = ZMQ_POLLIN},
					  {.socket = other, .events = ZMQ_POLLIN}};
		cr_assert(clock_now() < deadline);
		zmq_poll(items, other ? 2 : 1, 10);
	}
}

/* The next that somebody says, and what comes of it; libzmq's own words, that topics are forgotten, are not.
 */
static int hear(struct fixture *f, void *from, enum role role, int port)
{
	struct packet p;
	bool own = true;
	int e = 0;
	while (own) {
		receive(f, from, &p);
		own = source_fd(&p.frames[0]) < 0;
		e = subscribers_heard(&f->s, &p.frames[0], p.body, p.body_size, role, port);
		cr_assert(!own || e == 0);
		packet_deinit(&p);
	}
	return e;
}

static int say(struct fixture *f, void *from, const char *text, size_t size, enum role role, int port)
{
	cr_assert(zmq_send(from, text, size, 0) == (int)size);
	return hear(f, NULL, role, port);
}

/* Until libzmq has forgotten that topic: a connection has ended. What others say meanwhile does not matter.
 */
static void wait_forgotten(const struct fixture *f, const char *topic)
{
	for (bool gone = false; !gone;) {
		struct packet p;
		receive(f, NULL, &p);
		gone =
		    p.body_size == 2 && p.body[0] == 0 && p.body[1] == *topic && source_fd(&p.frames[0]) < 0;
		packet_deinit(&p);
	}
}

Test(subscribers, servers_have_two_topics)
{
	struct fixture f;
	setup(&f, PORT);
	void *a = subscriber_new(&f, PORT), *b = subscriber_new(&f, PORT);
	cr_assert(say(&f, a, "\1r", 2, ROLE_SERVER, PORT) == 0 && say(&f, b, "\1v", 2, ROLE_ANY, PORT) == 0);
	cr_assert(say(&f, a, "\1v", 2, ROLE_SERVER, PORT) == 0);
	zmq_close(a);
	cr_assert(say(&f, b, "\1r", 2, ROLE_ANY, PORT) == 0);
	zmq_close(b);
	teardown(&f);
}

Test(subscribers, who_says_anything_else_is_ended)
{
	static const struct {
		const char *text;
		size_t size;
	} bad[] = {{"\1x", 2}, {"\1rr", 3}, {"\0v", 2}, {"\2r", 2}, {"r", 1}, {"\1", 1}, {"\1klikes", 8}};
	struct fixture f;
	setup(&f, PORT + 1);
	void *good = subscriber_new(&f, PORT + 1);
	cr_assert(say(&f, good, "\1r", 2, ROLE_SERVER, PORT + 1) == 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		void *one = subscriber_new(&f, PORT + 1);
		cr_assert(say(&f, one, "\1v", 2, ROLE_SERVER, PORT + 1) == 0 &&
			  say(&f, one, "\1r", 2, ROLE_SERVER, PORT + 1) == 0);
		cr_assert(say(&f, one, bad[i].text, bad[i].size, ROLE_SERVER, PORT + 1) == KUDOS_PROTOCOL);
		zmq_close(one); /* else it would connect again by itself */
		wait_forgotten(&f, "r");
	}
	cr_assert(say(&f, good, "\1v", 2, ROLE_SERVER, PORT + 1) == 0, "it is still there");
	zmq_close(good);
	teardown(&f);
}

Test(subscribers, only_servers_may)
{
	struct fixture f;
	setup(&f, PORT + 2);
	void *a = subscriber_new(&f, PORT + 2), *b = subscriber_new(&f, PORT + 2);
	cr_assert(say(&f, a, "\1r", 2, ROLE_OPERATOR, 1) == KUDOS_FORBIDDEN, "it is of no such port");
	cr_assert(say(&f, a, "\1v", 2, ROLE_SERVER, PORT + 2) == 0, "and was ended: nothing of it counts");
	cr_assert(say(&f, b, "\1v", 2, ROLE_SERVER, PORT + 2) == 0);
	zmq_close(a);
	wait_forgotten(&f, "v");
	subscribers_end_all(&f.s, PORT + 2);
	wait_forgotten(&f, "v");
	cr_assert(hear(&f, b, ROLE_SERVER, PORT + 2) == 0, "it comes back by itself");
	zmq_close(b);
	teardown(&f);
}

Test(subscribers, nobody_says_much)
{
	struct fixture f;
	char large[LIMIT_SUBSCRIPTION + 1] = {1};
	setup(&f, PORT + 3);
	void *a = subscriber_new(&f, PORT + 3);
	for (int i = 0; i < LIMIT_SUBSCRIPTIONS; i++)
		cr_assert(say(&f, a, "\1r", 2, ROLE_ANY, PORT + 3) == 0);
	cr_assert(say(&f, a, "\1r", 2, ROLE_ANY, PORT + 3) == KUDOS_LIMIT);
	zmq_close(a);
	wait_forgotten(&f, "r");
	void *b = subscriber_new(&f, PORT + 3);
	cr_assert(say(&f, b, "\1v", 2, ROLE_ANY, PORT + 3) == 0);
	cr_assert(zmq_send(b, large, sizeof large, 0) == (int)sizeof large);
	wait_forgotten(&f, "v"); /* what is too long for a subscription is not read: the connection ends */
	zmq_close(b);
	teardown(&f);
}
