/* SPDX-License-Identifier: MIT */
/* Batches in sessions that the caller keeps, on their way through a courier. */
#include "courier_world.h"

static struct relayed item(uint64_t number, uint64_t seq)
{
	return (struct relayed){.session = {77, number}, .seq = seq, .id = number << 32 | seq};
}

static void keep(struct fixture *f, struct relayed *list, size_t count, uint64_t number, uint64_t first)
{
	for (size_t i = 0; i < count; i++) {
		list[i] = item(number, first + i);
		cr_assert(courier_relay(&f->c, &list[i]) == 0);
	}
	cr_assert(courier_deadline(&f->c) == 0);
}

/* A client that s1 serves, with one such batch on its way. */
static void start_relayed(struct fixture *f, struct relayed *first)
{
	start_served(f);
	keep(f, first, 1, 9, 1);
	run(f, 0);
	expect(f, "relay 9:1");
}

static void answer(struct fixture *f, uint64_t number, uint64_t seq, int error)
{
	route_heard(&f->c, f->now);
	courier_refused(&f->c, f->now, session(number), seq, error);
}

Test(courier_relay, needs_a_server_and_no_session)
{
	struct fixture f;
	struct relayed a;
	start(&f, 1, NULL);
	keep(&f, &a, 1, 9, 1);
	run(&f, 0);
	assign_list(&f, 0, 1, 2, 0);
	run(&f, 0);
	expect(&f, "assign 0, use s1, hello");
	welcome(&f);
	run(&f, 0);
	expect(&f, "relay 9:1");
	ack(&f, 9, 1, 1);
	cr_assert(courier_deadline(&f.c) == 0, "the caller may have waited for it");
	run(&f, 5 * SECOND);
	expect(&f, "relayed 9:1 ok");
	cr_assert(courier_deadline(&f.c) == NEVER);
	finish(&f);
}

Test(courier_relay, is_sent_again_here_and_by_the_next_server)
{
	struct fixture f;
	struct relayed a;
	start_relayed(&f, &a);
	for (int i = 0; i < 11; i++) {
		run(&f, 100 * MS);
		route_heard(&f.c, f.now);
	}
	run(&f, 0);
	expect(&f, "relay 9:1");
	run(&f, 1000 * MS); /* silent */
	expect(&f, "ping, ping, ping, use s2, hello, assign 0, lost 1");
	run(&f, 249 * MS);
	expect(&f, "");
	welcome(&f);
	run(&f, 0);
	expect(&f, "relay 9:1");
	finish(&f);
}

/* However wide the range is, and whatever way it is walked. */
Test(courier_relay, is_answered_in_ranges)
{
	static const struct range {
		uint64_t lo, hi;
		const char *text;
	} tries[] = {
	    {2, 3, "relayed 9:2 ok, relayed 9:3 ok"},
	    {0, UINT64_MAX, "relayed 9:1 ok, relayed 9:2 ok, relayed 9:3 ok, relayed 9:4 ok"},
	    {4, UINT64_MAX, "relayed 9:4 ok"},
	    {0, 1, "relayed 9:1 ok"},
	    {5, UINT64_MAX, ""},
	    {UINT64_MAX, UINT64_MAX, ""},
	    {UINT64_MAX - 1, UINT64_MAX, ""},
	    {4, 1, ""},
	    {3, 2, ""},
	};
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		struct fixture f;
		struct relayed items[4];
		start_served(&f);
		keep(&f, items, 4, 9, 1);
		run(&f, 0);
		forget(&f);
		ack(&f, 9, tries[i].lo, tries[i].hi);
		expect(&f, tries[i].text);
		finish(&f);
	}
}

Test(courier_relay, is_answered_up_to_the_last_number)
{
	struct fixture f;
	struct relayed items[2];
	start_served(&f);
	keep(&f, items, 2, 9, UINT64_MAX - 2);
	run(&f, 0);
	forget(&f);
	ack(&f, 9, UINT64_MAX - 2, UINT64_MAX);
	expect(&f, "relayed 9:18446744073709551613 ok, relayed 9:18446744073709551614 ok");
	finish(&f);
}

