/* SPDX-License-Identifier: MIT */
/* The mirror of message_decode.c, in the same order. */
#include <assert.h>
#include <string.h>

#include "kudos.h"
#include "wire/codec.h"
#include "wire/writer.h"

#include "base/limits.h"

static void write_word(struct writer *w, const char *word)
{
	write_str(w, word, strlen(word));
}

static void write_text(struct writer *w, struct text text)
{
	write_str(w, text.data, text.size);
}

/* An explanation, cut to what a receiver accepts, between two characters. */
static void write_explanation(struct writer *w, struct text text)
{
	if (text.size > LIMIT_TEXT) {
		text.size = LIMIT_TEXT;
		while (text.size > 0 && ((unsigned char)text.data[text.size] & 0xc0) == 0x80)
			text.size--;
	}
	write_text(w, text);
}

static void write_session(struct writer *w, struct session session)
{
	write_uint(w, session.issuer);
	write_uint(w, session.number);
}

static void write_proof(struct writer *w, struct proof proof)
{
	write_uint(w, proof.signer.id);
	write_uint(w, proof.code);
}

static void write_positions(struct writer *w, const struct position *list, size_t count)
{
	write_array(w, 2 * count);
	for (size_t i = 0; i < count; i++) {
		write_uint(w, list[i].origin.id);
		write_uint(w, list[i].lsn);
	}
}

static void write_blobs(struct writer *w, const struct blob *list, size_t count)
{
	write_array(w, count);
	for (size_t i = 0; i < count; i++)
		write_bin(w, list[i].data, list[i].size);
}

static void write_load(struct writer *w, const struct load *load)
{
	write_uint(w, load->clients);
	write_uint(w, load->keys);
	write_int(w, load->likes_total);
	write_uint(w, load->events_per_s);
	write_uint(w, load->lag_records);
	write_uint(w, load->journal_bytes);
	write_uint(w, load->malformed);
}

static void write_server(struct writer *w, const struct server_row *server)
{
	write_uint(w, server->node.id);
	write_text(w, server->name);
	write_text(w, server->client_endpoint);
	write_text(w, server->notify_endpoint);
}

static void encode_hello(struct writer *w, const struct message *m)
{
	write_uint(w, m->hello.version);
	write_word(w, m->hello.is_server ? "server" : "client");
	write_bool(w, m->hello.wants_session);
	write_uint(w, m->hello.node.id);
}

static void encode_welcome(struct writer *w, const struct message *m)
{
	write_uint(w, m->welcome.version);
	write_uint(w, m->welcome.node.id);
	write_uint(w, m->welcome.origin.id);
	write_text(w, m->welcome.name);
	write_session(w, m->welcome.session);
	write_proof(w, m->welcome.proof);
	write_bool(w, m->welcome.serving);
}

static void encode_error(struct writer *w, const struct message *m)
{
	write_uint(w, m->error.id);
	write_word(w, kudos_error_code(m->error.code));
	write_explanation(w, m->error.text);
}

static void encode_ping(struct writer *w, const struct message *m)
{
	write_uint(w, m->ping.token);
}

static void encode_pong(struct writer *w, const struct message *m)
{
	write_uint(w, m->pong.token);
}

static void encode_ack(struct writer *w, const struct message *m)
{
	write_session(w, m->ack.session);
	write_array(w, 2 * m->ack.range_count);
	for (size_t i = 0; i < m->ack.range_count; i++) {
		write_uint(w, m->ack.ranges[i].lo);
		write_uint(w, m->ack.ranges[i].hi);
	}
	write_positions(w, m->ack.positions, m->ack.position_count);
}

static void encode_refused(struct writer *w, const struct message *m)
{
	write_session(w, m->refused.session);
	write_uint(w, m->refused.seq);
	write_word(w, kudos_error_code(m->refused.code));
	write_explanation(w, m->refused.text);
}

static void encode_seen(struct writer *w, const struct message *m)
{
	write_session(w, m->seen.session);
	write_proof(w, m->seen.proof);
	write_uint(w, m->seen.seq);
}

static void encode_close(struct writer *w, const struct message *m)
{
	write_session(w, m->close.session);
	write_proof(w, m->close.proof);
}

static void encode_closed(struct writer *w, const struct message *m)
{
	write_session(w, m->closed.session);
}

