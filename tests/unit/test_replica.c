/* SPDX-License-Identifier: MIT */
#include "unit/replica_world.h"
#include "core/heard.h"

Test(replica, makes_its_origin_durable_before_it_serves)
{
	struct fixture f;
	start(&f);
	f.disk_stopped = true;
	batch(&f, 1, 1, 5);
	expect(&f, "refuse 1 not-serving, meta, commit");
	batch(&f, 1, 1, 5);
	expect(&f, "refuse 1 not-serving");
	finish_commit(&f);
	cr_assert(f.r.ready.phase == PHASE_SERVING);
	expect(&f, "members, vector, meta, commit, vector, vector");
	stop(&f);
}

Test(replica, acknowledges_and_counts_what_is_durable_and_nothing_before)
{
	struct fixture f;
	start_serving(&f);
	f.disk_stopped = true;
	batch(&f, 1, 1, 5);
	expect(&f, "append 1:1, commit");
	cr_assert(likes(&f) == 0 && vector_get(&f.r.v, (struct origin){1}) == 0);
	batch(&f, 1, 2, 1); /* gathers until the disk is done */
	expect(&f, "");
	finish_commit(&f);
	expect(&f, "publish 1:1, ack 1@1, append 1:2, commit, publish 1:2, ack 2@2");
	cr_assert(likes(&f) == 6 && vector_get(&f.r.v, (struct origin){1}) == 2);
	stop(&f);
}

Test(replica, counts_a_batch_once_however_often_it_comes)
{
	struct fixture f;
	start_serving(&f);
	batch(&f, 1, 1, 5);
	batch(&f, 1, 1, 5);
	expect(&f, "append 1:1, commit, publish 1:1, ack 1@1, ack 1@1");
	batch(&f, 1, 1, 5);
	expect(&f, "ack 1@V");
	f.disk_stopped = true;
	batch(&f, 1, 2, 5);
	run(&f);
	batch(&f, 1, 2, 5); /* on its way to disk */
	finish_commit(&f);
	expect(&f, "append 1:2, commit, publish 1:2, ack 2@2, ack 2@2");
	cr_assert(likes(&f) == 10);
	stop(&f);
}

/* A batch waits here while a group with a peer's records is on its way to disk: batch 1 of the same session,
 * and the session's close. */
static void overtaken(uint64_t seq, const char *trace)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	f.disk_stopped = true;
	peer_record(&f, 1, 1, 1, 5, true);
	peer_close(&f, 2, 1);
	expect(&f, "append 2:1, append 2:2, commit");
	batch(&f, 1, seq, 5);
	finish_commit(&f);
	expect(&f, trace);
	cr_assert(likes(&f) == 5);
	stop(&f);
}

Test(replica, answers_what_was_overtaken_by_a_peers_close)
{
	overtaken(1, "ack 1@V");
	overtaken(2, "refuse 2 expired");
}

Test(replica, refuses_other_content_under_the_same_number)
{
	struct fixture f;
	start_serving(&f);
	batch(&f, 1, 1, 5);
	batch(&f, 1, 1, 6);
	expect(&f, "refuse 1 conflict, append 1:1, commit, publish 1:1, ack 1@1");
	batch(&f, 1, 1, 6); /* counted, and still known */
	batch(&f, 1, 1, 5);
	expect(&f, "refuse 1 conflict, ack 1@V");
	cr_assert(likes(&f) == 5);
	stop(&f);
}

/* Each server has counted what it took, for good. */
Test(replica, notices_that_a_peer_took_other_content_under_the_same_number)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	batch(&f, 1, 1, 5);
	expect(&f, "append 1:1, commit, publish 1:1, ack 1@1");
	peer_record(&f, 1, 1, 1, 6, true);
	expect(&f, "append 2:1, commit");
	cr_assert(likes(&f) == 5 && f.r.stats.contradicted == 1);
	cr_assert(f.r.contradiction.seq == 1 && f.r.contradiction.at.origin.id == 2);
	stop(&f);
}

