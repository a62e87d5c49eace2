/* SPDX-License-Identifier: MIT */
#include "net/reactor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/time.h"

#define EVENTS 32 /* of one look; the others come with the next */

struct handler {
	void *socket; /* NULL: a descriptor by itself */
	int fd;
	reactor_fn fn; /* NULL: removed */
	void *arg;
	bool touched; /* libzmq may know of something that the descriptor does not tell */
	bool ready;
	int64_t rests; /* until then it wakes nobody; 0: it does */
};

/* A handler may add and remove: what is removed during a pass is only emptied, and swept out before the next
 * wait. */
struct reactor {
	int epoll_fd;
	struct handler **handlers; /* owned; each stays where it is, since the kernel names it */
	size_t count;
	size_t first; /* whose turn it is to be called first */
	bool removed; /* one is to be swept out */
};

struct reactor *reactor_new(void)
{
	struct reactor *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll_fd >= 0)
		return r;
	free(r);
	return NULL;
}

void reactor_free(struct reactor *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++)
		free(r->handlers[i]);
	free(r->handlers);
	close(r->epoll_fd);
	free(r);
}

static int watch(const struct reactor *r, struct handler *h)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = h};
	size_t size = sizeof h->fd;
	if (h->socket && zmq_getsockopt(h->socket, ZMQ_FD, &h->fd, &size) < 0)
		return -errno;
	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, h->fd, &event) < 0 ? -errno : 0;
}

int reactor_add(struct reactor *r, zsock_t *socket, int fd, reactor_fn fn, void *arg)
{
	struct handler **handlers = realloc(r->handlers, (r->count + 1) * sizeof(struct handler *));
	if (!handlers)
		return -ENOMEM;
	r->handlers = handlers;
	struct handler *h = malloc(sizeof *h);
	if (!h)
		return -ENOMEM;
	/* Touched: it was made, and perhaps bound or connected. */
	*h = (struct handler){.socket = socket ? zsock_resolve(socket) : NULL,
			      .fd = fd,
			      .fn = fn,
			      .arg = arg,
			      .touched = socket};
	const int e = watch(r, h);
	if (e < 0) {
		free(h);
		return e;
	}
	r->handlers[r->count++] = h;
	return 0;
}

static struct handler *find(const struct reactor *r, zsock_t *socket, int fd)
{
	const void *handle = socket ? zsock_resolve(socket) : NULL;
	for (size_t i = 0; i < r->count; i++) {
		struct handler *h = r->handlers[i];
		if (h->fn && h->socket == handle && (handle || h->fd == fd))
			return h;
	}
	return NULL;
}

void reactor_remove(struct reactor *r, zsock_t *socket, int fd)
{
	struct handler *h = find(r, socket, fd);
	if (!h)
		return;
	epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, h->fd, NULL);
	h->fn = NULL;
	r->removed = true;
}

void reactor_touch(struct reactor *r, zsock_t *socket)
{
	struct handler *h = find(r, socket, -1);
	if (h)
		h->touched = true;
}

static void listen_to(const struct reactor *r, struct handler *h, bool listen)
{
	struct epoll_event event = {.events = listen ? EPOLLIN : 0, .data.ptr = h};
	epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, h->fd, &event);
}

void reactor_rest(struct reactor *r, zsock_t *socket, int64_t until)
{
	struct handler *h = find(r, socket, -1);
	if (!h || (h->rests == 0 && until == 0))
		return;
	if ((h->rests == 0) != (until == 0))
		listen_to(r, h, until == 0);
	h->rests = until;
}

void reactor_resume(struct reactor *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct handler *h = r->handlers[i];
		if (!h->fn || h->rests != NEVER)
			continue;
		listen_to(r, h, true);
		h->rests = 0;
	}
}

/* When the first that rests is to be heard again; those whose time has come are. */
static int64_t end_rests(struct reactor *r, int64_t deadline)
{
	for (size_t i = 0; i < r->count; i++) {
		struct handler *h = r->handlers[i];
		if (h->rests == 0)
			continue;
		if (h->rests <= clock_now()) {
			listen_to(r, h, true);
			h->rests = 0;
		} else {
			deadline = earlier(deadline, h->rests);
		}
	}
	return deadline;
}

static void sweep(struct reactor *r)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++) {
		if (r->handlers[i]->fn)
			r->handlers[kept++] = r->handlers[i];
		else
			free(r->handlers[i]);
	}
	r->count = kept;
	r->removed = false;
}

/* Whether any that was used has something. */
static bool ask_touched(struct reactor *r)
{
	bool any = false;
	for (size_t i = 0; i < r->count; i++) {
		struct handler *h = r->handlers[i];
		int events = 0;
		size_t size = sizeof events;
		h->ready = h->touched && h->rests == 0 &&
			   zmq_getsockopt(h->socket, ZMQ_EVENTS, &events, &size) == 0 &&
			   (events & ZMQ_POLLIN);
		h->touched = h->touched && h->rests > 0;
		any = any || h->ready;
	}
	return any;
}

static struct timespec time_left(int64_t deadline)
{
	const int64_t most = 3600 * SECOND, left = deadline == NEVER ? most : deadline - clock_now();
	const int64_t wait = left < 0 ? 0 : left > most ? most : left;
	return (struct timespec){.tv_sec = wait / SECOND, .tv_nsec = wait % SECOND * 1000};
}

/* Notes who is ready. A socket whose descriptor is readable may have nothing (libzmq tells it of other
 * things, too): its handler finds out. 0, or a negative errno. */
static int wait_for_any(struct reactor *r, int64_t deadline)
{
	struct epoll_event events[EVENTS];
	struct timespec none = {0};
	struct timespec most = ask_touched(r) ? none : time_left(deadline);
	const int n = epoll_pwait2(r->epoll_fd, events, EVENTS, &most, NULL);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		((struct handler *)events[i].data.ptr)->ready = true;
	return 0;
}

int reactor_pass(struct reactor *r, int64_t deadline)
{
	if (r->removed)
		sweep(r);
	const int e = wait_for_any(r, end_rests(r, deadline));
	if (e < 0)
		return e;
	const size_t count = r->count, first = r->first++; /* what a handler adds is asked first */
	for (size_t turn = 0; turn < count; turn++) {
		struct handler *h = r->handlers[(first + turn) % count];
		if (h->fn && h->ready && h->fn(h->arg))
			h->touched = h->socket != NULL;
	}
	return 0;
}
