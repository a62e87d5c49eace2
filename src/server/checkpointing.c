/* SPDX-License-Identifier: MIT */
#include "server/checkpointing.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "core/agree.h"
#include "core/shared.h"
#include "kudos.h"

#define SLICE 64 /* blocks handed to the store between two commits: a tenth of a millisecond */
#define JOURNAL_LEAST (64 << 20)
#define FRESH (200 * MS) /* or as long as making some took: who asks must find it before it is old */
#define FRESH_TIMES 4
#define CHECKPOINT_RETRY (5 * SECOND) /* after one that failed */

void checkpointing_deinit(struct checkpointing *c)
{
	vector_deinit(&c->vector);
	vector_deinit(&c->next);
}

/* ---- making one ---- */

/* A failure is the store's to remember: the commit will fail by it. */
static void put_block(void *store, const struct block *block)
{
	tables_write_block(store, block);
}

static int start_cutting(struct checkpointing *c, int64_t now)
{
	struct replica *r = c->replica;
	struct store *store = c->store->checkpoints;
	int e = store->ops->checkpoint_begin(store, false);
	if (e < 0)
		return e;
	if (vector_copy(&c->next, &r->v) < 0)
		return -ENOMEM;
	arena_cut(&r->counts.arena, put_block, store);
	c->phase = CHECKPOINT_CUTTING;
	c->began = now;
	c->appended_then = c->appended;
	c->records_then = r->stats.records;
	c->wanted = c->failed = false;
	return tables_write(&c->tables, store, r, c->base_known && c->vector.base == r->v.base);
}

static int cut_slice(struct checkpointing *c)
{
	unsigned slice = c->slice ? c->slice : SLICE;
	if (arena_cut_next(&c->replica->counts.arena, slice))
		return 0;
	c->phase = CHECKPOINT_WRITING;
	struct store *store = c->store->checkpoints;
	return store->ops->checkpoint_commit(store);
}

int checkpointing_truncate(struct checkpointing *c, bool held)
{
	if (held)
		return 0;
	struct vector floor = {0};
	int r = replica_floor(c->replica, &c->vector, &floor);
	if (r == 0 && vector_size(&floor) > 0)
		r = c->store->ops->journal_truncate(c->store, &floor);
	vector_deinit(&floor);
	return r;
}

bool checkpointing_fresh(const struct checkpointing *c, int64_t now)
{
	int64_t took = FRESH_TIMES * c->metrics->checkpoint_time;
	return c->exists &&
	       (now - c->made < (took > FRESH ? took : FRESH) || vector_covers(&c->vector, &c->replica->v));
}

/* Bytes of journal between two checkpoints: the more there is to write, the rarer, so that a like over many
 * keys does not cost much more than one over few, and a restart not much more than loading what there is. */
static uint64_t journal_limit(const struct checkpointing *c)
{
	uint64_t all = c->replica->counts.arena.block_count * (uint64_t)ARENA_BLOCK;
	uint64_t least = JOURNAL_LEAST;
	return c->bytes ? c->bytes : all > least ? all : least;
}

static bool is_due(const struct checkpointing *c, int64_t now)
{
	if (c->wanted && !checkpointing_fresh(c, now))
		return true;
	if (now < c->began + CHECKPOINT_RETRY)
		return false;
	if (c->failed)
		return true;
	if (c->replica->stats.records == c->records_then)
		return false;
	int64_t interval = c->interval ? c->interval : 60 * SECOND;
	return c->appended - c->appended_then >= journal_limit(c) || now - c->began >= interval;
}

static void abandon(struct checkpointing *c)
{
	struct store *store = c->store->checkpoints;
	store->ops->checkpoint_abandon(store);
	c->phase = CHECKPOINT_NONE;
	arena_cut_abandon(&c->replica->counts.arena);
}

bool checkpointing_give_way(struct checkpointing *c)
{
	if (c->phase == CHECKPOINT_CUTTING)
		abandon(c);
	return c->phase == CHECKPOINT_NONE;
}

static void fail(struct checkpointing *c, int error)
{
	log_error(
	    "the checkpoint could not be written: %s; the journal keeps everything, trying again in 5 s",
	    strerror(-error));
	abandon(c);
	c->metrics->checkpoints_failed++;
	c->failed = true;
	tables_failed(&c->tables);
}

int checkpointing_step(struct checkpointing *c, int64_t now, bool held)
{
	struct store *store = c->store->checkpoints;
	int e = 0;
	if (c->phase == CHECKPOINT_NONE && !held && is_due(c, now))
		e = start_cutting(c, now);
	if (e == 0 && c->phase == CHECKPOINT_CUTTING)
		e = cut_slice(c);
	if (e == 0 && c->phase == CHECKPOINT_WRITING)
		e = store->ops->checkpoint_poll(store);
	if (e < 0)
		fail(c, e);
	if (c->phase != CHECKPOINT_WRITING || e == 1)
		return 0;
	arena_cut_done(&c->replica->counts.arena);
	c->phase = CHECKPOINT_NONE;
	c->exists = c->base_known = true;
	c->made = c->began;
	c->records = c->records_then;
	replica_checkpointed(c->replica, c->records);
	c->metrics->checkpoints++;
	c->metrics->checkpoint_time = now - c->began;
	tables_written(&c->tables);
	struct vector old = c->vector;
	c->vector = c->next;
	c->next = old;
	return checkpointing_truncate(c, held);
}

/* ---- recovery ---- */

static int load(struct checkpointing *c, int64_t now)
{
	struct store_cursor *cursor;
	const uint8_t *key, *value;
	size_t key_size, value_size;
	struct store *store = c->store->checkpoints;
	int e = store->ops->cursor_open(store, &cursor);
	if (e < 0)
		return e;
	c->tables = (struct tables){0};
	c->exists = c->base_known = false;
	while ((e = store->ops->cursor_next(cursor, &key, &key_size, &value, &value_size)) == 1) {
		c->exists = true;
		e = tables_load(&c->tables, c->replica, now, key, key_size, value, value_size);
		if (e < 0)
			break;
	}
	store->ops->cursor_close(cursor);
	if (e < 0)
		return e;
	if (vector_copy(&c->vector, &c->replica->v) < 0)
		return -ENOMEM;
	return replica_loaded(c->replica);
}

struct replaying {
	struct checkpointing *c;
	int64_t now;
};

static int replay_entry(void *arg, const struct entry *entry)
{
	const struct replaying *p = arg;
	if (entry->kind == ENTRY_GONE)
		return replica_replay_gone(p->c->replica, entry->at);
	if (entry->kind != ENTRY_RECORD || replica_has(p->c->replica, entry->at.origin, entry->at.lsn))
		return 0;
	struct record *record;
	int e = message_decode_record(entry->data, entry->size, &record);
	if (e != 0)
		return e < 0 ? e : -EBADMSG;
	p->c->appended += entry->size;
	e = replica_replay(p->c->replica, record, p->now);
	record_unref(record);
	return e;
}

int checkpointing_recover(struct checkpointing *c, int64_t now)
{
	const struct replica_stats before = c->replica->stats;
	const uint64_t appended = c->appended;
	int e = load(c, now);
	if (e < 0)
		return e;
	c->records_then = c->records = c->replica->stats.records;
	c->appended_then = c->appended; /* what is replayed is yet to be in a checkpoint */
	c->began = now;
	struct replaying replaying = {c, now};
	e = c->store->ops->journal_replay(c->store, replay_entry, &replaying);
	metrics_recovered(c->metrics, &before, &c->replica->stats, c->appended - appended);
	return e;
}
