/* SPDX-License-Identifier: MIT */
/* What a batch, and a question whether one was counted, is answered in each state of its session and of the
 * server; and what a journal's records become when they are read again. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "core/commit.h"
#include "core/lifetime.h"
#include "core/replica.h"
#include "kudos.h"
#include "unit/leak.h"
#include "wire/message.h"

struct world {
	struct replica r;
	int64_t now;
};

static void start(struct world *w)
{
	*w = (struct world){.now = 100 * SECOND};
	struct replica_config config = {
	    .self = {.node = {10}, .origin = {1}, .since = 1}, .seed = 1, .session_limit = 20, .alone = true};
	cr_assert(replica_init(&w->r, &config, w->now, true, NULL, 0) == 0);
	w->r.ready.phase = PHASE_SERVING;
}

static void stop(struct world *w)
{
	replica_deinit(&w->r);
	assert_no_leak();
}

static struct batch_box *box_of(uint64_t issuer, uint64_t number, uint64_t seq, int32_t n)
{
	struct event event = {"k", n, 1};
	return message_make_batch((struct session){issuer, number}, seq, &event, 1);
}

/* What the last action answers: an error; 0: an acknowledgement; -1: nothing yet. */
static int answered(struct world *w)
{
	struct action a;
	int answer = -1;
	while (replica_next(&w->r, &a)) {
		record_unref(a.record);
		if (a.type == ACTION_REFUSE)
			answer = a.error;
		else if (a.type == ACTION_ACK || a.type == ACTION_CLOSED)
			answer = 0;
	}
	return answer;
}

static int batch_of(struct world *w, uint64_t client, uint64_t issuer, uint64_t number, uint64_t seq)
{
	struct batch_box *box = box_of(issuer, number, seq, (int32_t)seq);
	cr_assert(replica_batch(&w->r, w->now, client, box) == 0);
	batch_box_unref(box);
	return answered(w);
}

static int batch(struct world *w, uint64_t number, uint64_t seq)
{
	return batch_of(w, 1, 7, number, seq);
}

static int seen(struct world *w, uint64_t number, uint64_t seq)
{
	cr_assert(replica_seen(&w->r, 1, (struct session){7, number}, seq) == 0);
	return answered(w);
}

static int shut(struct world *w, uint64_t number)
{
	struct batch_box *box = message_make_batch((struct session){7, number}, 0, NULL, 0);
	cr_assert(replica_close(&w->r, w->now, 1, box) == 0);
	batch_box_unref(box);
	return answered(w);
}

/* The next group commit, in one go. */
static int commit(struct world *w)
{
	struct action a;
	int answer = -1;
	cr_assert(replica_flush(&w->r) == 0);
	while (replica_next(&w->r, &a)) {
		record_unref(a.record);
		if (a.type == ACTION_COMMIT)
			cr_assert(replica_committed(&w->r, w->now) == 0);
		answer = a.type == ACTION_ACK || a.type == ACTION_CLOSED ? 0
			 : a.type == ACTION_REFUSE			 ? a.error
									 : answer;
	}
	return answer;
}

static struct seen *session(struct world *w, uint64_t number)
{
	return sessions_find(&w->r.sessions, (struct session){7, number});
}

