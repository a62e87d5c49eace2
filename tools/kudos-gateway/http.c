/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "gateway.h"
#include "routes.h"

#define CONNECTION_MEMORY \
	8192		  /* bytes libmicrohttpd keeps for one: request line and headers fit or are 431 */
#define METHODS_SIZE 64	  /* "GET, PUT, …" */
#define HELD_MOST 256	  /* that wait for their answer without being suspended, */
#define HELD_US 5000	  /* … so long each, */
#define HELD_LOOK 1	  /* … looked at so often, in ms */
#define LOG_INTERVAL 1000 /* ms between two lines of libmicrohttpd's in the log */
#define BEAT_LOOK 1000	  /* ms between two looks for streams that have long been told nothing */
#define IDLE_SECONDS 60	  /* a connection on which nothing moves that long is closed */

static void list_add(struct exchange_list *list, struct exchange *x)
{
	x->next = NULL;
	x->previous = list->last;
	if (list->last)
		list->last->next = x;
	else
		list->first = x;
	list->last = x;
	list->count++;
}

static void list_remove(struct exchange_list *list, struct exchange *x)
{
	if (x->next)
		x->next->previous = x->previous;
	else
		list->last = x->previous;
	if (x->previous)
		x->previous->next = x->next;
	else
		list->first = x->next;
	list->count--;
}

static struct exchange *exchange_new(struct http *http, struct MHD_Connection *connection)
{
	struct exchange *x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	const struct visit *visit = visits_of(connection);
	x->gateway = http->gateway;
	x->connection = connection;
	x->address = visit ? visit->address : (struct address){0};
	x->began = gateway_now_us();
	x->until = gateway_now() + http->gateway->options.timeout_ms;
	list_add(&http->waiting, x);
	http->requests++;
	return x;
}

static void exchange_free(struct http *http, struct exchange *x)
{
	if (x->waits && !x->suspended)
		http->held--;
	if (x->started && x->route->end)
		x->route->end(x);
	if (x->response)
		MHD_destroy_response(x->response);
	list_remove(x->streams ? &http->streams : &http->waiting, x);
	free(x->body);
	free(x);
}

void http_stream(struct http *http, struct exchange *x)
{
	list_remove(&http->waiting, x);
	list_add(&http->streams, x);
	x->streams = true;
}

/* methods: those that the path has, with commas. */
static void find_route(struct exchange *x, const char *method, const char *url, char *methods, size_t room)
{
	size_t used = 0;
	for (const struct route *r = routes(); r->method; r++) {
		size_t size = strlen(r->path);
		if (r->has_rest ? strncmp(url, r->path, size) != 0 || !url[size] : strcmp(url, r->path) != 0)
			continue;
		if (used < room)
			used += (size_t)snprintf(methods + used, room - used, "%s%s", used ? ", " : "",
						 r->method);
		if (strcmp(method, r->method) != 0 &&
		    !(strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0))
			continue;
		x->route = r;
		x->rest = url + size;
		return;
	}
}

static void begin(struct exchange *x, const char *method, const char *url)
{
	struct door *door = &x->gateway->door;
	char methods[METHODS_SIZE] = "";
	x->method = method;
	x->preflight = strcmp(method, "OPTIONS") == 0 &&
		       exchange_header(x, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD);
	find_route(x, method, url, methods, sizeof methods);
	door_check(door, x, gateway_now());
	if (x->response || x->route)
		return;
	if (!*methods) {
		exchange_problem(x, MHD_HTTP_NOT_FOUND, "no-path", "there is nothing at this path");
	} else if (x->preflight) {
		door_preflight(door, x, methods);
	} else {
		exchange_problem(x, MHD_HTTP_METHOD_NOT_ALLOWED, "method", "%s is not for this path", method);
		MHD_add_response_header(x->response, MHD_HTTP_HEADER_ALLOW, methods);
	}
}

static bool take_body(struct exchange *x, const char *data, size_t size)
{
	if (x->response)
		return true; /* refused already: the rest is read and forgotten */
	if (x->body_size + size > EXCHANGE_BODY_MAX) {
		exchange_problem(x, MHD_HTTP_CONTENT_TOO_LARGE, "too-large", "a body has at most %d bytes",
				 EXCHANGE_BODY_MAX);
		return true;
	}
	char *body = realloc(x->body, x->body_size + size + 1);
	if (!body)
		return false;
	memcpy(body + x->body_size, data, size);
	x->body = body;
	x->body_size += size;
	body[x->body_size] = '\0';
	return true;
}

static enum MHD_Result give(struct exchange *x)
{
	struct MHD_Response *response = x->response;
	x->answered = gateway_now_us();
	tally_add(&x->gateway->http.tally, x);
	door_mark(&x->gateway->door, x);
	visits_due(&x->gateway->http.visits, visits_of(x->connection), gateway_now());
	enum MHD_Result result = MHD_queue_response(x->connection, x->status, response);
	x->response = NULL;
	MHD_destroy_response(response);
	return result;
}

/* The cluster mostly answers within a few milliseconds. So long libmicrohttpd asks for the answer at each
 * run, which is cheaper than to take the connection out of its epoll set and put it back. */
static void wait_for_answer(struct http *http, struct exchange *x)
{
	if (!x->waits) {
		x->waits = true;
		http->held++;
		visits_rest(&http->visits, visits_of(x->connection));
	}
	if (http->held <= HELD_MOST && gateway_now_us() - x->began < HELD_US)
		return;
	http->held--;
	x->suspended = true;
	MHD_suspend_connection(x->connection);
}

