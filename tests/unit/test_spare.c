/* SPDX-License-Identifier: MIT */
/* The next segment, made ahead. */
#include "unit/store_folder.h"

#include <sys/syscall.h>

#include "store/spare.h"

#define SEGMENT ((uint64_t)4096)

static bool name_in_memory; /* a file was renamed, and no folder synced since */

/* Instead of the C library's. */
__attribute__((visibility("default"))) int renameat(int from_dir, const char *from, int to_dir,
						    const char *to)
{
	int r = (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
	name_in_memory = name_in_memory || r == 0;
	return r;
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	struct stat st;
	int r = (int)syscall(SYS_fsync, fd);
	if (r == 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		name_in_memory = false;
	return r;
}

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
	cr_assert(!name_in_memory, "what was committed is in a file that a power loss may take away");
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
