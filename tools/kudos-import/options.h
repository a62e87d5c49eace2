/* SPDX-License-Identifier: MIT */
/* The command line of kudos-import. */
#ifndef IMPORT_OPTIONS_H
#define IMPORT_OPTIONS_H

#include <kudos.h>
#include <limits.h>
#include <stdbool.h>

#include "rows.h"

struct options {
	struct kudos_options kudos; /* strings point into argv and the environment */
	struct columns columns;
	const char *file;	/* "-": stdin */
	const char *state_file; /* as given; NULL: beside the file */
	char state[PATH_MAX];
	int timeout_ms;
	bool skip_bad, dry_run, json;
};

/* Ends the process after --help and --version (0), or with a message on stderr after a usage error (2). */
void options_parse(struct options *options, int argc, char **argv);

#endif
