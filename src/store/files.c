/* SPDX-License-Identifier: MIT */
#include "store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/names.h"

int files_read_exactly(int fd, void *data, size_t size, uint64_t offset)
{
	uint8_t *to = data;
	while (size > 0) {
		ssize_t n = pread(fd, to, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		to += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int files_read_all(int fd, struct bytes *out, size_t most)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	size_t size = (size_t)st.st_size;
	if (size > most)
		return -EFBIG;
	if (size == 0)
		return 0;
	uint8_t *room = bytes_extend(out, size);
	return room ? files_read_exactly(fd, room, size, 0) : -ENOMEM;
}

int files_read_named(int dir, const char *name, struct bytes *out, size_t most)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = files_read_all(fd, out, most);
	close(fd);
	return r;
}

int files_write_all(int fd, const void *data, size_t size, uint64_t offset)
{
	const uint8_t *from = data;
	while (size > 0) {
		ssize_t n = pwrite(fd, from, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* Preallocated, so that a commit need not wait for the file system's own journal, and a full disk shows here,
 * where nothing is half written. */
int files_reserve(int fd, uint64_t size)
{
	return fallocate(fd, 0, 0, (off_t)size) < 0 && errno != EOPNOTSUPP ? -errno : 0;
}

int files_create(int dir, const char *name, uint64_t size)
{
	int fd = descriptors_open(dir, name, O_RDWR | O_CREAT | O_EXCL, 0640);
	if (fd < 0)
		return fd;
	int r = files_reserve(fd, size);
	if (r == 0)
		r = files_sync(dir);
	if (r < 0) {
		close(fd);
		unlinkat(dir, name, 0);
		return r;
	}
	return fd;
}

int files_sync(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

uint64_t files_birth(int fd)
{
	struct statx st;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME))
		return 0;
	return (uint64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
}

int files_list(int dir, int (*fn)(void *arg, const char *name), void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* with a position of its own */
	if (fd < 0)
		return -errno;
	DIR *stream = fdopendir(fd);
	if (!stream) {
		int r = -errno;
		close(fd);
		return r;
	}
	int r = 0;
	struct dirent *entry;
	errno = 0;
	while (r == 0 && (entry = readdir(stream))) {
		r = fn(arg, entry->d_name);
		errno = 0;
	}
	if (r == 0 && errno)
		r = -errno;
	closedir(stream);
	return r;
}

/* Who made one that is there may have been killed before its name was flushed; or it is somebody else's, in a
 * folder that cannot be opened. */
static int make_dir(const char *path)
{
	bool made = mkdir(path, 0755) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	int r = names_sync(path);
	return made || r == -ENOMEM ? r : 0;
}

static int make_dirs(const char *path)
{
	char *copy = strdup(path);
	int r = copy ? 0 : -ENOMEM;
	for (char *at = copy; r == 0;) {
		at += strspn(at, "/");
		at += strcspn(at, "/");
		char end = *at;
		*at = '\0';
		r = make_dir(copy);
		*at = end;
		if (end == '\0')
			break;
	}
	free(copy);
	return r;
}

int files_open_dir(const char *path, int *dir)
{
	int r = make_dirs(path);
	if (r < 0)
		return r;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*dir = fd;
	return 0;
}
