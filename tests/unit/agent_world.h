/* SPDX-License-Identifier: MIT */
/* The agent over a scripted network: what it sends is decoded and written into a trace, what it is told is
 * encoded here. The rules have their own tests (test_courier*.c); these are about the messages. */
#ifndef UNIT_AGENT_WORLD_H
#define UNIT_AGENT_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/agent.h"
#include "client/agent_receive.h"
#include "client/token.h"
#include "leak.h"
#include "unit/random.h"
#include "wire/batch_builder.h"
#include "wire/message.h"
#include "unit/trace.h"

struct fixture {
	struct agent *agent;
	int64_t now;
	struct trace trace;
	struct bytes last_batch, batch_before; /* as sent */
	uint64_t id, status_id;		       /* of the last count and status sent */
	bool hostile;			       /* who answers may hand out a session that anyone signed */
};

#define expect(f, text) trace_expect(&(f)->trace, __LINE__, text)

static inline void note_batch(struct fixture *f, const void *data, size_t size)
{
	struct batch_box *box;
	struct proof proof;
	cr_assert(message_decode_batch(data, size, &box, NULL, NULL, &proof) == 0);
	cr_assert(f->hostile || proof.signer.id == 1, "session %llu signed by %llu",
		  (unsigned long long)box->batch.session.number, (unsigned long long)proof.signer.id);
	const struct batch *b = &box->batch;
	note(f, "batch %llu.%llu:%llu", (unsigned long long)b->session.issuer,
	     (unsigned long long)b->session.number, (unsigned long long)b->seq);
	for (size_t i = 0; i < b->event_count && i < 4; i++)
		note(f, "%.*s %d", b->events[i].key_size, b->events[i].key, b->events[i].n);
	bytes_clear(&f->batch_before);
	bytes_append(&f->batch_before, f->last_batch.data, f->last_batch.size);
	bytes_clear(&f->last_batch);
	bytes_append(&f->last_batch, data, size);

	/* What the builder makes is what the codec would. */
	struct batch_box *again = message_make_batch(b->session, b->seq, b->events, b->event_count);
	cr_assert(again && again->batch.raw_size == b->raw_size);
	cr_assert(memcmp(again->batch.raw, b->raw, b->raw_size) == 0);
	batch_box_unref(again);
	batch_box_unref(box);
}

static inline void note_one(struct fixture *f, const char *to, const void *data, size_t size)
{
	enum message_type type;
	struct message m;
	cr_assert(message_peek(data, size, &type) == 0);
	if (type == MESSAGE_BATCH) {
		note_batch(f, data, size);
		return;
	}
	cr_assert(message_decode(data, size, &m) == 0);
	note(f, "%s %s", to, message_type_name(type));
	if (type == MESSAGE_COUNT || type == MESSAGE_WATCH) { /* laid out alike */
		f->id = m.count.id;
		for (size_t i = 0; i < m.count.key_count; i++)
			note(f, "%.*s", (int)m.count.keys[i].size, m.count.keys[i].data);
		for (size_t i = 0; i < m.count.position_count; i++)
			note(f, "%llu@%llu", (unsigned long long)m.count.positions[i].lsn,
			     (unsigned long long)m.count.positions[i].origin.id);
	} else if (type == MESSAGE_STATUS || type == MESSAGE_METRICS) {
		f->status_id = m.status.id;
	} else if (type == MESSAGE_FORGET || type == MESSAGE_DRAIN) {
		note(f, "%.*s", (int)m.forget.target.size, m.forget.target.data);
	} else if (type == MESSAGE_HELLO) {
		cr_assert(m.hello.version == PROTOCOL_VERSION && !m.hello.is_server);
	}
	message_deinit(&m);
}

static inline void note_sent(struct fixture *f, const char *to, const void *data, size_t size)
{
	enum message_type type;
	struct message m;
	cr_assert(message_peek(data, size, &type) == 0);
	if (type != MESSAGE_MANY) {
		note_one(f, to, data, size);
		return;
	}
	cr_assert(message_decode(data, size, &m) == 0);
	note(f, "%s %zu", to, m.many.count);
	for (size_t i = 0; i < m.many.count; i++)
		note_one(f, to, m.many.messages[i].data, m.many.messages[i].size);
	message_deinit(&m);
}

static inline void on_send_leader(void *arg, size_t index, const void *data, size_t size)
{
	cr_assert(index == 0);
	note_sent(arg, "leader", data, size);
}

static inline void on_send_server(void *arg, const void *data, size_t size)
{
	note_sent(arg, "server", data, size);
}

static inline void on_use_server(void *arg, const char *endpoint)
{
	note(arg, "use %s", endpoint);
}

static inline void on_result(void *arg, const struct kudos_result *r)
{
	note(arg, "%s %llu-%llu", kudos_error_code(r->error), (unsigned long long)r->first,
	     (unsigned long long)r->last);
}

static inline void on_changed(void *arg, const char *key, int64_t count)
{
	note(arg, "%s is %lld", key, (long long)count);
}

static inline void note_status(struct fixture *f, const struct kudos_status *s)
{
	note(f, "%s %s %llu", s->leader_endpoint, s->leader_incarnation, (unsigned long long)s->members);
	for (size_t i = 0; i < s->server_count; i++)
		note(f, "%s %s %s %lld", s->servers[i].name, s->servers[i].node, s->servers[i].state,
		     (long long)s->servers[i].likes_total);
}

