/* SPDX-License-Identifier: MIT */
/* A server's looks through the shared journal: how many there were, whether one told all there is, and what
 * is waited for from one to the next. What is told at a look, and what follows, are rules (shared.c). */
#ifndef CORE_LOOKS_H
#define CORE_LOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/history.h"

/* A node that others say is forgotten, and this server has not: what it left in the shared journal is read
 * first. */
struct leaving {
	struct node node;
	uint64_t looks;	  /* from the look with this number on nothing more of it is taken */
	uint64_t records; /* a checkpoint with so many applied covers all of it; 0: not all is applied yet */
};

struct looks { /* zeroed: none yet */
	uint64_t count;
	bool done; /* there was one since V came from a checkpoint */
	bool cut;  /* the one that goes on does not take all in: more origins than are read at a time, or
		      strangers' */
	struct origin former; /* as configured (core/replica.h) */
	struct history history;
	struct leaving *leaving; /* owned */
	size_t leaving_count, leaving_capacity;
};

void looks_deinit(struct looks *l);
/* V comes from a checkpoint: what was seen there is to be seen again. */
void looks_begin(struct looks *l);
/* A look is over, and told all up to that number. */
void looks_end(struct looks *l, uint64_t number);

struct leaving *looks_leaving(const struct looks *l, struct node node); /* NULL: it is not leaving */
/* The node leaves. 0 or -ENOMEM. */
int looks_leave(struct looks *l, struct node node);
/* Whether nothing more of the node is taken. */
bool looks_left(const struct looks *l, struct node node);
uint64_t looks_digest(const struct looks *l); /* of the nodes that leave; 0: none */

#endif
