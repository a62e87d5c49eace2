/* SPDX-License-Identifier: MIT */
/* One small function for each message type, in the order of MESSAGE_TYPES; message.h says what the elements
 * are. A function reads on after an error, since the reader's error sticks and every read is then empty. */
#include <string.h>

#include "kudos.h"
#include "wire/codec.h"
#include "wire/fields.h"

#include "base/limits.h"

/* What another version's hello and welcome hold beyond the version is not for this one to judge: their
 * receiver answers with KUDOS_BAD_VERSION rather than KUDOS_PROTOCOL. */
static bool other_version(struct reader *r, uint64_t version)
{
	if (r->error || version == PROTOCOL_VERSION)
		return false;
	r->at = r->end;
	return true;
}

static void decode_hello(struct reader *r, struct message *m)
{
	m->hello.version = read_uint(r);
	if (other_version(r, m->hello.version))
		return;
	struct text role = read_str(r, SIZE_MAX);
	m->hello.is_server = text_is(role, "server");
	if (!m->hello.is_server && !text_is(role, "client"))
		reader_fail(r, KUDOS_PROTOCOL);
	m->hello.wants_session = read_bool(r);
	m->hello.node.id = read_uint(r);
}

static void decode_welcome(struct reader *r, struct message *m)
{
	m->welcome.version = read_uint(r);
	if (other_version(r, m->welcome.version))
		return;
	m->welcome.node.id = read_uint(r);
	m->welcome.origin.id = read_uint(r);
	m->welcome.name = read_word(r, LIMIT_NAME);
	m->welcome.session = read_session_or_none(r);
	m->welcome.proof = read_proof(r);
	m->welcome.serving = read_bool(r);
}

static void decode_error(struct reader *r, struct message *m)
{
	m->error.id = read_uint(r);
	m->error.code = read_code(r);
	m->error.text = read_str(r, LIMIT_TEXT);
}

static void decode_ping(struct reader *r, struct message *m)
{
	m->ping.token = read_uint(r);
}

static void decode_pong(struct reader *r, struct message *m)
{
	m->pong.token = read_uint(r);
}

static void decode_ack(struct reader *r, struct message *m)
{
	m->ack.session = read_session(r);
	m->ack.range_count = read_pairs(r, LIMIT_RECORD_BATCHES);
	struct range *ranges = take_memory(r, m, m->ack.range_count, sizeof *ranges);
	for (size_t i = 0; ranges && i < m->ack.range_count && !r->error; i++) {
		ranges[i].lo = read_id(r);
		ranges[i].hi = read_uint(r);
		if (ranges[i].hi < ranges[i].lo)
			reader_fail(r, KUDOS_PROTOCOL);
	}
	m->ack.ranges = ranges;
	m->ack.positions = read_positions(r, m, &m->ack.position_count);
}

static void decode_refused(struct reader *r, struct message *m)
{
	/* Any identity: it is the one that was refused. */
	m->refused.session.issuer = read_uint(r);
	m->refused.session.number = read_uint(r);
	m->refused.seq = read_uint(r);
	m->refused.code = read_code(r);
	m->refused.text = read_str(r, LIMIT_TEXT);
}

static void decode_seen(struct reader *r, struct message *m)
{
	m->seen.session = read_session(r);
	m->seen.proof = read_proof(r);
	m->seen.seq = read_id(r);
	if (m->seen.seq == SEQ_LAPSE)
		reader_fail(r, KUDOS_PROTOCOL);
}

static void decode_close(struct reader *r, struct message *m)
{
	m->close.session = read_session(r);
	m->close.proof = read_proof(r);
}

static void decode_closed(struct reader *r, struct message *m)
{
	m->closed.session = read_session(r);
}

static void decode_count(struct reader *r, struct message *m)
{
	m->count.id = read_uint(r);
	m->count.key_count = read_array(r, LIMIT_READ_KEYS);
	if (m->count.key_count == 0)
		reader_fail(r, KUDOS_PROTOCOL);
	struct text *keys = take_memory(r, m, m->count.key_count, sizeof *keys);
	for (size_t i = 0; keys && i < m->count.key_count && !r->error; i++)
		keys[i] = read_key(r);
	m->count.keys = keys;
	m->count.positions = read_positions(r, m, &m->count.position_count);
}

static void decode_counts(struct reader *r, struct message *m)
{
	m->counts.id = read_uint(r);
	m->counts.count = read_array(r, LIMIT_READ_KEYS);
	int64_t *counts = take_memory(r, m, m->counts.count, sizeof *counts);
	for (size_t i = 0; counts && i < m->counts.count && !r->error; i++)
		counts[i] = read_int(r);
	m->counts.counts = counts;
}

