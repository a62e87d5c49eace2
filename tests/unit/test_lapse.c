/* SPDX-License-Identifier: MIT */
/* Numbers that were given and never used: when they lapse, what that means for a server, and when all have
 * agreed. */
#include <criterion/criterion.h>

#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/heard.h"
#include "core/lifetime.h"
#include "core/repair.h"
#include "core/replica.h"
#include "kudos.h"
#include "unit/leak.h"
#include "wire/message.h"

#define PEER 20

Test(lapse, what_was_given_long_ago_and_has_holes)
{
	struct lapse l = {0};
	struct intervals closed = {0};
	cr_assert(lapse_due(&l, &closed, 5, 10) == 0, "nothing was heard of it");
	lapse_note(&l, 8);
	lapse_note(&l, 3);
	cr_assert(lapse_due(&l, &closed, 6, 10) == 0);
	lapse_note(&l, 9);
	cr_assert(lapse_due(&l, &closed, 15, 10) == 0, "not long enough ago");
	cr_assert(lapse_due(&l, &closed, 16, 10) == 8, "9 was not heard of then");
	cr_assert(intervals_add(&closed, 1, 9) == 0);
	cr_assert(lapse_due(&l, &closed, 26, 10) == 0, "there are no holes");
	lapse_note(&l, 12);
	cr_assert(intervals_add(&closed, 11, 12) == 0);
	cr_assert(lapse_due(&l, &closed, 36, 10) == 0 && lapse_due(&l, &closed, 46, 10) == 12);
	cr_assert(lapse_apply(&l, 12, (struct position){{1}, 5}));
	cr_assert(!lapse_apply(&l, 12, (struct position){{2}, 7}) && l.at.lsn == 5, "another's comes late");
	for (int64_t now = 50; now < 100; now += 10)
		cr_assert(lapse_due(&l, &closed, now, 10) == 0, "done already");
	intervals_deinit(&closed);
	assert_no_leak();
}

struct fixture {
	struct replica r;
	int64_t now;
	uint64_t serial, acks;
	int refused;	       /* the last refusal */
	struct session lapses; /* the last one that was proposed */
	unsigned proposed;
	unsigned idle; /* sessions that are to be closed for having rested too long */
};

static void carry_out(struct fixture *f, const struct action *a)
{
	if (a->type == ACTION_APPEND && !a->record->raw)
		cr_assert(message_encode_record(a->record) == 0);
	if (a->type == ACTION_COMMIT)
		cr_assert(replica_committed(&f->r, f->now) == 0);
	if (a->type == ACTION_LAPSE) {
		struct batch_box *box = message_make_batch(a->session, SEQ_LAPSE, NULL, 0);
		cr_assert(box && replica_lapse(&f->r, box) == 0);
		batch_box_unref(box);
		f->lapses = a->session;
		f->proposed++;
	}
	f->idle += a->type == ACTION_CLOSE_IDLE;
	f->acks += a->type == ACTION_ACK;
	f->refused = a->type == ACTION_REFUSE ? a->error : f->refused;
}

static void run(struct fixture *f)
{
	struct action a;
	do {
		cr_assert(replica_flush(&f->r) == 0);
		while (replica_next(&f->r, &a)) {
			carry_out(f, &a);
			record_unref(a.record);
		}
	} while (f->r.group.pending_count || f->r.group.incoming_count || f->r.membership.dirty);
}

static void pass(struct fixture *f, int64_t time)
{
	f->now += time;
	cr_assert(replica_tick(&f->r, f->now) == 0);
	run(f);
}

static void start(struct fixture *f)
{
	*f = (struct fixture){.now = 100 * SECOND};
	struct replica_config config = {.self = {.node = {10}, .origin = {1}, .since = 1, .name = "s1"},
					.seed = 1,
					.alone = true,
					.session_idle = 100 * SECOND};
	cr_assert(replica_init(&f->r, &config, f->now, false, NULL, 0) == 0 && replica_loaded(&f->r) == 0);
	run(f);
	cr_assert(f->r.ready.phase == PHASE_SERVING);
}

static void add_peer(struct fixture *f)
{
	struct member row = {.node = {PEER}, .origin = {2}, .since = 1, .name = "s2"};
	cr_assert(replica_members(&f->r, f->now, (struct node){0}, &row, 1) == 0);
	run(f);
}

