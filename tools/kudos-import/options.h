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
	const char *file; /* "-": stdin */
	char state[PATH_MAX];
	int timeout_ms;
	bool skip_bad, dry_run, json;
};

/* -1: go on; otherwise the exit status, when everything has been said already (--help, a usage error). */
int options_parse(struct options *options, int argc, char **argv);

#endif