static void decode_top(struct reader *r, struct message *m)
{
	m->top.id = read_uint(r);
	m->top.n = read_uint(r);
	if (m->top.n == 0)
		reader_fail(r, KUDOS_PROTOCOL);
	else if (m->top.n > LIMIT_TOP)
		reader_fail(r, KUDOS_LIMIT);
}

static void decode_tops(struct reader *r, struct message *m)
{
	m->tops.id = read_uint(r);
	size_t elements = read_array(r, (size_t)2 * LIMIT_TOP);
	if (elements % 2)
		reader_fail(r, KUDOS_PROTOCOL);
	m->tops.count = elements / 2;
	int64_t *counts = take_memory(r, m, m->tops.count, sizeof *counts + sizeof(struct text));
	struct text *keys = counts ? (struct text *)(counts + m->tops.count) : NULL;
	for (size_t i = 0; counts && i < m->tops.count && !r->error; i++) {
		keys[i] = read_key(r);
		counts[i] = read_int(r);
	}
	m->tops.keys = keys;
	m->tops.counts = counts;
}

/* metrics is laid out like it. */
static void decode_status(struct reader *r, struct message *m)
{
	m->status.id = read_uint(r);
}

static enum server_state read_state(struct reader *r)
{
	struct text state = read_str(r, SIZE_MAX);
	if (text_is(state, "up"))
		return SERVER_UP;
	if (text_is(state, "catching-up"))
		return SERVER_CATCHING_UP;
	if (!text_is(state, "down"))
		reader_fail(r, KUDOS_PROTOCOL);
	return SERVER_DOWN;
}

static void decode_state(struct reader *r, struct message *m)
{
	m->state.id = read_uint(r);
	m->state.incarnation = read_uint(r);
	m->state.members = read_uint(r);
	m->state.row_count = read_array(r, LIMIT_MEMBERS);
	struct status_row *rows = take_memory(r, m, m->state.row_count, sizeof *rows);
	for (size_t i = 0; rows && i < m->state.row_count && !r->error; i++) {
		read_array_of(r, 12);
		read_server(r, &rows[i].server);
		rows[i].state = read_state(r);
		read_load(r, &rows[i].load);
		rows[i].load.serving = rows[i].state == SERVER_UP;
	}
	m->state.rows = rows;
}

/* A metric's name or label: what Prometheus takes for one. */
static struct text read_metric_name(struct reader *r)
{
	struct text name = read_word(r, LIMIT_NAME);
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		if (!(c >= 'a' && c <= 'z') && c != '_' && !(i > 0 && c >= '0' && c <= '9'))
			reader_fail(r, KUDOS_PROTOCOL);
	}
	return name;
}

static enum metric_type read_metric_type(struct reader *r)
{
	struct text type = read_str(r, SIZE_MAX);
	if (text_is(type, "counter"))
		return METRIC_COUNTER;
	if (text_is(type, "histogram"))
		return METRIC_HISTOGRAM;
	if (!text_is(type, "gauge"))
		reader_fail(r, KUDOS_PROTOCOL);
	return METRIC_GAUGE;
}

static void read_metric(struct reader *r, struct message *m, struct metric *metric)
{
	read_array_of(r, 6);
	metric->name = read_metric_name(r);
	if (metric->name.size == 0)
		reader_fail(r, KUDOS_PROTOCOL);
	metric->type = read_metric_type(r);
	metric->help = read_str(r, LIMIT_TEXT);
	metric->label = read_metric_name(r);
	metric->per = read_id(r);
	metric->count = read_pairs(r, LIMIT_SAMPLES);
	struct metric_sample *samples = take_memory(r, m, metric->count, sizeof *samples);
	for (size_t i = 0; samples && i < metric->count && !r->error; i++) {
		samples[i].of = read_word(r, LIMIT_NAME);
		samples[i].value = read_int(r);
		if (samples[i].of.size > 0 && metric->label.size == 0)
			reader_fail(r, KUDOS_PROTOCOL);
	}
	metric->samples = samples;
}

static void decode_measured(struct reader *r, struct message *m)
{
	m->measured.id = read_uint(r);
	m->measured.count = read_array(r, LIMIT_METRICS);
	struct metric *list = take_memory(r, m, m->measured.count, sizeof *list);
	for (size_t i = 0; list && i < m->measured.count && !r->error; i++)
		read_metric(r, m, &list[i]);
	m->measured.metrics = list;
}

static void decode_assign(struct reader *r, struct message *m)
{
	m->assign.wants_session = read_bool(r);
	m->assign.lost.id = read_uint(r);
	m->assign.lifetime = read_uint(r);
}

