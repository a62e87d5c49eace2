/* SPDX-License-Identifier: MIT */
/* The likes in a request's body:
 *
 *	{"key": "post:1", "n": 1}                    n: 1 when it is left out
 *	{"events": [["post:1", 1], ["post:2", -1]]}  1 to EVENTS_MAX */
#ifndef GATEWAY_EVENTS_H
#define GATEWAY_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_MAX 1024

struct event {
	const char *key;
	int64_t n;
};

struct events {
	json_t *json;	    /* owned; the keys are in it */
	struct event *list; /* owned */
	size_t count;
};

struct exchange;

/* Those of x's body. False: x has been answered. */
bool events_take(struct events *events, struct exchange *x);
/* KUDOS_OK, or why not (KUDOS_PROTOCOL: it is not of that form), with a text of what is wrong. */
int events_parse(struct events *events, const char *body, size_t size, char *why, size_t why_size);
void events_deinit(struct events *events);

#endif
