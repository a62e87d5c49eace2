/* SPDX-License-Identifier: MIT */
/* What arrives at a client: checked, and told to the courier or to the user. */
#include "client/agent_receive.h"

#include <stdlib.h>
#include <string.h>

#include "client/agent.h"
#include "client/kept.h"
#include "client/measured.h"
#include "client/question.h"
#include "core/courier_route.h"

/* Cut to what fits; a NUL inside would end it, which the decoder does not let through for names. */
static void copy_text(char *to, size_t room, struct text from)
{
	size_t size = from.size < room - 1 ? from.size : room - 1;
	memcpy(to, from.data, size);
	memset(to + size, 0, room - size);
}

static void remember_told(struct agent *a, const struct message *m)
{
	copy_text(a->told, sizeof a->told, m->error.text);
	if (m->error.code == KUDOS_BAD_VERSION)
		a->bad_version = true;
}

static void hex_id(char out[20], uint64_t id)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < 16; i++)
		out[i] = digits[(id >> (60 - 4 * i)) & 15];
	memset(out + 16, 0, 4);
}

/* Ends it with this answer. */
static void answer(struct agent *a, struct question *q, int error, const void *data, size_t size,
		   size_t count)
{
	if (!q->internal)
		a->io.answer(a->io.arg,
			     &(struct agent_answer){q->base.id, q->type, error, data, size, count});
	free(q);
}

static void fail(struct agent *a, struct question *q, int error)
{
	answer(a, q, error, NULL, 0, 0);
}

/* The question of that kind with that id, to be answered now; NULL: this is the second answer to one that was
 * asked twice. */
static struct question *answered(struct agent *a, uint64_t id, enum message_type type)
{
	const struct courier_request *r = a->courier.requests;
	while (r && r->id != id)
		r = r->next;
	return r && ((const struct question *)r)->type == type ? question_take(a, id, true) : NULL;
}

static void on_counts(struct agent *a, const struct message *m)
{
	const int64_t *counts = m->counts.counts;
	struct question *q = answered(a, m->counts.id, MESSAGE_COUNT);
	q = q ? q : answered(a, m->counts.id, MESSAGE_WATCH);
	if (!q)
		return;
	if (m->counts.count != q->text_count) {
		fail(a, q, KUDOS_PROTOCOL);
	} else if (q->internal) {
		watches_counted(a, q, counts);
		free(q);
	} else {
		answer(a, q, KUDOS_OK, counts, m->counts.count * sizeof *counts, m->counts.count);
	}
}

static void on_tops(struct agent *a, const struct message *m)
{
	struct kudos_ranked top[LIMIT_TOP];
	size_t count = m->tops.count;
	struct question *q = answered(a, m->tops.id, MESSAGE_TOP);
	if (!q)
		return;
	for (size_t i = 0; i < count; i++) {
		copy_text(top[i].key, sizeof top[i].key, m->tops.rows[i].key);
		top[i].count = m->tops.rows[i].count;
	}
	if (count > q->n)
		fail(a, q, KUDOS_PROTOCOL);
	else
		answer(a, q, KUDOS_OK, top, count * sizeof *top, count);
}

static void fill_row(struct kudos_server_status *to, const struct status_row *row)
{
	static const char *const states[] = {
	    [SERVER_DOWN] = "down", [SERVER_CATCHING_UP] = "catching-up", [SERVER_UP] = "up"};
	copy_text(to->name, sizeof to->name, row->server.name);
	copy_text(to->client_endpoint, sizeof to->client_endpoint, row->server.client_endpoint);
	copy_text(to->notify_endpoint, sizeof to->notify_endpoint, row->notify_endpoint);
	hex_id(to->node, row->server.node.id);
	strcpy(to->state, states[row->state]);
	to->clients = row->load.clients;
	to->keys = row->load.keys;
	to->likes_total = row->load.likes_total;
	to->events_per_s = row->load.events_per_s;
	to->lag_records = row->load.lag_records;
	to->journal_bytes = row->load.journal_bytes;
	to->malformed = row->load.malformed;
}

static int by_name(const void *a, const void *b)
{
	const struct kudos_server_status *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->node, y->node);
}

