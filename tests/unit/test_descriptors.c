/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/descriptors.h"

static void use_up_all(void)
{
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		;
	cr_assert(errno == EMFILE);
}

Test(descriptors, opens_a_file_when_connections_have_used_up_the_others)
{
	struct rlimit limit = {.rlim_cur = 600, .rlim_max = 600};
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	descriptors_allow_many();
	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	cr_assert(limit.rlim_cur == 600 - DESCRIPTORS_KEPT && limit.rlim_max == 600);
	use_up_all();
	for (int i = 0; i < DESCRIPTORS_KEPT; i++)
		cr_assert(descriptors_open(AT_FDCWD, "/dev/null", O_RDONLY, 0) >= 0);
	cr_assert(descriptors_open(AT_FDCWD, "/dev/null", O_RDONLY, 0) == -EMFILE);
	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	cr_assert(limit.rlim_cur == 600 - DESCRIPTORS_KEPT, "connections still get no more than before");
	cr_assert(open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 && errno == EMFILE);
}

Test(descriptors, keeps_none_where_there_are_few)
{
	struct rlimit limit = {.rlim_cur = 100, .rlim_max = 200};
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	descriptors_allow_many();
	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	cr_assert(limit.rlim_cur == 200);
	cr_assert(descriptors_open(AT_FDCWD, "/no/such/file", O_RDONLY, 0) == -ENOENT);
}
