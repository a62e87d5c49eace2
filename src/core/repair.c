/* SPDX-License-Identifier: MIT */
#include "core/repair.h"

#include <assert.h>
#include <errno.h>

#include "base/time.h"
#include "core/reach.h"
#include "core/shared.h"

#define GAP_GRACE (20 * MS)	 /* a record may still be on its way when a vector already shows it */
#define FETCH_TIMEOUT (500 * MS) /* then another peer is asked, and given twice as long, … */
#define GONE_MOST 50		 /* times GAP_GRACE: the shared journal is asked again */
#define FETCH_DOUBLINGS 2	 /* … so many times: a long answer may take its time over a long way */
#define SNAPSHOT_PAUSE SECOND	 /* after one: the next is no newer at once */

/* What members hold of it, they have told or will; what the shared journal holds, it need not tell again. */
int replica_drop_all_waiting(struct replica *r, int64_t now)
{
	struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		logs_drop_waiting(&r->logs, log, log->waiting_count);
		log->known = log->held > log->appended ? log->held : log->appended;
	}
	return replica_learn_all(r, now);
}

static int take(struct replica *r, struct log *log, struct record *record)
{
	if (group_add_record(&r->group, record) < 0)
		return -ENOMEM;
	log->appended = record->at.lsn;
	log->gone = 0;
	if (log->known < log->appended)
		log->known = log->appended;
	log->gap_since = 0; /* what is missing still is another gap, if it is one */
	return 0;
}

/* Those that waited for what has just been taken. */
static int take_waiting(struct replica *r, struct log *log)
{
	size_t n = 0;
	while (n < log->waiting_count && log->waiting[n]->at.lsn <= log->appended + 1) {
		if (log->waiting[n]->at.lsn == log->appended + 1 && take(r, log, log->waiting[n]) < 0)
			return -ENOMEM;
		n++;
	}
	logs_drop_waiting(&r->logs, log, n);
	return 0;
}

int replica_record(struct replica *r, int64_t now, struct record *record, bool published)
{
	struct position at = record->at;
	if (origin_equal(at.origin, r->config.self.origin) || replica_has(r, at.origin, at.lsn))
		return 0;
	struct log *log = published ? logs_find(&r->logs, at.origin) : replica_log(r, at.origin);
	if (!log)
		return published || replica_logs_full(r) ? 0 : -ENOMEM;
	/* What a forgotten node still publishes must not get in: others may have agreed without it (I14). So
	 * only the runs of members are listened to; a run not known yet is known after its next vector. */
	if (published && (!peers_find(&r->peers, log->owner) || looks_left(&r->looks, log->owner)))
		return 0;
	if (at.lsn <= log->appended)
		return 0;
	int e = 0;
	if (at.lsn == log->appended + 1) {
		gather_others(&r->group.gather, now);
		e = take(r, log, record);
		if (e == 0)
			e = take_waiting(r, log);
	} else {
		r->stats.gaps++;
		e = logs_keep_waiting(&r->logs, log, record);
		log_note_known(log, at.lsn, now);
	}
	return e;
}

static int64_t patience(const struct log *log)
{
	return FETCH_TIMEOUT << log->late;
}

int replica_fetched(struct replica *r, int64_t now, struct position from)
{
	struct log *log = logs_find(&r->logs, from.origin);
	if (!log || log->asked_until == 0 || log->asked_from != from.lsn)
		return 0; /* nothing was asked, or something else since: that is under way still */
	/* Of one that was asked again it is not known whose answer this is (Karn and Partridge 1987). */
	if (log->late > 0 && !log->asked_again && log->asked_until - now > patience(log) / 2)
		log->late--;
	log->asked_until = 0;
	if (log->appended < log->asked_from) {
		log->tries++; /* an answer without what was asked for: another is asked, and not at once */
		log->gap_since = now;
	} else if (log->known > log->appended) {
		log->gap_since = now - GAP_GRACE; /* there is more: ask on at once */
	}
	return replica_repair(r, now);
}

