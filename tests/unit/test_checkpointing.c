/* SPDX-License-Identifier: MIT */
/* When a server makes a checkpoint, when it has one to give away, what stands in it, and what becomes of a
 * failure. The store beneath fails on demand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "core/commit.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"

enum call { NOTHING, PUT, COMMIT, POLL, TRUNCATE, APPEND, WORKING };

static struct store_ops real, ops; /* ops: real, but for what fails */
static enum call failing;
static unsigned truncated, abandoned;

static int failed(enum call call)
{
	if (failing != call)
		return 0;
	failing = NOTHING; /* once: what follows works, and must not hide it */
	return -EIO;
}

static int put(struct store *s, const void *key, size_t key_size, const void *value, size_t size)
{
	int e = failed(PUT);
	return e ? e : real.checkpoint_put(s, key, key_size, value, size);
}

static int commit(struct store *s)
{
	int e = failed(COMMIT);
	return e ? e : real.checkpoint_commit(s);
}

static int poll(struct store *s)
{
	int e = failing == WORKING ? 1 : failed(POLL);
	return e ? e : real.checkpoint_poll(s);
}

static int truncate_journal(struct store *s, const struct vector *floor)
{
	truncated++;
	int e = failed(TRUNCATE);
	return e ? e : real.journal_truncate(s, floor);
}

static int append(struct store *s, enum entry_kind kind, struct position at, const void *data, size_t size)
{
	int e = kind == ENTRY_RECORD ? failed(APPEND) : 0;
	return e ? e : real.journal_append(s, kind, at, data, size);
}

static void abandon(struct store *s)
{
	abandoned++;
	real.checkpoint_abandon(s);
}

struct fixture {
	struct host *host;
	int64_t now;
};

static void step(struct fixture *f)
{
	cr_assert(host_tick(f->host, f->now) == 0 && host_flush(f->host, f->now) == 0);
}

static void setup(struct fixture *f, uint64_t bytes, int64_t interval)
{
	struct store *store;
	const struct host_config config = {.checkpoint_bytes = bytes, .checkpoint_interval = interval};
	const struct host_io io = {.send = drop_sent, .publish = drop_published, .members = drop_members};
	*f = (struct fixture){.now = SECOND};
	cr_assert(memory_open(&store) == 0);
	real = ops = *store->ops;
	ops.checkpoint_put = put;
	ops.checkpoint_commit = commit;
	ops.checkpoint_poll = poll;
	ops.checkpoint_abandon = abandon;
	ops.journal_truncate = truncate_journal;
	ops.journal_append = append;
	store->ops = &ops;
	failing = NOTHING;
	truncated = abandoned = 0;
	f->host = make_host(config, store, &io, f->now);
	await_serving(f->host, &f->now);
	f->now += 10 * SECOND;
	step(f);
	cr_assert(!f->host->checkpoint.exists);
}

static void teardown(struct fixture *f)
{
	host_close(&f->host);
	assert_no_leak();
}

static uint64_t last_seq;

static void like(struct fixture *f)
{
	static const struct event event = {"likes", 1, 5};
	struct batch_box *box = message_make_batch((struct session){2, 1}, ++last_seq, &event, 1);
	cr_assert(replica_batch(&f->host->replica, f->now, 0, box) == 0);
	batch_box_unref(box);
	cr_assert(host_flush(f->host, f->now) == 0);
}

/* Whether one is begun when the last was begun so long ago and so much was appended since. */
static bool due(struct fixture *f, int64_t ago, uint64_t appended)
{
	struct checkpointing *c = &f->host->checkpoint;
	uint64_t made = f->host->metrics.checkpoints;
	c->began = f->now - ago;
	c->appended_then = 0;
	c->records_then = f->host->replica.stats.records - 1;
	f->host->checkpoint.appended = appended;
	cr_assert(checkpointing_step(&f->host->checkpoint, f->now, taking_now(&f->host->snapshot)) == 0);
	while (c->phase != CHECKPOINT_NONE)
		cr_assert(checkpointing_step(&f->host->checkpoint, f->now, taking_now(&f->host->snapshot)) ==
			  0);
	return f->host->metrics.checkpoints > made;
}

Test(checkpointing, is_due_by_bytes_or_time)
{
	struct fixture f;
	setup(&f, 1000, 100 * SECOND);
	cr_assert(!due(&f, 99 * SECOND, 999) && due(&f, 99 * SECOND, 1000) && due(&f, 100 * SECOND, 0));
	cr_assert(!due(&f, 5 * SECOND - 1, 1000) && due(&f, 5 * SECOND, 1000), "not all the time");
	f.host->checkpoint.began = f.now - 1000 * SECOND;
	f.host->checkpoint.records_then = f.host->replica.stats.records;
	cr_assert(checkpointing_step(&f.host->checkpoint, f.now, taking_now(&f.host->snapshot)) == 0 &&
		      f.host->checkpoint.phase == CHECKPOINT_NONE,
		  "nothing changed");
	teardown(&f);
}

