/* SPDX-License-Identifier: MIT */
#include "wire/message.h"

#include <string.h>

#include "kudos.h"
#include "wire/codec.h"

static const char *const names[] = {
#define X(name, text) [MESSAGE_##name] = (text),
    MESSAGE_TYPES(X)
#undef X
};

/* Elements of each message's array, its type name included. */
static const uint8_t elements[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = 5,      [MESSAGE_WELCOME] = 10, [MESSAGE_ERROR] = 4,   [MESSAGE_PING] = 2,
    [MESSAGE_PONG] = 2,	      [MESSAGE_BATCH] = 4,    [MESSAGE_ACK] = 5,     [MESSAGE_REFUSED] = 6,
    [MESSAGE_CLOSE] = 5,      [MESSAGE_CLOSED] = 3,   [MESSAGE_COUNT] = 4,   [MESSAGE_COUNTS] = 3,
    [MESSAGE_TOP] = 3,	      [MESSAGE_TOPS] = 3,     [MESSAGE_STATUS] = 2,  [MESSAGE_STATE] = 5,
    [MESSAGE_METRICS] = 2,    [MESSAGE_MEASURED] = 3, [MESSAGE_ASSIGN] = 4,  [MESSAGE_ASSIGNED] = 6,
    [MESSAGE_FORGET] = 3,     [MESSAGE_DRAIN] = 3,    [MESSAGE_DONE] = 2,    [MESSAGE_MEMBERS] = 3,
    [MESSAGE_HEARTBEAT] = 12, [MESSAGE_HEARD] = 4,    [MESSAGE_FETCH] = 4,   [MESSAGE_RECORDS] = 4,
    [MESSAGE_GONE] = 3,	      [MESSAGE_SNAPSHOT] = 3, [MESSAGE_PART] = 5,    [MESSAGE_RECORD] = 4,
    [MESSAGE_VECTOR] = 8,     [MESSAGE_REACH] = 2,    [MESSAGE_REACHED] = 5, [MESSAGE_CHANGED] = 3,
    [MESSAGE_SEEN] = 6,
};

const char *message_type_name(enum message_type type)
{
	return names[type];
}

size_t message_elements(enum message_type type)
{
	return elements[type];
}

static bool named(struct text name, size_t type)
{
	return strlen(names[type]) == name.size && memcmp(names[type], name.data, name.size) == 0;
}

enum message_type read_type(struct reader *r, size_t *count)
{
	*count = read_array(r, SIZE_MAX);
	struct text name = read_str(r, SIZE_MAX);
	for (size_t i = 0; name.data && i < MESSAGE_TYPE_COUNT; i++) {
		if (named(name, i))
			return (enum message_type)i;
	}
	reader_fail(r, KUDOS_PROTOCOL);
	return MESSAGE_TYPE_COUNT;
}

void read_type_of(struct reader *r, enum message_type type)
{
	read_array_of(r, elements[type]);
	struct text name = read_str(r, SIZE_MAX);
	if (!name.data || !named(name, type))
		reader_fail(r, KUDOS_PROTOCOL);
}

int message_peek(const void *data, size_t size, enum message_type *type)
{
	struct reader r = reader_over(data, size);
	size_t count;
	enum message_type found = read_type(&r, &count);
	if (!r.error)
		*type = found;
	return r.error;
}

uint64_t message_request_id(const void *data, size_t size)
{
	struct reader r = reader_over(data, size);
	size_t count;
	enum message_type type = read_type(&r, &count);
	bool has_one = type == MESSAGE_COUNT || type == MESSAGE_TOP || type == MESSAGE_STATUS ||
		       type == MESSAGE_METRICS || type == MESSAGE_FORGET || type == MESSAGE_DRAIN ||
		       type == MESSAGE_SNAPSHOT;
	return has_one ? read_uint(&r) : 0;
}
