/* SPDX-License-Identifier: MIT */
/* The calls that wait for their answer, each at most the handle's timeout. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/handle.h"
#include "client/kept.h"
#include "client/token.h"
#include "client/watches.h"
#include "kudos.h"

/* "tcp://…, tcp://…" */
static void name_leaders(const struct kudos *k, char *out, size_t room)
{
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; i < k->leader_count && used < room; i++)
		used += (size_t)snprintf(out + used, room - used, "%s%s", i ? ", " : "", k->leaders[i]);
}

/* Silence is also how keys that do not fit show: nothing is answered to a stranger, not even a refusal. */
static const char *key_hint(const struct kudos *k)
{
	return k->security ? "; this key must be in the trust folder there, and the key there in this one"
			   : "; a cluster that was started with --key answers only to --key and --trust";
}

/* Says why nothing came in time, and what to do about it. */
static int explain(struct kudos *k, int64_t since)
{
	char leaders[512];
	double seconds = (double)k->timeout / (double)SECOND;
	const char *server = agent_server_endpoint(k->agent);
	const char *told = k->agent->told;
	int error = agent_why(k->agent, since);
	name_leaders(k, leaders, sizeof leaders);
	switch (error) {
	case KUDOS_NO_LEADER:
		return handle_fail(
		    k, error, "%s: no leader answered within %g s: start kudos-leader or give --leader%s",
		    leaders, seconds, key_hint(k));
	case KUDOS_NO_SERVER:
		if (k->server)
			return handle_fail(k, error, "%s: no server answered within %g s%s%s", k->server,
					   seconds, *told ? ": " : "", *told ? told : key_hint(k));
		return handle_fail(k, error, "%s: the leader knows no server that is up: start kudos-server",
				   leaders);
	case KUDOS_BAD_VERSION:
		return handle_fail(k, error, "%s%s%s", kudos_error_text(error), *told ? ": " : "", told);
	default:
		return handle_fail(k, KUDOS_TIMEOUT, "%s%sno answer within %g s%s%s", server,
				   *server ? ": " : "", seconds, *told ? "; last error: " : "", told);
	}
}

/* What the other side refused. What it says of a node is complete; of other things it may have spoken
 * earlier. */
static int refuse(struct kudos *k, int error, const char *what)
{
	const char *told = k->agent->told;
	if (*told && (error == KUDOS_UNKNOWN_NODE || error == KUDOS_NO_SERVER))
		handle_fail(k, error, "%s", told);
	else if (error)
		handle_fail(k, error, "%s: %s%s%s", what, kudos_error_text(error), *told ? ": " : "", told);
	return error;
}

typedef bool (*condition_fn)(const struct kudos *k);

static int wait_for(struct kudos *k, condition_fn met)
{
	int64_t since = clock_now();
	int64_t until = since + k->timeout;
	for (;;) {
		bool any;
		int r = handle_pass(k, &any);
		if (r || met(k))
			return r;
		if (k->now >= until)
			return explain(k, since);
		if (any)
			continue;
		r = handle_wait(k, until);
		if (r && r != HANDLE_INTERRUPTED)
			return r;
	}
}

static bool resolved(const struct kudos *k)
{
	return k->awaited == 0;
}

static bool all_resolved(const struct kudos *k)
{
	return window_idle(&k->agent->courier.window);
}

static bool has_room(const struct kudos *k)
{
	return !window_full(&k->agent->courier.window);
}

static bool answered(const struct kudos *k)
{
	return k->answer.arrived;
}

int kudos_like(kudos *k, const char *key, int64_t n)
{
	uint64_t ticket;
	int r = kudos_send(k, key, n, &ticket);
	if (r == KUDOS_BUSY) {
		r = wait_for(k, has_room);
		if (r == 0)
			r = kudos_send(k, key, n, &ticket);
	}
	if (r)
		return r;
	k->awaited = ticket;
	courier_push(&k->agent->courier);
	r = wait_for(k, resolved);
	if (r) {
		k->awaited = 0;
		return r;
	}
	return refuse(k, k->awaited_error, key);
}

int kudos_flush(kudos *k)
{
	courier_push(&k->agent->courier);
	return wait_for(k, all_resolved);
}

/* The calls that do not wait: kudos_process() brings the answer. */

static int asked(struct kudos *k, int r, const char *what)
{
	if (r < 0)
		return handle_fail_errno(k, r, what);
	return r ? handle_fail(k, r, "%s: %s", what, kudos_error_text(r)) : 0;
}

int kudos_ask_counts(kudos *k, const char *const *keys, size_t n, const char *token, uint64_t *id)
{
	for (size_t i = 0; i < n; i++) {
		if (kudos_check_key(keys[i], strlen(keys[i])))
			return handle_fail(k, KUDOS_BAD_KEY, "key \"%.140s\": %s", keys[i],
					   kudos_error_text(KUDOS_BAD_KEY));
	}
	return asked(k, agent_read(k->agent, clock_now(), keys, n, token, id), "count");
}

