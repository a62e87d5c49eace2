/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flag.h"

#define EXIT_USAGE 2
#define TIMEOUT_S 30

enum {
	FLAG_KEY_COLUMN = FLAG_OWN,
	FLAG_COUNT_COLUMN,
	FLAG_HEADER,
	FLAG_SKIP_BAD,
	FLAG_STATE,
	FLAG_TIMEOUT,
	FLAG_DRY_RUN,
	FLAG_JSON,
	FLAG_HELP,
	FLAG_VERSION
};

static const struct flag flags[] = {
    FLAGS_CLUSTER,
    {"key-column", FLAG_KEY_COLUMN, "COLUMN", "of the key: a number, or a name in the first row (1)"},
    {"count-column", FLAG_COUNT_COLUMN, "COLUMN", "of the count (2)"},
    {"header", FLAG_HEADER, NULL, "the first row is names; needless when it is key,count"},
    {"skip-bad", FLAG_SKIP_BAD, NULL, "leave out rows that cannot be imported, instead of refusing all"},
    {"state", FLAG_STATE, "FILE", "how far it came (the imported file's name and .kudos-import)"},
    {"timeout", FLAG_TIMEOUT, "S", "seconds without an answer after which it gives up ($KUDOS_TIMEOUT; 30)"},
    {"dry-run", FLAG_DRY_RUN, NULL, "only check the file and say what would be imported"},
    {"json", FLAG_JSON, NULL, "one JSON object instead of text"},
    {"help", FLAG_HELP, NULL, "show this help"},
    {"version", FLAG_VERSION, NULL, "show the version"},
    {0},
};

static int print_help(void)
{
	puts("Usage: kudos-import [FLAGS] FILE\n"
	     "Counts what a CSV file says (rows of a key and a count) in a Kudos cluster, each row exactly "
	     "once:\n"
	     "after an interruption, even kill -9, the same command again goes on. FILE -: stdin.\n");
	flag_help(flags);
	puts("\nExit status: 0 all is counted, 1 not, 2 wrong usage, 130 interrupted.");
	return 0;
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "kudos-import: %s%s\nTry: kudos-import --help\n", what, value);
	return EXIT_USAGE;
}

static bool set_timeout(struct options *options, const char *value)
{
	char *end;
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): this flag has a value */
	const double seconds = strtod(value, &end);
	if (end == value || *end != '\0' || !(seconds >= 0.001 && seconds <= 86400))
		return false;
	options->timeout_ms = (int)(seconds * 1000);
	return true;
}

static int from_environment(struct options *options)
{
	const char *timeout = getenv("KUDOS_TIMEOUT");
	flag_cluster_begin(&options->kudos);
	if (timeout && *timeout && !set_timeout(options, timeout))
		return usage("KUDOS_TIMEOUT: a timeout is a number of seconds, not ", timeout);
	return -1;
}

static int take_flag(struct options *options, int flag, const char **state, const char *value)
{
	if (flag_cluster(&options->kudos, flag, value))
		return -1;
	switch (flag) {
	case FLAG_KEY_COLUMN:
		options->columns.key = value;
		return -1;
	case FLAG_COUNT_COLUMN:
		options->columns.count = value;
		return -1;
	case FLAG_STATE:
		*state = value;
		return -1;
	case FLAG_TIMEOUT:
		return set_timeout(options, value)
			   ? -1
			   : usage("--timeout: a timeout is a number of seconds, not ", value);
	case FLAG_HEADER:
		options->columns.header = true;
		return -1;
	case FLAG_SKIP_BAD:
		options->skip_bad = true;
		return -1;
	case FLAG_DRY_RUN:
		options->dry_run = true;
		return -1;
	case FLAG_JSON:
		options->json = true;
		return -1;
	case FLAG_HELP:
		return print_help();
	case FLAG_VERSION:
		puts("kudos-import " KUDOS_VERSION);
		return 0;
	case '?':
		fputs("Try: kudos-import --help\n", stderr);
		return EXIT_USAGE;
	default:
		return -1;
	}
}

static int finish(struct options *options, const char *state, int argc, char **argv)
{
	if (optind + 1 < argc)
		return usage("one file at a time, and no more: ", argv[optind + 1]);
	if (optind == argc)
		return usage("which file? Its name, or - for stdin", "");
	options->file = argv[optind];
	const bool standard = strcmp(options->file, "-") == 0;
	if (standard && !state && !options->dry_run)
		return usage("with stdin it is to be said where to note how far it came: --state FILE", "");
	const int n = state ? snprintf(options->state, sizeof options->state, "%s", state)
			    : snprintf(options->state, sizeof options->state, "%s.kudos-import",
				       standard ? "stdin" : options->file);
	if (n >= (int)sizeof options->state - 8)
		return usage("a name too long: ", options->file);
	options->kudos.timeout_ms = options->timeout_ms;
	return -1;
}

int options_parse(struct options *options, int argc, char **argv)
{
	struct option table[sizeof flags / sizeof *flags];
	const char *state = NULL;
	int flag;
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		if (!flag_complete(flags, argc > 3 ? argv[argc - 2] : NULL, argc > 2 ? argv[argc - 1] : ""))
			puts("<file>");
		return 0;
	}
	*options = (struct options){.timeout_ms = TIMEOUT_S * 1000};
	int r = from_environment(options);
	flag_options(flags, table);
	while (r < 0 && (flag = getopt_long(argc, argv, "", table, NULL)) != -1)
		r = take_flag(options, flag, &state, optarg);
	return r < 0 ? finish(options, state, argc, argv) : r;
}
