/* SPDX-License-Identifier: MIT */
#include "server/server.h"

#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/stop.h"
#include "kudos.h"
#include "net/reactor.h"
#include "net/security.h"
#include "net/socket.h"
#include "net/subscribers.h"
#include "net/unread.h"
#include "server/folder.h"
#include "server/links.h"
#include "server/manager.h"
#include "server/peers.h"
#include "store/stream.h"

#define FIRST_PORT 5100
#define DRAIN_MIN (200 * MS)
#define DRAIN_MAX (3500 * MS)
#define HELD_MOST 4096 /* bytes */
#define LAZY MS	       /* so long a peer's record may wait for others, where nobody asks for it */
#define UNREAD_EACH ((size_t)LIMIT_UNREAD_BYTES / 2) /* of answers, and of what is published */

struct leader_dealer {
	struct server *server;
	size_t index;
	zsock_t *dealer;
};

struct server {
	struct notify *notify; /* by reference */
	struct stop stop;
	struct reactor *reactor;
	struct security *security; /* NULL: without CURVE */
	zsock_t *router, *xpub, *sub;
	struct unread *answers, *published;
	struct bytes held; /* a record that is to be published; empty: none */
	bool answered;	   /* somebody, since it came */
	int notify_port;
	struct subscribers subscribers;
	struct links links;
	struct leader_dealer leaders[LIMIT_LEADERS];
	size_t leader_count;
	struct host *host;
	char name[LIMIT_NAME + 1];
	char data[4096];
	int error; /* the first failure of the host: the server stops */
};

/* ---- out ---- */

static void publish_held(struct server *s);

static void send_to_client(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct server *s = arg;
	if (s->answered)
		publish_held(s);
	s->answered = true;
	unread_send(s->answers, zsock_resolve(s->router), clock_now(), id, id_size, data, size);
	reactor_touch(s->reactor, s->router);
}

static void send_to_peer(void *arg, struct node peer, const void *data, size_t size)
{
	const struct server *s = arg;
	struct member_link *link = links_to(&s->links, peer);
	if (!link)
		return;
	socket_send(zsock_resolve(link->dealer), NULL, 0, data, size);
	reactor_touch(s->reactor, link->dealer);
}

static void send_to_leader(void *arg, size_t leader, const void *data, size_t size)
{
	struct server *s = arg;
	socket_send(zsock_resolve(s->leaders[leader].dealer), NULL, 0, data, size);
	reactor_touch(s->reactor, s->leaders[leader].dealer);
}

/* ---- in ---- */

/* Reads what is there, to a cap; handle() gets each message. Whether there may be more. */
static bool drain(struct server *s, zsock_t *from, enum socket_kind kind,
		  int (*handle)(struct server *s, void *arg, int64_t now, struct packet *p), void *arg)
{
	int64_t now = clock_now();
	void *socket = zsock_resolve(from);
	for (int i = 0; i < REACTOR_BURST && s->error == 0 && !host_full(s->host); i++) {
		struct packet p;
		int r = socket_receive(socket, kind, &p);
		if (r == 0)
			return false;
		if (r == -1)
			port_malformed(&s->host->port, now, "somebody", KUDOS_PROTOCOL);
		if (r < 0)
			continue;
		s->error = handle(s, arg, now, &p);
		packet_deinit(&p);
	}
	if (host_blocked(s->host)) /* what does not fit stays with libzmq */
		reactor_rest(s->reactor, from, NEVER);
	return true;
}

static int from_client(struct server *s, void *arg, int64_t now, struct packet *p)
{
	(void)arg;
	int e = unread_heard(s->answers, now, p);
	if (e != 0)
		return e < 0 ? e : 0;
	return host_receive_client(s->host, now, security_role(s->security, &p->frames[1]), p->head,
				   p->head_size, p->body, p->body_size);
}

static bool on_router(void *arg)
{
	struct server *s = arg;
	return drain(s, s->router, SOCKET_ROUTER, from_client, NULL);
}

static int from_publisher(struct server *s, void *arg, int64_t now, struct packet *p)
{
	(void)arg;
	return peers_published(s->host, now, p->body, p->body_size);
}

