/* SPDX-License-Identifier: MIT */
#include "core/directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "core/naming.h"
#include "core/proof.h"
#include "kudos.h"

void directory_init(struct directory *d, uint64_t incarnation)
{
	*d = (struct directory){.incarnation = incarnation};
}

void directory_deinit(struct directory *d)
{
	members_deinit(&d->members);
	free(d->servers);
	*d = (struct directory){0};
}

/* Where n's server is, or would have to be inserted. */
static size_t place(const struct directory *d, struct node n)
{
	return array_place(d->servers, d->count, sizeof *d->servers, n.id);
}

static struct directory_server *find_server(const struct directory *d, struct node n)
{
	size_t at = place(d, n);
	return at < d->count && node_equal(d->servers[at].node, n) ? &d->servers[at] : NULL;
}

static int add_server(struct directory *d, struct node n, struct directory_server **server)
{
	size_t at = place(d, n);
	if (at == d->count || !node_equal(d->servers[at].node, n)) {
		if (array_reserve(&d->servers, d->count + 1, &d->capacity, sizeof *d->servers) < 0)
			return -ENOMEM;
		memmove(&d->servers[at + 1], &d->servers[at], (d->count - at) * sizeof *d->servers);
		d->servers[at] = (struct directory_server){.node = n};
		d->count++;
	}
	*server = &d->servers[at];
	return 0;
}

static bool silent(const struct directory_server *s, int64_t now)
{
	return now - s->heard > DIRECTORY_DOWN_AFTER;
}

static enum server_state state_of(const struct directory *d, const struct directory_server *s, int64_t now)
{
	const struct member *row = members_find(&d->members, s->node);
	if (!row || row->forgotten || silent(s, now))
		return SERVER_DOWN;
	return s->load.serving ? SERVER_UP : SERVER_CATCHING_UP;
}

enum server_state directory_state(const struct directory *d, int64_t now, struct node n, struct load *load)
{
	const struct directory_server *s = find_server(d, n);
	if (load)
		*load = s ? s->load : (struct load){0};
	return s ? state_of(d, s, now) : SERVER_DOWN;
}

/* --- registering --- */

static bool same_attributes(const struct member *a, const struct member *b)
{
	return origin_equal(a->origin, b->origin) && a->ephemeral == b->ephemeral &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->client_endpoint, b->client_endpoint) == 0 &&
	       strcmp(a->notify_endpoint, b->notify_endpoint) == 0;
}

/* What a server says of itself is true now, even if its clock went back and `since` with it. So that it also
 * wins wherever the row travels on to, it is dated past the one it replaces. */
static struct member own_row(const struct directory *d, const struct member *told)
{
	const struct member *held = members_find(&d->members, told->node);
	struct member row = *told;
	if (!held)
		return row;
	if (same_attributes(held, told))
		row.since = held->since;
	else if (row.since <= held->since)
		row.since = held->since < INT64_MAX ? held->since + 1 : INT64_MAX;
	return row;
}

/* Its own row among those it sent; NULL when missing or another is invalid. */
static const struct member *find_own(struct node from, const struct member *rows, size_t count)
{
	const struct member *own = NULL;
	for (size_t i = 0; i < count; i++) {
		if (rows[i].node.id == 0)
			return NULL;
		if (node_equal(rows[i].node, from))
			own = &rows[i];
	}
	return own;
}

static int learn(struct directory *d, const struct member *row)
{
	int r = members_add(&d->members, row);
	if (r > 0)
		d->changed = true;
	if (r == -E2BIG)
		return KUDOS_LIMIT;
	return r < 0 ? r : 0;
}

int directory_register(struct directory *d, int64_t now, struct node from, const struct member *rows,
		       size_t count)
{
	const struct member *told = find_own(from, rows, count);
	if (!told)
		return KUDOS_PROTOCOL;
	const struct member *held = members_find(&d->members, from);
	if (told->forgotten || (held && held->forgotten))
		return KUDOS_FORGOTTEN;

	bool new_run = !held || !origin_equal(held->origin, told->origin);
	struct member own = own_row(d, told);
	int r = learn(d, &own);
	for (size_t i = 0; i < count && r == 0; i++) {
		if (!node_equal(rows[i].node, from))
			r = learn(d, &rows[i]);
	}
	if (r != 0)
		return r;

	struct directory_server *s;
	r = add_server(d, from, &s);
	if (r < 0)
		return r;
	s->heard = now;
	if (new_run) {
		s->load = (struct load){0};
		s->assigned = 0;
	}
	return 0;
}

int directory_heartbeat(struct directory *d, int64_t now, struct node n, struct origin o,
			const struct load *load)
{
	const struct member *row = members_find(&d->members, n);
	struct directory_server *s = find_server(d, n);
	if (row && row->forgotten)
		return KUDOS_FORGOTTEN;
	if (!s || !row || !origin_equal(row->origin, o))
		return KUDOS_UNKNOWN_NODE;
	s->heard = now;
	s->load = *load;
	s->assigned = 0; /* by now they are among load's clients, or have gone elsewhere */
	return 0;
}

