/* SPDX-License-Identifier: MIT */
#include "net/reactor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

struct handler {
	reactor_fn fn; /* NULL: removed */
	void *arg;
};

/* items and handlers run side by side. A handler may add and remove: what is removed during a pass is only
 * emptied, and swept out before the next poll. */
struct reactor {
	zmq_pollitem_t *items;
	struct handler *handlers;
	size_t count;
	size_t first; /* whose turn it is to be called first */
};

struct reactor *reactor_new(void)
{
	return calloc(1, sizeof(struct reactor));
}

void reactor_free(struct reactor *r)
{
	if (!r)
		return;
	free(r->items);
	free(r->handlers);
	free(r);
}

int reactor_add(struct reactor *r, zsock_t *socket, int fd, reactor_fn fn, void *arg)
{
	zmq_pollitem_t *items = realloc(r->items, (r->count + 1) * sizeof *items);
	if (!items)
		return -ENOMEM;
	r->items = items;
	struct handler *handlers = realloc(r->handlers, (r->count + 1) * sizeof *handlers);
	if (!handlers)
		return -ENOMEM;
	r->handlers = handlers;
	items[r->count].socket = socket ? zsock_resolve(socket) : NULL;
	items[r->count].fd = fd;
	items[r->count].events = ZMQ_POLLIN;
	handlers[r->count++] = (struct handler){fn, arg};
	return 0;
}

void reactor_remove(struct reactor *r, zsock_t *socket, int fd)
{
	const void *handle = socket ? zsock_resolve(socket) : NULL;
	for (size_t i = 0; i < r->count; i++) {
		if (r->items[i].socket == handle && (handle || r->items[i].fd == fd))
			r->handlers[i].fn = NULL;
	}
}

static void sweep(struct reactor *r)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++) {
		if (!r->handlers[i].fn)
			continue;
		r->items[kept] = r->items[i];
		r->handlers[kept++] = r->handlers[i];
	}
	r->count = kept;
}

/* In milliseconds, rounded up: to wake early would mean to wake twice. */
static long timeout_ms(int64_t deadline)
{
	int64_t left = deadline == NEVER ? NEVER : deadline - clock_now();
	return left <= 0 ? 0 : left > 3600 * SECOND ? 3600000 : (long)((left + MS - 1) / MS);
}

int reactor_pass(struct reactor *r, int64_t deadline)
{
	sweep(r);
	if (zmq_poll(r->items, (int)r->count, timeout_ms(deadline)) < 0)
		return errno == EINTR ? 0 : -errno;
	const size_t count = r->count, first = r->first++; /* what a handler adds is polled first */
	for (size_t turn = 0; turn < count; turn++) {
		const size_t i = (first + turn) % count;
		const struct handler h = r->handlers[i];
		if (h.fn && r->items[i].revents != 0)
			h.fn(h.arg);
	}
	return 0;
}
