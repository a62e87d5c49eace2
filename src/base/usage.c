/* SPDX-License-Identifier: MIT */
#include "base/usage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptors.h"

/* The second number of statm, in pages. */
int64_t usage_memory(void)
{
	char line[128] = "";
	int fd = descriptors_open(AT_FDCWD, "/proc/self/statm", O_RDONLY, 0);
	if (fd < 0)
		return 0;
	ssize_t size = read(fd, line, sizeof line - 1);
	close(fd);
	const char *second = size > 0 ? strchr(line, ' ') : NULL;
	return second ? strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

int64_t usage_processor(void)
{
	struct timespec t = {0};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
