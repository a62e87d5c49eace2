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

#define SWEEP_DELAY SECOND /* libzmq closes a descriptor a little after it told of the loss */
#define SWEEP_SLICE 256	   /* descriptors looked at between two commits */
#define LOOK_INTERVAL (100 * MS)
#define LOOK_VALID SECOND

void subscribers_init(struct subscribers *s)
{
	*s = (struct subscribers){.next_sweep = NEVER, .looked = -SECOND};
}

static void leave(struct subscriber *one)
{
	source_drop(&one->source);
	*one = (struct subscriber){0};
}

void subscribers_deinit(struct subscribers *s)
{
	for (size_t i = 0; i < s->count; i++)
		leave(&s->by_fd[i]);
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

int subscribers_find(struct subscribers *s, int64_t now, zmq_msg_t *frame, struct subscriber **found,
		     uint64_t *gone)
{
	struct source source;
	*gone = 0;
	*found = NULL;
	int fd = source_fd(frame);
	int e = fd < 0 ? 0 : reserve(s, (size_t)fd);
	if (e < 0)
		return e;
	struct subscriber *one = fd < 0 ? NULL : &s->by_fd[fd];
	bool known = one && one->id != 0 && source_sent(&one->source, frame);
	if (!one || (known ? !source_lives(&one->source) : !source_take(&source, frame))) {
		if (s->next_sweep == NEVER)
			s->next_sweep = now + SWEEP_DELAY;
		return 0;
	}
	if (!known) {
		*gone = one->id;
		leave(one);
		*one = (struct subscriber){.id = ++s->last_id, .source = source, .since = now};
	}
	*found = one->ended ? NULL : one;
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

void subscriber_end(struct subscriber *one, int port)
{
	one->ended = true;
	source_end(&one->source, port);
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
	subscriber_end(one, port);
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
		if (one->id == 0 || one->ended || !lags(one, &all))
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
		if (one->id == 0 || source_lives(&one->source))
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
