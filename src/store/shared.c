/* SPDX-License-Identifier: MIT */
#include "store/shared.h"

#include <errno.h>
#include <stdlib.h>

#include "base/random.h"
#include "store/hand.h"

struct shared_store {
	struct store store;
	struct store *inner;   /* owned */
	struct stream *stream; /* owned */
	struct hand hand;
	size_t at_hand;
	bool inner_open, stream_open; /* appended there since the last commit */
	int failed;
};

static struct shared_store *of(struct store *s)
{
	return (struct shared_store *)(void *)s; /* store is its first member */
}

static struct store *inner_of(struct store *s)
{
	return of(s)->inner;
}

static void shared_close(struct store *s)
{
	struct shared_store *t = of(s);
	t->stream->ops->close(t->stream);
	t->inner->ops->close(t->inner);
	hand_deinit(&t->hand);
	free(t);
}

/* A record of another that does not write to the stream, as far as is known, is kept here. */
static int append(struct shared_store *t, enum entry_kind kind, struct position at, const void *data,
		  size_t size)
{
	bool own = kind == ENTRY_RECORD && origin_equal(at.origin, t->stream->origin);
	if (own || kind == ENTRY_SHARED) {
		t->hand.most = t->store.keep ? SIZE_MAX : t->at_hand;
		int r = hand_add(&t->hand, at, data, size);
		if (r < 0 || !own)
			return r;
		t->stream_open = true;
		return t->stream->ops->write(t->stream, at, data, size);
	}
	t->inner_open = true;
	return t->inner->ops->journal_append(t->inner, kind, at, data, size);
}

static int shared_append(struct store *s, enum entry_kind kind, struct position at, const void *data,
			 size_t size)
{
	struct shared_store *t = of(s);
	if (t->failed == 0)
		t->failed = append(t, kind, at, data, size);
	return t->failed;
}

/* The inner one first: what this run is (I4) is durable before anything of it is. */
static int shared_commit(struct store *s)
{
	struct shared_store *t = of(s);
	if (t->failed == 0 && t->inner_open)
		t->failed = t->inner->ops->journal_commit(t->inner);
	t->inner_open = false;
	if (t->failed != 0 || !t->stream_open)
		return t->failed;
	t->stream_open = false;
	t->failed = t->stream->ops->commit(t->stream);
	return t->failed ? t->failed : 1;
}

static int shared_poll(struct store *s)
{
	struct shared_store *t = of(s);
	if (t->failed)
		return t->failed;
	int r = t->stream->ops->poll(t->stream);
	t->failed = r < 0 ? r : 0;
	return r;
}

static int shared_meta(struct store *s, struct bytes *out)
{
	return inner_of(s)->ops->journal_meta(inner_of(s), out);
}

static int shared_replay(struct store *s, entry_fn fn, void *arg)
{
	int r = inner_of(s)->ops->journal_replay(inner_of(s), fn, arg);
	for (const struct held_record *held = of(s)->hand.oldest; r == 0 && held; held = held->newer) {
		const struct entry entry = {ENTRY_RECORD, held->at, held->data, held->size};
		r = fn(arg, &entry);
	}
	return r;
}

static int shared_read(struct store *s, struct position at, struct bytes *out)
{
	const struct held_record *held = hand_get(&of(s)->hand, at);
	if (!held)
		return inner_of(s)->ops->journal_read(inner_of(s), at, out);
	bytes_append(out, held->data, held->size);
	return bytes_failed(out) ? -ENOMEM : 0;
}

static uint64_t shared_lowest(struct store *s, struct origin o)
{
	uint64_t inner = inner_of(s)->ops->journal_lowest(inner_of(s), o),
		 hand = hand_lowest(&of(s)->hand, o);
	if (hand <= 1 || inner == 0)
		return hand ? hand : inner;
	return inner < hand && store_holds(inner_of(s), (struct position){o, hand - 1}) ? inner : hand;
}

static int shared_truncate(struct store *s, const struct vector *floor)
{
	return inner_of(s)->ops->journal_truncate(inner_of(s), floor);
}

static int shared_clear(struct store *s)
{
	struct shared_store *t = of(s);
	uint64_t seed = t->hand.by_position.seed;
	hand_deinit(&t->hand);
	hand_init(&t->hand, seed, t->at_hand);
	return t->inner->ops->journal_clear(t->inner);
}

static uint64_t shared_bytes(const struct store *s)
{
	const struct shared_store *t = (const struct shared_store *)(const void *)s;
	return t->inner->ops->journal_bytes(t->inner) + t->stream->ops->bytes(t->stream);
}

static const struct store_ops shared_ops = {
    .close = shared_close,
    .journal_append = shared_append,
    .journal_commit = shared_commit,
    .journal_poll = shared_poll,
    .journal_meta = shared_meta,
    .journal_replay = shared_replay,
    .journal_read = shared_read,
    .journal_lowest = shared_lowest,
    .journal_truncate = shared_truncate,
    .journal_clear = shared_clear,
    .journal_bytes = shared_bytes,
};

int shared_open(struct store **store, struct store *inner, struct stream *stream, size_t at_hand)
{
	struct shared_store *t = calloc(1, sizeof *t);
	if (!t) {
		stream->ops->close(stream);
		inner->ops->close(inner);
		return -ENOMEM;
	}
	t->store = (struct store){
	    .ops = &shared_ops, .report = inner->report, .checkpoints = inner->checkpoints, .stream = stream};
	t->inner = inner;
	t->stream = stream;
	t->at_hand = at_hand;
	hand_init(&t->hand, random_id(), at_hand);
	*store = &t->store;
	return 0;
}
