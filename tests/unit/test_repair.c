/* SPDX-License-Identifier: MIT */
/* How a server gets what peers have and it lacks: what waits, whom it asks, and when. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/heard.h"
#include "core/reach.h"
#include "core/repair.h"
#include "core/replica.h"
#include "kudos.h"
#include "unit/leak.h"
#include "wire/message.h"

#define PEERS 3 /* nodes 20, 21, 22; their origins 2, 3, 4 */

struct world {
	struct replica r;
	int64_t now;
	struct action last; /* the last one that asks a peer for something */
	unsigned asked;	    /* how many did, since it was last looked */
};

static void carry_out(struct world *w)
{
	struct action a;
	w->asked = 0;
	while (replica_next(&w->r, &a)) {
		record_unref(a.record);
		if (a.type == ACTION_FETCH || a.type == ACTION_SNAPSHOT) {
			w->last = a;
			w->asked++;
		}
		if (a.type == ACTION_COMMIT)
			cr_assert(replica_committed(&w->r, w->now) == 0);
	}
}

static void start(struct world *w)
{
	struct member rows[PEERS];
	*w = (struct world){.now = 100 * SECOND};
	struct replica_config config = {
	    .self = {.node = {10}, .origin = {1}, .since = 1}, .seed = 1, .gaps = 4, .alone = true};
	for (uint64_t i = 0; i < PEERS; i++)
		rows[i] = (struct member){.node = {20 + i}, .origin = {2 + i}, .since = 1};
	cr_assert(replica_init(&w->r, &config, w->now, true, rows, PEERS) == 0);
	cr_assert(replica_flush(&w->r) == 0);
	carry_out(w);
	w->r.ready.phase = PHASE_SERVING;
	for (uint64_t i = 0; i < PEERS; i++) {
		struct peer *p = &w->r.peers.list[i];
		p->origin.id = 2 + i;
		p->exact = p->serving = p->confirmed = p->vouched = true;
		p->heard = w->now;
		replica_log(&w->r, p->origin)->owner = p->node;
	}
}

static void stop(struct world *w)
{
	replica_deinit(&w->r);
	assert_no_leak();
}

static struct log *log_of(struct world *w, uint64_t origin)
{
	return logs_find(&w->r.logs, (struct origin){origin});
}

static size_t receive(struct world *w, uint64_t origin, uint64_t lsn, bool published)
{
	struct event event = {"k", 1, 1};
	struct batch_box *box = message_make_batch((struct session){7, 1}, lsn, &event, 1);
	struct record *record = record_new((struct position){{origin}, lsn}, &box, 1);
	cr_assert(record && message_encode_record(record) == 0);
	cr_assert(replica_record(&w->r, w->now, record, published) == 0);
	size_t size = record->raw_size;
	record_unref(record);
	batch_box_unref(box);
	return size;
}

/* The peers with these bits have origin's records up to lsn, and have said so. */
static void hold(struct world *w, unsigned peers, uint64_t origin, uint64_t lsn)
{
	struct position at = {{origin}, lsn};
	for (unsigned i = 0; i < PEERS; i++) {
		if (peers >> i & 1)
			cr_assert(vector_set(&w->r.peers.list[i].vector, at.origin, lsn) == 0);
	}
	cr_assert(replica_learn(&w->r, w->now, &at, 1) == 0);
}

static void later(struct world *w, int64_t time)
{
	w->now += time;
	for (size_t i = 0; i < PEERS; i++)
		w->r.peers.list[i].heard = w->now;
	cr_assert(replica_repair(&w->r, w->now) == 0);
	carry_out(w);
}

