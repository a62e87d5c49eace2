/* SPDX-License-Identifier: MIT */
/* What a start does with the journal's files: it reads them, tells damage from a torn commit, and settles
 * where the newest one ends. */
#ifndef STORE_RECOVERY_H
#define STORE_RECOVERY_H

#include "store/contents.h"

/* Notes all that is in the folder; name is its path, for the log. Fills in report. -EPROTONOSUPPORT: written
 * by a later version. When it fails *at is the segment where, or 0. */
int recovery_run(struct contents *c, int dir, const char *name, struct store_report *report, uint64_t *at);

#endif
