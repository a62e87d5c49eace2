/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "daemon/flags.h"

#define AT(field) .at = offsetof(struct options, field)

static const struct flag flags[] = {
    FLAGS_CLUSTER(AT(kudos.leaders), AT(kudos.server), AT(kudos.key_file), AT(kudos.trust_dir)),
    {"key-column", 0, "COLUMN", "of the key: a number, or a name in the first row (1)", AT(columns.key)},
    {"count-column", 0, "COLUMN", "of the count (2)", AT(columns.count)},
    {"header", 0, NULL, "the first row is names; needless when it is key,count", NULL, NULL, FLAG_YES,
     AT(columns.header)},
    {"skip-bad", 0, NULL, "leave out rows that cannot be imported, instead of refusing all", NULL, NULL,
     FLAG_YES, AT(skip_bad)},
    {"state", 0, "FILE", "how far it came (the imported file's name and .kudos-import)", AT(state_file)},
    {"timeout", 0, "S", "seconds without an answer after which it gives up (KUDOS_TIMEOUT; 30)",
     "KUDOS_TIMEOUT", "30", FLAG_SECONDS, AT(timeout_ms), .most = 86400},
    {"dry-run", 0, NULL, "only check the file and say what would be imported", NULL, NULL, FLAG_YES,
     AT(dry_run)},
    {"json", 0, NULL, "one JSON object instead of text", NULL, NULL, FLAG_YES, AT(json)},
    {0},
};

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct flags all = {
	    .list = flags,
	    .usage = "[FLAGS] FILE",
	    .about =
		"Counts what a CSV file says (rows of a key and a count) in a Kudos cluster, each row "
		"exactly once: after an interruption, even kill -9, the same command again goes on. FILE -: "
		"stdin.",
	    .after = "Exit status: 0 all is counted, 1 not, 2 wrong usage, 130 interrupted.",
	    .words = true,
	};
	*options = (struct options){0};
	const int words = flags_parse(&all, argc, argv, options);
	if (words > 1)
		flags_wrong("one file at a time, and no more: %s", argv[2]);
	if (words == 0)
		flags_wrong("which file? Its name, or - for stdin");
	options->file = argv[1];
	const bool standard = strcmp(options->file, "-") == 0;
	const char *state = options->state_file;
	if (standard && !state && !options->dry_run)
		flags_wrong("with stdin it is to be said where to note how far it came: --state FILE");
	const int n = state ? snprintf(options->state, sizeof options->state, "%s", state)
			    : snprintf(options->state, sizeof options->state, "%s.kudos-import",
				       standard ? "stdin" : options->file);
	if (n >= (int)sizeof options->state - 8)
		flags_wrong("a name too long: %s", options->file);
	options->kudos.timeout_ms = options->timeout_ms;
}
