/* SPDX-License-Identifier: MIT */
/* libkudos: send likes to a Kudos cluster and read its counts.
 *
 * A like is (key, n). kudos_send() queues one; the library gathers likes into numbered batches, keeps
 * each batch until a server has acknowledged it, resends it unchanged when a server falls silent or
 * asks the leader for another, and so never loses or doubles a like. An acknowledged like is durable.
 *
 * Threads: a `kudos` handle has no thread of its own and no lock. It belongs to one thread at a time;
 * different handles may be used from different threads at once. Nothing moves while no function of
 * the handle runs: call kudos_process() from your loop (kudos_fd() says when), or kudos_flush().
 *
 * Every function returns KUDOS_OK (0) or a positive `enum kudos_error`; kudos_detail() then names what was
 * wrong and what to do. Outputs are written only on KUDOS_OK. Strings are UTF-8 and NUL-terminated.
 */
#ifndef KUDOS_H
#define KUDOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is built with everything hidden but what is declared here. */
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define KUDOS_VERSION "0.1.0"
#define KUDOS_DEFAULT_LEADER "tcp://127.0.0.1:5001"
#define KUDOS_DEFAULT_KEY "likes"
#define KUDOS_KEY_MAX 128	 /* bytes in a key */
#define KUDOS_AMOUNT_MAX 1000000 /* likes (or unlikes) in one event */

/* X(name, code on the wire and in JSON, text) */
#define KUDOS_ERRORS(X)                                                                                   \
	X(OK, "ok", "done")                                                                               \
	X(BAD_KEY, "bad-key", "a key is 1 to 128 bytes of printable UTF-8 without spaces")                \
	X(BAD_AMOUNT, "bad-amount", "an amount is a whole number, not 0, within -1000000..1000000")       \
	X(BAD_ENDPOINT, "bad-endpoint", "an endpoint looks like tcp://127.0.0.1:5001")                    \
	X(BAD_SESSION, "bad-session", "a session is what kudos_session() gave")                           \
	X(BAD_NUMBER, "bad-number", "a batch's number is 1 to 18446744073709551614")                      \
	X(BAD_TOKEN, "bad-token", "a token is what kudos_token() gave")                                   \
	X(NO_LEADER, "no-leader", "no leader answered")                                                   \
	X(NO_SERVER, "no-server", "no server is available")                                               \
	X(TIMEOUT, "timeout", "no answer in time")                                                        \
	X(BUSY, "busy", "over a limit for now; try again later")                                          \
	X(TOO_LARGE, "too-large", "over the size that the protocol allows")                               \
	X(LIMIT, "limit", "over a limit")                                                                 \
	X(NOT_SERVING, "not-serving", "the server is still catching up or stopping")                      \
	X(BEHIND, "behind", "the server has not yet received what this client was acknowledged")          \
	X(EXPIRED, "expired", "the session is closed")                                                    \
	X(IN_DOUBT, "in-doubt", "the session closed before the answer came: counted once or not at all")  \
	X(CONFLICT, "conflict", "a batch with this number and other content was sent before")             \
	X(BAD_VERSION, "version", "the other side speaks a protocol version that this one does not know") \
	X(PROTOCOL, "protocol", "not a message of the Kudos protocol")                                    \
	X(NO_HELLO, "no-hello", "say hello first")                                                        \
	X(FORGOTTEN, "forgotten", "this node was forgotten; wipe its data folder to join anew")           \
	X(UNKNOWN_NODE, "unknown-node", "no member has that name or node id")                             \
	X(FORBIDDEN, "forbidden", "the role of this key does not allow that")                             \
	X(BAD_CERTIFICATE, "bad-certificate", "a key file or trust folder that cannot be used")           \
	X(NO_MEMORY, "no-memory", "out of memory")                                                        \
	X(SYSTEM, "system", "the operating system refused")                                               \
	X(UNKNOWN_SESSION, "unknown-session", "this server does not know yet who issued the session")     \
	X(NOT_ISSUED, "not-issued", "nobody in this cluster issued that session")                         \
	X(NOT_COUNTED, "not-counted", "this server has not counted a batch with that number, or not yet")

enum kudos_error {
#define X(name, code, text) KUDOS_##name,
	KUDOS_ERRORS(X)
#undef X
	    KUDOS_ERROR_COUNT
};

