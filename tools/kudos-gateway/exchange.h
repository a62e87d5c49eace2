/* SPDX-License-Identifier: MIT */
/* One HTTP request and its answer, from the first header to the last byte. http.c makes and ends it; a route
 * runs it and answers it, at once or when the cluster has. */
#ifndef GATEWAY_EXCHANGE_H
#define GATEWAY_EXCHANGE_H

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "tokens.h"

#define EXCHANGE_BODY_MAX 65536 /* bytes in a request's body */

struct exchange;
struct gateway;

struct route {
	const char *method;
	const char *path;
	bool has_rest;	    /* path is the beginning; exchange->rest is what follows it */
	enum access access; /* that it needs, when there are tokens */
	/* Answers, or leaves word somewhere that answers later. */
	void (*run)(struct exchange *x);
	/* The exchange ends, answered or not: nobody may answer it from now on. NULL: nothing to do. */
	void (*end)(struct exchange *x);
};

struct exchange {
	struct gateway *gateway;
	struct MHD_Connection *connection;
	const char *method;
	const struct route *route; /* NULL: none */
	const char *rest;
	char *body; /* body_size bytes, NUL-terminated; owned */
	size_t body_size;
	struct address address; /* of who asks */
	const char *who;	/* the name of the token; NULL: none was asked for */
	/* Its time is over. NULL: it is answered that the cluster has not. */
	void (*late)(struct exchange *x);
	void *work; /* the route's own; its end() frees it */

	bool preflight; /* a browser asks what it may ask */
	bool started;	/* the route has run */
	bool waits;	/* the route has run, and nothing goes on before exchange_resume() */
	bool suspended; /* … and libmicrohttpd does not look at the connection; a stream's, too */
	bool streams;	/* in the list of streams */
	bool reads;	/* work is counts.c's: its likes were acknowledged */
	unsigned status;
	struct MHD_Response *response; /* owned until it is queued; NULL: not answered yet */
	int64_t began;		       /* microseconds */
	int64_t answered;	       /* … 0: not yet */
	int64_t until;		       /* answered by then, or it is a time-out */
	struct exchange *next, *previous;
};

/* A query parameter or header; NULL when there is none. */
const char *exchange_parameter(const struct exchange *x, const char *name);
const char *exchange_header(const struct exchange *x, const char *name);

/* Answers, once; takes over the reference to json (NULL: out of memory). */
void exchange_answer_json(struct exchange *x, unsigned status, json_t *json);
/* Without a body. */
void exchange_answer_empty(struct exchange *x, unsigned status);
/* RFC 9457's application/problem+json. code is one of kudos_error_code() or the gateway's own. */
void exchange_problem(struct exchange *x, unsigned status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What the cluster or the library said; the status follows from the error. */
void exchange_failed(struct exchange *x, int error, const char *detail);
/* Any other response; takes it over (NULL: out of memory). */
void exchange_answer(struct exchange *x, unsigned status, struct MHD_Response *response);
/* Goes on with one that waits: it was answered, or a stream is over. */
void exchange_resume(struct exchange *x);

#endif
