/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "sim.h"

#define SEGMENT ((size_t)8) /* entries that are truncated together */

struct sim_store {
	struct store base;
	struct disk *disk;
};

struct store_cursor {
	struct pairs pairs;
	size_t at;
};

static struct disk *disk_of(const struct store *s)
{
	return ((const struct sim_store *)(const void *)s)->disk;
}

/* ---- the disk ---- */

struct disk *disk_new(struct sim *sim, int server)
{
	struct disk *d = calloc(1, sizeof *d);
	if (!d)
		abort();
	d->sim = sim;
	d->server = server;
	d->fuse = -1;
	return d;
}

static void drop_unsynced(struct disk *d, size_t from)
{
	while (d->count > from) {
		d->bytes -= d->entries[--d->count].size;
		free(d->entries[d->count].data);
	}
}

static void clear_past(struct disk *d)
{
	while (d->past_count > 0)
		free(d->past[--d->past_count].data);
	d->gone = 0;
}

/* The oldest entries are no longer held. */
static void let_go(struct disk *d, size_t count)
{
	if (array_reserve(&d->past, d->past_count + count, &d->past_capacity, sizeof *d->past) < 0)
		abort();
	for (size_t i = 0; i < count; i++) {
		d->bytes -= d->entries[i].size;
		d->past[d->past_count++] = d->entries[i];
	}
	d->count -= count;
	d->synced -= count;
	memmove(d->entries, &d->entries[count], d->count * sizeof *d->entries);
}

/* What was let go of goes from the disk oldest first, each segment durably before the next one: a crash may
 * find the newest of it there still, so many at least, if there are. */
static void bring_back(struct disk *d, size_t least)
{
	size_t most = d->past_count - d->gone;
	size_t count = most < least ? most : least + random_below(&d->sim->sweeps, most - least + 1);
	if (array_reserve(&d->entries, d->count + count, &d->capacity, sizeof *d->entries) < 0)
		abort();
	memmove(&d->entries[count], d->entries, d->count * sizeof *d->entries);
	d->past_count -= count;
	for (size_t i = 0; i < count; i++) {
		d->entries[i] = d->past[d->past_count + i];
		d->bytes += d->entries[i].size;
	}
	d->count += count;
	d->synced += count;
	d->gone = d->past_count;
	d->sim->stats.returned += count;
}

void disk_free(struct disk *d)
{
	if (!d)
		return;
	drop_unsynced(d, 0);
	clear_past(d);
	free(d->entries);
	free(d->past);
	pairs_clear(&d->checkpoint);
	pairs_clear(&d->next);
	free(d);
}

static struct disk_entry *entries_copy(const struct disk_entry *from, size_t count)
{
	struct disk_entry *to = calloc(count + 1, sizeof *to);
	for (size_t i = 0; i < count; i++) {
		to[i] = from[i];
		to[i].data = copy_bytes(from[i].data, from[i].size);
	}
	return to;
}

/* As a backup program reads it: what is durable. */
struct disk *disk_copy(const struct disk *d)
{
	struct disk *copy = disk_new(d->sim, d->server);
	copy->entries = entries_copy(d->entries, d->synced);
	copy->count = copy->synced = d->synced;
	copy->capacity = d->synced + 1;
	copy->past = entries_copy(d->past, d->past_count);
	copy->past_count = copy->gone = d->past_count;
	copy->past_capacity = d->past_count + 1;
	copy->commits = d->commits;
	copy->copied = true;
	for (size_t i = 0; i < d->synced; i++)
		copy->bytes += d->entries[i].size;
	pairs_copy(&copy->checkpoint, &d->checkpoint);
	return copy;
}

bool disk_burn(struct disk *d)
{
	if (d->fuse >= 0 && d->fuse-- == 0)
		d->dead = true;
	return !d->dead;
}

