/* SPDX-License-Identifier: MIT */
#include "wire/encode.h"

#include <string.h>

#include "kudos.h"

static void write_word(struct writer *w, const char *word)
{
	write_str(w, word, strlen(word));
}

/* Cut to what a receiver accepts, between two characters. */
static void write_explanation(struct writer *w, struct text text, size_t limit)
{
	if (text.size > limit) {
		text.size = limit;
		while (text.size > 0 && ((unsigned char)text.data[text.size] & 0xc0) == 0x80)
			text.size--;
	}
	write_str(w, text.data, text.size);
}

/* A value of any kind but KIND_LIST. */
static void write_value(struct writer *w, const struct field *f, const void *at)
{
	switch (f->kind) {
	case KIND_INT:
		write_int(w, *(const int64_t *)at);
		break;
	case KIND_BOOL:
		write_bool(w, *(const bool *)at);
		break;
	case KIND_EXPLANATION:
		write_explanation(w, *(const struct text *)at, f->limit);
		break;
	case KIND_CHARS:
		write_word(w, at);
		break;
	case KIND_CODE:
		write_word(w, kudos_error_code(*(const int *)at));
		break;
	case KIND_ROLE:
		write_word(w, kind_words[f->kind][*(const bool *)at]);
		break;
	case KIND_STATE:
		write_word(w, kind_words[f->kind][*(const enum server_state *)at]);
		break;
	case KIND_TYPE:
		write_word(w, kind_words[f->kind][*(const enum metric_type *)at]);
		break;
	case KIND_BIN:
		write_bin(w, ((const struct blob *)at)->data, ((const struct blob *)at)->size);
		break;
	case KIND_SECRET:
		write_bin(w, at, secret_is_none(at) ? 0 : sizeof(struct secret));
		break;
	default:
		if (f->kind < KIND_INT)
			write_uint(w, *(const uint64_t *)at);
		else
			write_str(w, ((const struct text *)at)->data, ((const struct text *)at)->size);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables, whose deepest is a list in a list */
void encode_fields(struct writer *w, const struct field *fields, const void *base)
{
	for (const struct field *f = fields; f->kind != KIND_END; f++) {
		const void *at = (const char *)base + f->at;
		const struct list *l = f->list;
		if (!l) {
			write_value(w, f, at);
			continue;
		}
		const char *row;
		size_t rows, in_row = fields_count(l->fields);
		memcpy(&row, at, sizeof row);
		memcpy(&rows, (const char *)base + f->count_at, sizeof rows);
		write_array(w, l->arrays ? rows : rows * in_row);
		for (; rows > 0; rows--, row += l->size) {
			if (l->arrays)
				write_array(w, in_row);
			encode_fields(w, l->fields, row);
		}
	}
}