/* libmicrohttpd calls it when the headers are there, for each part of the body, at its end, and then
 * until there is an answer, but while the connection is suspended. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data, size_t *size,
				  void **state)
{
	struct http *http = arg;
	struct exchange *x = *state;
	(void)version;
	if (!x) {
		x = *state = exchange_new(http, connection);
		if (!x)
			return MHD_NO;
		begin(x, method, url);
		return MHD_YES;
	}
	if (*size) {
		bool taken = take_body(x, data, *size);
		*size = 0;
		return taken ? MHD_YES : MHD_NO;
	}
	if (!x->started && !x->response) {
		x->started = true;
		x->route->run(x);
	}
	if (x->response)
		return give(x);
	wait_for_answer(http, x);
	return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct http *http = arg;
	(void)code;
	if (*state) {
		if (http->gateway->options.access_log)
			access_log(*state);
		exchange_free(http, *state);
		visits_due(&http->visits, visits_of(connection), gateway_now());
	}
	*state = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *http = arg;
	struct door *door = &http->gateway->door;
	struct visit *visit = *context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		visit = visits_add(&http->visits, connection, gateway_now());
		if (visit && !door_is_proxy(door, &visit->address)) {
			quota_connected(&door->quota, &visit->address, gateway_now());
			visit->counted = true;
		}
		*context = visit;
		return;
	}
	if (visit && visit->counted)
		quota_disconnected(&door->quota, &visit->address);
	visits_remove(&http->visits, visit);
	*context = NULL;
}

static enum MHD_Result on_accept(void *arg, const struct sockaddr *peer, socklen_t size)
{
	struct http *http = arg;
	(void)size;
	return door_admits(&http->gateway->door, peer, gateway_now()) ? MHD_YES : MHD_NO;
}

/* Every stranger's nonsense is a line to libmicrohttpd: one from time to time is enough to know. */
static void on_log(void *arg, const char *format, va_list arguments)
{
	struct http *http = arg;
	char line[256];
	if (gateway_now() < http->log_at)
		return;
	http->log_at = gateway_now() + LOG_INTERVAL;
	vsnprintf(line, sizeof line, format, arguments);
	line[strcspn(line, "\n")] = '\0';
	gateway_log("http: %s", line);
}

bool http_open(struct http *http, struct gateway *gateway, const struct options *o)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
	inet_pton(AF_INET, o->address, &at.sin_addr);
	*http = (struct http){.gateway = gateway, .visits.patience = o->patience_ms};
	errno = 0;
	http->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, (uint16_t)o->port, on_accept, http,
	    on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http, MHD_OPTION_SOCK_ADDR,
	    (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
	if (!http->daemon)
		gateway_log("%s:%d: cannot listen: %s; is another program there? give --port", o->address,
			    o->port, strerror(errno ? errno : EADDRINUSE));
	return http->daemon != NULL;
}

void http_close(struct http *http)
{
	if (!http->daemon)
		return;
	for (struct exchange *x = http->waiting.first; x; x = x->next)
		exchange_resume(x);
	for (struct exchange *x = http->streams.first; x; x = x->next)
		exchange_resume(x);
	MHD_stop_daemon(http->daemon);
	http->daemon = NULL;
}

int http_fd(const struct http *http)
{
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void http_run(struct http *http)
{
	http->resumed = false;
	visits_expire(&http->visits, gateway_now());
	MHD_run(http->daemon);
}

void http_refuse_new(struct http *http)
{
	MHD_socket listening = MHD_quiesce_daemon(http->daemon);
	if (listening != MHD_INVALID_SOCKET)
		close(listening);
}

void http_end_streams(struct http *http)
{
	for (struct exchange *x = http->streams.first; x; x = x->next) {
		const struct visit *visit = visits_of(x->connection);
		if (visit)
			shutdown(visit->fd, SHUT_RDWR);
		exchange_resume(x);
	}
}

/* They are in the order in which they came, and all may wait equally long; a stream that has been told
 * nothing says that it lives. */
void http_expire(struct http *http, int64_t now)
{
	if (now >= http->beat_at) {
		http->beat_at = now + BEAT_LOOK;
		for (struct exchange *x = http->streams.first; x; x = x->next) {
			if (x->until <= now && x->late)
				x->late(x);
		}
	}
	for (struct exchange *x = http->waiting.first; x && x->until <= now; x = x->next) {
		if (!x->waits)
			continue;
		if (x->late) {
			x->late(x);
			continue;
		}
		exchange_problem(
		    x, MHD_HTTP_GATEWAY_TIMEOUT, "timeout",
		    "the cluster has not answered in time; likes of this request may still be counted, "
		    "once each");
	}
}

int64_t http_deadline(const struct http *http, int64_t now)
{
	MHD_UNSIGNED_LONG_LONG ms;
	if (http->resumed)
		return now;
	int64_t at = NEVER;
	if (http->held) /* libmicrohttpd would ask for their answers all the time */
		at = now + HELD_LOOK;
	else if (MHD_get_timeout(http->daemon, &ms) == MHD_YES)
		at = now + (int64_t)ms;
	if (http->streams.count && http->beat_at < at)
		at = http->beat_at;
	if (visits_deadline(&http->visits) < at)
		at = visits_deadline(&http->visits);
	for (const struct exchange *x = http->waiting.first; x; x = x->next) {
		if (x->waits)
			return x->until < at ? x->until : at;
	}
	return at;
}
