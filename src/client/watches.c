/* SPDX-License-Identifier: MIT */
#include "client/watches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/time.h"
#include "client/agent.h"
#include "core/courier_route.h"
#include "kudos.h"
#include "wire/key.h"

#define READ_AGAIN (2 * SECOND) /* a change message can be lost */
#define SETTLED (250 * MS)	/* after a move: the subscription takes its time */

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
	w->list[i] = (struct watch){.heard_at = -1};
	memcpy(w->list[i].key, key, size);
	w->count++;
	return 0;
}

/* ---- where it is published ---- */

static void use_endpoint(struct agent *a, const char *endpoint)
{
	struct watches *w = &a->watches;
	if (w->count == 0)
		return;
	w->endpoint_known = *endpoint != '\0';
	a->io.use_notify(a->io.arg, endpoint);
	for (size_t i = 0; w->endpoint_known && i < w->count; i++)
		a->io.watch(a->io.arg, w->list[i].key);
}

/* What changed before the subscription has to be read. */
static void read_anew(struct watches *w, int64_t at)
{
	w->round = 0;
	w->at = at;
}

void watches_use_server(struct agent *a, const char *endpoint)
{
	a->watches.endpoint_known = false;
	read_anew(&a->watches, 0);
	use_endpoint(a, endpoint);
}

int watches_add(struct agent *a, int64_t now, const char *key)
{
	struct watches *w = &a->watches;
	size_t size = strlen(key);
	int r = key_check(key, size);
	if (r || find(w, key, size))
		return r;
	r = insert(w, key, size);
	if (r)
		return r;
	const struct courier_server *server = route_server(&a->courier);
	if (w->endpoint_known)
		a->io.watch(a->io.arg, key);
	else if (server && *server->notify_endpoint)
		use_endpoint(a, server->notify_endpoint);
	read_anew(w, now);
	return 0;
}

void watches_remove(struct agent *a, const char *key)
{
	struct watches *w = &a->watches;
	struct watch *found = find(w, key, strlen(key));
	if (!found)
		return;
	size_t i = (size_t)(found - w->list);
	memmove(found, found + 1, (--w->count - i) * sizeof *found);
	if (w->endpoint_known)
		a->io.unwatch(a->io.arg, key);
}

/* ---- asking ---- */

static uint64_t ask(struct agent *a, int64_t now, enum message_type type, struct subject about)
{
	uint64_t id = 0;
	about.internal = true;
	question_ask(a, now, type, about, &id);
	return id;
}

static bool active(const struct agent *a)
{
	return a->watches.count && !a->courier.closing;
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
	free(question_take(a, w->read, false));
	w->read = ask(a, now, MESSAGE_COUNT, (struct subject){.texts = texts, .count = w->count});
	w->at = now + (w->round++ == 0 ? SETTLED : READ_AGAIN);
	/* A server that was not named by a leader tells its notify endpoint only in its status. */
	if (!w->endpoint_known && !w->ask && a->courier.direct)
		w->ask = ask(a, now, MESSAGE_STATUS, (struct subject){0});
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

void watches_changed(struct agent *a, int64_t now, const struct message *m)
{
	struct watch *w = find(&a->watches, m->changed.key.data, m->changed.key.size);
	if (!w)
		return;
	w->heard_at = now;
	tell(a, w, m->changed.count);
}

/* A change that was published after the question was asked is newer than its answer. */
void watches_counted(struct agent *a, const struct question *r, const int64_t *counts)
{
	for (size_t i = 0; i < r->text_count; i++) {
		struct watch *w = find(&a->watches, r->texts[i].data, r->texts[i].size);
		if (w && w->heard_at < r->asked_at)
			tell(a, w, counts[i]);
	}
}

void watches_state(struct agent *a, const struct message *m)
{
	a->watches.ask = 0;
	for (size_t i = 0; i < m->state.row_count && !a->watches.endpoint_known; i++) {
		const struct server_row *row = &m->state.rows[i].server;
		char endpoint[LIMIT_ENDPOINT + 1] = "";
		if (!node_equal(row->node, a->server_node) || row->notify_endpoint.size == 0 ||
		    row->notify_endpoint.size > LIMIT_ENDPOINT)
			continue;
		memcpy(endpoint, row->notify_endpoint.data, row->notify_endpoint.size);
		use_endpoint(a, endpoint);
		read_anew(&a->watches, 0);
	}
}

void watches_refused(struct agent *a, uint64_t id)
{
	if (a->watches.ask == id)
		a->watches.ask = 0;
}
