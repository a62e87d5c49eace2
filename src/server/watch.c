/* Watched keys. A subscription at the notify port names one; what changed since the last look is published
 * under the key's topic. Looking costs the watched keys only, whatever the likes a second, and the likes
 * nothing. */
#include "server/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/time.h"

#define WATCH_INTERVAL (3 * MS)

static void hash_key(const struct host *h, const char *key, size_t size, uint64_t hash[2])
{
	hash[0] = hash_bytes(key, size, h->watched_by_key.seed);
	hash[1] = hash_bytes(key, size, ~h->watched_by_key.seed);
}

static int add(struct host *h, const char *key, size_t size)
{
	uint64_t hash[2];
	hash_key(h, key, size, hash);
	struct watched *w = map_get(&h->watched_by_key, hash[0], hash[1]);
	if (w)
		w->subscribers++;
	if (w || h->watched_count >= LIMIT_WATCHED)
		return 0; /* over the limit: the client's own reads still tell it, seconds later */
	w = calloc(1, sizeof *w);
	if (!w ||
	    replica_reserve((void **)&h->watched, h->watched_count, &h->watched_capacity, sizeof(void *)) <
		0 ||
	    map_put(&h->watched_by_key, hash[0], hash[1], w) < 0) {
		free(w);
		return -ENOMEM;
	}
	memcpy(w->key, key, size);
	w->size = size;
	w->subscribers = 1;
	w->told = counts_get(&h->replica.counts, key, size);
	h->watched[h->watched_count++] = w;
	return 0;
}

static void remove_key(struct host *h, const char *key, size_t size)
{
	uint64_t hash[2];
	hash_key(h, key, size, hash);
	struct watched *w = map_get(&h->watched_by_key, hash[0], hash[1]);
	if (!w || --w->subscribers > 0)
		return;
	map_remove(&h->watched_by_key, hash[0], hash[1]);
	for (size_t i = 0; i < h->watched_count; i++) {
		if (h->watched[i] == w) {
			h->watched[i] = h->watched[--h->watched_count];
			free(w);
			return;
		}
	}
}

void host_unwatch_all(struct host *h)
{
	while (h->watched_count > 0) {
		struct watched *w = h->watched[0];
		w->subscribers = 1;
		remove_key(h, w->key, w->size);
	}
}

/* 1 or 0, 'k', the key, NUL */
static bool is_of_key(const uint8_t *data, size_t size)
{
	return size >= 4 && size <= LIMIT_KEY + 3 && data[1] == 'k' && data[size - 1] == 0 &&
	       key_check((const char *)data + 2, size - 3) == 0;
}

bool host_may_subscribe(enum role role, const uint8_t *data, size_t size)
{
	if (size == 0 || data[0] != 1 || role >= ROLE_SERVER)
		return true;
	return role != ROLE_NONE && is_of_key(data, size);
}

int host_receive_subscription(struct host *h, const uint8_t *data, size_t size)
{
	if (!is_of_key(data, size) || data[0] > 1)
		return 0; /* subscriptions to records and vectors need no bookkeeping */
	const char *key = (const char *)data + 2;
	if (data[0] == 1)
		return add(h, key, size - 3);
	remove_key(h, key, size - 3);
	return 0;
}

void host_watch(struct host *h, int64_t now)
{
	if (h->watched_count == 0 || now < h->next_watch || h->watch_seen == h->replica.stats.events)
		return;
	h->next_watch = now + WATCH_INTERVAL;
	h->watch_seen = h->replica.stats.events;
	for (size_t i = 0; i < h->watched_count; i++) {
		struct watched *w = h->watched[i];
		int64_t count = counts_get(&h->replica.counts, w->key, w->size);
		if (count == w->told)
			continue;
		w->told = count;
		struct message m = {.type = MESSAGE_CHANGED,
				    .changed = {.key = {w->key, w->size}, .count = count}};
		char topic[LIMIT_KEY + 2] = {'k'};
		memcpy(topic + 1, w->key, w->size);
		bytes_clear(&h->out);
		message_encode(&m, &h->out);
		if (!bytes_failed(&h->out))
			h->io.publish(h->io.arg, topic, w->size + 2, h->out.data, h->out.size);
	}
}
