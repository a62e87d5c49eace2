/* SPDX-License-Identifier: MIT */
/* Peers and leaders: what peers publish, what they answer, and this server's registration with every leader.
 */
#include "server/host.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "kudos.h"

#define HEARTBEAT (500 * MS)
#define LEADER_SETTLED (2 * SECOND)
#define LEADER_SILENT (2 * SECOND) /* then hello is said again: it may be another leader by now */

/* ---- published by peers ---- */

static int on_vector(struct host *h, int64_t now, const struct message *m)
{
	struct vector_message v = {.node = m->vector.node,
				   .origin = m->vector.origin,
				   .serial = m->vector.serial,
				   .digest = m->vector.digest,
				   .all = m->vector.all,
				   .serving = m->vector.established,
				   .at = m->vector.positions,
				   .count = m->vector.position_count};
	return replica_vector(&h->replica, now, &v);
}

static int take_record(struct host *h, int64_t now, const void *data, size_t size, bool published)
{
	struct record *record;
	int e = message_decode_record(data, size, &record);
	if (e != 0) {
		if (e > 0)
			host_malformed(h, now, "a peer", e);
		return e < 0 ? e : 0;
	}
	e = replica_record(&h->replica, now, record, published);
	record_unref(record);
	return e;
}

int host_receive_published(struct host *h, int64_t now, const void *data, size_t size)
{
	enum message_type type;
	struct message m;
	int e = message_peek(data, size, &type);
	if (e == 0 && type == MESSAGE_RECORD)
		return take_record(h, now, data, size, true);
	if (e == 0 && type != MESSAGE_VECTOR)
		e = KUDOS_PROTOCOL;
	if (e == 0)
		e = message_decode(data, size, &m);
	if (e != 0) {
		if (e > 0)
			host_malformed(h, now, "a peer's notify port", e);
		return e < 0 ? e : 0;
	}
	e = on_vector(h, now, &m);
	message_deinit(&m);
	return e;
}

/* ---- answers of peers ---- */

static void say_hello_to_peer(struct host *h, struct node peer)
{
	struct message m = {
	    .type = MESSAGE_HELLO,
	    .hello = {.version = PROTOCOL_VERSION, .is_server = true, .node = h->config.self.node}};
	host_send_peer(h, peer, &m);
}

/* Hello first: the other may have started again since it heard the last one, and would only say so. (One that
 * has is not to drain anew.) */
void host_pass_drains(struct host *h, int64_t now)
{
	char node[17];
	struct passed_one one;
	for (enum passed_due due; (due = passed_next(&h->drains, now, &one)) != PASSED_NONE;) {
		const struct member *m = members_find(&h->replica.members, one.to);
		bool runs = m && !m->forgotten && origin_equal(m->origin, one.run);
		snprintf(node, sizeof node, "%016llx", (unsigned long long)one.to.id);
		if (due == PASSED_OVER || !runs) {
			port_tell_error(&h->port, one.client, one.client_id, KUDOS_NO_SERVER,
					"%s has %s: see status whether it stops, or try again", node,
					runs ? "not confirmed it" : "ended, or was started again");
			passed_take(&h->drains, one.to, one.id, &one);
			continue;
		}
		say_hello_to_peer(h, one.to);
		host_send_peer(h, one.to,
			       &(struct message){.type = MESSAGE_DRAIN, .drain = {one.id, {node, 16}}});
	}
}

static void on_peer_done(struct host *h, struct node peer, uint64_t id)
{
	struct passed_one one;
	if (passed_take(&h->drains, peer, id, &one))
		port_tell(&h->port, one.client,
			  &(struct message){.type = MESSAGE_DONE, .done = {one.client_id}});
}

static int on_records(struct host *h, int64_t now, const struct message *m)
{
	for (size_t i = 0; i < m->records.record_count; i++) {
		int e = take_record(h, now, m->records.records[i].data, m->records.records[i].size, false);
		if (e < 0)
			return e;
	}
	host_snapshot_weigh(h, m);
	return replica_fetched(&h->replica, now, (struct position){m->records.origin, m->records.from});
}

static void on_peer_error(struct host *h, struct node peer, const struct message *m)
{
	switch (m->error.code) {
	case KUDOS_NO_HELLO: /* it restarted, or the connection is new: once it says welcome, what was asked
				is asked again */
		say_hello_to_peer(h, peer);
		break;
	case KUDOS_BUSY:
		host_snapshot_busy(h, peer, m->error.id);
		break;
	case KUDOS_FORGOTTEN:
		h->forgotten = KUDOS_FORGOTTEN;
		break;
	default:
		log_debug("node %016llx says: %.*s", (unsigned long long)peer.id, (int)m->error.text.size,
			  m->error.text.data);
		break;
	}
}

