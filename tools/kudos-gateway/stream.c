/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway.h"

#define KERNEL_MOST 65536   /* bytes that wait in a socket: what waits long is old when it is read */
#define BEAT_INTERVAL 15000 /* ms: a line that says nothing, so that who is between does not close */

bool streams_init(struct streams *streams)
{
	streams->epoll = epoll_create1(EPOLL_CLOEXEC);
	return streams->epoll >= 0;
}

void streams_deinit(struct streams *streams)
{
	if (streams->epoll >= 0)
		close(streams->epoll);
}

struct stream *stream_new(struct exchange *x, size_t key_count)
{
	struct stream *s = calloc(1, sizeof *s + key_count * sizeof s->readers[0]);
	if (s)
		*s = (struct stream){.exchange = x, .fd = -1};
	return s;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	struct gateway *g = s->exchange->gateway;
	for (size_t i = 0; i < s->reader_count; i++)
		hub_leave(&g->hub, &s->readers[i]);
	if (s->fd >= 0)
		epoll_ctl(g->streams.epoll, EPOLL_CTL_DEL, s->fd, NULL);
	free(s->rest);
	free(s);
}

/* libmicrohttpd, which has the connection, closes it. */
static void end(struct stream *s)
{
	s->over = true;
	exchange_resume(s->exchange);
}

/* The reader's time to take something begins. */
static void stop(struct stream *s)
{
	s->full = true;
	visits_due(&s->exchange->gateway->http.visits, visits_of(s->exchange->connection), gateway_now());
}

/* All, a part, or nothing of it is sent; or the stream ends. Returns how much. */
static size_t send_some(struct stream *s, struct iovec *parts, size_t count)
{
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	const int how = MSG_DONTWAIT | MSG_NOSIGNAL;
	ssize_t size =
	    count == 1 ? send(s->fd, parts->iov_base, parts->iov_len, how) : sendmsg(s->fd, &message, how);
	if (size >= 0)
		return (size_t)size;
	if (errno != EAGAIN && errno != EINTR)
		end(s);
	return 0;
}

/* Keeps the end of what was sent but for its first `sent` bytes. */
static void keep_rest(struct stream *s, const char *text, size_t size, size_t sent)
{
	char *rest = malloc(size - sent);
	if (!rest) {
		end(s); /* the reader would take the next event for the end of this one */
		return;
	}
	memcpy(rest, text + sent, size - sent);
	free(s->rest);
	s->rest = rest;
	s->rest_size = size - sent;
}

static bool can_take(const struct stream *s)
{
	return s->fd >= 0 && !s->full && !s->over;
}

/* Its turn, and with it that of all keys of the stream which are due. */
static bool tell(struct hub_reader *first)
{
	struct stream *s = first->arg;
	struct hub_reader *told[STREAM_KEYS];
	struct iovec parts[STREAM_KEYS];
	size_t count = 0;
	int64_t now = gateway_now();
	if (!can_take(s))
		return false;
	told[count++] = first;
	for (size_t i = 0; i < s->reader_count && s->reader_count > 1; i++) {
		if (&s->readers[i] != first && hub_due(&s->exchange->gateway->hub, &s->readers[i], now))
			told[count++] = &s->readers[i];
	}
	for (size_t i = 0; i < count; i++)
		parts[i] = (struct iovec){told[i]->key->text, told[i]->key->text_size};
	size_t left = send_some(s, parts, count);
	for (size_t i = 0; i < count; i++) {
		const struct hub_key *k = told[i]->key;
		if (left < k->text_size && !s->full)
			stop(s);
		if (left > 0 && left < k->text_size)
			keep_rest(s, k->text, k->text_size, left);
		if (left == 0)
			return i > 0;
		left -= left < k->text_size ? left : k->text_size;
		hub_told(told[i], now);
	}
	return true;
}

int stream_join(struct stream *s, const char *key)
{
	struct hub_reader *r = &s->readers[s->reader_count];
	*r = (struct hub_reader){.tell = tell, .arg = s};
	int error = hub_join(&s->exchange->gateway->hub, r, key);
	s->reader_count += error == KUDOS_OK;
	return error;
}

static void go_on(struct stream *s)
{
	struct gateway *g = s->exchange->gateway;
	s->full = false;
	visits_rest(&g->http.visits, visits_of(s->exchange->connection));
	for (size_t i = 0; i < s->reader_count; i++)
		hub_again(&g->hub, &s->readers[i]);
}

/* There is room again. */
static void send_rest(struct stream *s)
{
	size_t sent = 0;
	if (!s->full || s->over)
		return;
	if (s->rest_size) {
		struct iovec part = {s->rest, s->rest_size};
		sent = send_some(s, &part, 1);
		memmove(s->rest, s->rest + sent, s->rest_size - sent);
		s->rest_size -= sent;
	}
	if (s->rest_size == 0) {
		free(s->rest);
		s->rest = NULL;
		go_on(s);
	} else if (sent) {
		stop(s);
	}
}

void streams_process(struct streams *streams)
{
	struct epoll_event events[64];
	int n;
	do {
		n = epoll_wait(streams->epoll, events, sizeof events / sizeof events[0], 0);
		for (int i = 0; i < n; i++) {
			struct stream *s = events[i].data.ptr;
			if (events[i].events & (EPOLLERR | EPOLLHUP))
				end(s);
			else
				send_rest(s);
		}
	} while (n == sizeof events / sizeof events[0]);
}

/* Nothing was told for long. */
static void beat(struct exchange *x)
{
	struct stream *s = x->work;
	char nothing[] = ":\n\n";
	struct iovec part = {nothing, sizeof nothing - 1};
	x->until = gateway_now() + BEAT_INTERVAL;
	if (!can_take(s))
		return;
	size_t sent = send_some(s, &part, 1);
	if (sent < part.iov_len)
		stop(s);
	if (sent > 0 && sent < part.iov_len)
		keep_rest(s, nothing, part.iov_len, sent);
}

/* libmicrohttpd asks when it has sent all that it has, the headers; and when a stream that is over, or is to
 * be, was resumed. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libmicrohttpd's type */
static ssize_t take_over(void *arg, uint64_t position, char *to, size_t room)
{
	static const int yes = 1, most = KERNEL_MOST;
	struct stream *s = arg;
	struct exchange *x = s->exchange;
	struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.ptr = s};
	const struct visit *visit = visits_of(x->connection);
	(void)position;
	(void)to;
	(void)room;
	if (s->fd >= 0 || !visit ||
	    epoll_ctl(x->gateway->streams.epoll, EPOLL_CTL_ADD, visit->fd, &event) < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	s->fd = visit->fd;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
	x->until = gateway_now() + BEAT_INTERVAL;
	x->waits = x->suspended = true;
	MHD_suspend_connection(x->connection);
	go_on(s);
	return 0;
}

struct MHD_Response *stream_response(struct stream *s)
{
	/* Ends when the connection does: a length, or lengths of parts, would be libmicrohttpd's to say. */
	struct MHD_Response *response =
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, take_over, s, NULL);
	if (!response)
		return NULL;
	MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx */
	s->exchange->late = beat;
	return response;
}