Test(commit, a_batch_is_answered_by_its_sessions_state)
{
	struct world w;
	start(&w);
	cr_assert(seen(&w, 1, 1) == KUDOS_NOT_COUNTED);
	cr_assert(batch(&w, 1, 1) == -1 && w.r.group.pending_count == 1 && w.r.waiters.count == 1);
	cr_assert(seen(&w, 1, 1) == -1 && w.r.waiters.count == 2 && w.r.stats.again == 0, "it waits, too");
	cr_assert(seen(&w, 1, 2) == KUDOS_NOT_COUNTED);
	cr_assert(batch(&w, 1, 1) == -1 && w.r.stats.again == 1 && w.r.waiters.count == 3);
	cr_assert(batch(&w, 2, 1) == -1 && batch(&w, 2, 2) == -1);
	cr_assert(commit(&w) == 0 && w.r.waiters.count == 0 && w.r.group.pending_count == 0 &&
		  w.r.group.pending_bytes == 0);
	cr_assert(batch(&w, 1, 1) == 0 && w.r.stats.again == 2);
	cr_assert(seen(&w, 1, 1) == 0 && w.r.stats.again == 2);
	uint64_t refused = w.r.stats.refused;
	cr_assert(seen(&w, 1, 2) == KUDOS_NOT_COUNTED && w.r.stats.refused == refused, "which is an answer");
	session(&w, 1)->closed.lsn = 1;
	cr_assert(batch(&w, 1, 1) == 0 && batch(&w, 1, 2) == KUDOS_EXPIRED);
	cr_assert(seen(&w, 1, 1) == 0 && seen(&w, 1, 2) == KUDOS_EXPIRED && w.r.stats.refused == refused + 2);
	cr_assert(shut(&w, 1) == 0 && shut(&w, 99) == 0, "closed, and never used");
	cr_assert(sessions_forget(&w.r.sessions, (struct session){7, 1}) == 0);
	cr_assert(batch(&w, 1, 1) == KUDOS_EXPIRED && seen(&w, 1, 1) == KUDOS_EXPIRED);
	cr_assert(shut(&w, 2) == -1 && shut(&w, 2) == -1 && w.r.group.pending_count == 1 &&
		  w.r.waiters.count == 2);
	cr_assert(commit(&w) == 0 && seen_closed(session(&w, 2)));
	cr_assert(sessions_lapse(&w.r.sessions, (struct session){7, 5}, (struct position){{1}, 9}) == 0);
	cr_assert(batch(&w, 5, 1) == KUDOS_EXPIRED && seen(&w, 5, 1) == KUDOS_EXPIRED);
	cr_assert(batch(&w, 6, 1) == -1 && seen(&w, 7, 1) == KUDOS_NOT_COUNTED);
	commit(&w);
	w.r.ready.phase = PHASE_DRAINING;
	cr_assert(batch(&w, 6, 1) == KUDOS_NOT_SERVING && seen(&w, 6, 1) == KUDOS_NOT_SERVING &&
		  shut(&w, 6) == KUDOS_NOT_SERVING);
	stop(&w);
}

Test(commit, other_content_under_a_number_is_refused)
{
	struct world w;
	start(&w);
	struct batch_box *other = box_of(7, 1, 1, 99);
	cr_assert(batch(&w, 1, 2) == -1 && batch(&w, 2, 1) == -1 && batch(&w, 1, 1) == -1);
	cr_assert(replica_batch(&w.r, w.now, 1, other) == 0 && answered(&w) == KUDOS_CONFLICT);
	cr_assert(w.r.stats.again == 0);
	cr_assert(batch(&w, 1, 1) == -1, "that number of another session came first");
	cr_assert(commit(&w) == 0);
	cr_assert(replica_batch(&w.r, w.now, 1, other) == 0 && answered(&w) == KUDOS_CONFLICT);
	batch_box_unref(other);
	stop(&w);
}

Test(commit, there_is_room_for_so_many)
{
	struct world w;
	start(&w);
	w.r.config.runs = 1;
	cr_assert(vector_set(&w.r.v, (struct origin){5}, 1) == 0);
	cr_assert(batch(&w, 1, 1) == KUDOS_NOT_SERVING, "too many runs");
	w.r.config.runs = 10;
	for (uint64_t number = 1; number <= 20; number++)
		cr_assert(batch(&w, number, 1) == -1);
	cr_assert(batch(&w, 21, 1) == KUDOS_BUSY && batch(&w, 20, 2) == -1, "sessions");
	commit(&w);
	stop(&w);
	start(&w);
	for (uint64_t number = 2; number <= 40; number += 2)
		cr_assert(sessions_forget(&w.r.sessions, (struct session){7, number}) == 0);
	cr_assert(batch(&w, 41, 1) == KUDOS_BUSY, "intervals of forgotten ones");
	cr_assert(sessions_forget(&w.r.sessions, (struct session){7, 3}) == 0 && batch(&w, 41, 1) == -1);
	stop(&w);
	start(&w);
	uint64_t lasting = lifetime_issuer(7, 1);
	cr_assert(batch_of(&w, 1, lasting, 1, 1) == -1 && batch_of(&w, 1, lasting, 2, 1) == -1);
	cr_assert(batch_of(&w, 1, lasting, 3, 1) == KUDOS_BUSY && batch(&w, 1, 1) == -1, "a tenth may last");
	w.r.group.pending_bytes = LIMIT_PENDING_BYTES;
	cr_assert(batch(&w, 1, 2) == KUDOS_BUSY);
	struct batch_box *box = box_of(7, 1, 2, 2);
	w.r.group.pending_bytes = LIMIT_PENDING_BYTES - box->batch.raw_size;
	cr_assert(batch(&w, 1, 2) == -1, "it just fits");
	batch_box_unref(box);
	size_t waiters = w.r.waiters.count;
	w.r.waiters.count = LIMIT_WAITERS;
	cr_assert(batch(&w, 1, 1) == KUDOS_BUSY && seen(&w, 1, 1) == KUDOS_BUSY);
	w.r.waiters.count = waiters;
	stop(&w);
}

