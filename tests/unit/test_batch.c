/* SPDX-License-Identifier: MIT */
/* Batches, records and keys: the bytes that are sent, logged and compared. */
#include <criterion/criterion.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>

#include "base/limits.h"
#include "unit/wire_help.h"
#include "wire/key.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static struct event event(const char *key, int32_t n)
{
	return (struct event){key, n, (uint8_t)strlen(key)};
}

static const struct session session = {77, 3};

/* Encodes a batch of whatever sense and decodes it. */
static int decode(struct session s, uint64_t seq, const struct event *events, size_t count,
		  struct session *session_out, uint64_t *seq_out)
{
	struct bytes out = {0};
	msgpack_packer pk;
	bytes_append(&out,
		     "\x94\xa5"
		     "batch\x05\x06\x94",
		     10);
	struct batch_box *box = NULL;
	msgpack_sbuffer buffer;
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&pk, &buffer, msgpack_sbuffer_write);
	msgpack_pack_uint64(&pk, s.issuer);
	msgpack_pack_uint64(&pk, s.number);
	msgpack_pack_uint64(&pk, seq);
	msgpack_pack_array(&pk, 2 * count);
	for (size_t i = 0; i < count; i++) {
		msgpack_pack_str_with_body(&pk, events[i].key, events[i].key_size);
		msgpack_pack_int32(&pk, events[i].n);
	}
	bytes_append(&out, buffer.data, buffer.size);
	msgpack_sbuffer_destroy(&buffer);
	struct proof proof = {0};
	int error = message_decode_batch(out.data, out.size, &box, session_out, seq_out, &proof);
	cr_assert(proof.signer.id == 5 && proof.code == 6);
	if (!error) {
		cr_assert(box->batch.event_count == count && box->batch.seq == seq);
		cr_assert(session_equal(box->batch.session, s));
		for (size_t i = 0; i < count; i++) {
			const struct event *e = &box->batch.events[i];
			cr_assert(e->n == events[i].n && e->key_size == events[i].key_size);
			cr_assert(memcmp(e->key, events[i].key, e->key_size) == 0);
			cr_assert((const uint8_t *)e->key > box->batch.raw &&
				  (const uint8_t *)e->key < box->batch.raw + box->batch.raw_size);
		}
		cr_assert(box->batch.raw_size == out.size - 9);
		cr_assert(memcmp(box->batch.raw, out.data + 9, box->batch.raw_size) == 0);
	}
	batch_box_unref(box);
	bytes_deinit(&out);
	return error;
}

Test(batch, there_and_back)
{
	struct event events[] = {event("likes", 1), event("p:1", -1000000), event("caf\xc3\xa9", 1000000)};
	cr_assert(decode(session, 1, events, 3, NULL, NULL) == 0);
	cr_assert(decode((struct session){UINT64_MAX, UINT64_MAX}, UINT64_MAX - 1, events, 1, NULL, NULL) ==
		  0);
	assert_no_leak();
}

Test(batch, refusals_name_the_batch)
{
	static const struct {
		const char *key;
		int32_t n;
		int error;
	} cases[] = {
	    {"likes", 0, KUDOS_BAD_AMOUNT},
	    {"likes", 1000001, KUDOS_BAD_AMOUNT},
	    {"likes", -1000001, KUDOS_BAD_AMOUNT},
	    {"likes", INT32_MIN, KUDOS_BAD_AMOUNT},
	    {"", 1, KUDOS_BAD_KEY},
	    {"a b", 1, KUDOS_BAD_KEY},
	    {"a\n", 0, KUDOS_BAD_KEY},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct event events[] = {event("fine", 1), event(cases[i].key, cases[i].n)};
		struct session s;
		uint64_t seq;
		int error = decode(session, 9, events, 2, &s, &seq);
		cr_assert(error == cases[i].error, "case %zu: %d", i, error);
		cr_assert(session_equal(s, session) && seq == 9);
	}
	assert_no_leak();
}

