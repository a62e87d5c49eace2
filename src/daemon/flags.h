/* SPDX-License-Identifier: MIT */
/* A program's flags, in one table that the command line, the environment, --help and the completion in shells
 * are read from: flag over environment over default. --help (-h) and --version (-V) belong to every table. */
#ifndef DAEMON_FLAGS_H
#define DAEMON_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "kudos.h"

enum flag_kind {
	FLAG_TEXT,    /* const char * */
	FLAG_MAYBE,   /* the same; an empty one is none (NULL) */
	FLAG_LIST,    /* the same as the first, with commas: it is given once */
	FLAG_YES,     /* bool; its variable: set, not empty and not "0", "no" or "false" */
	FLAG_PORT,    /* int, 1..65535 */
	FLAG_NUMBER,  /* int, least..most */
	FLAG_SECONDS, /* int, in ms: more than 0 s and at most `most` s */
	FLAG_OWN,     /* what take() makes of it */
};

#define FLAG_WRONG 512 /* bytes of a text that says what is wrong */

struct flag {
	const char *name;      /* without its two dashes */
	int letter;	       /* for short; 0: none */
	const char *value;     /* what --help calls it; NULL: takes none. FILE, DIR, and A|B are completed */
	const char *help;      /* names the variable and the default, too */
	const char *variable;  /* of the environment, when the flag is not given; NULL: none */
	const char *otherwise; /* when neither is; NULL: as options are */
	enum flag_kind kind;
	size_t at; /* its place in the program's options */
	long least, most;
	const char *unless; /* the variable is left aside when this flag is given; NULL: never */
	/* False: wrong (FLAG_WRONG bytes) says why. Flags are taken in the table's order. */
	bool (*take)(const struct flag *flag, void *options, const char *value, char *wrong);
};

struct flags {
	const struct flag *list;      /* up to one without a name; at most FLAGS_MOST */
	const char *usage;	      /* what stands behind the program's name in --help */
	const char *about;	      /* … and below that */
	const char *after;	      /* … and at the end (flags_parse) */
	const char *own;	      /* a flag that stays among the words, as does "--"; NULL: none does */
	bool words;		      /* there may be others than flags (flags_parse) */
	void (*check)(void *options); /* of all together (flags_parse); NULL: nothing is checked */
};

#define FLAGS_MOST 32

/* Which cluster, and whose keys: the same in every tool that likes or counts. The arguments are places in the
 * tool's options, of const char *. */
/* clang-format off */
#define FLAGS_CLUSTER(leaders_at, server_at, key_at, trust_at) \
	{"leader", 0, "EP[,EP...]", "leaders to ask (KUDOS_LEADER; " KUDOS_DEFAULT_LEADER ")", "KUDOS_LEADER", \
	 NULL, FLAG_MAYBE, leaders_at}, \
	{"server", 0, "EP", "one server's client endpoint, ask no leader (KUDOS_SERVER)", "KUDOS_SERVER", NULL, \
	 FLAG_MAYBE, server_at, .unless = "leader"}, \
	{"key", 0, "FILE", "this user's secret key, for a cluster that has keys (KUDOS_KEY)", "KUDOS_KEY", NULL, \
	 FLAG_MAYBE, key_at}, \
	{"trust", 0, "DIR", "folder with the cluster's certificate (KUDOS_TRUST)", "KUDOS_TRUST", NULL, \
	 FLAG_MAYBE, trust_at}
/* The same in the leader and the server; of const char *, but for the first and the last (bool). */
#define FLAGS_DAEMON(debug_at, key_at, trust_at, insecure_at) \
	{"debug", 'd', NULL, "Log more (KUDOS_DEBUG)", "KUDOS_DEBUG", NULL, FLAG_YES, debug_at}, \
	{"key", 0, "FILE", "The cluster's secret key, made by kudos keygen: only with CURVE (KUDOS_KEY)", \
	 "KUDOS_KEY", key_at}, \
	{"trust", 0, "DIR", "Folder with the certificates of all who may come in (KUDOS_TRUST)", "KUDOS_TRUST", \
	 trust_at}, \
	{"insecure", 0, NULL, "Allow an address outside 127.0.0.0/8 without --key: whoever reaches it may like " \
	 "and forget (KUDOS_INSECURE)", "KUDOS_INSECURE", NULL, FLAG_YES, insecure_at}
/* Of whoever reads or writes a stream; of const char *. */
#define FLAGS_NATS(creds_at, ca_at) \
	{"nats-creds", 0, "FILE", "Credentials for NATS (KUDOS_NATS_CREDS)", "KUDOS_NATS_CREDS", creds_at}, \
	{"nats-ca", 0, "FILE", "Use TLS to NATS, whose certificates are signed by one of FILE (KUDOS_NATS_CA)", \
	 "KUDOS_NATS_CA", ca_at}
/* clang-format on */

struct flags_taken {
	int words;		/* how many arguments are none of the flags: argv[1] and on */
	bool help, version;	/* was asked for; what came behind it was not looked at */
	char wrong[FLAG_WRONG]; /* what was, first; "": nothing */
};

/* Fills options, which may hold defaults. argv's order changes. */
struct flags_taken flags_take(const struct flags *flags, int argc, char **argv, void *options);

/* The same for a program that is all of it: ends the process after --help, --version and --complete (0), or
 * with flags_wrong(). How many words there are. */
int flags_parse(const struct flags *flags, int argc, char **argv, void *options);

/* Ends the process with status 2 and a message on stderr. */
_Noreturn void flags_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

void flags_help(const struct flags *flags);

/* Completion: what a shell asks with PROGRAM --complete WORD..., the last WORD being the one that is typed.
 * Each answer is a line: a word, a tab and what it means; or "<file>", "<folder>": any of those. */
/* Prints what may stand in the last word's place if that is a flag or the value of the flag before it; false:
 * it is neither. before: the word before it, NULL when there is none. */
bool flags_complete(const struct flags *flags, const char *before, const char *typed);
/* If it begins as typed; help: NULL. */
void flags_offer(const char *typed, const char *word, const char *help);

/* The environment variable when the flag was not given (NULL). */
void flags_env_string(const char **value, const char *variable);

/* --key and --trust, of which there are both or none. */
void flags_check_keys(const char *key, const char *trust);

/* An IPv4 address to bind to; outside 127.0.0.0/8 only with `insecure`, or with keys. */
void flags_check_address(const char *address, bool insecure);

#endif
