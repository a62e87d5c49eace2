/* SPDX-License-Identifier: MIT */
/* A server that takes in another's snapshot: what it asks for, when it gives up, and that nothing which is
 * applied here may be lost by it (I7). */
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/proof.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"

struct fixture {
	struct host *host;
	int64_t now;
	unsigned asked; /* for a part, since take() */
	uint64_t id, index;
};

static void note_peer(void *arg, struct node peer, const void *data, size_t size)
{
	struct fixture *f = arg;
	struct message m;
	cr_assert(peer.id == PEER && message_decode(data, size, &m) == 0);
	if (m.type == MESSAGE_SNAPSHOT) {
		f->asked++;
		f->id = m.snapshot.id;
		f->index = m.snapshot.index;
	}
	message_deinit(&m);
}

static void pass(struct fixture *f, int64_t time)
{
	for (int64_t end = f->now + time; f->now < end; f->now += 100 * MS)
		cr_assert(host_tick(f->host, f->now) == 0 && host_flush(f->host, f->now) == 0);
}

static void like(struct fixture *f, uint64_t seq)
{
	static const struct event event = {"likes", 1, 5};
	struct batch_box *box = message_make_batch((struct session){2, 1}, seq, &event, 1);
	cr_assert(replica_batch(&f->host->replica, f->now, 0, box) == 0);
	batch_box_unref(box);
}

/* Serves, has logged three likes of its own, and asks the peer for a snapshot. */
static void setup(struct fixture *f)
{
	const struct host_config config = {.checkpoint_interval = 3600 * SECOND};
	const struct host_io io = {f, drop_sent, note_peer, NULL, drop_published, drop_members};
	const struct member row = {.node = {PEER}, .origin = {21}, .since = 1, .name = "s2"};
	*f = (struct fixture){.now = SECOND};
	f->host = make_host(config, NULL, &io, f->now);
	pass(f, 10 * SECOND);
	cr_assert(replica_members(&f->host->replica, f->now, (struct node){0}, &row, 1) == 0);
	pass(f, SECOND);
	cr_assert(f->host->replica.ready.phase == PHASE_SERVING);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		like(f, seq);
		cr_assert(host_flush(f->host, f->now) == 0);
	}
	f->host->replica.ready.phase = PHASE_CATCHING_UP;
	f->host->replica.snapshot.from.id = PEER;
	cr_assert(taking_start(&f->host->snapshot, f->now, (struct node){PEER}) == 0);
	cr_assert(f->asked == 1 && f->index == 0);
	f->asked = 0;
}

static void teardown(struct fixture *f)
{
	host_close(&f->host);
	assert_no_leak();
}

static void take(struct fixture *f, uint64_t node, uint64_t id, uint64_t index, bool last,
		 const struct blob *pairs, size_t count)
{
	struct message m = {.type = MESSAGE_PART, .part = {id, index, last, pairs, count}};
	f->asked = 0;
	cr_assert(taking_part(&f->host->snapshot, f->now, (struct node){node}, &m) == 0);
}

/* One row of origin:lsn in table 'v' or 'r'. */
static void take_vector(struct fixture *f, char table, uint64_t origin, uint64_t lsn, bool last)
{
	const uint64_t little[2] = {htole64(origin), htole64(lsn)};
	const uint8_t key[5] = {(uint8_t)table};
	const struct blob pairs[] = {{key, sizeof key}, {(const uint8_t *)little, sizeof little}};
	take(f, PEER, f->id, f->host->snapshot.index, last, pairs, 1);
}

static void take_counts(struct fixture *f)
{
	static const uint8_t key[5] = {'b'}, block[] = {7, 0, 0, 0, 0, 0, 0, 0, 1, 'k', 0, 0};
	const struct blob pairs[] = {{key, sizeof key}, {block, sizeof block}};
	take(f, PEER, f->id, f->host->snapshot.index, false, pairs, 1);
}

static bool taking(const struct fixture *f)
{
	return f->host->snapshot.from.id == PEER;
}