/* Static texts; never NULL, also for numbers that are no error of this library. */
const char *kudos_error_text(int error);
const char *kudos_error_code(int error);

typedef struct kudos kudos;
struct kudos_status;
struct kudos_ranked;
struct kudos_metric;

/* Bytes of a session's name, with the NUL. */
#define KUDOS_SESSION_SIZE 72
struct kudos_event {
	const char *key;
	int64_t n;
};

/* What became of a run of likes, told once for each. Likes are numbered by tickets 1, 2, 3, … in the order in
 * which the handle took them; a result covers tickets first..last. error: KUDOS_OK (acknowledged),
 * KUDOS_IN_DOUBT, or why the cluster refused them for good (they were not counted). */
struct kudos_result {
	uint64_t first, last;
	int error;
};

/* All fields may be zero. The strings are copied. */
struct kudos_options {
	const char *leaders; /* endpoints, comma-separated; NULL: KUDOS_DEFAULT_LEADER */
	const char *server;  /* client endpoint of one server, used instead of asking a leader */
	int timeout_ms;	     /* for every call that waits; 0: 5000 */
	int linger_us; /* how long a batch may gather before it is sent; 0: 1000, negative: not at all */
	kudos *share;  /* a handle whose ZeroMQ context (I/O thread) this one uses; it must be closed
			  later than this one */
	/* Called from within kudos_process() and the calls that wait. They must not call the handle. */
	void (*on_result)(void *arg, const struct kudos_result *result);
	void (*on_change)(void *arg, const char *key, int64_t count); /* for kudos_watch() */
	void *arg;
	/* CURVE: one's own secret certificate, and the folder with the certificate of the cluster's servers
	 * (KEYS in kudos(1)). Both or neither. A handle that shares has those of the other. */
	const char *key_file, *trust_dir;
	char *why; /* why_size bytes that are told why kudos_open() failed; NULL: nobody asks */
	size_t why_size;
	/* Answers to kudos_ask_counts(), kudos_ask_top(), kudos_ask_status() and kudos_ask_metrics(), like
	 * on_result; what they hand over is valid during the call, and NULL when error is not KUDOS_OK. */
	void (*on_top)(void *arg, uint64_t id, int error, const struct kudos_ranked *top, size_t n);
	void (*on_counts)(void *arg, uint64_t id, int error, const int64_t *counts, size_t n);
	/* To kudos_ask_session(), and to kudos_ask_put(), kudos_ask_counted() and kudos_ask_session_close():
	 * token is what a read needs to see the batch; "" for a close. */
	void (*on_session)(void *arg, uint64_t id, int error, const char *session);
	void (*on_put)(void *arg, uint64_t id, int error, const char *token);
	void (*on_status)(void *arg, uint64_t id, int error, const struct kudos_status *status);
	void (*on_metrics)(void *arg, uint64_t id, int error, const struct kudos_metric *metrics, size_t n);
};

/* Makes a handle; talks to nobody yet. Errors: BAD_ENDPOINT, BAD_CERTIFICATE, NO_MEMORY, SYSTEM. */
int kudos_open(kudos **handle, const struct kudos_options *options);

/* Closes the session at the server (waiting up to one second for it) and frees the handle; *handle becomes
 * NULL. Likes not yet acknowledged are abandoned: kudos_flush() first. Takes NULL. */
void kudos_close(kudos **handle);

/* What the last failed call was about ("tcp://127.0.0.1:5001: no leader answered within 5 s: …"). Owned by
 * the handle, valid until its next call. handle may be NULL. */
const char *kudos_detail(const kudos *handle);

/* Checks without sending. key need not be NUL-terminated. */
int kudos_check_key(const char *key, size_t size);
int kudos_check_amount(int64_t n);

/* Queues n likes of key (negative: unlikes) and returns at once; *ticket (may be NULL) is its number.
 * Errors: BAD_KEY, BAD_AMOUNT; BUSY when 64 batches are in flight and the next is full: call
 * kudos_process() and try again. */
int kudos_send(kudos *handle, const char *key, int64_t n, uint64_t *ticket);

/* kudos_send(), then waits until it is acknowledged. Also TIMEOUT (it is still queued and retried while the
 * handle is used), NO_LEADER, NO_SERVER, IN_DOUBT and what the cluster refuses. */
int kudos_like(kudos *handle, const char *key, int64_t n);

