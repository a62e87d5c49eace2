/* SPDX-License-Identifier: MIT */
/* The store of --memory-only. The journal is a chain of slabs that are dropped whole, oldest first; the
 * checkpoint is one run of bytes in key order, made anew by a merge at each commit:
 *
 *   slab ──> slab ──> slab (newest)        snapshot: [key size, value size, key, value]…
 *   [meta][record][record]…                   refcounted: one reference is the store's, one each cursor's */
#include "store/store.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "store/index.h"
#include "store/puts.h"

#define SLAB_SIZE ((size_t)1 << 20)

struct kept {
	struct position at;
	size_t size;
	enum entry_kind kind;
	uint8_t data[];
};

struct slab {
	struct slab *newer;
	struct vector highest; /* of the records in it */
	size_t used;	       /* appended */
	size_t committed;
	size_t capacity;
	alignas(struct kept) uint8_t bytes[];
};

struct snapshot {
	unsigned refs;
	struct bytes items;
};

struct item {
	uint32_t key_size, value_size; /* key and value follow */
};

struct memory_store {
	struct store store;
	struct slab *oldest, *newest;
	struct slab *open;    /* the oldest slab with something uncommitted; NULL: none */
	struct slab *meta;    /* the slab with the newest meta; NULL: none */
	size_t meta_at;	      /* where in it */
	struct index index;   /* places are addresses of struct kept */
	struct snapshot *now; /* the newest checkpoint; NULL: empty */
	struct puts puts;
	bool begun, wipe;
	int result; /* of the last checkpoint */
	int failed;
};

struct store_cursor {
	struct snapshot *snapshot;
	size_t at;
};

static struct memory_store *of(struct store *s)
{
	return (struct memory_store *)(void *)s; /* store is its first member */
}

static size_t kept_size(size_t data_size)
{
	size_t align = alignof(struct kept);
	return (sizeof(struct kept) + data_size + align - 1) / align * align;
}

static struct kept *kept_at(struct slab *slab, size_t at)
{
	return (struct kept *)(void *)(slab->bytes + at);
}

static void slab_free(struct slab *slab)
{
	vector_deinit(&slab->highest);
	free(slab);
}

static void snapshot_unref(struct snapshot *snapshot)
{
	if (snapshot && --snapshot->refs == 0) {
		bytes_deinit(&snapshot->items);
		free(snapshot);
	}
}

static void memory_close(struct store *s)
{
	struct memory_store *m = of(s);
	while (m->oldest) {
		struct slab *newer = m->oldest->newer;
		slab_free(m->oldest);
		m->oldest = newer;
	}
	index_deinit(&m->index);
	puts_deinit(&m->puts);
	snapshot_unref(m->now);
	free(m);
}

static void put_entry(struct memory_store *m, struct slab *slab, enum entry_kind kind, struct position at,
		      const void *data, size_t size)
{
	if (kind == ENTRY_META) {
		m->meta = slab;
		m->meta_at = slab->used;
	}
	struct kept *kept = kept_at(slab, slab->used);
	*kept = (struct kept){.at = at, .size = size, .kind = kind};
	if (size)
		memcpy(kept->data, data, size);
	slab->used += kept_size(size);
}

/* A new slab begins with the newest meta, so that older slabs can be dropped without a thought for it. */
static int add_slab(struct memory_store *m, size_t size)
{
	const struct kept *meta = m->meta ? kept_at(m->meta, m->meta_at) : NULL;
	size_t need = size + (meta ? kept_size(meta->size) : 0);
	size_t capacity = need > SLAB_SIZE ? need : SLAB_SIZE;
	struct slab *slab = malloc(sizeof *slab + capacity);
	if (!slab)
		return -ENOMEM;
	*slab = (struct slab){.capacity = capacity};
	if (meta)
		put_entry(m, slab, ENTRY_META, meta->at, meta->data, meta->size);
	if (m->newest)
		m->newest->newer = slab;
	else
		m->oldest = slab;
	m->newest = slab;
	return 0;
}

static int memory_append(struct store *s, enum entry_kind kind, struct position at, const void *data,
			 size_t size)
{
	struct memory_store *m = of(s);
	if (m->failed)
		return m->failed;
	if (size > SIZE_MAX / 4)
		return m->failed = -E2BIG;
	if (!m->newest || m->newest->capacity - m->newest->used < kept_size(size)) {
		int r = add_slab(m, kept_size(size));
		if (r < 0)
			return m->failed = r;
	}
	put_entry(m, m->newest, kind, at, data, size);
	if (!m->open)
		m->open = m->newest;
	return 0;
}