static bool on_sub(void *arg)
{
	struct server *s = arg;
	bool more = drain(s, s->sub, SOCKET_SUB, from_publisher, NULL);
	/* Records come in company; a vector alone, as of those who have nothing to do, does not. */
	if (!more && s->host->replica.group.incoming_count > 0 && host_is_patient(s->host))
		reactor_rest(s->reactor, s->sub, clock_now() + LAZY);
	return more;
}

/* Whether there may be more. */
static bool on_xpub(void *arg)
{
	struct server *s = arg;
	for (int i = 0; i < REACTOR_BURST && s->error == 0; i++) {
		struct packet p;
		if (socket_receive(zsock_resolve(s->xpub), SOCKET_XPUB, &p) != 1)
			return false;
		int e = subscribers_heard(&s->subscribers, &p.frames[0], p.body, p.body_size,
					  security_role(s->security, &p.frames[0]), s->notify_port);
		s->error =
		    port_malformed(&s->host->port, clock_now(), "a subscriber, and ended its connection", e);
		packet_deinit(&p);
	}
	return s->error == 0;
}

static void publish_now(struct server *s, const void *topic, size_t topic_size, const void *data, size_t size)
{
	/* A subscription takes effect by itself: whose key was taken back is ended first. */
	while (s->security && on_xpub(s))
		;
	unread_publish(s->published, zsock_resolve(s->xpub), topic, topic_size, data, size);
	reactor_touch(s->reactor, s->xpub);
}

static void publish_held(struct server *s)
{
	if (s->held.size > 0)
		publish_now(s, "r", 1, s->held.data, s->held.size);
	bytes_clear(&s->held);
}

/* A record waits for the first answer after it, or the end of the pass: its like is as durable as it will be,
 * and peers that take their turn at the processors would keep its client waiting. Not for more answers:
 * whoever gets one sends the next like, which is then in the way of the record. */
static void publish(void *arg, const void *topic, size_t topic_size, const void *data, size_t size)
{
	struct server *s = arg;
	publish_held(s);
	s->answered = false;
	if (*(const char *)topic == 'r' && size <= HELD_MOST)
		bytes_append(&s->held, data, size);
	if (s->held.size == 0)
		publish_now(s, topic, topic_size, data, size);
}

/* Before there is no room for what others would read. */
static void end_slowest_subscribers(struct server *s, int64_t now)
{
	size_t waiting = unread_bytes(s->published);
	if (waiting >= UNREAD_EACH / 2)
		s->host->port.malformed += subscribers_end_slowest(&s->subscribers, now, s->notify_port,
								   waiting >= UNREAD_EACH / 4 * 3);
}

static int from_peer(struct server *s, void *arg, int64_t now, struct packet *p)
{
	const struct member_link *link = arg;
	return peers_receive(s->host, now, link->node, p->body, p->body_size);
}

static bool on_link(void *arg)
{
	struct member_link *link = arg;
	return drain(link->owner, link->dealer, SOCKET_DEALER, from_peer, link);
}

static int from_leader(struct server *s, void *arg, int64_t now, struct packet *p)
{
	const struct leader_dealer *leader = arg;
	return leaders_receive(s->host, now, leader->index, p->body, p->body_size);
}

static bool on_leader(void *arg)
{
	struct leader_dealer *leader = arg;
	return drain(leader->server, leader->dealer, SOCKET_DEALER, from_leader, leader);
}

static void match_links(void *arg, const struct members *members)
{
	struct server *s = arg;
	links_match(&s->links, members, server_self(s)->node);
}

/* ---- starting ---- */

static bool on_signal(void *arg)
{
	stop_look(arg);
	return false;
}

/* host_flush() after the pass takes what has come. */
static bool on_stream(void *arg)
{
	(void)arg;
	return false;
}

static bool on_zap(void *arg)
{
	security_answer(arg);
	return true;
}

const struct member *server_self(const struct server *s)
{
	return &s->host->replica.config.self;
}

/* The port, or a negative errno that has been logged. */
static int bind_port(zsock_t *socket, const struct options *o, const char *flag, int port, int first)
{
	int e = socket_bind(socket, o->address, port ? port : first, port ? port : SOCKET_PORT_LAST);
	if (e == -EADDRINUSE)
		log_error("port %d on %s is in use: stop who uses it or choose another %s", port, o->address,
			  flag);
	else if (e < 0)
		log_error("cannot listen on %s (%s): %s", o->address, flag, zmq_strerror(-e));
	return e;
}

