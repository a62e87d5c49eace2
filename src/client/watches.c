/* SPDX-License-Identifier: MIT */
#include "client/watches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/time.h"
#include "client/agent.h"
#include "kudos.h"
#include "wire/key.h"

#define AGAIN (2 * SECOND)

void watches_deinit(struct watches *w)
{
	free(w->list);
	*w = (struct watches){0};
}

static int compare(const struct watch *w, const char *key, size_t size)
{
	int order = strncmp(w->key, key, size);
	return order ? order : w->key[size] != '\0';
}

/* Index of the first that is not below key. */
static size_t lower_bound(const struct watches *w, const char *key, size_t size)
{
	size_t lo = 0, hi = w->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (compare(&w->list[mid], key, size) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct watch *find(const struct watches *w, const char *key, size_t size)
{
	if (size > LIMIT_KEY)
		return NULL;
	size_t i = lower_bound(w, key, size);
	return i < w->count && compare(&w->list[i], key, size) == 0 ? &w->list[i] : NULL;
}

static int insert(struct watches *w, const char *key, size_t size)
{
	if (w->count == LIMIT_WATCHES)
		return KUDOS_LIMIT;
	if (array_reserve(&w->list, w->count + 1, &w->capacity, sizeof *w->list) < 0)
		return -ENOMEM;
	size_t i = lower_bound(w, key, size);
	memmove(&w->list[i + 1], &w->list[i], (w->count - i) * sizeof *w->list);
	w->list[i] = (struct watch){0};
	memcpy(w->list[i].key, key, size);
	w->count++;
	return 0;
}

/* ---- which ---- */

void watches_use_server(struct agent *a)
{
	a->watches.only_read = a->watches.ended = false;
	a->watches.at = 0;
}

int watches_add(struct agent *a, int64_t now, const char *key)
{
	struct watches *w = &a->watches;
	size_t size = strlen(key);
	int r = key_check(key, size);
	if (r || find(w, key, size))
		return r;
	r = insert(w, key, size);
	if (r == 0)
		w->at = now;
	return r;
}

void watches_remove(struct agent *a, const char *key)
{
	struct watches *w = &a->watches;
	struct watch *found = find(w, key, strlen(key));
	if (!found)
		return;
	size_t i = (size_t)(found - w->list);
	memmove(found, found + 1, (--w->count - i) * sizeof *found);
	w->ended = w->count == 0;
	w->at = 0;
}

/* ---- asking ---- */

static bool active(const struct agent *a)
{
	return (a->watches.count > 0 || a->watches.ended) && !a->courier.closing;
}

void watches_tick(struct agent *a, int64_t now)
{
	struct text texts[LIMIT_WATCHES];
	struct watches *w = &a->watches;
	if (!active(a) || now < w->at)
		return;
	for (size_t i = 0; i < w->count; i++)
		texts[i] = (struct text){w->list[i].key, strlen(w->list[i].key)};
	/* Keys added since the last question was asked are not in it. */
	free(question_take(a, w->asked, false));
	w->asked = 0;
	question_ask(a, now, w->only_read ? MESSAGE_COUNT : MESSAGE_WATCH,
		     (struct subject){.texts = texts, .count = w->count, .internal = true}, &w->asked);
	w->only_read = w->ended = false;
	w->at = now + AGAIN;
}

int64_t watches_deadline(const struct agent *a)
{
	return active(a) ? a->watches.at : NEVER;
}

/* ---- what came ---- */

static void tell(struct agent *a, struct watch *w, int64_t count)
{
	if (w->told && w->count == count)
		return;
	w->told = true;
	w->count = count;
	a->io.changed(a->io.arg, w->key, count);
}

void watches_changed(struct agent *a, const struct message *m)
{
	struct watch *w = find(&a->watches, m->changed.key.data, m->changed.key.size);
	if (w)
		tell(a, w, m->changed.count);
}

void watches_counted(struct agent *a, const struct question *r, const int64_t *counts)
{
	for (size_t i = 0; i < r->text_count; i++) {
		struct watch *w = find(&a->watches, r->texts[i].data, r->texts[i].size);
		if (w)
			tell(a, w, counts[i]);
	}
}

bool watches_busy(struct agent *a, int64_t now, uint64_t id)
{
	struct watches *w = &a->watches;
	struct question *q = id != 0 && id == w->asked ? question_take(a, id, true) : NULL;
	if (!q)
		return false;
	w->only_read = q->type == MESSAGE_WATCH;
	w->at = w->only_read ? now : w->at;
	free(q);
	return true;
}
