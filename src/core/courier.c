/* SPDX-License-Identifier: MIT */
#include "core/courier.h"

#include <string.h>

#include "base/time.h"
#include "core/courier_route.h"

#define SESSION_IDLE (60 * SECOND) /* then it is closed: long before a server would close it by itself */
/* Though pongs arrive: a message was lost. Later than a server counts as silent; doubled each further time.
 */
#define RESEND_AFTER (1100 * MS)
#define RESEND_DOUBLINGS 3
#define BUSY_LEAST (20 * MS)
#define BUSY_MOST (500 * MS)
#define ANSWER_PATIENCE (300 * MS) /* a leader's, to a request */
#define CLOSE_AGAIN (200 * MS)
#define UNKNOWN_PATIENCE (600 * SECOND)

void courier_init(struct courier *c, const struct courier_options *options, const struct courier_ops *ops)
{
	*c = (struct courier){.ops = *ops, .linger = options->linger_us, .unknown_since = NEVER};
	c->requests_end = &c->requests;
	c->busy_backoff = BUSY_LEAST;
	window_init(&c->window);
	relay_init(&c->relay, options->seed);
	route_init(c, options);
}

void courier_deinit(struct courier *c)
{
	window_deinit(&c->window);
	relay_deinit(&c->relay);
}

int courier_add(struct courier *c, int64_t now, const void *event, size_t size)
{
	int r = window_add(&c->window, now, event, size);
	/* The tick that follows has work only for the first of a batch (it may need a server, a session, a
	 * timer) and for the last. */
	if (r == 0 && (c->window.open->events == 1 || window_full(&c->window)))
		c->stirred = true;
	return r;
}

void courier_push(struct courier *c)
{
	c->pushed = true;
	c->stirred = true;
}

int courier_ask(struct courier *c, struct courier_request *request)
{
	if (c->request_count >= LIMIT_REQUESTS)
		return KUDOS_BUSY;
	request->next = NULL;
	request->due = 0;
	request->tries = 0;
	*c->requests_end = request;
	c->requests_end = &request->next;
	c->request_count++;
	c->stirred = true;
	return 0;
}

struct courier_request *courier_take_request(struct courier *c, uint64_t id, bool answered)
{
	struct courier_request **at = &c->requests;
	while (*at && (*at)->id != id)
		at = &(*at)->next;
	struct courier_request *found = *at;
	if (!found)
		return NULL;
	*at = found->next;
	if (c->requests_end == &found->next)
		c->requests_end = at;
	c->request_count--;
	c->stirred = true;
	if (answered && !found->of_leader)
		route_progress(c);
	return found;
}

void courier_postpone(struct courier *c, int64_t now, uint64_t id)
{
	for (struct courier_request *r = c->requests; r; r = r->next) {
		if (r->id == id)
			r->due = now + BUSY_MOST;
	}
}

void courier_close(struct courier *c)
{
	c->closing = true;
	c->stirred = true;
	/* A session in which nothing was ever sent is known to nobody. */
	c->closed = c->session.number == 0 || c->window.numbered == c->window.base + 1;
}

int courier_relay(struct courier *c, struct relayed *item)
{
	c->stirred = true;
	return relay_add(&c->relay, item);
}

static enum relay_part concerned(int error)
{
	switch (error) {
	case KUDOS_OK:
	case KUDOS_EXPIRED:
	case KUDOS_NOT_ISSUED:
	case KUDOS_UNKNOWN_SESSION:
		return RELAY_ALL;
	case KUDOS_NOT_COUNTED:
		return RELAY_ASKS;
	default: /* what is wrong with a content */
		return RELAY_SENDS;
	}
}

/* For the one of that name that is on its way. */
static void relay_answered(struct courier *c, struct session session, uint64_t seq, int error)
{
	struct relayed *item = relay_take(&c->relay, session, seq, concerned(error));
	if (!item)
		return;
	c->stirred = true;
	if (error == KUDOS_OK)
		route_progress(c);
	c->ops.relayed(c->ops.arg, item, error);
}

/* However wide the range is that a server tells. */
static void relay_acked(struct courier *c, struct session session, uint64_t lo, uint64_t hi)
{
	if (hi - lo < c->relay.count) {
		for (uint64_t seq = lo; seq <= hi && seq >= lo; seq++)
			relay_answered(c, session, seq, KUDOS_OK);
		return;
	}
	for (uint64_t seq; (seq = relay_lowest(&c->relay, session, lo, hi)); lo = seq + 1)
		relay_answered(c, session, seq, KUDOS_OK);
}

