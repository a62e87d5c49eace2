/* SPDX-License-Identifier: MIT */
#include "hub.h"

#include <jansson.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"

#define KEYS_A_HANDLE 1000 /* kudos_watch()'s limit */

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct hub_key *)a)->key, ((const struct hub_key *)b)->key);
}

static struct hub_key *find(const struct hub *hub, const char *name)
{
	struct hub_key wanted;
	strncpy(wanted.key, name, sizeof wanted.key - 1);
	wanted.key[sizeof wanted.key - 1] = '\0';
	struct hub_key **found = tfind(&wanted, &hub->keys, compare);
	return found ? *found : NULL;
}

static void tell(struct hub_key *k, int64_t now)
{
	k->late = false;
	k->told = now;
	k->version++;
	for (struct hub_reader *r = k->readers, *next; r; r = next) {
		next = r->next;
		r->changed(r);
	}
}

static void on_change(void *arg, const char *name, int64_t count)
{
	struct hub *hub = arg;
	struct hub_key *k = find(hub, name);
	if (!k)
		return;
	k->count = count;
	int64_t now = gateway_now();
	if (k->version == 0 || now - k->told >= hub->interval) {
		if (!k->late)
			tell(k, now);
	} else if (!k->late) {
		k->late = true;
		k->later = hub->late;
		hub->late = k;
	}
}

void hub_init(struct hub *hub, kudos *shared, const struct options *o)
{
	*hub = (struct hub){
	    .shared = shared,
	    .how = {.leaders = o->leaders, .server = o->server, .share = shared, .on_change = on_change},
	    .interval = 1000 / o->watch_rate,
	};
}

void hub_deinit(struct hub *hub)
{
	for (unsigned i = 0; i < HUB_HANDLES; i++)
		kudos_close(&hub->handles[i]);
}

/* The first handle with room; opened when there is none yet. */
static int choose_handle(struct hub *hub, unsigned *at)
{
	for (unsigned i = 0; i < HUB_HANDLES; i++) {
		if (hub->watched[i] == KEYS_A_HANDLE)
			continue;
		hub->how.arg = hub;
		int error = hub->handles[i] ? KUDOS_OK : kudos_open(&hub->handles[i], &hub->how);
		if (!error)
			*at = i;
		return error;
	}
	return KUDOS_LIMIT;
}

static void key_free(struct hub_key *k)
{
	free(k->json);
	free(k);
}

static int add_key(struct hub *hub, const char *name, struct hub_key **key)
{
	struct hub_key *k = calloc(1, sizeof *k);
	if (!k)
		return KUDOS_NO_MEMORY;
	json_t *json = json_string(name);
	strncpy(k->key, name, sizeof k->key - 1);
	k->json = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
	json_decref(json);
	int error = k->json ? choose_handle(hub, &k->handle) : KUDOS_NO_MEMORY;
	if (!error && !tsearch(k, &hub->keys, compare))
		error = KUDOS_NO_MEMORY;
	if (error) {
		key_free(k);
		return error;
	}
	error = kudos_watch(hub->handles[k->handle], name);
	if (error) {
		tdelete(k, &hub->keys, compare);
		key_free(k);
		return error;
	}
	hub->watched[k->handle]++;
	hub->key_count++;
	*key = k;
	return KUDOS_OK;
}

int hub_join(struct hub *hub, struct hub_reader *r, const char *name)
{
	struct hub_key *k = find(hub, name);
	int error = k ? KUDOS_OK : add_key(hub, name, &k);
	if (error)
		return error;
	r->key = k;
	r->version = 0;
	r->previous = NULL;
	r->next = k->readers;
	if (r->next)
		r->next->previous = r;
	k->readers = r;
	hub->reader_count++;
	return KUDOS_OK;
}

static void forget_late(struct hub *hub, const struct hub_key *k)
{
	struct hub_key **at = &hub->late;
	while (*at && *at != k)
		at = &(*at)->later;
	if (*at)
		*at = k->later;
}

void hub_leave(struct hub *hub, struct hub_reader *r)
{
	struct hub_key *k = r->key;
	if (r->next)
		r->next->previous = r->previous;
	if (r->previous)
		r->previous->next = r->next;
	else
		k->readers = r->next;
	hub->reader_count--;
	if (k->readers)
		return;
	forget_late(hub, k);
	kudos_unwatch(hub->handles[k->handle], k->key);
	hub->watched[k->handle]--;
	hub->key_count--;
	tdelete(k, &hub->keys, compare);
	key_free(k);
}

int hub_process(struct hub *hub, int64_t now)
{
	for (unsigned i = 0; i < HUB_HANDLES && hub->handles[i]; i++) {
		int error = kudos_process(hub->handles[i], 0);
		if (error)
			return error;
	}
	struct hub_key **at = &hub->late;
	while (*at) {
		struct hub_key *k = *at;
		if (now - k->told < hub->interval) {
			at = &k->later;
			continue;
		}
		*at = k->later;
		tell(k, now);
	}
	return KUDOS_OK;
}

int64_t hub_deadline(const struct hub *hub)
{
	int64_t at = NEVER, now = gateway_now();
	for (unsigned i = 0; i < HUB_HANDLES && hub->handles[i]; i++) {
		int ms = kudos_wait_ms(hub->handles[i]);
		if (ms >= 0 && now + ms < at)
			at = now + ms;
	}
	for (const struct hub_key *k = hub->late; k; k = k->later) {
		if (k->told + hub->interval < at)
			at = k->told + hub->interval;
	}
	return at;
}

nfds_t hub_fds(const struct hub *hub, struct pollfd *fds)
{
	nfds_t count = 0;
	for (unsigned i = 0; i < HUB_HANDLES && hub->handles[i]; i++)
		fds[count++] = (struct pollfd){.fd = kudos_fd(hub->handles[i]), .events = POLLIN};
	return count;
}
