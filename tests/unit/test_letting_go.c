/* SPDX-License-Identifier: MIT */
/* What a shared journal may let go of, and who lacks it then. */
#include <criterion/criterion.h>
#include <string.h>

#include "shared_world.h"

/* The peer's vector, with what its checkpoint has. */
static void peer_covers(struct fixture *f, uint64_t serial, uint64_t covered, uint64_t digest)
{
	peer_says(f, (struct vector_message){
			 .serial = serial, .digest = digest, .serving = true, .covered = covered});
	forget_trace(f);
}

static void look_up_to(struct fixture *f, uint64_t number)
{
	cr_assert(replica_looked(&f->r, f->now, number) == 0);
	forget_trace(f);
}

static void purging(struct fixture *f)
{
	serve_beside_peer(f);
	f->r.config.purges = true;
}

/* A look, and a checkpoint that has all of it. */
static void cover(struct fixture *f, uint64_t number)
{
	look_up_to(f, number);
	replica_follow_look(&f->r);
	replica_checkpointed(&f->r, f->r.stats.records);
	cr_assert(f->r.looks.history.covered == number);
}

Test(letting_go, lets_go_of_what_every_member_has_in_a_checkpoint)
{
	struct fixture f;
	purging(&f);
	cover(&f, 9);
	cr_assert(replica_vector_message(&f.r).covered == 9);
	cr_assert(replica_purgeable(&f.r) == 0, "the peer has said nothing");
	peer_covers(&f, 2, 5, f.r.membership.digest);
	cr_assert(replica_purgeable(&f.r) == 5);
	peer_covers(&f, 3, 12, f.r.membership.digest);
	cr_assert(replica_purgeable(&f.r) == 9);
	peer_covers(&f, 4, 12, f.r.membership.digest + 1);
	cr_assert(replica_purgeable(&f.r) == 0, "there may be a member that is not known here");
	peer_covers(&f, 5, 0, f.r.membership.digest);
	cr_assert(replica_purgeable(&f.r) == 0, "it keeps");
	f.r.peers.list[0].checkpointed = 12;
	cr_assert(replica_purgeable(&f.r) == 9);
	f.r.peers.list[0].serving = false;
	cr_assert(replica_purgeable(&f.r) == 0, "it may yet be another");
	peer_covers(&f, 6, 12, f.r.membership.digest);
	f.r.ready.phase = PHASE_CATCHING_UP;
	cr_assert(replica_purgeable(&f.r) == 0);
	f.r.ready.phase = PHASE_SERVING;
	f.r.config.purges = false;
	cr_assert(replica_purgeable(&f.r) == 0 && replica_vector_message(&f.r).covered == 0);
	stop(&f);
}

Test(letting_go, keeps_while_a_node_leaves)
{
	struct fixture f;
	purging(&f);
	cover(&f, 9);
	peer_covers(&f, 2, 9, f.r.membership.digest);
	cr_assert(replica_purgeable(&f.r) == 9);
	cr_assert(replica_forget(&f.r, OTHER) == 0 && f.r.looks.leaving_count == 1);
	cr_assert(replica_purgeable(&f.r) == 0);
	peer_covers(&f, 3, 9, f.r.membership.digest); /* who has the node leave, too */
	cr_assert(replica_purgeable(&f.r) == 0);
	stop(&f);
}

Test(letting_go, what_is_held_and_not_applied_is_in_no_checkpoint)
{
	struct fixture f;
	purging(&f);
	hold(&f, 2);
	look_up_to(&f, 9);
	peer_record(&f, 1, 1, 1, 5, true);
	forget_trace(&f);
	replica_follow_look(&f.r);
	cr_assert(f.r.looks.history.records == 0);
	peer_record(&f, 2, 1, 2, 5, true);
	forget_trace(&f);
	f.r.snapshot.wanted = true;
	replica_follow_look(&f.r);
	cr_assert(f.r.looks.history.records == 0, "it waits for a snapshot");
	f.r.snapshot.wanted = false;
	replica_follow_look(&f.r);
	cr_assert(f.r.looks.history.records == f.r.stats.records + 1);
	stop(&f);

	/* Its own, which was stored, and not acknowledged to it yet. */
	purging(&f);
	cr_assert(replica_held(&f.r, f.now, (struct node){SELF}, (struct position){{1}, 1}) == 0);
	look_up_to(&f, 9);
	replica_follow_look(&f.r);
	cr_assert(f.r.looks.history.records == 0);
	batch(&f, 1, 1, 5);
	forget_trace(&f);
	replica_follow_look(&f.r);
	cr_assert(f.r.looks.history.records > 0);
	stop(&f);
}

Test(letting_go, the_first_record_that_there_can_be_is_one)
{
	struct fixture f;
	purging(&f);
	cover(&f, 1);
	stop(&f);
}

Test(letting_go, keeps_where_strangers_write)
{
	struct fixture f;
	purging(&f);
	cr_assert(!takes_strangers(&f));
	look_up_to(&f, 9);
	cr_assert(f.r.looks.history.number == 0);
	/* Of a cluster that lost all folders: it was taken, before this server had served. */
	cr_assert(vector_set(&f.r.v, (struct origin){7}, 1) == 0);
	cr_assert(!takes_strangers(&f));
	/* And what a node wrote that is forgotten is nobody's any more. */
	struct member row = {.node = {30}, .origin = {3}, .since = 1, .name = "s3", .forgotten = true};
	f.r.config.shared = false; /* it leaves at once */
	cr_assert(replica_members(&f.r, f.now, (struct node){0}, &row, 1) == 0);
	f.r.config.shared = true;
	cr_assert(replica_held(&f.r, f.now, row.node, (struct position){{3}, 1}) == 0);
	look_up_to(&f, 10);
	cr_assert(f.r.looks.history.number == 10);
	stop(&f);
}

/* The stream lacks its beginning: what a server with an empty folder reads there is not all. */
Test(letting_go, who_lacks_what_was_let_go_of_does_not_serve)
{
	struct fixture f;
	start_shared(&f);
	hold(&f, 2);
	look(&f);
	tick(&f, 60 * MS);
	forget_trace(&f);
	peer_record(&f, 2, 1, 2, 5, false);
	cr_assert(replica_gone(&f.r, f.now, (struct node){SELF}, at(1)) == 0);
	forget_trace(&f);
	uint64_t fetches = f.r.stats.fetches;
	tick(&f, 10 * MS);
	cr_assert(f.r.stats.fetches == fetches, "it asks again after a while");
	tick(&f, 60 * SECOND);
	forget_trace(&f);
	cr_assert(f.r.stats.fetches > fetches);
	cr_assert(f.r.ready.phase == PHASE_CATCHING_UP && likes(&f) == 0);
	cr_assert(strstr(replica_waits_for(&f.r, f.now), "--purge-history"));
	stop(&f);
}

/* It would read a stream that others let go of meanwhile. */
Test(letting_go, who_begins_with_nothing_takes_a_snapshot_where_somebody_serves)
{
	for (int purges = 0; purges < 2; purges++) {
		struct fixture f;
		init(&f, (struct replica_config){.alone = true, .shared = true, .purges = purges}, false,
		     NULL);
		cr_assert(replica_loaded(&f.r) == 0);
		forget_trace(&f);
		add_peer(&f);
		look(&f);
		cr_assert((f.r.snapshot.from.id == PEER) == purges);
		tick(&f, SECOND);
		forget_trace(&f);
		cr_assert((f.r.ready.phase == PHASE_SERVING) == !purges);
		stop(&f);
	}
}