static void tell_state(struct agent *a, struct question *q, const struct message *m, const char *leader)
{
	size_t rows = m->state.row_count,
	       size = sizeof(struct kudos_status) + rows * sizeof(struct kudos_server_status);
	struct kudos_status *s = calloc(1, size);
	if (!s) {
		fail(a, q, KUDOS_NO_MEMORY);
		return;
	}
	strncpy(s->leader_endpoint, leader, sizeof s->leader_endpoint - 1);
	hex_id(s->leader_incarnation, m->state.incarnation);
	s->members = m->state.members;
	s->server_count = rows;
	for (size_t i = 0; i < rows; i++)
		fill_row(&s->servers[i], &m->state.rows[i]);
	qsort(s->servers, rows, sizeof s->servers[0], by_name);
	answer(a, q, KUDOS_OK, s, size, 1);
	free(s);
}

static void on_state(struct agent *a, const struct message *m, const char *leader)
{
	struct question *q = answered(a, m->state.id, MESSAGE_STATUS);
	if (q)
		tell_state(a, q, m, leader);
}

static void on_measured(struct agent *a, const struct message *m)
{
	struct question *q = answered(a, m->measured.id, MESSAGE_METRICS);
	if (!q)
		return;
	struct kudos_metric *metrics = measured_copy(m);
	if (metrics)
		answer(a, q, KUDOS_OK, metrics, m->measured.count * sizeof *metrics, m->measured.count);
	else
		fail(a, q, KUDOS_NO_MEMORY);
	free(metrics);
}

static void on_done(struct agent *a, const struct message *m)
{
	struct question *q = answered(a, m->done.id, MESSAGE_FORGET);
	q = q ? q : answered(a, m->done.id, MESSAGE_DRAIN);
	if (q)
		answer(a, q, KUDOS_OK, NULL, 0, 0);
}

/* An answer, of a server or a leader. False: it is something else. */
static bool on_answer(struct agent *a, const struct message *m, const char *leader)
{
	switch (m->type) {
	case MESSAGE_PONG:
		return true;
	case MESSAGE_COUNTS:
		on_counts(a, m);
		return true;
	case MESSAGE_TOPS:
		on_tops(a, m);
		return true;
	case MESSAGE_STATE:
		on_state(a, m, leader);
		return true;
	case MESSAGE_MEASURED:
		on_measured(a, m);
		return true;
	case MESSAGE_DONE:
		on_done(a, m);
		return true;
	default:
		return false;
	}
}

/* What the server in use says. Each returns whether the message made sense. */

static bool on_welcome(struct agent *a, int64_t now, const struct message *m)
{
	if (m->welcome.version != PROTOCOL_VERSION)
		a->bad_version = true;
	if (m->welcome.version != PROTOCOL_VERSION || m->welcome.node.id == 0) {
		if (m->welcome.node.id == 0)
			strcpy(a->told, "a leader answers there, not a server");
		route_not_serving(&a->courier, now);
		return false;
	}
	a->bad_version = false;
	agent_name_server(a, m->welcome.name.data, m->welcome.name.size);
	if (!m->welcome.serving)
		strcpy(a->told, "that server is still catching up, or stopping");
	route_welcome(&a->courier, now, m->welcome.session, m->welcome.proof, m->welcome.serving);
	kept_offer(a, m->welcome.session, m->welcome.proof);
	return true;
}

static bool on_ack(struct agent *a, int64_t now, const struct message *m)
{
	for (size_t i = 0; i < m->ack.position_count; i++)
		courier_position(&a->courier, m->ack.positions[i]);
	a->acked = m->ack.positions;
	a->acked_count = m->ack.position_count;
	for (size_t i = 0; i < m->ack.range_count; i++)
		courier_acked(&a->courier, now, m->ack.session, m->ack.ranges[i].lo, m->ack.ranges[i].hi);
	a->acked = NULL;
	a->acked_count = 0;
	return true;
}

static bool on_refused(struct agent *a, int64_t now, const struct message *m)
{
	copy_text(a->told, sizeof a->told, m->refused.text);
	courier_refused(&a->courier, now, m->refused.session, m->refused.seq, m->refused.code);
	return true;
}

/* Trouble that may pass here or that another server does not have is dealt with; the rest ends the request.
 */
static bool on_server_error(struct agent *a, int64_t now, const struct message *m)
{
	uint64_t id = m->error.id;
	remember_told(a, m);
	switch (m->error.code) {
	case KUDOS_NO_HELLO:
		route_no_hello(&a->courier, now);
		return true;
	case KUDOS_NOT_SERVING:
	case KUDOS_BAD_VERSION:
		route_not_serving(&a->courier, now);
		return true;
	case KUDOS_BUSY:
	case KUDOS_LIMIT:
		if (id == 0 && a->courier.state == COURIER_GREETING) {
			route_not_serving(&a->courier, now); /* it has clients enough */
			return true;
		}
		if (m->error.code == KUDOS_BUSY && !watches_busy(a, now, id)) {
			courier_postpone(&a->courier, now, id);
			return true;
		}
		break;
	default:
		break;
	}
	struct question *r = id ? question_take(a, id, true) : NULL;
	if (r)
		fail(a, r, m->error.code);
	return true;
}

