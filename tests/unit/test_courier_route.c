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
	cr_assert(strcmp(courier_server(&f.c)->name, "s2") == 0);
	finish(&f);
}

Test(courier_route, tries_all_servers_then_pauses)
{
	struct fixture f;
	start_served(&f);
	add(&f, "b");
	run(&f, 1100 * MS);
	expect(&f, "batch 1:2 b, ping, ping, ping, use s2, hello, assign 0, lost 1");
	courier_not_serving(&f.c, f.now);
	run(&f, 0);
	expect(&f, "use s3, hello, assign 1, lost 2");
	courier_not_serving(&f.c, f.now);
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
	courier_heard(&f.c, f.now);
	courier_no_hello(&f.c, f.now);
	courier_no_hello(&f.c, f.now);
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
	courier_no_server(&f.c, f.now);
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
	courier_heard(&f.c, f.now);
	courier_welcome(&f.c, f.now, (struct session){5, 9}, signed_by, true);
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
	courier_heard(&f.c, f.now);
	courier_welcome(&f.c, f.now, session(1), signed_by, true);
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
	courier_disconnected(&f.c, f.now);
	run(&f, 0);
	expect(&f, "use s2, hello, assign 0, lost 1");
	courier_disconnected(&f.c, f.now); /* this one is not there, either */
	run(&f, 0);
	expect(&f, "use s3, hello, assign 1, lost 2");
	courier_disconnected(&f.c, f.now);
	expect(&f, "use -");
	courier_disconnected(&f.c, f.now); /* of none: late news */
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
	courier_heard(&f.c, f.now);
	courier_welcome(&f.c, f.now, session(1), signed_by, true);
	run(&f, 1 * MS);
	expect(&f, "use it, hello+, batch 1:1 a");
	courier_disconnected(&f.c, f.now);
	expect(&f, "hello");
	courier_welcome(&f.c, f.now, (struct session){0}, (struct proof){0}, true);
	run(&f, 1 * MS);
	expect(&f, "batch 1:1 a");
	finish(&f);
}
