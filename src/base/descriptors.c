/* SPDX-License-Identifier: MIT */
#include "base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

void descriptors_use_kept(bool use)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (!use && limit.rlim_cur / 4 > DESCRIPTORS_KEPT)
		limit.rlim_cur -= DESCRIPTORS_KEPT;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void descriptors_allow_many(void)
{
	descriptors_use_kept(false);
}

/* The limit holds for the whole process: while it is raised here a connection may get in, too. That is one or
 * two for a file, and files are opened every few seconds. */
int descriptors_open(int dir, const char *name, int flags, mode_t mode)
{
	struct rlimit usual, raised;
	int fd = openat(dir, name, flags | O_CLOEXEC, mode);

	if (fd >= 0 || errno != EMFILE)
		return fd >= 0 ? fd : -errno;
	if (getrlimit(RLIMIT_NOFILE, &usual) < 0)
		return -EMFILE;
	raised = usual;
	raised.rlim_cur = usual.rlim_max;
	setrlimit(RLIMIT_NOFILE, &raised);
	fd = openat(dir, name, flags | O_CLOEXEC, mode);
	if (fd < 0)
		fd = -errno;
	setrlimit(RLIMIT_NOFILE, &usual);
	return fd;
}
