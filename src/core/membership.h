/* SPDX-License-Identifier: MIT */
/* A server's own membership: the one that it holds, and what it will be with the next commit. A membership
 * counts once it is durable here: only then is it announced, by its digest, and judged by (I14). */
#ifndef CORE_MEMBERSHIP_H
#define CORE_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/members.h"

struct membership {
	struct members current; /* as durable and announced */
	struct members staged;	/* as it will be after the next commit */
	bool dirty;	 /* staged, or what is kept with it (core/readiness.h), is to be made durable */
	bool committing; /* it is on its way to that */
	bool durable;	 /* this run's origin is on disk (I4) */
	uint64_t digest; /* of current, and of who is about to leave */
};

/* From the rows of the runs before (may be NULL, 0) and this run's, whose `since` is raised where it must be
 * the newest of its node. 0, -E2BIG, -ENOMEM. */
int membership_init(struct membership *m, struct member *self, const struct member *rows, size_t count);
void membership_deinit(struct membership *m);

/* A row that others tell of; leaves: that its node is forgotten is not taken in yet. *news, 0 at first, as
 * in members_merge_one(). 0 or -ENOMEM. */
int membership_hear(struct membership *m, struct member row, bool leaves, int *news);
/* All rows were heard. 1: what is new is in effect at once, and to be announced; 0; -ENOMEM. */
int membership_heard(struct membership *m, struct member *self, int news);
/* Whether it has its row or not: what goes by it is to be made durable. */
void membership_forget(struct membership *m, struct node node);

/* What is staged is appended to the journal; … and durable: 1 when nodes were forgotten by it, 0, -ENOMEM. */
void membership_commit(struct membership *m);
int membership_committed(struct membership *m);
/* Whether what is staged is what is announced. */
bool membership_settled(const struct membership *m);
/* After a change of it, or of who leaves (core/looks.h). Whether the digest is another now. */
bool membership_renew_digest(struct membership *m, uint64_t leaving);

#endif
