/* SPDX-License-Identifier: MIT */
#include "store/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "store/echo.h"
#include "store/files.h"

int reading_segment(int dir, uint64_t number, struct bytes *out)
{
	char name[SEGMENT_NAME];
	segment_name(name, number);
	bytes_clear(out);
	return files_read_named(dir, name, out, SEGMENT_MOST);
}

struct replaying {
	const struct contents *contents;
	entry_fn fn;
	void *arg;
};

/* What is told of and not held is passed on: whether it was truncated or is lost, the checkpoint knows. */
static int replay_told(const struct replaying *replaying, const struct segment_head *head,
		       const uint8_t *data)
{
	size_t count;
	const uint8_t *at = segment_positions(head, data, &count);
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		uint64_t segment, offset;
		struct entry entry = {.kind = ENTRY_GONE, .at = echo_get(at + 16 * i)};
		if (!contents_get(replaying->contents, entry.at, &segment, &offset))
			r = replaying->fn(replaying->arg, &entry);
	}
	return r;
}

static int replay_entry(void *arg, const struct segment_head *head, size_t offset, const uint8_t *data)
{
	const struct replaying *replaying = arg;
	(void)offset;
	if (head->kind == SEGMENT_MARK || head->kind == SEGMENT_ECHO)
		return replay_told(replaying, head, data);
	struct entry entry = {.kind = head->kind, .at = head->at, .data = data, .size = head->size};
	return replaying->fn(replaying->arg, &entry);
}

int reading_replay(int dir, const struct contents *c, entry_fn fn, void *arg)
{
	struct replaying replaying = {c, fn, arg};
	struct bytes content = {0};
	int r = 0;
	for (size_t i = 0; r == 0 && i < c->count; i++) {
		r = reading_segment(dir, c->segments[i].number, &content);
		struct segment_scan scan = {
		    .bytes = content.data,
		    .size = content.size < c->segments[i].size ? content.size : c->segments[i].size,
		    .segment = c->segments[i].number,
		    .found = replay_entry,
		    .arg = &replaying,
		};
		if (r == 0)
			r = segment_scan(&scan);
	}
	bytes_deinit(&content);
	return r;
}

/* Opens the segment, unless it was the last one read from. */
static int open_segment(struct reading *r, uint64_t number)
{
	if (r->fd >= 0 && r->segment == number)
		return r->fd;
	char name[SEGMENT_NAME];
	segment_name(name, number);
	int fd = descriptors_open(r->dir, name, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	reading_end(r, UINT64_MAX);
	r->fd = fd;
	r->segment = number;
	return fd;
}

int reading_record(struct reading *r, struct contents *c, struct position at, struct bytes *out)
{
	uint64_t number, offset;
	if (!contents_get(c, at, &number, &offset))
		return 1;
	int fd = open_segment(r, number);
	if (fd < 0)
		return fd;
	uint8_t header[SEGMENT_HEADER];
	struct segment_head head;
	size_t before = out->size;
	int e = files_read_exactly(fd, header, sizeof header, offset);
	if (e == 0 && segment_read_head(header, number, offset, &head)) {
		uint8_t *data = head.size ? bytes_extend(out, head.size) : header;
		if (!data)
			return -ENOMEM;
		e = files_read_exactly(fd, data, head.size, offset + SEGMENT_HEADER);
		if (e == 0 && segment_check_data(&head, data))
			return 0;
		out->size = before;
	}
	if (e < 0)
		return e;
	log_warn("%s/" SEGMENT_NAME_FORMAT ": the record at %" PRIu64 " is damaged", r->name, number, offset);
	e = contents_forget(c, at, number, offset);
	return e < 0 ? e : 1;
}

void reading_end(struct reading *r, uint64_t below)
{
	if (r->fd < 0 || r->segment >= below)
		return;
	close(r->fd);
	r->fd = -1;
}