/* The real journal cuts the last commit at its first hole, whichever of its sectors got there, and the real
 * checkpoint is the old one or the new one, whatever became of LMDB's two flushes: tests/unit/test_power.c.
 * So this is all that a crash can do behind the store's interface. */
void disk_crash(struct disk *d)
{
	size_t survive = d->synced + sim_below(d->sim, d->count - d->synced + 1);
	drop_unsynced(d, survive);
	d->synced = d->count;
	bring_back(d, 0);
	if (d->committing && d->polls_left > 0 && sim_chance(d->sim, 500)) { /* it just made it */
		pairs_clear(&d->checkpoint);
		d->checkpoint = d->next;
		d->next = (struct pairs){0};
	}
	pairs_clear(&d->next);
	d->committing = false;
	d->polls_left = 0;
	d->dead = false;
	d->fuse = -1;
	d->fail_commits = 0;
	d->commits++; /* what comes now is no part of what was torn */
}

bool disk_damage(struct disk *d, size_t entry)
{
	struct disk_entry *e = &d->entries[entry];
	if (e->kind != ENTRY_RECORD || e->commit == d->entries[d->count - 1].commit)
		return false;
	d->bytes -= e->size;
	e->size = 0;
	e->kind = ENTRY_GONE; /* the next commit tells of it */
	return true;
}

static struct disk_entry *find_entry(const struct disk *d, struct position at, size_t limit)
{
	for (size_t i = 0; i < limit; i++) {
		struct disk_entry *e = &d->entries[i];
		if (e->kind == ENTRY_RECORD && e->at.lsn == at.lsn && origin_equal(e->at.origin, at.origin))
			return e;
	}
	return NULL;
}

bool disk_holds(const struct disk *d, struct position at)
{
	return find_entry(d, at, d->synced) != NULL;
}

/* ---- the store ---- */

static void store_close(struct store *s)
{
	free(s);
}

static int journal_append(struct store *s, enum entry_kind kind, struct position at, const void *data,
			  size_t size)
{
	struct disk *d = disk_of(s);
	if (!disk_burn(d))
		return -EIO;
	if (kind == ENTRY_RECORD)
		check_record(d->sim, at, data, size);
	if (array_reserve(&d->entries, d->count + 1, &d->capacity, sizeof *d->entries) < 0)
		return -ENOMEM;
	d->entries[d->count++] = (struct disk_entry){kind, at, copy_bytes(data, size), size, d->commits};
	d->bytes += size;
	return 0;
}

static int journal_commit(struct store *s)
{
	struct disk *d = disk_of(s);
	if (!disk_burn(d))
		return -EIO;
	if (d->fail_commits > 0) {
		d->sim->stats.io_errors++;
		return d->fail_error;
	}
	d->synced = d->count;
	d->commits++;
	d->copied = false;
	return disk_burn(d) ? 0 : -EIO; /* it may also die right after */
}

static int journal_meta(struct store *s, struct bytes *out)
{
	const struct disk *d = disk_of(s);
	for (size_t i = d->synced; i-- > 0;) {
		const struct disk_entry *e = &d->entries[i];
		if (e->kind != ENTRY_META)
			continue;
		bytes_append(out, e->data, e->size);
		return bytes_failed(out) ? -ENOMEM : 0;
	}
	return 1;
}

/* The oldest segment tells of the records in the one that was before it. */
static int replay_told(struct disk *d, entry_fn fn, void *arg)
{
	size_t i = d->past_count < SEGMENT ? 0 : d->past_count - SEGMENT;
	int r = 0;
	for (; i < d->past_count && r == 0; i++) {
		const struct disk_entry *e = &d->past[i];
		if (e->kind != ENTRY_META && !find_entry(d, e->at, d->count))
			r = fn(arg, &(struct entry){.kind = ENTRY_GONE, .at = e->at});
	}
	return r;
}

