/* SPDX-License-Identifier: MIT */
/* Drains that this leader passed on, until the server has confirmed them. */
#ifndef LEADER_DRAIN_H
#define LEADER_DRAIN_H

#include "core/members.h"
#include "net/connections.h"

struct desk;

/* Tells the server, and who asked once it has confirmed. 0, or KUDOS_BUSY. */
int drain_pass(struct desk *desk, int64_t now, const struct member *to, const struct connection *asker,
	       uint64_t id);
/* A server has said that it drains. */
void drain_confirmed(struct desk *desk, struct node from, uint64_t id);
/* Tells servers again, and who asked that they did not confirm. */
void drain_tick(struct desk *desk, int64_t now);

#endif
