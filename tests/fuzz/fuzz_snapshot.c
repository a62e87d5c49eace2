/* SPDX-License-Identifier: MIT */
/* A checkpoint of any bytes: as a peer's snapshot, part by part, or found in the data folder, with a journal
 * above it. A folder like that is opened or refused; a peer's is adopted whole or not at all and never stops
 * the server; and what got in can be written and loaded again.
 *
 *   input = flags entry …     entry = key size, value size (2 bytes), key, value
 *   a key of 254 bytes: the value is a record of the journal; of 255: a meta blob */
#include <errno.h>

#include "core/agree.h"
#include "core/commit.h"
#include "fuzz/batches.h"
#include "fuzz/host_help.h"
#include "server/peers.h"
#include "store/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADOPT = 1, ONE_BY_ONE = 2, KEY_RECORD = 254, KEY_META = 255, PAIRS = 256 };

struct entry_bytes {
	size_t kind; /* the key size as the input says */
	struct blob key, value;
};

static bool next_entry(struct input *in, struct entry_bytes *e)
{
	if (in->left == 0)
		return false;
	e->kind = input_byte(in);
	size_t value_size = input_short(in) % 2048;
	e->key.data = input_run(in, e->kind < KEY_RECORD ? e->kind : 0, &e->key.size);
	e->value.data = input_run(in, value_size, &e->value.size);
	return true;
}

static void put_into_journal(struct store *store, const struct entry_bytes *e)
{
	struct record *record;
	struct position at = {{1}, 1};
	if (e->kind == KEY_META) {
		must(store->ops->journal_append(store, ENTRY_META, (struct position){0}, e->value.data,
						e->value.size) == 0);
		return;
	}
	if (message_decode_record(e->value.data, e->value.size, &record) == 0) {
		at = record->at;
		record_unref(record);
	}
	must(store->ops->journal_append(store, ENTRY_RECORD, at, e->value.data, e->value.size) == 0);
}

static int open_host(struct host **h, struct store *store)
{
	struct host_config config = {.replica = {.self = member_row(SELF, SELF_ORIGIN), .seed = 7},
				     .checkpoint_slice = 5};
	char error[256];
	return host_open(h, &config, store, &ignore_all, SECOND, error, sizeof error);
}

static void run(struct host *h, int64_t now)
{
	must(host_tick(h, now) == 0);
	must(host_flush(h, now) == 0);
}

/* A folder with these in it. */
static void load(struct input *in)
{
	struct store *store;
	struct host *h;
	struct entry_bytes entry;
	must(memory_open(&store) == 0);
	/* A checkpoint without a journal is refused: here there is one, with nothing in its meta. */
	must(store->ops->journal_append(store, ENTRY_META, (struct position){0}, "", 1) == 0);
	must(store->ops->checkpoint_begin(store, true) == 0);
	while (next_entry(in, &entry)) {
		if (entry.kind >= KEY_RECORD)
			put_into_journal(store, &entry);
		else if (entry.key.size > 0)
			must(store->ops->checkpoint_put(store, entry.key.data, entry.key.size,
							entry.value.data, entry.value.size) == 0);
	}
	must(store->ops->checkpoint_commit(store) == 0 && store->ops->checkpoint_poll(store) == 0);
	must(store->ops->journal_commit(store) == 0);
	int e = open_host(&h, store);
	must(e == 0 || e == -EBADMSG || e == -ENODATA); /* a later meta may be empty */
	if (e < 0)
		return;
	check_replica(&h->replica);
	run(h, 2 * SECOND);
	check_reload(h, 3 * SECOND);
	host_close(&h);
}

static void send_part(struct host *h, uint64_t index, const struct blob *pairs, size_t count, bool last)
{
	struct bytes bytes = {0};
	struct message m = {
	    .type = MESSAGE_PART,
	    .part = {
		.id = h->snapshot.id, .index = index, .last = last, .pairs = pairs, .pair_count = count}};
	message_encode(&m, &bytes);
	must(!bytes_failed(&bytes));
	must(peers_receive(h, 3 * SECOND, (struct node){PEER}, bytes.data, bytes.size) == 0);
	bytes_deinit(&bytes);
}

static void send_parts(struct host *h, struct input *in, bool one_by_one)
{
	struct blob pairs[2 * PAIRS];
	struct entry_bytes entry;
	uint64_t index = 0;
	size_t count = 0;
	while (next_entry(in, &entry)) {
		pairs[2 * count] = entry.key;
		pairs[2 * count + 1] = entry.value;
		count++;
		if (one_by_one || count == PAIRS) {
			send_part(h, index++, pairs, count, false);
			count = 0;
		}
	}
	send_part(h, index, pairs, count, true);
}

/* A like of its own, which a snapshot may have or not. */
static void like(struct host *h)
{
	struct batch_box *box = make_batch(1, 1, false);
	must(h->replica.ready.phase == PHASE_SERVING);
	must(replica_batch(&h->replica, SECOND, 0, box) == 0);
	batch_box_unref(box);
	run(h, SECOND);
}

/* I7: what was there before has left nothing behind. */
static void check_adopted(struct host *h)
{
	uint64_t adopted = state_digest(&h->replica);
	replica_unload(&h->replica);
	must(checkpointing_recover(&h->checkpoint, 4 * SECOND) == 0);
	must(state_digest(&h->replica) == adopted);
}

/* From a peer, to a server that has served alone so far. */
static void adopt(struct input *in, bool one_by_one)
{
	struct store *store;
	struct host *h;
	const struct member rows[] = {member_row(PEER, PEER_ORIGIN)};
	must(memory_open(&store) == 0);
	must(open_host(&h, store) == 0);
	run(h, SECOND);
	run(h, SECOND); /* that it serves is durable */
	like(h);
	must(replica_members(&h->replica, SECOND, (struct node){0}, rows, 1) == 0);
	run(h, 2 * SECOND);
	uint64_t before = state_digest(&h->replica);
	h->replica.snapshot.from.id = PEER;
	must(taking_start(&h->snapshot, 3 * SECOND, (struct node){PEER}) == 0);
	send_parts(h, in, one_by_one);
	bool whole = h->snapshot.committing;
	run(h, 3 * SECOND);
	check_replica(&h->replica);
	must(h->snapshot.from.id == 0);
	must(whole || state_digest(&h->replica) == before);
	check_adopted(h);
	check_reload(h, 4 * SECOND);
	host_close(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t flags = input_byte(&in);
	if (flags & ADOPT)
		adopt(&in, flags & ONE_BY_ONE);
	else
		load(&in);
	return 0;
}
