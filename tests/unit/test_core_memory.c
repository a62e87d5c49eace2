/* SPDX-License-Identifier: MIT */
/* Every allocation of the core fails once: -ENOMEM comes back, nothing leaks, and where the header promises
 * it, nothing has changed. */
#include <criterion/criterion.h>

#include "core/agree.h"
#include "core/commit.h"
#include "core/heard.h"
#include "core/repair.h"
#include "core/replica.h"
#include "core/window.h"
#include "unit/counts_help.h"
#include "unit/failing_memory.h"
#include "unit/leak.h"
#include "wire/message.h"

static int add_to_map(void *arg)
{
	struct map m;
	int e = 0;
	(void)arg;
	map_init(&m, 1);
	for (uint64_t i = 0; i < 40 && e == 0; i++) {
		e = map_put(&m, i, 0, &m);
		cr_assert(m.count == i + (e == 0) && (map_get(&m, i, 0) != NULL) == (e == 0));
	}
	map_deinit(&m);
	return e;
}

static int add_to_intervals(void *arg)
{
	struct intervals s = {0};
	int e = 0;
	(void)arg;
	for (uint64_t i = 0; i < 20 && e == 0; i++) {
		size_t count = s.count;
		e = intervals_add(&s, 10 * i, 10 * i + 5);
		if (e == 0)
			e = intervals_remove(&s, 10 * i + 2);
		else
			cr_assert(s.count == count && !intervals_has(&s, 10 * i));
	}
	intervals_deinit(&s);
	return e;
}

static int add_to_vector(void *arg)
{
	struct vector v = {0}, copy = {0};
	int e = 0;
	(void)arg;
	for (uint64_t i = 1; i < 10 && e == 0; i++)
		e = vector_set(&v, (struct origin){i}, i);
	if (e == 0)
		e = vector_copy(&copy, &v);
	if (e == 0)
		e = vector_set(&v, (struct origin){99}, 1);
	if (e == 0)
		e = vector_set(&copy, (struct origin){99}, 1);
	vector_deinit(&v);
	vector_deinit(&copy);
	return e;
}

static void take_block(void *arg, const struct block *block)
{
	unsigned *taken = arg;
	*taken += block->number == 0;
}

static int add_counts(void *arg)
{
	struct counts c;
	unsigned taken = 0;
	int e = 0;
	(void)arg;
	counts_init(&c, 1, ARENA_BLOCK);
	for (uint64_t i = 0; i < 200 && e == 0; i++) {
		char key[2] = {(char)('a' + i % 20), (char)('a' + i / 20)};
		e = counts_add(&c, key, 2, 1);
		cr_assert(c.total == (int64_t)(i + (e == 0)) && counts_get(&c, key, 2) == (e == 0));
		if (i == 100)
			arena_cut(&c.arena, take_block, &taken);
		if (e == 0 && i > 100)
			e = counts_add(&c, "aa", 2, 0); /* saved for the cut */
	}
	cr_assert(e < 0 || taken == 1);
	arena_cut_abandon(&c.arena);
	counts_deinit(&c);
	return e;
}

static int use_sessions(void *arg)
{
	struct sessions s;
	struct session session = {1, 1};
	(void)arg;
	sessions_init(&s, 1);
	int e = sessions_get(&s, session, 0) ? 0 : -ENOMEM;
	if (e == 0) {
		e = sessions_forget(&s, session);
		cr_assert((sessions_find(&s, session) == NULL) == (e == 0), "kept while it is not forgotten");
		cr_assert(sessions_forgotten(&s, session) == (e == 0));
	}
	sessions_deinit(&s);
	return e;
}

/* A new row and one that is there already, with room for just what is there. */
static int fill_members(struct members *m, struct member rows[2])
{
	int e = 0;
	rows[0] = (struct member){.node = {1000}, .since = 1};
	rows[1] = (struct member){.node = {1}, .since = 1};
	for (uint64_t i = 1; e >= 0 && (i == 1 || m->count < m->capacity); i++)
		e = members_add(m, &(struct member){.node = {i}, .since = 1});
	return e < 0 ? e : 0;
}

static int merge_members(void *arg)
{
	struct members m = {0};
	struct member rows[2];
	(void)arg;
	int e = fill_members(&m, rows);
	if (e == 0)
		e = members_merge(&m, rows, 2);
	cr_assert(e < 0 || members_find(&m, rows[0].node));
	members_deinit(&m);
	return e < 0 ? e : 0;
}

static int add_to_window(void *arg)
{
	struct window w;
	int e = 0;
	(void)arg;
	window_init(&w);
	for (uint64_t i = 1; i <= 40 && e == 0; i++) {
		e = window_add(&w, 0, "an event of some bytes", 22);
		cr_assert(w.taken == i - (e < 0) && (!w.open || w.open != w.spare));
	}
	window_deinit(&w);
	return e;
}

Test(core_memory, tables_fail_whole)
{
	cr_assert(fail_each(add_to_map, NULL, 0) >= 3);
	cr_assert(fail_each(add_to_intervals, NULL, 0) >= 5);
	cr_assert(fail_each(add_to_vector, NULL, 0) >= 5);
	cr_assert(fail_each(add_counts, NULL, 0) >= 5);
	cr_assert(fail_each(use_sessions, NULL, 0) == 5);
	cr_assert(fail_each(merge_members, NULL, 0) >= 2);
	cr_assert(fail_each(add_to_window, NULL, 0) >= 3);
	assert_no_leak();
}

