/* SPDX-License-Identifier: MIT */
/* A client's rules: gather likes into batches, number them, keep each until a server has answered for it,
 * resend it unchanged, move to another server when this one falls silent. No socket, clock, disk or message
 * format: time comes in as `now` (monotonic µs, never going back), what is to be sent goes out through ops.
 *
 *   server:   NONE ──use──► GREETING ──welcome──► READY          silent, gone, not serving: the next of the
 *               ▲                │  ▲                │            list, at its end NONE for a pause
 *               └──── lost ──────┘  └── no-hello ────┘
 *   session:  none ──assigned (or welcome)──► open ──idle 60 s, or expired──► none
 *
 * Events change the state; courier_tick() then does all that can be done. So: events, then a tick, and a
 * tick again no later than courier_deadline(). */
#ifndef CORE_COURIER_H
#define CORE_COURIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"
#include "core/relay.h"
#include "core/window.h"
#include "kudos.h"

struct courier_server {
	struct node node;
	char name[LIMIT_NAME + 1];
	char client_endpoint[LIMIT_ENDPOINT + 1];
};

/* A question that is asked again until it is answered or taken back. Owned by the driver, which embeds it. */
struct courier_request {
	struct courier_request *next;
	uint64_t id;
	bool of_leader; /* else of the server in use */
	int64_t due;
	unsigned tries;
};

/* None of these may call the courier. Nothing that is sent needs to arrive. */
struct courier_ops {
	void *arg;
	/* Connect anew to this server, and to nothing else; NULL: none for now. */
	void (*use_server)(void *arg, const struct courier_server *server);
	void (*send_hello)(void *arg, bool wants_session);
	void (*send_ping)(void *arg);
	/* The driver writes the header (parcel->header_size) when there is none yet. */
	void (*send_batch)(void *arg, struct session session, struct parcel *parcel);
	void (*send_close)(void *arg, struct session session);
	void (*send_assign)(void *arg, size_t leader, bool wants_session, struct node lost);
	void (*send_relayed)(void *arg, const struct relayed *item);
	void (*send_request)(void *arg, const struct courier_request *request, size_t leader);
	window_result_fn result;
	/* What became of one; it is the driver's again. */
	void (*relayed)(void *arg, struct relayed *item, int error);
};

struct courier_options {
	size_t leader_count;		     /* 0 only with `direct` */
	const struct courier_server *direct; /* the one server to use, copied; NULL: ask the leaders */
	uint64_t seed;			     /* for hash tables */
	int64_t linger_us;		     /* 0: a batch is sent at the next tick */
};

enum courier_state { COURIER_NONE, COURIER_GREETING, COURIER_READY };

struct courier {
	struct courier_ops ops;
	int64_t linger;
	bool direct;
	bool stirred; /* something happened since the last tick */
	bool pushed;  /* close the open batch whatever its age */

	struct courier_server servers[LIMIT_OFFERED]; /* best first; [at] is the one in use */
	size_t server_count, at;
	enum courier_state state;
	int64_t retry_at, backoff; /* NONE: not before then */
	size_t losses;		   /* servers lost since one was last of use */

	/* Silence, judged only while something is unanswered; NEVER: not so now. */
	int64_t heard_at, waiting_since, first_ping, next_ping;

	size_t leader_count, leader;
	bool refresh; /* ask for a new list though there is a server */
	struct node lost;
	int64_t ask_at;
	unsigned asks; /* unanswered ones in a row */

	struct window window;
	struct session session;		    /* number 0: none */
	struct proof proof;		    /* that it was issued */
	struct session used[LIMIT_ISSUERS]; /* the highest number taken from each issuer */
	size_t used_count;
	int64_t active_at;     /* when the session was last used */
	int64_t unknown_since; /* no server has known since who issued it; NEVER: not so */
	int64_t parcel_at;     /* when a batch is due, at the earliest */
	int64_t resume_at, busy_backoff;

	struct position positions[LIMIT_POSITIONS]; /* oldest first */
	size_t position_count;

	struct relay relay; /* batches of callers who keep their identities */

	struct courier_request *requests, **requests_end;
	size_t request_count;

	bool closing, closed;
	int64_t close_at;
};

void courier_init(struct courier *c, const struct courier_options *options, const struct courier_ops *ops);
void courier_deinit(struct courier *c); /* requests stay the driver's */

/* What the user wants. courier_add: see window_add(). courier_push: the open batch waits no longer. */
int courier_add(struct courier *c, int64_t now, const void *event, size_t size);
void courier_push(struct courier *c);
/* id and of_leader are set by the caller. KUDOS_BUSY: LIMIT_REQUESTS are unanswered. */
int courier_ask(struct courier *c, struct courier_request *request);
/* Unlinks and returns it; NULL: none with that id. answered: it has its answer, else it is given up. */
struct courier_request *courier_take_request(struct courier *c, uint64_t id, bool answered);
/* Ask again after a pause: the other side was busy. */
void courier_postpone(struct courier *c, int64_t now, uint64_t id);
/* A batch under the caller's own identity, or with seq 0 the close of such a session; ops.relayed tells what
 * became of it. KUDOS_BUSY, -ENOMEM. */
int courier_relay(struct courier *c, struct relayed *item);
void courier_close(struct courier *c); /* c->closed tells when it is done */

/* What the server in use said; what it and the leaders say besides is courier_route.h's. */
void courier_acked(struct courier *c, int64_t now, struct session session, uint64_t lo, uint64_t hi);
void courier_position(struct courier *c, struct position position);
void courier_refused(struct courier *c, int64_t now, struct session session, uint64_t seq, int error);
void courier_session_closed(struct courier *c, struct session session);

void courier_tick(struct courier *c, int64_t now);
int64_t courier_deadline(const struct courier *c); /* 0: at once; NEVER */

#endif
