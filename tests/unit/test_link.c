/* SPDX-License-Identifier: MIT */
/* A client's connection to a server that comes and goes: the server is a ROUTER in a context of its own. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"
#include "client/link.h"

#define ROUNDS 200
#define PATIENCE (10 * SECOND)

struct server {
	void *context, *router;
	char endpoint[64];
};

static void start(struct server *s)
{
	size_t size = sizeof s->endpoint;
	int linger = 0;
	s->context = zmq_ctx_new();
	s->router = zmq_socket(s->context, ZMQ_ROUTER);
	cr_assert(zmq_setsockopt(s->router, ZMQ_LINGER, &linger, sizeof linger) == 0);
	cr_assert(zmq_bind(s->router, "tcp://127.0.0.1:*") == 0);
	cr_assert(zmq_getsockopt(s->router, ZMQ_LAST_ENDPOINT, s->endpoint, &size) == 0);
}

/* Its connections end with it. */
static void stop(struct server *s)
{
	zmq_close(s->router);
	zmq_ctx_term(s->context);
}

static void look_until(struct link *l, int epoll_fd, bool (*there)(struct link *l, void *arg), void *arg)
{
	int64_t deadline = clock_now() + PATIENCE;
	while (!there(l, arg)) {
		struct epoll_event event;
		cr_assert(clock_now() < deadline, "libzmq's thread does nothing any more");
		epoll_wait(epoll_fd, &event, 1, 5);
		links_look(epoll_fd);
	}
}

static bool arrived(struct link *l, void *arg)
{
	char id[256], body[8];
	cr_assert(link_flush(l) == 0);
	return zmq_recv(arg, id, sizeof id, ZMQ_DONTWAIT) >= 0 && zmq_recv(arg, body, sizeof body, 0) >= 0;
}

static bool ended(struct link *l, void *arg)
{
	(void)arg;
	return link_ended(l);
}

/* Whoever closes a link just when its server goes must not leave libzmq with news for nobody. */
Test(link, ends_are_told_and_harm_nobody, .timeout = 60)
{
	void *context = zmq_ctx_new();
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < ROUNDS; i++) {
		struct server server;
		struct link l;
		start(&server);
		cr_assert(link_open(&l, server.endpoint, context, NULL, epoll_fd, true) == 0);
		cr_assert(!link_ended(&l));
		cr_assert(link_send(&l, "hello", 5, 1) == 0);
		look_until(&l, epoll_fd, arrived, server.router);
		cr_assert(!link_ended(&l));
		stop(&server);
		if (i % 2)
			look_until(&l, epoll_fd, ended, NULL);
		link_close(&l, epoll_fd);
	}
	close(epoll_fd);
	zmq_ctx_term(context);
}

Test(link, a_link_that_is_not_monitored_tells_nothing)
{
	void *context = zmq_ctx_new();
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct server server;
	struct link l;
	start(&server);
	cr_assert(link_open(&l, server.endpoint, context, NULL, epoll_fd, false) == 0);
	cr_assert(link_send(&l, "hello", 5, 1) == 0);
	look_until(&l, epoll_fd, arrived, server.router);
	stop(&server);
	cr_assert(!link_ended(&l));
	link_close(&l, epoll_fd);
	close(epoll_fd);
	zmq_ctx_term(context);
}
