/* SPDX-License-Identifier: MIT */
#include "leader/desk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "kudos.h"
#include "leader/drain.h"
#include "leader/metrics.h"
#include "leader/push.h"
#include "wire/message.h"

/* One message being handled. */
struct request {
	struct desk *desk;
	int64_t now;
	enum role role;
	const uint8_t *id;
	size_t id_size;
	struct connection *from; /* NULL before its hello */
	const struct message *message;
	uint64_t request_id; /* for the error, when there is no message */
};

#define note(desk, level, ...) ((desk)->quiet ? (void)0 : log_##level(__VA_ARGS__))

int desk_init(struct desk *desk, uint64_t incarnation, const char *own_endpoint, desk_send_fn send, void *arg)
{
	*desk = (struct desk){.own_endpoint = own_endpoint, .send = send, .arg = arg};
	directory_init(&desk->directory, incarnation);
	/* Secret, unlike the incarnation: identities are chosen by the peers. Nothing depends on the order.
	 */
	connections_init(&desk->connections, random_id());
	map_init(&desk->registrations, random_id());
	passed_init(&desk->drains, random_id());
	return 0;
}

void desk_deinit(struct desk *desk)
{
	push_deinit(desk);
	connections_deinit(&desk->connections);
	directory_deinit(&desk->directory);
	bytes_deinit(&desk->out);
}

/* --- answering --- */

static int answer(const struct request *rq, const struct message *message)
{
	bytes_clear(&rq->desk->out);
	message_encode(message, &rq->desk->out);
	if (bytes_failed(&rq->desk->out))
		return -ENOMEM;
	int r = rq->desk->send(rq->desk->arg, rq->id, rq->id_size, rq->desk->out.data, rq->desk->out.size);
	return r < 0 ? r : 0; /* one that does not read its answers, or left, has chosen so */
}

static struct text text_of(const char *string)
{
	return (struct text){string, strlen(string)};
}

