/* SPDX-License-Identifier: MIT */
#include "core/courier_route.h"

#include <string.h>

#include "base/time.h"

#define LEADER_PATIENCE (300 * MS) /* then the next one is asked */
#define PING_AFTER (250 * MS)	   /* of silence, and again as often */
#define LOST_AFTER (1000 * MS)	   /* of silence, at least three pings of it unanswered */
#define BACKOFF_LEAST (100 * MS)   /* between two rounds through all servers */
#define BACKOFF_MOST (1000 * MS)

void route_init(struct courier *c, const struct courier_options *options)
{
	c->leader_count = options->leader_count;
	c->backoff = BACKOFF_LEAST;
	c->waiting_since = NEVER;
	c->first_ping = NEVER;
	if (options->direct) {
		c->direct = true;
		c->servers[0] = *options->direct;
		c->server_count = 1;
	}
}

static bool needs_server(const struct courier *c)
{
	if (c->closing)
		return !c->closed;
	if (!window_idle(&c->window) || c->relay.count)
		return true;
	for (const struct courier_request *r = c->requests; r; r = r->next) {
		if (!r->of_leader)
			return true;
	}
	return false;
}

static bool needs_session(const struct courier *c)
{
	return c->session.number == 0 && !window_idle(&c->window) && !c->closing;
}

/* An answer of a leader may come twice, and late: a number that was used once must never be used again (I5).
 * Numbers of one issuer only go up, so the highest is all that needs remembering. */
bool route_first_use(struct courier *c, struct session session)
{
	for (size_t i = 0; i < c->used_count; i++) {
		if (c->used[i].issuer != session.issuer)
			continue;
		if (session.number <= c->used[i].number)
			return false;
		c->used[i].number = session.number;
		return true;
	}
	if (c->used_count == LIMIT_ISSUERS)
		memmove(&c->used[0], &c->used[1], --c->used_count * sizeof c->used[0]);
	c->used[c->used_count++] = session;
	return true;
}

/* One that was offered, if it is needed and was never used. */
static void take_session(struct courier *c, int64_t now, struct session session, struct proof proof)
{
	if (!session.issuer || !session.number || !needs_session(c) || !route_first_use(c, session))
		return;
	c->session = session;
	c->proof = proof;
	c->active_at = now;
	c->unknown_since = NEVER;
	window_begin_session(&c->window);
}

const struct courier_server *route_server(const struct courier *c)
{
	return c->state == COURIER_NONE ? NULL : &c->servers[c->at];
}

static void greet(struct courier *c, int64_t now)
{
	c->state = COURIER_GREETING;
	c->waiting_since = c->first_ping = now;
	c->next_ping = now + PING_AFTER;
	c->ops.send_hello(c->ops.arg, c->direct && needs_session(c));
}

static void use(struct courier *c, int64_t now, size_t at)
{
	c->at = at;
	c->state = COURIER_GREETING; /* before the driver asks route_server() */
	c->ops.use_server(c->ops.arg, &c->servers[at]);
	greet(c, now);
}

static void lose(struct courier *c, int64_t now)
{
	c->stirred = true;
	if (!c->direct) {
		c->lost = c->servers[c->at].node;
		c->refresh = true;
		c->ask_at = earlier(c->ask_at, now);
	}
	/* A new list may put the server in use first at any time: the losses, not the place in the list,
	 * say when all have been tried. */
	c->losses++;
	if (c->at + 1 < c->server_count && c->losses < c->server_count) {
		use(c, now, c->at + 1);
		return;
	}
	c->state = COURIER_NONE;
	c->at = 0;
	c->losses = 0;
	c->retry_at = now + c->backoff;
	c->backoff = earlier(c->backoff * 2, BACKOFF_MOST);
	c->ops.use_server(c->ops.arg, NULL);
}

void route_progress(struct courier *c)
{
	c->losses = 0;
	c->backoff = BACKOFF_LEAST;
}

void route_heard(struct courier *c, int64_t now)
{
	c->heard_at = now;
	/* While greeting, only the welcome ends the waiting. */
	if (c->state == COURIER_READY)
		c->first_ping = NEVER;
}

/* Everything unanswered is to be sent again, to whom it was never sent or who may have lost it. */
static void all_due(struct courier *c)
{
	uint64_t serial = 0;
	struct parcel *p;
	while ((p = window_walk(&c->window, &serial))) {
		p->due = 0;
		p->tries = 0;
	}
	for (struct courier_request *r = c->requests; r; r = r->next) {
		if (r->of_leader)
			continue;
		r->due = 0;
		r->tries = 0;
	}
	relay_all_due(&c->relay);
	c->parcel_at = 0;
	c->resume_at = 0;
}

void route_welcome(struct courier *c, int64_t now, struct session session, struct proof proof, bool serving)
{
	if (c->state == COURIER_NONE)
		return;
	c->stirred = true;
	if (!serving && !c->direct) { /* the only one there is can still tell its status */
		lose(c, now);
		return;
	}
	take_session(c, now, session, proof);
	if (c->state == COURIER_READY)
		return;
	c->state = COURIER_READY;
	c->first_ping = NEVER;
	all_due(c);
}

void route_no_hello(struct courier *c, int64_t now)
{
	/* Each of many messages is answered so: one hello is enough. */
	if (c->state == COURIER_READY)
		greet(c, now);
	c->stirred = true;
}

