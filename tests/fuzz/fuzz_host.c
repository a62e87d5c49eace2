/* SPDX-License-Identifier: MIT */
/* The bytes as a conversation with a whole server, only without its sockets: messages as they should be and
 * as they should not, to every port, from clients, peers and leaders; commits that fail, restarts on what was
 * durable. Beside it the journal is read from its beginning by a plain model. What must hold: no message
 * stops the server; counts are the model's and V is what the journal holds without gap (until a peer's
 * snapshot was adopted, which may say anything); acknowledged and published is only what is durable; nothing
 * is said after a failed commit; and all that is said can be decoded. */
#include "fuzz/host_world.h"
#include "server/peers.h"
#include "unit/batch_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPS = 400 };

/* ---- what it is told ---- */

static const uint8_t *encoded(struct world *w, const struct message *m, size_t *size)
{
	bytes_clear(&w->out);
	message_encode(m, &w->out);
	must(!bytes_failed(&w->out));
	*size = w->out.size;
	return w->out.data;
}

/* What is in w->out: by itself, or twice in one message. */
static void say(struct world *w, uint8_t connection, enum role role, bool twice)
{
	const struct blob both[] = {{w->out.data, w->out.size}, {w->out.data, w->out.size}};
	struct bytes many = {0};
	if (twice)
		message_encode(&(struct message){.type = MESSAGE_MANY, .many = {both, 2}}, &many);
	judge(w, host_receive_client(w->h, w->now, role, &connection, 1, twice ? many.data : w->out.data,
				     twice ? many.size : w->out.size));
	bytes_deinit(&many);
}

static void to_client_port(struct world *w, uint8_t connection, const struct message *m, bool twice)
{
	size_t size;
	encoded(w, m, &size);
	say(w, connection, ROLE_ANY, twice);
}

static struct position some_position(struct world *w, struct input *in)
{
	static const uint64_t origins[] = {PEER_ORIGIN, PEER_ORIGIN + 1, OTHER_ORIGIN, OTHER_ORIGIN + 1};
	unsigned i = input_below(in, 5);
	struct origin origin = i < 4 ? (struct origin){origins[i]} : w->h->replica.config.self.origin;
	return (struct position){origin, 1 + input_below(in, 32)};
}

static size_t some_positions(struct world *w, struct input *in, struct vector *v)
{
	for (unsigned i = input_below(in, 5); i > 0; i--) {
		struct position at = some_position(w, in);
		must(vector_set(v, at.origin, at.lsn) == 0);
	}
	return v->count;
}

/* A peer's, or this server's own as another run of it would have made it. */
static struct member some_row(struct input *in)
{
	uint8_t flags = input_byte(in);
	struct member row = flags & 1 ? member_row(OTHER, OTHER_ORIGIN + (flags >> 1 & 1))
				      : member_row(PEER, PEER_ORIGIN + (flags >> 1 & 1));
	row.forgotten = (flags & 0xe0) == 0xe0;
	if (flags & 8) {
		row = member_row(SELF, SELF_ORIGIN + (flags >> 1 & 1));
		row.since = flags & 16 ? INT64_MAX : 5;
	}
	row.since += flags >> 1 & 1 && row.since < INT64_MAX;
	row.ephemeral = flags & 4;
	return row;
}

static struct proof proof_of(struct session session)
{
	const struct member self = member_row(SELF, SELF_ORIGIN);
	return proof_make(&self, session);
}

/* A batch, from one of four connections. */
static void tell_batch(struct world *w, struct input *in)
{
	uint8_t who = input_byte(in), connection = who >> 3 & 3;
	struct batch_box *box = make_batch(1 + who % SESSIONS, 1 + input_below(in, SEQS - 1), who & 0x80);
	const struct batch *b = &box->batch;
	bytes_deinit(&w->out);
	w->out = batch_message(b->session, proof_of(b->session), b->seq, b->events, b->event_count);
	say(w, connection, who & 0x40 ? ROLE_CLIENT : ROLE_ANY, who & 0x20);
	batch_box_unref(box);
}

