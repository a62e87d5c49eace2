/* SPDX-License-Identifier: MIT */
/* Who may come in: before a route is run, the address's quota, the page that a browser asks for, and the
 * token are looked at, in this order. */
#ifndef GATEWAY_DOOR_H
#define GATEWAY_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "exchange.h"
#include "options.h"
#include "quota.h"
#include "tokens.h"

struct door {
	struct tokens tokens;
	struct quota quota;
	const char *origins; /* separated by commas; "*": all. NULL: only pages that came from here */
	struct address proxies[OPTIONS_PROXIES];
	size_t proxy_count;
	uint64_t refused_rate, refused_token, refused_origin, refused_connections; /* since the start */
};

/* False, after a message. door_close() in any case. */
bool door_open(struct door *door, const struct options *options);
void door_close(struct door *door);
bool door_look(struct door *door, int64_t now); /* whether there are other tokens now */
/* Sets who asks; answers one that may not. The route may be NULL. */
void door_check(struct door *door, struct exchange *x, int64_t now);
/* Answers what a browser asks before it asks. methods: what there is at that path. */
void door_preflight(struct door *door, struct exchange *x, const char *methods);
/* What the browser is to know, into the answer. */
void door_mark(const struct door *door, struct exchange *x);
/* Whether one more connection from there may begin. */
bool door_admits(struct door *door, const struct sockaddr *peer, int64_t now);
bool door_is_proxy(const struct door *door, const struct address *address);

#endif