/* Sends, receives, retries and moves to another server as needed; returns after at least one thing happened
 * or timeout_ms passed (0: does what can be done at once; negative: no limit). Always KUDOS_OK unless
 * NO_MEMORY or SYSTEM. */
int kudos_process(kudos *handle, int timeout_ms);

/* A file descriptor to poll for input, and in how many milliseconds kudos_process() wants to be called at
 * the latest (-1: no need). Poll, then call kudos_process(handle, 0) whatever the poll said. */
int kudos_fd(kudos *handle);
int kudos_wait_ms(kudos *handle);

/* Waits until everything queued has a result. TIMEOUT, NO_LEADER, NO_SERVER: it goes on when called again. */
int kudos_flush(kudos *handle);

/* How many likes were taken (the last ticket), and how many of them have a result. */
uint64_t kudos_taken(const kudos *handle);
uint64_t kudos_resolved(const kudos *handle);

/* Sessions that the caller keeps, for what must be counted once though the caller itself crashes, or hands
 * the batch to somebody else: keep the session's name and the batch's number and content before sending it,
 * and send it again, as it was, until it is counted. Whoever does so, through whichever handle, process or
 * server, it is counted once.
 *
 * A name is to be kept as a password is. A session in which nothing is sent for its lifetime is closed:
 * EXPIRED then says that a batch is in doubt, unless it was acknowledged before. kudos_session() gives a new
 * one that may rest for so many seconds or more, at most 604800, a week; 0: ten minutes. LIMIT: over that, or
 * over ten minutes of a handle that is pointed straight at a server. */
int kudos_session(kudos *handle, uint64_t lifetime, char session[KUDOS_SESSION_SIZE]);
/* Counts n events (1..1024) as the session's batch of that number (1, 2, 3, … in any order, each with one
 * content). OK once acknowledged, also when it had been counted before. BAD_SESSION, BAD_NUMBER, BAD_KEY,
 * BAD_AMOUNT, TOO_LARGE; CONFLICT: that number was used for another content (told while servers remember the
 * first); EXPIRED; NOT_ISSUED; UNKNOWN_SESSION, TIMEOUT, NO_LEADER, NO_SERVER, BUSY: not known; send it
 * again. */
int kudos_put(kudos *handle, const char *session, uint64_t number, const struct kudos_event *events,
	      size_t n);
/* Whether the session's batch of that number was counted, for who has lost its content, or has doubts. OK: it
 * was, and it is as safe as one that kudos_put() says OK of. NOT_COUNTED: the server in use had not counted
 * it when it was asked. That is the knowledge of one server at one moment, and final only when nobody has
 * sent the batch or will: one that is on its way, or that another server has taken, is counted yet. To be
 * sure, kudos_put() it again. EXPIRED: it cannot be known any more. Else as kudos_put(). */
int kudos_counted(kudos *handle, const char *session, uint64_t number);
/* Nothing more will be sent in it. OK also when it was closed before. */
int kudos_session_close(kudos *handle, const char *session);

/* Reads n counts (1..1024 keys) from the handle's server: at least as new as everything acknowledged to this
 * handle, on whichever server that was. A key never liked counts 0. BEHIND: the server could not get
 * there in time. */
int kudos_count(kudos *handle, const char *const *keys, size_t n, int64_t *counts);

/* From now on on_change is told the key's count, once at first and again at every change (changes within a
 * few milliseconds may be told as one). At most 1000 keys a handle (LIMIT). */
int kudos_watch(kudos *handle, const char *key);
/* on_change is told of it no more. Keys that are not watched are ignored. */
void kudos_unwatch(kudos *handle, const char *key);

/* For programs with an event loop: kudos_count(), kudos_top() and kudos_status() without the waiting. The
 * answer comes through on_counts, on_top or on_status with *id, is asked for again as long as it takes, and
 * given up by kudos_cancel(). token (may be NULL): the counts are at least as new as what it covers, too.
 * Errors: BAD_KEY, BAD_TOKEN, LIMIT, BUSY (1024 are unanswered), NO_MEMORY. */
int kudos_ask_counts(kudos *handle, const char *const *keys, size_t n, const char *token, uint64_t *id);
int kudos_ask_top(kudos *handle, size_t n, uint64_t *id);
int kudos_ask_session(kudos *handle, uint64_t lifetime, uint64_t *id);
int kudos_ask_put(kudos *handle, const char *session, uint64_t number, const struct kudos_event *events,
		  size_t n, uint64_t *id);
