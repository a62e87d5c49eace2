/* SPDX-License-Identifier: MIT */
#include "leader/desk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "kudos.h"
#include "leader/drain.h"
#include "leader/metrics.h"
#include "leader/push.h"
#include "wire/message.h"

static struct desk *desk_of(const struct request *rq)
{
	return rq->port->owner;
}

/* --- one function a message type --- */

static int welcome(const struct request *rq)
{
	struct message m = {.type = MESSAGE_WELCOME,
			    .welcome = {.version = PROTOCOL_VERSION,
					.origin = {desk_of(rq)->directory.incarnation},
					.name = message_text("leader"),
					.serving = true}};
	port_answer(rq, &m);
	return 0;
}

static int on_ping(const struct request *rq)
{
	port_answer(rq, &(struct message){.type = MESSAGE_PONG, .pong = {rq->m->ping.token}});
	return 0;
}

static int answer_forgotten(const struct request *rq)
{
	port_answer_error(rq, 0, KUDOS_FORGOTTEN,
			  "node %016llx was forgotten by an operator: wipe its data folder to join anew",
			  (unsigned long long)rq->from->node.id);
	return 0;
}

/* A server registers. */
static int on_members(const struct request *rq)
{
	struct desk *desk = desk_of(rq);
	const struct message *m = rq->m;
	struct node from = m->members.from;
	if (from.id == 0 || !node_equal(from, rq->from->node))
		return port_refuse(rq, 0, KUDOS_PROTOCOL, "members: not from the node that said hello");

	int r = directory_register(&desk->directory, rq->now, from, m->members.rows, m->members.row_count);
	push_mark(desk); /* before this one gets them, as its answer */
	if (r == KUDOS_FORGOTTEN)
		return answer_forgotten(rq);
	if (r == KUDOS_PROTOCOL)
		return port_refuse(rq, 0, r, "members: the sender's own row is missing, or a node id is 0");
	if (r > 0)
		port_answer_error(rq, 0, r, "%s: %d nodes ever, forgotten ones included", kudos_error_text(r),
				  LIMIT_MEMBERS);
	if (r == 0)
		r = push_register(desk, rq->from);
	return r == 0 ? push_one(desk, rq->from) : r < 0 ? r : 0;
}

static int on_heartbeat(const struct request *rq)
{
	struct desk *desk = desk_of(rq);
	const struct message *m = rq->m;
	if (m->heartbeat.node.id == 0 || !node_equal(m->heartbeat.node, rq->from->node))
		return port_refuse(rq, 0, KUDOS_PROTOCOL, "heartbeat: not of the node that said hello");

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
	port_answer(rq, &heard);
	return push_due(desk, rq->from) ? push_one(desk, rq->from) : 0;
}

static struct server_row server_row(const struct member *m)
{
	return (struct server_row){m->node, message_text(m->name), message_text(m->client_endpoint)};
}

static int on_assign(const struct request *rq)
{
	struct directory *directory = &desk_of(rq)->directory;
	const struct message *m = rq->m;
	const struct member *order[LIMIT_MEMBERS];
	struct server_row rows[LIMIT_MEMBERS];
	const struct wish wish = {m->assign.wants_session, m->assign.lifetime, m->assign.lost};
	struct message assigned = {.type = MESSAGE_ASSIGNED, .assigned = {.servers = rows}};
	if (directory_assign(directory, rq->now, &wish, &assigned.assigned.session, &assigned.assigned.proof,
			     order, &assigned.assigned.server_count) != 0) {
		port_answer_error(
		    rq, 0, KUDOS_NO_SERVER,
		    "no server is up: the leader at %s knows %zu, all down or catching up; start "
		    "one, or try again when status shows one up",
		    rq->port->name, members_alive(&directory->members));
		return 0;
	}
	for (size_t i = 0; i < assigned.assigned.server_count; i++)
		rows[i] = server_row(order[i]);
	port_answer(rq, &assigned);
	return 0;
}

static int on_status(const struct request *rq)
{
	const struct directory *directory = &desk_of(rq)->directory;
	const struct member *list[LIMIT_MEMBERS];
	size_t count = directory_list(directory, list);
	struct status_row *rows = calloc(count + 1, sizeof *rows);
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		rows[i].server = server_row(list[i]);
		rows[i].notify_endpoint = message_text(list[i]->notify_endpoint);
		rows[i].state = directory_state(directory, rq->now, list[i]->node, &rows[i].load);
	}
	struct message state = {.type = MESSAGE_STATE,
				.state = {.id = rq->m->status.id,
					  .incarnation = directory->incarnation,
					  .members = count,
					  .rows = rows,
					  .row_count = count}};
	port_answer(rq, &state);
	free(rows);
	return 0;
}

static int on_metrics(const struct request *rq)
{
	struct metric_table t;
	struct message m;
	int r = desk_metrics(desk_of(rq), rq->now, &t, rq->m->metrics.id, &m);
	if (r == 0)
		port_answer(rq, &m);
	metric_table_deinit(&t);
	return r;
}

