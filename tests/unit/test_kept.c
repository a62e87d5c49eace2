/* SPDX-License-Identifier: MIT */
/* Sessions that the caller keeps. */
#include "unit/agent_world.h"

#include "client/kept.h"
#include "client/session_name.h"

static const struct kudos_event events[] = {{"a", 1}, {"b", -2}};

/* The name of the session that receive_assigned() gives. */
static const char *name_of(struct fixture *f, uint64_t number)
{
	static char name[KUDOS_SESSION_SIZE];
	(void)f;
	session_name_print(name, (struct session){7, number}, (struct proof){{1}, UINT64_MAX - number});
	return name;
}

static void receive_ack_of(struct fixture *f, uint64_t number, uint64_t lo, uint64_t hi)
{
	const struct range range = {lo, hi};
	const struct position at = {{101}, 9};
	receive(f, SERVER, &(struct message){.type = MESSAGE_ACK, .ack = {{7, number}, &range, 1, &at, 1}});
}

static void receive_refused_of(struct fixture *f, uint64_t number, uint64_t seq, int code)
{
	receive(f, SERVER,
		&(struct message){.type = MESSAGE_REFUSED, .refused = {{7, number}, seq, code, TEXT("so")}});
}

Test(kept, a_session_is_given_to_who_asked_and_once)
{
	struct fixture f;
	uint64_t id, other;
	start(&f, NULL);
	cr_assert(kept_open_session(f.agent, f.now, 0, &id) == 0);
	cr_assert(kept_open_session(f.agent, f.now, 0, &other) == 0);
	run(&f, 0);
	expect(&f, "leader hello, leader assign, leader hello, leader assign");
	receive_assigned(&f, 4);
	receive_assigned(&f, 4); /* comes twice */
	receive_assigned(&f, 3); /* and late */
	expect(&f, "session 1 ok 0000000000000007.4.0000000000000001.fffffffffffffffb");
	receive_assigned(&f, 5);
	expect(&f, "session 2 ok 0000000000000007.5.0000000000000001.fffffffffffffffa");
	receive_assigned(&f, 6); /* nobody wants it */
	expect(&f, "");
	finish(&f);
}

Test(kept, a_session_lasts_as_long_as_was_asked)
{
	struct fixture f;
	uint64_t id;
	start(&f, NULL);
	cr_assert(kept_open_session(f.agent, f.now, 604801, &id) == KUDOS_LIMIT);
	cr_assert(kept_open_session(f.agent, f.now, 604800, &id) == 0);
	run(&f, 0);
	expect(&f, "leader hello, leader assign");
	receive_assigned(&f, 1); /* a usual one */
	expect(&f, "");
	receive(&f, LEADER,
		&(struct message){.type = MESSAGE_ASSIGNED,
				  .assigned = {.session = {UINT64_C(3) << 61 | 7, 1}, .proof = {{1}, 5}}});
	expect(&f, "session 1 ok 6000000000000007.1.0000000000000001.0000000000000005");
	finish(&f);
}

Test(kept, the_handles_own_session_goes_first)
{
	struct fixture f;
	uint64_t id;
	start(&f, NULL);
	cr_assert(kept_open_session(f.agent, f.now, 0, &id) == 0);
	like(&f, "x", 1);
	run(&f, 0);
	receive_assigned(&f, 1);
	run(&f, 0);
	receive_welcome(&f, 1, 0);
	run(&f, 1 * MS);
	expect(&f, "leader hello, leader assign, leader hello, leader assign, use tcp://c1, server hello, "
		   "batch 7.1:1, x 1");
	receive_assigned(&f, 2);
	expect(&f, "session 1 ok 0000000000000007.2.0000000000000001.fffffffffffffffd");
	finish(&f);
}

/* A batch on its way to server 1, presented before a session was ever opened here. */
static void start_put(struct fixture *f, uint64_t *id)
{
	start(f, NULL);
	cr_assert(kept_put(f->agent, name_of(f, 9), 5, events, 2, id) == 0);
	run(f, 0);
	receive_assigned(f, 0);
	run(f, 0);
	receive_welcome(f, 1, 0);
	run(f, 0);
	expect(f, "leader hello, leader assign, use tcp://c1, server hello, batch 7.9:5, a 1, b -2");
}

Test(kept, a_batch_is_sent_as_it_was_until_it_is_answered)
{
	struct fixture f;
	uint64_t id;
	start_put(&f, &id);
	run(&f, 900 * MS);
	receive(&f, SERVER, &(struct message){.type = MESSAGE_PONG});
	run(&f, 300 * MS);
	cr_assert(f.batch_before.size == f.last_batch.size &&
		  memcmp(f.batch_before.data, f.last_batch.data, f.last_batch.size) == 0);
	forget(&f); /* pings, and the batch again */
	receive_error(&f, SERVER, 0, KUDOS_NOT_SERVING);
	receive_welcome(&f, 2, 0);
	run(&f, 0);
	expect(&f, "use tcp://c2, server hello, leader hello, leader assign, batch 7.9:5, a 1, b -2");
	receive_ack_of(&f, 9, 1, UINT64_MAX);
	receive_ack_of(&f, 9, 5, 5);
	expect(&f, "put 1 ok, 9@101");
	receive_assigned(&f, 0);
	run(&f, 5 * SECOND);
	expect(&f, "");
	finish(&f);
}

