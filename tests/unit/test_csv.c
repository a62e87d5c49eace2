/* SPDX-License-Identifier: MIT */
/* tools/kudos-import/csv.h */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "csv.h"
#include "csv_source.h"
#include "failing_memory.h"
#include "leak.h"

/* "LINE:a|b;" for each row, "LINE!reason;" for a bad one. */
static int show(const char *text, size_t size, size_t piece, char *out, size_t room)
{
	struct csv_source source = {text, size, 0, piece};
	struct csv csv;
	struct csv_row row;
	size_t n = 0;
	int r;
	out[0] = '\0';
	csv_init(&csv, csv_source_read, &source);
	while ((r = csv_next(&csv, &row)) == 1 && n < room) {
		n += (size_t)snprintf(out + n, room - n, "%llu%s%s", (unsigned long long)row.line,
				      row.bad ? "!" : ":", row.bad ? row.bad : "");
		for (size_t i = 0; i < row.count && !row.bad && n < room; i++)
			n += (size_t)snprintf(out + n, room - n, "%s%.*s", i ? "|" : "",
					      (int)row.fields[i].size, row.fields[i].text);
		n += n < room ? (size_t)snprintf(out + n, room - n, ";") : 0;
	}
	csv_deinit(&csv);
	return r;
}

#define STRAY "has a quote within a field that does not begin with one"
#define BEHIND "has something behind a closing quote"
#define OPEN "begins a quote that is never closed"

static const struct {
	const char *text, *rows;
} cases[] = {
    {"", ""},
    {"\n\r\n\n", ""},
    {"a,1", "1:a|1;"},
    {"a,1\nb,2\n", "1:a|1;2:b|2;"},
    {"a,1\r\nb,2\r\n", "1:a|1;2:b|2;"},
    {"a,1\r", "1:a|1;"},
    {"a,\n,\n", "1:a|;2:|;"},
    {"\xef\xbb\xbfkey,count\n", "1:key|count;"},
    {"\xef\xbb", "1:\xef\xbb;"},
    {"\n\na,1\n", "3:a|1;"},
    {"\"\"\n", "1:;"},
    {"\"a\",\"1\"\n", "1:a|1;"},
    {"\"a,b\",1\n", "1:a,b|1;"},
    {"\"a\nb\",1\nc,2\n", "1:a\nb|1;3:c|2;"},
    {"\"a\r\nb\",1\r\n", "1:a\r\nb|1;"},
    {"\"say \"\"hi\"\"\",1\n", "1:say \"hi\"|1;"},
    {"\"\"\"\"\n", "1:\";"},
    {"a\rb,1\n", "1:a\rb|1;"},
    {"a\"b,1\nc,2\n", "1!" STRAY ";2:c|2;"},
    {"\"a\"b,1\nc,2\n", "1!" BEHIND ";2:c|2;"},
    {"\"a\"\rb\nc,2\n", "1!" BEHIND ";2:c|2;"},
    {"a,1\n\"b,2\nc,3\n", "1:a|1;2!" OPEN ";"},
    {"\"", "1!" OPEN ";"},
    {"\"a\"", "1:a;"},
    {"\"a\"\r\n\"b\"\r", "1:a;2:b;"},
};

Test(csv, rows)
{
	char rows[512];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t piece = 1; piece < 20; piece++) {
			cr_assert(show(cases[i].text, strlen(cases[i].text), piece, rows, sizeof rows) == 0);
			cr_assert_str_eq(rows, cases[i].rows, "'%s', in pieces of %zu: %s", cases[i].text,
					 piece, rows);
		}
	}
	assert_no_leak();
}

/* A quoted field full of line ends and longer than a row may be is one bad row, and where it is left does not
 * depend on how it was read. */
Test(csv, too_long)
{
	const size_t size = CSV_ROW + 4096;
	char *text = malloc(size), whole[8192], pieces[8192];
	memset(text, 'x', size);
	text[0] = '"';
	for (size_t i = 1000; i < size; i += 1000)
		text[i] = '\n';
	memcpy(text + size - 6, "\n\"a\"\nb", 6);
	cr_assert(show(text, size, size, whole, sizeof whole) == 0);
	cr_assert(strncmp(whole, "1!is longer than a megabyte", 27) == 0, "%s", whole);
	static const size_t sizes[] = {777, 65536, 100000};
	for (size_t i = 0; i < 3; i++) {
		cr_assert(show(text, size, sizes[i], pieces, sizeof pieces) == 0);
		cr_assert_str_eq(whole, pieces);
	}
	free(text);
	assert_no_leak();
}

Test(csv, too_wide)
{
	char text[CSV_FIELDS + 8], rows[1024];
	memset(text, ',', sizeof text);
	memcpy(text + CSV_FIELDS - 1, "\na,1\n", 6);
	cr_assert(show(text, strlen(text), 100, rows, sizeof rows) == 0);
	cr_assert(strstr(rows, ";2:a|1;") && rows[1] == ':');
	memcpy(text + CSV_FIELDS, "\na,1\n", 6);
	text[CSV_FIELDS - 1] = ',';
	cr_assert(show(text, strlen(text), 100, rows, sizeof rows) == 0);
	cr_assert_str_eq(rows, "1!has more than 256 columns;2:a|1;");
}

static ssize_t fail_to_read(void *arg, void *data, size_t room)
{
	(void)data;
	(void)room;
	return *(int *)arg;
}

Test(csv, errors_of_reading)
{
	int error = -EIO;
	struct csv csv;
	struct csv_row row;
	csv_init(&csv, fail_to_read, &error);
	cr_assert(csv_next(&csv, &row) == -EIO);
	csv_deinit(&csv);
}

static int read_all(void *arg)
{
	char rows[64];
	const struct csv_source *s = arg;
	return show(s->text, s->size, s->piece, rows, sizeof rows);
}

Test(csv, without_memory)
{
	const size_t size = CSV_ROW - 4;
	struct csv_source source = {malloc(size), size, 0, size};
	memset((char *)(uintptr_t)source.text, 'x', size);
	cr_assert(fail_each(read_all, &source, 0) >= 3);
	free((char *)(uintptr_t)source.text);
	assert_no_leak();
}
