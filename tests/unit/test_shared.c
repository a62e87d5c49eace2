/* SPDX-License-Identifier: MIT */
#include "core/shared.h"

#include <criterion/criterion.h>

#include "shared_world.h"

/* As if its records up to lsn had been applied. */
static void log_done(struct fixture *f, uint64_t origin, uint64_t lsn)
{
	struct log *log = logs_find(&f->r.logs, (struct origin){origin});
	log->appended = lsn;
	cr_assert(vector_set(&f->r.v, log->origin, lsn) == 0);
}

static bool forgotten(const struct fixture *f)
{
	return members_find(&f->r.membership.staged, OTHER)->forgotten;
}

Test(shared, what_it_held_is_applied_before_it_is_served)
{
	struct fixture f;
	start_shared(&f);
	tick(&f, 60 * MS);
	forget_trace(&f);
	cr_assert(f.r.ready.phase == PHASE_CATCHING_UP, "it has not looked");
	hold(&f, 2);
	look(&f);
	tick(&f, 60 * MS);
	forget_trace(&f);
	cr_assert(f.r.ready.phase == PHASE_CATCHING_UP, "it has not read");
	cr_assert(
	    node_equal(((struct log *)logs_find(&f.r.logs, (struct origin){2}))->asked, (struct node){SELF}));
	peer_record(&f, 1, 1, 1, 5, false);
	peer_record(&f, 2, 1, 2, 6, false);
	expect(&f, "shared 2:1, shared 2:2, commit, meta, commit, vector, vector");
	tick(&f, 60 * MS);
	forget_trace(&f);
	cr_assert(f.r.ready.phase == PHASE_SERVING && likes(&f) == 11);
	stop(&f);
}

/* What it has let go of others may bring that come later. */
Test(shared, is_asked_for_what_is_gone_ever_less_often)
{
	for (uint32_t gone = 0; gone < 60; gone++) {
		const int64_t wait = 20 * MS * (gone + 1 < 50 ? gone + 1 : 50);
		struct fixture f;
		start_shared(&f);
		hold(&f, 6);
		tick(&f, 60 * MS);
		tick(&f, 60 * MS);
		struct log *log = logs_find(&f.r.logs, (struct origin){2});
		cr_assert(log->asked.id == SELF && log->asked_until > f.now);
		log->gone = gone;
		cr_assert(replica_gone(&f.r, f.now, (struct node){SELF}, at(1)) == 0);
		cr_assert(log->gap_since == f.now + wait, "%u", (unsigned)gone);
		stop(&f);
	}
}

Test(shared, what_is_written_elsewhere_is_kept_here)
{
	struct fixture f;
	serve_beside_peer(&f);
	peer_record(&f, 1, 1, 1, 5, true);
	expect(&f, "append 2:1, commit");
	hold(&f, 1);
	peer_record(&f, 2, 1, 2, 5, true);
	expect(&f, "shared 2:2, commit");
	stop(&f);
}

Test(shared, a_node_is_forgotten_when_what_it_left_is_read_and_in_a_checkpoint)
{
	struct fixture f;
	serve_beside_peer(&f);
	cr_assert(replica_forget(&f.r, OTHER) == 0 && !forgotten(&f));
	look(&f);
	hold(&f, 1); /* by the look that began after it was told */
	look(&f);
	replica_checkpointed(&f.r, 100);
	cr_assert(!forgotten(&f), "it is not read");
	peer_record(&f, 1, 1, 1, 5, false);
	forget_trace(&f);
	look(&f);
	replica_checkpointed(&f.r, f.r.stats.records - 1);
	cr_assert(!forgotten(&f), "no checkpoint has it");
	replica_checkpointed(&f.r, f.r.stats.records);
	cr_assert(forgotten(&f) && f.r.looks.leaving_count == 0);
	forget_trace(&f);
	cr_assert(f.r.peers.count == 0 && likes(&f) == 5);
	stop(&f);
}

/* Seed 50033007: a node that was believed lost came back while this member was about to take in that it is
 * forgotten, was let serve by it, and what it acknowledged went with it. */
