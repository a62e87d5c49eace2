/* SPDX-License-Identifier: MIT */
#include "client/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "kudos.h"

/* readable: a bool that is set when it is found to be. */
static int poll_too(void *socket, int epoll_fd, int *fd, void *readable)
{
	size_t size = sizeof *fd;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = readable};
	if (zmq_getsockopt(socket, ZMQ_FD, fd, &size) != 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, *fd, &event) < 0)
		return -errno;
	return 0;
}

/* While this end is still there: libzmq's thread waits for ever when it has news and nobody at the other end,
 * and with it everything in the context. */
static void close_monitor(struct link *l, int epoll_fd)
{
	zmq_socket_monitor(l->socket, NULL, 0);
	if (!l->monitor)
		return;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, l->monitor_fd, NULL);
	zmq_close(l->monitor);
	l->monitor = NULL;
}

/* Before the socket connects. libzmq frees the name of a monitor some time after its socket is closed, so
 * each has one of its own; it signals a message only to who has looked once and found none; and it would wait
 * where the queue is full: that of ends alone is as long as there were connections. */
static void open_monitor(struct link *l, void *context, int epoll_fd)
{
	static _Atomic unsigned opened;
	char name[48];
	snprintf(name, sizeof name, "inproc://kudos-monitor-%u", opened++);
	if (zmq_socket_monitor(l->socket, name, ZMQ_EVENT_DISCONNECTED) != 0)
		return;
	int none = 0;
	l->monitor = zmq_socket(context, ZMQ_PAIR);
	if (!l->monitor || zmq_setsockopt(l->monitor, ZMQ_LINGER, &none, sizeof none) != 0 ||
	    zmq_setsockopt(l->monitor, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
	    zmq_connect(l->monitor, name) != 0 ||
	    poll_too(l->monitor, epoll_fd, &l->monitor_fd, &l->monitor_readable))
		close_monitor(l, epoll_fd);
}

/* What came before the last is of the same connection: one end is one. */
bool link_ended(struct link *l)
{
	bool any = false;
	char event[sizeof(uint16_t) + sizeof(uint32_t)];
	if (!l->monitor || !l->monitor_readable)
		return false;
	l->monitor_readable = false;
	while (zmq_recv(l->monitor, event, sizeof event, ZMQ_DONTWAIT) >= 0)
		any = true; /* that, or the address, which is its second part */
	return any;
}

/* Whether half of the descriptors that the process may have are left: the lowest that is free is taken first.
 */
static bool is_spare(int fd)
{
	struct rlimit limit;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd < limit.rlim_cur / 2;
}

int link_open(struct link *l, const char *endpoint, void *context, const struct security *security,
	      int epoll_fd, bool monitored)
{
	void *socket = socket_new(context, SOCKET_DEALER);
	if (!socket)
		return -errno;
	*l = (struct link){.socket = socket, .fd = -1, .touched = true, .monitor_readable = true};
	/* What is not answered is sent again, elsewhere if need be: nothing is worth waiting for at the end.
	 */
	int linger = 0;
	int r = zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) == 0 ? 0 : -errno;
	if (r == 0)
		r = security_connect(security, socket);
	if (r == 0)
		r = poll_too(socket, epoll_fd, &l->fd, &l->readable);
	if (r == 0 && monitored && is_spare(l->fd))
		open_monitor(l, context, epoll_fd);
	if (r == 0)
		r = socket_connect(socket, endpoint);
	if (r)
		link_close(l, epoll_fd);
	return r;
}

void link_close(struct link *l, int epoll_fd)
{
	if (!l->socket)
		return;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, l->fd, NULL);
	close_monitor(l, epoll_fd);
	socket_free(&l->socket);
	bytes_deinit(&l->waiting);
	l->waiting_count = 0;
}

/* The oldest message that waits. */
static size_t front(const struct link *l)
{
	size_t size;
	memcpy(&size, l->waiting.data, sizeof size);
	return size;
}

static void drop_front(struct link *l)
{
	size_t size = sizeof size + front(l);
	memmove(l->waiting.data, l->waiting.data + size, l->waiting.size - size);
	l->waiting.size -= size;
	l->waiting_count--;
}

static int keep_waiting(struct link *l, const void *data, size_t size, size_t keep)
{
	while (l->waiting_count >= keep)
		drop_front(l);
	uint8_t *room = bytes_extend(&l->waiting, sizeof size + size);
	if (!room) {
		l->waiting.failed = false;
		return -ENOMEM;
	}
	memcpy(room, &size, sizeof size);
	memcpy(room + sizeof size, data, size);
	l->waiting_count++;
	return 0;
}

int link_send(struct link *l, const void *data, size_t size, size_t keep)
{
	if (!l->socket)
		return 0;
	l->touched = true;
	int r = link_flush(l);
	if (r)
		return r;
	if (l->waiting_count == 0) {
		r = socket_send(l->socket, NULL, 0, data, size);
		if (r <= 0)
			return r;
	}
	return keep_waiting(l, data, size, keep);
}

int link_flush(struct link *l)
{
	while (l->waiting_count) {
		int r = socket_send(l->socket, NULL, 0, l->waiting.data + sizeof(size_t), front(l));
		if (r < 0)
			return r;
		if (r > 0)
			return 0;
		drop_front(l);
	}
	return 0;
}

void links_look(int epoll_fd)
{
	struct epoll_event events[32];
	int n = epoll_wait(epoll_fd, events, sizeof events / sizeof events[0], 0);
	for (int i = 0; i < n; i++)
		*(bool *)events[i].data.ptr = true;
}

bool link_due(const struct link *l)
{
	return l->socket && (l->readable || l->touched);
}

int link_receive(struct link *l, struct packet *packet)
{
	int r = socket_receive(l->socket, SOCKET_DEALER, packet);
	l->readable = l->readable && r != 0;
	/* There may be more; or this was when the connection came up. */
	l->touched = r != 0 || l->waiting_count > 0;
	return r;
}

bool link_ready(struct link *l)
{
	int events = 0;
	size_t size = sizeof events;
	if (!link_due(l))
		return false;
	if (zmq_getsockopt(l->socket, ZMQ_EVENTS, &events, &size) == 0 &&
	    ((events & ZMQ_POLLIN) || (l->waiting_count && (events & ZMQ_POLLOUT))))
		return true;
	l->readable = l->touched = l->cut = false;
	return false;
}