int replica_gone(struct replica *r, int64_t now, struct node who, struct position from)
{
	struct log *log = logs_find(&r->logs, from.origin);
	if (!log || !node_equal(log->asked, who) || log->asked_from != from.lsn)
		return 0;
	log->asked_until = 0;
	log->gone++;
	log->tries++;
	if (node_equal(who, r->config.self.node)) { /* the shared journal: others may come that have it */
		log->let_go = true;
		log->gap_since = now + GAP_GRACE * (log->gone < GONE_MOST ? log->gone : GONE_MOST);
	}
	return replica_repair(r, now);
}

/* What it was asked before it knew who asks, it has refused. */
int replica_welcomed(struct replica *r, int64_t now, struct node by)
{
	struct peer *p = peers_find(&r->peers, by);
	if (p && !p->exact)
		p->ask_at = now;
	struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		if (node_equal(log->asked, by))
			log->asked_until = 0;
	}
	return replica_repair(r, now);
}

static bool holds_next(const struct peer *p, const struct log *log, int64_t now)
{
	return peer_reachable(p, now) && vector_get(&p->vector, log->origin) > log->appended;
}

/* Who is to be asked for the log's next record: of those who are there and hold it, the owner first, then
 * each of the others in turn; who had some of what is missing is asked for the rest. */
static struct peer *holder(struct replica *r, const struct log *log, int64_t now, size_t *holders)
{
	size_t owner = 0, at = 0;
	*holders = 0;
	for (size_t i = 0; i < r->peers.count; i++) {
		if (!holds_next(&r->peers.list[i], log, now))
			continue;
		if (node_equal(r->peers.list[i].node, log->owner))
			owner = *holders;
		(*holders)++;
	}
	for (size_t i = 0; *holders > 0 && i < r->peers.count; i++) {
		if (holds_next(&r->peers.list[i], log, now) && at++ == (owner + log->tries) % *holders)
			return &r->peers.list[i];
	}
	return NULL;
}

/* What an owner publishes comes in order. As long as its own vector tells of no more than is here, the record
 * that others tell of is on its way, behind what was published before; over a long way under load that is a
 * while, and what is fetched would have to go the same way. */
static bool on_its_way(struct replica *r, const struct log *log, int64_t now)
{
	const struct peer *owner = peers_find(&r->peers, log->owner);
	return owner && origin_equal(owner->origin, log->origin) && peer_reachable(owner, now) &&
	       log->waiting_count == 0 && vector_get(&owner->vector, log->origin) <= log->appended;
}

/* Records that are needed are in nobody's journal any more. Until their effect is here this server lacks
 * counts, and takes no clients. */
static int ask_snapshot(struct replica *r, const struct peer *from, int64_t now)
{
	if (r->snapshot.from.id != 0 || now < r->snapshot.after)
		return 0;
	r->snapshot.from = from->node;
	if (readiness_fall_behind(&r->ready))
		peers_expect_confirmations(&r->peers);
	return actions_push(&r->actions, (struct action){.type = ACTION_SNAPSHOT, .node = from->node});
}

/* Who serves and has the effect of the log's next record. */
static struct peer *giver(struct replica *r, const struct log *log, int64_t now)
{
	for (size_t i = 0; i < r->peers.count; i++) {
		struct peer *p = &r->peers.list[(i + r->serial) % r->peers.count];
		if (p->serving && holds_next(p, log, now))
			return p;
	}
	return NULL;
}

/* What is asked for ends with the last record up to `to` that does not wait here already: some of those that
 * do come again, but hole by hole each would cost a way there and back. */
static uint64_t last_missing(const struct log *log, uint64_t to)
{
	for (size_t i = log->waiting_count; i > 0 && log->waiting[i - 1]->at.lsn >= to; i--)
		to -= log->waiting[i - 1]->at.lsn == to;
	return to;
}