Test(replica, expires_what_comes_after_the_close)
{
	struct fixture f;
	start_serving(&f);
	batch(&f, 1, 1, 5);
	close_session(&f, 1);
	expect(&f, "append 1:1, commit, publish 1:1, ack 1@1, closed");
	batch(&f, 1, 2, 5);
	batch(&f, 1, 1, 5);
	close_session(&f, 1);
	expect(&f, "refuse 2 expired, ack 1@V, closed");
	tick(&f, SECOND); /* there are no other members: all agree at once that it may be forgotten */
	cr_assert(sessions_forgotten(&f.r.sessions, (struct session){7, 1}));
	cr_assert(f.r.sessions.seen.count == 0);
	forget_trace(&f);
	batch(&f, 1, 1, 5);
	expect(&f, "refuse 1 expired");
	cr_assert(likes(&f) == 5);
	stop(&f);
}

Test(replica, keeps_a_closed_session_until_every_member_has_applied_the_close)
{
	struct fixture f;
	struct position both[] = {{{1}, 1}, {{2}, 0}};
	start_serving(&f);
	add_peer(&f);
	batch(&f, 1, 1, 5);
	close_session(&f, 1);
	run(&f);
	for (uint64_t serial = 2; serial < 6; serial++) {
		peer_vector(&f, serial, 0); /* without origin 1: it has not applied the close */
		tick(&f, SECOND);
	}
	cr_assert_not_null(sessions_find(&f.r.sessions, (struct session){7, 1}));
	for (uint64_t serial = 6; serial < 9; serial++) {
		peer_says(&f, (struct vector_message){.serial = serial,
						      .digest = f.r.membership.digest,
						      .serving = true,
						      .at = both,
						      .count = 1});
		tick(&f, SECOND);
	}
	cr_assert_null(sessions_find(&f.r.sessions, (struct session){7, 1}));
	cr_assert(sessions_forgotten(&f.r.sessions, (struct session){7, 1}));
	stop(&f);
}

Test(replica, commits_its_own_record_before_its_peers)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	peer_record(&f, 1, 2, 1, 100, true);
	batch(&f, 1, 1, 5);
	expect(&f, "append 1:1, append 2:1, commit, publish 1:1, ack 1@1");
	cr_assert(likes(&f) == 105);
	stop(&f);
}

Test(replica, counts_once_what_a_peer_took_as_well)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	peer_record(&f, 1, 1, 1, 5, true);
	batch(&f, 1, 1, 5); /* the client sent it to both */
	expect(&f, "append 1:1, append 2:1, commit, publish 1:1, ack 1@1");
	peer_record(&f, 2, 1, 2, 7, true);
	expect(&f, "append 2:2, commit");
	batch(&f, 1, 2, 7);
	expect(&f, "ack 2@V");
	cr_assert(likes(&f) == 12 && f.r.stats.duplicates == 1);
	cr_assert(f.r.stats.contradicted == 0);
	stop(&f);
}

Test(replica, applies_a_peers_records_in_order_and_fetches_what_is_missing)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	peer_vector(&f, 2, 4);
	peer_record(&f, 3, 2, 3, 100, true);
	peer_record(&f, 3, 2, 3, 100, true);
	expect(&f, "");
	cr_assert(likes(&f) == 0);
	tick(&f, 10 * MS); /* they may still be on their way */
	forget_trace(&f);
	tick(&f, 60 * MS);
	expect(&f, "fetch 20 2:1-4");
	peer_record(&f, 2, 2, 2, 10, false);
	expect(&f, "");
	peer_record(&f, 1, 2, 1, 1, false);
	expect(&f, "append 2:1, append 2:2, append 2:3, commit");
	cr_assert(likes(&f) == 111 && vector_get(&f.r.v, (struct origin){2}) == 3);
	cr_assert(replica_lag(&f.r) == 1);
	cr_assert(replica_fetched(&f.r, f.now, (struct position){{2}, 1}) == 0); /* the lost tail */
	expect(&f, "fetch 20 2:4-4");
	peer_record(&f, 2, 2, 2, 10, false);
	expect(&f, "");
	for (int i = 0; i < 3; i++) { /* an answer with nothing in it, and more that nobody asked for */
		cr_assert(replica_fetched(&f.r, f.now, (struct position){{2}, 4}) == 0);
		expect(&f, "");
	}
	peer_vector(&f, 2, 4);
	forget_trace(&f);
	tick(&f, 60 * MS);
	expect(&f, "vector, fetch 20 2:4-4");
	stop(&f);
}

