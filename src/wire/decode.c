/* SPDX-License-Identifier: MIT */
/* Reading goes on after an error: it sticks, and every later read is zero or empty. */
#include "wire/decode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kudos.h"
#include "wire/key.h"

/* Decoded lists live in pieces chained behind decoder.memory. */
struct piece {
	struct piece *next;
	max_align_t data[];
};

/* Zeroed memory for count values, a count that was checked by read_array(); NULL when it is 0 or the reader
 * failed. */
static void *take_memory(struct decoder *d, size_t count, size_t size)
{
	if (d->r.error || count == 0)
		return NULL;
	struct piece *piece = calloc(1, sizeof *piece + count * size);
	if (!piece) {
		reader_fail(&d->r, -ENOMEM);
		return NULL;
	}
	piece->next = d->memory;
	d->memory = piece;
	return piece->data;
}

void decode_free(void *memory)
{
	for (struct piece *p = memory, *next; p; p = next) {
		next = p->next;
		free(p);
	}
}

static bool text_is(struct text text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static uint64_t read_number(struct decoder *d, const struct field *f)
{
	uint64_t n = read_uint(&d->r), before = d->before;
	bool good = true;
	d->before = n;
	switch (f->kind) {
	case KIND_ID:
		good = n != 0;
		break;
	case KIND_SEQ:
		good = n != 0 && n != SEQ_LAPSE;
		break;
	case KIND_COUNT:
		good = n != 0;
		if (n > f->limit)
			reader_fail(&d->r, KUDOS_LIMIT);
		break;
	case KIND_BOTH:
		good = (n == 0) == (before == 0);
		break;
	case KIND_TO:
		good = n >= before;
		break;
	case KIND_RISING:
		good = n > d->above;
		d->above = n;
		break;
	case KIND_AFTER:
		d->above = n;
		break;
	case KIND_VERSION:
		d->foreign = !d->r.error && n != PROTOCOL_VERSION;
		if (d->foreign)
			d->r.at = d->r.end;
		break;
	default:
		break;
	}
	if (!good)
		reader_fail(&d->r, KUDOS_PROTOCOL);
	return n;
}

static struct text read_word(struct reader *r, size_t limit)
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

/* A metric's name or label: what Prometheus takes for one. */
static struct text read_metric_name(struct reader *r, size_t limit)
{
	struct text name = read_word(r, limit);
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		if (!(c >= 'a' && c <= 'z') && c != '_' && !(i > 0 && c >= '0' && c <= '9'))
			reader_fail(r, KUDOS_PROTOCOL);
	}
	return name;
}

static struct text read_text(struct decoder *d, const struct field *f)
{
	struct reader *r = &d->r;
	struct text text;
	switch (f->kind) {
	case KIND_METRIC:
	case KIND_LABEL:
		text = read_metric_name(r, f->limit);
		d->labelled = text.size > 0;
		if (f->kind == KIND_METRIC && text.size == 0)
			reader_fail(r, KUDOS_PROTOCOL);
		return text;
	case KIND_OF:
		text = read_word(r, f->limit);
		if (text.size > 0 && !d->labelled)
			reader_fail(r, KUDOS_PROTOCOL);
		return text;
	case KIND_KEY:
		text = read_str(r, SIZE_MAX);
		if (!r->error && key_check(text.data, text.size) != 0)
			reader_fail(r, KUDOS_BAD_KEY);
		return text;
	case KIND_WORD:
		return read_word(r, f->limit);
	default:
		return read_str(r, f->limit);
	}
}

/* Codes come from newer versions too, and "ok" is no error: what is not known is KUDOS_PROTOCOL. */
static int read_code(struct reader *r, size_t limit)
{
	struct text text = read_str(r, limit);
	for (int code = KUDOS_OK + 1; text.size && code < KUDOS_ERROR_COUNT; code++) {
		if (text_is(text, kudos_error_code(code)))
			return code;
	}
	return KUDOS_PROTOCOL;
}

static unsigned read_choice(struct reader *r, enum kind kind)
{
	struct text text = read_str(r, SIZE_MAX);
	for (unsigned i = 0; kind_words[kind][i]; i++) {
		if (text_is(text, kind_words[kind][i]))
			return i;
	}
	reader_fail(r, KUDOS_PROTOCOL);
	return 0;
}

/* To an array of limit + 1 bytes that are zero. */
static void read_chars(struct reader *r, char *to, size_t limit)
{
	struct text word = read_word(r, limit);
	if (word.size)
		memcpy(to, word.data, word.size);
}

static void read_secret(struct reader *r, struct secret *secret)
{
	struct blob bytes = read_bin(r);
	if (bytes.size == sizeof *secret)
		memcpy(secret, bytes.data, sizeof *secret);
	else if (bytes.size != 0)
		reader_fail(r, KUDOS_PROTOCOL);
}

/* A value of any kind but KIND_LIST. */
static void read_value(struct decoder *d, const struct field *f, void *at)
{
	struct reader *r = &d->r;
	switch (f->kind) {
	case KIND_INT:
		*(int64_t *)at = read_int(r);
		break;
	case KIND_BOOL:
		*(bool *)at = read_bool(r);
		break;
	case KIND_CHARS:
		read_chars(r, at, f->limit);
		break;
	case KIND_CODE:
		*(int *)at = read_code(r, f->limit);
		break;
	case KIND_ROLE:
		*(bool *)at = read_choice(r, f->kind);
		break;
	case KIND_STATE:
		*(enum server_state *)at = (enum server_state)read_choice(r, f->kind);
		break;
	case KIND_TYPE:
		*(enum metric_type *)at = (enum metric_type)read_choice(r, f->kind);
		break;
	case KIND_BIN:
		*(struct blob *)at = read_bin(r);
		break;
	case KIND_SECRET:
		read_secret(r, at);
		break;
	default:
		if (f->kind < KIND_INT)
			*(uint64_t *)at = read_number(d, f);
		else
			*(struct text *)at = read_text(d, f);
	}
}

/* How many rows follow. */
static size_t read_rows(struct reader *r, const struct list *l, size_t fields)
{
	assert(fields > 0);
	size_t width = l->arrays ? 1 : fields;
	size_t elements = read_array(r, width * l->most);
	if (elements % width || elements < l->least)
		reader_fail(r, KUDOS_PROTOCOL);
	return r->error ? 0 : elements / width;
}

/* How many of its fields the next row has. */
static size_t read_width(struct reader *r, const struct list *l, size_t fields)
{
	if (!l->arrays)
		return fields;
	size_t width = read_array(r, l->added ? fields : SIZE_MAX);
	if (width > fields || width < fields - l->added)
		reader_fail(r, KUDOS_PROTOCOL);
	return r->error ? 0 : width;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables, whose deepest is a list in a list */
static void read_fields(struct decoder *d, const struct field *fields, size_t count, char *base)
{
	for (const struct field *f = fields; f < fields + count && !d->r.error && !d->foreign; f++) {
		const struct list *l = f->list;
		if (!l) {
			read_value(d, f, base + f->at);
			continue;
		}
		size_t in_row = fields_count(l->fields), rows = read_rows(&d->r, l, in_row);
		char *row = take_memory(d, rows, l->size);
		memcpy(base + f->at, &row, sizeof row);
		memcpy(base + f->count_at, &rows, sizeof rows);
		for (; row && rows > 0 && !d->r.error; rows--, row += l->size)
			read_fields(d, l->fields, read_width(&d->r, l, in_row), row);
	}
}

void decode_fields(struct decoder *d, const struct field *fields, void *base)
{
	read_fields(d, fields, fields_count(fields), base);
}
