/* SPDX-License-Identifier: MIT */
/* Old segments go aside and in pieces. */
#include "unit/store_folder.h"

#include <sys/syscall.h>

#include "store/segment.h"
#include "store/sweep.h"

#define MIB ((off_t)1 << 20)
#define SIZE (4 * MIB + 8) /* of each segment */

static struct sweep sweep;
static int dir;
static bool synced;    /* the folder, since a name went */
static bool paused;    /* the sweep goes on only when it is in a hurry */
static off_t longest;  /* that was given back at once */
static unsigned times; /* something was */

/* Instead of the C library's. */
__attribute__((visibility("default"))) int ftruncate(int fd, off_t to)
{
	struct stat st;
	if (!atomic_load(&sweep.working)) /* it is the test framework's */
		return (int)syscall(SYS_ftruncate, fd, to);
	cr_assert(fstat(fd, &st) == 0);
	cr_assert(st.st_nlink == 0, "a segment with a name lost its end");
	cr_assert(synced, "a power loss brings back the name of a file that lost its end");
	times++;
	longest = st.st_size - to > longest ? st.st_size - to : longest;
	int r = (int)syscall(SYS_ftruncate, fd, to);
	while (paused && !atomic_load(&sweep.hurry))
		sched_yield();
	return r;
}

__attribute__((visibility("default"))) int unlinkat(int from, const char *name, int flags)
{
	synced = false;
	return (int)syscall(SYS_unlinkat, from, name, flags);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	synced = synced || fd == dir;
	return (int)syscall(SYS_fsync, fd);
}

static struct folder folder_with(unsigned segments)
{
	struct folder f = folder_new();
	char path[400];
	for (unsigned i = 1; i <= segments; i++) {
		segment_path(&f, i, path);
		file_write(path, (const uint8_t *)"x", 1);
		cr_assert(truncate(path, SIZE) == 0);
	}
	dir = open(f.path, O_RDONLY | O_DIRECTORY);
	cr_assert(dir >= 0);
	return f;
}

static void end(const struct folder *f)
{
	cr_assert(sweep_end(&sweep) == 0);
	cr_assert(folder_journals(f) == 1, "%zu", folder_journals(f));
	close(dir);
	folder_remove(f);
}

Test(sweep, gives_back_in_pieces_what_has_no_name_any_more)
{
	struct folder f = folder_with(3);
	sweep_begin(&sweep, dir, 1, 2);
	int64_t deadline = clock_now() + 60 * SECOND;
	while (sweep_works(&sweep)) {
		cr_assert(clock_now() < deadline, "it does not end");
		sched_yield();
	}
	cr_assert(longest == MIB && times == 2 * 5, "%u pieces, the longest of %jd bytes", times,
		  (intmax_t)longest);
	end(&f);
}

Test(sweep, is_quick_when_somebody_waits)
{
	struct folder f = folder_with(3);
	paused = true;
	sweep_begin(&sweep, dir, 1, 2);
	end(&f);
	cr_assert(times <= 1, "%u", times);
}

Test(sweep, of_what_is_gone_already_is_done)
{
	struct folder f = folder_with(1);
	sweep_begin(&sweep, dir, 7, 8);
	end(&f);
	cr_assert(times == 0);
}
