/* SPDX-License-Identifier: MIT */
#include "core/reach.h"

#include <errno.h>

#include "base/time.h"

#define TELL_INTERVAL (200 * MS) /* how often one peer is told the membership at most */
#define ASK_TIMEOUT (500 * MS)

/* ---- this server's ---- */

/* What is announced, and judged by: the membership, and which of its nodes this server is about to take for
 * forgotten (core/shared.h). Such a node is not confirmed, and nobody agrees with this server meanwhile. Who
 * has not served is nobody, and others may have to serve before it can read what it is to read. */
bool replica_renew_view(struct replica *r)
{
	if (!membership_renew_digest(&r->membership, r->ready.established ? looks_digest(&r->looks) : 0))
		return false;
	peers_drop_samples(&r->peers);
	peers_expect_confirmations(&r->peers);
	return true;
}

const struct position *replica_recent(struct replica *r, size_t *count)
{
	return recent_positions(&r->recent, &r->v, SIZE_MAX, count);
}

/* Who has never served tells nothing of what it has, so that nobody counts on that: it may have to begin
 * anew.
 */
struct vector_message replica_vector_message(struct replica *r)
{
	size_t count = 0, told = r->config.told ? r->config.told : SIZE_MAX;
	const struct position *at =
	    r->ready.established ? recent_positions(&r->recent, &r->v, told, &count) : NULL;
	return (struct vector_message){
	    .node = r->config.self.node,
	    .origin = r->config.self.origin,
	    .serial = r->serial++,
	    .digest = r->membership.digest,
	    .all = r->ready.established ? r->v.digest : 0,
	    .serving = r->ready.phase != PHASE_CATCHING_UP,
	    .covered = r->config.purges ? r->looks.history.covered : 0,
	    .at = at,
	    .count = count,
	};
}

size_t replica_reach(const struct replica *r, struct origin after, struct position *at, size_t room,
		     bool *last)
{
	struct vector_walk walk = vector_walk_after(&r->v, after);
	struct position more;
	size_t n = 0;
	while (n < room && vector_next(&r->v, &walk, &at[n]))
		n++;
	*last = n < room || !vector_next(&r->v, &walk, &more);
	return n;
}

/* ---- peers' ---- */

/* What a peer holds and this server does not know of yet. */
int replica_learn(struct replica *r, int64_t now, const struct position *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (replica_has(r, at[i].origin, at[i].lsn))
			continue;
		struct log *log = replica_log(r, at[i].origin);
		if (log) {
			log_note_known(log, at[i].lsn, now);
			continue;
		}
		if (!replica_logs_full(r))
			return -ENOMEM;
		r->snapshot.wanted = true;
		break;
	}
	return 0;
}

int replica_learn_all(struct replica *r, int64_t now)
{
	for (size_t i = 0; i < r->peers.count; i++) {
		const struct vector *v = &r->peers.list[i].vector;
		if (!peer_reachable(&r->peers.list[i], now) || vector_covers(&r->v, v))
			continue;
		struct position at;
		for (struct vector_walk walk = {0}; !r->snapshot.wanted && vector_next(v, &walk, &at);) {
			if (replica_learn(r, now, &at, 1) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* Asks the peers of whom not everything is known for the next page. */
int replica_ask_reach(struct replica *r, int64_t now)
{
	for (size_t i = 0; i < r->peers.count; i++) {
		struct peer *p = &r->peers.list[i];
		if (p->exact || !peer_reachable(p, now) || now < p->ask_at)
			continue;
		p->ask_at = now + ASK_TIMEOUT;
		if (actions_push(&r->actions,
				 (struct action){.type = ACTION_REACH, .node = p->node, .origin = p->after}) <
		    0)
			return -ENOMEM;
	}
	return 0;
}

int replica_tell_members(struct replica *r, struct peer *p, int64_t now)
{
	if (p->told != 0 && now - p->told < TELL_INTERVAL)
		return 0;
	p->told = now;
	return actions_push(&r->actions, (struct action){.type = ACTION_TELL_MEMBERS, .node = p->node});
}