/* Seed 610085627: every other of a hundred records was missing, 80 ms away; each cost a way there and back.
 */
Test(replica, asks_for_holes_together)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	peer_vector(&f, 2, 9);
	peer_record(&f, 4, 2, 4, 1, true);
	peer_record(&f, 7, 2, 7, 1, true);
	peer_record(&f, 9, 2, 9, 1, true);
	peer_record(&f, 12, 2, 12, 1, true); /* that no vector has told of yet */
	tick(&f, 10 * MS);
	forget_trace(&f);
	tick(&f, 60 * MS);
	expect(&f, "fetch 20 2:1-8");
	peer_record(&f, 8, 2, 8, 1, true);
	peer_record(&f, 1, 2, 1, 1, false);
	forget_trace(&f);
	cr_assert(replica_fetched(&f.r, f.now, (struct position){{2}, 1}) == 0);
	expect(&f, "fetch 20 2:2-6");
	for (uint64_t lsn = 2; lsn <= 6; lsn++)
		peer_record(&f, lsn, 2, lsn, 1, false);
	peer_vector(&f, 3, 12);
	forget_trace(&f);
	cr_assert(replica_fetched(&f.r, f.now, (struct position){{2}, 2}) == 0);
	expect(&f, "fetch 20 2:10-11");
	stop(&f);
}

Test(replica, asks_for_a_snapshot_when_the_records_are_gone)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	peer_vector(&f, 2, 4);
	tick(&f, 10 * MS);
	tick(&f, 60 * MS);
	forget_trace(&f);
	cr_assert(replica_gone(&f.r, f.now, (struct node){PEER}, (struct position){{2}, 1}) == 0);
	expect(&f, "snapshot 20");

	/* It could not be adopted, and the next will be no better at once. */
	cr_assert(replica_snapshot_ended(&f.r, f.now) == 0);
	tick(&f, 60 * MS);
	forget_trace(&f);
	cr_assert(replica_gone(&f.r, f.now, (struct node){PEER}, (struct position){{2}, 1}) == 0);
	expect(&f, "");
	peer_vector(&f, 2, 4);
	tick(&f, 900 * MS);
	forget_trace(&f);
	tick(&f, 50 * MS);
	expect(&f, "snapshot 20");
	stop(&f);
}

Test(replica, hears_nothing_from_those_that_are_forgotten)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	cr_assert(replica_forget(&f.r, (struct node){PEER}) == 0);
	cr_assert(replica_forget(&f.r, (struct node){99}) == KUDOS_UNKNOWN_NODE);
	expect(&f, "meta, commit, members, vector");
	cr_assert(f.r.peers.count == 0);
	peer_record(&f, 1, 2, 1, 100, true);
	expect(&f, "");
	cr_assert(likes(&f) == 0 && !replica_is_forgotten(&f.r));
	stop(&f);
}

Test(replica, acknowledges_once_enough_peers_have_it)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	f.r.config.ack_peers = 1;
	batch(&f, 1, 1, 5);
	expect(&f, "append 1:1, commit, publish 1:1, vector");
	struct position at = {{1}, 1};
	struct vector_message m = {.node = {PEER}, .origin = {2}, .serial = 2, .at = &at, .count = 1};
	m.digest = f.r.membership.digest;
	cr_assert(replica_vector(&f.r, f.now, &m) == 0);
	expect(&f, "ack 1@1");
	batch(&f, 1, 1, 5);
	expect(&f, "ack 1@V");
	stop(&f);
}

