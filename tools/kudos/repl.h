/* SPDX-License-Identifier: MIT */
/* The loop that reads commands line by line, from a terminal or a pipe. */
#ifndef KUDOS_TOOL_REPL_H
#define KUDOS_TOOL_REPL_H

#include "session.h"

/* Until `exit` or the end of the input. On a pipe FAILED when any command failed; on a terminal the user has
 * seen what failed, and it is DONE. */
enum outcome repl_run(struct session *session);

#endif
