/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"

#define RETRY_AFTER "1" /* seconds */

const char *exchange_parameter(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *exchange_header(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

void exchange_resume(struct exchange *x)
{
	if (!x->waits)
		return;
	x->waits = false;
	x->gateway->http.resumed = true;
	visits_due(&x->gateway->http.visits, visits_of(x->connection), gateway_now());
	if (x->suspended)
		MHD_resume_connection(x->connection);
	else
		x->gateway->http.held--;
	x->suspended = false;
}

void exchange_answer(struct exchange *x, unsigned status, struct MHD_Response *response)
{
	if (!response) { /* no memory for anything better */
		response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
		status = MHD_HTTP_SERVICE_UNAVAILABLE;
	}
	x->status = status;
	x->response = response;
	exchange_resume(x);
}

static struct MHD_Response *text_response(char *text, const char *type)
{
	struct MHD_Response *response =
	    text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE) : NULL;
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	else
		free(text);
	return response;
}

static char *dump(json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return text;
}

void exchange_answer_json(struct exchange *x, unsigned status, json_t *json)
{
	struct MHD_Response *response = text_response(dump(json), "application/json");
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	exchange_answer(x, status, response);
}

void exchange_answer_empty(struct exchange *x, unsigned status)
{
	exchange_answer(x, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

void exchange_problem(struct exchange *x, unsigned status, const char *code, const char *format, ...)
{
	char detail[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(detail, sizeof detail, format, arguments);
	va_end(arguments);
	json_t *text = json_string(detail);
	if (!text) /* it repeats what somebody sent, and that was not UTF-8 */
		text = json_string("the request is not well-formed UTF-8");
	struct MHD_Response *response =
	    text_response(dump(json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "code", code,
					 "status", (int)status, "detail", text)),
			  "application/problem+json");
	if (response && (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS))
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER);
	exchange_answer(x, status, response);
}

static unsigned status_of(int error)
{
	switch (error) {
	case KUDOS_BAD_TOKEN:
	case KUDOS_BAD_SESSION:
	case KUDOS_BAD_NUMBER:
		return MHD_HTTP_BAD_REQUEST;
	case KUDOS_BAD_KEY:
	case KUDOS_BAD_AMOUNT:
		return MHD_HTTP_UNPROCESSABLE_CONTENT;
	case KUDOS_TOO_LARGE:
	case KUDOS_LIMIT:
		return MHD_HTTP_CONTENT_TOO_LARGE;
	case KUDOS_CONFLICT:
		return MHD_HTTP_CONFLICT;
	case KUDOS_EXPIRED:
		return MHD_HTTP_GONE;
	case KUDOS_FORBIDDEN:
		return MHD_HTTP_FORBIDDEN;
	case KUDOS_NOT_ISSUED:
	case KUDOS_NOT_COUNTED:
		return MHD_HTTP_NOT_FOUND;
	case KUDOS_IN_DOUBT:
	case KUDOS_TIMEOUT:
		return MHD_HTTP_GATEWAY_TIMEOUT;
	case KUDOS_SYSTEM:
	case KUDOS_PROTOCOL:
	case KUDOS_BAD_VERSION:
		return MHD_HTTP_BAD_GATEWAY;
	default:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	}
}

void exchange_failed(struct exchange *x, int error, const char *detail)
{
	exchange_problem(x, status_of(error), kudos_error_code(error), "%s",
			 detail && *detail ? detail : kudos_error_text(error));
}
