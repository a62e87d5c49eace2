/* SPDX-License-Identifier: MIT */
#include "server/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/time.h"
#include "kudos.h"
#include "wire/key.h"

#define WATCH_INTERVAL (3 * MS) /* between the beginnings of two rounds over all watched keys */
#define WATCH_SLICE 1024	/* keys in one look */

struct watcher {	       /* a connection of the notify port that watches keys */
	struct watched **keys; /* the list is owned, they are not */
	size_t count, capacity;
};

void watch_init(struct watching *w, uint64_t seed)
{
	*w = (struct watching){0};
	map_init(&w->by_key, seed);
	map_init(&w->subscribers, seed);
}

void watch_deinit(struct watching *w)
{
	watch_end_all(w);
	free(w->keys);
	map_deinit(&w->by_key);
	map_deinit(&w->subscribers);
}

/* ---- who watches what ---- */

static struct watched *find_key(const struct watching *w, const char *key, size_t size, uint64_t hash[2])
{
	hash[0] = hash_bytes(key, size, w->by_key.seed);
	hash[1] = hash_bytes(key, size, ~w->by_key.seed);
	return map_get(&w->by_key, hash[0], hash[1]);
}

static int new_key(struct watching *w, const struct replica *r, const char *key, size_t size,
		   const uint64_t hash[2], struct watched **made)
{
	struct watched *k = calloc(1, sizeof *k);
	if (!k || array_reserve(&w->keys, w->count + 1, &w->capacity, sizeof(void *)) < 0 ||
	    map_put(&w->by_key, hash[0], hash[1], k) < 0) {
		free(k);
		return -ENOMEM;
	}
	memcpy(k->key, key, size);
	k->size = size;
	k->told = counts_get(&r->counts, key, size);
	k->place = w->count;
	w->keys[w->count++] = k;
	*made = k;
	return 0;
}

static void drop_key(struct watching *w, struct watched *k)
{
	uint64_t hash[2];
	if (k->subscribers > 0)
		return;
	find_key(w, k->key, k->size, hash);
	map_remove(&w->by_key, hash[0], hash[1]);
	struct watched *last = w->keys[--w->count];
	w->keys[k->place] = last;
	last->place = k->place;
	if (k->place < w->next)
		w->began = UINT64_MAX; /* the one moved there may not have been looked at: once more */
	free(k);
}

static struct watcher *find_watcher(struct watching *w, uint64_t subscriber)
{
	struct watcher *who = map_get(&w->subscribers, subscriber, 0);
	if (who)
		return who;
	who = calloc(1, sizeof *who);
	if (who && map_put(&w->subscribers, subscriber, 0, who) < 0) {
		free(who);
		return NULL;
	}
	return who;
}

/* At most LIMIT_WATCHES steps. */
static size_t place_of(const struct watcher *who, const struct watched *k)
{
	size_t i = 0;
	while (i < who->count && who->keys[i] != k)
		i++;
	return i;
}

static int add(struct watching *w, const struct replica *r, uint64_t subscriber, const char *key, size_t size)
{
	uint64_t hash[2];
	struct watched *k = find_key(w, key, size, hash);
	struct watcher *who = find_watcher(w, subscriber);
	if (!who)
		return -ENOMEM;
	if (k && place_of(who, k) < who->count)
		return 0;
	if (who->count >= LIMIT_WATCHES)
		return KUDOS_LIMIT;
	if (w->subscriptions >= LIMIT_WATCHING || (!k && w->count >= LIMIT_WATCHED))
		return KUDOS_BUSY;
	if (array_reserve(&who->keys, who->count + 1, &who->capacity, sizeof(void *)) < 0 ||
	    (!k && new_key(w, r, key, size, hash, &k) < 0))
		return -ENOMEM;
	who->keys[who->count++] = k;
	k->subscribers++;
	w->subscriptions++;
	return 0;
}

