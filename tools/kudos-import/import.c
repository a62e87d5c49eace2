/* SPDX-License-Identifier: MIT */
#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "progress.h"
#include "send.h"

#define LIFETIME 604800	    /* seconds that the session may rest: the most there is */
#define LIFETIME_DIRECT 600 /* the same from a server that is asked without a leader */

struct import {
	const struct options *options;
	struct input *in;
	const struct survey *survey;
	struct state state;
	struct state_file file;
	struct sender *sender;
	kudos *handle;
	struct progress progress;
};

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("kudos-import: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return -1;
}

static int complain_of(const struct import *i, int error)
{
	const char *detail = kudos_detail(i->handle);
	return complain("%s", detail && *detail ? detail : kudos_error_text(error));
}

/* What may not be guessed: which batches a state is about. */
static int check_making(const struct import *i)
{
	const struct making *was = &i->state.making, *is = &i->survey->making;
	const char *file = i->options->file, *state = i->options->state;
	if (!identity_equal(&was->input, &is->input))
		return complain(
		    "%s is not what it was when this import began (then %" PRIu64 " bytes, now %" PRIu64
		    ", or others). Put the old one back, and this goes on. To import what is there now "
		    "as well, from its first row on: --state with another name than %s",
		    file, was->input.size, is->input.size, state);
	if (was->key_column != is->key_column || was->count_column != is->count_column ||
	    was->header != is->header || was->skip_bad != is->skip_bad)
		return complain("%s: this import began with --key-column %" PRIu64 " --count-column %" PRIu64
				"%s%s; go on with the same",
				state, was->key_column, was->count_column, was->header ? " --header" : "",
				was->skip_bad ? " --skip-bad" : "");
	return 0;
}

/* Which rows may have been counted and may not have. */
static int say_doubt(const struct import *i)
{
	uint64_t lines[2];
	const struct state *s = &i->state;
	if (survey_lines(i->in, i->options, s->acknowledged + 1, s->sent, lines) < 0)
		lines[0] = lines[1] = 0;
	return complain(
	    "%s: nothing was sent for so long that the cluster closed the import's session. Lines up to "
	    "%" PRIu64 " are counted, %" PRIu64 " to %" PRIu64
	    " each once or not at all (kudos count KEY shows), those behind are not. Put what is not "
	    "counted into another file, and import that",
	    i->options->file, lines[0] - 1, lines[0], lines[1]);
}

static int new_session(struct import *i)
{
	int error = kudos_session(i->handle, LIFETIME, i->state.session);
	if (error == KUDOS_LIMIT)
		error = kudos_session(i->handle, LIFETIME_DIRECT, i->state.session);
	if (error != KUDOS_OK)
		return complain_of(i, error);
	const int r = state_save(&i->file, &i->state);
	return r < 0 ? complain("%s: %s", i->options->state, strerror(-r)) : 0;
}

/* Whether the cluster knows the session still, by what was counted last in it. */
static int resume(struct import *i)
{
	const struct state *s = &i->state;
	const struct timespec pause = {.tv_nsec = 100000000};
	int error, left = i->options->timeout_ms / 100;
	do {
		error = kudos_counted(i->handle, s->session, s->acknowledged ? s->acknowledged : 1);
		if (error == KUDOS_NOT_COUNTED && s->acknowledged > 0)
			nanosleep(&pause, NULL);
	} while (error == KUDOS_NOT_COUNTED && s->acknowledged > 0 && left-- > 0);
	if (error == KUDOS_OK || (error == KUDOS_NOT_COUNTED && s->acknowledged == 0))
		return 0;
	if (error == KUDOS_EXPIRED && s->acknowledged == s->sent)
		return new_session(i); /* all that was sent is counted: nothing is in doubt */
	if (error == KUDOS_EXPIRED)
		return say_doubt(i);
	if (error == KUDOS_NOT_ISSUED || error == KUDOS_UNKNOWN_SESSION)
		return complain(
		    "this is not the cluster in which the import of %s began (or it was made anew since): "
		    "no session there is the one in %s",
		    i->options->file, i->options->state);
	if (error == KUDOS_NOT_COUNTED)
		return complain(
		    "%s has not counted what was acknowledged before: it is cut off from the others, or "
		    "an older copy of the cluster is running. Go on once that is mended",
		    kudos_server(i->handle));
	return complain_of(i, error);
}

