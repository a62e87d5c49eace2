/* SPDX-License-Identifier: MIT */
#include "server/taking.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "core/repair.h"

#define SNAPSHOT_RETRY (500 * MS) /* a part that did not come is asked for again */
#define SNAPSHOT_TRIES 8
#define SNAPSHOT_POLL (2 * MS) /* between two looks whether it is durable */
/* Of a giver that makes its checkpoint first it is asked again sooner, twice as late each time, so many
 * times, which do not count as tries. */
#define SNAPSHOT_SOON (16 * MS)
#define SNAPSHOT_SOONER 5
#define PREFERRED (16 << 20) /* bytes of records: fewer are here before a checkpoint is made */

void taking_deinit(struct taking *t)
{
	vector_deinit(&t->vector);
}

bool taking_now(const struct taking *t)
{
	return t->from.id != 0;
}

int64_t taking_deadline(const struct taking *t)
{
	return taking_now(t) ? t->asked + t->patience : NEVER;
}

static void ask(struct taking *t, int64_t now)
{
	struct message m = {.type = MESSAGE_SNAPSHOT, .snapshot = {.id = t->id, .index = t->index}};
	t->asked = now;
	t->patience = SNAPSHOT_RETRY;
	out_peer(t->out, t->from, &m);
}

/* Records are decoded, logged and counted one by one, however often they are of the same keys; a snapshot
 * costs what there is. Its size is not known here: counts that have grown by what is missing are that much
 * larger at the most, nearly. Once a run only: what was published while the giver made its checkpoint is
 * records again, and may be as much under full load. And not in the shared journal, whose records need no
 * peer. */
void taking_weigh(struct taking *t, const struct message *m)
{
	struct replica *r = t->replica;
	const struct log *log = logs_find(&r->logs, m->records.origin);
	size_t size = 0;
	if (t->preferred || r->ready.phase != PHASE_CATCHING_UP || r->config.shared || !log ||
	    m->records.record_count == 0)
		return;
	for (size_t i = 0; i < m->records.record_count; i++)
		size += m->records.records[i].size;
	uint64_t missing = log->known > log->appended ? log->known - log->appended : 0;
	uint64_t most = r->counts.arena.block_count * (uint64_t)r->counts.arena.block;
	if (most < PREFERRED)
		most = PREFERRED;
	if (t->bytes)
		most = t->bytes;
	if (missing / m->records.record_count <= most / (size + 1))
		return;
	t->preferred = true;
	replica_prefer_snapshot(r);
}

void taking_busy(struct taking *t, struct node from, uint64_t id)
{
	if (!node_equal(t->from, from) || t->id != id || t->waited == SNAPSHOT_SOONER)
		return;
	t->patience = SNAPSHOT_SOON << t->waited++;
	t->tries = 0;
}

int taking_start(struct taking *t, int64_t now, struct node from)
{
	struct vector vector = t->vector;
	vector_clear(&vector);
	*t = (struct taking){.store = t->store,
			     .replica = t->replica,
			     .checkpoint = t->checkpoint,
			     .out = t->out,
			     .bytes = t->bytes,
			     .preferred = t->preferred,
			     .from = from,
			     .id = t->id + 1,
			     .vector = vector};
	log_info("fetching a snapshot from node %016llx", (unsigned long long)from.id);
	ask(t, now);
	return 0;
}

static int give_up(struct taking *t, int64_t now, const char *why)
{
	struct store *store = t->store->checkpoints;
	log_warn("the snapshot was given up: %s; trying again", why);
	if (t->begun)
		store->ops->checkpoint_abandon(store);
	t->from = (struct node){0};
	return replica_snapshot_ended(t->replica, now);
}

/* This server's own half-made checkpoint makes room. 1: not yet. */
static int begin(struct taking *t)
{
	struct store *store = t->store->checkpoints;
	if (!checkpointing_give_way(t->checkpoint))
		return 1;
	t->begun = true;
	return store->ops->checkpoint_begin(store, true);
}

