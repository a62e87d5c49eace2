/* SPDX-License-Identifier: MIT */
/* The simulated servers and leaders: the real host and desk, with the simulator around them. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kudos.h"
#include "server/peers.h"

#define RESTART_MAX (4 * SECOND)

/* ---- servers ---- */

struct identity sim_identity_of(char kind, int index, uint32_t run)
{
	return (struct identity){
	    1, kind, (uint8_t)index, {(uint8_t)run, (uint8_t)(run >> 8), (uint8_t)(run >> 16)}, {0}};
}

int sim_listens(const struct sim *s, int address)
{
	int i = 0;
	while (s->servers[i].address != address)
		i++;
	return i;
}

uint32_t sim_identity_run(const struct identity *id)
{
	return id->run[0] | (uint32_t)id->run[1] << 8 | (uint32_t)id->run[2] << 16;
}

static bool dead(const struct sim_server *v)
{
	return !disk_burn(v->disk);
}

static void answer_from_server(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct sim_server *v = arg;
	struct identity to;
	if (dead(v) || id_size != sizeof to)
		return;
	memcpy(&to, id, sizeof to);
	int entity = to.kind == 's' ? sim_entity_server(to.index) : sim_entity_client(to.index);
	sim_transmit(v->sim, sim_entity_server(v->index), entity,
		     (struct sim_event){.type = EVENT_ANSWER,
					.from = v->index,
					.disks = v->disks,
					.to = to.index,
					.id = to,
					.data = (uint8_t *)data,
					.size = size});
}

static bool linked(const struct sim_server *v, const struct member *m)
{
	return !m->forgotten && !node_equal(m->node, v->node);
}

/* To where the peer is believed to listen; another may do so by now. */
static void send_to_peer(void *arg, struct node peer, const void *data, size_t size)
{
	struct sim_server *v = arg;
	struct sim *s = v->sim;
	const struct member *m = members_find(&v->host->replica.membership.current, peer);
	if (dead(v) || !m || !linked(v, m))
		return;
	int to = sim_listens(s, atoi(m->client_endpoint + strlen("tcp://sim:")) - 1000);
	struct identity id = sim_identity_of('s', v->index, v->run);
	memcpy(id.peer, &peer.id, sizeof id.peer);
	sim_transmit(s, sim_entity_server(v->index), sim_entity_server(to),
		     (struct sim_event){.type = EVENT_CLIENT_PORT,
					.from = v->index,
					.to = to,
					.id = id,
					.data = (uint8_t *)data,
					.size = size});
}

static void send_to_leader(void *arg, size_t leader, const void *data, size_t size)
{
	struct sim_server *v = arg;
	if (dead(v))
		return;
	sim_transmit(v->sim, sim_entity_server(v->index), sim_entity_leader((int)leader),
		     (struct sim_event){.type = EVENT_TO_LEADER,
					.from = v->index,
					.to = (int)leader,
					.id = sim_identity_of('s', v->index, v->run),
					.data = (uint8_t *)data,
					.size = size});
}

/* A server's SUB is connected to where its host believes members; what is published elsewhere does not reach
 * it. */
static bool subscribed(const struct sim_server *to, const struct sim_server *from)
{
	const struct members *members = &to->host->replica.membership.current;
	for (size_t i = 0; i < members->count; i++) {
		if (linked(to, &members->list[i]) &&
		    strcmp(members->list[i].notify_endpoint,
			   from->host->replica.config.self.notify_endpoint) == 0)
			return sim_subscribed(to->sim, to->index, from->index);
	}
	return false;
}

static void publish(void *arg, const void *topic, size_t topic_size, const void *data, size_t size)
{
	struct sim_server *v = arg;
	struct sim *s = v->sim;
	if (dead(v))
		return;
	const char *letter = topic;
	if (letter[0] == 'r')
		check_publish(s, v->index, data, size);
	if (letter[0] == 'v' && v->host->replica.v.digest)
		map_put(&s->told, v->node.id, v->host->replica.v.digest, s);
	(void)topic_size;
	for (int i = 0; i < s->server_count && letter[0] != 'k'; i++) {
		if (!s->servers[i].host || !subscribed(&s->servers[i], v))
			continue;
		sim_transmit(s, sim_entity_server(v->index), sim_entity_server(i),
			     (struct sim_event){.type = EVENT_PUBLISHED,
						.from = v->index,
						.to = i,
						.run = s->servers[i].run,
						.data = (uint8_t *)data,
						.size = size});
	}
}

