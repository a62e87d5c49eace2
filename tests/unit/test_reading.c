/* SPDX-License-Identifier: MIT */
/* A start and what is read after it, on files that a journal left (store/recovery.h, store/reading.h). */
#include "unit/store_folder.h"

#include "store/reading.h"
#include "store/recovery.h"

struct files {
	struct folder folder;
	int dir;
	struct contents contents;
	struct reading reading;
	struct store_report report;
};

/* Records 1:1 to 1:count, in segments of 4 KiB. */
static void files_write(struct files *f, uint64_t count)
{
	*f = (struct files){.folder = folder_new()};
	struct store *s = disk_new(&f->folder, 4096);
	for (uint64_t lsn = 1; lsn <= count; lsn++)
		append_commit(s, at(1, lsn));
	s->ops->close(s);
	f->dir = open(f->folder.path, O_RDONLY | O_DIRECTORY);
	f->reading = (struct reading){.dir = f->dir, .name = f->folder.path, .fd = -1};
	contents_init(&f->contents);
}

static void files_free(struct files *f)
{
	reading_end(&f->reading, UINT64_MAX);
	contents_deinit(&f->contents);
	close(f->dir);
	folder_remove(&f->folder);
	assert_no_leak();
}

static int read_one(struct files *f, uint64_t lsn)
{
	uint8_t data[256];
	struct bytes out = {0};
	int r = reading_record(&f->reading, &f->contents, at(1, lsn), &out);
	cr_assert(r != 0 || out.size == payload(at(1, lsn), data));
	cr_assert(r != 0 || out.size == 0 || memcmp(out.data, data, out.size) == 0);
	bytes_deinit(&out);
	return r;
}

static int count_one(void *arg, const struct entry *e)
{
	uint64_t *count = arg;
	cr_assert(e->kind != ENTRY_RECORD || e->at.lsn == *count + 1);
	*count += e->kind == ENTRY_RECORD;
	return *count == 50 ? 50 : 0;
}

Test(reading, gives_what_recovery_found)
{
	struct files f;
	uint64_t segment, count = 0;
	files_write(&f, 100);
	cr_assert(recovery_run(&f.contents, f.dir, "folder", &f.report, &segment) == 0);
	cr_assert(f.report.entries == 100 && f.report.torn_bytes == 0 && f.report.damaged_bytes == 0);
	cr_assert(f.contents.count > 2);
	for (uint64_t lsn = 1; lsn <= 100; lsn++)
		cr_assert(read_one(&f, lsn) == 0);
	cr_assert(read_one(&f, 101) == 1);
	cr_assert(reading_replay(f.dir, &f.contents, count_one, &count) == 50, "it ends when told");
	files_free(&f);
}

Test(reading, closes_what_is_removed)
{
	struct files f;
	uint64_t segment;
	files_write(&f, 100);
	cr_assert(recovery_run(&f.contents, f.dir, "folder", &f.report, &segment) == 0);
	cr_assert(read_one(&f, 1) == 0);
	reading_end(&f.reading, f.reading.segment);
	cr_assert(f.reading.fd >= 0, "it stays");
	reading_end(&f.reading, f.reading.segment + 1);
	cr_assert(f.reading.fd < 0);
	files_free(&f);
}

Test(reading, what_has_gone_bad_since_is_not_held)
{
	struct files f;
	uint64_t segment, offset;
	char path[400];
	size_t size;
	files_write(&f, 100);
	cr_assert(recovery_run(&f.contents, f.dir, "folder", &f.report, &segment) == 0);
	cr_assert(contents_get(&f.contents, at(1, 3), &segment, &offset));
	segment_path(&f.folder, (unsigned)segment, path);
	uint8_t *data = file_read(path, &size);
	data[offset + 33] ^= 1;
	file_write(path, data, size);
	free(data);
	cr_assert(read_one(&f, 3) == 1 && !contents_get(&f.contents, at(1, 3), &segment, &offset));
	cr_assert(read_one(&f, 2) == 0 && read_one(&f, 4) == 0);
	files_free(&f);
}

Test(reading, recovery_says_where_it_fails)
{
	struct files f;
	uint64_t segment = 7;
	char path[400];
	files_write(&f, 100);
	segment_path(&f.folder, 2, path);
	cr_assert(unlink(path) == 0 && mkdir(path, 0700) == 0);
	cr_assert(recovery_run(&f.contents, f.dir, "folder", &f.report, &segment) < 0 && segment == 2);
	cr_assert(rmdir(path) == 0);
	files_free(&f);
}