static int64_t count(const struct fixture *f, const char *key)
{
	return counts_get(&f->host->replica.counts, key, strlen(key));
}

Test(taking, parts_are_asked_for_one_by_one)
{
	struct fixture f;
	setup(&f);
	take(&f, PEER + 1, f.id, 0, true, NULL, 0);
	take(&f, PEER, f.id + 1, 0, true, NULL, 0);
	take(&f, PEER, f.id, 1, true, NULL, 0);
	cr_assert(f.host->snapshot.index == 0 && !f.host->snapshot.begun && f.asked == 0);
	take_counts(&f);
	cr_assert(f.asked == 1 && f.index == 1 && f.host->snapshot.begun);
	take(&f, PEER, f.id, 0, true, NULL, 0);
	cr_assert(f.asked == 0 && !f.host->snapshot.committing, "twice");
	take_vector(&f, 'r', 50, 3, false);
	take_vector(&f, 'v', 51, 4, true);
	cr_assert(f.host->snapshot.committing && f.asked == 0);
	cr_assert(vector_get(&f.host->snapshot.vector, (struct origin){50}) == 3 &&
		  vector_get(&f.host->snapshot.vector, (struct origin){51}) == 4);
	take(&f, PEER, f.id, 3, true, NULL, 0);
	cr_assert(f.host->snapshot.index == 3, "all has come");
	pass(&f, SECOND);
	cr_assert(!taking(&f) && f.host->replica.snapshot.from.id == 0);
	cr_assert(count(&f, "k") == 7 && count(&f, "likes") == 3, "and what the journal has above it");
	cr_assert(vector_get(&f.host->replica.v, (struct origin){50}) == 3 &&
		  vector_get(&f.host->replica.v, (struct origin){2}) == 3);
	teardown(&f);
}

Test(taking, what_does_not_come_is_asked_for_again_and_given_up)
{
	struct fixture f;
	setup(&f);
	f.now += 500 * MS - 1;
	int64_t asked = f.host->snapshot.asked;
	f.now = asked + 500 * MS - 1;
	cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && f.asked == 0);
	f.now++;
	cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && f.asked == 1 && f.index == 0);
	f.now += 500 * MS;
	cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && f.asked == 2);
	take_counts(&f);
	for (unsigned i = 1; i <= 8; i++) {
		f.now += 500 * MS;
		cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && f.asked == 1 + i && f.index == 1);
	}
	f.now += 500 * MS;
	cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && f.asked == 9 && !taking(&f), "eight times");
	cr_assert(f.host->replica.snapshot.from.id == 0 && count(&f, "likes") == 3);
	f.now += 500 * MS;
	cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && f.asked == 9);
	teardown(&f);
}

Test(taking, nothing_that_is_applied_may_be_lost)
{
	for (uint64_t there = 3; there <= 6; there++) {
		struct fixture f;
		setup(&f);
		cr_assert(vector_set(&f.host->replica.v, (struct origin){60}, 5) == 0);
		take_vector(&f, 'v', 60, there, true);
		cr_assert(f.host->snapshot.committing == (there >= 5) && taking(&f) == (there >= 5));
		teardown(&f);
	}
}

/* The journal begins at its third record. */
Test(taking, what_the_journal_has_need_not_be_in_it)
{
	for (uint64_t there = 1; there <= 3; there++) {
		struct fixture f;
		struct vector floor = {0};
		setup(&f);
		struct store *store = f.host->store;
		cr_assert(vector_set(&floor, (struct origin){2}, 2) == 0);
		cr_assert(store->ops->journal_truncate(store, &floor) == 0);
		uint64_t lowest = store->ops->journal_lowest(store, (struct origin){2});
		take_vector(&f, 'v', 2, there, true);
		cr_assert(taking(&f) == (there + 1 >= lowest || there >= 3), "%d of %d", (int)there,
			  (int)lowest);
		vector_deinit(&floor);
		teardown(&f);
	}
}

