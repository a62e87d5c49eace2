/* SPDX-License-Identifier: MIT */
/* What the commands share: the flags, the handle to the cluster, where lines come from, where output goes. */
#ifndef KUDOS_TOOL_SESSION_H
#define KUDOS_TOOL_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "kudos.h"
#include "output.h"
#include "words.h"

struct input;

/* What becomes of a command; also the exit status. */
enum outcome { DONE = 0, FAILED = 1, USAGE = 2 };

/* What became of the likes taken since tally_after, for `like many`. */
struct tally {
	uint64_t after; /* a ticket */
	uint64_t acknowledged, in_doubt, refused;
	int error; /* why the last one was refused */
};

struct session {
	const char *leaders, *server;
	const char *key, *trust; /* CURVE; both NULL: without */
	int timeout_ms;
	struct output out;
	struct input *input; /* where `like many` asks; also the REPL's lines */
	kudos *handle;	     /* opened at first need */
	struct tally tally;
	struct word_set keys, nodes; /* met in this session, for completion */
	bool quit;
};

void session_deinit(struct session *session);

/* The session's handle; NULL after a message. outcome: USAGE when an endpoint is malformed, else FAILED. */
kudos *session_handle(struct session *session, enum outcome *outcome);

/* A further handle on the same ZeroMQ context, for server (NULL: as the flags say), to be closed by the
 * caller before the session ends. An error has been reported. */
int session_open(struct session *session, const struct kudos_options *options, kudos **handle);

/* Reports a failed call on handle. prefix (may be "") goes before the message. FAILED, or USAGE for BAD_*. */
enum outcome session_failed(struct session *session, const kudos *handle, int error, const char *prefix);

/* Monotonic, in milliseconds. */
int64_t session_now_ms(void);

/* While an interrupt is open, Ctrl-C does not end the process but is told by interrupt_wait(). */
struct interrupt {
	int fd;
	sigset_t before;
};

/* False, with a message, when the system refuses. */
bool interrupt_begin(struct interrupt *interrupt, const struct output *out);
void interrupt_end(struct interrupt *interrupt);

/* Whether Ctrl-C was pressed since this was last asked. */
bool interrupt_pressed(const struct interrupt *interrupt);

/* Drives handle until something happened, ms passed (negative: no limit) or Ctrl-C was pressed. Errors:
 * NO_MEMORY, SYSTEM. */
int interrupt_wait(struct interrupt *interrupt, kudos *handle, int ms, bool *interrupted);

#endif
