/* SPDX-License-Identifier: MIT */
#include "core/agree.h"

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "core/reach.h"
#include "core/repair.h"
#include "core/shared.h"
#include "kudos.h"

#define TICK (50 * MS)
#define VECTOR_INTERVAL (200 * MS)
#define AGREE_INTERVAL (500 * MS)
#define IDLE_INTERVAL (5 * SECOND)

/* ---- membership ---- */

/* The staged membership is durable: from now on it is the one this server announces and judges by. */
int replica_membership_committed(struct replica *r, int64_t now)
{
	int forgotten = membership_committed(&r->membership);
	if (forgotten < 0 || peers_match(&r->peers, &r->membership.current, r->config.self.node) < 0)
		return -ENOMEM;
	readiness_committed(&r->ready);
	if (!replica_renew_view(r))
		return 0;
	if (forgotten) {
		/* What a node sent before it was forgotten and nobody has applied must not get in any more.
		 * Nor what this server has of it, as long as it is nobody: others have agreed without it. */
		replica_drop_shared(r);
		readiness_member_forgotten(&r->ready, vector_size(&r->v) > 0 || r->group.incoming_count > 0);
		if (replica_drop_all_waiting(r, now) < 0)
			return -ENOMEM;
	}
	return actions_push(&r->actions, (struct action){.type = ACTION_MEMBERS});
}

/* A memory-only node whose endpoint this one has bound now is gone with everything it held. */
static int forget_predecessor(struct replica *r)
{
	const struct member *self = &r->config.self;
	for (size_t i = 0; i < r->membership.staged.count; i++) {
		const struct member *m = &r->membership.staged.list[i];
		if (m->ephemeral && !m->forgotten && !node_equal(m->node, self->node) &&
		    strcmp(m->client_endpoint, self->client_endpoint) == 0 && replica_forget(r, m->node) < 0)
			return -ENOMEM;
	}
	return 0;
}

int replica_members(struct replica *r, int64_t now, struct node from, const struct member *rows, size_t count)
{
	struct peer *peer = peers_find(&r->peers, from);
	int news = 0;
	if (from.id == 0)
		readiness_hear_leader(&r->ready);
	/* A peer that does not know of this run yet ignores its vectors: it is told. It may answer in the
	 * same way, for as long as neither can commit what it has heard. */
	for (size_t i = 0; peer && i < count; i++) {
		if (node_equal(rows[i].node, r->config.self.node) &&
		    !origin_equal(rows[i].origin, r->config.self.origin) &&
		    replica_tell_members(r, peer, now) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		int leaves = rows[i].forgotten ? replica_leaves(r, rows[i].node) : 0;
		if (leaves < 0 || membership_hear(&r->membership, rows[i], leaves, &news) < 0)
			return -ENOMEM;
	}
	int at_once = membership_heard(&r->membership, &r->config.self, news);
	if (at_once < 0 ||
	    (at_once && actions_push(&r->actions, (struct action){.type = ACTION_MEMBERS}) < 0))
		return -ENOMEM;
	return forget_predecessor(r) < 0 ? -ENOMEM : replica_repair(r, now);
}

int replica_forget(struct replica *r, struct node node)
{
	const struct member *m = members_find(&r->membership.staged, node);
	if (!m)
		return KUDOS_UNKNOWN_NODE;
	int leaves = m->forgotten ? 1 : replica_leaves(r, node);
	if (leaves == 0)
		membership_forget(&r->membership, node);
	return leaves < 0 ? leaves : 0;
}

bool replica_is_forgotten(const struct replica *r)
{
	const struct member *self = members_find(&r->membership.current, r->config.self.node);
	return self && self->forgotten;
}

/* ---- when to serve ---- */

static bool repaired(const struct replica *r)
{
	const struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		if (!replica_has(r, log->origin, log->damaged) || !replica_has(r, log->origin, log->awaited))
			return false;
	}
	return true;
}