/* --- assigning --- */

struct candidate {
	struct directory_server *server;
	uint64_t clients;
	bool lost;
};

/* The turn decides before the node id, which only makes the order total. */
static int compare_candidates(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	if (a->lost != b->lost)
		return a->lost ? 1 : -1;
	if (a->clients != b->clients)
		return a->clients < b->clients ? -1 : 1;
	if (a->server->turn != b->server->turn)
		return a->server->turn < b->server->turn ? -1 : 1;
	return a->server->node.id < b->server->node.id ? -1 : 1;
}

static size_t find_candidates(const struct directory *d, int64_t now, struct node lost,
			      struct candidate *candidates)
{
	size_t count = 0;
	for (size_t i = 0; i < d->count; i++) {
		struct directory_server *s = &d->servers[i];
		if (state_of(d, s, now) != SERVER_UP)
			continue;
		uint64_t clients = s->load.clients;
		clients = clients > UINT64_MAX - s->assigned ? UINT64_MAX : clients + s->assigned;
		candidates[count++] = (struct candidate){s, clients, node_equal(s->node, lost)};
	}
	/* cppcheck-suppress uninitvar ; as many as count are written */
	qsort(candidates, count, sizeof *candidates, compare_candidates);
	return count;
}

int directory_assign(struct directory *d, int64_t now, const struct wish *wish, struct session *session,
		     struct proof *proof, const struct member **order, size_t *count)
{
	struct candidate candidates[LIMIT_MEMBERS];
	size_t found = find_candidates(d, now, wish->lost, candidates);
	if (found == 0)
		return KUDOS_NO_SERVER;

	candidates[0].server->assigned++;
	candidates[0].server->turn = ++d->turns;
	for (size_t i = 0; i < found; i++)
		order[i] = members_find(&d->members, candidates[i].server->node);
	*session = (struct session){0};
	*proof = (struct proof){0};
	if (wish->session) {
		unsigned class = lifetime_class_for(wish->lifetime);
		*session = (struct session){lifetime_issuer(d->incarnation, class), ++d->sessions[class]};
		*proof =
		    proof_make(order[0], *session); /* where the client goes first can check it for sure */
	}
	*count = found;
	return 0;
}

/* --- listing and forgetting --- */

static int compare_names(const void *left, const void *right)
{
	const struct member *a = *(const struct member *const *)left;
	const struct member *b = *(const struct member *const *)right;
	int names = strcmp(a->name, b->name);
	if (names != 0)
		return names;
	return a->node.id < b->node.id ? -1 : a->node.id > b->node.id;
}

size_t directory_list(const struct directory *d, const struct member **rows)
{
	size_t count = 0;
	for (size_t i = 0; i < d->members.count; i++) {
		if (!d->members.list[i].forgotten)
			rows[count++] = &d->members.list[i];
	}
	qsort(rows, count, sizeof *rows, compare_names);
	return count;
}

struct looking {
	const struct directory *d;
	int64_t now;
};

static bool is_down(const void *arg, const struct member *m)
{
	const struct looking *l = arg;
	return directory_state(l->d, l->now, m->node, NULL) == SERVER_DOWN;
}

int directory_forget(struct directory *d, int64_t now, const char *target, size_t size, char *text,
		     size_t text_size)
{
	const struct naming naming = {&d->members, is_down, &(struct looking){d, now}, true};
	const struct member *found;
	int r = naming_find(&naming, target, size, &found, text, text_size);
	if (r != 0)
		return r;
	struct member *m = members_find(&d->members, found->node);
	d->changed = d->changed || !m->forgotten;
	m->forgotten = true;
	return 0;
}

int directory_find_running(struct directory *d, int64_t now, const char *target, size_t size,
			   const struct member **found, char *text, size_t text_size)
{
	const struct naming naming = {&d->members, is_down, &(struct looking){d, now}, false};
	const struct member *m;
	int r = naming_find(&naming, target, size, &m, text, text_size);
	if (r != 0)
		return r;
	if (directory_state(d, now, m->node, NULL) == SERVER_DOWN) {
		snprintf(text, text_size, "%s is down: there is nothing to drain", m->name);
		return KUDOS_NO_SERVER;
	}
	*found = m;
	return 0;
}

/* --- what time does --- */

const struct member *directory_next_change(struct directory *d, int64_t now, enum server_state *state)
{
	for (size_t i = 0; i < d->count; i++) {
		struct directory_server *s = &d->servers[i];
		enum server_state current = state_of(d, s, now);
		if (current == s->told)
			continue;
		s->told = current;
		*state = current;
		return members_find(&d->members, s->node);
	}
	return NULL;
}

int64_t directory_deadline(const struct directory *d)
{
	int64_t deadline = NEVER;
	for (size_t i = 0; i < d->count; i++) {
		int64_t down = d->servers[i].heard + DIRECTORY_DOWN_AFTER + 1;
		if (d->servers[i].told != SERVER_DOWN && down < deadline)
			deadline = down;
	}
	return deadline;
}
