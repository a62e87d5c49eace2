/* SPDX-License-Identifier: MIT */
#include "leader/drain.h"

#include <stdio.h>

#include "base/log.h"
#include "kudos.h"
#include "leader/desk.h"
#include "leader/push.h"
#include "wire/message.h"

static void tell(struct desk *desk, const struct passed_one *one)
{
	char node[17];
	snprintf(node, sizeof node, "%016llx", (unsigned long long)one->to.id);
	const struct connection *c = push_connection(desk, one->to);
	if (c)
		port_tell(&desk->port, c->handle,
			  &(struct message){.type = MESSAGE_DRAIN, .drain = {one->id, {node, 16}}});
}

/* One that was started again meanwhile is not to drain anew. */
static bool still_runs(const struct desk *desk, int64_t now, const struct passed_one *one)
{
	struct load load;
	const struct member *m = members_find(&desk->directory.members, one->to);
	return m && !m->forgotten && origin_equal(m->origin, one->run) &&
	       directory_state(&desk->directory, now, one->to, &load) != SERVER_DOWN;
}

static void give_up(struct desk *desk, const struct passed_one *one, bool runs)
{
	const struct member *m = members_find(&desk->directory.members, one->to);
	port_tell_error(&desk->port, one->client, one->client_id, KUDOS_NO_SERVER,
			"%s has %s: see status whether it stops, or try again", m ? m->name : "the server",
			runs ? "not confirmed it" : "ended, or was started again");
}

int drain_pass(struct desk *desk, int64_t now, const struct member *to, const struct connection *asker,
	       uint64_t id)
{
	int r = passed_add(&desk->drains, now, to->node, to->origin, asker->handle, id);
	drain_tick(desk, now);
	return r;
}

void drain_confirmed(struct desk *desk, struct node from, uint64_t id)
{
	struct passed_one one;
	if (!passed_take(&desk->drains, from, id, &one))
		return;
	log_info("%016llx drains, as told by an operator", (unsigned long long)from.id);
	port_tell(&desk->port, one.client, &(struct message){.type = MESSAGE_DONE, .done = {one.client_id}});
}

void drain_tick(struct desk *desk, int64_t now)
{
	struct passed_one one;
	for (enum passed_due due; (due = passed_next(&desk->drains, now, &one)) != PASSED_NONE;) {
		bool runs = still_runs(desk, now, &one);
		if (due == PASSED_SEND && runs)
			tell(desk, &one);
		else
			give_up(desk, &one, runs);
		if (!runs)
			passed_take(&desk->drains, one.to, one.id, &one);
	}
}