Test(replica, gives_up_only_what_every_member_has)
{
	struct fixture f;
	struct vector checkpoint = {0}, floor = {0};
	start_serving(&f);
	add_peer(&f);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		batch(&f, 1, seq, 1);
		run(&f);
	}
	cr_assert(vector_set(&checkpoint, (struct origin){1}, 2) == 0);
	struct position at = {{1}, 1};
	struct vector_message m = {.node = {PEER},
				   .origin = {2},
				   .serial = 2,
				   .digest = f.r.membership.digest,
				   .serving = true,
				   .at = &at,
				   .count = 1};
	cr_assert(replica_vector(&f.r, f.now, &m) == 0);
	cr_assert(replica_floor(&f.r, &checkpoint, &floor) == 0);
	cr_assert(vector_get(&floor, (struct origin){1}) == 1, "what the peer has");
	m.serial = at.lsn = 3;
	cr_assert(replica_vector(&f.r, f.now, &m) == 0);
	cr_assert(replica_floor(&f.r, &checkpoint, &floor) == 0);
	cr_assert(vector_get(&floor, (struct origin){1}) == 2, "what the checkpoint has");
	m.serial = 4;
	m.digest++;
	cr_assert(replica_vector(&f.r, f.now, &m) == 0);
	cr_assert(replica_floor(&f.r, &checkpoint, &floor) == 0);
	cr_assert(floor.count == 0, "it holds another membership");
	vector_deinit(&checkpoint);
	vector_deinit(&floor);
	stop(&f);
}

Test(replica, recovers_what_its_journal_holds)
{
	struct fixture f;
	start(&f);
	for (uint64_t lsn = 1; lsn <= 4; lsn++) {
		if (lsn == 3)
			continue; /* damaged */
		struct batch_box *box = make_batch(1, lsn, (int32_t)lsn);
		struct record *record = record_new((struct position){{5}, lsn}, &box, 1);
		cr_assert(record && message_encode_record(record) == 0);
		cr_assert(replica_replay(&f.r, record, f.now) == 0);
		cr_assert(replica_replay(&f.r, record, f.now) == 0);
		record_unref(record);
		batch_box_unref(box);
	}
	run(&f);
	cr_assert(likes(&f) == 3 && vector_get(&f.r.v, (struct origin){5}) == 2);
	cr_assert(f.r.ready.phase == PHASE_CATCHING_UP, "record 4 cannot be applied before 3 is found");
	stop(&f);
}

Test(replica, takes_nothing_more_while_it_drains)
{
	struct fixture f;
	start_serving(&f);
	batch(&f, 1, 1, 5);
	readiness_drain(&f.r.ready);
	batch(&f, 1, 2, 5);
	expect(&f, "refuse 2 not-serving, append 1:1, commit, publish 1:1, ack 1@1");
	stop(&f);
}

Test(replica, tells_its_vector_soon_after_a_commit)
{
	struct fixture f;
	start_serving(&f);
	tick(&f, 100 * MS);
	forget_trace(&f);
	batch(&f, 1, 1, 5);
	batch(&f, 1, 2, 5);
	expect(&f, "append 1:1, commit, publish 1:1, ack 1@1, ack 2@1");
	tick(&f, 9 * MS);
	expect(&f, "");
	tick(&f, 1 * MS);
	expect(&f, "vector");
	stop(&f);
}

Test(replica, keeps_a_number_of_a_hundred_thousand_sessions)
{
	struct fixture f;
	start_serving(&f);
	for (uint64_t number = 1; number <= 100000; number++) {
		batch(&f, number, 1, 1);
		forget_trace(&f);
		close_session(&f, number);
		forget_trace(&f);
		if (number % 64 == 0) {
			tick(&f, SECOND);
			forget_trace(&f);
		}
	}
	tick(&f, SECOND);
	forget_trace(&f);
	cr_assert(likes(&f) == 100000);
	cr_assert(f.r.sessions.seen.count == 0 && f.r.sessions.issuers.count == 1);
	const struct issuer *issuer = map_get(&f.r.sessions.issuers, 7, 0);
	cr_assert(issuer->forgotten.count == 1, "%zu intervals", issuer->forgotten.count);
	size_t bytes = f.r.sessions.seen.capacity * sizeof(struct map_slot) +
		       f.r.sessions.closing_capacity * sizeof(struct session) +
		       issuer->forgotten.capacity * sizeof(struct interval);
	cr_assert(bytes < 16384, "%zu bytes are left of them", bytes);
	stop(&f);
}
