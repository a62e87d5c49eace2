/* SPDX-License-Identifier: MIT */
#include "export/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/flags.h"
#include "kudos.h"

enum flag {
	FLAG_DATA = 256,
	FLAG_FORMAT,
	FLAG_RECORDS,
	FLAG_AFTER,
	FLAG_JOURNAL,
	FLAG_NATS_CREDS,
	FLAG_NATS_CA
};

static const struct argp_option flags[] = {
    {"data", FLAG_DATA, "DIR", 0, "The data folder of a server, which may be running (KUDOS_DATA)", 0},
    {"format", FLAG_FORMAT, "json|csv", 0, "A JSON object a line, or CSV with a header (json)", 0},
    {"records", FLAG_RECORDS, NULL, 0, "Not the counts, but every record that the journal holds; as JSON", 0},
    {"after", FLAG_AFTER, "KEY", 0,
     "Go on behind this key, the last one that was exported; with --records: behind ORIGIN:LSN; with "
     "--journal: "
     "behind this sequence",
     0},
    {"journal", FLAG_JOURNAL, "URL", 0,
     "Not a folder, but all records of a stream: nats://HOST[:PORT][,HOST…]/STREAM (KUDOS_JOURNAL)", 0},
    {"nats-creds", FLAG_NATS_CREDS, "FILE", 0, "Credentials for NATS (KUDOS_NATS_CREDS)", 0},
    {"nats-ca", FLAG_NATS_CA, "FILE", 0,
     "Use TLS to NATS, whose certificates are signed by one of FILE (KUDOS_NATS_CA)", 0},
    {0},
};

static void check_after(struct argp_state *state, struct options *o)
{
	char end;
	struct position *at = &o->after_record;
	/* NOLINTBEGIN(cert-err34-c): numbers too large are those of no record */
	if (o->journal && sscanf(o->after, "%" SCNu64 "%c", &o->after_sequence, &end) != 1)
		argp_error(state, "--after: the last record's sequence, not %s", o->after);
	if (!o->journal &&
	    sscanf(o->after, "%16" SCNx64 ":%" SCNu64 "%c", &at->origin.id, &at->lsn, &end) != 2)
		argp_error(state, "--after: the last record's ORIGIN:LSN (16 hex digits, a number), not %s",
			   o->after);
	/* NOLINTEND(cert-err34-c) */
}

/* A flag that names one wins over the other's variable. */
static void find_source(struct argp_state *state, struct options *o)
{
	if (o->data && o->journal)
		argp_error(state, "--data and --journal: one of the two");
	if (!o->journal)
		flags_env_string(&o->data, "KUDOS_DATA");
	if (!o->data)
		flags_env_string(&o->journal, "KUDOS_JOURNAL");
	flags_env_string(&o->nats_creds, "KUDOS_NATS_CREDS");
	flags_env_string(&o->nats_ca, "KUDOS_NATS_CA");
	if (!o->data && !o->journal)
		argp_error(state, "of what? --data DIR, or --journal URL");
	const char *why = o->journal ? nats_names_parse(&o->stream, o->journal) : NULL;
	if (why)
		argp_error(state, "--journal: \"%s\" is no stream: %s", o->journal, why);
	o->records = o->records || o->journal;
}

static void complete(struct argp_state *state, struct options *o)
{
	find_source(state, o);
	o->format = o->format ? o->format : "json";
	o->csv = strcmp(o->format, "csv") == 0;
	if (!o->csv && strcmp(o->format, "json") != 0)
		argp_error(state, "--format: it is json or csv, not %s", o->format);
	if (o->csv && o->records)
		argp_error(state, "--records: a record is not a row; there is only --format json");
	if (o->after && o->records)
		check_after(state, o);
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
	case FLAG_JOURNAL:
		o->journal = arg;
		return 0;
	case FLAG_NATS_CREDS:
		o->nats_creds = arg;
		return 0;
	case FLAG_NATS_CA:
		o->nats_ca = arg;
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
