/* SPDX-License-Identifier: MIT */
#include "core/membership.h"

#include <errno.h>

/* This run's row is the newest of this node, whatever the wall clocks of its runs said. */
static int assert_self(struct membership *m, struct member *self)
{
	const struct member *held = members_find(&m->staged, self->node);
	if (held && origin_equal(held->origin, self->origin))
		return 0;
	if (held && held->since >= self->since)
		self->since = held->since < INT64_MAX ? held->since + 1 : INT64_MAX;
	return members_add(&m->staged, self);
}

/* That it was forgotten itself is known at once: it must not even start. */
int membership_init(struct membership *m, struct member *self, const struct member *rows, size_t count)
{
	*m = (struct membership){.dirty = true}; /* the fresh origin, before anything else (I4) */
	int e = members_merge(&m->staged, rows, count);
	if (e >= 0)
		e = assert_self(m, self);
	if (e >= 0 && members_find(&m->staged, self->node)->forgotten)
		e = members_copy(&m->current, &m->staged);
	return e < 0 ? e : 0;
}

void membership_deinit(struct membership *m)
{
	members_deinit(&m->current);
	members_deinit(&m->staged);
}

int membership_hear(struct membership *m, struct member row, bool leaves, int *news)
{
	row.forgotten = row.forgotten && !leaves;
	return members_merge_one(&m->staged, &row, news);
}

/* Another run of a member is in effect at once, or what it publishes until the commit would have to be
 * fetched. */
int membership_heard(struct membership *m, struct member *self, int news)
{
	bool at_once = news == 2 && !m->dirty && !m->committing;
	if (assert_self(m, self) < 0 || (at_once && members_copy(&m->current, &m->staged) < 0))
		return -ENOMEM;
	m->dirty = m->dirty || news > 0;
	return at_once;
}

void membership_forget(struct membership *m, struct node node)
{
	struct member *row = members_find(&m->staged, node);
	if (row) /* or there was no room for it */
		row->forgotten = true;
	m->dirty = true;
}

void membership_commit(struct membership *m)
{
	m->dirty = false;
	m->committing = true;
}

int membership_committed(struct membership *m)
{
	size_t before = m->current.count - members_alive(&m->current);
	if (members_copy(&m->current, &m->staged) < 0)
		return -ENOMEM;
	m->committing = false;
	m->durable = true;
	return m->current.count - members_alive(&m->current) > before;
}

bool membership_settled(const struct membership *m)
{
	return members_digest(&m->staged) == m->digest;
}

bool membership_renew_digest(struct membership *m, uint64_t leaving)
{
	uint64_t digest = members_digest(&m->current) + leaving;
	if (!m->durable || digest == m->digest)
		return false;
	m->digest = digest;
	return true;
}