Test(kept, a_refusal_is_told_when_it_is_final)
{
	static const struct {
		int code;
		bool final;
	} refusals[] = {{KUDOS_BUSY, false},	  {KUDOS_CONFLICT, true}, {KUDOS_EXPIRED, true},
			{KUDOS_NOT_ISSUED, true}, {KUDOS_LIMIT, true},	  {KUDOS_NO_MEMORY, false}};
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct fixture f;
		char told[64];
		uint64_t id;
		start_put(&f, &id);
		receive_refused_of(&f, 9, 4, refusals[i].code); /* not this one */
		receive_refused_of(&f, 9, 5, refusals[i].code);
		snprintf(told, sizeof told, "put 1 %s", kudos_error_code(refusals[i].code));
		expect(&f, refusals[i].final ? told : "");
		receive_ack_of(&f, 9, 5, 5);
		expect(&f, refusals[i].final ? "" : "put 1 ok, 9@101");
		finish(&f);
	}
}

Test(kept, a_session_that_nobody_knows_is_given_up_without_a_move)
{
	struct fixture f;
	uint64_t id;
	start_put(&f, &id);
	receive_refused_of(&f, 9, 5, KUDOS_UNKNOWN_SESSION);
	receive_refused_of(&f, 9, 5, KUDOS_UNKNOWN_SESSION);
	expect(&f, "");
	receive_refused_of(&f, 9, 5, KUDOS_UNKNOWN_SESSION);
	expect(&f, "put 1 unknown-session");
	finish(&f);
}

/* Who asks and who sends the same batch do not hear each other's answers. */
Test(kept, asks_whether_one_was_counted)
{
	struct fixture f;
	uint64_t id;
	start_put(&f, &id);
	cr_assert(kept_counted(f.agent, "x", 5, &id) == KUDOS_BAD_SESSION);
	cr_assert(kept_counted(f.agent, name_of(&f, 9), 0, &id) == KUDOS_BAD_NUMBER);
	cr_assert(kept_counted(f.agent, name_of(&f, 9), 5, &id) == 0);
	run(&f, 0);
	expect(&f, "");
	receive_refused_of(&f, 9, 5, KUDOS_NOT_COUNTED);
	expect(&f, "");
	receive_refused_of(&f, 9, 5, KUDOS_CONFLICT);
	run(&f, 0);
	expect(&f, "put 1 conflict, server seen");
	receive_refused_of(&f, 9, 5, KUDOS_CONFLICT);
	receive_refused_of(&f, 9, 5, KUDOS_NOT_COUNTED);
	expect(&f, "put 2 not-counted");
	cr_assert(kept_counted(f.agent, name_of(&f, 9), 5, &id) == 0);
	run(&f, 0);
	receive_ack_of(&f, 9, 5, 5);
	expect(&f, "server seen, put 3 ok, 9@101");
	finish(&f);
}

Test(kept, closes_by_name)
{
	struct fixture f;
	uint64_t id;
	start_put(&f, &id);
	receive_ack_of(&f, 9, 5, 5);
	cr_assert(kept_close_session(f.agent, name_of(&f, 9), &id) == 0);
	run(&f, 0);
	expect(&f, "put 1 ok, 9@101, server close");
	receive(&f, SERVER, &(struct message){.type = MESSAGE_CLOSED, .closed = {{7, 9}}});
	expect(&f, "put 2 ok");
	finish(&f);
}

Test(kept, one_that_is_given_up_is_not_told)
{
	struct fixture f;
	uint64_t id;
	start_put(&f, &id);
	agent_cancel(f.agent, id);
	receive_ack_of(&f, 9, 5, 5);
	run(&f, 5 * SECOND);
	expect(&f, "");
	finish(&f);
}

