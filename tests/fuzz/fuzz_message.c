/* SPDX-License-Identifier: MIT */
/* Any bytes as a message. What is accepted is decoded and encoded with nothing lost: msgpack-c reads the same
 * out of both, and encoded once more it is the same bytes. */
#include "fuzz/input.h"
#include "unit/wire_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What need not come back: the rest of a greeting in another version, and an error's code that is not known.
 */
static bool may_lose(const uint8_t *data, size_t size)
{
	enum message_type type;
	struct message m;
	must(message_peek(data, size, &type) == 0);
	if (type == MESSAGE_BATCH || type == MESSAGE_RECORD)
		return false;
	must(message_decode(data, size, &m) == 0);
	bool lose =
	    (m.type == MESSAGE_HELLO && m.hello.version != PROTOCOL_VERSION) ||
	    (m.type == MESSAGE_WELCOME && m.welcome.version != PROTOCOL_VERSION) ||
	    (m.type == MESSAGE_ERROR && m.error.code == KUDOS_PROTOCOL) ||
	    (m.type == MESSAGE_REFUSED && m.refused.code == KUDOS_PROTOCOL) ||
	    (m.type == MESSAGE_MEMBERS && data[0] != 0x93); /* of before: there may be positions, too */
	for (size_t i = 0; m.type == MESSAGE_MEMBERS && i < m.members.row_count; i++)
		lose = lose ||
		       secret_is_none(&m.members.rows[i].secret); /* a row of before gains an empty one */
	message_deinit(&m);
	return lose;
}

static void must_say_the_same(const uint8_t *data, size_t size, const struct bytes *again)
{
	char *first = render(data, size), *second = render(again->data, again->size);
	must(first && second && strcmp(first, second) == 0);
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes once = {0}, twice = {0};
	int error = recode(data, size, &once);
	must(error >= 0);
	if (!error) {
		must(recode(once.data, once.size, &twice) == 0);
		must(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
		if (!may_lose(data, size))
			must_say_the_same(data, size, &once);
	}
	bytes_deinit(&once);
	bytes_deinit(&twice);
	return 0;
}
