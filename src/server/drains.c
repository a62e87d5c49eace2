/* SPDX-License-Identifier: MIT */
#include "server/drains.h"

#include <stdio.h>

#include "base/log.h"
#include "core/naming.h"
#include "kudos.h"

bool drains_told(struct drains *d, const struct replica *r, struct text target)
{
	const struct member *self = members_find(&r->membership.current, r->config.self.node);
	if (!self || self->forgotten || !naming_means(self, target.data, target.size))
		return false;
	if (!d->wanted)
		log_info("draining, as told by an operator");
	d->wanted = true;
	return true;
}

/* Hello first: the other may have started again since it heard the last one, and would only say so. (One that
 * has is not to drain anew.) */
void drains_tick(struct drains *d, int64_t now, const struct replica *r, struct port *port, struct out *out)
{
	char node[17];
	struct passed_one one;
	const struct message hello = out_hello(r->config.self.node);
	for (enum passed_due due; (due = passed_next(&d->passed, now, &one)) != PASSED_NONE;) {
		const struct member *m = members_find(&r->membership.current, one.to);
		bool runs = m && !m->forgotten && origin_equal(m->origin, one.run);
		snprintf(node, sizeof node, "%016llx", (unsigned long long)one.to.id);
		if (due == PASSED_OVER || !runs) {
			port_tell_error(port, one.client, one.client_id, KUDOS_NO_SERVER,
					"%s has %s: see status whether it stops, or try again", node,
					runs ? "not confirmed it" : "ended, or was started again");
			passed_take(&d->passed, one.to, one.id, &one);
			continue;
		}
		out_peer(out, one.to, &hello);
		out_peer(out, one.to,
			 &(struct message){.type = MESSAGE_DRAIN, .drain = {one.id, {node, 16}}});
	}
}

void drains_confirmed(struct drains *d, struct port *port, struct node peer, uint64_t id)
{
	struct passed_one one;
	if (passed_take(&d->passed, peer, id, &one))
		port_tell(port, one.client, &(struct message){.type = MESSAGE_DONE, .done = {one.client_id}});
}
