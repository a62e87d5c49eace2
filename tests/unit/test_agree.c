/* SPDX-License-Identifier: MIT */
/* What is in the way of serving, what a server closes by itself and what it makes of its members' word: each
 * alone, from a state in which nothing else is in the way. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/repair.h"
#include "core/replica.h"
#include "kudos.h"
#include "unit/leak.h"

#define SELF 10 /* node; its origin is 1 */
#define GRACE (2 * SECOND)

struct world {
	struct replica r;
	int64_t now;
	unsigned done[ACTION_MEMBERS + 1]; /* how often each action was to be carried out */
};

static struct member row(uint64_t node, uint64_t origin)
{
	struct member m = {.node = {node}, .origin = {origin}, .since = 1};
	snprintf(m.client_endpoint, sizeof m.client_endpoint, "tcp://a:%llu", (unsigned long long)node);
	return m;
}

static void carry_out(struct world *w)
{
	struct action a;
	bool more = true;
	memset(w->done, 0, sizeof w->done);
	while (more) {
		more = false;
		cr_assert(replica_flush(&w->r) == 0);
		while (replica_next(&w->r, &a)) {
			w->done[a.type]++;
			record_unref(a.record);
			if (a.type == ACTION_COMMIT)
				cr_assert(replica_committed(&w->r, w->now) == 0);
			more = true;
		}
	}
}

/* Beside so many members, of which all are in reach, have confirmed and serve; two seconds are over. */
static void start(struct world *w, size_t peers, bool established)
{
	struct member rows[4];
	*w = (struct world){.now = 100 * SECOND};
	struct replica_config config = {.self = row(SELF, 1), .seed = 1, .grace = GRACE};
	for (size_t i = 0; i < peers; i++)
		rows[i] = row(20 + i, 2 + i);
	cr_assert(replica_init(&w->r, &config, w->now, established, rows, peers) == 0);
	carry_out(w);
	cr_assert(w->r.ready.phase == PHASE_CATCHING_UP && w->r.peers.count == peers);
	w->now += GRACE;
	w->r.ready.heard_leader = w->r.ready.met_leader = true;
	for (size_t i = 0; i < peers; i++) {
		struct peer *p = &w->r.peers.list[i];
		p->heard = w->now;
		p->confirmed = p->vouched = p->serving = true;
	}
	cr_assert(!replica_waits_for(&w->r, w->now));
}

static void stop(struct world *w)
{
	replica_deinit(&w->r);
	assert_no_leak();
}

/* NULL: it waits for nothing. */
static void expect(const struct world *w, const char *reason)
{
	const char *why = replica_waits_for(&w->r, w->now);
	cr_assert(reason ? why && strncmp(why, reason, strlen(reason)) == 0 : !why, "%s instead of %s",
		  why ? why : "nothing", reason ? reason : "nothing");
}

static void lose(struct world *w, size_t peer)
{
	w->r.peers.list[peer].heard = 0;
	w->r.peers.list[peer].confirmed = w->r.peers.list[peer].vouched = false;
}

Test(agree, serves_once_its_own_start_is_over)
{
	struct world w;
	start(&w, 1, true);
	w.r.membership.durable = false;
	expect(&w, "its first commit");
	w.r.membership.durable = w.r.group.committing = true;
	expect(&w, "its first commit");
	w.r.group.committing = false;
	w.r.snapshot.wanted = true;
	expect(&w, "a snapshot");
	w.r.snapshot.wanted = false;
	w.r.snapshot.from.id = 1;
	expect(&w, "a snapshot");
	w.r.snapshot.from.id = 0;
	cr_assert(vector_set(&w.r.peers.list[0].target, (struct origin){9}, 1) == 0);
	expect(&w, "records that other members have");
	cr_assert(vector_set(&w.r.v, (struct origin){9}, 1) == 0);
	expect(&w, NULL);
	w.r.config.runs = 1;
	expect(&w, "an end of restarts");
	w.r.config.runs = 2;
	struct log *log = replica_log(&w.r, (struct origin){9});
	log->damaged = 2;
	expect(&w, "records that were damaged");
	log->damaged = 1;
	expect(&w, NULL);
	stop(&w);
}

Test(agree, serves_once_it_has_what_each_had)
{
	struct world w;
	start(&w, 2, true);
	cr_assert(vector_set(&w.r.peers.list[0].target, (struct origin){9}, 1) == 0);
	expect(&w, "records that other members have");
	stop(&w);
}

