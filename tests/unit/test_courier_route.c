/* SPDX-License-Identifier: MIT */
/* Which server a client uses, when it moves to another, and whom it asks. */
#include "courier_world.h"

Test(courier_route, moves_on_silence_and_resends_unchanged)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	add(&f, "c");
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 b, batch 1:3 c");
	run(&f, 900 * MS);
	expect(&f, "ping, ping, ping");
	add(&f, "d"); /* goes out once, to whom it may concern */
	run(&f, 98 * MS);
	expect(&f, "batch 1:4 d");
	run(&f, 1 * MS);
	expect(&f, "use s2, hello, assign 0, lost 1");
	welcome(&f);
	assign_list(&f, 0, 3, 2, 1);
	run(&f, 0);
	expect(&f, "batch 1:2 b, batch 1:3 c, batch 1:4 d");
	ack(&f, 1, 2, 4);
	expect(&f, "ok 2-4");
	cr_assert(strcmp(route_server(&f.c)->name, "s2") == 0);
	finish(&f);
}

Test(courier_route, tries_all_servers_then_pauses)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1100 * MS);
	expect(&f, "batch 1:2 b, ping, ping, ping, use s2, hello, assign 0, lost 1");
	route_not_serving(&f.c, f.now);
	run(&f, 0);
	expect(&f, "use s3, hello, assign 1, lost 2");
	route_not_serving(&f.c, f.now);
	expect(&f, "use -");
	assign_list(&f, 0, 2, 3, 1);
	run(&f, 99 * MS);
	expect(&f, "");
	run(&f, 1 * MS);
	expect(&f, "use s2, hello");
	finish(&f);
}

Test(courier_route, does_not_call_a_server_silent_after_its_own_sleep)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	f.now += 30 * SECOND;
	courier_tick(&f.c, f.now);
	expect(&f, "batch 1:2 b, batch 1:2 b, ping");
	ack(&f, 1, 2, 2);
	run(&f, 0);
	expect(&f, "ok 2-2");
	finish(&f);
}

Test(courier_route, greets_again_and_resends)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	route_heard(&f.c, f.now);
	route_no_hello(&f.c, f.now);
	route_no_hello(&f.c, f.now);
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 b, hello");
	welcome(&f);
	welcome(&f);
	run(&f, 0);
	expect(&f, "batch 1:2 b");
	finish(&f);
}

Test(courier_route, asks_leaders_in_turn)
{
	struct fixture f;
	start(&f, 3, NULL);
	add(&f, "a");
	run(&f, 900 * MS);
	expect(&f, "assign 0 +, assign 1 +, assign 2 +, assign 0 +");
	route_no_server(&f.c, f.now);
	run(&f, 300 * MS);
	expect(&f, "assign 1 +");
	assign_list(&f, 5, 1, 0, 0);
	run(&f, 0);
	expect(&f, "use s1, hello");
	finish(&f);
}

Test(courier_route, asks_the_server_for_a_session_with_all_leaders_away)
{
	struct fixture f;
	start_served(&f);
	run(&f, 60 * SECOND);
	add(&f, "b");
	run(&f, 600 * MS);
	expect(&f, "close 1, assign 0 +, assign 1 +, assign 0 +, hello+");
	route_heard(&f.c, f.now);
	route_welcome(&f.c, f.now, (struct session){5, 9}, signed_by, true);
	run(&f, 1 * MS);
	expect(&f, "batch 9:1 b");
	finish(&f);
}

Test(courier_route, uses_one_server_directly)
{
	struct fixture f;
	const struct courier_server direct = {.name = "it"};
	start(&f, 0, &direct);
	add(&f, "a");
	run(&f, 0);
	expect(&f, "use it, hello+");
	route_heard(&f.c, f.now);
	route_welcome(&f.c, f.now, session(1), signed_by, true);
	run(&f, 1 * MS);
	expect(&f, "batch 1:1 a");
	run(&f, 1000 * MS);
	expect(&f, "ping, ping, ping, use -");
	run(&f, 100 * MS);
	expect(&f, "use it, hello");
	finish(&f);
}

Test(courier_route, moves_when_the_connection_ends)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	expect(&f, "batch 1:2 b");
	route_disconnected(&f.c, f.now);
	run(&f, 0);
	expect(&f, "use s2, hello, assign 0, lost 1");
	route_disconnected(&f.c, f.now); /* this one is not there, either */
	run(&f, 0);
	expect(&f, "use s3, hello, assign 1, lost 2");
	route_disconnected(&f.c, f.now);
	expect(&f, "use -");
	route_disconnected(&f.c, f.now); /* of none: late news */
	expect(&f, "");
	finish(&f);
}

Test(courier_route, greets_the_only_server_again_when_the_connection_ends)
{
	struct fixture f;
	const struct courier_server direct = {.name = "it"};
	start(&f, 0, &direct);
	add(&f, "a");
	run(&f, 0);
	route_heard(&f.c, f.now);
	route_welcome(&f.c, f.now, session(1), signed_by, true);
	run(&f, 1 * MS);
	expect(&f, "use it, hello+, batch 1:1 a");
	route_disconnected(&f.c, f.now);
	expect(&f, "hello");
	route_welcome(&f.c, f.now, (struct session){0}, (struct proof){0}, true);
	run(&f, 1 * MS);
	expect(&f, "batch 1:1 a");
	finish(&f);
}

