/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kudos.h"

static const char *const sequences[] = {
    [COLOUR_BOLD] = "\033[1m",
    [COLOUR_RED] = "\033[31m",
    [COLOUR_GREEN] = "\033[32m",
    [COLOUR_YELLOW] = "\033[33m",
};

const char *output_colour(const struct output *out, enum colour colour)
{
	return out->colour_out ? sequences[colour] : "";
}

const char *output_plain(const struct output *out)
{
	return out->colour_out ? "\033[0m" : "";
}

void output_count(const struct output *out, const char *server, const char *key, int64_t count)
{
	if (out->json) {
		json_t *line = json_object();
		if (server)
			output_set(&line, "server", output_json_text(server));
		output_set(&line, "key", output_json_text(key));
		output_set(&line, "count", json_integer(count));
		output_json(out, line);
		return;
	}
	if (server)
		printf("%s ", printable(server).text);
	printf("%s %s%lld%s\n", printable(key).text, output_colour(out, COLOUR_BOLD), (long long)count,
	       output_plain(out));
}

void output_set(json_t **object, const char *name, json_t *value)
{
	if (json_object_set_new(*object, name, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

/* Whether a control character U+0080..U+009F begins here, which terminals obey, too. */
static bool is_c1(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = (unsigned char)text[1];
	return first == 0xc2 && second >= 0x80 && second < 0xa0;
}

/* A line of JSON; what the library leaves as it is and a terminal would obey is escaped. */
static void put_json(FILE *file, const char *line)
{
	for (; *line; line++) {
		if (*line == 0x7f)
			fputs("\\u007f", file);
		else if (is_c1(line))
			fprintf(file, "\\u%04x", (unsigned char)*++line);
		else
			putc(*line, file);
	}
	putc('\n', file);
}

bool output_json(const struct output *out, json_t *object)
{
	char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!line) {
		output_error(out, kudos_error_code(KUDOS_NO_MEMORY), "%s", kudos_error_text(KUDOS_NO_MEMORY));
		return false;
	}
	put_json(stdout, line);
	free(line);
	return true;
}

json_t *output_json_text(const char *text)
{
	json_t *string = json_string(text);
	return string ? string : json_string(printable(text).text);
}

/* A message may quote what a server sent: nothing in it may move the cursor or start a new line. */
static void disarm(char *text)
{
	for (; *text; text++) {
		if (is_c1(text))
			*text++ = '?';
		else if ((unsigned char)*text >= 0x20 && *text != 0x7f)
			continue;
		*text = '?';
	}
}

static void print_json_error(const struct output *out, const char *code, const char *detail)
{
	json_t *line = json_object();
	output_set(&line, "error", output_json_text(code));
	output_set(&line, "detail", output_json_text(detail));
	if (out->line)
		output_set(&line, "line", json_integer((json_int_t)out->line));
	char *text = json_dumps(line, JSON_COMPACT);
	put_json(stderr, text ? text : "{\"error\":\"no-memory\",\"detail\":\"out of memory\"}");
	free(text);
	json_decref(line);
}

void output_error(const struct output *out, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	char *detail;
	int length = vasprintf(&detail, format, arguments);
	va_end(arguments);
	if (length < 0)
		detail = NULL;
	else
		disarm(detail);

	fflush(stdout); /* where both go to one place, in the order in which things happened */
	const char *shown = detail ? detail : kudos_error_text(KUDOS_NO_MEMORY);
	if (out->json) {
		print_json_error(out, code, shown);
	} else {
		fprintf(stderr, "%skudos:%s ", out->colour_err ? sequences[COLOUR_RED] : "",
			out->colour_err ? "\033[0m" : "");
		if (out->line)
			fprintf(stderr, "line %lu: ", out->line);
		fprintf(stderr, "%s\n", shown);
	}
	free(detail);
}

bool output_flush(const struct output *out)
{
	bool failed = fflush(stdout) != 0;
	if (!failed && !ferror(stdout))
		return true;
	output_error(out, kudos_error_code(KUDOS_SYSTEM), "cannot write to standard output%s%s",
		     failed ? ": " : "", failed ? strerror(errno) : "");
	clearerr(stdout);
	return false;
}

struct printable printable(const char *text)
{
	struct printable p = {{0}};
	size_t size = strlen(text);
	if (size < sizeof(p.text) && kudos_check_key(text, size) == KUDOS_OK) {
		memcpy(p.text, text, size);
		return p;
	}
	size_t used = 0;
	for (; *text; text++) {
		if (used + sizeof("\\xff...") > sizeof(p.text)) {
			memcpy(p.text + used, "...", sizeof("..."));
			break;
		}
		unsigned char byte = (unsigned char)*text;
		if (byte >= 0x20 && byte < 0x7f)
			p.text[used++] = (char)byte;
		else
			used += (size_t)snprintf(p.text + used, sizeof(p.text) - used, "\\x%02x", byte);
	}
	return p;
}