/* Carries out what the replica wants done, with a disk that is always quick. */
static int carry_out(struct replica *r)
{
	struct action a;
	int e = replica_flush(r);
	while (e == 0 && replica_next(r, &a)) {
		if (a.type == ACTION_APPEND && !a.record->raw)
			e = message_encode_record(a.record);
		record_unref(a.record);
		if (e == 0 && a.type == ACTION_COMMIT)
			e = replica_committed(r, 0);
	}
	return e;
}

/* Two clients' batches, one of them closed; a peer that joins, and whose records come in the wrong order. */
static int live(struct replica *r, struct batch_box *const *boxes, struct record *const *records)
{
	struct member peer = {.node = {20}, .origin = {2}, .since = 1};
	struct position at = {{2}, 2};
	int e = replica_loaded(r);
	for (int i = 0; i < 2 && e == 0; i++) /* its origin, and that it serves */
		e = carry_out(r);
	for (size_t i = 0; i < 3 && e == 0; i++)
		e = i < 2 ? replica_batch(r, 0, 1, boxes[i]) : replica_close(r, 0, 1, boxes[i]);
	if (e == 0)
		e = carry_out(r);
	if (e == 0)
		e = replica_members(r, 0, (struct node){0}, &peer, 1);
	if (e == 0)
		e = carry_out(r);
	struct vector_message m = {.node = {20}, .origin = {2}, .serial = 1, .at = &at, .count = 1};
	m.digest = r->membership.digest;
	m.all = vector_digest_with(&(struct vector){0}, &at, 1);
	m.serving = true;
	if (e == 0)
		e = replica_vector(r, 1, &m);
	for (size_t i = 0; i < 2 && e == 0; i++)
		e = replica_record(r, 1, records[i], true);
	if (e == 0)
		e = carry_out(r);
	if (e == 0)
		e = replica_tick(r, 1000000);
	return e == 0 ? carry_out(r) : e;
}

struct life {
	struct batch_box *boxes[3];
	struct record *records[2];
	int64_t likes; /* at its end */
};

static int run_replica(void *arg)
{
	struct life *life = arg;
	struct replica r;
	struct replica_config config = {.self = {.node = {10}, .origin = {1}}, .seed = 1, .alone = true};
	int e = replica_init(&r, &config, 0, false, NULL, 0);
	if (e == 0)
		e = live(&r, life->boxes, life->records);
	life->likes = counts_get(&r.counts, "likes", 5);
	replica_deinit(&r);
	return e;
}

Test(core_memory, a_replica_stops_and_leaks_nothing)
{
	struct event event = {"likes", 1, 5};
	struct life life;
	for (uint64_t i = 0; i < 2; i++) {
		life.boxes[i] = message_make_batch((struct session){7, 1}, i + 1, &event, 1);
		struct batch_box *box = message_make_batch((struct session){7, 2}, i + 1, &event, 1);
		life.records[i] = record_new((struct position){{2}, 2 - i}, &box, 1);
		cr_assert(message_encode_record(life.records[i]) == 0);
		batch_box_unref(box);
	}
	life.boxes[2] = message_make_batch((struct session){7, 1}, 0, NULL, 0);
	/* A peer's log that cannot be made is made when its next vector comes. */
	cr_assert(fail_each(run_replica, &life, 1) > 30);
	cr_assert(life.likes == 4, "the last run had all the memory it wanted");
	for (size_t i = 0; i < 3; i++)
		batch_box_unref(life.boxes[i]);
	for (size_t i = 0; i < 2; i++)
		record_unref(life.records[i]);
	assert_no_leak();
}

/* A replica that serves, and what it is told next: by other members, and by a client once more. */
struct telling {
	struct replica r;
	struct member rows[2];
	struct batch_box *box;
	uint64_t client;
};

static int tell_members(void *arg)
{
	struct telling *t = arg;
	return replica_members(&t->r, 0, (struct node){0}, t->rows, 2);
}

static int send_again(void *arg)
{
	struct telling *t = arg;
	return replica_batch(&t->r, 0, t->client, t->box);
}

Test(core_memory, what_follows_hides_no_failure)
{
	struct event event = {"likes", 1, 5};
	struct telling t = {.box = message_make_batch((struct session){7, 1}, 1, &event, 1)};
	struct replica *r = &t.r;
	const struct replica_config config = {
	    .self = {.node = {10}, .origin = {1}}, .seed = 1, .alone = true, .ack_peers = 1};
	cr_assert(replica_init(r, &config, 0, false, NULL, 0) == 0 && replica_loaded(r) == 0);
	for (int i = 0; i < 2; i++)
		cr_assert(carry_out(r) == 0);
	cr_assert(send_again(&t) == 0 && carry_out(r) == 0 && r->waiters.count == 1);
	while (r->waiters.count < r->waiters.capacity) {
		t.client++;
		cr_assert(send_again(&t) == 0);
	}
	t.client++;
	const size_t waiters = r->waiters.count;
	cr_assert(fail_each(send_again, &t, 0) >= 2 && r->waiters.count == waiters + 1);

	cr_assert(fill_members(&r->membership.staged, t.rows) == 0);
	cr_assert(fail_each(tell_members, &t, 0) >= 1 && members_find(&r->membership.staged, t.rows[0].node));

	/* A member's next run, in effect at once: a copy of all members. */
	r->membership.dirty = false;
	t.rows[0].since++;
	t.rows[0].origin.id++;
	cr_assert(fail_each(tell_members, &t, 0) == 1);
	/* One that is to be forgotten: what it left in the shared journal is read first. */
	r->config.shared = true;
	t.rows[0].forgotten = true;
	cr_assert(fail_each(tell_members, &t, 0) >= 1 && looks_leaving(&r->looks, t.rows[0].node));
	replica_deinit(r);
	batch_box_unref(t.box);
	assert_no_leak();
}