static void tell_client(struct world *w, struct input *in)
{
	uint8_t who = input_byte(in), connection = who % 8;
	struct vector v = {0};
	struct text asked[] = {{"a", 1}, {"likes", 5}};
	struct message m = {0};
	switch (input_below(in, 7)) {
	case 0: /* connections 4 to 7 are servers' */
		m.type = MESSAGE_HELLO;
		m.hello.version = PROTOCOL_VERSION;
		m.hello.is_server = connection >= 4;
		m.hello.node.id = connection < 4 ? 0 : connection % 2 ? OTHER : PEER;
		m.hello.wants_session = input_byte(in) & 1;
		break;
	case 1:
		if (input_byte(in) & 1) {
			m.type = MESSAGE_SEEN;
			m.seen.session = (struct session){ISSUER, 1 + input_below(in, SESSIONS)};
			m.seen.proof = proof_of(m.seen.session);
			m.seen.seq = 1 + input_below(in, 8);
			break;
		}
		m.type = MESSAGE_CLOSE;
		m.close.session = (struct session){ISSUER, 1 + input_below(in, SESSIONS)};
		m.close.proof = proof_of(m.close.session);
		break;
	case 2:
		m.type = connection & 1 ? MESSAGE_WATCH : MESSAGE_COUNT; /* laid out alike */
		m.count.id = 1;
		m.count.keys = asked;
		m.count.key_count = 2;
		m.count.position_count = some_positions(w, in, &v);
		m.count.positions = v.at;
		break;
	case 3:
		m.type = MESSAGE_FETCH;
		m.fetch.origin = some_position(w, in).origin;
		m.fetch.from = 1 + input_below(in, 32);
		m.fetch.to = m.fetch.from + input_byte(in);
		break;
	case 4:
		m.type = MESSAGE_SNAPSHOT;
		m.snapshot.id = 1 + input_below(in, 2);
		m.snapshot.index = input_below(in, 3);
		break;
	case 5:
		m.type = MESSAGE_FORGET;
		m.forget.target = (struct text){input_byte(in) & 1 ? "n20" : "n30", 3};
		break;
	default:
		m.type = connection & 1 ? MESSAGE_METRICS : MESSAGE_STATUS; /* laid out alike */
		m.status.id = 1;
		break;
	}
	to_client_port(w, connection, &m, who & 0x80);
	vector_deinit(&v);
}

static void from_leader(struct world *w, const void *data, size_t size)
{
	if (w->leaders > 0)
		judge(w, leaders_receive(w->h, w->now, 0, data, size));
}

static void tell_heard(struct world *w, uint8_t flags)
{
	struct message m = {.type = MESSAGE_HEARD,
			    .heard = {.incarnation = 1 + (flags >> 1 & 1),
				      .digest = flags & 4 ? 1 : w->h->replica.membership.digest,
				      .known = !(flags & 8)}};
	size_t size;
	const uint8_t *data = encoded(w, &m, &size);
	from_leader(w, data, size);
}

/* Membership, from a peer, which tells positions of its vector too, or a leader. */
static void tell_members(struct world *w, struct input *in)
{
	uint8_t from = input_byte(in);
	if (from & 0x80) {
		tell_heard(w, from);
		return;
	}
	struct member rows[2] = {some_row(in), some_row(in)};
	struct vector v = {0};
	struct message m = {.type = MESSAGE_MEMBERS, .members = {.rows = rows, .row_count = 2}};
	if (from & 1) {
		struct node peer = {from & 2 ? OTHER : PEER};
		m.members.from = peer;
		to_client_port(w, from & 2 ? 5 : 4, &m, from & 4);
		m = (struct message){.type = MESSAGE_REACHED, .reached = {.last = from & 4}};
		m.reached.origin.id = (from & 2 ? OTHER_ORIGIN : PEER_ORIGIN) + (from >> 3 & 1u);
		m.reached.position_count = some_positions(w, in, &v);
		m.reached.positions = v.at;
		size_t size;
		const uint8_t *data = encoded(w, &m, &size);
		judge(w, peers_receive(w->h, w->now, peer, data, size));
	} else {
		size_t size;
		const uint8_t *data = encoded(w, &m, &size);
		from_leader(w, data, size);
	}
	vector_deinit(&v);
}

static void tell_vector(struct world *w, struct input *in)
{
	uint8_t flags = input_byte(in);
	struct vector v = {0};
	struct message m = {
	    .type = MESSAGE_VECTOR,
	    .vector = {.node = {flags & 1 ? OTHER : PEER},
		       .origin = {(flags & 1 ? OTHER_ORIGIN : PEER_ORIGIN) + (flags >> 1 & 1u)},
		       .serial = flags & 4 ? 1 : ++w->serial,
		       .digest = flags & 8 ? 1 : w->h->replica.membership.digest,
		       .serving = !(flags & 32)}};
	m.vector.count = some_positions(w, in, &v);
	m.vector.all = flags & 16 ? 1 : v.digest;
	m.vector.at = v.at;
	size_t size;
	const uint8_t *data = encoded(w, &m, &size);
	judge(w, peers_published(w->h, w->now, data, size));
	vector_deinit(&v);
}

static void tell_record(struct world *w, struct input *in)
{
	struct position at = some_position(w, in);
	struct record *record = make_record(at);
	struct node peer = {input_byte(in) & 1 ? PEER : OTHER};
	struct blob blob = {record->raw, record->raw_size};
	struct message m = {
	    .type = MESSAGE_RECORDS,
	    .records = {.origin = at.origin, .from = at.lsn, .records = &blob, .record_count = 1}};
	size_t size;
	const uint8_t *data = encoded(w, &m, &size);
	if (at.lsn % 2) {
		judge(w, peers_published(w->h, w->now, record->raw, record->raw_size));
	} else {
		judge(w, peers_receive(w->h, w->now, peer, data, size));
	}
	record_unref(record);
}

