/* SPDX-License-Identifier: MIT */
/* The event loop of every daemon: sockets and file descriptors with a handler each, one deadline, clean stop
 * on SIGTERM and SIGINT (through a signalfd: block the signals before any thread starts; reactor_new does).
 */
#ifndef NET_REACTOR_H
#define NET_REACTOR_H

#include <stdbool.h>
#include <stdint.h>

struct reactor;

/* Handles what is there, drained to a cap (REACTOR_BURST messages) so that no socket starves the others;
 * returns true when it stopped at the cap and more may be waiting. */
typedef bool (*reactor_fn)(void *arg);

#define REACTOR_BURST 256

struct reactor *reactor_new(void);
void reactor_free(struct reactor *r); /* takes NULL */

/* 0 or -ENOMEM. The same handler may serve many. */
int reactor_add_socket(struct reactor *r, void *socket, reactor_fn fn, void *arg);
int reactor_add_fd(struct reactor *r, int fd, reactor_fn fn, void *arg);
void reactor_remove_socket(struct reactor *r, void *socket);
void reactor_remove_fd(struct reactor *r, int fd);

/* One pass: waits until something is readable or the monotonic clock (base/clock.h, µs) reaches deadline
 * (INT64_MAX: none), then calls the handlers of all that are ready. Each pass begins with another of them:
 * what they gather may have one limit for all, and who comes first each time could leave nothing to the
 * others. 1: a signal asks to stop; 0; or a negative errno. The caller loops: pass, then its own timers, then
 * whatever it gathers over a pass. */
int reactor_pass(struct reactor *r, int64_t deadline);

#endif
