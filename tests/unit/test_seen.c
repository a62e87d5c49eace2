/* SPDX-License-Identifier: MIT */
/* What a server says of a batch that it is asked about. */
#include "unit/replica_world.h"

/* Each as if its batch had come again, but for the content; and nothing is kept of a question. */
Test(seen, says_whether_a_batch_was_counted)
{
	struct fixture f;
	const struct session asked = {7, 1}, unused = {7, 2};
	start_serving(&f);
	batch(&f, 1, 1, 5);
	f.disk_stopped = true;
	run(&f);
	batch(&f, 1, 2, 5);
	for (uint64_t seq = 1; seq <= 3; seq++)
		cr_assert(replica_seen(&f.r, 3, asked, seq) == 0);
	cr_assert(replica_seen(&f.r, 3, unused, 1) == 0);
	expect(&f, "append 1:1, commit, refuse 3 not-counted, refuse 1 not-counted");
	finish_commit(&f);
	expect(&f, "publish 1:1, ack 1@1, ack 1@1, append 1:2, commit, publish 1:2, ack 2@2, ack 2@2");
	cr_assert(replica_seen(&f.r, 3, asked, 2) == 0);
	expect(&f, "ack 2@V");
	cr_assert(f.r.sessions.seen.count == 1 && f.r.stats.refused == 0 && likes(&f) == 10);
	close_session(&f, 1);
	forget_trace(&f);
	cr_assert(replica_seen(&f.r, 3, asked, 2) == 0 && replica_seen(&f.r, 3, asked, 3) == 0);
	expect(&f, "ack 2@V, refuse 3 expired");
	tick(&f, SECOND);
	forget_trace(&f);
	cr_assert(replica_seen(&f.r, 3, asked, 2) == 0);
	expect(&f, "refuse 2 expired");
	readiness_drain(&f.r.ready);
	cr_assert(replica_seen(&f.r, 3, unused, 1) == 0);
	expect(&f, "refuse 1 not-serving");
	stop(&f);
}
