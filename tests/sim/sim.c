/* SPDX-License-Identifier: MIT */
#include "base/array.h"
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "kudos.h"

#define ACTIVE (15 * SECOND)   /* faults and likes go on for so long … */
#define QUIET_EVERY 10	       /* of so many histories one goes on without clients … */
#define QUIET (100 * SECOND)   /* … until every session must have been closed and forgotten */
#define DEADLINE (45 * SECOND) /* … and by then everything must be equal everywhere … */
#define HOSTILE \
	(180 * SECOND) /* … later where there is only room for honest sessions when made-up ones end */

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

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void sim_at(struct sim *s, int64_t at, struct sim_event event)
{
	struct sim_event *e = malloc(sizeof *e);
	if (!e || array_reserve(&s->heap, s->heap_count + 1, &s->heap_capacity, sizeof(void *)) < 0)
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
	while (i > 0 && is_before(e, s->heap[(i - 1) / 2])) {
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
		if (child + 1 < s->heap_count && is_before(s->heap[child + 1], s->heap[child]))
			child++;
		if (!is_before(s->heap[child], last))
			break;
		s->heap[i] = s->heap[child];
	}
	s->heap[i] = last;
	return first;
}

/* ---- a history ---- */

static void run_event(struct sim *s, struct sim_event *e)
{
	switch (e->type) {
	case EVENT_CLIENT_PORT:
		sim_on_client_port(s, e);
		break;
	case EVENT_ANSWER:
		sim_on_answer(s, e);
		break;
	case EVENT_PUBLISHED:
		sim_on_published(s, e);
		break;
	case EVENT_LOST:
		break;
	case EVENT_TO_LEADER:
		sim_on_to_leader(s, e);
		break;
	case EVENT_FROM_LEADER:
		sim_on_from_leader(s, e);
		break;
	case EVENT_SERVER_TICK:
		sim_on_server_tick(s, e);
		break;
	case EVENT_STREAM:
		sim_on_stream(s, e);
		break;
	case EVENT_LEADER_TICK:
		sim_on_leader_tick(s, e);
		break;
	case EVENT_CLIENT_TICK:
		sim_on_client_tick(s, e);
		break;
	case EVENT_CLIENT_ACT:
		sim_on_client_act(s, e);
		break;
	case EVENT_FAULT:
		faults_next(s);
		break;
	case EVENT_DRAINED:
		sim_on_drained(s, e);
		break;
	case EVENT_SPLIT:
		faults_split(s, e->from, e->to);
		break;
	case EVENT_HOSTILE:
		hostile_act(s);
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
		if (s->now >= s->next_second) {
			s->next_second = s->now + SECOND;
			check_second(s);
		}
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
	network_draw(s);
	outbox_draw(s);
	for (int i = 0; i < s->leader_count; i++) {
		s->leaders[i] = (struct sim_leader){.sim = s, .index = i};
		sim_start_leader(s, i);
	}
	for (int i = 0; i < s->server_count; i++) {
		s->servers[i] =
		    (struct sim_server){.sim = s, .index = i, .address = i, .disk = disk_new(s, i)};
		s->servers[i].streams =
		    s->faults.stream && (sim_chance(s, 700) || (s->faults.purge && s->seed % 7 > 0));
		s->servers[i].purges = s->faults.purge && s->servers[i].streams && (i > 0 || s->seed % 5 > 0);
		/* Some join late. */
		int64_t at = i > 0 && sim_chance(s, 300) ? (int64_t)sim_below(s, ACTIVE)
							 : (int64_t)sim_below(s, 200 * MS);
		sim_at(s, at, (struct sim_event){.type = EVENT_RESTART, .to = i});
	}
	for (int i = 0; i < s->client_count; i++) {
		s->clients[i] = (struct sim_client){.sim = s, .index = i, .address = -1};
		sim_start_client(s, i);
		sim_at(s, (int64_t)sim_below(s, 100 * MS),
		       (struct sim_event){.type = EVENT_CLIENT_ACT, .to = i});
	}
	sim_at(s, (int64_t)sim_below(s, (uint64_t)s->faults.interval),
	       (struct sim_event){.type = EVENT_FAULT});
	if (s->faults.hostile)
		sim_at(s, 0, (struct sim_event){.type = EVENT_HOSTILE});
}

bool sim_run(struct sim *s, uint64_t seed, bool verbose, int64_t apart)
{
	*s = (struct sim){.seed = seed, .verbose = verbose, .apart = apart};
	random_seed(&s->random, seed);
	random_seed(&s->sweeps, ~seed);
	map_init(&s->payloads, seed);
	map_init(&s->digests, seed);
	map_init(&s->hostile.issuers, seed);
	map_init(&s->batches, seed);
	map_init(&s->told, seed);
	start(s);
	run_until(s, ACTIVE);
	if (!s->failure[0])
		faults_heal(s);
	const char *why = "";
	while (!s->failure[0] && !check_converged(s, &why)) {
		if (s->now > (s->faults.hostile ? HOSTILE : DEADLINE))
			sim_fail(s, "not converged after %d s: %s", (int)(s->now / SECOND), why);
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
		free(s->servers[i].closing);
		vector_deinit(&s->servers[i].had);
		vector_deinit(&s->servers[i].reached);
		for (int k = 0; k < SIM_PAST; k++)
			vector_deinit(&s->servers[i].past[k]);
	}
	for (int i = 0; i < s->leader_count; i++)
		sim_stop_leader(s, i);
	for (int i = 0; i < s->client_count; i++) {
		agent_free(s->clients[i].agent);
		free(s->clients[i].late.data);
	}
	for (size_t i = 0; i < s->owner_count; i++)
		free(s->owners[i].likes);
	free(s->owners);
	stream_free(&s->stream);
	map_deinit(&s->payloads);
	map_deinit(&s->digests);
	map_deinit(&s->hostile.issuers);
	map_deinit(&s->batches);
	map_deinit(&s->told);
}
