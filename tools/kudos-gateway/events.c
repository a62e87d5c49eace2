/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <stdio.h>
#include <stdlib.h>

#include "exchange.h"
#include "kudos.h"

#define FORM "{\"key\":\"post:1\",\"n\":1} or {\"events\":[[\"post:1\",1]]}"

static int take(struct events *e, const json_t *key, const json_t *n, char *why, size_t room)
{
	if (!json_is_string(key) || (n && !json_is_integer(n))) {
		snprintf(why, room, "event %zu: a key is a string and an amount a whole number",
			 e->count + 1);
		return KUDOS_PROTOCOL;
	}
	struct event event = {json_string_value(key), n ? json_integer_value(n) : 1};
	int error = kudos_check_key(event.key, json_string_length(key));
	if (!error)
		error = kudos_check_amount(event.n);
	if (error)
		snprintf(why, room, "event %zu: %s", e->count + 1, kudos_error_text(error));
	else
		e->list[e->count++] = event;
	return error;
}

static int take_all(struct events *e, char *why, size_t room)
{
	const json_t *list = json_object_get(e->json, "events");
	size_t count = list ? json_array_size(list) : 1;
	if (!json_is_object(e->json) || (list && !json_is_array(list)) || count == 0) {
		snprintf(why, room, "a body is like " FORM);
		return KUDOS_PROTOCOL;
	}
	if (count > EVENTS_MAX) {
		snprintf(why, room, "%zu events: at most %d", count, EVENTS_MAX);
		return KUDOS_TOO_LARGE;
	}
	e->list = calloc(count, sizeof *e->list);
	if (!e->list)
		return KUDOS_NO_MEMORY;
	if (!list)
		return take(e, json_object_get(e->json, "key"), json_object_get(e->json, "n"), why, room);
	int error = 0;
	for (size_t i = 0; i < count && !error; i++) {
		const json_t *one = json_array_get(list, i);
		error = take(e, json_array_get(one, 0), json_array_get(one, 1), why, room);
	}
	return error;
}

int events_parse(struct events *events, const char *body, size_t size, char *why, size_t room)
{
	json_error_t error;
	*events = (struct events){.json = json_loadb(body ? body : "", size, JSON_REJECT_DUPLICATES, &error)};
	if (!events->json) {
		snprintf(why, room, "not JSON: %s; a body is like " FORM, error.text);
		return KUDOS_PROTOCOL;
	}
	int failed = take_all(events, why, room);
	if (failed)
		events_deinit(events);
	return failed;
}

bool events_take(struct events *events, struct exchange *x)
{
	char why[256] = "";
	int error = events_parse(events, x->body, x->body_size, why, sizeof why);
	if (error == KUDOS_PROTOCOL)
		exchange_problem(x, MHD_HTTP_BAD_REQUEST, "bad-request", "%s", why);
	else if (error)
		exchange_failed(x, error, why);
	return error == KUDOS_OK;
}

void events_deinit(struct events *events)
{
	json_decref(events->json);
	free(events->list);
	*events = (struct events){0};
}