/* Makes one entry visible. */
static int commit_entry(struct memory_store *m, struct slab *slab, size_t at)
{
	const struct kept *kept = kept_at(slab, at);
	if (kept->kind == ENTRY_META)
		return 0;
	if (vector_get(&slab->highest, kept->at.origin) < kept->at.lsn) {
		int r = vector_set(&slab->highest, kept->at.origin, kept->at.lsn);
		if (r < 0)
			return r;
	}
	int r = index_add(&m->index, kept->at, (uintptr_t)kept);
	return r < 0 ? r : 0;
}

static int memory_commit(struct store *s)
{
	struct memory_store *m = of(s);
	if (m->failed)
		return m->failed;
	for (struct slab *slab = m->open; slab; slab = slab->newer) {
		while (slab->committed < slab->used) {
			int r = commit_entry(m, slab, slab->committed);
			if (r < 0)
				return m->failed = r;
			slab->committed += kept_size(kept_at(slab, slab->committed)->size);
		}
	}
	m->open = NULL;
	return 0;
}

static int memory_meta(struct store *s, struct bytes *out)
{
	const struct memory_store *m = of(s);
	if (!m->meta || m->meta_at >= m->meta->committed)
		return 1;
	const struct kept *kept = kept_at(m->meta, m->meta_at);
	bytes_append(out, kept->data, kept->size);
	return bytes_failed(out) ? -ENOMEM : 0;
}

