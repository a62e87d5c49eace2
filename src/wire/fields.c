/* SPDX-License-Identifier: MIT */
#include "wire/fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kudos.h"

#include "base/limits.h"

/* Decoded arrays live in blocks chained behind message->memory. */
struct block {
	struct block *next;
	max_align_t data[];
};

void *take_memory(struct reader *r, struct message *m, size_t count, size_t size)
{
	if (r->error || count == 0)
		return NULL;
	struct block *block = calloc(1, sizeof *block + count * size);
	if (!block) {
		reader_fail(r, -ENOMEM);
		return NULL;
	}
	block->next = m->memory;
	m->memory = block;
	return block->data;
}

void message_deinit(struct message *message)
{
	for (struct block *b = message->memory, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	message->memory = NULL;
}

bool text_is(struct text text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

size_t read_pairs(struct reader *r, size_t limit)
{
	size_t count = read_array(r, limit > SIZE_MAX / 2 ? SIZE_MAX : 2 * limit);
	if (count % 2)
		reader_fail(r, KUDOS_PROTOCOL);
	return r->error ? 0 : count / 2;
}

uint64_t read_id(struct reader *r)
{
	uint64_t id = read_uint(r);
	if (id == 0)
		reader_fail(r, KUDOS_PROTOCOL);
	return id;
}

struct session read_session(struct reader *r)
{
	uint64_t issuer = read_id(r);
	return (struct session){issuer, read_id(r)};
}

struct session read_session_or_none(struct reader *r)
{
	uint64_t issuer = read_uint(r);
	uint64_t number = read_uint(r);
	if ((issuer == 0) != (number == 0))
		reader_fail(r, KUDOS_PROTOCOL);
	return (struct session){issuer, number};
}

struct proof read_proof(struct reader *r)
{
	struct node signer = {read_uint(r)};
	return (struct proof){signer, read_uint(r)};
}

struct text read_word(struct reader *r, size_t limit)
{
	struct text word = read_str(r, limit);
	for (size_t i = 0; i < word.size; i++) {
		if (word.data[i] <= 0x20 || word.data[i] >= 0x7f) {
			reader_fail(r, KUDOS_PROTOCOL);
			return (struct text){0};
		}
	}
	return word;
}

struct text read_key(struct reader *r)
{
	struct text key = read_str(r, SIZE_MAX);
	if (!r->error && key_check(key.data, key.size) != 0)
		reader_fail(r, KUDOS_BAD_KEY);
	return key;
}

/* Codes come from newer versions too, and "ok" is no error: what is not known is KUDOS_PROTOCOL. */
int read_code(struct reader *r)
{
	struct text text = read_str(r, LIMIT_TEXT);
	for (int code = KUDOS_OK + 1; text.size && code < KUDOS_ERROR_COUNT; code++) {
		if (text_is(text, kudos_error_code(code)))
			return code;
	}
	return KUDOS_PROTOCOL;
}

const struct position *read_positions(struct reader *r, struct message *m, size_t *count)
{
	*count = read_pairs(r, LIMIT_MESSAGE_POSITIONS);
	struct position *list = take_memory(r, m, *count, sizeof *list);
	for (size_t i = 0; list && i < *count && !r->error; i++) {
		list[i].origin.id = read_id(r);
		list[i].lsn = read_uint(r);
	}
	return list;
}

void read_load(struct reader *r, struct load *load)
{
	load->clients = read_uint(r);
	load->keys = read_uint(r);
	load->likes_total = read_int(r);
	load->events_per_s = read_uint(r);
	load->lag_records = read_uint(r);
	load->journal_bytes = read_uint(r);
	load->malformed = read_uint(r);
}

void read_server(struct reader *r, struct server_row *server)
{
	server->node.id = read_id(r);
	server->name = read_word(r, LIMIT_NAME);
	server->client_endpoint = read_word(r, LIMIT_ENDPOINT);
	server->notify_endpoint = read_word(r, LIMIT_ENDPOINT);
}
