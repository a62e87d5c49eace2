/* SPDX-License-Identifier: MIT */
/* Reading a data folder from another process, while a server has it. */
#include <signal.h>
#include <sys/wait.h>

#include "store/beside.h"
#include "unit/store_folder.h"

static int read_folder(const struct folder *f, struct trace *t, struct beside_report *report)
{
	char error[200] = "";
	*t = (struct trace){0};
	*report = (struct beside_report){0};
	return beside_records(f->path, trace_entry, t, report, error, sizeof error);
}

Test(beside, records_while_they_are_written)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096);
	struct trace t, replayed;
	struct beside_report report;
	cr_assert(read_folder(&f, &t, &report) == 0 && report.records == 0);
	for (uint64_t lsn = 1; lsn <= 60; lsn++) {
		append_commit(s, at(lsn % 2 + 1, (lsn + 1) / 2));
		cr_assert(read_folder(&f, &t, &report) == 0);
		cr_assert(report.records == lsn && report.damaged_bytes == 0, "%lu", report.records);
	}
	cr_assert(folder_journals(&f) > 2);
	trace_replay(s, &replayed);
	cr_assert_str_eq(t.text, replayed.text);
	append_commit(s, at(1, 1));	      /* once more, from a peer */
	cr_assert(append(s, at(1, 31)) == 0); /* not committed */
	cr_assert(read_folder(&f, &t, &report) == 0 && report.records == 60);
	cr_assert_str_eq(t.text, replayed.text);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

Test(beside, records_that_are_gone_or_damaged)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096);
	struct trace t;
	struct beside_report report;
	char path[400];
	size_t size;
	for (uint64_t lsn = 1; lsn <= 60; lsn++)
		append_commit(s, at(1, lsn));
	s->ops->close(s);
	segment_path(&f, 2, path);
	uint8_t *bytes = file_read(path, &size);
	bytes[size / 2] ^= 1;
	file_write(path, bytes, size);
	free(bytes);
	cr_assert(read_folder(&f, &t, &report) == 0);
	cr_assert(report.records >= 58 && report.records < 60 && report.damaged_bytes > 0, "%lu",
		  report.records);
	segment_path(&f, 1, path);
	cr_assert(unlink(path) == 0);
	cr_assert(read_folder(&f, &t, &report) == 0 && report.records < 50 && strstr(t.text, "1:60 "));
	folder_remove(&f);
	cr_assert(read_folder(&f, &t, &report) == -ENOENT);
	assert_no_leak();
}

static int refuse(void *arg, const struct entry *e)
{
	(void)arg;
	(void)e;
	return -EPIPE;
}

Test(beside, ends_when_told)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096);
	struct beside_report report = {0};
	char error[200];
	append_commit(s, at(1, 1));
	append_commit(s, at(1, 2));
	cr_assert(beside_records(f.path, refuse, NULL, &report, error, sizeof error) == -EPIPE);
	cr_assert(report.records == 1);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

/* ---- the checkpoint ---- */

#define KEYS 64
#define VALUE 4000

static void write_generation(struct store *s, uint8_t generation)
{
	uint8_t value[VALUE];
	memset(value, generation, sizeof value);
	cr_assert(s->ops->checkpoint_begin(s, false) == 0);
	for (uint8_t key = 1; key <= KEYS; key++)
		cr_assert(s->ops->checkpoint_put(s, &key, 1, value, sizeof value) == 0);
	cr_assert(s->ops->checkpoint_commit(s) == 0);
	cr_assert(checkpoint_wait(s) == 0);
}

/* The reader's process: opens a cursor when it is told to, says so, and reads on when it is told again. How
 * many values were of the generation that was the newest then. */
