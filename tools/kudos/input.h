/* SPDX-License-Identifier: MIT */
/* Lines from standard input: with editing, history and completion on a terminal, plain on a pipe. */
#ifndef KUDOS_TOOL_INPUT_H
#define KUDOS_TOOL_INPUT_H

#include <stdbool.h>

struct input;
struct session;

enum input_result { INPUT_LINE, INPUT_INTERRUPTED, INPUT_END, INPUT_FAILED };

/* edit: with libedit (for a REPL on a terminal); session gives it words to complete. NULL: out of memory. */
struct input *input_new(struct session *session, bool edit);
void input_free(struct input *input);

bool input_is_terminal(const struct input *input);

/* Reads a line; the prompt is shown on a terminal only. Ctrl-C gives INTERRUPTED, Ctrl-D or the end of a pipe
 * END. */
enum input_result input_line(struct input *input, const char *prompt);

/* The line read last, without its end, and whether a NUL byte hides a part of it. Yours to change, until the
 * next input_line(). */
char *input_text(struct input *input);
bool input_has_nul(const struct input *input);

/* Its first word; "" when there is none. Changes the text. */
const char *input_word(struct input *input);

/* Puts a line into the history, in memory and (when there is one) in its file. */
void input_remember(struct input *input, const char *line);

#endif
