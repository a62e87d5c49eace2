/* SPDX-License-Identifier: MIT */
/* The courier's half that chooses a server, judges its silence, and asks the leaders for one, and for a
 * session. */
#ifndef CORE_COURIER_ROUTE_H
#define CORE_COURIER_ROUTE_H

#include "core/courier.h"

/* What the server in use said. route_heard() for each of its messages, whatever it is, before the others. */
void route_heard(struct courier *c, int64_t now);
void route_welcome(struct courier *c, int64_t now, struct session session, struct proof proof, bool serving);
void route_no_hello(struct courier *c, int64_t now);
void route_not_serving(struct courier *c, int64_t now);
/* The connection to it ended: its process is gone, which silence tells a second later. */
void route_disconnected(struct courier *c, int64_t now);

/* What a leader said. */
void route_assigned(struct courier *c, int64_t now, struct session session, struct proof proof,
		    const struct courier_server *servers, size_t count);
void route_no_server(struct courier *c, int64_t now);

/* The server in use, greeted or not; NULL: none. */
const struct courier_server *route_server(const struct courier *c);
/* Whether this session was never used, and is from now on: an answer of a leader may come twice, and late. */
bool route_first_use(struct courier *c, struct session session);

/* For courier.c alone. */
void route_init(struct courier *c, const struct courier_options *options);
void route_tick(struct courier *c, int64_t now);
/* Last in a tick: what has just been sent is waited for. */
void route_judge_silence(struct courier *c, int64_t now);
int64_t route_deadline(const struct courier *c);
/* The server did what it is there for: it is worth trying all others again before a pause. */
void route_progress(struct courier *c);

#endif