Test(checkpointing, is_rarer_the_more_there_is_to_write)
{
	struct fixture f;
	const uint64_t least = 64 << 20;
	setup(&f, 0, 0);
	cr_assert(!due(&f, 60 * SECOND - 1, least - 1) && due(&f, 59 * SECOND, least));
	cr_assert(due(&f, 60 * SECOND, 0));
	const uint32_t blocks = f.host->replica.counts.arena.block_count;
	f.host->replica.counts.arena.block_count = 10000;
	cr_assert(!due(&f, 59 * SECOND, least) && !due(&f, 59 * SECOND, 10000 * ARENA_BLOCK - 1));
	f.host->replica.counts.arena.block_count = blocks;
	teardown(&f);
}

Test(checkpointing, one_that_is_wanted_is_made_unless_it_is_there)
{
	struct fixture f;
	setup(&f, 1000, 3600 * SECOND);
	struct checkpointing *c = &f.host->checkpoint;
	c->wanted = true;
	cr_assert(due(&f, 0, 0) && !c->wanted);
	c->wanted = true;
	cr_assert(!due(&f, 0, 0), "it is fresh");
	like(&f);
	f.now += 2 * SECOND;
	cr_assert(due(&f, 0, 0));
	teardown(&f);
}

Test(checkpointing, is_fresh_when_it_has_all_or_is_young)
{
	struct fixture f;
	setup(&f, 1000, 3600 * SECOND);
	struct checkpointing *c = &f.host->checkpoint;
	cr_assert(!checkpointing_fresh(&f.host->checkpoint, f.now), "there is none");
	cr_assert(due(&f, 0, 1000) == false && due(&f, 10 * SECOND, 1000));
	c->made = f.now;
	cr_assert(checkpointing_fresh(&f.host->checkpoint, f.now + 3600 * SECOND), "it has all");
	like(&f);
	cr_assert(checkpointing_fresh(&f.host->checkpoint, f.now + 200 * MS - 1));
	cr_assert(!checkpointing_fresh(&f.host->checkpoint, f.now + 200 * MS));
	f.host->metrics.checkpoint_time = 100 * MS; /* four times what it takes to make one */
	cr_assert(checkpointing_fresh(&f.host->checkpoint, f.now + 400 * MS - 1));
	cr_assert(!checkpointing_fresh(&f.host->checkpoint, f.now + 400 * MS));
	c->exists = false;
	cr_assert(!checkpointing_fresh(&f.host->checkpoint, f.now));
	teardown(&f);
}

Test(checkpointing, one_is_made_after_the_other)
{
	struct fixture f;
	setup(&f, 1000, 3600 * SECOND);
	struct checkpointing *c = &f.host->checkpoint;
	like(&f);
	c->began = f.now - 10 * SECOND;
	c->appended_then = 0;
	f.host->checkpoint.appended = 1000;
	failing = WORKING;
	f.host->leaders.next_beat = f.now + 3600 * SECOND;
	cr_assert(host_deadline(f.host) != 0);
	c->phase = CHECKPOINT_CUTTING;
	cr_assert(host_deadline(f.host) == 0, "there is more to cut");
	c->phase = CHECKPOINT_NONE;
	cr_assert(checkpointing_step(&f.host->checkpoint, f.now, taking_now(&f.host->snapshot)) == 0 &&
		  c->phase == CHECKPOINT_WRITING);
	int64_t began = c->began;
	for (int i = 0; i < 3; i++) {
		like(&f);
		f.host->checkpoint.appended += 1000;
		f.now += 10 * SECOND;
		cr_assert(checkpointing_step(&f.host->checkpoint, f.now, taking_now(&f.host->snapshot)) ==
			      0 &&
			  c->phase == CHECKPOINT_WRITING);
		cr_assert(c->began == began && !c->exists && f.host->metrics.checkpoints_failed == 0);
	}
	failing = NOTHING;
	cr_assert(checkpointing_step(&f.host->checkpoint, f.now, taking_now(&f.host->snapshot)) == 0 &&
		  c->exists);
	teardown(&f);
}

Test(checkpointing, what_fails_is_tried_again_and_no_success)
{
	static const enum call calls[] = {PUT, COMMIT, POLL};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct fixture f;
		setup(&f, 1000, 3600 * SECOND);
		struct checkpointing *c = &f.host->checkpoint;
		size_t before[TABLES];
		like(&f);
		memcpy(before, c->tables.chunks, sizeof before);
		failing = calls[i];
		cr_assert(!due(&f, 10 * SECOND, 1000), "call %zu", i);
		cr_assert(failing == NOTHING && c->failed && !c->exists && abandoned == 1);
		cr_assert(f.host->metrics.checkpoints_failed == 1);
		for (size_t j = 0; j < TABLES; j++)
			cr_assert(c->tables.chunks[j] > before[j], "more is deleted than there may be");
		f.now = c->began + 5 * SECOND - 1;
		cr_assert(checkpointing_step(&f.host->checkpoint, f.now, taking_now(&f.host->snapshot)) ==
			      0 &&
			  c->phase == CHECKPOINT_NONE);
		f.now++;
		for (int j = 0; j < 10; j++)
			cr_assert(checkpointing_step(&f.host->checkpoint, f.now,
						     taking_now(&f.host->snapshot)) == 0);
		cr_assert(c->exists && !c->failed && f.host->metrics.checkpoints == 1);
		teardown(&f);
	}
}