static void members_changed(void *arg, const struct members *members)
{
	(void)arg; /* subscribed() looks itself */
	(void)members;
}

static void schedule_server(struct sim *s, int i, int64_t at)
{
	struct sim_server *v = &s->servers[i];
	if (at < v->paused_until)
		at = v->paused_until;
	if (v->tick_at <= at && v->tick_at > s->now)
		return;
	v->tick_at = at;
	sim_at(s, at, (struct sim_event){.type = EVENT_SERVER_TICK, .to = i, .run = v->run});
}

void stream_wake(struct sim *s, int server, int64_t at)
{
	sim_at(s, at, (struct sim_event){.type = EVENT_STREAM, .to = server, .run = s->servers[server].run});
}

void sim_on_stream(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = sim_awake(s, e);
	if (v && e->run == v->run)
		sim_server_gathered(s, e->to, 0);
}

static void fill_config(struct sim *s, struct sim_server *v, struct host_config *c)
{
	*c = (struct host_config){
	    .replica =
		{
		    .seed = s->seed,
		    .ack_peers = s->ack_peers,
		    .session_idle = (int64_t)(2 + sim_below(s, 8)) * SECOND,
		    .session_limit = s->faults.hostile ? 60 : 0,
		    .block = 256,
		    .purges = v->purges,
		    .grace = v->patient			      ? 3600 * SECOND
			     : s->faults.storm && !s->healing ? 20 * MS
							      : 0,
		    .told = s->faults.told,
		    .gaps = s->faults.gaps,
		    .lazy = v->run % 3 ? MS : 0,
		},
	    .leaders = (size_t)s->leader_count,
	    .checkpoint_slice = 1 + (unsigned)sim_below(s, 4),
	    .checkpoint_bytes = 500 + sim_below(s, 4000),
	    .snapshot_bytes = s->seed % 4 == 1 ? 1 + s->seed % 200 : 0,
	    .checkpoint_interval = (int64_t)(1 + sim_below(s, 10)) * SECOND,
	};
	struct member *self = &c->replica.self;
	self->node.id = random_next(&s->random) | 1;
	self->origin.id = random_next(&s->random) | 1;
	for (size_t i = 0; i < sizeof self->secret; i++)
		self->secret.bytes[i] = (uint8_t)random_next(&s->random);
	/* Wall clocks differ and jump: nothing may rest on them. */
	self->since = 1000000 + s->now / MS + (s->faults.clock ? (int64_t)sim_below(s, 100000) : 0);
	snprintf(self->name, sizeof self->name, "s%d", v->index + 1);
	snprintf(self->client_endpoint, sizeof self->client_endpoint, "tcp://sim:%d", 1000 + v->address);
	snprintf(self->notify_endpoint, sizeof self->notify_endpoint, "tcp://sim:%d", 2000 + v->address);
	self->ephemeral = s->faults.memory_only;
}

void sim_start_server(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	struct host_config config;
	struct host_io io = {v, answer_from_server, send_to_peer, send_to_leader, publish, members_changed};
	char error[256] = "";
	if (v->host || v->forgotten)
		return;
	v->run++;
	fill_config(s, v, &config);
	struct store *store = disk_open(v->disk);
	if (v->streams) {
		store = stream_over(s, i, store);
		if (!v->may_regress)
			raise_vector(&v->had, &v->promised); /* it is there again before it serves */
	}
	int e = host_open(&v->host, &config, store, &io, s->now, error, sizeof error);
	if (e < 0) {
		sim_fail(s, "s%d cannot start: %s", i + 1, error);
		return;
	}
	v->node = v->host->replica.config.self.node;
	v->lapsing = 0;
	hostile_note_issuer(s, config.replica.self.origin.id);
	for (size_t k = 0; k < s->gone_count;
	     k++) { /* I10; a forgotten folder itself comes back as what it was */
		if (node_equal(s->gone[k], v->node) && v->disk->count == 0)
			sim_fail(s, "s%d's new disk gave it the node id of an old one", i + 1);
	}
	sim_log(s, "s%d starts as node %016llx origin %016llx", i + 1, (unsigned long long)v->node.id,
		(unsigned long long)config.replica.self.origin.id);
	if (v->host->forgotten) {
		check_forgotten(s, i);
		sim_stop_server(s, i);
		v->forgotten = true;
		return;
	}
	v->phase = PHASE_CATCHING_UP;
	for (int k = 0; v->may_regress && k < SIM_PAST; k++)
		v->past[k].count = 0;
	v->sampled_count = v->closing_count = 0;
	vector_clear(&v->reached);
	check_recovered(s, i);
	v->paused_until = 0;
	v->tick_at = 0;
	schedule_server(s, i, s->now);
}

