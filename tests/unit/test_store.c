/* SPDX-License-Identifier: MIT */
/* What both stores, in memory and on disk, must do alike. */
#include "store/memory.h"
#include "unit/random.h"
#include "unit/store_folder.h"

#include "unit/seed.h"

/* Runs check on a store of each kind. */
static void on_both(void (*check)(struct store *s))
{
	struct store *s;
	cr_assert(memory_open(&s) == 0);
	check(s);
	s->ops->close(s);
	struct folder f = folder_new();
	s = disk_new(&f, 4096);
	check(s);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

static void check_append(struct store *s)
{
	expect_replay(s, "");
	cr_assert(s->ops->journal_lowest(s, (struct origin){1}) == 0);
	cr_assert(s->ops->journal_commit(s) == 0);
	cr_assert(append(s, at(1, 1)) == 0);
	cr_assert(append(s, at(2, 7)) == 0);
	cr_assert(check_read(s, at(1, 1)) == 1, "not before it is committed");
	cr_assert(s->ops->journal_commit(s) == 0);
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "me", 2) == 0);
	append_commit(s, at(1, 2));
	expect_replay(s, "1:1 2:7 meta(me) 1:2 ");
	cr_assert(check_read(s, at(1, 1)) == 0);
	cr_assert(check_read(s, at(1, 2)) == 0);
	cr_assert(check_read(s, at(2, 7)) == 0);
	cr_assert(check_read(s, at(1, 3)) == 1);
	cr_assert(check_read(s, at(2, 6)) == 1);
	cr_assert(check_read(s, at(3, 1)) == 1);
	cr_assert(s->ops->journal_bytes(s) > 0);
}

Test(store, append_commit_read)
{
	on_both(check_append);
}

static int stop_at_second(void *arg, const struct entry *e)
{
	(void)e;
	return ++*(int *)arg == 2 ? -EINTR : 0;
}

static void check_read_appends(struct store *s)
{
	append_commit(s, at(1, 1));
	append_commit(s, at(1, 2));
	struct bytes out = {0};
	bytes_append(&out, "before", 6);
	cr_assert(s->ops->journal_read(s, at(1, 1), &out) == 0);
	uint8_t data[256];
	size_t size = payload(at(1, 1), data);
	cr_assert(out.size == 6 + size && memcmp(out.data, "before", 6) == 0);
	bytes_deinit(&out);
	int calls = 0;
	cr_assert(s->ops->journal_replay(s, stop_at_second, &calls) == -EINTR);
	cr_assert(calls == 2);
}

Test(store, reading_appends_and_replay_stops_when_told)
{
	on_both(check_read_appends);
}

static void check_lowest(struct store *s)
{
	struct origin o = {9};
	for (uint64_t lsn = 1; lsn <= 5; lsn++)
		append_commit(s, at(9, lsn));
	cr_assert(s->ops->journal_lowest(s, o) == 1);
	append_commit(s, at(9, 8)); /* after a gap */
	append_commit(s, at(9, 9));
	cr_assert(s->ops->journal_lowest(s, o) == 8);
	append_commit(s, at(9, 7)); /* the gap is filled from its end */
	cr_assert(s->ops->journal_lowest(s, o) == 7);
	append_commit(s, at(9, 6));
	cr_assert(s->ops->journal_lowest(s, o) == 1);
	append_commit(s, at(9, 6)); /* twice */
	for (uint64_t lsn = 1; lsn <= 9; lsn++)
		cr_assert(check_read(s, at(9, lsn)) == 0);
}

Test(store, lowest_after_the_last_gap)
{
	on_both(check_lowest);
}

static void append_large(struct store *s, struct position p)
{
	static const uint8_t large[400000];
	cr_assert(s->ops->journal_append(s, ENTRY_RECORD, p, large, sizeof large) == 0);
	cr_assert(s->ops->journal_commit(s) == 0);
}

static int find_meta(void *arg, const struct entry *e)
{
	char *meta = arg;
	if (e->kind == ENTRY_META)
		snprintf(meta, 16, "%.*s", (int)e->size, (const char *)e->data);
	return 0;
}

