/* SPDX-License-Identifier: MIT */
/* What the targets share that drive a server without its sockets (server/host.h): a host over a store in
 * memory, and what must hold of its state whatever it was told. */
#ifndef FUZZ_HOST_HELP_H
#define FUZZ_HOST_HELP_H

#include <string.h>

#include "base/hash.h"
#include "base/time.h"
#include "core/proof.h"
#include "fuzz/input.h"
#include "server/host.h"
#include "unit/counts_help.h"

#define SELF 10 /* node */
#define PEER 20
#define OTHER 30
#define SELF_ORIGIN 1 /* of its first run; each further one is 1 more */
#define PEER_ORIGIN 0x20
#define OTHER_ORIGIN 0x30

static inline struct member member_row(uint64_t node, uint64_t origin)
{
	struct member m = {.node = {node}, .origin = {origin}, .since = 1, .secret = {{(uint8_t)node}}};
	snprintf(m.name, sizeof m.name, "n%u", (unsigned)node);
	snprintf(m.client_endpoint, sizeof m.client_endpoint, "tcp://f:%u", (unsigned)node);
	snprintf(m.notify_endpoint, sizeof m.notify_endpoint, "tcp://f:%u", 1000 + (unsigned)node);
	return m;
}

/* ---- nobody listens ---- */

static inline void ignore_send(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	(void)arg, (void)id, (void)id_size, (void)data, (void)size;
}

static inline void ignore_peer(void *arg, struct node peer, const void *data, size_t size)
{
	(void)arg, (void)peer, (void)data, (void)size;
}

static inline void ignore_leader(void *arg, size_t leader, const void *data, size_t size)
{
	(void)arg, (void)leader, (void)data, (void)size;
}

static inline void ignore_publish(void *arg, const void *topic, size_t topic_size, const void *data,
				  size_t size)
{
	(void)arg, (void)topic, (void)topic_size, (void)data, (void)size;
}

static inline void ignore_members(void *arg, const struct members *members)
{
	(void)arg, (void)members;
}

static const struct host_io ignore_all = {NULL,		 ignore_send,	 ignore_peer,
					  ignore_leader, ignore_publish, ignore_members};

/* ---- what must hold ---- */

static inline void check_vector(const struct vector *v)
{
	struct position at, last = {{0}, 0};
	size_t count = 0;
	uint64_t digest = 0;
	for (struct vector_walk walk = {0}; vector_next(v, &walk, &at); last = at, count++) {
		must(last.origin.id < at.origin.id);
		digest += hash_pair(at.origin.id, at.lsn, 0);
	}
	must(count == vector_size(v) && digest == v->digest);
}

static inline void check_intervals(const struct intervals *s)
{
	for (size_t i = 0; i < s->count; i++) {
		must(s->at[i].lo <= s->at[i].hi);
		must(i == 0 || s->at[i - 1].hi + 1 < s->at[i].lo);
	}
}

/* A snapshot may bring a key twice; then only the first is the count, and what is walked is not what counts.
 */
static inline void check_counts(const struct counts *c)
{
	uint64_t total = 0, keys = 0;
	bool all = true;
	struct counted e;
	for (uint64_t at = 0; counts_next(c, &at, &e); keys++) {
		all = all && counts_get(c, e.key, e.size) == e.count;
		total += (uint64_t)e.count;
	}
	must(keys >= c->keys);
	must(keys > c->keys || (all && total == (uint64_t)c->total));
}

static inline void check_waiting(const struct replica *r)
{
	const struct log *log;
	size_t bytes = 0;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		for (size_t i = 0; i < log->waiting_count; i++) {
			must(i == 0 || log->waiting[i - 1]->at.lsn < log->waiting[i]->at.lsn);
			must(origin_equal(log->waiting[i]->at.origin, log->origin));
			bytes += log->waiting[i]->raw_size;
		}
	}
	must(bytes == r->logs.waiting_bytes && bytes <= LIMIT_REORDER_BYTES);
}

static inline void check_replica(const struct replica *r)
{
	struct map_slot *slot;
	check_counts(&r->counts);
	check_vector(&r->v);
	for (size_t i = 0; i < r->peers.count; i++) {
		check_vector(&r->peers.list[i].vector);
		check_vector(&r->peers.list[i].sample);
		check_vector(&r->peers.list[i].covered);
		check_vector(&r->peers.list[i].target);
	}
	for (size_t at = 0; (slot = map_next(&r->sessions.seen, &at));) {
		const struct seen *seen = slot->value;
		check_intervals(&seen->applied);
		check_intervals(&seen->pending);
	}
	for (size_t at = 0; (slot = map_next(&r->sessions.issuers, &at));)
		check_intervals(&((const struct issuer *)slot->value)->forgotten);
	check_waiting(r);
}

/* Of all that a checkpoint keeps, in whatever order it lies in memory. */
static inline uint64_t intervals_digest(const struct intervals *s, uint64_t seed)
{
	uint64_t digest = 0;
	for (size_t i = 0; i < s->count; i++)
		digest += hash_pair(s->at[i].lo, s->at[i].hi, seed);
	return digest;
}

static inline uint64_t state_digest(const struct replica *r)
{
	uint64_t digest = counts_digest(&r->counts) + r->counts.keys + r->v.digest;
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&r->sessions.seen, &at));) {
		const struct seen *seen = slot->value;
		uint64_t session = hash_pair(seen->session.issuer, seen->session.number, 3);
		digest += intervals_digest(&seen->applied, session);
		if (seen_closed(seen))
			digest += hash_pair(seen->closed.origin.id, seen->closed.lsn, session);
	}
	for (size_t at = 0; (slot = map_next(&r->sessions.issuers, &at));) {
		const struct issuer *issuer = slot->value;
		digest += intervals_digest(&issuer->forgotten, issuer->id);
		digest +=
		    issuer->lapse.at.lsn ? hash_pair(issuer->lapse.to, issuer->lapse.at.lsn, issuer->id) : 0;
	}
	return digest;
}

/* What is in memory, written as a checkpoint and loaded again, is the same; so whatever got in does not keep
 * the server from its next start. Nothing may be committing. */
static inline void check_reload(struct host *h, int64_t now)
{
	if (h->snapshot.from.id != 0 || h->checkpoint.phase != CHECKPOINT_NONE)
		return;
	uint64_t before = state_digest(&h->replica);
	h->checkpoint.exists = false;
	h->checkpoint.wanted = true;
	do
		must(checkpointing_step(&h->checkpoint, now, taking_now(&h->snapshot)) == 0);
	while (h->checkpoint.phase != CHECKPOINT_NONE);
	must(h->checkpoint.exists);
	replica_unload(&h->replica);
	must(checkpointing_recover(&h->checkpoint, now) == 0);
	check_replica(&h->replica);
	must(state_digest(&h->replica) == before);
}

#endif
