/* SPDX-License-Identifier: MIT */
#include "gateway.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define STOP_PATIENCE 3000 /* ms for what is under way */
#define GATHER_NS 500000   /* while likes are on their way */
#define GATHER_MS 5	   /* that came so lately */

enum { AT_HTTP = 1 }; /* its place among what is polled */

int64_t gateway_now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t gateway_now(void)
{
	return gateway_now_us() / 1000;
}

void gateway_log(const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	fprintf(stderr, "kudos-gateway: %s\n", line);
}

static void on_result(void *arg, const struct kudos_result *result)
{
	struct gateway *g = arg;
	likes_result(&g->likes, result);
}

static void on_counts(void *arg, uint64_t id, int error, const int64_t *counts, size_t n)
{
	struct gateway *g = arg;
	questions_counts(&g->questions, id, error, counts, n);
}

static void on_top(void *arg, uint64_t id, int error, const struct kudos_ranked *top, size_t n)
{
	struct gateway *g = arg;
	questions_top(&g->questions, id, error, top, n);
}

static void on_session(void *arg, uint64_t id, int error, const char *session)
{
	struct gateway *g = arg;
	sessions_opened(&g->sessions, id, error, session);
}

static void on_put(void *arg, uint64_t id, int error, const char *token)
{
	struct gateway *g = arg;
	sessions_put(&g->sessions, id, error, token);
}

static void on_status(void *arg, uint64_t id, int error, const struct kudos_status *status)
{
	struct gateway *g = arg;
	questions_status(&g->questions, id, error, status);
}

bool gateway_open(struct gateway *g, const struct options *options)
{
	char why[512] = "";
	const struct kudos_options how = {
	    .leaders = options->leaders,
	    .server = options->server,
	    .timeout_ms = options->timeout_ms,
	    .linger_us = 1, /* a batch is what came in one pass of the loop */
	    .key_file = options->key,
	    .trust_dir = options->trust,
	    .on_result = on_result,
	    .on_counts = on_counts,
	    .on_session = on_session,
	    .on_put = on_put,
	    .on_top = on_top,
	    .on_status = on_status,
	    .arg = g,
	    .why = why,
	    .why_size = sizeof why,
	};
	*g = (struct gateway){.options = *options, .streams.epoll = -1};
	notify_init(&g->notify);
	if (!door_open(&g->door, options))
		return false;
	int error = kudos_open(&g->handle, &how);
	if (error) {
		gateway_log("%s%s%s", kudos_error_text(error), *why ? ": " : "", why);
		return false;
	}
	likes_init(&g->likes, g->handle);
	sessions_init(&g->sessions, g->handle);
	questions_init(&g->questions, g->handle);
	hub_init(&g->hub, g->handle, options);
	if (!streams_init(&g->streams)) {
		gateway_log("epoll: %s", strerror(errno));
		return false;
	}
	if (!round_init(&g->round, g->handle, &g->questions, options)) {
		gateway_log("%s", kudos_error_text(KUDOS_NO_MEMORY));
		return false;
	}
	return http_open(&g->http, g, options);
}

void gateway_close(struct gateway *g)
{
	http_close(&g->http);
	round_deinit(&g->round);
	hub_deinit(&g->hub);
	streams_deinit(&g->streams);
	questions_deinit(&g->questions);
	likes_deinit(&g->likes);
	kudos_close(&g->handle);
	door_close(&g->door);
	notify_deinit(&g->notify);
}

/* The service manager. */
static void tell(struct gateway *g)
{
	notify_ready(&g->notify); /* it listens; whether the cluster can be reached, /readyz says */
	if (notify_tick(&g->notify, gateway_now() * MS))
		notify_status(&g->notify, "%llu requests so far; %zu streams",
			      (unsigned long long)g->http.requests, g->http.streams.count);
}

static bool process(struct gateway *g)
{
	likes_send(&g->likes);
	questions_ask(&g->questions);
	int error = kudos_process(g->handle, 0);
	streams_process(&g->streams);
	if (error == 0)
		error = hub_process(&g->hub, gateway_now());
	if (error == 0)
		round_process(&g->round, gateway_now());
	if (error)
		gateway_log("%s", kudos_detail(g->handle));
	return error == 0;
}

static int wait_ms(struct gateway *g)
{
	int64_t now = gateway_now(), at = http_deadline(&g->http, now);
	int64_t hub = hub_deadline(&g->hub, now), notify = notify_deadline(&g->notify);
	int cluster = kudos_wait_ms(g->handle);
	int64_t round = round_deadline(&g->round, now);
	/* What the cluster said has led to more that is wanted of it: nothing else would wake us for that. */
	if (g->questions.fresh || g->likes.room)
		return 0;
	if (g->likes.queue && now + 1 < at) /* those that are held */
		at = now + 1;
	if (hub < at)
		at = hub;
	if (round < at)
		at = round;
	if (notify != NEVER && notify / MS + 1 < at)
		at = notify / MS + 1;
	if (cluster >= 0 && now + cluster < at)
		at = now + cluster;
	if (at == NEVER)
		return -1;
	return at <= now ? 0 : at - now > 1000 ? 1000 : (int)(at - now);
}

/* While likes are on their way that came lately, others gather until the cluster answers, or for a moment: a
 * pass for each request is a batch for each, which keeps the servers busier than it makes anything quick. */
static int await(struct gateway *g, struct pollfd *fds, nfds_t count)
{
	const struct timespec moment = {.tv_nsec = GATHER_NS};
	int64_t now = gateway_now();
	int ms = wait_ms(g);
	if (g->http.requests != g->requests_seen)
		g->requests_at = now;
	g->requests_seen = g->http.requests;
	if (!ms || !(g->likes.waiting || g->sessions.waiting) || now - g->requests_at >= GATHER_MS)
		return poll(fds, count, ms);
	fds[AT_HTTP].fd = -1;
	return ppoll(fds, count, &moment, NULL);
}

bool gateway_pass(struct gateway *g, int signals, bool *told)
{
	struct pollfd fds[4 + HUB_HANDLES + ROUND_HANDLES] = {
	    {.fd = signals, .events = POLLIN},
	    [AT_HTTP] = {.fd = http_fd(&g->http), .events = POLLIN},
	    {.fd = kudos_fd(g->handle), .events = POLLIN},
	    {.fd = g->streams.epoll, .events = POLLIN},
	};
	nfds_t count = 4 + hub_fds(&g->hub, &fds[4]);
	count += round_fds(&g->round, &fds[count]);
	if (await(g, fds, count) < 0 && errno != EINTR) {
		gateway_log("poll: %s", strerror(errno));
		return false;
	}
	*told = fds[0].revents != 0;
	if (door_look(&g->door, gateway_now()))
		http_end_streams(&g->http);
	http_run(&g->http);
	http_expire(&g->http, gateway_now());
	fflush(stdout); /* the access log */
	tell(g);
	return process(g);
}

bool gateway_run(struct gateway *g)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0) {
		gateway_log("signalfd: %s", strerror(errno));
		return false;
	}
	bool told = false, going = true;
	tell(g);
	while (going && !told)
		going = gateway_pass(g, signals, &told);
	int64_t end = gateway_now() + STOP_PATIENCE;
	http_refuse_new(&g->http);
	notify_stopping(&g->notify);
	while (going && g->http.waiting.count && gateway_now() < end)
		going = gateway_pass(g, signals, &told);
	close(signals);
	return going;
}
