/* SPDX-License-Identifier: MIT */
/* GET /v1/watch?key=…: server-sent events (the WHATWG's), a count for every key at first and again at each
 *change:
 *
 *	event: count
 *	data: {"key":"post:1","count":12}
 *
 * Nothing is queued for a reader: what it is told is the count at the time it has room, so a slow one costs
 *no more than a quick one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "routes.h"

#define KEYS_MOST 100	    /* of one stream */
#define EVENT_MOST 1024	    /* bytes: a key of 128, each escaped as six, and the rest */
#define BEAT_INTERVAL 15000 /* ms: a line that says nothing, so that who is between does not close */

struct stream {
	struct exchange *exchange;
	size_t reader_count;
	struct hub_reader readers[];
};

static void on_changed(struct hub_reader *r)
{
	struct stream *s = r->arg;
	exchange_resume(s->exchange);
}

static size_t print_event(struct hub_reader *r, char *to, size_t room)
{
	if (r->version == r->key->version)
		return 0;
	int size = snprintf(to, room, "event: count\ndata: {\"key\":%s,\"count\":%" PRId64 "}\n\n",
			    r->key->json, r->key->count);
	if (size < 0 || (size_t)size >= room)
		return 0; /* it comes with the next call */
	r->version = r->key->version;
	return (size_t)size;
}

/* libmicrohttpd asks for more when there is room; nothing more is a suspended connection. */
static ssize_t give_more(void *arg, uint64_t position, char *to, size_t room)
{
	struct stream *s = arg;
	size_t used = 0;
	(void)position;
	struct visits *visits = &s->exchange->gateway->http.visits;
	struct visit *visit = visits_of(s->exchange->connection);
	visits_due(visits, visit, gateway_now());
	for (size_t i = 0; i < s->reader_count; i++)
		used += print_event(&s->readers[i], to + used, room - used);
	if (used)
		return (ssize_t)used;
	if (gateway_now() >= s->exchange->until) {
		s->exchange->until = gateway_now() + BEAT_INTERVAL;
		memcpy(to, ":\n\n", 3);
		return 3;
	}
	visits_rest(visits, visit);
	s->exchange->suspended = true;
	MHD_suspend_connection(s->exchange->connection);
	return 0;
}

static enum MHD_Result join(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct stream *s = arg;
	struct exchange *x = s->exchange;
	(void)kind;
	if (!value || strcmp(name, "key") != 0)
		return MHD_YES;
	if (s->reader_count == KEYS_MOST) {
		exchange_problem(x, MHD_HTTP_CONTENT_TOO_LARGE, "limit", "at most %d keys a stream",
				 KEYS_MOST);
		return MHD_NO;
	}
	struct hub_reader *r = &s->readers[s->reader_count];
	*r = (struct hub_reader){.changed = on_changed, .arg = s};
	int error = kudos_check_key(value, strlen(value));
	if (!error)
		error = hub_join(&x->gateway->hub, r, value);
	if (error)
		exchange_failed(x, error, NULL);
	else
		s->reader_count++;
	return error ? MHD_NO : MHD_YES;
}

void watch_run(struct exchange *x)
{
	int keys = MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, NULL, NULL);
	size_t most = keys < 0 ? 0 : keys > KEYS_MOST ? KEYS_MOST : (size_t)keys;
	struct stream *s = calloc(1, sizeof *s + most * sizeof s->readers[0]);
	if (!s) {
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
		return;
	}
	s->exchange = x;
	x->work = s;
	MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, join, s);
	if (x->response)
		return;
	if (s->reader_count == 0) {
		exchange_problem(x, MHD_HTTP_BAD_REQUEST, "bad-request", "1 to %d parameters \"key\"",
				 KEYS_MOST);
		return;
	}
	struct MHD_Response *response =
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENT_MOST, give_more, s, NULL);
	if (response) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
		MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
		MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx */
	}
	x->until = gateway_now() + BEAT_INTERVAL;
	http_stream(&x->gateway->http, x);
	exchange_answer(x, MHD_HTTP_OK, response);
}

void watch_end(struct exchange *x)
{
	struct stream *s = x->work;
	for (size_t i = 0; s && i < s->reader_count; i++)
		hub_leave(&x->gateway->hub, &s->readers[i]);
	free(s);
}