void courier_session_closed(struct courier *c, struct session session)
{
	relay_answered(c, session, 0, KUDOS_OK);
	if (c->closing && session_equal(session, c->session))
		c->closed = true;
}

void courier_acked(struct courier *c, int64_t now, struct session session, uint64_t lo, uint64_t hi)
{
	if (!session_equal(session, c->session)) {
		relay_acked(c, session, lo, hi);
		return;
	}
	if (!window_resolve(&c->window, lo, hi, KUDOS_OK, c->ops.result, c->ops.arg))
		return;
	c->active_at = now;
	c->unknown_since = NEVER;
	c->busy_backoff = BUSY_LEAST;
	c->stirred = true;
	route_progress(c);
}

void courier_position(struct courier *c, struct position position)
{
	for (size_t i = 0; i < c->position_count; i++) {
		if (!origin_equal(c->positions[i].origin, position.origin))
			continue;
		if (c->positions[i].lsn < position.lsn)
			c->positions[i].lsn = position.lsn;
		return;
	}
	if (c->position_count == LIMIT_POSITIONS)
		memmove(&c->positions[0], &c->positions[1], --c->position_count * sizeof position);
	c->positions[c->position_count++] = position;
}

/* The session is over. Whatever was sent in it may have been counted: it is never sent again. */
static void expire(struct courier *c)
{
	window_resolve(&c->window, 0, UINT64_MAX, KUDOS_IN_DOUBT, c->ops.result, c->ops.arg);
	c->session = (struct session){0};
	c->closed = c->closing;
}

/* The server does not know yet who issued the session: another may, or this one will have heard before long.
 * It is not so for ever: servers, too, close a session that nothing is heard of for so long. */
static void unknown_session(struct courier *c, int64_t now)
{
	if (c->unknown_since == NEVER)
		c->unknown_since = now;
	if (now - c->unknown_since >= UNKNOWN_PATIENCE)
		expire(c);
	else
		route_not_serving(c, now);
}

/* Whether a batch is not counted, and will not be whenever it comes; or for expired and not issued: whether
 * it was will not be known. */
static bool is_final(int error)
{
	switch (error) {
	case KUDOS_EXPIRED:
	case KUDOS_NOT_ISSUED:
	case KUDOS_BAD_KEY:
	case KUDOS_BAD_AMOUNT:
	case KUDOS_TOO_LARGE:
	case KUDOS_LIMIT:
	case KUDOS_PROTOCOL:
	case KUDOS_CONFLICT:
	case KUDOS_NOT_COUNTED:
		return true;
	default:
		return false;
	}
}

static void hold_back(struct courier *c, int64_t now, uint64_t seq)
{
	struct parcel *p = window_find(&c->window, seq);
	if (!p)
		return;
	/* One pause, however many of the batches in flight are refused at once. */
	if (now >= c->resume_at) {
		c->resume_at = now + c->busy_backoff;
		c->busy_backoff = earlier(c->busy_backoff * 2, BUSY_MOST);
	}
	p->due = c->resume_at;
	p->tries = 0;
	c->parcel_at = earlier(c->parcel_at, p->due);
}

/* What may pass is left to be sent again; a session that is strange here may be so everywhere, and is no
 * reason to move with all that others want. */
static void relay_refused(struct courier *c, int64_t now, struct session session, uint64_t seq, int error)
{
	if (error == KUDOS_NOT_SERVING)
		route_not_serving(c, now);
	else if (error == KUDOS_NO_HELLO)
		route_no_hello(c, now);
	else if (is_final(error) ||
		 (error == KUDOS_UNKNOWN_SESSION && relay_is_strange(&c->relay, session, seq)))
		relay_answered(c, session, seq, error);
}

void courier_refused(struct courier *c, int64_t now, struct session session, uint64_t seq, int error)
{
	if (!session_equal(session, c->session)) {
		relay_refused(c, now, session, seq, error);
		return;
	}
	c->stirred = true;
	switch (error) {
	case KUDOS_EXPIRED:
	case KUDOS_NOT_ISSUED:
		expire(c);
		return;
	case KUDOS_UNKNOWN_SESSION:
		unknown_session(c, now);
		return;
	case KUDOS_NOT_SERVING:
		route_not_serving(c, now);
		return;
	case KUDOS_NO_HELLO:
		route_no_hello(c, now);
		return;
	default:
		if (!is_final(error)) /* busy, or trouble that may pass */
			hold_back(c, now, seq);
		else if (window_find(&c->window, seq))
			window_resolve(&c->window, seq, seq, error, c->ops.result, c->ops.arg);
	}
}

