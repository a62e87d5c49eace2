/* SPDX-License-Identifier: MIT */
/* One server's rules, fed by hand; what it wants done is read as a trace:
 *   meta, append 1:2, commit        to the journal; the disk here says "durable" at once, unless it is
 * stopped publish 1:2, vector, tell 20    to every peer, to every peer, to node 20 ack 3@2, ack 3@V batch 3
 * is durable, in this server's record 2, or within its vector refuse 3 conflict, closed       to the client
 *   fetch 20 2:1-4, snapshot 20     asked of node 20 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "core/replica.h"
#include "kudos.h"
#include "unit/leak.h"
#include "wire/message.h"

#define SELF 10 /* node; its origin is 1 */
#define PEER 20 /* node; its origin is 2 */

struct fixture {
	struct replica r;
	int64_t now;
	bool disk_stopped; /* a commit does not end until finish_commit() */
	char trace[4096];
	size_t used;
};

static void note(struct fixture *f, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (f->used)
		f->used += (size_t)snprintf(f->trace + f->used, sizeof f->trace - f->used, ", ");
	f->used += (size_t)vsnprintf(f->trace + f->used, sizeof f->trace - f->used, format, arguments);
	va_end(arguments);
	cr_assert(f->used < sizeof f->trace);
}

static void note_client(struct fixture *f, const struct action *a)
{
	unsigned long long seq = a->seq, lsn = a->lsn;
	if (a->type == ACTION_CLOSED)
		note(f, "closed");
	else if (a->type == ACTION_REFUSE)
		note(f, "refuse %llu %s", seq, kudos_error_code(a->error));
	else if (lsn)
		note(f, "ack %llu@%llu", seq, lsn);
	else
		note(f, "ack %llu@V", seq);
}

static void note_action(struct fixture *f, const struct action *a)
{
	const struct position at = a->record ? a->record->at : (struct position){0};
	unsigned long long origin = at.origin.id, lsn = at.lsn, node = a->node.id;
	switch (a->type) {
	case ACTION_APPEND:
		cr_assert(a->record->raw || message_encode_record(a->record) == 0);
		note(f, "append %llu:%llu", origin, lsn);
		break;
	case ACTION_PUBLISH:
		note(f, "publish %llu:%llu", origin, lsn);
		break;
	case ACTION_ACK:
	case ACTION_REFUSE:
	case ACTION_CLOSED:
		note_client(f, a);
		break;
	case ACTION_FETCH:
		note(f, "fetch %llu %llu:%llu-%llu", node, (unsigned long long)a->origin.id,
		     (unsigned long long)a->from, (unsigned long long)a->to);
		break;
	case ACTION_REACH:
		note(f, "reach %llu %llu", node, (unsigned long long)a->origin.id);
		break;
	case ACTION_APPEND_META:
		note(f, "meta");
		break;
	case ACTION_COMMIT:
		note(f, "commit");
		break;
	case ACTION_PUBLISH_VECTOR:
		note(f, "vector");
		break;
	case ACTION_SNAPSHOT:
		note(f, "snapshot %llu", node);
		break;
	case ACTION_TELL_MEMBERS:
		note(f, "tell %llu", node);
		break;
	case ACTION_MEMBERS:
		note(f, "members");
		break;
	case ACTION_CLOSE_IDLE:
	case ACTION_LAPSE:
		note(f, "%s %llu", a->type == ACTION_LAPSE ? "lapse" : "idle",
		     (unsigned long long)a->session.number);
		break;
	}
}

static void run(struct fixture *f)
{
	struct action a;
	do {
		cr_assert(replica_flush(&f->r) == 0);
		while (replica_next(&f->r, &a)) {
			note_action(f, &a);
			record_unref(a.record);
			if (a.type == ACTION_COMMIT && !f->disk_stopped)
				cr_assert(replica_committed(&f->r, f->now) == 0);
		}
	} while (!f->r.committing && (f->r.meta_dirty || f->r.pending_count || f->r.incoming_count));
}

static void finish_commit(struct fixture *f)
{
	f->disk_stopped = false;
	cr_assert(replica_committed(&f->r, f->now) == 0);
	run(f);
}

/* Runs what there is to do and compares the trace since the last time. */
static void expect(struct fixture *f, const char *trace)
{
	run(f);
	cr_assert(strcmp(f->trace, trace) == 0, "\n  %s\ninstead of\n  %s", f->trace, trace);
	f->used = 0;
	f->trace[0] = '\0';
}

static void forget_trace(struct fixture *f)
{
	run(f);
	f->used = 0;
	f->trace[0] = '\0';
}

static void start(struct fixture *f)
{
	*f = (struct fixture){.now = 100 * SECOND};
	struct replica_config config = {
	    .self = {.node = {SELF}, .origin = {1}, .since = 1, .name = "s1"}, .seed = 1, .alone = true};
	cr_assert(replica_init(&f->r, &config, f->now, false, NULL, 0) == 0);
	cr_assert(replica_loaded(&f->r) == 0);
}

static void start_serving(struct fixture *f)
{
	start(f);
	forget_trace(f);
	cr_assert(f->r.phase == PHASE_SERVING);
}

static void stop(struct fixture *f)
{
	replica_deinit(&f->r);
	assert_no_leak();
}

