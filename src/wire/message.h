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
#include <string.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "core/load.h"
#include "core/members.h"
#include "core/record.h"
#include "core/vector.h"
#include "wire/batch.h"

#define PROTOCOL_VERSION 3

enum message_type {
	MESSAGE_HELLO,	   /* any → any: the first message on a connection */
	MESSAGE_WELCOME,   /* answers hello */
	MESSAGE_ERROR,	   /* answers anything */
	MESSAGE_PING,	   /* client → server */
	MESSAGE_PONG,	   /* answers ping */
	MESSAGE_MANY,	   /* client → server, and to such a client: several messages */
	MESSAGE_BATCH,	   /* client → server */
	MESSAGE_ACK,	   /* answers batch and seen, several at once */
	MESSAGE_REFUSED,   /* answers batch, seen and close */
	MESSAGE_SEEN,	   /* client → server: was it counted? */
	MESSAGE_CLOSE,	   /* client → server: the session is done */
	MESSAGE_CLOSED,	   /* answers close */
	MESSAGE_COUNT,	   /* client → server */
	MESSAGE_WATCH,	   /* client → server: a count, and from now on what changes */
	MESSAGE_COUNTS,	   /* answers count and watch */
	MESSAGE_CHANGED,   /* server → client that watches */
	MESSAGE_TOP,	   /* client → server */
	MESSAGE_TOPS,	   /* answers top */
	MESSAGE_STATUS,	   /* client → leader or server */
	MESSAGE_STATE,	   /* answers status */
	MESSAGE_METRICS,   /* client → leader or server */
	MESSAGE_MEASURED,  /* answers metrics */
	MESSAGE_ASSIGN,	   /* client → leader */
	MESSAGE_ASSIGNED,  /* answers assign */
	MESSAGE_FORGET,	   /* client → leader or server */
	MESSAGE_DRAIN,	   /* client → leader or server, and on to the one that is to stop */
	MESSAGE_DONE,	   /* answers forget and drain */
	MESSAGE_MEMBERS,   /* server → leader: registers; leader → server: push; server ↔ server */
	MESSAGE_HEARTBEAT, /* server → leader */
	MESSAGE_HEARD,	   /* answers heartbeat */
	MESSAGE_FETCH,	   /* server → server: records, please */
	MESSAGE_RECORDS,   /* answers fetch */
	MESSAGE_GONE,	   /* answers fetch: not held any more */
	MESSAGE_SNAPSHOT,  /* server → server: the next part of a checkpoint, please */
	MESSAGE_PART,	   /* answers snapshot */
	MESSAGE_RECORD,	   /* published, topic "r"; logged */
	MESSAGE_VECTOR,	   /* published, topic "v" */
	MESSAGE_REACH,	   /* server → server: positions of your vector, please */
	MESSAGE_REACHED,   /* answers reach */
	MESSAGE_TYPE_COUNT
};

const char *message_type_name(enum message_type type);

struct text {
	const char *data; /* not NUL-terminated */
	size_t size;
};

static inline struct text message_text(const char *s)
{
	return (struct text){s, strlen(s)};
}

struct blob {
	const uint8_t *data;
	size_t size;
};

struct range { /* of batch numbers, both ends included */
	uint64_t lo, hi;
};

struct key_count {
	struct text key;
	int64_t count;
};

/* A server as the leader shows it to clients. */
struct server_row {
	struct node node;
	struct text name, client_endpoint;
};

struct status_row {
	struct server_row server;
	struct text notify_endpoint;
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

/* schema.h says what each holds on the wire, and doc/protocol.md what it means. Pointers point into the
 * decoded bytes or into the message's own memory. */
struct message {
	enum message_type type;
	union {
		struct {
			uint64_t version;
			bool is_server;
			bool wants_session;
			struct node node; /* 0: a client */
		} hello;
		struct {
			uint64_t version;
			struct node node;     /* 0: a leader */
			struct origin origin; /* a leader's incarnation */
			struct text name;
			struct session session; /* this and its proof all 0: none */
			struct proof proof;
			bool serving;
		} welcome;
		struct {
			uint64_t id; /* of the request; 0 when it has none */
			int code;    /* enum kudos_error; an unknown code string decodes as KUDOS_PROTOCOL */
			struct text text;
		} error;
		struct {
			uint64_t token;
		} ping, pong;
		struct {
			const struct blob *messages; /* encoded, none of them a `many` */
			size_t count;
		} many; /* many.h makes them */
		/* batch: use message_decode_batch() */
		struct {
			struct session session;
			const struct range *ranges;
			size_t range_count;
			const struct position *positions; /* a server that reached these has applied it */
			size_t position_count;
		} ack;
		struct {
			struct session session;
			uint64_t seq;
			int code;
			struct text text;
		} refused;
		struct {
			struct session session;
			struct proof proof;
			uint64_t seq;
		} seen;
		struct {
			struct session session;
			struct proof proof;
		} close;
		struct {
			struct session session;
		} closed;
		struct {
			uint64_t id;
			const struct text *keys;
			size_t key_count;
			const struct position *positions; /* wait until these are reached */
			size_t position_count;
		} count, watch;
		struct {
			uint64_t id;
			const int64_t *counts;
			size_t count;
		} counts;
		struct {
			uint64_t id, n;
		} top;
		struct {
			uint64_t id;
			const struct key_count *rows; /* highest first */
			size_t count;
		} tops;
		struct {
			uint64_t id;
		} status, metrics, done;
		struct {
			uint64_t id, incarnation, members; /* incarnation 0: a server answers */
			const struct status_row *rows;	   /* load.serving is not carried: state says it */
			size_t row_count;
		} state;
		struct {
			uint64_t id;
			const struct metric *metrics;
			size_t count;
		} measured;
		struct {
			bool wants_session;
			struct node lost;  /* that fell silent; 0: none */
			uint64_t lifetime; /* s */
		} assign;
		struct {
			struct session session; /* this and its proof all 0: none */
			struct proof proof;
			const struct server_row *servers; /* best first */
			size_t server_count;
		} assigned;
		struct {
			uint64_t id;
			struct text target; /* a name, or a node in 16 hex digits */
		} forget, drain;
		struct {
			struct node from; /* 0: a leader */
			const struct member *rows;
			size_t row_count;
		} members;
		struct {
			struct node node;
			struct origin origin;
			uint64_t digest;
			struct load load;
		} heartbeat;
		struct {
			uint64_t incarnation, digest;
			bool known; /* false: register, please */
		} heard;
		struct {
			struct origin origin;
			uint64_t from, to;
		} fetch;
		struct {
			struct origin origin;
			uint64_t from;
			const struct blob *records; /* encoded: from, from+1, … */
			size_t record_count;
		} records;
		struct {
			struct origin origin;
			uint64_t from; /* as asked */
		} gone;
		struct {
			uint64_t id, index; /* id: chosen by the asker, names one reading */
		} snapshot;
		struct {
			uint64_t id, index;
			bool last;
			const struct blob *pairs; /* 2 * pair_count: key, value, … */
			size_t pair_count;
		} part;
		/* record: use message_decode_record() */
		struct vector_message vector;
		struct {
			struct origin after; /* or 0 */
		} reach;
		struct {
			struct origin origin, after; /* the sender's run; as asked */
			bool last;
			const struct position *positions; /* sorted by origin id, all above after */
			size_t position_count;
		} reached;
		struct {
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

#endif
