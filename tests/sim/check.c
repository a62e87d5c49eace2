/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "core/agree.h"
#include "sim.h"
#include "unit/counts_help.h"

/* ---- for whoever looks for the cause ---- */

static void dump_vector(const char *name, const struct vector *v)
{
	printf("    %s", name);
	struct position at;
	for (struct vector_walk walk = {0}; vector_next(v, &walk, &at);)
		printf(" %04llx:%llu", (unsigned long long)at.origin.id >> 48, (unsigned long long)at.lsn);
	printf("\n");
}

static void dump_server(const struct sim *s, const struct sim_server *v)
{
	const struct replica *r = &v->host->replica;
	printf("  phase %d established %d doubtful %d anew %d met_leader %d digest %llx snapshot wanted %d "
	       "from %llx\n",
	       (int)r->ready.phase, r->ready.established, r->ready.doubtful, r->ready.anew,
	       r->ready.met_leader, (unsigned long long)r->membership.digest, r->snapshot.wanted,
	       (unsigned long long)r->snapshot.from.id);
	const char *waits = replica_waits_for(r, s->now);
	if (r->ready.phase == PHASE_CATCHING_UP)
		printf("    waits for %s\n", waits ? waits : "nothing");
	dump_vector("V", &r->v);
	for (size_t i = 0; i < r->membership.current.count; i++)
		printf("    member %016llx %s at %s run %04llx%s\n",
		       (unsigned long long)r->membership.current.list[i].node.id,
		       r->membership.current.list[i].name, r->membership.current.list[i].client_endpoint,
		       (unsigned long long)r->membership.current.list[i].origin.id >> 48,
		       r->membership.current.list[i].forgotten ? " forgotten" : "");
	for (size_t i = 0; i < r->looks.leaving_count; i++)
		printf("    node %016llx is about to be forgotten: at look %llu, of records %llu\n",
		       (unsigned long long)r->looks.leaving[i].node.id,
		       (unsigned long long)r->looks.leaving[i].looks,
		       (unsigned long long)r->looks.leaving[i].records);
	if (r->config.shared)
		printf("    looked %d, %llu times; applied %llu records\n", r->looks.done,
		       (unsigned long long)r->looks.count, (unsigned long long)r->stats.records);
	for (size_t i = 0; i < r->peers.count; i++) {
		const struct peer *p = &r->peers.list[i];
		printf("    peer %016llx heard %.3f ms ago serving %d confirmed %d digest %llx exact %d "
		       "sample %d covered %d\n",
		       (unsigned long long)p->node.id, (double)(s->now - p->heard) / 1000, p->serving,
		       p->confirmed, (unsigned long long)p->digest, p->exact, p->has_sample, p->has_covered);
		dump_vector("  vector", &p->vector);
		dump_vector("  target", &p->target);
	}
	const struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		printf("    log %04llx owner %llx appended %llu known %llu damaged %llu waiting %zu tries %u "
		       "gone %u\n",
		       (unsigned long long)log->origin.id >> 48, (unsigned long long)log->owner.id,
		       (unsigned long long)log->appended, (unsigned long long)log->known,
		       (unsigned long long)log->damaged, log->waiting_count, log->tries, log->gone);
	}
}

/* ---- after every call ---- */

/* Equal vectors have equal counts (the digest at each vector is remembered through the whole history). */
static void check_digest(struct sim *s, int i)
{
	const struct replica *r = &s->servers[i].host->replica;
	uint64_t at = r->v.digest;
	uint64_t digest = counts_digest(&r->counts) | 1;
	void *known = map_get(&s->digests, at, 0);
	if (!known)
		map_put(&s->digests, at, 0, (void *)(uintptr_t)digest);
	else if ((uintptr_t)known != (uintptr_t)digest)
		sim_fail(s, "s%d counts otherwise than another server did at the same vector", i + 1);
}

