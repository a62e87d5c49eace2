/* SPDX-License-Identifier: MIT */
/* kudos: likes from the command line. See doc/kudos.1. */
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "input.h"
#include "keygen.h"
#include "repl.h"

#define DEFAULT_TIMEOUT "5"

/* The command line taken apart: flags may stand before or after the command. */
struct flags {
	const char *leaders, *server, *timeout, *key, *trust; /* NULL: not given */
	bool json, help, version;
	const char **words; /* the command and what belongs to it */
	size_t count;
};

static void print_help(void)
{
	puts("usage: kudos [OPTION]... [COMMAND]\n"
	     "Sends likes to a Kudos cluster and reads its counts. Without a command, reads commands\n"
	     "from standard input, one a line.\n\n"
	     "  --leader EP[,EP...]  the leaders (KUDOS_LEADER; " KUDOS_DEFAULT_LEADER ")\n"
	     "  --server EP          use this server, ask no leader (KUDOS_SERVER)\n"
	     "  --timeout SECONDS    give up after so long (KUDOS_TIMEOUT; " DEFAULT_TIMEOUT ")\n"
	     "  --key FILE           this user's secret key, for a cluster that has keys (KUDOS_KEY)\n"
	     "  --trust DIR          folder with the cluster's certificate (KUDOS_TRUST)\n"
	     "  --json               print JSON, one object a line (KUDOS_JSON=1)\n"
	     "  -h, --help           show this help\n"
	     "  -V, --version        show the version\n\n"
	     "Commands:");
	for (const struct command *c = command_table(); c->name; c++)
		printf("  %-28s %s\n", c->usage, c->help);
	printf("  %-28s %s\n", "keygen --role ROLE PATH", "make a pair of keys; \"keygen --help\" says more");
	puts("\nExit status: 0 done, 1 failed, 2 wrong usage.");
}

/* "-5" and "--" are not for getopt: amounts may be negative, and a command wants to know where keys begin. */
static bool is_word(const char *argument)
{
	return argument[0] != '-' || argument[1] == '\0' || (argument[1] >= '0' && argument[1] <= '9') ||
	       strcmp(argument, "--everywhere") == 0;
}

static bool take_flag(struct flags *flags, int flag)
{
	switch (flag) {
	case 'l':
		flags->leaders = optarg;
		return true;
	case 's':
		flags->server = optarg;
		return true;
	case 't':
		flags->timeout = optarg;
		return true;
	case 'k':
		flags->key = optarg;
		return true;
	case 'r':
		flags->trust = optarg;
		return true;
	case 'j':
		flags->json = true;
		return true;
	case 'h':
		flags->help = true;
		return true;
	case 'V':
		flags->version = true;
		return true;
	default:
		return false;
	}
}

static bool parse_flags(struct flags *flags, int argc, char **argv, const struct output *out)
{
	static const struct option options[] = {
	    {"leader", required_argument, NULL, 'l'},
	    {"server", required_argument, NULL, 's'},
	    {"timeout", required_argument, NULL, 't'},
	    {"key", required_argument, NULL, 'k'},
	    {"trust", required_argument, NULL, 'r'},
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	opterr = 0;
	while (optind < argc) {
		const char *argument = argv[optind];
		if (strcmp(argument, "--") == 0) {
			while (optind < argc)
				flags->words[flags->count++] = argv[optind++];
			break;
		}
		if (is_word(argument)) {
			flags->words[flags->count++] = argument;
			optind++;
			continue;
		}
		int flag = getopt_long(argc, argv, "+:hV", options, NULL);
		if (!take_flag(flags, flag)) {
			output_error(out, "usage", "%s \"%s\"; \"kudos --help\" lists the options%s",
				     flag == ':' ? "no value for option" : "bad option",
				     printable(argument).text,
				     flags->count > 0 ? ", and a key that begins so goes after \"--\"" : "");
			return false;
		}
	}
	return true;
}

static const char *setting(const char *flag, const char *variable)
{
	const char *value = flag ? flag : getenv(variable);
	return value && *value ? value : NULL;
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);
	return value && *value && strcmp(value, "0") != 0 && strcasecmp(value, "no") != 0 &&
	       strcasecmp(value, "false") != 0;
}

static bool settle(struct session *session, const struct flags *flags)
{
	session->leaders = setting(flags->leaders, "KUDOS_LEADER");
	/* A leader asked for by flag beats a server that the environment names. */
	session->server = flags->server || !flags->leaders ? setting(flags->server, "KUDOS_SERVER") : NULL;
	session->key = setting(flags->key, "KUDOS_KEY");
	session->trust = setting(flags->trust, "KUDOS_TRUST");
	const char *timeout = setting(flags->timeout, "KUDOS_TIMEOUT");
	double seconds;
	if (!words_seconds(timeout ? timeout : DEFAULT_TIMEOUT, &seconds) || seconds <= 0) {
		output_error(&session->out, "usage",
			     "bad timeout \"%s\": seconds, more than 0 and at most 86400, such as 5 or 0.5",
			     printable(timeout).text);
		return false;
	}
	session->timeout_ms = (int)ceil(seconds * 1000);
	return true;
}

static enum outcome run_once(struct session *session, const char *const *words, size_t count)
{
	session->input = input_new(session, false);
	if (!session->input)
		return session_failed(session, NULL, KUDOS_NO_MEMORY, "");
	enum outcome outcome = command_run(session, words, count);
	input_free(session->input);
	session->input = NULL;
	return outcome;
}

static enum outcome run(struct session *session, const struct flags *flags)
{
	if (flags->help)
		print_help();
	else if (flags->version)
		puts("kudos " KUDOS_VERSION);
	if (flags->help || flags->version)
		return output_flush(&session->out) ? DONE : FAILED;
	if (!settle(session, flags))
		return USAGE;
	if (flags->count == 0)
		return repl_run(session);
	/* "--" before the command has said what it had to say. */
	size_t skip = flags->count > 1 && strcmp(flags->words[0], "--") == 0;
	return run_once(session, flags->words + skip, flags->count - skip);
}

static bool may_colour(int fd)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	return isatty(fd) == 1 && !(no_colour && *no_colour) && !(terminal && strcmp(terminal, "dumb") == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "keygen") == 0)
		return keygen_main(argc - 1, argv + 1); /* it talks to nobody and has flags of its own */
	setlocale(LC_CTYPE, ""); /* not LC_NUMERIC: "0.5" is to be half a second everywhere */
	struct session session = {
	    .out = {.json = is_set("KUDOS_JSON"),
		    .colour_out = may_colour(STDOUT_FILENO),
		    .colour_err = may_colour(STDERR_FILENO)},
	};
	struct flags flags = {.words = calloc((size_t)argc + 1, sizeof(*flags.words))};
	enum outcome outcome = USAGE;
	if (!flags.words) {
		outcome = session_failed(&session, NULL, KUDOS_NO_MEMORY, "");
	} else if (parse_flags(&flags, argc, argv, &session.out)) {
		session.out.json |= flags.json;
		outcome = run(&session, &flags);
	}
	free(flags.words);
	session_deinit(&session);
	return (int)outcome;
}
