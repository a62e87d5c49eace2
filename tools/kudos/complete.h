/* SPDX-License-Identifier: MIT */
/* Completion in the REPL: commands first, then keys, options and nodes as the command wants them. */
#ifndef KUDOS_TOOL_COMPLETE_H
#define KUDOS_TOOL_COMPLETE_H

#include <histedit.h>

struct session;

/* What libedit calls for the Tab key: returns one of its CC_ codes. */
unsigned char complete(EditLine *edit, struct session *session);

#endif
