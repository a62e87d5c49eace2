/* SPDX-License-Identifier: MIT */
#include "net/subscribers.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/time.h"
#include "kudos.h"

#define LOOK_INTERVAL (100 * MS)
#define LOOK_VALID SECOND

void subscribers_init(struct subscribers *s)
{
	*s = (struct subscribers){.looked = -SECOND};
}

void subscribers_deinit(struct subscribers *s)
{
	for (size_t i = 0; i < s->count; i++)
		source_drop(&s->by_fd[i].source);
	free(s->by_fd);
	subscribers_init(s);
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

/* Who sent this; NULL: its connection has gone, or this is libzmq's own word that it has. */
static int find(struct subscribers *s, zmq_msg_t *frame, struct subscriber **found)
{
	struct source source;
	int fd = source_fd(frame);
	int e = fd < 0 ? 0 : reserve(s, (size_t)fd);
	*found = NULL;
	if (e < 0 || fd < 0)
		return e;
	struct subscriber *one = &s->by_fd[fd];
	if (!source_sent(&one->source, frame)) {
		if (!source_take(&source, frame))
			return 0;
		source_drop(&one->source);
		*one = (struct subscriber){.source = source};
	}
	*found = one;
	return 0;
}

static void end_one(struct subscriber *one, int port)
{
	one->ended = true;
	source_end(&one->source, port);
}

static int check(struct subscriber *one, const uint8_t *body, size_t size, enum role role)
{
	if (role < ROLE_SERVER)
		return KUDOS_FORBIDDEN;
	if (size != 2 || body[0] != 1 || (body[1] != 'r' && body[1] != 'v'))
		return KUDOS_PROTOCOL;
	return ++one->messages > LIMIT_SUBSCRIPTIONS ? KUDOS_LIMIT : 0;
}

int subscribers_heard(struct subscribers *s, zmq_msg_t *frame, const uint8_t *body, size_t size,
		      enum role role, int port)
{
	struct subscriber *one;
	int e = find(s, frame, &one);
	if (e < 0 || !one || one->ended)
		return e;
	e = check(one, body, size, role);
	if (e != 0)
		end_one(one, port);
	return e;
}

void subscribers_end_all(struct subscribers *s, int port)
{
	for (size_t i = 0; i < s->count; i++)
		end_one(&s->by_fd[i], port);
}

/* How much of what was sent to it has arrived there; whether more waits in the kernel. */
static bool lags(const struct subscriber *one, uint64_t *taken)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;
	if (!source_lives(&one->source) ||
	    getsockopt(one->source.fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return false;
	*taken = info.tcpi_bytes_acked;
	return info.tcpi_notsent_bytes > 0;
}

static void end_lagging(struct subscriber *one, int port, uint64_t taken)
{
	char name[64];
	source_name(&one->source, name, sizeof name);
	log_warn("ended the connection of %s, a subscriber that does not read: it took %llu bytes in %lld ms",
		 name, (unsigned long long)taken, (long long)(LOOK_INTERVAL / MS));
	end_one(one, port);
}

unsigned subscribers_end_slowest(struct subscribers *s, int64_t now, int port, bool end)
{
	struct subscriber *slowest = NULL;
	uint64_t least = UINT64_MAX;
	unsigned ended = 0;
	if (now - s->looked < LOOK_INTERVAL)
		return 0;
	end = end && now - s->looked < LOOK_VALID;
	s->looked = now;
	for (size_t i = 0; i < s->count; i++) {
		struct subscriber *one = &s->by_fd[i];
		uint64_t all;
		if (one->ended || !lags(one, &all))
			continue;
		uint64_t taken = all - one->taken;
		one->taken = all;
		if (taken < least) {
			least = taken;
			slowest = one;
		}
		if (end && taken == 0) {
			end_lagging(one, port, 0);
			ended++;
		}
	}
	if (!end || !slowest || ended > 0)
		return ended;
	end_lagging(slowest, port, least);
	return 1;
}