Test(courier_relay, is_closed)
{
	struct fixture f;
	struct relayed end;
	start_served(&f);
	keep(&f, &end, 1, 9, 0);
	run(&f, 0);
	courier_session_closed(&f.c, session(9));
	expect(&f, "relay 9:0, relayed 9:0 ok");
	cr_assert(!f.c.closed);
	finish(&f);
}

Test(courier_relay, a_success_is_progress_and_a_refusal_is_none)
{
	struct fixture f;
	struct relayed items[2];
	start_served(&f);
	keep(&f, items, 2, 9, 1);
	run(&f, 0);
	route_not_serving(&f.c, f.now);
	welcome(&f);
	answer(&f, 9, 1, KUDOS_BAD_KEY);
	cr_assert(f.c.losses == 1);
	ack(&f, 9, 2, 2);
	cr_assert(f.c.losses == 0);
	finish(&f);
}

Test(courier_relay, hears_what_is_final_and_goes_on_with_the_rest)
{
	static const int final[] = {KUDOS_EXPIRED, KUDOS_NOT_ISSUED, KUDOS_BAD_KEY,   KUDOS_BAD_AMOUNT,
				    KUDOS_LIMIT,   KUDOS_PROTOCOL,   KUDOS_TOO_LARGE, KUDOS_CONFLICT};
	static const int passing[] = {KUDOS_BUSY, KUDOS_UNKNOWN_SESSION, KUDOS_NOT_COUNTED};
	struct fixture f;
	struct relayed a;
	char text[64];
	for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
		start_relayed(&f, &a);
		answer(&f, 9, 1, final[i]);
		snprintf(text, sizeof text, "relayed 9:1 %s", kudos_error_code(final[i]));
		expect(&f, text);
		cr_assert(f.c.relay.count == 0);
		finish(&f);
	}
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
		start_relayed(&f, &a);
		answer(&f, 9, 1, passing[i]);
		answer(&f, 9, 1, passing[i]);
		run(&f, 200 * MS);
		expect(&f, "");
		cr_assert(f.c.relay.count == 1);
		finish(&f);
	}
}

/* One session of many that is strange to a server is no reason to leave it. */
Test(courier_relay, stays_with_a_server_that_does_not_know_the_session)
{
	struct fixture f;
	struct relayed a;
	start_relayed(&f, &a);
	for (int i = 0; i < 5; i++)
		answer(&f, 9, 1, KUDOS_BUSY); /* says nothing of the session */
	answer(&f, 9, 1, KUDOS_UNKNOWN_SESSION);
	answer(&f, 9, 1, KUDOS_UNKNOWN_SESSION);
	expect(&f, "");
	answer(&f, 9, 1, KUDOS_UNKNOWN_SESSION);
	expect(&f, "relayed 9:1 unknown-session");
	finish(&f);
}

Test(courier_relay, moves_with_a_server_that_does_not_serve_or_know_it)
{
	struct fixture f;
	struct relayed a;
	start_relayed(&f, &a);
	answer(&f, 9, 1, KUDOS_NOT_SERVING);
	run(&f, 0);
	expect(&f, "use s2, hello, assign 0, lost 1");
	welcome(&f);
	run(&f, 0);
	expect(&f, "relay 9:1");
	answer(&f, 9, 1, KUDOS_NO_HELLO);
	run(&f, 0);
	expect(&f, "hello");
	finish(&f);
}

Test(courier_relay, is_judged_silent_by_it)
{
	struct fixture f;
	struct relayed a;
	start_relayed(&f, &a);
	run(&f, 999 * MS);
	expect(&f, "ping, ping, ping");
	run(&f, 1 * MS);
	expect(&f, "use s2, hello, assign 0, lost 1");
	finish(&f);
}
