/* SPDX-License-Identifier: MIT */
#include "export/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOM 65536

static time_t seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

void output_init(struct output *out, const char *what)
{
	*out = (struct output){.what = what, .terminal = isatty(STDERR_FILENO) == 1, .told = seconds()};
}

static void end_progress(struct output *out)
{
	if (out->shown)
		fputs("\r\033[K", stderr);
	out->shown = false;
}

void output_deinit(struct output *out)
{
	end_progress(out);
	bytes_deinit(&out->line);
}

void output_text(struct output *out, const char *text)
{
	bytes_append(&out->line, text, strlen(text));
}

void output_number(struct output *out, int64_t n)
{
	char text[24];
	bytes_append(&out->line, text, (size_t)snprintf(text, sizeof text, "%" PRId64, n));
}

void output_unsigned(struct output *out, uint64_t n)
{
	char text[24];
	bytes_append(&out->line, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, n));
}

void output_hex(struct output *out, uint64_t id)
{
	char text[24];
	bytes_append(&out->line, text, (size_t)snprintf(text, sizeof text, "%016" PRIx64, id));
}

/* Escaped by the byte before each of those in `special`; 0: by itself. */
static void quoted(struct output *out, const char *key, size_t size, const char *special, char before)
{
	bytes_append(&out->line, "\"", 1);
	for (size_t from = 0; from < size;) {
		size_t to = from;
		while (to < size && !strchr(special, key[to]))
			to++;
		bytes_append(&out->line, key + from, to - from);
		if (to < size) {
			bytes_append(&out->line, before ? &before : key + to, 1);
			bytes_append(&out->line, key + to, 1);
		}
		from = to + 1;
	}
	bytes_append(&out->line, "\"", 1);
}

void output_json_key(struct output *out, const char *key, size_t size)
{
	quoted(out, key, size, "\"\\", '\\');
}

void output_csv_key(struct output *out, const char *key, size_t size)
{
	if (memchr(key, ',', size) || memchr(key, '"', size))
		quoted(out, key, size, "\"", 0);
	else
		bytes_append(&out->line, key, size);
}

int output_flush(struct output *out)
{
	if (bytes_failed(&out->line))
		return -ENOMEM;
	for (size_t at = 0; at < out->line.size;) {
		ssize_t n = write(STDOUT_FILENO, out->line.data + at, out->line.size - at);
		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	bytes_clear(&out->line);
	return 0;
}

static void show(struct output *out)
{
	out->told = seconds();
	out->shown = true;
	fprintf(stderr, "\r%" PRIu64, out->lines);
	if (out->of)
		fprintf(stderr, " of %" PRIu64, out->of);
	fprintf(stderr, " %s\033[K", out->what);
}

int output_end_line(struct output *out)
{
	bytes_append(&out->line, "\n", 1);
	out->lines++;
	if (out->terminal && out->lines % 1024 == 0 && out->told != seconds())
		show(out);
	return out->line.size >= ROOM || bytes_failed(&out->line) ? output_flush(out) : 0;
}
