/* SPDX-License-Identifier: MIT */
/* What a server does when memory fails in just one place of a longer step, and comes back: what follows does
 * not hide it. That all of a server's allocations may fail, drivers_memory has. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/time.h"
#include "core/agree.h"
#include "failing_memory.h"
#include "host_world.h"
#include "kudos.h"
#include "leak.h"

#define ORIGINS 40
#define HOLES 40

static struct store_ops real, ops; /* ops: real, but that truncations are counted */
static unsigned truncated;

static int truncate_journal(struct store *s, const struct vector *floor)
{
	truncated++;
	return real.journal_truncate(s, floor);
}

struct fixture {
	struct host *host;
	int64_t now;
	unsigned sent;
};

static void count_sent(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct fixture *f = arg;
	f->sent++;
	drop_sent(NULL, id, id_size, data, size);
}

/* Serves, and has applied of many origins and, with holes, of a session. */
static void setup(struct fixture *f)
{
	struct store *store;
	const struct host_config config = {.checkpoint_interval = 3600 * SECOND};
	const struct host_io io = {.arg = f,
				   .send = count_sent,
				   .publish = drop_published,
				   .members = drop_members,
				   .send_peer = drop_for_peer};
	*f = (struct fixture){.now = SECOND};
	cr_assert(memory_open(&store) == 0);
	real = ops = *store->ops;
	ops.journal_truncate = truncate_journal;
	store->ops = &ops;
	f->host = make_host(config, store, &io, f->now);
	await_serving(f->host, &f->now);
	struct replica *r = &f->host->replica;
	for (uint64_t i = 1; i <= ORIGINS; i++)
		cr_assert(vector_set(&r->v, (struct origin){1000 + i}, i) == 0);
	for (uint64_t i = 1; i <= HOLES; i++)
		cr_assert(replica_load_seen(r, (struct session){7, 1}, &(struct interval){2 * i, 2 * i}, 1,
					    (struct position){0}, f->now) == 0);
}

static void teardown(struct fixture *f)
{
	host_close(&f->host);
	assert_no_leak();
}

/* Loads anew what is durable. */
static int recover(void *arg)
{
	struct fixture *f = arg;
	replica_unload(&f->host->replica);
	return checkpointing_recover(&f->host->checkpoint, f->now);
}

static void assert_whole(const struct fixture *f)
{
	const struct replica *r = &f->host->replica;
	const struct seen *seen = sessions_find(&r->sessions, (struct session){7, 1});
	cr_assert(vector_size(&r->v) == ORIGINS && seen && seen->applied.count == HOLES);
}

/* One with less in it would have batches counted twice. */
Test(host_memory, a_checkpoint_has_all_or_fails)
{
	struct fixture f;
	int n = 0;
	setup(&f);
	for (bool failed = true; failed; n++) {
		struct checkpointing *c = &f.host->checkpoint;
		c->exists = c->base_known = false;
		c->wanted = true;
		allowed = n;
		for (int i = 0; i < 10; i++)
			cr_assert(checkpointing_step(c, f.now, false) == 0 || allowed < 0);
		failed = allowed < 0;
		allowed = INT_MAX;
		cr_assert(c->phase == CHECKPOINT_NONE && c->exists == !c->failed && (failed || c->exists));
		if (c->exists) {
			cr_assert(recover(&f) == 0);
			assert_whole(&f);
		}
	}
	cr_assert(n > 5 && fail_each(recover, &f, 0) > 5);
	assert_whole(&f);
	teardown(&f);
}

static int truncate_to_floor(void *arg)
{
	const struct fixture *f = arg;
	truncated = 0;
	int e = checkpointing_truncate(&f->host->checkpoint, false);
	cr_assert(truncated == (e == 0));
	return e;
}

/* Which would be what this server's checkpoint has, whatever others lack (I6). */
Test(host_memory, nothing_is_truncated_by_half_a_floor)
{
	struct fixture f;
	const struct member row = {.node = {PEER}, .origin = {21}, .since = 1, .name = "s2"};
	setup(&f);
	struct replica *r = &f.host->replica;
	cr_assert(replica_members(r, f.now, (struct node){0}, &row, 1) == 0);
	cr_assert(host_flush(f.host, f.now) == 0);
	struct peer *p = peers_find(&r->peers, row.node);
	p->serving = true;
	p->digest = r->membership.digest;
	cr_assert(vector_copy(&f.host->checkpoint.vector, &r->v) == 0);
	cr_assert(vector_set(&p->vector, (struct origin){1000 + ORIGINS}, 1) == 0);
	cr_assert(fail_each(truncate_to_floor, &f, 0) >= 2);
	teardown(&f);
}

static void say(struct fixture *f, const struct message *m)
{
	struct bytes b = {0};
	message_encode(m, &b);
	cr_assert(host_receive_client(f->host, f->now, ROLE_ANY, (const uint8_t *)"c", 1, b.data, b.size) ==
		  0);
	bytes_deinit(&b);
}

Test(host_memory, a_read_that_waits_is_not_answered_unread)
{
	struct fixture f;
	const struct text key = {"likes", 5};
	const struct position far = {{99}, 9};
	setup(&f);
	say(&f, &(struct message){.type = MESSAGE_HELLO, .hello = {.version = PROTOCOL_VERSION}});
	say(&f, &(struct message){.type = MESSAGE_COUNT, .count = {2, &key, 1, &far, 1}});
	cr_assert(f.host->reads.count == 1);
	f.sent = 0;
	f.now += 60 * SECOND;
	allowed = 0;
	int e = reads_look(&f.host->reads, f.now, &f.host->replica, &f.host->port);
	allowed = INT_MAX;
	cr_assert(e == -ENOMEM && f.sent == 0);
	teardown(&f);
}
