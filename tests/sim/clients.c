/* SPDX-License-Identifier: MIT */
/* The simulated clients: the real agent, likes and reads drawn by chance. */
#include "base/array.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kudos.h"
#include "server/peers.h"

/* ---- clients ---- */

/* A network may hand over a message twice, and the second time late: at the worst moment, which is when the
 * next of its kind is asked for. */
static void keep_late(struct sim *s, struct sim_client *c, const struct sim_event *e)
{
	if (!s->faults.late || (c->late.data && !sim_chance(s, 200)))
		return;
	free(c->late.data);
	c->late = *e;
	c->late.data = malloc(e->size);
	if (!c->late.data)
		abort();
	memcpy(c->late.data, e->data, e->size);
}

static void deliver_late(struct sim_client *c)
{
	if (c->late.data && !c->sim->healing && sim_chance(c->sim, 200))
		sim_at(c->sim, c->sim->now + 50, c->late);
}

static void client_to_leader(void *arg, size_t index, const void *data, size_t size)
{
	struct sim_client *c = arg;
	deliver_late(c);
	sim_transmit(c->sim, sim_entity_client(c->index), sim_entity_leader((int)index),
		     (struct sim_event){.type = EVENT_TO_LEADER,
					.from = c->index,
					.to = (int)index,
					.id = sim_identity_of('c', c->index, (uint32_t)c->generation),
					.data = (uint8_t *)data,
					.size = size});
}

static void client_to_server(void *arg, const void *data, size_t size)
{
	struct sim_client *c = arg;
	check_batch(c->sim, c->index, data, size);
	if (c->address < 0)
		return;
	int to = sim_listens(c->sim, c->address);
	sim_transmit(c->sim, sim_entity_client(c->index), sim_entity_server(to),
		     (struct sim_event){.type = EVENT_CLIENT_PORT,
					.from = c->index,
					.to = to,
					.id = sim_identity_of('c', c->index, c->run),
					.data = (uint8_t *)data,
					.size = size});
}

static void client_use_server(void *arg, const char *endpoint)
{
	struct sim_client *c = arg;
	c->run++;
	c->address = -1;
	if (strncmp(endpoint, "tcp://sim:1", 11) == 0)
		c->address = atoi(endpoint + 10) - 1000;
}

enum like_state sim_acknowledged(struct sim_client *c, size_t owner, uint64_t like)
{
	bool alone = check_alone(c->sim, owner, like, c->answering);
	c->acked = c->acked || alone;
	check_acked(c->sim, owner, like, c->answering);
	return alone && c->answered_by_gone && c->sim->ack_peers == 0 ? LIKE_AT_RISK : LIKE_ACKED;
}

static void client_result(void *arg, const struct kudos_result *result)
{
	struct sim_client *c = arg;
	struct sim *s = c->sim;
	for (uint64_t t = result->first; t <= result->last; t++) {
		/* Odd tickets like a key of their own, even ones a shared key along with it. */
		struct owner *o = &s->owners[c->owner];
		uint64_t like = (t - 1) / 2;
		if (like >= o->count)
			sim_fail(s, "client %d was told of ticket %llu, which it never took", c->index,
				 (unsigned long long)t);
		else if (o->likes[like] != LIKE_SENT && t % 2 == 1)
			sim_fail(s, "client %d was told twice of ticket %llu", c->index,
				 (unsigned long long)t);
		else if (t % 2 == 1)
			o->likes[like] = result->error == KUDOS_OK ? sim_acknowledged(c, c->owner, like)
					 : result->error == KUDOS_IN_DOUBT ? LIKE_IN_DOUBT
									   : LIKE_REFUSED;
		if (result->error == KUDOS_IN_DOUBT)
			s->stats.in_doubt++;
		else if (result->error != KUDOS_OK)
			sim_fail(s, "client %d: ticket %llu was refused: %s", c->index, (unsigned long long)t,
				 kudos_error_code(result->error));
	}
}

