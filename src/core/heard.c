/* SPDX-License-Identifier: MIT */
#include "core/heard.h"

#include <errno.h>

#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/reach.h"
#include "core/repair.h"

#define ASK_GRACE (100 * MS) /* the next vector may explain it */

/* Which vector, with what the message says, is the sender's V: the one that is known of it, this server's
 * own, or another peer's. NULL: none. */
static const struct vector *find_whole(const struct replica *r, const struct peer *p,
				       const struct vector_message *m)
{
	if (vector_digest_with(&p->vector, m->at, m->count) == m->all)
		return &p->vector;
	if (vector_digest_with(&r->v, m->at, m->count) == m->all)
		return &r->v;
	for (size_t i = 0; i < r->peers.count; i++) {
		if (vector_digest_with(&r->peers.list[i].vector, m->at, m->count) == m->all)
			return &r->peers.list[i].vector;
	}
	return NULL;
}

static int keep_positions(struct replica *r, struct peer *p, int64_t now, const struct vector_message *m)
{
	const struct vector *whole = find_whole(r, p, m);
	bool another = whole && whole != &p->vector;
	if (another && vector_copy(&p->vector, whole) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < m->count; i++) {
		if (vector_set(&p->vector, m->at[i].origin, m->at[i].lsn) < 0)
			return -ENOMEM;
	}
	if (!whole && p->exact)
		p->ask_at = now + ASK_GRACE;
	p->exact = whole;
	/* Equal vectors share what is long in them. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): r was used above */
	if (p->vector.digest == r->v.digest && p->vector.base != r->v.base &&
	    vector_copy(&p->vector, &r->v) < 0)
		return -ENOMEM;
	return another ? replica_learn_all(r, now) : replica_learn(r, now, m->at, m->count);
}

/* A sample or a target must not lack anything that the peer has. */
static int keep_vector(struct replica *r, struct peer *p, const struct vector_message *m)
{
	if (m->digest != r->membership.digest || !p->exact)
		return 0;
	if (m->serving && !p->has_sample) {
		if (vector_copy(&p->sample, &p->vector) < 0)
			return -ENOMEM;
		p->has_sample = true;
	}
	/* One that was catching up itself could not tell what others hold: it tells again once it serves. */
	bool news = !p->confirmed || (m->serving && !p->vouched);
	if (news && r->ready.phase == PHASE_CATCHING_UP) {
		if (vector_copy(&p->target, &p->vector) < 0)
			return -ENOMEM;
		p->confirmed = true;
		p->vouched = m->serving;
	}
	return 0;
}

/* Messages may be late: one of an earlier run must not make the peer look as if that were its present one.
 * Which run is the newest, the membership says; of a run that is not known there yet, or no more, nothing is
 * taken. */
static bool is_newest_run(const struct replica *r, const struct vector_message *m)
{
	const struct member *row = members_find(&r->membership.current, m->node);
	return row && origin_equal(row->origin, m->origin);
}

/* What a peer holds only grows while it runs. A new run may have come up with less: an old copy of its disk.
 */
static void begin_run(struct peer *p, struct origin origin, int64_t now)
{
	p->origin = origin;
	vector_clear(&p->vector);
	p->exact = false;
	p->after = (struct origin){0};
	p->ask_at = now + ASK_GRACE;
}

int replica_vector(struct replica *r, int64_t now, const struct vector_message *m)
{
	struct peer *p = peers_find(&r->peers, m->node);
	if (!p)
		return 0;
	if (!is_newest_run(r, m)) /* it will tell its newest run, when it sees that it is not known here */
		return replica_tell_members(r, p, now);
	if (origin_equal(p->origin, m->origin) && m->serial <= p->serial)
		return 0;
	if (!origin_equal(p->origin, m->origin))
		begin_run(p, m->origin, now);
	bool was_away = !peer_reachable(p, now);
	p->serial = m->serial;
	p->heard = now;
	p->digest = m->digest;
	p->all = m->all;
	p->serving = m->serving;
	p->checkpointed = m->covered;
	struct log *log = replica_log(r, m->origin);
	if (log)
		log->owner = m->node;
	if (keep_positions(r, p, now, m) < 0 || keep_vector(r, p, m) < 0)
		return -ENOMEM;
	if (was_away && replica_learn_all(r, now) < 0)
		return -ENOMEM;
	if (m->digest != r->membership.digest && replica_tell_members(r, p, now) < 0)
		return -ENOMEM;
	if (replica_repair(r, now) < 0 || (r->config.ack_peers && replica_acknowledge(r) < 0))
		return -ENOMEM;
	return r->ready.phase == PHASE_CATCHING_UP ? replica_judge_phase(r, now) : 0;
}

/* A page may be older than the newest message, so it only raises. */
int replica_reached_by(struct replica *r, int64_t now, struct node from, struct origin origin,
		       struct origin after, const struct position *at, size_t count, bool last)
{
	struct peer *p = peers_find(&r->peers, from);
	if (!p || p->exact || !origin_equal(p->origin, origin) || !origin_equal(p->after, after))
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (vector_get(&p->vector, at[i].origin) < at[i].lsn &&
		    vector_set(&p->vector, at[i].origin, at[i].lsn) < 0)
			return -ENOMEM;
	}
	bool end = last || count == 0;
	const struct origin first = {0};
	p->after = end ? first : at[count - 1].origin;
	p->ask_at = end ? now + ASK_GRACE : now;
	if (replica_learn(r, now, at, count) < 0)
		return -ENOMEM;
	return replica_repair(r, now);
}
