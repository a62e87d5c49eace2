/* SPDX-License-Identifier: MIT */
#include "store/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/contents.h"
#include "store/echo.h"
#include "store/files.h"
#include "store/mark.h"
#include "store/reading.h"
#include "store/recovery.h"
#include "store/spare.h"
#include "store/sweep.h"

struct journal {
	int dir;
	char *name;
	size_t segment_size;
	struct contents contents;
	struct reading reading;
	int fd;		   /* of the newest segment while that is active, or -1 */
	uint64_t reserved; /* its preallocated size */

	struct bytes group; /* appended, not committed */
	struct bytes front; /* what a new segment begins with */
	struct bytes told;  /* data of an echo */
	struct echo echo;   /* of what is in the newest segment */
	struct sweep sweep;
	struct spare spare;
	int failed;
};

/* Remembers the failure, for good (I12): what the disk holds is no longer known. */
static int fail(struct journal *j, int error, const char *what, uint64_t segment)
{
	log_error("%s/" SEGMENT_NAME_FORMAT ": %s: %s", j->name, segment, what, strerror(-error));
	return j->failed = error;
}

/* ---- Opening ---- */

int journal_open(struct journal **journal, int dir, const char *name, size_t segment_size,
		 struct store_report *report, char *error, size_t error_size)
{
	struct journal *j = malloc(sizeof *j);
	if (!j)
		return -ENOMEM;
	*j = (struct journal){.dir = dir, .name = strdup(name), .segment_size = segment_size, .fd = -1};
	j->reading = (struct reading){.dir = dir, .name = j->name, .fd = -1};
	contents_init(&j->contents);
	spare_end(&j->spare, dir);
	uint64_t at = 0;
	int r = j->name ? recovery_run(&j->contents, dir, name, report, &at) : -ENOMEM;
	if (r < 0) {
		char file[SEGMENT_NAME] = "journal";
		if (at)
			segment_name(file, at);
		snprintf(error, error_size, "%s/%s: %s", name, file,
			 r == -EPROTONOSUPPORT ? "written by a later version of kudos" : strerror(-r));
		journal_close(j);
		return r;
	}
	*journal = j;
	return 0;
}

/* Gives back what was preallocated, and marks the end. Not when something failed: then opening shall find it
 * as it is. */
static void end_newest(struct journal *j)
{
	if (j->fd < 0 || j->failed)
		return;
	const struct segment *s = contents_newest(&j->contents);
	int r =
	    ftruncate(j->fd, (off_t)s->size) < 0 ? -errno : mark_end(j->fd, s->number, s->size, &s->highest);
	if (r < 0 || (r = files_sync(j->fd)) < 0)
		log_warn("%s: ending the newest segment: %s", j->name, strerror(-r));
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (sweep_end(&j->sweep) < 0)
		log_warn("%s: older segments were not all removed; they will be next time", j->name);
	end_newest(j);
	spare_end(&j->spare, j->dir);
	if (j->fd >= 0)
		close(j->fd);
	reading_end(&j->reading, UINT64_MAX);
	contents_deinit(&j->contents);
	bytes_deinit(&j->group);
	bytes_deinit(&j->front);
	bytes_deinit(&j->told);
	echo_deinit(&j->echo);
	free(j->name);
	free(j);
}

/* ---- Writing ---- */

int journal_append(struct journal *j, enum entry_kind kind, struct position at, const void *data, size_t size)
{
	if (j->failed)
		return j->failed;
	/* Half of what a file can be long at most, so that the group fits behind the meta. */
	if (size > SEGMENT_MOST / 4 || j->group.size + segment_entry_size(size) > SEGMENT_MOST / 2)
		return j->failed = -E2BIG;
	segment_encode(&j->group, kind, at, data, size);
	return bytes_failed(&j->group) ? (j->failed = -ENOMEM) : 0;
}

/* Begins a new segment that has room for the group; what it starts with is left in front. told: the last
 * record of each origin before it. */
static int rotate(struct journal *j, const struct vector *told)
{
	uint64_t number = contents_next(&j->contents);
	if (number >= UINT32_MAX)
		return fail(j, -EOVERFLOW, "no numbers left", number);
	bytes_clear(&j->front);
	int r = mark_front(&j->front, number, told);
	if (r == 0 && j->contents.meta_segment)
		segment_encode(&j->front, ENTRY_META, (struct position){0}, j->contents.meta.data,
			       j->contents.meta.size);
	if (r < 0 || bytes_failed(&j->front))
		return j->failed = -ENOMEM;
	uint64_t need = j->front.size + j->group.size;
	uint64_t size = need > j->segment_size ? need : j->segment_size;
	r = contents_add(&j->contents, number);
	if (r < 0)
		return j->failed = r;
	char name[SEGMENT_NAME];
	segment_name(name, number);
	int fd = spare_take(&j->spare, name, size);
	if (fd == -ENOENT)
		fd = files_create(j->dir, name, size);
	if (fd < 0) {
		contents_remove_newest(&j->contents);
		return fail(j, fd, "making it", number);
	}
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	j->reserved = size;
	mark_born(&j->front, files_birth(fd));
	echo_clear(&j->echo); /* the mark tells them all */
	return 0;
}

