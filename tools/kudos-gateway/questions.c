/* SPDX-License-Identifier: MIT */
#include "questions.h"

#include <stdlib.h>

/* Questions that are asked as one: their keys one behind the other. One with a token is a group of its own,
 * or it would make others wait; and all who want the status are one. */
struct group {
	uint64_t id; /* 0: not asked yet */
	struct group *next;
	size_t key_count, top, count, capacity, living;
	struct question **members; /* owned; NULL: withdrawn */
	const char *token;
	const char
	    *keys[QUESTION_KEYS]; /* of a group that gathers; those who were withdrawn left theirs empty */
};

void questions_init(struct questions *qs, kudos *handle)
{
	*qs = (struct questions){.handle = handle};
}

static void drop(struct questions *qs, struct group *g)
{
	struct group **at = &qs->groups;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	free(g->members);
	free(g);
}

void questions_deinit(struct questions *qs)
{
	while (qs->groups)
		drop(qs, qs->groups);
}

static bool suits(const struct group *g, const struct question *q)
{
	if (g->id || g->token || q->token || (g->key_count == 0) != (q->key_count == 0) ||
	    (g->top == 0) != (q->top == 0))
		return false;
	return g->key_count + q->key_count <= QUESTION_KEYS;
}

/* Those that gather come first. */
static struct group *group_for(struct questions *qs, const struct question *q)
{
	for (struct group *g = qs->groups; g && g->id == 0; g = g->next) {
		if (suits(g, q))
			return g;
	}
	struct group *g = calloc(1, sizeof *g);
	if (!g)
		return NULL;
	g->token = q->token;
	g->next = qs->groups;
	qs->groups = g;
	return g;
}

int questions_add(struct questions *qs, struct question *q)
{
	struct group *g = group_for(qs, q);
	if (!g)
		return KUDOS_NO_MEMORY;
	if (g->count == g->capacity) {
		size_t capacity = g->capacity ? g->capacity * 2 : 8;
		struct question **members = realloc(g->members, capacity * sizeof(struct question *));
		if (!members) {
			if (g->count == 0)
				drop(qs, g);
			return KUDOS_NO_MEMORY;
		}
		g->members = members;
		g->capacity = capacity;
	}
	for (size_t i = 0; i < q->key_count; i++)
		g->keys[g->key_count++] = q->keys[i];
	if (q->top > g->top)
		g->top = q->top;
	q->group = g;
	q->at = g->key_count - q->key_count;
	q->place = g->count;
	g->members[g->count++] = q;
	g->living++;
	qs->fresh = true;
	return KUDOS_OK;
}

/* The counts of those behind it keep their places: its keys, which go with it, are read as another. */
void questions_withdraw(struct questions *qs, struct question *q)
{
	struct group *g = q->group;
	if (!g)
		return;
	q->group = NULL;
	g->members[q->place] = NULL;
	for (size_t i = 0; i < q->key_count; i++)
		g->keys[q->at + i] = KUDOS_DEFAULT_KEY;
	if (--g->living)
		return;
	if (g->id)
		kudos_cancel(qs->handle, g->id);
	drop(qs, g);
}

/* What came for a group, of the kind it asked for. */
struct answer {
	int error;
	const int64_t *counts;
	const struct kudos_ranked *top;
	size_t found;
	const struct kudos_status *status;
};

static void tell(struct questions *qs, struct group *g, const struct answer *a)
{
	for (size_t i = 0; i < g->count; i++) {
		struct question *q = g->members[i];
		if (!q)
			continue;
		q->group = NULL;
		if (q->key_count)
			q->counted(q, a->error, a->error ? NULL : a->counts + q->at);
		else if (q->top)
			q->ranked(q, a->error, a->top, a->found < q->top ? a->found : q->top);
		else
			q->status(q, a->error, a->status);
	}
	drop(qs, g);
}

static int ask(struct questions *qs, struct group *g)
{
	uint64_t id = 0;
	int error = g->key_count ? kudos_ask_counts(qs->handle, g->keys, g->key_count, g->token, &id)
		    : g->top	 ? kudos_ask_top(qs->handle, g->top, &id)
				 : kudos_ask_status(qs->handle, &id);
	if (!error)
		g->id = id;
	return error;
}

void questions_ask(struct questions *qs)
{
	qs->fresh = false;
	for (struct group *g = qs->groups, *next; g; g = next) {
		next = g->next;
		int error = g->id ? KUDOS_OK : ask(qs, g);
		if (error == KUDOS_BUSY)
			return;
		if (error)
			tell(qs, g, &(struct answer){.error = error});
	}
}

static struct group *group_of(struct questions *qs, uint64_t id)
{
	struct group *g = qs->groups;
	while (g && g->id != id)
		g = g->next;
	return g;
}

void questions_counts(struct questions *qs, uint64_t id, int error, const int64_t *counts, size_t n)
{
	struct group *g = group_of(qs, id);
	if (g && !error && n != g->key_count)
		error = KUDOS_PROTOCOL;
	if (g)
		tell(qs, g, &(struct answer){.error = error, .counts = counts});
}

void questions_top(struct questions *qs, uint64_t id, int error, const struct kudos_ranked *top, size_t n)
{
	struct group *g = group_of(qs, id);
	if (g)
		tell(qs, g, &(struct answer){.error = error, .top = top, .found = n});
}

void questions_status(struct questions *qs, uint64_t id, int error, const struct kudos_status *status)
{
	struct group *g = group_of(qs, id);
	if (g)
		tell(qs, g, &(struct answer){.error = error, .status = status});
}
