/* SPDX-License-Identifier: MIT */
#include "server/manager.h"
#include "core/agree.h"

void manager_tell_stopping(struct notify *n)
{
	notify_stopping(n);
	notify_status(n, "stopping: clients are told to move");
}

static void tell_status(struct notify *n, const struct host *h, int64_t now)
{
	struct load load;
	const char *what;
	switch (h->replica.ready.phase) {
	case PHASE_CATCHING_UP:
		what = replica_waits_for(&h->replica, now);
		notify_status(n, "not serving yet, waiting for %s", what ? what : "its next commit");
		break;
	case PHASE_SERVING:
		metrics_load(h, now, &load);
		notify_status(n, "serving %llu clients; %zu members", (unsigned long long)load.clients,
			      h->replica.peers.count + 1);
		break;
	case PHASE_DRAINING:
		manager_tell_stopping(n);
		break;
	}
}

void manager_tell(struct notify *n, const struct host *h, int64_t now)
{
	bool due = notify_tick(n, now), serves = h->replica.ready.phase == PHASE_SERVING;
	if (due || (serves && !n->ready))
		tell_status(n, h, now);
	if (serves)
		notify_ready(n);
}
