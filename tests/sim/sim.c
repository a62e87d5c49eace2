#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "kudos.h"

#define RESTART_MAX (4 * SECOND)
#define ACTIVE (15 * SECOND)	/* faults and likes go on for so long … */
#define QUIET_EVERY 10		/* of so many histories one goes on without clients … */
#define QUIET (100 * SECOND)	/* … until every session must have been closed and forgotten */
#define DEADLINE (180 * SECOND) /* … and by then everything must be equal everywhere */

/* ---- small things ---- */

void sim_fail(struct sim *s, const char *format, ...)
{
	if (s->failure[0])
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(s->failure, sizeof s->failure, format, args);
	va_end(args);
	sim_log(s, "FAILED: %s", s->failure);
}

void sim_log(struct sim *s, const char *format, ...)
{
	if (!s->verbose)
		return;
	printf("%9.3f ms  ", (double)s->now / 1000.0);
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
	return random_below(&s->random, n);
}

bool sim_chance(struct sim *s, unsigned in_1000)
{
	return in_1000 > 0 && sim_below(s, 1000) < in_1000;
}

int sim_entity_server(int i)
{
	return i;
}

int sim_entity_leader(int i)
{
	return SIM_SERVERS + i;
}

int sim_entity_client(int i)
{
	return SIM_SERVERS + SIM_LEADERS + i;
}

/* ---- events ---- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void sim_at(struct sim *s, int64_t at, struct sim_event event)
{
	struct sim_event *e = malloc(sizeof *e);
	if (!e || replica_reserve((void **)&s->heap, s->heap_count, &s->heap_capacity, sizeof(void *)) < 0)
		abort();
	*e = event;
	e->at = at < s->now ? s->now : at;
	e->order = s->order++;
	if (event.size) {
		e->data = malloc(event.size);
		if (!e->data)
			abort();
		memcpy(e->data, event.data, event.size);
	}
	size_t i = s->heap_count++;
	while (i > 0 && earlier(e, s->heap[(i - 1) / 2])) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = e;
}

static struct sim_event *take_event(struct sim *s)
{
	struct sim_event *first = s->heap[0], *last = s->heap[--s->heap_count];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < s->heap_count; i = child) {
		if (child + 1 < s->heap_count && earlier(s->heap[child + 1], s->heap[child]))
			child++;
		if (!earlier(s->heap[child], last))
			break;
		s->heap[i] = s->heap[child];
	}
	s->heap[i] = last;
	return first;
}

/* Sends over the network: from and to are entities. */
static void transmit(struct sim *s, int from, int to, struct sim_event event)
{
	if (s->cut[from][to] || sim_chance(s, s->faults.loss)) {
		s->stats.lost++;
		return;
	}
	int copies = 1 + sim_chance(s, s->faults.duplicate);
	s->stats.duplicated += (uint64_t)copies - 1;
	for (int i = 0; i < copies; i++) {
		int64_t delay = 50 + (int64_t)sim_below(s, (uint64_t)s->faults.delay);
		if (s->faults.slow && sim_chance(s, 20))
			delay += (int64_t)sim_below(s, 400 * MS);
		sim_at(s, s->now + delay, event);
	}
}

/* ---- servers ---- */

static struct identity identity_of(char kind, int index, uint32_t run)
{
	return (struct identity){
	    1, kind, (uint8_t)index, {(uint8_t)run, (uint8_t)(run >> 8), (uint8_t)(run >> 16)}};
}

static uint32_t identity_run(const struct identity *id)
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
	transmit(v->sim, sim_entity_server(v->index), entity,
		 (struct sim_event){.type = EVENT_ANSWER,
				    .from = v->index,
				    .to = to.index,
				    .id = to,
				    .data = (uint8_t *)data,
				    .size = size});
}

static void send_to_peer(void *arg, struct node peer, const void *data, size_t size)
{
	struct sim_server *v = arg;
	struct sim *s = v->sim;
	if (dead(v))
		return;
	for (int i = 0; i < s->server_count; i++) {
		if (!node_equal(s->servers[i].node, peer))
			continue;
		transmit(s, sim_entity_server(v->index), sim_entity_server(i),
			 (struct sim_event){.type = EVENT_CLIENT_PORT,
					    .from = v->index,
					    .to = i,
					    .id = identity_of('s', v->index, v->run),
					    .data = (uint8_t *)data,
					    .size = size});
	}
}