/* Who heard of it may be gone itself: it is said again in the end. */
void sim_note_gone(struct sim *s, struct node node)
{
	bool noted = s->gone_count == 32;
	for (size_t k = 0; k < s->gone_count; k++)
		noted = noted || node_equal(s->gone[k], node);
	if (!noted)
		s->gone[s->gone_count++] = node;
}

void sim_stop_server(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	if (!v->host)
		return;
	vector_copy(&v->promised, &v->host->replica.v);
	sim_log(s, "s%d stops", i + 1);
	if (v->host->replica.ready.phase ==
	    PHASE_SERVING) /* it may have begun to in the very call that it died in */
		check_renewed(s, v);
	host_close(&v->host);
	disk_crash(v->disk);
	v->run++;
	for (int k = 0; k < s->client_count; k++)
		sim_client_disconnected(s, k, i);
}

void sim_after_call(struct sim *s, int i, int error)
{
	struct sim_server *v = &s->servers[i];
	if (error == 0 && !v->disk->dead) {
		check_server(s, i);
		faults_hasty(s, i);
		if (!v->host->forgotten)
			return;
		check_forgotten(s, i);
		v->forgotten = true;
		sim_stop_server(s, i);
		return;
	}
	/* It died in the middle, or stopped because of an error (I12). */
	s->stats.crashes++;
	sim_stop_server(s, i);
	int64_t pause = 50 * MS + (int64_t)sim_below(s, (uint64_t)RESTART_MAX);
	sim_at(s, s->now + pause, (struct sim_event){.type = EVENT_RESTART, .to = i});
}

/* Sometimes several messages gather before a flush, sometimes each has its own. */
void sim_server_gathered(struct sim *s, int i, int error)
{
	struct sim_server *v = &s->servers[i];
	if (error == 0 && (sim_chance(s, 600) || host_full(v->host)))
		error = host_flush(v->host, s->now);
	else
		schedule_server(s, i, s->now + (int64_t)sim_below(s, 300));
	sim_after_call(s, i, error);
	if (v->host)
		schedule_server(s, i, host_deadline(v->host));
}

/* NULL when it is down, or the event comes too early for one that is stopped for a while. */
struct sim_server *sim_awake(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = &s->servers[e->to];
	if (!v->host)
		return NULL;
	if (s->now < v->paused_until) {
		sim_at(s, v->paused_until + (int64_t)sim_below(s, 1000), *e);
		return NULL;
	}
	return v;
}

void sim_on_client_port(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = sim_awake(s, e);
	if (v)
		sim_server_gathered(s, e->to,
				    host_receive_client(v->host, s->now, ROLE_ANY, (const uint8_t *)&e->id,
							sizeof e->id, e->data, e->size));
}

void sim_on_published(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = sim_awake(s, e);
	if (v && e->run == v->run)
		sim_server_gathered(s, e->to, peers_published(v->host, s->now, e->data, e->size));
}

void sim_on_server_tick(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = sim_awake(s, e);
	if (!v || e->run != v->run || e->at < v->tick_at)
		return;
	v->tick_at = 0;
	int error = host_tick(v->host, s->now);
	if (error == 0)
		error = host_flush(v->host, s->now);
	sim_after_call(s, e->to, error);
	if (v->host) {
		int64_t at = host_deadline(v->host);
		schedule_server(s, e->to, at > s->now ? at : s->now + 200);
	}
}

