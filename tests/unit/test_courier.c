/* SPDX-License-Identifier: MIT */
/* Batches, sessions and results of a client. */
#include "courier_world.h"

Test(courier, does_nothing_until_asked)
{
	struct fixture f;
	start(&f, 1, NULL);
	run(&f, 100 * SECOND);
	expect(&f, "");
	cr_assert(courier_deadline(&f.c) == NEVER);
	finish(&f);
}

Test(courier, gathers_for_the_linger_time)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 600);
	add(&f, "cd");
	run(&f, 399);
	expect(&f, "");
	run(&f, 1);
	expect(&f, "batch 1:2 bcd");
	courier_push(&f.c);
	add(&f, "e");
	run(&f, 0);
	expect(&f, "batch 1:3 e");
	finish(&f);
}

Test(courier, closes_a_batch_at_its_limits)
{
	struct fixture f;
	static const char big[20000];
	start_served(&f);
	for (size_t i = 0; i < LIMIT_BATCH_EVENTS; i++)
		add(&f, "x");
	courier_tick(&f.c, f.now);
	cr_assert(window_find(&f.c.window, 2)->events == LIMIT_BATCH_EVENTS);
	for (int i = 0; i < 4; i++)
		cr_assert(courier_add(&f.c, f.now, big, sizeof big) == 0);
	courier_tick(&f.c, f.now);
	cr_assert(window_find(&f.c.window, 3)->events == 3);
	finish(&f);
}

Test(courier, tells_results_of_ranges)
{
	struct fixture f;
	start_served(&f);
	for (const char *e = "bcdef"; *e; e++) {
		add(&f, (char[]){*e, '\0'});
		run(&f, 1 * MS);
	}
	expect(&f, "batch 1:2 b, batch 1:3 c, batch 1:4 d, batch 1:5 e, batch 1:6 f");
	ack(&f, 1, 3, 4);
	ack(&f, 1, 3, 4);  /* again */
	ack(&f, 2, 1, 64); /* of another session */
	ack(&f, 1, 6, UINT64_MAX);
	ack(&f, 1, 0, 5); /* 2 and 5 are left: their tickets do not adjoin */
	expect(&f, "ok 3-4, ok 6-6, ok 2-2, ok 5-5");
	cr_assert(window_idle(&f.c.window));
	ack(&f, 1, UINT64_MAX, UINT64_MAX);
	ack(&f, 1, 5, 2);
	expect(&f, "");
	finish(&f);
}

Test(courier, is_busy_when_the_window_is_full)
{
	struct fixture f;
	start_served(&f);
	size_t added = 0;
	while (courier_add(&f.c, f.now, "x", 1) == 0) {
		added++;
		courier_tick(&f.c, f.now);
	}
	cr_assert(added == (LIMIT_IN_FLIGHT + 1) * LIMIT_BATCH_EVENTS, "%zu", added);
	cr_assert(f.c.window.numbered - f.c.window.first == LIMIT_IN_FLIGHT);
	run(&f, 2 * MS);
	cr_assert(f.c.window.open && courier_deadline(&f.c) > f.now, "the open batch waits for room");
	forget(&f);
	ack(&f, 1, 3, 65); /* all but the oldest: a number more would be 64 ahead of it */
	cr_assert(courier_add(&f.c, f.now, "x", 1) == KUDOS_BUSY);
	ack(&f, 1, 2, 2);
	cr_assert(courier_add(&f.c, f.now, "x", 1) == 0);
	finish(&f);
}

Test(courier, resends_what_stays_unanswered_though_pongs_come)
{
	struct fixture f;
	start_served(&f);
	add(&f, "bc");
	for (int i = 0; i < 34; i++) {
		run(&f, 100 * MS);
		route_heard(&f.c, f.now);
	}
	expect(&f, "batch 1:2 bc, batch 1:2 bc, batch 1:2 bc");
	finish(&f);
}

Test(courier, expired_means_in_doubt_and_never_resent)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	add(&f, "c");
	run(&f, 1 * MS);
	add(&f, "d"); /* not numbered yet: not in doubt */
	expect(&f, "batch 1:2 b, batch 1:3 c");
	refuse(&f, 2, KUDOS_EXPIRED);
	refuse(&f, 3, KUDOS_EXPIRED);
	expect(&f, "in-doubt 2-3");
	run(&f, 0);
	assign_list(&f, 1, 1, 2, 3); /* an old answer, late: its number was used */
	run(&f, 10 * MS);
	expect(&f, "assign 0 +, assign 0 +");
	assign_list(&f, 2, 1, 2, 3);
	run(&f, 1 * MS);
	expect(&f, "batch 2:1 d");
	finish(&f);
}