Test(batch, identities_and_emptiness)
{
	struct event one = event("likes", 1);
	cr_assert(decode((struct session){0, 1}, 1, &one, 1, NULL, NULL) == KUDOS_PROTOCOL);
	cr_assert(decode((struct session){1, 0}, 1, &one, 1, NULL, NULL) == KUDOS_PROTOCOL);
	cr_assert(decode(session, 0, &one, 1, NULL, NULL) == KUDOS_PROTOCOL);
	cr_assert(decode(session, 1, NULL, 0, NULL, NULL) == KUDOS_PROTOCOL);
	cr_assert(decode(session, 0, NULL, 0, NULL, NULL) == KUDOS_PROTOCOL); /* a close is not a batch */
	cr_assert(decode(session, SEQ_LAPSE, NULL, 0, NULL, NULL) == KUDOS_PROTOCOL); /* nor is a lapse */
	cr_assert(decode(session, SEQ_LAPSE, &one, 1, NULL, NULL) == KUDOS_PROTOCOL);
	struct session s = {5, 5};
	uint64_t seq = 5;
	struct batch_box *box;
	cr_assert(message_decode_batch("\x94\xa5"
				       "batch\x05\x06\x94\x4d\x03",
				       12, &box, &s, &seq, NULL) == KUDOS_PROTOCOL);
	cr_assert(s.issuer == 0 && s.number == 0 && seq == 0);
	assert_no_leak();
}

Test(batch, sizes)
{
	static char key[LIMIT_KEY + 1];
	memset(key, 'k', LIMIT_KEY);
	static struct event events[LIMIT_BATCH_EVENTS + 1];
	for (size_t i = 0; i < COUNT_OF(events); i++)
		events[i] = event("k", 1);
	cr_assert(decode(session, 1, events, LIMIT_BATCH_EVENTS, NULL, NULL) == 0);
	cr_assert(decode(session, 1, events, LIMIT_BATCH_EVENTS + 1, NULL, NULL) == KUDOS_TOO_LARGE);
	/* Header: 1 + 1 + 1 + 1 + 3 bytes; an event with a long key: 2 + 128 + 1. */
	size_t most = (LIMIT_BATCH_BYTES - 7) / (LIMIT_KEY + 3);
	for (size_t i = 0; i <= most; i++)
		events[i] = event(key, 1);
	struct session s;
	cr_assert(decode(session, 1, events, most, NULL, NULL) == 0);
	cr_assert(decode(session, 1, events, most + 1, &s, NULL) == KUDOS_TOO_LARGE);
	cr_assert(session_equal(s, session));
	assert_no_leak();
}

static struct record *make_record(void)
{
	struct event events[] = {event("likes", 1), event("p:1", -2)};
	struct batch_box *boxes[] = {
	    message_make_batch(session, 1, events, 2),
	    message_make_batch((struct session){77, 4}, 300, events + 1, 1),
	    message_make_batch(session, 0, NULL, 0),
	};
	struct record *record = record_new((struct position){{9}, 5}, boxes, 3);
	for (size_t i = 0; i < 3; i++)
		batch_box_unref(boxes[i]);
	cr_assert(message_encode_record(record) == 0);
	return record;
}

