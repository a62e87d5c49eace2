/* SPDX-License-Identifier: MIT */
/* The agent over a scripted network: what it sends is decoded and written into a trace, what it is told is
 * encoded here. The rules have their own tests (test_courier.c); these are about the messages. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "client/agent.h"
#include "client/token.h"
#include "leak.h"
#include "wire/batch_builder.h"
#include "wire/message.h"

struct fixture {
	struct agent *agent;
	int64_t now;
	char trace[8192];
	size_t used;
	struct bytes last_batch, batch_before; /* as sent */
	uint64_t id, status_id;		       /* of the last count and status sent */
};

static void note(struct fixture *f, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (f->used)
		f->used += (size_t)snprintf(f->trace + f->used, sizeof f->trace - f->used, ", ");
	f->used += (size_t)vsnprintf(f->trace + f->used, sizeof f->trace - f->used, format, arguments);
	va_end(arguments);
	cr_assert(f->used < sizeof f->trace);
}

static void forget(struct fixture *f)
{
	f->used = 0;
	f->trace[0] = '\0';
}

static void expect_at(struct fixture *f, int line, const char *trace)
{
	cr_assert(strcmp(f->trace, trace) == 0, "line %d: expected\n  %s\ngot\n  %s", line, trace, f->trace);
	forget(f);
}
#define expect(f, trace) expect_at(f, __LINE__, trace)

static void note_batch(struct fixture *f, const void *data, size_t size)
{
	struct batch_box *box;
	struct proof proof;
	cr_assert(message_decode_batch(data, size, &box, NULL, NULL, &proof) == 0 && proof.signer.id == 1);
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
	struct bytes encoded = {0};
	cr_assert(again);
	message_encode_batch(&again->batch, proof, &encoded);
	cr_assert(encoded.size == size && memcmp(encoded.data, data, size) == 0);
	bytes_deinit(&encoded);
	batch_box_unref(again);
	batch_box_unref(box);
}

static void note_sent(struct fixture *f, const char *to, const void *data, size_t size)
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
	if (type == MESSAGE_COUNT) {
		f->id = m.count.id;
		for (size_t i = 0; i < m.count.key_count; i++)
			note(f, "%.*s", (int)m.count.keys[i].size, m.count.keys[i].data);
		for (size_t i = 0; i < m.count.position_count; i++)
			note(f, "%llu@%llu", (unsigned long long)m.count.positions[i].lsn,
			     (unsigned long long)m.count.positions[i].origin.id);
	} else if (type == MESSAGE_STATUS) {
		f->status_id = m.status.id;
	} else if (type == MESSAGE_FORGET || type == MESSAGE_DRAIN) {
		note(f, "%.*s", (int)m.forget.target.size, m.forget.target.data);
	} else if (type == MESSAGE_HELLO) {
		cr_assert(m.hello.version == PROTOCOL_VERSION && !m.hello.is_server);
	}
	message_deinit(&m);
}

static void on_send_leader(void *arg, size_t index, const void *data, size_t size)
{
	cr_assert(index == 0);
	note_sent(arg, "leader", data, size);
}

static void on_send_server(void *arg, const void *data, size_t size)
{
	note_sent(arg, "server", data, size);
}

static void on_use_server(void *arg, const char *endpoint)
{
	note(arg, "use %s", endpoint);
}

static void on_use_notify(void *arg, const char *endpoint)
{
	note(arg, "notify %s", endpoint);
}

static void on_watch(void *arg, const char *key)
{
	note(arg, "watch %s", key);
}

static void on_unwatch(void *arg, const char *key)
{
	note(arg, "unwatch %s", key);
}

static void on_result(void *arg, const struct kudos_result *r)
{
	note(arg, "%s %llu-%llu", kudos_error_code(r->error), (unsigned long long)r->first,
	     (unsigned long long)r->last);
}

static void on_counts(void *arg, uint64_t id, int error, const int64_t *counts, size_t n)
{
	note(arg, "counts %llu %s", (unsigned long long)id, kudos_error_code(error));
	for (size_t i = 0; i < n; i++)
		note(arg, "%lld", (long long)counts[i]);
}

static void on_changed(void *arg, const char *key, int64_t count)
{
	note(arg, "%s is %lld", key, (long long)count);
}

static void on_state(void *arg, uint64_t id, int error, const struct kudos_status *s)
{
	note(arg, "state %llu %s", (unsigned long long)id, kudos_error_code(error));
	if (!s)
		return;
	note(arg, "%s %s %llu", s->leader_endpoint, s->leader_incarnation, (unsigned long long)s->members);
	for (size_t i = 0; i < s->server_count; i++)
		note(arg, "%s %s %s %lld", s->servers[i].name, s->servers[i].node, s->servers[i].state,
		     (long long)s->servers[i].likes_total);
}

