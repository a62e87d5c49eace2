/* SPDX-License-Identifier: MIT */
/* Damage where no gap in the numbers shows it, and copies of folders. */
#include <stdlib.h>

#include "store/files.h"
#include "unit/store_damage.h"

static void expect_once(struct store *s, const char *text)
{
	struct trace t;
	trace_replay(s, &t);
	cr_assert(strstr(t.text, text) != NULL, "replay: %s\nlacks: %s", t.text, text);
}

/* As a crash leaves the folder: what is in the files, without an end in order. */
static void crash(struct store *s, const struct folder *f, unsigned segment)
{
	char path[400];
	size_t size;
	segment_path(f, segment, path);
	uint8_t *data = file_read(path, &size);
	s->ops->close(s);
	file_write(path, data, size);
	free(data);
}

/* The last record of an origin leaves no gap in its numbers; what comes behind tells of it. */
Test(damage, damage_to_the_last_record_of_an_origin_is_seen)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 1));
	append_commit(s, at(2, 7)); /* the next commit, of another origin */
	crash(s, &f, 1);
	spoil(&f, 1, at(1, 1));
	s = disk_new(&f, 1 << 16);
	cr_assert(s->report.damaged_bytes > 0 && s->report.torn_bytes == 0);
	expect_replay(s, "-1:1 2:7 ");
	append_commit(s, at(1, 1)); /* fetched again: all is well, though the damage is still there */
	s->ops->close(s);
	s = disk_new(&f, 1 << 16);
	cr_assert(s->report.damaged_bytes > 0);
	expect_replay(s, "2:7 1:1 ");
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

/* The next segment's mark tells, whatever its commits do. */
Test(damage, damage_to_the_last_records_of_a_segment_is_seen)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1024);
	uint64_t lsn = 0;
	while (folder_journals(&f) < 2) {
		append_commit(s, at(1, ++lsn));
		append_commit(s, at(2, lsn));
	}
	char expected[40];
	crash(s, &f, 2);
	size_t size, length;
	char path[400];
	segment_path(&f, 1, path);
	uint8_t *data = file_read(path, &size);
	memset(data + find_record(data, size, 1, at(1, lsn - 1), &length), 0x5a, 40);
	memset(data + find_record(data, size, 1, at(2, lsn - 1), &length), 0x5a, 40);
	file_write(path, data, size);
	free(data);
	segment_path(&f, 2, path);
	cr_assert(truncate(path, SEGMENT_HEADER + SEGMENT_MARK_DATA + 32) == 0); /* of it, only the mark */
	s = disk_new(&f, 1024);
	snprintf(expected, sizeof expected, "-1:%lu ", lsn - 1);
	expect_once(s, expected);
	snprintf(expected, sizeof expected, "-2:%lu ", lsn - 1);
	expect_once(s, expected);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

/* After an end in order nothing can be torn: neither the last commit, nor with it a whole block of the disk.
 */
Test(damage, damage_to_the_last_commit_after_an_end_in_order_is_seen)
{
	for (int block = 0; block < 2; block++) {
		struct folder f = folder_new();
		struct store *s = disk_new(&f, 1 << 16);
		append_commit(s, at(1, 1));
		append_commit(s, at(1, 2));
		s->ops->close(s);
		if (block) {
			char path[400];
			segment_path(&f, 1, path);
			size_t size, length;
			uint8_t *data = file_read(path, &size);
			size_t from = find_record(data, size, 1, at(1, 2), &length);
			memset(data + from, 0xa5, 4096 - from);
			file_write(path, data, size);
			free(data);
		} else {
			spoil(&f, 1, at(1, 2));
		}
		for (int i = 0; i < 2; i++) {
			s = disk_new(&f, 1 << 16);
			cr_assert(s->report.damaged_bytes > 0 && s->report.torn_bytes == 0);
			expect_once(s, "1:1 -1:2 ");
			s->ops->close(s);
		}
		folder_remove(&f);
	}
	assert_no_leak();
}

/* What is torn was told to nobody: the marks at the end are no proof of each other. */
Test(damage, an_end_in_order_that_is_torn_itself_is_no_damage)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 1));
	size_t end = s->ops->journal_bytes(s), size;
	s->ops->close(s);
	char path[400];
	segment_path(&f, 1, path);
	uint8_t *data = file_read(path, &size);
	cr_assert(size > 4096);
	memset(data + end, 0, 100); /* the first of them did not get to the disk, the second did */
	file_write(path, data, size);
	s = disk_new(&f, 1 << 16);
	cr_assert(s->report.damaged_bytes == 0 && s->report.torn_bytes > 0);
	expect_replay(s, "1:1 ");
	s->ops->close(s);
	free(data);
	folder_remove(&f);
	assert_no_leak();
}

