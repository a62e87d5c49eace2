/* SPDX-License-Identifier: MIT */
/* A server's checkpoint: when one is due, which entries of another's are taken, and how it is given to who
 * asks. */
#include <criterion/criterion.h>
#include <endian.h>
#include <string.h>

#include "base/time.h"
#include "core/proof.h"
#include "kudos.h"
#include "leak.h"
#include "host_world.h"

#define ASKER 7

struct fixture {
	struct host *host;
	int64_t now;
	int code; /* of the last error that was sent; 0: a part was */
	uint64_t index;
};

static void keep_sent(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct fixture *f = arg;
	struct message m;
	(void)id;
	(void)id_size;
	cr_assert(message_decode(data, size, &m) == 0);
	if (m.type == MESSAGE_ERROR)
		f->code = m.error.code;
	if (m.type == MESSAGE_PART) {
		f->code = 0;
		f->index = m.part.index;
	}
	message_deinit(&m);
}

static void pass(struct fixture *f, int64_t time)
{
	for (int64_t end = f->now + time; f->now < end; f->now += 100 * MS)
		cr_assert(host_tick(f->host, f->now) == 0 && host_flush(f->host, f->now) == 0);
}

static void setup(struct fixture *f)
{
	const struct host_config config = {.checkpoint_bytes = 1000, .checkpoint_interval = 3600 * SECOND};
	const struct host_io io = {
	    .arg = f, .send = keep_sent, .publish = drop_published, .members = drop_members};
	*f = (struct fixture){.now = SECOND};
	f->host = make_host(config, NULL, &io, f->now);
	pass(f, 10 * SECOND);
	cr_assert(f->host->replica.ready.phase == PHASE_SERVING && !f->host->checkpoint.exists);
}

static void teardown(struct fixture *f)
{
	host_close(&f->host);
	assert_no_leak();
}

static void say(struct fixture *f, const struct bytes *b)
{
	static const uint8_t id[] = {9};
	f->code = -1;
	cr_assert(host_receive_client(f->host, f->now, ROLE_ANY, id, sizeof id, b->data, b->size) == 0);
}

static int ask(struct fixture *f, uint64_t id, uint64_t index)
{
	struct bytes b = {0};
	message_encode(&(struct message){.type = MESSAGE_SNAPSHOT, .snapshot = {.id = id, .index = index}},
		       &b);
	say(f, &b);
	bytes_deinit(&b);
	return f->code;
}

static void hello(struct fixture *f)
{
	struct bytes b = {0};
	message_encode(&(struct message){.type = MESSAGE_HELLO,
					 .hello = {PROTOCOL_VERSION, .is_server = true, .node = {ASKER}}},
		       &b);
	say(f, &b);
	bytes_deinit(&b);
}

static void like(struct fixture *f, uint64_t first, uint64_t count)
{
	static const struct event event = {"likes", 1, 5};
	hello(f);
	for (uint64_t seq = first; seq < first + count; seq++) {
		const struct session session = {2, 1};
		struct bytes b = batch_message(session, proof_make(&self, session), seq, &event, 1);
		say(f, &b);
		cr_assert(host_flush(f->host, f->now) == 0);
		bytes_deinit(&b);
	}
}

Test(snapshot, a_checkpoint_is_due_when_the_journal_is_long)
{
	struct fixture f;
	setup(&f);
	like(&f, 1, 3);
	pass(&f, 20 * SECOND);
	cr_assert(!f.host->checkpoint.exists, "not yet");
	like(&f, 4, 100);
	pass(&f, SECOND);
	cr_assert(f.host->checkpoint.exists);
	teardown(&f);
}

Test(snapshot, parts_are_given_in_order_and_the_last_one_again)
{
	struct fixture f;
	setup(&f);
	like(&f, 1, 100);
	cr_assert(ask(&f, 5, 0) == KUDOS_BUSY, "none is there yet");
	pass(&f, SECOND);
	cr_assert(ask(&f, 5, 1) == KUDOS_BUSY, "begins with the first");
	cr_assert(ask(&f, 5, 0) == 0 && f.index == 0);
	cr_assert(ask(&f, 5, 0) == 0 && f.index == 0, "it may have been lost");
	cr_assert(ask(&f, 5, 2) == KUDOS_PROTOCOL, "none is left out");
	cr_assert(ask(&f, 5, 1) == 0 && f.index == 1);
	cr_assert(ask(&f, 5, 0) == KUDOS_PROTOCOL, "nor read backwards");
	cr_assert(ask(&f, 6, 0) == 0 && f.index == 0, "another reading");
	cr_assert(ask(&f, 5, 1) == KUDOS_BUSY, "ends the one before");
	pass(&f, 12 * SECOND);
	hello(&f);
	cr_assert(ask(&f, 6, 1) == KUDOS_BUSY, "who asks for nothing more is forgotten");
	teardown(&f);
}

