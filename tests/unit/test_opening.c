/* SPDX-License-Identifier: MIT */
/* What a server takes from its data folder when it opens it, and what it refuses to. */
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"

static const struct host_io io = {
    .send = drop_sent, .publish = drop_published, .members = drop_members, .send_peer = drop_for_peer};

static struct store *empty(void)
{
	struct store *store;
	cr_assert(memory_open(&store) == 0);
	return store;
}

static void journal(struct store *store, enum entry_kind kind, struct position at, const void *data,
		    size_t size)
{
	cr_assert(store->ops->journal_append(store, kind, at, data, size) == 0);
	cr_assert(store->ops->journal_commit(store) == 0);
}

/* A meta blob of a node with these flags (1: it has served) that knew the secret, or none. */
static void keep_meta(struct store *store, uint64_t node, uint8_t flags, bool secret)
{
	struct member row = {.node = {node}, .origin = {7}, .since = 1, .name = "s"};
	struct bytes meta = {0};
	if (secret)
		row.secret.bytes[0] = 99;
	bytes_append(&meta, &flags, 1);
	message_encode(&(struct message){.type = MESSAGE_MEMBERS,
					 .members = {.from = {node}, .rows = &row, .row_count = 1}},
		       &meta);
	journal(store, ENTRY_META, (struct position){0}, meta.data, meta.size);
	bytes_deinit(&meta);
}

static void checkpoint(struct store *store, const char *key, size_t key_size, const void *value, size_t size)
{
	cr_assert(store->ops->checkpoint_begin(store, false) == 0);
	cr_assert(store->ops->checkpoint_put(store, key, key_size, value, size) == 0);
	cr_assert(store->ops->checkpoint_commit(store) == 0 && store->ops->checkpoint_poll(store) == 0);
}

static int open(struct store *store, char text[512])
{
	struct host *host = NULL;
	int e = host_open(&host, &(struct host_config){.replica = {.self = self, .seed = 3}}, store, &io,
			  SECOND, text, 512);
	host_close(&host);
	assert_no_leak();
	return e;
}

Test(opening, a_node_is_who_it_was)
{
	for (int i = 0; i < 4; i++) {
		struct host *h;
		struct store *store = empty();
		keep_meta(store, 5, i & 1, i & 2);
		cr_assert(host_open(&h, &(struct host_config){.replica = {.self = self, .seed = 3}}, store,
				    &io, SECOND, NULL, 0) == 0);
		const struct member *row = members_find(&h->replica.membership.staged, (struct node){5});
		cr_assert(row && h->replica.config.self.node.id == 5 &&
			  h->replica.ready.established == (i & 1));
		cr_assert(row->secret.bytes[0] == (i & 2 ? 99 : self.secret.bytes[0]));
		host_close(&h);
		assert_no_leak();
	}
}

/* It was started once, and has not been brought up to date. */
Test(opening, a_copy_is_one_until_it_serves)
{
	for (int i = 0; i < 2; i++) {
		struct host *h;
		struct store *store = empty();
		keep_meta(store, 5, i ? 3 : 1, true);
		cr_assert(host_open(&h, &(struct host_config){.replica = {.self = self, .seed = 3}}, store,
				    &io, SECOND, NULL, 0) == 0);
		cr_assert(h->replica.ready.doubtful == (i == 1));
		host_close(&h);
		assert_no_leak();
	}
}

Test(opening, what_cannot_be_read_is_said)
{
	char text[512];
	const struct position at = {{7}, 1};
	struct store *store = empty();
	journal(store, ENTRY_META, (struct position){0}, "\1rubbish", 8);
	cr_assert(open(store, text) == -EBADMSG && strstr(text, "cannot read"), "%s", text);
	store = empty();
	journal(store, ENTRY_META, (struct position){0}, "\1rubbish", 8);
	cr_assert(host_open(&(struct host *){NULL},
			    &(struct host_config){.replica = {.self = self, .seed = 3}}, store, &io, SECOND,
			    NULL, 0) == -EBADMSG);
	store = empty();
	keep_meta(store, 5, true, true);
	journal(store, ENTRY_RECORD, at, "rubbish", 7);
	cr_assert(open(store, text) == -EBADMSG && strstr(text, "cannot read"), "%s", text);
	store = empty();
	checkpoint(store, "z", 1, "?", 1); /* nor is there a journal: this is the worse */
	cr_assert(open(store, text) == -EBADMSG && strstr(text, "cannot read"), "%s", text);
}

Test(opening, entries_of_no_checkpoint_are_refused)
{
	static const struct {
		const char *key;
		size_t key_size, value_size;
		int expected;
	} tries[] = {
	    {"a", 1, 8, 0},
	    {"a", 1, 7, -EBADMSG},
	    {"x", 1, 8, -EBADMSG},
	    {"ax", 2, 8, -EBADMSG},
	    {"b\0\0\0\0", 5, 12, 0},
	    {"b\0\0\0", 4, 12, -EBADMSG},
	    {"b\0\0\0\0\0", 6, 12, -EBADMSG},
	    {"v\0\0\0\0", 5, 16, 0},
	    {"v\0\0\0\0", 5, 17, -EBADMSG},
	    {"w\0\0\0\0", 5, 16, -EBADMSG},
	};
	static const uint8_t value[32] = {7, 0, 0, 0, 0, 0, 0, 0, 1, 'k'};
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		static const uint8_t positions[32] = {7, [8] = 1};
		char text[512];
		struct store *store = empty();
		keep_meta(store, 5, true, true);
		checkpoint(store, tries[i].key, tries[i].key_size, tries[i].key[0] == 'v' ? positions : value,
			   tries[i].value_size);
		int e = open(store, text);
		cr_assert(e == tries[i].expected, "%zu: %d", i, e);
	}
}

/* Who has served says so, and who is about to: its commit makes it so. */
Test(opening, what_is_kept_says_whether_it_has_served)
{
	struct host *h;
	struct bytes meta = {0};
	cr_assert(host_open(&h, &(struct host_config){.replica = {.self = self, .seed = 3}}, empty(), &io,
			    SECOND, NULL, 0) == 0);
	for (int i = 0; i < 8; i++) {
		h->replica.ready.established = i & 1;
		h->replica.ready.establishing = i & 2;
		h->replica.ready.doubtful = i & 4;
		cr_assert(host_meta(h, &meta) == 0);
		cr_assert(meta.data[0] == ((i & 3 ? 1 : 0) | (i & 4 ? 2 : 0)), "%d: %d", i, meta.data[0]);
	}
	bytes_deinit(&meta);
	host_close(&h);
	assert_no_leak();
}

/* How many keys there are is a hint. */
Test(opening, no_room_is_made_for_more_keys_than_there_can_be)
{
	char text[512];
	struct store *store = empty();
	keep_meta(store, 5, true, true);
	checkpoint(store, "a", 1, "\xff\xff\xff\xff\xff\xff\xff\x3f", 8);
	cr_assert(open(store, text) == 0);
	const uint64_t keys = htole64(100000);
	struct host *h;
	store = empty();
	keep_meta(store, 5, true, true);
	checkpoint(store, "a", 1, &keys, sizeof keys);
	cr_assert(host_open(&h, &(struct host_config){.replica = {.self = self, .seed = 3}}, store, &io,
			    SECOND, NULL, 0) == 0);
	cr_assert(h->replica.counts.shards[0].capacity >= 100000 / COUNTS_SHARDS);
	host_close(&h);
	assert_no_leak();
}
