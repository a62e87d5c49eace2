/* SPDX-License-Identifier: MIT */
#include "net/subscribers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/time.h"

#define MARK "Peer-Address" /* every message that came by a connection has it */
#define SWEEP_DELAY SECOND  /* libzmq closes a descriptor a little after it told of the loss */
#define SWEEP_SLICE 256	    /* descriptors looked at between two commits */

void subscribers_init(struct subscribers *s)
{
	*s = (struct subscribers){.next_sweep = NEVER};
}

static void leave(struct subscriber *one)
{
	if (one->id != 0)
		zmq_msg_close(&one->first);
	*one = (struct subscriber){0};
}

void subscribers_deinit(struct subscribers *s)
{
	for (size_t i = 0; i < s->count; i++)
		leave(&s->by_fd[i]);
	free(s->by_fd);
	subscribers_init(s);
}

static bool inode_of(int fd, ino_t *inode)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	*inode = st.st_ino;
	return true;
}

/* A place for each descriptor up to this one; there are no more than the process may open. */
static int reserve(struct subscribers *s, size_t fd)
{
	if (fd < s->count)
		return 0;
	size_t count = fd + 64;
	struct subscriber *by_fd = realloc(s->by_fd, count * sizeof *by_fd);
	if (!by_fd)
		return -ENOMEM;
	memset(by_fd + s->count, 0, (count - s->count) * sizeof *by_fd);
	s->by_fd = by_fd;
	s->count = count;
	return 0;
}

static void enter(struct subscribers *s, struct subscriber *one, int64_t now, zmq_msg_t *frame, ino_t inode)
{
	leave(one);
	*one = (struct subscriber){.id = ++s->last_id, .inode = inode, .since = now};
	zmq_msg_init(&one->first);
	zmq_msg_copy(&one->first, frame);
	one->mark = zmq_msg_gets(&one->first, MARK);
}

int subscribers_find(struct subscribers *s, int64_t now, zmq_msg_t *frame, struct subscriber **found,
		     uint64_t *gone)
{
	ino_t inode;
	*gone = 0;
	*found = NULL;
	const char *mark = zmq_msg_gets(frame, MARK);
	int fd = mark ? zmq_msg_get(frame, ZMQ_SRCFD) : -1;
	if (fd < 0 || !inode_of(fd, &inode)) {
		if (s->next_sweep == NEVER)
			s->next_sweep = now + SWEEP_DELAY;
		return 0;
	}
	int e = reserve(s, (size_t)fd);
	if (e < 0)
		return e;
	struct subscriber *one = &s->by_fd[fd];
	if (one->id == 0 || one->mark != mark) {
		*gone = one->id;
		enter(s, one, now, frame, inode);
	}
	*found = one->ended || one->inode != inode ? NULL : one;
	return 0;
}

bool subscriber_floods(struct subscriber *one, int64_t now)
{
	if (now - one->since >= SECOND) {
		one->since = now;
		one->messages = 0;
	}
	return ++one->messages > LIMIT_SUBSCRIBE_RATE;
}

static bool is_of_port(int fd, int port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} address;
	socklen_t size = sizeof address;
	if (getsockname(fd, &address.any, &size) < 0)
		return false;
	in_port_t found = address.any.sa_family == AF_INET6 ? address.in6.sin6_port : address.in.sin_port;
	return ntohs(found) == port;
}

void subscribers_end(struct subscribers *s, struct subscriber *one, int port)
{
	int fd = (int)(one - s->by_fd);
	ino_t inode;
	one->ended = true;
	if (inode_of(fd, &inode) && inode == one->inode && is_of_port(fd, port))
		shutdown(fd, SHUT_RDWR);
}

int64_t subscribers_deadline(const struct subscribers *s)
{
	return s->next_sweep;
}

uint64_t subscribers_gone(struct subscribers *s, int64_t now)
{
	if (now < s->next_sweep)
		return 0;
	for (int i = 0; i < SWEEP_SLICE && s->next < s->count; i++) {
		struct subscriber *one = &s->by_fd[s->next++];
		ino_t inode;
		if (one->id == 0 || (inode_of((int)(s->next - 1), &inode) && inode == one->inode))
			continue;
		uint64_t id = one->id;
		leave(one);
		return id;
	}
	if (s->next >= s->count) {
		s->next = 0;
		s->next_sweep = NEVER;
	}
	return 0;
}
