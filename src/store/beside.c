/* SPDX-License-Identifier: MIT */
#include "store/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/contents.h"
#include "store/files.h"

struct reading {
	int dir;
	struct contents
	    contents;	      /* with the records that were told: a peer may have given one a second time */
	struct bytes content; /* of one segment */
	entry_fn fn;
	void *arg;
	struct beside_report *report;
};

static int tell_entry(void *arg, const struct segment_head *head, size_t offset, const uint8_t *data)
{
	struct reading *r = arg;
	(void)offset;
	if (head->kind != ENTRY_RECORD)
		return 0;
	int e = index_add(&r->contents.index, head->at, 0);
	if (e != 0)
		return e < 0 ? e : 0;
	r->report->records++;
	return r->fn(r->arg,
		     &(struct entry){.kind = ENTRY_RECORD, .at = head->at, .data = data, .size = head->size});
}

static int tell_damage(void *arg, size_t offset, size_t size)
{
	struct reading *r = arg;
	(void)offset;
	r->report->damaged_bytes += size;
	return 0;
}

/* 1: it has been removed since. */
static int read_segment(struct reading *r, uint64_t number, bool last)
{
	char name[SEGMENT_NAME];
	segment_name(name, number);
	int fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 1 : -errno;
	bytes_clear(&r->content);
	int e = files_read_all(fd, &r->content, SEGMENT_MOST);
	if (e == 0 && last) /* what was read may not be on disk yet */
		e = files_sync(fd);
	close(fd);
	return e;
}

static int tell_segment(struct reading *r, uint64_t number, bool last)
{
	int e = read_segment(r, number, last);
	if (e != 0)
		return e < 0 ? e : 0;
	struct segment_scan scan = {.bytes = r->content.data,
				    .size = r->content.size,
				    .segment = number,
				    .last = last,
				    .found = tell_entry,
				    .damaged = tell_damage,
				    .arg = r};
	return segment_scan(&scan);
}

int beside_records(const char *dir, entry_fn fn, void *arg, struct beside_report *report, char *error,
		   size_t error_size)
{
	struct reading r = {.fn = fn, .arg = arg, .report = report};
	r.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	contents_init(&r.contents);
	int e = r.dir < 0 ? -errno : contents_find(&r.contents, r.dir);
	for (size_t i = 0; i < r.contents.count && e == 0; i++)
		e = tell_segment(&r, r.contents.segments[i].number, i + 1 == r.contents.count);
	if (e < 0)
		snprintf(error, error_size, "%s: %s", dir, strerror(-e));
	contents_deinit(&r.contents);
	bytes_deinit(&r.content);
	if (r.dir >= 0)
		close(r.dir);
	return e;
}