/* Who issued it is news that has not come to the server: another one may have heard. */
Test(courier, goes_on_when_its_session_is_not_known_there)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 b");
	refuse(&f, 2, KUDOS_UNKNOWN_SESSION);
	run(&f, 1 * MS);
	expect(&f, "use s2, hello, assign 0, lost 1");
	welcome(&f);
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 b");
	refuse(&f, 2, KUDOS_NOT_ISSUED);
	expect(&f, "in-doubt 2-2");
	finish(&f);
}

Test(courier, final_refusals_are_results)
{
	struct fixture f;
	start_served(&f);
	add(&f, "bc");
	run(&f, 1 * MS);
	add(&f, "d");
	run(&f, 1 * MS);
	refuse(&f, 2, KUDOS_BAD_KEY);
	refuse(&f, 2, KUDOS_BAD_KEY);
	refuse(&f, 9, KUDOS_BAD_KEY);
	run(&f, 0);
	add(&f, "e");
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 bc, batch 1:3 d, bad-key 2-3, batch 1:4 e");
	finish(&f);
}

Test(courier, slows_down_when_the_server_is_busy)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	add(&f, "c");
	run(&f, 1 * MS);
	forget(&f);
	refuse(&f, 2, KUDOS_BUSY);
	refuse(&f, 3, KUDOS_BUSY);
	add(&f, "d");
	run(&f, 19 * MS);
	expect(&f, "");
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 b, batch 1:3 c, batch 1:4 d");
	refuse(&f, 2, KUDOS_BUSY);
	run(&f, 39 * MS);
	expect(&f, "");
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 b");
	ack(&f, 1, 2, 4);
	add(&f, "e");
	run(&f, 1 * MS);
	expect(&f, "ok 2-4, batch 1:5 e");
	finish(&f);
}

Test(courier, closes_an_idle_session_and_gets_a_new_one)
{
	struct fixture f;
	start_served(&f);
	run(&f, 59 * SECOND);
	expect(&f, "");
	run(&f, 1 * SECOND);
	expect(&f, "close 1");
	cr_assert(courier_deadline(&f.c) == NEVER);
	add(&f, "b");
	run(&f, 0);
	assign_list(&f, 2, 1, 2, 3);
	run(&f, 1 * MS);
	expect(&f, "assign 0 +, batch 2:1 b");
	finish(&f);
}

Test(courier, uses_no_session_that_was_slept_through)
{
	struct fixture f;
	start_served(&f);
	f.now += 3600 * SECOND;
	add(&f, "b");
	courier_tick(&f.c, f.now);
	expect(&f, "close 1, assign 0 +");
	finish(&f);
}

Test(courier, remembers_the_highest_positions)
{
	struct fixture f;
	start_served(&f);
	for (uint64_t i = 0; i <= LIMIT_POSITIONS; i++)
		courier_position(&f.c, (struct position){{i + 1}, 10 + i});
	courier_position(&f.c, (struct position){{3}, 5});
	courier_position(&f.c, (struct position){{2}, 500});
	cr_assert(f.c.position_count == LIMIT_POSITIONS);
	cr_assert(f.c.positions[0].origin.id == 2 && f.c.positions[0].lsn == 500);
	cr_assert(f.c.positions[1].origin.id == 3 && f.c.positions[1].lsn == 12);
	finish(&f);
}

/* The tick that follows has work only for the first of a batch and for the last. */
Test(courier, is_not_woken_by_every_like)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	cr_assert(courier_deadline(&f.c) == 0);
	courier_tick(&f.c, f.now);
	add(&f, "c");
	cr_assert(courier_deadline(&f.c) == f.now + 1 * MS);
	run(&f, 1 * MS);
	size_t woken = 0;
	for (size_t i = 0; i < 2 * LIMIT_BATCH_EVENTS; i++) {
		add(&f, "x");
		woken += courier_deadline(&f.c) == 0;
		if (courier_deadline(&f.c) == 0)
			courier_tick(&f.c, f.now);
	}
	cr_assert(woken == 4, "%zu", woken);
	finish(&f);

	start(&f, 1, NULL);
	while (courier_add(&f.c, f.now, "x", 1) == 0) {
	}
	run(&f, 0);
	cr_assert(courier_add(&f.c, f.now, "x", 1) == KUDOS_BUSY && courier_deadline(&f.c) != 0);
	finish(&f);
}

