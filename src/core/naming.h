/* SPDX-License-Identifier: MIT */
/* Which member an operator means by a name, or by a node id in 16 hex digits. */
#ifndef CORE_NAMING_H
#define CORE_NAMING_H

#include <stdbool.h>
#include <stddef.h>

#include "core/members.h"

bool naming_means(const struct member *m, const char *target, size_t size);

/* What it takes to tell members of one name apart: the one to forget is the one that is down, the one to
 * drain the one that is not. */
struct naming {
	const struct members *members;
	bool (*down)(const void *arg, const struct member *m);
	const void *arg;
	bool to_forget; /* else to drain */
};

/* 0; KUDOS_UNKNOWN_NODE: there is none, or the name does not decide; text then says which. One that is
 * forgotten can still be forgotten, by its node id. */
int naming_find(const struct naming *n, const char *target, size_t size, const struct member **found,
		char *text, size_t text_size);

#endif
