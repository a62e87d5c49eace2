/* SPDX-License-Identifier: MIT */
#include "core/majority.h"

#include "base/time.h"

#define SETTLED (2 * SECOND)
#define SILENT (2 * SECOND) /* it may be another leader by now */

void majority_heard(struct majority *m, int64_t now, size_t leader)
{
	m->list[leader].heard = now;
}

bool majority_silent(const struct majority *m, int64_t now, size_t leader)
{
	return now - m->list[leader].heard > SILENT;
}

bool majority_told(struct majority *m, int64_t now, size_t leader, uint64_t incarnation, bool same)
{
	struct leader_word *l = &m->list[leader];
	if (l->incarnation != incarnation) {
		l->incarnation = incarnation;
		l->since = now;
	}
	l->agrees = same && now - l->since >= SETTLED;
	size_t agree = 0;
	for (size_t i = 0; i < m->count; i++)
		agree += m->list[i].agrees && now - m->list[i].heard < SILENT;
	return agree * 2 > m->count;
}
