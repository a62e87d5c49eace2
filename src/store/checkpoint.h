/* SPDX-License-Identifier: MIT */
/* The checkpoint on disk: one LMDB file, changed by a worker thread, one transaction a checkpoint. Functions
 * are those of struct store_ops. Nothing here waits for the worker but checkpoint_close. */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include "store/store.h"

struct checkpoint;

/* map_size bounds the file's size; only address space is taken. error receives a text when it fails. */
int checkpoint_open(struct checkpoint **checkpoint, const char *path, size_t map_size, char *error,
		    size_t error_size);
/* For cursors alone, beside a server that may be using it. -ENOENT: there is none. */
int checkpoint_open_beside(struct checkpoint **checkpoint, const char *path, char *error, size_t error_size);
void checkpoint_close(struct checkpoint *c); /* takes NULL; finishes what the worker is at */

int checkpoint_begin(struct checkpoint *c, bool wipe); /* -EBUSY: one is begun or being written */
int checkpoint_put(struct checkpoint *c, const void *key, size_t key_size, const void *value,
		   size_t value_size);
int checkpoint_commit(struct checkpoint *c);
int checkpoint_poll(struct checkpoint *c);
void checkpoint_abandon(struct checkpoint *c);

int checkpoint_cursor_open(struct checkpoint *c, struct store_cursor **cursor);
int checkpoint_cursor_next(struct store_cursor *cursor, const uint8_t **key, size_t *key_size,
			   const uint8_t **value, size_t *value_size);
void checkpoint_cursor_close(struct store_cursor *cursor);

#endif
