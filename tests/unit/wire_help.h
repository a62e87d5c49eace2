/* SPDX-License-Identifier: MIT */
/* What the tests of src/wire share: any message there and back again, and a message as doc/protocol.md writes
 * it. */
#ifndef TESTS_WIRE_HELP_H
#define TESTS_WIRE_HELP_H

#include <inttypes.h>
#include <msgpack/unpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kudos.h"
#include "unit/batch_message.h"
#include "unit/leak.h"
#include "wire/message.h"

static inline int recode_record(const void *data, size_t size, struct bytes *out)
{
	struct record *record;
	int error = message_decode_record(data, size, &record);
	if (error)
		return error;
	/* As a server would make it: from boxes. */
	struct batch_box **boxes = calloc(record->batch_count, sizeof(struct batch_box *));
	for (size_t i = 0; i < record->batch_count; i++) {
		const struct batch *b = &record->batches[i];
		boxes[i] = message_make_batch(b->session, b->seq, b->events, b->event_count);
	}
	struct record *again = record_new(record->at, boxes, record->batch_count);
	error = message_encode_record(again);
	if (!error)
		bytes_append(out, again->raw, again->raw_size);
	for (size_t i = 0; i < record->batch_count; i++)
		batch_box_unref(boxes[i]);
	free(boxes);
	record_unref(again);
	record_unref(record);
	return error;
}

/* Decodes any message and encodes it anew, in canonical form. 0 or the decoder's error. */
static inline int recode(const void *data, size_t size, struct bytes *out)
{
	enum message_type type;
	int error = message_peek(data, size, &type);
	if (error)
		return error;
	if (type == MESSAGE_RECORD)
		return recode_record(data, size, out);
	if (type == MESSAGE_BATCH) {
		struct batch_box *box;
		struct proof proof;
		error = message_decode_batch(data, size, &box, NULL, NULL, &proof);
		if (error)
			return error;
		const struct batch *b = &box->batch;
		struct bytes again = batch_message(b->session, proof, b->seq, b->events, b->event_count);
		bytes_append(out, again.data, again.size);
		bytes_deinit(&again);
		batch_box_unref(box);
		return 0;
	}
	struct message message;
	error = message_decode(data, size, &message);
	if (error)
		return error;
	message_encode(&message, out);
	message_deinit(&message);
	return 0;
}

static inline void render_object(FILE *out, const msgpack_object *o)
{
	switch (o->type) {
	case MSGPACK_OBJECT_BOOLEAN:
		fputs(o->via.boolean ? "true" : "false", out);
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		fprintf(out, "%" PRIu64, o->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		fprintf(out, "%" PRId64, o->via.i64);
		break;
	case MSGPACK_OBJECT_STR:
		fprintf(out, "\"%.*s\"", (int)o->via.str.size, o->via.str.ptr);
		break;
	case MSGPACK_OBJECT_BIN:
		fputs("h'", out);
		for (uint32_t i = 0; i < o->via.bin.size; i++)
			fprintf(out, "%02x", (unsigned char)o->via.bin.ptr[i]);
		fputc('\'', out);
		break;
	case MSGPACK_OBJECT_ARRAY:
		fputc('[', out);
		for (uint32_t i = 0; i < o->via.array.size; i++) {
			fputs(i ? ", " : "", out);
			render_object(out, &o->via.array.ptr[i]);
		}
		fputc(']', out);
		break;
	default:
		fputs("?", out);
	}
}

/* The message as msgpack-c, not we, understands it, in the notation of doc/protocol.md. To be freed; NULL
 * when it is not one whole msgpack value. Trusted bytes only. */
static inline char *render(const void *data, size_t size)
{
	char *text = NULL;
	size_t text_size = 0, at = 0;
	msgpack_unpacked value;
	msgpack_unpacked_init(&value);
	if (msgpack_unpack_next(&value, data, size, &at) == MSGPACK_UNPACK_SUCCESS && at == size) {
		FILE *out = open_memstream(&text, &text_size);
		render_object(out, &value.data);
		fclose(out);
	}
	msgpack_unpacked_destroy(&value);
	return text;
}

#endif
