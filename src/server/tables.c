/* SPDX-License-Identifier: MIT */
#include "server/tables.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "wire/key.h"

#define RESERVE_MAX 100000000
#define CHUNK_BYTES 65536

static const char letters[TABLES] = {'r', 'v', 's', 'f', 'l'};

/* ---- writing ---- */

/* One table being written, chunk by chunk; remembers the first error. */
struct table {
	struct store *store;
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

static int put(struct store *store, char letter, uint32_t number, const void *value, size_t size)
{
	uint8_t key[5] = {(uint8_t)letter};
	uint32_t big = htobe32(number);
	memcpy(key + 1, &big, sizeof big);
	return store->ops->checkpoint_put(store, key, sizeof key, value, size);
}

static void table_flush(struct table *t)
{
	if (t->error == 0 && bytes_failed(&t->bytes))
		t->error = -ENOMEM;
	if (t->error == 0)
		t->error = put(t->store, t->letter, t->chunk, t->bytes.data, t->bytes.size);
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

static void write_rows(struct table *t, const struct replica *r)
{
	switch (t->letter) {
	case 'r':
		if (r->v.base)
			write_positions(t, r->v.base->at, r->v.base->count);
		break;
	case 'v':
		write_positions(t, r->v.at, r->v.count);
		break;
	case 's':
		write_seen(t, &r->sessions);
		break;
	case 'l':
		write_lapses(t, &r->sessions);
		break;
	default:
		write_forgotten(t, &r->sessions);
		break;
	}
	if (t->bytes.size > 0)
		table_flush(t);
}

int tables_write(struct tables *ts, struct store *store, const struct replica *r, bool base_stands)
{
	uint64_t keys = htole64(r->counts.keys);
	int e = store->ops->checkpoint_put(store, "a", 1, &keys, sizeof keys);
	if (e < 0)
		return e;
	for (size_t i = 0; i < TABLES; i++) {
		struct table t = {.store = store, .letter = letters[i]};
		ts->next[i] = ts->chunks[i];
		if (letters[i] == 'r' && base_stands)
			continue;
		write_rows(&t, r);
		ts->next[i] = t.chunk;
		while (t.chunk < ts->chunks[i]) /* an empty value deletes what is left of a longer one */
			table_flush(&t);
		bytes_deinit(&t.bytes);
		if (t.error < 0)
			return t.error;
	}
	return 0;
}

int tables_write_block(struct store *store, const struct block *block)
{
	return put(store, 'b', block->number, block->bytes, block->size);
}

void tables_written(struct tables *t)
{
	memcpy(t->chunks, t->next, sizeof t->chunks);
}

/* It is not known how far they reach: the next one deletes generously. */
void tables_failed(struct tables *t)
{
	for (size_t i = 0; i < TABLES; i++)
		t->chunks[i] += 16;
}

/* ---- loading ---- */

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
	return size == 5 ? memchr(letters, key[0], sizeof letters) : NULL;
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

bool tables_entry_ok(const struct blob *key, const struct blob *value, uint32_t *blocks)
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
static int reserve_counts(struct replica *r, uint64_t keys)
{
	return keys > RESERVE_MAX ? 0 : counts_reserve(&r->counts, keys);
}

int tables_load(struct tables *t, struct replica *r, int64_t now, const uint8_t *key, size_t key_size,
		const uint8_t *value, size_t value_size)
{
	struct numbers n = {value, value_size, false};
	if (key_size == 1 && key[0] == 'a' && value_size == 8)
		return reserve_counts(r, next_number(&n));
	if (key_size == 5 && key[0] == 'b')
		return counts_load_block(&r->counts, &(struct block){block_number(key), value, value_size});
	const char *table = table_of(key, key_size);
	if (!table)
		return -EBADMSG;
	t->chunks[table - letters]++;
	while (n.left > 0) {
		int e = load_row(r, *table, &n, now);
		if (e < 0)
			return e;
	}
	return 0;
}

int tables_note_vector(struct vector *v, const struct blob *key, const struct blob *value)
{
	struct numbers n = {value->data, value->size, false};
	if (key->size != 5 || (key->data[0] != 'v' && key->data[0] != 'r'))
		return 0;
	while (n.left > 0) {
		struct origin o = {next_number(&n)};
		if (vector_set(v, o, next_number(&n)) < 0)
			return -ENOMEM;
	}
	return 0;
}
