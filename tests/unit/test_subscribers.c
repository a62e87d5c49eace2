/* SPDX-License-Identifier: MIT */
/* Who is at the other end of an XPUB: real connections, as what is told apart are descriptors. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
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
static void receive_from(const struct fixture *f, void *other, struct packet *p)
{
	int64_t deadline = clock_now() + 10 * SECOND;
	while (socket_receive(f->xpub, SOCKET_XPUB, p) != 1) {
		zmq_pollitem_t items[] = {{.socket = f->xpub, .events = ZMQ_POLLIN},
					  {.socket = other, .events = ZMQ_POLLIN}};
		cr_assert(clock_now() < deadline);
		zmq_poll(items, other ? 2 : 1, 10);
	}
}

static void receive(const struct fixture *f, struct packet *p)
{
	receive_from(f, NULL, p);
}

/* One says something; who it is taken for. */
static struct subscriber *hear(struct fixture *f, void *from, const char *text)
{
	struct packet p;
	struct subscriber *one;
	uint64_t gone;
	cr_assert(zmq_send(from, text, strlen(text), 0) > 0);
	receive(f, &p);
	cr_assert(p.body_size == strlen(text) && memcmp(p.body, text, strlen(text)) == 0);
	cr_assert(subscribers_find(&f->s, 0, &p.frames[0], &one, &gone) == 0);
	packet_deinit(&p);
	return one;
}

Test(subscribers, tells_connections_apart)
{
	struct fixture f;
	setup(&f, PORT);
	void *a = subscriber_new(&f, PORT), *b = subscriber_new(&f, PORT);
	uint64_t first = hear(&f, a, "\1ka")->id, second = hear(&f, b, "\1ka")->id;
	cr_assert(first != 0 && second != 0 && first != second);
	cr_assert(hear(&f, a, "\1kb")->id == first);
	cr_assert(hear(&f, b, "nothing of sense")->id == second);
	cr_assert(subscribers_deadline(&f.s) == NEVER);
	zmq_close(a);

	/* Two words about the loss, one a topic; then, in a while, the number of who has gone. */
	for (int i = 0; i < 2; i++) {
		struct packet p;
		struct subscriber *one;
		uint64_t gone;
		receive(&f, &p);
		cr_assert(p.body[0] == 0);
		cr_assert(subscribers_find(&f.s, 5, &p.frames[0], &one, &gone) == 0);
		cr_assert(one == NULL && gone == 0);
		packet_deinit(&p);
	}
	int64_t then = subscribers_deadline(&f.s), deadline = clock_now() + 10 * SECOND;
	cr_assert(then > 5 && then < NEVER);
	cr_assert(subscribers_gone(&f.s, then - 1) == 0);
	uint64_t gone = 0;
	while (gone == 0 && clock_now() < deadline) { /* libzmq closes the descriptor any moment */
		gone = subscribers_gone(&f.s, then);
		f.s.next_sweep = then;
	}
	cr_assert(gone == first);
	while (subscribers_deadline(&f.s) != NEVER)
		cr_assert(subscribers_gone(&f.s, then) == 0, "each once, and nobody else");
	zmq_close(b);
	teardown(&f);
}

Test(subscribers, ends_a_connection)
{
	struct fixture f;
	setup(&f, PORT + 1);
	void *good = subscriber_new(&f, PORT + 1), *bad = subscriber_new(&f, PORT + 1);
	uint64_t kept = hear(&f, good, "\1kgood")->id;
	struct subscriber *one = hear(&f, bad, "\1kbad");
	uint64_t ended = one->id;
	subscriber_end(one, 1);
	cr_assert(hear(&f, bad, "\1kworse") == NULL, "it is not heard, and it was not of that port");
	f.s.by_fd[one - f.s.by_fd].ended = false;
	subscriber_end(one, PORT + 1);
	for (int i = 0; i < 2; i++) { /* libzmq forgets both topics */
		struct packet p;
		receive(&f, &p);
		cr_assert(p.body[0] == 0 && p.body[1] == 'k' && p.body_size > 4);
		packet_deinit(&p);
	}
	cr_assert(hear(&f, good, "\1kstill")->id == kept);

	/* It connects again by itself and subscribes to what it had. */
	struct packet p;
	uint64_t gone;
	receive_from(&f, bad, &p);
	cr_assert(subscribers_find(&f.s, 0, &p.frames[0], &one, &gone) == 0);
	cr_assert(one && one->id != ended && one->id != kept && (gone == ended || gone == 0));
	packet_deinit(&p);
	zmq_close(good);
	zmq_close(bad);
	teardown(&f);
}

Test(subscribers, notices_a_flood)
{
	struct subscriber one = {.id = 1, .since = 0};
	for (int i = 0; i < LIMIT_SUBSCRIBE_RATE; i++)
		cr_assert(!subscriber_floods(&one, SECOND / 2));
	cr_assert(subscriber_floods(&one, SECOND - 1));
	cr_assert(!subscriber_floods(&one, SECOND), "a new second");
}

Test(subscribers, what_is_too_long_for_a_subscription_is_not_read)
{
	struct fixture f;
	char large[LIMIT_SUBSCRIPTION + 1];
	setup(&f, PORT + 2);
	void *a = subscriber_new(&f, PORT + 2);
	cr_assert(hear(&f, a, "\1ka"));
	memset(large, 1, sizeof large);
	cr_assert(zmq_send(a, large, sizeof large, 0) == (int)sizeof large);
	struct packet p;
	receive(&f, &p);
	cr_assert(p.body_size == 3 && p.body[0] == 0, "the connection has ended instead");
	packet_deinit(&p);
	zmq_close(a);
	teardown(&f);
}
