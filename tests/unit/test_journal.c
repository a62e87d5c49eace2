/* SPDX-License-Identifier: MIT */
/* The journal's files: what a crash, a flipped bit, a full disk leave behind. */
#include "unit/store_folder.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/index.h"
#include "store/segment.h"
#include "unit/random.h"
#include "unit/seed.h"
#include "unit/store_damage.h"

static void commit_three_groups(struct store *s)
{
	cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), "me", 2) == 0);
	append_commit(s, at(1, 1));
	cr_assert(append(s, at(1, 2)) == 0);
	append_commit(s, at(2, 1));
	cr_assert(append(s, at(1, 3)) == 0);
	cr_assert(append(s, at(2, 2)) == 0);
	append_commit(s, at(1, 4));
}

Test(journal, reopening_gives_what_was_committed)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1 << 16);
	commit_three_groups(s);
	cr_assert(append(s, at(1, 5)) == 0); /* not committed */
	s->ops->close(s);
	for (int i = 0; i < 3; i++) {
		s = disk_new(&f, 1 << 16);
		cr_assert(s->report.entries == 7 && s->report.torn_bytes == 0 &&
			  s->report.damaged_bytes == 0);
		expect_replay(s, "meta(me) 1:1 1:2 2:1 1:3 2:2 1:4 ");
		cr_assert(check_read(s, at(1, 4)) == 0);
		cr_assert(check_read(s, at(1, 5)) == 1);
		s->ops->close(s);
	}
	cr_assert(folder_journals(&f) == 1, "a start without a commit leaves no file");
	s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 5));
	expect_replay(s, "meta(me) 1:1 1:2 2:1 1:3 2:2 1:4 meta(me) 1:5 ");
	s->ops->close(s);
	cr_assert(folder_journals(&f) == 2);
	folder_remove(&f);
	assert_no_leak();
}

Test(journal, a_second_user_of_the_folder_is_refused)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096), *other = NULL;
	char error[300] = "";
	cr_assert(disk_open(&other, f.path, NULL, error, sizeof error) == -EWOULDBLOCK);
	cr_assert(other == NULL);
	cr_assert(strstr(error, f.path) && strstr(error, "another process"), "%s", error);
	cr_assert(disk_open(&other, f.path, NULL, NULL, 0) == -EWOULDBLOCK);
	s->ops->close(s);
	cr_assert(disk_open(&other, f.path, NULL, NULL, 0) == 0);
	other->ops->close(other);
	cr_assert(disk_open(&other, "/dev/null/folder", NULL, error, sizeof error) == -ENOTDIR);
	cr_assert(strstr(error, "/dev/null/folder"), "%s", error);
	folder_remove(&f);
	assert_no_leak();
}

Test(journal, a_folder_that_is_missing_is_made)
{
	struct folder f = folder_new();
	cr_assert(rmdir(f.path) == 0);
	struct store *s = disk_new(&f, 4096);
	s->ops->close(s);
	folder_remove(&f);
}

/* The first segment's bytes after commit_three_groups and a crash, without preallocated space. */
static uint8_t *three_groups(struct folder *f, size_t *size)
{
	struct store *s = disk_new(f, 1 << 16);
	commit_three_groups(s);
	size_t end = s->ops->journal_bytes(s);
	s->ops->close(s);
	char path[400];
	segment_path(f, 1, path);
	uint8_t *data = file_read(path, size);
	*size = end;
	return data;
}

static const char *const prefixes[] = {
    "",
    "meta(me) ",
    "meta(me) 1:1 ",
    "meta(me) 1:1 1:2 ",
    "meta(me) 1:1 1:2 2:1 ",
    "meta(me) 1:1 1:2 2:1 1:3 ",
    "meta(me) 1:1 1:2 2:1 1:3 2:2 ",
    "meta(me) 1:1 1:2 2:1 1:3 2:2 1:4 ",
};

/* Opens the folder on this one segment and says how many entries of three_groups are there, which must be a
 * prefix; then that the journal can be gone on with and opened again to the same. */
