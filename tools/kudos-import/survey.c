/* SPDX-License-Identifier: MIT */
#include "survey.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"

#define SHOWN 10 /* bad rows that are told one by one */

struct complaints {
	const char *file;
	uint64_t told;
};

static void complain(void *arg, const struct row *row)
{
	struct complaints *c = arg;
	if (c->told++ < SHOWN)
		fprintf(stderr, "kudos-import: %s: line %" PRIu64 " %s\n", c->file, row->line, row->bad);
}

static int fail(const char *file, const char *why)
{
	fprintf(stderr, "kudos-import: %s: %s\n", file, why);
	return EXIT_FAILURE;
}

/* What is wrong with the file as a whole. */
static int judge(const struct options *options, const struct batches *b, const struct complaints *c)
{
	if (c->told > SHOWN)
		fprintf(stderr, "kudos-import: %s: and %" PRIu64 " more\n", options->file, c->told - SHOWN);
	if (b->overflow)
		return fail(options->file, "all its counts together are more than 64 bits hold");
	if (c->told == 0 || options->skip_bad)
		return 0;
	fprintf(stderr,
		"kudos-import: nothing was sent: mend the %" PRIu64
		" bad rows, or leave them out with --skip-bad (is the first row names? --header)\n",
		c->told);
	return EXIT_FAILURE;
}

int survey_take(struct survey *survey, struct input *in, const struct options *options)
{
	char why[256] = "";
	struct rows rows;
	struct complaints complaints = {.file = options->file};
	struct batches b = {.rows = &rows, .bad = complain, .arg = &complaints};
	struct batch *batch = malloc(sizeof *batch);
	struct progress progress = progress_new("checked", 0);
	int r = rows_init(&rows, &options->columns, input_read, in, why, sizeof why);
	const bool header = !rows.waits;
	while (r == 0 && batch && (r = batches_next(&b, batch)) == 1) {
		progress_show(&progress, b.row_count);
		r = 0;
	}
	progress_end(&progress);
	rows_deinit(&rows);
	if (!batch || r < 0)
		r = fail(options->file, !batch ? strerror(ENOMEM) : *why ? why : strerror(-r));
	else
		r = judge(options, &b, &complaints);
	*survey = (struct survey){.rows = b.row_count,
				  .skipped = b.bad_count,
				  .events = b.events,
				  .batches = b.number,
				  .likes = b.likes,
				  .making = {.key_column = rows.key + 1,
					     .count_column = rows.count + 1,
					     .header = header,
					     .skip_bad = options->skip_bad}};
	input_identity(in, &survey->making.input);
	free(batch);
	return r;
}

int survey_lines(struct input *in, const struct options *options, uint64_t first, uint64_t last,
		 uint64_t lines[2])
{
	char why[256];
	struct rows rows = {0};
	struct batches b = {.rows = &rows};
	struct batch *batch = malloc(sizeof *batch);
	int r = batch ? input_rewind(in) : -ENOMEM;
	if (r == 0)
		r = rows_init(&rows, &options->columns, input_read, in, why, sizeof why);
	lines[0] = lines[1] = 0;
	while (r == 0 && b.number < last && (r = batches_next(&b, batch)) == 1) {
		if (batch->number == first)
			lines[0] = batch->first_line;
		lines[1] = batch->last_line;
		r = 0;
	}
	rows_deinit(&rows);
	free(batch);
	return r;
}
