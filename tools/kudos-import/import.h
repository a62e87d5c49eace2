/* SPDX-License-Identifier: MIT */
/* An import once its file has been looked at: begun, or gone on with where the state says. */
#ifndef IMPORT_IMPORT_H
#define IMPORT_IMPORT_H

#include <signal.h>

#include "survey.h"

enum outcome { IMPORT_DONE, IMPORT_WAS_DONE, IMPORT_INTERRUPTED, IMPORT_FAILED };

/* Says on stderr what went wrong, and what to do. rows: how many are counted by now; resumed:
 * some of them were when it began. */
enum outcome import_run(const struct options *options, struct input *in, const struct survey *survey,
			const volatile sig_atomic_t *interrupts, uint64_t *rows, bool *resumed);

#endif
