/* SPDX-License-Identifier: MIT */
/* kudos-import: brings counts in from CSV, each row exactly once. */
#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "import.h"

#define EXIT_INTERRUPTED 130

static volatile sig_atomic_t interrupts;

static void on_signal(int number)
{
	(void)number;
	interrupts++;
}

/* The first one ends it in order, once what is on its way is counted, the second at once. */
static void catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct report {
	const struct options *options;
	const struct survey *survey;
	uint64_t rows; /* that are counted */
	bool ok, resumed, was_done;
	double took;
};

static bool report_json(const struct report *r)
{
	json_t *json = json_pack(
	    "{s:b, s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "ok", r->ok, "file",
	    r->options->file, "dry_run", r->options->dry_run, "resumed", r->resumed, "was_done", r->was_done,
	    "rows", (json_int_t)r->survey->rows, "rows_counted", (json_int_t)r->rows, "rows_skipped",
	    (json_int_t)r->survey->skipped, "events", (json_int_t)r->survey->events, "batches",
	    (json_int_t)r->survey->batches, "likes", (json_int_t)r->survey->likes, "took_s", r->took);
	const bool told = json && json_dumpf(json, stdout, JSON_INDENT(1)) == 0 && putchar('\n') == '\n';
	json_decref(json);
	return told;
}

static bool report_text(const struct report *r)
{
	const struct survey *s = r->survey;
	printf("file          %" PRIu64 " rows, %" PRIu64 " skipped: %" PRId64 " likes in %" PRIu64
	       " events, %" PRIu64 " batches\n",
	       s->rows, s->skipped, s->likes, s->events, s->batches);
	if (r->options->dry_run)
		return printf("ok, nothing was sent\n") > 0;
	printf("counted       %" PRIu64 " rows%s, in %.1f s\n", r->rows,
	       r->was_done  ? ", by an earlier run; to count them again: --state with another name"
	       : r->resumed ? ", with those of earlier runs"
			    : "",
	       r->took);
	return puts(r->ok ? "ok" : "not all") >= 0;
}

static int import(const struct options *options, struct input *in)
{
	struct survey survey;
	struct report report = {.options = options, .survey = &survey, .ok = true};
	enum outcome outcome = IMPORT_DONE;
	if (survey_take(&survey, in, options) != 0)
		return EXIT_FAILURE;
	const double begin = seconds();
	if (!options->dry_run && survey.batches > 0)
		outcome = import_run(options, in, &survey, &interrupts, &report.rows, &report.resumed);
	report.ok = outcome == IMPORT_DONE || outcome == IMPORT_WAS_DONE;
	report.was_done = outcome == IMPORT_WAS_DONE;
	report.took = seconds() - begin;
	bool told = options->json ? report_json(&report) : report_text(&report);
	told = fflush(stdout) == 0 && told;
	if (!told)
		fputs("kudos-import: the report could not be written\n", stderr);
	if (outcome == IMPORT_INTERRUPTED)
		return EXIT_INTERRUPTED;
	return report.ok && told ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static struct options options;
	char why[PATH_MAX + 64], folder[PATH_MAX];
	options_parse(&options, argc, argv);
	catch_signals();
	snprintf(folder, sizeof folder, "%s", options.state);
	struct input *in = input_open(options.file, dirname(folder), why, sizeof why);
	if (!in) {
		fprintf(stderr, "kudos-import: %s\n", why);
		return EXIT_FAILURE;
	}
	int status = import(&options, in);
	input_close(in);
	return status;
}
