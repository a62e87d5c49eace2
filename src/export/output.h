/* SPDX-License-Identifier: MIT */
/* What is exported, on stdout, line by line, and how far it is, on a terminal.
 * Functions returning int: 0, or a negative errno: -EPIPE when nobody reads on. */
#ifndef EXPORT_OUTPUT_H
#define EXPORT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"

struct output {
	struct bytes line;  /* what waits to be written; append to it */
	const char *what;   /* "keys" */
	uint64_t lines, of; /* of: 0, or how many there will be */
	bool terminal, shown;
	time_t told;
};

void output_init(struct output *out, const char *what);
void output_deinit(struct output *out);

void output_text(struct output *out, const char *text);
void output_number(struct output *out, int64_t n);
void output_unsigned(struct output *out, uint64_t n);
void output_hex(struct output *out, uint64_t id); /* 16 digits */
/* In quotes. Of a JSON string only quotes and backslashes need anything: keys have no control characters. */
void output_json_key(struct output *out, const char *key, size_t size);
void output_csv_key(struct output *out, const char *key, size_t size);

/* The line is whole. */
int output_end_line(struct output *out);
/* Writes what waits. */
int output_flush(struct output *out);

#endif