/* Another member that it hears of before that is durable. */
Test(agree, looks_at_who_is_new_before_it_serves)
{
	struct world w;
	struct member news = row(30, 30);
	start(&w, 1, false);
	w.r.config.alone = true;
	cr_assert(replica_judge_phase(&w.r, w.now) == 0 && w.r.ready.establishing);
	cr_assert(replica_members(&w.r, w.now, (struct node){0}, &news, 1) == 0);
	carry_out(&w);
	cr_assert(!w.r.ready.establishing && !w.r.ready.established && w.r.ready.phase == PHASE_CATCHING_UP);
	stop(&w);
}

static void forget_first_peer(struct world *w)
{
	struct member gone = row(20, 2);
	gone.forgotten = true;
	cr_assert(replica_members(&w->r, w->now, (struct node){0}, &gone, 1) == 0);
	carry_out(w);
}

/* What it has may be of the forgotten node alone: it takes a snapshot of one that serves. */
Test(agree, who_never_served_begins_anew_when_a_member_is_forgotten)
{
	for (int i = 0; i < 8; i++) {
		struct world w;
		bool has = i & 1, established = i & 2, another_serves = i & 4, anew = has && !established;
		start(&w, 2, established);
		if (has)
			cr_assert(vector_set(&w.r.v, (struct origin){2}, 7) == 0);
		forget_first_peer(&w);
		cr_assert(w.r.ready.anew == anew && w.r.peers.count == 1);
		w.r.peers.list[0].heard = w.now;
		w.r.peers.list[0].confirmed = w.r.peers.list[0].vouched = w.r.peers.list[0].serving =
		    another_serves;
		cr_assert(replica_repair(&w.r, w.now) == 0);
		carry_out(&w);
		cr_assert(w.done[ACTION_SNAPSHOT] == (anew && another_serves));
		w.r.snapshot.from.id = 0;
		expect(&w, !another_serves ? "the other members to confirm" : anew ? "a snapshot" : NULL);
		stop(&w);
	}
}

Test(agree, begins_anew_until_it_has_served_and_for_nothing_else)
{
	struct world w;
	struct member news = row(30, 30), gone = row(20, 2);
	start(&w, 2, false);
	cr_assert(vector_set(&w.r.v, (struct origin){2}, 7) == 0);
	cr_assert(replica_members(&w.r, w.now, (struct node){0}, &news, 1) == 0);
	carry_out(&w);
	cr_assert(!w.r.ready.anew && w.r.peers.count == 3, "nobody was forgotten");
	w.r.membership.dirty = true;
	carry_out(&w);
	cr_assert(!w.r.ready.established, "it does not serve");
	w.r.ready.anew = w.r.ready.establishing = w.r.membership.dirty = true;
	carry_out(&w);
	cr_assert(w.r.ready.established && !w.r.ready.anew);
	stop(&w);

	start(&w, 2, false);
	w.r.ready.anew = true;
	w.r.peers.list[1].serving = false;
	expect(&w, "a snapshot");
	w.r.peers.list[0].serving = false;
	expect(&w, NULL);
	stop(&w);

	start(&w, 2, false);
	w.r.ready.anew = true; /* the stream does not begin at the beginning */
	forget_first_peer(&w);
	cr_assert(w.r.ready.anew && w.r.peers.count == 1);
	stop(&w);

	start(&w, 2, false);
	gone.forgotten = true;
	w.r.group.incoming_count = 1; /* of whom, nobody knows */
	cr_assert(members_merge(&w.r.membership.staged, &gone, 1) > 0);
	cr_assert(replica_membership_committed(&w.r, w.now) == 0 && w.r.ready.anew);
	w.r.group.incoming_count = 0;
	stop(&w);
}

/* Else others could agree without what it is about to have. */
Test(agree, the_membership_stays_while_a_snapshot_becomes_durable)
{
	struct world w;
	start(&w, 2, true);
	w.r.snapshot.from.id = 21;
	w.r.snapshot.adopting = true;
	forget_first_peer(&w);
	cr_assert(w.done[ACTION_APPEND_META] == 0 && w.r.peers.count == 2);
	cr_assert(replica_snapshot_ended(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_APPEND_META] == 1 && w.r.peers.count == 1);
	stop(&w);
}

Test(agree, serves_once_the_members_in_reach_confirm)
{
	struct world w;
	start(&w, 2, true);
	w.r.peers.list[1].confirmed = false;
	expect(&w, "the other members to confirm");
	lose(&w, 1);
	expect(&w, NULL);
	w.now--;
	expect(&w, "members that have not been heard yet");
	stop(&w);
}

/* Seed 40519957: two that joined at the same time let each other serve. Of those before them one knew of them
 * and was lost, the other did not, and was then alone. */