static int repair_log(struct replica *r, struct log *log, int64_t now)
{
	if (log->known <= log->appended || origin_equal(log->origin, r->config.self.origin) ||
	    on_its_way(r, log, now)) {
		log->gap_since = 0;
		log->tries = 0;
		return 0;
	}
	if (log->gap_since == 0)
		log->gap_since = now;
	if (now < log->asked_until || now - log->gap_since < GAP_GRACE)
		return 0;
	log->asked_again = log->asked_until != 0;
	if (log->asked_again) { /* the last one did not answer */
		log->tries++;
		log->late += log->late < FETCH_DOUBLINGS;
	}
	log->asked_until = 0;
	size_t holders;
	struct peer *p = holder(r, log, now, &holders);
	bool here = log->held > log->appended; /* in the shared journal, which is asked after the peers */
	if (!p && !here)
		return 0;
	if (p && log->gone >= holders + here) { /* nobody has them any more: a checkpoint has their effect */
		p = giver(r, log, now);
		return p ? ask_snapshot(r, p, now) : 0;
	}
	here = here && log->tries % (holders + 1) == holders;
	if (!p && !here)
		return 0;
	log->asked = here ? r->config.self.node : p->node;
	log->asked_until = now + patience(log);
	log->asked_from = log->appended + 1;
	r->stats.fetches++;
	uint64_t to = last_missing(log, here ? log->held : vector_get(&p->vector, log->origin));
	return actions_push(&r->actions, (struct action){.type = ACTION_FETCH,
							 .node = log->asked,
							 .origin = log->origin,
							 .from = log->appended + 1,
							 .to = to});
}

/* So many origins are not fetched one by one: a snapshot has them all. And who begins anew takes one instead
 * of what it has. */
static int repair_many(struct replica *r, int64_t now)
{
	for (size_t i = 0; (r->snapshot.wanted || r->ready.anew) && i < r->peers.count; i++) {
		struct peer *p = &r->peers.list[(i + r->serial) % r->peers.count];
		if (peer_reachable(p, now) && p->serving)
			return ask_snapshot(r, p, now);
	}
	return 0;
}

int replica_repair(struct replica *r, int64_t now)
{
	if (repair_many(r, now) < 0 || replica_ask_reach(r, now) < 0)
		return -ENOMEM;
	struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		if (repair_log(r, log, now) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What nobody in reach holds is nothing to do now; who comes back is learnt from again. */
static void drop_out_of_reach(struct replica *r, int64_t now)
{
	struct log *log;
	size_t holders;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		if (log->waiting_count == 0 && log->held <= log->appended && !holder(r, log, now, &holders))
			log->known = log->appended;
	}
	replica_close_logs(r);
}

/* What a forgotten node had, and no member tells of any more: one that did has come back with less. */
static void unlearn(struct replica *r)
{
	struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		const struct member *owner = members_find(&r->membership.current, log->owner);
		if (owner && owner->forgotten && log->known > log->appended &&
		    !peers_have(&r->peers, (struct position){log->origin, log->appended + 1}))
			log->known = log->appended;
	}
}

int replica_relearn(struct replica *r, int64_t now)
{
	unlearn(r);
	replica_close_logs(r);
	if (!r->snapshot.wanted || r->snapshot.from.id != 0)
		return 0;
	if (replica_logs_full(r))
		drop_out_of_reach(r, now);
	if (replica_logs_full(r))
		return 0;
	r->snapshot.wanted = false;
	return replica_learn_all(r, now);
}

void replica_prefer_snapshot(struct replica *r)
{
	assert(r->ready.phase == PHASE_CATCHING_UP);
	r->snapshot.wanted = true;
}

int replica_snapshot_ended(struct replica *r, int64_t now)
{
	r->snapshot.after = now + SNAPSHOT_PAUSE;
	r->snapshot.from = (struct node){0};
	r->snapshot.wanted = r->snapshot.adopting = false;
	struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		log->gone = 0; /* ask for records first again */
		log->gap_since = log->known > log->appended ? now : 0;
	}
	return replica_learn_all(r, now);
}
