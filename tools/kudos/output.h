/* SPDX-License-Identifier: MIT */
/* What the command line prints: data on stdout, messages on stderr, for people or (--json) for programs,
 * where every line is one JSON object. */
#ifndef KUDOS_TOOL_OUTPUT_H
#define KUDOS_TOOL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output {
	bool json;
	bool colour_out, colour_err; /* a terminal, and NO_COLOR is not set */
	unsigned long line;	     /* of the script on stdin, named in messages; 0: none */
};

enum colour { COLOUR_BOLD, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW };

/* Escape sequences for stdout; "" where colour is off. */
const char *output_colour(const struct output *out, enum colour colour);
const char *output_plain(const struct output *out);

/* KEY COUNT, or SERVER KEY COUNT unless server is NULL. */
void output_count(const struct output *out, const char *server, const char *key, int64_t count);

/* Sets a field. Running out of memory makes *object NULL, and it stays so: calls chain without a check each.
 */
void output_set(json_t **object, const char *name, json_t *value);

/* Prints one line of JSON and drops the reference. NULL (out of memory) becomes a message, and false. */
bool output_json(const struct output *out, json_t *object);

/* text as a JSON string even if it is not UTF-8; NULL when out of memory. */
json_t *output_json_text(const char *text);

/* A message on stderr. code is one of kudos_error_code() or "usage". */
void output_error(const struct output *out, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Hands everything to the system; false, with a message, when stdout cannot take it (a full disk). */
bool output_flush(const struct output *out);

/* text so that a terminal or a log line can take it: as it is when it could be a key, else with everything
 * but printable ASCII escaped, and cut when long. */
struct printable {
	char text[136];
};
struct printable printable(const char *text);

#endif
