/* SPDX-License-Identifier: MIT */
/* What a server keeps: its checkpoint is whole, and it remembers of sessions what the others do. */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

static uint64_t number_at(const uint8_t *bytes)
{
	uint64_t little;
	memcpy(&little, bytes, sizeof little);
	return le64toh(little);
}

static void read_positions(struct vector *v, const struct pairs *pairs, uint8_t table)
{
	for (size_t i = 0; i < pairs->count; i++) {
		const struct pair *p = &pairs->at[i];
		for (size_t at = 0; p->key[0] == table && at + 16 <= p->value_size; at += 16)
			vector_set(v, (struct origin){number_at(p->value + at)},
				   number_at(p->value + at + 8));
	}
}

/* I6: what is durable covers what the journal is truncated by. */
void check_checkpoint(struct sim *s, int i)
{
	const struct host *h = s->servers[i].host;
	const struct pairs *pairs = &s->servers[i].disk->checkpoint;
	struct vector v = {0};
	if (!h->checkpoint.exists || h->checkpoint.phase != CHECKPOINT_NONE || h->snapshot.from.id)
		return;
	read_positions(&v, pairs, 'r');
	read_positions(&v, pairs, 'v');
	if (v.digest != h->checkpoint.vector.digest)
		sim_fail(s, "s%d's checkpoint on disk is not the one it goes by", i + 1);
	vector_deinit(&v);
}

/* Of what the stream may let go of: the writer is a member still, or has left it to those who are. */
static bool may_be_needed(const struct sim *s, int i, const struct flying *record)
{
	const struct member *m = members_find(&s->servers[i].host->replica.membership.staged, record->node);
	return m && !m->forgotten;
}

/* I6 for the stream: what leaves it is in the durable checkpoint of every member that was whole once. */
void check_purge(struct sim *s, int i, uint64_t number)
{
	for (int k = 0; k < s->server_count; k++) {
		const struct sim_server *v = &s->servers[k];
		const struct member *m =
		    members_find(&s->servers[i].host->replica.membership.staged, v->node);
		struct vector has = {0};
		if (v->forgotten || !m || m->forgotten || v->may_regress || !v->established)
			continue;
		read_positions(&has, &v->disk->checkpoint, 'r');
		read_positions(&has, &v->disk->checkpoint, 'v');
		for (size_t r = 0; r < s->stream.count; r++) {
			const struct flying *f = &s->stream.stored[r];
			if (f->number <= number && vector_get(&has, f->at.origin) < f->at.lsn &&
			    may_be_needed(s, i, f))
				sim_fail(s,
					 "s%d lets go of lsn %llu of %016llx, which s%d has in no checkpoint",
					 i + 1, (unsigned long long)f->at.lsn,
					 (unsigned long long)f->at.origin.id, k + 1);
		}
		if (!v->purges)
			sim_fail(s, "s%d lets go of what s%d wants to be kept", i + 1, k + 1);
		vector_deinit(&has);
	}
}

/* Promise 3: K others have what is acknowledged, unless their disks were destroyed since. One that is down
 * may. */
void check_acked(struct sim *s, size_t owner, size_t like, int by)
{
	const struct faults *f = &s->faults;
	unsigned others = s->destroyed;
	char key[48];
	int size = snprintf(key, sizeof key, "o%zun%zu", owner, like);
	if (f->wipe || f->old_copy || f->damage || f->forget || f->split)
		return; /* these, too, take copies */
	for (int i = 0; i < s->server_count; i++) {
		const struct host *h = s->servers[i].host;
		others += i != by && (!h || counts_get(&h->replica.counts, key, (size_t)size) > 0);
	}
	/* What is in the stream is had by who reads it, also before it has done so again. */
	if (others < s->ack_peers && !stream_mentions(s, key, (size_t)size))
		sim_fail(s, "s%d acknowledged %s, which %u others have", by + 1, key, others);
}

static bool same_applied(const struct seen *a, const struct seen *b)
{
	return a->applied.count == b->applied.count && seen_closed(a) == seen_closed(b) &&
	       (a->applied.count == 0 ||
		memcmp(a->applied.at, b->applied.at, a->applied.count * sizeof *a->applied.at) == 0);
}

/* At equal vectors: each session that one remembers the other remembers just so, or all have agreed to forget
 * it. */
static void check_remembered(struct sim *s, int i, int other)
{
	const struct sessions *a = &s->servers[i].host->replica.sessions;
	const struct sessions *b = &s->servers[other].host->replica.sessions;
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&a->seen, &at));) {
		const struct seen *seen = slot->value, *theirs = sessions_find(b, seen->session);
		if (seen->applied.count == 0 && !seen_closed(seen))
			continue;
		if (theirs ? !same_applied(seen, theirs) : !sessions_forgotten(b, seen->session))
			sim_fail(s, "s%d remembers of session %016llx:%llu other batches than s%d", i + 1,
				 (unsigned long long)seen->session.issuer,
				 (unsigned long long)seen->session.number, other + 1);
	}
}

void check_sessions(struct sim *s)
{
	for (int i = 0; i < s->server_count; i++) {
		for (int other = 0; other < s->server_count; other++) {
			if (!s->servers[i].forgotten && !s->servers[other].forgotten)
				check_remembered(s, i, other);
		}
	}
}