static int journal_replay(struct store *s, entry_fn fn, void *arg)
{
	struct disk *d = disk_of(s);
	int r = replay_told(d, fn, arg);
	if (r != 0)
		return r;
	for (size_t i = 0; i < d->count; i++) {
		const struct disk_entry *e = &d->entries[i];
		if (e->kind == ENTRY_GONE && find_entry(d, e->at, d->count))
			continue; /* it was fetched again */
		struct entry entry = {e->kind, e->at, e->data, e->size};
		r = fn(arg, &entry);
		if (r != 0)
			return r;
	}
	return 0;
}

static int journal_read(struct store *s, struct position at, struct bytes *out)
{
	struct disk *d = disk_of(s);
	const struct disk_entry *e = find_entry(d, at, d->count);
	if (!e)
		return 1;
	bytes_append(out, e->data, e->size);
	return bytes_failed(out) ? -ENOMEM : 0;
}

static uint64_t journal_lowest(struct store *s, struct origin o)
{
	const struct disk *d = disk_of(s);
	uint64_t highest = 0;
	for (size_t i = 0; i < d->count; i++) {
		const struct disk_entry *e = &d->entries[i];
		if (e->kind == ENTRY_RECORD && origin_equal(e->at.origin, o) && e->at.lsn > highest)
			highest = e->at.lsn;
	}
	uint64_t lowest = highest;
	while (lowest > 1 && find_entry(d, (struct position){o, lowest - 1}, d->count))
		lowest--;
	return lowest;
}

/* Whole leading segments go; the newest meta entry stays whatever happens (as the real one sees to). From the
 * disk they go one by one, in their order, and have gone when others follow them. */
static int journal_truncate(struct store *s, const struct vector *floor)
{
	struct disk *d = disk_of(s);
	size_t past = d->past_count;
	for (;;) {
		if (d->synced < 2 * SEGMENT || !disk_burn(d))
			return d->dead ? -EIO : 0;
		for (size_t i = 0; i < SEGMENT; i++) {
			const struct disk_entry *e = &d->entries[i];
			if (e->kind == ENTRY_RECORD && vector_get(floor, e->at.origin) < e->at.lsn)
				return 0;
		}
		bool later_meta = false;
		size_t meta = SIZE_MAX;
		for (size_t i = 0; i < d->synced; i++) {
			if (d->entries[i].kind == ENTRY_META && i < SEGMENT)
				meta = i;
			later_meta = later_meta || (d->entries[i].kind == ENTRY_META && i >= SEGMENT);
		}
		for (size_t i = 0; i < SEGMENT; i++) {
			if (d->entries[i].kind == ENTRY_RECORD) {
				check_truncate(d->sim, d->server, d->entries[i].at);
				d->sim->stats.truncated++;
			}
		}
		size_t end = SEGMENT;
		if (!later_meta && meta != SIZE_MAX) { /* written anew at the head of the next segment */
			struct disk_entry keep = d->entries[meta];
			d->entries[meta] = d->entries[SEGMENT - 1];
			d->entries[SEGMENT - 1] = keep;
			end = SEGMENT - 1;
		}
		d->gone = past;
		let_go(d, end);
	}
}

/* The newest meta is written anew first, in a segment that tells of nothing before it; when it is done, all
 * the others have gone. */
static int journal_clear(struct store *s)
{
	struct disk *d = disk_of(s);
	size_t meta = d->synced;
	if (!disk_burn(d))
		return -EIO;
	while (meta > 0 && d->entries[meta - 1].kind != ENTRY_META)
		meta--;
	if (d->count != d->synced)
		sim_fail(d->sim, "s%d clears a journal with an unfinished commit", d->server + 1);
	d->gone = d->past_count;
	if (meta > 0) {
		struct disk_entry keep = d->entries[meta - 1];
		memmove(&d->entries[meta - 1], &d->entries[meta], (d->count - meta) * sizeof keep);
		d->entries[d->count - 1] = keep;
	}
	let_go(d, d->count - (meta > 0));
	if (d->sim->faults.fuse && !d->sim->healing && random_below(&d->sim->sweeps, 3) == 0)
		d->fuse = 0; /* one lit at any time would hardly ever end just here */
	if (!disk_burn(d)) {
		bring_back(d, 1);
		return -EIO;
	}
	clear_past(d);
	return disk_burn(d) ? 0 : -EIO;
}

