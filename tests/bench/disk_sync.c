/* SPDX-License-Identifier: MIT */
/* What the disk alone can do: appends of one journal entry each, made durable one by one.
 *
 *	disk-sync FOLDER BYTES SECONDS [PAUSE]
 *	disk-sync FOLDER BYTES SECONDS every MS
 *
 * The file is preallocated as the journal's segments are. PAUSE: milliseconds between two. every: one is due
 *each so many milliseconds, whether the one before is done or not, and its time counts from then. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "samples.h"

#define FILE_BYTES ((off_t)64 << 20)

/* Waits for the moment, when it is still to come. */
static void wait_for(int64_t moment)
{
	int64_t left;
	while ((left = moment - clock_ns()) > 0) {
		const struct timespec time = {left / NS_PER_S, left % NS_PER_S};
		pselect(0, NULL, NULL, NULL, &time, NULL);
	}
}

int main(int argc, char **argv)
{
	const bool due = argc == 6 && strcmp(argv[4], "every") == 0;
	if (argc < 4 || (argc > 5 && !due)) {
		fprintf(stderr, "usage: %s FOLDER BYTES SECONDS [PAUSE | every MS]\n", argv[0]);
		return 2;
	}
	const size_t size = (size_t)positive(argv[2]);
	const double seconds = positive(argv[3]);
	const int pause_ms = argc == 5 ? (int)positive(argv[4]) : 0;
	const int64_t every = due ? (int64_t)(positive(argv[5]) * (double)(NS_PER_S / 1000)) : 0;
	const off_t room =
	    due ? (off_t)size * (off_t)(seconds * (double)NS_PER_S / (double)every + 1) : FILE_BYTES;
	const int fd = open_aside(argv[1], room);
	char *entry = malloc(size);
	if (!entry)
		give_up("entry", "out of memory");
	memset(entry, 'x', size);
	struct samples samples = {0};
	int64_t next = clock_ns();
	const int64_t end = next + (int64_t)(seconds * (double)NS_PER_S);
	for (off_t at = 0; clock_ns() < end && at + (off_t)size <= room; at += (off_t)size) {
		if (due)
			wait_for(next);
		const int64_t start = due ? next : clock_ns();
		if (pwrite(fd, entry, size, at) != (ssize_t)size || fdatasync(fd) < 0)
			give_up("append", strerror(errno));
		samples_add(&samples, clock_ns() - start);
		next += every;
		if (pause_ms > 0)
			poll(NULL, 0, pause_ms);
	}
	close(fd);
	free(entry);
	samples_print(&samples);
	samples_deinit(&samples);
	return 0;
}