static int memory_replay(struct store *s, entry_fn fn, void *arg)
{
	struct memory_store *m = of(s);
	for (struct slab *slab = m->oldest; slab; slab = slab->newer) {
		for (size_t at = 0; at < slab->committed; at += kept_size(kept_at(slab, at)->size)) {
			const struct kept *kept = kept_at(slab, at);
			struct entry entry = {
			    .kind = kept->kind, .at = kept->at, .data = kept->data, .size = kept->size};
			int r = fn(arg, &entry);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

static int memory_read(struct store *s, struct position at, struct bytes *out)
{
	uint64_t place;
	if (!index_get(&of(s)->index, at, &place))
		return 1;
	const struct kept *kept = (const struct kept *)(uintptr_t)place;
	bytes_append(out, kept->data, kept->size);
	return bytes_failed(out) ? -ENOMEM : 0;
}

static uint64_t memory_lowest(struct store *s, struct origin o)
{
	return index_lowest(&of(s)->index, o);
}

static int memory_truncate(struct store *s, const struct vector *floor)
{
	struct memory_store *m = of(s);
	while (m->oldest != m->newest && m->oldest != m->open && m->oldest != m->meta &&
	       vector_covers(floor, &m->oldest->highest)) {
		struct slab *slab = m->oldest;
		int r = index_drop(&m->index, &slab->highest, (uintptr_t)slab,
				   (uintptr_t)slab + sizeof *slab + slab->capacity);
		if (r < 0)
			return m->failed = r;
		m->oldest = slab->newer;
		slab_free(slab);
	}
	return 0;
}

static int memory_clear(struct store *s)
{
	struct memory_store *m = of(s);
	if (m->failed || !m->newest)
		return m->failed;
	int r = add_slab(m, 0);
	if (r < 0)
		return m->failed = r;
	m->newest->committed = m->newest->used;
	while (m->oldest != m->newest) {
		struct slab *newer = m->oldest->newer;
		slab_free(m->oldest);
		m->oldest = newer;
	}
	index_deinit(&m->index);
	index_init(&m->index, random_id());
	return 0;
}

static uint64_t memory_bytes(const struct store *s)
{
	uint64_t total = 0;
	for (const struct slab *slab = ((const struct memory_store *)(const void *)s)->oldest; slab;
	     slab = slab->newer)
		total += slab->used;
	return total;
}

static int memory_begin(struct store *s, bool wipe)
{
	struct memory_store *m = of(s);
	if (m->begun)
		return -EBUSY;
	m->begun = true;
	m->wipe = wipe;
	return 0;
}

static int memory_put(struct store *s, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct memory_store *m = of(s);
	if (!m->begun || key_size == 0)
		return -EINVAL;
	return puts_add(&m->puts, key, key_size, value, value_size);
}

static void memory_abandon(struct store *s)
{
	struct memory_store *m = of(s);
	puts_deinit(&m->puts);
	m->begun = false;
}

static void add_item(struct bytes *items, const void *key, uint32_t key_size, const void *value,
		     uint32_t value_size)
{
	struct item item = {key_size, value_size};
	bytes_append(items, &item, sizeof item);
	bytes_append(items, key, key_size);
	bytes_append(items, value, value_size);
}

/* The item at `at`, which may lie unaligned. */
static struct item read_item(const struct bytes *items, size_t at, const uint8_t **key)
{
	struct item item;
	memcpy(&item, items->data + at, sizeof item);
	*key = items->data + at + sizeof item;
	return item;
}

/* Writes old (may be NULL) as changed by the puts to items. */
static void merge(struct bytes *items, const struct bytes *old, const struct put *const *puts, size_t count)
{
	size_t i = 0, at = 0, old_size = old ? old->size : 0, most = old_size;
	for (size_t k = 0; k < count; k++)
		most += sizeof(struct item) + puts[k]->key_size + puts[k]->value_size;
	if (most > 0)
		bytes_extend(items, most); /* one allocation, no more than is needed */
	items->size = 0;
	while (i < count || at < old_size) {
		const uint8_t *key = NULL;
		struct item item = {0};
		int order = 1; /* of the old item against the put */
		if (at < old_size) {
			item = read_item(old, at, &key);
			order = i == count ? -1
					   : puts_compare_keys(key, item.key_size, puts[i]->bytes,
							       puts[i]->key_size);
		}
		if (order <= 0)
			at += sizeof item + item.key_size + item.value_size;
		if (order < 0) {
			add_item(items, key, item.key_size, key + item.key_size, item.value_size);
			continue;
		}
		const struct put *put = puts[i++];
		if (put->value_size)
			add_item(items, put->bytes, put->key_size, put->bytes + put->key_size,
				 put->value_size);
	}
}

/* The newest checkpoint as changed by the puts. */
static int make_snapshot(const struct memory_store *m, struct snapshot **made)
{
	const struct put **list;
	size_t count;
	int r = puts_sorted(&m->puts, &list, &count);
	if (r < 0)
		return r;
	struct snapshot *next = calloc(1, sizeof *next);
	if (next) {
		next->refs = 1;
		merge(&next->items, m->now && !m->wipe ? &m->now->items : NULL, list, count);
	}
	free(list);
	if (!next || bytes_failed(&next->items)) {
		snapshot_unref(next);
		return -ENOMEM;
	}
	*made = next;
	return 0;
}

static int memory_checkpoint_commit(struct store *s)
{
	struct memory_store *m = of(s);
	if (!m->begun)
		return -EINVAL;
	struct snapshot *next = NULL;
	int r = make_snapshot(m, &next);
	memory_abandon(s);
	m->result = r;
	if (r == 0) {
		snapshot_unref(m->now);
		m->now = next;
	}
	return 0;
}

static int memory_poll(struct store *s)
{
	return of(s)->result;
}

static int memory_cursor_open(struct store *s, struct store_cursor **cursor)
{
	struct store_cursor *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->snapshot = of(s)->now;
	if (c->snapshot)
		c->snapshot->refs++;
	*cursor = c;
	return 0;
}

static int memory_cursor_next(struct store_cursor *c, const uint8_t **key, size_t *key_size,
			      const uint8_t **value, size_t *value_size)
{
	if (!c->snapshot || c->at == c->snapshot->items.size)
		return 0;
	struct item item = read_item(&c->snapshot->items, c->at, key);
	*key_size = item.key_size;
	*value = *key + item.key_size;
	*value_size = item.value_size;
	c->at += sizeof item + item.key_size + item.value_size;
	return 1;
}

static void memory_cursor_close(struct store_cursor *c)
{
	if (!c)
		return;
	snapshot_unref(c->snapshot);
	free(c);
}

static const struct store_ops memory_ops = {
    .close = memory_close,
    .journal_append = memory_append,
    .journal_commit = memory_commit,
    .journal_meta = memory_meta,
    .journal_replay = memory_replay,
    .journal_read = memory_read,
    .journal_lowest = memory_lowest,
    .journal_truncate = memory_truncate,
    .journal_clear = memory_clear,
    .journal_bytes = memory_bytes,
    .checkpoint_begin = memory_begin,
    .checkpoint_put = memory_put,
    .checkpoint_commit = memory_checkpoint_commit,
    .checkpoint_poll = memory_poll,
    .checkpoint_abandon = memory_abandon,
    .cursor_open = memory_cursor_open,
    .cursor_next = memory_cursor_next,
    .cursor_close = memory_cursor_close,
};

int store_open_memory(struct store **store)
{
	struct memory_store *m = calloc(1, sizeof *m);
	if (!m)
		return -ENOMEM;
	m->store.ops = &memory_ops;
	index_init(&m->index, random_id());
	*store = &m->store;
	return 0;
}