Test(repair, what_is_beyond_a_gap_waits_in_order)
{
	struct world w;
	start(&w);
	struct log *log = log_of(&w, 2);
	size_t size = receive(&w, 2, 5, true);
	receive(&w, 2, 3, true);
	receive(&w, 2, 4, true);
	receive(&w, 2, 3, true);
	receive(&w, 2, 5, true);
	cr_assert(log->waiting_count == 3 && w.r.logs.waiting_bytes == 3 * size && w.r.stats.gaps == 5);
	for (uint64_t i = 0; i < 3; i++)
		cr_assert(log->waiting[i]->at.lsn == 3 + i);
	cr_assert(log->appended == 0 && log->known == 5 && log->gap_since == w.now);
	logs_drop_waiting(&w.r.logs, log, 0);
	logs_drop_waiting(&w.r.logs, log, 1);
	cr_assert(log->waiting_count == 2 && log->waiting[0]->at.lsn == 4 &&
		  w.r.logs.waiting_bytes == 2 * size);
	receive(&w, 2, 1, true);
	cr_assert(log->appended == 1 && log->waiting_count == 2 && w.r.group.incoming_count == 1);
	receive(&w, 2, 3, true);
	receive(&w, 2, 2, true);
	cr_assert(log->appended == 5 && log->waiting_count == 0 && w.r.group.incoming_count == 5);
	cr_assert(w.r.logs.waiting_bytes == 0 && w.r.group.incoming_bytes == 5 * size && log->gap_since == 0);
	receive(&w, 2, 5, true);
	cr_assert(w.r.group.incoming_count == 5, "already on its way");
	w.r.logs.waiting_bytes = LIMIT_REORDER_BYTES - size;
	receive(&w, 2, 8, true);
	receive(&w, 2, 9, true);
	cr_assert(log->waiting_count == 1 && w.r.logs.waiting_bytes == LIMIT_REORDER_BYTES, "no more fits");
	stop(&w);
}

Test(repair, only_members_runs_are_listened_to)
{
	struct world w;
	start(&w);
	receive(&w, 1, 1, true);
	receive(&w, 9, 1, true);
	cr_assert(w.r.group.incoming_count == 0 && !log_of(&w, 9), "its own, and nobody's");
	receive(&w, 9, 1, false);
	cr_assert(w.r.group.incoming_count == 1 && log_of(&w, 9), "a member gave it");
	receive(&w, 9, 2, true);
	cr_assert(w.r.group.incoming_count == 1, "it is no member's run");
	log_of(&w, 9)->owner.id = 99;
	receive(&w, 9, 2, true);
	cr_assert(w.r.group.incoming_count == 1);
	cr_assert(vector_set(&w.r.v, (struct origin){3}, 4) == 0);
	receive(&w, 3, 4, true);
	cr_assert(w.r.group.incoming_count == 1, "applied");
	for (uint64_t origin = 50; origin < 60; origin++)
		receive(&w, origin, 2, false);
	cr_assert(replica_logs_full(&w.r) && w.r.logs.by_origin.count == 4 + PEERS + 1, "no more at a time");
	stop(&w);
}

Test(repair, what_is_known_only_rises)
{
	struct log log = {.appended = 3};
	log_note_known(&log, 5, 10);
	log_note_known(&log, 4, 20);
	cr_assert(log.known == 5 && log.gap_since == 10, "since it was first noticed");
	log.appended = 5;
	log_note_known(&log, 5, 30);
	cr_assert(log.known == 5 && log.gap_since == 0);
}

