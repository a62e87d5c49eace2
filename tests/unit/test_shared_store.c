/* SPDX-License-Identifier: MIT */
#include "store/shared.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "host_world.h"
#include "leak.h"
#include "server/shared.h"
#include "wire/message.h"

#define AT_HAND ((size_t)400)

struct stub {
	struct stream stream;
	size_t written;
	int going; /* what poll() says */
	uint64_t asked_from;
	bool look;
	int failure;	 /* what take() says */
	bool unreadable; /* what it gives is no record */
	unsigned polls;
	uint64_t purged;
	struct position ended;	       /* by end() */
	unsigned troubles;	       /* how often it was asked what is wrong */
	bool has_ended;		       /* the writer's run */
	struct node writer;	       /* who has written to it, if anybody … */
	struct position written_up_to; /* … and what */
};

static struct stub *of(struct stream *s)
{
	return (struct stub *)(void *)s;
}

static void stub_close(struct stream *s)
{
	free(s);
}

static int stub_write(struct stream *s, struct position at, const void *data, size_t size)
{
	(void)data;
	(void)size;
	cr_assert(origin_equal(at.origin, s->origin));
	of(s)->written++;
	return 0;
}

static int stub_commit(struct stream *s)
{
	of(s)->going = 1;
	return 0;
}

static int stub_poll(struct stream *s)
{
	of(s)->polls++;
	return of(s)->going;
}

static const char *stub_trouble(struct stream *s)
{
	of(s)->troubles++;
	return "it is full";
}

static void stub_look(struct stream *s)
{
	of(s)->look = true;
}

static void stub_end(struct stream *s, struct position at, const void *data, size_t size)
{
	struct record *record;
	cr_assert(message_decode_record(data, size, &record) == 0 && record->batch_count == 0);
	cr_assert(origin_equal(record->at.origin, at.origin) && record->at.lsn == at.lsn);
	record_unref(record);
	of(s)->ended = at;
}

static void stub_purge(struct stream *s, uint64_t number)
{
	of(s)->purged = number;
}

static void stub_fetch(struct stream *s, struct origin origin, uint64_t from, uint64_t to)
{
	(void)origin;
	(void)to;
	of(s)->asked_from = from;
}

static int stub_take(struct stream *s, told_fn fn, void *arg)
{
	struct stub *stub = of(s);
	const struct told_entry held = {
	    .type = TOLD_HELD, .node = stub->writer, .at = stub->written_up_to, .ended = stub->has_ended};
	const struct told_entry rubbish = {
	    .type = TOLD_RECORD, .data = (const uint8_t *)"rubbish", .size = 7};
	if (stub->unreadable)
		cr_assert(fn(arg, &rubbish) == 0);
	if (!stub->look || stub->failure)
		return stub->failure;
	stub->look = false;
	if (stub->writer.id)
		cr_assert(fn(arg, &held) == 0);
	return fn(arg, &(struct told_entry){.type = TOLD_LOOKED});
}

static uint64_t stub_bytes(const struct stream *s)
{
	(void)s;
	return 1000;
}

static int stub_descriptor(const struct stream *s)
{
	(void)s;
	return -1;
}

static struct stub *open_over(struct store **store)
{
	static const struct stream_ops ops = {.close = stub_close,
					      .write = stub_write,
					      .commit = stub_commit,
					      .poll = stub_poll,
					      .trouble = stub_trouble,
					      .look = stub_look,
					      .end = stub_end,
					      .purge = stub_purge,
					      .fetch = stub_fetch,
					      .take = stub_take,
					      .bytes = stub_bytes,
					      .descriptor = stub_descriptor};
	struct stub *stub = calloc(1, sizeof *stub);
	struct store *inner;
	cr_assert(stub && memory_open(&inner) == 0);
	stub->stream = (struct stream){.ops = &ops, .node = {1}, .origin = {2}};
	cr_assert(shared_open(store, inner, &stub->stream, AT_HAND) == 0);
	return stub;
}

static void append(struct store *s, enum entry_kind kind, uint64_t origin, uint64_t lsn)
{
	uint8_t record[100] = {(uint8_t)lsn};
	cr_assert(s->ops->journal_append(s, kind, (struct position){{origin}, lsn}, record, sizeof record) ==
		  0);
}