/* No like is counted twice, and none that was never sent, at any moment. */
static void check_counts(struct sim *s, int i)
{
	struct counted c;
	uint64_t own = 0, shared = 0;
	for (uint64_t at = 0; counts_next(&s->servers[i].host->replica.counts, &at, &c);) {
		if (c.key[0] == 'h')
			continue; /* a hostile client's own */
		if (c.key[0] == 'k') {
			shared += (uint64_t)c.count;
			continue;
		}
		if (c.count != 1) {
			sim_fail(s, "s%d counts %lld of %.*s, which was liked once", i + 1,
				 (long long)c.count, (int)c.size, c.key);
			return;
		}
		own++;
	}
	if (own > s->like_count || shared > s->like_count)
		sim_fail(s, "s%d counts %llu own and %llu shared likes of %zu that were sent", i + 1,
			 (unsigned long long)own, (unsigned long long)shared, s->like_count);
}

void check_second(struct sim *s)
{
	memset(s->said, 0, sizeof s->said);
	for (int i = 0; i < s->server_count; i++) {
		struct sim_server *v = &s->servers[i];
		struct vector oldest = v->past[SIM_PAST - 1];
		memmove(&v->past[1], &v->past[0], (SIM_PAST - 1) * sizeof *v->past);
		v->past[0] = oldest;
		vector_clear(&v->past[0]);
		if (v->host && !v->disk->dead && v->host->replica.ready.phase == PHASE_SERVING) {
			vector_copy(&v->past[0], &v->host->replica.v);
		} else {
			for (int k = 0; k < SIM_PAST; k++)
				vector_clear(&v->past[k]);
		}
	}
}

/* Who begins to serve holds what the others in reach had a while ago (while nothing disturbs that they hear
 * each other). */
static void check_joined(struct sim *s, int i)
{
	if (s->servers[i].hasty || s->now - s->disturbed_at < 4 * SECOND || s->faults.loss || s->faults.slow)
		return;
	for (int k = 0; k < s->server_count; k++) {
		const struct sim_server *other = &s->servers[k];
		const struct member *m =
		    members_find(&s->servers[i].host->replica.membership.current, other->node);
		if (k == i || !other->host || other->condemned || !m || s->cut[k][i] || s->cut[i][k])
			continue;
		if (!vector_covers(&s->servers[i].host->replica.v, &other->past[SIM_PAST - 1]))
			sim_fail(s, "s%d serves without what s%d had applied long before", i + 1, k + 1);
	}
}

/* I13: what damage took from its journal is there again before it serves, also when nobody was in reach. */
static void check_repaired(struct sim *s, struct sim_server *v)
{
	if (!vector_covers(&v->host->replica.v, &v->had))
		sim_fail(s, "s%d serves without what was damaged on its disk", v->index + 1);
	vector_clear(&v->had);
}

/* An old copy of a disk has what a member that serves told in this run before it serves itself. */
void check_renewed(struct sim *s, struct sim_server *v)
{
	const struct replica *r = &v->host->replica;
	bool met = false;
	for (size_t i = 0; i < r->peers.count; i++) {
		const struct peer *p = &r->peers.list[i];
		met = met || (p->heard != 0 && p->vouched && vector_covers(&r->v, &p->target));
	}
	if (v->old && !met)
		sim_fail(s, "s%d serves from an old copy of its disk", v->index + 1);
	v->old = false;
}

/* Whoever it heard lately has all of its own records: none of its likes is with it alone. */
void check_drained(struct sim *s, int i)
{
	const struct replica *r = &s->servers[i].host->replica;
	const struct origin own = r->config.self.origin;
	const uint64_t all = vector_get(&r->v, own);
	for (size_t k = 0; k < r->peers.count; k++) {
		const struct peer *p = &r->peers.list[k];
		for (int j = 0; peer_reachable(p, s->now) && j < s->server_count; j++) {
			const struct host *h = s->servers[j].host;
			if (h && origin_equal(h->replica.config.self.origin, p->origin) &&
			    vector_get(&h->replica.v, own) < all)
				sim_fail(s, "s%d says that it may end, and s%d lacks records of it", i + 1,
					 j + 1);
		}
	}
	if (r->group.pending_count || r->waiters.count)
		sim_fail(s, "s%d says that it may end, and clients wait for it", i + 1);
}

