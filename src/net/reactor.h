/* SPDX-License-Identifier: MIT */
/* A server's event loop: sockets and file descriptors with a handler each, and one deadline. The caller
 * loops: pass, then its own timers, then whatever it gathers over a pass. zloop has no end of a pass, and
 * calls who was added first always first (doc/architecture.md).
 *
 * It sleeps on the descriptors of the sockets (ZMQ_FD), since libzmq asks the kernel at every look at a
 * socket that has nothing. Such a descriptor is silent about what libzmq took note of while the socket was
 * used for something else: so whoever sends, connects or subscribes outside a handler of that socket says so.
 */
#ifndef NET_REACTOR_H
#define NET_REACTOR_H

#include <czmq.h>
#include <stdbool.h>
#include <stdint.h>

struct reactor;

/* Handles what is there, to a cap (REACTOR_BURST messages) so that no socket starves the others. Whether
 * there may be more: it is called again in the next pass if there is. false: its last look at the socket
 * found nothing. */
typedef bool (*reactor_fn)(void *arg);

#define REACTOR_BURST 256

struct reactor *reactor_new(void);    /* NULL: errno */
void reactor_free(struct reactor *r); /* takes NULL */

/* 0 or a negative errno. A socket, or, where it is NULL, a descriptor. The same handler may serve many. */
int reactor_add(struct reactor *r, zsock_t *socket, int fd, reactor_fn fn, void *arg);
void reactor_remove(struct reactor *r, zsock_t *socket, int fd); /* while it is still open */
/* The socket was used: it is looked at before the next sleep. One that is not here is ignored. */
void reactor_touch(struct reactor *r, zsock_t *socket);

/* What comes at the socket wakes nobody until then, and is heard after. 0: from now on; NEVER: once it is
 * told so. */
void reactor_rest(struct reactor *r, zsock_t *socket, int64_t until);
void reactor_resume(struct reactor *r); /* those that rest until they are told */

/* One pass: waits until something is readable or the monotonic clock (base/clock.h, µs) reaches deadline
 * (INT64_MAX: none), then calls the handlers of all that are ready. Each pass begins with another of them:
 * what they gather may have one limit for all, and who comes first each time could leave nothing to the
 * others. 0, or a negative errno. */
int reactor_pass(struct reactor *r, int64_t deadline);

#endif
