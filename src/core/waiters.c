/* SPDX-License-Identifier: MIT */
#include "core/waiters.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"

void waiters_deinit(struct waiters *w)
{
	for (size_t i = 0; i < w->count; i++)
		vector_deinit(&w->list[i].needs);
	free(w->list);
	*w = (struct waiters){0};
}

int waiters_add(struct waiters *w, struct waiter waiter)
{
	if (array_reserve(&w->list, w->count + 1, &w->capacity, sizeof waiter) < 0)
		return -ENOMEM;
	w->list[w->count++] = waiter;
	return 0;
}

int waiters_sift(struct waiters *w, int (*waits)(void *arg, struct waiter *waiter), void *arg)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct waiter waiter = w->list[i];
		w->list[i] = (struct waiter){0}; /* moved: a failure must not find it twice */
		int e = waits(arg, &waiter);
		if (e > 0) {
			w->list[kept++] = waiter;
			continue;
		}
		vector_deinit(&waiter.needs);
		if (e < 0)
			return e;
	}
	w->count = kept;
	return 0;
}

bool waiters_have(const struct waiters *w, uint64_t client, struct session session, uint64_t seq)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct waiter *other = &w->list[i];
		if (other->client == client && other->seq == seq && session_equal(other->session, session))
			return true;
	}
	return false;
}
