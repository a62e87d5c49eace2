/* SPDX-License-Identifier: MIT */
/* A client's rules, told what happens and asked what they do: every test reads a trace, in which
 *   use s1 | use -     connect to that server, or to none
 *   hello, hello+      greet (+: a session is wanted)
 *   batch S:3 xyz      batch 3 of session number S with these events, one letter each
 *   assign 0 + 7       ask leader 0 (+: for a session too), node 7 having been lost
 *   request 5          to the server; request@1 5: to leader 1
 *   relay S:3          batch 3 of a session S that the caller keeps; relayed S:3 ok: what became of it
 *   ok 1-3             the result of tickets 1..3 */
#ifndef UNIT_COURIER_WORLD_H
#define UNIT_COURIER_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "core/courier_route.h"
#include "leak.h"
#include "trace.h"

struct fixture {
	struct courier c;
	struct trace trace;
	int64_t now;
};

static inline void on_use(void *arg, const struct courier_server *server)
{
	note(arg, "use %s", server ? server->name : "-");
}

static inline void on_hello(void *arg, bool wants_session)
{
	note(arg, wants_session ? "hello+" : "hello");
}

static inline void on_ping(void *arg)
{
	note(arg, "ping");
}

static inline void on_batch(void *arg, struct session session, struct parcel *p)
{
	size_t size = p->content.size - PARCEL_HEADROOM;
	note(arg, "batch %llu:%llu %.*s", (unsigned long long)session.number, (unsigned long long)p->seq,
	     (int)(size < 16 ? size : 16), (const char *)p->content.data + PARCEL_HEADROOM);
}

static inline void on_close(void *arg, struct session session)
{
	note(arg, "close %llu", (unsigned long long)session.number);
}

static inline void on_assign(void *arg, size_t leader, bool wants_session, struct node lost)
{
	note(arg, "assign %zu%s", leader, wants_session ? " +" : "");
	if (lost.id)
		note(arg, "lost %llu", (unsigned long long)lost.id);
}

static inline void on_request(void *arg, const struct courier_request *r, size_t leader)
{
	if (r->of_leader)
		note(arg, "request@%zu %llu", leader, (unsigned long long)r->id);
	else
		note(arg, "request %llu", (unsigned long long)r->id);
}

static inline void on_result(void *arg, const struct kudos_result *r)
{
	note(arg, "%s %llu-%llu", kudos_error_code(r->error), (unsigned long long)r->first,
	     (unsigned long long)r->last);
}

static inline void on_relay(void *arg, const struct relayed *item)
{
	note(arg, "relay %llu:%llu", (unsigned long long)item->session.number, (unsigned long long)item->seq);
}

static inline void on_relayed(void *arg, struct relayed *item, int error)
{
	note(arg, "relayed %llu:%llu %s", (unsigned long long)item->session.number,
	     (unsigned long long)item->seq, kudos_error_code(error));
}

static inline void start(struct fixture *f, size_t leaders, const struct courier_server *direct)
{
	const struct courier_ops ops = {f,	   on_use,   on_hello,	 on_ping,   on_batch,  on_close,
					on_assign, on_relay, on_request, on_result, on_relayed};
	const struct courier_options options = {
	    .leader_count = leaders, .direct = direct, .linger_us = 1 * MS};
	memset(f, 0, sizeof *f);
	f->now = 100 * SECOND;
	courier_init(&f->c, &options, &ops);
}

static inline void finish(struct fixture *f)
{
	courier_deinit(&f->c);
	assert_no_leak();
}

/* Ticks, moving the time on by every deadline up to it. */
static inline void run(struct fixture *f, int64_t duration)
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

static inline void add(struct fixture *f, const char *events)
{
	for (; *events; events++)
		cr_assert(courier_add(&f->c, f->now, events, 1) == 0);
}

#define expect(f, text) trace_expect(&(f)->trace, __LINE__, text)

static const struct session none = {0, 0};
static const struct proof signed_by = {{1}, 2};

static inline struct session session(uint64_t number)
{
	return (struct session){77, number};
}

static inline void assign_list(struct fixture *f, uint64_t number, uint64_t first, uint64_t second,
			       uint64_t third)
{
	struct courier_server list[3] = {{.node = {first}}, {.node = {second}}, {.node = {third}}};
	size_t count = 0;
	while (count < 3 && list[count].node.id) {
		snprintf(list[count].name, sizeof list[count].name, "s%llu",
			 (unsigned long long)list[count].node.id);
		count++;
	}
	route_assigned(&f->c, f->now, number ? session(number) : none, signed_by, list, count);
}

static inline void welcome(struct fixture *f)
{
	route_heard(&f->c, f->now);
	route_welcome(&f->c, f->now, none, signed_by, true);
}

static inline void ack(struct fixture *f, uint64_t number, uint64_t lo, uint64_t hi)
{
	route_heard(&f->c, f->now);
	courier_acked(&f->c, f->now, session(number), lo, hi);
}

static inline void refuse(struct fixture *f, uint64_t seq, int error)
{
	route_heard(&f->c, f->now);
	courier_refused(&f->c, f->now, session(1), seq, error);
}

/* A client that has batch 1 ("a") acknowledged by s1, session 1, with s2 and s3 to follow. */
static inline void start_served(struct fixture *f)
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

#endif