Test(shared, who_leaves_is_confirmed_no_more)
{
	struct fixture f;
	serve_beside_peer(&f);
	uint64_t with = f.r.membership.digest;
	cr_assert(with == members_digest(&f.r.membership.current));
	f.r.peers.list[0].has_sample = true;
	cr_assert(replica_forget(&f.r, OTHER) == 0 && !forgotten(&f));
	cr_assert(f.r.membership.digest != with &&
		  replica_vector_message(&f.r).digest == f.r.membership.digest);
	cr_assert(!f.r.peers.list[0].has_sample && !f.r.peers.list[0].confirmed);
	look(&f);
	look(&f);
	cr_assert(f.r.membership.digest != with);
	replica_checkpointed(&f.r, f.r.stats.records);
	forget_trace(&f);
	cr_assert(forgotten(&f) && f.r.membership.digest != with &&
		  f.r.membership.digest == members_digest(&f.r.membership.current));
	stop(&f);
}

Test(shared, who_leaves_is_told_by_the_first_commit)
{
	struct fixture f;
	const struct member row = {.node = {PEER}, .origin = {2}, .since = 1, .name = "s2"};
	init(&f, (struct replica_config){.shared = true}, true, &row);
	cr_assert(replica_forget(&f.r, OTHER) == 0 && f.r.looks.leaving_count == 1);
	cr_assert(f.r.membership.digest == 0, "who the members are is not durable yet");
	forget_trace(&f);
	cr_assert(f.r.membership.digest != 0 &&
		  f.r.membership.digest != members_digest(&f.r.membership.current));
	stop(&f);
}

Test(shared, a_checkpoint_with_which_nobody_leaves_changes_no_membership)
{
	struct fixture f;
	serve_beside_peer(&f);
	replica_checkpointed(&f.r, f.r.stats.records);
	cr_assert(!f.r.membership.dirty);
	f.r.membership.dirty = true; /* for another reason */
	replica_checkpointed(&f.r, f.r.stats.records);
	cr_assert(f.r.membership.dirty);
	stop(&f);
}

/* Seed 83033217: who is new may wait for another's snapshot to read what the node left, and that one for its
 * word. */
Test(shared, who_is_new_confirms_all_the_same)
{
	struct fixture f;
	start_shared(&f);
	add_peer(&f);
	uint64_t with = f.r.membership.digest;
	cr_assert(!f.r.ready.established && replica_forget(&f.r, OTHER) == 0 && f.r.looks.leaving_count == 1);
	cr_assert(f.r.membership.digest == with);
	f.r.membership.dirty = f.r.ready.establishing = true;
	forget_trace(&f);
	cr_assert(f.r.ready.established && f.r.membership.digest != with, "once it serves, it does not");
	stop(&f);
}

static void peer_has(struct fixture *f, uint64_t serial, struct position has)
{
	peer_says(f, (struct vector_message){
			 .serial = serial, .digest = f->r.membership.digest, .at = &has, .count = 1});
	forget_trace(f);
}

/* Seed 210105627: a new node could not read what one had left that was forgotten, for that was purged, and
 * the member whose snapshot it needed had been restarted and waited for its word. Where nobody has a snapshot
 * of all of it, or it was not let go of, it is read as ever. */
