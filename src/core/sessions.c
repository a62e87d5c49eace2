/* SPDX-License-Identifier: MIT */
#include "core/sessions.h"

#include <errno.h>
#include <stdlib.h>

void sessions_init(struct sessions *s, uint64_t seed)
{
	map_init(&s->seen, seed);
	map_init(&s->issuers, seed);
	s->forgotten = 0;
}

static void seen_free(struct seen *seen)
{
	intervals_deinit(&seen->applied);
	intervals_deinit(&seen->pending);
	free(seen);
}

void sessions_deinit(struct sessions *s)
{
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&s->seen, &at));)
		seen_free(slot->value);
	for (size_t at = 0; (slot = map_next(&s->issuers, &at));) {
		struct issuer *issuer = slot->value;
		intervals_deinit(&issuer->forgotten);
		free(issuer);
	}
	map_deinit(&s->seen);
	map_deinit(&s->issuers);
	s->forgotten = 0;
}

struct seen *sessions_find(const struct sessions *s, struct session session)
{
	return map_get(&s->seen, session.issuer, session.number);
}

struct seen *sessions_get(struct sessions *s, struct session session, int64_t now)
{
	struct seen *seen = sessions_find(s, session);
	if (seen)
		return seen;
	seen = calloc(1, sizeof *seen);
	if (!seen)
		return NULL;
	seen->session = session;
	seen->active = now;
	if (map_put(&s->seen, session.issuer, session.number, seen) < 0) {
		free(seen);
		return NULL;
	}
	return seen;
}

bool sessions_forgotten(const struct sessions *s, struct session session)
{
	const struct issuer *issuer = map_get(&s->issuers, session.issuer, 0);
	return issuer && intervals_has(&issuer->forgotten, session.number);
}

int sessions_forget_range(struct sessions *s, uint64_t id, uint64_t lo, uint64_t hi)
{
	struct issuer *issuer = map_get(&s->issuers, id, 0);
	if (!issuer) {
		issuer = calloc(1, sizeof *issuer);
		if (!issuer)
			return -ENOMEM;
		issuer->id = id;
		if (map_put(&s->issuers, id, 0, issuer) < 0) {
			free(issuer);
			return -ENOMEM;
		}
	}
	size_t before = issuer->forgotten.count;
	int e = intervals_add(&issuer->forgotten, lo, hi);
	s->forgotten += issuer->forgotten.count - before; /* wraps when intervals melt, which is right */
	return e;
}

int sessions_forget(struct sessions *s, struct session session)
{
	int r = sessions_forget_range(s, session.issuer, session.number, session.number);
	if (r < 0)
		return r;
	struct seen *seen = map_remove(&s->seen, session.issuer, session.number);
	if (seen)
		seen_free(seen);
	return 0;
}
