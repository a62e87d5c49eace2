/* SPDX-License-Identifier: MIT */
/* The answers to GET /v1/watch, server-sent events (the WHATWG's), a count for every key at first and again
 *at each change:
 *
 *	event: count
 *	data: {"key":"post:1","count":12}
 *
 * libmicrohttpd sends the headers; then the connection is suspended and the socket is written to from here,
 * until it ends. Nothing is queued for a reader but the end of an event that went half. */
#ifndef GATEWAY_STREAM_H
#define GATEWAY_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"
#include "hub.h"

#define STREAM_KEYS 100 /* of one */

/* Those who wait for room. */
struct streams {
	int epoll;
};

struct stream {
	struct exchange *exchange;
	int fd;	    /* -1: libmicrohttpd's still */
	bool full;  /* nothing more can be sent for now */
	bool over;  /* nothing more is to be sent */
	char *rest; /* of an event that went half; owned */
	size_t rest_size;
	size_t reader_count;
	struct hub_reader readers[];
};

/* False: the system refuses. */
bool streams_init(struct streams *streams);
void streams_deinit(struct streams *streams);
/* Goes on with those who have room again. */
void streams_process(struct streams *streams);

/* For up to key_count keys of x; NULL: out of memory. */
struct stream *stream_new(struct exchange *x, size_t key_count);
void stream_free(struct stream *s);
/* What hub_join() says. There is room for it. */
int stream_join(struct stream *s, const char *key);
/* NULL: out of memory. */
struct MHD_Response *stream_response(struct stream *s);

#endif
