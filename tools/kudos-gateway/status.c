/* SPDX-License-Identifier: MIT */
/* GET /v1/status, /readyz and /healthz. */
#include <stdlib.h>
#include <string.h>

#include "asking.h"
#include "gateway.h"
#include "routes.h"

static json_t *server_json(const struct kudos_server_status *s)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", s->name,
			 "node", s->node, "state", s->state, "client_endpoint", s->client_endpoint,
			 "notify_endpoint", s->notify_endpoint, "clients", (json_int_t)s->clients, "keys",
			 (json_int_t)s->keys, "likes_total", (json_int_t)s->likes_total, "events_per_s",
			 (json_int_t)s->events_per_s, "lag_records", (json_int_t)s->lag_records,
			 "journal_bytes", (json_int_t)s->journal_bytes, "malformed",
			 (json_int_t)s->malformed);
}

static json_t *status_json(const struct kudos_status *s)
{
	json_t *servers = json_array();
	for (size_t i = 0; i < s->server_count; i++)
		json_array_append_new(servers, server_json(&s->servers[i]));
	json_t *leader = *s->leader_endpoint
			     ? json_pack("{s:s, s:s, s:I}", "endpoint", s->leader_endpoint, "incarnation",
					 s->leader_incarnation, "members", (json_int_t)s->members)
			     : json_null();
	return json_pack("{s:o, s:o}", "leader", leader, "servers", servers);
}

static void tell_status(struct question *q, int error, const struct kudos_status *status)
{
	struct exchange *x = asking_exchange(q);
	if (error)
		exchange_failed(x, error, NULL);
	else
		exchange_answer_json(x, MHD_HTTP_OK, status_json(status));
}

static void tell_ready(struct question *q, int error, const struct kudos_status *status)
{
	struct exchange *x = asking_exchange(q);
	bool up = false;
	for (size_t i = 0; !error && i < status->server_count; i++)
		up |= strcmp(status->servers[i].state, "up") == 0;
	if (up)
		exchange_answer_json(x, MHD_HTTP_OK, json_pack("{s:b}", "ready", 1));
	else
		exchange_failed(x, error ? error : KUDOS_NO_SERVER, NULL);
}

static void ask(struct exchange *x, void (*status)(struct question *, int, const struct kudos_status *))
{
	struct asking *a = calloc(1, sizeof *a);
	if (!asking_init(a, x))
		return;
	a->question.status = status;
	asking_ask(a);
}

void status_run(struct exchange *x)
{
	ask(x, tell_status);
}

/* Whether likes would be taken now. */
void ready_run(struct exchange *x)
{
	ask(x, tell_ready);
}

/* The loop runs, whatever the cluster does. */
void health_run(struct exchange *x)
{
	exchange_answer_json(x, MHD_HTTP_OK, json_pack("{s:b}", "alive", 1));
}
