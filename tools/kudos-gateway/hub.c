/* SPDX-License-Identifier: MIT */
#include "hub.h"

#include <inttypes.h>
#include <jansson.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"

#define KEYS_A_HANDLE 1000 /* kudos_watch()'s limit */
#define NUMBER_ROOM 24	   /* bytes of a count, what ends an event, NUL */

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

/* Into the list of those that may have somebody to tell, at its end. */
static void make_busy(struct hub *hub, struct hub_key *k)
{
	if (k->busy)
		return;
	k->busy = true;
	k->next = NULL;
	if (hub->busy)
		hub->busy_last->next = k;
	else
		hub->busy = k;
	hub->busy_last = k;
}

static void on_change(void *arg, const char *name, int64_t count)
{
	struct hub *hub = arg;
	struct hub_key *k = find(hub, name);
	if (!k)
		return;
	k->version++;
	k->text_size =
	    k->number_at + (size_t)snprintf(k->text + k->number_at, NUMBER_ROOM, "%" PRId64 "}\n\n", count);
	make_busy(hub, k);
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
	free(k->text);
	free(k);
}

/* All of an event but the count. */
static bool make_text(struct hub_key *k)
{
	json_t *json = json_string(k->key);
	char *name = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
	int size =
	    name ? asprintf(&k->text, "event: count\ndata: {\"key\":%s,\"count\":%*s", name, NUMBER_ROOM, "")
		 : -1;
	if (size >= 0)
		k->number_at = (size_t)size - NUMBER_ROOM;
	else
		k->text = NULL;
	free(name);
	json_decref(json);
	return size >= 0;
}

static int add_key(struct hub *hub, const char *name, struct hub_key **key)
{
	struct hub_key *k = calloc(1, sizeof *k);
	if (!k)
		return KUDOS_NO_MEMORY;
	strncpy(k->key, name, sizeof k->key - 1);
	int error = make_text(k) ? choose_handle(hub, &k->handle) : KUDOS_NO_MEMORY;
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
	r->told = 0;
	r->resting = true;
	k->reader_count++;
	hub->reader_count++;
	return KUDOS_OK;
}

static void stand(struct hub_key *k, struct hub_reader *r, struct hub_reader *before)
{
	r->next = before;
	r->previous = before ? before->previous : k->last;
	*(r->previous ? &r->previous->next : &k->first) = r;
	*(r->next ? &r->next->previous : &k->last) = r;
	r->resting = false;
}

static void step_out(struct hub_reader *r)
{
	struct hub_key *k = r->key;
	*(r->previous ? &r->previous->next : &k->first) = r->next;
	*(r->next ? &r->next->previous : &k->last) = r->previous;
	r->resting = true;
}

static bool is_behind(const struct hub_reader *r)
{
	return r->version != r->key->version;
}

/* It has waited longest, if it has waited at all: those behind it are not to wait for its time. */
void hub_again(struct hub *hub, struct hub_reader *r)
{
	if (!r->resting)
		return;
	if (is_behind(r))
		r->told = 0;
	stand(r->key, r, is_behind(r) ? r->key->first : NULL);
	if (is_behind(r))
		make_busy(hub, r->key);
}

bool hub_due(const struct hub *hub, const struct hub_reader *r, int64_t now)
{
	return is_behind(r) && (r->told == 0 || now - r->told >= hub->interval);
}

void hub_told(struct hub_reader *r, int64_t now)
{
	r->version = r->key->version;
	r->told = now;
	if (!r->resting)
		step_out(r);
	stand(r->key, r, NULL);
}

static void forget_busy(struct hub *hub, struct hub_key *k)
{
	struct hub_key *before = NULL;
	if (!k->busy)
		return;
	for (struct hub_key *at = hub->busy; at != k; at = at->next)
		before = at;
	*(before ? &before->next : &hub->busy) = k->next;
	if (hub->busy_last == k)
		hub->busy_last = before;
}

void hub_leave(struct hub *hub, struct hub_reader *r)
{
	struct hub_key *k = r->key;
	if (!r->resting)
		step_out(r);
	hub->reader_count--;
	if (--k->reader_count)
		return;
	forget_busy(hub, k);
	kudos_unwatch(hub->handles[k->handle], k->key);
	hub->watched[k->handle]--;
	hub->key_count--;
	tdelete(k, &hub->keys, compare);
	key_free(k);
}

/* Tells the key's readers whose time has come; returns how many of the turns are left. */
static unsigned tell(struct hub *hub, struct hub_key *k, int64_t now, unsigned turns)
{
	struct hub_reader *r;
	for (; turns && (r = k->first) && hub_due(hub, r, now); turns--) {
		if (!r->tell(r))
			step_out(r);
	}
	return turns;
}

static void tell_all(struct hub *hub, int64_t now)
{
	struct hub_key *last = hub->busy_last;
	unsigned turns = HUB_TURNS_A_PASS;
	bool more = hub->busy != NULL;
	while (more && turns) {
		struct hub_key *k = hub->busy;
		more = k != last;
		hub->busy = k->next;
		k->busy = false;
		turns = tell(hub, k, now, turns);
		if (k->first && is_behind(k->first))
			make_busy(hub, k);
	}
}

int hub_process(struct hub *hub, int64_t now)
{
	for (unsigned i = 0; i < HUB_HANDLES && hub->handles[i]; i++) {
		int error = kudos_process(hub->handles[i], 0);
		if (error)
			return error;
	}
	tell_all(hub, now);
	return KUDOS_OK;
}

int64_t hub_deadline(const struct hub *hub, int64_t now)
{
	int64_t at = NEVER;
	for (unsigned i = 0; i < HUB_HANDLES && hub->handles[i]; i++) {
		int ms = kudos_wait_ms(hub->handles[i]);
		if (ms >= 0 && now + ms < at)
			at = now + ms;
	}
	for (const struct hub_key *k = hub->busy; k; k = k->next) {
		int64_t due = !k->first || k->first->told == 0 ? now : k->first->told + hub->interval;
		if (due < at)
			at = due;
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
