/* SPDX-License-Identifier: MIT */
#include "unit/agent_world.h"
#include "unit/seed.h"
#include "client/watches.h"

Test(agent, sends_and_resends_the_same_bytes)
{
	struct fixture f;
	start_served(&f);
	cr_assert(strcmp(f.agent->server_text, "it (tcp://c1)") == 0);
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
	cr_assert(window_idle(&f.agent->courier.window) && f.agent->courier.window.taken == 3 &&
		  f.agent->courier.window.resolved == 3);
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
	cr_assert(watches_add(f.agent, f.now, "a b") == KUDOS_BAD_KEY);
	cr_assert(f.agent->courier.window.taken == 0);
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
	token_print(f.agent->courier.positions, f.agent->courier.position_count, token, sizeof token);
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
	cr_assert(agent_ask(f.agent, f.now, MESSAGE_STATUS, &id) == 0);
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

	cr_assert(agent_ask_of_node(f.agent, f.now, MESSAGE_FORGET, "s2", &id) == 0);
	run(&f, 0);
	receive(&f, LEADER, &(struct message){.type = MESSAGE_DONE, .done = {.id = id}});
	cr_assert(agent_ask_of_node(f.agent, f.now, MESSAGE_FORGET, "s9", &id) == 0);
	receive_error(&f, LEADER, id, KUDOS_UNKNOWN_NODE);
	expect(&f, "leader hello, leader forget, s2, done 2 ok, done 3 unknown-node");
	cr_assert(strcmp(f.agent->told, "because") == 0);

	cr_assert(agent_ask_of_node(f.agent, f.now, MESSAGE_DRAIN, "s2", &id) == 0);
	run(&f, 0);
	receive(&f, LEADER, &(struct message){.type = MESSAGE_DONE, .done = {.id = id}});
	cr_assert(agent_ask_of_node(f.agent, f.now, MESSAGE_DRAIN, "", &id) == KUDOS_UNKNOWN_NODE);
	expect(&f, "leader hello, leader drain, s2, done 4 ok");

	cr_assert(agent_ask_of_node(f.agent, f.now, MESSAGE_FORGET, "s9", &id) == 0);
	agent_cancel(f.agent, id);
	agent_cancel(f.agent, id);
	run(&f, 10 * SECOND);
	expect(&f, "");
	finish(&f);
}

#define WORD(s)                 \
	{                       \
		s, sizeof s - 1 \
	} /* in what is static */

static struct message measured(uint64_t id)
{
	static const struct metric_sample times[] = {{WORD("0.1"), 2}, {WORD("+Inf"), 3}, {WORD(""), 1500}},
					  code = {WORD("busy"), 3}, half = {WORD(""), 500};
	static const struct metric metrics[] = {
	    {WORD("a_seconds"), METRIC_HISTOGRAM, WORD("A."), WORD("le"), 1000, times, 3},
	    {WORD("b_total"), METRIC_COUNTER, WORD(""), WORD("code"), 1, &code, 1},
	    {WORD("c"), METRIC_GAUGE, WORD("C."), WORD(""), 1000, &half, 1},
	    {WORD("d"), METRIC_GAUGE, WORD(""), WORD("peer"), 1, NULL, 0}};
	return (struct message){.type = MESSAGE_MEASURED, .measured = {id, metrics, 4}};
}

#define MEASURED                                                                                           \
	"a_seconds histogram \"A.\" by \"le\", \"0.1\" 2, \"+Inf\" 3, \"\" 1.5, "                          \
	"b_total counter \"\" by \"code\", \"busy\" 3, c gauge \"C.\" by \"\", \"\" 0.5, d gauge \"\" by " \
	"\"peer\""

Test(agent, asks_for_metrics)
{
	struct fixture f;
	uint64_t id;
	start(&f, NULL);
	cr_assert(agent_ask(f.agent, f.now, MESSAGE_METRICS, &id) == 0);
	run(&f, 0);
	struct message m = measured(id + 1);
	receive(&f, LEADER, &m); /* to a question of before */
	expect(&f, "leader hello, leader metrics");
	m = measured(id);
	receive(&f, LEADER, &m);
	receive(&f, LEADER, &m);
	expect(&f, "metrics 1 ok, " MEASURED);
	cr_assert(agent_ask(f.agent, f.now, MESSAGE_METRICS, &id) == 0);
	receive_error(&f, LEADER, id, KUDOS_FORBIDDEN);
	expect(&f, "metrics 2 forbidden");
	finish(&f);

	/* A server, though it does not serve. */
	start(&f, "tcp://s1");
	cr_assert(agent_ask(f.agent, f.now, MESSAGE_METRICS, &id) == 0);
	run(&f, 0);
	receive(
	    &f, SERVER,
	    &(struct message){.type = MESSAGE_WELCOME, .welcome = {PROTOCOL_VERSION, {1}, .serving = false}});
	run(&f, 0);
	expect(&f, "use tcp://s1, server hello, server metrics");
	m = measured(id);
	receive(&f, SERVER, &m);
	expect(&f, "metrics 1 ok, " MEASURED);
	finish(&f);
}

