/* SPDX-License-Identifier: MIT */
/* tools/kudos-import: rows.h, batches.h, state.h, input.h */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "batches.h"
#include "csv_source.h"
#include "leak.h"
#include "state.h"

static const struct columns plain = {0};

static int open_rows(struct rows *rows, struct csv_source *source, const struct columns *columns, char *why)
{
	why[0] = '\0';
	return rows_init(rows, columns, csv_source_read, source, why, 200);
}

static struct csv_source text(const char *text)
{
	return (struct csv_source){text, strlen(text), 0, 7};
}

/* "LINE:key=count;" for each, "LINE!;" for a bad one. */
static void show(const char *csv, struct columns columns, char *out, size_t room)
{
	struct csv_source source = text(csv);
	struct rows rows;
	struct row row;
	char why[200];
	size_t n = 0;
	int r = open_rows(&rows, &source, &columns, why);
	snprintf(out, room, "%s", why);
	while (r == 0 && rows_next(&rows, &row) == 1) {
		if (row.bad)
			n += (size_t)snprintf(out + n, room - n, "%d!;", (int)row.line);
		else
			n += (size_t)snprintf(out + n, room - n, "%d:%.*s=%lld;", (int)row.line,
					      (int)row.key_size, row.key, (long long)row.count);
	}
	rows_deinit(&rows);
}

Test(import, columns)
{
	static const struct {
		const char *csv;
		struct columns columns;
		const char *rows;
	} cases[] = {
	    {"a,1\nb,-2\n", {0}, "1:a=1;2:b=-2;"},
	    {"key,count\na,1\n", {0}, "2:a=1;"},
	    {"KEY,Count,x\na,1,2\n", {0}, "2:a=1;"},
	    {"post,likes\na,1\n", {0}, "1!;2:a=1;"},
	    {"post,likes\na,1\n", {.header = true}, "2:a=1;"},
	    {"likes,id,post\n1,7,a\n", {.key = "post", .count = "likes"}, "2:a=1;"},
	    {"1,7,a\n", {.key = "3", .count = "1"}, "1:a=1;"},
	    {"1,7,a\n", {.key = "4", .count = "1"}, "1!;"},
	    {"post,likes\n", {.key = "post", .count = "votes"}, "the first row names no column 'votes'"},
	    {"a,a,b\n", {.key = "a", .count = "b"}, "the first row names more than one column 'a'"},
	    {"a,1\n", {.key = "0"}, "column 0: columns are numbered 1 to 256"},
	    {"a,1\n", {.key = "257"}, "column 257: columns are numbered 1 to 256"},
	    {"a,1\n", {.key = "2"}, "key and count are to be two columns, not one"},
	    {"", {0}, ""},
	};
	char rows[512];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		show(cases[i].csv, cases[i].columns, rows, sizeof rows);
		cr_assert_str_eq(rows, cases[i].rows, "%s: %s", cases[i].csv, rows);
	}
	assert_no_leak();
}

Test(import, counts)
{
	char rows[512];
	show("a,0\na,+7\na,-0\na,1000000000000\na,-1000000000000\n", plain, rows, sizeof rows);
	cr_assert_str_eq(rows, "1:a=0;2:a=7;3:a=0;4:a=1000000000000;5:a=-1000000000000;");
	show("a,1000000000001\na,99999999999999999999999\na,\na,-\na,1.0\na, 1\na,1e3\na,0x1\na b,1\n,1\n",
	     plain, rows, sizeof rows);
	cr_assert_str_eq(rows, "1!;2!;3!;4!;5!;6!;7!;8!;9!;10!;");
}

Test(import, large_counts_are_several_events)
{
	struct csv_source source = text("a,2500000\nb,0\nc,-1000001\nd,1\n");
	struct rows rows;
	struct batch *batch = malloc(sizeof *batch);
	struct batches b = {.rows = &rows};
	char why[200];
	cr_assert(open_rows(&rows, &source, &plain, why) == 0);
	cr_assert(batches_next(&b, batch) == 1);
	static const struct kudos_event wanted[] = {{"a", 1000000},  {"a", 1000000}, {"a", 500000},
						    {"c", -1000000}, {"c", -1},	     {"d", 1}};
	cr_assert(batch->count == 6 && batch->number == 1 && batch->rows == 4);
	for (size_t i = 0; i < 6; i++) {
		cr_assert_str_eq(batch->events[i].key, wanted[i].key);
		cr_assert(batch->events[i].n == wanted[i].n);
	}
	cr_assert(batch->first_line == 1 && batch->last_line == 4);
	cr_assert(batches_next(&b, batch) == 0 && b.number == 1);
	cr_assert(b.row_count == 4 && b.events == 6 && b.likes == 1500000);
	rows_deinit(&rows);
	free(batch);
	assert_no_leak();
}