/* What the first version of the format wrote is read; it tells of nothing. */
Test(damage, the_first_format_is_read)
{
	struct folder f = folder_new();
	struct bytes b = {0};
	uint8_t data[256];
	segment_encode(&b, SEGMENT_MARK, (struct position){{SEGMENT_FORMAT_1}, 1}, NULL, 0);
	segment_encode(&b, ENTRY_RECORD, at(1, 1), data, payload(at(1, 1), data));
	segment_seal(&b, 1, 0, 0);
	char path[400];
	segment_path(&f, 1, path);
	file_write(path, b.data, b.size);
	struct store *s = disk_new(&f, 1 << 16);
	cr_assert(s->report.damaged_bytes == 0 && s->report.torn_bytes == 0 && !s->report.copied);
	expect_replay(s, "1:1 ");
	append_commit(s, at(1, 2));
	s->ops->close(s);
	spoil(&f, 1, at(1, 1));
	s = disk_new(&f, 1 << 16);
	expect_replay(s, "-1:1 -1:1 -1:1 1:2 ");
	s->ops->close(s);
	bytes_deinit(&b);
	folder_remove(&f);
	assert_no_leak();
}

/* What a like costs more: nothing while one origin writes, and 16 bytes for each other that has just written.
 */
Test(damage, telling_costs_little)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1 << 20);
	append_commit(s, at(1, 1));
	uint64_t before = s->ops->journal_bytes(s), alone = 0;
	for (uint64_t lsn = 2; lsn <= 1000; lsn++) {
		uint8_t data[256];
		append_commit(s, at(1, lsn));
		alone += segment_entry_size(payload(at(1, lsn), data));
	}
	cr_assert(s->ops->journal_bytes(s) - before == alone);
	append_commit(s, at(2, 1)); /* then another, once */
	before = s->ops->journal_bytes(s);
	alone = 0;
	for (uint64_t lsn = 1001; lsn <= 2000; lsn++) {
		uint8_t data[256];
		append_commit(s, at(1, lsn));
		alone += segment_entry_size(payload(at(1, lsn), data));
	}
	cr_assert(s->ops->journal_bytes(s) - before == alone + (uint64_t)10 * segment_entry_size(16),
		  "told 1, 2, 4, … 512 commits later");
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

static uint64_t birth_of(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	cr_assert(fd >= 0);
	uint64_t birth = files_birth(fd);
	close(fd);
	return birth;
}

/* File systems tell the time in ticks of some milliseconds: the copy is made until it is younger. */
static void copy_segment(const struct folder *f, unsigned number)
{
	char path[400], command[1700];
	int64_t deadline = clock_now() + 10 * SECOND;
	segment_path(f, number, path);
	uint64_t born = birth_of(path);
	snprintf(command, sizeof command, "cp -a %s %s.copy && mv %s.copy %s", path, path, path, path);
	do {
		cr_assert(system(command) == 0); /* NOLINT(cert-env33-c): cp is what is meant */
		cr_assert(clock_now() < deadline, "each copy is as old as its original");
	} while (birth_of(path) == born);
}

Test(damage, a_copy_of_the_folder_knows_that_it_is_one)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 1));
	bool knows = birth_of(f.path) != 0;
	s->ops->close(s);
	for (int i = 0; i < 2; i++) { /* as often as it is opened without anything written */
		s = disk_new(&f, 1 << 16);
		cr_assert(!s->report.copied);
		s->ops->close(s);
	}
	if (!knows) {
		folder_remove(&f);
		fprintf(stderr, "copies: not tested, %s is on a file system without times of birth\n",
			f.path);
		cr_skip_test();
	}
	copy_segment(&f, 1);
	for (int i = 0; i < 2; i++) {
		s = disk_new(&f, 1 << 16);
		cr_assert(s->report.copied);
		s->ops->close(s);
	}
	s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 2)); /* from here on it is written here, and nothing else knows of a copy */
	s->ops->close(s);
	s = disk_new(&f, 1 << 16);
	cr_assert(!s->report.copied);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

/* The verdict is in the first commit's meta. Of a commit that the power tore there may be only what stands in
 * front: this file's own birth, and the meta as it was before. */
Test(damage, a_torn_first_commit_does_not_make_a_copy_an_original)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1 << 16);
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "old", 3) == 0);
	append_commit(s, at(1, 1));
	bool knows = birth_of(f.path) != 0;
	s->ops->close(s);
	if (!knows) {
		folder_remove(&f);
		cr_skip_test("%s is on a file system without times of birth", f.path);
	}
	copy_segment(&f, 1);
	s = disk_new(&f, 1 << 16);
	cr_assert(s->report.copied);
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "new", 3) == 0);
	cr_assert(s->ops->journal_commit(s) == 0);
	crash(s, &f, 2);
	char path[400];
	segment_path(&f, 2, path);
	size_t front = SEGMENT_HEADER + SEGMENT_MARK_DATA + 16 + segment_entry_size(3); /* mark, old meta */
	cr_assert(truncate(path, (off_t)front) == 0);
	for (int i = 0; i < 2; i++) {
		s = disk_new(&f, 1 << 16);
		expect_replay(s, "meta(old) 1:1 meta(old) ");
		cr_assert(s->report.copied);
		s->ops->close(s);
	}
	folder_remove(&f);
	assert_no_leak();
}
