/* SPDX-License-Identifier: MIT */
/* A server that is to drain, by an operator's word: this one, or another, to which the word is passed on. */
#ifndef SERVER_DRAINS_H
#define SERVER_DRAINS_H

#include "core/passed.h"
#include "core/replica.h"
#include "net/port.h"
#include "server/out.h"

struct drains {
	struct passed passed; /* to other servers, not confirmed yet */
	bool wanted;	      /* whoever runs the host drains it, as after SIGTERM */
};

/* False: the target is another. */
bool drains_told(struct drains *d, const struct replica *r, struct text target);
/* Sends again what is not confirmed, or tells who asked that it came to nothing. */
void drains_tick(struct drains *d, int64_t now, const struct replica *r, struct port *port, struct out *out);
void drains_confirmed(struct drains *d, struct port *port, struct node peer, uint64_t id);

#endif
