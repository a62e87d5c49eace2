/* SPDX-License-Identifier: MIT */
/* The handle: an agent, its sockets, and time. The calls that wait are in calls.c. */
#include "client/handle.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "client/agent_receive.h"
#include "client/token.h"
#include "kudos.h"
#include "wire/key.h"
#include "wire/message.h"

#define TIMEOUT_DEFAULT 5000
#define LINGER_DEFAULT 1000
#define CLOSE_PATIENCE (1 * SECOND)
#define CONTEXT_SOCKETS 65535
/* How many messages wait for a connection. A leader that comes back must not be asked for a session for each
 * time it was asked in vain: a hello and a question are enough. */
#define LEADER_KEEP 4
#define SERVER_KEEP 256
#define BURST 256 /* messages received from one socket in one pass */

int handle_fail(struct kudos *k, int error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(k->detail, sizeof k->detail, format, arguments);
	va_end(arguments);
	return error;
}

int handle_fail_errno(struct kudos *k, int negative, const char *what)
{
	char text[128];
	int error = negative == -ENOMEM ? KUDOS_NO_MEMORY : KUDOS_SYSTEM;
	return handle_fail(k, error, "%s: %s", what, strerror_r(-negative, text, sizeof text));
}

/* What the agent wants. */

static void note_failure(struct kudos *k, int r)
{
	if (r < 0 && k->failure == 0)
		k->failure = r;
}

static void on_send_leader(void *arg, size_t index, const void *data, size_t size)
{
	struct kudos *k = arg;
	struct link *l = &k->leader_links[index];
	if (!l->socket)
		note_failure(k, link_open(l, k->leaders[index], k->context, k->security, k->epoll_fd, false));
	note_failure(k, link_send(l, data, size, LEADER_KEEP));
}

static void on_send_server(void *arg, const void *data, size_t size)
{
	struct kudos *k = arg;
	note_failure(k, link_send(&k->server_link, data, size, SERVER_KEEP));
}

/* A fresh socket for every move: nothing that was queued for the former server goes out later. An endpoint
 * that is none (a leader said it) is a server that stays silent. */
static void on_use_server(void *arg, const char *endpoint)
{
	struct kudos *k = arg;
	link_close(&k->server_link, k->epoll_fd);
	if (*endpoint)
		note_failure(
		    k, link_open(&k->server_link, endpoint, k->context, k->security, k->epoll_fd, true));
}

static void on_result(void *arg, const struct kudos_result *result)
{
	struct kudos *k = arg;
	if (k->awaited >= result->first && k->awaited <= result->last) {
		k->awaited = 0;
		k->awaited_error = result->error;
	}
	if (k->user.on_result)
		k->user.on_result(k->user.arg, result);
}

static void on_changed(void *arg, const char *key, int64_t count)
{
	struct kudos *k = arg;
	if (k->user.on_change)
		k->user.on_change(k->user.arg, key, count);
}

/* For the call that waits. */
static void take_answer(struct answer *to, const struct agent_answer *answer)
{
	to->arrived = true;
	to->error = answer->error;
	to->count = answer->count;
	if (!to->place || answer->error)
		return;
	if (answer->asked != MESSAGE_STATUS) {
		memcpy(to->place, answer->data, answer->size);
		return;
	}
	struct kudos_status *copy = malloc(answer->size);
	if (copy)
		memcpy(copy, answer->data, answer->size);
	else
		to->error = KUDOS_NO_MEMORY;
	*(struct kudos_status **)to->place = copy;
}

static void on_put(struct kudos *k, const struct agent_answer *answer)
{
	char token[TOKEN_SIZE];
	token_print(answer->data, answer->count, token, sizeof token);
	k->user.on_put(k->user.arg, answer->id, answer->error, token);
}

static void on_answer(void *arg, const struct agent_answer *answer)
{
	struct kudos *k = arg;
	uint64_t id = answer->id;
	int error = answer->error;
	if (k->answer.id == id)
		take_answer(&k->answer, answer);
	else if (answer->asked == MESSAGE_COUNT && k->user.on_counts)
		k->user.on_counts(k->user.arg, id, error, answer->data, answer->count);
	else if (answer->asked == MESSAGE_TOP && k->user.on_top)
		k->user.on_top(k->user.arg, id, error, answer->data, answer->count);
	else if (answer->asked == MESSAGE_ASSIGN && k->user.on_session)
		k->user.on_session(k->user.arg, id, error, answer->data);
	else if (answer->asked == MESSAGE_BATCH && k->user.on_put)
		on_put(k, answer);
	else if (answer->asked == MESSAGE_STATUS && k->user.on_status)
		k->user.on_status(k->user.arg, id, error, answer->data);
	else if (answer->asked == MESSAGE_METRICS && k->user.on_metrics)
		k->user.on_metrics(k->user.arg, id, error, answer->data, answer->count);
}

/* Opening and closing. */

