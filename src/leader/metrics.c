/* SPDX-License-Identifier: MIT */
#include "leader/metrics.h"

static void tell_servers(const struct desk *desk, int64_t now, struct metric_table *t)
{
	const struct members *members = &desk->directory.members;
	int64_t states[SERVER_UP + 1] = {0}, forgotten = 0;
	for (size_t i = 0; i < members->count; i++) {
		const struct member *m = &members->list[i];
		if (m->forgotten)
			forgotten++;
		else
			states[directory_state(&desk->directory, now, m->node, NULL)]++;
	}
	metric_begin(t, METRIC_GAUGE, "servers", "state", "Members that this leader knows.");
	metric_sample(t, "up", states[SERVER_UP]);
	metric_sample(t, "catching-up", states[SERVER_CATCHING_UP]);
	metric_sample(t, "down", states[SERVER_DOWN]);
	metric_gauge(t, "forgotten_servers", "Nodes that were forgotten.", forgotten);
}

int desk_metrics(const struct desk *desk, int64_t now, struct metric_table *t, uint64_t id, struct message *m)
{
	uint64_t sessions = 0;
	for (size_t i = 0; i < LIFETIME_CLASSES; i++)
		sessions += desk->directory.sessions[i];
	metric_table_init(t);
	metric_process(t);
	tell_servers(desk, now, t);
	metric_gauge(t, "connections", "Connections that said hello, of servers and clients.",
		     (int64_t)desk->port.connections.by_id.count);
	metric_counter(t, "assigned_total", "Clients that were sent to a server.", desk->directory.turns);
	metric_counter(t, "sessions_total", "Sessions that were given.", sessions);
	metric_by_type(t, "messages_total", "Messages of clients and servers.", desk->port.messages);
	metric_by_code(t, "errors_total", "Messages that were answered with an error.", desk->port.errors);
	metric_counter(t, "malformed_total",
		       "Messages not of the protocol, and connections ended that did not read.",
		       desk->port.malformed);
	return metric_table_message(t, id, m);
}
