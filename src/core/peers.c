/* SPDX-License-Identifier: MIT */
#include "core/peers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/time.h"

#define REACHABLE (1500 * MS) /* heard within */

static void peer_deinit(struct peer *p)
{
	vector_deinit(&p->vector);
	vector_deinit(&p->sample);
	vector_deinit(&p->covered);
	vector_deinit(&p->target);
}

void peers_deinit(struct peers *p)
{
	for (size_t i = 0; i < p->count; i++)
		peer_deinit(&p->list[i]);
	free(p->list);
	*p = (struct peers){0};
}

int peers_match(struct peers *p, const struct members *members, struct node self)
{
	struct peers next = {calloc(members->count + 1, sizeof *next.list), 0};
	if (!next.list)
		return -ENOMEM;
	for (size_t i = 0; i < members->count; i++) {
		const struct member *m = &members->list[i];
		if (m->forgotten || node_equal(m->node, self))
			continue;
		struct peer *old = peers_find(p, m->node);
		next.list[next.count++] = old ? *old : (struct peer){.node = m->node};
		if (old)
			*old = (struct peer){0}; /* moved */
	}
	peers_deinit(p);
	*p = next;
	return 0;
}

struct peer *peers_find(const struct peers *p, struct node node)
{
	for (size_t i = 0; i < p->count; i++) {
		if (node_equal(p->list[i].node, node))
			return &p->list[i];
	}
	return NULL;
}

bool peer_reachable(const struct peer *p, int64_t now)
{
	return p->heard != 0 && now - p->heard < REACHABLE;
}

bool peer_shares_view(const struct peer *p, uint64_t digest)
{
	return p->serving && p->digest == digest;
}

bool peers_have(const struct peers *p, struct position at)
{
	for (size_t i = 0; i < p->count; i++) {
		if (vector_get(&p->list[i].vector, at.origin) >= at.lsn)
			return true;
	}
	return false;
}

void peers_expect_confirmations(struct peers *p)
{
	for (size_t i = 0; i < p->count; i++)
		p->list[i].confirmed = p->list[i].vouched = false;
}

/* Who tells of records has served. */
static bool has_served(const struct peer *p)
{
	return p->serving || p->all != 0;
}

struct survey peers_survey(const struct peers *peers, const struct vector *v, int64_t now)
{
	struct survey s = {0};
	for (size_t i = 0; i < peers->count; i++) {
		const struct peer *p = &peers->list[i];
		if (!peer_reachable(p, now)) {
			s.missing++;
			continue;
		}
		s.served += has_served(p);
		s.unconfirmed = s.unconfirmed || !p->confirmed;
		s.vouched = s.vouched || p->vouched;
		s.serving = s.serving || p->serving;
		s.ahead = s.ahead || !vector_covers(v, &p->target);
	}
	return s;
}

void peers_drop_samples(struct peers *p)
{
	for (size_t i = 0; i < p->count; i++)
		p->list[i].has_sample = p->list[i].has_covered = false;
}

/* The next sample is taken once the last one is reached here: under a steady stream of likes the newest
 * vector of a peer is never quite reached, a kept one is soon. */
int peers_advance_samples(struct peers *peers, const struct vector *v, uint64_t digest)
{
	for (size_t i = 0; i < peers->count; i++) {
		struct peer *p = &peers->list[i];
		if (!p->has_sample || !vector_covers(v, &p->sample))
			continue;
		struct vector spare = p->covered;
		p->covered = p->sample;
		p->has_covered = true;
		p->sample = spare;
		p->has_sample = peer_shares_view(p, digest) && p->exact;
		if (p->has_sample && vector_copy(&p->sample, &p->vector) < 0)
			return -ENOMEM;
	}
	return 0;
}

bool peers_covered(const struct peers *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (!p->list[i].has_covered)
			return false;
	}
	return true;
}

/* I8: every member had applied it when it sent a vector that this server has reached since. */
bool peers_agree_on(const struct peers *p, struct position at)
{
	for (size_t i = 0; i < p->count; i++) {
		if (vector_get(&p->list[i].covered, at.origin) < at.lsn)
			return false;
	}
	return true;
}