__attribute__((format(printf, 4, 5))) static int answer_error(const struct request *rq, uint64_t id, int code,
							      const char *format, ...)
{
	char text[LIMIT_TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	struct message error = {.type = MESSAGE_ERROR,
				.error = {.id = id, .code = code, .text = text_of(text)}};
	rq->desk->errors[code]++;
	return answer(rq, &error);
}

/* A message that breaks the protocol. Said once a minute at most: who sends one sends many. */
static int refuse_malformed(const struct request *rq, int code, const char *what)
{
	struct desk *desk = rq->desk;
	desk->malformed++;
	if (rq->now >= desk->complain_after) {
		note(desk, warn, "malformed message: %s (%llu since the last such line)", what,
		     (unsigned long long)(desk->malformed - desk->complained));
		desk->complained = desk->malformed;
		desk->complain_after = rq->now + DESK_COMPLAIN;
	}
	return answer_error(rq, rq->request_id, code, "%s", what);
}

/* --- one function a message type --- */

static int on_hello(const struct request *rq)
{
	struct desk *desk = rq->desk;
	const struct message *m = rq->message;
	if (m->hello.version != PROTOCOL_VERSION) {
		if (rq->from)
			connections_close(&desk->connections, rq->from);
		return answer_error(
		    rq, 0, KUDOS_BAD_VERSION,
		    "protocol version %llu is not known here: the leader at %s (kudos-leader %s) "
		    "speaks version %d",
		    (unsigned long long)m->hello.version, desk->own_endpoint, KUDOS_VERSION,
		    PROTOCOL_VERSION);
	}
	if (m->hello.is_server && rq->role < ROLE_SERVER)
		return refuse_malformed(rq, KUDOS_FORBIDDEN, "hello: this key is not a server's");
	if (m->hello.is_server != (m->hello.node.id != 0))
		return refuse_malformed(rq, KUDOS_PROTOCOL,
					"hello: a server has a node id, a client has none");

	if (!rq->from && desk->connections.by_id.count >= LIMIT_CONNECTIONS)
		connections_close(&desk->connections, desk->connections.oldest);
	if (!connections_open(&desk->connections, rq->now, rq->id, rq->id_size, m->hello.node))
		return -ENOMEM;
	struct message welcome = {.type = MESSAGE_WELCOME,
				  .welcome = {.version = PROTOCOL_VERSION,
					      .origin = {desk->directory.incarnation},
					      .name = text_of("leader"),
					      .serving = true}};
	return answer(rq, &welcome);
}

static int on_ping(const struct request *rq)
{
	struct message pong = {.type = MESSAGE_PONG, .pong = {.token = rq->message->ping.token}};
	return answer(rq, &pong);
}

static int answer_forgotten(const struct request *rq)
{
	return answer_error(rq, 0, KUDOS_FORGOTTEN,
			    "node %016llx was forgotten by an operator: wipe its data folder to join anew",
			    (unsigned long long)rq->from->node.id);
}

/* A server registers. */
static int on_members(const struct request *rq)
{
	struct desk *desk = rq->desk;
	const struct message *m = rq->message;
	struct node from = m->members.from;
	if (from.id == 0 || !node_equal(from, rq->from->node))
		return refuse_malformed(rq, KUDOS_PROTOCOL, "members: not from the node that said hello");

	int r = directory_register(&desk->directory, rq->now, from, m->members.rows, m->members.row_count);
	push_mark(desk); /* before this one gets them, as its answer */
	if (r == KUDOS_FORGOTTEN)
		return answer_forgotten(rq);
	if (r == KUDOS_PROTOCOL)
		return refuse_malformed(rq, r, "members: the sender's own row is missing, or a node id is 0");
	if (r > 0)
		return answer_error(rq, 0, r, "%s: %d nodes ever, forgotten ones included",
				    kudos_error_text(r), LIMIT_MEMBERS);
	if (r == 0)
		r = push_register(desk, rq->from);
	return r < 0 ? r : push_one(desk, rq->from);
}

static int on_heartbeat(const struct request *rq)
{
	struct desk *desk = rq->desk;
	const struct message *m = rq->message;
	if (m->heartbeat.node.id == 0 || !node_equal(m->heartbeat.node, rq->from->node))
		return refuse_malformed(rq, KUDOS_PROTOCOL, "heartbeat: not of the node that said hello");

	int r = directory_heartbeat(&desk->directory, rq->now, m->heartbeat.node, m->heartbeat.origin,
				    &m->heartbeat.load);
	if (r == 0 && !push_registered(desk, rq->from))
		r = KUDOS_UNKNOWN_NODE; /* it connected anew: pushes would not reach it */
	if (r == KUDOS_FORGOTTEN)
		return answer_forgotten(rq);
	struct message heard = {.type = MESSAGE_HEARD,
				.heard = {.incarnation = desk->directory.incarnation,
					  .digest = members_digest(&desk->directory.members),
					  .known = r == 0}};
	r = answer(rq, &heard);
	if (r == 0 && push_due(desk, rq->from))
		r = push_one(desk, rq->from);
	return r;
}

static struct server_row server_row(const struct member *m)
{
	return (struct server_row){m->node, text_of(m->name), text_of(m->client_endpoint),
				   text_of(m->notify_endpoint)};
}

static int on_assign(const struct request *rq)
{
	struct directory *directory = &rq->desk->directory;
	const struct message *m = rq->message;
	const struct member *order[LIMIT_MEMBERS];
	struct server_row rows[LIMIT_MEMBERS];
	const struct wish wish = {m->assign.wants_session, m->assign.lifetime, m->assign.lost};
	struct message assigned = {.type = MESSAGE_ASSIGNED, .assigned = {.servers = rows}};
	if (directory_assign(directory, rq->now, &wish, &assigned.assigned.session, &assigned.assigned.proof,
			     order, &assigned.assigned.server_count) != 0)
		return answer_error(
		    rq, 0, KUDOS_NO_SERVER,
		    "no server is up: the leader at %s knows %zu, all down or catching up; start "
		    "one, or try again when status shows one up",
		    rq->desk->own_endpoint, members_alive(&directory->members));
	for (size_t i = 0; i < assigned.assigned.server_count; i++)
		rows[i] = server_row(order[i]);
	return answer(rq, &assigned);
}

static int on_status(const struct request *rq)
{
	const struct directory *directory = &rq->desk->directory;
	const struct member *list[LIMIT_MEMBERS];
	size_t count = directory_list(directory, list);
	struct status_row *rows = calloc(count + 1, sizeof *rows);
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		rows[i].server = server_row(list[i]);
		rows[i].state = directory_state(directory, rq->now, list[i]->node, &rows[i].load);
	}
	struct message state = {.type = MESSAGE_STATE,
				.state = {.id = rq->message->status.id,
					  .incarnation = directory->incarnation,
					  .members = count,
					  .rows = rows,
					  .row_count = count}};
	int r = answer(rq, &state);
	free(rows);
	return r;
}