static bool held(struct store *s, uint64_t origin, uint64_t lsn)
{
	struct bytes out = {0};
	int r = s->ops->journal_read(s, (struct position){{origin}, lsn}, &out);
	cr_assert(r == 1 || (r == 0 && out.size == 100 && out.data[0] == (uint8_t)lsn));
	bytes_deinit(&out);
	return r == 0;
}

Test(shared_store, each_record_is_where_it_belongs)
{
	struct store *s;
	struct stub *stub = open_over(&s);
	append(s, ENTRY_RECORD, 9, 1); /* of a server with a disk */
	cr_assert(s->ops->journal_commit(s) == 0 && stub->written == 0);
	append(s, ENTRY_SHARED, 3, 1);
	cr_assert(s->ops->journal_commit(s) == 0 && stub->written == 0);
	append(s, ENTRY_RECORD, 2, 1); /* its own */
	cr_assert(s->ops->journal_commit(s) == 1 && stub->written == 1);
	cr_assert(s->ops->journal_poll(s) == 1);
	stub->going = 0;
	cr_assert(s->ops->journal_poll(s) == 0);
	cr_assert(held(s, 9, 1) && held(s, 3, 1) && held(s, 2, 1) && !held(s, 3, 2));
	cr_assert(s->ops->journal_bytes(s) > 1000);
	s->ops->close(s);
	assert_no_leak();
}

Test(shared_store, a_failed_commit_is_final)
{
	struct store *s;
	struct stub *stub = open_over(&s);
	append(s, ENTRY_RECORD, 2, 1);
	cr_assert(s->ops->journal_commit(s) == 1);
	stub->going = -EIO;
	cr_assert(s->ops->journal_poll(s) == -EIO);
	stub->going = 0;
	cr_assert(s->ops->journal_poll(s) == -EIO && s->ops->journal_commit(s) == -EIO);
	cr_assert(s->ops->journal_append(s, ENTRY_META, (struct position){{0}, 0}, "", 0) == -EIO);
	s->ops->close(s);
}

Test(shared_store, lowest_spans_what_is_kept_and_what_is_at_hand)
{
	struct store *s;
	open_over(&s);
	for (uint64_t lsn = 1; lsn <= 3; lsn++)
		append(s, ENTRY_RECORD, 9, lsn);
	append(s, ENTRY_SHARED, 9, 4); /* it was seen in the stream by then */
	cr_assert(s->ops->journal_commit(s) == 0);
	cr_assert(s->ops->journal_lowest(s, (struct origin){9}) == 1);
	append(s, ENTRY_SHARED, 9, 6);
	cr_assert(s->ops->journal_lowest(s, (struct origin){9}) == 6);
	cr_assert(s->ops->journal_lowest(s, (struct origin){5}) == 0);
	cr_assert(s->ops->journal_clear(s) == 0 && !held(s, 9, 6) && !held(s, 9, 1));
	s->ops->close(s);
}

static int64_t clock_now;

/* Each look at it takes 7 ms. */
static int64_t slow_clock(void)
{
	return clock_now += 7 * MS;
}

static const struct host_io nowhere = {
    .send = drop_sent, .publish = drop_published, .members = drop_members, .send_peer = drop_for_peer};

static struct host *open_timed(struct store *s, int64_t (*clock)(void))
{
	return make_host((struct host_config){.clock = clock}, s, &nowhere, SECOND);
}

static struct host *open_host(struct store *s)
{
	return open_timed(s, NULL);
}

static void step(struct host *h, int64_t now)
{
	cr_assert(host_shared_step(h, now) == 0);
}