static void on_done(void *arg, uint64_t id, int error)
{
	note(arg, "done %llu %s", (unsigned long long)id, kudos_error_code(error));
}

static const char *const leaders[] = {"tcp://leader"};

static void start(struct fixture *f, const char *server)
{
	const struct agent_options options = {
	    .leaders = leaders, .leader_count = server ? 0 : 1, .server = server, .linger_us = 1 * MS};
	const struct agent_io io = {f,		on_send_leader, on_send_server, on_use_server, on_use_notify,
				    on_watch,	on_unwatch,	on_result,	on_counts,     NULL,
				    on_changed, on_state,	on_done};
	memset(f, 0, sizeof *f);
	f->now = 1000 * SECOND;
	f->agent = agent_new(&options, &io);
	cr_assert(f->agent);
}

static void finish(struct fixture *f)
{
	agent_free(f->agent);
	bytes_deinit(&f->last_batch);
	bytes_deinit(&f->batch_before);
	assert_no_leak();
}

static void run(struct fixture *f, int64_t duration)
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

static void like(struct fixture *f, const char *key, int64_t n)
{
	cr_assert(agent_send(f->agent, f->now, key, strlen(key), n, NULL) == 0);
}

enum from { LEADER, SERVER, NOTIFY };

static void receive(struct fixture *f, enum from from, const struct message *m)
{
	struct bytes b = {0};
	message_encode(m, &b);
	cr_assert(!bytes_failed(&b));
	if (from == LEADER)
		agent_receive_leader(f->agent, f->now, 0, b.data, b.size);
	else if (from == SERVER)
		agent_receive_server(f->agent, f->now, b.data, b.size);
	else
		agent_receive_notify(f->agent, f->now, b.data, b.size);
	bytes_deinit(&b);
}

#define TEXT(s) ((struct text){s, sizeof s - 1})

static void receive_assigned(struct fixture *f, uint64_t number)
{
	const struct server_row rows[] = {{{1}, TEXT("s1"), TEXT("tcp://c1"), TEXT("tcp://n1")},
					  {{2}, TEXT("s2"), TEXT("tcp://c2"), TEXT("tcp://n2")}};
	const struct message m = {
	    .type = MESSAGE_ASSIGNED,
	    .assigned = {{number ? 7 : 0, number}, {{1}, UINT64_MAX - number}, rows, 2}};
	receive(f, LEADER, &m);
}

static void receive_welcome(struct fixture *f, uint64_t node, uint64_t number)
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

static void receive_ack(struct fixture *f, uint64_t lo, uint64_t hi)
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

static void receive_error(struct fixture *f, enum from from, uint64_t id, int code)
{
	const struct message m = {.type = MESSAGE_ERROR,
				  .error = {.id = id, .code = code, .text = TEXT("because")}};
	receive(f, from, &m);
}

static void start_served(struct fixture *f)
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

Test(agent, sends_and_resends_the_same_bytes)
{
	struct fixture f;
	start_served(&f);
	cr_assert(strcmp(agent_server_text(f.agent), "it (tcp://c1)") == 0);
	like(&f, "b", -5);
	like(&f, "ü", 1000000);
	run(&f, 1001 * MS);
	expect(&f, "batch 7.1:2, b -5, ü 1000000, server ping, server ping, server ping, use tcp://c2, "
		   "server hello, leader hello, leader assign");
	receive_welcome(&f, 2, 0);
	run(&f, 0);
	expect(&f, "batch 7.1:2, b -5, ü 1000000");
	cr_assert(f.last_batch.size == f.batch_before.size &&
		  memcmp(f.last_batch.data, f.batch_before.data, f.last_batch.size) == 0);
	receive_ack(&f, 2, 2);
	expect(&f, "ok 2-3");
	cr_assert(agent_idle(f.agent) && agent_taken(f.agent) == 3 && agent_resolved(f.agent) == 3);
	finish(&f);
}

Test(agent, encodes_all_sizes_of_batches_and_amounts)
{
	static const int64_t amounts[] = {1,   127, 128,  255,	256,	65535,	65536,	  -1,
					  -32, -33, -128, -129, -32768, -32769, -1000000, 1000000};
	char key[LIMIT_KEY + 1] = "";
	struct fixture f;
	start_served(&f);
	for (size_t i = 0; i < LIMIT_BATCH_EVENTS; i++) {
		size_t size = i % LIMIT_KEY + 1;
		memset(key, 'x', size);
		cr_assert(agent_send(f.agent, f.now, key, size, amounts[i % 16], NULL) == 0);
		if (i % 100 == 7)
			run(&f, 1 * MS);
	}
	finish(&f);
}