/* Rows of numbers, as they stand in a table. */
static bool row_ok(char letter, const uint64_t *numbers, size_t count)
{
	const uint8_t key[5] = {(uint8_t)letter};
	uint64_t little[16];
	uint32_t blocks = 0;
	for (size_t i = 0; i < count; i++)
		little[i] = htole64(numbers[i]);
	return tables_entry_ok(&(struct blob){key, sizeof key},
			       &(struct blob){(const uint8_t *)little, count * sizeof little[0]}, &blocks);
}

#define ROW_OK(letter, ...)                             \
	row_ok(letter, (const uint64_t[]){__VA_ARGS__}, \
	       sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

Test(snapshot, rows_that_could_not_be_loaded_are_refused)
{
	cr_assert(ROW_OK('v', 1, 1, 2, 9));
	cr_assert(!ROW_OK('v', 1, 0) && !ROW_OK('v', 0, 1) && !ROW_OK('v', 1) && !ROW_OK('v', 1, 1, 2));
	cr_assert(ROW_OK('f', 1, 3, 3) && ROW_OK('f', 1, 3, 4));
	cr_assert(!ROW_OK('f', 1, 3, 2) && !ROW_OK('f', 1, 0, 2) && !ROW_OK('f', 0, 1, 2) &&
		  !ROW_OK('f', 1, 3));
	cr_assert(ROW_OK('s', 1, 1, 0, 0, 0) && ROW_OK('s', 1, 1, 5, 6, 2, 1, 1, 3, 4));
	cr_assert(!ROW_OK('s', 0, 1, 0, 0, 0) && !ROW_OK('s', 1, 0, 0, 0, 0));
	cr_assert(!ROW_OK('s', 1) && !ROW_OK('s', 1, 1, 5) && !ROW_OK('s', 1, 1, 5, 6));
	cr_assert(!ROW_OK('s', 1, 1, 0, 0, 1) && !ROW_OK('s', 1, 1, 0, 0, 2, 1, 1));
	cr_assert(!ROW_OK('s', 1, 1, 0, 0, 1, 0, 1) && !ROW_OK('s', 1, 1, 0, 0, 1, 2, 1));
	cr_assert(ROW_OK('l', 1, 9, 2, 3) && ROW_OK('l', 1, 9, 2, 3, 4, 9, 2, 3));
	cr_assert(!ROW_OK('l', 0, 9, 2, 3) && !ROW_OK('l', 1, 0, 2, 3) && !ROW_OK('l', 1, 9, 0, 3) &&
		  !ROW_OK('l', 1, 9, 2, 0) && !ROW_OK('l', 1, 9, 2) && !ROW_OK('l', 1, 9, 2, 3, 4));
	cr_assert(!ROW_OK('z', 1, 1));
	static const uint8_t table[5] = {'v'}, block[6] = {'b'}, more[17] = {1, [8] = 1};
	static const uint8_t one[10] = {7, [8] = 1, [9] = 'k'};
	uint32_t none = 0;
	cr_assert(!tables_entry_ok(&(struct blob){table, 5}, &(struct blob){more, 17}, &none), "and a byte");
	cr_assert(!tables_entry_ok(&(struct blob){block, 6}, &(struct blob){one, 10}, &none) &&
		  !tables_entry_ok(&(struct blob){block, 4}, &(struct blob){one, 10}, &none));
	uint32_t blocks = 0;
	const uint8_t keys[] = "ab", eight[9] = {1};
	const struct blob a = {keys, 1}, b = {keys + 1, 1}, ab = {keys, 2};
	cr_assert(tables_entry_ok(&a, &(struct blob){eight, 8}, &blocks));
	cr_assert(!tables_entry_ok(&a, &(struct blob){eight, 9}, &blocks) &&
		  !tables_entry_ok(&b, &(struct blob){eight, 8}, &blocks) &&
		  !tables_entry_ok(&ab, &(struct blob){eight, 8}, &blocks));
}

static bool block_ok(uint32_t number, uint32_t before, const void *bytes, size_t size)
{
	uint8_t key[5] = {'b', (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
			  (uint8_t)number};
	return tables_entry_ok(&(struct blob){key, sizeof key}, &(struct blob){bytes, size}, &before);
}

Test(snapshot, blocks_that_could_not_be_loaded_are_refused)
{
	static const uint8_t one[] = {7, 0, 0, 0, 0, 0, 0, 0, 1, 'k', 0, 0};
	static const uint8_t space[] = {7, 0, 0, 0, 0, 0, 0, 0, 1, ' '};
	static uint8_t large[ARENA_BLOCK + 1];
	memcpy(large, one, sizeof one);
	cr_assert(block_ok(0, 0, one, sizeof one) && block_ok(300, 300, one, sizeof one));
	cr_assert(!block_ok(1, 0, one, sizeof one), "none is left out");
	cr_assert(!block_ok(0, 1, one, sizeof one), "none comes twice");
	cr_assert(!block_ok(0, 0, one, 0) && block_ok(0, 0, "", 1), "nothing, or zeros alone");
	cr_assert(!block_ok(0, 0, space, sizeof space));
	cr_assert(block_ok(0, 0, large, ARENA_BLOCK) && !block_ok(0, 0, large, sizeof large));
	large[200] = 1;
	cr_assert(!block_ok(0, 0, large, ARENA_BLOCK), "nothing stands behind the end");
}
