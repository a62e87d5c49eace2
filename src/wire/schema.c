/* SPDX-License-Identifier: MIT */
#include "wire/schema.h"

#include "base/limits.h"

#define AT(place) .at = offsetof(struct message, place)
#define IN(type, place) .at = offsetof(type, place)
#define LIST(type, rows, number, of) \
	NULL, KIND_LIST, .at = offsetof(type, rows), .count_at = offsetof(type, number), .list = &(of)

const char *const kind_words[KINDS][4] = {
    [KIND_ROLE] = {"client", "server"},
    [KIND_STATE] = {[SERVER_DOWN] = "down", [SERVER_CATCHING_UP] = "catching-up", [SERVER_UP] = "up"},
    [KIND_TYPE] = {[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"},
};

/* By hand, a line for each element. */
/* clang-format off */
static const struct list ranges = {sizeof(struct range), .most = LIMIT_RECORD_BATCHES, .fields = {
	{"lo", KIND_ID, IN(struct range, lo)},
	{"hi", KIND_TO, IN(struct range, hi)},
}};
static const struct list positions = {sizeof(struct position), .most = LIMIT_MESSAGE_POSITIONS, .fields = {
	{"origin", KIND_ID, IN(struct position, origin)},
	{"lsn", KIND_UINT, IN(struct position, lsn)},
}};
static const struct list rising_positions = {sizeof(struct position), .most = LIMIT_MESSAGE_POSITIONS, .fields = {
	{"origin", KIND_RISING, IN(struct position, origin)},
	{"lsn", KIND_ID, IN(struct position, lsn)},
}};
static const struct list keys = {sizeof(struct text), .least = 1, .most = LIMIT_READ_KEYS,
	.fields = {{"key", KIND_KEY, .at = 0}}};
static const struct list watched_keys = {sizeof(struct text), .most = LIMIT_WATCHES,
	.fields = {{"key", KIND_KEY, .at = 0}}};
static const struct list counts = {sizeof(int64_t), .most = LIMIT_READ_KEYS,
	.fields = {{"count", KIND_INT, .at = 0}}};
static const struct list key_counts = {sizeof(struct key_count), .most = LIMIT_TOP, .fields = {
	{"key", KIND_KEY, IN(struct key_count, key)},
	{"count", KIND_INT, IN(struct key_count, count)},
}};
static const struct list servers = {sizeof(struct server_row), .most = LIMIT_MEMBERS, .arrays = true, .fields = {
	{"node", KIND_ID, IN(struct server_row, node)},
	{"name", KIND_WORD, LIMIT_NAME, IN(struct server_row, name)},
	{"client_endpoint", KIND_WORD, LIMIT_ENDPOINT, IN(struct server_row, client_endpoint)},
}};
static const struct list status_rows = {sizeof(struct status_row), .most = LIMIT_MEMBERS, .arrays = true, .fields = {
	{"node", KIND_ID, IN(struct status_row, server.node)},
	{"name", KIND_WORD, LIMIT_NAME, IN(struct status_row, server.name)},
	{"client_endpoint", KIND_WORD, LIMIT_ENDPOINT, IN(struct status_row, server.client_endpoint)},
	{"notify_endpoint", KIND_WORD, LIMIT_ENDPOINT, IN(struct status_row, notify_endpoint)},
	{"state", KIND_STATE, IN(struct status_row, state)},
	{"clients", KIND_UINT, IN(struct status_row, load.clients)},
	{"keys", KIND_UINT, IN(struct status_row, load.keys)},
	{"likes_total", KIND_INT, IN(struct status_row, load.likes_total)},
	{"events_per_s", KIND_UINT, IN(struct status_row, load.events_per_s)},
	{"lag_records", KIND_UINT, IN(struct status_row, load.lag_records)},
	{"journal_bytes", KIND_UINT, IN(struct status_row, load.journal_bytes)},
	{"malformed", KIND_UINT, IN(struct status_row, load.malformed)},
}};
static const struct list samples = {sizeof(struct metric_sample), .most = LIMIT_SAMPLES, .fields = {
	{"of", KIND_OF, LIMIT_NAME, IN(struct metric_sample, of)},
	{"value", KIND_INT, IN(struct metric_sample, value)},
}};
static const struct list metrics = {sizeof(struct metric), .most = LIMIT_METRICS, .arrays = true, .fields = {
	{"name", KIND_METRIC, LIMIT_NAME, IN(struct metric, name)},
	{"type", KIND_TYPE, IN(struct metric, type)},
	{"help", KIND_TEXT, LIMIT_TEXT, IN(struct metric, help)},
	{"label", KIND_LABEL, LIMIT_NAME, IN(struct metric, label)},
	{"per", KIND_ID, IN(struct metric, per)},
	{LIST(struct metric, samples, count, samples)},
}};
static const struct list members = {sizeof(struct member),
	.most = LIMIT_MEMBERS, .arrays = true, .added = 1, .fields = {
	{"node", KIND_ID, IN(struct member, node)},
	{"origin", KIND_UINT, IN(struct member, origin)},
	{"since", KIND_INT, IN(struct member, since)},
	{"forgotten", KIND_BOOL, IN(struct member, forgotten)},
	{"ephemeral", KIND_BOOL, IN(struct member, ephemeral)},
	{"name", KIND_CHARS, LIMIT_NAME, IN(struct member, name)},
	{"client_endpoint", KIND_CHARS, LIMIT_ENDPOINT, IN(struct member, client_endpoint)},
	{"notify_endpoint", KIND_CHARS, LIMIT_ENDPOINT, IN(struct member, notify_endpoint)},
	{"secret", KIND_SECRET, IN(struct member, secret)},
}};
static const struct list records = {sizeof(struct blob), .most = LIMIT_MESSAGE,
	.fields = {{"record", KIND_BIN, .at = 0}}};
static const struct list messages = {sizeof(struct blob), .least = 1, .most = LIMIT_MANY,
	.fields = {{"message", KIND_BIN, .at = 0}}};
static const struct list pairs = {sizeof(struct blob[2]), .most = LIMIT_MESSAGE, .fields = {
	{"key", KIND_BIN, .at = 0},
	{"value", KIND_BIN, .at = sizeof(struct blob)},
}};

const struct schema schemas[MESSAGE_TYPE_COUNT] = {
	[MESSAGE_HELLO] = {"hello", .fields = {
		{"version", KIND_VERSION, AT(hello.version)},
		{"role", KIND_ROLE, AT(hello.is_server)},
		{"wants_session", KIND_BOOL, AT(hello.wants_session)},
		{"node", KIND_UINT, AT(hello.node)},
	}},
	[MESSAGE_WELCOME] = {"welcome", .fields = {
		{"version", KIND_VERSION, AT(welcome.version)},
		{"node", KIND_UINT, AT(welcome.node)},
		{"origin", KIND_UINT, AT(welcome.origin)},
		{"name", KIND_WORD, LIMIT_NAME, AT(welcome.name)},
		{"issuer", KIND_UINT, AT(welcome.session.issuer)},
		{"number", KIND_BOTH, AT(welcome.session.number)},
		{"signer", KIND_UINT, AT(welcome.proof.signer)},
		{"code", KIND_UINT, AT(welcome.proof.code)},
		{"serving", KIND_BOOL, AT(welcome.serving)},
	}},
	[MESSAGE_ERROR] = {"error", .fields = {
		{"id", KIND_UINT, AT(error.id)},
		{"code", KIND_CODE, LIMIT_TEXT, AT(error.code)},
		{"text", KIND_EXPLANATION, LIMIT_TEXT, AT(error.text)},
	}},
	[MESSAGE_PING] = {"ping", .fields = {{"token", KIND_UINT, AT(ping.token)}}},
	[MESSAGE_PONG] = {"pong", .fields = {{"token", KIND_UINT, AT(pong.token)}}},
	[MESSAGE_MANY] = {"many", .fields = {{LIST(struct message, many.messages, many.count, messages)}}},
	[MESSAGE_BATCH] = {.name = "batch"}, /* batch.c */
	[MESSAGE_ACK] = {"ack", .fields = {
		{"issuer", KIND_ID, AT(ack.session.issuer)},
		{"number", KIND_ID, AT(ack.session.number)},
		{LIST(struct message, ack.ranges, ack.range_count, ranges)},
		{LIST(struct message, ack.positions, ack.position_count, positions)},
	}},
	[MESSAGE_REFUSED] = {"refused", .fields = { /* any identity: it is the one that was refused */
		{"issuer", KIND_UINT, AT(refused.session.issuer)},
		{"number", KIND_UINT, AT(refused.session.number)},
		{"seq", KIND_UINT, AT(refused.seq)},
		{"code", KIND_CODE, LIMIT_TEXT, AT(refused.code)},
		{"text", KIND_EXPLANATION, LIMIT_TEXT, AT(refused.text)},
	}},
	[MESSAGE_SEEN] = {"seen", .fields = {
		{"issuer", KIND_ID, AT(seen.session.issuer)},
		{"number", KIND_ID, AT(seen.session.number)},
		{"signer", KIND_UINT, AT(seen.proof.signer)},
		{"code", KIND_UINT, AT(seen.proof.code)},
		{"seq", KIND_SEQ, AT(seen.seq)},
	}},
	[MESSAGE_CLOSE] = {"close", .fields = {
		{"issuer", KIND_ID, AT(close.session.issuer)},
		{"number", KIND_ID, AT(close.session.number)},
		{"signer", KIND_UINT, AT(close.proof.signer)},
		{"code", KIND_UINT, AT(close.proof.code)},
	}},
	[MESSAGE_CLOSED] = {"closed", .fields = {
		{"issuer", KIND_ID, AT(closed.session.issuer)},
		{"number", KIND_ID, AT(closed.session.number)},
	}},
	[MESSAGE_COUNT] = {"count", .fields = {
		{"id", KIND_UINT, AT(count.id)},
		{LIST(struct message, count.keys, count.key_count, keys)},
		{LIST(struct message, count.positions, count.position_count, positions)},
	}, .asks = true},
	[MESSAGE_WATCH] = {"watch", .fields = {
		{"id", KIND_UINT, AT(watch.id)},
		{LIST(struct message, watch.keys, watch.key_count, watched_keys)},
		{LIST(struct message, watch.positions, watch.position_count, positions)},
	}, .asks = true},
	[MESSAGE_CHANGED] = {"changed", .fields = {
		{"key", KIND_KEY, AT(changed.key)},
		{"count", KIND_INT, AT(changed.count)},
	}},
	[MESSAGE_COUNTS] = {"counts", .fields = {
		{"id", KIND_UINT, AT(counts.id)},
		{LIST(struct message, counts.counts, counts.count, counts)},
	}},
	[MESSAGE_TOP] = {"top", .fields = {
		{"id", KIND_UINT, AT(top.id)},
		{"n", KIND_COUNT, LIMIT_TOP, AT(top.n)},
	}, .asks = true},
	[MESSAGE_TOPS] = {"tops", .fields = {
		{"id", KIND_UINT, AT(tops.id)},
		{LIST(struct message, tops.rows, tops.count, key_counts)},
	}},
	[MESSAGE_STATUS] = {"status", .fields = {{"id", KIND_UINT, AT(status.id)}}, .asks = true},
	[MESSAGE_STATE] = {"state", .fields = {
		{"id", KIND_UINT, AT(state.id)},
		{"incarnation", KIND_UINT, AT(state.incarnation)},
		{"members", KIND_UINT, AT(state.members)},
		{LIST(struct message, state.rows, state.row_count, status_rows)},
	}},
	[MESSAGE_METRICS] = {"metrics", .fields = {{"id", KIND_UINT, AT(metrics.id)}}, .asks = true},
	[MESSAGE_MEASURED] = {"measured", .fields = {
		{"id", KIND_UINT, AT(measured.id)},
		{LIST(struct message, measured.metrics, measured.count, metrics)},
	}},
	[MESSAGE_ASSIGN] = {"assign", .fields = {
		{"wants_session", KIND_BOOL, AT(assign.wants_session)},
		{"lost", KIND_UINT, AT(assign.lost)},
		{"lifetime", KIND_UINT, AT(assign.lifetime)},
	}},
	[MESSAGE_ASSIGNED] = {"assigned", .fields = {
		{"issuer", KIND_UINT, AT(assigned.session.issuer)},
		{"number", KIND_BOTH, AT(assigned.session.number)},
		{"signer", KIND_UINT, AT(assigned.proof.signer)},
		{"code", KIND_UINT, AT(assigned.proof.code)},
		{LIST(struct message, assigned.servers, assigned.server_count, servers)},
	}},
	[MESSAGE_FORGET] = {"forget", .fields = {
		{"id", KIND_UINT, AT(forget.id)},
		{"target", KIND_TEXT, LIMIT_TEXT, AT(forget.target)}, /* what a user typed */
	}, .asks = true},
	[MESSAGE_DRAIN] = {"drain", .fields = {
		{"id", KIND_UINT, AT(drain.id)},
		{"target", KIND_TEXT, LIMIT_TEXT, AT(drain.target)}, /* what a user typed */
	}, .asks = true},
	[MESSAGE_DONE] = {"done", .fields = {{"id", KIND_UINT, AT(done.id)}}},
	[MESSAGE_MEMBERS] = {"members", .fields = {
		{"from", KIND_UINT, AT(members.from)},
		{LIST(struct message, members.rows, members.row_count, members)},
	}},
	[MESSAGE_HEARTBEAT] = {"heartbeat", .fields = {
		{"node", KIND_ID, AT(heartbeat.node)},
		{"origin", KIND_ID, AT(heartbeat.origin)},
		{"digest", KIND_UINT, AT(heartbeat.digest)},
		{"serving", KIND_BOOL, AT(heartbeat.load.serving)},
		{"clients", KIND_UINT, AT(heartbeat.load.clients)},
		{"keys", KIND_UINT, AT(heartbeat.load.keys)},
		{"likes_total", KIND_INT, AT(heartbeat.load.likes_total)},
		{"events_per_s", KIND_UINT, AT(heartbeat.load.events_per_s)},
		{"lag_records", KIND_UINT, AT(heartbeat.load.lag_records)},
		{"journal_bytes", KIND_UINT, AT(heartbeat.load.journal_bytes)},
		{"malformed", KIND_UINT, AT(heartbeat.load.malformed)},
	}},
	[MESSAGE_HEARD] = {"heard", .fields = {
		{"incarnation", KIND_UINT, AT(heard.incarnation)},
		{"digest", KIND_UINT, AT(heard.digest)},
		{"known", KIND_BOOL, AT(heard.known)},
	}},
	[MESSAGE_FETCH] = {"fetch", .fields = {
		{"origin", KIND_ID, AT(fetch.origin)},
		{"from", KIND_ID, AT(fetch.from)},
		{"to", KIND_TO, AT(fetch.to)},
	}},
	[MESSAGE_RECORDS] = {"records", .fields = {
		{"origin", KIND_ID, AT(records.origin)},
		{"from", KIND_ID, AT(records.from)},
		{LIST(struct message, records.records, records.record_count, records)},
	}},
	[MESSAGE_GONE] = {"gone", .fields = {
		{"origin", KIND_ID, AT(gone.origin)},
		{"from", KIND_ID, AT(gone.from)},
	}},
	[MESSAGE_SNAPSHOT] = {"snapshot", .fields = {
		{"id", KIND_UINT, AT(snapshot.id)},
		{"index", KIND_UINT, AT(snapshot.index)},
	}, .asks = true},
	[MESSAGE_PART] = {"part", .fields = {
		{"id", KIND_UINT, AT(part.id)},
		{"index", KIND_UINT, AT(part.index)},
		{"last", KIND_BOOL, AT(part.last)},
		{LIST(struct message, part.pairs, part.pair_count, pairs)},
	}},
	[MESSAGE_RECORD] = {.name = "record"}, /* batch.c */
	[MESSAGE_VECTOR] = {"vector", .fields = {
		{"node", KIND_ID, AT(vector.node)},
		{"origin", KIND_ID, AT(vector.origin)},
		{"serial", KIND_UINT, AT(vector.serial)},
		{"digest", KIND_UINT, AT(vector.digest)},
		{"established", KIND_BOOL, AT(vector.serving)},
		{"all", KIND_UINT, AT(vector.all)},
		{"covered", KIND_UINT, AT(vector.covered)},
		{LIST(struct message, vector.at, vector.count, rising_positions)},
	}},
	[MESSAGE_REACH] = {"reach", .fields = {{"after", KIND_UINT, AT(reach.after)}}},
	[MESSAGE_REACHED] = {"reached", .fields = {
		{"origin", KIND_ID, AT(reached.origin)},
		{"after", KIND_AFTER, AT(reached.after)},
		{"last", KIND_BOOL, AT(reached.last)},
		{LIST(struct message, reached.positions, reached.position_count, rising_positions)},
	}},
};
/* clang-format on */
