/* SPDX-License-Identifier: MIT */
/* Of which origins a server keeps a log in memory, and how many. */
#include "replica_world.h"

static struct log *open(struct fixture *f, uint64_t origin)
{
	return replica_log(&f->r, (struct origin){origin});
}

static bool kept(struct fixture *f, uint64_t origin)
{
	replica_close_logs(&f->r);
	return logs_find(&f->r.logs, (struct origin){origin});
}

Test(logs, are_kept_while_something_goes_on)
{
	struct fixture f;
	start_serving(&f);
	struct log *log = open(&f, 30);
	log->appended = 1;
	log->known = 0;
	cr_assert(kept(&f, 30), "on its way to disk");
	log->appended = 0;
	log->known = 1;
	cr_assert(kept(&f, 30), "somebody has more");
	log->known = 0;
	log->damaged = 1;
	cr_assert(kept(&f, 30), "there was more here");
	log->damaged = 0;
	log->waiting_count = 1;
	cr_assert(kept(&f, 30), "some of it waits");
	log->waiting_count = 0;
	cr_assert(!kept(&f, 30));
	open(&f, 1);
	cr_assert(kept(&f, 1), "its own");
	add_peer(&f);
	open(&f, 2);
	cr_assert(kept(&f, 2), "a member's run");
	for (uint64_t i = 100; i < 300; i++)
		open(&f, i);
	replica_close_logs(&f.r);
	cr_assert(f.r.logs.by_origin.count == 2, "all at once");
	stop(&f);
}

Test(logs, are_so_many_and_its_own)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	f.r.config.gaps = 3; /* beside the runs of those who are there, which take no room */
	cr_assert(open(&f, 1) && open(&f, 2));
	for (uint64_t i = 30; !replica_logs_full(&f.r); i++)
		open(&f, i)->known = 1;
	cr_assert(f.r.logs.by_origin.count == 5);
	cr_assert(!open(&f, 99) && f.r.logs.by_origin.count == 5);
	cr_assert(open(&f, 30), "that is there");
	cr_assert(open(&f, 1), "its own is always let in");
	cr_assert(!open(&f, 99));
	open(&f, 30)->known = open(&f, 31)->known = 0;
	cr_assert(open(&f, 99), "those that are done with make room");
	cr_assert(!logs_find(&f.r.logs, (struct origin){30}));
	stop(&f);

	start_serving(&f);
	f.r.config.gaps = 3;
	for (uint64_t i = 30; !replica_logs_full(&f.r); i++)
		open(&f, i)->known = 1;
	cr_assert(!logs_find(&f.r.logs, (struct origin){1}) && open(&f, 1), "also when it comes last");
	stop(&f);
}

/* Its own records, however many wait, are as many as a record holds. */
Test(logs, an_own_record_holds_so_many_batches)
{
	struct fixture f;
	start_serving(&f);
	f.disk_stopped = true;
	for (uint64_t seq = 1; seq <= LIMIT_RECORD_BATCHES + 1; seq++) {
		struct batch_box *box = message_make_batch((struct session){7, 100}, SEQ_LAPSE, NULL, 0);
		cr_assert(replica_lapse(&f.r, box) == 0);
		batch_box_unref(box);
	}
	expect(&f, "append 1:1, append 1:2, commit");
	cr_assert(f.r.group.records[0]->batch_count == LIMIT_RECORD_BATCHES &&
		  f.r.group.records[1]->batch_count == 1);
	finish_commit(&f);
	cr_assert(f.r.group.pending_count == 0);
	stop(&f);
}

/* Promise 3: what a client retried here, and came in by a peer's record, K others must have. */
Test(logs, what_came_by_a_peer_meanwhile_waits_for_the_peers)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	f.r.config.ack_peers = 1;
	f.disk_stopped = true;
	peer_record(&f, 1, 5, 1, 1, true);
	peer_close(&f, 2, 5);
	run(&f);
	batch(&f, 5, 1, 1);
	forget_trace(&f);
	finish_commit(&f);
	cr_assert(!strstr(f.trace.text, "ack"), "%s", f.trace.text);
	cr_assert(likes(&f) == 1);
	forget(&f);
	peer_vector(&f, 5, 2);
	expect(&f, "ack 1@V");
	batch(&f, 5, 1, 1); /* and again, when they have it already */
	expect(&f, "ack 1@V");
	stop(&f);
}
