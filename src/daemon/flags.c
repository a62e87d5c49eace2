/* SPDX-License-Identifier: MIT */
#include "daemon/flags.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

long flags_number(struct argp_state *state, const char *name, const char *value, long max)
{
	char *end;
	long number = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || number > max)
		argp_error(state, "%s: \"%s\" is not a whole number from 0 to %ld", name, value, max);
	return number;
}

int flags_port(struct argp_state *state, const char *name, const char *value)
{
	char *end;
	long port = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || port < 1 || port > 65535)
		argp_error(state, "%s: \"%s\" is not a port: give a number from 1 to 65535", name, value);
	return (int)port;
}

void flags_env_string(const char **value, const char *variable)
{
	const char *found = getenv(variable);
	if (!*value && found && *found)
		*value = found;
}

void flags_env_port(struct argp_state *state, int *port, const char *variable)
{
	const char *found = getenv(variable);
	if (*port == 0 && found && *found)
		*port = flags_port(state, variable, found);
}

void flags_env_bool(bool *value, const char *variable)
{
	const char *found = getenv(variable);
	*value = *value || (found && *found && strcmp(found, "0") != 0);
}

void flags_check_keys(struct argp_state *state, const char **key, const char **trust)
{
	flags_env_string(key, "KUDOS_KEY");
	flags_env_string(trust, "KUDOS_TRUST");
	if (!*key != !*trust)
		argp_error(state, "--key and --trust go together: %s (%s) is missing",
			   *key ? "--trust" : "--key", *key ? "KUDOS_TRUST" : "KUDOS_KEY");
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

void flags_parse(const struct argp *argp, const char *version, int argc, char **argv, void *options)
{
	if (argc > 2 && strcmp(argv[1], "--complete") == 0) {
		complete(argp->options, argc > 3 ? argv[argc - 2] : "", argv[argc - 1]);
		exit(EXIT_SUCCESS);
	}
	/* argp wants to be told by a global; one of our own by that name would be hidden from it. */
	argp_program_version = version;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(argp, argc, argv, 0, NULL, options);
}
