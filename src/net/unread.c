/* SPDX-License-Identifier: MIT */
#include "net/unread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/random.h"
#include "base/time.h"
#include "kudos.h"
#include "net/source.h"

/* Who said nothing for so long, longer than servers and leaders remember a connection, and owes nothing is
 * forgotten; or the one that was silent for longest, when so many came since. */
#define READER_IDLE (90 * SECOND)
#define STUCK SECOND /* whose messages have waited for so long does not read */
#define TELL_INTERVAL SECOND

struct place { /* in a list */
	struct reader *older, *newer;
};

struct list {
	struct reader *oldest, *newest;
	size_t at; /* where in a reader its place is */
};

/* What libzmq's thread touches: these counters, through the messages. */
struct owed {
	atomic_size_t *all;	    /* bytes, of everybody */
	atomic_size_t bytes;	    /* of this one */
	atomic_uint_fast64_t freed; /* messages, ever */
	atomic_uint holders;	    /* the table, and each message */
};

struct reader {
	struct owed owed; /* first: the last holder frees all of it */
	struct place heard_place, owing_place;
	struct source source;
	int64_t heard;
	uint64_t sent;	 /* messages, ever */
	uint64_t sample; /* the number of one; 0: not among those that owe */
	int64_t since;	 /* when that was the newest */
	bool ended;
	uint64_t hash[2];
	uint8_t id_size;
	uint8_t id[];
};

struct parcel { /* a message's bytes and whom they are owed by */
	struct owed *owed;
	size_t cost;
	uint8_t data[];
};

struct unread {
	atomic_size_t bytes;
	size_t limit;
	int port;
	struct map readers; /* by two hashes of the identity; owned */
	struct list heard;  /* all of them, by when they were last heard */
	struct list owing;  /* those that had something unread at the last look, by since */
	size_t owing_count;
	struct reader *published;
	size_t ended_count;
	int64_t tell_after;
};

/* ---- lists ---- */

static struct place *place_in(const struct list *l, struct reader *r)
{
	return (struct place *)(void *)((char *)r + l->at);
}

static void append(struct list *l, struct reader *r)
{
	*place_in(l, r) = (struct place){.older = l->newest};
	*(l->newest ? &place_in(l, l->newest)->newer : &l->oldest) = r;
	l->newest = r;
}

static void remove_from(struct list *l, struct reader *r)
{
	struct place *p = place_in(l, r);
	*(p->older ? &place_in(l, p->older)->newer : &l->oldest) = p->newer;
	*(p->newer ? &place_in(l, p->newer)->older : &l->newest) = p->older;
}

/* ---- messages ---- */

static void let_go(struct owed *o)
{
	if (atomic_fetch_sub(&o->holders, 1) == 1)
		free(o);
}

/* Called by libzmq, from any thread. */
static void release(void *data, void *hint)
{
	struct parcel *parcel = hint;
	struct owed *o = parcel->owed;
	(void)data;
	atomic_fetch_sub(o->all, parcel->cost);
	atomic_fetch_sub(&o->bytes, parcel->cost);
	atomic_fetch_add(&o->freed, 1);
	free(parcel);
	let_go(o);
}

/* A message that is owed from now on. 0 or -ENOMEM. */
static int make(zmq_msg_t *frame, struct owed *o, const void *data, size_t size)
{
	struct parcel *parcel = malloc(sizeof *parcel + size);
	if (!parcel)
		return -ENOMEM;
	*parcel = (struct parcel){o, size + UNREAD_MESSAGE};
	if (size > 0)
		memcpy(parcel->data, data, size);
	if (zmq_msg_init_data(frame, parcel->data, size, release, parcel) < 0) {
		free(parcel);
		return -ENOMEM;
	}
	atomic_fetch_add(o->all, parcel->cost);
	atomic_fetch_add(&o->bytes, parcel->cost);
	atomic_fetch_add(&o->holders, 1);
	return 0;
}