Test(shared_store, a_commit_that_goes_on_is_told_from_time_to_time)
{
	struct store *s;
	struct stub *stub = open_over(&s);
	struct host *h = open_host(s);
	const int64_t since = 10 * SECOND, told = since + SECOND + 1;
	stub->going = 1;
	h->shared.committing_since = since;
	step(h, told);
	cr_assert(!h->replica.stalled && stub->troubles == 0 && stub->polls == 0, "nothing goes on");
	h->replica.group.committing = true;
	step(h, told - 1);
	cr_assert(!h->replica.stalled && stub->troubles == 0);
	step(h, told);
	cr_assert(h->replica.stalled && h->shared.troubled && stub->troubles == 1);
	step(h, told + 10 * SECOND - 1);
	cr_assert(stub->troubles == 1);
	step(h, told + 10 * SECOND);
	cr_assert(stub->troubles == 2);
	h->replica.group.committing = false;
	step(h, told + 11 * SECOND);
	cr_assert(!h->replica.stalled && !h->shared.troubled && stub->troubles == 3, "and that it is over");
	step(h, told + 12 * SECOND);
	cr_assert(stub->troubles == 3);
	host_close(&h);
	assert_no_leak();
}

Test(shared_store, a_commit_is_timed_by_who_has_a_clock)
{
	for (int i = 0; i < 2; i++) {
		struct store *s;
		open_over(&s);
		struct host *h = open_timed(s, i ? slow_clock : NULL);
		cr_assert(host_flush(h, SECOND) == 0 && h->replica.membership.durable);
		cr_assert(h->replica.group.gather.sync == (i ? 7 * MS : 0));
		cr_assert(h->replica.group.gather.counted_at == (i ? clock_now : 0));
		cr_assert(h->metrics.commit_time.sum == (i ? 7 * MS : 0));
		host_close(&h);
	}
	assert_no_leak();
}

/* Whatever else there is to do, and although that works. */
Test(shared_store, a_failure_ends_the_server)
{
	struct store *s;
	struct stub *stub = open_over(&s);
	struct host *h = open_host(s);
	stub->failure = -EIO;
	cr_assert(replica_flush_at(&h->replica, false) == 0, "its first commit");
	cr_assert(host_flush(h, SECOND) == -EIO && !h->replica.membership.durable);
	h->replica.group.committing = true;
	cr_assert(host_shared_step(h, SECOND) == -EIO && stub->polls == 0);
	h->replica.group.committing = false;
	host_close(&h);
	assert_no_leak();
}

Test(shared_store, what_cannot_be_read_is_counted)
{
	struct store *s;
	struct stub *stub = open_over(&s);
	struct host *h = open_host(s);
	stub->unreadable = true;
	step(h, SECOND);
	cr_assert(h->port.malformed == 1);
	host_close(&h);
	assert_no_leak();
}

Test(shared_store, is_looked_at_each_second_and_covered_for_who_leaves)
{
	struct store *s;
	struct stub *stub = open_over(&s);
	struct host *h = open_host(s);
	h->shared.next_look = 5 * SECOND;
	step(h, 5 * SECOND - 1);
	cr_assert(!stub->look);
	step(h, 5 * SECOND);
	cr_assert(stub->look && h->shared.next_look == 6 * SECOND && !h->checkpoint.wanted);
	stub->look = false;
	h->replica.looks.leaving_count = 1;
	step(h, 5 * SECOND);
	cr_assert(h->checkpoint.wanted);
	h->replica.looks.leaving_count = 0;
	host_close(&h);
	assert_no_leak();
}

/* One look, in which the writer is seen up to lsn. */
static void see(struct host *h, struct stub *stub, int64_t now, uint64_t lsn)
{
	stub->written_up_to = (struct position){{77}, lsn};
	stub->look = true;
	h->shared.next_look = NEVER;
	step(h, now);
}

/* Before it goes by what it sees there, which is at once. */
Test(shared_store, its_own_earlier_runs_are_ended)
{
	struct store *s;
	struct stub *stub = open_over(&s);
	struct host *h = open_host(s);
	cr_assert(host_flush(h, SECOND) == 0);
	stub->writer = self.node;
	see(h, stub, 2 * SECOND, 5);
	cr_assert(stub->ended.lsn == 0 && !h->replica.looks.done);
	cr_assert(host_flush(h, 2 * SECOND) == 0);
	cr_assert(stub->ended.origin.id == 77 && stub->ended.lsn == 6 && h->shared.next_look == 2 * SECOND);
	stub->has_ended = true;
	see(h, stub, 2 * SECOND, 6);
	cr_assert(h->replica.looks.done);
	host_close(&h);
	assert_no_leak();
}

