/* SPDX-License-Identifier: MIT */
/* Checkpoints and recovery from them.
 *
 * A checkpoint is an ordered map:
 *
 *   'a'                 how many keys there are, 8 bytes
 *   'b' block number    [count 8, size of the key 1, key] …               counts
 *   'r' chunk number    [origin, lsn] …                                   V as it was some time ago
 *   'v' chunk number    [origin, lsn] …                                   what differs from that in V now
 *   's' chunk number    [issuer, number, closed origin, closed lsn, n, (lo, hi) × n] …   seen
 *   'f' chunk number    [issuer, lo, hi] …                                forgotten sessions
 *   'l' chunk number    [issuer, number, origin, lsn] …                   lapses that not all have agreed on
 *
 * all numbers 64-bit little-endian, chunk and block numbers 32-bit big-endian. Blocks are written when
 * they changed, and so is 'r', which is V's lower layer; the other tables are written whole. */
#include "server/host.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "core/shared.h"
#include "kudos.h"
#include "wire/key.h"

#define RESERVE_MAX 100000000
#define CHUNK_BYTES 65536
#define SLICE 64 /* blocks handed to the store between two commits: a tenth of a millisecond */
#define JOURNAL_LEAST (64 << 20)
#define FRESH (200 * MS) /* or as long as making some took: who asks must find it before it is old */
#define FRESH_TIMES 4
#define CHECKPOINT_RETRY (5 * SECOND) /* after one that failed */

static const char tables[CHECKPOINT_TABLES] = {'r', 'v', 's', 'f', 'l'};

/* ---- writing ---- */

/* One table being written, chunk by chunk; remembers the first error. */
struct table {
	struct host *h;
	char letter;
	uint32_t chunk;
	struct bytes bytes;
	int error;
};

static void put_number(struct bytes *b, uint64_t x)
{
	uint64_t little = htole64(x);
	bytes_append(b, &little, sizeof little);
}

static int put(struct host *h, char letter, uint32_t number, const void *value, size_t size)
{
	uint8_t key[5] = {(uint8_t)letter};
	uint32_t big = htobe32(number);
	memcpy(key + 1, &big, sizeof big);
	return h->store->ops->checkpoint_put(h->store, key, sizeof key, value, size);
}

static void table_flush(struct table *t)
{
	if (t->error == 0 && bytes_failed(&t->bytes))
		t->error = -ENOMEM;
	if (t->error == 0)
		t->error = put(t->h, t->letter, t->chunk, t->bytes.data, t->bytes.size);
	t->chunk++;
	bytes_clear(&t->bytes);
}

static void table_row_done(struct table *t)
{
	if (t->bytes.size >= CHUNK_BYTES)
		table_flush(t);
}

static void write_positions(struct table *t, const struct position *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		put_number(&t->bytes, at[i].origin.id);
		put_number(&t->bytes, at[i].lsn);
		table_row_done(t);
	}
}

static void write_seen(struct table *t, const struct sessions *s)
{
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&s->seen, &at));) {
		const struct seen *seen = slot->value;
		if (seen->applied.count == 0 && !seen_closed(seen))
			continue; /* only pending: not durable yet */
		put_number(&t->bytes, seen->session.issuer);
		put_number(&t->bytes, seen->session.number);
		put_number(&t->bytes, seen->closed.origin.id);
		put_number(&t->bytes, seen->closed.lsn);
		put_number(&t->bytes, seen->applied.count);
		for (size_t i = 0; i < seen->applied.count; i++) {
			put_number(&t->bytes, seen->applied.at[i].lo);
			put_number(&t->bytes, seen->applied.at[i].hi);
		}
		table_row_done(t);
	}
}

static void write_forgotten(struct table *t, const struct sessions *s)
{
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&s->issuers, &at));) {
		const struct issuer *issuer = slot->value;
		for (size_t i = 0; i < issuer->forgotten.count; i++) {
			put_number(&t->bytes, issuer->id);
			put_number(&t->bytes, issuer->forgotten.at[i].lo);
			put_number(&t->bytes, issuer->forgotten.at[i].hi);
			table_row_done(t);
		}
	}
}

static void write_lapses(struct table *t, const struct sessions *s)
{
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&s->issuers, &at));) {
		const struct issuer *issuer = slot->value;
		if (issuer->lapse.at.lsn == 0)
			continue; /* in the forgotten ones, if there was one */
		put_number(&t->bytes, issuer->id);
		put_number(&t->bytes, issuer->lapse.to);
		put_number(&t->bytes, issuer->lapse.at.origin.id);
		put_number(&t->bytes, issuer->lapse.at.lsn);
		table_row_done(t);
	}
}

