/* SPDX-License-Identifier: MIT */
/* When a server may serve: each condition alone, where nothing else is in the way. */
#include "core/readiness.h"

#include <criterion/criterion.h>
#include <string.h>

struct fixture {
	struct readiness r;
	struct obstacles o;
};

static void start(struct fixture *f, bool established)
{
	*f = (struct fixture){.r = {.established = established, .met_leader = true, .heard_leader = true}};
}

/* NULL: it waits for nothing. */
static void expect(const struct fixture *f, const char *reason)
{
	const char *why = readiness_waits_for(&f->r, &f->o);
	cr_assert(reason ? why && strncmp(why, reason, strlen(reason)) == 0 : !why, "%s instead of %s",
		  why ? why : "nothing", reason ? reason : "nothing");
}

Test(readiness, each_obstacle_alone_is_in_the_way_of_any_and_the_first_is_told)
{
	struct fixture f;
	for (int established = 0; established < 2; established++) {
		start(&f, established);
		expect(&f, NULL);
		f.o.damaged = true;
		expect(&f, "records that were damaged");
		f.o.shared = true;
		expect(&f, "records that the shared journal held");
		f.o.crowded = true;
		expect(&f, "an end of restarts");
		f.o.peers.ahead = true;
		expect(&f, "records that other members have");
		f.o.unread = true;
		expect(&f, "a first look");
		f.o.early = true;
		f.o.peers.missing = 1;
		expect(&f, "members that have not been heard yet");
		f.r.heard_leader = false;
		expect(&f, "a leader's word");
		f.o.peers.unconfirmed = true;
		expect(&f, "the other members to confirm");
		f.o.snapshot = true;
		expect(&f, "a snapshot");
		f.o.committing = true;
		expect(&f, "its first commit");
	}
}

Test(readiness, a_leaders_word_is_waited_for_a_while)
{
	struct fixture f;
	start(&f, true);
	f.r.heard_leader = false;
	expect(&f, NULL);
	f.o.early = true;
	expect(&f, "a leader's word");
	f.o.alone = true;
	expect(&f, NULL);
	f.o.alone = false;
	readiness_hear_leader(&f.r);
	expect(&f, NULL);
}

Test(readiness, a_new_node_is_told_whether_it_is_the_first)
{
	struct fixture f;
	start(&f, false);
	readiness_meet_leaders(&f.r, false);
	expect(&f, "a majority of the leaders");
	f.o.alone = true;
	expect(&f, NULL);
	f.o.alone = false;
	f.o.peers.vouched = true;
	expect(&f, NULL);
	f.o.peers.vouched = false;
	f.r.established = true;
	expect(&f, NULL);
	f.r.established = false;
	readiness_meet_leaders(&f.r, true);
	expect(&f, NULL);
}

Test(readiness, a_new_node_needs_one_that_serves_and_a_majority)
{
	struct fixture f;
	start(&f, false);
	f.o.peers = (struct survey){.missing = 1, .served = 2, .vouched = true};
	expect(&f, NULL);
	f.o.peers.served = 1;
	expect(&f, "a majority of the members");
	f.o.peers.vouched = false;
	expect(&f, "a member that serves: start");
	f.r.established = true;
	expect(&f, NULL);
	f.r.established = false;
	f.o.peers.missing = 0;
	expect(&f, NULL);
}

Test(readiness, a_copy_needs_one_that_serves)
{
	struct fixture f;
	start(&f, true);
	f.r.doubtful = true;
	expect(&f, "a member that serves, because");
	f.o.peers.missing = 1;
	expect(&f, "a member that serves, because");
	f.o.peers.vouched = true;
	expect(&f, NULL);
	f.o.peers.vouched = false;
	f.r.doubtful = false;
	expect(&f, NULL);
}

Test(readiness, who_begins_anew_takes_a_snapshot_of_one_that_serves)
{
	struct fixture f;
	start(&f, false);
	f.r.anew = true;
	expect(&f, NULL);
	f.o.peers.serving = true;
	expect(&f, "a snapshot");
}

Test(readiness, it_is_established_by_a_commit_and_then_serves)
{
	struct readiness r = {.anew = true, .doubtful = true};
	cr_assert(readiness_serve(&r) && r.establishing && readiness_endures(&r) && !r.established);
	readiness_commit(&r, false);
	cr_assert(!readiness_endures(&r), "somebody is new, who is looked at first");
	readiness_committed(&r);
	cr_assert(!r.established && r.anew);
	cr_assert(readiness_serve(&r));
	readiness_commit(&r, true);
	readiness_committed(&r);
	cr_assert(r.established && !r.establishing && !r.anew && r.phase == PHASE_CATCHING_UP);
	cr_assert(readiness_serve(&r) && r.phase == PHASE_SERVING && !r.doubtful, "it is no copy any more");
	cr_assert(!readiness_serve(&r), "that is durable");
	readiness_commit(&r, true);
	cr_assert(!r.establishing && readiness_endures(&r));
}

Test(readiness, only_who_never_served_begins_anew_when_a_member_is_forgotten)
{
	for (int i = 0; i < 8; i++) {
		bool established = i & 1, anew = i & 2, holds = i & 4;
		struct readiness r = {.established = established, .anew = anew};
		readiness_member_forgotten(&r, holds);
		cr_assert(r.anew == (!established && (anew || holds)), "%d", i);
	}
}

Test(readiness, it_leaves_off_serving_when_it_lacks_counts_or_is_told_to)
{
	struct readiness r = {.established = true};
	readiness_drain(&r);
	cr_assert(!readiness_fall_behind(&r) && r.phase == PHASE_CATCHING_UP, "it did not serve");
	readiness_serve(&r);
	cr_assert(readiness_fall_behind(&r) && r.phase == PHASE_CATCHING_UP && r.established);
	readiness_serve(&r);
	readiness_drain(&r);
	cr_assert(r.phase == PHASE_DRAINING);
	cr_assert(!readiness_fall_behind(&r) && r.phase == PHASE_DRAINING);
}
