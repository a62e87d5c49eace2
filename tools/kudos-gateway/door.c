/* SPDX-License-Identifier: MIT */
#include "door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway.h"

#define AHEAD "600" /* seconds that a browser may remember a preflight's answer */

/* Whether word is one of a list with commas. */
static bool listed(const char *list, const char *word)
{
	size_t size = strlen(word);
	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		size_t here = strcspn(at, ",");
		if (size && here == size && strncasecmp(at, word, size) == 0)
			return true;
	}
	return false;
}

bool door_open(struct door *door, const struct options *o)
{
	char why[512] = "";
	*door = (struct door){.origins = o->origins, .proxy_count = o->proxy_count};
	memcpy(door->proxies, o->proxies, sizeof door->proxies);
	if (!tokens_open(&door->tokens, o->tokens, why, sizeof why)) {
		gateway_log("--tokens %s", why);
		return false;
	}
	if (!quota_init(&door->quota, o->rate, o->address_connections)) {
		gateway_log("%s", kudos_error_text(KUDOS_NO_MEMORY));
		return false;
	}
	return true;
}

void door_close(struct door *door)
{
	tokens_deinit(&door->tokens);
	quota_deinit(&door->quota);
}

bool door_look(struct door *door, int64_t now)
{
	char why[512];
	int news = tokens_look(&door->tokens, now, why, sizeof why);
	if (news < 0)
		gateway_log("--tokens %s; those from before stay", why);
	return news > 0;
}

bool door_is_proxy(const struct door *door, const struct address *address)
{
	for (size_t i = 0; i < door->proxy_count; i++) {
		if (address_equal(&door->proxies[i], address))
			return true;
	}
	return false;
}

bool door_admits(struct door *door, const struct sockaddr *peer, int64_t now)
{
	struct address address = address_of(peer);
	if (door_is_proxy(door, &address) || quota_has_connection(&door->quota, &address, now))
		return true;
	door->refused_connections++;
	return false;
}

static enum MHD_Result take_last(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	const char **last = arg;
	(void)kind;
	if (value && strcasecmp(name, "X-Forwarded-For") == 0)
		*last = value;
	return MHD_YES;
}

/* Each proxy adds at the end whom it heard, so what is trusted is read from there, up to the first that is no
 * proxy of ours; what stands before it anybody may have written. */
static void find_address(const struct door *door, struct exchange *x)
{
	const char *list = NULL;
	if (!door_is_proxy(door, &x->address))
		return;
	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, take_last, &list);
	for (size_t end = list ? strlen(list) : 0; end > 0;) {
		size_t begin = end;
		while (begin > 0 && list[begin - 1] != ',')
			begin--;
		size_t from = begin + strspn(list + begin, " \t"), size = end > from ? end - from : 0;
		while (size > 0 && (list[from + size - 1] == ' ' || list[from + size - 1] == '\t'))
			size--;
		if (!address_parse(&x->address, list + from, size) || !door_is_proxy(door, &x->address))
			return;
		end = begin ? begin - 1 : 0;
	}
}

/* A page of this gateway's own: what is behind the origin's "://" is the Host. */
static bool is_own(const struct exchange *x, const char *origin)
{
	const char *host = exchange_header(x, MHD_HTTP_HEADER_HOST), *at = strstr(origin, "://");
	return host && at && strcasecmp(at + 3, host) == 0;
}

static bool may_read(const struct door *door, const char *origin)
{
	return door->origins && (listed(door->origins, origin) || listed(door->origins, "*"));
}

/* A page from elsewhere may not make its reader's browser like: that it could not read the answer does not
 * keep the browser from asking. */
static bool origin_fits(struct door *door, struct exchange *x, const char *method)
{
	const char *origin = exchange_header(x, MHD_HTTP_HEADER_ORIGIN);
	if (!origin || may_read(door, origin) || is_own(x, origin) || strcmp(method, "GET") == 0 ||
	    strcmp(method, "HEAD") == 0)
		return true;
	door->refused_origin++;
	exchange_problem(x, MHD_HTTP_FORBIDDEN, "origin",
			 "pages of that origin are not on the list (--origin)");
	return false;
}

static void ask_for_token(struct door *door, struct exchange *x, bool unknown)
{
	door->refused_token++;
	exchange_problem(x, MHD_HTTP_UNAUTHORIZED, "token",
			 unknown ? "the token is not known"
				 : "this needs a token: Authorization: Bearer TOKEN");
	MHD_add_response_header(x->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
				unknown ? "Bearer realm=\"kudos\", error=\"invalid_token\""
					: "Bearer realm=\"kudos\"");
}

static void check_token(struct door *door, struct exchange *x)
{
	static const char scheme[] = "Bearer ";
	enum access needed = x->route ? x->route->access : ACCESS_READ;
	if (!door->tokens.file || needed == ACCESS_NONE)
		return;
	const char *given = exchange_header(x, MHD_HTTP_HEADER_AUTHORIZATION);
	bool bearer = given && strncasecmp(given, scheme, sizeof scheme - 1) == 0;
	enum access access =
	    bearer ? tokens_access(&door->tokens, given + sizeof scheme - 1, &x->who) : ACCESS_NONE;
	if (access == ACCESS_NONE) {
		ask_for_token(door, x, bearer);
		return;
	}
	if (access >= needed)
		return;
	door->refused_token++;
	exchange_problem(x, MHD_HTTP_FORBIDDEN, "forbidden", "this needs a token with the role %s",
			 access_name(needed));
	MHD_add_response_header(x->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
				"Bearer realm=\"kudos\", error=\"insufficient_scope\"");
}

void door_check(struct door *door, struct exchange *x, int64_t now)
{
	find_address(door, x);
	if (!quota_request(&door->quota, &x->address, now)) {
		door->refused_rate++;
		exchange_problem(x, MHD_HTTP_TOO_MANY_REQUESTS, "rate", "at most %d requests a second",
				 door->quota.rate);
		return;
	}
	if (x->preflight || !origin_fits(door, x, x->method))
		return;
	check_token(door, x);
}

void door_preflight(struct door *door, struct exchange *x, const char *methods)
{
	const char *origin = exchange_header(x, MHD_HTTP_HEADER_ORIGIN);
	if (!origin || !may_read(door, origin)) {
		door->refused_origin++;
		exchange_problem(x, MHD_HTTP_FORBIDDEN, "origin",
				 "pages of that origin are not on the list (--origin)");
		return;
	}
	exchange_answer_empty(x, MHD_HTTP_NO_CONTENT);
	MHD_add_response_header(x->response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS, methods);
	MHD_add_response_header(x->response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
				"Authorization, Content-Type, Kudos-Token, Prefer");
	MHD_add_response_header(x->response, MHD_HTTP_HEADER_ACCESS_CONTROL_MAX_AGE, AHEAD);
}

/* Cookies and the like are never asked for, so "*" gives nothing away that the browser holds. */
void door_mark(const struct door *door, struct exchange *x)
{
	const char *origin = exchange_header(x, MHD_HTTP_HEADER_ORIGIN);
	if (!door->origins)
		return;
	MHD_add_response_header(x->response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ORIGIN);
	if (!origin || !may_read(door, origin))
		return;
	MHD_add_response_header(x->response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, origin);
	MHD_add_response_header(x->response, MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS,
				"Kudos-Token, Location, Retry-After");
}
