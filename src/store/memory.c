/* SPDX-License-Identifier: MIT */
/* The store of --memory-only. The journal is a chain of slabs that are dropped whole, oldest first; the
 * checkpoint is a list of items in key order, the next one a copy in which some are others (store/items.h):
 *
 *   slab ──> slab ──> slab (newest)
 *   [meta][record][record]…
 */
#include "store/memory.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "store/index.h"
#include "store/items.h"

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

struct memory_store {
	struct store store;
	struct slab *oldest, *newest;
	struct slab *open;  /* the oldest slab with something uncommitted; NULL: none */
	struct slab *meta;  /* the slab with the newest meta; NULL: none */
	size_t meta_at;	    /* where in it */
	struct index index; /* places are addresses of struct kept */
	struct items *now;  /* the newest checkpoint; NULL: empty */
	struct items *next; /* the one being made; NULL: none is */
	int put_failed;	    /* the first error of its puts: it must not become the newest without them */
	int result;	    /* of the last checkpoint */
	int failed;
};

struct store_cursor {
	struct items *items;
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

static void memory_close(struct store *s)
{
	struct memory_store *m = of(s);
	while (m->oldest) {
		struct slab *newer = m->oldest->newer;
		slab_free(m->oldest);
		m->oldest = newer;
	}
	index_deinit(&m->index);
	items_unref(m->now);
	items_unref(m->next);
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

static void memory_abandon(struct store *s)
{
	struct memory_store *m = of(s);
	items_unref(m->next);
	m->next = NULL;
}

static int memory_begin(struct store *s, bool wipe)
{
	struct memory_store *m = of(s);
	if (m->next)
		return -EBUSY;
	m->put_failed = 0;
	m->next = items_copy(wipe ? NULL : m->now);
	return m->next ? 0 : -ENOMEM;
}

static int memory_put(struct store *s, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct memory_store *m = of(s);
	if (!m->next || key_size == 0)
		return -EINVAL;
	if (m->put_failed == 0)
		m->put_failed = items_put(m->next, key, key_size, value, value_size);
	return m->put_failed;
}

static int memory_checkpoint_commit(struct store *s)
{
	struct memory_store *m = of(s);
	if (!m->next)
		return -EINVAL;
	m->result = m->put_failed;
	if (m->result == 0) {
		struct items *before = m->now;
		m->now = m->next;
		m->next = before;
	}
	memory_abandon(s);
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
	c->items = items_ref(of(s)->now);
	*cursor = c;
	return 0;
}

static int memory_cursor_next(struct store_cursor *c, const uint8_t **key, size_t *key_size,
			      const uint8_t **value, size_t *value_size)
{
	if (!c->items || c->at == c->items->count)
		return 0;
	const struct item *item = c->items->list[c->at++];
	*key = item->bytes;
	*key_size = item->key_size;
	*value = item->bytes + item->key_size;
	*value_size = item->value_size;
	return 1;
}

static void memory_cursor_close(struct store_cursor *c)
{
	if (!c)
		return;
	items_unref(c->items);
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

int memory_open(struct store **store)
{
	struct memory_store *m = calloc(1, sizeof *m);
	if (!m)
		return -ENOMEM;
	m->store = (struct store){.ops = &memory_ops, .checkpoints = &m->store};
	index_init(&m->index, random_id());
	*store = &m->store;
	return 0;
}
