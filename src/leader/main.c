/* SPDX-License-Identifier: MIT */
/* kudos-leader: one ROUTER in front of the desk, in czmq's loop. */
#include <czmq.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/notify.h"
#include "daemon/stop.h"
#include "leader/desk.h"
#include "leader/options.h"
#include "net/security.h"
#include "net/socket.h"
#include "net/unread.h"

#define BURST 256	   /* messages in a row, so that ZAP does not starve */
#define LOOK_AGAIN 3600000 /* ms, at the latest */

struct leader {
	zloop_t *loop;
	int timer; /* the next look at what is due; 0: none */
	struct stop stop;
	zsock_t *socket;
	struct unread *answers;
	struct security *security; /* NULL: without CURVE */
	struct desk desk;
	struct notify notify;
	char endpoint[LIMIT_ENDPOINT + 1];
	int64_t complain_after; /* the next log line about a message that was lost to an error */
};

static int send_message(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct leader *leader = arg;
	return unread_send(leader->answers, zsock_resolve(leader->socket), clock_now(), id, id_size, data,
			   size);
}

/* The peer asks again; nothing else is lost with a message. */
static void complain(struct leader *leader, int64_t now, int error)
{
	if (now < leader->complain_after)
		return;
	leader->complain_after = now + 60 * SECOND;
	log_warn("a message could not be handled: %s", zmq_strerror(-error));
}

static void receive(struct leader *leader)
{
	int64_t now = clock_now();
	void *socket = zsock_resolve(leader->socket);
	for (int i = 0; i < BURST; i++) {
		struct packet packet;
		int r = socket_receive(socket, SOCKET_ROUTER, &packet);
		if (r == 0)
			return;
		if (r == 1) {
			r = unread_heard(leader->answers, now, &packet);
			if (r == 0)
				r = desk_receive(
				    &leader->desk, now, security_role(leader->security, &packet.frames[1]),
				    packet.head, packet.head_size, packet.body, packet.body_size);
			packet_deinit(&packet);
		}
		if (r < 0)
			complain(leader, now, r);
	}
}

/* ---- the loop ---- */

static int on_timer(zloop_t *loop, int timer, void *arg);

static int64_t deadline(const struct leader *leader)
{
	int64_t rules = earlier(desk_deadline(&leader->desk), security_deadline(leader->security));
	return earlier(rules, notify_deadline(&leader->notify));
}

/* The service manager. */
static void tell(struct leader *leader, int64_t now)
{
	notify_ready(&leader->notify); /* it is bound, and waits for nobody */
	if (!notify_tick(&leader->notify, now))
		return;
	const struct directory *d = &leader->desk.directory;
	unsigned long long members = 0, up = 0, clients = 0;
	for (size_t i = 0; i < d->members.count; i++) {
		struct load load;
		const struct member *m = &d->members.list[i];
		if (m->forgotten)
			continue;
		members++;
		if (directory_state(d, now, m->node, &load) == SERVER_DOWN)
			continue;
		up += load.serving;
		clients += load.clients;
	}
	notify_status(&leader->notify, "%llu of %llu members serve; they have %llu clients", up, members,
		      clients);
}

/* What is due, and when the next is. zloop counts in milliseconds, and calls a timer of none in the same pass
 * again. */
static int look(struct leader *leader)
{
	int64_t now = clock_now();
	security_tick(leader->security, now);
	desk_tick(&leader->desk, now);
	tell(leader, now);
	leader->desk.port.malformed += unread_ended(leader->answers);
	int64_t left = (deadline(leader) - now) / MS + 1;
	if (leader->timer > 0)
		zloop_timer_end(leader->loop, leader->timer);
	left = left < 1 ? 1 : left > LOOK_AGAIN ? LOOK_AGAIN : left;
	leader->timer = zloop_timer(leader->loop, (size_t)left, 1, on_timer, leader);
	return 0;
}

static int on_timer(zloop_t *loop, int timer, void *arg)
{
	struct leader *leader = arg;
	(void)loop;
	(void)timer;
	leader->timer = 0;
	return look(leader);
}

