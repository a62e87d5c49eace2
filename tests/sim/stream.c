/* SPDX-License-Identifier: MIT */
/* A stream that servers write their records to, as NATS JetStream is one: what is written is stored a while
 * later, in order, and acknowledged later still; a server that dies leaves some of it on its way, and nobody
 * knows which. It can be out of reach for a while. Records come back in another order, or twice. What is to
 * be let go of is so some time later, of each run for itself, or never. */
#include "base/array.h"
#include "store/stream.h"

#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "store/shared.h"

#define AT_HAND 2000 /* bytes: a few records, so that others must be fetched */
#define FETCHES 8
#define FETCHED 3 /* records at a time */
#define PURGE_LATE (10 * SECOND)

struct fetching {
	struct origin origin;
	uint64_t from, to;
	int64_t at; /* it is answered then; 0: none */
};

struct sim_view { /* one server's run */
	struct stream stream;
	struct sim *sim;
	int server;
	struct node node;
	struct flying *group; /* to be committed */
	size_t group_count, group_capacity;
	uint64_t last;	   /* number of the last one on its way */
	int64_t acked_at;  /* … and when it is acknowledged; 0: nothing is committing */
	int64_t looked_at; /* 0: no look was asked for */
	struct fetching fetches[FETCHES];
};

static struct sim_view *of(struct stream *s)
{
	return (struct sim_view *)(void *)s; /* stream is its first member */
}

static uint64_t last_lsn(const struct sim_stream *t, struct origin o)
{
	uint64_t last = 0;
	for (size_t i = 0; i < t->count; i++)
		last = origin_equal(t->stored[i].at.origin, o) ? t->stored[i].at.lsn : last;
	return last;
}

/* Of one run, but its last record. */
static void purge_run(struct sim *s, const struct purging *p)
{
	struct sim_stream *t = &s->stream;
	uint64_t last = last_lsn(t, p->origin);
	size_t kept = 0;
	for (size_t i = 0; i < t->count; i++) {
		struct flying f = t->stored[i];
		if (origin_equal(f.at.origin, p->origin) && f.number <= p->number && f.at.lsn != last) {
			s->stats.purged++;
			free(f.data);
			continue;
		}
		t->stored[kept++] = f;
	}
	t->count = kept;
}

static void purge_due(struct sim *s)
{
	struct sim_stream *t = &s->stream;
	size_t kept = 0;
	for (size_t i = 0; i < t->purge_count; i++) {
		const struct purging p = t->purges[i];
		if (p.at > s->now)
			t->purges[kept++] = p;
		else
			purge_run(s, &p);
	}
	t->purge_count = kept;
}

/* What is written names the record that it follows: when another stands there, it is not stored. */
static bool is_refused(const struct sim_stream *t, const struct flying *f)
{
	bool ended = false;
	for (size_t i = 0; i < t->count; i++)
		ended = ended || (t->stored[i].ends && origin_equal(t->stored[i].at.origin, f->at.origin));
	return ended || last_lsn(t, f->at.origin) + 1 != f->at.lsn;
}

/* Stores what has arrived by now. */
static void advance(struct sim *s)
{
	struct sim_stream *t = &s->stream;
	size_t kept = 0;
	for (size_t i = 0; i < t->flying_count; i++) {
		struct flying f = t->flying[i];
		if (f.arrives > s->now) {
			t->flying[kept++] = f;
			continue;
		}
		if (!f.view && is_refused(t, &f)) {
			free(f.data);
			continue;
		}
		if (last_lsn(t, f.at.origin) + 1 != f.at.lsn)
			sim_fail(s, "lsn %llu of %016llx is written to the stream after %llu",
				 (unsigned long long)f.at.lsn, (unsigned long long)f.at.origin.id,
				 (unsigned long long)last_lsn(t, f.at.origin));
		if (array_reserve(&t->stored, t->count + 1, &t->capacity, sizeof f) < 0)
			abort();
		check_record(s, f.at, f.data, f.size);
		f.number = ++t->numbered;
		t->stored[t->count++] = f;
	}
	t->flying_count = kept;
	purge_due(s);
}

static int64_t later(struct sim *s, int64_t after)
{
	int64_t from = after > s->stream.down_until ? after : s->stream.down_until;
	return from + 1 + (int64_t)sim_below(s, sim_chance(s, 100) ? 200 * MS : 2 * MS);
}

