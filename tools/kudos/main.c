/* SPDX-License-Identifier: MIT */
/* kudos: likes from the command line. See doc/kudos.1. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "complete.h"
#include "flag.h"
#include "input.h"
#include "keygen.h"
#include "repl.h"

#define DEFAULT_TIMEOUT "5"

/* The command line taken apart: flags may stand before or after the command. */
struct flags {
	struct kudos_options cluster;
	const char *timeout; /* NULL: not given */
	bool json, help, version;
	const char **words; /* the command and what belongs to it */
	size_t count;
};

enum { FLAG_TIMEOUT = FLAG_OWN, FLAG_JSON };

static const struct flag main_flags[] = {
    FLAGS_CLUSTER,
    {"timeout", FLAG_TIMEOUT, "SECONDS", "give up after so long (KUDOS_TIMEOUT; " DEFAULT_TIMEOUT ")"},
    {"json", FLAG_JSON, NULL, "print JSON, one object a line (KUDOS_JSON=1)"},
    {"help", 'h', NULL, "show this help"},
    {"version", 'V', NULL, "show the version"},
    {0},
};

static void print_help(void)
{
	puts("usage: kudos [OPTION]... [COMMAND]\n"
	     "Sends likes to a Kudos cluster and reads its counts. Without a command, reads commands\n"
	     "from standard input, one a line.\n");
	flag_help(main_flags);
	puts("\nCommands:");
	for (const struct command *c = command_table(); c->name; c++)
		printf("  %-28s %s\n", c->usage, c->help);
	printf("  %-28s %s\n", KEYGEN " --role ROLE PATH", KEYGEN_HELP "; \"keygen --help\" says more");
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
	if (flag_cluster(&flags->cluster, flag, optarg))
		return true;
	switch (flag) {
	case FLAG_TIMEOUT:
		flags->timeout = optarg;
		return true;
	case FLAG_JSON:
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
	struct option options[sizeof main_flags / sizeof *main_flags];
	flag_options(main_flags, options);
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

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);
	return value && *value && strcmp(value, "0") != 0 && strcasecmp(value, "no") != 0 &&
	       strcasecmp(value, "false") != 0;
}

static bool settle(struct session *session, const struct flags *flags)
{
	session->leaders = flags->cluster.leaders;
	session->server = flags->cluster.server;
	session->key = flags->cluster.key_file;
	session->trust = flags->cluster.trust_dir;
	const char *timeout = flags->timeout ? flags->timeout : getenv("KUDOS_TIMEOUT");
	double seconds;
	if (!words_seconds(timeout && *timeout ? timeout : DEFAULT_TIMEOUT, &seconds) || seconds <= 0) {
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

#define COMPLETE_PATIENCE_MS 500

/* Names that are a word for every shell as they are: they come from others, and may end up on a command line.
 */
static void learn_nodes(struct session *session)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	enum outcome outcome;
	struct kudos_status *status;
	session->timeout_ms = COMPLETE_PATIENCE_MS;
	kudos *handle = session_handle(session, &outcome);
	if (!handle || kudos_status(handle, &status) != KUDOS_OK)
		return;
	for (size_t i = 0; i < status->server_count; i++) {
		const char *name = status->servers[i].name;
		if (name[0] != '-' && strspn(name, plain) == strlen(name))
			word_set_add(&session->nodes, name);
	}
	free(status);
}

/* In a shell a flag is offered when one is being typed, not before. */
static void offer(void *arg, const char *word, const char *help)
{
	const char *typed = arg;
	if (word[0] != '-' || typed[0] == '-')
		flag_offer(typed, word, help);
}

/* kudos --complete WORD...: what a shell asks, see flag.h. The words before the last are read as far as they
 * make sense: they may say which cluster is meant. Messages would only be in the way. */
static enum outcome complete_words(struct session *session, struct flags *flags, int argc, char **argv)
{
	char *typed = argc > 2 ? argv[argc - 1] : argv[argc]; /* NULL: nothing at all */
	const char *before = argc > 3 ? argv[argc - 2] : NULL;
	if (!typed || !freopen("/dev/null", "w", stderr))
		return USAGE;
	if (before && strcmp(argv[2], KEYGEN) == 0) {
		keygen_complete(before, typed);
		return output_flush(&session->out) ? DONE : FAILED;
	}
	bool whole = parse_flags(flags, argc - 2, argv + 1, &session->out);
	size_t skip = flags->count > 0 && strcmp(flags->words[0], "--") == 0, nth = flags->count - skip;
	const char *command = nth > 0 ? flags->words[skip] : NULL;
	bool flag = flag_complete(main_flags, before, typed);
	if (whole && nth == 0 && !flag)
		flag_offer(typed, KEYGEN, KEYGEN_HELP);
	if (whole && (!flag || command) && settle(session, flags)) {
		if (command && complete_wants_node(command, nth))
			learn_nodes(session);
		complete_gather(session, command, nth, offer, typed);
	}
	return output_flush(&session->out) ? DONE : FAILED;
}

static bool may_colour(int fd)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	return isatty(fd) == 1 && !(no_colour && *no_colour) && !(terminal && strcmp(terminal, "dumb") == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], KEYGEN) == 0)
		return keygen_main(argc - 1, argv + 1); /* it talks to nobody and has flags of its own */
	setlocale(LC_CTYPE, ""); /* not LC_NUMERIC: "0.5" is to be half a second everywhere */
	struct session session = {
	    .out = {.json = is_set("KUDOS_JSON"),
		    .colour_out = may_colour(STDOUT_FILENO),
		    .colour_err = may_colour(STDERR_FILENO)},
	};
	struct flags flags = {.words = calloc((size_t)argc + 1, sizeof(*flags.words))};
	enum outcome outcome = USAGE;
	flag_cluster_begin(&flags.cluster);
	if (!flags.words) {
		outcome = session_failed(&session, NULL, KUDOS_NO_MEMORY, "");
	} else if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		outcome = complete_words(&session, &flags, argc, argv);
	} else if (parse_flags(&flags, argc, argv, &session.out)) {
		session.out.json |= flags.json;
		outcome = run(&session, &flags);
	}
	free(flags.words);
	session_deinit(&session);
	return (int)outcome;
}
