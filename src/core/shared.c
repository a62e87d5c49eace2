/* SPDX-License-Identifier: MIT */
#include "core/shared.h"

#include <errno.h>

#include "core/reach.h"
#include "core/repair.h"

/* A node may have come and been lost while this member was down: nobody has agreed without it. Who was nobody
 * then has no say in what others left out. */
int replica_leaves(struct replica *r, struct node node)
{
	const struct member *m = members_find(&r->membership.staged, node);
	bool news = m ? !m->forgotten : r->ready.established;
	if (!r->config.shared || !news || node_equal(node, r->config.self.node))
		return 0;
	if (looks_leaving(&r->looks, node))
		return 1;
	if (looks_leave(&r->looks, node) < 0)
		return -ENOMEM;
	replica_renew_view(r);
	return 1;
}

/* Nodes that are no members (yet) may have been when all folders were lost: then the stream is all that is
 * left of them, for a new node that no member can tell more. Else they are another cluster's, and nothing of
 * theirs may be counted here. Which of the two it is can be told once all members are heard, and the leaders.
 */
enum strangers { IGNORED, UNDECIDED, TAKEN };

static enum strangers judge_strangers(const struct replica *r)
{
	bool heard = r->ready.met_leader || r->config.alone;
	if (r->ready.established)
		return IGNORED;
	for (size_t i = 0; i < r->peers.count; i++) {
		if (r->peers.list[i].serving)
			return IGNORED;
		heard = heard && r->peers.list[i].confirmed;
	}
	return heard ? TAKEN : UNDECIDED;
}

/* Whether what a node wrote may be taken. */
static bool may_take(struct replica *r, struct node node)
{
	const struct member *m = members_find(&r->membership.staged, node);
	if (m)
		return !m->forgotten && !looks_left(&r->looks, node);
	enum strangers strangers = judge_strangers(r);
	r->looks.cut =
	    r->looks.cut || strangers == UNDECIDED; /* it is not served before it is looked at again */
	return strangers == TAKEN;
}

/* Of who is no member and has left none; what it wrote may be needed by others. */
static void note_passed_over(struct replica *r, struct node node, struct position at)
{
	if (!members_find(&r->membership.staged, node) && !looks_left(&r->looks, node) &&
	    !replica_has(r, at.origin, at.lsn))
		r->looks.history.strange = true;
}

bool replica_is_shared(const struct replica *r, struct origin origin)
{
	const struct log *log = r->config.shared ? logs_find(&r->logs, origin) : NULL;
	const struct member *m = log ? members_find(&r->membership.staged, log->owner) : NULL;
	return log && log->held > 0 && !looks_left(&r->looks, log->owner) && !(m && m->forgotten);
}

int replica_held(struct replica *r, int64_t now, struct node node, struct position at)
{
	if (origin_equal(at.origin, r->config.self.origin)) {
		r->looks.history.own = at.lsn;
		return 0;
	}
	if (!may_take(r, node)) {
		note_passed_over(r, node, at);
		return 0;
	}
	struct log *log = logs_find(&r->logs, at.origin);
	if (!log && replica_has(r, at.origin, at.lsn))
		return 0;
	if (!log)
		log = replica_log(r, at.origin);
	if (!log && !replica_logs_full(r))
		return -ENOMEM;
	if (!log) {
		r->snapshot.wanted = r->looks.cut = true;
		return 0;
	}
	if (log->owner.id == 0)
		log->owner = node;
	if (log->held < at.lsn)
		log->held = at.lsn;
	if (!r->looks.done && log->awaited < at.lsn)
		log->awaited = at.lsn;
	log_note_known(log, at.lsn, now);
	return 0;
}

static int end_run(struct replica *r, struct position at)
{
	r->looks.cut = true;
	return actions_push(&r->actions,
			    (struct action){.type = ACTION_END, .origin = at.origin, .from = at.lsn + 1});
}

int replica_not_ended(struct replica *r, struct node node, struct position at)
{
	bool earlier =
	    node_equal(node, r->config.self.node) && !origin_equal(at.origin, r->config.self.origin);
	return earlier ? end_run(r, at) : 0;
}

/* The run before this one may have nothing there yet, and its first record on its way. */
static int end_former(struct replica *r)
{
	if (r->looks.former.id == 0 || r->looks.done || replica_has(r, r->looks.former, 1) ||
	    logs_find(&r->logs, r->looks.former))
		return 0;
	return end_run(r, (struct position){.origin = r->looks.former});
}

void replica_drop_shared(struct replica *r)
{
	struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		const struct member *m = members_find(&r->membership.current, log->owner);
		if (m && m->forgotten)
			log->held = log->awaited = 0;
	}
}

/* Who has not served cannot read what the shared journal has let go of, and need not: it takes the snapshot
 * of a member that has all of it, who may wait for its word before it serves. */
static bool comes_with_snapshot(const struct replica *r, const struct log *log, uint64_t last)
{
	return !r->ready.established && log->let_go &&
	       peers_have(&r->peers, (struct position){log->origin, last});
}

/* Whether all that the shared journal has of the node's runs is applied, and all that was taken of them. What
 * others may have of them besides is kept here when it comes. */
static bool read_out(const struct replica *r, struct node node)
{
	const struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		uint64_t last = log->held > log->appended ? log->held : log->appended;
		if (node_equal(log->owner, node) && !replica_has(r, log->origin, last) &&
		    !comes_with_snapshot(r, log, last))
			return false;
	}
	return !r->snapshot.wanted;
}

static void settle_leaving(struct replica *r)
{
	for (size_t i = 0; i < r->looks.leaving_count; i++) {
		struct leaving *l = &r->looks.leaving[i];
		if (r->looks.count < l->looks || !read_out(r, l->node))
			l->records = 0;
		else if (l->records == 0)
			l->records = r->stats.records + 1;
	}
}

int replica_looked(struct replica *r, int64_t now, uint64_t number)
{
	if (end_former(r) < 0)
		return -ENOMEM;
	looks_end(&r->looks, number);
	settle_leaving(r);
	return replica_repair(r, now);
}

/* Its own run's too: one that was stored and not acknowledged yet is not applied. */
void replica_follow_look(struct replica *r)
{
	const struct log *log;
	bool applied = r->looks.history.number != 0 && !r->snapshot.wanted &&
		       replica_has(r, r->config.self.origin, r->looks.history.own);
	for (size_t at = 0; applied && (log = logs_next(&r->logs, &at));) {
		applied = replica_has(r, log->origin, log->held);
	}
	if (applied)
		history_applied(&r->looks.history, r->stats.records);
}

uint64_t replica_purgeable(const struct replica *r)
{
	uint64_t least = r->looks.history.covered;
	if (!r->config.purges || r->ready.phase != PHASE_SERVING || !r->membership.durable ||
	    r->looks.leaving_count > 0)
		return 0;
	for (size_t i = 0; i < r->peers.count; i++) {
		const struct peer *p = &r->peers.list[i];
		if (!peer_shares_view(p, r->membership.digest))
			return 0;
		least = p->checkpointed < least ? p->checkpointed : least;
	}
	return least;
}

void replica_checkpointed(struct replica *r, uint64_t records)
{
	size_t kept = 0;
	settle_leaving(r);
	history_checkpointed(&r->looks.history, records);
	for (size_t i = 0; i < r->looks.leaving_count; i++) {
		struct leaving l = r->looks.leaving[i];
		if (l.records == 0 || records + 1 < l.records)
			r->looks.leaving[kept++] = l;
		else
			membership_forget(&r->membership, l.node);
	}
	r->looks.leaving_count = kept;
}
