/* SPDX-License-Identifier: MIT */
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/checkpoint.h"
#include "store/files.h"
#include "store/journal.h"

static const struct disk_sizes usual = {.segment = (size_t)64 << 20, .map = (size_t)64 << 30};

struct disk_store {
	struct store store;
	int dir;
	int lock;
	struct journal *journal;
	struct checkpoint *checkpoint;
};

static struct disk_store *of(struct store *s)
{
	return (struct disk_store *)(void *)s; /* store is its first member */
}

static void disk_close(struct store *s)
{
	struct disk_store *d = of(s);
	checkpoint_close(d->checkpoint);
	journal_close(d->journal);
	if (d->lock >= 0)
		close(d->lock);
	if (d->dir >= 0)
		close(d->dir);
	free(d);
}

static int disk_append(struct store *s, enum entry_kind kind, struct position at, const void *data,
		       size_t size)
{
	return journal_append(of(s)->journal, kind, at, data, size);
}

static int disk_commit(struct store *s)
{
	return journal_commit(of(s)->journal);
}

static int disk_meta(struct store *s, struct bytes *out)
{
	return journal_meta(of(s)->journal, out);
}

static int disk_replay(struct store *s, entry_fn fn, void *arg)
{
	return journal_replay(of(s)->journal, fn, arg);
}

static int disk_read(struct store *s, struct position at, struct bytes *out)
{
	return journal_read(of(s)->journal, at, out);
}

static uint64_t disk_lowest(struct store *s, struct origin o)
{
	return journal_lowest(of(s)->journal, o);
}

static int disk_truncate(struct store *s, const struct vector *floor)
{
	return journal_truncate(of(s)->journal, floor);
}

static int disk_clear(struct store *s)
{
	return journal_clear(of(s)->journal);
}

static uint64_t disk_bytes(const struct store *s)
{
	return journal_bytes(((const struct disk_store *)(const void *)s)->journal);
}

static int disk_begin(struct store *s, bool wipe)
{
	return checkpoint_begin(of(s)->checkpoint, wipe);
}

static int disk_put(struct store *s, const void *key, size_t key_size, const void *value, size_t value_size)
{
	return checkpoint_put(of(s)->checkpoint, key, key_size, value, value_size);
}

static int disk_checkpoint_commit(struct store *s)
{
	return checkpoint_commit(of(s)->checkpoint);
}

static int disk_poll(struct store *s)
{
	return checkpoint_poll(of(s)->checkpoint);
}

static void disk_abandon(struct store *s)
{
	checkpoint_abandon(of(s)->checkpoint);
}

static int disk_cursor_open(struct store *s, struct store_cursor **cursor)
{
	return checkpoint_cursor_open(of(s)->checkpoint, cursor);
}

static const struct store_ops disk_ops = {
    .close = disk_close,
    .journal_append = disk_append,
    .journal_commit = disk_commit,
    .journal_meta = disk_meta,
    .journal_replay = disk_replay,
    .journal_read = disk_read,
    .journal_lowest = disk_lowest,
    .journal_truncate = disk_truncate,
    .journal_clear = disk_clear,
    .journal_bytes = disk_bytes,
    .checkpoint_begin = disk_begin,
    .checkpoint_put = disk_put,
    .checkpoint_commit = disk_checkpoint_commit,
    .checkpoint_poll = disk_poll,
    .checkpoint_abandon = disk_abandon,
    .cursor_open = disk_cursor_open,
    .cursor_next = checkpoint_cursor_next,
    .cursor_close = checkpoint_cursor_close,
};

static int lock_folder(struct disk_store *d, const char *dir, char *error, size_t error_size)
{
	d->lock = openat(d->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	int r = d->lock < 0 ? -errno : flock(d->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (r == -EWOULDBLOCK)
		snprintf(error, error_size,
			 "%s/lock: another process is using this folder; stop it or use another --data", dir);
	else if (r < 0)
		snprintf(error, error_size, "%s/lock: %s", dir, strerror(-r));
	return r;
}

static int open_parts(struct disk_store *d, const char *dir, const struct disk_sizes *sizes, char *error,
		      size_t error_size)
{
	int r = files_open_dir(dir, &d->dir);
	if (r < 0) {
		snprintf(error, error_size, "%s: %s", dir, strerror(-r));
		return r;
	}
	r = lock_folder(d, dir, error, error_size);
	if (r < 0)
		return r;
	r = journal_open(&d->journal, d->dir, dir, sizes->segment, &d->store.report, error, error_size);
	if (r < 0)
		return r;
	char *path;
	if (asprintf(&path, "%s/checkpoint.mdb", dir) < 0)
		return -ENOMEM;
	r = checkpoint_open(&d->checkpoint, path, sizes->map, error, error_size);
	free(path);
	if (r == 0) {
		r = files_sync(d->dir); /* the checkpoint's file may be new, or a killed process's segment */
		if (r < 0)
			snprintf(error, error_size, "%s: %s", dir, strerror(-r));
	}
	return r;
}

int disk_open(struct store **store, const char *dir, const struct disk_sizes *sizes, char *error,
	      size_t error_size)
{
	char unused[1];
	if (!error) {
		error = unused;
		error_size = sizeof unused;
	}
	snprintf(error, error_size, "%s: out of memory", dir); /* overwritten by what is more to the point */
	struct disk_store *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->store = (struct store){.ops = &disk_ops, .checkpoints = &d->store};
	d->dir = d->lock = -1;
	int r = open_parts(d, dir, sizes ? sizes : &usual, error, error_size);
	if (r < 0) {
		disk_close(&d->store);
		return r;
	}
	if (error_size)
		error[0] = '\0';
	*store = &d->store;
	return 0;
}
