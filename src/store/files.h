/* SPDX-License-Identifier: MIT */
/* Files and folders: whole reads and writes, errors as negative errno. */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Appends the whole file to out. -EFBIG when it is longer than `most`, -ENOMEM. */
int files_read_all(int fd, struct bytes *out, size_t most);
/* The same, by name. */
int files_read_named(int dir, const char *name, struct bytes *out, size_t most);
int files_read_exactly(int fd, void *data, size_t size, uint64_t offset); /* -EIO when the file ends before */
int files_write_all(int fd, const void *data, size_t size, uint64_t offset);
/* A new file with room for so many bytes, durably in its folder. Its descriptor. */
int files_create(int dir, const char *name, uint64_t size);
int files_reserve(int fd, uint64_t size); /* of a new file, where the file system can */
int files_sync(int fd);			  /* fsync, of a file or a folder */
/* When the file was made, in nanoseconds since 1970. No copy of it can have that too: programs that copy keep
 * times of change, never this one. 0: the file system does not know. */
uint64_t files_birth(int fd);

/* Calls fn for each name in the folder, in no order, until it answers other than 0, which is returned. */
int files_list(int dir, int (*fn)(void *arg, const char *name), void *arg);

/* Opens the folder, making it and those it is in when they are missing; all of these are durable. */
int files_open_dir(const char *path, int *dir);

#endif
