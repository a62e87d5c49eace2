/* SPDX-License-Identifier: MIT */
#include "net/connections.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void connections_init(struct connections *s, uint64_t seed)
{
	*s = (struct connections){0};
	map_init(&s->by_id, seed);
	map_init(&s->by_handle, seed);
}

void connections_deinit(struct connections *s)
{
	while (s->oldest)
		connections_close(s, s->oldest);
	map_deinit(&s->by_id);
	map_deinit(&s->by_handle);
}

static void hash_id(const struct connections *s, const uint8_t *id, size_t id_size, uint64_t hash[2])
{
	hash[0] = hash_bytes(id, id_size, s->by_id.seed);
	hash[1] = hash_bytes(id, id_size, ~s->by_id.seed);
}

struct connection *connections_find(const struct connections *s, const uint8_t *id, size_t id_size)
{
	uint64_t hash[2];
	hash_id(s, id, id_size, hash);
	struct connection *c = map_get(&s->by_id, hash[0], hash[1]);
	return c && c->id_size == id_size && memcmp(c->id, id, id_size) == 0 ? c : NULL;
}

struct connection *connections_at(const struct connections *s, uint64_t handle)
{
	return map_get(&s->by_handle, handle, 0);
}

static void unlink_one(struct connections *s, struct connection *c)
{
	*(c->older ? &c->older->newer : &s->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &s->newest) = c->older;
	c->older = c->newer = NULL;
}

static void link_newest(struct connections *s, struct connection *c)
{
	c->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = c;
	s->newest = c;
}

struct connection *connections_open(struct connections *s, int64_t now, const uint8_t *id, size_t id_size,
				    struct node node)
{
	struct connection *c = connections_find(s, id, id_size);
	if (c && node_equal(c->node, node))
		return c;
	if (c)
		connections_close(s, c);
	c = calloc(1, sizeof *c + id_size);
	if (!c)
		return NULL;
	c->heard = now;
	c->handle = s->last_handle + 1;
	c->node = node;
	c->id_size = (uint8_t)id_size;
	memcpy(c->id, id, id_size);
	hash_id(s, id, id_size, c->hash);
	struct connection *other = map_get(&s->by_id, c->hash[0], c->hash[1]);
	if (other) /* another identity of the same hash: who says hello last has the place */
		connections_close(s, other);
	if (map_put(&s->by_id, c->hash[0], c->hash[1], c) < 0) {
		free(c);
		return NULL;
	}
	if (map_put(&s->by_handle, c->handle, 0, c) < 0) {
		map_remove(&s->by_id, c->hash[0], c->hash[1]);
		free(c);
		return NULL;
	}
	s->last_handle++;
	s->clients += node.id == 0;
	link_newest(s, c);
	return c;
}

void connections_touch(struct connections *s, struct connection *c, int64_t now)
{
	c->heard = now;
	unlink_one(s, c);
	link_newest(s, c);
}

void connections_close(struct connections *s, struct connection *c)
{
	map_remove(&s->by_id, c->hash[0], c->hash[1]);
	map_remove(&s->by_handle, c->handle, 0);
	unlink_one(s, c);
	s->clients -= c->node.id == 0;
	free(c);
}

size_t connections_active(const struct connections *s, int64_t since)
{
	size_t n = 0;
	for (const struct connection *c = s->newest; c && c->heard >= since; c = c->older)
		n += c->node.id == 0;
	return n;
}