static int on_metrics(const struct request *rq)
{
	struct metric_table t;
	struct message m;
	int r = desk_metrics(rq->desk, rq->now, &t, rq->message->metrics.id, &m);
	if (r == 0)
		r = answer(rq, &m);
	metric_table_deinit(&t);
	return r;
}

static int on_forget(const struct request *rq)
{
	struct desk *desk = rq->desk;
	const struct message *m = rq->message;
	char text[LIMIT_TEXT];
	int r = directory_forget(&desk->directory, rq->now, m->forget.target.data, m->forget.target.size,
				 text, sizeof text);
	if (r != 0)
		return answer_error(rq, m->forget.id, r, "%s", text);
	note(desk, info, "forgot %.*s", (int)m->forget.target.size, m->forget.target.data);
	push_mark(desk);
	push_all(desk); /* before the answer: "done" means that the servers know */
	struct message done = {.type = MESSAGE_DONE, .done = {.id = m->forget.id}};
	return answer(rq, &done);
}

/* Answered when the server has confirmed it. */
static int on_drain(const struct request *rq)
{
	struct desk *desk = rq->desk;
	const struct text target = rq->message->drain.target;
	const struct member *found;
	char text[LIMIT_TEXT];
	int r = directory_find_running(&desk->directory, rq->now, target.data, target.size, &found, text,
				       sizeof text);
	if (r != 0)
		return answer_error(rq, rq->message->drain.id, r, "%s", text);
	if (drain_pass(desk, rq->now, found, rq->from, rq->message->drain.id) != 0)
		return answer_error(rq, rq->message->drain.id, KUDOS_BUSY,
				    "too many drains wait here for their confirmation: try again");
	note(desk, info, "told %s (%016llx) to drain", found->name, (unsigned long long)found->node.id);
	return 0;
}

/* A server drains as it was told. */
static int on_done(const struct request *rq)
{
	drain_confirmed(rq->desk, rq->from->node, rq->message->done.id);
	return 0;
}

static const struct {
	int (*handle)(const struct request *rq);
	enum role least; /* that may send it; ROLE_SERVER: and who said hello as a server */
} handlers[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = {on_hello, ROLE_CLIENT},	   [MESSAGE_PING] = {on_ping, ROLE_CLIENT},
    [MESSAGE_MEMBERS] = {on_members, ROLE_SERVER}, [MESSAGE_HEARTBEAT] = {on_heartbeat, ROLE_SERVER},
    [MESSAGE_ASSIGN] = {on_assign, ROLE_CLIENT},   [MESSAGE_STATUS] = {on_status, ROLE_CLIENT},
    [MESSAGE_FORGET] = {on_forget, ROLE_OPERATOR}, [MESSAGE_DRAIN] = {on_drain, ROLE_OPERATOR},
    [MESSAGE_DONE] = {on_done, ROLE_SERVER},	   [MESSAGE_METRICS] = {on_metrics, ROLE_CLIENT},
};

/* --- receiving --- */