Test(agree, those_that_join_as_well_are_no_majority)
{
	struct world w;
	start(&w, 3, false);
	lose(&w, 1);
	w.r.peers.list[2].vouched = w.r.peers.list[2].serving = false;
	w.r.peers.list[2].all = 0;
	expect(&w, "a majority of the members");
	w.r.peers.list[2].all = 1;
	expect(&w, NULL);
	w.r.peers.list[2].all = 0;
	w.r.peers.list[2].serving = true;
	expect(&w, NULL);
	stop(&w);
	start(&w, 2, false); /* the first ones of a cluster */
	for (size_t i = 0; i < 2; i++)
		w.r.peers.list[i].vouched = w.r.peers.list[i].serving = false;
	expect(&w, NULL);
	stop(&w);
}

Test(agree, notes_that_it_served)
{
	struct world w;
	for (int i = 0; i < 4; i++) {
		start(&w, 1, i & 1);
		w.r.ready.doubtful = i & 2;
		w.r.config.alone = true;
		cr_assert(replica_judge_phase(&w.r, w.now) == 0);
		cr_assert(w.r.membership.dirty == (i != 1), "what changed is to be durable");
		cr_assert(w.r.ready.phase == (i & 1 ? PHASE_SERVING : PHASE_CATCHING_UP),
			  "and who is new waits for that");
		carry_out(&w);
		cr_assert(w.r.ready.phase == PHASE_SERVING && w.r.ready.established && !w.r.ready.doubtful);
		readiness_drain(&w.r.ready);
		cr_assert(replica_judge_phase(&w.r, w.now) == 0 && w.r.ready.phase == PHASE_DRAINING);
		stop(&w);
	}
	start(&w, 0, true);
	readiness_drain(&w.r.ready);
	cr_assert(w.r.ready.phase == PHASE_CATCHING_UP, "nothing to drain");
	w.r.group.committing = true;
	cr_assert(replica_judge_phase(&w.r, w.now) == 0 && w.r.ready.phase == PHASE_CATCHING_UP);
	w.r.group.committing = false;
	stop(&w);
}

/* ---- membership ---- */

static void hear(struct world *w, uint64_t from, struct member m)
{
	cr_assert(replica_members(&w->r, w->now, (struct node){from}, &m, 1) == 0);
}

Test(agree, only_a_leaders_word_is_a_leaders)
{
	struct world w;
	start(&w, 1, true);
	w.r.ready.heard_leader = false;
	hear(&w, 20, row(20, 2));
	cr_assert(!w.r.ready.heard_leader && !w.r.membership.dirty, "nothing new");
	hear(&w, 0, row(20, 2));
	cr_assert(w.r.ready.heard_leader);
	hear(&w, 20, row(20, 2));
	cr_assert(w.r.ready.heard_leader, "it was told once");
	stop(&w);
}

Test(agree, who_does_not_know_of_this_run_is_told)
{
	struct world w;
	start(&w, 1, true);
	hear(&w, 20, row(SELF, 1));
	carry_out(&w);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 0);
	hear(&w, 20, row(SELF, 99));
	carry_out(&w);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 1);
	w.now += 200 * MS - 1;
	hear(&w, 20, row(SELF, 99));
	carry_out(&w);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 0, "or two that cannot commit would answer on and on");
	w.now++;
	hear(&w, 20, row(SELF, 99));
	carry_out(&w);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 1);
	w.now += 200 * MS;
	hear(&w, 20, row(20, 99));
	carry_out(&w);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 0, "of another");
	hear(&w, 0, row(SELF, 98));
	carry_out(&w);
	cr_assert(w.done[ACTION_TELL_MEMBERS] == 0, "a leader is answered otherwise");
	stop(&w);
}

Test(agree, what_changes_is_committed_and_told_once)
{
	struct world w;
	struct member newer = row(20, 5);
	start(&w, 1, true);
	uint64_t digest = w.r.membership.digest;
	newer.since = 2;
	hear(&w, 0, newer);
	cr_assert(w.r.membership.digest == digest, "it is not durable yet");
	w.r.peers.list[0].has_sample = w.r.peers.list[0].has_covered = true;
	carry_out(&w);
	cr_assert(w.r.membership.digest != digest && w.done[ACTION_APPEND_META] == 1 &&
		  w.done[ACTION_MEMBERS] >= 1);
	cr_assert(!w.r.peers.list[0].has_sample && !w.r.peers.list[0].has_covered &&
		  !w.r.peers.list[0].confirmed);
	hear(&w, 0, newer);
	cr_assert(!w.r.membership.dirty);
	cr_assert(replica_forget(&w.r, (struct node){20}) == 0 && w.r.membership.dirty);
	carry_out(&w);
	cr_assert(w.r.peers.count == 0 && !replica_is_forgotten(&w.r));
	cr_assert(replica_forget(&w.r, (struct node){20}) == 0 && !w.r.membership.dirty, "already");
	hear(&w, 0, newer);
	cr_assert(!w.r.membership.dirty, "a forgotten node's row stays");
	cr_assert(replica_forget(&w.r, (struct node){SELF}) == 0);
	carry_out(&w);
	cr_assert(replica_is_forgotten(&w.r));
	stop(&w);
}