static struct batch_box *make(struct session session, uint64_t seq)
{
	struct event event = {"likes", 1, 5};
	return message_make_batch(session, seq, &event, seq != 0 && seq != SEQ_LAPSE);
}

/* 0: acknowledged; or why not. */
static int like_in(struct fixture *f, struct session session, uint64_t seq)
{
	struct batch_box *box = make(session, seq);
	uint64_t before = f->acks;
	f->refused = 0;
	cr_assert(replica_batch(&f->r, f->now, 1, box) == 0);
	batch_box_unref(box);
	run(f);
	cr_assert((f->acks > before) == (f->refused == 0));
	return f->refused;
}

static int like(struct fixture *f, uint64_t number, uint64_t seq)
{
	return like_in(f, (struct session){7, number}, seq);
}

static void by_peer(struct fixture *f, uint64_t lsn, uint64_t number, uint64_t seq)
{
	struct batch_box *box = make((struct session){7, number}, seq);
	struct record *record = record_new((struct position){{2}, lsn}, &box, 1);
	cr_assert(record && message_encode_record(record) == 0);
	cr_assert(replica_record(&f->r, f->now, record, false) == 0);
	record_unref(record);
	batch_box_unref(box);
	run(f);
}

/* The peer has applied so much of this server's log and of its own. */
static void peer_says(struct fixture *f, uint64_t own, uint64_t its)
{
	struct position at[] = {{{1}, own}, {{2}, its}};
	struct vector_message m = {.node = {PEER},
				   .origin = {2},
				   .serial = ++f->serial,
				   .digest = f->r.membership.digest,
				   .all = vector_digest_with(&(struct vector){0}, at, 2),
				   .serving = true,
				   .at = at,
				   .count = 2};
	cr_assert(replica_vector(&f->r, f->now, &m) == 0);
	pass(f, SECOND);
}

static size_t holes(struct fixture *f)
{
	const struct issuer *issuer = map_get(&f->r.sessions.issuers, 7, 0);
	return issuer->forgotten.count;
}

Test(lapse, closes_the_holes_that_readers_leave)
{
	struct fixture f;
	start(&f);
	for (uint64_t number = 2; number <= 2000; number += 2)
		cr_assert(like(&f, number, 1) == 0);
	for (int i = 0; i < 60; i++)
		pass(&f, 10 * SECOND); /* used ones are closed as idle, by the driver; here they stay open */
	cr_assert(f.proposed == 1 && f.lapses.issuer == 7 && f.lapses.number == 2000);
	cr_assert(holes(&f) == 1 && f.r.sessions.lapsing == 0);
	cr_assert(like(&f, 1999, 1) == KUDOS_EXPIRED, "given, and not used in time");
	cr_assert(like(&f, 2000, 2) == 0, "what was used goes on");
	cr_assert(like(&f, 2001, 1) == 0);
	cr_assert(counts_get(&f.r.counts, "likes", 5) == 1002);
	replica_deinit(&f.r);
	assert_no_leak();
}

/* What another took before it had applied the lapse still counts; after that nobody takes anything. */
Test(lapse, is_agreed_on_like_a_close)
{
	struct fixture f;
	start(&f);
	add_peer(&f);
	by_peer(&f, 1, 10, SEQ_LAPSE);
	cr_assert(like(&f, 5, 1) == KUDOS_EXPIRED);
	for (int i = 0; i < 3; i++)
		peer_says(&f, 0, 0); /* its newest vector does not show it yet */
	cr_assert(f.r.sessions.lapsing == 1 && holes(&f) == 0);
	by_peer(&f, 2, 6, 1);
	cr_assert(counts_get(&f.r.counts, "likes", 5) == 1);
	for (int i = 0; i < 3; i++)
		peer_says(&f, 0, 2);
	cr_assert(f.r.sessions.lapsing == 0 && holes(&f) == 1);
	cr_assert(like(&f, 5, 1) == KUDOS_EXPIRED && like(&f, 6, 2) == 0);
	by_peer(&f, 3, 6, 1);
	cr_assert(counts_get(&f.r.counts, "likes", 5) == 2);
	replica_deinit(&f.r);
	assert_no_leak();
}