static void decode_assigned(struct reader *r, struct message *m)
{
	m->assigned.session = read_session_or_none(r);
	m->assigned.proof = read_proof(r);
	m->assigned.server_count = read_array(r, LIMIT_MEMBERS);
	struct server_row *servers = take_memory(r, m, m->assigned.server_count, sizeof *servers);
	for (size_t i = 0; servers && i < m->assigned.server_count && !r->error; i++) {
		read_array_of(r, 4);
		read_server(r, &servers[i]);
	}
	m->assigned.servers = servers;
}

/* drain is laid out like it. */
static void decode_forget(struct reader *r, struct message *m)
{
	m->forget.id = read_uint(r);
	m->forget.target = read_str(r, LIMIT_TEXT); /* what a user typed: no member may have that name */
}

static void decode_done(struct reader *r, struct message *m)
{
	m->done.id = read_uint(r);
}

/* Copies a word into a zeroed array of limit + 1 bytes. */
static void read_word_into(struct reader *r, char *into, size_t limit)
{
	struct text word = read_word(r, limit);
	if (word.size)
		memcpy(into, word.data, word.size);
}

static void read_secret(struct reader *r, struct secret *secret)
{
	struct blob bytes = read_bin(r);
	if (bytes.size == sizeof *secret)
		memcpy(secret, bytes.data, sizeof *secret);
	else if (bytes.size != 0)
		reader_fail(r, KUDOS_PROTOCOL);
}

/* A row without a secret is of a data folder that was written before there were any. */
static void read_member(struct reader *r, struct member *member)
{
	size_t elements = read_array(r, 9);
	if (elements < 8)
		reader_fail(r, KUDOS_PROTOCOL);
	member->node.id = read_id(r);
	member->origin.id = read_uint(r);
	member->since = read_int(r);
	member->forgotten = read_bool(r);
	member->ephemeral = read_bool(r);
	read_word_into(r, member->name, LIMIT_NAME);
	read_word_into(r, member->client_endpoint, LIMIT_ENDPOINT);
	read_word_into(r, member->notify_endpoint, LIMIT_ENDPOINT);
	if (elements == 9)
		read_secret(r, &member->secret);
}

static void decode_members(struct reader *r, struct message *m)
{
	m->members.from.id = read_uint(r);
	m->members.row_count = read_array(r, LIMIT_MEMBERS);
	struct member *rows = take_memory(r, m, m->members.row_count, sizeof *rows);
	for (size_t i = 0; rows && i < m->members.row_count && !r->error; i++)
		read_member(r, &rows[i]);
	m->members.rows = rows;
}

static void decode_heartbeat(struct reader *r, struct message *m)
{
	m->heartbeat.node.id = read_id(r);
	m->heartbeat.origin.id = read_id(r);
	m->heartbeat.digest = read_uint(r);
	m->heartbeat.load.serving = read_bool(r);
	read_load(r, &m->heartbeat.load);
}

static void decode_heard(struct reader *r, struct message *m)
{
	m->heard.incarnation = read_uint(r);
	m->heard.digest = read_uint(r);
	m->heard.known = read_bool(r);
}

static void decode_fetch(struct reader *r, struct message *m)
{
	m->fetch.origin.id = read_id(r);
	m->fetch.from = read_id(r);
	m->fetch.to = read_uint(r);
	if (m->fetch.to < m->fetch.from)
		reader_fail(r, KUDOS_PROTOCOL);
}

static const struct blob *read_blobs(struct reader *r, struct message *m, size_t count)
{
	struct blob *list = take_memory(r, m, count, sizeof *list);
	for (size_t i = 0; list && i < count && !r->error; i++)
		list[i] = read_bin(r);
	return list;
}

static void decode_records(struct reader *r, struct message *m)
{
	m->records.origin.id = read_id(r);
	m->records.from = read_id(r);
	m->records.record_count = read_array(r, SIZE_MAX);
	m->records.records = read_blobs(r, m, m->records.record_count);
}

static void decode_gone(struct reader *r, struct message *m)
{
	m->gone.origin.id = read_id(r);
	m->gone.from = read_id(r);
}

static void decode_snapshot(struct reader *r, struct message *m)
{
	m->snapshot.id = read_uint(r);
	m->snapshot.index = read_uint(r);
}

static void decode_part(struct reader *r, struct message *m)
{
	m->part.id = read_uint(r);
	m->part.index = read_uint(r);
	m->part.last = read_bool(r);
	m->part.pair_count = read_pairs(r, SIZE_MAX);
	m->part.pairs = read_blobs(r, m, 2 * m->part.pair_count);
}