static bool forgets(bool ephemeral, const char *endpoint)
{
	struct world w;
	struct member m = row(30, 7);
	start(&w, 0, true);
	m.ephemeral = ephemeral;
	snprintf(m.client_endpoint, sizeof m.client_endpoint, "%s", endpoint);
	hear(&w, 0, m);
	carry_out(&w);
	bool forgotten = members_find(&w.r.membership.current, m.node)->forgotten;
	cr_assert(!members_find(&w.r.membership.current, w.r.config.self.node)->forgotten);
	stop(&w);
	return forgotten;
}

Test(agree, a_memory_only_node_is_gone_when_another_has_its_place)
{
	cr_assert(forgets(true, "tcp://a:10"));
	cr_assert(!forgets(false, "tcp://a:10") && !forgets(true, "tcp://a:11"));
}

/* ---- time ---- */

Test(agree, tells_its_vector_when_it_is_time)
{
	struct world w;
	start(&w, 0, true);
	w.r.next_vector = w.now;
	cr_assert(replica_tell_vector(&w.r, w.now - 1) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_PUBLISH_VECTOR] == 0);
	cr_assert(replica_tell_vector(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_PUBLISH_VECTOR] == 1 && w.r.next_vector == w.now + 200 * MS);
	w.r.membership.durable = false;
	cr_assert(replica_tell_vector(&w.r, w.now + SECOND) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_PUBLISH_VECTOR] == 0, "I4");
	w.r.next_tick = 5;
	w.r.next_vector = 4;
	cr_assert(replica_deadline(&w.r) == 5);
	w.r.membership.durable = true;
	cr_assert(replica_deadline(&w.r) == 4);
	w.r.next_vector = 6;
	cr_assert(replica_deadline(&w.r) == 5);
	stop(&w);
}

static bool closes(struct world *w, int64_t now)
{
	w->r.next_tick = w->r.next_idle = now;
	w->r.ready.phase = PHASE_SERVING;
	cr_assert(replica_tick(&w->r, now) == 0);
	unsigned closed = 0;
	struct action a;
	while (replica_next(&w->r, &a))
		closed += a.type == ACTION_CLOSE_IDLE;
	return closed > 0;
}

Test(agree, closes_what_is_idle)
{
	struct world w;
	start(&w, 0, true);
	w.r.config.session_idle = 10 * SECOND;
	struct seen *seen = sessions_get(&w.r.sessions, (struct session){7, 1}, w.now);
	int64_t due = w.now + 10 * SECOND;
	seen->accepted_here = true;
	cr_assert(!closes(&w, due - 1) && closes(&w, due));
	seen->accepted_here = false;
	cr_assert(!closes(&w, due + 60 * SECOND - 1) && closes(&w, due + 60 * SECOND));
	cr_assert(intervals_add(&seen->pending, 1, 1) == 0);
	cr_assert(!closes(&w, due + 100 * SECOND), "something of it is on its way");
	cr_assert(intervals_remove(&seen->pending, 1) == 0 && closes(&w, due + 100 * SECOND));
	seen->closed.lsn = 1;
	cr_assert(!closes(&w, due + 100 * SECOND));
	seen->closed.lsn = 0;
	w.r.next_tick = w.r.next_idle = due + 200 * SECOND;
	cr_assert(replica_tick(&w.r, w.r.next_tick - 1) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_CLOSE_IDLE] == 0, "not due");
	w.r.next_idle++;
	cr_assert(replica_tick(&w.r, w.r.next_tick) == 0);
	carry_out(&w);
	cr_assert(w.done[ACTION_CLOSE_IDLE] == 0, "ticks, but looks for idle ones now and then alone");
	w.r.ready.phase = PHASE_CATCHING_UP;
	w.r.group.committing = true; /* stays so */
	cr_assert(replica_tick(&w.r, w.r.next_idle + 100 * SECOND) == 0);
	struct action a;
	while (replica_next(&w.r, &a))
		cr_assert(a.type != ACTION_CLOSE_IDLE, "who does not serve logs nothing");
	w.r.group.committing = false;
	stop(&w);
}