static bool handle_server(struct agent *a, int64_t now, const struct message *m)
{
	switch (m->type) {
	case MESSAGE_WELCOME:
		return on_welcome(a, now, m);
	case MESSAGE_ACK:
		return on_ack(a, now, m);
	case MESSAGE_REFUSED:
		return on_refused(a, now, m);
	case MESSAGE_CHANGED:
		watches_changed(a, m);
		return true;
	case MESSAGE_CLOSED:
		courier_session_closed(&a->courier, m->closed.session);
		return true;
	case MESSAGE_ERROR:
		return on_server_error(a, now, m);
	default:
		return on_answer(a, m, "");
	}
}

static void receive_from_server(struct agent *a, int64_t now, const struct message *m)
{
	route_heard(&a->courier, now);
	if (handle_server(a, now, m))
		a->server_heard_at = now;
	else
		a->ignored++;
}

/* Each as if it had come by itself. */
static void receive_many(struct agent *a, int64_t now, const struct message *many)
{
	for (size_t i = 0; i < many->many.count; i++) {
		const struct blob *one = &many->many.messages[i];
		struct message m;
		if (message_decode(one->data, one->size, &m) != 0) {
			a->ignored++;
			continue;
		}
		receive_from_server(a, now, &m);
		message_deinit(&m);
	}
}

void agent_receive_server(struct agent *a, int64_t now, const void *data, size_t size)
{
	struct message m;
	if (message_decode(data, size, &m) != 0) {
		a->ignored++;
		return;
	}
	if (m.type == MESSAGE_MANY)
		receive_many(a, now, &m);
	else
		receive_from_server(a, now, &m);
	message_deinit(&m);
}

/* What a leader says. */

static bool on_assigned(struct agent *a, int64_t now, const struct message *m)
{
	size_t count = m->assigned.server_count < LIMIT_OFFERED ? m->assigned.server_count : LIMIT_OFFERED;
	struct courier_server *servers = calloc(count + 1, sizeof *servers);
	if (!servers)
		return false; /* asked again like an answer that was lost */
	for (size_t i = 0; i < count; i++) {
		const struct server_row *row = &m->assigned.servers[i];
		servers[i].node = row->node;
		copy_text(servers[i].name, sizeof servers[i].name, row->name);
		copy_text(servers[i].client_endpoint, sizeof servers[i].client_endpoint,
			  row->client_endpoint);
	}
	a->no_server = count == 0;
	route_assigned(&a->courier, now, m->assigned.session, m->assigned.proof, servers, count);
	kept_offer(a, m->assigned.session, m->assigned.proof);
	free(servers);
	return true;
}

static bool on_leader_error(struct agent *a, int64_t now, const struct message *m)
{
	remember_told(a, m);
	if (m->error.code == KUDOS_NO_HELLO)
		return true; /* it is greeted again with the next question */
	if (m->error.id == 0) {
		if (m->error.code == KUDOS_NO_SERVER) {
			a->no_server = true;
			route_no_server(&a->courier, now);
		}
		return true;
	}
	if (m->error.code == KUDOS_BUSY) {
		courier_postpone(&a->courier, now, m->error.id);
		return true;
	}
	struct question *r = question_take(a, m->error.id, true);
	if (r)
		fail(a, r, m->error.code);
	return true;
}

static bool handle_leader(struct agent *a, int64_t now, size_t index, const struct message *m)
{
	switch (m->type) {
	case MESSAGE_WELCOME:
		a->bad_version = m->welcome.version != PROTOCOL_VERSION;
		return !a->bad_version;
	case MESSAGE_ASSIGNED:
		return on_assigned(a, now, m);
	case MESSAGE_ERROR:
		return on_leader_error(a, now, m);
	default:
		return on_answer(a, m, a->options.leaders[index]);
	}
}

void agent_receive_leader(struct agent *a, int64_t now, size_t index, const void *data, size_t size)
{
	struct message m;
	if (index >= a->options.leader_count || message_decode(data, size, &m) != 0) {
		a->ignored++;
		return;
	}
	if (handle_leader(a, now, index, &m))
		a->leader_heard_at = now;
	else
		a->ignored++;
	message_deinit(&m);
}

void agent_disconnected(struct agent *a, int64_t now)
{
	route_disconnected(&a->courier, now);
}
