/* SPDX-License-Identifier: MIT */
/* The clients that wait for the acknowledgement of a batch, in the order in which they came. */
#ifndef CORE_WAITERS_H
#define CORE_WAITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/vector.h"

#define LSN_MIXED UINT64_MAX /* in records that need not be this server's */

struct waiter {
	uint64_t client;
	struct session session;
	uint64_t seq;	     /* 0: of the session's close */
	uint64_t lsn;	     /* this server's record that holds it; 0: not committed yet; LSN_MIXED */
	struct vector needs; /* with LSN_MIXED: what K peers must have reached */
};

struct waiters { /* zeroed: none */
	struct waiter *list;
	size_t count, capacity;
};

void waiters_deinit(struct waiters *w);
int waiters_add(struct waiters *w, struct waiter waiter); /* 0 or -ENOMEM */
/* Asks of each, in their order, whether it waits on: 1; 0 or -ENOMEM: it does not. 0 or -ENOMEM. */
int waiters_sift(struct waiters *w, int (*waits)(void *arg, struct waiter *waiter), void *arg);
/* Whether the client waits for that batch already. */
bool waiters_have(const struct waiters *w, uint64_t client, struct session session, uint64_t seq);

#endif