static inline void note_metric(struct fixture *f, const struct kudos_metric *m)
{
	note(f, "%s %s \"%s\" by \"%s\"", m->name, m->type, m->help, m->label);
	for (size_t j = 0; j < m->count; j++)
		note(f, "\"%s\" %g", m->samples[j].of, m->samples[j].value);
}

static inline void on_answer(void *arg, const struct agent_answer *a)
{
	static const char *const names[] = {
	    [MESSAGE_COUNT] = "counts", [MESSAGE_ASSIGN] = "session",  [MESSAGE_BATCH] = "put",
	    [MESSAGE_STATUS] = "state", [MESSAGE_METRICS] = "metrics", [MESSAGE_FORGET] = "done",
	    [MESSAGE_DRAIN] = "done"};
	const int64_t *counts = a->data;
	const struct position *at = a->data;
	const char *session = a->asked == MESSAGE_ASSIGN ? a->data : NULL;
	note(arg, "%s %llu %s%s%s", names[a->asked], (unsigned long long)a->id, kudos_error_code(a->error),
	     session ? " " : "", session ? session : "");
	if (a->asked == MESSAGE_STATUS && !a->error)
		note_status(arg, a->data);
	for (size_t i = 0; i < a->count; i++) {
		if (a->asked == MESSAGE_COUNT)
			note(arg, "%lld", (long long)counts[i]);
		else if (a->asked == MESSAGE_BATCH)
			note(arg, "%llu@%llu", (unsigned long long)at[i].lsn,
			     (unsigned long long)at[i].origin.id);
		else if (a->asked == MESSAGE_METRICS)
			note_metric(arg, (const struct kudos_metric *)a->data + i);
	}
}

static const char *const leaders[] = {"tcp://leader"};

static inline void start(struct fixture *f, const char *server)
{
	const struct agent_options options = {
	    .leaders = leaders, .leader_count = server ? 0 : 1, .server = server, .linger_us = 1 * MS};
	const struct agent_io io = {f,	       on_send_leader, on_send_server, on_use_server,
				    on_result, on_changed,     on_answer};
	memset(f, 0, sizeof *f);
	f->now = 1000 * SECOND;
	f->agent = agent_new(&options, &io);
	cr_assert(f->agent);
}

static inline void finish(struct fixture *f)
{
	agent_free(f->agent);
	bytes_deinit(&f->last_batch);
	bytes_deinit(&f->batch_before);
	assert_no_leak();
}

static inline void run(struct fixture *f, int64_t duration)
{
	int64_t end = f->now + duration;
	for (;;) {
		agent_tick(f->agent, f->now);
		int64_t next = agent_deadline(f->agent);
		if (next > end)
			break;
		if (next > f->now)
			f->now = next;
	}
	f->now = end;
}

static inline void like(struct fixture *f, const char *key, int64_t n)
{
	cr_assert(agent_send(f->agent, f->now, key, strlen(key), n, NULL) == 0);
}

enum from { LEADER, SERVER };

static inline void receive(struct fixture *f, enum from from, const struct message *m)
{
	struct bytes b = {0};
	message_encode(m, &b);
	cr_assert(!bytes_failed(&b));
	if (from == LEADER)
		agent_receive_leader(f->agent, f->now, 0, b.data, b.size);
	else
		agent_receive_server(f->agent, f->now, b.data, b.size);
	bytes_deinit(&b);
}

#define TEXT(s) ((struct text){s, sizeof s - 1})

static inline void receive_assigned(struct fixture *f, uint64_t number)
{
	const struct server_row rows[] = {{{1}, TEXT("s1"), TEXT("tcp://c1")},
					  {{2}, TEXT("s2"), TEXT("tcp://c2")}};
	const struct message m = {
	    .type = MESSAGE_ASSIGNED,
	    .assigned = {{number ? 7 : 0, number}, {{1}, UINT64_MAX - number}, rows, 2}};
	receive(f, LEADER, &m);
}

static inline void receive_welcome(struct fixture *f, uint64_t node, uint64_t number)
{
	const struct message m = {.type = MESSAGE_WELCOME,
				  .welcome = {.version = PROTOCOL_VERSION,
					      .node = {node},
					      .origin = {node + 100},
					      .name = TEXT("it"),
					      .session = {number ? node + 100 : 0, number},
					      .proof = {{1}, UINT64_MAX - number},
					      .serving = true}};
	receive(f, SERVER, &m);
}

static inline void receive_ack(struct fixture *f, uint64_t lo, uint64_t hi)
{
	const struct range range = {lo, hi};
	const struct position at = {{101}, 40 + hi};
	const struct message m = {.type = MESSAGE_ACK,
				  .ack = {.session = {7, 1},
					  .ranges = &range,
					  .range_count = 1,
					  .positions = &at,
					  .position_count = 1}};
	receive(f, SERVER, &m);
}

static inline void receive_error(struct fixture *f, enum from from, uint64_t id, int code)
{
	const struct message m = {.type = MESSAGE_ERROR,
				  .error = {.id = id, .code = code, .text = TEXT("because")}};
	receive(f, from, &m);
}

static inline void start_served(struct fixture *f)
{
	start(f, NULL);
	like(f, "a", 3);
	run(f, 0);
	receive_assigned(f, 1);
	run(f, 0);
	receive_welcome(f, 1, 0);
	run(f, 1 * MS);
	expect(f, "leader hello, leader assign, use tcp://c1, server hello, batch 7.1:1, a 3");
	receive_ack(f, 1, 1);
	run(f, 0);
	expect(f, "ok 1-1");
}

#endif