/* Puts in front of the group what it is to tell of earlier ones: whatever a torn commit leaves, that is
 * there. */
static int tell_earlier(struct journal *j)
{
	bytes_clear(&j->told);
	int r = echo_tell(&j->echo, &contents_newest(&j->contents)->highest, segment_has_origin, &j->group,
			  &j->told);
	if (r == 0 && j->told.size)
		segment_encode(&j->front, SEGMENT_ECHO, (struct position){0}, j->told.data, j->told.size);
	return bytes_failed(&j->front) ? -ENOMEM : r;
}

/* Takes note of entries that have just become durable. */
static int note_all(struct journal *j, const struct bytes *entries, uint64_t offset)
{
	struct segment *segment = contents_newest(&j->contents);
	for (size_t at = 0; at < entries->size;) {
		struct segment_head head;
		segment_read_head(entries->data + at, segment->number, offset + at, &head);
		int r = contents_note(&j->contents, segment, &head, offset + at,
				      entries->data + at + SEGMENT_HEADER);
		if (r == 0 && head.kind == ENTRY_RECORD)
			r = echo_note(&j->echo, head.at);
		if (r < 0)
			return j->failed = r;
		at += segment_entry_size(head.size);
	}
	return 0;
}

/* Front and group to the end of the newest segment, durably. */
static int write_group(struct journal *j)
{
	struct segment *segment = contents_newest(&j->contents);
	uint64_t group = segment->size, behind = group + j->front.size;
	segment_seal(&j->front, segment->number, group, group);
	segment_seal(&j->group, segment->number, behind, group);
	int r = files_write_all(j->fd, j->front.data, j->front.size, group);
	if (r == 0)
		r = files_write_all(j->fd, j->group.data, j->group.size, behind);
	if (r < 0)
		return fail(j, r, "writing", segment->number);
	if (fdatasync(j->fd) < 0)
		return fail(j, -errno, "fdatasync", segment->number);
	if (j->contents.meta_segment && group == 0)
		j->contents.meta_segment = segment->number;
	r = note_all(j, &j->group, behind);
	if (r < 0)
		return r;
	segment->size = behind + j->group.size;
	bytes_clear(&j->group);
	if (segment->size > j->reserved / 2)
		spare_begin(&j->spare, j->dir, j->segment_size);
	return 0;
}

int journal_commit(struct journal *j)
{
	if (j->failed || j->group.size == 0)
		return j->failed;
	bytes_clear(&j->front);
	if (j->fd >= 0 && tell_earlier(j) < 0)
		return j->failed = -ENOMEM;
	if (j->fd < 0 || contents_newest(&j->contents)->size + j->front.size + j->group.size > j->reserved) {
		const struct vector none = {0};
		int r = rotate(j, j->contents.count ? &contents_newest(&j->contents)->highest : &none);
		if (r < 0)
			return r;
	}
	return write_group(j);
}

/* ---- Reading and removing ---- */

int journal_meta(const struct journal *j, struct bytes *out)
{
	if (!j->contents.meta_segment)
		return 1;
	bytes_append(out, j->contents.meta.data, j->contents.meta.size);
	return bytes_failed(out) ? -ENOMEM : 0;
}

int journal_replay(struct journal *j, entry_fn fn, void *arg)
{
	return reading_replay(j->dir, &j->contents, fn, arg);
}

int journal_read(struct journal *j, struct position at, struct bytes *out)
{
	return reading_record(&j->reading, &j->contents, at, out);
}

uint64_t journal_lowest(const struct journal *j, struct origin o)
{
	return index_lowest(&j->contents.index, o);
}

/* floor NULL: all but the newest. */
static int drop_oldest(struct journal *j, const struct vector *floor)
{
	uint64_t first = j->contents.segments[0].number;
	int r = sweep_end(&j->sweep);
	if (r < 0)
		return fail(j, r, "removing older ones", first);
	r = contents_drop(&j->contents, floor);
	if (r < 0)
		return j->failed = r;
	uint64_t kept = j->contents.segments[0].number;
	reading_end(&j->reading, kept);
	if (kept > first)
		sweep_begin(&j->sweep, j->dir, first, kept - 1);
	return 0;
}

int journal_truncate(struct journal *j, const struct vector *floor)
{
	if (j->failed || j->contents.count == 0 || sweep_works(&j->sweep))
		return j->failed;
	return drop_oldest(j, floor);
}

/* A new segment, which tells of nothing before it, is durable before the others go: should they not all get
 * that far, the next opening finds some of the records again. */
int journal_clear(struct journal *j)
{
	const struct vector none = {0};
	int r = j->failed;
	if (r < 0 || j->contents.count == 0 || (r = rotate(j, &none)) < 0 || (r = write_group(j)) < 0 ||
	    (r = drop_oldest(j, NULL)) < 0)
		return r;
	r = sweep_end(&j->sweep);
	return r < 0 ? fail(j, r, "removing older ones", contents_newest(&j->contents)->number) : 0;
}

uint64_t journal_bytes(const struct journal *j)
{
	return contents_bytes(&j->contents);
}