Test(commit, a_session_has_so_many_holes)
{
	struct world w;
	start(&w);
	cr_assert(batch(&w, 1, 1) == -1);
	for (uint64_t i = 1; i < LIMIT_SEEN_INTERVALS; i++)
		cr_assert(intervals_add(&session(&w, 1)->applied, 2 * i + 1, 2 * i + 1) == 0);
	cr_assert(batch(&w, 1, 100001) == KUDOS_BUSY);
	cr_assert(intervals_remove(&session(&w, 1)->applied, 3) == 0 && batch(&w, 1, 100001) == -1);
	stop(&w);
}

/* A session that was used lives on among numbers that have lapsed, until its own close. */
Test(commit, a_session_outlives_its_neighbours)
{
	struct world w;
	start(&w);
	cr_assert(batch(&w, 3, 1) == -1 && commit(&w) == 0);
	cr_assert(sessions_forget_range(&w.r.sessions, 7, 1, 5) == 0);
	cr_assert(batch(&w, 3, 2) == -1 && commit(&w) == 0 && batch(&w, 2, 1) == KUDOS_EXPIRED);
	cr_assert(counts_get(&w.r.counts, "k", 1) == 3);
	stop(&w);
}

Test(commit, what_was_closed_meanwhile_is_not_logged)
{
	struct world w;
	start(&w);
	cr_assert(batch(&w, 1, 1) == -1 && batch(&w, 1, 2) == -1 && batch(&w, 2, 1) == -1 &&
		  batch(&w, 9, 1) == -1);
	session(&w, 1)->closed.lsn = 1;
	cr_assert(sessions_lapse(&w.r.sessions, (struct session){7, 5}, (struct position){{1}, 9}) == 0);
	cr_assert(replica_flush(&w.r) == 0 && answered(&w) == KUDOS_EXPIRED);
	cr_assert(w.r.group.count == 1 && w.r.group.records[0]->batch_count == 1 && w.r.waiters.count == 1);
	cr_assert(!session(&w, 2) && session(&w, 1)->pending.count == 0, "nothing was in it");
	cr_assert(replica_committed(&w.r, w.now) == 0 && answered(&w) == 0);
	cr_assert(counts_get(&w.r.counts, "k", 1) == 1);
	stop(&w);
}

Test(commit, a_second_flush_waits_for_the_first)
{
	struct world w;
	start(&w);
	cr_assert(batch(&w, 1, 1) == -1 && replica_flush(&w.r) == 0 && w.r.group.committing);
	cr_assert(batch(&w, 1, 2) == -1 && batch(&w, 1, 1) == -1);
	cr_assert(replica_flush(&w.r) == 0 && w.r.group.count == 1 && w.r.group.pending_count == 1);
	cr_assert(replica_committed(&w.r, w.now) == 0 && answered(&w) == 0);
	cr_assert(w.r.waiters.count == 1 && commit(&w) == 0 && w.r.waiters.count == 0);
	stop(&w);
}

Test(commit, is_worth_it_at_once_or_when_enough_has_gathered)
{
	struct world w;
	start(&w);
	cr_assert(replica_flush(&w.r) == 0 && replica_committed(&w.r, w.now) == 0);
	w.r.config.lazy = MS;
	cr_assert(replica_flush_at(&w.r, true) == NEVER, "nothing waits");
	w.r.membership.dirty = true;
	gather_others(&w.r.group.gather, w.now);
	cr_assert(replica_flush_at(&w.r, false) == 0, "the membership");
	w.r.membership.dirty = false;
	w.r.group.incoming_count = 1;
	cr_assert(replica_flush_at(&w.r, false) == w.now + MS, "others' records");
	cr_assert(replica_flush_at(&w.r, true) == w.now, "somebody looks");
	w.r.config.ack_peers = 1;
	cr_assert(replica_flush_at(&w.r, false) == w.now, "somebody counts on it");
	w.r.config.ack_peers = 0;
	w.r.ready.phase = PHASE_CATCHING_UP;
	cr_assert(replica_flush_at(&w.r, false) == 0);
	w.r.group.committing = true;
	cr_assert(replica_flush_at(&w.r, false) == NEVER);
	w.r.group.committing = false;
	w.r.group.incoming_count = 0;
	stop(&w);
}