static int write_tables(struct host *h)
{
	const struct replica *r = &h->replica;
	for (size_t i = 0; i < CHECKPOINT_TABLES; i++) {
		struct table t = {.h = h, .letter = tables[i]};
		if (tables[i] == 'r' && h->checkpoint.base_known && h->checkpoint.vector.base == r->v.base) {
			h->checkpoint.next_chunks[i] = h->checkpoint.chunks[i];
			continue;
		}
		switch (tables[i]) {
		case 'r':
			if (r->v.base)
				write_positions(&t, r->v.base->at, r->v.base->count);
			break;
		case 'v':
			write_positions(&t, r->v.at, r->v.count);
			break;
		case 's':
			write_seen(&t, &r->sessions);
			break;
		case 'l':
			write_lapses(&t, &r->sessions);
			break;
		default:
			write_forgotten(&t, &r->sessions);
			break;
		}
		if (t.bytes.size > 0)
			table_flush(&t);
		size_t chunks = t.chunk;
		while (t.chunk <
		       h->checkpoint.chunks[i]) /* an empty value deletes what is left of a longer one */
			table_flush(&t);
		h->checkpoint.next_chunks[i] = chunks;
		bytes_deinit(&t.bytes);
		if (t.error < 0)
			return t.error;
	}
	return 0;
}

/* A failure is the store's to remember: the commit will fail by it. */
static void put_block(void *arg, const struct block *block)
{
	put(arg, 'b', block->number, block->bytes, block->size);
}

static int start_cutting(struct host *h, int64_t now)
{
	struct checkpointing *c = &h->checkpoint;
	int e = h->store->ops->checkpoint_begin(h->store, false);
	if (e < 0)
		return e;
	if (vector_copy(&c->next, &h->replica.v) < 0)
		return -ENOMEM;
	arena_cut(&h->replica.counts.arena, put_block, h);
	c->phase = CHECKPOINT_CUTTING;
	c->began = now;
	c->appended_then = h->appended;
	c->records_then = h->replica.stats.records;
	c->wanted = c->failed = false;
	uint64_t keys = htole64(h->replica.counts.keys);
	e = h->store->ops->checkpoint_put(h->store, "a", 1, &keys, sizeof keys);
	return e < 0 ? e : write_tables(h);
}

static int cut_slice(struct host *h)
{
	unsigned slice = h->config.checkpoint_slice ? h->config.checkpoint_slice : SLICE;
	if (arena_cut_next(&h->replica.counts.arena, slice))
		return 0;
	h->checkpoint.phase = CHECKPOINT_WRITING;
	return h->store->ops->checkpoint_commit(h->store);
}

/* The durable checkpoint reaches further now: what every member has and it covers may leave the journal. */
int host_truncate(struct host *h)
{
	if (h->snapshot.from.id != 0)
		return 0; /* the snapshot may rest on what this journal still has */
	struct vector floor = {0};
	int r = replica_floor(&h->replica, &h->checkpoint.vector, &floor);
	if (r == 0 && vector_size(&floor) > 0)
		r = h->store->ops->journal_truncate(h->store, &floor);
	vector_deinit(&floor);
	return r;
}

/* Whether the durable checkpoint is one to give away: it has everything, or nearly. An old one may lack what
 * the asker has already and no longer keeps in its journal. */
bool host_checkpoint_fresh(const struct host *h, int64_t now)
{
	const struct checkpointing *c = &h->checkpoint;
	int64_t took = FRESH_TIMES * h->metrics.checkpoint_time;
	return c->exists &&
	       (now - c->made < (took > FRESH ? took : FRESH) || vector_covers(&c->vector, &h->replica.v));
}

/* Bytes of journal between two checkpoints: the more there is to write, the rarer, so that a like over many
 * keys does not cost much more than one over few, and a restart not much more than loading what there is. */
static uint64_t journal_limit(const struct host *h)
{
	uint64_t all = h->replica.counts.arena.block_count * (uint64_t)ARENA_BLOCK;
	uint64_t least = JOURNAL_LEAST;
	return h->config.checkpoint_bytes ? h->config.checkpoint_bytes : all > least ? all : least;
}

