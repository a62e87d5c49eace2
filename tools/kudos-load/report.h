/* SPDX-License-Identifier: MIT */
/* What the run has shown: a progress line on the terminal, and at the end a text for people or one JSON
 * object. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdbool.h>

#include "check.h"
#include "load.h"

/* Rewrites the progress line on stderr. */
void report_progress(struct load *load, int64_t now);
void report_progress_end(void);

/* Both on stdout. check: NULL when there was none. False: out of memory, or stdout takes no more. */
bool report_text(const struct load *load, const struct check *check, bool ok);
bool report_json(const struct load *load, const struct check *check, bool ok);

#endif
