/* SPDX-License-Identifier: MIT */
/* One server's rules, fed by hand; what it wants done is read as a trace:
 *   meta, append 1:2, commit
 *       to the journal; the disk here says "durable" at once, unless it is stopped
 *   publish 1:2, vector, tell 20
 *       to every peer, to every peer, to node 20
 *   ack 3@2, ack 3@V, refuse 3 conflict, closed
 *       to the client: batch 3 is durable, in this server's record 2, or within its vector
 *   fetch 20 2:1-4, snapshot 20
 *       asked of node 20 */
#ifndef UNIT_REPLICA_WORLD_H
#define UNIT_REPLICA_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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
#include "unit/trace.h"

#define SELF 10 /* node; its origin is 1 */
#define PEER 20 /* node; its origin is 2 */

struct fixture {
	struct replica r;
	int64_t now;
	bool disk_stopped; /* a commit does not end until finish_commit() */
	struct trace trace;
};

static inline void note_client(struct fixture *f, const struct action *a)
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

static inline void note_action(struct fixture *f, const struct action *a)
{
	const struct position at = a->record ? a->record->at : (struct position){0};
	unsigned long long origin = at.origin.id, lsn = at.lsn, node = a->node.id;
	switch (a->type) {
	case ACTION_APPEND:
		cr_assert(a->record->raw || message_encode_record(a->record) == 0);
		note(f, "append %llu:%llu", origin, lsn);
		break;
	case ACTION_APPEND_SHARED:
		note(f, "shared %llu:%llu", origin, lsn);
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
	case ACTION_END:
		note(f, "end %llu:%llu", (unsigned long long)a->origin.id, (unsigned long long)a->from);
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

static inline void run(struct fixture *f)
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
	} while (!f->r.group.committing &&
		 (f->r.membership.dirty || f->r.group.pending_count || f->r.group.incoming_count));
}

static inline void finish_commit(struct fixture *f)
{
	f->disk_stopped = false;
	cr_assert(replica_committed(&f->r, f->now) == 0);
	run(f);
}

/* Runs what there is to do and compares the trace since the last time. */
static inline void expect_at(struct fixture *f, int line, const char *text)
{
	run(f);
	trace_expect(&f->trace, line, text);
}
#define expect(f, text) expect_at(f, __LINE__, text)

static inline void forget_trace(struct fixture *f)
{
	run(f);
	forget(f);
}

/* row: what its folder has; NULL: nothing. */
static inline void init(struct fixture *f, struct replica_config config, bool established,
			const struct member *row)
{
	*f = (struct fixture){.now = 100 * SECOND};
	config.self = (struct member){.node = {SELF}, .origin = {1}, .since = 1, .name = "s1"};
	config.seed = 1;
	cr_assert(replica_init(&f->r, &config, f->now, established, row, row ? 1 : 0) == 0);
}

static inline void start_over(struct fixture *f, bool shared_journal)
{
	init(f, (struct replica_config){.alone = true, .shared = shared_journal}, false, NULL);
	cr_assert(replica_loaded(&f->r) == 0);
}

static inline void start(struct fixture *f)
{
	start_over(f, false);
}

static inline void start_serving(struct fixture *f)
{
	start(f);
	forget_trace(f);
	cr_assert(f->r.ready.phase == PHASE_SERVING);
}

static inline void stop(struct fixture *f)
{
	replica_deinit(&f->r);
	assert_no_leak();
}

static inline struct batch_box *make_batch(uint64_t number, uint64_t seq, int32_t n)
{
	struct event event = {"likes", n, 5};
	struct batch_box *box = message_make_batch((struct session){7, number}, seq, &event, 1);
	cr_assert_not_null(box);
	return box;
}

static inline void batch(struct fixture *f, uint64_t number, uint64_t seq, int32_t n)
{
	struct batch_box *box = make_batch(number, seq, n);
	cr_assert(replica_batch(&f->r, f->now, 1, box) == 0);
	batch_box_unref(box);
}

static inline void close_session(struct fixture *f, uint64_t number)
{
	struct batch_box *box = message_make_batch((struct session){7, number}, 0, NULL, 0);
	cr_assert(replica_close(&f->r, f->now, 1, box) == 0);
	batch_box_unref(box);
}

/* The peer's record lsn with one batch. */
static inline void peer_box(struct fixture *f, uint64_t lsn, struct batch_box *box, bool published)
{
	struct record *record = record_new((struct position){{2}, lsn}, &box, 1);
	cr_assert(record && message_encode_record(record) == 0);
	cr_assert(replica_record(&f->r, f->now, record, published) == 0);
	record_unref(record);
	batch_box_unref(box);
}

static inline void peer_record(struct fixture *f, uint64_t lsn, uint64_t number, uint64_t seq, int32_t n,
			       bool published)
{
	peer_box(f, lsn, make_batch(number, seq, n), published);
}

static inline void peer_close(struct fixture *f, uint64_t lsn, uint64_t number)
{
	peer_box(f, lsn, message_make_batch((struct session){7, number}, 0, NULL, 0), true);
}

/* What the peer says; who it is goes without saying, and that it tells of all that it has. */
static inline void peer_says(struct fixture *f, struct vector_message m)
{
	m.node = (struct node){PEER};
	m.origin = (struct origin){2};
	m.all = vector_digest_with(&(struct vector){0}, m.at, m.count);
	cr_assert(replica_vector(&f->r, f->now, &m) == 0);
}

/* The peer says that it has our membership, serves, and has applied its own records up to lsn. */
static inline void peer_vector(struct fixture *f, uint64_t serial, uint64_t lsn)
{
	struct position at = {{2}, lsn};
	peer_says(f, (struct vector_message){.serial = serial,
					     .digest = f->r.membership.digest,
					     .serving = true,
					     .at = &at,
					     .count = lsn ? 1 : 0});
}

static inline void add_peer(struct fixture *f)
{
	struct member row = {.node = {PEER}, .origin = {2}, .since = 1, .name = "s2"};
	cr_assert(replica_members(&f->r, f->now, (struct node){0}, &row, 1) == 0);
	run(f);
	peer_vector(f, 1, 0);
	forget_trace(f);
}

static inline void tick(struct fixture *f, int64_t later)
{
	f->now += later;
	cr_assert(replica_tick(&f->r, f->now) == 0);
}

static inline int64_t likes(const struct fixture *f)
{
	return counts_get(&f->r.counts, "likes", 5);
}

#endif
