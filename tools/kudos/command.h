/* SPDX-License-Identifier: MIT */
/* The commands, the same for the command line and the REPL: one table. */
#ifndef KUDOS_TOOL_COMMAND_H
#define KUDOS_TOOL_COMMAND_H

#include "session.h"

/* What stands after a command's name, with the flags taken out. */
struct arguments {
	const char *const *words;
	size_t count;
	bool everywhere;
};

struct command {
	const char *name;
	const char *usage;
	const char *help;
	size_t most; /* words it takes at most */
	enum outcome (*run)(struct session *session, const struct arguments *arguments);
};

/* Ends with a command whose name is NULL. */
const struct command *command_table(void);

/* Runs words[0] with the rest as its arguments, and flushes stdout. Messages have been printed. */
enum outcome command_run(struct session *session, const char *const *words, size_t count);

/* Notes keys and nodes of a line that was typed before, for completion. */
void command_remember(struct session *session, const char *const *words, size_t count);

/* The commands that have a file of their own. */
enum outcome command_count(struct session *session, const struct arguments *arguments);
enum outcome command_status(struct session *session, const struct arguments *arguments);
enum outcome command_top(struct session *session, const struct arguments *arguments);
enum outcome command_watch(struct session *session, const struct arguments *arguments);
enum outcome command_many(struct session *session);

/* Checks every key, with a message naming the offending one, and remembers them for completion. */
bool command_keys(struct session *session, const char *const *keys, size_t count);

#endif
