/* SPDX-License-Identifier: MIT */
#include "export/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/flags.h"
#include "kudos.h"

enum flag { FLAG_DATA = 256, FLAG_FORMAT, FLAG_RECORDS, FLAG_AFTER };

static const struct argp_option flags[] = {
    {"data", FLAG_DATA, "DIR", 0, "The data folder of a server, which may be running (KUDOS_DATA)", 0},
    {"format", FLAG_FORMAT, "json|csv", 0, "A JSON object a line, or CSV with a header (json)", 0},
    {"records", FLAG_RECORDS, NULL, 0, "Not the counts, but every record that the journal holds; as JSON", 0},
    {"after", FLAG_AFTER, "KEY", 0,
     "Go on behind this key, the last one that was exported; with --records: behind ORIGIN:LSN", 0},
    {0},
};

static void complete(struct argp_state *state, struct options *o)
{
	char end;
	flags_env_string(&o->data, "KUDOS_DATA");
	o->format = o->format ? o->format : "json";
	o->csv = strcmp(o->format, "csv") == 0;
	if (!o->csv && strcmp(o->format, "json") != 0)
		argp_error(state, "--format: it is json or csv, not %s", o->format);
	if (!o->data)
		argp_error(state, "which folder? --data DIR");
	if (o->csv && o->records)
		argp_error(state, "--records: a record is not a row; there is only --format json");
	if (o->after && o->records) {
		struct position *at = &o->after_record;
		/* NOLINTNEXTLINE(cert-err34-c): numbers too large are those of no record */
		if (sscanf(o->after, "%16" SCNx64 ":%" SCNu64 "%c", &at->origin.id, &at->lsn, &end) != 2)
			argp_error(state,
				   "--after: the last record's ORIGIN:LSN (16 hex digits, a number), not %s",
				   o->after);
	}
}

static error_t parse_flag(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	switch (key) {
	case FLAG_DATA:
		o->data = arg;
		return 0;
	case FLAG_FORMAT:
		o->format = arg;
		return 0;
	case FLAG_RECORDS:
		o->records = true;
		return 0;
	case FLAG_AFTER:
		o->after = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "%s: not a flag", arg);
		return 0;
	case ARGP_KEY_END:
		complete(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct argp argp = {
	    .options = flags,
	    .parser = parse_flag,
	    .doc = "Writes what a server of a Kudos cluster keeps, its newest checkpoint's counts or its "
		   "journal's "
		   "records, to standard output.\v"
		   "The server may go on meanwhile, and is not held up. A line is a key and its count, "
		   "or a record. Exit status: 0 all is written (or nobody reads any more), 1 not, 2 wrong "
		   "usage.",
	};
	*options = (struct options){0};
	flags_parse(&argp, "kudos-export " KUDOS_VERSION, argc, argv, options);
}