static size_t open_prefix(struct folder *f, const uint8_t *data, size_t size)
{
	char path[400];
	for (unsigned number = 2; number < 5; number++) {
		segment_path(f, number, path);
		unlink(path);
	}
	segment_path(f, 1, path);
	file_write(path, data, size);
	struct store *s = disk_new(f, 1 << 16);
	struct trace t;
	trace_replay(s, &t);
	size_t n = s->report.entries;
	cr_assert(n < 8 && strcmp(t.text, prefixes[n]) == 0, "%zu: %s", n, t.text);
	cr_assert(s->report.damaged_bytes == 0);
	append_commit(s, at(3, 1));
	s->ops->close(s);
	s = disk_new(f, 1 << 16);
	char expected[200];
	snprintf(expected, sizeof expected, "%s%s3:1 ", prefixes[n], n ? "meta(me) " : "");
	expect_replay(s, expected);
	cr_assert(s->report.torn_bytes == 0 && s->report.damaged_bytes == 0);
	s->ops->close(s);
	return n;
}

Test(journal, torn_at_every_byte_gives_a_prefix)
{
	struct folder f = folder_new();
	size_t size, most = 0;
	uint8_t *data = three_groups(&f, &size);
	for (size_t cut = 0; cut <= size; cut++) {
		size_t n = open_prefix(&f, data, cut);
		cr_assert(n >= most, "cut at %zu: %zu entries, %zu before", cut, n, most);
		most = n;
	}
	cr_assert(most == 7);
	free(data);
	folder_remove(&f);
	assert_no_leak();
}

/* As above, but what was not written is zeros, as in a preallocated file; and the last group's beginning may
 * be missing where its end is there. */
Test(journal, zeros_in_the_last_group_give_a_prefix)
{
	struct folder f = folder_new();
	size_t size;
	uint8_t *data = three_groups(&f, &size);
	uint8_t *torn = malloc(size);
	size_t last = 0; /* where the last group begins: behind 5 entries, the mark being one */
	for (int i = 0; i < 5; i++) {
		struct segment_head head;
		cr_assert(segment_read_head(data + last, 1, last, &head));
		last += segment_entry_size(head.size);
	}
	for (size_t hole = last; hole + 8 < size; hole += 8) {
		memcpy(torn, data, size);
		memset(torn + hole, 0, 8); /* may have been zeros before */
		size_t n = open_prefix(&f, torn, size);
		cr_assert(memcmp(torn, data, size) == 0 ? n == 7 : n >= 4 && n < 7, "hole at %zu: %zu", hole,
			  n);
	}
	free(torn);
	free(data);
	folder_remove(&f);
	assert_no_leak();
}

Test(journal, a_flipped_bit_in_the_middle_is_reported_and_passed_over)
{
	struct folder f = folder_new();
	size_t size;
	uint8_t *data = three_groups(&f, &size);
	char path[400];
	segment_path(&f, 1, path);
	/* The entry 1:2, in the second of three groups. */
	struct segment_head head;
	size_t from = 0, to;
	for (int i = 0; i < 3; i++) {
		cr_assert(segment_read_head(data + from, 1, from, &head));
		from += segment_entry_size(head.size);
	}
	cr_assert(segment_read_head(data + from, 1, from, &head));
	to = from + SEGMENT_HEADER + head.size;
	for (size_t byte = from; byte < to; byte++) {
		data[byte] ^= (uint8_t)(1 << (byte % 8));
		file_write(path, data, size);
		data[byte] ^= (uint8_t)(1 << (byte % 8));
		struct store *s = disk_new(&f, 1 << 16);
		expect_replay(s, "meta(me) 1:1 2:1 1:3 2:2 1:4 ");
		cr_assert(s->report.damaged_bytes == segment_entry_size(head.size), "byte %zu: %lu", byte,
			  s->report.damaged_bytes);
		cr_assert(s->report.torn_bytes == 0);
		cr_assert(check_read(s, at(1, 2)) == 1 && check_read(s, at(1, 3)) == 0);
		cr_assert(s->ops->journal_lowest(s, (struct origin){1}) == 3);
		s->ops->close(s);
	}
	free(data);
	folder_remove(&f);
	assert_no_leak();
}

Test(journal, damage_at_the_end_of_an_older_segment_is_not_a_torn_tail)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 1));
	append_commit(s, at(1, 2));
	s->ops->close(s);
	s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 3));
	s->ops->close(s);
	spoil(&f, 1, at(1, 2));
	s = disk_new(&f, 1 << 16);
	expect_replay(s, "1:1 -1:2 -1:2 -1:2 1:3 ");
	cr_assert(s->report.damaged_bytes > 0 && s->report.torn_bytes == 0);
	append_commit(s, at(1, 2)); /* fetched again */
	cr_assert(s->ops->journal_lowest(s, (struct origin){1}) == 1);
	s->ops->close(s);
	s = disk_new(&f, 1 << 16);
	expect_replay(s, "1:1 1:3 1:2 ");
	cr_assert(check_read(s, at(1, 2)) == 0);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

