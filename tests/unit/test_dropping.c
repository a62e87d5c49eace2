/* SPDX-License-Identifier: MIT */
/* What all members have agreed may be dropped, and what stands in its way; each condition alone. */
#include "replica_world.h"

static const struct session one = {7, 1};

/* A session that was closed by a record of this server, in which nothing is on its way. */
static struct seen *closed(struct fixture *f)
{
	cr_assert(replica_load_seen(&f->r, one, NULL, 0, (struct position){{1}, 1}, f->now) == 0);
	return sessions_find(&f->r.sessions, one);
}

static bool agreed(struct fixture *f)
{
	cr_assert(replica_agree(&f->r, f->now) == 0);
	return !sessions_find(&f->r.sessions, one);
}

Test(dropping, a_closed_session_when_nothing_is_in_the_way)
{
	struct fixture f;
	start_serving(&f);
	struct seen *seen = closed(&f);
	cr_assert(intervals_add(&seen->pending, 5, 5) == 0 && !agreed(&f), "a batch is on its way to disk");
	cr_assert(intervals_remove(&seen->pending, 5) == 0);
	f.r.ready.phase = PHASE_CATCHING_UP;
	cr_assert(!agreed(&f));
	f.r.ready.phase = PHASE_DRAINING;
	f.r.membership.durable = false;
	cr_assert(!agreed(&f));
	f.r.membership.durable = true;
	cr_assert(agreed(&f) && f.r.sessions.closing_count == 0 && sessions_forgotten(&f.r.sessions, one));
	stop(&f);
}

Test(dropping, the_only_lapse_from_the_first_number_on)
{
	struct fixture f;
	start_serving(&f);
	cr_assert(sessions_lapse(&f.r.sessions, (struct session){7, 3}, (struct position){{1}, 1}) == 0);
	cr_assert(f.r.sessions.lapsing == 1 && replica_agree(&f.r, f.now) == 0);
	cr_assert(f.r.sessions.lapsing == 0 && sessions_forgotten(&f.r.sessions, one));
	cr_assert(!sessions_forgotten(&f.r.sessions, (struct session){7, 4}));
	stop(&f);
}

/* I14: a sample is taken from who serves under this membership and tells all, and counts once it is reached.
 */
Test(dropping, what_a_peer_said_counts_once_it_is_reached_here)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	closed(&f);
	struct peer *p = &f.r.peers.list[0];
	cr_assert(vector_set(&f.r.v, (struct origin){1}, 1) == 0);
	cr_assert(vector_set(&p->sample, (struct origin){1}, 1) == 0);
	cr_assert(vector_set(&p->sample, (struct origin){9}, 5) == 0);
	p->has_sample = true;
	p->has_covered = false;
	vector_clear(&p->covered);
	cr_assert(!agreed(&f) && !p->has_covered && p->has_sample, "record 5 of 9 is not applied here");
	cr_assert(vector_set(&f.r.v, (struct origin){9}, 5) == 0);
	p->exact = true;
	cr_assert(agreed(&f) && p->has_covered && p->has_sample, "the next one is taken");
	for (int i = 0; i < 4; i++) {
		vector_clear(&p->sample);
		p->has_sample = true;
		p->exact = i != 0;
		p->serving = i != 1;
		p->digest = f.r.membership.digest + (i == 2);
		cr_assert(replica_agree(&f.r, f.now) == 0 && p->has_sample == (i == 3), "%d", i);
	}
	stop(&f);
}

Test(dropping, records_that_all_have_who_serve_under_one_membership)
{
	struct fixture f;
	struct vector floor = {0};
	start_serving(&f);
	add_peer(&f);
	struct peer *p = &f.r.peers.list[0];
	cr_assert(vector_set(&f.r.v, (struct origin){2}, 7) == 0);
	cr_assert(vector_set(&p->vector, (struct origin){2}, 5) == 0);
	for (int i = 0; i < 4; i++) {
		p->serving = i != 0;
		p->digest = f.r.membership.digest + (i == 1);
		f.r.membership.durable = i != 2;
		cr_assert(replica_floor(&f.r, &f.r.v, &floor) == 0);
		cr_assert(vector_get(&floor, (struct origin){2}) == (i == 3 ? 5 : 0), "%d", i);
	}
	vector_deinit(&floor);
	stop(&f);
}

/* ---- where nobody gives a snapshot ---- */

Test(dropping, many_origins_are_learnt_again_when_there_is_room)
{
	struct fixture f;
	start_serving(&f);
	f.r.snapshot.wanted = true;
	cr_assert(replica_repair(&f.r, f.now) == 0, "and there is nobody to ask");
	f.r.snapshot.from.id = PEER;
	cr_assert(replica_agree(&f.r, f.now) == 0 && f.r.snapshot.wanted, "a snapshot is on its way");
	f.r.snapshot.from.id = 0;
	f.r.config.gaps = 1; /* and its own run, which is not there yet */
	replica_log(&f.r, (struct origin){30})->damaged = 5;
	struct log *log = replica_log(&f.r, (struct origin){31});
	log->damaged = 5;
	cr_assert(replica_logs_full(&f.r) && replica_agree(&f.r, f.now) == 0 && f.r.snapshot.wanted,
		  "no room");
	log->damaged = 0;
	cr_assert(replica_agree(&f.r, f.now) == 0 && !f.r.snapshot.wanted);
	stop(&f);
}

/* ---- membership ---- */

static struct member row(uint64_t node, uint64_t origin, int64_t since)
{
	return (struct member){.node = {node}, .origin = {origin}, .since = since, .name = "x"};
}

static void hear(struct fixture *f, struct member m)
{
	cr_assert(replica_members(&f->r, f->now, (struct node){0}, &m, 1) == 0);
}

static uint64_t run_of_peer(const struct fixture *f)
{
	return members_find(&f->r.membership.current, (struct node){PEER})->origin.id;
}

/* A member's other run is listened to at once, and nothing else: not with what is not durable yet. */
Test(dropping, no_node_is_a_member_before_that_is_durable)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	hear(&f, row(PEER, 3, 5));
	cr_assert(run_of_peer(&f) == 3);
	expect(&f, "members, meta, commit, members, vector");
	hear(&f, row(40, 9, 1));
	cr_assert(f.r.membership.dirty);
	hear(&f, row(PEER, 4, 6));
	cr_assert(run_of_peer(&f) == 3 && !members_find(&f.r.membership.current, (struct node){40}));
	f.disk_stopped = true;
	run(&f);
	hear(&f, row(PEER, 5, 7));
	cr_assert(run_of_peer(&f) == 3 && !members_find(&f.r.membership.current, (struct node){40}));
	f.r.membership.dirty = false;
	hear(&f, row(PEER, 6, 8));
	cr_assert(run_of_peer(&f) == 3 && !members_find(&f.r.membership.current, (struct node){40}));
	forget(&f);
	finish_commit(&f);
	cr_assert(run_of_peer(&f) == 6 && members_find(&f.r.membership.current, (struct node){40}));
	stop(&f);
}

Test(dropping, what_is_configured_is_kept_and_0_is_the_default)
{
	struct replica r;
	for (int set = 0; set < 2; set++) {
		struct replica_config config = {.self = row(SELF, 1, 10), .session_idle = set, .grace = set};
		cr_assert(replica_init(&r, &config, 1, true, NULL, 0) == 0);
		cr_assert(r.config.session_idle == (set ? 1 : 600 * SECOND) &&
			  r.config.grace == (set ? 1 : 2 * SECOND));
		replica_deinit(&r);
	}
	assert_no_leak();
}