const char *replica_waits_for(const struct replica *r, int64_t now)
{
	const struct obstacles o = {
	    .peers = peers_survey(&r->peers, &r->v, now),
	    .alone = r->config.alone,
	    .early = now - r->started < r->config.grace,
	    .committing = !r->membership.durable || r->group.committing,
	    .snapshot = r->snapshot.from.id != 0 || r->snapshot.wanted,
	    .shared = r->config.shared,
	    .unread = r->config.shared && !r->looks.done,
	    .crowded = replica_crowded(r),
	    .damaged = !repaired(r),
	};
	return readiness_waits_for(&r->ready, &o);
}

int replica_judge_phase(struct replica *r, int64_t now)
{
	if (r->ready.phase != PHASE_CATCHING_UP || replica_waits_for(r, now))
		return 0;
	if (readiness_serve(&r->ready))
		r->membership.dirty = true;
	return r->ready.phase == PHASE_SERVING
		   ? actions_push(&r->actions, (struct action){.type = ACTION_PUBLISH_VECTOR})
		   : 0;
}

/* ---- what all agree may be dropped ---- */

int replica_agree(struct replica *r, int64_t now)
{
	if (replica_relearn(r, now) < 0)
		return -ENOMEM;
	if (peers_advance_samples(&r->peers, &r->v, r->membership.digest) < 0)
		return -ENOMEM;
	replica_follow_look(r);
	if (r->ready.phase == PHASE_CATCHING_UP || !r->membership.durable || !peers_covered(&r->peers))
		return 0;
	return sessions_settle(&r->sessions, &r->peers);
}

int replica_floor(struct replica *r, const struct vector *checkpoint, struct vector *floor)
{
	vector_clear(floor);
	if (!r->membership.durable)
		return 0; /* who the members are is in effect with the first commit */
	if (!repaired(r))
		return 0; /* the next start must find the damage, too */
	for (size_t i = 0; i < r->peers.count; i++) {
		if (!peer_shares_view(&r->peers.list[i], r->membership.digest))
			return 0;
	}
	if (vector_copy(floor, checkpoint) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < r->peers.count; i++) {
		if (vector_lower(floor, &r->peers.list[i].vector) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- time ---- */

static int close_idle_sessions(struct replica *r, int64_t now)
{
	const int64_t idle = r->config.session_idle;
	struct session s;
	for (size_t at = 0; sessions_next_idle(&r->sessions, &at, now, idle, &s);) {
		if (actions_push(&r->actions, (struct action){.type = ACTION_CLOSE_IDLE, .session = s}) < 0)
			return -ENOMEM;
	}
	for (size_t at = 0; sessions_next_unused(&r->sessions, &at, now, idle, &s);) {
		if (actions_push(&r->actions, (struct action){.type = ACTION_LAPSE, .session = s}) < 0)
			return -ENOMEM;
	}
	return 0;
}

int replica_tell_vector(struct replica *r, int64_t now)
{
	if (now < r->next_vector || !r->membership.durable)
		return 0;
	r->next_vector = now + VECTOR_INTERVAL;
	return actions_push(&r->actions, (struct action){.type = ACTION_PUBLISH_VECTOR});
}

int replica_tick(struct replica *r, int64_t now)
{
	if (replica_tell_vector(r, now) < 0)
		return -ENOMEM;
	if (now < r->next_tick)
		return 0;
	r->next_tick = now + TICK;
	if (now >= r->next_agree) {
		r->next_agree = now + AGREE_INTERVAL;
		if (replica_agree(r, now) < 0)
			return -ENOMEM;
	}
	if (now >= r->next_idle && r->ready.phase == PHASE_SERVING) {
		r->next_idle = now + IDLE_INTERVAL;
		if (close_idle_sessions(r, now) < 0)
			return -ENOMEM;
	}
	if (replica_repair(r, now) < 0)
		return -ENOMEM;
	return replica_judge_phase(r, now);
}

int64_t replica_deadline(const struct replica *r)
{
	return r->membership.durable ? earlier(r->next_vector, r->next_tick) : r->next_tick;
}
