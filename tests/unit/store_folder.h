/* SPDX-License-Identifier: MIT */
/* What the tests of the store share: a folder of their own, known payloads, waiting for a checkpoint. */
#ifndef TESTS_STORE_FOLDER_H
#define TESTS_STORE_FOLDER_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/disk.h"
#include "store/store.h"
#include "unit/leak.h"

struct folder {
	char path[64];
};

static inline struct folder folder_new(void)
{
	struct folder f;
	/* In memory: the tests themselves tear and damage, and thousands of syncs are not waited for. */
	strcpy(f.path, "/dev/shm/kudos-store-XXXXXX");
	cr_assert(mkdtemp(f.path) != NULL);
	return f;
}

static inline void folder_path(const struct folder *f, const char *name, char path[400])
{
	snprintf(path, 400, "%s/%s", f->path, name);
}

static inline void folder_remove(const struct folder *f)
{
	DIR *dir = opendir(f->path);
	cr_assert(dir != NULL);
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		struct folder in;
		snprintf(in.path, sizeof in.path, "%.40s/%.20s", f->path, entry->d_name);
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && entry->d_name[0] != '.')
			folder_remove(&in);
	}
	closedir(dir);
	cr_assert(rmdir(f->path) == 0);
}

static inline size_t folder_journals(const struct folder *f)
{
	DIR *dir = opendir(f->path);
	cr_assert(dir != NULL);
	size_t count = 0;
	struct dirent *entry;
	while ((entry = readdir(dir)))
		count += strncmp(entry->d_name, "journal-", 8) == 0;
	closedir(dir);
	return count;
}

static inline void segment_path(const struct folder *f, unsigned number, char path[400])
{
	snprintf(path, 400, "%s/journal-%016x.log", f->path, number);
}

/* The file's bytes, to be freed. */
static inline uint8_t *file_read(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	cr_assert(fd >= 0 && fstat(fd, &st) == 0, "%s", path);
	*size = (size_t)st.st_size;
	uint8_t *data = malloc(*size + 1);
	cr_assert(data != NULL && read(fd, data, *size) == (ssize_t)*size);
	close(fd);
	return data;
}

static inline void file_write(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size, "%s", path);
	close(fd);
}

#define TEST_MAP ((size_t)64 << 20)

static inline struct store *disk_new(const struct folder *f, size_t segment)
{
	const struct disk_sizes sizes = {.segment = segment, .map = TEST_MAP};
	struct store *s = NULL;
	char error[200];
	int r = disk_open(&s, f->path, &sizes, error, sizeof error);
	cr_assert(r == 0, "%s", error);
	return s;
}

static inline struct position at(uint64_t origin, uint64_t lsn)
{
	return (struct position){{origin}, lsn};
}

/* Every record has the payload that its position says, so that no test need remember any. */
static inline size_t payload(struct position p, uint8_t out[256])
{
	uint64_t h = hash_pair(p.origin.id, p.lsn, 1);
	size_t size = h % 200;
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)hash_pair(h, i, 2);
	return size;
}

static inline int append(struct store *s, struct position p)
{
	uint8_t data[256];
	size_t size = payload(p, data);
	return s->ops->journal_append(s, ENTRY_RECORD, p, data, size);
}

static inline void append_commit(struct store *s, struct position p)
{
	cr_assert(append(s, p) == 0);
	cr_assert(s->ops->journal_commit(s) == 0);
}

/* 0: held, and as it should be. 1: not held. */
static inline int check_read(struct store *s, struct position p)
{
	uint8_t data[256];
	size_t size = payload(p, data);
	struct bytes out = {0};
	int r = s->ops->journal_read(s, p, &out);
	if (r == 0) {
		cr_assert(out.size == size, "origin %lu lsn %lu: %zu bytes, not %zu", p.origin.id, p.lsn,
			  out.size, size);
		cr_assert(size == 0 || memcmp(out.data, data, size) == 0);
	}
	cr_assert(r == 0 || (r == 1 && out.size == 0), "%d", r);
	bytes_deinit(&out);
	return r;
}

/* What a replay told: "1:1 1:2 meta(abc) 2:1 …", and of a record that was held once "-1:3"; checks each
 * payload. */
struct trace {
	char text[8192];
	size_t used;
};

static inline int trace_entry(void *arg, const struct entry *e)
{
	struct trace *t = arg;
	uint8_t data[256];
	size_t left = sizeof t->text - t->used;
	if (e->kind == ENTRY_META) {
		t->used += (size_t)snprintf(t->text + t->used, left, "meta(%.*s) ", (int)e->size,
					    (const char *)e->data);
		return 0;
	}
	if (e->kind == ENTRY_GONE) {
		t->used += (size_t)snprintf(t->text + t->used, left, "-%lu:%lu ", e->at.origin.id, e->at.lsn);
		return 0;
	}
	size_t size = payload(e->at, data);
	cr_assert(e->kind == ENTRY_RECORD && e->size == size);
	cr_assert(size == 0 || memcmp(e->data, data, size) == 0);
	t->used += (size_t)snprintf(t->text + t->used, left, "%lu:%lu ", e->at.origin.id, e->at.lsn);
	return 0;
}

static inline void trace_replay(struct store *s, struct trace *t)
{
	*t = (struct trace){0};
	cr_assert(s->ops->journal_replay(s, trace_entry, t) == 0);
}

static inline void expect_replay(struct store *s, const char *text)
{
	struct trace t;
	trace_replay(s, &t);
	cr_assert(strcmp(t.text, text) == 0, "replay: %s\nexpected: %s", t.text, text);
}

/* The checkpoint's end, waited for. */
static inline int checkpoint_wait(struct store *s)
{
	int64_t deadline = clock_now() + 60 * SECOND;
	int r;
	while ((r = s->ops->checkpoint_poll(s)) == 1) {
		cr_assert(clock_now() < deadline, "the checkpoint does not end");
		sched_yield();
	}
	return r;
}

static inline void put_text(struct store *s, const char *key, const char *value)
{
	cr_assert(s->ops->checkpoint_put(s, key, strlen(key), value, strlen(value)) == 0);
}

/* The rest of a reading, "a=1 b=2 ". */
static inline void expect_rest(struct store *s, struct store_cursor *c, const char *text)
{
	char got[4096] = "";
	size_t used = 0, key_size, value_size;
	const uint8_t *key, *value;
	int r;
	while ((r = s->ops->cursor_next(c, &key, &key_size, &value, &value_size)) == 1)
		used += (size_t)snprintf(got + used, sizeof got - used, "%.*s=%.*s ", (int)key_size,
					 (const char *)key, (int)value_size, (const char *)value);
	cr_assert(r == 0, "%d", r);
	cr_assert(strcmp(got, text) == 0, "checkpoint: %s\nexpected: %s", got, text);
}

static inline void expect_checkpoint(struct store *s, const char *text)
{
	struct store_cursor *c;
	cr_assert(s->ops->cursor_open(s, &c) == 0);
	expect_rest(s, c, text);
	s->ops->cursor_close(c);
}

#endif
