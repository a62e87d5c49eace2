/* SPDX-License-Identifier: MIT */
/* The next segment, made ahead. */
#include "unit/store_folder.h"

#include "store/spare.h"

#define SEGMENT ((uint64_t)4096)

static ino_t inode_of(const char *path, off_t size)
{
	struct stat st;
	return stat(path, &st) == 0 && st.st_size == size ? st.st_ino : 0;
}

static void append_until(struct store *s, uint64_t *lsn, uint64_t bytes)
{
	while (s->ops->journal_bytes(s) < bytes)
		append_commit(s, at(1, ++*lsn));
}

Test(spare, becomes_the_next_segment)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, SEGMENT);
	char spare[400], second[400];
	folder_path(&f, SPARE_NAME, spare);
	segment_path(&f, 2, second);
	uint64_t lsn = 0;
	append_until(s, &lsn, SEGMENT / 4);
	cr_assert(access(spare, F_OK) < 0, "none for a segment that is hardly begun");
	append_until(s, &lsn, SEGMENT * 3 / 4);
	int64_t deadline = clock_now() + 60 * SECOND;
	ino_t made;
	while ((made = inode_of(spare, SEGMENT)) == 0) {
		cr_assert(clock_now() < deadline, "no file is made");
		sched_yield();
	}
	append_until(s, &lsn, SEGMENT * 5 / 4);
	cr_assert(inode_of(second, SEGMENT) == made);
	cr_assert(access(spare, F_OK) < 0);
	append_until(s, &lsn, SEGMENT * 7 / 4);
	s->ops->close(s);
	cr_assert(access(spare, F_OK) < 0, "one that was not needed goes");
	s = disk_new(&f, SEGMENT);
	cr_assert(s->report.entries == lsn && !s->report.copied);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

Test(spare, of_a_killed_process_is_removed)
{
	struct folder f = folder_new();
	char spare[400];
	folder_path(&f, SPARE_NAME, spare);
	file_write(spare, (const uint8_t *)"old", 3);
	struct store *s = disk_new(&f, SEGMENT);
	cr_assert(access(spare, F_OK) < 0);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

Test(spare, is_done_without_where_it_cannot_be_made)
{
	struct folder f = folder_new();
	char spare[400];
	folder_path(&f, SPARE_NAME, spare);
	cr_assert(mkdir(spare, 0700) == 0);
	struct store *s = disk_new(&f, SEGMENT);
	uint64_t lsn = 0;
	append_until(s, &lsn, 3 * SEGMENT);
	cr_assert(folder_journals(&f) == 4, "%zu", folder_journals(&f));
	s->ops->close(s);
	cr_assert(rmdir(spare) == 0);
	folder_remove(&f);
	assert_no_leak();
}
