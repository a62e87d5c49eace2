/* SPDX-License-Identifier: MIT */
/* What a daemon tells the service manager that started it, by systemd's protocol (sd_notify(3)): that it is
 * ready, what it waits for, that it stops, and that its loop still turns. Nobody is told, and nothing costs
 * anything, where NOTIFY_SOCKET is not set. Nothing here waits or fails: while the manager has no room for a
 * message (ten of them in all, by default), it is said again at the next call. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

#define NOTIFY_STATUS_INTERVAL SECOND

struct notify {
	int socket;	  /* connected; -1: nobody listens */
	int64_t watchdog; /* the loop shows itself so often; 0: it is not watched */
	int64_t next_watchdog, next_status;
	bool ready, stopping; /* as told */
	char status[512];     /* as last told */
};

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child speaks in this
 * process's name. */
void notify_init(struct notify *n);
void notify_deinit(struct notify *n);

/* Once in every pass of the loop, and at the deadline. True, once a second: notify_status() is due. */
bool notify_tick(struct notify *n, int64_t now);
int64_t notify_deadline(const struct notify *n); /* NEVER when nobody listens */

/* A line for people; sent when it is another one than last time. */
void notify_status(struct notify *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
void notify_ready(struct notify *n); /* these two are said once, as often as they are called */
void notify_stopping(struct notify *n);

#endif
