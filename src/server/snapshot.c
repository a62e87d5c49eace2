/* SPDX-License-Identifier: MIT */
/* Snapshots: one server's newest checkpoint, carried to another part by part. Adopting one is a recovery from
 * another's checkpoint (I7): it replaces this server's own atomically, then everything is loaded anew from it
 * and from this server's journal above it. */
#include "server/host.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "kudos.h"

#define PART_BYTES 262144	    /* of a snapshot in one message */
#define SNAPSHOT_IDLE (10 * SECOND) /* a reader that asks for nothing more is dropped */
#define SNAPSHOT_RETRY (500 * MS)   /* a part that did not come is asked for again */
#define SNAPSHOT_TRIES 8
#define SNAPSHOT_POLL (2 * MS) /* between two looks whether it is durable */
/* Of a giver that makes its checkpoint first it is asked again sooner, twice as late each time, so many
 * times, which do not count as tries. */
#define SNAPSHOT_SOON (16 * MS)
#define SNAPSHOT_SOONER 5
#define PREFERRED (16 << 20) /* bytes of records: fewer are here before a checkpoint is made */

/* ---- giving ---- */

static void drop(struct host *h, struct snapshot_out *s)
{
	if (s->cursor)
		h->store->ops->cursor_close(s->cursor);
	bytes_deinit(&s->part);
	*s = (struct snapshot_out){0};
}

void host_snapshot_drop(struct host *h, int64_t now)
{
	for (size_t i = 0; i < LIMIT_SNAPSHOTS; i++) {
		if (now > h->snapshots[i].until)
			drop(h, &h->snapshots[i]);
	}
}

static struct snapshot_out *reader(struct host *h, uint64_t client, uint64_t id)
{
	for (size_t i = 0; i < LIMIT_SNAPSHOTS; i++) {
		if (h->snapshots[i].client == client && h->snapshots[i].id == id)
			return &h->snapshots[i];
	}
	return NULL;
}

/* The next part: as many entries as fit in PART_BYTES, encoded into s->part. */
static int read_part(struct host *h, struct snapshot_out *s)
{
	struct bytes entries = {0};
	struct blob pairs[2 * 4096];
	size_t offsets[2 * 4096 + 1] = {0};
	size_t count = 0;
	int e = 1;
	while (count < 4096 && entries.size < PART_BYTES) {
		const uint8_t *key, *value;
		size_t key_size, value_size;
		e = h->store->ops->cursor_next(s->cursor, &key, &key_size, &value, &value_size);
		if (e != 1)
			break;
		bytes_append(&entries, key, key_size);
		offsets[2 * count + 1] = entries.size;
		bytes_append(&entries, value, value_size);
		offsets[2 * count + 2] = entries.size;
		count++;
	}
	if (bytes_failed(&entries))
		e = -ENOMEM;
	for (size_t i = 0; i < 2 * count; i++)
		pairs[i] = (struct blob){entries.data + offsets[i], offsets[i + 1] - offsets[i]};
	if (e >= 0) {
		struct message m = {
		    .type = MESSAGE_PART,
		    .part = {
			.id = s->id, .index = s->index, .last = e == 0, .pairs = pairs, .pair_count = count}};
		bytes_clear(&s->part);
		message_encode(&m, &s->part);
		e = bytes_failed(&s->part) ? -ENOMEM : 0;
	}
	bytes_deinit(&entries);
	return e;
}

static struct snapshot_out *new_reader(struct host *h, uint64_t client, uint64_t id)
{
	/* One that asks anew has given up what it read before. */
	for (size_t i = 0; i < LIMIT_SNAPSHOTS; i++) {
		if (h->snapshots[i].client == client)
			drop(h, &h->snapshots[i]);
	}
	struct snapshot_out *s = reader(h, 0, 0);
	if (!s || h->store->ops->cursor_open(h->store, &s->cursor) < 0)
		return NULL;
	s->client = client;
	s->id = id;
	return s;
}

