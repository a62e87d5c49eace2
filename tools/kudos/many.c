/* SPDX-License-Identifier: MIT */
/* like many: asks for a pause and an amount, then sends that many single likes of the default key. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "input.h"

#define AMOUNT_MAX 1000000000 /* a slip of a digit or two should not run for days */
#define BURST 256	      /* likes sent between two looks at the network and at Ctrl-C */

struct many {
	struct session *session;
	kudos *handle;
	struct interrupt interrupt;
	int64_t pause_ms;
	uint64_t amount, sent;
	uint64_t resolved; /* as last looked at */
	int64_t deadline;  /* by then something more must have been acknowledged */
	bool interrupted;
	int error;
};

/* Drives the handle. What is unacknowledged may not stand still for longer than --timeout. */
static void drive(struct many *many, int ms)
{
	int error = interrupt_wait(&many->interrupt, many->handle, ms, &many->interrupted);
	int64_t now = session_now_ms();
	uint64_t resolved = kudos_resolved(many->handle);
	if (resolved != many->resolved || resolved == kudos_taken(many->handle)) {
		many->resolved = resolved;
		many->deadline = now + many->session->timeout_ms;
	}
	if (!error && now >= many->deadline)
		error = KUDOS_TIMEOUT;
	many->error = error;
}

static int until(int64_t when)
{
	int64_t left = when - session_now_ms();
	return left > 0 ? (int)left : 0;
}

static void pause_between(struct many *many)
{
	int64_t next = session_now_ms() + many->pause_ms;
	do {
		int64_t limit = next < many->deadline ? next : many->deadline;
		drive(many, until(limit));
	} while (!many->interrupted && !many->error && session_now_ms() < next);
}

static void send_all(struct many *many)
{
	while (many->sent < many->amount && !many->interrupted && !many->error) {
		int error = kudos_send(many->handle, KUDOS_DEFAULT_KEY, 1, NULL);
		if (error == KUDOS_BUSY) {
			drive(many, until(many->deadline));
			continue;
		}
		if (error) {
			many->error = error;
			return;
		}
		many->sent++;
		if (many->pause_ms > 0 && many->sent < many->amount)
			pause_between(many);
		else if (many->sent % BURST == 0)
			drive(many, 0);
	}
}

/* Waits for the acknowledgements of what was sent; a second Ctrl-C ends that too. */
static void settle(struct many *many)
{
	bool stopped = many->interrupted;
	many->interrupted = false;
	while (kudos_resolved(many->handle) < kudos_taken(many->handle) && !many->error && !many->interrupted)
		drive(many, until(many->deadline));
	many->interrupted |= stopped;
	if (many->interrupted && input_is_terminal(many->session->input))
		fputc('\n', stderr); /* after the terminal's ^C */
}

static enum outcome report(struct many *many)
{
	struct session *session = many->session;
	const struct tally *tally = &session->tally;
	if (!many->error && !many->interrupted && tally->acknowledged == many->amount)
		return DONE;
	char refused[160] = "";
	if (tally->refused)
		snprintf(refused, sizeof(refused), ", %" PRIu64 " refused (%s)", tally->refused,
			 kudos_error_text(tally->error));
	int error = many->error ? many->error : tally->in_doubt ? KUDOS_IN_DOUBT : tally->error;
	output_error(&session->out, error ? kudos_error_code(error) : "interrupted",
		     "%s: of %" PRIu64 " likes %" PRIu64 " were sent, %" PRIu64 " acknowledged, %" PRIu64
		     " in doubt%s",
		     many->error	 ? kudos_error_text(many->error)
		     : many->interrupted ? "interrupted"
					 : "not all were acknowledged",
		     many->amount, many->sent, tally->acknowledged, tally->in_doubt, refused);
	return FAILED;
}

/* The first word of the answer to one question; NULL when there was none (said, unless by Ctrl-C). */
static const char *ask(struct session *session, const char *prompt)
{
	switch (input_line(session->input, prompt)) {
	case INPUT_LINE:
		if (session->out.line)
			session->out.line++;
		return input_word(session->input);
	case INPUT_INTERRUPTED:
		return NULL;
	default:
		output_error(&session->out, "usage",
			     "like many wants two lines of input: a pause in seconds and an amount");
		return NULL;
	}
}

static bool ask_both(struct session *session, struct many *many)
{
	double seconds;
	int64_t amount;
	const char *word = ask(session, "pause in seconds: ");
	if (!word)
		return false;
	if (!words_seconds(word, &seconds)) {
		output_error(&session->out, "usage",
			     "bad pause \"%s\": seconds from 0 to 86400, such as 0 or 0.25",
			     printable(word).text);
		return false;
	}
	word = ask(session, "how many likes: ");
	if (!word)
		return false;
	if (!words_integer(word, &amount) || amount < 1 || amount > AMOUNT_MAX) {
		output_error(&session->out, kudos_error_code(KUDOS_BAD_AMOUNT),
			     "bad amount \"%s\": a whole number from 1 to %d", printable(word).text,
			     AMOUNT_MAX);
		return false;
	}
	many->pause_ms = (int64_t)ceil(seconds * 1000);
	many->amount = (uint64_t)amount;
	return true;
}

enum outcome command_many(struct session *session)
{
	static const char *const key[] = {KUDOS_DEFAULT_KEY};
	struct many many = {.session = session};
	enum outcome outcome;
	int64_t count;
	if (!ask_both(session, &many))
		return USAGE;
	many.handle = session_handle(session, &outcome);
	if (!many.handle)
		return outcome;
	/* Says at once, and why, when nobody is there to take the likes. */
	int error = kudos_count(many.handle, key, 1, &count);
	if (error)
		return session_failed(session, many.handle, error, "");

	if (!interrupt_begin(&many.interrupt, &session->out))
		return FAILED;
	if (input_is_terminal(session->input))
		fprintf(stderr, "sending; Ctrl-C ends it\n");
	session->tally = (struct tally){.after = kudos_taken(many.handle)};
	many.resolved = kudos_resolved(many.handle);
	many.deadline = session_now_ms() + session->timeout_ms;
	send_all(&many);
	settle(&many);
	interrupt_end(&many.interrupt);

	outcome = report(&many);
	if (many.error)
		return outcome;
	error = kudos_count(many.handle, key, 1, &count);
	if (error)
		return session_failed(session, many.handle, error, "");
	output_count(&session->out, NULL, KUDOS_DEFAULT_KEY, count);
	return outcome;
}
