/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <errno.h>
#include <kudos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_field(const struct csv_row *row, size_t column, const char *text)
{
	return column < row->count && row->fields[column].size == strlen(text) &&
	       memcmp(row->fields[column].text, text, strlen(text)) == 0;
}

static bool is_word(const struct csv_row *row, size_t column, const char *word)
{
	return column < row->count && row->fields[column].size == strlen(word) &&
	       strncasecmp(row->fields[column].text, word, strlen(word)) == 0;
}

/* By number, which is all of digits. */
static bool is_number(const char *column)
{
	return column[strspn(column, "0123456789")] == '\0';
}

static int find(const struct csv_row *header, const char *column, size_t *index, char *why, size_t why_size)
{
	if (is_number(column)) {
		*index = strtoull(column, NULL, 10) - 1;
		if (*index < CSV_FIELDS)
			return 0;
		snprintf(why, why_size, "column %s: columns are numbered 1 to %d", column, CSV_FIELDS);
		return -EINVAL;
	}
	size_t found = 0;
	for (size_t i = 0; i < header->count; i++) {
		if (is_field(header, i, column)) {
			*index = i;
			found++;
		}
	}
	if (found == 1)
		return 0;
	snprintf(why, why_size, "the first row names %s column '%.64s'", found ? "more than one" : "no",
		 column);
	return -EINVAL;
}

static int find_columns(struct rows *rows, const struct columns *columns, bool any, char *why,
			size_t why_size)
{
	const char *key = columns->key ? columns->key : "1", *count = columns->count ? columns->count : "2";
	const bool named = !is_number(key) || !is_number(count);
	if (any && rows->fields.bad && (named || columns->header)) {
		snprintf(why, why_size, "the first row, which is to name the columns, %s", rows->fields.bad);
		return -EINVAL;
	}
	int r = find(&rows->fields, key, &rows->key, why, why_size);
	if (r == 0)
		r = find(&rows->fields, count, &rows->count, why, why_size);
	if (r == 0 && rows->key == rows->count) {
		snprintf(why, why_size, "key and count are to be two columns, not one");
		r = -EINVAL;
	}
	if (r < 0)
		return r;
	const bool words = !rows->fields.bad && is_word(&rows->fields, rows->key, "key") &&
			   is_word(&rows->fields, rows->count, "count");
	rows->waits = any && !named && !columns->header && !words;
	return 0;
}

int rows_init(struct rows *rows, const struct columns *columns, csv_read_fn read, void *arg, char *why,
	      size_t why_size)
{
	*rows = (struct rows){0};
	csv_init(&rows->csv, read, arg);
	const int r = csv_next(&rows->csv, &rows->fields);
	return r < 0 ? r : find_columns(rows, columns, r == 1, why, why_size);
}

void rows_deinit(struct rows *rows)
{
	csv_deinit(&rows->csv);
}

/* A sign and digits, nothing else. */
static bool read_count(const struct csv_field *field, int64_t *count)
{
	const char *at = field->text, *end = at + field->size;
	const bool negative = at < end && *at == '-';
	int64_t n = 0;
	at += at < end && (*at == '-' || *at == '+');
	if (at == end)
		return false;
	for (; at < end; at++) {
		if (*at < '0' || *at > '9')
			return false;
		n = n * 10 + (*at - '0');
		if (n > ROWS_COUNT_MAX)
			return false;
	}
	*count = negative ? -n : n;
	return true;
}

static const char *judge(const struct rows *rows, struct row *row)
{
	const struct csv_row *f = &rows->fields;
	if (f->bad)
		return f->bad;
	if (rows->key >= f->count || rows->count >= f->count)
		return "has too few columns";
	row->key = f->fields[rows->key].text;
	row->key_size = f->fields[rows->key].size;
	if (kudos_check_key(row->key, row->key_size) != KUDOS_OK)
		return "has a bad key: 1 to 128 bytes of printable UTF-8 without spaces";
	if (!read_count(&f->fields[rows->count], &row->count))
		return "has a bad count: a whole number within -1000000000000..1000000000000";
	return NULL;
}

int rows_next(struct rows *rows, struct row *row)
{
	const int r = rows->waits ? 1 : csv_next(&rows->csv, &rows->fields);
	rows->waits = false;
	if (r != 1)
		return r;
	*row = (struct row){.line = rows->fields.line};
	row->bad = judge(rows, row);
	return 1;
}