static void check_truncate(struct store *s)
{
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "old", 3) == 0);
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "new", 3) == 0);
	append_commit(s, at(2, 1));
	for (uint64_t lsn = 1; lsn <= 20; lsn++)
		append_large(s, at(1, lsn));
	struct vector floor = {0};
	struct bytes out = {0};
	uint64_t before = s->ops->journal_bytes(s);
	cr_assert(vector_set(&floor, (struct origin){1}, 15) == 0);
	cr_assert(s->ops->journal_truncate(s, &floor) == 0);
	cr_assert(check_read(s, at(2, 1)) == 0, "the floor does not cover it");
	cr_assert(vector_set(&floor, (struct origin){2}, 1) == 0);
	cr_assert(s->ops->journal_truncate(s, &floor) == 0);
	cr_assert(check_read(s, at(2, 1)) == 1);
	cr_assert(s->ops->journal_read(s, at(1, 1), &out) == 1);
	cr_assert(s->ops->journal_bytes(s) < before / 2);
	uint64_t lowest = s->ops->journal_lowest(s, (struct origin){1});
	cr_assert(lowest > 1 && lowest <= 16, "lowest %lu", lowest);
	for (uint64_t lsn = lowest; lsn <= 20; lsn++)
		cr_assert(s->ops->journal_read(s, at(1, lsn), &out) == 0);
	char meta[16] = "";
	cr_assert(s->ops->journal_replay(s, find_meta, meta) == 0);
	cr_assert(strcmp(meta, "new") == 0, "meta: %s", meta);
	cr_assert(vector_set(&floor, (struct origin){1}, 20) == 0);
	cr_assert(s->ops->journal_truncate(s, &floor) == 0);
	cr_assert(s->ops->journal_replay(s, find_meta, meta) == 0);
	cr_assert(strcmp(meta, "new") == 0, "meta: %s", meta);
	append_commit(s, at(1, 21));
	cr_assert(check_read(s, at(1, 21)) == 0);
	vector_deinit(&floor);
	bytes_deinit(&out);
}

Test(store, truncation_keeps_what_is_needed_and_the_meta)
{
	on_both(check_truncate);
}

static void check_clear(struct store *s)
{
	cr_assert(s->ops->journal_clear(s) == 0, "there is nothing");
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "old", 3) == 0);
	for (uint64_t lsn = 1; lsn <= 9; lsn++)
		append_large(s, at(1, lsn));
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "new", 3) == 0);
	append_commit(s, at(2, 1));
	cr_assert(s->ops->journal_clear(s) == 0);
	expect_replay(s, "meta(new) ");
	cr_assert(check_read(s, at(2, 1)) == 1 && s->ops->journal_lowest(s, (struct origin){1}) == 0);
	append_commit(s, at(1, 5));
	append_large(s, at(1, 6));
	cr_assert(check_read(s, at(1, 5)) == 0 && s->ops->journal_lowest(s, (struct origin){1}) == 5);
	cr_assert(s->ops->journal_clear(s) == 0);
	expect_replay(s, "meta(new) ");
	cr_assert(s->ops->journal_bytes(s) < 4096);
}

Test(store, a_cleared_journal_has_the_meta_alone)
{
	on_both(check_clear);
}

/* Nor does it tell of what there was: that would pass for damage. */
Test(store, what_was_cleared_is_not_missed)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096);
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "me", 2) == 0);
	for (uint64_t lsn = 1; lsn <= 60; lsn++)
		append_commit(s, at(1, lsn));
	cr_assert(folder_journals(&f) > 1 && s->ops->journal_clear(s) == 0 && folder_journals(&f) == 1);
	s->ops->close(s);
	s = disk_new(&f, 4096);
	expect_replay(s, "meta(me) ");
	append_commit(s, at(1, 9));
	s->ops->close(s);
	s = disk_new(&f, 4096);
	cr_assert(s->report.damaged_bytes == 0 && !s->report.copied);
	expect_replay(s, "meta(me) meta(me) 1:9 ");
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

