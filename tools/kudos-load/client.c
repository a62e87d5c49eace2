/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

static struct chunk *chunk_at(const struct client *client, uint64_t position)
{
	return &client->chunks[position & (client->chunk_capacity - 1)];
}

/* The lowest ticket whose key must still be known. */
static uint64_t oldest_ticket(const struct client *client)
{
	return client->chunk_head == client->chunk_next ? client->next
							: chunk_at(client, client->chunk_head)->first;
}

static void record_latency(const struct chunk *chunk, uint64_t first, uint64_t n, int64_t now)
{
	if (chunk->spacing <= 0) {
		histogram_add(chunk->latency, now - chunk->start, n);
		return;
	}
	for (uint64_t i = first - chunk->first; i < first - chunk->first + n; i++)
		histogram_add(chunk->latency, now - chunk->start - (int64_t)((double)i * chunk->spacing), 1);
}

static void resolve_chunk(struct client *client, struct chunk *chunk, uint64_t first, uint64_t n, int error,
			  int64_t now)
{
	struct key_tally *tallies = client->keys->tallies;
	const uint32_t *key_of = client->key_of;
	const uint64_t mask = client->key_capacity - 1;
	chunk->left -= (uint32_t)n;
	client->unresolved -= n;
	if (error == KUDOS_OK) {
		client->tally->acknowledged += n;
		record_latency(chunk, first, n, now);
		for (uint64_t t = first; t < first + n; t++)
			tallies[key_of[t & mask]].acked++;
	} else if (error == KUDOS_IN_DOUBT) {
		client->tally->in_doubt += n;
	} else {
		client->tally->refused += n;
		client->refusal = error;
		for (uint64_t t = first; t < first + n; t++)
			tallies[key_of[t & mask]].sent--;
	}
}

static void on_result(void *arg, const struct kudos_result *result)
{
	struct client *client = arg;
	const int64_t now = clock_ns();
	for (uint64_t at = client->chunk_head; at != client->chunk_next; at++) {
		struct chunk *chunk = chunk_at(client, at);
		const uint64_t end = chunk->first + chunk->count;
		if (chunk->first > result->last)
			break;
		if (end <= result->first)
			continue;
		const uint64_t from = result->first > chunk->first ? result->first : chunk->first;
		const uint64_t to = result->last + 1 < end ? result->last + 1 : end;
		resolve_chunk(client, chunk, from, to - from, result->error, now);
	}
	while (client->chunk_head != client->chunk_next && chunk_at(client, client->chunk_head)->left == 0)
		client->chunk_head++;
}

int client_init(struct client *client, const struct kudos_options *options, struct keys *keys)
{
	struct kudos_options own = *options;
	own.on_result = on_result;
	own.arg = client;
	*client = (struct client){.keys = keys, .next = 1};
	return kudos_open(&client->handle, &own);
}

void client_deinit(struct client *client)
{
	kudos_close(&client->handle);
	free(client->chunks);
	free(client->key_of);
	client->chunks = NULL;
	client->key_of = NULL;
}

/* Doubling keeps every entry at its number modulo the size, so each is copied to where it then belongs. */
static bool grow_chunks(struct client *client)
{
	const uint64_t capacity = client->chunk_capacity ? 2 * client->chunk_capacity : 64;
	struct chunk *ring = malloc(capacity * sizeof(*ring));
	if (!ring)
		return false;
	for (uint64_t at = client->chunk_head; at != client->chunk_next; at++)
		ring[at & (capacity - 1)] = *chunk_at(client, at);
	free(client->chunks);
	client->chunks = ring;
	client->chunk_capacity = capacity;
	return true;
}

static bool grow_keys(struct client *client)
{
	const uint64_t capacity = client->key_capacity ? 2 * client->key_capacity : 1024;
	uint32_t *ring = malloc(capacity * sizeof(*ring));
	if (!ring)
		return false;
	for (uint64_t t = oldest_ticket(client); t < client->next; t++)
		ring[t & (capacity - 1)] = client->key_of[t & (client->key_capacity - 1)];
	free(client->key_of);
	client->key_of = ring;
	client->key_capacity = capacity;
	return true;
}

static bool make_room(struct client *client, uint32_t count)
{
	if (client->chunk_next - client->chunk_head == client->chunk_capacity && !grow_chunks(client))
		return false;
	while (client->next - oldest_ticket(client) + count > client->key_capacity) {
		if (!grow_keys(client))
			return false;
	}
	return true;
}

int client_send(struct client *client, uint32_t count, uint32_t window, int64_t start, double spacing,
		uint32_t *sent)
{
	struct keys *keys = client->keys;
	const uint64_t room = client->unresolved < window ? window - client->unresolved : 0;
	if (count > room)
		count = (uint32_t)room;
	*sent = 0;
	if (count == 0)
		return KUDOS_OK;
	if (!make_room(client, count))
		return KUDOS_NO_MEMORY;
	const uint64_t first = client->next;
	int r = KUDOS_OK;
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t key = keys_draw(keys);
		r = kudos_send(client->handle, keys_name(keys, key), 1, NULL);
		if (r != KUDOS_OK)
			break;
		client->key_of[client->next++ & (client->key_capacity - 1)] = key;
		keys->tallies[key].sent++;
	}
	const uint32_t taken = (uint32_t)(client->next - first);
	if (taken > 0) {
		*chunk_at(client, client->chunk_next) = (struct chunk){.latency = &client->tally->latency,
								       .first = first,
								       .count = taken,
								       .left = taken,
								       .start = start,
								       .spacing = spacing};
		client->chunk_next++;
		client->unresolved += taken;
	}
	*sent = taken;
	return r == KUDOS_BUSY ? KUDOS_OK : r;
}
