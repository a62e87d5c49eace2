/* SPDX-License-Identifier: MIT */
/* A file's name is on disk once the folder that it is in was flushed; fsync of the file says nothing of it.
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

/* Flushes the folder that path is in. A negative errno. */
int names_sync(const char *path);

#endif