Test(kept, checks_what_it_is_given)
{
	struct fixture f;
	static struct kudos_event many[1025];
	static char keys[1025][129];
	const struct kudos_event bad_key = {"a b", 1}, none = {"a", 0}, large = {"a", 1000001};
	uint64_t id = 0;
	start(&f, NULL);
	for (size_t i = 0; i < 1025; i++) {
		snprintf(keys[i], sizeof keys[i], "%0128zu", i);
		many[i] = (struct kudos_event){keys[i], 1};
	}
	const char *name = name_of(&f, 9);
	cr_assert(kept_put(f.agent, "x", 1, events, 2, &id) == KUDOS_BAD_SESSION);
	cr_assert(kept_put(f.agent, name, 0, events, 2, &id) == KUDOS_BAD_NUMBER);
	cr_assert(kept_put(f.agent, name, UINT64_MAX, events, 2, &id) == KUDOS_BAD_NUMBER);
	cr_assert(kept_put(f.agent, name, 1, &bad_key, 1, &id) == KUDOS_BAD_KEY);
	cr_assert(kept_put(f.agent, name, 1, &none, 1, &id) == KUDOS_BAD_AMOUNT);
	cr_assert(kept_put(f.agent, name, 1, &large, 1, &id) == KUDOS_BAD_AMOUNT);
	cr_assert(kept_put(f.agent, name, 1, many, 1025, &id) == KUDOS_TOO_LARGE);
	cr_assert(kept_put(f.agent, name, 1, many, 1000, &id) == KUDOS_TOO_LARGE);
	cr_assert(kept_put(f.agent, name, 1, many, 400, &id) == 0 && id == 1);
	cr_assert(kept_close_session(f.agent, "", &id) == KUDOS_BAD_SESSION && id == 1);
	finish(&f);
}

Test(kept, a_name_has_one_form)
{
	struct session session;
	struct proof proof;
	char name[KUDOS_SESSION_SIZE];
	session_name_print(name, (struct session){UINT64_MAX, UINT64_MAX},
			   (struct proof){{UINT64_MAX}, UINT64_MAX});
	cr_assert(strlen(name) == sizeof name - 1, "there is room for the longest, and no more");
	cr_assert(session_name_parse(name, &session, &proof));
	cr_assert(session.number == UINT64_MAX && proof.signer.id == UINT64_MAX && proof.code == UINT64_MAX);
	static const char *const bad[] = {
	    "",
	    "0000000000000007",
	    "0000000000000007.1.0000000000000001",
	    "0000000000000007.0.0000000000000001.0000000000000000",
	    "0000000000000007.01.0000000000000001.0000000000000000",
	    "0000000000000000.1.0000000000000001.0000000000000000",
	    "0000000000000007.1.0000000000000000.0000000000000000",
	    "7.1.0000000000000001.0000000000000000",
	    "0000000000000007.1.0000000000000001.000000000000000A",
	    "0000000000000007.1.0000000000000001.0000000000000000.",
	    "0000000000000007.18446744073709551616.0000000000000001.0000000000000000",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(!session_name_parse(bad[i], &session, &proof), "%s", bad[i]);
}

/* Batches of two sessions on their way in one message. */
static void start_two(struct fixture *f)
{
	uint64_t id;
	start_put(f, &id);
	receive_ack_of(f, 9, 5, 5);
	cr_assert(kept_put(f->agent, name_of(f, 9), 6, events, 1, &id) == 0);
	cr_assert(kept_put(f->agent, name_of(f, 8), 1, events, 1, &id) == 0);
	run(f, 0);
	expect(f, "put 1 ok, 9@101, server 2, batch 7.9:6, a 1, batch 7.8:1, a 1");
}

Test(kept, what_comes_at_once_goes_as_one_message_and_is_answered_so)
{
	struct fixture f;
	struct bytes acks[2] = {{0}};
	start_two(&f);
	for (uint64_t i = 0; i < 2; i++) {
		const struct range range = {i ? 1 : 6, i ? 1 : 6};
		const struct position at = {{101}, 9 + i};
		message_encode(
		    &(struct message){.type = MESSAGE_ACK, .ack = {{7, i ? 8 : 9}, &range, 1, &at, 1}},
		    &acks[i]);
	}
	const struct blob answers[] = {
	    {acks[0].data, acks[0].size}, {(const uint8_t *)"?", 1}, {acks[1].data, acks[1].size}};
	receive(&f, SERVER, &(struct message){.type = MESSAGE_MANY, .many = {answers, 3}});
	expect(&f, "put 2 ok, 9@101, put 3 ok, 10@101");
	cr_assert(f.agent->ignored == 1);
	run(&f, 5 * SECOND);
	expect(&f, "");
	bytes_deinit(&acks[0]);
	bytes_deinit(&acks[1]);
	finish(&f);
}

Test(kept, many_within_many_are_none)
{
	struct fixture f;
	struct bytes inner = {0};
	start_two(&f);
	const struct blob nothing = {(const uint8_t *)"?", 1};
	message_encode(&(struct message){.type = MESSAGE_MANY, .many = {&nothing, 1}}, &inner);
	const struct blob outer = {inner.data, inner.size};
	receive(&f, SERVER, &(struct message){.type = MESSAGE_MANY, .many = {&outer, 1}});
	expect(&f, "");
	cr_assert(f.agent->ignored == 1);
	bytes_deinit(&inner);
	finish(&f);
}
