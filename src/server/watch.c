/* SPDX-License-Identifier: MIT */
/* Watched keys. A subscription at the notify port names one; what changed since the last look is published
 * under the key's topic. Looking costs the watched keys only, whatever the likes a second, and the likes
 * nothing; a look goes over so many of them and no more, and the next one goes on there.
 *
 * Each subscriber has a list of its keys, and a key the number of lists that it is in: so that who subscribes
 * twice, or ends what it never began, changes nothing for others, and what it leaves behind is none. */
#include "server/host.h"

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

/* ---- who watches what ---- */

static struct watched *find_key(const struct host *h, const char *key, size_t size, uint64_t hash[2])
{
	hash[0] = hash_bytes(key, size, h->watched_by_key.seed);
	hash[1] = hash_bytes(key, size, ~h->watched_by_key.seed);
	return map_get(&h->watched_by_key, hash[0], hash[1]);
}

static int new_key(struct host *h, const char *key, size_t size, const uint64_t hash[2],
		   struct watched **made)
{
	struct watched *w = calloc(1, sizeof *w);
	if (!w ||
	    array_reserve(&h->watched, h->watched_count + 1, &h->watched_capacity, sizeof(void *)) < 0 ||
	    map_put(&h->watched_by_key, hash[0], hash[1], w) < 0) {
		free(w);
		return -ENOMEM;
	}
	memcpy(w->key, key, size);
	w->size = size;
	w->told = counts_get(&h->replica.counts, key, size);
	w->place = h->watched_count;
	h->watched[h->watched_count++] = w;
	*made = w;
	return 0;
}

static void drop_key(struct host *h, struct watched *w)
{
	uint64_t hash[2];
	if (w->subscribers > 0)
		return;
	find_key(h, w->key, w->size, hash);
	map_remove(&h->watched_by_key, hash[0], hash[1]);
	struct watched *last = h->watched[--h->watched_count];
	h->watched[w->place] = last;
	last->place = w->place;
	if (w->place < h->watch_next)
		h->watch_began = UINT64_MAX; /* the one moved there may not have been looked at: once more */
	free(w);
}

static struct watcher *find_watcher(struct host *h, uint64_t subscriber)
{
	struct watcher *who = map_get(&h->watchers, subscriber, 0);
	if (who)
		return who;
	who = calloc(1, sizeof *who);
	if (who && map_put(&h->watchers, subscriber, 0, who) < 0) {
		free(who);
		return NULL;
	}
	return who;
}

/* At most LIMIT_WATCHES steps. */
static size_t place_of(const struct watcher *who, const struct watched *w)
{
	size_t i = 0;
	while (i < who->count && who->keys[i] != w)
		i++;
	return i;
}

static int add(struct host *h, uint64_t subscriber, const char *key, size_t size)
{
	uint64_t hash[2];
	struct watched *w = find_key(h, key, size, hash);
	struct watcher *who = find_watcher(h, subscriber);
	if (!who)
		return -ENOMEM;
	if (w && place_of(who, w) < who->count)
		return 0;
	if (who->count >= LIMIT_WATCHES)
		return KUDOS_LIMIT;
	if (h->watching >= LIMIT_WATCHING || (!w && h->watched_count >= LIMIT_WATCHED))
		return KUDOS_BUSY;
	if (array_reserve(&who->keys, who->count + 1, &who->capacity, sizeof(void *)) < 0 ||
	    (!w && new_key(h, key, size, hash, &w) < 0))
		return -ENOMEM;
	who->keys[who->count++] = w;
	w->subscribers++;
	h->watching++;
	return 0;
}

static void leave(struct host *h, struct watcher *who, size_t place)
{
	struct watched *w = who->keys[place];
	who->keys[place] = who->keys[--who->count];
	w->subscribers--;
	h->watching--;
	drop_key(h, w);
}

static void remove_key(struct host *h, uint64_t subscriber, const char *key, size_t size)
{
	uint64_t hash[2];
	struct watched *w = find_key(h, key, size, hash);
	struct watcher *who = map_get(&h->watchers, subscriber, 0);
	if (!w || !who)
		return;
	size_t place = place_of(who, w);
	if (place < who->count)
		leave(h, who, place);
	if (who->count == 0)
		host_unwatch(h, subscriber);
}

void host_unwatch(struct host *h, uint64_t subscriber)
{
	struct watcher *who = map_remove(&h->watchers, subscriber, 0);
	if (!who)
		return;
	while (who->count > 0)
		leave(h, who, who->count - 1);
	free(who->keys);
	free(who);
}

void host_unwatch_all(struct host *h)
{
	const struct map_slot *slot;
	size_t at = 0;
	while ((slot = map_next(&h->watchers, &at))) {
		host_unwatch(h, slot->a);
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

bool host_may_subscribe(enum role role, const uint8_t *data, size_t size)
{
	if (role >= ROLE_SERVER)
		return true;
	/* What is not a subscription at all may be the beginning of a message that hides one. */
	if (size == 0 || data[0] > 1)
		return false;
	return data[0] == 0 || (role != ROLE_NONE && is_of_key(data, size));
}

int host_receive_subscription(struct host *h, uint64_t subscriber, const uint8_t *data, size_t size)
{
	if (size == 0 || data[0] > 1)
		return KUDOS_PROTOCOL;
	if (is_of_servers(data, size))
		return 0; /* subscriptions to records and vectors need no bookkeeping */
	if (!is_of_key(data, size))
		return data[0] == 1 ? KUDOS_PROTOCOL : 0;
	const char *key = (const char *)data + 2;
	if (data[0] == 1)
		return add(h, subscriber, key, size - 3);
	remove_key(h, subscriber, key, size - 3);
	return 0;
}

/* ---- looking ---- */

static void tell(struct host *h, struct watched *w, int64_t count)
{
	struct message m = {.type = MESSAGE_CHANGED, .changed = {.key = {w->key, w->size}, .count = count}};
	char topic[LIMIT_KEY + 2] = {'k'};
	w->told = count;
	memcpy(topic + 1, w->key, w->size);
	bytes_clear(&h->out);
	message_encode(&m, &h->out);
	if (!bytes_failed(&h->out))
		h->io.publish(h->io.arg, topic, w->size + 2, h->out.data, h->out.size);
}

/* One look: a round over all watched keys may take several. */
void host_watch(struct host *h, int64_t now)
{
	if (h->watch_next == 0) {
		if (h->watched_count == 0 || now < h->next_watch || h->watch_seen == h->replica.stats.events)
			return;
		h->watch_began = h->replica.stats.events;
		h->next_watch = now + WATCH_INTERVAL;
	}
	for (int i = 0; i < WATCH_SLICE && h->watch_next < h->watched_count; i++) {
		struct watched *w = h->watched[h->watch_next++];
		int64_t count = counts_get(&h->replica.counts, w->key, w->size);
		if (count != w->told)
			tell(h, w, count);
	}
	if (h->watch_next >= h->watched_count) {
		h->watch_next = 0;
		h->watch_seen = h->watch_began;
	}
}

int64_t host_watch_deadline(const struct host *h)
{
	if (h->watch_next > 0)
		return 0; /* in the middle of a round */
	return h->watched_count > 0 && h->watch_seen != h->replica.stats.events ? h->next_watch : NEVER;
}