Test(record, there_and_back)
{
	struct record *made = make_record(), *back = NULL;
	char *text = render(made->raw, made->raw_size);
	cr_assert(strcmp(text, "[\"record\", 9, 5, [[77, 3, 1, [\"likes\", 1, \"p:1\", -2]], "
			       "[77, 4, 300, [\"p:1\", -2]], [77, 3, 0, []]]]") == 0,
		  "%s", text);
	free(text);
	cr_assert(message_decode_record(made->raw, made->raw_size, &back) == 0);
	cr_assert(back->refs == 1 && back->at.origin.id == 9 && back->at.lsn == 5 && back->batch_count == 3);
	cr_assert(back->raw_size == made->raw_size && memcmp(back->raw, made->raw, made->raw_size) == 0);
	for (size_t i = 0; i < 3; i++) {
		const struct batch *a = &made->batches[i], *b = &back->batches[i];
		cr_assert(session_equal(a->session, b->session) && a->seq == b->seq);
		cr_assert(a->event_count == b->event_count && a->raw_size == b->raw_size);
		cr_assert(memcmp(a->raw, b->raw, a->raw_size) == 0);
		cr_assert(b->raw > back->raw && b->raw + b->raw_size <= back->raw + back->raw_size);
		for (size_t j = 0; j < a->event_count; j++) {
			cr_assert(a->events[j].n == b->events[j].n);
			cr_assert(memcmp(a->events[j].key, b->events[j].key, a->events[j].key_size) == 0);
		}
	}
	record_unref(record_ref(back));
	record_unref(back);
	record_unref(made);
	record_unref(NULL);
	assert_no_leak();
}

Test(record, many_events_in_many_batches)
{
	enum { BATCHES = 200, EVENTS = 300 };
	struct event events[EVENTS];
	for (int i = 0; i < EVENTS; i++)
		events[i] = event("k", i + 1);
	struct batch_box *boxes[BATCHES];
	for (uint64_t i = 0; i < BATCHES; i++)
		boxes[i] = message_make_batch(session, i + 1, events, (size_t)i + 1);
	struct record *made = record_new((struct position){{1}, 1}, boxes, BATCHES), *back;
	cr_assert(message_encode_record(made) == 0);
	cr_assert(message_decode_record(made->raw, made->raw_size, &back) == 0);
	for (size_t i = 0; i < BATCHES; i++) {
		cr_assert(back->batches[i].event_count == i + 1);
		for (size_t j = 0; j <= i; j++)
			cr_assert(back->batches[i].events[j].n == (int)j + 1);
		batch_box_unref(boxes[i]);
	}
	record_unref(back);
	record_unref(made);
	assert_no_leak();
}

static int decode_record(const char *data, size_t size)
{
	struct record *record;
	int error = message_decode_record(data, size, &record);
	if (!error)
		record_unref(record);
	return error;
}

#define RECORD(rest) decode_record("\x94\xa6record" rest, sizeof("\x94\xa6record" rest) - 1)

Test(record, what_makes_no_sense_is_refused)
{
	cr_assert(RECORD("\x09\x05\x91\x94\x07\x01\x01\x92\xa1k\x01") == 0);
	cr_assert(RECORD("\x09\x05\x91\x94\x07\x01\x00\x90") == 0);
	cr_assert(RECORD("\x00\x05\x91\x94\x07\x01\x01\x92\xa1k\x01") == KUDOS_PROTOCOL); /* origin 0 */
	cr_assert(RECORD("\x09\x00\x91\x94\x07\x01\x01\x92\xa1k\x01") == KUDOS_PROTOCOL); /* lsn 0 */
	cr_assert(RECORD("\x09\x05\x91\x94\x00\x01\x01\x92\xa1k\x01") == KUDOS_PROTOCOL); /* issuer 0 */
	cr_assert(RECORD("\x09\x05\x90") == 0, "none: the last of a run");
	cr_assert(RECORD("\x09\x05\x91\x94\x07\x01\x00\x92\xa1k\x01") ==
		  KUDOS_PROTOCOL);						 /* close with events */
	cr_assert(RECORD("\x09\x05\x91\x94\x07\x01\x01\x90") == KUDOS_PROTOCOL); /* batch without events */
	cr_assert(RECORD("\x09\x05\x91\x94\x07\x01\x01\x91\xa1k") == KUDOS_PROTOCOL); /* half an event */
	cr_assert(RECORD("\x09\x05\x91\x94\x07\x01\x01\x92\xa1k\x00") == KUDOS_BAD_AMOUNT);
	cr_assert(RECORD("\x09\x05\x91\x94\x07\x01\x01\x92\xa1 \x01") == KUDOS_BAD_KEY);
	assert_no_leak();
}

