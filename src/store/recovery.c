/* SPDX-License-Identifier: MIT */
#include "store/recovery.h"

#include <errno.h>

#include "base/log.h"
#include "store/mark.h"
#include "store/reading.h"

struct loading {
	struct contents *contents;
	int dir;
	const char *name;
	struct store_report *report;
	struct segment *segment;
	uint64_t birth; /* of its file, as its mark says, until that counts; 0: not known, or looked at */
};

/* The mark's word on the birth counts once something of the segment's first commit is there: of one that was
 * torn there may be the front alone, and the verdict that was in it is lost. */
static int load_entry(void *arg, const struct segment_head *head, size_t offset, const uint8_t *data)
{
	struct loading *l = arg;
	if (head->kind == SEGMENT_MARK) {
		if (offset == 0)
			l->birth = segment_birth(head, data);
		uint64_t format = head->at.origin.id;
		return format == SEGMENT_FORMAT || format == SEGMENT_FORMAT_1 ? 0 : -EPROTONOSUPPORT;
	}
	if (head->kind == SEGMENT_ECHO)
		return 0;
	if (l->birth && !mark_repeats(head, data, &l->contents->meta)) {
		mark_check_birth(l->dir, l->segment->number, l->birth, &l->report->copied);
		l->birth = 0;
	}
	l->report->entries++;
	return contents_note(l->contents, l->segment, head, offset, data);
}

static int load_damage(void *arg, size_t offset, size_t size)
{
	struct loading *l = arg;
	log_warn("%s/" SEGMENT_NAME_FORMAT
		 ": %zu bytes from %zu on are damaged; their records are missing here",
		 l->name, l->segment->number, size, offset);
	l->report->damaged_bytes += size;
	return 0;
}

static int load_segment(struct loading *l, bool last, const struct bytes *content)
{
	struct segment_scan scan = {
	    .bytes = content->data,
	    .size = content->size,
	    .segment = l->segment->number,
	    .last = last,
	    .found = load_entry,
	    .damaged = load_damage,
	    .arg = l,
	};
	l->birth = 0;
	int r = segment_scan(&scan);
	if (r < 0)
		return r;
	l->segment->size = scan.end;
	if (scan.torn) {
		log_info("%s/" SEGMENT_NAME_FORMAT ": cut %zu bytes of an unfinished commit", l->name,
			 l->segment->number, scan.torn);
		l->report->torn_bytes += scan.torn;
	}
	return last ? mark_settle(l->dir, &scan, &l->segment->highest) : 0;
}

int recovery_run(struct contents *c, int dir, const char *name, struct store_report *report, uint64_t *at)
{
	struct loading l = {.contents = c, .dir = dir, .name = name, .report = report};
	struct bytes content = {0};
	*at = 0;
	int r = contents_find(c, dir);
	for (size_t i = 0; r == 0 && i < c->count; i++) {
		l.segment = &c->segments[i];
		*at = l.segment->number;
		r = reading_segment(dir, *at, &content);
		if (r == 0)
			r = load_segment(&l, i + 1 == c->count, &content);
	}
	bytes_deinit(&content);
	return r;
}