/* Opening marks the end: from then on what goes bad in the last commit is damage. Nor does a cut take away
 * the proof that an earlier hole is damage: the second opening finds what the first one did. */
Test(journal, what_opening_found_stays)
{
	struct folder f = folder_new();
	size_t size, torn_size;
	uint8_t *data = three_groups(&f, &size);
	char path[400];
	segment_path(&f, 1, path);
	data[size - 20] ^= 1;		     /* the last entry */
	data[SEGMENT_HEADER + 48 + 20] ^= 1; /* and 1:1, in the first group */
	file_write(path, data, size);
	for (int i = 0; i < 2; i++) {
		struct store *s = disk_new(&f, 1 << 16);
		expect_replay(s, "meta(me) 1:2 2:1 1:3 2:2 ");
		cr_assert(s->report.damaged_bytes > 0 && (s->report.torn_bytes > 0) == (i == 0));
		s->ops->close(s);
	}
	uint8_t *torn = file_read(path, &torn_size);
	size_t length, last = find_record(torn, torn_size, 1, at(2, 2), &length); /* before the marks */
	torn[last + 20] ^= 1;
	file_write(path, torn, torn_size);
	struct store *s = disk_new(&f, 1 << 16);
	expect_replay(s, "meta(me) 1:2 2:1 1:3 -2:2 -2:2 ");
	cr_assert(s->report.torn_bytes == 0);
	s->ops->close(s);
	free(torn);
	free(data);
	folder_remove(&f);
	assert_no_leak();
}

Test(journal, damage_while_running_reads_as_not_held)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 1));
	append_commit(s, at(1, 2));
	char path[400];
	segment_path(&f, 1, path);
	int fd = open(path, O_RDWR);
	cr_assert(fd >= 0 && pwrite(fd, "\xff", 1, SEGMENT_HEADER + 17) == 1);
	close(fd);
	cr_assert(check_read(s, at(1, 1)) == 1);
	cr_assert(check_read(s, at(1, 2)) == 0);
	cr_assert(s->ops->journal_lowest(s, (struct origin){1}) == 2);
	append_commit(s, at(1, 1)); /* fetched again */
	cr_assert(check_read(s, at(1, 1)) == 0);
	s->ops->close(s);
	folder_remove(&f);
}

Test(journal, bytes_of_another_segment_or_place_never_pass)
{
	struct folder f = folder_new();
	size_t size;
	uint8_t *data = three_groups(&f, &size);
	char path[400];
	segment_path(&f, 2, path); /* segment 1's bytes as segment 2, which is then the last */
	file_write(path, data, size);
	struct store *s = disk_new(&f, 1 << 16);
	expect_replay(s, prefixes[7]);
	cr_assert(s->report.torn_bytes > 0);
	s->ops->close(s);
	free(file_read(path, &size));
	cr_assert(size == segment_entry_size(SEGMENT_MARK_DATA), "nothing but a mark is left of it");
	free(data);
	folder_remove(&f);
}

Test(journal, a_later_version_is_refused)
{
	struct folder f = folder_new();
	struct bytes b = {0};
	segment_encode(&b, SEGMENT_MARK, (struct position){{SEGMENT_FORMAT + 1}, 1}, NULL, 0);
	segment_seal(&b, 1, 0, 0);
	char path[400], error[300] = "";
	segment_path(&f, 1, path);
	file_write(path, b.data, b.size);
	struct store *s = NULL;
	cr_assert(disk_open(&s, f.path, NULL, error, sizeof error) == -EPROTONOSUPPORT);
	cr_assert(strstr(error, "journal-0000000000000001.log") && strstr(error, "later version"), "%s",
		  error);
	bytes_deinit(&b);
	folder_remove(&f);
	assert_no_leak();
}