Test(agent, checks_what_it_is_given)
{
	struct fixture f;
	start(&f, NULL);
	uint64_t id;
	const char *const bad[] = {"good", "not good"};
	cr_assert(agent_send(f.agent, f.now, "", 0, 1, NULL) == KUDOS_BAD_KEY);
	cr_assert(agent_send(f.agent, f.now, "a", 1, 0, NULL) == KUDOS_BAD_AMOUNT);
	cr_assert(agent_send(f.agent, f.now, "a", 1, 1000001, NULL) == KUDOS_BAD_AMOUNT);
	cr_assert(agent_send(f.agent, f.now, "a", 1, INT64_MIN, NULL) == KUDOS_BAD_AMOUNT);
	cr_assert(agent_read(f.agent, f.now, bad, 2, NULL, &id) == KUDOS_BAD_KEY);
	cr_assert(agent_read(f.agent, f.now, bad, 0, NULL, &id) == KUDOS_LIMIT);
	cr_assert(agent_watch(f.agent, f.now, "a b") == KUDOS_BAD_KEY);
	cr_assert(agent_taken(f.agent) == 0);
	run(&f, 1 * SECOND);
	expect(&f, "");
	finish(&f);
}

Test(agent, reads_carry_positions_and_follow_to_the_next_server)
{
	struct fixture f;
	const char *const keys[] = {"a", "b"};
	const int64_t counts[] = {3, 0};
	uint64_t id;
	start_served(&f);
	cr_assert(agent_read(f.agent, f.now, keys, 2, NULL, &id) == 0);
	run(&f, 0);
	expect(&f, "server count, a, b, 41@101");
	receive_error(&f, SERVER, 0, KUDOS_NOT_SERVING);
	receive_welcome(&f, 2, 0);
	run(&f, 0);
	expect(&f, "use tcp://c2, server hello, leader hello, leader assign, server count, a, b, 41@101");
	struct message m = {.type = MESSAGE_COUNTS, .counts = {.id = id, .counts = counts, .count = 2}};
	receive(&f, SERVER, &m);
	receive(&f, SERVER, &m);
	expect(&f, "counts 1 ok, 3, 0");

	cr_assert(agent_read(f.agent, f.now, keys, 1, NULL, &id) == 0);
	receive_error(&f, SERVER, id, KUDOS_BEHIND);
	receive_error(&f, SERVER, id, KUDOS_BEHIND);
	expect(&f, "counts 2 behind");
	cr_assert(agent_read(f.agent, f.now, keys, 1, NULL, &id) == 0);
	m.counts.id = id;
	receive(&f, SERVER, &m); /* two counts for one key */
	expect(&f, "counts 3 protocol");

	char token[TOKEN_SIZE];
	agent_token(f.agent, token, sizeof token);
	cr_assert_str_eq(token, "0000000000000065.41");
	cr_assert(agent_read(f.agent, f.now, keys, 1, "4d.12", &id) == KUDOS_BAD_TOKEN);
	cr_assert(agent_read(f.agent, f.now, keys, 1, "000000000000004d.12", &id) == 0);
	run(&f, 0);
	expect(&f, "server count, a, 41@101, 12@77");
	finish(&f);
}

Test(agent, says_hello_again)
{
	struct fixture f;
	start_served(&f);
	like(&f, "b", 1);
	run(&f, 1 * MS);
	receive_error(&f, SERVER, 0, KUDOS_NO_HELLO);
	receive_error(&f, SERVER, 0, KUDOS_NO_HELLO);
	receive_welcome(&f, 1, 0);
	run(&f, 0);
	expect(&f, "batch 7.1:2, b 1, server hello, batch 7.1:2, b 1");
	finish(&f);
}

