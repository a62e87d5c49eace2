/* SPDX-License-Identifier: MIT */
/* Every allocation of src/store fails once: -ENOMEM comes back, nothing leaks, what was committed is there.
 * Link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc. */
#include "store/beside.h"
#include "store/memory.h"
#include "unit/store_folder.h"

#include "unit/failing_memory.h"

/* How far a run of use() came before it failed. */
struct progress {
	uint64_t committed;   /* records of origin 1 */
	bool checkpointed;    /* a=1 is in the checkpoint */
	bool maybe_truncated; /* some of the records may be gone */
};

static int use_journal(struct store *s, struct progress *p)
{
	int r = s->ops->journal_append(s, ENTRY_META, at(0, 0), "me", 2);
	for (uint64_t lsn = 1; r == 0 && lsn <= 20; lsn++) {
		r = append(s, at(1, lsn));
		if (r == 0)
			r = append(s, at(2, 3 * lsn));
		if (r == 0)
			r = s->ops->journal_commit(s);
		if (r == 0)
			p->committed = lsn;
	}
	struct bytes out = {0};
	if (r == 0)
		r = s->ops->journal_read(s, at(1, 7), &out);
	bytes_deinit(&out);
	struct trace t = {0};
	if (r == 0)
		r = s->ops->journal_replay(s, trace_entry, &t);
	struct position floor[] = {at(1, 15), at(2, 45)};
	p->maybe_truncated = r == 0;
	return r < 0 ? r : s->ops->journal_truncate(s, &(struct vector){.at = floor, .count = 2});
}

static int use_checkpoint(struct store *s, struct progress *p)
{
	int r = s->ops->checkpoint_begin(s, false);
	if (r == 0)
		r = s->ops->checkpoint_put(s, "a", 1, "1", 1);
	if (r < 0) {
		s->ops->checkpoint_abandon(s);
		return r;
	}
	r = s->ops->checkpoint_commit(s);
	if (r == 0)
		r = checkpoint_wait(s);
	p->checkpointed = r == 0;
	struct store_cursor *c = NULL;
	if (r == 0)
		r = s->ops->cursor_open(s, &c);
	s->ops->cursor_close(c);
	return r;
}

static int use(struct store *s, struct progress *p)
{
	int r = use_journal(s, p);
	return r < 0 ? r : use_checkpoint(s, p);
}

static void check(struct store *s, const struct progress *p)
{
	for (uint64_t lsn = p->maybe_truncated ? 16 : 1; lsn <= p->committed; lsn++) {
		cr_assert(check_read(s, at(1, lsn)) == 0, "lsn %lu", lsn);
		cr_assert(check_read(s, at(2, 3 * lsn)) == 0, "lsn %lu", lsn);
	}
	expect_checkpoint(s, p->checkpointed ? "a=1 " : "");
}

static int memory_life(void *arg)
{
	(void)arg;
	struct progress p = {0};
	struct store *s;
	int r = memory_open(&s);
	if (r < 0)
		return r;
	r = use(s, &p);
	int left = allowed;
	allowed = INT_MAX; /* what is looked at does not count */
	check(s, &p);
	s->ops->close(s);
	allowed = left;
	return r;
}

Test(store_memory, in_memory)
{
	cr_assert(fail_each(memory_life, NULL, 0) > 10);
	assert_no_leak();
}

#define SEGMENT 1024

static int open_limited(struct store **s, const struct folder *f)
{
	const struct disk_sizes sizes = {.segment = SEGMENT, .map = TEST_MAP};
	return disk_open(s, f->path, &sizes, NULL, 0);
}

/* Uses a new folder; then, with memory enough, what was committed must be there. */
static int disk_life(void *arg)
{
	(void)arg;
	int left = allowed;
	allowed = INT_MAX;
	struct folder f = folder_new();
	allowed = left;
	struct progress p = {0};
	struct store *s = NULL;
	int r = open_limited(&s, &f);
	if (r == 0)
		r = use(s, &p);
	left = allowed;
	allowed = INT_MAX;
	if (s)
		s->ops->close(s);
	s = disk_new(&f, SEGMENT);
	cr_assert(s->report.damaged_bytes == 0 && s->report.torn_bytes == 0);
	check(s, &p);
	s->ops->close(s);
	folder_remove(&f);
	allowed = left;
	return r;
}

Test(store_memory, on_disk)
{
	cr_assert(fail_each(disk_life, NULL, 0) > 10);
	assert_no_leak();
}

static int open_again(void *arg)
{
	struct store *s;
	int r = open_limited(&s, arg);
	if (r == 0)
		s->ops->close(s);
	return r;
}

Test(store_memory, opening_a_folder_in_use_before)
{
	struct folder f = folder_new();
	struct progress p = {0};
	struct store *s = disk_new(&f, SEGMENT);
	cr_assert(use(s, &p) == 0);
	s->ops->close(s);
	cr_assert(fail_each(open_again, &f, 0) > 10);
	s = disk_new(&f, SEGMENT);
	check(s, &p);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

static int read_beside(void *arg)
{
	const struct folder *f = arg;
	struct beside_report report = {0};
	struct trace t = {0};
	struct checkpoint *c;
	struct store_cursor *cursor;
	char path[400], error[200];
	int r = beside_records(f->path, trace_entry, &t, &report, error, sizeof error);
	folder_path(f, "checkpoint.mdb", path);
	if (r == 0)
		r = checkpoint_open_beside(&c, path, error, sizeof error);
	if (r < 0)
		return r;
	r = checkpoint_cursor_open(c, &cursor);
	if (r == 0)
		checkpoint_cursor_close(cursor);
	checkpoint_close(c);
	return r;
}

Test(store_memory, reading_from_beside)
{
	struct folder f = folder_new();
	struct progress p = {0};
	struct store *s = disk_new(&f, SEGMENT);
	cr_assert(use(s, &p) == 0);
	s->ops->close(s);
	cr_assert(fail_each(read_beside, &f, 0) > 5);
	folder_remove(&f);
	assert_no_leak();
}
