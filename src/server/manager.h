/* SPDX-License-Identifier: MIT */
/* What the service manager is told of a server. */
#ifndef SERVER_MANAGER_H
#define SERVER_MANAGER_H

#include "daemon/notify.h"
#include "server/host.h"

/* In every pass: that the loop turns, that it serves as soon as it does, and what it does or waits for. */
void manager_tell(struct notify *n, const struct host *h, int64_t now);
/* That it drains. */
void manager_tell_stopping(struct notify *n);

#endif
