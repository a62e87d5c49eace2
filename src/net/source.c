/* SPDX-License-Identifier: MIT */
#include "net/source.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/limits.h"

#define KEPT                                                                                                 \
	LIMIT_SUBSCRIPTION  /* bytes of the message at most: it stays for as long as its connection is known \
			     */
#define MARK "Peer-Address" /* every message that came by a connection has it */

static bool inode_of(int fd, ino_t *inode)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	*inode = st.st_ino;
	return true;
}

int source_fd(zmq_msg_t *frame)
{
	return zmq_msg_gets(frame, MARK) ? zmq_msg_get(frame, ZMQ_SRCFD) : -1;
}

bool source_take(struct source *s, zmq_msg_t *frame)
{
	int fd = source_fd(frame);
	ino_t inode;
	*s = (struct source){0};
	if (fd < 0 || !inode_of(fd, &inode))
		return false;
	s->fd = fd;
	s->inode = inode;
	zmq_msg_init(&s->kept);
	if (zmq_msg_size(frame) <= KEPT && zmq_msg_copy(&s->kept, frame) == 0)
		s->mark = zmq_msg_gets(&s->kept, MARK);
	return true;
}

void source_drop(struct source *s)
{
	if (s->inode != 0)
		zmq_msg_close(&s->kept);
	*s = (struct source){0};
}

bool source_sent(const struct source *s, zmq_msg_t *frame)
{
	return s->mark && s->mark == zmq_msg_gets(frame, MARK);
}

bool source_same(const struct source *a, const struct source *b)
{
	return a->inode == b->inode && a->fd == b->fd;
}

bool source_lives(const struct source *s)
{
	ino_t inode;
	return s->inode != 0 && inode_of(s->fd, &inode) && inode == s->inode;
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

static int port_of(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET6 ? address->in6.sin6_port : address->in.sin_port);
}

void source_name(const struct source *s, char *text, size_t size)
{
	union address address = {.room = {0}};
	socklen_t length = sizeof address;
	char host[INET6_ADDRSTRLEN] = "somewhere";
	if (!source_lives(s) || getpeername(s->fd, &address.any, &length) < 0)
		address = (union address){.room = {0}};
	else if (address.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &address.in6.sin6_addr, host, sizeof host);
	else
		inet_ntop(AF_INET, &address.in.sin_addr, host, sizeof host);
	snprintf(text, size, "%s:%d", host, port_of(&address));
}

static bool is_of_port(int fd, int port)
{
	union address address = {.room = {0}};
	socklen_t size = sizeof address;
	return getsockname(fd, &address.any, &size) == 0 && port_of(&address) == port;
}

void source_end(const struct source *s, int port)
{
	if (source_lives(s) && is_of_port(s->fd, port))
		shutdown(s->fd, SHUT_RDWR);
}
