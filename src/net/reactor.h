/* SPDX-License-Identifier: MIT */
/* A server's event loop: sockets and file descriptors with a handler each, and one deadline. The caller
 * loops: pass, then its own timers, then whatever it gathers over a pass. zloop has no end of a pass, and
 * calls who was added first always first (doc/architecture.md). */
#ifndef NET_REACTOR_H
#define NET_REACTOR_H

#include <czmq.h>
#include <stdint.h>

struct reactor;

/* Handles what is there, to a cap (REACTOR_BURST messages) so that no socket starves the others: what is left
 * is there in the next pass. */
typedef void (*reactor_fn)(void *arg);

#define REACTOR_BURST 256

struct reactor *reactor_new(void);
void reactor_free(struct reactor *r); /* takes NULL */

/* 0 or -ENOMEM. A socket, or, where it is NULL, a descriptor. The same handler may serve many. */
int reactor_add(struct reactor *r, zsock_t *socket, int fd, reactor_fn fn, void *arg);
void reactor_remove(struct reactor *r, zsock_t *socket, int fd);

/* One pass: waits until something is readable or the monotonic clock (base/clock.h, µs) reaches deadline
 * (INT64_MAX: none), then calls the handlers of all that are ready. Each pass begins with another of them:
 * what they gather may have one limit for all, and who comes first each time could leave nothing to the
 * others. 0, or a negative errno. */
int reactor_pass(struct reactor *r, int64_t deadline);

#endif