static void check_checkpoint(struct store *s)
{
	const struct store_ops *ops = s->ops;
	expect_checkpoint(s, "");
	cr_assert(ops->checkpoint_poll(s) == 0);
	cr_assert(ops->checkpoint_put(s, "a", 1, "1", 1) == -EINVAL, "not begun");
	cr_assert(ops->checkpoint_begin(s, false) == 0);
	cr_assert(ops->checkpoint_begin(s, false) == -EBUSY);
	put_text(s, "b", "2");
	put_text(s, "ab", "1");
	put_text(s, "b", "3"); /* the last one counts */
	put_text(s, "c", "");  /* deletes what is not there */
	expect_checkpoint(s, "");
	cr_assert(ops->checkpoint_commit(s) == 0);
	cr_assert(checkpoint_wait(s) == 0);
	expect_checkpoint(s, "ab=1 b=3 ");
	struct store_cursor *old;
	cr_assert(ops->cursor_open(s, &old) == 0);
	cr_assert(ops->checkpoint_begin(s, false) == 0);
	put_text(s, "a", "0");
	put_text(s, "b", "");
	put_text(s, "c", "5");
	cr_assert(ops->checkpoint_commit(s) == 0);
	cr_assert(checkpoint_wait(s) == 0);
	expect_checkpoint(s, "a=0 ab=1 c=5 ");
	cr_assert(ops->checkpoint_begin(s, true) == 0);
	put_text(s, "z", "9");
	put_text(s, "y", "");
	ops->checkpoint_abandon(s);
	expect_checkpoint(s, "a=0 ab=1 c=5 ");
	cr_assert(ops->checkpoint_begin(s, true) == 0);
	put_text(s, "z", "9");
	put_text(s, "y", "");
	cr_assert(ops->checkpoint_commit(s) == 0);
	cr_assert(checkpoint_wait(s) == 0);
	expect_checkpoint(s, "z=9 ");
	expect_rest(s, old, "ab=1 b=3 "); /* the old reading is still whole */
	ops->cursor_close(old);
	ops->checkpoint_abandon(s); /* nothing begun */
	ops->cursor_close(NULL);
}

Test(store, checkpoint_is_atomic_and_readings_are_stable)
{
	on_both(check_checkpoint);
}

/* A random history on both stores at once; the disk one is closed and opened in between. */
#define ORIGINS 5

struct model {
	struct random random;
	uint64_t appended[ORIGINS], committed[ORIGINS], floor[ORIGINS];
	uint8_t counts[64]; /* the checkpoint: key -> value, 0 absent */
	unsigned meta, meta_committed;
};

static void model_append(struct model *m, struct store *s[2])
{
	size_t o = random_below(&m->random, ORIGINS);
	struct position p = at(o + 1, ++m->appended[o]);
	for (int i = 0; i < 2; i++)
		cr_assert(append(s[i], p) == 0);
	if (random_below(&m->random, 10) == 0) {
		m->meta++;
		for (int i = 0; i < 2; i++)
			cr_assert(s[i]->ops->journal_append(s[i], ENTRY_META, at(0, 0), &m->meta,
							    sizeof m->meta) == 0);
	}
}

static void model_commit(struct model *m, struct store *s[2])
{
	for (int i = 0; i < 2; i++)
		cr_assert(s[i]->ops->journal_commit(s[i]) == 0);
	memcpy(m->committed, m->appended, sizeof m->committed);
	m->meta_committed = m->meta;
}

static void model_truncate(struct model *m, struct store *s[2])
{
	struct vector floor = {0};
	for (size_t o = 0; o < ORIGINS; o++) {
		m->floor[o] += random_below(&m->random, m->committed[o] - m->floor[o] + 1);
		cr_assert(vector_set(&floor, (struct origin){o + 1}, m->floor[o]) == 0);
	}
	for (int i = 0; i < 2; i++)
		cr_assert(s[i]->ops->journal_truncate(s[i], &floor) == 0);
	vector_deinit(&floor);
}

