/* SPDX-License-Identifier: MIT */
/* The server that fuzz_host.c talks to, on a store whose commits can fail, and the model beside it. For that
 * one file. */
#ifndef FUZZ_HOST_WORLD_H
#define FUZZ_HOST_WORLD_H

#include <errno.h>

#include "fuzz/batches.h"
#include "fuzz/host_help.h"
#include "store/memory.h"
#include "kudos.h"

enum { BATCHES = 4096, ACKS = 256 };

struct identity {
	struct session session;
	uint64_t seq;
};

struct model {
	struct identity seen[BATCHES];
	size_t seen_count;
	struct counts counts;
	struct vector last;
	size_t entries; /* of the journal, read so far */
	bool off;	/* it cannot say any more */
};

struct world {
	struct host *h;
	struct store *store; /* the host's */
	struct store_ops ops, faulty;
	struct model model;
	struct identity acks[ACKS];
	size_t ack_count;
	uint64_t run, serial;
	int64_t now;
	unsigned leaders, ack_peers;
	bool fail_commit, fail_durable; /* the next commit fails, and what it was to make durable is */
	bool dead;			/* it failed */
	struct bytes out;
};

static struct world *the_world; /* for a store's function, which is told of nothing but the store */

/* ---- the model ---- */

static bool model_has(const struct model *m, struct session session, uint64_t seq)
{
	for (size_t i = 0; i < m->seen_count; i++) {
		if (m->seen[i].seq == seq && session_equal(m->seen[i].session, session))
			return true;
	}
	return false;
}

static void model_batch(struct world *w, const struct batch *b)
{
	struct model *m = &w->model;
	if (b->event_count == 0 || model_has(m, b->session, b->seq))
		return;
	if (sessions_forgotten(&w->h->replica.sessions, b->session) || m->seen_count == BATCHES) {
		m->off = true; /* not counted: the model does not know what was agreed */
		return;
	}
	m->seen[m->seen_count++] = (struct identity){b->session, b->seq};
	for (size_t i = 0; i < b->event_count; i++)
		must(counts_add(&m->counts, b->events[i].key, b->events[i].key_size, b->events[i].n) == 0);
}

struct reading {
	struct world *w;
	size_t skip;
};

static int model_entry(void *arg, const struct entry *entry)
{
	struct reading *reading = arg;
	struct world *w = reading->w;
	struct record *record;
	if (reading->skip > 0) {
		reading->skip--;
		return 0;
	}
	w->model.entries++;
	if (entry->kind != ENTRY_RECORD || w->model.off)
		return 0;
	must(message_decode_record(entry->data, entry->size, &record) == 0);
	must(vector_get(&w->model.last, record->at.origin) + 1 == record->at.lsn);
	must(vector_set(&w->model.last, record->at.origin, record->at.lsn) == 0);
	for (size_t i = 0; i < record->batch_count; i++)
		model_batch(w, &record->batches[i]);
	record_unref(record);
	return 0;
}

/* Reads on in the journal, and finds everything there that was acknowledged since. */
static void check_acks(struct world *w)
{
	struct reading reading = {w, w->model.entries};
	must(w->store->ops->journal_replay(w->store, model_entry, &reading) == 0);
	for (size_t i = 0; i < w->ack_count && !w->model.off; i++)
		must(model_has(&w->model, w->acks[i].session, w->acks[i].seq));
	w->ack_count = 0;
}

static void check(struct world *w)
{
	const struct replica *r = &w->h->replica;
	check_acks(w);
	check_replica(r);
	if (w->model.off)
		return;
	must(counts_digest(&r->counts) == counts_digest(&w->model.counts));
	must(vector_covers(&w->model.last, &r->v) && vector_covers(&r->v, &w->model.last));
	must(w->model.last.digest == r->v.digest);
}

/* ---- what the host says ---- */

static void note_acks(struct world *w, const struct message *m)
{
	for (size_t i = 0; i < m->ack.range_count; i++) {
		for (uint64_t seq = m->ack.ranges[i].lo; w->ack_count < ACKS; seq++) {
			w->acks[w->ack_count++] = (struct identity){m->ack.session, seq};
			if (seq == m->ack.ranges[i].hi)
				break;
		}
	}
}