/* Counts must not go backwards: all that is applied here must be in the snapshot, or in this server's journal
 * without a gap above it, to its end: an earlier snapshot may have gone further than the journal. */
static bool loses_nothing(const struct taking *t)
{
	struct position at;
	for (struct vector_walk walk = {0}; vector_next(&t->replica->v, &walk, &at);) {
		uint64_t there = vector_get(&t->vector, at.origin);
		if (there >= at.lsn)
			continue;
		uint64_t lowest = t->store->ops->journal_lowest(t->store, at.origin);
		if (lowest == 0 || lowest > there + 1 || !store_holds(t->store, at))
			return false;
	}
	return true;
}

/* What a checkpoint here had others count on, where the shared journal may not have it any more. */
static bool falls_behind(const struct taking *t)
{
	return t->replica->config.purges && !vector_covers(&t->vector, &t->checkpoint->vector);
}

int taking_part(struct taking *t, int64_t now, struct node from, const struct message *m)
{
	if (!node_equal(t->from, from) || t->committing || m->part.id != t->id || m->part.index != t->index)
		return 0;
	struct store *store = t->store->checkpoints;
	int e = t->begun ? 0 : begin(t);
	if (e != 0)
		return e == 1 ? 0 : e; /* asked for again later */
	for (size_t i = 0; i < m->part.pair_count && e == 0; i++) {
		const struct blob *key = &m->part.pairs[2 * i], *value = &m->part.pairs[2 * i + 1];
		/* What is adopted becomes this server's own: nothing gets in that it could not load again. */
		e = tables_entry_ok(key, value, &t->blocks) ? tables_note_vector(&t->vector, key, value)
							    : -EBADMSG;
		if (e == 0)
			e = store->ops->checkpoint_put(store, key->data, key->size, value->data, value->size);
	}
	if (e == -ENOMEM)
		return e;
	if (e < 0)
		return give_up(t, now, strerror(-e));
	t->tries = 0;
	t->index++;
	if (!m->part.last) {
		ask(t, now);
		return 0;
	}
	const struct member *giver = members_find(&t->replica->membership.staged, from);
	if (!giver || giver->forgotten)
		return give_up(t, now, "it is of a node that was forgotten");
	if (t->replica->ready.established && !loses_nothing(t))
		return give_up(t, now, "it lacks what is applied here and no longer in the journal");
	if (t->replica->ready.established && falls_behind(t))
		return give_up(t, now, "it lacks what is in the checkpoint here");
	e = store->ops->checkpoint_commit(store);
	if (e < 0)
		return give_up(t, now, strerror(-e));
	t->committing = t->replica->snapshot.adopting = true;
	return 0;
}

/* Who has never served has promised nothing: it takes the snapshot alone. What it had besides may rest on
 * what a forgotten node told nobody else, and the others may have agreed on something without it. */
static int adopt(struct taking *t, int64_t now)
{
	replica_unload(t->replica);
	int e = t->replica->ready.established ? 0 : t->store->ops->journal_clear(t->store);
	if (e == 0)
		e = checkpointing_recover(t->checkpoint, now);
	if (e < 0)
		return e;
	log_info("snapshot adopted: %llu keys, %lld likes", (unsigned long long)t->replica->counts.keys,
		 (long long)t->replica->counts.total);
	t->from = (struct node){0};
	return replica_snapshot_ended(t->replica, now);
}

int taking_step(struct taking *t, int64_t now)
{
	if (!taking_now(t))
		return 0;
	if (t->committing) {
		t->asked = now;
		t->patience = SNAPSHOT_POLL;
		if (t->replica->group.pending_count > 0 || t->replica->group.committing)
			return 0; /* what clients sent before it stopped serving is logged first */
		struct store *store = t->store->checkpoints;
		int e = store->ops->checkpoint_poll(store);
		if (e == 0)
			return adopt(t, now);
		return e < 0 ? give_up(t, now, strerror(-e)) : 0;
	}
	if (now - t->asked < t->patience)
		return 0;
	if (++t->tries > SNAPSHOT_TRIES)
		return give_up(t, now, "no answer");
	ask(t, now);
	return 0;
}
