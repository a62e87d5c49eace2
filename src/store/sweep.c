/* SPDX-License-Identifier: MIT */
#include "store/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/thread.h"
#include "store/files.h"
#include "store/segment.h"

#define PIECE ((off_t)1 << 20) /* bytes given back at a time */
#define PAUSE_MS 2	       /* in between */

/* Shortens a file that has no name any more to nothing. Should that fail, closing it gives back the rest. */
static void give_back(const struct sweep *s, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return;
	off_t left = st.st_size;
	while (left > 0 && !atomic_load(&s->hurry)) {
		left = left > PIECE ? left - PIECE : 0;
		if (ftruncate(fd, left) < 0)
			return;
		poll(NULL, 0, PAUSE_MS);
	}
}

/* A power loss must not find the name and half of what was in the file, so that its end is durable first. The
 * descriptor is not of those that are kept from strangers (base/descriptors.h): it can be done without. */
static int take_away(const struct sweep *s, const char *name)
{
	int fd = openat(s->dir, name, O_RDWR | O_CLOEXEC);
	int r = unlinkat(s->dir, name, 0) < 0 && errno != ENOENT ? -errno : files_sync(s->dir);
	if (fd >= 0) {
		if (r == 0)
			give_back(s, fd);
		close(fd);
	}
	return r;
}

static void *work(void *arg)
{
	struct sweep *s = arg;
	for (uint64_t number = s->first; number <= s->last && s->result == 0; number++) {
		char name[SEGMENT_NAME];
		segment_name(name, number);
		s->result = take_away(s, name);
	}
	atomic_store(&s->working, false);
	return NULL;
}

bool sweep_works(const struct sweep *s)
{
	return atomic_load(&s->working);
}

int sweep_end(struct sweep *s)
{
	if (s->begun) {
		atomic_store(&s->hurry, true);
		pthread_join(s->thread, NULL);
	}
	s->begun = false;
	int r = s->result;
	s->result = 0;
	return r;
}

void sweep_begin(struct sweep *s, int dir, uint64_t first, uint64_t last)
{
	s->dir = dir;
	s->first = first;
	s->last = last;
	atomic_store(&s->hurry, false);
	atomic_store(&s->working, true);
	s->begun = thread_start(&s->thread, work, s) == 0;
	if (!s->begun) { /* then here */
		atomic_store(&s->hurry, true);
		work(s);
	}
}