void check_server(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	if (v->phase != v->host->replica.ready.phase) {
		v->phase = v->host->replica.ready.phase;
		v->established = v->established || v->phase == PHASE_SERVING;
		v->serves_since = s->now;
		if (v->patient && v->phase == PHASE_SERVING) { /* it has heard; what comes now is as ever */
			v->patient = false;
			v->host->replica.config.grace = 2 * SECOND;
			/* Or nobody is left who had: it is not said again of one that serves. */
			for (size_t k = 0; k < s->gone_count; k++) {
				if (node_equal(s->gone[k], v->node))
					s->gone[k] = (struct node){0};
			}
		}
		v->may_regress = v->may_regress && v->phase != PHASE_SERVING;
		sim_log(s, "s%d is in phase %d", i + 1, (int)v->phase);
		if (s->verbose)
			dump_server(s, v);
		if (v->phase == PHASE_SERVING) {
			check_joined(s, i);
			check_repaired(s, v);
			check_renewed(s, v);
		}
		v->hasty = v->hasty && v->old;
	}
	if (!v->host->replica.ready.established) {
		vector_clear(&v->reached);
		vector_clear(&v->had);
	}
	check_agreed(s, i);
	hostile_check_lapses(s, i);
	if (sim_chance(s, 30)) { /* whole walks: now and then */
		hostile_check(s, i, false);
		check_digest(s, i);
		check_counts(s, i);
		check_forwards(s, i);
		check_known(s, i);
		check_checkpoint(s, i);
	}
}

/* What was applied was durable: it must be there again (I2, promise 2). */
void check_recovered(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	const struct replica *r = &v->host->replica;
	if (!v->may_regress && v->established && !v->streams && !s->faults.memory_only &&
	    !vector_covers(&r->v, &v->promised))
		sim_fail(s, "s%d came back with less than it had applied before", i + 1);
	check_counts(s, i);
}

/* Nobody but an operator forgets a node that has a disk. */
void check_forgotten(struct sim *s, int i)
{
	sim_log(s, "s%d hears that it was forgotten", i + 1);
	if (!s->servers[i].condemned)
		sim_fail(s, "s%d was forgotten, and no operator said so", i + 1);
	sim_note_gone(s, s->servers[i].node);
}

/* ---- what is written and published ---- */

/* I5: no (origin, lsn) has two payloads. */
void check_record(struct sim *s, struct position at, const void *data, size_t size)
{
	uintptr_t hash = (uintptr_t)(hash_bytes(data, size, 7) | 1);
	void *known = map_get(&s->payloads, at.origin.id, at.lsn);
	if (!known)
		map_put(&s->payloads, at.origin.id, at.lsn, (void *)hash);
	else if ((uintptr_t)known != hash)
		sim_fail(s, "two records for origin %016llx lsn %llu", (unsigned long long)at.origin.id,
			 (unsigned long long)at.lsn);
}

/* I5: no (session, seq) has two contents, whoever resends it where. */
void check_batch(struct sim *s, int client, const void *data, size_t size)
{
	struct batch_box *box;
	struct session session;
	uint64_t seq;
	struct proof proof;
	enum message_type type;
	if (message_peek(data, size, &type) != 0 || type != MESSAGE_BATCH)
		return;
	if (message_decode_batch(data, size, &box, &session, &seq, &proof) != 0) {
		sim_fail(s, "client %d sent a batch that cannot be read", client);
		return;
	}
	hostile_overhears(s, session, proof);
	uint64_t name = hash_pair(session.issuer, session.number, 3);
	uintptr_t hash = (uintptr_t)(hash_bytes(box->batch.raw, box->batch.raw_size, 7) | 1);
	void *known = map_get(&s->batches, name, seq);
	batch_box_unref(box);
	if (!known)
		map_put(&s->batches, name, seq, (void *)hash);
	else if ((uintptr_t)known != hash)
		sim_fail(s, "client %d sent other content under number %llu of session %016llx:%llu", client,
			 (unsigned long long)seq, (unsigned long long)session.issuer,
			 (unsigned long long)session.number);
}