/* Whether a message of this type may be looked at further; else it has been answered. */
static bool admit(const struct request *rq, enum message_type type, int *result)
{
	char what[80];
	if (!handlers[type].handle) {
		snprintf(what, sizeof what, "a leader takes no \"%s\"", message_type_name(type));
		*result = refuse_malformed(rq, KUDOS_PROTOCOL, what);
		return false;
	}
	if (!rq->from && type != MESSAGE_HELLO) {
		*result = answer_error(rq, 0, KUDOS_NO_HELLO, "say hello (version %d) before \"%s\"",
				       PROTOCOL_VERSION, message_type_name(type));
		return false;
	}
	if (rq->role < handlers[type].least) {
		snprintf(what, sizeof what, "a key with the role %s may not send \"%s\"", role_name(rq->role),
			 message_type_name(type));
		*result = refuse_malformed(rq, KUDOS_FORBIDDEN, what);
		return false;
	}
	if (handlers[type].least == ROLE_SERVER && (!rq->from || rq->from->node.id == 0)) {
		snprintf(what, sizeof what, "only a server may send \"%s\"", message_type_name(type));
		*result = refuse_malformed(rq, KUDOS_PROTOCOL, what);
		return false;
	}
	return true;
}

int desk_receive(struct desk *desk, int64_t now, enum role role, const uint8_t *id, size_t id_size,
		 const void *data, size_t size)
{
	struct request rq = {.desk = desk, .now = now, .role = role, .id = id, .id_size = id_size};
	struct message message;
	enum message_type type;
	int result;

	if (role == ROLE_NONE)
		return 0; /* its key was taken back */
	rq.from = connections_find(&desk->connections, id, id_size);
	if (rq.from)
		connections_touch(&desk->connections, rq.from, now);
	int r = message_peek(data, size, &type);
	if (r == 0)
		desk->messages[type]++;
	if (r == 0 && role < handlers[type].least)
		rq.request_id = message_request_id(data, size);
	if (r == 0 && !admit(&rq, type, &result))
		return result;
	if (r == 0)
		r = message_decode(data, size, &message);
	if (r > 0) {
		rq.request_id = r != KUDOS_PROTOCOL ? message_request_id(data, size) : 0;
		return refuse_malformed(&rq, r, kudos_error_text(r));
	}
	if (r < 0)
		return r;
	rq.message = &message;
	note(desk, debug, "%s of %zu bytes from %016llx", message_type_name(type), size,
	     (unsigned long long)(rq.from ? rq.from->node.id : 0));
	r = handlers[type].handle(&rq);
	message_deinit(&message);
	return r;
}

/* --- what is due --- */

static void tell_changes(struct desk *desk, int64_t now)
{
	static const char *const texts[] = {
	    [SERVER_DOWN] = "down", [SERVER_CATCHING_UP] = "catching up", [SERVER_UP] = "up"};
	enum server_state state;
	const struct member *m;
	while ((m = directory_next_change(&desk->directory, now, &state)))
		note(desk, info, "%s (%016llx, %s) is %s", m->name, (unsigned long long)m->node.id,
		     m->client_endpoint, texts[state]);
}

void desk_tick(struct desk *desk, int64_t now)
{
	if (desk->push_wanted)
		push_all(desk);
	tell_changes(desk, now);
	drain_tick(desk, now);
	while (desk->connections.oldest && now - desk->connections.oldest->heard > DESK_IDLE)
		connections_close(&desk->connections, desk->connections.oldest);
}

int64_t desk_deadline(const struct desk *desk)
{
	if (desk->push_wanted)
		return 0;
	int64_t deadline = directory_deadline(&desk->directory);
	const struct connection *oldest = desk->connections.oldest;
	int64_t idle = oldest ? oldest->heard + DESK_IDLE + 1 : NEVER;
	int64_t drains = passed_deadline(&desk->drains);
	deadline = drains < deadline ? drains : deadline;
	return idle < deadline ? idle : deadline;
}