static struct batch_box *make_batch(uint64_t number, uint64_t seq, int32_t n)
{
	struct event event = {"likes", n, 5};
	struct batch_box *box = message_make_batch((struct session){7, number}, seq, &event, 1);
	cr_assert_not_null(box);
	return box;
}

static void batch(struct fixture *f, uint64_t number, uint64_t seq, int32_t n)
{
	struct batch_box *box = make_batch(number, seq, n);
	cr_assert(replica_batch(&f->r, f->now, 1, box) == 0);
	batch_box_unref(box);
}

static void close_session(struct fixture *f, uint64_t number)
{
	struct batch_box *box = message_make_batch((struct session){7, number}, 0, NULL, 0);
	cr_assert(replica_close(&f->r, f->now, 1, box) == 0);
	batch_box_unref(box);
}

/* The peer's record lsn with one batch. */
static void peer_box(struct fixture *f, uint64_t lsn, struct batch_box *box, bool published)
{
	struct record *record = record_new((struct position){{2}, lsn}, &box, 1);
	cr_assert(record && message_encode_record(record) == 0);
	cr_assert(replica_record(&f->r, f->now, record, published) == 0);
	record_unref(record);
	batch_box_unref(box);
}

static void peer_record(struct fixture *f, uint64_t lsn, uint64_t number, uint64_t seq, int32_t n,
			bool published)
{
	peer_box(f, lsn, make_batch(number, seq, n), published);
}

static void peer_close(struct fixture *f, uint64_t lsn, uint64_t number)
{
	peer_box(f, lsn, message_make_batch((struct session){7, number}, 0, NULL, 0), true);
}

/* The peer says that it has our membership, serves, and has applied its own records up to lsn. */
static void peer_vector(struct fixture *f, uint64_t serial, uint64_t lsn)
{
	struct position at = {{2}, lsn};
	struct vector_message m = {.node = {PEER},
				   .origin = {2},
				   .serial = serial,
				   .digest = f->r.digest,
				   .all = vector_digest_with(&(struct vector){0}, &at, 1),
				   .serving = true,
				   .at = &at,
				   .count = lsn ? 1 : 0};
	cr_assert(replica_vector(&f->r, f->now, &m) == 0);
}

static void add_peer(struct fixture *f)
{
	struct member row = {.node = {PEER}, .origin = {2}, .since = 1, .name = "s2"};
	cr_assert(replica_members(&f->r, f->now, (struct node){0}, &row, 1) == 0);
	run(f);
	peer_vector(f, 1, 0);
	forget_trace(f);
}

static void tick(struct fixture *f, int64_t later)
{
	f->now += later;
	cr_assert(replica_tick(&f->r, f->now) == 0);
}

static int64_t likes(const struct fixture *f)
{
	return counts_get(&f->r.counts, "likes", 5);
}

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
	cr_assert(f.r.phase == PHASE_SERVING);
	expect(&f, "members, vector, vector, meta, commit, vector");
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
		struct vector_message m = {.node = {PEER},
					   .origin = {2},
					   .serial = serial,
					   .digest = f.r.digest,
					   .all = vector_digest_with(&(struct vector){0}, both, 1),
					   .serving = true,
					   .at = both,
					   .count = 1};
		cr_assert(replica_vector(&f.r, f.now, &m) == 0);
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
	expect(&f, "fetch 20 2:1-2");
	peer_record(&f, 2, 2, 2, 10, false);
	expect(&f, "");
	peer_record(&f, 1, 2, 1, 1, false);
	expect(&f, "append 2:1, append 2:2, append 2:3, commit");
	cr_assert(likes(&f) == 111 && vector_get(&f.r.v, (struct origin){2}) == 3);
	cr_assert(replica_lag(&f.r) == 1);
	cr_assert(replica_fetched(&f.r, f.now, (struct origin){2}) == 0); /* the lost tail */
	expect(&f, "fetch 20 2:4-4");
	peer_record(&f, 2, 2, 2, 10, false);
	expect(&f, "");
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
	cr_assert(replica_gone(&f.r, f.now, (struct node){PEER}, (struct origin){2}) == 0);
	expect(&f, "snapshot 20");
	stop(&f);
}

Test(replica, hears_nothing_from_those_that_are_forgotten)
{
	struct fixture f;
	start_serving(&f);
	add_peer(&f);
	cr_assert(replica_forget(&f.r, f.now, (struct node){PEER}) == 0);
	cr_assert(replica_forget(&f.r, f.now, (struct node){99}) == KUDOS_UNKNOWN_NODE);
	expect(&f, "meta, commit, members, vector");
	cr_assert(f.r.peer_count == 0);
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
	m.digest = f.r.digest;
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
				   .digest = f.r.digest,
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
	cr_assert(f.r.phase == PHASE_CATCHING_UP, "record 4 cannot be applied before 3 is found");
	stop(&f);
}

Test(replica, takes_nothing_more_while_it_drains)
{
	struct fixture f;
	start_serving(&f);
	batch(&f, 1, 1, 5);
	replica_drain(&f.r);
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
		       f.r.closing_capacity * sizeof(struct session) +
		       issuer->forgotten.capacity * sizeof(struct interval);
	cr_assert(bytes < 16384, "%zu bytes are left of them", bytes);
	stop(&f);
}
