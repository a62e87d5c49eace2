/* SPDX-License-Identifier: MIT */
/* watch: a line at every change, until Ctrl-C. */
#include <stdio.h>

#include "command.h"
#include "input.h"

static void on_change(void *arg, const char *key, int64_t count)
{
	struct session *session = arg;
	output_count(&session->out, NULL, key, count);
}

static int watch(struct session *session, kudos *handle, struct interrupt *interrupt,
		 const struct arguments *keys)
{
	/* A watch alone waits for ever when nobody is there; a count says so in time. */
	int64_t count;
	int error = kudos_count(handle, keys->words, 1, &count);
	for (size_t i = 0; i < keys->count && !error; i++)
		error = kudos_watch(handle, keys->words[i]);
	if (error)
		return error;
	if (input_is_terminal(session->input))
		fprintf(stderr, "watching; Ctrl-C ends it\n");

	bool interrupted = false;
	while (!interrupted && !error) {
		error = interrupt_wait(interrupt, handle, -1, &interrupted);
		if (fflush(stdout) != 0 || ferror(stdout))
			return KUDOS_OK; /* reported when the command ends */
	}
	if (interrupted && input_is_terminal(session->input))
		fputc('\n', stderr); /* after the terminal's ^C */
	return error;
}

enum outcome command_watch(struct session *session, const struct arguments *arguments)
{
	static const char *const by_default[] = {KUDOS_DEFAULT_KEY};
	struct arguments keys = *arguments;
	if (keys.count == 0) {
		keys.words = by_default;
		keys.count = 1;
	}
	if (!command_keys(session, keys.words, keys.count))
		return USAGE;
	enum outcome outcome;
	if (!session_handle(session, &outcome))
		return outcome;
	/* A handle of its own: there is no unwatch, and a REPL goes on to other things. */
	kudos *handle;
	int error =
	    session_open(session,
			 &(struct kudos_options){
			     .timeout_ms = session->timeout_ms, .on_change = on_change, .arg = session},
			 &handle);
	if (error)
		return FAILED;
	struct interrupt interrupt;
	outcome = FAILED;
	if (interrupt_begin(&interrupt, &session->out)) {
		error = watch(session, handle, &interrupt, &keys);
		outcome = error ? session_failed(session, handle, error, "") : DONE;
		interrupt_end(&interrupt);
	}
	kudos_close(&handle);
	return outcome;
}