Test(journal, segments_fill_and_go)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 2048);
	for (uint64_t lsn = 1; lsn <= 100; lsn++)
		append_commit(s, at(1, lsn));
	size_t files = folder_journals(&f);
	cr_assert(files > 5, "%zu files", files);
	struct vector floor = {0};
	cr_assert(vector_set(&floor, (struct origin){1}, 100) == 0);
	cr_assert(s->ops->journal_truncate(s, &floor) == 0);
	cr_assert(check_read(s, at(1, 100)) == 0);
	s->ops->close(s); /* waits for the removal */
	cr_assert(folder_journals(&f) == 1, "the active one stays");
	s = disk_new(&f, 2048);
	uint64_t lowest = s->ops->journal_lowest(s, (struct origin){1});
	cr_assert(lowest > 50 && lowest <= 100);
	cr_assert(s->ops->journal_truncate(s, &floor) == 0);
	cr_assert(check_read(s, at(1, 100)) == 0, "the last segment stays");
	s->ops->close(s);
	vector_deinit(&floor);
	folder_remove(&f);
	assert_no_leak();
}

/* A group larger than a segment gets a segment of its own size. */
Test(journal, a_group_larger_than_a_segment)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 512);
	for (uint64_t lsn = 1; lsn <= 50; lsn++)
		cr_assert(append(s, at(1, lsn)) == 0);
	append_commit(s, at(1, 51));
	s->ops->close(s);
	s = disk_new(&f, 512);
	cr_assert(s->report.entries == 51);
	s->ops->close(s);
	folder_remove(&f);
}

/* A file size limit stands in for a failing disk: every write and allocation behind it is refused. */
Test(journal, a_failed_commit_is_final)
{
	struct folder f = folder_new();
	signal(SIGXFSZ, SIG_IGN);
	struct store *s = disk_new(&f, 1 << 16);
	append_commit(s, at(1, 1));
	struct rlimit before, none = {.rlim_cur = 0};
	cr_assert(getrlimit(RLIMIT_FSIZE, &before) == 0);
	none.rlim_max = before.rlim_max;
	cr_assert(append(s, at(1, 2)) == 0);
	cr_assert(setrlimit(RLIMIT_FSIZE, &none) == 0);
	int r = s->ops->journal_commit(s);
	cr_assert(setrlimit(RLIMIT_FSIZE, &before) == 0);
	cr_assert(r == -EFBIG, "%d", r);
	cr_assert(append(s, at(1, 3)) == -EFBIG);
	cr_assert(s->ops->journal_commit(s) == -EFBIG);
	cr_assert(check_read(s, at(1, 1)) == 0);
	cr_assert(check_read(s, at(1, 2)) == 1);
	s->ops->close(s);
	s = disk_new(&f, 1 << 16);
	expect_replay(s, "1:1 ");
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

Test(journal, a_full_disk_loses_nothing)
{
	struct folder f = folder_new();
	/* In a name space of its own, the mount goes with the process, however the test ends. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", f.path, "tmpfs", 0, "size=1m") < 0) {
		fprintf(stderr, "full disk: not tested, mount says: %s\n", strerror(errno));
		rmdir(f.path);
		cr_skip_test();
	}
	struct store *s = disk_new(&f, 1 << 16);
	uint64_t lsn = 0;
	int r = 0;
	while (r == 0 && lsn < 100000) {
		cr_assert(append(s, at(1, ++lsn)) == 0);
		r = s->ops->journal_commit(s);
	}
	cr_assert(r == -ENOSPC, "%d", r);
	cr_assert(append(s, at(1, lsn + 1)) == -ENOSPC);
	s->ops->close(s);
	for (int i = 0; i < 2; i++) {
		s = disk_new(&f, 1 << 16);
		cr_assert(s->report.entries == lsn - 1, "%lu of %lu", s->report.entries, lsn - 1);
		cr_assert(s->report.damaged_bytes == 0 && s->report.torn_bytes == 0);
		if (i == 0) { /* still full */
			cr_assert(append(s, at(1, lsn)) == 0);
			cr_assert(s->ops->journal_commit(s) == -ENOSPC);
		}
		s->ops->close(s);
	}
	cr_assert(umount(f.path) == 0);
	rmdir(f.path);
	assert_no_leak();
}