int kudos_ask_top(kudos *k, size_t n, uint64_t *id)
{
	return asked(k, agent_top(k->agent, clock_now(), n, id), "top");
}

int kudos_ask_session(kudos *k, uint64_t lifetime, uint64_t *id)
{
	return asked(k, kept_open_session(k->agent, clock_now(), lifetime, id), "session");
}

int kudos_ask_put(kudos *k, const char *session, uint64_t number, const struct kudos_event *events, size_t n,
		  uint64_t *id)
{
	return asked(k, kept_put(k->agent, session, number, events, n, id), "batch");
}

int kudos_ask_counted(kudos *k, const char *session, uint64_t number, uint64_t *id)
{
	return asked(k, kept_counted(k->agent, session, number, id), "batch");
}

int kudos_ask_session_close(kudos *k, const char *session, uint64_t *id)
{
	return asked(k, kept_close_session(k->agent, session, id), "session");
}

int kudos_ask_status(kudos *k, uint64_t *id)
{
	return asked(k, agent_ask(k->agent, clock_now(), MESSAGE_STATUS, id), "status");
}

int kudos_ask_metrics(kudos *k, uint64_t *id)
{
	return asked(k, agent_ask(k->agent, clock_now(), MESSAGE_METRICS, id), "metrics");
}

/* The same with waiting. place: where what is asked for belongs; NULL: it is only done, or not. */
static int wait_for_answer(struct kudos *k, int error, uint64_t id, const char *what, void *place)
{
	if (error)
		return error;
	k->answer = (struct answer){.id = id, .place = place};
	int r = wait_for(k, answered);
	if (r)
		agent_cancel(k->agent, id);
	k->answer.id = 0;
	return r ? r : refuse(k, k->answer.error, what);
}

int kudos_count(kudos *k, const char *const *keys, size_t n, int64_t *counts)
{
	uint64_t id = 0;
	int r = kudos_ask_counts(k, keys, n, NULL, &id);
	return wait_for_answer(k, r, id, "count", counts);
}

int kudos_top(kudos *k, size_t n, struct kudos_ranked *top, size_t *found)
{
	uint64_t id = 0;
	int r = kudos_ask_top(k, n, &id);
	r = wait_for_answer(k, r, id, "top", top);
	if (r == 0)
		*found = k->answer.count;
	return r;
}

int kudos_session(kudos *k, uint64_t lifetime, char session[KUDOS_SESSION_SIZE])
{
	uint64_t id = 0;
	int r = kudos_ask_session(k, lifetime, &id);
	return wait_for_answer(k, r, id, "session", session);
}

int kudos_put(kudos *k, const char *session, uint64_t number, const struct kudos_event *events, size_t n)
{
	uint64_t id = 0;
	int r = kudos_ask_put(k, session, number, events, n, &id);
	return wait_for_answer(k, r, id, "batch", NULL);
}

int kudos_counted(kudos *k, const char *session, uint64_t number)
{
	uint64_t id = 0;
	int r = kudos_ask_counted(k, session, number, &id);
	return wait_for_answer(k, r, id, "batch", NULL);
}

int kudos_session_close(kudos *k, const char *session)
{
	uint64_t id = 0;
	int r = kudos_ask_session_close(k, session, &id);
	return wait_for_answer(k, r, id, "session", NULL);
}

int kudos_status(kudos *k, struct kudos_status **status)
{
	uint64_t id = 0;
	int r = kudos_ask_status(k, &id);
	return wait_for_answer(k, r, id, "status", status);
}

static int tell_leader(kudos *k, enum message_type type, const char *node)
{
	uint64_t id = 0;
	int r = asked(k, agent_ask_of_node(k->agent, clock_now(), type, node, &id), node);
	return wait_for_answer(k, r, id, node, NULL);
}

int kudos_forget(kudos *k, const char *node)
{
	return tell_leader(k, MESSAGE_FORGET, node);
}

int kudos_drain(kudos *k, const char *node)
{
	return tell_leader(k, MESSAGE_DRAIN, node);
}

void kudos_cancel(kudos *k, uint64_t id)
{
	agent_cancel(k->agent, id);
}

void kudos_token(const kudos *k, char *token, size_t room)
{
	token_print(k->agent->courier.positions, k->agent->courier.position_count, token, room);
}

void kudos_unwatch(kudos *k, const char *key)
{
	watches_remove(k->agent, key);
}

int kudos_watch(kudos *k, const char *key)
{
	int r = watches_add(k->agent, clock_now(), key);
	if (r < 0)
		return handle_fail_errno(k, r, "watch");
	if (r)
		return handle_fail(k, r, "key \"%.140s\": %s%s", key, kudos_error_text(r),
				   r == KUDOS_LIMIT ? ": at most 1000 keys are watched" : "");
	return 0;
}

const char *kudos_server(const kudos *k)
{
	return k->agent->server_text;
}