Test(shared, who_is_new_does_not_wait_for_what_was_let_go_of)
{
	const struct node lost = {30};
	for (int i = 0; i < 5; i++) {
		struct fixture f;
		start_shared(&f);
		f.r.ready.anew = true;
		add_peer(&f);
		f.r.peers.list[0].serving = false;
		struct member row = {.node = lost, .origin = {3}, .since = 1, .name = "s3"};
		cr_assert(replica_members(&f.r, f.now, (struct node){0}, &row, 1) == 0);
		cr_assert(replica_held(&f.r, f.now, lost, (struct position){{3}, 12}) == 0);
		forget_trace(&f);
		peer_has(&f, 2, (struct position){{3}, i == 1 ? 11 : 12});
		if (i == 4) /* who comes last has it, too */
			cr_assert(vector_set(&f.r.peers.list[1].vector, (struct origin){3}, 12) == 0);
		struct log *log = logs_find(&f.r.logs, (struct origin){3});
		log->asked = (struct node){i == 2 ? PEER : SELF};
		log->asked_from = 1;
		cr_assert(replica_gone(&f.r, f.now, log->asked, (struct position){{3}, 1}) == 0);
		f.r.ready.established = i == 3;
		cr_assert(replica_forget(&f.r, lost) == 0 && f.r.looks.leaving_count == 1);
		look(&f);
		look(&f);
		replica_checkpointed(&f.r, f.r.stats.records);
		cr_assert(members_find(&f.r.membership.staged, lost)->forgotten == (i == 0 || i == 4), "%d",
			  i);
		forget_trace(&f);
		stop(&f);
	}
}

/* Seed 40005231: what a run had on its way when it was killed came into the stream when the next one served
 * already, and had agreed on forgetting its session. */
Test(shared, earlier_runs_of_its_own_are_ended_first)
{
	struct fixture f;
	start_shared(&f);
	cr_assert(replica_not_ended(&f.r, (struct node){SELF}, (struct position){{77}, 4}) == 0);
	expect(&f, "end 77:5");
	cr_assert(replica_looked(&f.r, f.now, 0) == 0 && !f.r.looks.done, "it looks again");
	cr_assert(replica_not_ended(&f.r, OTHER, at(4)) == 0);
	cr_assert(replica_not_ended(&f.r, (struct node){SELF}, (struct position){{1}, 4}) == 0);
	cr_assert(replica_looked(&f.r, f.now, 0) == 0 && f.r.looks.done, "others' runs and its own are not");
	forget_trace(&f);
	stop(&f);
}

Test(shared, a_run_before_it_that_wrote_nothing_yet_is_ended)
{
	for (int i = 0; i < 5; i++) {
		struct fixture f;
		start_shared(&f);
		f.r.looks.former.id = i == 0 ? 0 : 77;
		if (i == 2) /* it has, elsewhere */
			cr_assert(vector_set(&f.r.v, f.r.looks.former, 1) == 0);
		if (i == 4) /* and there, where that run has been ended */
			cr_assert(replica_held(&f.r, f.now, (struct node){SELF},
					       (struct position){f.r.looks.former, 1}) == 0);
		f.r.looks.done = i == 3;
		cr_assert(replica_looked(&f.r, f.now, 0) == 0 && f.r.looks.done == (i != 1));
		expect(&f, i == 1 ? "end 77:1" : "");
		stop(&f);
	}
}

Test(shared, nothing_is_taken_of_who_has_left)
{
	struct fixture f;
	serve_beside_peer(&f);
	struct member row = *members_find(&f.r.membership.current, OTHER);
	row.forgotten = true; /* as another says */
	cr_assert(replica_members(&f.r, f.now, (struct node){0}, &row, 1) == 0 && !forgotten(&f));
	cr_assert(!looks_left(&f.r.looks, OTHER));
	look(&f);
	look(&f);
	cr_assert(looks_left(&f.r.looks, OTHER));
	hold(&f, 7);
	peer_record(&f, 1, 1, 1, 5, true);
	forget_trace(&f);
	cr_assert(((struct log *)logs_find(&f.r.logs, (struct origin){2}))->held == 0 && likes(&f) == 0);
	replica_checkpointed(&f.r, f.r.stats.records);
	cr_assert(forgotten(&f));
	forget_trace(&f);
	hold(&f, 8);
	struct log *log = logs_find(&f.r.logs, (struct origin){2});
	cr_assert(!log || log->held == 0);
	stop(&f);
}

/* Seed 5501751: what it had acknowledged stood in the stream alone, and the one that read it again had been
 * down all the while. */
