/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/stop.h"
#include "net/reactor.h"
#include "net/socket.h"

struct pipe_end {
	struct reactor *reactor;
	int fd;
	int calls;
	bool idle;
	bool remove_self;
	struct pipe_end *remove;
};

static bool on_byte(void *arg)
{
	struct pipe_end *p = arg;
	char byte;
	p->calls++;
	if (!p->idle)
		cr_assert(read(p->fd, &byte, 1) == 1);
	if (p->remove_self)
		reactor_remove(p->reactor, NULL, p->fd);
	if (p->remove)
		reactor_remove(p->reactor, NULL, p->remove->fd);
	return false;
}

/* A pipe whose reading end is in the reactor; *in is the writing end. */
static struct pipe_end add_pipe(struct reactor *r, int *in)
{
	int fds[2];
	cr_assert(pipe(fds) == 0);
	*in = fds[1];
	return (struct pipe_end){.reactor = r, .fd = fds[0]};
}

static void put(int fd)
{
	cr_assert(write(fd, "x", 1) == 1);
}

Test(reactor, waits_until_the_deadline_and_not_less)
{
	struct reactor *r = reactor_new();
	int64_t deadline = clock_now() + 5 * MS;
	cr_assert(reactor_pass(r, deadline) == 0);
	cr_assert(clock_now() >= deadline);
	cr_assert(reactor_pass(r, 0) == 0, "a deadline in the past does not wait");
	reactor_free(r);
	reactor_free(NULL);
}

Test(reactor, calls_who_is_ready)
{
	struct reactor *r = reactor_new();
	int in[3];
	struct pipe_end p[3];
	for (int i = 0; i < 3; i++) {
		p[i] = add_pipe(r, &in[i]);
		cr_assert(reactor_add(r, NULL, p[i].fd, on_byte, &p[i]) == 0);
	}
	put(in[0]);
	put(in[2]);
	cr_assert(reactor_pass(r, NEVER) == 0);
	cr_assert(p[0].calls == 1 && p[1].calls == 0 && p[2].calls == 1);
	reactor_free(r);
}

struct eater {
	bool *full; /* what one pass may gather */
	int served;
};

static bool on_food(void *arg)
{
	struct eater *e = arg;
	e->served += !*e->full;
	*e->full = true;
	return false;
}

Test(reactor, each_comes_first_in_its_turn)
{
	struct reactor *r = reactor_new();
	bool full;
	struct eater eaters[3];
	for (int i = 0; i < 3; i++) {
		int in;
		struct pipe_end p = add_pipe(r, &in);
		eaters[i] = (struct eater){.full = &full};
		cr_assert(reactor_add(r, NULL, p.fd, on_food, &eaters[i]) == 0);
		put(in);
	}
	for (int pass = 0; pass < 9; pass++) {
		full = false; /* what was gathered is dealt with */
		cr_assert(reactor_pass(r, NEVER) == 0);
	}
	cr_assert(eaters[0].served == 3 && eaters[1].served == 3 && eaters[2].served == 3);
	reactor_free(r);
}

Test(reactor, handlers_may_remove_themselves_and_others)
{
	struct reactor *r = reactor_new();
	int in[3];
	struct pipe_end p[3];
	for (int i = 0; i < 3; i++) {
		p[i] = add_pipe(r, &in[i]);
		cr_assert(reactor_add(r, NULL, p[i].fd, on_byte, &p[i]) == 0);
		put(in[i]);
		put(in[i]);
	}
	p[0].remove_self = true;
	p[0].remove = &p[1];
	cr_assert(reactor_pass(r, NEVER) == 0);
	cr_assert(p[0].calls == 1 && p[1].calls == 0 && p[2].calls == 1, "removed before its turn");
	cr_assert(reactor_pass(r, NEVER) == 0);
	cr_assert(p[0].calls == 1 && p[1].calls == 0 && p[2].calls == 2);
	reactor_free(r);
}

Test(reactor, whoever_leaves_something_is_called_again_without_waiting)
{
	struct reactor *r = reactor_new();
	int in;
	struct pipe_end p = add_pipe(r, &in);
	cr_assert(reactor_add(r, NULL, p.fd, on_byte, &p) == 0);
	put(in);
	p.idle = true;
	cr_assert(reactor_pass(r, NEVER) == 0);
	p.idle = false;
	cr_assert(reactor_pass(r, NEVER) == 0);
	cr_assert(p.calls == 2);
	cr_assert(reactor_pass(r, clock_now() + MS) == 0);
	cr_assert(p.calls == 2);
	reactor_free(r);
}

Test(stop, is_asked_for_by_signals)
{
	struct stop stop;
	cr_assert(stop_open(&stop) == 0);
	cr_assert(kill(getpid(), SIGTERM) == 0);
	cr_assert(!stop.asked, "not before somebody looks");
	stop_look(&stop);
	cr_assert(stop.asked);
	stop.asked = false;
	stop_look(&stop);
	cr_assert(!stop.asked, "one signal, one answer");
	cr_assert(raise(SIGINT) == 0);
	stop_look(&stop);
	cr_assert(stop.asked);
	stop_close(&stop);
}

struct receiver {
	zsock_t *socket;
	int got;
};

/* Two at a time. */
static bool on_message(void *arg)
{
	struct receiver *receiver = arg;
	struct packet packet;
	for (int i = 0; i < 2; i++) {
		if (socket_receive(zsock_resolve(receiver->socket), SOCKET_ROUTER, &packet) != 1)
			return false;
		packet_deinit(&packet);
		receiver->got++;
	}
	return true;
}

