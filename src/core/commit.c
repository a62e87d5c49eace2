/* SPDX-License-Identifier: MIT */
#include "core/commit.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/lifetime.h"
#include "core/shared.h"
#include "kudos.h"

#define VECTOR_DELAY (10 * MS)
#define LASTING_SHARE 10 /* of the sessions, one in so many may have a lifetime of its own */

static int refuse(struct replica *r, uint64_t client, const struct batch *b, int error)
{
	r->stats.refused += error != KUDOS_NOT_COUNTED; /* which is an answer */
	return actions_push(&r->actions, (struct action){.type = ACTION_REFUSE,
							 .client = client,
							 .session = b->session,
							 .seq = b->seq,
							 .error = error});
}

static int answer(struct replica *r, const struct waiter *w)
{
	return actions_push(&r->actions, (struct action){.type = w->seq ? ACTION_ACK : ACTION_CLOSED,
							 .client = w->client,
							 .session = w->session,
							 .seq = w->seq,
							 .lsn = w->lsn == LSN_MIXED ? 0 : w->lsn});
}

static size_t peers_that_reached(const struct replica *r, const struct waiter *w)
{
	size_t n = 0;
	for (size_t i = 0; i < r->peers.count; i++) {
		const struct vector *v = &r->peers.list[i].vector;
		bool reached;
		if (w->lsn != LSN_MIXED)
			reached = vector_get(v, r->config.self.origin) >= w->lsn;
		else
			reached = vector_covers(v, &w->needs);
		n += reached;
	}
	return n;
}

/* Already counted, here and durably (I2: what is applied is durable): acknowledge, when K peers are asked for
 * as soon as they have reached what is applied here now. A resend of what waits already adds nothing. */
static int answer_again(struct replica *r, uint64_t client, const struct batch *b)
{
	struct waiter w = {.client = client, .session = b->session, .seq = b->seq, .lsn = LSN_MIXED};
	if (r->config.ack_peers == 0)
		return answer(r, &w);
	if (waiters_have(&r->waiters, client, b->session, b->seq))
		return 0;
	if (vector_copy(&w.needs, &r->v) < 0)
		return -ENOMEM;
	bool reached = peers_that_reached(r, &w) >= r->config.ack_peers;
	int e = reached ? answer(r, &w) : waiters_add(&r->waiters, w);
	if (reached || e < 0)
		vector_deinit(&w.needs);
	return e;
}

static int add_pending(struct replica *r, int64_t now, uint64_t client, struct seen *seen,
		       struct batch_box *box)
{
	if (intervals_add(&seen->pending, box->batch.seq, box->batch.seq) < 0 ||
	    group_add_batch(&r->group, box) < 0)
		return -ENOMEM;
	seen->active = now;
	seen->accepted_here = true;
	gather_own(&r->group.gather, now);
	return waiters_add(
	    &r->waiters,
	    (struct waiter){.client = client, .session = box->batch.session, .seq = box->batch.seq});
}

/* Here already, not yet durable: waits with the first. Other content under the number is refused (I5) while
 * its bytes are at hand; those of the group being committed are no longer looked through. */
static int wait_again(struct replica *r, uint64_t client, const struct batch *b)
{
	const struct batch *first = group_find(&r->group, b->session, b->seq);
	struct waiter w = {.client = client, .session = b->session, .seq = b->seq};
	if (!first) {
		const struct log *own = logs_find(&r->logs, r->config.self.origin);
		w.lsn = own->appended;
	} else if (b->raw &&
		   (first->raw_size != b->raw_size || memcmp(first->raw, b->raw, b->raw_size) != 0)) {
		return refuse(r, client, b, KUDOS_CONFLICT);
	}
	return waiters_add(&r->waiters, w);
}

/* Those that last are few, or they would keep out those that come and go. */
static bool has_room_for(const struct replica *r, struct session session)
{
	size_t limit = r->config.session_limit;
	return r->sessions.seen.count < limit && r->sessions.forgotten < limit &&
	       (lifetime_class(session.issuer) == 0 || r->sessions.lasting < limit / LASTING_SHARE);
}

/* Answers what is known of a batch already; b->raw is NULL when it is asked about and not sent. 1: nothing
 * is; 0 or -ENOMEM: answered. */
static int answer_known(struct replica *r, uint64_t client, const struct batch *b, const struct seen *seen)
{
	if (r->waiters.count >= LIMIT_WAITERS)
		return refuse(r, client, b, KUDOS_BUSY);
	if (!seen && sessions_forgotten(&r->sessions, b->session))
		return refuse(r, client, b, KUDOS_EXPIRED); /* I9 */
	if (seen && b->raw && seen_contradicts(seen, b->seq, b->raw, b->raw_size))
		return refuse(r, client, b, KUDOS_CONFLICT);
	if (seen && intervals_has(&seen->applied, b->seq)) {
		r->stats.again += b->raw != NULL;
		return answer_again(r, client, b);
	}
	if ((seen && seen_closed(seen)) || sessions_lapsed(&r->sessions, b->session, seen))
		return refuse(r, client, b, KUDOS_EXPIRED);
	if (seen && intervals_has(&seen->pending, b->seq)) {
		size_t waiters = r->waiters.count;
		int e = wait_again(r, client, b);
		r->stats.again += b->raw && r->waiters.count > waiters; /* else it is refused */
		return e;
	}
	return 1;
}

