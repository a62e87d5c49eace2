/* SPDX-License-Identifier: MIT */
#include "export/counts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/entry.h"
#include "store/beside.h"
#include "wire/key.h"

struct exporting {
	const struct options *options;
	struct output *out;
	const char *after; /* nothing is written until it came; NULL: now */
	int64_t likes;
};

static int write_count(struct exporting *x, const struct counted *e)
{
	struct output *out = x->out;
	if (x->after) {
		if (e->size == strlen(x->after) && memcmp(e->key, x->after, e->size) == 0)
			x->after = NULL;
		return 0;
	}
	x->likes += e->count;
	if (x->options->csv) {
		output_csv_key(out, e->key, e->size);
		output_text(out, ",");
		output_number(out, e->count);
	} else {
		output_text(out, "{\"key\":");
		output_json_key(out, e->key, e->size);
		output_text(out, ",\"count\":");
		output_number(out, e->count);
		output_text(out, "}");
	}
	return output_end_line(out);
}

/* 1: what is there is no block of counts. */
static int write_block(struct exporting *x, const uint8_t *block, size_t size)
{
	struct counted e;
	size_t at = 0;
	if (size > ARENA_BLOCK)
		return 1;
	while (entry_next(block, size, &at, &e)) {
		if (key_check(e.key, e.size) != 0)
			return 1;
		int r = write_count(x, &e);
		if (r < 0)
			return r;
	}
	return !entry_is_end(block, size, at);
}

/* The keys of src/server/tables.h: 'a' and a number, then 'b' and a block number each. */
static int write_all(struct exporting *x, struct store_cursor *cursor, char *error, size_t error_size)
{
	const uint8_t *key, *value;
	size_t key_size, value_size;
	int r;
	bool any = false;
	while ((r = checkpoint_cursor_next(cursor, &key, &key_size, &value, &value_size)) == 1) {
		if (key_size == 1 && key[0] == 'a' && value_size == 8)
			x->out->of = bytes_get64(value);
		any = true;
		r = key_size == 5 && key[0] == 'b' ? write_block(x, value, value_size) : 0;
		if (r < 0)
			return r;
		if (r > 0) {
			snprintf(error, error_size, "%s: its checkpoint is damaged", x->options->data);
			return -EBADMSG;
		}
	}
	if (r < 0)
		snprintf(error, error_size, "%s: %s", x->options->data, strerror(-r));
	if (r == 0 && !any) {
		snprintf(error, error_size,
			 "%s: there is no checkpoint yet; a server makes one a minute after a like",
			 x->options->data);
		return -ENODATA;
	}
	if (r == 0 && x->after) {
		snprintf(error, error_size, "--after %s: there is no such key in this checkpoint", x->after);
		return -ENODATA;
	}
	return r;
}

int export_counts(const struct options *options, struct output *out, int64_t *likes, char *error,
		  size_t error_size)
{
	struct exporting x = {.options = options, .out = out, .after = options->after};
	struct checkpoint *checkpoint = NULL;
	struct store_cursor *cursor = NULL;
	char *path;
	if (asprintf(&path, "%s/checkpoint.mdb", options->data) < 0)
		return -ENOMEM;
	int r = checkpoint_open_beside(&checkpoint, path, error, error_size);
	free(path);
	if (r == 0)
		r = checkpoint_cursor_open(checkpoint, &cursor);
	if (r == 0 && options->csv && !options->after)
		output_text(out, "key,count\n");
	if (r == 0)
		r = write_all(&x, cursor, error, error_size);
	if (r == 0)
		r = output_flush(out);
	*likes = x.likes;
	checkpoint_cursor_close(cursor);
	checkpoint_close(checkpoint);
	return r;
}