/* What has not arrived when the server dies arrives up to some point. */
static void stream_close(struct stream *base)
{
	struct sim_view *v = of(base);
	struct sim *s = v->sim;
	struct sim_stream *t = &s->stream;
	size_t kept = 0;
	bool lost = false;
	for (size_t i = 0; i < t->flying_count; i++) {
		struct flying f = t->flying[i];
		bool own = f.view == v;
		lost = lost || (own && sim_chance(s, 300));
		if (own && lost) {
			free(f.data);
			continue;
		}
		if (own)
			f.view = NULL;
		t->flying[kept++] = f;
	}
	t->flying_count = kept;
	for (size_t i = 0; i < v->group_count; i++)
		free(v->group[i].data);
	free(v->group);
	free(v);
}

static int stream_write(struct stream *base, struct position at, const void *data, size_t size)
{
	struct sim_view *v = of(base);
	if (array_reserve(&v->group, v->group_count + 1, &v->group_capacity, sizeof *v->group) < 0)
		return -1;
	struct flying f = {.view = v, .node = base->node, .at = at, .size = size};
	f.data = malloc(size);
	if (!f.data)
		abort();
	memcpy(f.data, data, size);
	v->group[v->group_count++] = f;
	return 0;
}

static int stream_commit(struct stream *base)
{
	struct sim_view *v = of(base);
	struct sim_stream *t = &v->sim->stream;
	int64_t at = v->sim->now;
	for (size_t i = 0; i < v->group_count; i++) {
		struct flying f = v->group[i];
		f.arrives = at = later(v->sim, at);
		if (array_reserve(&t->flying, t->flying_count + 1, &t->flying_capacity, sizeof f) < 0)
			abort();
		t->flying[t->flying_count++] = f;
	}
	v->group_count = 0;
	v->acked_at = later(v->sim, at);
	stream_wake(v->sim, v->server, v->acked_at);
	return 0;
}

static int stream_poll(struct stream *base)
{
	struct sim_view *v = of(base);
	advance(v->sim);
	if (v->acked_at > v->sim->now)
		return 1;
	if (v->sim->now < v->sim->stream.down_until) {
		v->acked_at = later(v->sim, v->sim->now);
		stream_wake(v->sim, v->server, v->acked_at);
		return 1;
	}
	v->acked_at = 0;
	return 0;
}

static const char *stream_trouble(struct stream *base)
{
	(void)base;
	return NULL;
}

static void stream_look(struct stream *base)
{
	struct sim_view *v = of(base);
	if (v->looked_at == 0)
		v->looked_at = later(v->sim, v->sim->now);
	stream_wake(v->sim, v->server, v->looked_at);
}

static void stream_end(struct stream *base, struct position at, const void *data, size_t size)
{
	struct sim *s = of(base)->sim;
	struct sim_stream *t = &s->stream;
	if (sim_chance(s, 100))
		return; /* it was lost */
	struct flying f = {.ends = true, .node = base->node, .at = at, .size = size, .data = malloc(size)};
	if (!f.data || array_reserve(&t->flying, t->flying_count + 1, &t->flying_capacity, sizeof f) < 0)
		abort();
	memcpy(f.data, data, size);
	f.arrives = later(s, s->now);
	t->flying[t->flying_count++] = f;
}

static void stream_purge(struct stream *base, uint64_t number)
{
	struct sim *s = of(base)->sim;
	struct sim_stream *t = &s->stream;
	check_purge(s, of(base)->server, number);
	for (size_t i = 0; i < t->count; i++) {
		const struct flying *r = &t->stored[i];
		if (last_lsn(t, r->at.origin) != r->at.lsn || sim_chance(s, 200))
			continue;
		if (array_reserve(&t->purges, t->purge_count + 1, &t->purge_capacity, sizeof *t->purges) < 0)
			abort();
		t->purges[t->purge_count++] = (struct purging){
		    r->at.origin, number,
		    s->now + (int64_t)sim_below(s, sim_chance(s, 100) ? PURGE_LATE : 5 * MS)};
	}
}

static void stream_fetch(struct stream *base, struct origin origin, uint64_t from, uint64_t to)
{
	struct sim_view *v = of(base);
	for (size_t i = 0; i < FETCHES; i++) {
		if (v->fetches[i].at != 0)
			continue;
		v->fetches[i] = (struct fetching){origin, from, to, later(v->sim, v->sim->now)};
		stream_wake(v->sim, v->server, v->fetches[i].at);
		return;
	}
}

