/* SPDX-License-Identifier: MIT */
#include "leader/push.h"

#include <errno.h>
#include <stdlib.h>

#include "leader/desk.h"
#include "wire/message.h"

struct registration {
	uint64_t handle; /* of the connection, which may be closed by now */
	bool due;
};

static struct registration *find(const struct desk *desk, struct node n)
{
	return map_get(&desk->registrations, n.id, 0);
}

static void drop(struct desk *desk, struct node n)
{
	free(map_remove(&desk->registrations, n.id, 0));
}

int push_register(struct desk *desk, const struct connection *c)
{
	struct registration *r = find(desk, c->node);
	if (!r) {
		r = calloc(1, sizeof *r);
		if (!r)
			return -ENOMEM;
		if (map_put(&desk->registrations, c->node.id, 0, r) < 0) {
			free(r);
			return -ENOMEM;
		}
	}
	r->handle = c->handle;
	return 0;
}

const struct connection *push_connection(const struct desk *desk, struct node n)
{
	const struct registration *r = find(desk, n);
	return r ? connections_at(&desk->port.connections, r->handle) : NULL;
}

bool push_registered(const struct desk *desk, const struct connection *c)
{
	const struct registration *r = find(desk, c->node);
	return r && r->handle == c->handle;
}

bool push_due(const struct desk *desk, const struct connection *c)
{
	return push_registered(desk, c) && find(desk, c->node)->due;
}

/* Here and below by members, not by the map: the map's order is random. */
void push_mark(struct desk *desk)
{
	const struct members *members = &desk->directory.members;
	if (!desk->directory.changed)
		return;
	desk->directory.changed = false;
	desk->push_wanted = true;
	for (size_t i = 0; i < members->count; i++) {
		struct registration *r = find(desk, members->list[i].node);
		if (r)
			r->due = true;
	}
}

static int encode(struct desk *desk)
{
	const struct members *members = &desk->directory.members;
	struct message message = {.type = MESSAGE_MEMBERS,
				  .members = {.rows = members->list, .row_count = members->count}};
	return port_encode(&desk->port, &message);
}

int push_one(struct desk *desk, const struct connection *c)
{
	int r = encode(desk);
	if (r == 0)
		r = port_send_encoded(&desk->port, c);
	if (push_registered(desk, c))
		find(desk, c->node)->due = r != 0;
	return r < 0 ? r : 0;
}

void push_all(struct desk *desk)
{
	const struct members *members = &desk->directory.members;
	desk->push_wanted = false;
	bool encoded = encode(desk) == 0;
	for (size_t i = 0; i < members->count; i++) {
		struct registration *r = find(desk, members->list[i].node);
		const struct connection *c = push_connection(desk, members->list[i].node);
		if (encoded && c && r->due && port_send_encoded(&desk->port, c) == 0)
			r->due = false;
		if (members->list[i].forgotten)
			drop(desk, members->list[i].node);
	}
}

void push_deinit(struct desk *desk)
{
	size_t at = 0;
	for (struct map_slot *slot; (slot = map_next(&desk->registrations, &at));)
		free(slot->value);
	map_deinit(&desk->registrations);
}