int host_snapshot_give(struct host *h, int64_t now, uint64_t client, const struct message *m)
{
	uint64_t id = m->snapshot.id, index = m->snapshot.index;
	struct snapshot_out *s = reader(h, client, id);
	if (!s && !host_checkpoint_fresh(h, now)) {
		h->checkpoint.wanted = true;
		port_tell_error(&h->port, client, id, KUDOS_BUSY, "a checkpoint is being made first");
		return 0;
	}
	if (!s && index == 0)
		s = new_reader(h, client, id);
	bool fresh = s && s->part.size == 0;
	if (!s || (fresh ? index != 0 : index != s->index && index != s->index + 1)) {
		port_tell_error(&h->port, client, id, s ? KUDOS_PROTOCOL : KUDOS_BUSY,
				"that part of the snapshot is not to be had: start anew");
		return 0;
	}
	int e = 0;
	if (fresh || index == s->index + 1) {
		s->index = index;
		e = read_part(h, s);
		if (e == -ENOMEM)
			return e;
	}
	s->until = now + SNAPSHOT_IDLE;
	const struct connection *c = connections_at(&h->port.connections, client);
	if (e < 0) {
		port_tell_error(&h->port, client, id, KUDOS_SYSTEM, "the checkpoint cannot be read: %s",
				strerror(-e));
		drop(h, s);
	} else if (c) {
		h->out.io.send(h->out.io.arg, c->id, c->id_size, s->part.data, s->part.size);
	}
	return 0;
}

/* ---- taking ---- */

static void ask(struct host *h, int64_t now)
{
	struct snapshot_in *s = &h->snapshot;
	struct message m = {.type = MESSAGE_SNAPSHOT, .snapshot = {.id = s->id, .index = s->index}};
	s->asked = now;
	s->patience = SNAPSHOT_RETRY;
	out_peer(&h->out, s->from, &m);
}

/* Records are decoded, logged and counted one by one, however often they are of the same keys; a snapshot
 * costs what there is. Its size is not known here: counts that have grown by what is missing are that much
 * larger at the most, nearly. Once a run only: what was published while the giver made its checkpoint is
 * records again, and may be as much under full load. And not in the shared journal, whose records need no
 * peer. */
void host_snapshot_weigh(struct host *h, const struct message *m)
{
	struct replica *r = &h->replica;
	const struct log *log = map_get(&r->logs, m->records.origin.id, 0);
	size_t size = 0;
	if (h->snapshot_preferred || r->phase != PHASE_CATCHING_UP || r->config.shared || !log ||
	    m->records.record_count == 0)
		return;
	for (size_t i = 0; i < m->records.record_count; i++)
		size += m->records.records[i].size;
	uint64_t missing = log->known > log->appended ? log->known - log->appended : 0;
	uint64_t most = r->counts.arena.block_count * (uint64_t)r->counts.arena.block;
	if (most < PREFERRED)
		most = PREFERRED;
	if (h->config.snapshot_bytes)
		most = h->config.snapshot_bytes;
	if (missing / m->records.record_count <= most / (size + 1))
		return;
	h->snapshot_preferred = true;
	replica_prefer_snapshot(r);
}

void host_snapshot_busy(struct host *h, struct node from, uint64_t id)
{
	struct snapshot_in *s = &h->snapshot;
	if (!node_equal(s->from, from) || s->id != id || s->waited == SNAPSHOT_SOONER)
		return;
	s->patience = SNAPSHOT_SOON << s->waited++;
	s->tries = 0;
}

int host_snapshot_start(struct host *h, int64_t now, struct node from)
{
	struct snapshot_in *s = &h->snapshot;
	uint64_t id = s->id + 1;
	struct vector vector = s->vector;
	vector_clear(&vector);
	*s = (struct snapshot_in){.from = from, .id = id, .vector = vector};
	log_info("fetching a snapshot from node %016llx", (unsigned long long)from.id);
	ask(h, now);
	return 0;
}

static int give_up(struct host *h, int64_t now, const char *why)
{
	log_warn("the snapshot was given up: %s; trying again", why);
	if (h->snapshot.begun)
		h->store->ops->checkpoint_abandon(h->store);
	h->snapshot.from = (struct node){0};
	return replica_snapshot_ended(&h->replica, now);
}

/* This server's own half-made checkpoint makes room. */
static int begin(struct host *h)
{
	if (h->checkpoint.phase == CHECKPOINT_WRITING)
		return 1; /* the worker has it: wait */
	if (h->checkpoint.phase == CHECKPOINT_CUTTING) {
		h->store->ops->checkpoint_abandon(h->store);
		h->checkpoint.phase = CHECKPOINT_NONE;
		arena_cut_abandon(&h->replica.counts.arena);
	}
	h->snapshot.begun = true;
	return h->store->ops->checkpoint_begin(h->store, true);
}