/* Others have told the stream by it what it may let go of: then what the journal has is not enough. */
Test(taking, where_the_stream_lets_go_what_the_checkpoint_has_must_be_in_it)
{
	for (uint64_t there = 1; there <= 5; there++) {
		struct fixture f;
		setup(&f);
		f.host->replica.config.purges = there != 4;
		f.host->replica.ready.established = there < 5; /* else nobody counts on it */
		cr_assert(vector_set(&f.host->checkpoint.vector, (struct origin){2}, 2) == 0);
		take_vector(&f, 'v', 2, there < 4 ? there : 1, true);
		cr_assert(taking(&f) == (there >= 2), "%d", (int)there);
		teardown(&f);
	}
}

static uint64_t lowest;
static unsigned abandoned;
static struct store_ops real, ops;

static uint64_t say_lowest(struct store *s, struct origin o)
{
	(void)s;
	(void)o;
	return lowest;
}

static void note_abandoned(struct store *s)
{
	abandoned++;
	real.checkpoint_abandon(s);
}

static void wrap_store(struct fixture *f)
{
	abandoned = 0;
	real = ops = *f->host->store->ops;
	ops.journal_lowest = say_lowest;
	ops.checkpoint_abandon = note_abandoned;
	f->host->store->ops = &ops;
}

/* Its own record 3 is applied here, and 1 is in the snapshot: 2 and 3 must be in the journal. */
Test(taking, what_the_journal_lacks_must_be_in_it)
{
	for (lowest = 0; lowest <= 3; lowest++) {
		struct fixture f;
		setup(&f);
		wrap_store(&f);
		take_vector(&f, 'v', 2, 1, true);
		cr_assert(taking(&f) == (lowest == 1 || lowest == 2), "%d", (int)lowest);
		cr_assert(abandoned == !taking(&f));
		teardown(&f);
	}
}

static int polled;

static int say_polled(struct store *s)
{
	(void)s;
	return polled;
}

Test(taking, one_that_does_not_get_durable_is_given_up)
{
	struct fixture f;
	setup(&f);
	lowest = 1;
	wrap_store(&f);
	ops.checkpoint_poll = say_polled;
	take_vector(&f, 'v', 2, 3, true);
	polled = 1; /* it goes on */
	for (int i = 0; i < 3; i++)
		cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && taking(&f) && abandoned == 0);
	polled = -EIO;
	cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && !taking(&f) && abandoned == 1);
	cr_assert(count(&f, "likes") == 3 && f.host->replica.snapshot.from.id == 0);
	teardown(&f);
}

Test(taking, one_bad_entry_of_many_ends_it)
{
	struct fixture f;
	static const uint8_t key[5] = {'v'}, row[16] = {50, [8] = 1};
	const struct blob pairs[] = {{key, 5}, {row, 15}, {key, 5}, {row, 16}};
	setup(&f);
	wrap_store(&f);
	take(&f, PEER, f.id, 0, false, pairs, 2);
	cr_assert(!taking(&f) && f.asked == 0 && abandoned == 1);
	f.host->replica.snapshot.from.id = PEER;
	cr_assert(taking_start(&f.host->snapshot, f.now, (struct node){PEER}) == 0);
	take(&f, PEER, f.id - 1, 0, true, pairs, 2);
	cr_assert(taking(&f) && !f.host->snapshot.begun, "that was of the one before");
	for (unsigned i = 0; i <= 8; i++) {
		f.now += 500 * MS;
		cr_assert(taking_step(&f.host->snapshot, f.now) == 0);
	}
	cr_assert(!taking(&f) && abandoned == 1, "nothing had come of it");
	teardown(&f);
}

/* Rows of other tables are no positions. */
Test(taking, its_vector_is_in_two_tables)
{
	struct fixture f;
	static const uint8_t a[1] = {'a'}, s[5] = {'s'}, l[5] = {'l'};
	static const uint8_t sixteen[48] = {77, [8] = 9, [16] = 78, [24] = 9};
	const struct blob pairs[] = {{a, 1}, {sixteen, 8}, {s, 5}, {sixteen, 40}, {l, 5}, {sixteen, 32}};
	setup(&f);
	take(&f, PEER, f.id, 0, false, pairs, 3);
	take_vector(&f, 'r', 50, 3, false);
	take_vector(&f, 'v', 51, 3, false);
	cr_assert(taking(&f) && vector_size(&f.host->snapshot.vector) == 2);
	teardown(&f);
}

