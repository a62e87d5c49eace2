/* SPDX-License-Identifier: MIT */
/* The bytes as a program of calls to the replica core: clients' batches and closes, peers' records in any
 * order, vectors true or not, members, ticks; commits that end late, and crashes. Beside it runs a plain
 * model: what the journal holds, read from its beginning, counts each (session, seq) once. What must hold:
 * counts are the model's; V is what the journal holds without gap; acknowledged and published is only what is
 * durable; each batch is answered once.
 *
 * Two peers, sessions 1 to 4 of one issuer. What a peer's record holds follows from its position, so the same
 * one can come twice, and the same batch from a client and from both peers. */
#include "base/time.h"
#include "core/agree.h"
#include "core/commit.h"
#include "core/heard.h"
#include "core/repair.h"
#include "fuzz/batches.h"
#include "fuzz/host_help.h"
#include "kudos.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { JOURNAL = 4096, OPS = 600 };

struct model { /* of all that is committed */
	bool seen[SESSIONS + 1][SEQS];
	int64_t counts[KEYS];
	struct vector last;
};

struct world {
	struct replica r;
	struct model model;
	struct record *journal[JOURNAL];
	size_t appended, committed;
	struct members members, members_appended; /* as the journal's newest meta says */
	bool established, established_appended;
	bool meta_appended, committing, alive;
	uint64_t runs, serial;
	int64_t now;
	unsigned ack_peers;
	uint64_t asked, answered; /* batches and closes of clients */
};

/* ---- the model ---- */

static void model_batch(struct world *w, const struct batch *b)
{
	if (b->event_count == 0)
		return; /* a close, or a lapse */
	bool *seen = &w->model.seen[b->session.number][b->seq];
	if (*seen || (w->alive && sessions_forgotten(&w->r.sessions, b->session)))
		return;
	*seen = true;
	for (size_t i = 0; i < b->event_count; i++) {
		for (size_t k = 0; k < KEYS; k++) {
			if (strlen(batch_keys[k]) == b->events[i].key_size &&
			    memcmp(batch_keys[k], b->events[i].key, b->events[i].key_size) == 0)
				w->model.counts[k] += b->events[i].n;
		}
	}
}

static void model_record(struct world *w, const struct record *record)
{
	must(vector_get(&w->model.last, record->at.origin) + 1 == record->at.lsn);
	must(vector_set(&w->model.last, record->at.origin, record->at.lsn) == 0);
	for (size_t i = 0; i < record->batch_count; i++)
		model_batch(w, &record->batches[i]);
}

static void check(const struct world *w)
{
	const struct replica *r = &w->r;
	check_replica(r);
	for (size_t k = 0; k < KEYS; k++)
		must(counts_get(&r->counts, batch_keys[k], strlen(batch_keys[k])) == w->model.counts[k]);
	must(vector_covers(&w->model.last, &r->v) && vector_covers(&r->v, &w->model.last));
	must(w->model.last.digest == r->v.digest);
}

/* ---- actions ---- */

static void append(struct world *w, struct record *record)
{
	must(w->appended < JOURNAL && !w->committing);
	must(record->raw || message_encode_record(record) == 0);
	w->journal[w->appended++] = record_ref(record);
}

static void check_ack(const struct world *w, const struct action *a)
{
	must(a->session.issuer == ISSUER && a->session.number <= SESSIONS && a->seq < SEQS);
	must(w->model.seen[a->session.number][a->seq]);
	must(a->lsn <= vector_get(&w->model.last, w->r.config.self.origin));
}

static void close_session(struct world *w, uint64_t client, struct session session)
{
	struct batch_box *box = message_make_batch(session, 0, NULL, 0);
	must(box && replica_close(&w->r, w->now, client, box) == 0);
	w->asked++;
	batch_box_unref(box);
}

static void lapse(struct world *w, struct session to)
{
	struct batch_box *box = message_make_batch(to, SEQ_LAPSE, NULL, 0);
	must(box && replica_lapse(&w->r, box) == 0);
	batch_box_unref(box);
}

static void act(struct world *w, const struct action *a)
{
	switch (a->type) {
	case ACTION_APPEND:
	case ACTION_APPEND_SHARED:
		append(w, a->record);
		break;
	case ACTION_APPEND_META:
		w->meta_appended = true;
		w->established_appended = w->r.ready.established || w->r.ready.establishing;
		must(members_copy(&w->members_appended, &w->r.membership.staged) == 0);
		break;
	case ACTION_COMMIT:
		must(!w->committing);
		w->committing = true;
		break;
	case ACTION_PUBLISH:
		must(a->record->raw && a->record->at.lsn <= vector_get(&w->model.last, a->record->at.origin));
		break;
	case ACTION_ACK:
		check_ack(w, a);
		w->answered++;
		break;
	case ACTION_REFUSE:
		must(a->error > KUDOS_OK && a->error < KUDOS_ERROR_COUNT);
		w->answered++;
		break;
	case ACTION_CLOSED:
		w->answered++;
		break;
	case ACTION_CLOSE_IDLE:
		close_session(w, 0, a->session);
		break;
	case ACTION_LAPSE:
		lapse(w, a->session);
		break;
	case ACTION_FETCH:
		must(a->from >= 1 && a->from <= a->to && peers_find(&w->r.peers, a->node));
		break;
	default:
		break;
	}
}

