/* SPDX-License-Identifier: MIT */
/* Every message of the protocol, to and from bytes (doc/protocol.md is normative).
 *
 * A message is one msgpack array whose first element, a string, names its type. message_decode() accepts any
 * bytes from anyone: it checks every count against the bytes that remain, every limit of base/limits.h,
 * and that nothing follows the message. Unknown extra elements at an array's end are an error, except in the
 * hello or welcome of another protocol version, of which only the version is read. Names and endpoints are
 * printable ASCII without spaces, maybe empty; ids that name something are not 0. */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "core/load.h"
#include "core/members.h"
#include "core/record.h"
#include "core/vector.h"

#define PROTOCOL_VERSION 2

/* X(ENUM, "name on the wire") */
#define MESSAGE_TYPES(X)                                                                                     \
	X(HELLO, "hello")	/* any → any: the first message on a connection */                         \
	X(WELCOME, "welcome")	/* answers hello */                                                          \
	X(ERROR, "error")	/* answers anything */                                                       \
	X(PING, "ping")		/* client → server */                                                      \
	X(PONG, "pong")		/* answers ping */                                                           \
	X(BATCH, "batch")	/* client → server */                                                      \
	X(ACK, "ack")		/* answers batch and seen, several at once */                                \
	X(REFUSED, "refused")	/* answers batch, seen and close */                                          \
	X(SEEN, "seen")		/* client → server: was it counted? */                                     \
	X(CLOSE, "close")	/* client → server: the session is done */                                 \
	X(CLOSED, "closed")	/* answers close */                                                          \
	X(COUNT, "count")	/* client → server */                                                      \
	X(COUNTS, "counts")	/* answers count */                                                          \
	X(TOP, "top")		/* client → server */                                                      \
	X(TOPS, "tops")		/* answers top */                                                            \
	X(STATUS, "status")	/* client → leader or server */                                            \
	X(STATE, "state")	/* answers status */                                                         \
	X(METRICS, "metrics")	/* client → leader or server */                                            \
	X(MEASURED, "measured") /* answers metrics */                                                        \
	X(ASSIGN, "assign")	/* client → leader */                                                      \
	X(ASSIGNED, "assigned") /* answers assign */                                                         \
	X(FORGET, "forget")	/* client → leader or server */                                            \
	X(DRAIN, "drain")	/* client → leader or server, and on to the one that is to stop */         \
	X(DONE, "done")		/* answers forget and drain */                                               \
	X(MEMBERS, "members") /* server → leader: registers; leader → server: push; server ↔ server */ \
	X(HEARTBEAT, "heartbeat") /* server → leader */                                                    \
	X(HEARD, "heard")	  /* answers heartbeat */                                                    \
	X(FETCH, "fetch")	  /* server → server: records, please */                                   \
	X(RECORDS, "records")	  /* answers fetch */                                                        \
	X(GONE, "gone")		  /* answers fetch: not held any more */                                     \
	X(SNAPSHOT, "snapshot")	  /* server → server: the next part of a checkpoint, please */             \
	X(PART, "part")		  /* answers snapshot */                                                     \
	X(RECORD, "record")	  /* published, topic "r"; logged */                                         \
	X(VECTOR, "vector")	  /* published, topic "v" */                                                 \
	X(REACH, "reach")	  /* server → server: positions of your vector, please */                  \
	X(REACHED, "reached")	  /* answers reach */                                                        \
	X(CHANGED, "changed")	  /* published, topic "k" key NUL */

enum message_type {
#define X(name, text) MESSAGE_##name,
	MESSAGE_TYPES(X)
#undef X
	    MESSAGE_TYPE_COUNT
};

const char *message_type_name(enum message_type type);

struct text {
	const char *data; /* not NUL-terminated */
	size_t size;
};

struct blob {
	const uint8_t *data;
	size_t size;
};

struct range { /* of batch numbers, both ends included */
	uint64_t lo, hi;
};

/* A server as the leader shows it to clients. */
struct server_row {
	struct node node;
	struct text name, client_endpoint, notify_endpoint;
};

