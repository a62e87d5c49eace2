/* SPDX-License-Identifier: MIT */
#include "server/leaders.h"

#include "base/log.h"
#include "base/time.h"
#include "core/agree.h"
#include "kudos.h"
#include "server/host.h"

#define HEARTBEAT (500 * MS)

static void register_with(struct host *h, size_t leader)
{
	struct message m = out_members(h->replica.config.self.node, &h->replica.membership.current);
	out_leader(&h->out, leader, &m);
}

static void greet(struct host *h, size_t leader)
{
	struct message m = out_hello(h->replica.config.self.node);
	out_leader(&h->out, leader, &m);
	register_with(h, leader);
	h->leaders.greeted[leader] = true;
}

void leaders_beat(struct host *h, int64_t now)
{
	struct leaders *l = &h->leaders;
	l->next_beat = now + HEARTBEAT;
	if (!h->replica.membership.durable)
		return; /* this run's origin is not announced before it is durable (I4) */
	struct message m = {.type = MESSAGE_HEARTBEAT,
			    .heartbeat = {.node = h->replica.config.self.node,
					  .origin = h->replica.config.self.origin,
					  .digest = h->replica.membership.digest}};
	metrics_load(h, now, &m.heartbeat.load);
	for (size_t i = 0; i < l->majority.count; i++) {
		if (!l->greeted[i] || majority_silent(&l->majority, now, i))
			greet(h, i);
		else
			out_leader(&h->out, i, &m);
	}
}

static void on_heard(struct host *h, int64_t now, size_t leader, const struct message *m)
{
	bool same = m->heard.known && m->heard.digest == h->replica.membership.digest;
	if (same)
		readiness_hear_leader(&h->replica.ready);
	else
		register_with(h, leader);
	readiness_meet_leaders(&h->replica.ready,
			       majority_told(&h->leaders.majority, now, leader, m->heard.incarnation, same));
}

static void on_error(struct host *h, size_t leader, const struct message *m)
{
	if (m->error.code == KUDOS_NO_HELLO)
		greet(h, leader);
	else if (m->error.code == KUDOS_FORGOTTEN)
		h->forgotten = KUDOS_FORGOTTEN;
	else
		log_warn("leader %zu says: %.*s", leader + 1, (int)m->error.text.size, m->error.text.data);
}

int leaders_receive(struct host *h, int64_t now, size_t leader, const void *data, size_t size)
{
	struct message m;
	int e = message_decode(data, size, &m);
	if (e != 0)
		return port_malformed(&h->port, now, "a leader", e);
	majority_heard(&h->leaders.majority, now, leader);
	switch (m.type) {
	case MESSAGE_MEMBERS:
		e = replica_members(&h->replica, now, (struct node){0}, m.members.rows, m.members.row_count);
		break;
	case MESSAGE_DRAIN:
		if (drains_told(&h->drains, &h->replica, m.drain.target))
			out_leader(&h->out, leader,
				   &(struct message){.type = MESSAGE_DONE, .done = {m.drain.id}});
		break;
	case MESSAGE_HEARD:
		on_heard(h, now, leader, &m);
		break;
	case MESSAGE_ERROR:
		on_error(h, leader, &m);
		break;
	case MESSAGE_WELCOME:
		break;
	default:
		port_malformed(&h->port, now, "a leader", KUDOS_PROTOCOL);
		break;
	}
	message_deinit(&m);
	return e;
}
