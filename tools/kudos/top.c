/* SPDX-License-Identifier: MIT */
/* top: the keys with the most likes; on a terminal a view that follows them, else once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command.h"

#define BY_DEFAULT 10
#define REFRESH_MS 500
#define CLEAR "\033[H\033[J" /* to the top left, and nothing below */

static bool take_number(struct session *session, const struct arguments *arguments, size_t *n)
{
	int64_t number = BY_DEFAULT;
	if (arguments->count > 0 &&
	    (!words_integer(arguments->words[0], &number) || number < 1 || number > KUDOS_TOP_MAX)) {
		output_error(&session->out, "usage", "bad number \"%s\": 1 to %d keys",
			     printable(arguments->words[0]).text, KUDOS_TOP_MAX);
		return false;
	}
	*n = (size_t)number;
	return true;
}

static void print(const struct session *session, const struct kudos_ranked *top, size_t found)
{
	for (size_t i = 0; i < found; i++)
		output_count(&session->out, NULL, top[i].key, top[i].count);
}

/* Lines that fit on the screen below the heading. */
static size_t rows(size_t found)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 3 ||
	    found < (size_t)size.ws_row - 2)
		return found;
	return (size_t)size.ws_row - 2;
}

static int follow(struct session *session, kudos *handle, size_t n)
{
	struct interrupt interrupt;
	bool interrupted = false;
	int error = KUDOS_OK;
	if (!interrupt_begin(&interrupt, &session->out))
		return KUDOS_SYSTEM;
	while (!interrupted && !error) {
		struct kudos_ranked top[KUDOS_TOP_MAX];
		size_t found;
		error = kudos_top(handle, n, top, &found);
		if (error)
			break;
		printf(CLEAR "%sthe %zu keys with the most likes, on %s; Ctrl-C ends it%s\n",
		       output_colour(&session->out, COLOUR_BOLD), n, kudos_server(handle),
		       output_plain(&session->out));
		for (size_t i = 0; i < rows(found); i++)
			printf("%20" PRId64 "  %s\n", top[i].count, top[i].key);
		if (fflush(stdout) != 0)
			break; /* reported when the command ends */
		int64_t until = session_now_ms() + REFRESH_MS;
		for (int64_t left = REFRESH_MS; left > 0 && !interrupted && !error;
		     left = until - session_now_ms())
			error = interrupt_wait(&interrupt, handle, (int)left, &interrupted);
	}
	interrupt_end(&interrupt);
	return error;
}

enum outcome command_top(struct session *session, const struct arguments *arguments)
{
	size_t n, found;
	enum outcome outcome;
	if (!take_number(session, arguments, &n))
		return USAGE;
	kudos *handle = session_handle(session, &outcome);
	if (!handle)
		return outcome;
	int error;
	if (isatty(STDOUT_FILENO) && !session->out.json) {
		error = follow(session, handle, n);
	} else {
		struct kudos_ranked top[KUDOS_TOP_MAX];
		error = kudos_top(handle, n, top, &found);
		if (!error)
			print(session, top, found);
	}
	return error ? session_failed(session, handle, error, "") : DONE;
}