/* The run that the next one is to end, as the folder keeps it. */
static uint64_t unended(struct store *s, struct bytes *meta)
{
	bytes_clear(meta);
	cr_assert(s->ops->journal_meta(s, meta) == 0 && meta->size > META_HEAD);
	return meta->data[0] & META_UNENDED ? bytes_get64(meta->data + 1) : 0;
}

/* A start of the node's next run, with what the folder keeps. */
static struct host *restart(struct store **s, const struct bytes *meta, uint64_t origin)
{
	struct host *h;
	struct host_config config = {.replica = {.self = self, .seed = 3}};
	config.replica.self.origin.id = origin;
	open_over(s);
	cr_assert((*s)->ops->journal_append(*s, ENTRY_META, (struct position){0}, meta->data, meta->size) ==
		  0);
	cr_assert((*s)->ops->journal_commit(*s) == 0);
	cr_assert(host_open(&h, &config, *s, &nowhere, SECOND, NULL, 0) == 0);
	return h;
}

/* Else it had to end runs that never wrote, and each start would leave one more. */
Test(shared_store, a_run_that_writes_is_known_to_the_next)
{
	struct store *s;
	struct bytes meta = {0};
	struct event event = {"k", 1, 1};
	for (int i = 0; i < 2; i++) {
		open_over(&s);
		struct host *h = open_host(s);
		cr_assert(host_flush(h, SECOND) == 0 && unended(s, &meta) == 0);
		h->replica.ready.phase = PHASE_SERVING;
		struct batch_box *box = message_make_batch((struct session){7, 1}, 1, &event, 1);
		cr_assert(replica_batch(&h->replica, SECOND, 0, box) == 0);
		batch_box_unref(box);
		if (i == 1)
			cr_assert(host_flush(h, SECOND) == 0 && unended(s, &meta) == self.origin.id);
		host_close(&h);
		h = restart(&s, &meta, 3);
		cr_assert(h->replica.looks.former.id == (i ? self.origin.id : 0));
		/* A run that is killed before it has looked there leaves that to the next. */
		cr_assert(host_flush(h, SECOND) == 0 && unended(s, &meta) == (i ? self.origin.id : 0));
		host_close(&h);
		h = restart(&s, &meta, 4);
		cr_assert(h->replica.looks.former.id == (i ? self.origin.id : 0));
		h->replica.looks.done = true;
		cr_assert(host_flush(h, SECOND) == 0 && unended(s, &meta) == 0, "it is ended");
		host_close(&h);
	}
	bytes_deinit(&meta);
	assert_no_leak();
}

static unsigned metas;
static const struct store_ops *below;

static int count_metas(struct store *s, enum entry_kind kind, struct position at, const void *data,
		       size_t size)
{
	metas += kind == ENTRY_META;
	return below->journal_append(s, kind, at, data, size);
}

static void append_of(struct host *h, uint64_t origin, uint64_t lsn)
{
	struct record *record = record_new((struct position){{origin}, lsn}, NULL, 0);
	cr_assert(
	    actions_push(&h->replica.actions, (struct action){.type = ACTION_APPEND, .record = record}) == 0);
	cr_assert(host_flush(h, SECOND) == 0);
}

/* Its own run, to a stream. */
Test(shared_store, a_run_that_writes_says_so_once)
{
	for (int i = 0; i < 2; i++) {
		struct store *s;
		open_over(&s);
		if (i == 1) { /* a journal that nobody else writes to */
			s->ops->close(s);
			cr_assert(memory_open(&s) == 0);
		}
		struct host *h = open_host(s);
		for (int j = 0; j < 3; j++) /* until it serves, where it can */
			cr_assert(host_flush(h, SECOND) == 0);
		struct store_ops ops = *s->ops;
		below = s->ops;
		ops.journal_append = count_metas;
		s->ops = &ops;
		metas = 0;
		append_of(h, 77, 1);
		cr_assert(!h->shared.wrote && metas == 0, "another's");
		append_of(h, self.origin.id, 1);
		cr_assert(h->shared.wrote == (i == 0) && metas == (i == 0));
		append_of(h, self.origin.id, 2);
		cr_assert(metas == (i == 0));
		host_close(&h);
	}
	assert_no_leak();
}

