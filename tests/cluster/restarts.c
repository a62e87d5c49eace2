/* SPDX-License-Identifier: MIT */
/* usage: restarts DATA RUNS [KEY]
 *
 * Leaves the data folder of a server that is stopped as so many more starts of it would, each of which took
 * one like of KEY and ended: a segment file, an origin and a record each. The store does it, one run after
 * the other, in a folder that holds no file but the newest, since it reads all that there are; files that are
 * done are moved to DATA, and so are what they were born as. Nothing is flushed: the disk is asked later. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/random.h"
#include "store/files.h"
#include "store/journal.h"
#include "store/segment.h"
#include "wire/message.h"

#define SEGMENT_SIZE 16384 /* each is cut to what is in it when it ends */

struct run {
	char aside[4096];
	int dir, aside_dir;
	char newest[SEGMENT_NAME];
	struct session session;
	uint64_t likes;
	const char *key;
};

/* Instead of libc's. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static void need(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "restarts: %s: %s\n", what, r < 0 ? strerror(-r) : "not understood");
	exit(1);
}

static int newer(void *arg, const char *name)
{
	char *newest = arg;
	if (strncmp(name, "journal-", 8) == 0 && strlen(name) == SEGMENT_NAME - 1 && strcmp(name, newest) > 0)
		memcpy(newest, name, SEGMENT_NAME);
	return 0;
}

static void move_newest(struct run *run, int from, int to)
{
	run->newest[0] = '\0';
	need(files_list(from, newer, run->newest), "looking for the newest file");
	need(run->newest[0] ? 0 : -ENOENT, "the newest file");
	need(renameat(from, run->newest, to, run->newest) < 0 ? -errno : 0, run->newest);
}

/* The meta that the next start writes: the membership, in which this node has a new origin. */
static struct origin reborn(struct journal *j, struct bytes *meta)
{
	struct bytes old = {0};
	struct message m;
	need(journal_meta(j, &old), "the folder's meta");
	need(message_decode(old.data + 1, old.size - 1, &m), "the folder's meta");
	struct members all = {0};
	need(members_merge(&all, m.members.rows, m.members.row_count) < 0 ? -ENOMEM : 0, "the members");
	struct member *self = members_find(&all, m.members.from);
	need(self ? 0 : -ENOENT, "this node's row");
	self->origin = (struct origin){random_id()};
	self->since++;
	struct origin origin = self->origin;
	bytes_clear(meta);
	bytes_append(meta, old.data, 1);
	message_encode(
	    &(struct message){.type = MESSAGE_MEMBERS,
			      .members = {.from = m.members.from, .rows = all.list, .row_count = all.count}},
	    meta);
	message_deinit(&m);
	members_deinit(&all);
	bytes_deinit(&old);
	return origin;
}

static struct record *like(struct run *run, struct origin origin)
{
	struct event event = {.key = run->key, .n = 1, .key_size = (uint8_t)strlen(run->key)};
	struct batch_box *box = message_make_batch(run->session, ++run->likes, &event, 1);
	struct record *record = box ? record_new((struct position){origin, 1}, &box, 1) : NULL;
	batch_box_unref(box);
	need(record ? message_encode_record(record) : -ENOMEM, "a record");
	return record;
}

static void start_like_end(struct run *run)
{
	struct store_report report = {0};
	struct bytes meta = {0};
	struct journal *j;
	char error[400];
	if (journal_open(&j, run->aside_dir, run->aside, SEGMENT_SIZE, &report, error, sizeof error) < 0)
		need(-EIO, error);
	struct origin origin = reborn(j, &meta);
	need(bytes_failed(&meta) ? -ENOMEM : 0, "the meta");
	need(journal_append(j, ENTRY_META, (struct position){0}, meta.data, meta.size), "the meta");
	need(journal_commit(j), "the meta");
	struct record *record = like(run, origin);
	need(journal_append(j, ENTRY_RECORD, record->at, record->raw, record->raw_size), "a record");
	need(journal_commit(j), "a record");
	need(report.copied ? -EINVAL : 0, "the file's birth");
	journal_close(j);
	record_unref(record);
	bytes_deinit(&meta);
	need(renameat(run->aside_dir, run->newest, run->dir, run->newest) < 0 ? -errno : 0, run->newest);
	run->newest[0] = '\0';
	need(files_list(run->aside_dir, newer, run->newest), "looking for the newest file");
}

int main(int argc, char **argv)
{
	if (argc != 3 && argc != 4)
		return 2;
	struct run run = {.session = {random_id(), 1}, .key = argc == 4 ? argv[3] : "likes"};
	snprintf(run.aside, sizeof run.aside, "%s.aside", argv[1]);
	need(files_open_dir(argv[1], &run.dir), argv[1]);
	need(files_open_dir(run.aside, &run.aside_dir), run.aside);
	move_newest(&run, run.dir, run.aside_dir);
	for (long left = atol(argv[2]); left > 0; left--)
		start_like_end(&run);
	move_newest(&run, run.aside_dir, run.dir);
	need(rmdir(run.aside) < 0 ? -errno : 0, run.aside);
	return 0;
}