Test(commit, a_resend_waits_once_for_the_peers)
{
	struct world w;
	start(&w);
	cr_assert(batch(&w, 1, 1) == -1 && batch(&w, 1, 2) == -1 && batch(&w, 2, 1) == -1 && commit(&w) == 0);
	w.r.config.ack_peers = 1;
	cr_assert(batch(&w, 1, 1) == -1 && w.r.waiters.count == 1);
	cr_assert(batch(&w, 1, 1) == -1 && w.r.waiters.count == 1, "the same");
	cr_assert(batch(&w, 1, 2) == -1 && w.r.waiters.count == 2);
	cr_assert(batch(&w, 2, 1) == -1 && w.r.waiters.count == 3);
	cr_assert(batch_of(&w, 5, 7, 1, 1) == -1 && w.r.waiters.count == 4, "another client");
	w.r.config.ack_peers = 0;
	cr_assert(replica_acknowledge(&w.r) == 0 && answered(&w) == 0 && w.r.waiters.count == 0);
	stop(&w);
}

/* ---- reading the journal again ---- */

static void replay(struct world *w, uint64_t origin, uint64_t lsn)
{
	struct batch_box *box = box_of(8, origin, lsn, 1);
	struct record *record = record_new((struct position){{origin}, lsn}, &box, 1);
	cr_assert(record && message_encode_record(record) == 0);
	cr_assert(replica_replay(&w->r, record, w->now) == 0);
	record_unref(record);
	batch_box_unref(box);
}

static uint64_t applied(const struct world *w, uint64_t origin)
{
	return vector_get(&w->r.v, (struct origin){origin});
}

Test(commit, a_journal_is_read_in_order)
{
	struct world w;
	start(&w);
	replay(&w, 5, 1);
	replay(&w, 5, 2);
	replay(&w, 5, 2);
	cr_assert(applied(&w, 5) == 2 && !logs_find(&w.r.logs, (struct origin){5}), "nothing is open");
	replay(&w, 5, 5);
	replay(&w, 5, 4);
	replay(&w, 5, 7);
	struct log *log = logs_find(&w.r.logs, (struct origin){5});
	cr_assert(log->damaged == 7 && log->known == 7 && log->waiting_count == 3 && applied(&w, 5) == 2);
	replay(&w, 5, 3);
	cr_assert(applied(&w, 5) == 5 && log->waiting_count == 1 && log->appended == 5);
	replay(&w, 5, 6);
	cr_assert(applied(&w, 5) == 7 && log->waiting_count == 0 && log->appended == 7 && log->damaged == 7);
	replay(&w, 5, 8);
	cr_assert(applied(&w, 5) == 8 && log->known == 8 && log->damaged == 7);
	cr_assert(counts_get(&w.r.counts, "k", 1) == 8, "each once");
	replica_close_logs(&w.r);
	cr_assert(!logs_find(&w.r.logs, (struct origin){5}));
	stop(&w);
}

Test(commit, what_is_gone_is_missed_until_it_is_here)
{
	struct world w;
	start(&w);
	replay(&w, 5, 1);
	cr_assert(replica_replay_gone(&w.r, (struct position){{5}, 1}) == 0);
	cr_assert(replica_replay_gone(&w.r, (struct position){{6}, 0}) == 0 && w.r.logs.by_origin.count == 0);
	cr_assert(replica_replay_gone(&w.r, (struct position){{5}, 4}) == 0);
	struct log *log = logs_find(&w.r.logs, (struct origin){5});
	cr_assert(log->damaged == 4 && log->known == 4 && log->appended == 1);
	cr_assert(replica_replay_gone(&w.r, (struct position){{5}, 3}) == 0);
	cr_assert(log->damaged == 4 && log->known == 4, "the highest");
	cr_assert(replica_replay_gone(&w.r, (struct position){{5}, 6}) == 0);
	cr_assert(log->damaged == 6 && log->known == 6);
	replica_close_logs(&w.r);
	cr_assert(logs_find(&w.r.logs, (struct origin){5}), "it is not forgotten");
	cr_assert(replica_lag(&w.r) == 5);
	stop(&w);
}