static bool keep_endpoint(const char **to, const char *endpoint)
{
	*to = endpoint;
	return endpoint_valid(endpoint);
}

/* Copies the endpoints and splits the leaders at the commas. */
static int take_endpoints(struct kudos *k, const struct kudos_options *o)
{
	const char *list = o->leaders && *o->leaders ? o->leaders : KUDOS_DEFAULT_LEADER;
	if (o->server)
		list = o->server;
	k->endpoints = strdup(list);
	if (!k->endpoints)
		return KUDOS_NO_MEMORY;
	if (o->server)
		return keep_endpoint(&k->server, k->endpoints) ? 0 : KUDOS_BAD_ENDPOINT;
	char *rest = k->endpoints, *one;
	while ((one = strsep(&rest, ","))) {
		if (k->leader_count == HANDLE_LEADERS || !keep_endpoint(&k->leaders[k->leader_count++], one))
			return KUDOS_BAD_ENDPOINT;
	}
	return 0;
}

/* One folder read for all that share: there may be thousands. */
static int take_keys(struct kudos *k, const struct kudos_options *o)
{
	char why[512] = "";
	if (o->share) {
		k->security = o->share->security;
		return 0;
	}
	int r = security_open(&k->security, o->key_file, o->trust_dir, false, why, sizeof why);
	if (o->why && o->why_size > 0)
		snprintf(o->why, o->why_size, "%s", why);
	return r == -ENOMEM ? KUDOS_NO_MEMORY : r ? KUDOS_BAD_CERTIFICATE : 0;
}

static int make_context(struct kudos *k, kudos *share)
{
	k->context = share ? share->context : zmq_ctx_new();
	if (!k->context)
		return KUDOS_SYSTEM;
	int most = zmq_ctx_get(k->context, ZMQ_SOCKET_LIMIT);
	if (!share)
		zmq_ctx_set(k->context, ZMQ_MAX_SOCKETS, most < CONTEXT_SOCKETS ? most : CONTEXT_SOCKETS);
	k->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return k->epoll_fd < 0 ? KUDOS_SYSTEM : 0;
}

static int make_agent(struct kudos *k, const struct kudos_options *o)
{
	const struct agent_options options = {
	    .leaders = k->leaders,
	    .leader_count = k->leader_count,
	    .server = k->server,
	    .seed = random_id(),
	    .linger_us = o->linger_us < 0 ? 0
			 : o->linger_us	  ? o->linger_us
					  : LINGER_DEFAULT,
	};
	const struct agent_io io = {
	    .arg = k,
	    .send_leader = on_send_leader,
	    .send_server = on_send_server,
	    .use_server = on_use_server,
	    .result = on_result,
	    .changed = on_changed,
	    .answer = on_answer,
	};
	k->agent = agent_new(&options, &io);
	return k->agent ? 0 : KUDOS_NO_MEMORY;
}

static void handle_free(struct kudos *k)
{
	agent_free(k->agent);
	if (k->epoll_fd >= 0) {
		for (size_t i = 0; i < k->leader_count; i++)
			link_close(&k->leader_links[i], k->epoll_fd);
		link_close(&k->server_link, k->epoll_fd);
		close(k->epoll_fd);
	}
	if (!k->user.share)
		security_close(k->security);
	if (k->context && !k->user.share)
		zmq_ctx_term(k->context);
	free(k->endpoints);
	free(k);
}

int kudos_open(kudos **handle, const struct kudos_options *options)
{
	const struct kudos_options none = {0};
	const struct kudos_options *o = options ? options : &none;
	struct kudos *k = calloc(1, sizeof *k);
	if (!k)
		return KUDOS_NO_MEMORY;
	k->user = *o;
	k->epoll_fd = -1;
	k->timeout = (o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_DEFAULT) * MS;
	k->now = clock_now();
	int r = take_endpoints(k, o);
	if (r == 0)
		r = take_keys(k, o);
	if (r == 0)
		r = make_context(k, o->share);
	if (r == 0)
		r = make_agent(k, o);
	if (r) {
		handle_free(k);
		return r;
	}
	*handle = k;
	return 0;
}

void kudos_close(kudos **handle)
{
	struct kudos *k = *handle;
	if (!k)
		return;
	courier_close(&k->agent->courier);
	int64_t deadline = clock_now() + CLOSE_PATIENCE;
	bool any;
	while (!k->agent->courier.closed && clock_now() < deadline && handle_pass(k, &any) == 0) {
		if (!any && !k->agent->courier.closed)
			handle_wait(k, deadline);
	}
	handle_free(k);
	*handle = NULL;
}

/* Sending and receiving. */