Test(courier, a_push_is_for_what_has_gathered)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	courier_push(&f.c);
	run(&f, 0);
	expect(&f, "batch 1:2 b");
	add(&f, "c");
	run(&f, 999);
	expect(&f, "");
	run(&f, 1);
	expect(&f, "batch 1:3 c");
	finish(&f);
}

Test(courier, numbers_nothing_while_it_is_held_back)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	refuse(&f, 2, KUDOS_BUSY);
	for (size_t i = 0; i <= LIMIT_BATCH_EVENTS; i++)
		add(&f, "c"); /* the first of two is closed */
	run(&f, 19 * MS);
	expect(&f, "batch 1:2 b");
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 b, batch 1:3 cccccccccccccccc, batch 1:4 c");
	finish(&f);
}

Test(courier, an_answer_ends_what_was_held_against_the_server)
{
	struct fixture f;
	start_served(&f);
	route_not_serving(&f.c, f.now);
	welcome(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	refuse(&f, 2, KUDOS_BUSY);
	run(&f, 30 * SECOND);
	welcome(&f);
	refuse(&f, 2, KUDOS_UNKNOWN_SESSION);
	run(&f, 1 * MS);
	welcome(&f);
	forget(&f);
	ack(&f, 1, 2, 2);
	cr_assert(courier_deadline(&f.c) == 0 && f.c.losses == 0 && f.c.unknown_since == NEVER);
	add(&f, "c");
	run(&f, 1 * MS);
	refuse(&f, 3, KUDOS_BUSY);
	run(&f, 19 * MS);
	expect(&f, "ok 2-2, batch 1:3 c");
	run(&f, 1 * MS);
	expect(&f, "batch 1:3 c");
	ack(&f, 1, 3, 3);
	int64_t since = f.now;
	run(&f, 60 * SECOND - 1);
	expect(&f, "ok 3-3");
	run(&f, 1);
	expect(&f, "close 1");
	cr_assert(f.now == since + 60 * SECOND);
	finish(&f);
}

Test(courier, gives_up_a_session_that_stays_unknown)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	for (int i = 0; i < 600; i++) {
		refuse(&f, 2, KUDOS_UNKNOWN_SESSION);
		cr_assert(f.c.session.number == 1, "after %d s", i);
		run(&f, 1 * SECOND);
		welcome(&f);
		forget(&f);
	}
	refuse(&f, 2, KUDOS_UNKNOWN_SESSION);
	expect(&f, "in-doubt 2-2");
	finish(&f);
}

Test(courier, takes_only_whole_sessions_and_only_when_it_needs_one)
{
	struct fixture f;
	start(&f, 1, NULL);
	const struct courier_server one = {.node = {1}};
	assign_list(&f, 5, 1, 0, 0);
	cr_assert(f.c.session.number == 0, "there is nothing to send");
	add(&f, "a");
	route_assigned(&f.c, f.now, (struct session){0, 5}, signed_by, &one, 1);
	route_assigned(&f.c, f.now, (struct session){77, 0}, signed_by, &one, 1);
	cr_assert(f.c.session.issuer == 0 && f.c.session.number == 0 && f.c.used_count == 0);
	assign_list(&f, 5, 1, 0, 0);
	cr_assert(f.c.session.number == 5);
	finish(&f);
}

/* Of as many issuers as there is room for; then the oldest is forgotten. */
Test(courier, remembers_the_highest_number_of_each_issuer)
{
	struct fixture f;
	start(&f, 1, NULL);
	for (uint64_t i = 1; i <= LIMIT_ISSUERS; i++)
		cr_assert(route_first_use(&f.c, (struct session){i, 10}));
	for (uint64_t i = 1; i <= LIMIT_ISSUERS; i++) {
		cr_assert(!route_first_use(&f.c, (struct session){i, 10}));
		cr_assert(route_first_use(&f.c, (struct session){i, 11}));
		cr_assert(!route_first_use(&f.c, (struct session){i, 10}));
	}
	cr_assert(route_first_use(&f.c, (struct session){100, 1}) && f.c.used_count == LIMIT_ISSUERS);
	cr_assert(!route_first_use(&f.c, (struct session){100, 1}));
	cr_assert(!route_first_use(&f.c, (struct session){2, 11}));
	finish(&f);
}

Test(courier, keeps_the_session_of_what_is_under_way)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	for (int i = 0; i < 70 || f.c.state != COURIER_GREETING; i++) { /* no server answers */
		run(&f, 1 * SECOND);
		forget(&f);
	}
	welcome(&f);
	forget(&f);
	run(&f, 0);
	expect(&f, "batch 1:2 b");
	finish(&f);
}
