/* SPDX-License-Identifier: MIT */
#include "daemon/flags.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static int port(struct argp_state *state, const char *name, const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || number < 1 || number > 65535)
		argp_error(state, "%s: \"%s\" is not a port: give a number from 1 to 65535", name, value);
	return (int)number;
}

static int whole(struct argp_state *state, const char *name, const char *value, long least, long most)
{
	char *end;
	long number = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || number < least || number > most)
		argp_error(state, "%s: \"%s\" is not a whole number from %ld to %ld", name, value, least,
			   most);
	return (int)number;
}

static int milliseconds(struct argp_state *state, const char *name, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);
	if (*end || end == value || !(seconds > 0 && seconds <= 3600))
		argp_error(state, "%s: \"%s\" is not in seconds, more than 0 and at most 3600", name, value);
	int whole_ms = (int)(seconds * 1000);
	return whole_ms + (whole_ms < seconds * 1000);
}

void flags_env_string(const char **value, const char *variable)
{
	const char *found = getenv(variable);
	if (!*value && found && *found)
		*value = found;
}

void flags_check_keys(struct argp_state *state, const char *key, const char *trust)
{
	if (!key != !trust)
		argp_error(state, "--key and --trust go together: %s (%s) is missing",
			   key ? "--trust" : "--key", key ? "KUDOS_TRUST" : "KUDOS_KEY");
}

void flags_check_address(struct argp_state *state, const char *address, bool insecure)
{
	struct in_addr in;
	if (inet_pton(AF_INET, address, &in) != 1)
		argp_error(state, "--bind: \"%s\" is not an IPv4 address; 127.0.0.1 is one", address);
	if (ntohl(in.s_addr) >> 24 != 127 && !insecure)
		argp_error(
		    state,
		    "--bind %s: refused, because whoever reaches that address may like and forget; bind to "
		    "127.0.0.1, give --key and --trust (see kudos keygen), or add --insecure if the network "
		    "keeps others away",
		    address);
}

/* What argp adds by itself. */
static const struct argp_option added[] = {
    {"help", 0, NULL, 0, "Show the flags", 0},
    {"usage", 0, NULL, 0, "Show them in short", 0},
    {"version", 0, NULL, 0, "Show the version", 0},
    {0},
};

static void complete_flags(const struct argp_option *o, const char *typed)
{
	for (; o->name; o++) {
		if (strlen(typed) < 2 || strncmp(o->name, typed + 2, strlen(typed + 2)) == 0)
			printf("--%s\t%s\n", o->name, o->doc);
	}
}

static void complete(const struct argp_option *o, const char *before, const char *typed)
{
	const char *value = NULL;
	for (const struct argp_option *one = o; strncmp(before, "--", 2) == 0 && one->name; one++) {
		if (strcmp(one->name, before + 2) == 0)
			value = one->arg;
	}
	if (value && strcmp(value, "FILE") == 0)
		puts("<file>");
	else if (value && strcmp(value, "DIR") == 0)
		puts("<folder>");
	if (value || typed[0] != '-' || (typed[1] != '-' && typed[1] != '\0'))
		return;
	complete_flags(o, typed);
	complete_flags(added, typed);
}

struct parsing {
	const struct flags *flags;
	void *options;
	const char *given[FLAGS_MOST]; /* the value of each; NULL: not given */
};

/* name: what the user wrote the value in, for messages. */
static void set(struct argp_state *state, const struct flag *f, void *options, const char *name,
		const char *value)
{
	void *at = (char *)options + f->at;
	switch (f->kind) {
	case FLAG_TEXT:
	case FLAG_LIST:
		memcpy(at, &value, sizeof value);
		break;
	case FLAG_YES:
		*(bool *)at = strcmp(value, "0") != 0;
		break;
	case FLAG_PORT:
		*(int *)at = port(state, name, value);
		break;
	case FLAG_NUMBER:
		*(int *)at = whole(state, name, value, f->least, f->most);
		break;
	case FLAG_SECONDS:
		*(int *)at = milliseconds(state, name, value);
		break;
	}
}

static void complete_options(struct argp_state *state, struct parsing *p)
{
	char name[64];
	for (size_t i = 0; p->flags->list[i].name; i++) {
		const struct flag *f = &p->flags->list[i];
		const char *value = p->given[i];
		snprintf(name, sizeof name, "%s%s", value ? "--" : "",
			 value || !f->variable ? f->name : f->variable);
		if (f->variable)
			flags_env_string(&value, f->variable);
		if (value || f->otherwise)
			set(state, f, p->options, name, value ? value : f->otherwise);
	}
	p->flags->check(state, p->options);
}

static int key_of(const struct flags *flags, size_t i)
{
	return flags->list[i].letter ? flags->list[i].letter : 256 + (int)i;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct parsing *p = state->input;
	if (key == ARGP_KEY_ARG)
		argp_error(state, "%s: not a flag", arg);
	if (key == ARGP_KEY_END)
		complete_options(state, p);
	if (key == ARGP_KEY_ARG || key == ARGP_KEY_END)
		return 0;
	for (size_t i = 0; p->flags->list[i].name; i++) {
		const struct flag *f = &p->flags->list[i];
		if (key_of(p->flags, i) != key)
			continue;
		if (f->kind == FLAG_LIST && p->given[i])
			argp_error(state, "--%s is given twice: name all in one, separated by commas",
				   f->name);
		p->given[i] = arg ? arg : "1";
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

void flags_parse(const struct flags *flags, int argc, char **argv, void *options)
{
	struct parsing parsing = {.flags = flags, .options = options};
	struct argp_option list[FLAGS_MOST + 1] = {0};
	for (size_t i = 0; flags->list[i].name; i++) {
		assert(i < FLAGS_MOST);
		const struct flag *f = &flags->list[i];
		list[i] = (struct argp_option){f->name, key_of(flags, i), f->value, 0, f->help, 0};
	}
	if (argc > 2 && strcmp(argv[1], "--complete") == 0) {
		complete(list, argc > 3 ? argv[argc - 2] : "", argv[argc - 1]);
		exit(EXIT_SUCCESS);
	}
	/* argp wants to be told by a global; one of our own by that name would be hidden from it. */
	argp_program_version = flags->version;
	argp_err_exit_status = EXIT_USAGE;
	const struct argp argp = {.options = list, .parser = parse_one, .doc = flags->about};
	argp_parse(&argp, argc, argv, 0, NULL, &parsing);
}