static void leave(struct watching *w, struct watcher *who, size_t place)
{
	struct watched *k = who->keys[place];
	who->keys[place] = who->keys[--who->count];
	k->subscribers--;
	w->subscriptions--;
	drop_key(w, k);
}

static void remove_key(struct watching *w, uint64_t subscriber, const char *key, size_t size)
{
	uint64_t hash[2];
	struct watched *k = find_key(w, key, size, hash);
	struct watcher *who = map_get(&w->subscribers, subscriber, 0);
	if (!k || !who)
		return;
	size_t place = place_of(who, k);
	if (place < who->count)
		leave(w, who, place);
	if (who->count == 0)
		watch_end(w, subscriber);
}

void watch_end(struct watching *w, uint64_t subscriber)
{
	struct watcher *who = map_remove(&w->subscribers, subscriber, 0);
	if (!who)
		return;
	while (who->count > 0)
		leave(w, who, who->count - 1);
	free(who->keys);
	free(who);
}

void watch_end_all(struct watching *w)
{
	const struct map_slot *slot;
	size_t at = 0;
	while ((slot = map_next(&w->subscribers, &at))) {
		watch_end(w, slot->a);
		at--; /* another may have moved to its place */
	}
}

/* ---- subscriptions ---- */

/* 1 or 0, 'k', the key, NUL */
static bool is_of_key(const uint8_t *data, size_t size)
{
	return size >= 4 && size <= LIMIT_KEY + 3 && data[1] == 'k' && data[size - 1] == 0 &&
	       key_check((const char *)data + 2, size - 3) == 0;
}

static bool is_of_servers(const uint8_t *data, size_t size)
{
	return size == 2 && (data[1] == 'r' || data[1] == 'v');
}

bool watch_allowed(enum role role, const uint8_t *data, size_t size)
{
	if (role >= ROLE_SERVER)
		return true;
	/* What is not a subscription at all may be the beginning of a message that hides one. */
	if (size == 0 || data[0] > 1)
		return false;
	return data[0] == 0 || (role != ROLE_NONE && is_of_key(data, size));
}

int watch_receive(struct watching *w, const struct replica *r, uint64_t subscriber, const uint8_t *data,
		  size_t size)
{
	if (size == 0 || data[0] > 1)
		return KUDOS_PROTOCOL;
	if (is_of_servers(data, size))
		return 0; /* subscriptions to records and vectors need no bookkeeping */
	if (!is_of_key(data, size))
		return data[0] == 1 ? KUDOS_PROTOCOL : 0;
	const char *key = (const char *)data + 2;
	if (data[0] == 1)
		return add(w, r, subscriber, key, size - 3);
	remove_key(w, subscriber, key, size - 3);
	return 0;
}

/* ---- looking ---- */

static void tell(struct watched *k, int64_t count, struct out *out)
{
	struct message m = {.type = MESSAGE_CHANGED, .changed = {.key = {k->key, k->size}, .count = count}};
	char topic[LIMIT_KEY + 2] = {'k'};
	memcpy(topic + 1, k->key, k->size);
	if (out_publish(out, topic, k->size + 2, &m))
		k->told = count; /* else in a later round */
}

void watch_look(struct watching *w, int64_t now, const struct replica *r, struct out *out)
{
	if (w->next == 0) {
		if (w->count == 0 || now < w->next_round || w->seen == r->stats.events)
			return;
		w->began = r->stats.events;
		w->next_round = now + WATCH_INTERVAL;
	}
	for (int i = 0; i < WATCH_SLICE && w->next < w->count; i++) {
		struct watched *k = w->keys[w->next++];
		int64_t count = counts_get(&r->counts, k->key, k->size);
		if (count != k->told)
			tell(k, count, out);
	}
	if (w->next >= w->count) {
		w->next = 0;
		w->seen = w->began;
	}
}

int64_t watch_deadline(const struct watching *w, const struct replica *r)
{
	if (w->next > 0)
		return 0; /* in the middle of a round */
	return w->count > 0 && w->seen != r->stats.events ? w->next_round : NEVER;
}