Test(agent, asks_for_status_and_forgetting)
{
	struct fixture f;
	uint64_t id;
	start(&f, NULL);
	cr_assert(agent_status(f.agent, f.now, &id) == 0);
	run(&f, 0);
	expect(&f, "leader hello, leader status");
	const struct status_row rows[] = {
	    {.server = {.node = {0xab}, .name = TEXT("s2")}, .state = SERVER_DOWN},
	    {.server = {.node = {1}, .name = TEXT("s1")}, .state = SERVER_UP, .load = {.likes_total = -9}}};
	const struct message m = {
	    .type = MESSAGE_STATE,
	    .state = {.id = id, .incarnation = 0xf00d, .members = 2, .rows = rows, .row_count = 2}};
	receive(&f, LEADER, &m);
	expect(&f, "state 1 ok, tcp://leader 000000000000f00d 2, s1 0000000000000001 up -9, "
		   "s2 00000000000000ab down 0");

	cr_assert(agent_forget(f.agent, f.now, "s2", &id) == 0);
	run(&f, 0);
	receive(&f, LEADER, &(struct message){.type = MESSAGE_DONE, .done = {.id = id}});
	cr_assert(agent_forget(f.agent, f.now, "s9", &id) == 0);
	receive_error(&f, LEADER, id, KUDOS_UNKNOWN_NODE);
	expect(&f, "leader hello, leader forget, s2, done 2 ok, done 3 unknown-node");
	cr_assert(strcmp(agent_told(f.agent), "because") == 0);

	cr_assert(agent_drain(f.agent, f.now, "s2", &id) == 0);
	run(&f, 0);
	receive(&f, LEADER, &(struct message){.type = MESSAGE_DONE, .done = {.id = id}});
	cr_assert(agent_drain(f.agent, f.now, "", &id) == KUDOS_UNKNOWN_NODE);
	expect(&f, "leader hello, leader drain, s2, done 4 ok");

	cr_assert(agent_forget(f.agent, f.now, "s9", &id) == 0);
	agent_cancel(f.agent, id);
	agent_cancel(f.agent, id);
	run(&f, 10 * SECOND);
	expect(&f, "");
	finish(&f);
}

static void receive_changed(struct fixture *f, const char *key, int64_t count)
{
	const struct message m = {.type = MESSAGE_CHANGED,
				  .changed = {.key = {key, strlen(key)}, .count = count}};
	receive(f, NOTIFY, &m);
}

static void receive_counts(struct fixture *f, int64_t a, int64_t b, size_t n)
{
	const int64_t counts[] = {a, b};
	const struct message m = {.type = MESSAGE_COUNTS,
				  .counts = {.id = f->id, .counts = counts, .count = n}};
	receive(f, SERVER, &m);
}

Test(agent, watches_keys)
{
	struct fixture f;
	start(&f, NULL);
	cr_assert(agent_watch(f.agent, f.now, "b") == 0);
	cr_assert(agent_watch(f.agent, f.now, "a") == 0);
	cr_assert(agent_watch(f.agent, f.now, "b") == 0);
	run(&f, 0);
	receive_assigned(&f, 0);
	run(&f, 0);
	receive_welcome(&f, 1, 0);
	run(&f, 0);
	expect(&f, "leader hello, leader assign, use tcp://c1, notify tcp://n1, watch a, watch b, "
		   "server hello, server count, a, b");
	receive_changed(&f, "a", 8); /* newer than the answer under way */
	receive_counts(&f, 7, 0, 2);
	receive_changed(&f, "b", 1);
	receive_changed(&f, "b", 1);
	receive_changed(&f, "stranger", 1);
	expect(&f, "a is 8, b is 0, b is 1");

	run(&f, 250 * MS); /* soon again, for the subscription may have come late */
	expect(&f, "server count, a, b");
	receive_counts(&f, 9, 1, 2);
	expect(&f, "a is 9");
	run(&f, 2 * SECOND);
	expect(&f, "server count, a, b");
	receive_counts(&f, 9, 1, 2);

	cr_assert(agent_watch(f.agent, f.now, "c") == 0);
	run(&f, 0);
	expect(&f, "watch c, server count, a, b, c");
	agent_unwatch(f.agent, "b");
	agent_unwatch(f.agent, "b");
	receive_changed(&f, "b", 2);
	expect(&f, "unwatch b");
	receive_error(&f, SERVER, 0, KUDOS_NOT_SERVING);
	expect(&f, "use tcp://c2, notify tcp://n2, watch a, watch c, server hello");
	finish(&f);
}

Test(agent, finds_the_notify_endpoint_of_one_server)
{
	struct fixture f;
	start(&f, "tcp://it");
	cr_assert(agent_watch(f.agent, f.now, "a") == 0);
	run(&f, 0);
	receive_welcome(&f, 5, 0);
	run(&f, 0);
	expect(&f, "use tcp://it, notify , server hello, server status, server count, a");
	const struct status_row rows[] = {
	    {.server = {.node = {4}, .notify_endpoint = TEXT("tcp://n4")}, .state = SERVER_UP},
	    {.server = {.node = {5}, .notify_endpoint = TEXT("tcp://n5")}, .state = SERVER_UP}};
	const struct message m = {.type = MESSAGE_STATE,
				  .state = {.id = f.status_id, .members = 2, .rows = rows, .row_count = 2}};
	receive(&f, SERVER, &m);
	expect(&f, "notify tcp://n5, watch a");
	finish(&f);
}