static int open_host(struct server *s, const struct options *o, int client_port, int notify_port)
{
	const char *address = o->advertise ? o->advertise : o->address;
	struct host_config config = {.replica = {.seed = random_id(),
						 .ack_peers = (unsigned)o->ack_peers,
						 .purges = o->purge_history && !o->keep_history,
						 .lazy = LAZY},
				     .leaders = o->leader_count,
				     .accept_stale = o->accept_stale,
				     .clock = clock_now};
	struct member *self = &config.replica.self;
	self->node.id = random_id();
	random_bytes(&self->secret, sizeof self->secret);
	self->origin.id = random_id();
	self->since = clock_wall_ms();
	self->ephemeral = o->memory_only;
	memcpy(self->name, s->name, sizeof self->name);
	snprintf(self->client_endpoint, sizeof self->client_endpoint, "tcp://%s:%d", address, client_port);
	snprintf(self->notify_endpoint, sizeof self->notify_endpoint, "tcp://%s:%d", address, notify_port);
	struct host_io io = {s, send_to_client, send_to_peer, send_to_leader, publish, match_links};
	struct store *store;
	char error[512];
	int e = folder_open(o, s->name, s->data, sizeof s->data, &store);
	if (e < 0)
		return e;
	int stream = store->stream ? store->stream->ops->descriptor(store->stream) : -1;
	e = host_open(&s->host, &config, store, &io, clock_now(), error, sizeof error);
	if (e < 0)
		log_error("cannot recover from %s: %s", s->data, error);
	return e == 0 && stream >= 0 ? reactor_add(s->reactor, NULL, stream, on_stream, s) : e;
}

static int open_leaders(struct server *s, const struct options *o)
{
	for (size_t i = 0; i < o->leader_count; i++) {
		struct leader_dealer *leader = &s->leaders[i];
		*leader = (struct leader_dealer){s, i, socket_open(SOCKET_DEALER)};
		if (!leader->dealer || security_connect(s->security, leader->dealer) < 0 ||
		    socket_connect(leader->dealer, o->leader[i]) != 0 ||
		    reactor_add(s->reactor, leader->dealer, -1, on_leader, leader) < 0)
			return -errno;
		s->leader_count++;
	}
	return 0;
}

static int open_sockets(struct server *s, const struct options *o)
{
	int e = security_open_server(&s->security, o->key, o->trust);
	if (e < 0)
		return e;
	e = stop_open(&s->stop); /* first: it blocks the signals, and czmq's context starts threads */
	if (e < 0)
		return e;
	socket_begin();
	s->reactor = reactor_new();
	s->answers = unread_new(UNREAD_EACH);
	s->published = unread_new(UNREAD_EACH);
	if (!s->reactor || !s->answers || !s->published)
		return -ENOMEM;
	zsock_t *zap;
	s->router = socket_open(SOCKET_ROUTER);
	s->xpub = socket_open(SOCKET_XPUB);
	s->sub = socket_open(SOCKET_SUB);
	if (!s->router || !s->xpub || !s->sub || security_guard(s->security, &zap) < 0 ||
	    security_listen(s->security, s->router, ROLE_CLIENT) < 0 ||
	    security_listen(s->security, s->xpub, ROLE_SERVER) < 0 ||
	    security_connect(s->security, s->sub) < 0 || socket_subscribe(s->sub, "r", 1) < 0 ||
	    socket_subscribe(s->sub, "v", 1) < 0)
		return -errno;
	if (reactor_add(s->reactor, NULL, s->stop.fd, on_signal, &s->stop) < 0 ||
	    (zap && reactor_add(s->reactor, zap, -1, on_zap, s->security) < 0) ||
	    reactor_add(s->reactor, s->sub, -1, on_sub, s) < 0 ||
	    reactor_add(s->reactor, s->router, -1, on_router, s) < 0 ||
	    reactor_add(s->reactor, s->xpub, -1, on_xpub, s) < 0)
		return -ENOMEM;
	s->links = (struct links){s->reactor, s->security, s->sub, .on_readable = on_link, .owner = s};
	return open_leaders(s, o);
}

