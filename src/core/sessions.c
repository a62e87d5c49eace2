/* SPDX-License-Identifier: MIT */
#include "core/sessions.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/time.h"
#include "core/lifetime.h"

/* Servers that did not take the session's last batch leave its close to the one that did. */
#define IDLE_MARGIN (60 * SECOND)

void sessions_init(struct sessions *s, uint64_t seed)
{
	*s = (struct sessions){0};
	map_init(&s->seen, seed);
	map_init(&s->issuers, seed);
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
	free(s->closing);
	*s = (struct sessions){0};
}

struct seen *sessions_find(const struct sessions *s, struct session session)
{
	return map_get(&s->seen, session.issuer, session.number);
}

/* Finds or makes. NULL: out of memory. */
static struct issuer *issuer_of(struct sessions *s, uint64_t id)
{
	struct issuer *issuer = map_get(&s->issuers, id, 0);
	if (issuer)
		return issuer;
	issuer = calloc(1, sizeof *issuer);
	if (!issuer)
		return NULL;
	issuer->id = id;
	if (map_put(&s->issuers, id, 0, issuer) < 0) {
		free(issuer);
		return NULL;
	}
	return issuer;
}

struct seen *sessions_get(struct sessions *s, struct session session, int64_t now)
{
	struct seen *seen = sessions_find(s, session);
	if (seen)
		return seen;
	struct issuer *issuer = issuer_of(s, session.issuer);
	seen = issuer ? calloc(1, sizeof *seen) : NULL;
	if (!seen)
		return NULL;
	seen->session = session;
	seen->active = now;
	if (map_put(&s->seen, session.issuer, session.number, seen) < 0) {
		free(seen);
		return NULL;
	}
	lapse_note(&issuer->lapse, session.number);
	s->lasting += lifetime_class(session.issuer) != 0;
	return seen;
}

void sessions_drop(struct sessions *s, struct seen *seen)
{
	map_remove(&s->seen, seen->session.issuer, seen->session.number);
	s->lasting -= lifetime_class(seen->session.issuer) != 0;
	seen_free(seen);
}

int sessions_close(struct sessions *s, struct seen *seen, struct position at)
{
	if (seen_closed(seen))
		return 0; /* one close is enough; every member takes the first that it applies */
	if (array_reserve(&s->closing, s->closing_count + 1, &s->closing_capacity, sizeof *s->closing) < 0)
		return -ENOMEM;
	s->closing[s->closing_count++] = seen->session;
	seen->closed = at;
	return 0;
}

/* What was used of numbers that have lapsed together goes on: its seen entry decides. */
bool sessions_forgotten(const struct sessions *s, struct session session)
{
	const struct issuer *issuer = map_get(&s->issuers, session.issuer, 0);
	return issuer && intervals_has(&issuer->forgotten, session.number) && !sessions_find(s, session);
}

bool sessions_lapsed(const struct sessions *s, struct session session, const struct seen *seen)
{
	if (seen && seen->applied.count > 0)
		return false;
	const struct issuer *issuer = map_get(&s->issuers, session.issuer, 0);
	return issuer && session.number <= issuer->lapse.to;
}

int sessions_lapse(struct sessions *s, struct session to, struct position at)
{
	struct issuer *issuer = issuer_of(s, to.issuer);
	if (!issuer)
		return -ENOMEM;
	bool open = issuer->lapse.at.lsn != 0;
	if (lapse_apply(&issuer->lapse, to.number, at) && !open)
		s->lapsing++;
	return 0;
}

int sessions_forget_range(struct sessions *s, uint64_t id, uint64_t lo, uint64_t hi)
{
	struct issuer *issuer = issuer_of(s, id);
	if (!issuer)
		return -ENOMEM;
	lapse_note(&issuer->lapse, hi);
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
	struct seen *seen = sessions_find(s, session);
	if (seen)
		sessions_drop(s, seen);
	return 0;
}

static int forget_closed(struct sessions *s, const struct peers *peers)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->closing_count; i++) {
		const struct seen *seen = sessions_find(s, s->closing[i]);
		if (seen && (seen->pending.count > 0 || !peers_agree_on(peers, seen->closed)))
			s->closing[kept++] = s->closing[i];
		else if (seen && sessions_forget(s, s->closing[i]) < 0)
			return -ENOMEM;
	}
	s->closing_count = kept;
	return 0;
}

/* By the same rule: what others took of unused sessions before they applied the lapse is applied here, and
 * has an entry. All others up to there are closed. */
int sessions_settle(struct sessions *s, const struct peers *peers)
{
	struct map_slot *slot;
	if (forget_closed(s, peers) < 0)
		return -ENOMEM;
	for (size_t at = 0; s->lapsing > 0 && (slot = map_next(&s->issuers, &at));) {
		struct issuer *issuer = slot->value;
		if (issuer->lapse.at.lsn == 0 || !peers_agree_on(peers, issuer->lapse.at))
			continue;
		if (sessions_forget_range(s, issuer->id, 1, issuer->lapse.to) < 0)
			return -ENOMEM;
		issuer->lapse.at = (struct position){0};
		s->lapsing--;
	}
	return 0;
}

bool sessions_next_idle(const struct sessions *s, size_t *at, int64_t now, int64_t idle,
			struct session *session)
{
	struct map_slot *slot;
	while ((slot = map_next(&s->seen, at))) {
		const struct seen *seen = slot->value;
		int64_t limit =
		    lifetime_of(seen->session.issuer, idle) + (seen->accepted_here ? 0 : IDLE_MARGIN);
		if (seen_closed(seen) || seen->pending.count > 0 || now - seen->active < limit)
			continue;
		*session = seen->session;
		return true;
	}
	return false;
}

/* A session that was given is used within twice the time after which one that was used is closed, or never.
 */
bool sessions_next_unused(struct sessions *s, size_t *at, int64_t now, int64_t idle, struct session *to)
{
	struct map_slot *slot;
	while ((slot = map_next(&s->issuers, at))) {
		struct issuer *issuer = slot->value;
		*to = (struct session){issuer->id, lapse_due(&issuer->lapse, &issuer->forgotten, now,
							     2 * lifetime_of(issuer->id, idle))};
		if (to->number)
			return true;
	}
	return false;
}

void seen_note_content(struct seen *seen, uint64_t seq, const void *raw, size_t size)
{
	seen->contents[seq % SEEN_CONTENTS] = (struct content){seq, hash_bytes(raw, size, 0)};
}

bool seen_contradicts(const struct seen *seen, uint64_t seq, const void *raw, size_t size)
{
	const struct content *known = &seen->contents[seq % SEEN_CONTENTS];
	return known->seq == seq && seq != 0 && known->hash != hash_bytes(raw, size, 0);
}