/* I3 and I4: what is published is durable, and so is its origin. */
void check_publish(struct sim *s, int i, const void *data, size_t size)
{
	struct record *record;
	if (message_decode_record(data, size, &record) != 0) {
		sim_fail(s, "s%d published what is no record", i + 1);
		return;
	}
	if (s->servers[i].streams ? !stream_holds(s, record->at)
				  : !disk_holds(s->servers[i].disk, record->at))
		sim_fail(s, "s%d published lsn %llu before it was durable", i + 1,
			 (unsigned long long)record->at.lsn);
	record_unref(record);
	const struct disk *d = s->servers[i].disk;
	for (size_t k = d->synced; k-- > 0;) {
		const struct disk_entry *e = &d->entries[k];
		struct message m;
		if (e->kind != ENTRY_META)
			continue;
		size_t head = host_meta_head(e->data[0]);
		if (message_decode(e->data + head, e->size - head, &m) != 0) {
			sim_fail(s, "s%d has an unreadable meta entry", i + 1);
			return;
		}
		bool durable = false;
		for (size_t row = 0; row < m.members.row_count; row++)
			durable = durable || origin_equal(m.members.rows[row].origin,
							  s->servers[i].host->replica.config.self.origin);
		if (!durable)
			sim_fail(s, "s%d published before its origin was durable", i + 1);
		message_deinit(&m);
		return;
	}
	sim_fail(s, "s%d published with no identity on its disk", i + 1);
}

/* I6: every server that is a member and was whole once has applied what leaves the journal, durably or in its
 * V. */
void check_truncate(struct sim *s, int i, struct position at)
{
	sim_log(s, "s%d truncates %04llx:%llu", i + 1, (unsigned long long)at.origin.id >> 48,
		(unsigned long long)at.lsn);
	for (int k = 0; k < s->server_count; k++) {
		const struct sim_server *v = &s->servers[k];
		const struct member *m =
		    members_find(&s->servers[i].host->replica.membership.staged, v->node);
		if (v->forgotten || !m || m->forgotten || v->may_regress || v->damaged || !v->established)
			continue;
		bool has;
		if (v->host)
			has = !v->host->replica.ready.established ||
			      replica_has(&v->host->replica, at.origin, at.lsn) ||
			      v->host->snapshot.from.id != 0;
		else
			has = vector_get(&v->promised, at.origin) >= at.lsn;
		/* It had applied it, and reads it in the stream again. */
		has = has || (v->streams && vector_get(&v->had, at.origin) >= at.lsn);
		if (!has)
			sim_fail(s, "s%d drops lsn %llu of %016llx, which s%d has not applied", i + 1,
				 (unsigned long long)at.lsn, (unsigned long long)at.origin.id, k + 1);
	}
}

bool check_covered_by_others(struct sim *s, int i)
{
	struct vector all = {0};
	struct sim_server *v = &s->servers[i];
	if (v->host) {
		vector_copy(&all, &v->host->replica.v);
	} else {
		vector_copy(&all, &v->promised);
	}
	if (v->streams) /* what it has not read again yet may be in the stream alone */
		raise_vector(&all, &v->had);
	bool covered = false;
	for (int k = 0; k < s->server_count && !covered; k++) {
		const struct sim_server *other = &s->servers[k];
		covered = k != i && !other->condemned && other->host && !other->disk->dead &&
			  other->host->replica.ready.phase == PHASE_SERVING &&
			  vector_covers(&other->host->replica.v, &all);
	}
	vector_deinit(&all);
	return covered;
}