/* The one with the lowest number, of those that may. */
Test(shared_store, one_member_has_it_let_go)
{
	for (int i = 0; i < 3; i++) {
		struct store *s;
		struct stub *stub = open_over(&s);
		struct host *h = open_host(s);
		struct replica *r = &h->replica;
		const struct member row = {.node = {PEER}, .origin = {21}, .since = 1, .name = "s2"};
		cr_assert(replica_members(r, SECOND, (struct node){0}, &row, 1) == 0);
		cr_assert(host_flush(h, SECOND) == 0 && r->peers.count == 1);
		r->ready.phase = PHASE_SERVING;
		r->config.purges = r->peers.list[0].serving = true;
		r->peers.list[0].digest = r->membership.digest;
		r->peers.list[0].checkpointed = 5;
		r->looks.history.covered = i == 0 ? 0 : 1;
		r->config.self.node.id = i == 2 ? PEER + 1 : 1;
		h->shared.next_look = 0;
		stub->purged = 77;
		step(h, SECOND);
		cr_assert(stub->purged == (i == 1 ? 1 : 77), "%d", i);
		host_close(&h);
	}
	assert_no_leak();
}

/* Old records may be what is left of who lost all folders; two looks that find more are another cluster. */
Test(shared_store, another_cluster_that_writes_to_it_is_told)
{
	struct store *s;
	struct stub *stub = open_over(&s);
	struct host *h = open_host(s);
	struct host_shared *shared = &h->shared;
	stub->writer = (struct node){99};
	see(h, stub, SECOND, 5);
	see(h, stub, SECOND, 6);
	cr_assert(shared->strange_before == 0, "it has not served");
	h->replica.ready.established = true;
	for (int i = 0; i < 3; i++)
		see(h, stub, 2 * SECOND, 7);
	cr_assert(shared->strange_before == 7 && shared->strange_looks == 0 && shared->tell_stranger == 0);
	see(h, stub, 2 * SECOND, 8);
	cr_assert(shared->strange_looks == 1 && shared->tell_stranger == 0);
	see(h, stub, 2 * SECOND, 9);
	cr_assert(shared->strange_looks == 0 && shared->tell_stranger == 62 * SECOND);
	see(h, stub, 3 * SECOND, 10);
	see(h, stub, 62 * SECOND - 1, 11);
	cr_assert(shared->strange_looks == 2 && shared->tell_stranger == 62 * SECOND, "once a minute");
	see(h, stub, 62 * SECOND, 11);
	cr_assert(shared->strange_looks == 0 && shared->tell_stranger == 122 * SECOND);
	stub->writer = h->replica.config.self.node;
	see(h, stub, 200 * SECOND, 20);
	cr_assert(shared->strange_before == 0, "a member");
	stub->writer = (struct node){99};
	see(h, stub, 200 * SECOND, 1);
	cr_assert(shared->strange_before == 1 && shared->strange_looks == 0);
	see(h, stub, 200 * SECOND, 2);
	cr_assert(shared->strange_looks == 1, "the least that there can be");
	host_close(&h);
	assert_no_leak();
}

/* A snapshot that is taken in rests on what is at hand. */
Test(shared_store, nothing_at_hand_goes_while_a_snapshot_is_taken_in)
{
	struct store *s;
	open_over(&s);
	struct host *h = open_host(s);
	h->snapshot.from = (struct node){7};
	h->snapshot.asked = SECOND;
	cr_assert(host_flush(h, SECOND) == 0);
	for (uint64_t lsn = 1; lsn <= 9; lsn++)
		append(s, ENTRY_SHARED, 3, lsn);
	cr_assert(held(s, 3, 1));
	h->snapshot.from = (struct node){0};
	cr_assert(host_flush(h, SECOND) == 0);
	append(s, ENTRY_SHARED, 3, 10);
	cr_assert(!held(s, 3, 1) && held(s, 3, 10));
	host_close(&h);
	assert_no_leak();
}