static int on_readable(zloop_t *loop, zsock_t *socket, void *arg)
{
	struct leader *leader = arg;
	(void)loop;
	(void)socket;
	receive(leader);
	return look(leader);
}

static int on_zap(zloop_t *loop, zsock_t *socket, void *arg)
{
	struct leader *leader = arg;
	(void)loop;
	(void)socket;
	security_answer(leader->security);
	return 0;
}

static int on_stop(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
	struct stop *stop = arg;
	(void)loop;
	(void)item;
	stop_look(stop);
	return stop->asked ? -1 : 0; /* -1 ends the loop */
}

/* ---- starting ---- */

/* 0, or a negative errno that has been logged. */
static int listen_on(struct leader *leader, const char *address, int port)
{
	int r = socket_bind(leader->socket, address, port, port);
	if (r == -EADDRINUSE)
		log_error("port %d on %s is in use: stop the other leader or choose another --port", port,
			  address);
	else if (r == -EADDRNOTAVAIL || r == -ENODEV)
		log_error("%s is not an address of this machine: choose another --bind", address);
	else if (r == -EACCES)
		log_error("port %d is not allowed to this user: choose a --port above 1023", port);
	else if (r < 0)
		log_error("cannot listen on port %d of %s: %s", port, address, zmq_strerror(-r));
	return r < 0 ? r : 0;
}

static int leader_init(struct leader *leader, const struct options *o)
{
	*leader = (struct leader){.stop = {.fd = -1}};
	notify_init(&leader->notify);
	snprintf(leader->endpoint, sizeof leader->endpoint, "tcp://%s:%d", o->address, o->port);
	int r = desk_init(&leader->desk, random_id(), leader->endpoint, send_message, leader);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return r;
	}
	r = security_open_server(&leader->security, o->key, o->trust);
	if (r < 0)
		return r;
	r = stop_open(&leader->stop); /* first: it blocks the signals, and czmq's context starts threads */
	socket_begin();
	leader->loop = zloop_new();
	leader->socket = socket_open(SOCKET_ROUTER);
	leader->answers = unread_new(LIMIT_UNREAD_BYTES / 2);
	zsock_t *zap;
	if (r < 0 || !leader->socket || !leader->answers || security_guard(leader->security, &zap) < 0 ||
	    security_listen(leader->security, leader->socket, ROLE_CLIENT) < 0) {
		r = errno ? -errno : -ENOMEM;
		log_error("cannot start: %s", zmq_strerror(-r));
		return r;
	}
	if (zap)
		zloop_reader(leader->loop, zap, on_zap, leader);
	zloop_reader(leader->loop, leader->socket, on_readable, leader);
	zmq_pollitem_t stop = {.fd = leader->stop.fd, .events = ZMQ_POLLIN};
	zloop_poller(leader->loop, &stop, on_stop, &leader->stop);
	unread_bound(leader->answers, o->port);
	return listen_on(leader, o->address, o->port);
}

static void leader_deinit(struct leader *leader)
{
	zloop_destroy(&leader->loop);
	zsock_destroy(&leader->socket);
	security_close(leader->security);
	zsys_shutdown(); /* before what libzmq may still give back is freed */
	unread_free(leader->answers);
	desk_deinit(&leader->desk);
	notify_deinit(&leader->notify);
	stop_close(&leader->stop);
}

/* 0, or a negative errno. A signal that is none of ours ends zloop, too. */
static int run(struct leader *leader)
{
	int r;
	look(leader);
	do {
		errno = 0;
		r = zloop_start(leader->loop);
	} while (r == 0 && errno == EINTR);
	notify_stopping(&leader->notify);
	return r == 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct options options;
	struct leader leader;
	options_parse(&options, argc, argv);
	log_init("leader", options.debug);
	signal(SIGPIPE, SIG_IGN); /* whoever read the log lines may go first */
	descriptors_allow_many();

	int r = leader_init(&leader, &options);
	if (r == 0) {
		log_info("listening on %s", leader.endpoint);
		r = run(&leader);
		if (r < 0)
			log_error("stopped: %s", zmq_strerror(-r));
		else
			log_info("stopped");
	}
	leader_deinit(&leader);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
