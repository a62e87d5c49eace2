/* SPDX-License-Identifier: MIT */
#include "store/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/thread.h"
#include "store/files.h"

/* Not out of the descriptors that are kept from strangers (base/descriptors.h): it can be done without. */
static int make(int dir, uint64_t size)
{
	int fd = openat(dir, SPARE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int r = files_reserve(fd, size);
	if (r == 0)
		r = files_sync(fd);
	if (r == 0)
		return fd;
	close(fd);
	unlinkat(dir, SPARE_NAME, 0);
	return r;
}

static void *work(void *arg)
{
	struct spare *s = arg;
	s->fd = make(s->dir, s->size);
	return NULL;
}

void spare_begin(struct spare *s, int dir, uint64_t size)
{
	if (s->begun)
		return;
	*s = (struct spare){.dir = dir, .size = size};
	s->begun = thread_start(&s->thread, work, s) == 0;
}

/* Its descriptor, or a negative errno. */
static int wait_for(struct spare *s)
{
	if (!s->begun)
		return -ENOENT;
	pthread_join(s->thread, NULL);
	s->begun = false;
	return s->fd;
}

int spare_take(struct spare *s, const char *name, uint64_t size)
{
	if (size > s->size)
		return -ENOENT;
	int fd = wait_for(s);
	if (fd < 0)
		return -ENOENT;
	int r = renameat(s->dir, SPARE_NAME, s->dir, name) < 0 ? -errno : files_sync(s->dir);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

void spare_end(struct spare *s, int dir)
{
	int fd = wait_for(s);
	if (fd >= 0)
		close(fd);
	unlinkat(dir, SPARE_NAME, 0);
}
