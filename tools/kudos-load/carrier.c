/* SPDX-License-Identifier: MIT */
#include "carrier.h"

#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "clock.h"

#define ASKED_MOST 256 /* sessions asked for at a time */
#define CLOSE_PATIENCE NS_PER_S
#define CLOSE_MS 20

/* Sessions are alike: whoever has none gets it. */
static void on_session(void *arg, uint64_t id, int error, const char *session)
{
	struct carrier *c = arg;
	(void)id;
	c->asked--;
	if (error == KUDOS_OK && c->opened < c->rider_count)
		memcpy(c->riders[c->opened++]->session, session, KUDOS_SESSION_SIZE);
}

static struct put *put_at(const struct carrier *c, uint64_t id)
{
	return &c->puts[id & (c->put_capacity - 1)];
}

/* What the session's end or doubts about its issuer leave open is in doubt; the rest was refused for good. */
static void on_put(void *arg, uint64_t id, int error, const char *token)
{
	struct carrier *c = arg;
	struct put *put = c->put_capacity ? put_at(c, id) : NULL;
	(void)token;
	if (!put || put->id != id) { /* a close's */
		c->closing -= c->closing > 0;
		return;
	}
	const struct put done = *put;
	*put = (struct put){0};
	if (error == KUDOS_EXPIRED || error == KUDOS_UNKNOWN_SESSION)
		error = KUDOS_IN_DOUBT;
	client_resolved(done.client, done.first, done.first + done.count - 1, error);
}

int carrier_init(struct carrier *c, const struct kudos_options *options, unsigned riders)
{
	struct kudos_options own = *options;
	own.on_session = on_session;
	own.on_put = on_put;
	own.arg = c;
	*c = (struct carrier){.ready = true};
	c->riders = calloc(riders, sizeof(struct client *));
	return c->riders ? kudos_open(&c->handle, &own) : KUDOS_NO_MEMORY;
}

void carrier_add(struct carrier *c, struct client *client)
{
	c->riders[c->rider_count++] = client;
}

static void close_sessions(struct carrier *c)
{
	const int64_t end = clock_ns() + CLOSE_PATIENCE;
	for (unsigned i = 0; i < c->opened; i++) {
		uint64_t id;
		c->closing += kudos_ask_session_close(c->handle, c->riders[i]->session, &id) == KUDOS_OK;
	}
	while (c->closing > 0 && clock_ns() < end && kudos_process(c->handle, CLOSE_MS) == KUDOS_OK)
		;
}

void carrier_deinit(struct carrier *c)
{
	if (c->handle)
		close_sessions(c);
	kudos_close(&c->handle);
	free(c->riders);
	free(c->puts);
	*c = (struct carrier){0};
}

int carrier_work(struct carrier *c)
{
	uint64_t id;
	while (c->opened + c->asked < c->rider_count && c->asked < ASKED_MOST &&
	       kudos_ask_session(c->handle, 0, &id) == KUDOS_OK)
		c->asked++;
	return kudos_process(c->handle, 0);
}

static bool grow(struct carrier *c)
{
	const uint64_t capacity = c->put_capacity ? 2 * c->put_capacity : 256;
	struct put *puts = calloc(capacity, sizeof(*puts));
	if (!puts)
		return false;
	/* Two that had places of their own have so in a table twice as large. */
	for (uint64_t i = 0; i < c->put_capacity; i++) {
		if (c->puts[i].id != 0)
			puts[c->puts[i].id & (capacity - 1)] = c->puts[i];
	}
	free(c->puts);
	c->puts = puts;
	c->put_capacity = capacity;
	return true;
}

int carrier_put(struct carrier *c, struct client *client, const struct kudos_event *events, uint32_t count,
		uint64_t first)
{
	uint64_t id;
	if (client->session[0] == '\0')
		return KUDOS_BUSY;
	const int r = kudos_ask_put(c->handle, client->session, client->number + 1, events, count, &id);
	if (r != KUDOS_OK)
		return r;
	while (c->put_capacity == 0 || put_at(c, id)->id != 0) {
		if (!grow(c))
			return KUDOS_NO_MEMORY;
	}
	client->number++;
	*put_at(c, id) = (struct put){.id = id, .client = client, .first = first, .count = count};
	c->stirred = true;
	return KUDOS_OK;
}
