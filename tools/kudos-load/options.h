/* SPDX-License-Identifier: MIT */
/* The command line of kudos-load. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <kudos.h>

#include "plan.h"

struct options {
	struct kudos_options kudos; /* strings point into argv and the environment */
	struct plan plan;	    /* finished */
	int64_t settle;		    /* nanoseconds */
	bool json, no_check;
};

/* Ends the process after --help and --version (0), or with a message on stderr after a usage error (2). */
void options_parse(struct options *options, int argc, char **argv);

#endif