int replica_batch(struct replica *r, int64_t now, uint64_t client, struct batch_box *box)
{
	const struct batch *b = &box->batch;
	if (r->ready.phase != PHASE_SERVING || replica_crowded(r))
		return refuse(r, client, b, KUDOS_NOT_SERVING);
	struct seen *seen = sessions_find(&r->sessions, b->session);
	int e = answer_known(r, client, b, seen);
	if (e <= 0)
		return e;
	if (r->stalled || r->group.pending_bytes + b->raw_size > LIMIT_PENDING_BYTES ||
	    (!seen && !has_room_for(r, b->session)) ||
	    (seen && seen->applied.count + seen->pending.count >= LIMIT_SEEN_INTERVALS))
		return refuse(r, client, b, KUDOS_BUSY);
	if (!seen)
		seen = sessions_get(&r->sessions, b->session, now);
	return seen ? add_pending(r, now, client, seen, box) : -ENOMEM;
}

int replica_seen(struct replica *r, uint64_t client, struct session session, uint64_t seq)
{
	const struct batch b = {.session = session, .seq = seq};
	if (r->ready.phase != PHASE_SERVING)
		return refuse(r, client, &b, KUDOS_NOT_SERVING);
	int e = answer_known(r, client, &b, sessions_find(&r->sessions, session));
	return e <= 0 ? e : refuse(r, client, &b, KUDOS_NOT_COUNTED);
}

int replica_close(struct replica *r, int64_t now, uint64_t client, struct batch_box *box)
{
	struct seen *seen = sessions_find(&r->sessions, box->batch.session);
	struct waiter w = {.client = client, .session = box->batch.session};
	if (!seen || seen_closed(seen)) /* never used, closed, or forgotten already */
		return answer(r, &w);
	if (r->ready.phase != PHASE_SERVING)
		return refuse(r, client, &box->batch, KUDOS_NOT_SERVING);
	if (intervals_has(&seen->pending, 0))
		return wait_again(r, client, &box->batch);
	return add_pending(r, now, client, seen, box);
}

int replica_lapse(struct replica *r, struct batch_box *box)
{
	return r->ready.phase == PHASE_SERVING ? group_add_batch(&r->group, box) : 0;
}

/* The pending batches that may still be logged, in order; those of sessions that were closed meanwhile, or
 * have lapsed, are refused: that is applied here, so nothing of them may enter this server's log any more. */
static int sift_pending(struct replica *r)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->group.pending_count; i++) {
		struct batch_box *box = r->group.pending[i];
		struct seen *seen = sessions_find(&r->sessions, box->batch.session);
		if (box->batch.seq == SEQ_LAPSE ||
		    (seen && !seen_closed(seen) && !sessions_lapsed(&r->sessions, seen->session, seen))) {
			r->group.pending[kept++] = box;
			continue;
		}
		if (seen && intervals_remove(&seen->pending, box->batch.seq) < 0)
			return -ENOMEM;
		if (seen && !seen_closed(seen) && seen->pending.count == 0)
			sessions_drop(&r->sessions, seen); /* it has lapsed */
		r->group.pending_bytes -= box->batch.raw_size;
		batch_box_unref(box);
	}
	r->group.pending_count = kept;
	return 0;
}

static int add_to_group(struct replica *r, struct record *record)
{
	if (group_append(&r->group, record) < 0)
		return -ENOMEM;
	bool shared = replica_is_shared(r, record->at.origin);
	return actions_push(&r->actions,
			    (struct action){.type = shared ? ACTION_APPEND_SHARED : ACTION_APPEND,
					    .record = record_ref(record)});
}

/* One own record of pending batches from `first` on, as many as fit; tells how many. */
static int add_own_record(struct replica *r, struct log *own, size_t first, size_t *taken)
{
	struct record *record =
	    group_make_record(&r->group, (struct position){own->origin, own->appended + 1}, first, taken);
	if (!record)
		return -ENOMEM;
	own->appended++;
	own->known = own->appended;
	return add_to_group(r, record);
}

static int add_own_records(struct replica *r)
{
	if (sift_pending(r) < 0)
		return -ENOMEM;
	if (r->group.pending_count == 0)
		return 0;
	struct log *own = replica_log(r, r->config.self.origin);
	if (!own)
		return -ENOMEM;
	own->owner = r->config.self.node;
	for (size_t first = 0, taken; first < r->group.pending_count; first += taken) {
		if (add_own_record(r, own, first, &taken) < 0)
			return -ENOMEM;
	}
	group_drop_pending(&r->group);
	return 0;
}