/* An earlier snapshot took it beyond what its journal has. */
Test(taking, the_journal_must_reach_up_to_what_is_applied)
{
	for (uint64_t there = 2; there <= 5; there++) {
		struct fixture f;
		setup(&f);
		cr_assert(vector_set(&f.host->replica.v, (struct origin){2}, 5) == 0);
		take_vector(&f, 'v', 2, there, true);
		cr_assert(taking(&f) == (there == 5));
		teardown(&f);
	}
}

Test(taking, what_could_not_be_loaded_ends_it)
{
	struct fixture f;
	setup(&f);
	take_counts(&f);
	take_vector(&f, 'v', 50, 0, false);
	cr_assert(!taking(&f) && f.asked == 0);
	pass(&f, SECOND);
	cr_assert(count(&f, "k") == 0 && count(&f, "likes") == 3);
	teardown(&f);
}

Test(taking, what_is_on_its_way_to_disk_comes_first)
{
	struct fixture f;
	setup(&f);
	take_vector(&f, 'v', 50, 3, true);
	f.host->replica.group.committing = true;
	cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && taking_step(&f.host->snapshot, f.now) == 0);
	cr_assert(taking(&f));
	f.host->replica.group.committing = false;
	f.host->replica.group.pending_count = 1;
	cr_assert(taking_step(&f.host->snapshot, f.now) == 0 && taking_step(&f.host->snapshot, f.now) == 0);
	cr_assert(taking(&f));
	f.host->replica.group.pending_count = 0;
	pass(&f, SECOND);
	cr_assert(!taking(&f) && vector_get(&f.host->replica.v, (struct origin){50}) == 3);
	teardown(&f);
}

Test(taking, its_own_half_made_checkpoint_makes_room)
{
	struct fixture f;
	setup(&f);
	f.host->checkpoint.phase = CHECKPOINT_WRITING;
	take_counts(&f);
	cr_assert(f.host->snapshot.index == 0 && f.asked == 0 && !f.host->snapshot.begun,
		  "the worker has it");
	f.host->checkpoint.phase = CHECKPOINT_CUTTING;
	take_counts(&f);
	cr_assert(f.host->snapshot.index == 1 && f.host->checkpoint.phase == CHECKPOINT_NONE);
	cr_assert(checkpointing_truncate(&f.host->checkpoint, taking_now(&f.host->snapshot)) == 0,
		  "not while it takes");
	teardown(&f);
}

/* What it has besides may be of a forgotten node alone. */
Test(taking, who_never_served_takes_it_alone)
{
	struct fixture f;
	setup(&f);
	struct store *store = f.host->store;
	f.host->replica.ready.established = false;
	cr_assert(vector_set(&f.host->replica.v, (struct origin){60}, 5) == 0);
	take_vector(&f, 'v', 50, 3, true);
	cr_assert(f.host->snapshot.committing && f.host->replica.snapshot.adopting);
	f.host->replica.ready.anew = true;
	pass(&f, SECOND);
	cr_assert(!taking(&f) && !f.host->replica.ready.anew && !f.host->replica.snapshot.adopting);
	cr_assert(count(&f, "likes") == 0 && vector_size(&f.host->replica.v) == 1);
	cr_assert(store->ops->journal_lowest(store, (struct origin){2}) == 0);
	teardown(&f);
}

Test(taking, nothing_is_taken_of_a_forgotten_node)
{
	struct fixture f;
	setup(&f);
	take_counts(&f);
	cr_assert(replica_forget(&f.host->replica, (struct node){PEER}) == 0);
	take_vector(&f, 'v', 50, 3, true);
	cr_assert(!taking(&f) && !f.host->replica.snapshot.adopting && count(&f, "k") == 0);
	teardown(&f);
}
