/* SPDX-License-Identifier: MIT */
#include "store/sweep.h"

#include <errno.h>
#include <unistd.h>

#include "base/thread.h"
#include "store/files.h"
#include "store/segment.h"

static void *work(void *arg)
{
	struct sweep *s = arg;
	for (uint64_t number = s->first; number <= s->last && s->result == 0; number++) {
		char name[SEGMENT_NAME];
		segment_name(name, number);
		if (unlinkat(s->dir, name, 0) < 0 && errno != ENOENT)
			s->result = -errno;
	}
	if (s->result == 0)
		s->result = files_sync(s->dir);
	atomic_store(&s->working, false);
	return NULL;
}

bool sweep_works(const struct sweep *s)
{
	return atomic_load(&s->working);
}

int sweep_end(struct sweep *s)
{
	if (s->begun)
		pthread_join(s->thread, NULL);
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
	atomic_store(&s->working, true);
	s->begun = thread_start(&s->thread, work, s) == 0;
	if (!s->begun)
		work(s); /* then here, slowly */
}
