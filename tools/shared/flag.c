/* SPDX-License-Identifier: MIT */
#include "flag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN 28

void flag_options(const struct flag *flags, struct option *options)
{
	for (; flags->name; flags++)
		*options++ = (struct option){flags->name, flags->value ? required_argument : no_argument,
					     NULL, flags->key};
	*options = (struct option){0};
}

void flag_help(const struct flag *flags)
{
	for (; flags->name; flags++) {
		char left[64], letter[8] = "";
		if (flags->key < 256)
			snprintf(letter, sizeof letter, "-%c, ", flags->key);
		snprintf(left, sizeof left, "%s--%s%s%s", letter, flags->name, flags->value ? " " : "",
			 flags->value ? flags->value : "");
		printf("  %-*s %s\n", COLUMN, left, flags->help);
	}
}

const struct flag *flag_find(const struct flag *flags, const char *word)
{
	if (strncmp(word, "--", 2) != 0)
		return NULL;
	for (; flags->name; flags++) {
		if (strcmp(flags->name, word + 2) == 0)
			return flags;
	}
	return NULL;
}

static const char *given(const char *value)
{
	return value && *value ? value : NULL;
}

void flag_cluster_begin(struct kudos_options *cluster)
{
	cluster->leaders = given(getenv("KUDOS_LEADER"));
	cluster->server = given(getenv("KUDOS_SERVER"));
	cluster->key_file = given(getenv("KUDOS_KEY"));
	cluster->trust_dir = given(getenv("KUDOS_TRUST"));
}

bool flag_cluster(struct kudos_options *cluster, int flag, const char *value)
{
	switch (flag) {
	case FLAG_LEADER:
		cluster->leaders = given(value);
		if (cluster->server == getenv("KUDOS_SERVER")) /* still the variable's */
			cluster->server = NULL;
		return true;
	case FLAG_SERVER:
		cluster->server = given(value);
		return true;
	case FLAG_KEY:
		cluster->key_file = given(value);
		return true;
	case FLAG_TRUST:
		cluster->trust_dir = given(value);
		return true;
	default:
		return false;
	}
}

void flag_offer(const char *typed, const char *word, const char *help)
{
	if (strncmp(word, typed, strlen(typed)) == 0)
		printf("%s%s%s\n", word, help ? "\t" : "", help ? help : "");
}

/* "A|B" is what it says; the rest of the names for values is for people. */
static void offer_values(const char *value, const char *typed)
{
	char words[64], *rest;
	if (strcmp(value, "FILE") == 0)
		puts("<file>");
	else if (strcmp(value, "DIR") == 0)
		puts("<folder>");
	if (!strchr(value, '|'))
		return;
	snprintf(words, sizeof words, "%s", value);
	for (char *word = strtok_r(words, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
		flag_offer(typed, word, NULL);
}

bool flag_complete(const struct flag *flags, const char *before, const char *typed)
{
	const struct flag *asks = before ? flag_find(flags, before) : NULL;
	if (asks && asks->value) {
		offer_values(asks->value, typed);
		return true;
	}
	if (typed[0] != '-')
		return false;
	for (; flags->name; flags++) {
		char word[64];
		snprintf(word, sizeof word, "--%s", flags->name);
		/* Where the text goes on in a second line, the first one says enough. */
		char help[128];
		snprintf(help, sizeof help, "%.*s", (int)strcspn(flags->help, "\n"), flags->help);
		flag_offer(typed, word, help);
	}
	return true;
}