Test(repair, a_gap_is_fetched_after_a_moment_from_its_owner_first)
{
	struct world w;
	start(&w);
	hold(&w, 7, 3, 6);
	later(&w, 20 * MS - 1);
	cr_assert(w.asked == 0);
	later(&w, 1);
	cr_assert(w.asked == 1 && w.last.type == ACTION_FETCH && w.last.node.id == 21);
	cr_assert(w.last.origin.id == 3 && w.last.from == 1 && w.last.to == 6 && w.r.stats.fetches == 1);
	later(&w, 500 * MS - 1);
	cr_assert(w.asked == 0, "it has time to answer");
	later(&w, 1);
	cr_assert(w.asked == 1 && w.last.node.id == 22 && log_of(&w, 3)->tries == 1);
	later(&w, 1000 * MS - 1);
	cr_assert(w.asked == 0, "and the next twice as long");
	later(&w, 1);
	cr_assert(w.asked == 1 && w.last.node.id == 20 && log_of(&w, 3)->tries == 2, "in turn");
	receive(&w, 3, 4, true);
	log_of(&w, 3)->asked_until = 0;
	later(&w, 500 * MS);
	cr_assert(w.last.to == 6 && log_of(&w, 3)->tries == 2, "the fourth comes again: so do those beyond");
	receive(&w, 3, 1, false);
	log_of(&w, 3)->gap_since = w.now;
	cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, w.last.from}) == 0);
	carry_out(&w);
	cr_assert(w.asked == 1 && w.last.from == 2 && w.last.to == 6, "there is more: asked for at once");
	cr_assert(w.last.node.id == 20, "of who brought something");
	receive(&w, 3, 2, false);
	receive(&w, 3, 3, false);
	receive(&w, 3, 5, false);
	receive(&w, 3, 6, false);
	cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, w.last.from}) == 0);
	cr_assert(replica_fetched(&w.r, w.now, (struct position){{77}, 1}) == 0);
	log_of(&w, 3)->asked_from = 100;
	cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, 100}) == 0);
	later(&w, SECOND);
	cr_assert(log_of(&w, 3)->tries == 0, "nothing was asked; next time the owner first again");
	cr_assert(w.asked == 0 && log_of(&w, 3)->gap_since == 0);
	stop(&w);
}

/* Over a long way an answer may come after another was asked: what is under way is not asked for once more.
 */
Test(repair, a_late_answer_is_not_taken_for_the_one_that_is_awaited)
{
	struct world w;
	start(&w);
	hold(&w, 7, 3, 6);
	later(&w, 20 * MS);
	later(&w, 500 * MS);
	cr_assert(w.asked == 1 && w.last.from == 1, "asked twice");
	receive(&w, 3, 1, false);
	cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, 1}) == 0);
	carry_out(&w);
	cr_assert(w.asked == 1 && w.last.from == 2, "there is more");
	receive(&w, 3, 1, false);
	cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, 1}) == 0);
	cr_assert(replica_gone(&w.r, w.now, w.last.node, (struct position){{3}, 1}) == 0);
	later(&w, 1000 * MS - 1);
	cr_assert(w.asked == 0 && log_of(&w, 3)->tries == 1, "the answer from 2 on is awaited still");
	later(&w, 1);
	cr_assert(w.asked == 1 && w.last.from == 2);
	for (int i = 0; i < 8; i++)
		later(&w, 4 * SECOND); /* for ever, and not ever more rarely */
	cr_assert(w.asked == 1 && log_of(&w, 3)->late == 2);
	for (uint64_t lsn = 2; lsn <= 4; lsn++) {
		static const unsigned late[] = {2, 2, 1};
		receive(&w, 3, lsn, false);
		w.now += lsn == 4 ? SECOND - 1 : SECOND;
		w.r.peers.list[1].heard = w.now;
		cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, lsn}) == 0);
		cr_assert(log_of(&w, 3)->late == late[lsn - 2], "asked twice; took long; came soon");
	}
	log_of(&w, 3)->asked_until = log_of(&w, 3)->tries = 0; /* nothing is asked */
	cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, 5}) == 0 && log_of(&w, 3)->tries == 0);
	stop(&w);
}

