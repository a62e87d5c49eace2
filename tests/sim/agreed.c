/* SPDX-License-Identifier: MIT */
/* What the members agree on, looked at from above: nobody drops what another member may still need. */
#include "base/array.h"
#include "sim.h"

#include <stdlib.h>

void raise_vector(struct vector *v, const struct vector *from)
{
	struct position at;
	for (struct vector_walk walk = {0}; vector_next(from, &walk, &at);) {
		if (vector_get(v, at.origin) < at.lsn)
			vector_set(v, at.origin, at.lsn);
	}
}

/* I14: what is judged on was said under the membership that the judge holds. */
static void check_views(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	const struct replica *r = &v->host->replica;
	for (size_t k = 0; k < r->peers.count; k++) {
		const struct peer *p = &r->peers.list[k];
		uint64_t sampled = p->has_sample ? p->node.id : 0;
		bool before = false;
		for (size_t n = 0; n < v->sampled_count; n++)
			before = before || v->sampled[n] == sampled;
		if (sampled && !before && p->digest != r->membership.digest)
			sim_fail(s, "s%d takes what %016llx said under another membership for a sample",
				 i + 1, (unsigned long long)p->node.id);
	}
	v->sampled_count = 0;
	for (size_t k = 0; k < r->peers.count && v->sampled_count < SIM_PEERS; k++) {
		if (r->peers.list[k].has_sample)
			v->sampled[v->sampled_count++] = r->peers.list[k].node.id;
	}
}

/* Whether a server that may take batches would still take one of the session. */
static bool still_open(const struct sim_server *v, struct session session)
{
	if (!v->host || v->disk->dead || !v->established || v->condemned || v->may_regress || v->damaged)
		return false;
	const struct sessions *all = &v->host->replica.sessions;
	const struct seen *seen = sessions_find(all, session);
	return v->host->replica.ready.phase == PHASE_SERVING && !sessions_forgotten(all, session) &&
	       !sessions_lapsed(all, session, seen) && !(seen && seen_closed(seen));
}

/* I8: who forgets a session knows that every member has applied its close. */
static void check_forgetting(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	const struct replica *r = &v->host->replica;
	for (size_t k = 0; k < v->closing_count; k++) {
		if (!sessions_forgotten(&r->sessions, v->closing[k]))
			continue;
		for (int other = 0; other < s->server_count; other++) {
			if (still_open(&s->servers[other], v->closing[k]))
				sim_fail(s, "s%d forgets a session that is open on s%d", i + 1, other + 1);
		}
	}
	v->closing_count = 0;
	for (size_t k = 0; k < r->sessions.closing_count; k++) {
		if (array_reserve(&v->closing, v->closing_count + 1, &v->closing_capacity,
				  sizeof *v->closing) < 0)
			abort();
		v->closing[v->closing_count++] = r->sessions.closing[k];
	}
}

/* Likewise of unused numbers that have lapsed: none is taken any more anywhere. */
static void check_lapse_agreed(struct sim *s, int i)
{
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&s->servers[i].host->replica.sessions.issuers, &at));) {
		const struct issuer *issuer = slot->value;
		struct session last = {issuer->id, issuer->lapse.to};
		for (int other = 0; issuer->lapse.to && !issuer->lapse.at.lsn && other < s->server_count;
		     other++) {
			const struct sim_server *v = &s->servers[other];
			if (still_open(v, last) && !sessions_find(&v->host->replica.sessions, last))
				sim_fail(s, "s%d lets sessions lapse that s%d would still take", i + 1,
					 other + 1);
		}
	}
}

static bool told(const struct sim *s, struct node node, const struct vector *v)
{
	return v->digest == 0 || map_get(&s->told, node.id, v->digest);
}

/* The member's present run, when it is up and that is the run in question. */
static const struct replica *run_of(const struct sim *s, struct node node, struct origin origin)
{
	for (int i = 0; i < s->server_count; i++) {
		const struct host *h = s->servers[i].host;
		if (h && node_equal(s->servers[i].node, node) &&
		    origin_equal(h->replica.config.self.origin, origin))
			return &h->replica;
	}
	return NULL;
}

/* I14: what is judged on, and what is to be reached before serving, is all that the member had at some
 * moment. I6: what a member is taken to hold, it holds; also when an old copy of its disk has come up. */
void check_known(struct sim *s, int i)
{
	const struct replica *r = &s->servers[i].host->replica;
	bool settled = members_digest(&r->membership.current) == r->membership.digest;
	for (size_t k = 0; k < r->peers.count; k++) {
		const struct peer *p = &r->peers.list[k];
		const struct member *m = members_find(&r->membership.current, p->node);
		const struct replica *run = m ? run_of(s, p->node, m->origin) : NULL;
		const struct replica *heard = run_of(s, p->node, p->origin);
		if ((p->exact && !told(s, p->node, &p->vector)) ||
		    (p->has_sample && !told(s, p->node, &p->sample)) ||
		    (p->has_covered && !told(s, p->node, &p->covered)) ||
		    (p->confirmed && !told(s, p->node, &p->target)))
			sim_fail(s, "s%d takes for all that %016llx has what it never had", i + 1,
				 (unsigned long long)p->node.id);
		if ((heard && !vector_covers(&heard->v, &p->vector)) ||
		    (settled && run && p->has_covered && !vector_covers(&run->v, &p->covered)))
			sim_fail(s, "s%d takes %016llx to hold what its present run does not", i + 1,
				 (unsigned long long)p->node.id);
	}
}

/* What is applied stays applied while it runs, a snapshot or not; but who never served may begin anew. */
void check_forwards(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	const struct replica *r = &v->host->replica;
	if (!vector_covers(&r->v, &v->reached))
		sim_fail(s, "s%d has no longer applied what it had", i + 1);
	raise_vector(&v->reached, &r->v);
}

/* Whoever serves is known to somebody who is left, unless most disks are destroyed at once (architecture.md).
 */
bool agreed_rest_is_known(const struct sim *s, int but)
{
	for (int i = 0; i < s->server_count; i++) {
		const struct sim_server *v = &s->servers[i];
		for (int k = 0; k < s->server_count; k++) {
			const struct sim_server *o = &s->servers[k];
			if (i != but && k != but && v->host && v->established && o->established &&
			    !o->condemned && !members_find(&v->host->replica.membership.current, o->node))
				return false;
		}
	}
	return true;
}

void check_agreed(struct sim *s, int i)
{
	check_views(s, i);
	check_forgetting(s, i);
	if (sim_chance(s, 100))
		check_lapse_agreed(s, i);
}
