/* SPDX-License-Identifier: MIT */
#include "server/giving.h"

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "kudos.h"

#define PART_BYTES 262144	    /* of a snapshot in one message */
#define SNAPSHOT_IDLE (10 * SECOND) /* a reader that asks for nothing more is dropped */

static void drop(struct store *store, struct snapshot_out *s)
{
	if (s->cursor)
		store->ops->cursor_close(s->cursor);
	bytes_deinit(&s->part);
	*s = (struct snapshot_out){0};
}

void giving_deinit(struct giving *g, struct store *store)
{
	for (size_t i = 0; i < LIMIT_SNAPSHOTS; i++)
		drop(store, &g->list[i]);
}

void giving_expire(struct giving *g, struct store *store, int64_t now)
{
	for (size_t i = 0; i < LIMIT_SNAPSHOTS; i++) {
		if (now > g->list[i].until)
			drop(store, &g->list[i]);
	}
}

static struct snapshot_out *reader(struct giving *g, uint64_t client, uint64_t id)
{
	for (size_t i = 0; i < LIMIT_SNAPSHOTS; i++) {
		if (g->list[i].client == client && g->list[i].id == id)
			return &g->list[i];
	}
	return NULL;
}

/* The next part: as many entries as fit in PART_BYTES, encoded into s->part. */
static int read_part(struct store *store, struct snapshot_out *s)
{
	struct bytes entries = {0};
	struct blob pairs[2 * 4096];
	size_t offsets[2 * 4096 + 1] = {0};
	size_t count = 0;
	int e = 1;
	while (count < 4096 && entries.size < PART_BYTES) {
		const uint8_t *key, *value;
		size_t key_size, value_size;
		e = store->ops->cursor_next(s->cursor, &key, &key_size, &value, &value_size);
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

static struct snapshot_out *new_reader(struct giving *g, struct store *store, uint64_t client, uint64_t id)
{
	/* One that asks anew has given up what it read before. */
	for (size_t i = 0; i < LIMIT_SNAPSHOTS; i++) {
		if (g->list[i].client == client)
			drop(store, &g->list[i]);
	}
	struct snapshot_out *s = reader(g, 0, 0);
	if (!s || store->ops->cursor_open(store, &s->cursor) < 0)
		return NULL;
	s->client = client;
	s->id = id;
	return s;
}

static void send(struct store *store, const struct request *rq, struct snapshot_out *s, int e)
{
	s->until = rq->now + SNAPSHOT_IDLE;
	if (e == 0) {
		port_tell_bytes(rq->port, rq->from->handle, s->part.data, s->part.size);
		return;
	}
	port_answer_error(rq, s->id, KUDOS_SYSTEM, "the checkpoint cannot be read: %s", strerror(-e));
	drop(store, s);
}

int giving_answer(struct giving *g, struct checkpointing *c, const struct request *rq)
{
	uint64_t client = rq->from->handle, id = rq->m->snapshot.id, index = rq->m->snapshot.index;
	struct snapshot_out *s = reader(g, client, id);
	if (!s && !checkpointing_fresh(c, rq->now)) {
		c->wanted = true;
		port_answer_error(rq, id, KUDOS_BUSY, "a checkpoint is being made first");
		return 0;
	}
	if (!s && index == 0)
		s = new_reader(g, c->store->checkpoints, client, id);
	bool fresh = s && s->part.size == 0;
	if (!s || (fresh ? index != 0 : index != s->index && index != s->index + 1)) {
		port_answer_error(rq, id, s ? KUDOS_PROTOCOL : KUDOS_BUSY,
				  "that part of the snapshot is not to be had: start anew");
		return 0;
	}
	int e = 0;
	if (fresh || index == s->index + 1) {
		s->index = index;
		e = read_part(c->store->checkpoints, s);
	}
	if (e != -ENOMEM)
		send(c->store->checkpoints, rq, s, e);
	return e == -ENOMEM ? e : 0;
}
