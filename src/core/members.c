/* SPDX-License-Identifier: MIT */
#include "core/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	size_t lo = 0;
	size_t hi = m->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->list[mid].node.id < n.id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct member *members_find(const struct members *m, struct node n)
{
	size_t at = place(m, n);

	return at < m->count && node_equal(m->list[at].node, n) ? &m->list[at] : NULL;
}

static int reserve(struct members *m, size_t count)
{
	size_t capacity = m->capacity > 0 ? m->capacity : 8;
	struct member *list;

	if (count <= m->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	list = realloc(m->list, capacity * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	m->list = list;
	m->capacity = capacity;
	return 0;
}

static int insert(struct members *m, size_t at, const struct member *from)
{
	int rc;

	if (m->count >= LIMIT_MEMBERS)
		return -E2BIG;
	rc = reserve(m, m->count + 1);
	if (rc < 0)
		return rc;
	memmove(&m->list[at + 1], &m->list[at], (m->count - at) * sizeof(*m->list));
	m->list[at] = *from;
	m->count++;
	return 1;
}

bool secret_is_none(const struct secret *s)
{
	static const struct secret none;

	return memcmp(s, &none, sizeof(none)) == 0;
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
	struct member *row;
	struct secret secret;
	bool forgotten;
	int rc = 0;

	if (at == m->count || !node_equal(m->list[at].node, from->node))
		return insert(m, at, from);

	row = &m->list[at];
	forgotten = row->forgotten || from->forgotten;
	/* A node has one. Should there ever be two, the higher wins, so that every order of merging gives the
	 * same. */
	secret = memcmp(&from->secret, &row->secret, sizeof(secret)) > 0 ? from->secret : row->secret;
	if (forgotten != row->forgotten)
		rc = 1;
	else if (newer(from, row) || memcmp(&secret, &row->secret, sizeof(secret)) != 0)
		rc = 2;
	if (newer(from, row))
		*row = *from;
	row->forgotten = forgotten;
	row->secret = secret;
	return rc;
}

int members_merge(struct members *m, const struct member *rows, size_t count)
{
	int strongest = 0;

	for (size_t i = 0; i < count; i++) {
		int rc = members_add(m, &rows[i]);

		if (rc == -E2BIG)
			continue;
		if (rc < 0)
			return rc;
		if (rc == 1 || strongest == 0)
			strongest = rc;
	}
	return strongest;
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
		digest = hash_bytes(row, sizeof(row), digest);
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
	int rc = reserve(m, from->count);

	if (rc < 0)
		return rc;
	if (from->count > 0)
		memcpy(m->list, from->list, from->count * sizeof(*m->list));
	m->count = from->count;
	return 0;
}