static void send_to_leader(void *arg, size_t leader, const void *data, size_t size)
{
	struct sim_server *v = arg;
	if (dead(v))
		return;
	transmit(v->sim, sim_entity_server(v->index), sim_entity_leader((int)leader),
		 (struct sim_event){.type = EVENT_TO_LEADER,
				    .from = v->index,
				    .to = (int)leader,
				    .id = identity_of('s', v->index, v->run),
				    .data = (uint8_t *)data,
				    .size = size});
}

/* A server's SUB is connected to whom its host wants; the others' messages do not reach it. */
static bool subscribed(const struct sim_server *to, struct node from)
{
	const struct member *m = to->host ? members_find(&to->host->replica.members, from) : NULL;
	return m && !m->forgotten;
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
	(void)topic_size;
	for (int i = 0; i < s->server_count && letter[0] != 'k'; i++) {
		if (i == v->index || !subscribed(&s->servers[i], v->node))
			continue;
		transmit(s, sim_entity_server(v->index), sim_entity_server(i),
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

static void fill_config(struct sim *s, struct sim_server *v, struct host_config *c)
{
	*c = (struct host_config){
	    .seed = s->seed,
	    .ack_peers = s->ack_peers,
	    .leaders = (size_t)s->leader_count,
	    .session_idle = 8 * SECOND,
	    .grace = v->patient ? 3600 * SECOND : 0,
	    .checkpoint_bytes = 500 + sim_below(s, 4000),
	    .checkpoint_interval = (int64_t)(1 + sim_below(s, 10)) * SECOND,
	    .quiet = true,
	};
	c->self.node.id = random_next(&s->random) | 1;
	c->self.origin.id = random_next(&s->random) | 1;
	/* Wall clocks differ and jump: nothing may rest on them. */
	c->self.since = 1000000 + s->now / MS + (s->faults.clock ? (int64_t)sim_below(s, 100000) : 0);
	snprintf(c->self.name, sizeof c->self.name, "s%d", v->index + 1);
	snprintf(c->self.client_endpoint, sizeof c->self.client_endpoint, "tcp://sim:%d", 1000 + v->index);
	snprintf(c->self.notify_endpoint, sizeof c->self.notify_endpoint, "tcp://sim:%d", 2000 + v->index);
	c->self.ephemeral = s->faults.memory_only;
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
	int e = host_open(&v->host, &config, disk_open(v->disk), &io, s->now, error, sizeof error);
	if (e < 0) {
		sim_fail(s, "s%d cannot start: %s", i + 1, error);
		return;
	}
	v->node = v->host->config.self.node;
	sim_log(s, "s%d starts as node %016llx origin %016llx", i + 1, (unsigned long long)v->node.id,
		(unsigned long long)config.self.origin.id);
	if (v->host->forgotten) {
		sim_log(s, "s%d was forgotten", i + 1);
		sim_stop_server(s, i);
		v->forgotten = true;
		return;
	}
	v->phase = PHASE_CATCHING_UP;
	check_recovered(s, i);
	v->paused_until = 0;
	v->tick_at = 0;
	schedule_server(s, i, s->now);
}

void sim_stop_server(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	if (!v->host)
		return;
	vector_copy(&v->promised, &v->host->replica.v);
	vector_merge(&v->promised, &v->host->replica.retired);
	sim_log(s, "s%d stops", i + 1);
	host_close(&v->host);
	disk_crash(v->disk);
	v->run++;
}

void sim_after_call(struct sim *s, int i, int error)
{
	struct sim_server *v = &s->servers[i];
	if (error == 0 && !v->disk->dead) {
		check_server(s, i);
		if (!v->host->forgotten)
			return;
		sim_log(s, "s%d was told that it is forgotten", i + 1);
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
static void server_gathered(struct sim *s, int i, int error)
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
static struct sim_server *awake(struct sim *s, struct sim_event *e)
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

static void on_client_port(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = awake(s, e);
	if (v)
		server_gathered(s, e->to,
				host_receive_client(v->host, s->now, (const uint8_t *)&e->id, sizeof e->id,
						    e->data, e->size));
}

static void on_published(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = awake(s, e);
	if (v && e->run == v->run)
		server_gathered(s, e->to, host_receive_published(v->host, s->now, e->data, e->size));
}

static void on_server_tick(struct sim *s, struct sim_event *e)
{
	struct sim_server *v = awake(s, e);
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

/* ---- leaders ---- */

static int answer_from_leader(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct sim_leader *l = arg;
	struct identity to;
	if (id_size != sizeof to)
		return KUDOS_NO_SERVER;
	memcpy(&to, id, sizeof to);
	int entity = to.kind == 's' ? sim_entity_server(to.index) : sim_entity_client(to.index);
	transmit(l->sim, sim_entity_leader(l->index), entity,
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
	l->desk->quiet = true;
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

static void on_leader_tick(struct sim *s, struct sim_event *e)
{
	struct sim_leader *l = &s->leaders[e->to];
	if (!l->desk || l->run != e->run)
		return;
	desk_tick(l->desk, s->now);
	sim_at(s, s->now + 100 * MS,
	       (struct sim_event){.type = EVENT_LEADER_TICK, .to = e->to, .run = l->run});
}

static void on_to_leader(struct sim *s, struct sim_event *e)
{
	struct sim_leader *l = &s->leaders[e->to];
	if (!l->desk)
		return;
	if (desk_receive(l->desk, s->now, (const uint8_t *)&e->id, sizeof e->id, e->data, e->size) < 0)
		sim_fail(s, "a leader ran out of memory");
	if (sim_chance(s, 500))
		desk_tick(l->desk, s->now);
}

static void on_from_leader(struct sim *s, struct sim_event *e)
{
	if (e->id.kind == 'c') {
		struct sim_client *c = &s->clients[e->to];
		if (c->agent)
			agent_receive_leader(c->agent, s->now, (size_t)e->from, e->data, e->size);
		return;
	}
	struct sim_server *v = awake(s, e);
	if (v && identity_run(&e->id) == v->run)
		server_gathered(s, e->to,
				host_receive_leader(v->host, s->now, (size_t)e->from, e->data, e->size));
}

/* ---- clients ---- */

static void client_to_leader(void *arg, size_t index, const void *data, size_t size)
{
	struct sim_client *c = arg;
	transmit(c->sim, sim_entity_client(c->index), sim_entity_leader((int)index),
		 (struct sim_event){.type = EVENT_TO_LEADER,
				    .from = c->index,
				    .to = (int)index,
				    .id = identity_of('c', c->index, (uint32_t)c->generation),
				    .data = (uint8_t *)data,
				    .size = size});
}

static void client_to_server(void *arg, const void *data, size_t size)
{
	struct sim_client *c = arg;
	if (c->server < 0)
		return;
	transmit(c->sim, sim_entity_client(c->index), sim_entity_server(c->server),
		 (struct sim_event){.type = EVENT_CLIENT_PORT,
				    .from = c->index,
				    .to = c->server,
				    .id = identity_of('c', c->index, c->run),
				    .data = (uint8_t *)data,
				    .size = size});
}

static void client_use_server(void *arg, const char *endpoint)
{
	struct sim_client *c = arg;
	c->run++;
	c->server = -1;
	if (strncmp(endpoint, "tcp://sim:1", 11) == 0)
		c->server = atoi(endpoint + 10) - 1000;
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
			o->likes[like] = result->error == KUDOS_OK	   ? LIKE_ACKED
					 : result->error == KUDOS_IN_DOUBT ? LIKE_IN_DOUBT
									   : LIKE_REFUSED;
		if (result->error == KUDOS_IN_DOUBT)
			s->stats.in_doubt++;
		else if (result->error != KUDOS_OK)
			sim_fail(s, "client %d: ticket %llu was refused: %s", c->index, (unsigned long long)t,
				 kudos_error_code(result->error));
	}
}

static void client_counts(void *arg, uint64_t id, int error, const int64_t *counts, size_t n)
{
	struct sim_client *c = arg;
	if (id != c->reading)
		return;
	c->reading = 0;
	for (size_t i = 0; error == KUDOS_OK && i < n && i < c->read_count; i++) {
		if (counts[i] < (c->read_acked[i] ? 1 : 0) || counts[i] > 1)
			sim_fail(c->sim, "client %d read %lld of o%zun%llu, which was %s before it asked",
				 c->index, (long long)counts[i], c->owner,
				 (unsigned long long)(c->read_first + i),
				 c->read_acked[i] ? "acknowledged" : "sent");
	}
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
			      .counts = client_counts};
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
	c->server = -1;
	if (replica_reserve((void **)&s->owners, s->owner_count, &s->owner_capacity, sizeof *s->owners) < 0)
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
	if (agent_taken(c->agent) % 2 == 0) { /* else the last shared one found no room */
		if (agent_send(c->agent, s->now, key, (size_t)size, 1, NULL) != 0)
			return;
		if (replica_reserve((void **)&o->likes, o->count, &o->capacity, sizeof *o->likes) < 0)
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
	if (agent_read(c->agent, s->now, keys, c->read_count, &id) == 0) {
		c->reading = id;
		s->stats.reads++;
	}
}

static void client_dies(struct sim *s, struct sim_client *c)
{
	struct owner *o = &s->owners[c->owner];
	for (size_t i = 0; i < o->count; i++) {
		if (o->likes[i] == LIKE_SENT)
			o->likes[i] = LIKE_ABANDONED;
	}
	agent_free(c->agent);
	c->agent = NULL;
	s->stats.clients_died++;
}

static void on_client_act(struct sim *s, struct sim_event *e)
{
	struct sim_client *c = &s->clients[e->to];
	if (s->quiet)
		return;
	if (!c->agent)
		sim_start_client(s, e->to);
	else if (s->healing)
		return;
	else if (c->closing || (s->faults.clients_die && sim_chance(s, 15))) {
		if (!c->closing && sim_chance(s, 500)) {
			c->closing = true;
			agent_close(c->agent);
		} else {
			client_dies(s, c);
		}
	} else if (s->like_count < s->like_limit) {
		client_like(s, c);
		if (sim_chance(s, 150))
			client_read(s, c);
	}
	if (c->agent)
		schedule_client(s, e->to);
	sim_at(s, s->now + (int64_t)sim_below(s, 60 * MS),
	       (struct sim_event){.type = EVENT_CLIENT_ACT, .to = e->to});
}

static void on_client_tick(struct sim *s, struct sim_event *e)
{
	struct sim_client *c = &s->clients[e->to];
	if (!c->agent || e->run != (uint32_t)c->generation || e->at != c->tick_at)
		return;
	c->tick_at = 0;
	agent_tick(c->agent, s->now);
	schedule_client(s, e->to);
}

static void on_answer(struct sim *s, struct sim_event *e)
{
	if (e->id.kind == 'c') {
		struct sim_client *c = &s->clients[e->to];
		if (c->agent && identity_run(&e->id) == c->run && e->from == c->server) {
			agent_receive_server(c->agent, s->now, e->data, e->size);
			schedule_client(s, e->to);
		}
		return;
	}
	struct sim_server *v = awake(s, e);
	if (v && identity_run(&e->id) == v->run)
		server_gathered(
		    s, e->to, host_receive_peer(v->host, s->now, s->servers[e->from].node, e->data, e->size));
}

/* ---- a history ---- */

static void run_event(struct sim *s, struct sim_event *e)
{
	switch (e->type) {
	case EVENT_CLIENT_PORT:
		on_client_port(s, e);
		break;
	case EVENT_ANSWER:
		on_answer(s, e);
		break;
	case EVENT_PUBLISHED:
		on_published(s, e);
		break;
	case EVENT_NOTIFY:
		break;
	case EVENT_TO_LEADER:
		on_to_leader(s, e);
		break;
	case EVENT_FROM_LEADER:
		on_from_leader(s, e);
		break;
	case EVENT_SERVER_TICK:
		on_server_tick(s, e);
		break;
	case EVENT_LEADER_TICK:
		on_leader_tick(s, e);
		break;
	case EVENT_CLIENT_TICK:
		on_client_tick(s, e);
		break;
	case EVENT_CLIENT_ACT:
		on_client_act(s, e);
		break;
	case EVENT_FAULT:
		faults_next(s);
		break;
	case EVENT_RESTART:
		if (faults_may_join(s, e->to))
			sim_start_server(s, e->to);
		else
			sim_at(s, s->now + 200 * MS, *e);
		break;
	case EVENT_RESTART_LEADER:
		sim_start_leader(s, e->to);
		break;
	}
}

static void run_until(struct sim *s, int64_t until)
{
	while (s->heap_count > 0 && s->heap[0]->at <= until && !s->failure[0]) {
		struct sim_event *e = take_event(s);
		s->now = e->at;
		s->events_run++;
		run_event(s, e);
		free(e->data);
		free(e);
	}
	s->now = until;
}

static void start(struct sim *s)
{
	faults_draw(s);
	for (int i = 0; i < s->leader_count; i++) {
		s->leaders[i] = (struct sim_leader){.sim = s, .index = i};
		sim_start_leader(s, i);
	}
	for (int i = 0; i < s->server_count; i++) {
		s->servers[i] = (struct sim_server){.sim = s, .index = i, .disk = disk_new(s, i)};
		/* Some join late. */
		int64_t at = i > 0 && sim_chance(s, 300) ? (int64_t)sim_below(s, ACTIVE)
							 : (int64_t)sim_below(s, 200 * MS);
		sim_at(s, at, (struct sim_event){.type = EVENT_RESTART, .to = i});
	}
	for (int i = 0; i < s->client_count; i++) {
		s->clients[i] = (struct sim_client){.sim = s, .index = i, .server = -1};
		sim_start_client(s, i);
		sim_at(s, (int64_t)sim_below(s, 100 * MS),
		       (struct sim_event){.type = EVENT_CLIENT_ACT, .to = i});
	}
	sim_at(s, (int64_t)sim_below(s, (uint64_t)s->faults.interval),
	       (struct sim_event){.type = EVENT_FAULT});
}

bool sim_run(struct sim *s, uint64_t seed, bool verbose)
{
	*s = (struct sim){.seed = seed, .verbose = verbose};
	random_seed(&s->random, seed);
	map_init(&s->payloads, seed);
	map_init(&s->digests, seed);
	start(s);
	run_until(s, ACTIVE);
	if (!s->failure[0])
		faults_heal(s);
	const char *why = "";
	while (!s->failure[0] && !check_converged(s, &why)) {
		if (s->now > DEADLINE)
			sim_fail(s, "not converged after %d s: %s", (int)(DEADLINE / SECOND), why);
		run_until(s, s->now + 200 * MS);
		faults_forget_gone(s);
	}
	if (!s->failure[0])
		check_end(s);
	if (!s->failure[0] && seed % QUIET_EVERY == 0) {
		for (int i = 0; i < s->client_count; i++) {
			agent_free(s->clients[i].agent);
			s->clients[i].agent = NULL;
		}
		s->quiet = true;
		run_until(s, s->now + SECOND);
		faults_forget_gone(s);
		run_until(s, s->now + QUIET);
		if (!s->failure[0])
			check_quiet(s);
	}
	return s->failure[0] == '\0';
}

void sim_free(struct sim *s)
{
	while (s->heap_count > 0) {
		struct sim_event *e = take_event(s);
		free(e->data);
		free(e);
	}
	free(s->heap);
	for (int i = 0; i < s->server_count; i++) {
		host_close(&s->servers[i].host);
		disk_free(s->servers[i].disk);
		disk_free(s->servers[i].backup);
		vector_deinit(&s->servers[i].promised);
	}
	for (int i = 0; i < s->leader_count; i++)
		sim_stop_leader(s, i);
	for (int i = 0; i < s->client_count; i++)
		agent_free(s->clients[i].agent);
	for (size_t i = 0; i < s->owner_count; i++)
		free(s->owners[i].likes);
	free(s->owners);
	map_deinit(&s->payloads);
	map_deinit(&s->digests);
}