static bool checkpoint_due(const struct host *h, int64_t now)
{
	const struct checkpointing *c = &h->checkpoint;
	if (h->snapshot.from.id != 0)
		return false; /* the store takes in another's meanwhile */
	if (c->wanted && !host_checkpoint_fresh(h, now))
		return true;
	if (now < c->began + CHECKPOINT_RETRY)
		return false;
	if (c->failed)
		return true;
	if (h->replica.stats.records == c->records_then)
		return false;
	int64_t interval = h->config.checkpoint_interval ? h->config.checkpoint_interval : 60 * SECOND;
	return h->appended - c->appended_then >= journal_limit(h) || now - c->began >= interval;
}

static void checkpoint_failed(struct host *h, int error)
{
	log_error(
	    "the checkpoint could not be written: %s; the journal keeps everything, trying again in 5 s",
	    strerror(-error));
	h->store->ops->checkpoint_abandon(h->store);
	h->metrics.checkpoints_failed++;
	h->checkpoint.phase = CHECKPOINT_NONE;
	h->checkpoint.failed = true;
	for (size_t i = 0; i < CHECKPOINT_TABLES; i++)
		h->checkpoint.chunks[i] +=
		    16; /* it is not known how far the tables reach: delete generously */
	arena_cut_abandon(&h->replica.counts.arena);
}

int host_checkpoint_step(struct host *h, int64_t now)
{
	struct checkpointing *c = &h->checkpoint;
	int e = 0;
	if (c->phase == CHECKPOINT_NONE && checkpoint_due(h, now))
		e = start_cutting(h, now);
	if (e == 0 && c->phase == CHECKPOINT_CUTTING)
		e = cut_slice(h);
	if (e == 0 && c->phase == CHECKPOINT_WRITING)
		e = h->store->ops->checkpoint_poll(h->store);
	if (e < 0)
		checkpoint_failed(h, e);
	if (c->phase != CHECKPOINT_WRITING || e == 1)
		return 0;
	arena_cut_done(&h->replica.counts.arena);
	c->phase = CHECKPOINT_NONE;
	c->exists = c->base_known = true;
	c->made = c->began;
	c->records = c->records_then;
	replica_checkpointed(&h->replica, c->records);
	h->metrics.checkpoints++;
	h->metrics.checkpoint_time = now - c->began;
	memcpy(c->chunks, c->next_chunks, sizeof c->chunks);
	struct vector old = c->vector;
	c->vector = c->next;
	c->next = old;
	return host_truncate(h);
}

/* ---- recovery ---- */

/* The numbers of a table's row or chunk, read one after the other; asking for more than there are is an
 * error, and gives 0. */
