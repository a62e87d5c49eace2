/* SPDX-License-Identifier: MIT */
/* The client's rules, told what happens and asked what they do: every test reads a trace, in which
 *   use s1 | use -     connect to that server, or to none
 *   hello, hello+      greet (+: a session is wanted)
 *   batch S:3 xyz      batch 3 of session number S with these events, one letter each
 *   assign 0 + 7       ask leader 0 (+: for a session too), node 7 having been lost
 *   request 5          to the server; request@1 5: to leader 1
 *   ok 1-3             the result of tickets 1..3 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "core/courier.h"
#include "leak.h"

struct fixture {
	struct courier c;
	char trace[16384];
	size_t used;
	int64_t now;
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

static void on_use(void *arg, const struct courier_server *server)
{
	note(arg, "use %s", server ? server->name : "-");
}

static void on_hello(void *arg, bool wants_session)
{
	note(arg, wants_session ? "hello+" : "hello");
}

static void on_ping(void *arg)
{
	note(arg, "ping");
}

static void on_batch(void *arg, struct session session, struct parcel *p)
{
	size_t size = p->content.size - PARCEL_HEADROOM;
	note(arg, "batch %llu:%llu %.*s", (unsigned long long)session.number, (unsigned long long)p->seq,
	     (int)(size < 16 ? size : 16), (const char *)p->content.data + PARCEL_HEADROOM);
}

static void on_close(void *arg, struct session session)
{
	note(arg, "close %llu", (unsigned long long)session.number);
}

static void on_assign(void *arg, size_t leader, bool wants_session, struct node lost)
{
	note(arg, "assign %zu%s", leader, wants_session ? " +" : "");
	if (lost.id)
		note(arg, "lost %llu", (unsigned long long)lost.id);
}

static void on_request(void *arg, const struct courier_request *r, size_t leader)
{
	if (r->of_leader)
		note(arg, "request@%zu %llu", leader, (unsigned long long)r->id);
	else
		note(arg, "request %llu", (unsigned long long)r->id);
}

static void on_result(void *arg, const struct kudos_result *r)
{
	note(arg, "%s %llu-%llu", kudos_error_code(r->error), (unsigned long long)r->first,
	     (unsigned long long)r->last);
}

static void start(struct fixture *f, size_t leaders, const struct courier_server *direct)
{
	const struct courier_ops ops = {f,	   on_use, on_hello,   on_ping,	  on_batch, on_close,
					on_assign, NULL,   on_request, on_result, NULL};
	const struct courier_options options = {
	    .leader_count = leaders, .direct = direct, .linger_us = 1 * MS};
	memset(f, 0, sizeof *f);
	f->now = 100 * SECOND;
	courier_init(&f->c, &options, &ops);
}

static void finish(struct fixture *f)
{
	courier_deinit(&f->c);
	assert_no_leak();
}

/* Ticks, moving the time on by every deadline up to it. */
static void run(struct fixture *f, int64_t duration)
{
	int64_t end = f->now + duration;
	unsigned ticks = 0;
	do {
		courier_tick(&f->c, f->now);
		cr_assert(++ticks < 10000, "the deadlines do not move on");
		int64_t next = courier_deadline(&f->c);
		if (next > end)
			break;
		if (next > f->now)
			f->now = next;
	} while (f->now <= end);
	f->now = end;
}

static void add(struct fixture *f, const char *events)
{
	for (; *events; events++)
		cr_assert(courier_add(&f->c, f->now, events, 1) == 0);
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

static const struct session none = {0, 0};
static const struct proof signed_by = {{1}, 2};

static struct session session(uint64_t number)
{
	return (struct session){77, number};
}

static void assign_list(struct fixture *f, uint64_t number, uint64_t first, uint64_t second, uint64_t third)
{
	struct courier_server list[3] = {{.node = {first}}, {.node = {second}}, {.node = {third}}};
	size_t count = 0;
	while (count < 3 && list[count].node.id) {
		snprintf(list[count].name, sizeof list[count].name, "s%llu",
			 (unsigned long long)list[count].node.id);
		count++;
	}
	courier_assigned(&f->c, f->now, number ? session(number) : none, signed_by, list, count);
}

static void welcome(struct fixture *f)
{
	courier_heard(&f->c, f->now);
	courier_welcome(&f->c, f->now, none, signed_by, true);
}

static void ack(struct fixture *f, uint64_t number, uint64_t lo, uint64_t hi)
{
	courier_heard(&f->c, f->now);
	courier_acked(&f->c, f->now, session(number), lo, hi);
}

static void refuse(struct fixture *f, uint64_t seq, int error)
{
	courier_heard(&f->c, f->now);
	courier_refused(&f->c, f->now, session(1), seq, error);
}

/* A client that has batch 1 ("a") acknowledged by s1, session 1, with s2 and s3 to follow. */
static void start_served(struct fixture *f)
{
	start(f, 2, NULL);
	add(f, "a");
	run(f, 0);
	assign_list(f, 1, 1, 2, 3);
	run(f, 0);
	welcome(f);
	run(f, 1 * MS);
	expect(f, "assign 0 +, use s1, hello, batch 1:1 a");
	ack(f, 1, 1, 1);
	run(f, 0);
	expect(f, "ok 1-1");
}

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
		courier_heard(&f.c, f.now);
	}
	expect(&f, "batch 1:2 bc, batch 1:2 bc, batch 1:2 bc");
	finish(&f);
}

Test(courier, moves_on_silence_and_resends_unchanged)
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

Test(courier, tries_all_servers_then_pauses)
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

Test(courier, does_not_call_a_server_silent_after_its_own_sleep)
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

Test(courier, greets_again_and_resends)
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

Test(courier, asks_leaders_in_turn)
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

Test(courier, asks_the_server_for_a_session_with_all_leaders_away)
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

Test(courier, uses_one_server_directly)
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

Test(courier, moves_when_the_connection_ends)
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

Test(courier, greets_the_only_server_again_when_the_connection_ends)
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

Test(courier, keeps_asking_until_answered)
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

Test(courier, closes_at_the_end)
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