/* Whether it is one that others count on, as far as its disk knows: who has not served, or is a copy from
 * before it did, may begin anew. */
static bool counts_as_member(const struct sim_server *v)
{
	return v->established && (v->host ? v->host->replica.ready.established : !v->old);
}

bool check_alone(const struct sim *s, size_t owner, size_t like, int but)
{
	char key[48];
	int size = snprintf(key, sizeof key, "o%zun%zu", owner, like);
	for (int k = 0; k < s->server_count; k++) {
		const struct sim_server *v = &s->servers[k];
		if (k != but && v->host && !v->disk->dead && counts_as_member(v) && !v->condemned &&
		    counts_get(&v->host->replica.counts, key, (size_t)size) > 0)
			return false;
	}
	return true;
}

/* Whether somebody else reads in the stream what server i wrote there. */
static bool in_stream(struct sim *s, size_t owner, size_t like, int i)
{
	char key[48];
	int size = snprintf(key, sizeof key, "o%zun%zu", owner, like);
	bool reader = false;
	for (int k = 0; k < s->server_count; k++) {
		const struct sim_server *v = &s->servers[k];
		reader =
		    reader || (k != i && v->streams && counts_as_member(v) && !v->condemned && !v->forgotten);
	}
	return s->servers[i].streams && reader && stream_mentions(s, key, (size_t)size);
}

/* What only the destroyed disk may have held is lost perhaps; nothing is, when K other disks were to have it,
 * or it is in the stream. */
void check_destroyed(struct sim *s, int i)
{
	for (size_t o = 0; o < s->owner_count && s->ack_peers == 0; o++) {
		for (size_t k = 0; k < s->owners[o].count; k++) {
			if (s->owners[o].likes[k] != LIKE_ACKED || !check_alone(s, o, k, i) ||
			    in_stream(s, o, k, i))
				continue;
			s->owners[o].likes[k] = LIKE_AT_RISK;
			s->stats.at_risk++;
		}
	}
}

/* ---- the end ---- */

/* Whether it waits for nobody who will not come back. */
static bool knows_the_living(const struct sim *s, const struct replica *r)
{
	for (size_t m = 0; m < r->membership.current.count; m++) {
		bool there = r->membership.current.list[m].forgotten;
		for (int i = 0; i < s->server_count; i++)
			there = there || node_equal(s->servers[i].node, r->membership.current.list[m].node);
		if (!there)
			return false;
	}
	return true;
}

static bool server_converged(struct sim *s, int i, const struct replica *first, const char **why)
{
	const struct sim_server *v = &s->servers[i];
	if (!v->host) {
		*why = "a server is down";
		return false;
	}
	const struct replica *r = &v->host->replica;
	if (r->ready.phase != PHASE_SERVING || r->group.committing || r->group.pending_count ||
	    r->group.incoming_count || replica_lag(r) > 0) {
		*why = r->ready.phase != PHASE_SERVING ? "a server does not serve" : "a server lags";
		return false;
	}
	if (!knows_the_living(s, r)) {
		*why = "a node that is gone is still a member";
		return false;
	}
	if (first && (r->membership.digest != first->membership.digest || !vector_covers(&first->v, &r->v) ||
		      !vector_covers(&r->v, &first->v))) {
		*why = r->membership.digest != first->membership.digest ? "memberships differ"
									: "vectors differ";
		return false;
	}
	return true;
}

bool check_converged(struct sim *s, const char **why)
{
	const struct replica *first = NULL;
	for (int i = 0; i < s->client_count; i++) {
		const struct sim_client *c = &s->clients[i];
		if (c->agent && (!window_idle(&c->agent->courier.window) || c->reading)) {
			*why = "a client waits for an answer";
			return false;
		}
	}
	if (outbox_waits(s)) {
		*why = "an outbox waits for an answer";
		return false;
	}
	for (int i = 0; i < s->server_count; i++) {
		if (s->servers[i].forgotten)
			continue;
		if (!server_converged(s, i, first, why))
			return false;
		if (!first)
			first = &s->servers[i].host->replica;
	}
	return true;
}

