/* SPDX-License-Identifier: MIT */
#include "server/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/time.h"
#include "kudos.h"

#define WATCH_INTERVAL (3 * MS) /* between the beginnings of two rounds over all watched keys */
#define WATCH_SLICE 1024	/* keys and clients in one look */

struct watcher {
	size_t count;
	struct tie ties[]; /* in the order in which the client named the keys */
};

void watch_init(struct watching *w, uint64_t seed)
{
	*w = (struct watching){0};
	map_init(&w->by_key, seed);
	map_init(&w->clients, seed);
}

void watch_deinit(struct watching *w)
{
	watch_end_all(w);
	free(w->keys);
	map_deinit(&w->by_key);
	map_deinit(&w->clients);
}

/* ---- who watches what ---- */

static struct watched *find_key(const struct watching *w, struct text key, uint64_t hash[2])
{
	hash[0] = hash_bytes(key.data, key.size, w->by_key.seed);
	hash[1] = hash_bytes(key.data, key.size, ~w->by_key.seed);
	return map_get(&w->by_key, hash[0], hash[1]);
}

static int new_key(struct watching *w, const struct replica *r, struct text key, const uint64_t hash[2],
		   struct watched **made)
{
	struct watched *k = calloc(1, sizeof *k);
	if (!k || array_reserve(&w->keys, w->count + 1, &w->capacity, sizeof(void *)) < 0 ||
	    map_put(&w->by_key, hash[0], hash[1], k) < 0) {
		free(k);
		return -ENOMEM;
	}
	memcpy(k->key, key.data, key.size);
	k->size = key.size;
	k->told = counts_get(&r->counts, key.data, key.size);
	k->place = w->count;
	w->keys[w->count++] = k;
	*made = k;
	return 0;
}

static void drop_key(struct watching *w, struct watched *k)
{
	uint64_t hash[2];
	find_key(w, (struct text){k->key, k->size}, hash);
	map_remove(&w->by_key, hash[0], hash[1]);
	struct watched *last = w->keys[--w->count];
	w->keys[k->place] = last;
	last->place = k->place;
	if (k->place < w->next)
		w->began = UINT64_MAX; /* the one moved there may not have been looked at: once more */
	free(k);
}

static int tie(struct watching *w, const struct replica *r, struct tie *t, struct text key)
{
	uint64_t hash[2];
	struct watched *k = find_key(w, key, hash);
	if (!k && w->count >= LIMIT_WATCHED)
		return KUDOS_BUSY;
	if (!k && new_key(w, r, key, hash, &k) < 0)
		return -ENOMEM;
	t->key = k;
	t->after = k->first;
	if (k->first)
		k->first->before = t;
	k->first = t;
	w->ties++;
	return 0;
}

static void untie(struct watching *w, struct tie *t)
{
	*(t->before ? &t->before->after : &t->key->first) = t->after;
	if (t->after)
		t->after->before = t->before;
	if (w->at == t)
		w->at = t->after;
	if (!t->key->first)
		drop_key(w, t->key);
	w->ties--;
}

static void watcher_free(struct watching *w, struct watcher *who)
{
	if (!who)
		return;
	while (who->count > 0)
		untie(w, &who->ties[--who->count]);
	free(who);
}

/* A client says the same again and again. */
static bool is_same(const struct watcher *who, const struct text *keys, size_t count)
{
	if (who->count != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct watched *k = who->ties[i].key;
		if (k->size != keys[i].size || memcmp(k->key, keys[i].data, k->size) != 0)
			return false;
	}
	return true;
}

int watch_set(struct watching *w, const struct replica *r, uint64_t client, const struct text *keys,
	      size_t count)
{
	struct watcher *before = map_get(&w->clients, client, 0);
	if (before ? is_same(before, keys, count) : count == 0)
		return 0;
	if (w->ties - (before ? before->count : 0) + count > LIMIT_WATCHING)
		return KUDOS_BUSY;
	struct watcher *who = calloc(1, sizeof *who + count * sizeof *who->ties);
	int e = who ? 0 : -ENOMEM;
	for (size_t i = 0; e == 0 && i < count; i++) {
		who->ties[i].client = client;
		e = tie(w, r, &who->ties[i], keys[i]);
		who->count += e == 0;
	}
	if (e == 0 && count > 0)
		e = map_put(&w->clients, client, 0, who);
	if (e != 0) {
		watcher_free(w, who);
		return e;
	}
	if (count == 0) {
		map_remove(&w->clients, client, 0);
		free(who);
	}
	watcher_free(w, before);
	return 0;
}

static void end_those(struct watching *w, int64_t now, const struct port *port)
{
	const struct map_slot *slot;
	size_t at = 0;
	while ((slot = map_next(&w->clients, &at))) {
		const struct connection *c = port ? connections_at(&port->connections, slot->a) : NULL;
		if (c && now - c->heard < port->rules->silent)
			continue;
		watcher_free(w, map_remove(&w->clients, slot->a, 0));
		at--; /* another may have moved to its place */
	}
}

void watch_end_all(struct watching *w)
{
	end_those(w, 0, NULL);
}

void watch_expire(struct watching *w, int64_t now, const struct port *port)
{
	end_those(w, now, port);
}

/* ---- looking ---- */

/* Tells of the key that w->at watches. To how many. */
static int tell(struct watching *w, const struct replica *r, struct port *port, int most)
{
	const struct watched *k = w->at->key;
	struct message m = {
	    .type = MESSAGE_CHANGED,
	    .changed = {.key = {k->key, k->size}, .count = counts_get(&r->counts, k->key, k->size)}};
	int told = 0;
	bool made = port_encode(port, &m) == 0; /* else they are told nothing, and read it */
	for (; w->at && told < most; told++, w->at = w->at->after) {
		const struct connection *c = connections_at(&port->connections, w->at->client);
		if (c && made)
			port_send_encoded(port, c);
	}
	return told;
}

/* A round that took long, since many are told, is followed by a pause as long. */
static void end_round(struct watching *w, int64_t now)
{
	w->next = 0;
	w->seen = w->began;
	if (w->next_round < now + (now - w->began_at))
		w->next_round = now + (now - w->began_at);
}

void watch_look(struct watching *w, int64_t now, const struct replica *r, struct port *port)
{
	if (w->next == 0) {
		if (w->count == 0 || now < w->next_round || w->seen == r->stats.events)
			return;
		w->began = r->stats.events;
		w->began_at = now;
		w->next_round = now + WATCH_INTERVAL;
	}
	for (int left = WATCH_SLICE; left > 0 && (w->at || w->next < w->count);) {
		if (w->at) {
			left -= tell(w, r, port, left);
			continue;
		}
		struct watched *k = w->keys[w->next++];
		int64_t count = counts_get(&r->counts, k->key, k->size);
		if (count != k->told)
			w->at = k->first;
		k->told = count;
		left--;
	}
	if (!w->at && w->next >= w->count)
		end_round(w, now);
}

int64_t watch_deadline(const struct watching *w, const struct replica *r)
{
	if (w->next > 0)
		return 0; /* in the middle of a round */
	return w->count > 0 && w->seen != r->stats.events ? w->next_round : NEVER;
}
