/* SPDX-License-Identifier: MIT */
#include "store/shared.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/time.h"
#include "host_world.h"
#include "leak.h"

#define AT_HAND ((size_t)400)

struct stub {
	struct stream stream;
	size_t written;
	int going; /* what poll() says */
	uint64_t asked_from;
	bool look;
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
	return of(s)->going;
}

static const char *stub_trouble(struct stream *s)
{
	(void)s;
	return "it is full";
}

static void stub_look(struct stream *s)
{
	of(s)->look = true;
}

static void stub_fetch(struct stream *s, struct origin origin, uint64_t from, uint64_t to)
{
	(void)origin;
	(void)to;
	of(s)->asked_from = from;
}

/* An empty stream. */
static int stub_take(struct stream *s, told_fn fn, void *arg)
{
	bool look = of(s)->look;
	of(s)->look = false;
	return look ? fn(arg, &(struct told_entry){.type = TOLD_LOOKED}) : 0;
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
	static const struct stream_ops ops = {stub_close,   stub_write,	    stub_commit, stub_poll,
					      stub_trouble, stub_look,	    stub_fetch,	 stub_take,
					      stub_bytes,   stub_descriptor};
	struct stub *stub = calloc(1, sizeof *stub);
	struct store *inner;
	cr_assert(stub && store_open_memory(&inner) == 0);
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

/* A snapshot that is taken in rests on what is at hand. */
Test(shared_store, nothing_at_hand_goes_while_a_snapshot_is_taken_in)
{
	const struct host_io io = {.send = drop_sent,
				   .publish = drop_published,
				   .members = drop_members,
				   .send_peer = drop_for_peer};
	struct store *s;
	struct host *h;
	open_over(&s);
	cr_assert(host_open(&h, &(struct host_config){.self = self, .seed = 3, .quiet = true}, s, &io, SECOND,
			    NULL, 0) == 0);
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