struct numbers {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static uint64_t next_number(struct numbers *n)
{
	uint64_t little;
	if (n->left < sizeof little) {
		n->failed = true;
		return 0;
	}
	memcpy(&little, n->at, sizeof little);
	n->at += sizeof little;
	n->left -= sizeof little;
	return le64toh(little);
}

/* r NULL, here and below: only looks whether it could be loaded. */
static int load_seen(struct replica *r, struct numbers *n, int64_t now)
{
	struct session session = {.issuer = next_number(n)};
	session.number = next_number(n);
	struct position closed = {.origin = {next_number(n)}};
	closed.lsn = next_number(n);
	uint64_t count = next_number(n);
	if (n->failed || session.issuer == 0 || session.number == 0)
		return -EBADMSG;
	int e = r ? replica_load_seen(r, session, NULL, 0, closed, now) : 0;
	for (uint64_t i = 0; i < count && e == 0; i++) {
		struct interval range = {.lo = next_number(n)};
		range.hi = next_number(n);
		if (range.lo == 0 || range.lo > range.hi)
			return -EBADMSG;
		e = r ? replica_load_seen(r, session, &range, 1, (struct position){0}, now) : 0;
	}
	return e;
}

static int load_lapse(struct replica *r, struct numbers *n)
{
	struct session to = {.issuer = next_number(n)};
	to.number = next_number(n);
	struct position at = {.origin = {next_number(n)}};
	at.lsn = next_number(n);
	if (to.issuer == 0 || to.number == 0 || at.origin.id == 0 || at.lsn == 0)
		return -EBADMSG;
	return r ? sessions_lapse(&r->sessions, to, at) : 0;
}

static int load_row(struct replica *r, char letter, struct numbers *n, int64_t now)
{
	if (letter == 's')
		return load_seen(r, n, now);
	if (letter == 'l')
		return load_lapse(r, n);
	uint64_t a = next_number(n), b = next_number(n), hi = letter == 'f' ? next_number(n) : b;
	struct position at = {{a}, b};
	if (a == 0 || b == 0 || hi < b)
		return -EBADMSG;
	if (!r)
		return 0;
	return letter == 'f' ? replica_load_forgotten(r, a, b, hi) : replica_load_vector(r, &at, 1);
}

static const char *table_of(const uint8_t *key, size_t size)
{
	return size == 5 ? memchr(tables, key[0], sizeof tables) : NULL;
}

static uint32_t block_number(const uint8_t *key)
{
	uint32_t big;
	memcpy(&big, key + 1, sizeof big);
	return be32toh(big);
}

static bool block_ok(const struct blob *block)
{
	struct counted e;
	size_t at = 0;
	while (entry_next(block->data, block->size, &at, &e)) {
		if (key_check(e.key, e.size) != 0)
			return false;
	}
	return block->size <= ARENA_BLOCK && entry_is_end(block->data, block->size, at);
}

bool host_checkpoint_entry_ok(const struct blob *key, const struct blob *value, uint32_t *blocks)
{
	struct numbers n = {value->data, value->size, false};
	if (key->size == 1)
		return key->data[0] == 'a' && value->size == 8;
	if (key->size == 5 && key->data[0] == 'b')
		return block_number(key->data) == (*blocks)++ && value->size > 0 && block_ok(value);
	const char *table = table_of(key->data, key->size);
	while (table && n.left > 0) {
		if (load_row(NULL, *table, &n, 0) != 0)
			return false;
	}
	return table;
}

/* A hint, from another server perhaps: what is unlikely is not believed. */
static int reserve_counts(struct host *h, uint64_t keys)
{
	return keys > RESERVE_MAX ? 0 : counts_reserve(&h->replica.counts, keys);
}

static int load_entry(struct host *h, int64_t now, const uint8_t *key, size_t key_size, const uint8_t *value,
		      size_t value_size)
{
	struct numbers n = {value, value_size, false};
	if (key_size == 1 && key[0] == 'a' && value_size == 8)
		return reserve_counts(h, next_number(&n));
	if (key_size == 5 && key[0] == 'b')
		return counts_load_block(&h->replica.counts,
					 &(struct block){block_number(key), value, value_size});
	const char *table = table_of(key, key_size);
	if (!table)
		return -EBADMSG;
	h->checkpoint.chunks[table - tables]++;
	while (n.left > 0) {
		int e = load_row(&h->replica, *table, &n, now);
		if (e < 0)
			return e;
	}
	return 0;
}

static int load_checkpoint(struct host *h, int64_t now)
{
	struct store_cursor *cursor;
	const uint8_t *key, *value;
	size_t key_size, value_size;
	int e = h->store->ops->cursor_open(h->store, &cursor);
	if (e < 0)
		return e;
	memset(h->checkpoint.chunks, 0, sizeof h->checkpoint.chunks);
	h->checkpoint.exists = h->checkpoint.base_known = false;
	while ((e = h->store->ops->cursor_next(cursor, &key, &key_size, &value, &value_size)) == 1) {
		h->checkpoint.exists = true;
		e = load_entry(h, now, key, key_size, value, value_size);
		if (e < 0)
			break;
	}
	h->store->ops->cursor_close(cursor);
	if (e < 0)
		return e;
	if (vector_copy(&h->checkpoint.vector, &h->replica.v) < 0)
		return -ENOMEM;
	return replica_loaded(&h->replica);
}

struct replaying {
	struct host *h;
	int64_t now;
};

static int replay_entry(void *arg, const struct entry *entry)
{
	const struct replaying *p = arg;
	if (entry->kind == ENTRY_GONE)
		return replica_replay_gone(&p->h->replica, entry->at);
	if (entry->kind != ENTRY_RECORD || replica_has(&p->h->replica, entry->at.origin, entry->at.lsn))
		return 0;
	struct record *record;
	int e = message_decode_record(entry->data, entry->size, &record);
	if (e != 0)
		return e < 0 ? e : -EBADMSG;
	p->h->appended += entry->size;
	e = replica_replay(&p->h->replica, record, p->now);
	record_unref(record);
	return e;
}

int host_recover(struct host *h, int64_t now)
{
	const struct replica_stats before = h->replica.stats;
	const uint64_t appended = h->appended;
	int e = load_checkpoint(h, now);
	if (e < 0)
		return e;
	h->checkpoint.records_then = h->checkpoint.records = h->replica.stats.records;
	h->checkpoint.appended_then = h->appended; /* what is replayed is yet to be in a checkpoint */
	h->checkpoint.began = now;
	struct replaying replaying = {h, now};
	e = h->store->ops->journal_replay(h->store, replay_entry, &replaying);
	metrics_recovered(&h->metrics, &before, &h->replica.stats, h->appended - appended);
	return e;
}