static bool can_send(const struct courier *c)
{
	return c->state == COURIER_READY && c->session.number && !c->closing;
}

/* The open batch goes when it is full or old enough; while nothing can be sent it goes on gathering. */
static void gather(struct courier *c, int64_t now)
{
	struct window *w = &c->window;
	if (w->open && can_send(c) && now >= c->resume_at &&
	    (c->pushed || window_full(w) || now - w->open->opened_at >= c->linger))
		window_close(w);
	if (!w->open)
		c->pushed = false;
}

static void send_parcel(struct courier *c, int64_t now, struct parcel *p)
{
	unsigned doublings = p->tries < RESEND_DOUBLINGS ? p->tries : RESEND_DOUBLINGS;
	p->due = now + (RESEND_AFTER << doublings);
	p->tries++;
	c->active_at = now;
	c->ops.send_batch(c->ops.arg, c->session, p);
}

static void send_batches(struct courier *c, int64_t now)
{
	if (!can_send(c) || now < c->resume_at)
		return;
	struct parcel *p;
	if (now >= c->parcel_at) {
		c->parcel_at = NEVER;
		uint64_t serial = 0;
		while ((p = window_walk(&c->window, &serial))) {
			if (p->due <= now)
				send_parcel(c, now, p);
			c->parcel_at = earlier(c->parcel_at, p->due);
		}
	}
	while ((p = window_number(&c->window))) {
		send_parcel(c, now, p);
		c->parcel_at = earlier(c->parcel_at, p->due);
	}
}

static void send_requests(struct courier *c, int64_t now)
{
	for (struct courier_request *r = c->requests; r; r = r->next) {
		if (r->due > now || (!r->of_leader && c->state != COURIER_READY))
			continue;
		unsigned doublings = r->tries < RESEND_DOUBLINGS ? r->tries : RESEND_DOUBLINGS;
		r->due = now + (r->of_leader ? ANSWER_PATIENCE : RESEND_AFTER << doublings);
		r->tries++;
		c->ops.send_request(c->ops.arg, r, c->leader);
	}
}

static void send_relayed(struct courier *c, int64_t now)
{
	struct relayed *item;
	while (c->state == COURIER_READY && (item = relay_next(&c->relay, now)))
		c->ops.send_relayed(c->ops.arg, item);
}

static bool session_rests(const struct courier *c)
{
	return c->session.number && !c->closing && !window_in_flight(&c->window);
}

/* Also what keeps a like from going into a session that has long been left alone: the driver may have slept.
 */
static void close_idle_session(struct courier *c, int64_t now)
{
	if (!session_rests(c) || now - c->active_at < SESSION_IDLE)
		return;
	if (c->state == COURIER_READY)
		c->ops.send_close(c->ops.arg, c->session);
	c->session = (struct session){0};
}

void courier_tick(struct courier *c, int64_t now)
{
	c->stirred = false;
	close_idle_session(c, now);
	route_tick(c, now);
	gather(c, now);
	send_batches(c, now);
	send_relayed(c, now);
	send_requests(c, now);
	if (c->closing && !c->closed && c->state == COURIER_READY && c->close_at <= now) {
		c->close_at = now + CLOSE_AGAIN;
		c->ops.send_close(c->ops.arg, c->session);
	}
	route_judge_silence(c, now);
}

int64_t courier_deadline(const struct courier *c)
{
	if (c->stirred)
		return 0;
	int64_t at = route_deadline(c);
	const struct window *w = &c->window;
	if (can_send(c)) {
		bool room = w->next - w->first < LIMIT_IN_FLIGHT;
		int64_t send_at = NEVER;
		if (window_in_flight(w))
			send_at = c->parcel_at;
		if (w->open && room)
			send_at = earlier(send_at, c->pushed ? 0 : w->open->opened_at + c->linger);
		if (send_at < c->resume_at)
			send_at = c->resume_at;
		at = earlier(at, send_at);
	}
	for (const struct courier_request *r = c->requests; r; r = r->next) {
		if (r->of_leader || c->state == COURIER_READY)
			at = earlier(at, r->due);
	}
	if (c->state == COURIER_READY)
		at = earlier(at, relay_deadline(&c->relay));
	if (session_rests(c))
		at = earlier(at, c->active_at + SESSION_IDLE);
	if (c->closing && !c->closed && c->state == COURIER_READY)
		at = earlier(at, c->close_at);
	return at;
}
