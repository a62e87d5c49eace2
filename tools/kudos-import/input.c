/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct input {
	int fd;
	off_t begin; /* where the file does; stdin may be one of which somebody has read */
	uint64_t position;
	XXH3_state_t *hash; /* owned */
};

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		const ssize_t n = write(fd, data, size);
		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static ssize_t read_some(int fd, void *data, size_t room)
{
	ssize_t n;
	do
		n = read(fd, data, room);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* What comes through a pipe, into a file that goes with this process. */
static int keep(int from, const char *folder)
{
	char data[65536], path[PATH_MAX];
	ssize_t n;
	if (snprintf(path, sizeof path, "%s/.kudos-import-XXXXXX", folder) >= (int)sizeof path)
		return -ENAMETOOLONG;
	const int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	while ((n = read_some(from, data, sizeof data)) > 0) {
		const int r = write_all(fd, data, (size_t)n);
		n = r < 0 ? r : n;
		if (n < 0)
			break;
	}
	if (n < 0) {
		close(fd);
		return (int)n;
	}
	return fd;
}

static int open_any(struct input *in, const char *name, const char *folder)
{
	struct stat st;
	const bool standard = strcmp(name, "-") == 0;
	in->fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(name, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode)) {
		in->begin = lseek(in->fd, 0, SEEK_CUR);
		return in->begin < 0 ? -errno : 0;
	}
	const int fd = keep(in->fd, folder);
	close(in->fd);
	in->fd = fd;
	return fd < 0 ? fd : 0;
}

struct input *input_open(const char *name, const char *folder, char *why, size_t why_size)
{
	struct input *in = calloc(1, sizeof *in);
	int r = in ? 0 : -ENOMEM;
	if (in) {
		in->fd = -1;
		in->hash = XXH3_createState();
		r = in->hash ? open_any(in, name, folder) : -ENOMEM;
	}
	if (r == 0)
		r = input_rewind(in);
	if (r == 0)
		return in;
	snprintf(why, why_size, "%s: %s", strcmp(name, "-") == 0 ? "stdin" : name, strerror(-r));
	input_close(in);
	return NULL;
}

void input_close(struct input *in)
{
	if (!in)
		return;
	if (in->fd >= 0)
		close(in->fd);
	XXH3_freeState(in->hash);
	free(in);
}

int input_rewind(struct input *in)
{
	in->position = 0;
	XXH3_128bits_reset(in->hash);
	return lseek(in->fd, in->begin, SEEK_SET) < 0 ? -errno : 0;
}

ssize_t input_read(void *arg, void *data, size_t room)
{
	struct input *in = arg;
	const ssize_t n = read_some(in->fd, data, room);
	if (n > 0) {
		XXH3_128bits_update(in->hash, data, (size_t)n);
		in->position += (uint64_t)n;
	}
	return n;
}

void input_identity(const struct input *in, struct identity *identity)
{
	const XXH128_hash_t hash = XXH3_128bits_digest(in->hash);
	identity->size = in->position;
	snprintf(identity->hash, sizeof identity->hash, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->size == b->size && strcmp(a->hash, b->hash) == 0;
}
