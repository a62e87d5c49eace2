/* SPDX-License-Identifier: MIT */
/* What a server's leaders say, and when they are believed that they know all members. */
#ifndef CORE_MAJORITY_H
#define CORE_MAJORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct leader_word {
	int64_t heard;
	uint64_t incarnation;
	int64_t since; /* when this incarnation was first heard */
	bool agrees;   /* it knows the members that this server knows, and had time to hear of others */
};

struct majority {
	struct leader_word list[LIMIT_LEADERS];
	size_t count;
};

void majority_heard(struct majority *m, int64_t now, size_t leader); /* anything from it */
bool majority_silent(const struct majority *m, int64_t now, size_t leader);
/* A leader that has just started knows only of those who have registered since: it is believed that there is
 * nobody else once everyone had the time to. And of several leaders a majority must know of nobody else, so
 * that two new servers cannot each take themselves for the first while they reach different leaders.
 * same: it knows the members that this server knows. Whether a majority does by now. */
bool majority_told(struct majority *m, int64_t now, size_t leader, uint64_t incarnation, bool same);

#endif
