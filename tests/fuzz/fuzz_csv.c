/* SPDX-License-Identifier: MIT */
/* A file for kudos-import: its first byte says in pieces of what size it is read. Rows are the same in
 * whatever pieces, within their limits; fields that are written anew as CSV are read again as they were; and
 * the batches keep within the library's limits. */
#include <stdlib.h>
#include <string.h>

#include "../../tools/kudos-import/batches.h"
#include "fuzz/input.h"
#include "unit/csv_source.h"
#include "wire/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libkudos's, without the rest of it. */
int kudos_check_key(const char *key, size_t size)
{
	return key_check(key, size);
}

/* Every field in quotes. */
static char *write_row(const struct csv_row *row, size_t *size)
{
	size_t room = 2, n = 0;
	for (size_t i = 0; i < row->count; i++)
		room += 2 * row->fields[i].size + 3;
	char *out = malloc(room);
	must(out);
	for (size_t i = 0; i < row->count; i++) {
		out[n++] = '"';
		for (size_t j = 0; j < row->fields[i].size; j++) {
			if (row->fields[i].text[j] == '"')
				out[n++] = '"';
			out[n++] = row->fields[i].text[j];
		}
		out[n++] = '"';
		out[n++] = i + 1 < row->count ? ',' : '\n';
	}
	*size = n;
	return out;
}

static void check_equal(const struct csv_row *a, const struct csv_row *b)
{
	must(a->bad == b->bad);
	must(a->count == b->count || a->bad);
	for (size_t i = 0; i < a->count && !a->bad; i++) {
		must(a->fields[i].size == b->fields[i].size);
		must(memcmp(a->fields[i].text, b->fields[i].text, a->fields[i].size) == 0);
	}
}

static void check_again(const struct csv_row *row)
{
	struct csv csv;
	struct csv_row again;
	size_t size;
	char *text = write_row(row, &size);
	struct csv_source source = {text, size, 0, size};
	csv_init(&csv, csv_source_read, &source);
	must(csv_next(&csv, &again) == 1);
	check_equal(row, &again);
	must(csv_next(&csv, &again) == 0);
	csv_deinit(&csv);
	free(text);
}

static void check_rows(struct csv_source one, struct csv_source two)
{
	struct csv a, b;
	struct csv_row row, other;
	uint64_t line = 0;
	csv_init(&a, csv_source_read, &one);
	csv_init(&b, csv_source_read, &two);
	while (csv_next(&a, &row) == 1) {
		must(csv_next(&b, &other) == 1);
		must(row.line == other.line && row.line > line);
		must(row.count <= CSV_FIELDS);
		check_equal(&row, &other);
		line = row.line;
		if (!row.bad)
			check_again(&row);
	}
	must(csv_next(&b, &other) == 0);
	csv_deinit(&a);
	csv_deinit(&b);
}

static void check_batches(struct csv_source source)
{
	static struct batch batch;
	static const struct columns columns = {0};
	struct rows rows;
	struct batches b = {.rows = &rows};
	char why[200];
	uint64_t number = 0;
	must(rows_init(&rows, &columns, csv_source_read, &source, why, sizeof why) == 0);
	/* A row may be a million events. */
	while (number < 50 && batches_next(&b, &batch) == 1) {
		must(batch.number == ++number && batch.count > 0 && batch.count <= 1024 &&
		     batch.bytes <= 60000);
		for (size_t i = 0; i < batch.count; i++) {
			const struct kudos_event *e = &batch.events[i];
			must(key_check(e->key, strlen(e->key)) == 0);
			must(e->n != 0 && e->n <= KUDOS_AMOUNT_MAX && e->n >= -KUDOS_AMOUNT_MAX);
		}
	}
	rows_deinit(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *text = (const char *)data + 1;
	const struct csv_source whole = {text, size - 1, 0, size};
	const struct csv_source pieces = {text, size - 1, 0, (size_t)data[0] + 1};
	check_rows(whole, pieces);
	check_batches(whole);
	return 0;
}
