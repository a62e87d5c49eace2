/* SPDX-License-Identifier: MIT */
/* What peers tell of what they hold: their vector messages, and the pages that are asked for where these do
 * not say enough (core/reach.h). What follows is done at once: gaps are repaired, who waits for peers is
 * acknowledged, and it may be time to serve. */
#ifndef CORE_HEARD_H
#define CORE_HEARD_H

#include "core/replica.h"

int replica_vector(struct replica *r, int64_t now, const struct vector_message *m);
/* A peer's answer to ACTION_REACH: origin is its run's. */
int replica_reached_by(struct replica *r, int64_t now, struct node from, struct origin origin,
		       struct origin after, const struct position *at, size_t count, bool last);

#endif
