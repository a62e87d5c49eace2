/* SPDX-License-Identifier: MIT */
#include "server/shared.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/time.h"
#include "core/commit.h"
#include "core/repair.h"
#include "core/shared.h"
#include "store/stream.h"

#define LOOK_INTERVAL SECOND
#define STALLED SECOND /* a commit that goes on for longer is not waited for by new batches */
#define TROUBLE_INTERVAL (10 * SECOND)
#define STRANGE_LOOKS 2
#define STRANGER_INTERVAL (60 * SECOND)

static int64_t measured(const struct host *h)
{
	return h->clock ? h->clock() : NEVER;
}

static int committed(struct host *h, int64_t now)
{
	int64_t began = h->shared.commit_began, took = began == NEVER ? NEVER : measured(h) - began;
	metrics_committed(&h->metrics, h->replica.group.records, h->replica.group.count, took);
	if (began != NEVER)
		gather_synced(&h->replica.group.gather, began + took, took);
	return replica_committed(&h->replica, now);
}

int host_commit(struct host *h, int64_t now)
{
	h->shared.committing_since = now;
	h->shared.commit_began = measured(h);
	int e = h->store->ops->journal_commit(h->store);
	if (e == 1)
		return 0; /* it goes on */
	return e < 0 ? e : committed(h, now);
}

void host_shared_fetch(struct host *h, struct origin origin, uint64_t from, uint64_t to)
{
	h->store->stream->ops->fetch(h->store->stream, origin, from, to);
}

int host_shared_end(struct host *h, int64_t now, struct position at)
{
	struct record *last = record_new(at, NULL, 0);
	int e = last ? message_encode_record(last) : -ENOMEM;
	if (e == 0)
		h->store->stream->ops->end(h->store->stream, at, last->raw, last->raw_size);
	record_unref(last);
	h->shared.next_look = now; /* nothing is served before it is seen there */
	return e;
}

int host_shared_read(struct host *h, struct position at, struct bytes *out)
{
	const struct held_record *lent = hand_get(&h->shared.lent, at);
	if (!lent)
		return h->store->ops->journal_read(h->store, at, out);
	bytes_append(out, lent->data, lent->size);
	return bytes_failed(out) ? -ENOMEM : 0;
}

bool host_shared_reads_again(struct host *h, struct origin origin, uint64_t from, uint64_t to)
{
	const struct position *absent = &h->shared.absent;
	if (!h->store->stream || h->replica.ready.phase != PHASE_CATCHING_UP || from > to ||
	    (origin_equal(absent->origin, origin) && absent->lsn == from))
		return false;
	host_shared_fetch(h, origin, from, to);
	return true;
}

struct listener {
	struct host *h;
	int64_t now;
};

static int take_record(struct host *h, int64_t now, const struct told_entry *told)
{
	struct record *record;
	int e = message_decode_record(told->data, told->size, &record);
	if (e != 0)
		return port_malformed(&h->port, now, "the shared journal", e);
	if (replica_has(&h->replica, record->at.origin, record->at.lsn))
		e = hand_add(&h->shared.lent, record->at, told->data, told->size);
	else
		e = replica_record(&h->replica, now, record, false);
	record_unref(record);
	return e;
}

/* Old records of nodes that nobody knows may be what is left of a cluster that lost all folders. When more
 * come, those nodes run: it is another cluster's journal, or this server belongs there. */
static void note_stranger(struct host *h, struct node node, struct position at)
{
	struct host_shared *s = &h->shared;
	if (!h->replica.ready.established || members_find(&h->replica.membership.staged, node))
		return;
	s->strange += at.lsn;
	s->stranger = node;
}

static void tell_stranger(struct host *h, int64_t now)
{
	struct host_shared *s = &h->shared;
	if (s->strange_before > 0 && s->strange > s->strange_before)
		s->strange_looks++;
	s->strange_before = s->strange;
	s->strange = 0;
	if (s->strange_looks < STRANGE_LOOKS || now < s->tell_stranger)
		return;
	log_error(
	    "the journal is written by node %016" PRIx64 ", too, which is no member of this cluster: two "
	    "clusters have been given one stream. Stop the servers of the one to which it does not belong, "
	    "wipe their folders, and give them their own --journal",
	    s->stranger.id);
	s->strange_looks = 0;
	s->tell_stranger = now + STRANGER_INTERVAL;
}

static int take(void *arg, const struct told_entry *told)
{
	const struct listener *t = arg;
	struct replica *r = &t->h->replica;
	switch (told->type) {
	case TOLD_HELD:
		note_stranger(t->h, told->node, told->at);
		if (!told->ended && replica_not_ended(r, told->node, told->at) < 0)
			return -ENOMEM;
		return replica_held(r, t->now, told->node, told->at);
	case TOLD_LOOKED:
		tell_stranger(t->h, t->now);
		replica_checkpointed(r, t->h->checkpoint.records);
		return replica_looked(r, t->now, told->at.lsn);
	case TOLD_RECORD:
		return take_record(t->h, t->now, told);
	case TOLD_FETCHED:
		return replica_fetched(r, t->now, told->at);
	case TOLD_GONE:
		t->h->shared.absent = told->at;
		return replica_gone(r, t->now, t->h->replica.config.self.node, told->at);
	}
	return 0;
}

/* Likes that wait for the journal are told of, as are those that do so no more. */
static void tell_trouble(struct host *h, int64_t now)
{
	struct host_shared *s = &h->shared;
	bool troubled = h->replica.stalled;
	if (troubled == s->troubled && (!troubled || now < s->tell_trouble))
		return;
	const char *why = h->store->stream->ops->trouble(h->store->stream);
	if (troubled)
		log_warn("likes are not acknowledged, new ones refused as busy: %s",
			 why ? why : "the shared journal does not answer");
	else
		log_info("the shared journal takes records again");
	s->troubled = troubled;
	s->tell_trouble = now + TROUBLE_INTERVAL;
}

/* One of the members asks for it. */
static bool is_purger(const struct replica *r)
{
	for (size_t i = 0; i < r->peers.count; i++) {
		if (r->peers.list[i].node.id < r->config.self.node.id)
			return false;
	}
	return true;
}

int host_shared_step(struct host *h, int64_t now)
{
	struct stream *stream = h->store->stream;
	struct listener listener = {h, now};
	if (!stream)
		return 0;
	h->store->keep = taking_now(&h->snapshot);
	int e = stream->ops->take(stream, take, &listener);
	if (e == 0 && h->replica.group.committing) {
		e = h->store->ops->journal_poll(h->store);
		e = e == 0 ? committed(h, now) : e;
	}
	if (e < 0)
		return e;
	h->replica.stalled = h->replica.group.committing && now - h->shared.committing_since > STALLED;
	tell_trouble(h, now);
	if (h->replica.looks.leaving_count > 0)
		h->checkpoint.wanted = true; /* one that covers what they left */
	if (now >= h->shared.next_look) {
		h->shared.next_look = now + LOOK_INTERVAL;
		stream->ops->look(stream);
		uint64_t purgeable = replica_purgeable(&h->replica);
		if (purgeable > 0 && is_purger(&h->replica))
			stream->ops->purge(stream, purgeable);
	}
	return 0;
}