/* Kills a process that commits as fast as it can and tells what it has committed: all of that is there. */
Test(journal, kill_9_loses_nothing_that_was_committed)
{
	for (int round = 0; round < 10; round++) {
		struct folder f = folder_new();
		int pipes[2];
		cr_assert(pipe(pipes) == 0);
		pid_t pid = fork();
		cr_assert(pid >= 0);
		if (pid == 0) {
			struct store *s = disk_new(&f, 4096);
			for (uint64_t lsn = 1;; lsn++) {
				append_commit(s, at(1, lsn));
				if (write(pipes[1], &lsn, sizeof lsn) != (ssize_t)sizeof lsn)
					_exit(1);
			}
		}
		close(pipes[1]);
		uint64_t told = 0, wanted = 20 + 13 * (uint64_t)round;
		while (told < wanted)
			cr_assert(read(pipes[0], &told, sizeof told) == (ssize_t)sizeof told);
		kill(pid, SIGKILL);
		cr_assert(waitpid(pid, NULL, 0) == pid);
		uint64_t more;
		while (read(pipes[0], &more, sizeof more) == (ssize_t)sizeof more)
			told = more;
		close(pipes[0]);
		struct store *s = disk_new(&f, 4096);
		cr_assert(s->report.damaged_bytes == 0);
		for (uint64_t lsn = 1; lsn <= told; lsn++)
			cr_assert(check_read(s, at(1, lsn)) == 0, "lsn %lu of %lu", lsn, told);
		s->ops->close(s);
		folder_remove(&f);
	}
}

/* Random bytes written over random places, many times: opening says so and what is read is right. */
Test(journal, random_damage_never_gives_garbage)
{
	struct random random;
	random_seed(&random, test_seed());
	for (int round = 0; round < 60; round++) {
		struct folder f = folder_new();
		struct store *s = disk_new(&f, 2048);
		for (uint64_t lsn = 1; lsn <= 40; lsn++)
			append_commit(s, at(1 + lsn % 3, lsn));
		s->ops->close(s);
		for (size_t n = 1 + random_below(&random, 8); n > 0; n--) {
			char path[400];
			segment_path(&f, 1 + (unsigned)random_below(&random, 3), path);
			size_t size;
			uint8_t *data = file_read(path, &size);
			size_t from = random_below(&random, size), many = random_below(&random, 60);
			for (size_t i = from; i < size && i < from + many; i++)
				data[i] = (uint8_t)random_next(&random);
			file_write(path, data, size);
			free(data);
		}
		s = disk_new(&f, 2048);
		struct trace t;
		trace_replay(s, &t); /* checks each payload */
		for (uint64_t lsn = 1; lsn <= 40; lsn++)
			check_read(s, at(1 + lsn % 3, lsn));
		s->ops->close(s);
		folder_remove(&f);
	}
	assert_no_leak();
}

/* The index against an array, over runs long enough to be split. */
Test(journal, index_like_an_array)
{
	enum { MOST = 150000 };
	static uint64_t places[MOST + 1]; /* 0: absent */
	struct random random;
	random_seed(&random, 7);
	struct index x;
	index_init(&x, 7);
	for (uint64_t i = 1; i <= MOST; i++) { /* some are late */
		if (i % 777 == 0)
			continue;
		cr_assert(index_add(&x, at(5, i), 1 + i / 100) == 0);
		places[i] = 1 + i / 100;
	}
	cr_assert(index_lowest(&x, (struct origin){5}) == (uint64_t)MOST / 777 * 777 + 1);
	for (uint64_t lsn = 777; lsn <= MOST; lsn += 777) {
		cr_assert(index_add(&x, at(5, lsn), 9000) == 0);
		cr_assert(index_add(&x, at(5, lsn), 9001) == 1);
		places[lsn] = 9000;
	}
	cr_assert(index_lowest(&x, (struct origin){5}) == 1);
	struct vector upto = {0};
	for (int round = 0; round < 200; round++) {
		uint64_t highest = random_below(&random, MOST), from = random_below(&random, 1600);
		uint64_t to = from + random_below(&random, 10);
		if (round == 100)
			to = 9001;
		cr_assert(vector_set(&upto, (struct origin){5}, highest) == 0);
		cr_assert(index_drop(&x, &upto, from, to) == 0);
		for (uint64_t lsn = 1; lsn <= highest; lsn++) {
			if (places[lsn] >= from && places[lsn] < to)
				places[lsn] = 0;
		}
	}
	for (uint64_t lsn = 1; lsn <= MOST; lsn++) {
		uint64_t place = 0;
		cr_assert(index_get(&x, at(5, lsn), &place) == (places[lsn] != 0));
		cr_assert(place == places[lsn]);
	}
	vector_deinit(&upto);
	index_deinit(&x);
	assert_no_leak();
}
