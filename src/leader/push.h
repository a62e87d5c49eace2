/* SPDX-License-Identifier: MIT */
/* Which connection speaks for a server, and whether that server has been sent the newest members. */
#ifndef LEADER_PUSH_H
#define LEADER_PUSH_H

#include <stdbool.h>

#include "net/connections.h"

struct desk;

/* From now on c speaks for its node; whichever connection did before does not. 0 or -ENOMEM. */
int push_register(struct desk *desk, const struct connection *c);
/* Which connection speaks for the node; NULL: none does. */
const struct connection *push_connection(const struct desk *desk, struct node n);
bool push_registered(const struct desk *desk, const struct connection *c);

/* Once the directory has changed: all registered servers are due. */
void push_mark(struct desk *desk);
/* Whether c is registered and due. */
bool push_due(const struct desk *desk, const struct connection *c);
/* Sends the members to c, due or not. 0, also when it did not go out and stays due; -ENOMEM or what send
 * returned below 0. */
int push_one(struct desk *desk, const struct connection *c);
/* To all that are due. Whoever cannot be reached now stays due, for its next heartbeat's answer. One that was
 * forgotten hears of it here, for the last time. */
void push_all(struct desk *desk);

void push_deinit(struct desk *desk);

#endif
