/* SPDX-License-Identifier: MIT */
#include "csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)64 << 10) /* the least room to read into */

/* What a look at the input gives, besides a byte and a negative errno. The last are what ends a bad row, as
 * reasons are. */
enum { END = 256, TOO_LONG, TOO_WIDE, STRAY, BEHIND, OPEN };

static const char *const reasons[] = {
    "is longer than a megabyte; is a quote not closed?",
    "has more than 256 columns",
    "has a quote within a field that does not begin with one",
    "has something behind a closing quote",
    "begins a quote that is never closed",
};

void csv_init(struct csv *csv, csv_read_fn read, void *arg)
{
	*csv = (struct csv){.read = read, .arg = arg, .line = 1};
}

void csv_deinit(struct csv *csv)
{
	free(csv->bytes);
	csv->bytes = NULL;
}

static int make_room(struct csv *c)
{
	if (c->at > 0) {
		memmove(c->bytes, c->bytes + c->at, c->end - c->at);
		c->end -= c->at;
		c->at = 0;
	}
	if (c->capacity - c->end >= CHUNK)
		return 0;
	const size_t wanted = c->capacity ? c->capacity * 2 : CHUNK * 4;
	char *bytes = realloc(c->bytes, wanted);
	if (!bytes)
		return -ENOMEM;
	c->bytes = bytes;
	c->capacity = wanted;
	return 0;
}

/* The next byte, of what is still to be read. */
static int fill(struct csv *c)
{
	if (c->ended)
		return END;
	const int r = make_room(c);
	if (r < 0)
		return r;
	const ssize_t n = c->read(c->arg, c->bytes + c->end, c->capacity - c->end);
	if (n < 0)
		return (int)n;
	c->end += (size_t)n;
	c->ended = n == 0;
	return n == 0 ? END : (unsigned char)c->bytes[c->at + c->next];
}

static inline int peek(struct csv *c)
{
	if (c->next >= CSV_ROW)
		return TOO_LONG;
	if (c->at + c->next < c->end)
		return (unsigned char)c->bytes[c->at + c->next];
	return fill(c);
}

/* Both read a field up to what ends it, which they return and do not take; *size of its bytes, from where it
 * begins, are the field. */
static int read_plain(struct csv *c, size_t *size)
{
	const size_t first = c->next;
	int byte;
	while ((byte = peek(c)) >= 0 && byte < END && byte != ',' && byte != '\n') {
		if (byte == '"')
			return STRAY;
		c->next++;
	}
	*size = c->next - first;
	if ((byte == '\n' || byte == END) && *size > 0 && c->bytes[c->at + c->next - 1] == '\r')
		--*size;
	return byte;
}

static int behind_quote(struct csv *c)
{
	int byte = peek(c);
	if (byte == '\r') {
		c->next++;
		byte = peek(c);
		if (byte >= 0 && byte < END && byte != '\n')
			return BEHIND;
	}
	return byte < 0 || byte >= END || byte == ',' || byte == '\n' ? byte : BEHIND;
}

/* The opening quote has been taken; what follows moves to where that was, as far as doubled quotes make it
 * shorter. */
static int read_quoted(struct csv *c, size_t *size)
{
	const size_t first = c->next;
	size_t out = first;
	for (;;) {
		int byte = peek(c);
		if (byte == END)
			return OPEN;
		if (byte < 0 || byte > END)
			return byte;
		c->next++;
		if (byte == '"') {
			byte = peek(c);
			if (byte != '"') {
				*size = out - first;
				return behind_quote(c);
			}
			c->next++;
		}
		if (byte == '\n')
			c->line++;
		c->bytes[c->at + out++] = (char)byte;
	}
}

/* Fields as positions, since the bytes may move until the row is whole. Returns what ended it. */
static int read_fields(struct csv *c, struct csv_row *row, size_t *positions)
{
	for (;;) {
		int byte = peek(c);
		if (byte < 0)
			return byte;
		if (row->count == CSV_FIELDS)
			return TOO_WIDE;
		struct csv_field *field = &row->fields[row->count];
		const bool quoted = byte == '"';
		c->next += quoted;
		positions[row->count++] = c->next;
		byte = quoted ? read_quoted(c, &field->size) : read_plain(c, &field->size);
		if (byte != ',')
			return byte;
		c->next++;
	}
}

/* Up to the end of the line, wherever the bad row was left. */
static int pass_over(struct csv *c)
{
	int byte;
	do {
		c->at += c->next;
		c->next = 0;
		byte = peek(c);
		if (byte >= 0 && byte < END)
			c->next = 1;
	} while (byte >= 0 && byte < END && byte != '\n');
	return byte;
}

static int skip_mark(struct csv *c)
{
	static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
	c->begun = true;
	for (size_t i = 0; i < sizeof mark; i++) {
		const int byte = peek(c);
		if (byte < 0)
			return byte;
		if (byte != mark[i]) {
			c->next = 0;
			return 0;
		}
		c->next++;
	}
	c->at += c->next;
	c->next = 0;
	return 0;
}

/* As csv_next(), and for an empty line a row without fields. */
static int read_row(struct csv *c, struct csv_row *row)
{
	size_t positions[CSV_FIELDS];
	c->at += c->next;
	c->next = 0;
	row->line = c->line;
	row->bad = NULL;
	row->count = 0;
	int byte = peek(c);
	if (byte == END)
		return 0;
	if (byte >= 0 && byte < END)
		byte = read_fields(c, row, positions);
	if (byte > END) {
		row->bad = reasons[byte - TOO_LONG];
		byte = pass_over(c);
	} else if (byte == '\n') {
		c->next++;
	}
	if (byte < 0)
		return byte;
	c->line += byte == '\n';
	for (size_t i = 0; i < row->count && !row->bad; i++)
		row->fields[i].text = c->bytes + c->at + positions[i];
	if (!row->bad && row->count == 1 && row->fields[0].size == 0 && positions[0] == 0)
		row->count = 0;
	return 1;
}

int csv_next(struct csv *csv, struct csv_row *row)
{
	int r = csv->begun ? 0 : skip_mark(csv);
	do {
		if (r >= 0)
			r = read_row(csv, row);
	} while (r == 1 && !row->bad && row->count == 0);
	return r;
}