/* Each above the one before, and none without an lsn. */
static const struct position *read_sorted_positions(struct reader *r, struct message *m, struct origin after,
						    size_t *count)
{
	const struct position *at = read_positions(r, m, count);
	for (size_t i = 0; !r->error && i < *count; i++) {
		if (at[i].origin.id <= (i ? at[i - 1].origin : after).id || at[i].lsn == 0)
			reader_fail(r, KUDOS_PROTOCOL);
	}
	return at;
}

static void decode_vector(struct reader *r, struct message *m)
{
	m->vector.node.id = read_id(r);
	m->vector.origin.id = read_id(r);
	m->vector.serial = read_uint(r);
	m->vector.digest = read_uint(r);
	m->vector.established = read_bool(r);
	m->vector.all = read_uint(r);
	m->vector.positions = read_sorted_positions(r, m, (struct origin){0}, &m->vector.position_count);
}

static void decode_reach(struct reader *r, struct message *m)
{
	m->reach.after.id = read_uint(r);
}

static void decode_reached(struct reader *r, struct message *m)
{
	m->reached.origin.id = read_id(r);
	m->reached.after.id = read_uint(r);
	m->reached.last = read_bool(r);
	m->reached.positions = read_sorted_positions(r, m, m->reached.after, &m->reached.position_count);
}

static void decode_changed(struct reader *r, struct message *m)
{
	m->changed.key = read_key(r);
	m->changed.count = read_int(r);
}

/* NULL: has a function of its own (batch.c). */
static void (*const decoders[MESSAGE_TYPE_COUNT])(struct reader *r, struct message *m) = {
    [MESSAGE_HELLO] = decode_hello,	  [MESSAGE_WELCOME] = decode_welcome,
    [MESSAGE_ERROR] = decode_error,	  [MESSAGE_PING] = decode_ping,
    [MESSAGE_PONG] = decode_pong,	  [MESSAGE_ACK] = decode_ack,
    [MESSAGE_REFUSED] = decode_refused,	  [MESSAGE_CLOSE] = decode_close,
    [MESSAGE_CLOSED] = decode_closed,	  [MESSAGE_COUNT] = decode_count,
    [MESSAGE_TOP] = decode_top,		  [MESSAGE_TOPS] = decode_tops,
    [MESSAGE_COUNTS] = decode_counts,	  [MESSAGE_STATUS] = decode_status,
    [MESSAGE_STATE] = decode_state,	  [MESSAGE_METRICS] = decode_status,
    [MESSAGE_MEASURED] = decode_measured, [MESSAGE_ASSIGN] = decode_assign,
    [MESSAGE_ASSIGNED] = decode_assigned, [MESSAGE_FORGET] = decode_forget,
    [MESSAGE_DRAIN] = decode_forget,	  [MESSAGE_DONE] = decode_done,
    [MESSAGE_MEMBERS] = decode_members,	  [MESSAGE_HEARTBEAT] = decode_heartbeat,
    [MESSAGE_HEARD] = decode_heard,	  [MESSAGE_FETCH] = decode_fetch,
    [MESSAGE_RECORDS] = decode_records,	  [MESSAGE_GONE] = decode_gone,
    [MESSAGE_SNAPSHOT] = decode_snapshot, [MESSAGE_PART] = decode_part,
    [MESSAGE_VECTOR] = decode_vector,	  [MESSAGE_REACH] = decode_reach,
    [MESSAGE_REACHED] = decode_reached,	  [MESSAGE_CHANGED] = decode_changed,
    [MESSAGE_SEEN] = decode_seen,
};

static bool greets(enum message_type type)
{
	return type == MESSAGE_HELLO || type == MESSAGE_WELCOME;
}

int message_decode(const void *data, size_t size, struct message *message)
{
	if (size > LIMIT_MESSAGE)
		return KUDOS_TOO_LARGE;
	struct reader r = reader_over(data, size);
	size_t count;
	struct message m = {.memory = NULL};
	m.type = read_type(&r, &count);
	if (r.error)
		return r.error;
	if (!decoders[m.type] || count < 2)
		return KUDOS_PROTOCOL;
	decoders[m.type](&r, &m);
	/* Data folders from before version 2 hold positions behind the members. */
	bool longer = m.type == MESSAGE_MEMBERS && count == message_elements(m.type) + 1;
	if (longer)
		read_positions(&r, &m, &(size_t){0});
	bool other = greets(m.type) && m.hello.version != PROTOCOL_VERSION;
	if (count != message_elements(m.type) && !other && !longer)
		reader_fail(&r, KUDOS_PROTOCOL);
	if (reader_finish(&r) != 0) {
		message_deinit(&m);
		return r.error;
	}
	*message = m;
	return 0;
}
