/* SPDX-License-Identifier: MIT */
/* The folder that a server keeps its data in. */
#ifndef SERVER_FOLDER_H
#define SERVER_FOLDER_H

#include <stddef.h>

#include "server/options.h"
#include "store/store.h"

/* Opens the store: in memory when the options say so, else in the folder that they name, or the user's own
 * for a server of that name; it is made when it is not there, and path is told which. 0, or a negative errno
 * that has been logged. */
int folder_open(const struct options *o, const char *name, char *path, size_t room, struct store **store);

#endif
