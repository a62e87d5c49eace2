/* SPDX-License-Identifier: MIT */
#include "server/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

static int make_folders(char *path)
{
	for (char *at = path + 1;; at++) {
		if (*at != '/' && *at != '\0')
			continue;
		char end = *at;
		*at = '\0';
		int e = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*at = end;
		if (e < 0 || end == '\0')
			return e;
	}
}

int folder_open(const struct options *o, const char *name, char *path, size_t room, struct store **store)
{
	char error[512] = "";
	if (o->memory_only)
		return store_open_memory(store);
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (o->data)
		snprintf(path, room, "%s", o->data);
	else if (state && *state)
		snprintf(path, room, "%s/kudos/%s", state, name);
	else
		snprintf(path, room, "%s/.local/state/kudos/%s", home ? home : ".", name);
	int e = make_folders(path);
	if (e < 0)
		log_error("cannot make the data folder %s: %s; choose another --data", path, strerror(-e));
	else if ((e = store_open_disk(store, path, error, sizeof error)) < 0)
		log_error("cannot open the data folder: %s", error);
	return e;
}
