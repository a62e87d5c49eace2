/* SPDX-License-Identifier: MIT */
/* Membership: two grow-only sets, nodes and forgotten nodes, merged by union wherever they meet, and each
 * node's newest run; compared by digest (doc/architecture.md, "Words"). Where a node listens rides along; it
 * is no part of it. */
#ifndef CORE_MEMBERS_H
#define CORE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"
#include "base/mac.h"

/* What a node's signatures are made with (core/proof.h); all zeros: not known. */
struct secret {
	uint8_t bytes[MAC_SECRET];
};

struct member {
	struct node node;
	struct origin origin; /* of its newest run that is known */
	int64_t since; /* wall-clock ms when that run began, or more than that of any run of the node before:
			  orders runs */
	bool forgotten;
	bool ephemeral; /* --memory-only: nothing of it outlives its process */
	char name[LIMIT_NAME + 1];
	char client_endpoint[LIMIT_ENDPOINT + 1];
	char notify_endpoint[LIMIT_ENDPOINT + 1];
	struct secret secret; /* made with the node; told to leaders and servers alone */
};

struct members {
	struct member *list; /* sorted by node id, owned; forgotten ones included */
	size_t count;
	size_t capacity;
};

void members_deinit(struct members *m);
struct member *members_find(const struct members *m, struct node n); /* NULL when unknown */
bool secret_is_none(const struct secret *s);
/* Adds the node or, when `from` is newer, takes over its attributes; forgotten is never undone, a secret
 * never lost. Returns 1 when the sets changed, 2 when only a run or attributes did, 0 when nothing, -ENOMEM;
 * KUDOS_LIMIT is not returned: rows over LIMIT_MEMBERS are refused by -E2BIG. */
int members_add(struct members *m, const struct member *from);
/* members_add; *strongest, 0 at first, keeps the strongest result (1 over 2 over 0). A node over the limit is
 * left out. 0 or -ENOMEM. */
int members_merge_one(struct members *m, const struct member *row, int *strongest);
/* That for each row; the strongest result, or -ENOMEM. */
int members_merge(struct members *m, const struct member *rows, size_t count);
/* Of the two sets and the newest runs of those not forgotten; equal ones give equal digests. */
uint64_t members_digest(const struct members *m);
size_t members_alive(const struct members *m); /* those not forgotten */
int members_copy(struct members *m, const struct members *from);

#endif