/* An answer that a peer may give to what it was asked, or was not. */
static void tell_answer(struct world *w, struct input *in)
{
	struct node peer = {input_byte(in) & 1 ? PEER : OTHER};
	uint8_t which = input_byte(in);
	size_t size;
	struct blob pairs[2];
	struct message m = {.type = MESSAGE_GONE, .gone = {some_position(w, in).origin, 1}};
	if (which & 1) {
		m = (struct message){.type = MESSAGE_PART,
				     .part = {.id = w->h->snapshot.id, .index = w->h->snapshot.index}};
		m.part.last = which & 2;
		m.part.pairs = pairs;
		m.part.pair_count = which >> 2 & 1;
		pairs[0].data = input_run(in, input_below(in, 8), &pairs[0].size);
		pairs[1].data = input_run(in, 8 * input_below(in, 12), &pairs[1].size);
	} else if (which & 2) {
		m = (struct message){.type = MESSAGE_ERROR,
				     .error = {.code = 1 + which / 4 % (KUDOS_SYSTEM)}};
		if (m.error.code == KUDOS_FORGOTTEN)
			return; /* it would stop, as it should */
	}
	const uint8_t *data = encoded(w, &m, &size);
	judge(w, peers_receive(w->h, w->now, peer, data, size));
}

/* Any bytes, to any port. */
static void tell_anything(struct world *w, struct input *in)
{
	uint8_t to = input_byte(in), connection = to >> 3 & 7;
	size_t size;
	const uint8_t *run = input_run(in, input_short(in) % 600, &size);
	uint8_t *data = malloc(size + 1); /* of its own, for the sanitizer */
	must(data);
	if (size)
		memcpy(data, run, size);
	switch (to % 4) {
	case 0:
		judge(w, host_receive_client(w->h, w->now, to & 0x40 ? ROLE_CLIENT : ROLE_ANY, &connection, 1,
					     data, size));
		break;
	case 1:
		judge(w, peers_published(w->h, w->now, data, size));
		break;
	case 2:
		judge(w, peers_receive(w->h, w->now, (struct node){PEER}, data, size));
		break;
	default:
		from_leader(w, data, size);
		break;
	}
	free(data);
}

static void pass_time(struct world *w, struct input *in)
{
	w->now += (int64_t)input_byte(in) * input_byte(in) * MS;
	judge(w, host_tick(w->h, w->now));
	judge(w, host_flush(w->h, w->now));
}

static void tell_rest(struct world *w, struct input *in)
{
	uint8_t which = input_byte(in);
	switch (which % 4) {
	case 0:
		reopen(w);
		break;
	case 1:
		w->fail_commit = true;
		w->fail_durable = which & 4;
		break;
	case 2:
		watch_end_all(&w->h->watching);
		break;
	default:
		if (which >= 0xf0)
			host_drain(w->h, w->now);
		must(host_drained(w->h, w->now) || w->h->replica.ready.phase != PHASE_DRAINING ||
		     w->h->replica.peers.count + w->h->replica.waiters.count > 0);
		break;
	}
}

static void step(struct world *w, struct input *in)
{
	static void (*const told[])(struct world *, struct input *) = {
	    tell_batch,	 tell_batch,  tell_client, tell_client,	  tell_members, tell_vector,
	    tell_record, tell_record, tell_answer, tell_anything, pass_time,	tell_rest};
	uint8_t op = input_byte(in);
	told[(op & 0x7f) % 12](w, in);
	if (op & 0x80)
		judge(w, host_flush(w->h, w->now));
	w->model.off = w->model.off || w->h->snapshot.committing;
	check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w; /* large */
	struct input in = {data, size};
	uint8_t flags = input_byte(&in);
	w.model.seen_count = 0;
	w.model.entries = 0;
	w.model.off = false;
	w.ack_count = 0;
	w.run = w.serial = 0;
	w.now = SECOND;
	w.leaders = flags & 1;
	w.ack_peers = flags >> 1 & 1;
	the_world = &w;
	counts_init(&w.model.counts, 7, ARENA_BLOCK);
	must(memory_open(&w.store) == 0);
	start(&w);
	for (int i = 0; i < OPS && in.left > 0; i++)
		step(&w, &in);
	for (int i = 0; i < 3; i++) {
		judge(&w, host_flush(w.h, w.now));
		check(&w);
	}
	must(w.h->replica.group.pending_count == 0 && w.h->replica.group.incoming_count == 0);
	host_close(&w.h);
	counts_deinit(&w.model.counts);
	vector_deinit(&w.model.last);
	bytes_deinit(&w.out);
	return 0;
}