/* 1: it goes on; 0: all is done; -1: it cannot, and it was said why. */
static int prepare(struct import *i)
{
	char why[PATH_MAX + 512] = "";
	struct kudos_options options = i->options->kudos;
	const int r = state_open(&i->file, i->options->state, &i->state, why, sizeof why);
	if (r < 0)
		return complain("%s", why);
	if (r == 1 && check_making(i) < 0)
		return -1;
	if (r == 1 && i->state.acknowledged == i->state.batches)
		return 0;
	options.why = why;
	options.why_size = sizeof why;
	options.on_put = sender_on_put;
	options.arg = i->sender;
	const int error = kudos_open(&i->handle, &options);
	if (error != KUDOS_OK)
		return complain("%s", *why ? why : kudos_error_text(error));
	if (r == 1)
		return resume(i) < 0 ? -1 : 1;
	i->state = (struct state){.making = i->survey->making, .batches = i->survey->batches};
	return new_session(i) < 0 ? -1 : 1;
}

static void show(void *arg, uint64_t rows)
{
	progress_show(arg, rows);
}

static enum outcome conclude(struct import *i, enum sent sent, int error)
{
	struct kudos_status *status = NULL;
	switch (sent) {
	case SENT_ALL:
		return IMPORT_DONE;
	case SENT_INTERRUPTED:
		complain("interrupted; the same command again goes on");
		return IMPORT_INTERRUPTED;
	case SENT_REFUSED:
		if (error == KUDOS_EXPIRED)
			say_doubt(i);
		else
			complain("%s", kudos_error_text(error));
		break;
	case SENT_SILENCE:
		error = kudos_status(i->handle, &status);
		free(status);
		if (error != KUDOS_OK)
			complain_of(i, error);
		complain("nothing was acknowledged for %g s; the same command again goes on",
			 i->options->timeout_ms / 1000.0);
		break;
	case SENT_SYSTEM:
		complain("%s: %s", i->options->file, strerror(-error));
		break;
	case SENT_UNSAVED:
		complain("%s: %s", i->options->state, strerror(-error));
		break;
	}
	return IMPORT_FAILED;
}

/* Sends the batches of the file as it is read once more; it must be the same to its end. */
static enum outcome send_all(struct import *i, struct batches *batches, struct batch *spare,
			     const volatile sig_atomic_t *interrupts, uint64_t *rows)
{
	const struct sending sending = {.handle = i->handle,
					.state = &i->state,
					.file = &i->file,
					.batches = batches,
					.timeout_ms = i->options->timeout_ms,
					.interrupts = interrupts,
					.progress = show,
					.arg = &i->progress};
	struct identity identity;
	int error;
	const enum sent sent = sender_run(i->sender, &sending, &error, rows);
	progress_end(&i->progress);
	if (sent != SENT_ALL)
		return conclude(i, sent, error);
	while (batches_next(batches, spare) == 1)
		continue;
	input_identity(i->in, &identity);
	if (identity_equal(&identity, &i->survey->making.input))
		return IMPORT_DONE;
	complain(
	    "%s was changed while it was imported; what is counted is neither the old one nor the new one",
	    i->options->file);
	return IMPORT_FAILED;
}

static enum outcome run(struct import *i, const volatile sig_atomic_t *interrupts, uint64_t *rows)
{
	char why[256] = "";
	struct rows source = {0};
	struct batches batches = {.rows = &source};
	struct batch *spare = malloc(sizeof *spare);
	enum outcome outcome = IMPORT_FAILED;
	int r = spare ? input_rewind(i->in) : -ENOMEM;
	if (r == 0)
		r = rows_init(&source, &i->options->columns, input_read, i->in, why, sizeof why);
	if (r == 0)
		outcome = send_all(i, &batches, spare, interrupts, rows);
	else
		complain("%s: %s", i->options->file, *why ? why : strerror(-r));
	rows_deinit(&source);
	free(spare);
	return outcome;
}

enum outcome import_run(const struct options *options, struct input *in, const struct survey *survey,
			const volatile sig_atomic_t *interrupts, uint64_t *rows, bool *resumed)
{
	struct import i = {.options = options,
			   .in = in,
			   .survey = survey,
			   .file.fd = -1,
			   .sender = sender_new(),
			   .progress = progress_new("imported", survey->rows)};
	enum outcome outcome = IMPORT_FAILED;
	const int ready = i.sender ? prepare(&i) : complain("%s", strerror(ENOMEM));
	*resumed = ready >= 0 && i.state.acknowledged > 0;
	if (ready == 0) {
		outcome = IMPORT_WAS_DONE;
		*rows = survey->rows;
	} else if (ready > 0) {
		outcome = run(&i, interrupts, rows);
	}
	if (outcome == IMPORT_DONE) {
		*rows = survey->rows;
		kudos_session_close(i.handle, i.state.session); /* if it fails: it ends by itself in a week */
	}
	kudos_close(&i.handle);
	state_close(&i.file);
	sender_free(i.sender);
	return outcome;
}