/* Keeps the snapshot's own vector as it passes by. */
static int note_vector(struct vector *v, const struct blob *key, const struct blob *value)
{
	if (key->size != 5 || (key->data[0] != 'v' && key->data[0] != 'r'))
		return 0;
	for (size_t i = 0; i + 16 <= value->size; i += 16) {
		uint64_t pair[2];
		memcpy(pair, value->data + i, sizeof pair);
		if (vector_set(v, (struct origin){le64toh(pair[0])}, le64toh(pair[1])) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Counts must not go backwards: all that is applied here must be in the snapshot, or in this server's journal
 * without a gap above it, to its end: an earlier snapshot may have gone further than the journal. */
static bool loses_nothing(const struct host *h)
{
	struct position at;
	for (struct vector_walk walk = {0}; vector_next(&h->replica.v, &walk, &at);) {
		uint64_t there = vector_get(&h->snapshot.vector, at.origin);
		if (there >= at.lsn)
			continue;
		uint64_t lowest = h->store->ops->journal_lowest(h->store, at.origin);
		if (lowest == 0 || lowest > there + 1 || !store_holds(h->store, at))
			return false;
	}
	return true;
}

int host_snapshot_part(struct host *h, int64_t now, struct node from, const struct message *m)
{
	struct snapshot_in *s = &h->snapshot;
	if (!node_equal(s->from, from) || s->committing || m->part.id != s->id || m->part.index != s->index)
		return 0;
	int e = s->begun ? 0 : begin(h);
	if (e != 0)
		return e == 1 ? 0 : e; /* asked for again later */
	for (size_t i = 0; i < m->part.pair_count && e == 0; i++) {
		const struct blob *key = &m->part.pairs[2 * i], *value = &m->part.pairs[2 * i + 1];
		/* What is adopted becomes this server's own: nothing gets in that it could not load again. */
		e = host_checkpoint_entry_ok(key, value, &s->blocks) ? note_vector(&s->vector, key, value)
								     : -EBADMSG;
		if (e == 0)
			e = h->store->ops->checkpoint_put(h->store, key->data, key->size, value->data,
							  value->size);
	}
	if (e == -ENOMEM)
		return e;
	if (e < 0)
		return give_up(h, now, strerror(-e));
	s->tries = 0;
	s->index++;
	if (!m->part.last) {
		ask(h, now);
		return 0;
	}
	const struct member *giver = members_find(&h->replica.staged, from);
	if (!giver || giver->forgotten)
		return give_up(h, now, "it is of a node that was forgotten");
	if (h->replica.established && !loses_nothing(h))
		return give_up(h, now, "it lacks what is applied here and no longer in the journal");
	e = h->store->ops->checkpoint_commit(h->store);
	if (e < 0)
		return give_up(h, now, strerror(-e));
	s->committing = h->replica.adopting = true;
	return 0;
}

/* Who has never served has promised nothing: it takes the snapshot alone. What it had besides may rest on
 * what a forgotten node told nobody else, and the others may have agreed on something without it. */
static int adopt(struct host *h, int64_t now)
{
	replica_unload(&h->replica);
	int e = h->replica.established ? 0 : h->store->ops->journal_clear(h->store);
	h->replica.anew = false;
	if (e == 0)
		e = host_recover(h, now);
	if (e < 0)
		return e;
	log_info("snapshot adopted: %llu keys, %lld likes", (unsigned long long)h->replica.counts.keys,
		 (long long)h->replica.counts.total);
	h->snapshot.from = (struct node){0};
	return replica_snapshot_ended(&h->replica, now);
}

/* Asks again for what did not come, and adopts what is durable. Nothing may be gathered for a commit. */
int host_snapshot_step(struct host *h, int64_t now)
{
	struct snapshot_in *s = &h->snapshot;
	if (s->from.id == 0)
		return 0;
	if (s->committing) {
		s->asked = now;
		s->patience = SNAPSHOT_POLL;
		if (h->replica.pending_count > 0 || h->replica.committing)
			return 0; /* what clients sent before it stopped serving is logged first */
		int e = h->store->ops->checkpoint_poll(h->store);
		if (e == 0)
			return adopt(h, now);
		return e < 0 ? give_up(h, now, strerror(-e)) : 0;
	}
	if (now - s->asked < s->patience)
		return 0;
	if (++s->tries > SNAPSHOT_TRIES)
		return give_up(h, now, "no answer");
	ask(h, now);
	return 0;
}