/* Every like is counted as it should be, on this server. Shared keys must add up, too. */
static void check_final(struct sim *s, int i)
{
	const struct counts *counts = &s->servers[i].host->replica.counts;
	char key[48];
	int64_t own = 0, shared = counts_get(counts, "h", 1);
	for (size_t o = 0; o < s->owner_count; o++) {
		for (size_t k = 0; k < s->owners[o].count; k++) {
			int size = snprintf(key, sizeof key, "o%zun%zu", o, k);
			int64_t count = counts_get(counts, key, (size_t)size);
			enum like_state state = s->owners[o].likes[k];
			if ((state == LIKE_ACKED && count != 1) || (state == LIKE_REFUSED && count != 0) ||
			    state == LIKE_SENT || count < 0 || count > 1)
				sim_fail(s, "s%d counts %lld of %s, which was %s", i + 1, (long long)count,
					 key,
					 state == LIKE_ACKED	 ? "acknowledged"
					 : state == LIKE_REFUSED ? "refused"
								 : "never answered");
			own += count;
		}
	}
	for (int k = 0; k < 5; k++) {
		int size = snprintf(key, sizeof key, "k%d", k);
		shared += counts_get(counts, key, (size_t)size);
	}
	if (own + shared != counts->total)
		sim_fail(s, "s%d: its total is %lld, its keys add up to %lld", i + 1,
			 (long long)counts->total, (long long)(own + shared));
}

void check_end(struct sim *s)
{
	check_sessions(s);
	for (int i = 0; i < s->server_count; i++) {
		if (s->servers[i].forgotten)
			continue;
		check_digest(s, i);
		check_counts(s, i);
		check_final(s, i);
	}
}

/* Memory and disk are bounded: what all have agreed on is dropped. */
void check_quiet(struct sim *s)
{
	for (int i = 0; i < s->server_count; i++) {
		const struct sim_server *v = &s->servers[i];
		if (v->forgotten)
			continue;
		const struct replica *r = &v->host->replica;
		size_t open = 0;
		struct map_slot *slot;
		for (size_t at = 0; (slot = map_next(&r->sessions.seen, &at));)
			open += ((const struct seen *)slot->value)->applied.count > 0;
		hostile_check(s, i, true);
		if (open > 0)
			sim_fail(s, "s%d still remembers %zu sessions", i + 1, open);
		if (r->logs.by_origin.count > r->peers.count + 1)
			sim_fail(s, "s%d still has %zu logs", i + 1, r->logs.by_origin.count);
		if (r->waiters.count || r->group.pending_count || v->host->reads.count)
			sim_fail(s, "s%d still has waiters", i + 1);
		if (v->disk->count > 100)
			sim_fail(s, "s%d still has %zu journal entries", i + 1, v->disk->count);
	}
}

void check_dump(const struct sim *s)
{
	for (int i = 0; i < s->server_count; i++) {
		const struct sim_server *v = &s->servers[i];
		printf("s%d node %016llx %s%s%s\n", i + 1, (unsigned long long)v->node.id,
		       v->host ? "up" : "down", v->forgotten ? " forgotten" : "",
		       v->patient ? " patient" : "");
		printf("    disk:");
		for (size_t k = 0; k < v->disk->count; k++) {
			const struct disk_entry *e = &v->disk->entries[k];
			if (e->kind == ENTRY_META)
				printf(" meta");
			else
				printf(" %04llx:%llu", (unsigned long long)e->at.origin.id >> 48,
				       (unsigned long long)e->at.lsn);
		}
		printf("\n");
		if (v->host)
			dump_server(s, v);
	}
}
