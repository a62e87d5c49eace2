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
	bool json, check;
};

/* -1: go on; otherwise the exit status, when everything has been said already (--help, a usage error). */
int options_parse(struct options *options, int argc, char **argv);

#endif
