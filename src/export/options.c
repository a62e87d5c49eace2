/* SPDX-License-Identifier: MIT */
#include "export/options.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "daemon/flags.h"
#include "kudos.h"

#define AT(field) .at = offsetof(struct options, field)

static const struct flag flags[] = {
    {"data", 0, "DIR", "The data folder of a server, which may be running (KUDOS_DATA)", AT(data)},
    {"format", 0, "json|csv", "A JSON object a line, or CSV with a header (json)", NULL, "json", AT(format)},
    {"records", 0, NULL, "Not the counts, but every record that the journal holds; as JSON", NULL, NULL,
     FLAG_YES, AT(records)},
    {"after", 0, "KEY",
     "Go on behind this key, the last one that was exported; with --records: behind ORIGIN:LSN; with "
     "--journal: behind this sequence",
     AT(after)},
    {"journal", 0, "URL",
     "Not a folder, but all records of a stream: nats://HOST[:PORT][,HOST…]/STREAM (KUDOS_JOURNAL)",
     AT(journal)},
    FLAGS_NATS(AT(nats_creds), AT(nats_ca)),
    {0},
};

static void check_after(struct options *o)
{
	char end;
	struct position *at = &o->after_record;
	/* NOLINTBEGIN(cert-err34-c): numbers too large are those of no record */
	if (o->journal && sscanf(o->after, "%" SCNu64 "%c", &o->after_sequence, &end) != 1)
		flags_wrong("--after: the last record's sequence, not %s", o->after);
	if (!o->journal &&
	    sscanf(o->after, "%16" SCNx64 ":%" SCNu64 "%c", &at->origin.id, &at->lsn, &end) != 2)
		flags_wrong("--after: the last record's ORIGIN:LSN (16 hex digits, a number), not %s",
			    o->after);
	/* NOLINTEND(cert-err34-c) */
}

/* A flag that names one wins over the other's variable. */
static void find_source(struct options *o)
{
	if (o->data && o->journal)
		flags_wrong("--data and --journal: one of the two");
	if (!o->journal)
		flags_env_string(&o->data, "KUDOS_DATA");
	if (!o->data)
		flags_env_string(&o->journal, "KUDOS_JOURNAL");
	if (!o->data && !o->journal)
		flags_wrong("of what? --data DIR, or --journal URL");
	const char *why = o->journal ? nats_names_parse(&o->stream, o->journal) : NULL;
	if (why)
		flags_wrong("--journal: \"%s\" is no stream: %s", o->journal, why);
	o->records = o->records || o->journal;
}

static void check(void *options)
{
	struct options *o = options;
	find_source(o);
	o->csv = strcmp(o->format, "csv") == 0;
	if (!o->csv && strcmp(o->format, "json") != 0)
		flags_wrong("--format: it is json or csv, not %s", o->format);
	if (o->csv && o->records)
		flags_wrong("--records: a record is not a row; there is only --format json");
	if (o->after && o->records)
		check_after(o);
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct flags all = {
	    .list = flags,
	    .usage = "[FLAGS]",
	    .about = "Writes what a server of a Kudos cluster keeps, its newest checkpoint's counts or its "
		     "journal's records, to standard output.",
	    .after = "The server may go on meanwhile, and is not held up. A line is a key and its count, "
		     "or a record. Exit status: 0 all is written (or nobody reads any more), 1 not, 2 wrong "
		     "usage.",
	    .check = check,
	};
	*options = (struct options){0};
	flags_parse(&all, argc, argv, options);
}
