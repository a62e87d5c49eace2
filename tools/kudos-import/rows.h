/* SPDX-License-Identifier: MIT */
/* The rows of a file of counts: which columns hold key and count, and what is wrong with a row. */
#ifndef IMPORT_ROWS_H
#define IMPORT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "csv.h"

#define ROWS_COUNT_MAX INT64_C(1000000000000) /* likes, or unlikes, in one row */

/* Where key and count are. A column is told by its number, from 1, or by the name that it has in the header.
 */
struct columns {
	const char *key, *count; /* NULL: the first two */
	bool header; /* the first row has names; so it has anyway if a column is told by name, or it reads
			"key,count" */
};

struct row {
	uint64_t line;
	const char *bad; /* what is wrong with it, NULL: nothing */
	const char *key; /* key_size bytes, valid until the next row */
	size_t key_size;
	int64_t count;
};

struct rows {
	struct csv csv;
	struct csv_row fields;
	size_t key, count; /* columns, from 0 */
	bool waits;	   /* the first row was no header, and is still to be told */
};

/* Reads the header, if there is one. 0, -EINVAL: not those columns, with why (of why_size) told, or what
 * csv_next() says. To be deinit-ed all the same. */
int rows_init(struct rows *rows, const struct columns *columns, csv_read_fn read, void *arg, char *why,
	      size_t why_size);
void rows_deinit(struct rows *rows);

/* As csv_next(). A bad row is told, too. */
int rows_next(struct rows *rows, struct row *row);

#endif
