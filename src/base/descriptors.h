/* SPDX-License-Identifier: MIT */
/* File descriptors. Each connection is one, strangers' too, and there are only so many: those that a server
 * needs for its own files are kept from being used up by connections. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/types.h>

#define DESCRIPTORS_KEPT 128

/* Raises this process's limit of open files to what the system allows, less DESCRIPTORS_KEPT. Once, at a
 * daemon's start. */
void descriptors_allow_many(void);

/* Whether all that is opened from now on gets the kept ones, too; connections that come in the meantime get
 * them as well. */
void descriptors_use_kept(bool use);

/* openat(2), close-on-exec, into the kept ones when there are no others left. A descriptor or a negative
 * errno. */
int descriptors_open(int dir, const char *name, int flags, mode_t mode);

#endif