static void encode_count(struct writer *w, const struct message *m)
{
	write_uint(w, m->count.id);
	write_array(w, m->count.key_count);
	for (size_t i = 0; i < m->count.key_count; i++)
		write_text(w, m->count.keys[i]);
	write_positions(w, m->count.positions, m->count.position_count);
}

static void encode_counts(struct writer *w, const struct message *m)
{
	write_uint(w, m->counts.id);
	write_array(w, m->counts.count);
	for (size_t i = 0; i < m->counts.count; i++)
		write_int(w, m->counts.counts[i]);
}

static void encode_top(struct writer *w, const struct message *m)
{
	write_uint(w, m->top.id);
	write_uint(w, m->top.n);
}

static void encode_tops(struct writer *w, const struct message *m)
{
	write_uint(w, m->tops.id);
	write_array(w, 2 * m->tops.count);
	for (size_t i = 0; i < m->tops.count; i++) {
		write_text(w, m->tops.keys[i]);
		write_int(w, m->tops.counts[i]);
	}
}

/* metrics is laid out like it. */
static void encode_status(struct writer *w, const struct message *m)
{
	write_uint(w, m->status.id);
}

static const char *state_word(enum server_state state)
{
	switch (state) {
	case SERVER_UP:
		return "up";
	case SERVER_CATCHING_UP:
		return "catching-up";
	case SERVER_DOWN:
		break;
	}
	return "down";
}

static void encode_state(struct writer *w, const struct message *m)
{
	write_uint(w, m->state.id);
	write_uint(w, m->state.incarnation);
	write_uint(w, m->state.members);
	write_array(w, m->state.row_count);
	for (size_t i = 0; i < m->state.row_count; i++) {
		const struct status_row *row = &m->state.rows[i];
		write_array(w, 12);
		write_server(w, &row->server);
		write_word(w, state_word(row->state));
		write_load(w, &row->load);
	}
}

