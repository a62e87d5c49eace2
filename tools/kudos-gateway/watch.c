/* SPDX-License-Identifier: MIT */
/* GET /v1/watch?key=… */
#include <string.h>

#include "gateway.h"
#include "routes.h"
#include "stream.h"

static enum MHD_Result join(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct stream *s = arg;
	struct exchange *x = s->exchange;
	(void)kind;
	if (!value || strcmp(name, "key") != 0)
		return MHD_YES;
	if (s->reader_count == STREAM_KEYS) {
		exchange_problem(x, MHD_HTTP_CONTENT_TOO_LARGE, "limit", "at most %d keys a stream",
				 STREAM_KEYS);
		return MHD_NO;
	}
	int error = kudos_check_key(value, strlen(value));
	if (!error)
		error = stream_join(s, value);
	if (error)
		exchange_failed(x, error, NULL);
	return error ? MHD_NO : MHD_YES;
}

void watch_run(struct exchange *x)
{
	int keys = MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, NULL, NULL);
	size_t most = keys < 0 ? 0 : keys > STREAM_KEYS ? STREAM_KEYS : (size_t)keys;
	struct stream *s = stream_new(x, most);
	if (!s) {
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
		return;
	}
	x->work = s;
	MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, join, s);
	if (x->response)
		return;
	if (s->reader_count == 0) {
		exchange_problem(x, MHD_HTTP_BAD_REQUEST, "bad-request", "1 to %d parameters \"key\"",
				 STREAM_KEYS);
		return;
	}
	http_stream(&x->gateway->http, x);
	exchange_answer(x, MHD_HTTP_OK, stream_response(s));
}

void watch_end(struct exchange *x)
{
	stream_free(x->work);
}