Test(shared, a_node_that_came_and_was_lost_meanwhile_is_read_first)
{
	struct fixture f;
	serve_beside_peer(&f);
	const struct node lost = {30};
	struct member row = {.node = lost, .since = 1, .name = "s3", .forgotten = true};
	cr_assert(replica_members(&f.r, f.now, (struct node){0}, &row, 1) == 0);
	cr_assert(!members_find(&f.r.membership.staged, lost)->forgotten);
	look(&f);
	cr_assert(replica_held(&f.r, f.now, lost, (struct position){{3}, 1}) == 0);
	cr_assert(logs_find(&f.r.logs, (struct origin){3}));
	stop(&f);

	start_shared(&f); /* others have agreed on what to leave out before this one came */
	cr_assert(replica_members(&f.r, f.now, (struct node){0}, &row, 1) == 0);
	cr_assert(members_find(&f.r.membership.staged, lost)->forgotten);
	stop(&f);
}

/* Seed 7561299: two nodes were lost, and what the second had left was not read any more once the first was
 * forgotten. */
Test(shared, what_it_holds_is_read_also_when_another_is_forgotten_meanwhile)
{
	struct fixture f;
	struct log *log;
	serve_beside_peer(&f);
	hold(&f, 3);
	struct member row = {.node = {30}, .since = 1, .name = "s3"};
	cr_assert(replica_members(&f.r, f.now, (struct node){0}, &row, 1) == 0);
	forget_trace(&f);
	members_find(&f.r.membership.staged, row.node)->forgotten = f.r.membership.dirty = true;
	forget_trace(&f);
	log = logs_find(&f.r.logs, (struct origin){2});
	cr_assert(log && log->held == 3 && log->known == 3);
	cr_assert(replica_is_shared(&f.r, (struct origin){2}));
	members_find(&f.r.membership.staged, OTHER)->forgotten = true;
	cr_assert(!replica_is_shared(&f.r, (struct origin){2}), "nobody reads what it left any more");
	stop(&f);
}

Test(shared, only_members_leave_a_shared_journal)
{
	struct fixture f;
	serve_beside_peer(&f);
	cr_assert(replica_leaves(&f.r, (struct node){SELF}) == 0);
	struct member row = {.node = {30}, .since = 1, .name = "s3"};
	cr_assert(replica_members(&f.r, f.now, (struct node){0}, &row, 1) == 0);
	members_find(&f.r.membership.staged, row.node)->forgotten = true;
	cr_assert(replica_leaves(&f.r, row.node) == 0, "it has left");
	cr_assert(f.r.looks.leaving_count == 0 && replica_leaves(&f.r, OTHER) == 1 &&
		  f.r.looks.leaving_count == 1);
	cr_assert(replica_leaves(&f.r, OTHER) == 1 && f.r.looks.leaving_count == 1, "once");
	f.r.config.shared = false;
	cr_assert(replica_leaves(&f.r, OTHER) == 0);
	stop(&f);
}

Test(shared, is_looked_at_in_pieces_where_there_is_much)
{
	struct fixture f;
	serve_beside_peer(&f);
	hold(&f, 5);
	hold(&f, 2);
	struct log *log = logs_find(&f.r.logs, (struct origin){2});
	cr_assert(log->held == 5 && log->awaited == 0 && node_equal(log->owner, OTHER));
	uint64_t looks = f.r.looks.count;
	f.r.config.gaps = 1;
	for (uint64_t origin = 40; !replica_logs_full(&f.r); origin++)
		replica_log(&f.r, (struct origin){origin})->known = 1;
	cr_assert(replica_held(&f.r, f.now, OTHER, (struct position){{99}, 1}) == 0);
	cr_assert(f.r.snapshot.wanted && f.r.looks.cut);
	cr_assert(replica_looked(&f.r, f.now, 0) == 0 && f.r.looks.count == looks && f.r.looks.done &&
		  !f.r.looks.cut);
	stop(&f);

	start_shared(&f);
	hold(&f, 5);
	hold(&f, 2);
	log = logs_find(&f.r.logs, (struct origin){2});
	cr_assert(log->held == 5 && log->awaited == 5, "it is to be here before this server serves");
	cr_assert(replica_is_shared(&f.r, (struct origin){2}) &&
		  !replica_is_shared(&f.r, (struct origin){3}));
	f.r.config.shared = false;
	cr_assert(!replica_is_shared(&f.r, (struct origin){2}));
	stop(&f);
}

