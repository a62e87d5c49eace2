/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"

#define BLOCK 1024 /* keys a read */
#define POLL_NS (20 * NS_PER_MS)

struct server {
	kudos *handle; /* owned */
	char name[64];
};

struct comparison {
	struct check *check;
	const struct keys *keys;
	bool all;
	int64_t deadline;
	size_t server_count;
	struct server servers[CHECK_SERVERS];
	size_t size; /* of the block */
	uint32_t block[BLOCK];
	const char *names[BLOCK];
	int64_t counts[CHECK_SERVERS][BLOCK];
};

int check_before(kudos *handle, struct keys *keys)
{
	const char *names[BLOCK];
	int64_t counts[BLOCK];
	for (uint32_t at = 0; at < keys->count; at += BLOCK) {
		const uint32_t n = keys->count - at < BLOCK ? keys->count - at : BLOCK;
		for (uint32_t i = 0; i < n; i++)
			names[i] = keys_name(keys, at + i);
		const int r = kudos_count(handle, names, n, counts);
		if (r != KUDOS_OK)
			return r;
		for (uint32_t i = 0; i < n; i++)
			keys->tallies[at + i].before = counts[i];
	}
	return KUDOS_OK;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

/* A server that keeps everything in memory returns as a new member; its former self stays on the list, down,
 * under the same name. */
static bool replaced(const struct kudos_status *status, const struct kudos_server_status *down)
{
	for (size_t i = 0; i < status->server_count; i++) {
		const struct kudos_server_status *other = &status->servers[i];
		if (other != down && strcmp(other->name, down->name) == 0 &&
		    strcmp(other->state, "down") != 0)
			return true;
	}
	return false;
}

/* Whether every server on the list can be asked; if not, check->problem says which cannot. */
static bool all_up(struct check *check, const struct kudos_status *status)
{
	for (size_t i = 0; i < status->server_count; i++) {
		const struct kudos_server_status *server = &status->servers[i];
		if (strcmp(server->state, "up") == 0 ||
		    (strcmp(server->state, "down") == 0 && replaced(status, server)))
			continue;
		snprintf(check->problem, sizeof(check->problem), "%s (node %s) is %s", server->name,
			 server->node, server->state);
		return false;
	}
	if (status->server_count == 0)
		snprintf(check->problem, sizeof(check->problem), "there is no server");
	return status->server_count > 0;
}

/* The servers, once all of them are up; NULL when that did not come in time. */
static struct kudos_status *await_servers(struct comparison *c, kudos *handle)
{
	for (;;) {
		struct kudos_status *status = NULL;
		const int r = kudos_status(handle, &status);
		if (r == KUDOS_OK && all_up(c->check, status))
			return status;
		if (r != KUDOS_OK)
			snprintf(c->check->problem, sizeof(c->check->problem), "%s", kudos_detail(handle));
		free(status);
		if (clock_ns() >= c->deadline)
			return NULL;
		pause_briefly();
	}
}

static bool open_servers(struct comparison *c, kudos *handle, const struct kudos_options *options)
{
	struct kudos_status *status = await_servers(c, handle);
	if (!status)
		return false;
	c->check->problem[0] = '\0';
	for (size_t i = 0; i < status->server_count; i++) {
		const struct kudos_server_status *row = &status->servers[i];
		struct kudos_options own = *options;
		if (strcmp(row->state, "up") != 0)
			continue;
		if (c->server_count == CHECK_SERVERS) {
			snprintf(c->check->problem, sizeof(c->check->problem), "more than %d servers",
				 CHECK_SERVERS);
			break;
		}
		struct server *server = &c->servers[c->server_count];
		own.server = row->client_endpoint;
		own.share = handle;
		snprintf(server->name, sizeof(server->name), "%s", row->name);
		if (kudos_open(&server->handle, &own) != KUDOS_OK) {
			snprintf(c->check->problem, sizeof(c->check->problem), "%s (%s) could not be opened",
				 row->name, row->client_endpoint);
			break;
		}
		c->server_count++;
	}
	free(status);
	c->check->servers = c->server_count;
	return c->check->problem[0] == '\0';
}

/* Fills the block with the next keys from *at on. */
static bool next_block(struct comparison *c, uint32_t *at)
{
	c->size = 0;
	for (; *at < c->keys->count && c->size < BLOCK; (*at)++) {
		if (!c->all && c->keys->tallies[*at].sent == 0)
			continue;
		c->block[c->size] = *at;
		c->names[c->size++] = keys_name(c->keys, *at);
	}
	return c->size > 0;
}

static bool read_block(struct comparison *c)
{
	for (size_t s = 0; s < c->server_count; s++) {
		const int r = kudos_count(c->servers[s].handle, c->names, c->size, c->counts[s]);
		if (r != KUDOS_OK) {
			snprintf(c->check->problem, sizeof(c->check->problem), "%s: %.400s",
				 c->servers[s].name, kudos_detail(c->servers[s].handle));
			return false;
		}
	}
	c->check->problem[0] = '\0';
	return true;
}

static bool differs(const struct comparison *c, size_t server, size_t i)
{
	const struct key_tally *tally = &c->keys->tallies[c->block[i]];
	const int64_t found = c->counts[server][i];
	return found < tally->before + tally->acked || found > tally->before + tally->sent ||
	       found != c->counts[0][i];
}

static bool block_equal(const struct comparison *c)
{
	for (size_t s = 0; s < c->server_count; s++) {
		for (size_t i = 0; i < c->size; i++) {
			if (differs(c, s, i))
				return false;
		}
	}
	return true;
}

static void note_differences(struct comparison *c)
{
	for (size_t i = 0; i < c->size; i++) {
		const struct key_tally *tally = &c->keys->tallies[c->block[i]];
		for (size_t s = 0; s < c->server_count; s++) {
			if (!differs(c, s, i) || c->check->differences++ >= CHECK_SHOWN)
				continue;
			struct check_difference *d = &c->check->shown[c->check->differences - 1];
			snprintf(d->key, sizeof(d->key), "%s", c->names[i]);
			snprintf(d->server, sizeof(d->server), "%s", c->servers[s].name);
			d->low = tally->before + tally->acked;
			d->high = tally->before + tally->sent;
			d->found = c->counts[s][i];
		}
	}
}

/* Reads the block until it is right or the time is over. False: a server cannot be read. */
static bool compare_block(struct comparison *c)
{
	for (;;) {
		const bool read = read_block(c);
		if (read && block_equal(c))
			return true;
		if (clock_ns() >= c->deadline) {
			if (read)
				note_differences(c);
			return read;
		}
		pause_briefly();
	}
}

void check_run(struct check *check, kudos *handle, const struct kudos_options *options,
	       const struct keys *keys, bool all, int64_t settle)
{
	const int64_t start = clock_ns();
	struct comparison *c = calloc(1, sizeof(*c));
	*check = (struct check){.ok = false};
	if (!c) {
		snprintf(check->problem, sizeof(check->problem), "out of memory");
		return;
	}
	*c = (struct comparison){.check = check, .keys = keys, .all = all, .deadline = start + settle};
	bool readable = open_servers(c, handle, options);
	for (uint32_t at = 0; readable && next_block(c, &at);) {
		readable = compare_block(c);
		check->keys += readable ? c->size : 0;
	}
	check->ok = readable && check->differences == 0;
	check->took = clock_ns() - start;
	for (size_t s = 0; s < c->server_count; s++)
		kudos_close(&c->servers[s].handle);
	free(c);
}