size_t unread_bytes(const struct unread *u)
{
	return atomic_load(&u->bytes);
}

/* ---- readers ---- */

static struct reader *reader_new(struct unread *u, const uint8_t *id, size_t id_size)
{
	struct reader *r = calloc(1, sizeof *r + id_size);
	if (!r)
		return NULL;
	r->owed.all = &u->bytes;
	atomic_init(&r->owed.holders, 1);
	r->id_size = (uint8_t)id_size;
	if (id_size > 0)
		memcpy(r->id, id, id_size);
	return r;
}

static void owe(struct unread *u, int64_t now, struct reader *r)
{
	r->sample = r->sent;
	r->since = now;
	append(&u->owing, r);
	u->owing_count++;
}

static void owe_no_more(struct unread *u, struct reader *r)
{
	remove_from(&u->owing, r);
	u->owing_count--;
	r->sample = 0;
}

static void reader_drop(struct unread *u, struct reader *r)
{
	map_remove(&u->readers, r->hash[0], r->hash[1]);
	remove_from(&u->heard, r);
	if (r->sample != 0)
		owe_no_more(u, r);
	source_drop(&r->source);
	let_go(&r->owed);
}

static struct reader *find(const struct unread *u, const uint8_t *id, size_t id_size, uint64_t hash[2])
{
	hash[0] = hash_bytes(id, id_size, u->readers.seed);
	hash[1] = hash_bytes(id, id_size, ~u->readers.seed);
	return map_get(&u->readers, hash[0], hash[1]);
}

static int add(struct unread *u, int64_t now, const struct packet *packet, const uint64_t hash[2],
	       const struct source *source)
{
	struct reader *r = reader_new(u, packet->head, packet->head_size);
	if (!r)
		return -ENOMEM;
	if (map_put(&u->readers, hash[0], hash[1], r) < 0) {
		let_go(&r->owed);
		return -ENOMEM;
	}
	memcpy(r->hash, hash, sizeof r->hash);
	r->source = *source;
	r->heard = now;
	append(&u->heard, r);
	return 0;
}

static void hear(struct unread *u, int64_t now, struct reader *r)
{
	r->heard = now;
	remove_from(&u->heard, r);
	append(&u->heard, r);
}

static void forget_idle(struct unread *u, int64_t now)
{
	struct reader *r = u->heard.oldest;
	if (!r || (now - r->heard < READER_IDLE && u->readers.count <= LIMIT_READERS))
		return;
	if (atomic_load(&r->owed.bytes) == 0)
		reader_drop(u, r);
	else
		hear(u, now, r); /* looked at again in a while */
}

/* A frame of the body: libzmq's frame with the identity does not always tell where it came from. */
int unread_heard(struct unread *u, int64_t now, struct packet *packet)
{
	uint64_t hash[2];
	zmq_msg_t *frame = &packet->frames[1];
	struct source source;
	forget_idle(u, now);
	struct reader *r = find(u, packet->head, packet->head_size, hash);
	if (r && source_sent(&r->source, frame)) {
		hear(u, now, r);
		return r->ended ? KUDOS_NO_SERVER : 0;
	}
	if (!source_take(&source, frame))
		return 0; /* its connection has gone, and with it the need for an answer */
	if (r && source_same(&r->source, &source)) {
		source_drop(&r->source);
		r->source = source;
		hear(u, now, r);
		return r->ended ? KUDOS_NO_SERVER : 0;
	}
	if (r) /* another connection has chosen its name */
		reader_drop(u, r);
	int e = add(u, now, packet, hash, &source);
	if (e < 0)
		source_drop(&source);
	return e;
}

/* ---- room ---- */

/* Whose remembered message has waited longest. */
static struct reader *slowest(struct unread *u, int64_t now)
{
	struct reader *r;
	while ((r = u->owing.oldest) && atomic_load(&r->owed.freed) >= r->sample) {
		owe_no_more(u, r);
		if (atomic_load(&r->owed.bytes) > 0)
			owe(u, now, r);
	}
	return r;
}

