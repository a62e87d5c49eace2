/* SPDX-License-Identifier: MIT */
/* The courier's half that chooses a server, judges its silence and asks the leaders. For courier.c alone. */
#ifndef CORE_COURIER_ROUTE_H
#define CORE_COURIER_ROUTE_H

#include "core/courier.h"

bool courier_needs_server(const struct courier *c);
bool courier_needs_session(const struct courier *c);
/* Takes a session that was offered, if one is needed and this one was never used. */
void courier_take_session(struct courier *c, int64_t now, struct session session, struct proof proof);

void route_init(struct courier *c, const struct courier_options *options);
void route_tick(struct courier *c, int64_t now);
/* Last in a tick: what has just been sent is waited for. */
void route_judge_silence(struct courier *c, int64_t now);
int64_t route_deadline(const struct courier *c);
/* The server in use is of no use: on to the next. */
void route_lose(struct courier *c, int64_t now);
/* The server did what it is there for: it is worth trying all others again before a pause. */
void route_progress(struct courier *c);

static inline int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

#endif
