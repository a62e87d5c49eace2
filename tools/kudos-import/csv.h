/* SPDX-License-Identifier: MIT */
/* CSV as RFC 4180 has it, read row by row: fields parted by commas, rows by LF or CR LF; a field in double
 * quotes may hold commas, line ends and, doubled, quotes. Empty lines are passed over, so is a byte order
 * mark at the beginning.
 *
 * A row that is not CSV (or has too much of something) is handed over all the same, with the reason; the next
 * one begins behind the end of the line in which that was seen. What a row is depends on the bytes alone, not
 * on the pieces in which they are read. */
#ifndef IMPORT_CSV_H
#define IMPORT_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CSV_FIELDS 256		  /* in a row */
#define CSV_ROW ((size_t)1 << 20) /* bytes of a row */

/* Up to room bytes; 0: the end; or a negative errno. */
typedef ssize_t (*csv_read_fn)(void *arg, void *data, size_t room);

struct csv_field {
	const char *text; /* size bytes, without the quotes; valid until the next row is read */
	size_t size;
};

struct csv_row {
	uint64_t line;	 /* where it begins, from 1 */
	const char *bad; /* what is wrong with it; NULL: nothing, and the fields are there */
	size_t count;
	struct csv_field fields[CSV_FIELDS];
};

struct csv {
	csv_read_fn read;
	void *arg;
	char *bytes; /* owned; the row that is read begins at `at`, `next` is looked at next, from there */
	size_t capacity, at, next, end;
	uint64_t line;
	bool begun, ended;
};

void csv_init(struct csv *csv, csv_read_fn read, void *arg);
void csv_deinit(struct csv *csv);

/* 1: a row, good or bad; 0: there is none any more; -ENOMEM, or what reading said. */
int csv_next(struct csv *csv, struct csv_row *row);

#endif