static void end(struct unread *u, int64_t now, struct reader *r)
{
	char name[64];
	owe_no_more(u, r);
	r->ended = true;
	u->ended_count++;
	if (now >= u->tell_after) {
		source_name(&r->source, name, sizeof name);
		u->tell_after = now + TELL_INTERVAL;
		log_warn(
		    "ended the connection of %s, which does not read: %zu KiB waited for it, for %lld ms at "
		    "least; %zu KiB wait for all, the limit is %zu KiB",
		    name, atomic_load(&r->owed.bytes) >> 10, (long long)((now - r->since) / MS),
		    unread_bytes(u) >> 10, u->limit >> 10);
	}
	source_end(&r->source, u->port);
}

/* An eighth is made free at once, so that there is seldom something to do. libzmq takes a moment to give the
 * bytes back; until then, and when nobody has been stuck for long enough, it is a matter of shares: who has
 * one already gets no more, and the others do, up to twice the limit. Who has read everything may get one
 * answer of any size. */
static bool make_room(struct unread *u, int64_t now, const struct reader *asker, size_t size)
{
	size_t bytes = unread_bytes(u), freed = 0;
	struct reader *r;
	if (bytes + size <= u->limit)
		return true;
	while (bytes + size - freed > u->limit - u->limit / 8 && (r = slowest(u, now)) &&
	       now - r->since >= STUCK && freed < bytes) {
		freed += atomic_load(&r->owed.bytes);
		end(u, now, r);
	}
	size_t share = u->limit / (u->owing_count + 1);
	size_t own = atomic_load(&asker->owed.bytes);
	return bytes + size <= 2 * u->limit && (own == 0 || own + size <= share);
}

/* ---- sending ---- */

int unread_send(struct unread *u, void *socket, int64_t now, const uint8_t *id, size_t id_size,
		const void *data, size_t size)
{
	uint64_t hash[2];
	zmq_msg_t frame;
	struct reader *r = find(u, id, id_size, hash);
	if (!r || r->ended)
		return KUDOS_NO_SERVER;
	if (!make_room(u, now, r, size + UNREAD_MESSAGE))
		return KUDOS_BUSY;
	if (r->ended)
		return KUDOS_NO_SERVER; /* it was itself the slowest */
	int e = make(&frame, &r->owed, data, size);
	if (e < 0)
		return e;
	e = socket_send_frame(socket, id, id_size, &frame);
	if (e != 0) {
		atomic_fetch_sub(&r->owed.freed, 1); /* out of turn: it was not read */
		return e;
	}
	r->sent++;
	if (r->sample == 0)
		owe(u, now, r);
	return 0;
}

int unread_publish(struct unread *u, void *socket, const void *topic, size_t topic_size, const void *data,
		   size_t size)
{
	zmq_msg_t frame;
	if (unread_bytes(u) + size + UNREAD_MESSAGE > u->limit)
		return KUDOS_BUSY;
	int e = make(&frame, &u->published->owed, data, size);
	return e < 0 ? e : socket_send_frame(socket, topic, topic_size, &frame);
}

/* ---- life ---- */

struct unread *unread_new(size_t limit)
{
	struct unread *u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->limit = limit;
	u->heard.at = offsetof(struct reader, heard_place);
	u->owing.at = offsetof(struct reader, owing_place);
	map_init(&u->readers, random_id());
	u->published = reader_new(u, NULL, 0);
	if (!u->published) {
		unread_free(u);
		return NULL;
	}
	return u;
}

void unread_free(struct unread *u)
{
	if (!u)
		return;
	while (u->heard.oldest)
		reader_drop(u, u->heard.oldest);
	map_deinit(&u->readers);
	if (u->published)
		let_go(&u->published->owed);
	free(u);
}

void unread_bound(struct unread *u, int port)
{
	u->port = port;
}

size_t unread_ended(struct unread *u)
{
	size_t count = u->ended_count;
	u->ended_count = 0;
	return count;
}