Test(agent, says_why_nothing_came)
{
	struct fixture f;
	start(&f, NULL);
	int64_t since = f.now;
	cr_assert(agent_why(f.agent, since) == KUDOS_TIMEOUT);
	like(&f, "a", 1);
	run(&f, 1 * SECOND);
	cr_assert(agent_why(f.agent, since) == KUDOS_NO_LEADER);
	receive_error(&f, LEADER, 0, KUDOS_NO_SERVER);
	cr_assert(agent_why(f.agent, since) == KUDOS_NO_SERVER);
	receive_assigned(&f, 1);
	run(&f, 1 * SECOND);
	cr_assert(agent_why(f.agent, since) == KUDOS_TIMEOUT);
	receive_error(&f, SERVER, 0, KUDOS_BAD_VERSION);
	cr_assert(agent_why(f.agent, since) == KUDOS_BAD_VERSION);
	receive_welcome(&f, 2, 0);
	cr_assert(agent_why(f.agent, since) == KUDOS_TIMEOUT);
	finish(&f);

	start(&f, "tcp://it");
	like(&f, "a", 1);
	run(&f, 5 * SECOND);
	cr_assert(agent_why(f.agent, since) == KUDOS_NO_SERVER);
	finish(&f);
}

Test(agent, closes_its_session)
{
	struct fixture f;
	start_served(&f);
	agent_close(f.agent);
	run(&f, 0);
	expect(&f, "server close");
	cr_assert(!agent_closed(f.agent));
	receive(&f, SERVER, &(struct message){.type = MESSAGE_CLOSED, .closed = {.session = {7, 1}}});
	cr_assert(agent_closed(f.agent));
	finish(&f);
}

/* Everything that can be sent to a client, with bytes changed, cut and added: nothing happens but what a
 * valid message may do, and no result is told twice. */
Test(agent, survives_hostile_messages)
{
	struct fixture f;
	struct random random;
	uint64_t seed = random_id();
	random_seed(&random, seed);
	start_served(&f);
	const char *const keys[] = {"a"};
	uint64_t id;
	struct range range = {1, UINT64_MAX};
	const struct message kinds[] = {
	    {.type = MESSAGE_ACK, .ack = {.session = {7, 1}, .ranges = &range, .range_count = 1}},
	    {.type = MESSAGE_REFUSED, .refused = {.session = {7, 1}, .seq = 2, .code = KUDOS_BUSY}},
	    {.type = MESSAGE_COUNTS, .counts = {.id = 1}},
	    {.type = MESSAGE_WELCOME, .welcome = {PROTOCOL_VERSION, {1}, .session = {7, 9}}},
	    {.type = MESSAGE_ERROR, .error = {.id = 1, .code = KUDOS_NO_HELLO}},
	    {.type = MESSAGE_ASSIGNED, .assigned = {.session = {7, 3}}},
	    {.type = MESSAGE_STATE, .state = {.id = 1}},
	    {.type = MESSAGE_CLOSED, .closed = {.session = {7, 1}}},
	    {.type = MESSAGE_CHANGED, .changed = {.key = TEXT("a"), .count = 1}},
	};
	for (int i = 0; i < 20000; i++) {
		struct bytes b = {0};
		if (agent_idle(f.agent))
			like(&f, "a", 1);
		if (i % 100 == 0)
			cr_assert(agent_read(f.agent, f.now, keys, 1, NULL, &id) == 0);
		message_encode(&kinds[random_below(&random, 9)], &b);
		for (uint64_t n = random_below(&random, 4); n > 0; n--)
			b.data[random_below(&random, b.size)] = (uint8_t)random_next(&random);
		size_t size = b.size - (random_below(&random, 4) ? 0 : random_below(&random, b.size));
		uint64_t to = random_below(&random, 3);
		if (to == 0)
			agent_receive_leader(f.agent, f.now, random_below(&random, 2), b.data, size);
		else if (to == 1)
			agent_receive_server(f.agent, f.now, b.data, size);
		else
			agent_receive_notify(f.agent, f.now, b.data, size);
		bytes_deinit(&b);
		run(&f, (int64_t)random_below(&random, 50 * MS));
		cr_assert(agent_resolved(f.agent) <= agent_taken(f.agent), "seed %llu",
			  (unsigned long long)seed);
		forget(&f);
	}
	cr_assert(agent_ignored(f.agent) > 1000);
	finish(&f);
}