/* Finds out what a waiter without an lsn waits for, the group just having been made. Its batch is in it, and
 * the last own record of it is what it waits for; or it is applied already, out of a peer's record; or it is
 * neither: its session was closed before it was logged, and it is refused. */
static int settle(void *replica, struct waiter *w)
{
	struct replica *r = replica;
	const struct seen *seen = w->lsn ? NULL : sessions_find(&r->sessions, w->session);
	const struct batch b = {.session = w->session, .seq = w->seq};
	if (seen && intervals_has(&seen->pending, w->seq)) {
		w->lsn = logs_find(&r->logs, r->config.self.origin)->appended;
	} else if (seen && intervals_has(&seen->applied, w->seq)) {
		w->lsn = LSN_MIXED;
		if (r->config.ack_peers && vector_copy(&w->needs, &r->v) < 0)
			return -ENOMEM;
	}
	if (w->lsn)
		return 1;
	return w->seq == 0 ? answer(r, w) : refuse(r, w->client, &b, KUDOS_EXPIRED);
}

/* A lapse by itself has no time, and goes at once. */
int64_t replica_flush_at(const struct replica *r, bool looked_at)
{
	if (r->group.committing || (!group_waits(&r->group) && !r->membership.dirty))
		return NEVER;
	if (r->membership.dirty || r->ready.phase != PHASE_SERVING)
		return 0;
	/* Who acknowledges by what its peers hold is in a hurry here, too. */
	const int64_t at =
	    gather_until(&r->group.gather, looked_at || r->config.ack_peers ? 0 : r->config.lazy);
	return at == NEVER ? 0 : at;
}

int replica_flush(struct replica *r)
{
	bool meta = r->membership.dirty && !r->snapshot.adopting;
	if (r->group.committing || (!group_waits(&r->group) && !meta))
		return 0;
	gather_taken(&r->group.gather);
	if (add_own_records(r) < 0 || waiters_sift(&r->waiters, settle, r) < 0 || replica_acknowledge(r) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < r->group.incoming_count; i++) {
		struct record *record = r->group.incoming[i];
		r->group.incoming[i] = NULL;
		if (add_to_group(r, record) < 0)
			return -ENOMEM;
	}
	r->group.incoming_count = 0;
	r->group.incoming_bytes = 0;
	if (meta) {
		/* Who has just heard of other members looks at them before it serves. */
		readiness_commit(&r->ready, membership_settled(&r->membership));
		membership_commit(&r->membership);
		if (actions_push(&r->actions, (struct action){.type = ACTION_APPEND_META}) < 0)
			return -ENOMEM;
	}
	if (r->group.count == 0 && !r->membership.committing)
		return 0; /* all that was pending was of closed sessions */
	r->group.committing = true;
	return actions_push(&r->actions, (struct action){.type = ACTION_COMMIT});
}

static int acknowledge(void *replica, struct waiter *w)
{
	struct replica *r = replica;
	if (w->lsn == 0 || (w->lsn != LSN_MIXED && !replica_has(r, r->config.self.origin, w->lsn)) ||
	    (r->config.ack_peers > 0 && peers_that_reached(r, w) < r->config.ack_peers))
		return 1;
	return answer(r, w);
}

/* Answers everyone whose batch is applied, and on enough peers. */
int replica_acknowledge(struct replica *r)
{
	return waiters_sift(&r->waiters, acknowledge, r);
}

static int apply_own(struct replica *r, struct record *record)
{
	for (size_t i = 0; i < record->batch_count; i++) {
		const struct batch *b = &record->batches[i];
		struct seen *seen = sessions_find(&r->sessions, b->session);
		if (seen && intervals_remove(&seen->pending, b->seq) < 0)
			return -ENOMEM;
	}
	return actions_push(&r->actions,
			    (struct action){.type = ACTION_PUBLISH, .record = record_ref(record)});
}

int replica_committed(struct replica *r, int64_t now)
{
	for (size_t i = 0; i < r->group.count; i++) {
		struct record *record = r->group.records[i];
		bool own = origin_equal(record->at.origin, r->config.self.origin);
		if (replica_apply(r, record, now) < 0 || (own && apply_own(r, record) < 0))
			return -ENOMEM;
		record_unref(record);
		r->group.records[i] = NULL;
	}
	r->group.count = 0;
	r->group.committing = false;
	bool urgent = r->membership.committing || r->config.ack_peers > 0;
	if (r->membership.committing && replica_membership_committed(r, now) < 0)
		return -ENOMEM;
	if (replica_acknowledge(r) < 0)
		return -ENOMEM;
	/* Records speak for themselves; how far this server has got with others' is urgent only to who
	 * acknowledges by it. */
	r->next_vector = earlier(r->next_vector, now + (urgent ? 0 : VECTOR_DELAY));
	if (replica_tell_vector(r, now) < 0)
		return -ENOMEM;
	return replica_judge_phase(r, now);
}
