/* SPDX-License-Identifier: MIT */
#include "net/reactor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"

struct handler {
	reactor_fn fn; /* NULL: removed, or the signalfd's place */
	void *arg;
	bool more; /* it stopped at its cap: call it again without waiting */
};

/* items and handlers run side by side; place 0 is the signalfd's. A handler may add and remove: what is
 * removed during a pass is only emptied, and swept out before the next poll. */
struct reactor {
	zmq_pollitem_t *items;
	struct handler *handlers;
	size_t count;
	size_t capacity;
	size_t first; /* whose turn it is to be called first */
	bool swept;   /* no emptied places */
};

static int reserve(struct reactor *r)
{
	size_t capacity = r->capacity > 0 ? 2 * r->capacity : 8;
	zmq_pollitem_t *items;
	struct handler *handlers;

	if (r->count < r->capacity)
		return 0;
	items = realloc(r->items, capacity * sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	r->items = items;
	handlers = realloc(r->handlers, capacity * sizeof(*handlers));
	if (handlers == NULL)
		return -ENOMEM;
	r->handlers = handlers;
	r->capacity = capacity;
	return 0;
}

static int add(struct reactor *r, void *socket, int fd, reactor_fn fn, void *arg)
{
	int rc = reserve(r);

	if (rc < 0)
		return rc;
	r->items[r->count] = (zmq_pollitem_t){.socket = socket, .fd = fd, .events = ZMQ_POLLIN};
	r->handlers[r->count] = (struct handler){.fn = fn, .arg = arg};
	r->count++;
	return 0;
}

struct reactor *reactor_new(void)
{
	struct reactor *r = calloc(1, sizeof(*r));
	sigset_t stop;
	int fd;

	if (r == NULL)
		return NULL;
	r->swept = true;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	if (pthread_sigmask(SIG_BLOCK, &stop, NULL) != 0)
		goto failed;
	fd = signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		goto failed;
	if (add(r, NULL, fd, NULL, NULL) == 0)
		return r;
	close(fd);
failed:
	reactor_free(r);
	return NULL;
}

void reactor_free(struct reactor *r)
{
	if (r == NULL)
		return;
	if (r->count > 0)
		close(r->items[0].fd);
	free(r->items);
	free(r->handlers);
	free(r);
}

int reactor_add_socket(struct reactor *r, void *socket, reactor_fn fn, void *arg)
{
	return add(r, socket, -1, fn, arg);
}

int reactor_add_fd(struct reactor *r, int fd, reactor_fn fn, void *arg)
{
	return add(r, NULL, fd, fn, arg);
}

static void remove_item(struct reactor *r, const void *socket, int fd)
{
	for (size_t i = 1; i < r->count; i++) {
		if (r->handlers[i].fn == NULL || r->items[i].socket != socket)
			continue;
		if (socket == NULL && r->items[i].fd != fd)
			continue;
		r->handlers[i].fn = NULL;
		r->swept = false;
	}
}

void reactor_remove_socket(struct reactor *r, void *socket)
{
	remove_item(r, socket, -1);
}

void reactor_remove_fd(struct reactor *r, int fd)
{
	remove_item(r, NULL, fd);
}

static void sweep(struct reactor *r)
{
	size_t kept = 1;

	for (size_t i = 1; i < r->count; i++) {
		if (r->handlers[i].fn == NULL)
			continue;
		r->items[kept] = r->items[i];
		r->handlers[kept] = r->handlers[i];
		kept++;
	}
	r->count = kept;
	r->swept = true;
}

/* In milliseconds, rounded up: to wake early would mean to wake twice. */
static long timeout_ms(const struct reactor *r, int64_t deadline)
{
	int64_t left;

	for (size_t i = 1; i < r->count; i++)
		if (r->handlers[i].more)
			return 0;
	if (deadline == NEVER)
		return -1;
	left = deadline - clock_now();
	if (left <= 0)
		return 0;
	left = (left + MS - 1) / MS;
	return left > 3600000 ? 3600000 : (long)left;
}

static bool stop_asked(const struct reactor *r)
{
	struct signalfd_siginfo info;
	bool asked = false;

	while (read(r->items[0].fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		asked = true;
	return asked;
}

int reactor_pass(struct reactor *r, int64_t deadline)
{
	size_t count;

	if (!r->swept)
		sweep(r);
	if (zmq_poll(r->items, (int)r->count, timeout_ms(r, deadline)) < 0)
		return errno == EINTR ? 0 : -errno;

	count = r->count; /* what a handler adds is polled first */
	size_t first = r->first++;
	for (size_t turn = 1; turn < count; turn++) {
		const size_t i = 1 + (first + turn - 1) % (count - 1);
		const struct handler h = r->handlers[i];

		if (h.fn == NULL || (r->items[i].revents == 0 && !h.more))
			continue;
		r->handlers[i].more = false;
		bool more = h.fn(h.arg);
		r->handlers[i].more = more; /* by index: the handler may have moved the arrays */
	}
	return r->items[0].revents != 0 && stop_asked(r) ? 1 : 0;
}