/* What one left does not wait for what another wrote. */
Test(shared, each_leaves_by_itself)
{
	struct fixture f;
	serve_beside_peer(&f);
	struct member row = {.node = {30}, .origin = {3}, .since = 1, .name = "s3"};
	cr_assert(replica_members(&f.r, f.now, (struct node){0}, &row, 1) == 0);
	forget_trace(&f);
	hold(&f, 4);
	cr_assert(replica_held(&f.r, f.now, row.node, (struct position){{3}, 2}) == 0);
	cr_assert(replica_forget(&f.r, row.node) == 0 && f.r.looks.leaving_count == 1);
	log_done(&f, 3, 2);
	cr_assert(replica_looked(&f.r, f.now, 0) == 0);
	cr_assert(f.r.looks.leaving[0].records == 0, "it may have written since");
	cr_assert(replica_looked(&f.r, f.now, 0) == 0);
	cr_assert(f.r.looks.leaving[0].records == f.r.stats.records + 1);
	cr_assert(replica_is_shared(&f.r, (struct origin){2}) &&
		  !replica_is_shared(&f.r, (struct origin){3}));
	replica_checkpointed(&f.r, f.r.stats.records);
	forget_trace(&f);
	struct log *left = logs_find(&f.r.logs, (struct origin){3}),
		   *other = logs_find(&f.r.logs, (struct origin){2});
	cr_assert((!left || left->held == 0) && other->held == 4);
	stop(&f);
}

Test(shared, strangers_are_heard_only_by_who_knows_nobody)
{
	struct fixture f;
	start_shared(&f);
	cr_assert(takes_strangers(&f), "all folders may be lost");
	replica_drop_shared(&f.r);
	cr_assert(((struct log *)logs_find(&f.r.logs, (struct origin){7}))->held == 1,
		  "they are not forgotten");
	stop(&f);
	serve_beside_peer(&f);
	cr_assert(!takes_strangers(&f), "it may be the stream of another cluster");
	stop(&f);
}

Test(shared, strangers_wait_until_it_is_known_whether_anybody_serves)
{
	struct fixture f;
	start_shared(&f);
	f.r.config.alone = false;
	cr_assert(!takes_strangers(&f), "no leader has said that there is nobody");
	look(&f);
	cr_assert(!f.r.looks.done, "it is looked at again before it serves");
	f.r.ready.met_leader = true;
	add_peer(&f);
	f.r.peers.list[0].serving = f.r.peers.list[0].confirmed = false;
	cr_assert(!takes_strangers(&f), "a member has not been heard");
	look(&f);
	cr_assert(!f.r.looks.done);
	f.r.peers.list[0].serving = f.r.looks.cut = true;
	cr_assert(!takes_strangers(&f) && f.r.looks.cut, "there was no room for another");
	f.r.looks.cut = false;
	cr_assert(!takes_strangers(&f), "a member serves");
	look(&f);
	cr_assert(f.r.looks.done);
	f.r.peers.list[0].serving = false;
	f.r.peers.list[0].confirmed = true;
	f.r.ready.met_leader = false;
	cr_assert(!takes_strangers(&f), "members alone may not know of all");
	f.r.ready.met_leader = true;
	cr_assert(takes_strangers(&f), "nobody does");
	stop(&f);
}

Test(shared, while_nothing_gets_durable_new_batches_are_refused)
{
	struct fixture f;
	start_shared(&f);
	look(&f);
	tick(&f, 60 * MS);
	forget_trace(&f);
	f.r.stalled = true;
	batch(&f, 1, 1, 3);
	run(&f);
	cr_assert(f.r.stats.refused == 1 && likes(&f) == 0);
	f.r.stalled = false;
	batch(&f, 1, 1, 3);
	run(&f);
	cr_assert(likes(&f) == 3);
	stop(&f);
}