static int on_forget(const struct request *rq)
{
	struct desk *desk = desk_of(rq);
	const struct message *m = rq->m;
	char text[LIMIT_TEXT];
	int r = directory_forget(&desk->directory, rq->now, m->forget.target.data, m->forget.target.size,
				 text, sizeof text);
	if (r != 0) {
		port_answer_error(rq, m->forget.id, r, "%s", text);
		return 0;
	}
	log_info("forgot %.*s", (int)m->forget.target.size, m->forget.target.data);
	push_mark(desk);
	push_all(desk); /* before the answer: "done" means that the servers know */
	port_answer(rq, &(struct message){.type = MESSAGE_DONE, .done = {m->forget.id}});
	return 0;
}

/* Answered when the server has confirmed it. */
static int on_drain(const struct request *rq)
{
	struct desk *desk = desk_of(rq);
	const struct text target = rq->m->drain.target;
	const struct member *found;
	char text[LIMIT_TEXT];
	int r = directory_find_running(&desk->directory, rq->now, target.data, target.size, &found, text,
				       sizeof text);
	if (r != 0)
		port_answer_error(rq, rq->m->drain.id, r, "%s", text);
	else if (drain_pass(desk, rq->now, found, rq->from, rq->m->drain.id) != 0)
		port_answer_error(rq, rq->m->drain.id, KUDOS_BUSY,
				  "too many drains wait here for their confirmation: try again");
	else
		log_info("told %s (%016llx) to drain", found->name, (unsigned long long)found->node.id);
	return 0;
}

/* A server drains as it was told. */
static int on_done(const struct request *rq)
{
	drain_confirmed(desk_of(rq), rq->from->node, rq->m->done.id);
	return 0;
}

static const struct port_rules rules = {
    .title = "a leader",
    .address = "the leader at",
    .program = "kudos-leader",
    .clients = LIMIT_CONNECTIONS,
    .servers = LIMIT_MEMBERS,
    .welcome = welcome,
    .handlers =
	{
	    [MESSAGE_PING] = {.handle = on_ping, .least = ROLE_CLIENT},
	    [MESSAGE_MEMBERS] = {.handle = on_members, .least = ROLE_SERVER},
	    [MESSAGE_HEARTBEAT] = {.handle = on_heartbeat, .least = ROLE_SERVER},
	    [MESSAGE_ASSIGN] = {.handle = on_assign, .least = ROLE_CLIENT},
	    [MESSAGE_STATUS] = {.handle = on_status, .least = ROLE_CLIENT},
	    [MESSAGE_FORGET] = {.handle = on_forget, .least = ROLE_OPERATOR},
	    [MESSAGE_DRAIN] = {.handle = on_drain, .least = ROLE_OPERATOR},
	    [MESSAGE_DONE] = {.handle = on_done, .least = ROLE_SERVER},
	    [MESSAGE_METRICS] = {.handle = on_metrics, .least = ROLE_CLIENT},
	},
};

/* --- opening, receiving --- */

int desk_init(struct desk *desk, uint64_t incarnation, const char *own_endpoint, port_send_fn send, void *arg)
{
	*desk = (struct desk){0};
	directory_init(&desk->directory, incarnation);
	/* Secret, unlike the incarnation: identities are chosen by the peers. Nothing depends on the order.
	 */
	port_init(&desk->port, &rules, desk, own_endpoint, random_id(), send, arg);
	map_init(&desk->registrations, random_id());
	passed_init(&desk->drains, random_id());
	return 0;
}

void desk_deinit(struct desk *desk)
{
	push_deinit(desk);
	port_deinit(&desk->port);
	directory_deinit(&desk->directory);
}

int desk_receive(struct desk *desk, int64_t now, enum role role, const uint8_t *id, size_t id_size,
		 const void *data, size_t size)
{
	int r = port_receive(&desk->port, now, role, id, id_size, data, size);
	return r < 0 ? r : desk->port.failed;
}

/* --- what is due --- */

static void tell_changes(struct desk *desk, int64_t now)
{
	static const char *const texts[] = {
	    [SERVER_DOWN] = "down", [SERVER_CATCHING_UP] = "catching up", [SERVER_UP] = "up"};
	enum server_state state;
	const struct member *m;
	while ((m = directory_next_change(&desk->directory, now, &state)))
		log_info("%s (%016llx, %s) is %s", m->name, (unsigned long long)m->node.id,
			 m->client_endpoint, texts[state]);
}

void desk_tick(struct desk *desk, int64_t now)
{
	if (desk->push_wanted)
		push_all(desk);
	tell_changes(desk, now);
	drain_tick(desk, now);
	port_expire(&desk->port, now);
}

int64_t desk_deadline(const struct desk *desk)
{
	if (desk->push_wanted)
		return 0;
	int64_t deadline = earlier(directory_deadline(&desk->directory), passed_deadline(&desk->drains));
	return earlier(deadline, port_deadline(&desk->port));
}
