/* SPDX-License-Identifier: MIT */
#include "core/replica.h"

#include <errno.h>

#include "base/time.h"

/* How many events lie between the steps of an add: enough to hide a miss of the cache. */
#define AHEAD ((size_t)8)
#define RECENT 64 /* positions that changed lately, and two for each peer */

int replica_init(struct replica *r, const struct replica_config *config, int64_t now, bool established,
		 const struct member *rows, size_t row_count)
{
	*r = (struct replica){
	    .config = *config,
	    .started = now,
	    /* The first commit ends its beginning anew where it has served. */
	    .ready = {.established = established, .doubtful = config->doubtful, .anew = config->purges},
	    .serial = 1,
	};
	if (r->config.session_idle == 0)
		r->config.session_idle = 600 * SECOND;
	if (r->config.session_limit == 0)
		r->config.session_limit = LIMIT_SESSIONS;
	if (r->config.grace == 0)
		r->config.grace = 2 * SECOND;
	if (r->config.gaps == 0)
		r->config.gaps = LIMIT_GAPS;
	if (r->config.runs == 0)
		r->config.runs = LIMIT_RUNS;
	counts_init(&r->counts, config->seed, config->block ? config->block : ARENA_BLOCK);
	sessions_init(&r->sessions, config->seed);
	logs_init(&r->logs, config->seed);
	group_init(&r->group);
	r->looks.former = config->former;
	return membership_init(&r->membership, &r->config.self, rows, row_count);
}

void replica_deinit(struct replica *r)
{
	actions_deinit(&r->actions);
	counts_deinit(&r->counts);
	sessions_deinit(&r->sessions);
	vector_deinit(&r->v);
	recent_deinit(&r->recent);
	logs_clear(&r->logs);
	membership_deinit(&r->membership);
	peers_deinit(&r->peers);
	looks_deinit(&r->looks);
	group_deinit(&r->group);
	waiters_deinit(&r->waiters);
	*r = (struct replica){0};
}

bool replica_next(struct replica *r, struct action *action)
{
	return actions_next(&r->actions, action);
}

/* Whether nothing is going on with it: it is nobody's present run, and all that is known of it is applied. */
static bool log_idle(const struct replica *r, const struct log *log)
{
	uint64_t applied = vector_get(&r->v, log->origin);
	if (log->appended != applied || log->known > applied || log->damaged > applied ||
	    log->awaited > applied || log->waiting_count > 0 ||
	    origin_equal(log->origin, r->config.self.origin))
		return false;
	for (size_t i = 0; i < r->peers.count; i++) {
		if (origin_equal(r->peers.list[i].origin, log->origin))
			return false;
	}
	return true;
}

#define CLOSED_AT_ONCE 64

void replica_close_logs(struct replica *r)
{
	struct log *idle[CLOSED_AT_ONCE];
	size_t count;
	do {
		count = 0;
		struct log *log;
		for (size_t at = 0; count < CLOSED_AT_ONCE && (log = logs_next(&r->logs, &at));) {
			if (log_idle(r, log))
				idle[count++] = log;
		}
		for (size_t i = 0; i < count; i++)
			logs_close(&r->logs, idle[i]);
	} while (count == CLOSED_AT_ONCE);
}

/* The members' present runs, its own among them, take no room. */
bool replica_logs_full(const struct replica *r)
{
	return r->logs.by_origin.count >= r->config.gaps + r->peers.count + 1;
}

static struct log *open_log(struct replica *r, struct origin origin)
{
	return logs_open(&r->logs, origin, vector_get(&r->v, origin));
}

struct log *replica_log(struct replica *r, struct origin origin)
{
	struct log *log = logs_find(&r->logs, origin);
	if (log)
		return log;
	bool own = origin_equal(origin, r->config.self.origin);
	if (!own && replica_logs_full(r))
		replica_close_logs(r);
	return !own && replica_logs_full(r) ? NULL : open_log(r, origin);
}

bool replica_crowded(const struct replica *r)
{
	return vector_size(&r->v) >= r->config.runs && vector_get(&r->v, r->config.self.origin) == 0;
}

bool replica_has(const struct replica *r, struct origin origin, uint64_t lsn)
{
	return vector_get(&r->v, origin) >= lsn;
}

bool replica_reached(const struct replica *r, const struct position *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!replica_has(r, at[i].origin, at[i].lsn))
			return false;
	}
	return true;
}

/* In a pipeline: hash and ask for the slot, AHEAD events later ask for the entry, AHEAD later add. */
static int apply_events(struct replica *r, const struct batch *b)
{
	uint64_t hashes[2 * AHEAD];
	for (size_t i = 0; i < b->event_count + 2 * AHEAD; i++) {
		if (i >= 2 * AHEAD) {
			const struct event *e = &b->events[i - 2 * AHEAD];
			if (counts_add_hashed(&r->counts, hashes[i % (2 * AHEAD)], e->key, e->key_size,
					      e->n) < 0)
				return -ENOMEM;
		}
		if (i < b->event_count) {
			uint64_t hash = counts_hash(&r->counts, b->events[i].key, b->events[i].key_size);
			hashes[i % (2 * AHEAD)] = hash;
			counts_prefetch_slot(&r->counts, hash);
		}
		if (i >= AHEAD && i - AHEAD < b->event_count)
			counts_prefetch_entry(&r->counts, hashes[(i - AHEAD) % (2 * AHEAD)]);
	}
	r->stats.events += b->event_count;
	return 0;
}

