/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/limits.h"
#include "kudos.h"
#include "net/socket.h"

/* Waits for a message with a deadline, not with a sleep; returns as socket_receive(). */
static int wait_for(void *socket, enum socket_kind kind, struct packet *packet)
{
	int64_t deadline = clock_now() + 10 * SECOND;
	int r;
	while ((r = socket_receive(socket, kind, packet)) == 0 && clock_now() < deadline) {
		zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
		zmq_poll(&item, 1, 100);
	}
	return r;
}

static int send_when_connected(void *socket, const void *body, size_t size)
{
	int64_t deadline = clock_now() + 10 * SECOND;
	int r;
	while ((r = socket_send(socket, NULL, 0, body, size)) == KUDOS_BUSY && clock_now() < deadline) {
		zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLOUT};
		zmq_poll(&item, 1, 100);
	}
	return r;
}

struct pair {
	void *context, *client;
	zsock_t *bound;
	void *server; /* bound, as libzmq knows it */
};

static struct pair open_pair(enum socket_kind server, enum socket_kind client, int port)
{
	char endpoint[64];
	struct pair p = {.context = zmq_ctx_new()};
	p.bound = socket_open(server);
	p.server = zsock_resolve(p.bound);
	p.client = socket_new(p.context, client);
	snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
	cr_assert(socket_bind(p.bound, "127.0.0.1", port, port) > 0);
	cr_assert(socket_connect(p.client, endpoint) == 0);
	return p;
}

static void close_pair(struct pair *p)
{
	socket_free(&p->client);
	socket_free(&p->client); /* twice is fine */
	zsock_destroy(&p->bound);
	zsys_shutdown();
	zmq_ctx_term(p->context);
}

Test(socket, router_and_dealer_talk)
{
	struct pair p = open_pair(SOCKET_ROUTER, SOCKET_DEALER, 21701);
	struct packet asked, answer;
	cr_assert(socket_receive(p.server, SOCKET_ROUTER, &asked) == 0);
	cr_assert(send_when_connected(p.client, "hello", 5) == 0);
	cr_assert(wait_for(p.server, SOCKET_ROUTER, &asked) == 1);
	cr_assert(asked.head_size > 0 && asked.body_size == 5 && memcmp(asked.body, "hello", 5) == 0);
	cr_assert(socket_send(p.server, asked.head, asked.head_size, "", 0) == 0);
	cr_assert(wait_for(p.client, SOCKET_DEALER, &answer) == 1);
	cr_assert(answer.head_size == 0 && answer.body_size == 0);
	packet_deinit(&answer);
	packet_deinit(&asked);
	close_pair(&p);
}

Test(socket, tells_when_the_peer_is_not_there)
{
	struct pair p = open_pair(SOCKET_ROUTER, SOCKET_DEALER, 21702);
	cr_assert(socket_send(p.server, "nobody", 6, "x", 1) == KUDOS_NO_SERVER);
	void *alone = socket_new(p.context, SOCKET_DEALER);
	cr_assert(socket_connect(alone, "tcp://127.0.0.1:21703") == 0);
	cr_assert(socket_send(alone, NULL, 0, "x", 1) == KUDOS_BUSY, "nothing is queued for nobody");
	socket_free(&alone);

	/* And a failed send leaves nothing behind that would spoil the next. */
	struct packet packet;
	cr_assert(send_when_connected(p.client, "1", 1) == 0);
	cr_assert(wait_for(p.server, SOCKET_ROUTER, &packet) == 1);
	cr_assert(socket_send(p.server, "nobody", 6, "x", 1) == KUDOS_NO_SERVER);
	cr_assert(socket_send(p.server, packet.head, packet.head_size, "2", 1) == 0);
	packet_deinit(&packet);
	cr_assert(wait_for(p.client, SOCKET_DEALER, &packet) == 1);
	cr_assert(packet.body_size == 1 && packet.body[0] == '2');
	packet_deinit(&packet);
	close_pair(&p);
}

