/* SPDX-License-Identifier: MIT */
/* A server that cannot give a snapshot reads old records in the shared journal again, for who asks. */
#include "serve_world.h"
#include "store/stream.h"

struct stub {
	struct stream stream;
	struct bytes record; /* what it holds at `at`; nothing: it is gone */
	struct position at;
	unsigned asked; /* since it was last answered */
};

static struct stub *of(struct stream *s)
{
	return (struct stub *)(void *)s;
}

static void stub_look(struct stream *s)
{
	(void)s;
}

static void stub_fetch(struct stream *s, struct origin origin, uint64_t from, uint64_t to)
{
	cr_assert(from <= to);
	of(s)->at = (struct position){origin, from};
	of(s)->asked++;
}

static int stub_take(struct stream *s, told_fn fn, void *arg)
{
	struct stub *stub = of(s);
	bool gone = stub->record.size == 0;
	if (stub->asked == 0)
		return 0;
	stub->asked = 0;
	const struct told_entry record = {.type = TOLD_RECORD,
					  .node = self.node,
					  .at = stub->at,
					  .data = stub->record.data,
					  .size = stub->record.size},
				end = {.type = gone ? TOLD_GONE : TOLD_FETCHED, .at = stub->at};
	int e = gone ? 0 : fn(arg, &record);
	return e ? e : fn(arg, &end);
}

/* A server with an own record, 1, that only the stream has any more. */
static void start(struct fixture *f, struct stub *stub)
{
	static const struct stream_ops ops = {.look = stub_look, .fetch = stub_fetch, .take = stub_take};
	*stub = (struct stub){.stream.ops = &ops};
	setup(f);
	hello(f, 1, 0);
	like(f, 1, 1);
	flush(f);
	struct store *store = f->host->store;
	cr_assert(store->ops->journal_read(store, (struct position){self.origin, 1}, &stub->record) == 0);
	cr_assert(store->ops->journal_clear(store) == 0);
	store->stream = &stub->stream;
	hello(f, 2, PEER);
}

static void stop(struct fixture *f, struct stub *stub)
{
	bytes_deinit(&stub->record);
	teardown(f);
}

static void ask_of(struct fixture *f, struct origin origin, uint64_t lsn)
{
	say(f, 2, &(struct message){.type = MESSAGE_FETCH, .fetch = {origin, lsn, lsn}});
}

static void ask(struct fixture *f, uint64_t lsn)
{
	ask_of(f, self.origin, lsn);
}

Test(lending, who_serves_gives_a_snapshot_instead)
{
	struct fixture f;
	struct stub stub;
	start(&f, &stub);
	ask(&f, 1);
	cr_assert(f.m.type == MESSAGE_GONE && stub.asked == 0);
	stop(&f, &stub);
}

/* Seed 20037189: two groups each waited for the other's snapshot, and one of them wrote to a stream. */
Test(lending, who_does_not_serve_reads_it_again)
{
	struct fixture f;
	struct stub stub;
	start(&f, &stub);
	f.host->replica.ready.phase = PHASE_CATCHING_UP;
	ask(&f, 1);
	cr_assert(f.sent == 0 && stub.asked == 1 && stub.at.lsn == 1, "it is asked again");
	flush(&f);
	ask(&f, 1);
	cr_assert(f.m.type == MESSAGE_RECORDS && f.m.records.record_count == 1 && stub.asked == 0);
	cr_assert(!store_holds(f.host->store, stub.at),
		  "seed 100032309: it says nothing of what is held besides");
	ask(&f, 2);
	cr_assert(f.m.type == MESSAGE_GONE && stub.asked == 0, "it has not even applied that");
	stop(&f, &stub);
}

Test(lending, what_is_not_there_is_gone)
{
	struct fixture f;
	struct stub stub;
	start(&f, &stub);
	bytes_clear(&stub.record);
	f.host->replica.ready.phase = PHASE_CATCHING_UP;
	ask(&f, 1);
	cr_assert(f.sent == 0 && stub.asked == 1);
	flush(&f);
	ask(&f, 1);
	cr_assert(f.m.type == MESSAGE_GONE && stub.asked == 0);
	stop(&f, &stub);
}

Test(lending, what_is_gone_says_nothing_of_others)
{
	struct fixture f;
	struct stub stub;
	const struct origin other = {77};
	start(&f, &stub);
	f.host->replica.ready.phase = PHASE_CATCHING_UP;
	f.host->shared.absent = (struct position){other, 1};
	cr_assert(vector_set(&f.host->replica.v, other, 2) == 0);
	ask_of(&f, other, 1);
	cr_assert(f.m.type == MESSAGE_GONE && stub.asked == 0);
	ask_of(&f, other, 2);
	cr_assert(f.sent == 0 && stub.asked == 1 && stub.at.origin.id == 77 && stub.at.lsn == 2);
	ask(&f, 1);
	cr_assert(f.sent == 0 && stub.asked == 2 && origin_equal(stub.at.origin, self.origin));
	stop(&f, &stub);
}
