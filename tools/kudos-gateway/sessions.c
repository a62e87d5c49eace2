/* SPDX-License-Identifier: MIT */
/* POST /v1/sessions, PUT and GET /v1/sessions/{session}/batches/{number}, DELETE /v1/sessions/{session}. */
#include "sessions.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "gateway.h"
#include "routes.h"

struct waiting {
	uint64_t id; /* first: what the tree goes by */
	struct exchange *exchange;
};

void sessions_init(struct sessions *s, kudos *handle)
{
	*s = (struct sessions){.handle = handle};
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct waiting *)a)->id, y = ((const struct waiting *)b)->id;
	return x < y ? -1 : x > y;
}

/* The exchange that waits for it, which does so no more; NULL: it has gone. */
static struct exchange *answered(struct sessions *s, uint64_t id)
{
	const struct waiting wanted = {.id = id};
	struct waiting **found = tfind(&wanted, &s->waiting, by_id);
	if (!found)
		return NULL;
	struct waiting *w = *found;
	struct exchange *x = w->exchange;
	tdelete(w, &s->waiting, by_id);
	free(w);
	x->work = NULL;
	return x;
}

/* Puts x down for what was asked; or answers it, when asking has failed. */
static void wait_for(struct exchange *x, int error, uint64_t id)
{
	struct sessions *s = &x->gateway->sessions;
	if (error) {
		exchange_failed(x, error, NULL);
		return;
	}
	struct waiting *w = malloc(sizeof *w);
	if (w)
		*w = (struct waiting){.id = id, .exchange = x};
	if (!w || !tsearch(w, &s->waiting, by_id)) {
		free(w);
		kudos_cancel(s->handle, id);
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
		return;
	}
	x->work = w;
}

void sessions_end(struct exchange *x)
{
	struct sessions *s = &x->gateway->sessions;
	const struct waiting *w = x->work;
	if (!w)
		return;
	uint64_t id = w->id;
	answered(s, id);
	kudos_cancel(s->handle, id);
}

/* {"lifetime": SECONDS}, or nothing. */
static bool take_lifetime(const struct exchange *x, uint64_t *lifetime)
{
	if (x->body_size == 0)
		return true;
	json_t *body = json_loadb(x->body, x->body_size, 0, NULL);
	const json_t *seconds = json_object_get(body, "lifetime");
	bool good = json_is_object(body) &&
		    (!seconds || (json_is_integer(seconds) && json_integer_value(seconds) >= 0));
	if (good && seconds)
		*lifetime = (uint64_t)json_integer_value(seconds);
	json_decref(body);
	return good;
}

void sessions_run_open(struct exchange *x)
{
	uint64_t id = 0, lifetime = 0;
	if (!take_lifetime(x, &lifetime)) {
		exchange_problem(x, MHD_HTTP_BAD_REQUEST, "bad-request",
				 "a body is empty or like {\"lifetime\":86400}: seconds, at most 604800");
		return;
	}
	int error = kudos_ask_session(x->gateway->handle, lifetime, &id);
	wait_for(x, error, id);
}

void sessions_opened(struct sessions *s, uint64_t id, int error, const char *session)
{
	struct exchange *x = answered(s, id);
	if (!x)
		return;
	if (error) {
		exchange_failed(x, error, NULL);
		return;
	}
	s->opened++;
	exchange_answer_json(x, MHD_HTTP_CREATED, json_pack("{s:s}", "session", session));
}

/* "SESSION/batches/NUMBER"; false: it is not that, and x has been answered. */
static bool take_apart(struct exchange *x, char session[KUDOS_SESSION_SIZE], uint64_t *number)
{
	static const char between[] = "/batches/";
	size_t size = strcspn(x->rest, "/");
	bool good = size < KUDOS_SESSION_SIZE && strncmp(x->rest + size, between, strlen(between)) == 0;
	if (good) {
		memcpy(session, x->rest, size);
		session[size] = '\0';
		const char *digits = x->rest + size + strlen(between);
		char *end;
		errno = 0;
		*number = strtoull(digits, &end, 10);
		good = *digits >= '1' && *digits <= '9' && *end == '\0' && errno == 0;
	}
	if (!good)
		exchange_problem(x, MHD_HTTP_NOT_FOUND, "no-path",
				 "a batch is at /v1/sessions/SESSION/batches/NUMBER, its number from 1 up");
	return good;
}

static int put(struct exchange *x, const char *session, uint64_t number, const struct events *events,
	       uint64_t *id)
{
	struct kudos_event list[EVENTS_MAX];
	for (size_t i = 0; i < events->count; i++)
		list[i] = (struct kudos_event){events->list[i].key, events->list[i].n};
	return kudos_ask_put(x->gateway->handle, session, number, list, events->count, id);
}

void sessions_run_put(struct exchange *x)
{
	char session[KUDOS_SESSION_SIZE];
	uint64_t number, id = 0;
	struct events events;
	if (!take_apart(x, session, &number) || !events_take(&events, x))
		return;
	int error = put(x, session, number, &events, &id);
	events_deinit(&events);
	wait_for(x, error, id);
}

/* Whether it was counted. */
void sessions_run_ask(struct exchange *x)
{
	char session[KUDOS_SESSION_SIZE];
	uint64_t number, id = 0;
	if (!take_apart(x, session, &number))
		return;
	int error = kudos_ask_counted(x->gateway->handle, session, number, &id);
	wait_for(x, error, id);
}

void sessions_run_close(struct exchange *x)
{
	uint64_t id = 0;
	int error = kudos_ask_session_close(x->gateway->handle, x->rest, &id);
	wait_for(x, error, id);
}

/* A batch is counted, or was, or a session closed. */
void sessions_put(struct sessions *s, uint64_t id, int error, const char *token)
{
	struct exchange *x = answered(s, id);
	if (!x)
		return;
	if (error)
		exchange_failed(x, error, NULL);
	else if (!*token)
		exchange_answer_empty(x, MHD_HTTP_NO_CONTENT);
	else
		exchange_answer_json(x, MHD_HTTP_OK, json_pack("{s:s}", "token", token));
	if (!error && *token && strcmp(x->method, "PUT") == 0)
		s->batches++;
}