/* A new list may come at any time: how many were lost says when to pause, and the list where it ends. */
Test(courier_route, pauses_after_as_many_as_there_are)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1 * MS);
	forget(&f);
	route_not_serving(&f.c, f.now);
	assign_list(&f, 0, 3, 2, 1);
	route_not_serving(&f.c, f.now);
	expect(&f, "use s2, hello, use s3, hello");
	assign_list(&f, 0, 1, 2, 3);
	route_not_serving(&f.c, f.now);
	expect(&f, "use -");
	run(&f, 0);
	forget(&f);
	run(&f, 100 * MS);
	welcome(&f);
	route_not_serving(&f.c, f.now);
	route_not_serving(&f.c, f.now);
	welcome(&f);
	ack(&f, 1, 2, 2); /* the last of the list is of use … */
	add(&f, "c");
	forget(&f);
	route_not_serving(&f.c, f.now);
	expect(&f, "use -"); /* … and the last all the same */
	finish(&f);
}

Test(courier_route, keeps_the_best_of_a_list_and_the_one_in_use)
{
	struct fixture f;
	struct courier_server list[LIMIT_OFFERED + 2] = {0};
	start_served(&f);
	for (size_t i = 0; i < LIMIT_OFFERED + 2; i++)
		list[i].node.id = 40 - i;
	list[5].node.id = 1; /* in use */
	route_assigned(&f.c, f.now, none, signed_by, list, LIMIT_OFFERED + 2);
	cr_assert(f.c.server_count == LIMIT_OFFERED && f.c.servers[0].node.id == 1);
	for (size_t i = 1; i < LIMIT_OFFERED; i++)
		cr_assert(node_equal(f.c.servers[i].node, list[i <= 5 ? i - 1 : i].node));
	route_assigned(&f.c, f.now, none, signed_by, list, 2);
	cr_assert(f.c.server_count == 3);
	finish(&f);
}

Test(courier_route, asks_a_server_for_a_session_only_when_it_needs_one)
{
	struct fixture f;
	const struct courier_server direct = {.name = "it"};
	start(&f, 1, NULL);
	add(&f, "a");
	run(&f, 0);
	assign_list(&f, 0, 1, 0, 0); /* a server, and no session yet */
	run(&f, 0);
	expect(&f, "assign 0 +, use s1, hello, assign 0 +");
	finish(&f);

	start_served(&f); /* leaders away, a list is wanted, the session is there */
	add(&f, "b");
	run(&f, 1 * MS);
	route_not_serving(&f.c, f.now);
	welcome(&f);
	for (int i = 0; i < 10; i++) {
		run(&f, 100 * MS);
		route_heard(&f.c, f.now);
		cr_assert(!strstr(f.trace.text, "hello+"));
	}
	finish(&f);

	start(&f, 0, &direct);
	add(&f, "a");
	run(&f, 0);
	expect(&f, "use it, hello+");
	courier_close(&f.c);
	run(&f, 250 * MS);
	expect(&f, "hello");
	route_welcome(&f.c, f.now, session(1), signed_by, true);
	cr_assert(f.c.session.number == 0 && f.c.closed);
	finish(&f);
}

/* Whether or not there are leaders besides. */
Test(courier_route, asks_the_one_server_again_when_it_gave_no_session)
{
	const struct courier_server direct = {.name = "it"};
	for (size_t leaders = 0; leaders < 2; leaders++) {
		struct fixture f;
		start(&f, leaders, &direct);
		add(&f, "a");
		run(&f, 100 * MS);
		forget(&f);
		welcome(&f);
		run(&f, 0);
		expect(&f, "hello+");
		route_heard(&f.c, f.now);
		run(&f, 300 * MS);
		route_heard(&f.c, f.now);
		cr_assert(strstr(f.trace.text, "hello+"));
		route_welcome(&f.c, f.now, session(1), signed_by, true);
		run(&f, 1 * MS);
		forget(&f);
		ack(&f, 1, 1, 1);
		run(&f, 0);
		cr_assert(courier_deadline(&f.c) == f.now + 60 * SECOND, "nothing more to ask");
		finish(&f);
	}
}

Test(courier_route, asks_another_leader_only_when_that_one_is_silent)
{
	struct fixture f;
	struct courier_request read = {.id = 5}, status = {.id = 6, .of_leader = true};
	start_served(&f);
	cr_assert(courier_ask(&f.c, &read) == 0);
	for (int i = 0; i < 12; i++) { /* the server does not answer that */
		run(&f, 100 * MS);
		route_heard(&f.c, f.now);
	}
	forget(&f);
	cr_assert(courier_ask(&f.c, &status) == 0);
	run(&f, 0);
	expect(&f, "request@0 6");
	route_heard(&f.c, f.now);
	run(&f, 200 * MS);
	courier_tick(&f.c, f.now);
	courier_tick(&f.c, f.now);
	run(&f, 100 * MS);
	cr_assert(strstr(f.trace.text, "request@1 6"));
	finish(&f);
}

Test(courier_route, uses_no_server_without_need)
{
	struct fixture f;
	start_served(&f);
	for (int i = 0; i < 3; i++)
		route_not_serving(&f.c, f.now);
	forget(&f);
	f.now += 5 * SECOND;
	run(&f, 0);
	expect(&f, "");
	cr_assert(courier_deadline(&f.c) >= f.now + 50 * SECOND);
	finish(&f);
}

Test(courier_route, what_is_asked_no_more_is_not_overdue)
{
	struct fixture f;
	start_served(&f);
	f.c.asks = 1; /* of a session, which a server gave meanwhile */
	f.c.ask_at = f.now;
	courier_tick(&f.c, f.now);
	cr_assert(f.c.leader == 0 && f.c.asks == 0);
	finish(&f);
}