static int apply_batch(struct replica *r, const struct batch *b, struct position at, int64_t now)
{
	if (b->seq == SEQ_LAPSE)
		return sessions_lapse(&r->sessions, b->session, at);
	struct seen *seen = sessions_find(&r->sessions, b->session);
	/* A forgotten session's batches have all been applied everywhere (I8): this can only be one of them
	 * again. */
	if (!seen && sessions_forgotten(&r->sessions, b->session))
		return 0;
	if (!seen)
		seen = sessions_get(&r->sessions, b->session, now);
	if (!seen)
		return -ENOMEM;
	seen->active = now;
	if (b->seq == 0)
		return sessions_close(&r->sessions, seen, at);
	if (intervals_has(&seen->applied, b->seq)) {
		r->stats.duplicates++;
		if (seen_contradicts(seen, b->seq, b->raw, b->raw_size)) {
			r->stats.contradicted++;
			r->contradiction = (struct contradiction){b->session, b->seq, at};
		}
		return 0;
	}
	r->stats.batches++;
	if (intervals_add(&seen->applied, b->seq, b->seq) < 0)
		return -ENOMEM;
	seen_note_content(seen, b->seq, b->raw, b->raw_size);
	return apply_events(r, b);
}

/* V, of which is remembered that it changed. */
static int raise(struct replica *r, struct position at)
{
	if (vector_set(&r->v, at.origin, at.lsn) < 0)
		return -ENOMEM;
	return recent_touch(&r->recent, at.origin, RECENT + 2 * r->peers.count);
}

/* I1. The record is the next of its origin. -ENOMEM leaves it half applied: the server stops then, and starts
 * anew from its journal. */
int replica_apply(struct replica *r, const struct record *record, int64_t now)
{
	for (size_t i = 0; i < record->batch_count; i++) {
		if (apply_batch(r, &record->batches[i], record->at, now) < 0)
			return -ENOMEM;
	}
	r->stats.records++;
	return raise(r, record->at);
}

uint64_t replica_lag(const struct replica *r)
{
	uint64_t lag = 0;
	struct log *log;
	for (size_t at = 0; (log = logs_next(&r->logs, &at));) {
		uint64_t applied = vector_get(&r->v, log->origin);
		lag += log->known > applied ? log->known - applied : 0;
	}
	return lag;
}

void replica_unload(struct replica *r)
{
	size_t block = r->counts.arena.block;
	counts_deinit(&r->counts);
	counts_init(&r->counts, r->config.seed, block);
	sessions_deinit(&r->sessions);
	sessions_init(&r->sessions, r->config.seed);
	vector_clear(&r->v);
	r->recent.count = 0;
	logs_clear(&r->logs);
	looks_begin(&r->looks);
	group_drop_incoming(&r->group);
	r->ready.anew = false; /* another's state does not rest on what was here */
}

int replica_load_seen(struct replica *r, struct session session, const struct interval *applied, size_t count,
		      struct position closed, int64_t now)
{
	struct seen *seen = sessions_get(&r->sessions, session, now);
	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (intervals_add(&seen->applied, applied[i].lo, applied[i].hi) < 0)
			return -ENOMEM;
	}
	return closed.lsn ? sessions_close(&r->sessions, seen, closed) : 0;
}

int replica_load_forgotten(struct replica *r, uint64_t issuer, uint64_t lo, uint64_t hi)
{
	return sessions_forget_range(&r->sessions, issuer, lo, hi);
}

int replica_load_vector(struct replica *r, const struct position *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (vector_set(&r->v, at[i].origin, at[i].lsn) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A short vector is told whole from the start. */
int replica_loaded(struct replica *r)
{
	struct position at;
	struct vector_walk walk = {0};
	for (int i = 0; i < RECENT && vector_next(&r->v, &walk, &at); i++) {
		if (raise(r, at) < 0)
			return -ENOMEM;
	}
	return 0;
}

int replica_replay_gone(struct replica *r, struct position at)
{
	if (replica_has(r, at.origin, at.lsn))
		return 0;
	struct log *log = logs_find(&r->logs, at.origin);
	if (!log)
		log = open_log(r, at.origin);
	if (!log)
		return -ENOMEM;
	log->known = log->known < at.lsn ? at.lsn : log->known;
	log->damaged = log->damaged < at.lsn ? at.lsn : log->damaged;
	return 0;
}

/* In journal order. A record above a gap (damage in the journal's middle) waits for the gap's records, which
 * stand further behind when they were fetched before, or are still to be fetched. However many origins a
 * journal holds, it can be read. */
int replica_replay(struct replica *r, struct record *record, int64_t now)
{
	struct position at = record->at;
	if (replica_has(r, at.origin, at.lsn))
		return 0;
	struct log *log = logs_find(&r->logs, at.origin);
	if (!log && vector_get(&r->v, at.origin) + 1 == at.lsn)
		return replica_apply(r, record, now);
	if (!log)
		log = open_log(r, at.origin);
	if (!log)
		return -ENOMEM;
	if (log->known < at.lsn)
		log->known = at.lsn;
	if (log->appended + 1 != at.lsn) {
		if (log->damaged < at.lsn)
			log->damaged = at.lsn;
		return logs_keep_waiting(&r->logs, log, record);
	}
	int e = replica_apply(r, record, now);
	size_t n = 0;
	while (e == 0 && n < log->waiting_count &&
	       log->waiting[n]->at.lsn <= vector_get(&r->v, at.origin) + 1) {
		if (!replica_has(r, at.origin, log->waiting[n]->at.lsn))
			e = replica_apply(r, log->waiting[n], now);
		n++;
	}
	logs_drop_waiting(&r->logs, log, n);
	log->appended = vector_get(&r->v, at.origin);
	return e;
}
