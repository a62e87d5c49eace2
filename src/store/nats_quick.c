/* SPDX-License-Identifier: MIT */
/* libnats' mode for event loops: it calls back when it wants to be told that its socket is ready, and neither
 * waits nor has threads for that socket. Not so with TLS, where it waits for the rest of what has begun to
 * come: so there is none of these then. Pings are off, since a timer's thread sends them. */
#include "store/nats_quick.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "store/nats_message.h"

#define CONNECT_WAIT 500 /* ms */
#define PROOF_WAIT SECOND
#define DONE 64
#define ANSWER_WAIT (1500 * MS) /* then it is in doubt */

struct quick {
	const struct nats_access *access;
	natsConnection *connection;
	natsSubscription *answers;
	char inbox[64], reply[96];
	uint64_t number; /* of the last record sent */
	int64_t sent;
	natsSock socket;
	int epoll_fd; /* -1: nobody looks */
	uint32_t data;
	bool wants_write, watches_write;
	bool broken; /* for good */
	natsMsg *done[DONE];
	size_t done_count;
};

/* libnats has a thread that frees messages, and wakes it: once for many is enough. */
static void destroy_done(struct quick *q)
{
	while (q->done_count > 0)
		natsMsg_Destroy(q->done[--q->done_count]);
}

static void add_done(struct quick *q, natsMsg *m)
{
	if (q->done_count == DONE)
		destroy_done(q);
	if (m)
		q->done[q->done_count++] = m;
}

static natsStatus on_attach(void **user, void *loop, natsConnection *connection, natsSock socket)
{
	struct quick *q = loop;
	(void)connection;
	q->socket = socket;
	*user = q;
	return NATS_OK;
}

static natsStatus on_read(void *user, bool add)
{
	struct quick *q = user;
	q->broken = q->broken || !add;
	return NATS_OK;
}

static natsStatus on_write(void *user, bool add)
{
	struct quick *q = user;
	q->wants_write = add;
	return NATS_OK;
}

static natsStatus on_detach(void *user)
{
	struct quick *q = user;
	q->broken = true;
	return NATS_OK;
}

/* What is to be sent, as far as the socket takes it. */
static void write_out(struct quick *q)
{
	if (q->wants_write && !q->broken)
		natsConnection_ProcessWriteEvent(q->connection);
	if (q->broken || q->epoll_fd < 0 || q->wants_write == q->watches_write)
		return;
	struct epoll_event event = {.events = EPOLLIN | (q->wants_write ? EPOLLOUT : 0), .data.u32 = q->data};
	if (epoll_ctl(q->epoll_fd, EPOLL_CTL_MOD, q->socket, &event) < 0)
		q->broken = true;
	q->watches_write = q->wants_write;
}

static natsStatus connect_quick(struct quick *q)
{
	natsOptions *o = NULL;
	natsInbox *inbox = NULL;
	char all[80];
	natsStatus s = nats_connect_options(&o, q->access, "kudos-server");
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, CONNECT_WAIT);
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(o, 0);
	if (s == NATS_OK)
		s = natsOptions_SetSendAsap(o, true);
	if (s == NATS_OK)
		s = natsOptions_SetEventLoop(o, q, on_attach, on_read, on_write, on_detach);
	if (s == NATS_OK)
		s = natsConnection_Connect(&q->connection, o);
	natsOptions_Destroy(o);
	if (s == NATS_OK)
		s = natsInbox_Create(&inbox);
	if (s == NATS_OK) {
		snprintf(q->inbox, sizeof q->inbox, "%s", inbox);
		snprintf(all, sizeof all, "%s.*", q->inbox);
		s = natsConnection_SubscribeSync(&q->answers, q->connection, all);
	}
	natsInbox_Destroy(inbox);
	return s;
}

/* Whether JetStream answers here: a server that is cut off from the others lets one connect all the same. */
static bool is_answered(struct quick *q)
{
	char subject[NATS_STREAM + 32];
	int64_t until = clock_now() + PROOF_WAIT;
	natsMsg *m = NULL;
	snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", q->access->names->stream);
	snprintf(q->reply, sizeof q->reply, "%s.0", q->inbox);
	if (natsConnection_PublishRequest(q->connection, subject, q->reply, NULL, 0) != NATS_OK)
		return false;
	write_out(q);
	while (!m && !q->broken && clock_now() < until) {
		struct pollfd ready = {.fd = q->socket,
				       .events = (short)(POLLIN | (q->wants_write ? POLLOUT : 0))};
		if (poll(&ready, 1, 100) > 0)
			quick_move(q);
		natsSubscription_NextMsg(&m, q->answers, 0);
	}
	natsMsg_Destroy(m);
	return m != NULL;
}

struct quick *quick_open(const struct nats_access *access)
{
	struct quick *q = calloc(1, sizeof *q);
	if (!q)
		return NULL;
	q->access = access;
	q->epoll_fd = -1;
	if (connect_quick(q) == NATS_OK && is_answered(q) && !q->broken)
		return q;
	quick_close(q);
	return NULL;
}

void quick_close(struct quick *q)
{
	if (!q)
		return;
	destroy_done(q);
	natsSubscription_Destroy(q->answers);
	natsConnection_Destroy(q->connection);
	free(q);
}

int quick_watch(struct quick *q, int epoll_fd, uint32_t data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = data};
	q->data = data;
	q->epoll_fd = epoll_fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, q->socket, &event) < 0)
		return -errno;
	write_out(q);
	return 0;
}

void quick_send(struct quick *q, const struct told_entry *record, uint64_t last)
{
	natsMsg *m = NULL;
	q->sent = clock_now();
	snprintf(q->reply, sizeof q->reply, "%s.%" PRIu64, q->inbox, ++q->number);
	natsStatus s = nats_message_make(&m, q->access->names, record, last, q->reply);
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(q->connection, m);
	add_done(q, m);
	if (s != NATS_OK)
		q->broken = true;
	write_out(q);
}

void quick_move(struct quick *q)
{
	if (!q->broken)
		natsConnection_ProcessReadEvent(q->connection);
	write_out(q);
}

int quick_answer(struct quick *q, uint64_t *seq)
{
	natsMsg *m = NULL;
	uint64_t stored = 0;
	natsStatus s = natsSubscription_NextMsg(&m, q->answers, 0);
	if (s == NATS_TIMEOUT && !q->broken && clock_now() - q->sent < ANSWER_WAIT)
		return 1;
	if (s == NATS_OK && strcmp(natsMsg_GetSubject(m), q->reply) == 0)
		stored = nats_message_stored(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
	add_done(q, m);
	if (stored == 0)
		return -EAGAIN;
	*seq = stored;
	return 0;
}

bool quick_usable(const struct quick *q)
{
	return !q->broken;
}