static void receive_changed(struct fixture *f, const char *key, int64_t count)
{
	const struct message m = {.type = MESSAGE_CHANGED,
				  .changed = {.key = {key, strlen(key)}, .count = count}};
	receive(f, SERVER, &m);
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
	cr_assert(watches_add(f.agent, f.now, "b") == 0);
	cr_assert(watches_add(f.agent, f.now, "a") == 0);
	cr_assert(watches_add(f.agent, f.now, "b") == 0);
	run(&f, 0);
	receive_assigned(&f, 0);
	run(&f, 0);
	receive_welcome(&f, 1, 0);
	run(&f, 0);
	expect(&f, "leader hello, leader assign, use tcp://c1, server hello, server watch, a, b");
	receive_counts(&f, 7, 0, 2);
	receive_changed(&f, "a", 8);
	receive_changed(&f, "b", 1);
	receive_changed(&f, "b", 1);
	receive_changed(&f, "stranger", 1);
	expect(&f, "a is 7, b is 0, a is 8, b is 1");
	run(&f, 2 * SECOND - 1);
	expect(&f, "");
	run(&f, 1); /* a change may have been lost, or the server have forgotten that it is to tell */
	expect(&f, "server watch, a, b");
	receive_counts(&f, 9, 1, 2);
	expect(&f, "a is 9");

	cr_assert(watches_add(f.agent, f.now, "c") == 0);
	run(&f, 0);
	expect(&f, "server watch, a, b, c");
	watches_remove(f.agent, "b");
	watches_remove(f.agent, "b");
	receive_changed(&f, "b", 2);
	run(&f, 0);
	expect(&f, "server watch, a, c");
	receive_error(&f, SERVER, 0, KUDOS_NOT_SERVING);
	run(&f, 0);
	receive_welcome(&f, 2, 0);
	run(&f, 0);
	expect(&f, "use tcp://c2, server hello, leader hello, leader assign, server watch, a, c");
	watches_remove(f.agent, "a");
	watches_remove(f.agent, "c");
	run(&f, 0);
	expect(&f, "server watch");
	receive_counts(&f, 0, 0, 0);
	run(&f, 10 * SECOND);
	expect(&f, "");
	finish(&f);
}

/* Who is not told of changes reads the counts all the same. */
Test(agent, reads_what_its_server_cannot_watch)
{
	struct fixture f;
	start(&f, "tcp://it");
	cr_assert(watches_add(f.agent, f.now, "a") == 0);
	run(&f, 0);
	receive_welcome(&f, 5, 0);
	run(&f, 0);
	expect(&f, "use tcp://it, server hello, server watch, a");
	for (int i = 0; i < 2; i++) {
		receive_error(&f, SERVER, f.id, KUDOS_BUSY);
		run(&f, 0);
		expect(&f, "server count, a");
		receive_counts(&f, i, 0, 1);
		expect(&f, i ? "a is 1" : "a is 0");
		run(&f, 2 * SECOND);
		expect(&f, "server watch, a");
	}
	receive_error(&f, SERVER, f.id, KUDOS_BUSY);
	run(&f, 0);
	receive_error(&f, SERVER, f.id, KUDOS_BUSY); /* that is no server's limit of watching */
	expect(&f, "server count, a");
	run(&f, 2 * SECOND);
	expect(&f, "server watch, a");
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
	courier_close(&f.agent->courier);
	run(&f, 0);
	expect(&f, "server close");
	cr_assert(!f.agent->courier.closed);
	receive(&f, SERVER, &(struct message){.type = MESSAGE_CLOSED, .closed = {.session = {7, 1}}});
	cr_assert(f.agent->courier.closed);
	finish(&f);
}

/* Everything that can be sent to a client, with bytes changed, cut and added: nothing happens but what a
 * valid message may do, and no result is told twice. */
Test(agent, survives_hostile_messages)
{
	struct fixture f;
	struct random random;
	uint64_t seed = test_seed();
	random_seed(&random, seed);
	start_served(&f);
	f.hostile = true;
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
		if (window_idle(&f.agent->courier.window))
			like(&f, "a", 1);
		if (i % 100 == 0)
			cr_assert(agent_read(f.agent, f.now, keys, 1, NULL, &id) == 0);
		message_encode(&kinds[random_below(&random, 9)], &b);
		for (uint64_t n = random_below(&random, 4); n > 0; n--)
			b.data[random_below(&random, b.size)] = (uint8_t)random_next(&random);
		size_t size = b.size - (random_below(&random, 4) ? 0 : random_below(&random, b.size));
		if (random_below(&random, 2) == 0)
			agent_receive_leader(f.agent, f.now, random_below(&random, 2), b.data, size);
		else
			agent_receive_server(f.agent, f.now, b.data, size);
		bytes_deinit(&b);
		run(&f, (int64_t)random_below(&random, 50 * MS));
		cr_assert(f.agent->courier.window.resolved <= f.agent->courier.window.taken, "seed %llu",
			  (unsigned long long)seed);
		forget(&f);
	}
	cr_assert(f.agent->ignored > 1000);
	finish(&f);
}
