/* SPDX-License-Identifier: MIT */
/* The file that is imported. It is read more than once, and told by its size and hash (XXH3 of 128 bits,
 * against mistakes, not against malice) from another, or from itself once it has changed. */
#ifndef IMPORT_INPUT_H
#define IMPORT_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct identity {
	uint64_t size;
	char hash[33]; /* 32 hex digits */
};

struct input;

/* name: "-" is stdin; what comes through a pipe is first kept in a file without a name in folder. NULL: why
 * is told. */
struct input *input_open(const char *name, const char *folder, char *why, size_t why_size);
void input_close(struct input *in); /* takes NULL */

/* From its beginning again. 0, or a negative errno. */
int input_rewind(struct input *in);
/* A csv_read_fn; arg is the input. */
ssize_t input_read(void *arg, void *data, size_t room);
/* Of what was read since input_rewind(): of all of it, once the end was. */
void input_identity(const struct input *in, struct identity *identity);
bool identity_equal(const struct identity *a, const struct identity *b);

#endif
