/* SPDX-License-Identifier: MIT */
#include "wire/message.h"

#include <assert.h>
#include <string.h>

#include "kudos.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/schema.h"

#include "base/limits.h"

const char *message_type_name(enum message_type type)
{
	return schemas[type].name;
}

/* Names mostly differ in their first letter already. */
static bool is_named(const struct schema *s, struct text name)
{
	return s->name[0] == name.data[0] && strlen(s->name) == name.size &&
	       memcmp(s->name, name.data, name.size) == 0;
}

/* Reads the array header and the type name; MESSAGE_TYPE_COUNT and the reader's error when that fails. */
static enum message_type read_type(struct reader *r, size_t *elements)
{
	*elements = read_array(r, SIZE_MAX);
	struct text name = read_str(r, SIZE_MAX);
	for (size_t i = 0; name.size > 0 && i < MESSAGE_TYPE_COUNT; i++) {
		if (is_named(&schemas[i], name))
			return (enum message_type)i;
	}
	reader_fail(r, KUDOS_PROTOCOL);
	return MESSAGE_TYPE_COUNT;
}

int message_peek(const void *data, size_t size, enum message_type *type)
{
	struct reader r = reader_over(data, size);
	size_t elements;
	enum message_type found = read_type(&r, &elements);
	if (!r.error)
		*type = found;
	return r.error;
}

uint64_t message_request_id(const void *data, size_t size)
{
	struct reader r = reader_over(data, size);
	size_t elements;
	enum message_type type = read_type(&r, &elements);
	return !r.error && schemas[type].asks ? read_uint(&r) : 0;
}

/* Data folders from before version 2 hold positions behind the members. */
static void skip_positions(struct reader *r)
{
	size_t elements = read_array(r, (size_t)2 * LIMIT_MESSAGE_POSITIONS);
	bool good = elements % 2 == 0;
	for (size_t i = 0; i < elements && !r->error; i++)
		good = (read_uint(r) != 0 || i % 2 == 1) && good;
	if (!good)
		reader_fail(r, KUDOS_PROTOCOL);
}

int message_decode(const void *data, size_t size, struct message *message)
{
	if (size > LIMIT_MESSAGE)
		return KUDOS_TOO_LARGE;
	struct decoder d = {.r = reader_over(data, size)};
	size_t elements;
	struct message m = {.type = read_type(&d.r, &elements)};
	if (d.r.error)
		return d.r.error;
	const struct field *fields = schemas[m.type].fields;
	size_t expected = 1 + fields_count(fields);
	if (expected == 1 || elements < 2)
		return KUDOS_PROTOCOL;
	decode_fields(&d, fields, &m);
	if (m.type == MESSAGE_MEMBERS && elements == expected + 1) {
		skip_positions(&d.r);
		expected++;
	}
	if (elements != expected && !d.foreign)
		reader_fail(&d.r, KUDOS_PROTOCOL);
	m.memory = d.memory;
	if (reader_finish(&d.r) != 0) {
		message_deinit(&m);
		return d.r.error;
	}
	*message = m;
	return 0;
}

void message_deinit(struct message *message)
{
	decode_free(message->memory);
	message->memory = NULL;
}

void message_encode(const struct message *message, struct bytes *out)
{
	const struct schema *schema = &schemas[message->type];
	size_t elements = 1 + fields_count(schema->fields);
	assert(elements > 1);
	struct writer w = writer_to(out);
	write_array(&w, elements);
	write_str(&w, schema->name, strlen(schema->name));
	encode_fields(&w, schema->fields, message);
}