struct status_row {
	struct server_row server;
	enum server_state state;
	struct load load;
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_sample {
	struct text of; /* the value of the metric's label; "": without it */
	int64_t value;
};

/* As Prometheus has them. Of a histogram the label is "le", the samples are how many were no more than that,
 * in ascending order and with "+Inf" last, and their sum under "". */
struct metric {
	struct text name; /* without what it is of, "kudos_server_" or "kudos_leader_" */
	enum metric_type type;
	struct text help;
	struct text label; /* "": none */
	uint64_t per;	   /* what values, of a histogram the sum alone, are to be divided by */
	const struct metric_sample *samples;
	size_t count;
};

/* In the comment behind each: the elements after the type name, in order. u: unsigned, i: signed, s: string,
 * x: bin, b: boolean, […]: array. Pointers point into the decoded bytes or into the message's own memory.
 * Encoding reads the same fields. */
struct message {
	enum message_type type;
	union {
		struct { /* u version, s role "client" | "server", b wants_session, u node (0 for a client) */
			uint64_t version;
			bool is_server;
			bool wants_session;
			struct node node;
		} hello;
		struct { /* u version, u node (0: a leader), u origin (a leader's incarnation), s name,
			    u issuer, u number, u signer, u code (all 0: no session), b serving */
			uint64_t version;
			struct node node;
			struct origin origin;
			struct text name;
			struct session session;
			struct proof proof;
			bool serving;
		} welcome;
		struct { /* u id (of the request, 0 when it has none), s code (kudos_error_code), s text */
			uint64_t id;
			int code; /* enum kudos_error; an unknown code string decodes as KUDOS_PROTOCOL */
			struct text text;
		} error;
		struct { /* u token: comes back in the pong */
			uint64_t token;
		} ping, pong;
		/* batch: u signer, u code, [u issuer, u number, u seq, [s key, i n, s key, i n, …]]; use
		 * message_decode_batch() */
		struct { /* u issuer, u number, [u lo, u hi, …], [u origin, u lsn, …] */
			struct session session;
			const struct range *ranges;
			size_t range_count;
			const struct position *positions; /* a server that reached these has applied it */
			size_t position_count;
		} ack;
		struct { /* u issuer, u number, u seq, s code, s text */
			struct session session;
			uint64_t seq;
			int code;
			struct text text;
		} refused;
		struct { /* u issuer, u number, u signer, u code, u seq */
			struct session session;
			struct proof proof;
			uint64_t seq;
		} seen;
		struct { /* u issuer, u number, u signer, u code */
			struct session session;
			struct proof proof;
		} close;
		struct { /* u issuer, u number */
			struct session session;
		} closed;
		struct { /* u id, [s key, …], [u origin, u lsn, …] */
			uint64_t id;
			const struct text *keys;
			size_t key_count;
			const struct position *positions; /* wait until these are reached */
			size_t position_count;
		} count;
		struct { /* u id, [i count, …] */
			uint64_t id;
			const int64_t *counts;
			size_t count;
		} counts;
		struct { /* u id, u n */
			uint64_t id, n;
		} top;
		struct { /* u id, [s key, i count, …] highest first */
			uint64_t id;
			const struct text *keys;
			const int64_t *counts;
			size_t count;
		} tops;
		struct { /* u id */
			uint64_t id;
		} status, metrics, done;
		struct { /* u id, u incarnation (0: a server answers), u members,
			    [[u node, s name, s client_endpoint, s notify_endpoint, s state "up" |
			    "catching-up" | "down", u clients, u keys, i likes_total, u events_per_s,
			    u lag_records, u journal_bytes, u malformed], …] */
			uint64_t id, incarnation, members;
			const struct status_row *rows; /* load.serving is not carried: state says it */
			size_t row_count;
		} state;
		struct { /* u id, [[s name, s type "counter" | "gauge" | "histogram", s help, s label, u per,
			    [s of, i value, …]], …] */
			uint64_t id;
			const struct metric *metrics;
			size_t count;
		} measured;
		struct { /* b wants_session, u lost (the node that fell silent, 0: none), u lifetime (s) */
			bool wants_session;
			struct node lost;
			uint64_t lifetime;
		} assign;
		struct { /* u issuer, u number, u signer, u code (all 0: no session),
			    [[u node, s name, s client_endpoint, s notify_endpoint], …] best first */
			struct session session;
			struct proof proof;
			const struct server_row *servers;
			size_t server_count;
		} assigned;
		struct { /* u id, s name or node id in 16 hex digits */
			uint64_t id;
			struct text target;
		} forget, drain;
		struct { /* u from (a node; 0: a leader), [[u node, u origin, i since, b forgotten, b
			    ephemeral, s name, s client_endpoint, s notify_endpoint, x secret], …] */
			struct node from;
			const struct member *rows;
			size_t row_count;
		} members;
		struct { /* u node, u origin, u digest, b serving, u clients, u keys, i likes_total,
			    u events_per_s, u lag_records, u journal_bytes, u malformed */
			struct node node;
			struct origin origin;
			uint64_t digest;
			struct load load;
		} heartbeat;
		struct { /* u incarnation, u digest, b known (false: register, please) */
			uint64_t incarnation, digest;
			bool known;
		} heard;
		struct { /* u origin, u from, u to */
			struct origin origin;
			uint64_t from, to;
		} fetch;
		struct { /* u origin, u from, [x record, …]: encoded records from, from+1, … */
			struct origin origin;
			uint64_t from;
			const struct blob *records;
			size_t record_count;
		} records;
		struct { /* u origin, u from (as asked) */
			struct origin origin;
			uint64_t from;
		} gone;
		struct { /* u id (chosen by the asker, names one reading), u index (0, 1, 2, …) */
			uint64_t id, index;
		} snapshot;
		struct { /* u id, u index, b last, [x key, x value, …] */
			uint64_t id, index;
			bool last;
			const struct blob *pairs; /* 2 * pair_count */
			size_t pair_count;
		} part;
		/* record: u origin, u lsn, [batch, …] each as in the batch message; use
		 * message_decode_record() */
		struct { /* u node, u origin, u serial, u digest (of the membership it holds), b established
			    (holds every count there is), u all (digest of its whole vector),
			    [u origin, u lsn, …] what changed lately in it */
			struct node node;
			struct origin origin;
			uint64_t serial; /* counts up within the origin */
			uint64_t digest;
			bool established;
			uint64_t all;
			const struct position *positions; /* sorted by origin id */
			size_t position_count;
		} vector;
		struct { /* u after (an origin, or 0) */
			struct origin after;
		} reach;
		struct { /* u origin (the sender's run), u after (as asked), b last, [u origin, u lsn, …] */
			struct origin origin, after;
			bool last;
			const struct position *positions; /* sorted by origin id, all above after */
			size_t position_count;
		} reached;
		struct { /* s key, i count */
			struct text key;
			int64_t count;
		} changed;
	};
	void *memory; /* what decoded arrays live in; message_deinit() frees it. NULL in one to be encoded */
};

/* Reads only the type. KUDOS_PROTOCOL when it has none. */
int message_peek(const void *data, size_t size, enum message_type *type);

/* The id of a request that cannot be decoded, for the error that answers it; 0 when it has none. */
uint64_t message_request_id(const void *data, size_t size);

/* 0; or KUDOS_PROTOCOL, KUDOS_TOO_LARGE, KUDOS_LIMIT, KUDOS_BAD_KEY (what the bytes are guilty of; *message
 * is untouched), or -ENOMEM. BATCH and RECORD are not decoded by this one: KUDOS_PROTOCOL. data must
 * outlive the message. */
int message_decode(const void *data, size_t size, struct message *message);
void message_deinit(struct message *message);

/* Appends the encoded message to out (see bytes_failed()). Not for BATCH and RECORD. The text of an error or
 * a refusal is cut to LIMIT_TEXT; all else is trusted. */
void message_encode(const struct message *message, struct bytes *out);

/* A batch message ["batch", signer, code, [issuer, number, seq, [key, n, …]]]: events are checked
 * (KUDOS_BAD_KEY, KUDOS_BAD_AMOUNT, KUDOS_LIMIT, KUDOS_TOO_LARGE, KUDOS_PROTOCOL); the box holds a copy of
 * the bytes. A seq of 0 or a batch without events is KUDOS_PROTOCOL here. When an error is returned and the
 * identity could be read, *session and *seq hold it, else zeros; *proof likewise. Any of the three may be
 * NULL. */
int message_decode_batch(const void *data, size_t size, struct batch_box **box, struct session *session,
			 uint64_t *seq, struct proof *proof);

/* Builds a batch box (as message_decode_batch() would give) from its parts; events NULL and count 0 with seq
 * 0 make a session's close. NULL: out of memory. Input is trusted. */
struct batch_box *message_make_batch(struct session session, uint64_t seq, const struct event *events,
				     size_t count);
/* Appends the batch message around box's raw bytes. */
void message_encode_batch(const struct batch *batch, struct proof proof, struct bytes *out);

/* A record message ["record", origin, lsn, [batch, …]], as published, logged and fetched. Decoding gives refs
 * 1 and copies the bytes. 0, KUDOS_* as above, or -ENOMEM. */
int message_decode_record(const void *data, size_t size, struct record **record);
/* Fills record->raw from its batches' raw bytes. 0 or -ENOMEM. */
int message_encode_record(struct record *record);

/* Printable UTF-8, 1..128 bytes, no spaces or control characters (also none beyond ASCII: U+0080..U+009F,
 * U+00A0, U+1680, U+2000..U+200F, U+2028..U+202F, U+205F..U+2064, U+3000, U+FEFF, U+FFF9..U+FFFB; no
 * surrogates, nothing overlong or over U+10FFFF). 0 or KUDOS_BAD_KEY. */
int key_check(const char *key, size_t size);

#endif
