/* SPDX-License-Identifier: MIT */
/* A client's questions and the close of its session: what is asked until it is answered. */
#include "courier_world.h"

Test(courier_asked, keeps_asking_until_answered)
{
	struct fixture f;
	struct courier_request read = {.id = 5}, status = {.id = 6, .of_leader = true};
	start(&f, 2, NULL);
	cr_assert(courier_ask(&f.c, &read) == 0);
	cr_assert(courier_ask(&f.c, &status) == 0);
	run(&f, 0);
	expect(&f, "assign 0, request@0 6");
	assign_list(&f, 0, 1, 2, 0);
	welcome(&f);
	run(&f, 0);
	welcome(&f);
	run(&f, 0);
	expect(&f, "use s1, hello, request 5");
	run(&f, 300 * MS);
	expect(&f, "ping, request@1 6");
	cr_assert(courier_take_request(&f.c, 6, true) == &status);
	cr_assert(courier_take_request(&f.c, 6, true) == NULL);
	run(&f, 700 * MS);
	expect(&f, "ping, ping, use s2, hello, assign 1, lost 1");
	welcome(&f);
	run(&f, 0);
	expect(&f, "request 5");
	cr_assert(courier_take_request(&f.c, 5, true) == &read);
	finish(&f);
}

Test(courier_asked, closes_at_the_end)
{
	struct fixture f;
	start_served(&f);
	courier_close(&f.c);
	cr_assert(!f.c.closed);
	run(&f, 200 * MS);
	expect(&f, "close 1, close 1");
	courier_session_closed(&f.c, session(2));
	cr_assert(!f.c.closed);
	courier_session_closed(&f.c, session(1));
	cr_assert(f.c.closed);
	finish(&f);

	start(&f, 1, NULL);
	courier_close(&f.c);
	cr_assert(f.c.closed);
	finish(&f);
}

Test(courier_asked, resends_later_each_time)
{
	struct fixture f;
	struct courier_request read = {.id = 5};
	int64_t at[6] = {0};
	start_served(&f);
	cr_assert(courier_ask(&f.c, &read) == 0);
	for (size_t n = 0; n < 6; route_heard(&f.c, f.now)) { /* each ping is answered */
		courier_tick(&f.c, f.now);
		if (strstr(f.trace.text, "request"))
			at[n++] = f.now;
		forget(&f);
		cr_assert(courier_deadline(&f.c) > f.now);
		f.now = courier_deadline(&f.c);
	}
	for (size_t n = 1; n < 6; n++) {
		int64_t expected = (1100 * MS) << (n - 1 < 3 ? n - 1 : 3);
		cr_assert(at[n] - at[n - 1] == expected, "%zu: %lld", n, (long long)(at[n] - at[n - 1]));
	}
	finish(&f);
}

Test(courier_asked, asks_so_many_questions_at_once)
{
	struct fixture f;
	static struct courier_request requests[LIMIT_REQUESTS + 1];
	start_served(&f);
	for (size_t i = 0; i <= LIMIT_REQUESTS; i++) {
		requests[i] = (struct courier_request){.id = i + 1};
		cr_assert(courier_ask(&f.c, &requests[i]) == (i < LIMIT_REQUESTS ? 0 : KUDOS_BUSY));
	}
	cr_assert(courier_take_request(&f.c, 7, false) == &requests[6]);
	cr_assert(courier_ask(&f.c, &requests[LIMIT_REQUESTS]) == 0);
	finish(&f);
}

Test(courier_asked, asks_one_question_again_after_a_pause)
{
	struct fixture f;
	struct courier_request one = {.id = 5}, other = {.id = 6};
	start_served(&f);
	cr_assert(courier_ask(&f.c, &one) == 0 && courier_ask(&f.c, &other) == 0);
	run(&f, 0);
	expect(&f, "request 5, request 6");
	route_heard(&f.c, f.now);
	courier_postpone(&f.c, f.now, 6);
	courier_postpone(&f.c, f.now, 99);
	run(&f, 499 * MS);
	route_heard(&f.c, f.now);
	forget(&f);
	run(&f, 1 * MS);
	expect(&f, "request 6");
	finish(&f);
}

Test(courier_asked, asks_a_leader_again_with_no_server_in_sight)
{
	struct fixture f;
	struct courier_request status = {.id = 6, .of_leader = true};
	start(&f, 3, NULL);
	cr_assert(courier_ask(&f.c, &status) == 0);
	run(&f, 299 * MS);
	courier_tick(&f.c, f.now); /* the leader has its time */
	expect(&f, "request@0 6");
	run(&f, 1 * MS);
	expect(&f, "request@1 6");
	run(&f, 300 * MS);
	expect(&f, "request@2 6");
	finish(&f);
}

Test(courier_asked, only_the_servers_answers_are_progress)
{
	struct fixture f;
	struct courier_request read = {.id = 5}, other = {.id = 6}, status = {.id = 7, .of_leader = true};
	start_served(&f);
	cr_assert(courier_ask(&f.c, &read) == 0 && courier_ask(&f.c, &other) == 0 &&
		  courier_ask(&f.c, &status) == 0);
	route_not_serving(&f.c, f.now);
	cr_assert(courier_take_request(&f.c, 7, true) && f.c.losses == 1);
	cr_assert(courier_take_request(&f.c, 6, false) && f.c.losses == 1);
	cr_assert(courier_take_request(&f.c, 5, true) && f.c.losses == 0);
	finish(&f);
}

Test(courier_asked, closes_only_what_was_used)
{
	struct fixture f;
	start(&f, 1, NULL);
	add(&f, "a");
	run(&f, 0);
	assign_list(&f, 1, 1, 2, 0);
	courier_close(&f.c); /* nothing was sent in it */
	cr_assert(f.c.closed);
	finish(&f);

	start_served(&f);
	run(&f, 60 * SECOND); /* it was closed already */
	courier_close(&f.c);
	cr_assert(f.c.closed);
	finish(&f);
}

Test(courier_asked, closing_asks_no_more_often_than_it_should_and_no_longer)
{
	struct fixture f;
	start_served(&f);
	courier_session_closed(&f.c, session(1)); /* late, or of another's asking */
	cr_assert(!f.c.closed);
	add(&f, "b"); /* too late for it */
	courier_close(&f.c);
	courier_tick(&f.c, f.now);
	f.now += 199 * MS;
	courier_tick(&f.c, f.now);
	expect(&f, "close 1");
	run(&f, 1 * MS);
	expect(&f, "close 1");
	courier_session_closed(&f.c, session(1));
	courier_tick(&f.c, f.now + 1 * SECOND);
	f.now += 1 * SECOND;
	run(&f, 100 * SECOND);
	expect(&f, "");
	cr_assert(courier_deadline(&f.c) == NEVER);
	finish(&f);
}

Test(courier_asked, closes_with_the_next_server_when_this_one_is_silent)
{
	struct fixture f;
	start_served(&f);
	courier_close(&f.c);
	run(&f, 1000 * MS);
	expect(&f, "close 1, close 1, ping, close 1, ping, close 1, ping, close 1, close 1, use s2, hello");
	run(&f, 240 * MS);
	courier_tick(&f.c, f.now);
	expect(&f, "");
	route_not_serving(&f.c, f.now);
	route_not_serving(&f.c, f.now);
	run(&f, 0);
	expect(&f, "use s3, hello, use -");
	f.now += 70 * SECOND; /* the session was not used for longer than one rests */
	run(&f, 0);
	welcome(&f);
	run(&f, 0);
	expect(&f, "use s1, hello, close 1");
	finish(&f);
}