Test(checkpointing, a_journal_that_fails_ends_the_server)
{
	struct fixture f;
	static const struct event event = {"likes", 1, 5};
	setup(&f, 1000, 3600 * SECOND);
	like(&f);
	cr_assert(truncated == 0 && due(&f, 10 * SECOND, 1000) && truncated == 1, "of one origin alone");
	failing = TRUNCATE;
	f.now = f.host->next_expiry;
	cr_assert(host_tick(f.host, f.now) == -EIO);
	teardown(&f);

	int e = 0; /* by the checkpoint that is done, and not by the next look a moment later */
	setup(&f, 1000, 3600 * SECOND);
	like(&f);
	f.host->checkpoint.began = f.now - 10 * SECOND;
	f.host->checkpoint.appended = f.host->checkpoint.appended_then + 1000;
	failing = TRUNCATE;
	for (int i = 0; i < 10 && e == 0; i++) {
		f.host->next_expiry = f.now;
		e = host_tick(f.host, f.now);
	}
	cr_assert(e == -EIO && f.host->metrics.checkpoints == 1);
	teardown(&f);

	setup(&f, 1000, 3600 * SECOND);
	struct batch_box *box = message_make_batch((struct session){2, 1}, ++last_seq, &event, 1);
	cr_assert(replica_batch(&f.host->replica, f.now, 0, box) == 0);
	batch_box_unref(box);
	failing = APPEND;
	cr_assert(host_flush(f.host, f.now) == -EIO);
	teardown(&f);
}

/* As another server adopts it, or this one at its next start. */
static void load_again(struct fixture *f)
{
	replica_unload(&f->host->replica);
	cr_assert(checkpointing_recover(&f->host->checkpoint, f->now) == 0);
}

Test(checkpointing, has_all_of_the_vector_whichever_layer_it_is_in)
{
	struct fixture f;
	setup(&f, 1000, 3600 * SECOND);
	struct vector *v = &f.host->replica.v;
	last_seq = 0;
	for (int round = 0; round < 6; round++) {
		struct vector before = {0};
		like(&f);
		for (uint64_t i = 0; i < 3000; i++)
			cr_assert(vector_set(v, (struct origin){1000 + i * (uint64_t)(1 + round % 2)},
					     (uint64_t)round + 1) == 0);
		cr_assert(due(&f, 10 * SECOND, 1000));
		size_t chunks = 0;
		for (size_t i = 0; i < TABLES; i++)
			chunks += f.host->checkpoint.tables.chunks[i];
		size_t least = vector_size(v) * 16 / 65536;
		cr_assert(chunks >= least && chunks <= 2 * least + 5, "chunks of 64 KiB: %zu", chunks);
		cr_assert(vector_copy(&before, v) == 0);
		if (round % 3 == 2) /* what one left out, the next has not */
			load_again(&f);
		cr_assert(vector_covers(v, &before) && vector_covers(&before, v), "round %d", round);
		vector_deinit(&before);
	}
	teardown(&f);
}

/* What it was loaded from has other layers than what was loaded. */
Test(checkpointing, the_first_after_a_start_has_the_lower_layer_anew)
{
	for (uint64_t differ = 0; differ < 300; differ += 20) {
		struct fixture f;
		struct vector before = {0};
		setup(&f, 1000, 3600 * SECOND);
		struct vector *v = &f.host->replica.v;
		last_seq = 0;
		for (uint64_t i = 0; i < 3000 + differ; i++)
			cr_assert(vector_set(v, (struct origin){1000 + i % 3000}, 1 + i / 3000) == 0);
		for (int round = 0; round < 2; round++) {
			like(&f);
			cr_assert(due(&f, 10 * SECOND, 1000) && vector_copy(&before, v) == 0);
			load_again(&f);
			cr_assert(vector_covers(v, &before) && vector_covers(&before, v), "%d, %d",
				  (int)differ, round);
		}
		vector_deinit(&before);
		teardown(&f);
	}
}

/* A peer's close may be all that is known of a session, and is to be agreed on. */
Test(checkpointing, has_sessions_of_which_only_the_close_is_here)
{
	struct fixture f;
	const struct session closed = {7, 1}, pending = {7, 2};
	setup(&f, 1000, 3600 * SECOND);
	struct replica *r = &f.host->replica;
	cr_assert(replica_load_seen(r, closed, NULL, 0, (struct position){{50}, 3}, f.now) == 0);
	cr_assert(sessions_get(&r->sessions, pending, f.now));
	cr_assert(due(&f, 10 * SECOND, 1000));
	load_again(&f);
	const struct seen *seen = sessions_find(&r->sessions, closed);
	cr_assert(seen && seen->closed.origin.id == 50 && seen->closed.lsn == 3);
	cr_assert(!sessions_find(&r->sessions, pending), "nothing of that is durable");
	teardown(&f);
}
