/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT 512 /* bytes, more than a whole one has */

static int print(const struct state *s, char text[TEXT])
{
	const struct making *m = &s->making;
	return snprintf(text, TEXT,
			"kudos-import %d\nsession %s\ninput %" PRIu64 " %s\ncolumns %" PRIu64 " %" PRIu64
			" %d %d\nbatches %" PRIu64 "\nsent %" PRIu64 "\nacknowledged %" PRIu64 "\n",
			IMPORT_FORMAT, s->session, m->input.size, m->input.hash, m->key_column,
			m->count_column, m->header, m->skip_bad, s->batches, s->sent, s->acknowledged);
}

/* What print() would print of it, and nothing else. */
static bool parse(const char *text, struct state *s)
{
	char again[TEXT];
	int n, header, skip;
	struct making *m = &s->making;
	*s = (struct state){0};
	/* NOLINTNEXTLINE(cert-err34-c): a number that is none is not printed as it was */
	n = sscanf(text,
		   "kudos-import 1\nsession %71s\ninput %" SCNu64 " %32s\ncolumns %" SCNu64 " %" SCNu64
		   " %d %d\nbatches %" SCNu64 "\nsent %" SCNu64 "\nacknowledged %" SCNu64,
		   s->session, &m->input.size, m->input.hash, &m->key_column, &m->count_column, &header,
		   &skip, &s->batches, &s->sent, &s->acknowledged);
	if (n != 10)
		return false;
	m->header = header != 0;
	m->skip_bad = skip != 0;
	print(s, again);
	return strcmp(text, again) == 0 && s->acknowledged <= s->sent;
}

/* Somebody else may replace the file between the two. -EWOULDBLOCK: it is in use. */
static int lock(struct state_file *file)
{
	struct stat ours, named;
	for (;;) {
		file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (file->fd < 0 || flock(file->fd, LOCK_EX | LOCK_NB) < 0 || fstat(file->fd, &ours) < 0)
			return -errno;
		if (stat(file->path, &named) == 0 && named.st_ino == ours.st_ino &&
		    named.st_dev == ours.st_dev)
			return 0;
		close(file->fd);
		file->fd = -1;
	}
}

static int sync_folder(const char *path)
{
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return r;
}

int state_open(struct state_file *file, const char *path, struct state *state, char *why, size_t why_size)
{
	char text[TEXT + 1] = "";
	*file = (struct state_file){.path = strdup(path), .fd = -1};
	if (!file->path || asprintf(&file->next, "%s.new", path) < 0) {
		file->next = NULL;
		snprintf(why, why_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	int r = lock(file);
	const ssize_t n = r < 0 ? 0 : pread(file->fd, text, TEXT, 0);
	if (n < 0)
		r = -errno;
	if (r == -EWOULDBLOCK)
		snprintf(why, why_size, "%s: another kudos-import is at this file; wait for it, or end it",
			 path);
	else if (r < 0)
		snprintf(why, why_size, "%s: %s", path, strerror(-r));
	if (r < 0 || n == 0)
		return r;
	if (parse(text, state)) {
		/* By its name it may not be on disk yet: who wrote it may have been killed. */
		r = sync_folder(path);
		if (r < 0)
			snprintf(why, why_size, "%s: %s", path, strerror(-r));
		return r < 0 ? r : 1;
	}
	snprintf(why, why_size,
		 "%s: this is not what kudos-import of this version keeps there; name another with --state",
		 path);
	return -EINVAL;
}

void state_close(struct state_file *file)
{
	struct stat st;
	if (file->fd >= 0 && fstat(file->fd, &st) == 0 && st.st_size == 0)
		unlink(file->path);
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file->next);
}

int state_save(struct state_file *file, const struct state *state)
{
	char text[TEXT];
	const int size = print(state, text);
	const int fd = open(file->next, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (r == 0) {
		const ssize_t n = write(fd, text, (size_t)size);
		r = n < 0 ? -errno : n < size ? -ENOSPC : 0;
	}
	if (r == 0 && (fsync(fd) < 0 || rename(file->next, file->path) < 0))
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	close(file->fd);
	file->fd = fd;
	return sync_folder(file->path);
}