static void model_checkpoint(struct model *m, struct store *s[2])
{
	bool wipe = random_below(&m->random, 8) == 0;
	for (int i = 0; i < 2; i++)
		cr_assert(s[i]->ops->checkpoint_begin(s[i], wipe) == 0);
	if (wipe)
		memset(m->counts, 0, sizeof m->counts);
	for (size_t n = random_below(&m->random, 40); n > 0; n--) {
		uint8_t key = (uint8_t)random_below(&m->random, sizeof m->counts);
		m->counts[key] = (uint8_t)random_below(&m->random, 4);
		for (int i = 0; i < 2; i++)
			cr_assert(s[i]->ops->checkpoint_put(s[i], &key, 1, &m->counts[key],
							    m->counts[key] ? 1 : 0) == 0);
	}
	for (int i = 0; i < 2; i++) {
		cr_assert(s[i]->ops->checkpoint_commit(s[i]) == 0);
		cr_assert(checkpoint_wait(s[i]) == 0);
	}
}

static void compare_checkpoint(const struct model *m, struct store *s)
{
	struct store_cursor *c;
	const uint8_t *key, *value;
	size_t key_size, value_size;
	cr_assert(s->ops->cursor_open(s, &c) == 0);
	for (size_t k = 0; k < sizeof m->counts; k++) {
		if (!m->counts[k])
			continue;
		cr_assert(s->ops->cursor_next(c, &key, &key_size, &value, &value_size) == 1);
		cr_assert(key_size == 1 && key[0] == k && value_size == 1 && value[0] == m->counts[k]);
	}
	cr_assert(s->ops->cursor_next(c, &key, &key_size, &value, &value_size) == 0);
	s->ops->cursor_close(c);
}

struct last_seen {
	uint64_t lsn[ORIGINS];
	unsigned meta;
};

static int last_entry(void *arg, const struct entry *e)
{
	struct last_seen *last = arg;
	if (e->kind == ENTRY_META) {
		memcpy(&last->meta, e->data, sizeof last->meta);
		return 0;
	}
	if (e->kind == ENTRY_GONE)
		return 0; /* truncated */
	uint64_t *lsn = &last->lsn[e->at.origin.id - 1];
	cr_assert(*lsn == 0 || e->at.lsn == *lsn + 1);
	*lsn = e->at.lsn;
	return 0;
}

static void model_compare(const struct model *m, struct store *s)
{
	for (size_t o = 0; o < ORIGINS; o++) {
		uint64_t lowest = s->ops->journal_lowest(s, (struct origin){o + 1});
		cr_assert(lowest <= m->floor[o] + 1);
		for (uint64_t lsn = 1; lsn <= m->appended[o] + 1; lsn++) {
			int r = check_read(s, at(o + 1, lsn));
			bool held = lowest && lsn >= lowest && lsn <= m->committed[o];
			cr_assert(r == (held ? 0 : 1), "origin %zu lsn %lu: %d", o + 1, lsn, r);
			cr_assert(held || lsn <= m->floor[o] || lsn > m->committed[o]);
		}
	}
	struct last_seen last = {0};
	cr_assert(s->ops->journal_replay(s, last_entry, &last) == 0);
	cr_assert(last.meta == m->meta_committed, "meta %u, not %u", last.meta, m->meta_committed);
	compare_checkpoint(m, s);
}

Test(store, random_histories_like_the_model)
{
	struct model m = {0};
	random_seed(&m.random, test_seed());
	struct folder f = folder_new();
	struct store *s[2];
	cr_assert(memory_open(&s[0]) == 0);
	s[1] = disk_new(&f, 2048);
	for (int step = 0; step < 1500; step++) {
		uint64_t what = random_below(&m.random, 100);
		if (what < 60)
			model_append(&m, s);
		else if (what < 85)
			model_commit(&m, s);
		else if (what < 90)
			model_checkpoint(&m, s);
		else if (what < 93)
			model_truncate(&m, s);
		else if (what < 95) {
			model_commit(&m, s);
			s[1]->ops->close(s[1]);
			s[1] = disk_new(&f, 2048);
			cr_assert(s[1]->report.torn_bytes == 0 && s[1]->report.damaged_bytes == 0);
		} else if (step % 4 == 0) {
			model_compare(&m, s[0]);
			model_compare(&m, s[1]);
		}
	}
	s[0]->ops->close(s[0]);
	s[1]->ops->close(s[1]);
	folder_remove(&f);
	assert_no_leak();
}
