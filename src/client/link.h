/* SPDX-License-Identifier: MIT */
/* One connection of a client: a socket, made when it is first needed, and what could not be sent yet because
 * the connection is not up. */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "net/security.h"
#include "net/socket.h"

struct link {
	void *socket;  /* NULL: closed */
	int fd;	       /* its ZMQ_FD, in the epoll set */
	bool readable; /* that says there is something for libzmq to take note of */
	bool cut;      /* the last time it was read from it was not asked whether there is more */
	bool touched;  /* since it was last drained it was used: libzmq may have taken note in silence */
	void *monitor; /* tells of the connection's end; NULL: nothing does */
	int monitor_fd;
	bool monitor_readable;
	struct bytes waiting; /* messages, each behind its size as a size_t */
	size_t waiting_count;
};

/* Opens and adds to the epoll set, which knows the link by its address from then on. security: NULL for none.
 * monitored: link_ended() tells of the connection's end, while the process has half of its descriptors left:
 * this takes two more. KUDOS_BAD_ENDPOINT or a negative errno; the link is closed then. */
int link_open(struct link *l, const char *endpoint, void *context, const struct security *security,
	      int epoll_fd, bool monitored);
/* Drops everything that was not sent yet. Takes a closed one. */
void link_close(struct link *l, int epoll_fd);

/* Sends, or keeps at most `keep` messages until the connection is up; older ones make way. 0 or a negative
 * errno; nothing is sent on a closed link. */
int link_send(struct link *l, const void *data, size_t size, size_t keep);
/* Sends what waits as far as it goes. 0 or a negative errno. */
int link_flush(struct link *l);
/* Whether the connection has ended since this was last asked. */
bool link_ended(struct link *l);

/* Which of the links in the epoll set have something. libzmq asks the kernel at every look at a socket that
 * has nothing: with this one question those that have are known, and only they are looked at. */
void links_look(int epoll_fd);
/* Whether there can be something to receive or to send. */
bool link_due(const struct link *l);
/* Receives: as socket_receive(). */
int link_receive(struct link *l, struct packet *packet);
/* Whether a message can be received, or one that waits can be sent: asked before sleeping, since the
 * descriptor is silent about what libzmq took note of when the link was used. */
bool link_ready(struct link *l);

#endif