static int read_in_steps(const struct folder *f, int told, int tell)
{
	struct checkpoint *c;
	struct store_cursor *cursor;
	const uint8_t *key, *value;
	size_t key_size, value_size;
	char path[400], error[200], byte;
	int same = 0;
	folder_path(f, "checkpoint.mdb", path);
	if (read(told, &byte, 1) != 1 || checkpoint_open_beside(&c, path, error, sizeof error) != 0 ||
	    checkpoint_cursor_open(c, &cursor) != 0 || write(tell, "", 1) != 1 || read(told, &byte, 1) != 1)
		return 255;
	while (checkpoint_cursor_next(cursor, &key, &key_size, &value, &value_size) == 1)
		same += value_size == VALUE && value[0] == 1 && value[VALUE - 1] == 1;
	checkpoint_cursor_close(cursor);
	checkpoint_close(c);
	return same;
}

struct reader {
	pid_t pid;
	int tell, told;
};

/* Before the store is open: LMDB's are not for children. */
static struct reader reader_new(const struct folder *f)
{
	int to[2], from[2];
	cr_assert(pipe(to) == 0 && pipe(from) == 0);
	struct reader r = {fork(), to[1], from[0]};
	if (r.pid == 0)
		_exit(read_in_steps(f, to[0], from[1]));
	close(to[0]);
	close(from[1]);
	return r;
}

static void reader_step(const struct reader *r)
{
	cr_assert(write(r->tell, "", 1) == 1);
}

static int reader_end(const struct reader *r)
{
	int status;
	cr_assert(waitpid(r->pid, &status, 0) == r->pid);
	close(r->tell);
	close(r->told);
	return status;
}

static off_t file_size(const struct folder *f)
{
	char path[400];
	struct stat st;
	folder_path(f, "checkpoint.mdb", path);
	cr_assert(stat(path, &st) == 0);
	return st.st_size;
}

/* A first checkpoint, and a reader that has begun with it. */
static struct store *store_being_read(const struct folder *f, struct reader *r)
{
	char byte;
	*r = reader_new(f);
	struct store *s = disk_new(f, 4096);
	write_generation(s, 1);
	reader_step(r);
	cr_assert(read(r->told, &byte, 1) == 1);
	return s;
}

Test(beside, a_cut_while_checkpoints_go_on)
{
	struct folder f = folder_new();
	struct reader r;
	struct store *s = store_being_read(&f, &r);
	for (uint8_t generation = 2; generation < 12; generation++)
		write_generation(s, generation);
	reader_step(&r);
	const int status = reader_end(&r);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == KEYS, "%x", status);
	s->ops->close(s);
	folder_remove(&f);
}

/* Else the file would grow by all that is ever written. */
Test(beside, one_that_was_killed_holds_nothing)
{
	struct folder f = folder_new();
	struct reader r;
	struct store *s = store_being_read(&f, &r);
	cr_assert(kill(r.pid, SIGKILL) == 0);
	reader_end(&r);
	for (uint8_t generation = 2; generation < 42; generation++)
		write_generation(s, generation);
	cr_assert(file_size(&f) < 8L * KEYS * 8192, "%ld", (long)file_size(&f));
	s->ops->close(s);
	folder_remove(&f);
}

/* Of a folder that a backup was put back into LMDB's own file may be missing: what is made is of the same
 * owner. */
Test(beside, without_a_lock_file)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096);
	struct checkpoint *c;
	struct stat st;
	char path[400], error[200];
	write_generation(s, 1);
	s->ops->close(s);
	folder_path(&f, "checkpoint.mdb-lock", path);
	cr_assert(unlink(path) == 0);
	folder_path(&f, "checkpoint.mdb", path);
	if (geteuid() == 0)
		cr_assert(chown(path, 65534, 65534) == 0);
	cr_assert(checkpoint_open_beside(&c, path, error, sizeof error) == 0, "%s", error);
	checkpoint_close(c);
	folder_path(&f, "checkpoint.mdb-lock", path);
	cr_assert(stat(path, &st) == 0 && st.st_uid == (geteuid() == 0 ? 65534 : geteuid()));
	folder_path(&f, "nothing.mdb", path);
	cr_assert(checkpoint_open_beside(&c, path, error, sizeof error) == -ENOENT);
	cr_assert(strstr(error, "nothing.mdb"), "%s", error);
	folder_remove(&f);
	assert_no_leak();
}
