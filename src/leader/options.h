/* SPDX-License-Identifier: MIT */
/* The leader's command line and environment: flag over environment over default. */
#ifndef LEADER_OPTIONS_H
#define LEADER_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *address; /* IPv4, to bind to */
	int port;
	const char *key, *trust; /* CURVE: files; both NULL: without */
	bool debug;
	bool insecure;
};

/* Ends the process after --help and --version (0), or with a message on stderr after a usage error (2). */
void options_parse(struct options *options, int argc, char **argv);

#endif