int kudos_ask_counted(kudos *handle, const char *session, uint64_t number, uint64_t *id);
int kudos_ask_session_close(kudos *handle, const char *session, uint64_t *id);
int kudos_ask_status(kudos *handle, uint64_t *id);
/* What the leader (or the server the handle is pointed at, serving or not) has done and holds, for a
 * monitoring system; on_metrics is told. */
int kudos_ask_metrics(kudos *handle, uint64_t *id);
void kudos_cancel(kudos *handle, uint64_t id);

/* Writes a token, at most KUDOS_TOKEN_SIZE bytes with the NUL: a read that is given it sees all that was
 * acknowledged to this handle so far, whichever handle, process or server it goes through. It is of letters,
 * digits, '.' and '-'. What has no room is cut at a whole position, and then not waited for. */
#define KUDOS_TOKEN_SIZE 2433
void kudos_token(const kudos *handle, char *token, size_t room);

/* The n keys (1..KUDOS_TOP_MAX) with the most likes on the handle's server, highest first; *found: how many
 * there are with more than 0, at most n. Exact; of keys that count the same, any. LIMIT; BUSY does not come:
 * it asks again. */
#define KUDOS_TOP_MAX 100
struct kudos_ranked {
	char key[KUDOS_KEY_MAX + 1];
	int64_t count;
};
int kudos_top(kudos *handle, size_t n, struct kudos_ranked *top, size_t *found);

struct kudos_server_status {
	char name[64];
	char node[20];	/* 16 hex digits */
	char state[16]; /* "up", "catching-up", "down" */
	char client_endpoint[128];
	char notify_endpoint[128];
	uint64_t clients, keys;
	int64_t likes_total; /* sum of all counts on this server */
	uint64_t events_per_s, lag_records, journal_bytes;
	uint64_t malformed; /* messages not of the protocol, and connections ended that did not read */
};

struct kudos_status {
	char leader_endpoint[128];   /* "" when a server was asked directly */
	char leader_incarnation[20]; /* 16 hex digits */
	uint64_t members;
	size_t server_count;
	struct kudos_server_status servers[]; /* sorted by name */
};

/* Asks the leader (or the server the handle is pointed at). *status is to be freed with free(). */
int kudos_status(kudos *handle, struct kudos_status **status);

/* Metrics are as Prometheus has them. Which ones there are depends on the version of who was asked. */
struct kudos_sample {
	const char *of; /* the value of the metric's label, printable ASCII; "": without it */
	double value;
};
/* Of a "histogram" the label is "le"; the samples are how many were no more than that, ascending and with
 * "+Inf" last, and the sum of all under "". */
struct kudos_metric {
	const char *name; /* of a-z, 0-9, _; without "kudos_leader_" or "kudos_server_" before it */
	const char *type; /* "counter", "gauge" or "histogram" */
	const char *help;
	const char *label; /* of the same letters; "": none */
	size_t count;
	const struct kudos_sample *samples;
};

/* Removes a member that will not come back, by name or node id (16 hex digits). UNKNOWN_NODE; FORBIDDEN when
 * the handle's key is not an operator's. */
int kudos_forget(kudos *handle, const char *node);

/* Tells a server, named likewise, to stop as it does on SIGTERM: it takes no new likes, tells its clients to
 * move, and ends once what it accepted is with the others. Does not wait for that: status shows it. It stays
 * a member. UNKNOWN_NODE, FORBIDDEN as above; NO_SERVER when it is down already. */
int kudos_drain(kudos *handle, const char *node);

/* "s2 (tcp://…)": the server the handle uses now; "" when none. Valid until the handle's next call. */
const char *kudos_server(const kudos *handle);

/* Makes a pair of CURVE keys in the ZeroMQ certificate format: `file` with the public one, for trust folders,
 * and `file`_secret with both, which nobody else can read. role: "server", "client" or "operator"; name says
 * whose it is (up to 63 printable ASCII characters without spaces; NULL: the role). replace: also when
 * they exist. public_key (may be NULL) receives 41 bytes: the key as text. why (why_size bytes) is told why
 * it failed. BAD_CERTIFICATE (role or name), NO_MEMORY, SYSTEM. */
int kudos_keygen(const char *file, const char *role, const char *name, bool replace, char *public_key,
		 char *why, size_t why_size);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
