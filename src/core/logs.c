/* SPDX-License-Identifier: MIT */
#include "core/logs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/limits.h"

void logs_init(struct logs *l, uint64_t seed)
{
	map_init(&l->by_origin, seed);
	l->waiting_bytes = 0;
}

static void log_free(struct log *log)
{
	for (size_t i = 0; i < log->waiting_count; i++)
		record_unref(log->waiting[i]);
	free(log->waiting);
	free(log);
}

void logs_clear(struct logs *l)
{
	struct log *log;
	for (size_t at = 0; (log = logs_next(l, &at));)
		log_free(log);
	map_deinit(&l->by_origin);
	l->waiting_bytes = 0;
}

struct log *logs_find(const struct logs *l, struct origin origin)
{
	return map_get(&l->by_origin, origin.id, 0);
}

struct log *logs_open(struct logs *l, struct origin origin, uint64_t applied)
{
	struct log *log = calloc(1, sizeof *log);
	if (!log)
		return NULL;
	log->origin = origin;
	log->appended = log->known = applied;
	if (map_put(&l->by_origin, origin.id, 0, log) < 0) {
		free(log);
		return NULL;
	}
	return log;
}

void logs_close(struct logs *l, struct log *log)
{
	map_remove(&l->by_origin, log->origin.id, 0);
	log_free(log);
}

struct log *logs_next(const struct logs *l, size_t *at)
{
	const struct map_slot *slot = map_next(&l->by_origin, at);
	return slot ? slot->value : NULL;
}

void log_note_known(struct log *log, uint64_t lsn, int64_t now)
{
	if (log->known < lsn)
		log->known = lsn;
	if (log->known <= log->appended)
		log->gap_since = 0;
	else if (log->gap_since == 0)
		log->gap_since = now;
}

int logs_keep_waiting(struct logs *l, struct log *log, struct record *record)
{
	size_t i = log->waiting_count;
	while (i > 0 && log->waiting[i - 1]->at.lsn > record->at.lsn)
		i--;
	if (i > 0 && log->waiting[i - 1]->at.lsn == record->at.lsn)
		return 0;
	if (l->waiting_bytes + record->raw_size > LIMIT_REORDER_BYTES)
		return 0;
	if (array_reserve(&log->waiting, log->waiting_count + 1, &log->waiting_capacity,
			  sizeof *log->waiting) < 0)
		return -ENOMEM;
	memmove(&log->waiting[i + 1], &log->waiting[i], (log->waiting_count - i) * sizeof *log->waiting);
	log->waiting[i] = record_ref(record);
	log->waiting_count++;
	l->waiting_bytes += record->raw_size;
	return 0;
}

void logs_drop_waiting(struct logs *l, struct log *log, size_t count)
{
	if (count == 0)
		return; /* there may be no list yet */
	for (size_t i = 0; i < count; i++) {
		l->waiting_bytes -= log->waiting[i]->raw_size;
		record_unref(log->waiting[i]);
	}
	log->waiting_count -= count;
	memmove(&log->waiting[0], &log->waiting[count], log->waiting_count * sizeof *log->waiting);
}