/* However it is read, and none over a limit of the library. */
Test(import, the_same_batches_again)
{
	size_t size = 0;
	char *csv = malloc(1 << 21), why[200];
	struct batch *batch = malloc(sizeof *batch), *again = malloc(sizeof *again);
	for (int i = 0; i < 9000; i++)
		size += (size_t)sprintf(csv + size, "%0*d,%d\n", i % 128 + 1, i, i % 50 ? i : 1234567890);
	struct csv_source one = {csv, size, 0, size}, two = {csv, size, 0, 4001};
	struct rows rows_one, rows_two;
	cr_assert(open_rows(&rows_one, &one, &plain, why) == 0 &&
		  open_rows(&rows_two, &two, &plain, why) == 0);
	struct batches b = {.rows = &rows_one}, c = {.rows = &rows_two};
	uint64_t events = 0, rows = 0;
	while (batches_next(&b, batch) == 1) {
		cr_assert(batches_next(&c, again) == 1);
		cr_assert(batch->number == again->number && batch->count == again->count);
		cr_assert(batch->count <= 1024 && batch->bytes <= 60000 && batch->rows >= rows);
		cr_assert(memcmp(batch->keys, again->keys, batch->bytes) == 0 || batch->count == 0);
		for (size_t i = 0; i < batch->count; i++)
			cr_assert(batch->events[i].n == again->events[i].n);
		events += batch->count;
		rows = batch->rows;
	}
	cr_assert(batches_next(&c, again) == 0 && events == b.events && rows == 9000 && b.number > 9);
	rows_deinit(&rows_one);
	rows_deinit(&rows_two);
	free(batch);
	free(again);
	free(csv);
	assert_no_leak();
}

static const struct state sample = {
    .session = "772d36195bfc6e44.1.52f20981e3eda333.4568b24e39e0e1e8",
    .making = {.input = {123, "dd43852ddc740c0ba390f589fd14cecd"},
	       .key_column = 2,
	       .count_column = 1,
	       .header = true},
    .batches = 100,
    .sent = 50,
    .acknowledged = 20,
};

static void in_folder(char path[64])
{
	strcpy(path, "/tmp/test_import.XXXXXX");
	cr_assert(mkdtemp(path));
	strcat(path, "/state");
}

static void remove_folder(char *path)
{
	unlink(path);
	path[strlen(path) - strlen("/state")] = '\0';
	cr_assert(rmdir(path) == 0, "something is left in it");
}

Test(import, state_is_kept)
{
	char path[64], why[300];
	struct state_file file, other;
	struct state state, read;
	in_folder(path);
	cr_assert(state_open(&file, path, &state, why, sizeof why) == 0);
	cr_assert(state_open(&other, path, &read, why, sizeof why) == -EWOULDBLOCK, "it is locked");
	state_close(&other);
	cr_assert(state_save(&file, &sample) == 0);
	cr_assert(state_open(&other, path, &read, why, sizeof why) == -EWOULDBLOCK, "it is locked still");
	state_close(&other);
	state_close(&file);
	cr_assert(state_open(&file, path, &state, why, sizeof why) == 1);
	cr_assert_str_eq(state.session, sample.session);
	cr_assert(identity_equal(&state.making.input, &sample.making.input));
	cr_assert(state.making.key_column == 2 && state.making.count_column == 1);
	cr_assert(state.making.header && !state.making.skip_bad);
	cr_assert(state.batches == 100 && state.sent == 50 && state.acknowledged == 20);
	state_close(&file);
	remove_folder(path);
	assert_no_leak();
}

Test(import, no_state_no_file)
{
	char path[64], why[300];
	struct state_file file;
	struct state state;
	in_folder(path);
	cr_assert(state_open(&file, path, &state, why, sizeof why) == 0);
	state_close(&file);
	cr_assert(access(path, F_OK) < 0);
	remove_folder(path);
}

/* Anything but what was written is no state: one byte less, more or other. */
Test(import, another_file_is_not_taken_for_a_state)
{
	char path[64], why[300], whole[600];
	struct state_file file;
	struct state state;
	in_folder(path);
	cr_assert(state_open(&file, path, &state, why, sizeof why) == 0 && state_save(&file, &sample) == 0);
	state_close(&file);
	FILE *f = fopen(path, "r");
	const size_t size = fread(whole, 1, sizeof whole - 1, f);
	fclose(f);
	for (size_t cut = 1; cut < size; cut++) {
		cr_assert(truncate(path, (off_t)(size - cut)) == 0);
		cr_assert(state_open(&file, path, &state, why, sizeof why) == -EINVAL, "%zu bytes less", cut);
		state_close(&file);
	}
	f = fopen(path, "w");
	whole[0] = 'K';
	fwrite(whole, 1, size, f);
	fclose(f);
	cr_assert(state_open(&file, path, &state, why, sizeof why) == -EINVAL);
	cr_assert(strstr(why, "--state"), "%s", why);
	state_close(&file);
	remove_folder(path);
	assert_no_leak();
}

Test(import, a_file_and_its_identity)
{
	char path[64], why[300], data[16];
	struct identity first, second;
	in_folder(path);
	FILE *f = fopen(path, "w");
	fputs("a,1\n", f);
	fclose(f);
	struct input *in = input_open(path, "/tmp", why, sizeof why);
	cr_assert(in && input_read(in, data, sizeof data) == 4 && input_read(in, data, sizeof data) == 0);
	input_identity(in, &first);
	cr_assert(first.size == 4 && strlen(first.hash) == 32);
	cr_assert(input_rewind(in) == 0 && input_read(in, data, 3) == 3);
	input_identity(in, &second);
	cr_assert(!identity_equal(&first, &second));
	cr_assert(input_read(in, data, sizeof data) == 1);
	input_identity(in, &second);
	cr_assert(identity_equal(&first, &second));
	input_close(in);
	cr_assert(!input_open("/tmp", "/tmp", why, sizeof why) && strstr(why, "/tmp: "));
	remove_folder(path);
	assert_no_leak();
}
