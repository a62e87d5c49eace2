/* SPDX-License-Identifier: MIT */
#include "core/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/hash.h"

void members_deinit(struct members *m)
{
	free(m->list);
	*m = (struct members){0};
}

/* Where n is, or would have to be inserted. */
static size_t place(const struct members *m, struct node n)
{
	return array_place(m->list, m->count, sizeof *m->list, n.id);
}

struct member *members_find(const struct members *m, struct node n)
{
	size_t at = place(m, n);
	return at < m->count && node_equal(m->list[at].node, n) ? &m->list[at] : NULL;
}

static int insert(struct members *m, size_t at, const struct member *from)
{
	if (m->count >= LIMIT_MEMBERS)
		return -E2BIG;
	if (array_reserve(&m->list, m->count + 1, &m->capacity, sizeof *m->list) < 0)
		return -ENOMEM;
	memmove(&m->list[at + 1], &m->list[at], (m->count - at) * sizeof *m->list);
	m->list[at] = *from;
	m->count++;
	return 1;
}

bool secret_is_none(const struct secret *s)
{
	static const struct secret none;
	return memcmp(s, &none, sizeof none) == 0;
}

/* Two runs can say the same time, after a folder was put back as it was before one of them; then the origin
 * decides, so that all settle on the same row. */
static bool newer(const struct member *a, const struct member *b)
{
	return a->since > b->since || (a->since == b->since && a->origin.id > b->origin.id);
}

int members_add(struct members *m, const struct member *from)
{
	size_t at = place(m, from->node);
	if (at == m->count || !node_equal(m->list[at].node, from->node))
		return insert(m, at, from);

	struct member *row = &m->list[at];
	bool forgotten = row->forgotten || from->forgotten;
	/* A node has one. Should there ever be two, the higher wins, so that every order of merging gives the
	 * same. */
	struct secret secret =
	    memcmp(&from->secret, &row->secret, sizeof secret) > 0 ? from->secret : row->secret;
	int changed = 0;
	if (forgotten != row->forgotten)
		changed = 1;
	else if (newer(from, row) || memcmp(&secret, &row->secret, sizeof secret) != 0)
		changed = 2;
	if (newer(from, row))
		*row = *from;
	row->forgotten = forgotten;
	row->secret = secret;
	return changed;
}

int members_merge_one(struct members *m, const struct member *row, int *strongest)
{
	int changed = members_add(m, row);
	if (changed == 1 || (changed > 0 && *strongest == 0))
		*strongest = changed;
	return changed < 0 && changed != -E2BIG ? changed : 0;
}

int members_merge(struct members *m, const struct member *rows, size_t count)
{
	int strongest = 0, e = 0;
	for (size_t i = 0; i < count && e == 0; i++)
		e = members_merge_one(m, &rows[i], &strongest);
	return e < 0 ? e : strongest;
}

/* Each row's hash is the seed of the next. The bytes are laid out by hand: all machines must agree.
 *   u64 little-endian node id │ u8 forgotten │ u64 little-endian origin of its newest run; 0: forgotten */
uint64_t members_digest(const struct members *m)
{
	uint64_t digest = 0;
	for (size_t i = 0; i < m->count; i++) {
		const struct member *member = &m->list[i];
		uint8_t row[17];
		bytes_put64(row, member->node.id);
		row[8] = member->forgotten ? 1 : 0;
		bytes_put64(row + 9, member->forgotten ? 0 : member->origin.id);
		digest = hash_bytes(row, sizeof row, digest);
	}
	return digest;
}

size_t members_alive(const struct members *m)
{
	size_t alive = 0;
	for (size_t i = 0; i < m->count; i++)
		alive += m->list[i].forgotten ? 0 : 1;
	return alive;
}

int members_copy(struct members *m, const struct members *from)
{
	if (array_reserve(&m->list, from->count, &m->capacity, sizeof *m->list) < 0)
		return -ENOMEM;
	if (from->count > 0)
		memcpy(m->list, from->list, from->count * sizeof *m->list);
	m->count = from->count;
	return 0;
}