/* Accepted and not logged yet when the lapse is applied: it would come after it in this server's log. */
Test(lapse, takes_along_what_waits_for_the_next_commit)
{
	struct fixture f;
	start(&f);
	add_peer(&f);
	struct batch_box *lapse = make((struct session){7, 10}, SEQ_LAPSE),
			 *box = make((struct session){7, 4}, 1);
	struct record *record = record_new((struct position){{2}, 1}, &lapse, 1);
	struct action a;
	cr_assert(record && message_encode_record(record) == 0);
	cr_assert(replica_record(&f.r, f.now, record, false) == 0 && replica_flush(&f.r) == 0);
	cr_assert(replica_batch(&f.r, f.now, 1, box) == 0, "while the disk is busy with the lapse");
	while (replica_next(&f.r, &a)) {
		carry_out(&f, &a);
		record_unref(a.record);
	}
	run(&f);
	cr_assert(f.refused == KUDOS_EXPIRED && f.acks == 0);
	cr_assert(f.r.sessions.seen.count == 0 && counts_get(&f.r.counts, "likes", 5) == 0);
	record_unref(record);
	batch_box_unref(lapse);
	batch_box_unref(box);
	replica_deinit(&f.r);
	assert_no_leak();
}

/* The issuer's id says how long a session may rest, and so how long an unused number is kept. */
Test(lapse, sessions_that_last_rest_longer)
{
	struct fixture f;
	const struct session day = {lifetime_issuer(7, 2), 2};
	start(&f);
	f.r.config.session_limit = 20;
	cr_assert(like_in(&f, day, 1) == 0 && f.r.sessions.lasting == 1);
	pass(&f, 143 * 100 * SECOND);
	cr_assert(f.idle == 0 && f.proposed == 0);
	pass(&f, 2 * 100 * SECOND);
	cr_assert(f.idle > 0, "144 times the usual");
	cr_assert(f.proposed == 0);
	pass(&f, 144 * 100 * SECOND);
	cr_assert(f.proposed == 0, "twice that, since it was first heard of");
	pass(&f, 144 * 100 * SECOND);
	cr_assert(f.proposed == 1 && f.lapses.issuer == day.issuer && f.lapses.number == 2);
	cr_assert(like_in(&f, (struct session){day.issuer, 3}, 1) == 0);
	cr_assert(like_in(&f, (struct session){day.issuer, 4}, 1) == KUDOS_BUSY, "one in ten may last");
	cr_assert(like(&f, 1, 1) == 0);
	replica_deinit(&f.r);
	assert_no_leak();
}

Test(lapse, classes_of_lifetimes)
{
	static const struct {
		uint64_t seconds;
		unsigned class;
	} wanted[] = {{0, 0},	 {600, 0},   {601, 1},	  {3600, 1},
		      {3601, 2}, {86400, 2}, {604800, 3}, {UINT64_MAX, 3}};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		cr_assert(lifetime_class_for(wanted[i].seconds) == wanted[i].class);
	for (unsigned class = 0; class < LIFETIME_CLASSES; class ++)
		cr_assert(lifetime_class(lifetime_issuer(UINT64_MAX, class)) == class);
	cr_assert(lifetime_issuer(900, 0) == 900 && lifetime_issuer(UINT64_C(7) << LIFETIME_BITS, 0) == 1);
	cr_assert(lifetime_class(UINT64_MAX) == 0, "an issuer from before there were classes");
}

/* Else a new node serves with nothing, as its peer was before it caught up, and takes sessions that have
 * lapsed everywhere. */
Test(lapse, a_new_node_waits_for_what_a_peer_has_when_it_serves)
{
	struct fixture f = {.now = 100 * SECOND};
	struct replica_config config = {.self = {.node = {1}, .origin = {1}, .since = 1}, .seed = 1};
	struct member row = {.node = {2}, .origin = {2}, .since = 1};
	struct position at = {{2}, 1};
	cr_assert(replica_init(&f.r, &config, f.now, false, &row, 1) == 0 && replica_loaded(&f.r) == 0);
	run(&f);
	f.now += 3 * SECOND;
	struct vector_message m = {.node = {2}, .origin = {2}, .serial = 1, .digest = f.r.membership.digest};
	cr_assert(replica_vector(&f.r, f.now, &m) == 0 && f.r.ready.phase == PHASE_CATCHING_UP,
		  "nobody serves");
	m.serial = 2;
	m.serving = true;
	m.all = vector_digest_with(&(struct vector){0}, &at, 1);
	m.at = &at;
	m.count = 1;
	cr_assert(replica_vector(&f.r, f.now, &m) == 0 && f.r.ready.phase == PHASE_CATCHING_UP,
		  "it has more");
	replica_deinit(&f.r);
	assert_no_leak();
}