static void hear(struct world *w, const void *data, size_t size)
{
	struct message m;
	must(message_decode(data, size, &m) == 0);
	must(!w->dead || m.type == MESSAGE_ACK); /* of what was durable before */
	if (m.type == MESSAGE_ACK)
		note_acks(w, &m);
	message_deinit(&m);
}

static void hear_client(struct world *w, const void *data, size_t size)
{
	struct message m;
	must(message_decode(data, size, &m) == 0);
	if (m.type != MESSAGE_MANY)
		hear(w, data, size);
	for (size_t i = 0; m.type == MESSAGE_MANY && i < m.many.count; i++)
		hear(w, m.many.messages[i].data, m.many.messages[i].size);
	message_deinit(&m);
}

static void on_send(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	must(id_size == 1 && id[0] < 8);
	hear_client(arg, data, size);
}

static void on_send_peer(void *arg, struct node peer, const void *data, size_t size)
{
	must(peer.id != 0);
	hear(arg, data, size);
}

static void on_send_leader(void *arg, size_t leader, const void *data, size_t size)
{
	must(leader < ((struct world *)arg)->leaders);
	hear(arg, data, size);
}

static void on_publish(void *arg, const void *topic, size_t topic_size, const void *data, size_t size)
{
	struct world *w = arg;
	struct record *record;
	struct bytes held = {0};
	must(topic_size >= 1 && !w->dead);
	if (*(const char *)topic != 'r') {
		hear(w, data, size);
		return;
	}
	must(message_decode_record(data, size, &record) == 0);
	must(origin_equal(record->at.origin, w->h->replica.config.self.origin));
	must(w->store->ops->journal_read(w->store, record->at, &held) == 0);
	must(held.size == size && memcmp(held.data, data, size) == 0);
	bytes_deinit(&held);
	record_unref(record);
}

/* ---- starts and failures ---- */

static int commit(struct store *store)
{
	struct world *w = the_world;
	if (!w->fail_commit)
		return w->ops.journal_commit(store);
	if (w->fail_durable)
		must(w->ops.journal_commit(store) == 0);
	w->dead = true;
	return -EIO;
}

static void start(struct world *w)
{
	struct host_config config = {.replica = {.self = member_row(SELF, SELF_ORIGIN + 0x100 * w->run++),
						 .seed = 7,
						 .ack_peers = w->ack_peers,
						 .session_idle = 30 * SECOND},
				     .leaders = w->leaders,
				     .checkpoint_bytes = 2000,
				     .checkpoint_slice = 3};
	struct host_io io = {w, on_send, on_send_peer, on_send_leader, on_publish, ignore_members};
	char error[256];
	w->ops = *w->store->ops;
	w->faulty = w->ops;
	w->faulty.journal_commit = commit;
	w->store->ops = &w->faulty;
	w->dead = w->fail_commit = false;
	must(host_open(&w->h, &config, w->store, &io, w->now, error, sizeof error) == 0);
	must(origin_equal(w->h->replica.config.self.origin, config.replica.self.origin)); /* I4 */
}

static int copy_entry(void *arg, const struct entry *e)
{
	struct store *to = arg;
	return to->ops->journal_append(to, e->kind, e->at, e->data, e->size);
}

/* What is durable, in a store of its own. */
static struct store *copy_store(struct store *from)
{
	struct store *to;
	struct store_cursor *cursor;
	const uint8_t *key, *value;
	size_t key_size, value_size;
	must(memory_open(&to) == 0);
	must(from->ops->journal_replay(from, copy_entry, to) == 0 && to->ops->journal_commit(to) == 0);
	must(from->ops->cursor_open(from, &cursor) == 0 && to->ops->checkpoint_begin(to, true) == 0);
	while (from->ops->cursor_next(cursor, &key, &key_size, &value, &value_size) == 1)
		must(to->ops->checkpoint_put(to, key, key_size, value, value_size) == 0);
	from->ops->cursor_close(cursor);
	must(to->ops->checkpoint_commit(to) == 0 && to->ops->checkpoint_poll(to) == 0);
	return to;
}

static void reopen(struct world *w)
{
	struct store *durable = copy_store(w->store);
	host_close(&w->h);
	w->store = durable;
	start(w);
}

/* After each call: a failed commit has stopped it, and nothing else may have. */
static void judge(struct world *w, int error)
{
	must(error == (w->dead ? -EIO : 0));
	if (!w->dead)
		return;
	check_acks(w);
	reopen(w);
}

#endif