/* An end in order: it takes nothing more, and ends when it has nothing left to do, or after a while. */
void sim_drain_server(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	if (s->now < v->paused_until || v->host->replica.ready.phase != PHASE_SERVING)
		return;
	s->stats.drains++;
	sim_log(s, "s%d drains", i + 1);
	host_drain(v->host, s->now);
	v->drain_until = s->now + 3500 * MS;
	sim_at(s, s->now + 200 * MS, (struct sim_event){.type = EVENT_DRAINED, .to = i, .run = v->run});
	sim_after_call(s, i, host_flush(v->host, s->now));
}

void sim_on_drained(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = sim_awake(s, e);
	if (!v || e->run != v->run)
		return;
	bool drained = host_drained(v->host, s->now);
	if (!drained && s->now < v->drain_until) {
		sim_at(s, s->now + 10 * MS,
		       (struct sim_event){.type = EVENT_DRAINED, .to = e->to, .run = v->run});
		return;
	}
	if (drained)
		check_drained(s, e->to);
	sim_stop_server(s, e->to);
	sim_at(s, s->now + (int64_t)sim_below(s, (uint64_t)RESTART_MAX),
	       (struct sim_event){.type = EVENT_RESTART, .to = e->to});
}

/* ---- leaders ---- */

static int answer_from_leader(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct sim_leader *l = arg;
	struct identity to;
	if (id_size != sizeof to)
		return KUDOS_NO_SERVER;
	memcpy(&to, id, sizeof to);
	int entity = to.kind == 's' ? sim_entity_server(to.index) : sim_entity_client(to.index);
	sim_transmit(l->sim, sim_entity_leader(l->index), entity,
		     (struct sim_event){.type = EVENT_FROM_LEADER,
					.from = l->index,
					.to = to.index,
					.id = to,
					.data = (uint8_t *)data,
					.size = size});
	return 0;
}

void sim_start_leader(struct sim *s, int i)
{
	struct sim_leader *l = &s->leaders[i];
	if (l->desk)
		return;
	l->desk = calloc(1, sizeof *l->desk);
	if (!l->desk ||
	    desk_init(l->desk, random_next(&s->random) | 1, "tcp://sim:1", answer_from_leader, l) < 0)
		abort();
	hostile_note_issuer(s, l->desk->directory.incarnation);
	l->run++;
	sim_at(s, s->now + 100 * MS, (struct sim_event){.type = EVENT_LEADER_TICK, .to = i, .run = l->run});
}

void sim_stop_leader(struct sim *s, int i)
{
	struct sim_leader *l = &s->leaders[i];
	if (!l->desk)
		return;
	desk_deinit(l->desk);
	free(l->desk);
	l->desk = NULL;
}

void sim_on_leader_tick(struct sim *s, struct sim_event *e)
{
	struct sim_leader *l = &s->leaders[e->to];
	if (!l->desk || l->run != e->run)
		return;
	desk_tick(l->desk, s->now);
	sim_at(s, s->now + 100 * MS,
	       (struct sim_event){.type = EVENT_LEADER_TICK, .to = e->to, .run = l->run});
}

void sim_on_to_leader(struct sim *s, struct sim_event *e)
{
	struct sim_leader *l = &s->leaders[e->to];
	if (!l->desk)
		return;
	if (desk_receive(l->desk, s->now, ROLE_ANY, (const uint8_t *)&e->id, sizeof e->id, e->data, e->size) <
	    0)
		sim_fail(s, "a leader ran out of memory");
	if (sim_chance(s, 500))
		desk_tick(l->desk, s->now);
}

void sim_on_from_leader(struct sim *s, struct sim_event *e)
{
	if (e->id.kind == 'c') {
		sim_on_leaders_answer(s, e);
		return;
	}
	struct sim_server *v = sim_awake(s, e);
	if (v && sim_identity_run(&e->id) == v->run)
		sim_server_gathered(s, e->to,
				    leaders_receive(v->host, s->now, (size_t)e->from, e->data, e->size));
}