Test(socket, a_full_queue_is_busy)
{
	struct pair p = open_pair(SOCKET_ROUTER, SOCKET_DEALER, 21704);
	static char block[65536];
	int r = send_when_connected(p.client, block, sizeof block);
	for (int i = 0; i < 100000 && r == 0; i++)
		r = socket_send(p.client, NULL, 0, block, sizeof block);
	cr_assert(r == KUDOS_BUSY);
	int none = 0;
	zmq_setsockopt(p.client, ZMQ_LINGER, &none, sizeof none);
	close_pair(&p);
}

Test(socket, a_message_of_too_many_frames_spoils_nothing)
{
	struct pair p = open_pair(SOCKET_ROUTER, SOCKET_DEALER, 21705);
	struct packet packet;
	cr_assert(send_when_connected(p.client, "first", 5) == 0);
	cr_assert(wait_for(p.server, SOCKET_ROUTER, &packet) == 1);
	cr_assert(zmq_send(p.client, "a", 1, ZMQ_SNDMORE) == 1);
	cr_assert(zmq_send(p.client, "b", 1, ZMQ_SNDMORE) == 1);
	cr_assert(zmq_send(p.client, "c", 1, 0) == 1);
	cr_assert(socket_send(p.client, NULL, 0, "last", 4) == 0);
	packet_deinit(&packet);
	cr_assert(wait_for(p.server, SOCKET_ROUTER, &packet) == 1);
	cr_assert(packet.head_size > 0 && packet.body_size == 0, "to be answered with an error");

	/* The other way it is dropped. */
	cr_assert(zmq_send(p.server, packet.head, packet.head_size, ZMQ_SNDMORE) > 0);
	cr_assert(zmq_send(p.server, "a", 1, ZMQ_SNDMORE) == 1);
	cr_assert(zmq_send(p.server, "b", 1, 0) == 1);
	packet_deinit(&packet);
	cr_assert(wait_for(p.client, SOCKET_DEALER, &packet) == -1);

	cr_assert(wait_for(p.server, SOCKET_ROUTER, &packet) == 1);
	cr_assert(packet.body_size == 4 && memcmp(packet.body, "last", 4) == 0);
	packet_deinit(&packet);
	close_pair(&p);
}

Test(socket, publishes_to_topics_once_the_subscription_arrived)
{
	struct pair p = open_pair(SOCKET_XPUB, SOCKET_SUB, 21706);
	void *second = socket_new(p.context, SOCKET_SUB);
	struct packet packet;
	cr_assert(socket_subscribe(p.client, "r", 1) == 0);
	cr_assert(wait_for(p.server, SOCKET_XPUB, &packet) == 1);
	cr_assert(packet.head_size == 0 && packet.body_size == 2 && memcmp(packet.body, "\1r", 2) == 0);
	packet_deinit(&packet);
	cr_assert(socket_send(p.server, "v", 1, "not asked for", 13) == 0);
	cr_assert(socket_send(p.server, "r", 1, "record", 6) == 0);
	cr_assert(wait_for(p.client, SOCKET_SUB, &packet) == 1);
	cr_assert(packet.head_size == 1 && packet.head[0] == 'r');
	cr_assert(packet.body_size == 6 && memcmp(packet.body, "record", 6) == 0);
	packet_deinit(&packet);

	/* A second subscriber of the same topic is seen too. */
	cr_assert(socket_subscribe(second, "r", 1) == 0);
	cr_assert(socket_connect(second, "tcp://127.0.0.1:21706") == 0);
	cr_assert(wait_for(p.server, SOCKET_XPUB, &packet) == 1);
	packet_deinit(&packet);

	/* So is everyone who leaves. */
	cr_assert(zmq_setsockopt(zsock_resolve(p.client), ZMQ_UNSUBSCRIBE, "r", 1) == 0);
	socket_free(&second);
	for (int i = 0; i < 2; i++) {
		cr_assert(wait_for(p.server, SOCKET_XPUB, &packet) == 1);
		cr_assert(packet.body_size == 2 && memcmp(packet.body, "\0r", 2) == 0);
		packet_deinit(&packet);
	}
	close_pair(&p);
}