static int tell(told_fn fn, void *arg, enum told_type type, const struct flying *f)
{
	const struct told_entry told = {type, f->node, f->at, f->data, f->size, f->ends};
	return fn(arg, &told);
}

static int answer_look(struct sim_view *v, told_fn fn, void *arg)
{
	const struct sim_stream *t = &v->sim->stream;
	int e = 0;
	v->looked_at = 0;
	for (size_t i = 0; i < t->count && e == 0; i++) {
		if (last_lsn(t, t->stored[i].at.origin) == t->stored[i].at.lsn)
			e = tell(fn, arg, TOLD_HELD, &t->stored[i]);
	}
	return e ? e : tell(fn, arg, TOLD_LOOKED, &(struct flying){.at.lsn = t->numbered});
}

static int answer_fetch(struct sim_view *v, struct fetching *f, told_fn fn, void *arg)
{
	struct sim *s = v->sim;
	const struct sim_stream *t = &s->stream;
	const struct flying *found[FETCHED] = {0};
	size_t count = 0;
	int e = 0;
	f->at = 0;
	for (size_t i = 0; i < t->count && count < FETCHED; i++) {
		const struct flying *r = &t->stored[i];
		if (origin_equal(r->at.origin, f->origin) && r->at.lsn >= f->from && r->at.lsn <= f->to)
			found[count++] = r;
	}
	s->stats.fetched += count;
	for (size_t left = count; left > 0 && e == 0;) { /* in some order, and some of them twice */
		size_t i = sim_below(s, left);
		e = tell(fn, arg, TOLD_RECORD, found[i]);
		if (sim_chance(s, 200))
			continue;
		found[i] = found[--left];
	}
	struct flying end = {.at = {f->origin, f->from}};
	return e ? e : tell(fn, arg, count ? TOLD_FETCHED : TOLD_GONE, &end);
}

static int stream_take(struct stream *base, told_fn fn, void *arg)
{
	struct sim_view *v = of(base);
	struct sim *s = v->sim;
	int e = 0;
	advance(s);
	if (s->now < s->stream.down_until) {
		stream_wake(s, v->server, s->stream.down_until);
		return 0;
	}
	if (v->looked_at != 0 && v->looked_at <= s->now)
		e = answer_look(v, fn, arg);
	for (size_t i = 0; i < FETCHES && e == 0; i++) {
		if (v->fetches[i].at != 0 && v->fetches[i].at <= s->now)
			e = answer_fetch(v, &v->fetches[i], fn, arg);
	}
	return e;
}

static uint64_t stream_bytes(const struct stream *base)
{
	(void)base;
	return 0;
}

static int stream_descriptor(const struct stream *base)
{
	(void)base;
	return -1;
}

struct store *stream_over(struct sim *s, int server, struct store *disk)
{
	static const struct stream_ops ops = {
	    .close = stream_close,
	    .write = stream_write,
	    .commit = stream_commit,
	    .poll = stream_poll,
	    .trouble = stream_trouble,
	    .look = stream_look,
	    .end = stream_end,
	    .purge = stream_purge,
	    .fetch = stream_fetch,
	    .take = stream_take,
	    .bytes = stream_bytes,
	    .descriptor = stream_descriptor,
	};
	struct sim_view *v = calloc(1, sizeof *v);
	struct store *store;
	if (!v)
		abort();
	v->stream.ops = &ops;
	v->sim = s;
	v->server = server;
	if (shared_open(&store, disk, &v->stream, AT_HAND) < 0)
		abort();
	return store;
}

void stream_free(struct sim_stream *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->stored[i].data);
	for (size_t i = 0; i < t->flying_count; i++)
		free(t->flying[i].data);
	free(t->stored);
	free(t->flying);
	free(t->purges);
}

bool stream_holds(struct sim *s, struct position at)
{
	advance(s);
	return last_lsn(&s->stream, at.origin) >= at.lsn;
}

bool stream_mentions(struct sim *s, const char *key, size_t size)
{
	advance(s);
	char packed[64] = {(char)(0xa0 | size)}; /* a str of msgpack */
	memcpy(packed + 1, key, size);
	for (size_t i = 0; i < s->stream.count; i++) {
		if (memmem(s->stream.stored[i].data, s->stream.stored[i].size, packed, size + 1))
			return true;
	}
	return false;
}
