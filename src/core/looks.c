/* SPDX-License-Identifier: MIT */
#include "core/looks.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/hash.h"

void looks_deinit(struct looks *l)
{
	free(l->leaving);
	*l = (struct looks){0};
}

void looks_begin(struct looks *l)
{
	l->done = l->cut = false;
	l->history = (struct history){0};
}

void looks_end(struct looks *l, uint64_t number)
{
	bool whole = !l->cut;
	history_looked(&l->history, number, whole);
	l->cut = false;
	l->count += whole;
	l->done = l->done || whole;
}

struct leaving *looks_leaving(const struct looks *l, struct node node)
{
	for (size_t i = 0; i < l->leaving_count; i++) {
		if (node_equal(l->leaving[i].node, node))
			return &l->leaving[i];
	}
	return NULL;
}

/* The next look may have begun already: the one after it has not. */
int looks_leave(struct looks *l, struct node node)
{
	if (array_reserve(&l->leaving, l->leaving_count + 1, &l->leaving_capacity, sizeof *l->leaving) < 0)
		return -ENOMEM;
	l->leaving[l->leaving_count++] = (struct leaving){.node = node, .looks = l->count + 2};
	return 0;
}

bool looks_left(const struct looks *l, struct node node)
{
	const struct leaving *leaving = looks_leaving(l, node);
	return leaving && l->count >= leaving->looks;
}

uint64_t looks_digest(const struct looks *l)
{
	uint64_t digest = 0;
	for (size_t i = 0; i < l->leaving_count; i++)
		digest += hash_pair(l->leaving[i].node.id, 0, 1);
	return digest;
}
