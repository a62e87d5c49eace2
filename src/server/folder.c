/* SPDX-License-Identifier: MIT */
#include "server/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "store/disk.h"
#include "store/memory.h"
#include "store/nats_open.h"
#include "store/shared.h"

#define AT_HAND ((size_t)64 << 20) /* bytes of records in memory, where they are in a stream */

static int open_folder(const struct options *o, const char *name, char *path, size_t room,
		       struct store **store)
{
	char error[512] = "";
	if (o->memory_only)
		return memory_open(store);
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (o->data)
		snprintf(path, room, "%s", o->data);
	else if (state && *state)
		snprintf(path, room, "%s/kudos/%s", state, name);
	else
		snprintf(path, room, "%s/.local/state/kudos/%s", home ? home : ".", name);
	int e = disk_open(store, path, NULL, error, sizeof error);
	if (e < 0)
		log_error("cannot open the data folder: %s", error);
	return e;
}

/* Over the folder: what is not a record of this server stays there. */
static int open_stream(const struct options *o, const char *dir, struct store **store)
{
	char error[700] = "";
	struct stream *stream;
	const struct nats_options options = {.names = &o->stream,
					     .creds = o->nats_creds,
					     .ca = o->nats_ca,
					     .dir = o->memory_only ? NULL : dir};
	int e = nats_open(&stream, &options, error, sizeof error);
	if (e < 0) {
		(*store)->ops->close(*store);
		log_error("cannot open the journal: %s", error);
		return e;
	}
	return shared_open(store, *store, stream, AT_HAND);
}

int folder_open(const struct options *o, const char *name, char *path, size_t room, struct store **store)
{
	char identity[4200];
	int e = open_folder(o, name, path, room, store);
	if (e == 0 && o->journal)
		return open_stream(o, path, store);
	snprintf(identity, sizeof identity, "%s/" NATS_IDENTITY, path);
	if (e == 0 && !o->memory_only && access(identity, F_OK) == 0) {
		(*store)->ops->close(*store);
		log_error("the records of %s are in a stream (%s says which): give its --journal, or wipe "
			  "the folder "
			  "to join as a new node",
			  path, identity);
		return -EXDEV;
	}
	return e;
}
