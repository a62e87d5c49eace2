/* SPDX-License-Identifier: MIT */
/* Completion, in the REPL and in shells: commands first, then keys, options and nodes as the command's usage
 * says. */
#ifndef KUDOS_TOOL_COMPLETE_H
#define KUDOS_TOOL_COMPLETE_H

#include <histedit.h>
#include <stdbool.h>
#include <stddef.h>

struct session;

/* What may stand as the nth word after command (NULL: as the command itself), with its meaning or NULL. */
typedef void (*complete_fn)(void *arg, const char *word, const char *help);
void complete_gather(const struct session *session, const char *command, size_t nth, complete_fn offer,
		     void *arg);
/* Whether that is a node, so that it pays to ask which there are. */
bool complete_wants_node(const char *command, size_t nth);

/* What libedit calls for the Tab key: returns one of its CC_ codes. */
unsigned char complete(EditLine *edit, struct session *session);

#endif