static void client_counts(struct sim_client *c, const struct agent_answer *answer)
{
	struct sim *s = c->sim;
	const int64_t *counts = answer->data;
	if (answer->id != c->reading)
		return;
	c->reading = 0;
	for (size_t i = 0; i < answer->count && i < c->read_count; i++) {
		bool there = c->read_acked[i] && s->owners[c->owner].likes[c->read_first + i] == LIKE_ACKED;
		if (counts[i] < there || counts[i] > 1)
			sim_fail(s, "client %d read %lld of o%zun%llu, which was %s before it asked",
				 c->index, (long long)counts[i], c->owner,
				 (unsigned long long)(c->read_first + i),
				 c->read_acked[i] ? "acknowledged" : "sent");
	}
}

static void client_answer(void *arg, const struct agent_answer *answer)
{
	if (answer->asked == MESSAGE_COUNT)
		client_counts(arg, answer);
	else if (answer->asked == MESSAGE_ASSIGN)
		outbox_session(arg, answer);
	else
		outbox_put(arg, answer);
}

void sim_start_client(struct sim *s, int i)
{
	static const char *const leaders[] = {"tcp://sim:1", "tcp://sim:2"};
	struct sim_client *c = &s->clients[i];
	struct agent_options options = {
	    .leaders = leaders, .leader_count = (size_t)s->leader_count, .linger_us = 500};
	struct agent_io io = {.arg = c,
			      .send_leader = client_to_leader,
			      .send_server = client_to_server,
			      .use_server = client_use_server,
			      .result = client_result,
			      .answer = client_answer};
	if (s->leader_count == 0 || sim_chance(s, 100)) {
		snprintf(c->server_endpoint, sizeof c->server_endpoint, "tcp://sim:%d",
			 1000 + (int)sim_below(s, (uint64_t)s->server_count));
		if (s->leader_count == 0)
			options.server = c->server_endpoint;
	}
	c->agent = agent_new(&options, &io);
	if (!c->agent)
		abort();
	c->generation++;
	c->address = -1;
	if (array_reserve(&s->owners, s->owner_count + 1, &s->owner_capacity, sizeof *s->owners) < 0)
		abort();
	c->owner = s->owner_count;
	s->owners[s->owner_count++] = (struct owner){0};
	c->reading = 0;
	c->closing = false;
	c->tick_at = 0;
}

static void schedule_client(struct sim *s, int i)
{
	struct sim_client *c = &s->clients[i];
	int64_t at = agent_deadline(c->agent);
	if (at == NEVER || (c->tick_at > s->now && c->tick_at <= at))
		return;
	c->tick_at = at > s->now ? at : s->now;
	sim_at(s, c->tick_at,
	       (struct sim_event){.type = EVENT_CLIENT_TICK, .to = i, .run = (uint32_t)c->generation});
}

/* One of its own, and one of a key that all like. */
static void client_like(struct sim *s, struct sim_client *c)
{
	char key[48];
	struct owner *o = &s->owners[c->owner];
	int size = snprintf(key, sizeof key, "o%zun%zu", c->owner, o->count);
	if (c->agent->courier.window.taken % 2 == 0) { /* else the last shared one found no room */
		if (agent_send(c->agent, s->now, key, (size_t)size, 1, NULL) != 0)
			return;
		if (array_reserve(&o->likes, o->count + 1, &o->capacity, sizeof *o->likes) < 0)
			abort();
		o->likes[o->count++] = LIKE_SENT;
		s->like_count++;
	}
	size = snprintf(key, sizeof key, "k%d", (int)sim_below(s, 5));
	agent_send(c->agent, s->now, key, (size_t)size, 1, NULL);
}

static void client_read(struct sim *s, struct sim_client *c)
{
	const char *keys[16];
	char names[16][48];
	const struct owner *o = &s->owners[c->owner];
	uint64_t taken = o->count;
	if (taken == 0 || c->reading != 0)
		return;
	c->read_count = taken < 16 ? (size_t)taken : 16;
	c->read_first = sim_below(s, taken - c->read_count + 1);
	for (size_t i = 0; i < c->read_count; i++) {
		snprintf(names[i], sizeof names[i], "o%zun%llu", c->owner,
			 (unsigned long long)(c->read_first + i));
		keys[i] = names[i];
		c->read_acked[i] = o->likes[c->read_first + i] == LIKE_ACKED;
	}
	uint64_t id;
	if (agent_read(c->agent, s->now, keys, c->read_count, NULL, &id) == 0) {
		c->reading = id;
		s->stats.reads++;
	}
}

