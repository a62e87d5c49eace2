/* SPDX-License-Identifier: MIT */
/* kudos: likes from the command line. See doc/kudos.1. */
#include <locale.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "complete.h"
#include "daemon/flags.h"
#include "input.h"
#include "keygen.h"
#include "repl.h"

#define AT(field) .at = offsetof(struct session, field)

static const struct flag flags[] = {
    FLAGS_CLUSTER(AT(leaders), AT(server), AT(key), AT(trust)),
    {"timeout", 0, "SECONDS", "give up after so long (KUDOS_TIMEOUT; 5)", "KUDOS_TIMEOUT", "5", FLAG_SECONDS,
     AT(timeout_ms), .most = 86400},
    {"json", 0, NULL, "print JSON, one object a line (KUDOS_JSON=1)", "KUDOS_JSON", NULL, FLAG_YES,
     AT(out.json)},
    {0},
};

/* Flags may stand before or after the command. */
static const struct flags all_flags = {
    .list = flags,
    .usage = "[OPTION]... [COMMAND]",
    .about = "Sends likes to a Kudos cluster and reads its counts. Without a command, reads commands from "
	     "standard "
	     "input, one a line.",
    .own = "--everywhere",
};

static void print_help(void)
{
	flags_help(&all_flags);
	puts("\nCommands:");
	for (const struct command *c = command_table(); c->name; c++)
		printf("  %-28s %s\n", c->usage, c->help);
	printf("  %-28s %s\n", KEYGEN " --role ROLE PATH", KEYGEN_HELP "; \"keygen --help\" says more");
	puts("\nExit status: 0 done, 1 failed, 2 wrong usage.");
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

static enum outcome run(struct session *session, int argc, char **argv)
{
	const struct flags_taken taken = flags_take(&all_flags, argc, argv, session);
	const char *const *words = (const char *const *)argv + 1;
	if (taken.help)
		print_help();
	else if (taken.version)
		puts("kudos " KUDOS_VERSION);
	if (taken.help || taken.version)
		return output_flush(&session->out) ? DONE : FAILED;
	if (*taken.wrong) {
		output_error(&session->out, "usage", "%s; \"kudos --help\" lists the options%s",
			     printable(taken.wrong).text,
			     taken.words > 0 ? ", and a key that begins so goes after \"--\"" : "");
		return USAGE;
	}
	if (taken.words == 0)
		return repl_run(session);
	/* "--" before the command has said what it had to say. */
	int skip = taken.words > 1 && strcmp(words[0], "--") == 0;
	return run_once(session, words + skip, (size_t)(taken.words - skip));
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
		flags_offer(typed, word, help);
}

/* kudos --complete WORD...: what a shell asks, see flags.h. The words before the last are read as far as they
 * make sense: they may say which cluster is meant. Messages would only be in the way. */
static enum outcome complete_words(struct session *session, int argc, char **argv)
{
	char *typed = argc > 2 ? argv[argc - 1] : argv[argc]; /* NULL: nothing at all */
	const char *before = argc > 3 ? argv[argc - 2] : NULL;
	if (!typed || !freopen("/dev/null", "w", stderr))
		return USAGE;
	if (before && strcmp(argv[2], KEYGEN) == 0) {
		keygen_complete(before, typed);
		return output_flush(&session->out) ? DONE : FAILED;
	}
	const struct flags_taken taken = flags_take(&all_flags, argc - 2, argv + 1, session);
	const char *const *words = (const char *const *)argv + 2;
	int skip = taken.words > 0 && strcmp(words[0], "--") == 0, nth = taken.words - skip;
	const char *command = nth > 0 ? words[skip] : NULL;
	bool whole = !*taken.wrong, flag = flags_complete(&all_flags, before, typed);
	if (whole && nth == 0 && !flag)
		flags_offer(typed, KEYGEN, KEYGEN_HELP);
	if (whole && (!flag || command)) {
		if (command && complete_wants_node(command, (size_t)nth))
			learn_nodes(session);
		complete_gather(session, command, (size_t)nth, offer, typed);
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
	    .out = {.colour_out = may_colour(STDOUT_FILENO), .colour_err = may_colour(STDERR_FILENO)},
	};
	bool asked = argc > 1 && strcmp(argv[1], "--complete") == 0;
	enum outcome outcome = asked ? complete_words(&session, argc, argv) : run(&session, argc, argv);
	session_deinit(&session);
	return (int)outcome;
}
