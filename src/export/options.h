/* SPDX-License-Identifier: MIT */
/* The command line of kudos-export. */
#ifndef EXPORT_OPTIONS_H
#define EXPORT_OPTIONS_H

#include <stdbool.h>

#include "core/vector.h"
#include "store/nats_names.h"

struct options {
	const char *data;    /* a server's folder; NULL: */
	const char *journal; /* a stream's URL, and what it says */
	struct nats_names stream;
	const char *nats_creds, *nats_ca; /* files; NULL: without */
	const char *format;		  /* "json" or "csv" */
	bool csv, records;
	const char *after;	      /* goes on behind it; NULL: from the beginning */
	struct position after_record; /* the same, of records; {0}: from the beginning */
	uint64_t after_sequence;      /* the same, of a stream; 0 */
};

/* Ends the process after --help and --version (0), or with a message on stderr after a usage error (2). */
void options_parse(struct options *options, int argc, char **argv);

#endif
