/* SPDX-License-Identifier: MIT */
#include "client/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "client/kept.h"
#include "client/question.h"
#include "client/token.h"
#include "core/courier_route.h"
#include "wire/batch_builder.h"
#include "wire/key.h"

#define SCRATCH_KEPT 65536

_Static_assert(BATCH_HEADER_MAX <= PARCEL_HEADROOM, "a header fits before the events");

static void send_server(struct agent *a, const struct message *message)
{
	bytes_clear(&a->scratch);
	message_encode(message, &a->scratch);
	if (!bytes_failed(&a->scratch))
		a->io.send_server(a->io.arg, a->scratch.data, a->scratch.size);
}

static void send_leader(struct agent *a, size_t leader, const struct message *message)
{
	bytes_clear(&a->scratch);
	message_encode(message, &a->scratch);
	if (!bytes_failed(&a->scratch))
		a->io.send_leader(a->io.arg, leader, a->scratch.data, a->scratch.size);
}

static struct message hello(bool wants_session)
{
	return (struct message){.type = MESSAGE_HELLO,
				.hello = {.version = PROTOCOL_VERSION, .wants_session = wants_session}};
}

/* A leader forgets connections that rest, and may have restarted: greet it before each question. */
static void ask_leader(struct agent *a, size_t leader, const struct message *message)
{
	struct message greeting = hello(false);
	send_leader(a, leader, &greeting);
	send_leader(a, leader, message);
}

void agent_name_server(struct agent *a, const char *name, size_t size)
{
	const char *endpoint = agent_server_endpoint(a);
	if (size && *endpoint)
		snprintf(a->server_text, sizeof a->server_text, "%.*s (%s)", (int)size, name, endpoint);
	else
		snprintf(a->server_text, sizeof a->server_text, "%s", endpoint);
}

/* What the courier wants. */

static void on_use_server(void *arg, const struct courier_server *server)
{
	struct agent *a = arg;
	agent_name_server(a, server ? server->name : "", server ? strlen(server->name) : 0);
	a->io.use_server(a->io.arg, server ? server->client_endpoint : "");
	watches_use_server(a);
}

static void on_send_hello(void *arg, bool wants_session)
{
	struct message m = hello(wants_session);
	send_server(arg, &m);
}

static void on_send_ping(void *arg)
{
	struct message m = {.type = MESSAGE_PING};
	send_server(arg, &m);
}

static void on_send_batch(void *arg, struct session session, struct parcel *p)
{
	struct agent *a = arg;
	uint8_t *events = p->content.data + PARCEL_HEADROOM;
	if (p->header_size == 0) {
		uint8_t header[BATCH_HEADER_MAX];
		p->header_size = batch_header_encode(header, session, a->courier.proof, p->seq, p->events);
		memcpy(events - p->header_size, header, p->header_size);
	}
	a->io.send_server(a->io.arg, events - p->header_size,
			  p->content.size - PARCEL_HEADROOM + p->header_size);
}

static void on_send_close(void *arg, struct session session)
{
	struct agent *a = arg;
	struct message m = {.type = MESSAGE_CLOSE, .close = {session, a->courier.proof}};
	send_server(a, &m);
}

static void on_send_assign(void *arg, size_t leader, bool wants_session, struct node lost)
{
	struct agent *a = arg;
	struct message m = {.type = MESSAGE_ASSIGN, .assign = {.wants_session = wants_session, .lost = lost}};
	a->leader_asked_at = a->now;
	ask_leader(a, leader, &m);
}

/* Every position twice is no harm: the server waits for all. */
static size_t positions_of(const struct agent *a, const struct question *r, struct position *out)
{
	size_t own = a->courier.position_count;
	memcpy(out, a->courier.positions, own * sizeof *out);
	if (r->after_count)
		memcpy(out + own, r->after, r->after_count * sizeof *out);
	return own + r->after_count;
}

static void on_send_request(void *arg, const struct courier_request *base, size_t leader)
{
	struct agent *a = arg;
	const struct question *r = (const struct question *)base;
	struct message m = {.type = r->type};
	struct position positions[2 * LIMIT_POSITIONS];
	switch (r->type) {
	case MESSAGE_COUNT:
	case MESSAGE_WATCH: /* laid out like it */
		m.count.id = base->id;
		m.count.keys = r->texts;
		m.count.key_count = r->text_count;
		m.count.positions = positions;
		m.count.position_count = positions_of(a, r, positions);
		break;
	case MESSAGE_TOP:
		m.top.id = base->id;
		m.top.n = r->n;
		break;
	case MESSAGE_ASSIGN:
		if (!base->of_leader) { /* a server gives one with its welcome */
			on_send_hello(a, true);
			return;
		}
		m.assign.wants_session = true;
		m.assign.lifetime = r->n;
		break;
	case MESSAGE_FORGET:
	case MESSAGE_DRAIN: /* laid out like it */
		m.forget.id = base->id;
		m.forget.target = r->texts[0];
		break;
	default: /* STATUS, METRICS: laid out like it */
		m.status.id = base->id;
		break;
	}
	if (base->of_leader) {
		a->leader_asked_at = a->now;
		ask_leader(a, leader, &m);
	} else {
		send_server(a, &m);
	}
}

static void on_result(void *arg, const struct kudos_result *result)
{
	struct agent *a = arg;
	a->io.result(a->io.arg, result);
}