Test(reactor, drains_a_socket_over_several_passes)
{
	enum { COUNT = 900 };
	struct reactor *r = reactor_new();
	struct receiver receiver = {.socket = socket_open(SOCKET_ROUTER)};
	zsock_t *dealer = socket_open(SOCKET_DEALER);
	cr_assert(socket_bind(receiver.socket, "127.0.0.1", 21731, 21731) > 0);
	cr_assert(socket_connect(zsock_resolve(dealer), "tcp://127.0.0.1:21731") == 0);
	cr_assert(reactor_add(r, receiver.socket, -1, on_message, &receiver) == 0);

	int64_t deadline = clock_now() + 10 * SECOND;
	int sent = 0;
	while (receiver.got < COUNT && clock_now() < deadline) {
		while (sent < COUNT && socket_send(zsock_resolve(dealer), NULL, 0, "x", 1) == 0)
			sent++;
		cr_assert(reactor_pass(r, clock_now() + MS) == 0);
	}
	cr_assert(receiver.got == COUNT, "%d of %d", receiver.got, sent);
	reactor_remove(r, receiver.socket, -1);
	cr_assert(reactor_pass(r, 0) == 0);
	zsock_destroy(&dealer);
	zsock_destroy(&receiver.socket);
	zsys_shutdown();
	reactor_free(r);
}

static bool has_message(zsock_t *socket)
{
	return zsock_events(socket) & ZMQ_POLLIN;
}

/* libzmq has then been told of the message, and the descriptor is silent. */
Test(reactor, what_was_used_is_asked_before_the_sleep)
{
	struct reactor *r = reactor_new();
	struct receiver receiver = {.socket = socket_open(SOCKET_ROUTER)};
	zsock_t *dealer = socket_open(SOCKET_DEALER);
	int64_t deadline = clock_now() + 10 * SECOND;
	cr_assert(socket_bind(receiver.socket, "127.0.0.1", 21731, 21739) > 0);
	cr_assert(socket_connect(zsock_resolve(dealer), zsock_endpoint(receiver.socket)) == 0);
	cr_assert(reactor_add(r, receiver.socket, -1, on_message, &receiver) == 0);
	cr_assert(reactor_pass(r, 0) == 0);
	while (socket_send(zsock_resolve(dealer), NULL, 0, "x", 1) != 0)
		cr_assert(clock_now() < deadline);
	while (!has_message(receiver.socket))
		cr_assert(clock_now() < deadline);
	reactor_touch(r, dealer); /* is not here */
	reactor_touch(r, receiver.socket);
	cr_assert(reactor_pass(r, deadline) == 0);
	cr_assert(receiver.got == 1 && clock_now() < deadline);
	zsock_destroy(&dealer);
	zsock_destroy(&receiver.socket);
	zsys_shutdown();
	reactor_free(r);
}

Test(reactor, who_rests_wakes_nobody)
{
	struct reactor *r = reactor_new();
	struct receiver receiver = {.socket = socket_open(SOCKET_ROUTER)};
	zsock_t *dealer = socket_open(SOCKET_DEALER);
	int64_t deadline = clock_now() + 10 * SECOND, until = clock_now() + 30 * MS;
	cr_assert(socket_bind(receiver.socket, "127.0.0.1", 21731, 21739) > 0);
	cr_assert(socket_connect(zsock_resolve(dealer), zsock_endpoint(receiver.socket)) == 0);
	cr_assert(reactor_add(r, receiver.socket, -1, on_message, &receiver) == 0);
	reactor_rest(r, receiver.socket, until);
	reactor_rest(r, dealer, until); /* is not here */
	while (socket_send(zsock_resolve(dealer), NULL, 0, "x", 1) != 0)
		cr_assert(clock_now() < deadline);
	while (receiver.got == 0 && clock_now() < deadline)
		cr_assert(reactor_pass(r, deadline) == 0);
	cr_assert(receiver.got == 1 && clock_now() >= until && clock_now() < deadline);

	reactor_rest(r, receiver.socket, deadline);
	cr_assert(socket_send(zsock_resolve(dealer), NULL, 0, "x", 1) == 0);
	while (!has_message(receiver.socket))
		cr_assert(clock_now() < deadline);
	reactor_touch(r, receiver.socket);
	cr_assert(reactor_pass(r, 0) == 0);
	cr_assert(receiver.got == 1, "it is not asked either");
	reactor_resume(r);
	cr_assert(reactor_pass(r, 0) == 0);
	cr_assert(receiver.got == 1, "it has a time of its own");
	reactor_rest(r, receiver.socket, 0);
	cr_assert(reactor_pass(r, deadline) == 0);
	cr_assert(receiver.got == 2 && clock_now() < deadline);

	reactor_rest(r, receiver.socket, NEVER);
	cr_assert(socket_send(zsock_resolve(dealer), NULL, 0, "x", 1) == 0);
	cr_assert(reactor_pass(r, clock_now() + 30 * MS) == 0);
	cr_assert(receiver.got == 2);
	reactor_resume(r);
	while (receiver.got == 2 && clock_now() < deadline)
		cr_assert(reactor_pass(r, deadline) == 0);
	cr_assert(receiver.got == 3 && clock_now() < deadline);
	zsock_destroy(&dealer);
	zsock_destroy(&receiver.socket);
	zsys_shutdown();
	reactor_free(r);
}