Test(socket, binds_where_nobody_else_does)
{
	zsock_t *a = socket_open(SOCKET_ROUTER), *b = socket_open(SOCKET_XPUB);
	int port = 0;
	cr_assert(socket_bind(a, "127.0.0.1", 21710, 21710) > 0);
	cr_assert(socket_bind(b, "127.0.0.1", 21710, 21710) == -EADDRINUSE);
	cr_assert(socket_bind(b, "127.0.0.1", 0, 0) == -EINVAL, "no wildcard ports");
	cr_assert(socket_bind(b, "127.0.0.1", 65536, 65536) == -EINVAL);
	port = socket_bind(b, "127.0.0.1", 21710, SOCKET_PORT_LAST);
	cr_assert(port > 21710 && port < 21730, "%d", port);
	cr_assert(socket_bind(b, "192.0.2.1", 21710, SOCKET_PORT_LAST) == -EADDRNOTAVAIL);
	cr_assert(socket_bind(b, "127.0.0.1", 32768, SOCKET_PORT_LAST) == -EADDRINUSE);
	zsock_destroy(&a);
	zsock_destroy(&b);
	zsys_shutdown();
}

/* zsock_new() would end the process. */
Test(socket, opens_with_the_last_descriptors_and_without_any_says_so)
{
	struct rlimit limit = {.rlim_cur = 600, .rlim_max = 600};
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	descriptors_allow_many();
	socket_begin();
	zsock_t *first = socket_open(SOCKET_DEALER), *second, *third;
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		;
	second = socket_open(SOCKET_DEALER);
	cr_assert(first && second, "of those that are kept");
	cr_assert(open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 && errno == EMFILE, "and they are kept on");
	while (descriptors_open(AT_FDCWD, "/dev/null", O_RDONLY, 0) >= 0)
		;
	third = socket_open(SOCKET_DEALER);
	cr_assert(third == NULL && errno == EMFILE);
	zsock_destroy(&first);
	zsock_destroy(&second);
	zsys_shutdown();
}

Test(socket, knows_an_endpoint)
{
	static const char *const good[] = {"tcp://127.0.0.1:5001", "tcp://host-1.example_a:1",
					   "tcp://a:65535"};
	static const char *const bad[] = {"",
					  "tcp://",
					  "127.0.0.1:5001",
					  "tcp://127.0.0.1",
					  "tcp://127.0.0.1:",
					  "tcp://:5001",
					  "tcp://a:0",
					  "tcp://a:65536",
					  "tcp://a:123456",
					  "tcp://a:-1",
					  "tcp://a:5001 ",
					  "tcp://a:5001/x",
					  "tcp://*:5001",
					  "tcp://a;b:5001",
					  "ipc:///tmp/x",
					  "TCP://a:1"};
	char longest[LIMIT_ENDPOINT + 2];
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		cr_assert(endpoint_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(!endpoint_valid(bad[i]), "%s", bad[i]);
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "tcp://", 6);
	memcpy(longest + LIMIT_ENDPOINT - 2, ":1", 3);
	cr_assert(strlen(longest) == LIMIT_ENDPOINT && endpoint_valid(longest));
	memcpy(longest + LIMIT_ENDPOINT - 2, ":12", 4);
	cr_assert(!endpoint_valid(longest));

	void *context = zmq_ctx_new();
	void *dealer = socket_new(context, SOCKET_DEALER);
	cr_assert(socket_connect(dealer, "nonsense") == KUDOS_BAD_ENDPOINT);
	socket_free(&dealer);
	zmq_ctx_term(context);
}