struct server *server_new(const struct options *o, struct notify *notify)
{
	int client_port = 0;
	struct server *s = calloc(1, sizeof *s);
	if (s) {
		s->stop.fd = -1;
		s->notify = notify;
		subscribers_init(&s->subscribers);
	}
	int e = s ? open_sockets(s, o) : -ENOMEM;
	if (e < 0)
		log_error("cannot start: %s", zmq_strerror(-e));
	if (e == 0)
		e = client_port = bind_port(s->router, o, "--client-port", o->client_port, FIRST_PORT);
	if (e > 0)
		e = s->notify_port = bind_port(s->xpub, o, "--notify-port", o->notify_port, client_port + 1);
	if (e > 0) {
		unread_bound(s->answers, client_port);
		if (o->name)
			snprintf(s->name, sizeof s->name, "%s", o->name);
		else
			snprintf(s->name, sizeof s->name, "server-%d", client_port);
		log_init(s->name, o->debug);
		notify_status(notify, "recovering");
		e = open_host(s, o, client_port, s->notify_port);
	}
	if (e == 0)
		return s;
	server_free(s);
	return NULL;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	links_close(&s->links);
	for (size_t i = 0; i < s->leader_count; i++)
		zsock_destroy(&s->leaders[i].dealer);
	zsock_destroy(&s->router);
	zsock_destroy(&s->xpub);
	zsock_destroy(&s->sub);
	security_close(s->security);
	zsys_shutdown(); /* before what libzmq may still give back is freed */
	unread_free(s->answers);
	unread_free(s->published);
	reactor_free(s->reactor);
	host_close(&s->host);
	bytes_deinit(&s->held);
	subscribers_deinit(&s->subscribers);
	stop_close(&s->stop);
	free(s);
}

/* ---- running ---- */

/* Who has subscribed, or watches, is told on without saying anything more. So when a key is taken back, all
 * of that ends: whoever is still trusted comes back by itself, and fetches what it missed. */
static void end_all_that_is_told(struct server *s)
{
	subscribers_end_all(&s->subscribers, s->notify_port);
	watch_end_all(&s->host->watching);
}

static int64_t deadline(const struct server *s)
{
	int64_t first = earlier(host_deadline(s->host), security_deadline(s->security));
	return earlier(first, notify_deadline(s->notify));
}

static int step(struct server *s)
{
	int64_t now = clock_now();
	int e = s->error;
	if (security_tick(s->security, now))
		end_all_that_is_told(s);
	if (!host_is_patient(s->host) && !host_blocked(s->host))
		reactor_rest(s->reactor, s->sub, 0);
	end_slowest_subscribers(s, now);
	s->host->port.malformed += unread_ended(s->answers);
	if (e == 0)
		e = host_tick(s->host, now);
	if (e == 0)
		e = host_flush(s->host, now);
	if (!host_blocked(s->host))
		reactor_resume(s->reactor);
	publish_held(s);
	manager_tell(s->notify, s->host, now);
	if (e < 0)
		log_error(
		    "stopping, because the server cannot go on safely: %s%s; what was acknowledged is kept",
		    strerror(-e), e == -ENOSPC ? ": make room on the disk, then start it again" : "");
	if (e == 0 && s->host->forgotten) {
		log_error("stopping: %s (%s)", kudos_error_text(KUDOS_FORGOTTEN),
			  s->data[0] ? s->data : "in memory");
		e = KUDOS_FORGOTTEN;
	}
	return e;
}

/* After the signal, or an operator's word: goes on until nothing is left to do, for a while at least so that
 * clients in the middle of something hear that they are to move, and for so long at most. */
static int drain_out(struct server *s)
{
	int64_t start = clock_now();
	manager_tell_stopping(s->notify);
	host_drain(s->host, start);
	int e = step(s);
	for (int64_t now = start; e == 0 && now < start + DRAIN_MAX; now = clock_now()) {
		if (now >= start + DRAIN_MIN && host_drained(s->host, now))
			break;
		int64_t next = deadline(s);
		int pass = reactor_pass(s->reactor, next < now + 10 * MS ? next : now + 10 * MS);
		e = pass < 0 ? pass : step(s);
	}
	return e;
}

int server_run(struct server *s)
{
	int e = step(s);
	while (e == 0 && !s->stop.asked && !s->host->drains.wanted) {
		int pass = reactor_pass(s->reactor, deadline(s));
		e = pass < 0 ? pass : step(s);
	}
	return e == 0 ? drain_out(s) : e;
}
