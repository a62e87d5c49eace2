/* SPDX-License-Identifier: MIT */
/* What more than one thread of ours touches, for ThreadSanitizer (which Criterion cannot run under): the
 * store, whose checkpoints a thread of its own writes, and handles of libkudos that share a context and keys.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/time.h"
#include "kudos.h"
#include "store/disk.h"

#define DEADLINE (60 * SECOND)
#define LAST 30u /* of the checkpoints */

static void check_that(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, line, what);
	exit(EXIT_FAILURE);
}
#define CHECK(condition) check_that(condition, #condition, __LINE__)

static void remove_folder(const char *path)
{
	DIR *dir = opendir(path);
	CHECK(dir != NULL);
	for (struct dirent *entry; (entry = readdir(dir));)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	CHECK(rmdir(path) == 0);
}

/* ---- the store ---- */

static void append(struct store *s, uint64_t lsn)
{
	CHECK(s->ops->journal_append(s, ENTRY_RECORD, (struct position){{1}, lsn}, "record", 6) == 0);
	CHECK(s->ops->journal_commit(s) == 0);
}

static void put_all(struct store *s, unsigned round)
{
	for (unsigned i = 0; i < 200; i++) {
		char key[16], value[16];
		snprintf(key, sizeof key, "key:%u", i);
		snprintf(value, sizeof value, "%u", round);
		CHECK(s->ops->checkpoint_put(s, key, strlen(key), value, strlen(value)) == 0);
	}
}

/* The one that was whole when the cursor was opened. */
static void read_all(struct store *s)
{
	struct store_cursor *c = NULL;
	const uint8_t *key, *value;
	size_t key_size, value_size;
	CHECK(s->ops->cursor_open(s, &c) == 0);
	while (s->ops->cursor_next(c, &key, &key_size, &value, &value_size) == 1)
		CHECK(key_size > 4 && value_size > 0);
	s->ops->cursor_close(c);
}

/* Records are committed and a checkpoint is read while the next one is on its way to disk; every third is
 * dropped, and the last one is under way when the store closes. */
static void use_store(void)
{
	char folder[] = "/tmp/kudos-threads-XXXXXX";
	const struct disk_sizes sizes = {.segment = 65536, .map = (size_t)64 << 20};
	struct store *s;
	uint64_t lsn = 0;
	CHECK(mkdtemp(folder) != NULL);
	CHECK(disk_open(&s, folder, &sizes, NULL, 0) == 0);
	for (unsigned round = 0; round <= LAST; round++) {
		int64_t until = clock_now() + DEADLINE;
		CHECK(s->ops->checkpoint_begin(s, round % 5 == 0) == 0);
		put_all(s, round);
		if (round % 3 == 2) {
			s->ops->checkpoint_abandon(s);
			continue;
		}
		CHECK(s->ops->checkpoint_commit(s) == 0);
		if (round == LAST)
			break; /* the store closes while it is on its way */
		int r;
		do {
			append(s, ++lsn);
			read_all(s);
			r = s->ops->checkpoint_poll(s);
			CHECK(clock_now() < until);
		} while (r == 1);
		CHECK(r == 0);
	}
	s->ops->close(s);
	remove_folder(folder);
}

/* ---- handles ---- */

#define HANDLES 4

struct user {
	kudos *shared;
	pthread_t thread;
};

/* Nobody is there: it is the sending and the waiting that count. */
static void *use_handle(void *arg)
{
	const struct user *user = arg;
	for (int round = 0; round < 5; round++) {
		const struct kudos_options options = {
		    .server = "tcp://127.0.0.1:24499", .share = user->shared, .timeout_ms = 20};
		const char *key = "key";
		int64_t count;
		kudos *k;
		CHECK(kudos_open(&k, &options) == KUDOS_OK);
		for (int i = 0; i < 100; i++)
			CHECK(kudos_send(k, key, 1, NULL) == KUDOS_OK);
		CHECK(kudos_watch(k, key) == KUDOS_OK);
		CHECK(kudos_flush(k) != KUDOS_OK);
		CHECK(kudos_count(k, &key, 1, &count) != KUDOS_OK);
		CHECK(kudos_detail(k)[0] != '\0' && kudos_taken(k) == 100);
		kudos_close(&k);
	}
	return NULL;
}

static void use_handles(const struct kudos_options *options)
{
	struct user users[HANDLES];
	kudos *shared;
	CHECK(kudos_open(&shared, options) == KUDOS_OK);
	for (size_t i = 0; i < HANDLES; i++) {
		users[i].shared = shared;
		CHECK(pthread_create(&users[i].thread, NULL, use_handle, &users[i]) == 0);
	}
	for (size_t i = 0; i < HANDLES; i++)
		pthread_join(users[i].thread, NULL);
	kudos_close(&shared);
}

static void use_handles_with_keys(void)
{
	char folder[] = "/tmp/kudos-threads-XXXXXX", own[64], server[64], why[200];
	CHECK(mkdtemp(folder) != NULL);
	snprintf(own, sizeof own, "%s/client.cert", folder);
	snprintf(server, sizeof server, "%s/server.cert", folder);
	CHECK(kudos_keygen(own, "client", NULL, false, NULL, why, sizeof why) == KUDOS_OK);
	CHECK(kudos_keygen(server, "server", NULL, false, NULL, why, sizeof why) == KUDOS_OK);
	const struct kudos_options options = {.key_file = own, .trust_dir = folder};
	use_handles(&options);
	remove_folder(folder);
}

int main(void)
{
	const struct kudos_options options = {0};
	use_store();
	use_handles(&options);
	use_handles_with_keys();
	return EXIT_SUCCESS;
}