Test(repair, who_did_not_know_the_asker_is_asked_again_when_it_does)
{
	struct world w;
	start(&w);
	hold(&w, 2, 3, 6);
	hold(&w, 1, 2, 6);
	later(&w, 20 * MS);
	cr_assert(w.asked == 2);
	cr_assert(replica_welcomed(&w.r, w.now, (struct node){22}) == 0);
	carry_out(&w);
	cr_assert(w.asked == 0, "it was asked nothing");
	w.r.peers.list[1].exact = false;
	w.r.peers.list[1].ask_at = NEVER;
	cr_assert(replica_welcomed(&w.r, w.now, (struct node){21}) == 0);
	cr_assert(w.r.peers.list[1].ask_at < NEVER, "nor is its vector to be waited for");
	carry_out(&w);
	cr_assert(w.asked == 1 && w.last.node.id == 21 && w.last.origin.id == 3 && w.last.from == 1);
	cr_assert(log_of(&w, 3)->tries == 0 && log_of(&w, 3)->late == 0, "that is no failure");
	w.r.peers.list[1].exact = true;
	w.r.peers.list[1].ask_at = NEVER;
	cr_assert(replica_welcomed(&w.r, w.now, (struct node){21}) == 0);
	cr_assert(w.r.peers.list[1].ask_at == NEVER, "its vector is known");
	cr_assert(replica_welcomed(&w.r, w.now, (struct node){99}) == 0, "no member");
	carry_out(&w);
	stop(&w);
}

/* What an answer in good time says of patience. */
Test(repair, patience_ends_where_answers_are_quick)
{
	struct world w;
	start(&w);
	hold(&w, 7, 3, 6);
	for (uint32_t late = 0; late < 3; late++) {
		struct log *log = log_of(&w, 3);
		log->asked_until = 0;
		log->gap_since = w.now - SECOND;
		log->late = late;
		later(&w, 0);
		cr_assert(w.asked == 1);
		cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, 1}) == 0);
		carry_out(&w);
		cr_assert(log->late == (late ? late - 1 : 0), "%u", (unsigned)late);
	}
	stop(&w);
}

Test(repair, what_is_whole_has_no_gap)
{
	struct world w;
	start(&w);
	struct log *log = replica_log(&w.r, (struct origin){30});
	log->gap_since = 5;
	later(&w, 0);
	cr_assert(log->gap_since == 0 && w.asked == 0);
	log->known = log->appended = 4;
	log->gap_since = 5;
	later(&w, 0);
	cr_assert(log->gap_since == 0 && w.asked == 0);
	stop(&w);
}

/* The shared journal is one more that may be asked, after the peers. */
Test(repair, the_shared_journal_is_asked_in_its_turn)
{
	struct world w;
	start(&w);
	hold(&w, 2, 30, 6);
	struct log *log = log_of(&w, 30);
	log->held = 6;
	for (uint32_t tries = 0; tries < 6; tries++) {
		log->asked_until = 0;
		log->gap_since = w.now - SECOND;
		log->tries = tries;
		later(&w, 0);
		cr_assert(w.asked == 1 && w.last.type == ACTION_FETCH);
		cr_assert(w.last.node.id == (tries % 2 ? 10 : 21), "%u", (unsigned)tries);
	}
	cr_assert(vector_set(&w.r.peers.list[1].vector, (struct origin){30}, 0) == 0);
	log->asked_until = 0;
	log->gone = 1;
	later(&w, 0);
	cr_assert(w.asked == 1 && w.last.type == ACTION_FETCH && w.last.node.id == 10, "nobody else has it");
	stop(&w);
}