static void act_all(struct world *w)
{
	struct action a;
	while (replica_next(&w->r, &a)) {
		act(w, &a);
		record_unref(a.record);
	}
}

/* ---- starts, commits, crashes ---- */

static void make_durable(struct world *w)
{
	for (; w->committed < w->appended; w->committed++)
		model_record(w, w->journal[w->committed]);
	if (!w->meta_appended)
		return;
	w->meta_appended = false;
	w->established = w->established_appended;
	must(members_copy(&w->members, &w->members_appended) == 0);
}

static void finish_commit(struct world *w)
{
	if (!w->committing)
		return;
	make_durable(w);
	w->committing = false;
	must(replica_committed(&w->r, w->now) == 0);
	act_all(w);
}

static void start(struct world *w)
{
	struct replica_config config = {.self = member_row(SELF, SELF_ORIGIN + 0x100 * w->runs++),
					.seed = 7,
					.ack_peers = w->ack_peers,
					.session_idle = 60 * SECOND,
					.alone = true};
	must(replica_init(&w->r, &config, w->now, w->established, w->members.list, w->members.count) == 0);
	must(replica_loaded(&w->r) == 0);
	for (size_t i = 0; i < w->committed; i++)
		must(replica_replay(&w->r, w->journal[i], w->now) == 0);
	w->alive = true;
	w->asked = w->answered = 0;
	check(w);
}

static void stop(struct world *w)
{
	replica_deinit(&w->r);
	w->alive = w->committing = w->meta_appended = false;
	while (w->appended > w->committed)
		record_unref(w->journal[--w->appended]);
}

/* Dies; what was on its way to disk is there or not. A session that was forgotten is not any more (no
 * checkpoint is loaded here), so the model is read anew, too. */
static void crash(struct world *w, bool durable)
{
	size_t end = durable && w->committing ? w->appended : w->committed;
	if (durable && w->committing)
		make_durable(w);
	stop(w);
	vector_clear(&w->model.last);
	memset(w->model.seen, 0, sizeof w->model.seen);
	memset(w->model.counts, 0, sizeof w->model.counts);
	for (size_t i = 0; i < end; i++)
		model_record(w, w->journal[i]);
	start(w);
}

/* ---- what is told ---- */

static struct origin some_origin(struct world *w, struct input *in)
{
	static const uint64_t others[] = {PEER_ORIGIN, PEER_ORIGIN + 1, OTHER_ORIGIN, OTHER_ORIGIN + 1};
	unsigned i = input_below(in, 6);
	if (i < 4)
		return (struct origin){others[i]};
	return i == 4 ? w->r.config.self.origin : (struct origin){SELF_ORIGIN};
}

static void tell_batch(struct world *w, struct input *in)
{
	uint8_t who = input_byte(in);
	uint64_t seq = 1 + input_below(in, SEQS - 1);
	struct batch_box *box = make_batch(1 + who % SESSIONS, seq, who & 0x80);
	must(replica_batch(&w->r, w->now, 1 + (who >> 3) % 3, box) == 0);
	w->asked++;
	batch_box_unref(box);
}

static void tell_record(struct world *w, struct input *in)
{
	struct position at = {some_origin(w, in), 0};
	uint8_t which = input_byte(in);
	at.lsn = 1 + which % 64u;
	if (at.origin.id < PEER_ORIGIN || at.origin.id > OTHER_ORIGIN + 1)
		return; /* its own records come from nowhere else with other content (I5) */
	struct record *record = make_record(at);
	must(replica_record(&w->r, w->now, record, which & 0x80) == 0);
	record_unref(record);
	if (!(which & 0x80) && which & 0x40)
		must(replica_fetched(&w->r, w->now, at) == 0);
}

static void tell_vector(struct world *w, struct input *in)
{
	uint8_t flags = input_byte(in);
	struct vector v = {0};
	bool other = flags & 1;
	for (unsigned i = input_below(in, 6); i > 0; i--) {
		struct origin o = some_origin(w, in);
		must(vector_set(&v, o, 1 + input_byte(in) % 63u) == 0);
	}
	struct vector_message m = {.node = {other ? OTHER : PEER},
				   .origin = {(other ? OTHER_ORIGIN : PEER_ORIGIN) + (flags >> 1 & 1u)},
				   .serial = flags & 4 ? 1 : ++w->serial,
				   .digest = flags & 8 ? 1 : w->r.membership.digest,
				   .all = flags & 16 ? 1 : v.digest,
				   .serving = flags & 32,
				   .at = v.at,
				   .count = v.count};
	must(replica_vector(&w->r, w->now, &m) == 0);
	vector_deinit(&v);
}