void sim_client_dies(struct sim *s, struct sim_client *c)
{
	struct owner *o = &s->owners[c->owner];
	for (size_t i = 0; i < o->count; i++) {
		if (o->likes[i] == LIKE_SENT)
			o->likes[i] = LIKE_ABANDONED;
	}
	agent_free(c->agent);
	c->agent = NULL;
	outbox_client_died(c);
	s->stats.clients_died++;
}

void sim_on_client_act(struct sim *s, struct sim_event *e)
{
	struct sim_client *c = &s->clients[e->to];
	if (s->quiet)
		return;
	if (!c->agent)
		sim_start_client(s, e->to);
	else if (s->healing)
		outbox_act(s, c);
	else if (c->closing || (s->faults.clients_die && sim_chance(s, 15))) {
		if (!c->closing && sim_chance(s, 500)) {
			c->closing = true;
			courier_close(&c->agent->courier);
		} else {
			sim_client_dies(s, c);
		}
	} else if (s->like_count < s->like_limit) {
		client_like(s, c);
		if (sim_chance(s, 150))
			client_read(s, c);
		outbox_act(s, c);
	}
	if (c->agent)
		schedule_client(s, e->to);
	/* Now and then it rests for long enough that servers close its session. */
	bool rests = s->faults.rests && sim_chance(s, 15) && !s->healing;
	int64_t pause = rests ? 12 * SECOND : s->faults.pace;
	sim_at(s, s->now + (int64_t)sim_below(s, (uint64_t)pause),
	       (struct sim_event){.type = EVENT_CLIENT_ACT, .to = e->to});
}

/* Its kernel tells in every third history: in the others nothing but silence does. */
void sim_client_disconnected(struct sim *s, int i, int server)
{
	struct sim_client *c = &s->clients[i];
	if (s->seed % 3 != 0 || !c->agent || c->address != s->servers[server].address)
		return;
	agent_disconnected(c->agent, s->now);
	schedule_client(s, i);
}

void sim_on_client_tick(struct sim *s, struct sim_event *e)
{
	struct sim_client *c = &s->clients[e->to];
	if (!c->agent || e->run != (uint32_t)c->generation || e->at != c->tick_at)
		return;
	c->tick_at = 0;
	agent_tick(c->agent, s->now);
	schedule_client(s, e->to);
}

void sim_on_answer(struct sim *s, struct sim_event *e)
{
	if (e->id.kind == 'c' && e->to == SIM_HOSTILE) {
		hostile_hears(s, e);
		return;
	}
	if (e->id.kind == 'c') {
		struct sim_client *c = &s->clients[e->to];
		if (c->agent && sim_identity_run(&e->id) == c->run &&
		    s->servers[e->from].address == c->address) {
			c->acked = false;
			c->answering = e->from;
			c->answered_by_gone = e->disks != s->servers[e->from].disks ||
					      (s->servers[e->from].condemned && s->destroyed > 0);
			hostile_check_answer(s, e->to, e->data, e->size);
			agent_receive_server(c->agent, s->now, e->data, e->size);
			schedule_client(s, e->to);
			if (c->acked)
				faults_acked(s, e->from);
		}
		return;
	}
	struct sim_server *v = sim_awake(s, e);
	struct node peer;
	memcpy(&peer.id, e->id.peer, sizeof peer.id);
	if (v && sim_identity_run(&e->id) == v->run)
		sim_server_gathered(s, e->to, peers_receive(v->host, s->now, peer, e->data, e->size));
}

void sim_on_leaders_answer(struct sim *s, struct sim_event *e)
{
	if (e->to == SIM_HOSTILE) {
		hostile_hears(s, e);
		return;
	}
	struct sim_client *c = &s->clients[e->to];
	if (!c->agent || sim_identity_run(&e->id) != (uint32_t)c->generation)
		return; /* an answer to its life before: with it, it would take that one's session */
	keep_late(s, c, e);
	agent_receive_leader(c->agent, s->now, (size_t)e->from, e->data, e->size);
	schedule_client(s, e->to);
}