/* The agent's life. */

struct agent *agent_new(const struct agent_options *options, const struct agent_io *io)
{
	struct agent *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->options = *options;
	a->io = *io;
	a->leader_asked_at = a->leader_heard_at = a->server_heard_at = -1;
	struct courier_server direct = {0};
	if (options->server)
		strncpy(direct.client_endpoint, options->server, sizeof direct.client_endpoint - 1);
	const struct courier_options rules = {
	    .leader_count = options->leader_count,
	    .direct = options->server ? &direct : NULL,
	    .seed = options->seed,
	    .linger_us = options->linger_us,
	};
	const struct courier_ops ops = {
	    .arg = a,
	    .use_server = on_use_server,
	    .send_hello = on_send_hello,
	    .send_ping = on_send_ping,
	    .send_batch = on_send_batch,
	    .send_close = on_send_close,
	    .send_assign = on_send_assign,
	    .send_request = on_send_request,
	    .send_relayed = kept_send,
	    .relayed = kept_relayed,
	    .result = on_result,
	};
	courier_init(&a->courier, &rules, &ops);
	return a;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	while (a->courier.requests)
		free(courier_take_request(&a->courier, a->courier.requests->id, false));
	kept_free_all(a);
	courier_deinit(&a->courier);
	watches_deinit(&a->watches);
	bytes_deinit(&a->scratch);
	many_deinit(&a->gathered);
	free(a);
}

/* Likes. */

int agent_send(struct agent *a, int64_t now, const char *key, size_t size, int64_t n, uint64_t *ticket)
{
	int r = key_check(key, size);
	if (r)
		return r;
	if (n == 0 || n > LIMIT_AMOUNT || n < -LIMIT_AMOUNT)
		return KUDOS_BAD_AMOUNT;
	uint8_t event[BATCH_EVENT_MAX];
	r = courier_add(&a->courier, now, event, batch_event_encode(event, key, size, (int32_t)n));
	if (r == 0 && ticket)
		*ticket = a->courier.window.taken;
	return r;
}

/* Questions. */

int agent_read(struct agent *a, int64_t now, const char *const *keys, size_t n, const char *token,
	       uint64_t *id)
{
	struct text texts[LIMIT_READ_KEYS];
	struct position after[LIMIT_POSITIONS];
	struct subject about = {.texts = texts, .count = n, .after = after};
	if (n == 0 || n > LIMIT_READ_KEYS)
		return KUDOS_LIMIT;
	if (token && !token_parse(token, after, &about.after_count))
		return KUDOS_BAD_TOKEN;
	for (size_t i = 0; i < n; i++) {
		texts[i] = (struct text){keys[i], strlen(keys[i])};
		int r = key_check(texts[i].data, texts[i].size);
		if (r)
			return r;
	}
	return question_ask(a, now, MESSAGE_COUNT, about, id);
}

int agent_top(struct agent *a, int64_t now, size_t n, uint64_t *id)
{
	if (n == 0 || n > LIMIT_TOP)
		return KUDOS_LIMIT;
	return question_ask(a, now, MESSAGE_TOP, (struct subject){.n = n}, id);
}

int agent_ask(struct agent *a, int64_t now, enum message_type type, uint64_t *id)
{
	return question_ask(a, now, type, (struct subject){0}, id);
}

int agent_ask_of_node(struct agent *a, int64_t now, enum message_type type, const char *target, uint64_t *id)
{
	struct text text = {target, strlen(target)};
	if (text.size == 0 || text.size > LIMIT_NAME)
		return KUDOS_UNKNOWN_NODE;
	return question_ask(a, now, type, (struct subject){.texts = &text, .count = 1}, id);
}

void agent_cancel(struct agent *a, uint64_t id)
{
	struct question *r = question_take(a, id, false);
	if (r)
		free(r);
	else
		free(relay_take_id(&a->courier.relay, id)); /* it is the beginning of what was allocated */
}

/* Time. */

void agent_tick(struct agent *a, int64_t now)
{
	a->now = now;
	watches_tick(a, now);
	courier_tick(&a->courier, now);
	kept_send_gathered(a);
	if (a->scratch.capacity > SCRATCH_KEPT)
		bytes_deinit(&a->scratch);
}

int64_t agent_deadline(const struct agent *a)
{
	return earlier(courier_deadline(&a->courier), watches_deadline(a));
}

/* What there is to know. */

static bool asks_leader(const struct agent *a)
{
	for (const struct courier_request *r = a->courier.requests; r; r = r->next) {
		if (r->of_leader)
			return true;
	}
	return false;
}

int agent_why(const struct agent *a, int64_t since)
{
	bool server_silent = a->server_heard_at < since;
	if (a->bad_version)
		return KUDOS_BAD_VERSION;
	if (a->courier.direct)
		return server_silent ? KUDOS_NO_SERVER : KUDOS_TIMEOUT;
	if (a->leader_asked_at >= since && a->leader_heard_at < since && (server_silent || asks_leader(a)))
		return KUDOS_NO_LEADER;
	return a->no_server && server_silent ? KUDOS_NO_SERVER : KUDOS_TIMEOUT;
}

const char *agent_server_endpoint(const struct agent *a)
{
	const struct courier_server *server = route_server(&a->courier);
	return server ? server->client_endpoint : "";
}
