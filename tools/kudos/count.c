/* SPDX-License-Identifier: MIT */
/* count: from the session's server, or from every server there is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define KEYS_A_CALL 1024   /* kudos_count() takes no more */
#define DOWN_PATIENCE 1000 /* ms: a server said to be down is asked too, but not waited for long */

static int print_counts(struct session *session, kudos *handle, const char *server,
			const struct arguments *arguments)
{
	int64_t counts[KEYS_A_CALL];
	for (size_t first = 0; first < arguments->count; first += KEYS_A_CALL) {
		size_t n = arguments->count - first;
		if (n > KEYS_A_CALL)
			n = KEYS_A_CALL;
		int error = kudos_count(handle, arguments->words + first, n, counts);
		if (error)
			return error;
		for (size_t i = 0; i < n; i++)
			output_count(&session->out, server, arguments->words[first + i], counts[i]);
	}
	return KUDOS_OK;
}

/* Each server gets an equal part of the time that is left: what the quick ones leave goes to the slow. */
static int patience(const struct kudos_server_status *server, int64_t deadline, size_t servers_left)
{
	int64_t left = deadline - session_now_ms();
	int64_t part = left > 0 ? left / (int64_t)servers_left : 0;
	if (strcmp(server->state, "down") == 0 && part > DOWN_PATIENCE)
		part = DOWN_PATIENCE;
	return part > 0 ? (int)part : 1;
}

static enum outcome ask(struct session *session, const struct kudos_server_status *server, int timeout_ms,
			const struct arguments *arguments)
{
	kudos *handle;
	int error = session_open(
	    session, &(struct kudos_options){.server = server->client_endpoint, .timeout_ms = timeout_ms},
	    &handle);
	if (error)
		return FAILED;
	error = print_counts(session, handle, server->name, arguments);
	if (error)
		session_failed(session, handle, error, printable(server->name).text);
	kudos_close(&handle);
	return error ? FAILED : DONE;
}

static enum outcome count_everywhere(struct session *session, kudos *handle,
				     const struct arguments *arguments)
{
	struct kudos_status *status;
	int64_t deadline = session_now_ms() + session->timeout_ms;
	int error = kudos_status(handle, &status);
	if (error)
		return session_failed(session, handle, error, "");
	enum outcome outcome = DONE;
	for (size_t i = 0; i < status->server_count; i++) {
		const struct kudos_server_status *server = &status->servers[i];
		int timeout_ms = patience(server, deadline, status->server_count - i);
		if (ask(session, server, timeout_ms, arguments) != DONE)
			outcome = FAILED;
	}
	if (status->server_count == 0)
		outcome = session_failed(session, NULL, KUDOS_NO_SERVER, "");
	free(status);
	return outcome;
}

enum outcome command_count(struct session *session, const struct arguments *arguments)
{
	static const char *const by_default[] = {KUDOS_DEFAULT_KEY};
	struct arguments keys = *arguments;
	if (keys.count == 0) {
		keys.words = by_default;
		keys.count = 1;
	}
	if (!command_keys(session, keys.words, keys.count))
		return USAGE;
	enum outcome outcome;
	kudos *handle = session_handle(session, &outcome);
	if (!handle)
		return outcome;
	if (keys.everywhere)
		return count_everywhere(session, handle, &keys);
	int error = print_counts(session, handle, NULL, &keys);
	return error ? session_failed(session, handle, error, "") : DONE;
}
