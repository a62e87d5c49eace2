/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define BATCH 256 /* likes of one batch that is carried */

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

void client_resolved(struct client *client, uint64_t first, uint64_t last, int error)
{
	const int64_t now = clock_ns();
	for (uint64_t at = client->chunk_head; at != client->chunk_next; at++) {
		struct chunk *chunk = chunk_at(client, at);
		const uint64_t end = chunk->first + chunk->count;
		if (chunk->first > last)
			break;
		if (end <= first)
			continue;
		const uint64_t from = first > chunk->first ? first : chunk->first;
		const uint64_t to = last + 1 < end ? last + 1 : end;
		resolve_chunk(client, chunk, from, to - from, error, now);
	}
	while (client->chunk_head != client->chunk_next && chunk_at(client, client->chunk_head)->left == 0)
		client->chunk_head++;
}

static void on_result(void *arg, const struct kudos_result *result)
{
	client_resolved(arg, result->first, result->last, result->error);
}

int client_init(struct client *client, const struct kudos_options *options, struct keys *keys)
{
	struct kudos_options own = *options;
	own.on_result = on_result;
	own.arg = client;
	*client = (struct client){.keys = keys, .next = 1};
	return kudos_open(&client->handle, &own);
}

void client_init_carried(struct client *client, struct carrier *carrier, struct keys *keys)
{
	*client = (struct client){.carrier = carrier, .keys = keys, .next = 1};
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

static void note_sent(struct client *client, uint32_t key)
{
	client->key_of[client->next++ & (client->key_capacity - 1)] = key;
	client->keys->tallies[key].sent++;
}

/* Each by itself; the handle makes batches of them. */
static int send_each(struct client *client, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t key = keys_draw(client->keys);
		const int r = kudos_send(client->handle, keys_name(client->keys, key), 1, NULL);
		if (r != KUDOS_OK)
			return r;
		note_sent(client, key);
	}
	return KUDOS_OK;
}

/* All as one batch. */
static int send_batch(struct client *client, uint32_t count)
{
	struct kudos_event events[BATCH] = {0};
	uint32_t drawn[BATCH];
	if (count > BATCH)
		count = BATCH;
	for (uint32_t i = 0; i < count; i++) {
		drawn[i] = keys_draw(client->keys);
		events[i] = (struct kudos_event){.key = keys_name(client->keys, drawn[i]), .n = 1};
	}
	const int r = carrier_put(client->carrier, client, events, count, client->next);
	for (uint32_t i = 0; r == KUDOS_OK && i < count; i++)
		note_sent(client, drawn[i]);
	return r;
}

int client_send(struct client *client, uint32_t count, uint32_t window, int64_t start, double spacing,
		uint32_t *sent)
{
	const uint64_t room = client->unresolved < window ? window - client->unresolved : 0;
	if (count > room)
		count = (uint32_t)room;
	*sent = 0;
	if (count == 0)
		return KUDOS_OK;
	if (!make_room(client, count))
		return KUDOS_NO_MEMORY;
	const uint64_t first = client->next;
	const int r = client->carrier ? send_batch(client, count) : send_each(client, count);
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
