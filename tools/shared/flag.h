/* SPDX-License-Identifier: MIT */
/* A tool's flags: one table for getopt, --help and the completion in shells. */
#ifndef KUDOS_TOOL_FLAG_H
#define KUDOS_TOOL_FLAG_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include <kudos.h>

struct flag {
	const char *name; /* without the dashes; NULL ends the table */
	int key;	  /* getopt's; a character: also -c */
	const char
	    *value; /* what it is called in --help; NULL: takes none. FILE, DIR, and A|B are completed */
	const char *help;
};

/* options has room for the table and its end. */
void flag_options(const struct flag *flags, struct option *options);
/* A line for each. */
void flag_help(const struct flag *flags);
/* The flag that word is, without a value behind "="; NULL: none. */
const struct flag *flag_find(const struct flag *flags, const char *word);

/* Which cluster, and whose keys: the same in every tool that likes or counts. */
enum { FLAG_LEADER = 256, FLAG_SERVER, FLAG_KEY, FLAG_TRUST, FLAG_OWN /* the first of a tool's own */ };
/* clang-format off */
#define FLAGS_CLUSTER \
	{"leader", FLAG_LEADER, "EP[,EP...]", "leaders to ask (KUDOS_LEADER; " KUDOS_DEFAULT_LEADER ")"}, \
	{"server", FLAG_SERVER, "EP", "one server's client endpoint, ask no leader (KUDOS_SERVER)"}, \
	{"key", FLAG_KEY, "FILE", "this user's secret key, for a cluster that has keys (KUDOS_KEY)"}, \
	{"trust", FLAG_TRUST, "DIR", "folder with the cluster's certificate (KUDOS_TRUST)"}
/* clang-format on */
/* What the environment says of it; before flags are taken. */
void flag_cluster_begin(struct kudos_options *cluster);
/* Takes one of these flags; false: it is none. A leader by flag beats a server by variable. */
bool flag_cluster(struct kudos_options *cluster, int flag, const char *value);

/* Completion: what a shell asks with PROGRAM --complete WORD..., the last WORD being the one that is typed.
 * Each answer is a line: a word, a tab and what it means; or "<file>", "<folder>": any of those. */
void flag_offer(const char *typed, const char *word,
		const char *help); /* if it begins as typed; help: NULL */
/* Prints what may stand in the last word's place if that is a flag or the value of the flag before it; false:
 * it is neither. before: the word before it, NULL when there is none. */
bool flag_complete(const struct flag *flags, const char *before, const char *typed);

#endif