Test(record, limits)
{
	struct bytes b = {0};
	bytes_append(&b, "\x94\xa6record\x09\x05\xdc\x10\x01", 13);
	for (int i = 0; i <= LIMIT_RECORD_BATCHES; i++)
		bytes_append(&b, "\x94\x07\x01\x00\x90", 5);
	cr_assert(decode_record((const char *)b.data, b.size) == KUDOS_LIMIT);
	b.data[12] = 0;
	cr_assert(decode_record((const char *)b.data, b.size - 5) == 0);
	bytes_extend(&b, LIMIT_MESSAGE);
	cr_assert(decode_record((const char *)b.data, LIMIT_MESSAGE + 1) == KUDOS_TOO_LARGE);
	bytes_deinit(&b);
	assert_no_leak();
}

Test(key, what_is_one)
{
	static const char *const good[] = {
	    "likes",
	    "a",
	    "!",
	    "~",
	    "post:1",
	    "12345678",
	    "123456789",
	    "caf\xc3\xa9",
	    "\xe2\x9d\xa4",
	    "\xf0\x9f\x91\x8d",
	    "abcdefg\xc3\xa9xyz",
	    "\xc2\xa1",
	    "\xe2\x80\x90",
	    "\xed\x9f\xbf",
	    "\xee\x80\x80",
	    "\xf4\x8f\xbf\xbf",
	    "\xe2\x81\xa5",
	};
	static const char *const bad[] = {
	    " ",
	    "a b",
	    "a\t",
	    "1234567 ",
	    "12345678\x7f",
	    "a\x1f",
	    "\x80",
	    "\xc2",
	    "\xc2\xa0",
	    "\xc2\x80",
	    "\xc2\x9f",
	    "\xc0\xaf",
	    "\xc1\xbf",
	    "\xe0\x80\xaf",
	    "\xe0\x9f\xbf",
	    "\xe1\x9a\x80",
	    "\xe2\x80\x80",
	    "\xe2\x80\x8f",
	    "\xe2\x80\xa8",
	    "\xe2\x80\xaf",
	    "\xe2\x81\x9f",
	    "\xe2\x81\xa4",
	    "\xe3\x80\x80",
	    "\xed\xa0\x80",
	    "\xed\xbf\xbf",
	    "\xef\xbb\xbf",
	    "\xef\xbf\xb9",
	    "\xef\xbf\xbb",
	    "\xf0\x8f\xbf\xbf",
	    "\xf4\x90\x80\x80",
	    "\xf8\x88\x80\x80\x80",
	    "\xff",
	    "\xe2\x9d",
	    "\xe2\x9d\x61",
	    "abcdefg\xf0\x9f\x91",
	};
	for (size_t i = 0; i < COUNT_OF(good); i++)
		cr_assert(key_check(good[i], strlen(good[i])) == 0, "good %zu", i);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_assert(key_check(bad[i], strlen(bad[i])) == KUDOS_BAD_KEY, "bad %zu", i);
	char longest[LIMIT_KEY + 1];
	memset(longest, 'k', sizeof longest);
	cr_assert(key_check(longest, LIMIT_KEY) == 0);
	cr_assert(key_check(longest, LIMIT_KEY + 1) == KUDOS_BAD_KEY);
	cr_assert(key_check(longest, 0) == KUDOS_BAD_KEY);
}

/* The eight-byte step against the plain rule: every byte value at every place. */
Test(key, every_ascii_byte_everywhere)
{
	for (size_t size = 1; size <= 20; size++) {
		for (size_t at = 0; at < size; at++) {
			for (int byte = 0; byte < 128; byte++) {
				char key[20];
				memset(key, 'k', sizeof key);
				key[at] = (char)byte;
				bool good = byte > 0x20 && byte < 0x7f;
				cr_assert((key_check(key, size) == 0) == good, "%02x at %zu of %zu", byte, at,
					  size);
			}
		}
	}
}
