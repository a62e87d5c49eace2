/* SPDX-License-Identifier: MIT */
/* What the daemons' command lines have in common: flag over environment over default; wrong values end the
 * process with status 2 and a text that names the flag or variable. */
#ifndef DAEMON_FLAGS_H
#define DAEMON_FLAGS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

enum flag_kind {
	FLAG_TEXT,    /* const char * */
	FLAG_LIST,    /* the same, with commas: it is given once */
	FLAG_YES,     /* bool; its variable: set, not empty and not "0" */
	FLAG_PORT,    /* int, 1..65535 */
	FLAG_NUMBER,  /* int, least..most */
	FLAG_SECONDS, /* int, in ms: more than 0 s and at most an hour */
};

struct flag {
	const char *name;      /* without its two dashes */
	int letter;	       /* for short; 0: none */
	const char *value;     /* what --help calls it; NULL: takes none */
	const char *help;      /* names the variable and the default, too */
	const char *variable;  /* of the environment, when the flag is not given; NULL: none */
	const char *otherwise; /* when neither is; NULL: as options are */
	enum flag_kind kind;
	size_t at; /* its place in the program's options */
	long least, most;
};

struct flags {
	const struct flag *list; /* up to one without a name; at most FLAGS_MOST */
	const char *version;	 /* what --version prints */
	const char *about;	 /* argp's doc */
	void (*check)(struct argp_state *state, void *options); /* of all together, after the environment */
};

#define FLAGS_MOST 32

/* The environment variable when the flag was not given (NULL). */
void flags_env_string(const char **value, const char *variable);

/* --key and --trust, of which there are both or none. */
void flags_check_keys(struct argp_state *state, const char *key, const char *trust);

/* An IPv4 address to bind to; outside 127.0.0.0/8 only with `insecure`, or with keys. */
void flags_check_address(struct argp_state *state, const char *address, bool insecure);

/* Fills options, which are zeros, or ends the process after --help and --version (0), or with a message on
 * stderr after a usage error (2). --complete WORD... as the only arguments: what may stand for the last WORD,
 * for a shell (as in tools/shared/flag.h). */
void flags_parse(const struct flags *flags, int argc, char **argv, void *options);

#endif
