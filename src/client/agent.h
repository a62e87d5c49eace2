/* SPDX-License-Identifier: MIT */
/* A client without its sockets: the courier's rules (core/courier.h) and the messages (wire/message.h),
 * behind calls for what the user wants, what arrived and what time it is. The library (handle.c) drives it
 * with ZeroMQ, the simulator with a network of its own.
 *
 * The driver calls agent_receive_*() for every message, then agent_tick() with the time, and again no later
 * than agent_deadline(). Receive before ticking: silence is judged by what was received. All times are
 * monotonic microseconds of one clock and never go back. Nothing here reads a clock, a socket or randomness:
 * the same calls give the same answers.
 *
 * Messages may be lost, doubled and reordered by the driver at will. What is malformed is ignored and
 * counted. */
#ifndef CLIENT_AGENT_H
#define CLIENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "client/watches.h"
#include "core/courier.h"
#include "kudos.h"
#include "wire/many.h"
#include "wire/message.h"

/* What came of a question, or of a batch of a session that the caller keeps. */
struct agent_answer {
	uint64_t id;
	enum message_type asked;
	int error; /* KUDOS_OK, or what the other side said: there are no data then */
	/* Bytes, valid during the call, and how many of what they are: of a COUNT int64_t, of a TOP struct
	 * kudos_ranked, of METRICS struct kudos_metric, of an ASSIGN the session's name, of a STATUS struct
	 * kudos_status, of a BATCH the positions that a server must have reached which has applied it; of
	 * FORGET and DRAIN nothing. */
	const void *data;
	size_t size, count;
};

/* What the agent wants of its driver. All are called from within the calls below and must not call the agent
 * again. Bytes and strings are valid during the call. Those of features that are not used may be NULL
 * (answer, changed). */
struct agent_io {
	void *arg;
	/* One message (one payload frame) to that leader, or to the server named last. Nothing needs to
	 * arrive; but what can wait for the connection to come up should, for a while. */
	void (*send_leader)(void *arg, size_t index, const void *data, size_t size);
	void (*send_server)(void *arg, const void *data, size_t size);
	/* Drop the connection to the former server and what is queued there, and connect to this client
	 * endpoint. "": none for now. The same endpoint again means a fresh connection. */
	void (*use_server)(void *arg, const char *client_endpoint);

	void (*result)(void *arg, const struct kudos_result *result);
	void (*changed)(void *arg, const char *key, int64_t count);
	void (*answer)(void *arg, const struct agent_answer *answer);
};

struct agent_options {
	const char *const *leaders; /* endpoints, for kudos_status alone; kept by reference */
	size_t leader_count;	    /* 0 only with a server */
	const char *server;	    /* this one alone, no leader; NULL: ask. Kept by reference */
	uint64_t seed;		    /* for hash tables */
	int64_t linger_us;	    /* how long a batch gathers before it is sent; 0: not at all */
};

/* Read by the driver: courier (the window's likes, whether it is closed), told, server_text, ignored. */
struct agent {
	struct courier courier;
	struct agent_options options;
	struct agent_io io;
	struct bytes scratch; /* the message being sent */
	struct many gathered; /* kept.c's, to the server, of the tick under way */
	int64_t now;	      /* of the tick under way */
	uint64_t last_id;
	uint64_t ignored; /* messages that were malformed or made no sense */

	char server_text[LIMIT_NAME + LIMIT_ENDPOINT + 8];	   /* "s2 (tcp://…)"; "": none is in use */
	int64_t leader_asked_at, leader_heard_at, server_heard_at; /* -1: never */
	bool no_server;						   /* the leader's last word */
	bool bad_version;
	char told[LIMIT_TEXT + 1]; /* the other side's last error message; "": none */

	const struct position *acked; /* of the acknowledgement that is being told of */
	size_t acked_count;

	struct watches watches;
};

/* NULL: out of memory. Sends nothing yet. */
struct agent *agent_new(const struct agent_options *options, const struct agent_io *io);
void agent_free(struct agent *a); /* takes NULL; tells nobody */

/* Queues n likes of key; *ticket (may be NULL) is its number. Sends nothing by itself: tick after it, at once
 * when the window is full. KUDOS_BAD_KEY, KUDOS_BAD_AMOUNT, KUDOS_BUSY (the window and the open batch are
 * full), -ENOMEM. */
int agent_send(struct agent *a, int64_t now, const char *key, size_t size, int64_t n, uint64_t *ticket);

/* Reads n counts (1..LIMIT_READ_KEYS) at least as new as what was acknowledged here and as the token (NULL:
 * none); io.answer tells it under *id. The keys are copied. Retried until answered or cancelled.
 * KUDOS_BAD_KEY, KUDOS_BAD_TOKEN, KUDOS_LIMIT, KUDOS_BUSY (too many unanswered), -ENOMEM. */
int agent_read(struct agent *a, int64_t now, const char *const *keys, size_t n, const char *token,
	       uint64_t *id);
/* Asks for the n keys with the most likes (1..LIMIT_TOP). KUDOS_LIMIT, KUDOS_BUSY, -ENOMEM. */
int agent_top(struct agent *a, int64_t now, size_t n, uint64_t *id);
/* Asks the leader (or the server, when pointed at one) for STATUS or METRICS; or to FORGET or DRAIN a node.
 * KUDOS_BUSY, -ENOMEM. */
int agent_ask(struct agent *a, int64_t now, enum message_type type, uint64_t *id);
int agent_ask_of_node(struct agent *a, int64_t now, enum message_type type, const char *target, uint64_t *id);
/* Gives up waiting for an answer; unknown ids are ignored. */
void agent_cancel(struct agent *a, uint64_t id);

void agent_tick(struct agent *a, int64_t now);
int64_t agent_deadline(const struct agent *a); /* NEVER: nothing to do until a call or a message */

/* Why nothing has come of what was asked since then: KUDOS_BAD_VERSION, KUDOS_NO_LEADER (none has said
 * anything since), KUDOS_NO_SERVER (the leader knows none; or the one pointed at has said nothing since),
 * else KUDOS_TIMEOUT. */
int agent_why(const struct agent *a, int64_t since);
/* The client endpoint of the server in use; "" when none. Valid until the next call. */
const char *agent_server_endpoint(const struct agent *a);
/* For agent_receive.c: the server in use says its name. */
void agent_name_server(struct agent *a, const char *name, size_t size);

#endif