int host_receive_peer(struct host *h, int64_t now, struct node peer, const void *data, size_t size)
{
	struct message m;
	if (!replica_peer(&h->replica, peer))
		return 0; /* forgotten meanwhile: nothing more of it gets in */
	int e = message_decode(data, size, &m);
	if (e != 0) {
		if (e > 0)
			host_malformed(h, now, "a peer", e);
		return e < 0 ? e : 0;
	}
	switch (m.type) {
	case MESSAGE_RECORDS:
		e = on_records(h, now, &m);
		break;
	case MESSAGE_GONE:
		e = replica_gone(&h->replica, now, peer, (struct position){m.gone.origin, m.gone.from});
		break;
	case MESSAGE_REACHED:
		e = replica_reached_by(&h->replica, now, peer, m.reached.origin, m.reached.after,
				       m.reached.positions, m.reached.position_count, m.reached.last);
		break;
	case MESSAGE_PART:
		e = host_snapshot_part(h, now, peer, &m);
		break;
	case MESSAGE_ERROR:
		on_peer_error(h, peer, &m);
		break;
	case MESSAGE_DONE:
		on_peer_done(h, peer, m.done.id);
		break;
	case MESSAGE_WELCOME:
		e = replica_welcomed(&h->replica, now, peer);
		break;
	default:
		host_malformed(h, now, "a peer", KUDOS_PROTOCOL);
		break;
	}
	message_deinit(&m);
	return e;
}

/* ---- leaders ---- */

static void register_with(struct host *h, size_t leader)
{
	struct message m;
	host_members_message(h, &m);
	host_send_leader(h, leader, &m);
}

static void greet(struct host *h, size_t leader)
{
	struct message m = {
	    .type = MESSAGE_HELLO,
	    .hello = {.version = PROTOCOL_VERSION, .is_server = true, .node = h->config.self.node}};
	host_send_leader(h, leader, &m);
	register_with(h, leader);
	h->leaders[leader].greeted = true;
}

void host_heartbeat(struct host *h, int64_t now)
{
	h->next_heartbeat = now + HEARTBEAT;
	if (!h->replica.meta_durable)
		return; /* this run's origin is not announced before it is durable (I4) */
	struct message m = {.type = MESSAGE_HEARTBEAT,
			    .heartbeat = {.node = h->config.self.node,
					  .origin = h->config.self.origin,
					  .digest = h->replica.digest}};
	host_load(h, now, &m.heartbeat.load);
	for (size_t i = 0; i < h->config.leaders; i++) {
		if (!h->leaders[i].greeted || now - h->leaders[i].heard > LEADER_SILENT)
			greet(h, i);
		else
			host_send_leader(h, i, &m);
	}
}

static int on_leader_members(struct host *h, int64_t now, const struct message *m)
{
	return replica_members(&h->replica, now, (struct node){0}, m->members.rows, m->members.row_count);
}

/* A leader that has just started knows only of those who have registered since: it is believed that there is
 * nobody else once everyone had the time to. And of several leaders a majority must know of nobody else, so
 * that two new servers cannot each take themselves for the first while they reach different leaders. */
static void on_heard(struct host *h, int64_t now, size_t leader, const struct message *m)
{
	struct leader_link *l = &h->leaders[leader];
	if (l->incarnation != m->heard.incarnation) {
		l->incarnation = m->heard.incarnation;
		l->since = now;
	}
	bool same = m->heard.known && m->heard.digest == h->replica.digest;
	l->agrees = same && now - l->since >= LEADER_SETTLED;
	h->replica.heard_leader = h->replica.heard_leader || same;
	if (!same)
		register_with(h, leader);
	size_t agree = 0;
	for (size_t i = 0; i < h->config.leaders; i++)
		agree += h->leaders[i].agrees && now - h->leaders[i].heard < LEADER_SILENT;
	h->replica.met_leader = agree * 2 > h->config.leaders;
}

static void on_leader_error(struct host *h, size_t leader, const struct message *m)
{
	if (m->error.code == KUDOS_NO_HELLO)
		greet(h, leader);
	else if (m->error.code == KUDOS_FORGOTTEN)
		h->forgotten = KUDOS_FORGOTTEN;
	else
		log_warn("leader %zu says: %.*s", leader + 1, (int)m->error.text.size, m->error.text.data);
}

int host_receive_leader(struct host *h, int64_t now, size_t leader, const void *data, size_t size)
{
	struct message m;
	int e = message_decode(data, size, &m);
	if (e != 0) {
		if (e > 0)
			host_malformed(h, now, "a leader", e);
		return e < 0 ? e : 0;
	}
	h->leaders[leader].heard = now;
	switch (m.type) {
	case MESSAGE_MEMBERS:
		e = on_leader_members(h, now, &m);
		break;
	case MESSAGE_DRAIN:
		if (host_told_to_drain(h, m.drain.target))
			host_send_leader(h, leader,
					 &(struct message){.type = MESSAGE_DONE, .done = {m.drain.id}});
		break;
	case MESSAGE_HEARD:
		on_heard(h, now, leader, &m);
		break;
	case MESSAGE_ERROR:
		on_leader_error(h, leader, &m);
		break;
	case MESSAGE_WELCOME:
		break;
	default:
		host_malformed(h, now, "a leader", KUDOS_PROTOCOL);
		break;
	}
	message_deinit(&m);
	return e;
}
