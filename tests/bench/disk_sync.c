/* SPDX-License-Identifier: MIT */
/* What the disk alone can do: appends of one journal entry each, made durable one by one.
 *
 *	disk-sync FOLDER BYTES SECONDS [PAUSE]
 *
 * The file is preallocated as the journal's segments are. PAUSE: milliseconds between two. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "samples.h"

#define FILE_BYTES ((off_t)64 << 20)

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: %s FOLDER BYTES SECONDS [PAUSE]\n", argv[0]);
		return 2;
	}
	const size_t size = (size_t)positive(argv[2]);
	const int64_t end = clock_ns() + (int64_t)(positive(argv[3]) * (double)NS_PER_S);
	char path[4096];
	snprintf(path, sizeof(path), "%s/disk-sync", argv[1]);
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	char *entry = malloc(size);
	if (fd < 0 || !entry || fallocate(fd, 0, 0, FILE_BYTES) < 0)
		give_up(path, strerror(errno));
	memset(entry, 'x', size);
	const int pause_ms = argc == 5 ? (int)positive(argv[4]) : 0;
	if (fsync(fd) < 0)
		give_up("fsync", strerror(errno));
	struct samples samples = {0};
	off_t at = 0;
	for (; clock_ns() < end && at + (off_t)size <= FILE_BYTES; at += (off_t)size) {
		const int64_t start = clock_ns();
		if (pwrite(fd, entry, size, at) != (ssize_t)size || fdatasync(fd) < 0)
			give_up("append", strerror(errno));
		samples_add(&samples, clock_ns() - start);
		if (pause_ms > 0)
			poll(NULL, 0, pause_ms);
	}
	close(fd);
	unlink(path);
	free(entry);
	samples_print(&samples);
	samples_deinit(&samples);
	return 0;
}
