/* SPDX-License-Identifier: MIT */
/* The gateway: HTTP on one side, a handle of libkudos on the other, one thread and one loop. What a route
 * wants of the cluster is gathered during a pass and sent once at its end, so that many requests become one
 * batch or one read. Nothing is kept: what is not answered when the gateway dies, nobody was told. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/notify.h"
#include "door.h"
#include "http.h"
#include "hub.h"
#include "kudos.h"
#include "likes.h"
#include "options.h"
#include "questions.h"
#include "round.h"
#include "sessions.h"
#include "stream.h"

struct gateway {
	struct options options;
	kudos *handle;
	struct door door;
	struct http http;
	struct likes likes;
	struct questions questions;
	struct sessions sessions;
	struct hub hub;
	struct streams streams;
	struct round round;
	struct notify notify;
	uint64_t requests_seen; /* http.requests when it last waited */
	int64_t requests_at;	/* when that last rose */
};

/* False, after a message, when it cannot begin. gateway_close() in any case. */
bool gateway_open(struct gateway *g, const struct options *options);
void gateway_close(struct gateway *g);
/* Serves until SIGTERM or SIGINT; then answers what is under way, for a few seconds at most. False, after a
 * message, when the system refuses to go on. */
bool gateway_run(struct gateway *g);
/* One wait and one pass. False: the system refuses. *told: the descriptor of signals has something. */
bool gateway_pass(struct gateway *g, int signals, bool *told);

int64_t gateway_now(void);    /* monotonic, in milliseconds */
int64_t gateway_now_us(void); /* … in microseconds */
/* A line on stderr. */
void gateway_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
