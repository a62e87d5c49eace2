/* SPDX-License-Identifier: MIT */
/* libmicrohttpd in front of the routes: connections, bodies, limits. One thread; what waits for the cluster
 * for long is suspended. */
#ifndef GATEWAY_HTTP_H
#define GATEWAY_HTTP_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "exchange.h"
#include "options.h"
#include "tally.h"
#include "visits.h"

struct exchange_list {
	struct exchange *first, *last;
	size_t count;
};

struct http {
	struct MHD_Daemon *daemon;
	struct gateway *gateway;
	struct exchange_list waiting; /* those that came first are first */
	struct exchange_list streams; /* answered, by what has no end of its own */
	struct visits visits;
	struct tally tally;
	bool resumed; /* connections that libmicrohttpd does not look at before its next run */
	size_t held;  /* that wait and are not suspended */
	int64_t beat_at, log_at;
	uint64_t requests; /* since the start */
};

/* Listens. False, after a message, when it cannot. http_close() in any case. */
bool http_open(struct http *http, struct gateway *gateway, const struct options *options);
void http_close(struct http *http);
/* To be polled for input; then http_run(), whatever the poll said. */
int http_fd(const struct http *http);
void http_run(struct http *http);
/* x is answered by a stream: it stays until its reader goes. */
void http_stream(struct http *http, struct exchange *x);
/* Whoever may still read them comes back. */
void http_end_streams(struct http *http);
/* Answers those whose time is over. */
void http_expire(struct http *http, int64_t now);
/* Nobody new comes in. */
void http_refuse_new(struct http *http);
/* When it wants to be called at the latest; NEVER: no need. */
int64_t http_deadline(const struct http *http, int64_t now);

#endif