static const char *const metric_types[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

static void encode_measured(struct writer *w, const struct message *m)
{
	write_uint(w, m->measured.id);
	write_array(w, m->measured.count);
	for (size_t i = 0; i < m->measured.count; i++) {
		const struct metric *metric = &m->measured.metrics[i];
		write_array(w, 6);
		write_text(w, metric->name);
		write_word(w, metric_types[metric->type]);
		write_text(w, metric->help);
		write_text(w, metric->label);
		write_uint(w, metric->per);
		write_array(w, 2 * metric->count);
		for (size_t j = 0; j < metric->count; j++) {
			write_text(w, metric->samples[j].of);
			write_int(w, metric->samples[j].value);
		}
	}
}

static void encode_assign(struct writer *w, const struct message *m)
{
	write_bool(w, m->assign.wants_session);
	write_uint(w, m->assign.lost.id);
	write_uint(w, m->assign.lifetime);
}

static void encode_assigned(struct writer *w, const struct message *m)
{
	write_session(w, m->assigned.session);
	write_proof(w, m->assigned.proof);
	write_array(w, m->assigned.server_count);
	for (size_t i = 0; i < m->assigned.server_count; i++) {
		write_array(w, 4);
		write_server(w, &m->assigned.servers[i]);
	}
}

/* drain is laid out like it. */
static void encode_forget(struct writer *w, const struct message *m)
{
	write_uint(w, m->forget.id);
	write_text(w, m->forget.target);
}

static void encode_done(struct writer *w, const struct message *m)
{
	write_uint(w, m->done.id);
}

static void encode_members(struct writer *w, const struct message *m)
{
	write_uint(w, m->members.from.id);
	write_array(w, m->members.row_count);
	for (size_t i = 0; i < m->members.row_count; i++) {
		const struct member *row = &m->members.rows[i];
		write_array(w, 9);
		write_uint(w, row->node.id);
		write_uint(w, row->origin.id);
		write_int(w, row->since);
		write_bool(w, row->forgotten);
		write_bool(w, row->ephemeral);
		write_word(w, row->name);
		write_word(w, row->client_endpoint);
		write_word(w, row->notify_endpoint);
		write_bin(w, row->secret.bytes, secret_is_none(&row->secret) ? 0 : sizeof row->secret.bytes);
	}
}

static void encode_heartbeat(struct writer *w, const struct message *m)
{
	write_uint(w, m->heartbeat.node.id);
	write_uint(w, m->heartbeat.origin.id);
	write_uint(w, m->heartbeat.digest);
	write_bool(w, m->heartbeat.load.serving);
	write_load(w, &m->heartbeat.load);
}

static void encode_heard(struct writer *w, const struct message *m)
{
	write_uint(w, m->heard.incarnation);
	write_uint(w, m->heard.digest);
	write_bool(w, m->heard.known);
}

static void encode_fetch(struct writer *w, const struct message *m)
{
	write_uint(w, m->fetch.origin.id);
	write_uint(w, m->fetch.from);
	write_uint(w, m->fetch.to);
}

static void encode_records(struct writer *w, const struct message *m)
{
	write_uint(w, m->records.origin.id);
	write_uint(w, m->records.from);
	write_blobs(w, m->records.records, m->records.record_count);
}

static void encode_gone(struct writer *w, const struct message *m)
{
	write_uint(w, m->gone.origin.id);
	write_uint(w, m->gone.from);
}

static void encode_snapshot(struct writer *w, const struct message *m)
{
	write_uint(w, m->snapshot.id);
	write_uint(w, m->snapshot.index);
}

static void encode_part(struct writer *w, const struct message *m)
{
	write_uint(w, m->part.id);
	write_uint(w, m->part.index);
	write_bool(w, m->part.last);
	write_blobs(w, m->part.pairs, 2 * m->part.pair_count);
}

static void encode_vector(struct writer *w, const struct message *m)
{
	write_uint(w, m->vector.node.id);
	write_uint(w, m->vector.origin.id);
	write_uint(w, m->vector.serial);
	write_uint(w, m->vector.digest);
	write_bool(w, m->vector.established);
	write_uint(w, m->vector.all);
	write_positions(w, m->vector.positions, m->vector.position_count);
}

static void encode_reach(struct writer *w, const struct message *m)
{
	write_uint(w, m->reach.after.id);
}

static void encode_reached(struct writer *w, const struct message *m)
{
	write_uint(w, m->reached.origin.id);
	write_uint(w, m->reached.after.id);
	write_bool(w, m->reached.last);
	write_positions(w, m->reached.positions, m->reached.position_count);
}

static void encode_changed(struct writer *w, const struct message *m)
{
	write_text(w, m->changed.key);
	write_int(w, m->changed.count);
}

/* NULL: has a function of its own (batch.c). */
static void (*const encoders[MESSAGE_TYPE_COUNT])(struct writer *w, const struct message *m) = {
    [MESSAGE_HELLO] = encode_hello,	  [MESSAGE_WELCOME] = encode_welcome,
    [MESSAGE_ERROR] = encode_error,	  [MESSAGE_PING] = encode_ping,
    [MESSAGE_PONG] = encode_pong,	  [MESSAGE_ACK] = encode_ack,
    [MESSAGE_REFUSED] = encode_refused,	  [MESSAGE_CLOSE] = encode_close,
    [MESSAGE_CLOSED] = encode_closed,	  [MESSAGE_COUNT] = encode_count,
    [MESSAGE_TOP] = encode_top,		  [MESSAGE_TOPS] = encode_tops,
    [MESSAGE_COUNTS] = encode_counts,	  [MESSAGE_STATUS] = encode_status,
    [MESSAGE_STATE] = encode_state,	  [MESSAGE_METRICS] = encode_status,
    [MESSAGE_MEASURED] = encode_measured, [MESSAGE_ASSIGN] = encode_assign,
    [MESSAGE_ASSIGNED] = encode_assigned, [MESSAGE_FORGET] = encode_forget,
    [MESSAGE_DRAIN] = encode_forget,	  [MESSAGE_DONE] = encode_done,
    [MESSAGE_MEMBERS] = encode_members,	  [MESSAGE_HEARTBEAT] = encode_heartbeat,
    [MESSAGE_HEARD] = encode_heard,	  [MESSAGE_FETCH] = encode_fetch,
    [MESSAGE_RECORDS] = encode_records,	  [MESSAGE_GONE] = encode_gone,
    [MESSAGE_SNAPSHOT] = encode_snapshot, [MESSAGE_PART] = encode_part,
    [MESSAGE_VECTOR] = encode_vector,	  [MESSAGE_REACH] = encode_reach,
    [MESSAGE_REACHED] = encode_reached,	  [MESSAGE_CHANGED] = encode_changed,
    [MESSAGE_SEEN] = encode_seen,
};

void message_encode(const struct message *message, struct bytes *out)
{
	assert(encoders[message->type]);
	struct writer w = writer_to(out);
	write_array(&w, message_elements(message->type));
	write_word(&w, message_type_name(message->type));
	encoders[message->type](&w, message);
}