/* What others tell of may overtake what the owner published. */
Test(repair, what_its_owner_does_not_tell_of_yet_is_on_its_way)
{
	struct world w;
	start(&w);
	hold(&w, 4, 3, 6);
	later(&w, SECOND);
	cr_assert(w.asked == 0 && log_of(&w, 3)->known == 6);
	receive(&w, 3, 1, true);
	later(&w, SECOND);
	cr_assert(w.asked == 0, "it comes");
	hold(&w, 2, 3, 2);
	later(&w, 20 * MS - 1);
	cr_assert(w.asked == 0, "a moment, as ever");
	later(&w, 1);
	cr_assert(w.asked == 1 && w.last.from == 2, "the owner's word overtakes nothing: it was lost");
	receive(&w, 3, 2, true);
	cr_assert(replica_fetched(&w.r, w.now, (struct position){{3}, 2}) == 0);
	carry_out(&w);
	cr_assert(w.asked == 0);
	receive(&w, 3, 4, true);
	later(&w, 20 * MS);
	cr_assert(w.asked == 1 && w.last.from == 3, "nor does what it published later");
	stop(&w);
	start(&w);
	hold(&w, 4, 3, 6);
	w.now += 1500 * MS;
	w.r.peers.list[2].heard = w.now;
	cr_assert(replica_repair(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.asked == 1 && w.last.node.id == 22, "who is silent sends nothing");
	stop(&w);
}

/* Seed 210232467: between two records of a peer that came over 80 ms, each soon after the vector that tells
 * of it. */
Test(repair, a_gap_that_another_leaves_begins_anew)
{
	struct world w;
	start(&w);
	hold(&w, 2, 3, 1);
	hold(&w, 4, 3, 2);
	w.now += 19 * MS;
	receive(&w, 3, 1, true);
	w.now += 21 * MS;
	hold(&w, 2, 3, 2);
	later(&w, 0);
	cr_assert(w.asked == 0);
	later(&w, 20 * MS);
	cr_assert(w.asked == 1 && w.last.from == 2);
	receive(&w, 3, 2, true);
	cr_assert(log_of(&w, 3)->gap_since == 0);
	stop(&w);
}

/* Seed 210304303: a peer told of what a node had written, came back as an old copy of itself, and the node
 * was forgotten: what is told of by nobody was waited for without end. */
Test(repair, what_a_forgotten_node_had_is_known_as_long_as_a_member_tells_of_it)
{
	struct world w;
	start(&w);
	hold(&w, 2, 77, 5);
	struct log *log = log_of(&w, 77);
	cr_assert(log->known == 5);
	vector_clear(&w.r.peers.list[1].vector);
	cr_assert(replica_relearn(&w.r, w.now) == 0);
	cr_assert(log->known == 5, "whose it is is not known");
	log->owner.id = 22;
	cr_assert(replica_relearn(&w.r, w.now) == 0);
	cr_assert(log->known == 5, "it may come back");
	members_find(&w.r.membership.current, log->owner)->forgotten = true;
	hold(&w, 1, 77, 1);
	cr_assert(replica_relearn(&w.r, w.now) == 0);
	cr_assert(log->known == 5, "another has some of it");
	vector_clear(&w.r.peers.list[0].vector);
	cr_assert(vector_set(&w.r.peers.list[0].vector, log->origin, log->appended = 4) == 0);
	cr_assert(replica_relearn(&w.r, w.now) == 0);
	cr_assert(log->known == 4);
	log->known = 3;
	cr_assert(replica_relearn(&w.r, w.now) == 0);
	cr_assert(log->known == 3);
	stop(&w);
}

Test(repair, only_who_is_there_and_has_it_is_asked)
{
	struct world w;
	start(&w);
	w.r.peers.list[1].origin.id = 33; /* the owner has begun another run, and lost it */
	hold(&w, 4, 3, 6);
	later(&w, 20 * MS);
	cr_assert(w.asked == 1 && w.last.node.id == 22 && w.last.to == 6);
	hold(&w, 2, 4, 2);
	w.r.peers.list[1].heard = 0;
	w.now += SECOND / 10;
	cr_assert(replica_repair(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.asked == 0, "the one that has it is out of reach");
	cr_assert(vector_set(&w.r.peers.list[2].vector, (struct origin){4}, 0) == 0 ||
		  vector_get(&w.r.peers.list[2].vector, (struct origin){4}) == 0);
	stop(&w);
}

Test(repair, a_snapshot_when_no_holder_keeps_the_records)
{
	struct world w;
	start(&w);
	hold(&w, 3, 3, 6);
	later(&w, 20 * MS);
	cr_assert(w.last.node.id == 21);
	cr_assert(replica_gone(&w.r, w.now, (struct node){20}, (struct position){{3}, 1}) == 0);
	cr_assert(replica_gone(&w.r, w.now, (struct node){21}, (struct position){{77}, 1}) == 0);
	carry_out(&w);
	cr_assert(w.asked == 0 && log_of(&w, 3)->gone == 0, "not from whom it was asked");
	cr_assert(replica_gone(&w.r, w.now, (struct node){21}, (struct position){{3}, 1}) == 0);
	carry_out(&w);
	cr_assert(w.asked == 1 && w.last.type == ACTION_FETCH && w.last.node.id == 20);
	w.r.peers.list[0].serving = w.r.peers.list[1].serving = false;
	cr_assert(replica_gone(&w.r, w.now, (struct node){20}, (struct position){{3}, 1}) == 0);
	carry_out(&w);
	cr_assert(w.asked == 0 && w.r.ready.phase == PHASE_SERVING, "who catches up itself has none to give");
	w.r.peers.list[0].serving = w.r.peers.list[1].serving = true;
	later(&w, 1);
	cr_assert(w.asked == 1 && w.last.type == ACTION_SNAPSHOT && w.r.ready.phase == PHASE_CATCHING_UP);
	cr_assert(node_equal(w.r.snapshot.from, w.last.node) && !w.r.peers.list[0].confirmed &&
		  !w.r.peers.list[0].vouched);
	later(&w, SECOND);
	cr_assert(w.asked == 0, "one at a time");
	cr_assert(replica_snapshot_ended(&w.r, w.now) == 0);
	cr_assert(w.r.snapshot.from.id == 0 && log_of(&w, 3)->gone == 0 && log_of(&w, 3)->gap_since == w.now);
	cr_assert(log_of(&w, 2)->gap_since == 0);
	later(&w, 20 * MS);
	cr_assert(w.asked == 1 && w.last.type == ACTION_FETCH, "the records first, again");
	stop(&w);
}

Test(repair, who_catches_up_need_not_begin_again)
{
	struct world w;
	start(&w);
	w.r.ready.phase = PHASE_CATCHING_UP;
	w.r.snapshot.wanted = true;
	later(&w, 1);
	cr_assert(w.asked == 1 && w.last.type == ACTION_SNAPSHOT && w.r.peers.list[0].confirmed);
	stop(&w);
}

Test(repair, so_many_origins_are_asked_of_one_that_serves)
{
	struct world w;
	start(&w);
	later(&w, 1);
	cr_assert(w.asked == 0);
	w.r.snapshot.wanted = true;
	w.r.serial = 3;
	w.r.peers.list[0].serving = false;
	later(&w, 1);
	cr_assert(w.asked == 1 && w.last.type == ACTION_SNAPSHOT && w.last.node.id == 21);
	cr_assert(replica_snapshot_ended(&w.r, w.now) == 0 && !w.r.snapshot.wanted);
	w.r.snapshot.wanted = true;
	w.r.peers.list[1].heard = 0;
	w.now += 1;
	w.r.peers.list[2].heard = w.now;
	cr_assert(replica_repair(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.last.node.id != 22, "not at once after the one before");
	w.now += SECOND;
	w.r.peers.list[2].heard = w.now;
	cr_assert(replica_repair(&w.r, w.now) == 0);
	carry_out(&w);
	cr_assert(w.last.type == ACTION_SNAPSHOT && w.last.node.id == 22);
	stop(&w);
}

/* A peer that was away and is back; it has nothing new. */
static void come_back(struct world *w, struct peer *p)
{
	struct vector_message m = {.node = p->node,
				   .origin = p->origin,
				   .serial = p->serial + 1,
				   .digest = w->r.membership.digest,
				   .all = p->vector.digest};
	cr_assert(replica_vector(&w->r, w->now, &m) == 0);
}

/* Seed 3552154: who held what filled the room had lost its disk, and no other that serves was there to give a
 * snapshot. */
Test(repair, what_only_those_away_hold_takes_no_room)
{
	struct world w;
	start(&w);
	for (size_t i = 0; i < PEERS; i++)
		w.r.peers.list[i].serving = false;
	uint64_t origin = 30;
	for (; !replica_logs_full(&w.r); origin++)
		hold(&w, 1, origin, 1);
	log_of(&w, 30)->held = 1; /* the shared journal has it */
	log_of(&w, 31)->damaged = 1;
	receive(&w, 32, 3, false);
	hold(&w, 1 | 2, 33, 1);
	hold(&w, 2, 40, 1);
	cr_assert(w.r.snapshot.wanted && !log_of(&w, 40) && origin == 35);
	later(&w, 100 * MS);
	cr_assert(replica_agree(&w.r, w.now) == 0 && w.r.snapshot.wanted, "all are there and may give it");

	w.r.peers.list[0].heard = w.now - 10 * SECOND;
	cr_assert(replica_agree(&w.r, w.now) == 0 && !w.r.snapshot.wanted);
	cr_assert(log_of(&w, 40) && log_of(&w, 40)->known == 1);
	cr_assert(!log_of(&w, 34), "only who is away holds it");
	cr_assert(log_of(&w, 30)->known == 1 && log_of(&w, 31)->damaged == 1 &&
		  log_of(&w, 32)->waiting_count == 1 && log_of(&w, 32)->known == 3 &&
		  log_of(&w, 33)->known == 1);
	cr_assert(replica_agree(&w.r, w.now) == 0 && !w.r.snapshot.wanted && !log_of(&w, 34));

	receive(&w, 40, 1, false);
	cr_assert(replica_flush(&w.r) == 0);
	carry_out(&w);
	come_back(&w, &w.r.peers.list[0]);
	replica_close_logs(&w.r);
	cr_assert(replica_agree(&w.r, w.now) == 0 && log_of(&w, 34) && log_of(&w, 34)->known == 1);
	stop(&w);
}

Test(repair, what_waits_is_learnt_anew_once_it_was_dropped)
{
	struct world w;
	start(&w);
	receive(&w, 2, 5, true);
	receive(&w, 3, 1, true);
	hold(&w, 4, 4, 2);
	cr_assert(replica_drop_all_waiting(&w.r, w.now) == 0);
	cr_assert(log_of(&w, 2)->waiting_count == 0 && w.r.logs.waiting_bytes == 0 &&
		  log_of(&w, 2)->known == 0);
	cr_assert(log_of(&w, 3)->known == 1 && log_of(&w, 4)->known == 2, "a member has it");
	stop(&w);
}

Test(repair, records_wait_for_others_while_nobody_asks)
{
	struct world w;
	start(&w);
	w.r.config.lazy = MS;
	cr_assert(replica_flush_at(&w.r, false) == NEVER);
	receive(&w, 2, 1, true);
	cr_assert(replica_flush_at(&w.r, false) == w.now + MS);
	cr_assert(replica_flush_at(&w.r, true) <= w.now, "somebody looks");
	w.r.config.ack_peers = 1;
	cr_assert(replica_flush_at(&w.r, false) <= w.now, "somebody may wait for it elsewhere");
	w.r.config.ack_peers = 0;
	w.r.ready.phase = PHASE_CATCHING_UP;
	cr_assert(replica_flush_at(&w.r, false) <= w.now);
	w.r.ready.phase = PHASE_SERVING;
	w.r.membership.dirty = true;
	cr_assert(replica_flush_at(&w.r, false) <= w.now);
	cr_assert(replica_flush(&w.r) == 0);
	cr_assert(replica_flush_at(&w.r, false) == NEVER, "it is on its way");
	carry_out(&w);
	cr_assert(replica_flush_at(&w.r, false) == NEVER && vector_get(&w.r.v, (struct origin){2}) == 1);
	stop(&w);
}
