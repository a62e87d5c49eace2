/* SPDX-License-Identifier: MIT */
#include "store/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "store/puts.h"

#define MAX_READERS 512 /* cursors open at a time */
#define MAX_KEY 511	/* LMDB's */

struct checkpoint {
	MDB_env *env;
	MDB_dbi dbi;
	char *path;
	bool begun;

	pthread_t worker;
	bool worker_runs;
	pthread_mutex_t mutex; /* guards busy, stop and result */
	pthread_cond_t wake;
	bool busy; /* the worker owns puts and wipe */
	bool stop;
	int result; /* of the last commit */

	struct puts puts;
	bool wipe;

	size_t map_size;
	pthread_mutex_t map_mutex; /* guards cursors, and their beginning */
	size_t cursors;		   /* that read the map */
};

struct store_cursor {
	struct checkpoint *checkpoint;
	MDB_txn *txn;
	MDB_cursor *cursor;
};

static int to_errno(int code)
{
	switch (code) {
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
		return -EBUSY;
	case MDB_BAD_VALSIZE:
		return -EINVAL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return -EBADMSG;
	default:
		return code > 0 ? -code : code == 0 ? 0 : -EIO;
	}
}

struct applying {
	MDB_txn *txn;
	MDB_dbi dbi;
};

static int apply_put(void *arg, const struct put *put)
{
	const struct applying *a = arg;
	/* LMDB takes what it only reads as void pointers. */
	MDB_val key = {put->key_size, (void *)(uintptr_t)put->bytes};
	MDB_val value = {put->value_size, (void *)(uintptr_t)(put->bytes + put->key_size)};
	if (put->value_size > 0)
		return mdb_put(a->txn, a->dbi, &key, &value, 0);
	int code = mdb_del(a->txn, a->dbi, &key, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int apply_all(struct checkpoint *c)
{
	struct applying a = {.dbi = c->dbi};
	int code = mdb_txn_begin(c->env, NULL, 0, &a.txn);
	if (code != 0)
		return code;
	if (c->wipe)
		code = mdb_drop(a.txn, c->dbi, 0);
	if (code == 0)
		code = puts_each(&c->puts, apply_put, &a);
	if (code == 0)
		return mdb_txn_commit(a.txn);
	mdb_txn_abort(a.txn);
	return code;
}

/* The pages of the file that were looked at, and what malloc keeps of those that were written: at rest a
 * checkpoint takes no memory. */
static void give_back(struct checkpoint *c)
{
	pthread_mutex_lock(&c->map_mutex);
	if (c->cursors == 0)
		mdb_env_set_mapsize(c->env, c->map_size); /* maps it anew */
	pthread_mutex_unlock(&c->map_mutex);
	malloc_trim(0);
}

static int write_checkpoint(struct checkpoint *c)
{
	int r = c->puts.failed;
	if (r == 0) {
		int dead; /* who reads beside us and was killed would hold on to pages for ever */
		mdb_reader_check(c->env, &dead);
		int code = apply_all(c);
		if (code != 0)
			log_error("%s: checkpoint not written: %s", c->path, mdb_strerror(code));
		r = to_errno(code);
	}
	puts_deinit(&c->puts);
	give_back(c);
	return r;
}

static void *work(void *arg)
{
	struct checkpoint *c = arg;
	pthread_mutex_lock(&c->mutex);
	for (;;) {
		while (!c->busy && !c->stop)
			pthread_cond_wait(&c->wake, &c->mutex);
		if (!c->busy)
			break;
		pthread_mutex_unlock(&c->mutex);
		int r = write_checkpoint(c);
		pthread_mutex_lock(&c->mutex);
		c->result = r;
		c->busy = false;
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

/* LMDB does not flush what it makes a new file of, and refuses one of which the power left only parts: so a
 * new one is made aside and gets its name when it is on disk. The caller flushes the folder. */
static int make_file(const char *path)
{
	MDB_env *env;
	char *aside;
	if (access(path, F_OK) == 0)
		return 0;
	if (asprintf(&aside, "%s.new", path) < 0)
		return ENOMEM;
	unlink(aside);
	int code = mdb_env_create(&env);
	if (code == 0) {
		code = mdb_env_open(env, aside, MDB_NOSUBDIR | MDB_NOLOCK, 0640);
		if (code == 0)
			code = mdb_env_sync(env, 1);
		mdb_env_close(env);
	}
	if (code == 0 && rename(aside, path) < 0)
		code = errno;
	free(aside);
	return code;
}

/* NOTLS: several cursors on one thread */
static int open_file(struct checkpoint *c, const char *path, unsigned flags)
{
	MDB_txn *txn = NULL;
	int code = mdb_env_set_maxreaders(c->env, MAX_READERS);
	if (code == 0)
		code = mdb_env_open(c->env, path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0640);
	if (code == 0)
		code = mdb_txn_begin(c->env, NULL, flags, &txn);
	if (code == 0)
		code = mdb_dbi_open(txn, NULL, 0, &c->dbi);
	if (code == 0)
		return mdb_txn_commit(txn);
	if (txn)
		mdb_txn_abort(txn);
	return code;
}

static int open_env(struct checkpoint *c, const char *path, size_t map_size)
{
	int code = make_file(path);
	if (code == 0)
		code = mdb_env_create(&c->env);
	if (code == 0)
		code = mdb_env_set_mapsize(c->env, map_size);
	return code == 0 ? open_file(c, path, 0) : code;
}

/* LMDB would make the lock file where there is none, and it must be his who runs the server. */
static int make_lock_file(const char *path)
{
	struct stat st;
	char *name;
	if (stat(path, &st) < 0)
		return errno;
	if (asprintf(&name, "%s-lock", path) < 0)
		return ENOMEM;
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int code = fd < 0 && errno != EEXIST && errno != EROFS ? errno : 0;
	if (fd >= 0 && fchown(fd, st.st_uid, st.st_gid) < 0)
		code = errno;
	if (code != 0 && fd >= 0)
		unlink(name);
	if (fd >= 0)
		close(fd);
	free(name);
	return code;
}

static int open_env_beside(struct checkpoint *c, const char *path)
{
	int code = make_lock_file(path);
	if (code == 0)
		code = mdb_env_create(&c->env);
	return code == 0 ? open_file(c, path, MDB_RDONLY) : code;
}

static struct checkpoint *new (const char *path)
{
	struct checkpoint *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	pthread_mutex_init(&c->mutex, NULL); /* neither fails with default attributes on Linux */
	pthread_mutex_init(&c->map_mutex, NULL);
	pthread_cond_init(&c->wake, NULL);
	c->path = strdup(path);
	return c;
}

static int fail_to_open(struct checkpoint *c, int code, int r, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %s", c->path ? c->path : "checkpoint",
		 code ? mdb_strerror(code) : strerror(-r));
	checkpoint_close(c);
	return r;
}

int checkpoint_open(struct checkpoint **checkpoint, const char *path, size_t map_size, char *error,
		    size_t error_size)
{
	struct checkpoint *c = new (path);
	if (!c)
		return -ENOMEM;
	c->map_size = map_size;
	int code = c->path ? open_env(c, path, map_size) : ENOMEM;
	int r = to_errno(code);
	if (r == 0) {
		r = thread_start(&c->worker, work, c);
		c->worker_runs = r == 0;
	}
	if (r < 0)
		return fail_to_open(c, code, r, error, error_size);
	*checkpoint = c;
	return 0;
}

int checkpoint_open_beside(struct checkpoint **checkpoint, const char *path, char *error, size_t error_size)
{
	struct checkpoint *c = new (path);
	if (!c)
		return -ENOMEM;
	int code = c->path ? open_env_beside(c, path) : ENOMEM;
	if (code != 0)
		return fail_to_open(c, code, to_errno(code), error, error_size);
	*checkpoint = c;
	return 0;
}

void checkpoint_close(struct checkpoint *c)
{
	if (!c)
		return;
	if (c->worker_runs) {
		pthread_mutex_lock(&c->mutex);
		c->stop = true;
		pthread_cond_signal(&c->wake);
		pthread_mutex_unlock(&c->mutex);
		pthread_join(c->worker, NULL);
	}
	if (c->env)
		mdb_env_close(c->env);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->mutex);
	pthread_mutex_destroy(&c->map_mutex);
	puts_deinit(&c->puts);
	free(c->path);
	free(c);
}

static bool is_busy(struct checkpoint *c)
{
	pthread_mutex_lock(&c->mutex);
	bool busy = c->busy;
	pthread_mutex_unlock(&c->mutex);
	return busy;
}

int checkpoint_begin(struct checkpoint *c, bool wipe)
{
	if (c->begun || is_busy(c))
		return -EBUSY;
	c->begun = true;
	c->wipe = wipe;
	return 0;
}

int checkpoint_put(struct checkpoint *c, const void *key, size_t key_size, const void *value,
		   size_t value_size)
{
	if (!c->begun || key_size == 0 || key_size > MAX_KEY)
		return -EINVAL;
	return puts_add(&c->puts, key, key_size, value, value_size);
}

int checkpoint_commit(struct checkpoint *c)
{
	if (!c->begun)
		return -EINVAL;
	c->begun = false;
	pthread_mutex_lock(&c->mutex);
	c->busy = true;
	c->result = 0;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->mutex);
	return 0;
}

int checkpoint_poll(struct checkpoint *c)
{
	pthread_mutex_lock(&c->mutex);
	int r = c->busy ? 1 : c->result;
	pthread_mutex_unlock(&c->mutex);
	return r;
}

void checkpoint_abandon(struct checkpoint *c)
{
	if (!c->begun)
		return;
	puts_deinit(&c->puts);
	c->begun = false;
}

int checkpoint_cursor_open(struct checkpoint *c, struct store_cursor **cursor)
{
	struct store_cursor *made = calloc(1, sizeof *made);
	if (!made)
		return -ENOMEM;
	made->checkpoint = c;
	pthread_mutex_lock(&c->map_mutex);
	c->cursors++;
	int code = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &made->txn);
	pthread_mutex_unlock(&c->map_mutex);
	if (code == 0)
		code = mdb_cursor_open(made->txn, c->dbi, &made->cursor);
	if (code != 0) {
		checkpoint_cursor_close(made);
		return to_errno(code);
	}
	*cursor = made;
	return 0;
}

int checkpoint_cursor_next(struct store_cursor *cursor, const uint8_t **key, size_t *key_size,
			   const uint8_t **value, size_t *value_size)
{
	MDB_val k, v;
	int code = mdb_cursor_get(cursor->cursor, &k, &v, MDB_NEXT);
	if (code != 0)
		return code == MDB_NOTFOUND ? 0 : to_errno(code);
	*key = k.mv_data;
	*key_size = k.mv_size;
	*value = v.mv_data;
	*value_size = v.mv_size;
	return 1;
}

void checkpoint_cursor_close(struct store_cursor *cursor)
{
	if (!cursor)
		return;
	if (cursor->cursor)
		mdb_cursor_close(cursor->cursor);
	if (cursor->txn)
		mdb_txn_abort(cursor->txn);
	pthread_mutex_lock(&cursor->checkpoint->map_mutex);
	cursor->checkpoint->cursors--;
	pthread_mutex_unlock(&cursor->checkpoint->map_mutex);
	free(cursor);
}
