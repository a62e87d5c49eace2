/* SPDX-License-Identifier: MIT */
/* Every allocation of src/wire and core/record fails once: -ENOMEM comes back (or the bytes' failure),
 * nothing leaks, outputs stay as they were. */
#include <criterion/criterion.h>

#include "unit/failing_memory.h"
#include "unit/wire_help.h"
#include "wire/many.h"

static int decode_message(void *arg)
{
	struct bytes *b = arg;
	struct message m = {.type = MESSAGE_TYPE_COUNT};
	int error = message_decode(b->data, b->size, &m);
	if (error)
		cr_assert(m.type == MESSAGE_TYPE_COUNT);
	else
		message_deinit(&m);
	return error;
}

Test(wire_memory, decoding_a_message)
{
	struct range range = {1, 2};
	struct position at = {{1}, 2};
	struct message m = {.type = MESSAGE_ACK, .ack = {{1, 1}, &range, 1, &at, 1}};
	struct bytes out = {0};
	message_encode(&m, &out);
	cr_assert(fail_each(decode_message, &out, 0) == 2);
	bytes_deinit(&out);
	assert_no_leak();
}

static int encode_message(void *arg)
{
	struct bytes out = {0};
	message_encode(arg, &out);
	int error = bytes_failed(&out) ? -ENOMEM : 0;
	bytes_deinit(&out);
	return error;
}

Test(wire_memory, encoding_a_message)
{
	static const char text[500];
	struct message m = {.type = MESSAGE_ERROR, .error = {0, KUDOS_BUSY, {text, sizeof text}}};
	cr_assert(fail_each(encode_message, &m, 0) >= 2);
	assert_no_leak();
}

static int make_record(void *arg)
{
	struct event event = {"likes", 1, 5};
	struct batch_box *box = message_make_batch((struct session){1, 1}, 1, &event, 1);
	if (!box)
		return -ENOMEM;
	struct record *record = record_new((struct position){{1}, 1}, &box, 1);
	batch_box_unref(box);
	int error = record ? message_encode_record(record) : -ENOMEM;
	if (!error)
		*(struct record **)arg = record;
	else
		record_unref(record);
	return error;
}

static int decode_record(void *arg)
{
	const struct record *record = arg;
	struct record *back = NULL;
	int error = message_decode_record(record->raw, record->raw_size, &back);
	cr_assert(!error || !back);
	record_unref(back);
	return error;
}

static int decode_batch(void *arg)
{
	const struct bytes *b = arg;
	struct batch_box *box = NULL;
	struct session session = {0};
	int error = message_decode_batch(b->data, b->size, &box, &session, NULL, NULL);
	cr_assert(session.issuer == 1);
	cr_assert(!error || !box);
	batch_box_unref(box);
	return error;
}

Test(wire_memory, batches_and_records)
{
	struct record *record = NULL;
	cr_assert(fail_each(make_record, &record, 0) == 6);
	/* The last one gives slack back. */
	cr_assert(fail_each(decode_record, record, 1) >= 4);
	const struct batch *first = &record->batches[0];
	struct bytes out = batch_message(first->session, (struct proof){{1}, 2}, first->seq, first->events,
					 first->event_count);
	cr_assert(fail_each(decode_batch, &out, 0) == 1);
	bytes_deinit(&out);
	record_unref(record);
	assert_no_leak();
}

static int gather(void *arg)
{
	struct many m = {0};
	const uint8_t *data;
	size_t size;
	int error = 0;
	(void)arg;
	for (int i = 0; i < 20 && !error; i++)
		error = many_add(&m, "0123456789", 10) ? 0 : -ENOMEM;
	/* What was added before is whole. */
	cr_assert(!many_take(&m, &data, &size) || size == 10 || size % 12 == 7 || size % 12 == 9);
	many_deinit(&m);
	return error;
}

Test(wire_memory, gathering_messages)
{
	cr_assert(fail_each(gather, NULL, 0) >= 2);
	assert_no_leak();
}