static void tell_members(struct world *w, struct input *in)
{
	uint8_t flags = input_byte(in);
	struct member rows[3] = {member_row(PEER, PEER_ORIGIN + (flags & 1)),
				 member_row(OTHER, OTHER_ORIGIN + (flags >> 1 & 1)),
				 member_row(SELF, SELF_ORIGIN + 0x5000)};
	rows[0].since += flags & 1;
	rows[1].since += flags >> 1 & 1;
	rows[2].since = input_byte(in);
	rows[1].forgotten = (flags & 0xe0) == 0xe0;
	struct node from = {flags & 4 ? 0 : flags & 8 ? PEER : OTHER};
	struct vector v = {0};
	for (int i = 0; i < 2; i++) {
		struct origin o = some_origin(w, in);
		must(vector_set(&v, o, 1 + input_byte(in) % 63u) == 0);
	}
	struct origin run = {(flags & 8 ? PEER_ORIGIN : OTHER_ORIGIN) + (flags >> 6 & 1u)};
	must(replica_reached_by(&w->r, w->now, from, run, (struct origin){0}, v.at, v.count, flags & 32) ==
	     0);
	vector_deinit(&v);
	must(replica_members(&w->r, w->now, from, rows, flags & 16 ? 3 : 2) == 0);
}

/* From where on its records were asked for last, as an honest answer says. */
static struct position asked_position(struct world *w, struct input *in)
{
	struct origin origin = some_origin(w, in);
	const struct log *log = logs_find(&w->r.logs, origin);
	return (struct position){origin, log ? log->asked_from : 1};
}

static void tell_rest(struct world *w, struct input *in)
{
	uint8_t which = input_byte(in);
	struct vector floor = {0};
	switch (which % 8) {
	case 0:
		must(replica_gone(&w->r, w->now, (struct node){which & 8 ? PEER : OTHER},
				  asked_position(w, in)) == 0);
		break;
	case 1:
		must(replica_fetched(&w->r, w->now, asked_position(w, in)) == 0);
		break;
	case 2:
		must(replica_snapshot_ended(&w->r, w->now) == 0);
		break;
	case 3:
		must(replica_forget(&w->r, (struct node){which & 8 ? PEER : OTHER}) >= 0);
		break;
	case 4:
		must(replica_floor(&w->r, &w->model.last, &floor) == 0);
		must(vector_covers(&w->model.last, &floor));
		vector_deinit(&floor);
		break;
	case 5:
		if (which >= 0xf0)
			readiness_drain(&w->r.ready);
		break;
	default:
		crash(w, which & 8);
		break;
	}
}

static void step(struct world *w, struct input *in)
{
	switch (input_below(in, 10)) {
	case 0:
	case 1:
		tell_batch(w, in);
		break;
	case 2:
		close_session(w, 1, (struct session){ISSUER, 1 + input_below(in, SESSIONS)});
		break;
	case 3:
	case 4:
		tell_record(w, in);
		break;
	case 5:
		tell_vector(w, in);
		break;
	case 6:
		w->now += (int64_t)input_byte(in) * input_byte(in) * MS;
		must(replica_tick(&w->r, w->now) == 0);
		break;
	case 7:
		must(replica_flush(&w->r) == 0);
		act_all(w);
		if (input_byte(in) & 1)
			break; /* the disk takes its time */
		finish_commit(w);
		break;
	case 8:
		finish_commit(w);
		break;
	default:
		(input_byte(in) & 1 ? tell_members : tell_rest)(w, in);
		break;
	}
	act_all(w);
	check(w);
}

/* Everything that was asked has its answer, once the disk has nothing left to do. */
static void finish(struct world *w)
{
	for (int i = 0; i < 3; i++) {
		finish_commit(w);
		must(replica_flush(&w->r) == 0);
		act_all(w);
	}
	check(w);
	must(w->r.group.pending_count == 0 && w->r.group.incoming_count == 0 && !w->committing);
	if (w->ack_peers == 0)
		must(w->asked == w->answered && w->r.waiters.count == 0);
	must(w->answered <= w->asked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w; /* large */
	struct input in = {data, size};
	w = (struct world){.now = SECOND};
	w.ack_peers = input_byte(&in) & 1;
	start(&w);
	for (int i = 0; i < OPS && in.left > 0; i++)
		step(&w, &in);
	finish(&w);
	stop(&w);
	while (w.committed > 0)
		record_unref(w.journal[--w.committed]);
	vector_deinit(&w.model.last);
	members_deinit(&w.members);
	members_deinit(&w.members_appended);
	return 0;
}