int kudos_send(kudos *k, const char *key, int64_t n, uint64_t *ticket)
{
	/* Reading the clock would cost as much as all the rest; the last pass's time only makes the batch
	 * look older than it is. */
	int r = agent_send(k->agent, k->now, key, strlen(key), n, ticket);
	if (r == KUDOS_BAD_KEY)
		return handle_fail(k, r, "key \"%.140s\": %s", key, kudos_error_text(r));
	if (r == KUDOS_BAD_AMOUNT)
		return handle_fail(k, r, "amount %lld: %s", (long long)n, kudos_error_text(r));
	if (r == KUDOS_BUSY)
		return handle_fail(k, r,
				   "64 batches are unacknowledged and the next is full: call "
				   "kudos_process() and try again");
	if (r < 0)
		return handle_fail_errno(k, r, "send");
	if (k->user.linger_us < 0 || window_full(&k->agent->courier.window)) {
		k->now = clock_now();
		agent_tick(k->agent, k->now);
	}
	return 0;
}

/* What a socket has, up to a cap. The agent may close it in between. Where answers come one at a time, each
 * to what was just sent, the look that finds nothing more is left to the one that comes before sleeping: most
 * often something else is sent before that, and it has to be looked at then anyway. */
static void drain(struct kudos *k, struct link *l, bool *any)
{
	struct packet packet;
	const int most = l->cut ? BURST : 1;
	l->cut = false;
	for (int i = 0; i < most; i++) {
		int r = l->socket ? link_receive(l, &packet) : 0;
		if (r < -1)
			note_failure(k, r);
		if (r == 0 || r < -1)
			return;
		if (r < 0)
			continue;
		*any = true;
		if (l == &k->server_link)
			agent_receive_server(k->agent, k->now, packet.body, packet.body_size);
		else
			agent_receive_leader(k->agent, k->now, (size_t)(l - k->leader_links), packet.body,
					     packet.body_size);
		packet_deinit(&packet);
	}
	l->cut = true;
}

static void serve(struct kudos *k, struct link *l, bool *any)
{
	if (!link_due(l))
		return;
	note_failure(k, link_flush(l));
	drain(k, l, any);
}

int handle_pass(struct kudos *k, bool *any)
{
	*any = false;
	k->now = clock_now();
	links_look(k->epoll_fd);
	serve(k, &k->server_link, any);
	if (link_ended(&k->server_link))
		agent_disconnected(k->agent, k->now);
	for (size_t i = 0; i < k->leader_count; i++)
		serve(k, &k->leader_links[i], any);
	agent_tick(k->agent, k->now);
	if (k->failure) {
		int failure = k->failure;
		k->failure = 0;
		return handle_fail_errno(k, failure, "network");
	}
	return 0;
}

static bool anything_ready(struct kudos *k)
{
	if (link_ready(&k->server_link))
		return true;
	for (size_t i = 0; i < k->leader_count; i++) {
		if (link_ready(&k->leader_links[i]))
			return true;
	}
	return false;
}

int handle_wait(struct kudos *k, int64_t until)
{
	int64_t wanted = agent_deadline(k->agent);
	if (wanted < until)
		until = wanted;
	if (anything_ready(k))
		return 0;
	struct pollfd fd = {.fd = k->epoll_fd, .events = POLLIN};
	struct timespec time = {0};
	if (until != NEVER) {
		int64_t left = until - clock_now();
		if (left <= 0)
			return 0;
		time = (struct timespec){.tv_sec = left / SECOND, .tv_nsec = left % SECOND * 1000};
	}
	if (ppoll(&fd, 1, until == NEVER ? NULL : &time, NULL) >= 0)
		return 0;
	return errno == EINTR ? HANDLE_INTERRUPTED : handle_fail_errno(k, -errno, "poll");
}

int kudos_process(kudos *k, int timeout_ms)
{
	int64_t until = timeout_ms < 0 ? NEVER : clock_now() + timeout_ms * MS;
	for (;;) {
		bool any;
		int r = handle_pass(k, &any);
		if (r || any || k->now >= until)
			return r;
		r = handle_wait(k, until);
		if (r)
			return r == HANDLE_INTERRUPTED ? 0 : r;
	}
}

int kudos_fd(kudos *k)
{
	return k->epoll_fd;
}

int kudos_wait_ms(kudos *k)
{
	int64_t until = agent_deadline(k->agent);
	if (anything_ready(k))
		return 0;
	if (until == NEVER)
		return -1;
	int64_t left = until - clock_now();
	return left <= 0 ? 0 : left > INT32_MAX * MS ? INT32_MAX : (int)((left + MS - 1) / MS);
}

/* What there is to know. */

const char *kudos_detail(const kudos *k)
{
	return k ? k->detail : "";
}

int kudos_check_key(const char *key, size_t size)
{
	return key_check(key, size);
}

int kudos_check_amount(int64_t n)
{
	return n == 0 || n > KUDOS_AMOUNT_MAX || n < -KUDOS_AMOUNT_MAX ? KUDOS_BAD_AMOUNT : 0;
}

uint64_t kudos_taken(const kudos *k)
{
	return k->agent->courier.window.taken;
}

uint64_t kudos_resolved(const kudos *k)
{
	return k->agent->courier.window.resolved;
}