static uint64_t journal_bytes(const struct store *s)
{
	return disk_of(s)->bytes;
}

static int checkpoint_begin(struct store *s, bool wipe)
{
	struct disk *d = disk_of(s);
	pairs_clear(&d->next);
	d->wipe = wipe;
	if (!wipe)
		pairs_copy(&d->next, &d->checkpoint);
	return disk_burn(d) ? 0 : -EIO;
}

static int checkpoint_put(struct store *s, const void *key, size_t key_size, const void *value,
			  size_t value_size)
{
	pairs_put(&disk_of(s)->next, key, key_size, value, value_size);
	return 0;
}

static int checkpoint_commit(struct store *s)
{
	struct disk *d = disk_of(s);
	d->committing = true;
	d->polls_left = 1 + (int)sim_below(d->sim, 5);
	return disk_burn(d) ? 0 : -EIO;
}

static int checkpoint_poll(struct store *s)
{
	struct disk *d = disk_of(s);
	if (!d->committing)
		return 0;
	if (!disk_burn(d))
		return 1;
	if (--d->polls_left > 0)
		return 1;
	d->committing = false;
	if (d->sim->faults.io_error && !d->sim->healing && sim_chance(d->sim, 50)) {
		pairs_clear(&d->next);
		return -ENOSPC;
	}
	pairs_clear(&d->checkpoint);
	d->checkpoint = d->next;
	d->next = (struct pairs){0};
	if (d->wipe)
		d->sim->stats.snapshots++;
	d->sim->stats.checkpoints++;
	return 0;
}

static void checkpoint_abandon(struct store *s)
{
	pairs_clear(&disk_of(s)->next);
	disk_of(s)->committing = false;
}

static int cursor_open(struct store *s, struct store_cursor **cursor)
{
	struct store_cursor *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	pairs_copy(&c->pairs, &disk_of(s)->checkpoint);
	*cursor = c;
	return 0;
}

static int cursor_next(struct store_cursor *c, const uint8_t **key, size_t *key_size, const uint8_t **value,
		       size_t *value_size)
{
	if (c->at == c->pairs.count)
		return 0;
	const struct pair *p = &c->pairs.at[c->at++];
	*key = p->key;
	*key_size = p->key_size;
	*value = p->value;
	*value_size = p->value_size;
	return 1;
}

static void cursor_close(struct store_cursor *c)
{
	pairs_clear(&c->pairs);
	free(c);
}

struct store *disk_open(struct disk *d)
{
	static const struct store_ops ops = {
	    .close = store_close,
	    .journal_append = journal_append,
	    .journal_commit = journal_commit,
	    .journal_meta = journal_meta,
	    .journal_replay = journal_replay,
	    .journal_read = journal_read,
	    .journal_lowest = journal_lowest,
	    .journal_truncate = journal_truncate,
	    .journal_clear = journal_clear,
	    .journal_bytes = journal_bytes,
	    .checkpoint_begin = checkpoint_begin,
	    .checkpoint_put = checkpoint_put,
	    .checkpoint_commit = checkpoint_commit,
	    .checkpoint_poll = checkpoint_poll,
	    .checkpoint_abandon = checkpoint_abandon,
	    .cursor_open = cursor_open,
	    .cursor_next = cursor_next,
	    .cursor_close = cursor_close,
	};
	struct sim_store *s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->base.ops = &ops;
	s->base.checkpoints = &s->base;
	s->base.report.copied = d->copied;
	s->disk = d;
	return &s->base;
}