/* Of the only one there is, what was unanswered is sent again as soon as it is back. */
void route_disconnected(struct courier *c, int64_t now)
{
	if (c->direct)
		route_no_hello(c, now);
	else if (c->state != COURIER_NONE)
		lose(c, now);
}

void route_not_serving(struct courier *c, int64_t now)
{
	if (c->state != COURIER_NONE)
		lose(c, now);
}

/* Takes over the list; the server in use stays so, and becomes its first. */
static void adopt(struct courier *c, const struct courier_server *servers, size_t count)
{
	size_t kept = 0;
	if (c->state != COURIER_NONE) {
		if (c->at != 0)
			c->servers[0] = c->servers[c->at];
		kept = 1;
	}
	c->at = 0;
	c->server_count = kept;
	for (size_t i = 0; i < count && c->server_count < LIMIT_OFFERED; i++) {
		if (kept && node_equal(servers[i].node, c->servers[0].node))
			continue;
		c->servers[c->server_count++] = servers[i];
	}
}

void route_assigned(struct courier *c, int64_t now, struct session session, struct proof proof,
		    const struct courier_server *servers, size_t count)
{
	if (c->direct)
		return;
	c->stirred = true;
	if (count == 0) {
		route_no_server(c, now);
		return;
	}
	take_session(c, now, session, proof);
	adopt(c, servers, count);
	c->refresh = false;
	c->lost = (struct node){0};
	c->asks = 0;
	c->ask_at = now;
}

void route_no_server(struct courier *c, int64_t now)
{
	/* The list that is known stays: a leader that has just started knows less than it. */
	c->stirred = true;
	c->ask_at = now + LEADER_PATIENCE;
}

/* Whether something is asked of the leader (or, with none, of the server: a session). */
static bool asking(const struct courier *c)
{
	if (c->closing)
		return false;
	if (c->direct)
		return c->state == COURIER_READY && needs_session(c);
	return needs_session(c) || (needs_server(c) && (c->server_count == 0 || c->refresh));
}

static bool leader_overdue(const struct courier *c, int64_t now)
{
	if (asking(c) && c->asks && c->ask_at <= now)
		return true;
	for (const struct courier_request *r = c->requests; r; r = r->next) {
		if (r->of_leader && r->tries && r->due <= now)
			return true;
	}
	return false;
}

static void ask(struct courier *c, int64_t now)
{
	if (c->leader_count && leader_overdue(c, now))
		c->leader = (c->leader + 1) % c->leader_count;
	if (!asking(c)) {
		c->asks = 0;
		c->ask_at = now;
		return;
	}
	if (c->ask_at > now)
		return;
	bool session = needs_session(c);
	if (!c->direct)
		c->ops.send_assign(c->ops.arg, c->leader, session, c->lost);
	/* With every leader away a server gives a session as well. */
	if (session && c->state == COURIER_READY && (c->direct || c->asks >= c->leader_count))
		c->ops.send_hello(c->ops.arg, true);
	c->asks++;
	c->ask_at = now + LEADER_PATIENCE;
}

static bool awaits_server(const struct courier *c)
{
	if (c->state == COURIER_GREETING || window_in_flight(&c->window) || c->relay.count ||
	    (c->closing && !c->closed))
		return true;
	for (const struct courier_request *r = c->requests; r; r = r->next) {
		if (!r->of_leader)
			return true;
	}
	return false;
}

/* How long the silence may last after the first ping: it alone can be lost, and a driver that slept past all
 * deadlines has to give the answer its time. */
static int64_t lost_at(const struct courier *c)
{
	return c->first_ping + (c->state == COURIER_GREETING ? LOST_AFTER : LOST_AFTER - PING_AFTER);
}

static int64_t quiet_since(const struct courier *c)
{
	return c->heard_at > c->waiting_since ? c->heard_at : c->waiting_since;
}

void route_judge_silence(struct courier *c, int64_t now)
{
	if (c->state == COURIER_NONE || !awaits_server(c)) {
		c->waiting_since = c->first_ping = NEVER;
		return;
	}
	if (c->waiting_since == NEVER)
		c->waiting_since = now;
	if (c->first_ping == NEVER) {
		if (now < quiet_since(c) + PING_AFTER)
			return;
		c->first_ping = now;
	} else if (now >= lost_at(c)) {
		lose(c, now);
		return;
	} else if (now < c->next_ping) {
		return;
	}
	c->next_ping = now + PING_AFTER;
	if (c->state == COURIER_GREETING)
		c->ops.send_hello(c->ops.arg, c->direct && needs_session(c));
	else
		c->ops.send_ping(c->ops.arg);
}

void route_tick(struct courier *c, int64_t now)
{
	if (c->state == COURIER_NONE && c->server_count && c->retry_at <= now && needs_server(c))
		use(c, now, 0);
	ask(c, now);
}

int64_t route_deadline(const struct courier *c)
{
	int64_t at = NEVER;
	if (asking(c))
		at = earlier(at, c->ask_at);
	if (c->state == COURIER_NONE) {
		if (c->server_count && needs_server(c))
			at = earlier(at, c->retry_at);
	} else if (awaits_server(c)) {
		if (c->first_ping != NEVER)
			at = earlier(at, earlier(lost_at(c), c->next_ping));
		else if (c->waiting_since != NEVER)
			at = earlier(at, quiet_since(c) + PING_AFTER);
		else
			at = 0;
	}
	return at;
}
