/* SPDX-License-Identifier: MIT */
#include "repl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "input.h"

static enum outcome run_line(struct session *session)
{
	if (input_has_nul(session->input)) {
		output_error(&session->out, "usage", "the line holds a NUL byte; it was not run");
		return USAGE;
	}
	/* A copy: `like many` reads more lines while the words of this one are in use. */
	char *line = strdup(input_text(session->input));
	const char **words = NULL;
	size_t count;
	if (!line || !words_split(line, &words, &count)) {
		free(line);
		return session_failed(session, NULL, KUDOS_NO_MEMORY, "");
	}
	enum outcome outcome = DONE;
	if (count > 0 && words[0][0] != '#') {
		input_remember(session->input, input_text(session->input));
		outcome = command_run(session, words, count);
	}
	free(words);
	free(line);
	return outcome;
}

static enum outcome read_all(struct session *session, bool interactive)
{
	enum outcome worst = DONE;
	while (!session->quit) {
		if (!interactive)
			session->out.line++;
		switch (input_line(session->input, "kudos> ")) {
		case INPUT_LINE:
			if (run_line(session) != DONE)
				worst = FAILED;
			break;
		case INPUT_INTERRUPTED:
			break;
		case INPUT_END:
			return interactive ? DONE : worst;
		case INPUT_FAILED:
			output_error(&session->out, kudos_error_code(KUDOS_SYSTEM),
				     "cannot read standard input: %s", strerror(errno));
			return FAILED;
		}
	}
	return interactive ? DONE : worst;
}

enum outcome repl_run(struct session *session)
{
	bool interactive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
	enum outcome outcome;
	/* Talks to nobody yet, but a malformed --leader should not wait for the first command. */
	if (!session_handle(session, &outcome))
		return outcome;
	session->input = input_new(session, interactive);
	if (!session->input)
		return session_failed(session, NULL, KUDOS_NO_MEMORY, "");
	if (interactive && !session->out.json)
		printf("Kudos " KUDOS_VERSION "; \"help\" lists the commands, Ctrl-D leaves\n");
	outcome = read_all(session, interactive);
	input_free(session->input);
	session->input = NULL;
	return outcome;
}
