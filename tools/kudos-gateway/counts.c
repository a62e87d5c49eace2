/* SPDX-License-Identifier: MIT */
#include "counts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "asking.h"
#include "gateway.h"
#include "routes.h"

#define TOKEN_HEADER "Kudos-Token"

struct counting {
	struct asking asking;
	struct events events; /* of likes; their keys are asked for */
	bool one;	      /* GET /v1/counts/{key} */
	const char *keys[];   /* the events', or libmicrohttpd's until the exchange ends */
};

static struct counting *counting_new(struct exchange *x, size_t key_count)
{
	struct counting *c = calloc(1, sizeof *c + key_count * sizeof c->keys[0]);
	if (!c)
		return NULL;
	struct question *q = &c->asking.question;
	q->keys = c->keys;
	q->key_count = key_count;
	q->token = exchange_parameter(x, "token");
	if (!q->token)
		q->token = exchange_header(x, TOKEN_HEADER);
	return c;
}

static json_t *as_json(const struct counting *c, const int64_t *counts)
{
	if (c->one)
		return json_pack("{s:s, s:I}", "key", c->keys[0], "count", (json_int_t)counts[0]);
	json_t *list = json_object();
	for (size_t i = 0; i < c->asking.question.key_count && list; i++) {
		if (json_object_set_new(list, c->keys[i], json_integer(counts[i])) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list ? json_pack("{s:o}", "counts", list) : NULL;
}

/* With the token in the body: a page's script does not see headers from elsewhere. */
static json_t *with_token(struct exchange *x, json_t *json)
{
	char token[KUDOS_TOKEN_SIZE];
	kudos_token(x->gateway->handle, token, sizeof token);
	if (json && json_object_set_new(json, "token", json_string(token)) != 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static void counted(struct question *q, int error, const int64_t *counts)
{
	struct counting *c = (struct counting *)q;
	struct exchange *x = asking_exchange(q);
	if (error)
		exchange_failed(x, error, NULL);
	else if (c->events.count)
		exchange_answer_json(x, MHD_HTTP_OK, with_token(x, as_json(c, counts)));
	else
		exchange_answer_json(x, MHD_HTTP_OK, as_json(c, counts));
}

static void ask(struct counting *c)
{
	c->asking.question.counted = counted;
	asking_ask(&c->asking);
}

static bool good_key(struct exchange *x, const char *key)
{
	if (kudos_check_key(key, strlen(key)) == KUDOS_OK)
		return true;
	exchange_failed(x, KUDOS_BAD_KEY, NULL);
	return false;
}

void counts_run_one(struct exchange *x)
{
	if (!good_key(x, x->rest))
		return;
	struct counting *c = counting_new(x, 1);
	if (!asking_init((struct asking *)c, x))
		return;
	c->one = true;
	c->keys[0] = x->rest;
	ask(c);
}

static enum MHD_Result count_keys(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	*(size_t *)arg += value && strcmp(name, "key") == 0;
	return MHD_YES;
}

/* No more than were counted. */
static enum MHD_Result take_keys(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	const char ***at = arg;
	(void)kind;
	if (value && strcmp(name, "key") == 0)
		*(*at)++ = value;
	return MHD_YES;
}

void counts_run(struct exchange *x)
{
	size_t count = 0;
	MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, count_keys, &count);
	if (count == 0 || count > QUESTION_KEYS) {
		exchange_problem(x, MHD_HTTP_BAD_REQUEST, "bad-request", "1 to %d parameters \"key\"",
				 QUESTION_KEYS);
		return;
	}
	struct counting *c = counting_new(x, count);
	if (!asking_init((struct asking *)c, x))
		return;
	const char **at = c->keys;
	MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, take_keys, &at);
	for (size_t i = 0; i < count; i++) {
		if (!good_key(x, c->keys[i]))
			return;
	}
	ask(c);
}

void counts_end(struct exchange *x)
{
	struct counting *c = x->work;
	if (c)
		events_deinit(&c->events);
	asking_end(x);
}

/* RFC 7240. */
static bool wants_nothing(const struct exchange *x)
{
	const char *prefer = exchange_header(x, "Prefer");
	return prefer && strcasecmp(prefer, "return=minimal") == 0;
}

void counts_answer_likes(struct exchange *x, struct events *events)
{
	if (wants_nothing(x)) {
		char token[KUDOS_TOKEN_SIZE];
		struct MHD_Response *response =
		    MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
		kudos_token(x->gateway->handle, token, sizeof token);
		if (response)
			MHD_add_response_header(response, TOKEN_HEADER, token);
		exchange_answer(x, MHD_HTTP_NO_CONTENT, response);
		return;
	}
	struct counting *c = counting_new(x, events->count);
	if (!c) { /* they are counted all the same */
		exchange_answer_empty(x, MHD_HTTP_NO_CONTENT);
		return;
	}
	asking_init(&c->asking, x);
	x->reads = true;
	c->asking.question.token = NULL; /* what this handle was acknowledged is newer */
	for (size_t i = 0; i < events->count; i++)
		c->keys[i] = events->list[i].key;
	c->events = *events;
	*events = (struct events){0};
	ask(c);
}
