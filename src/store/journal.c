/* SPDX-License-Identifier: MIT */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/random.h"
#include "store/echo.h"
#include "store/files.h"
#include "store/index.h"
#include "store/mark.h"
#include "store/segment.h"
#include "store/spare.h"
#include "store/sweep.h"

struct segment {
	uint64_t number;       /* below 2^32 */
	uint64_t size;	       /* up to the end of its last entry */
	struct vector highest; /* of the records in it */
};

struct journal {
	int dir;
	char *name;
	size_t segment_size;
	struct store_report *report;

	struct segment *segments; /* oldest first, owned */
	size_t count, capacity;
	uint64_t next_number;
	int fd;		   /* of the newest segment while that is active, or -1 */
	uint64_t reserved; /* its preallocated size */

	struct bytes group;    /* appended, not committed */
	struct bytes front;    /* what a new segment begins with */
	struct bytes meta;     /* the newest one's data */
	struct bytes told;     /* data of an echo */
	struct echo echo;      /* of what is in the newest segment */
	uint64_t meta_segment; /* where it lies; 0: there is none */

	struct index index; /* place: segment number << 32 | offset */
	int read_fd;	    /* of the segment last read from, or -1 */
	uint64_t read_segment;
	struct sweep sweep;
	struct spare spare;
	int failed;
};

/* An index place and back. */
static uint64_t place_of(uint64_t segment, uint64_t offset)
{
	return segment << 32 | offset;
}

/* Remembers the failure, for good (I12): what the disk holds is no longer known. */
static int fail(struct journal *j, int error, const char *what, uint64_t segment)
{
	log_error("%s/" SEGMENT_NAME_FORMAT ": %s: %s", j->name, segment, what, strerror(-error));
	return j->failed = error;
}

static struct segment *newest(struct journal *j)
{
	return &j->segments[j->count - 1];
}

/* ---- Opening ---- */

struct loading {
	struct journal *j;
	struct segment *segment;
	uint64_t birth; /* of its file, as its mark says, until that counts; 0: not known, or looked at */
};

static int add_segment(struct journal *j, uint64_t number)
{
	if (array_reserve(&j->segments, j->count + 1, &j->capacity, sizeof *j->segments) < 0)
		return -ENOMEM;
	j->segments[j->count++] = (struct segment){.number = number};
	return 0;
}

static void remove_newest(struct journal *j)
{
	vector_deinit(&j->segments[--j->count].highest);
}

/* All at once: there may be a hundred thousand. */
static void remove_oldest(struct journal *j, size_t count)
{
	for (size_t i = 0; i < count; i++)
		vector_deinit(&j->segments[i].highest);
	j->count -= count;
	memmove(j->segments, j->segments + count, j->count * sizeof *j->segments);
}

static int set_meta(struct journal *j, const uint8_t *data, size_t size, uint64_t segment)
{
	bytes_clear(&j->meta);
	bytes_append(&j->meta, data, size);
	if (bytes_failed(&j->meta))
		return -ENOMEM;
	j->meta_segment = segment;
	return 0;
}

/* Takes note of an entry that is on disk. */
static int note_entry(struct journal *j, struct segment *segment, const struct segment_head *head,
		      size_t offset, const uint8_t *data)
{
	if (head->kind == ENTRY_META)
		return set_meta(j, data, head->size, segment->number);
	if (vector_get(&segment->highest, head->at.origin) < head->at.lsn) {
		int r = vector_set(&segment->highest, head->at.origin, head->at.lsn);
		if (r < 0)
			return r;
	}
	int r = index_add(&j->index, head->at, place_of(segment->number, offset));
	return r < 0 ? r : 0; /* 1: fetched again from a peer once; the first copy serves */
}

/* The mark's word on the birth counts once something of the segment's first commit is there: of one that was
 * torn there may be the front alone, and the verdict that was in it is lost. */
static int load_entry(void *arg, const struct segment_head *head, size_t offset, const uint8_t *data)
{
	struct loading *loading = arg;
	struct journal *j = loading->j;
	if (head->kind == SEGMENT_MARK) {
		if (offset == 0)
			loading->birth = segment_birth(head, data);
		uint64_t format = head->at.origin.id;
		return format == SEGMENT_FORMAT || format == SEGMENT_FORMAT_1 ? 0 : -EPROTONOSUPPORT;
	}
	if (head->kind == SEGMENT_ECHO)
		return 0;
	if (loading->birth && !mark_repeats(head, data, &j->meta)) {
		mark_check_birth(j->dir, loading->segment->number, loading->birth, &j->report->copied);
		loading->birth = 0;
	}
	j->report->entries++;
	return note_entry(j, loading->segment, head, offset, data);
}

static int load_damage(void *arg, size_t offset, size_t size)
{
	struct loading *loading = arg;
	struct journal *j = loading->j;
	log_warn("%s/" SEGMENT_NAME_FORMAT
		 ": %zu bytes from %zu on are damaged; their records are missing here",
		 j->name, loading->segment->number, size, offset);
	j->report->damaged_bytes += size;
	return 0;
}

/* The whole file, into out. */
static int read_segment(const struct journal *j, uint64_t number, struct bytes *out)
{
	char name[SEGMENT_NAME];
	segment_name(name, number);
	bytes_clear(out);
	return files_read_named(j->dir, name, out, SEGMENT_MOST);
}

static int load_segment(struct journal *j, size_t i, bool last, struct bytes *content)
{
	struct loading loading = {.j = j, .segment = &j->segments[i]};
	struct segment_scan scan = {
	    .bytes = content->data,
	    .size = content->size,
	    .segment = j->segments[i].number,
	    .last = last,
	    .found = load_entry,
	    .damaged = load_damage,
	    .arg = &loading,
	};
	int r = segment_scan(&scan);
	if (r < 0)
		return r;
	j->segments[i].size = scan.end;
	if (scan.torn) {
		log_info("%s/" SEGMENT_NAME_FORMAT ": cut %zu bytes of an unfinished commit", j->name,
			 j->segments[i].number, scan.torn);
		j->report->torn_bytes += scan.torn;
	}
	return last ? mark_settle(j->dir, &scan, &newest(j)->highest) : 0;
}

static int load(struct journal *j, uint64_t *at)
{
	struct bytes content = {0};
	int r = 0;
	for (size_t i = 0; r == 0 && i < j->count; i++) {
		*at = j->segments[i].number;
		r = read_segment(j, *at, &content);
		if (r == 0)
			r = load_segment(j, i, i + 1 == j->count, &content);
	}
	bytes_deinit(&content);
	return r;
}

static int found_file(void *arg, const char *name)
{
	struct journal *j = arg;
	uint64_t number;
	if (!segment_is_name(name, &number))
		return 0;
	return number == 0 || number >= UINT32_MAX ? -EOVERFLOW : add_segment(j, number);
}

static int by_number(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

int journal_open(struct journal **journal, int dir, const char *name, size_t segment_size,
		 struct store_report *report, char *error, size_t error_size)
{
	struct journal *j = malloc(sizeof *j);
	if (!j)
		return -ENOMEM;
	*j = (struct journal){
	    .dir = dir,
	    .name = strdup(name),
	    .segment_size = segment_size,
	    .report = report,
	    .fd = -1,
	    .read_fd = -1,
	};
	index_init(&j->index, random_id());
	spare_end(&j->spare, dir);
	uint64_t at = 0;
	int r = j->name ? files_list(dir, found_file, j) : -ENOMEM;
	if (r == 0) {
		if (j->count)
			qsort(j->segments, j->count, sizeof *j->segments, by_number);
		j->next_number = j->count ? newest(j)->number + 1 : 1;
		r = load(j, &at);
	}
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
	const struct segment *s = newest(j);
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
	if (j->read_fd >= 0)
		close(j->read_fd);
	while (j->count > 0)
		remove_newest(j);
	free(j->segments);
	bytes_deinit(&j->group);
	bytes_deinit(&j->front);
	bytes_deinit(&j->meta);
	bytes_deinit(&j->told);
	echo_deinit(&j->echo);
	index_deinit(&j->index);
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
	uint64_t number = j->next_number;
	if (number >= UINT32_MAX)
		return fail(j, -EOVERFLOW, "no numbers left", number);
	bytes_clear(&j->front);
	int r = mark_front(&j->front, number, told);
	if (r == 0 && j->meta_segment)
		segment_encode(&j->front, ENTRY_META, (struct position){0}, j->meta.data, j->meta.size);
	if (r < 0 || bytes_failed(&j->front))
		return j->failed = -ENOMEM;
	uint64_t need = j->front.size + j->group.size;
	uint64_t size = need > j->segment_size ? need : j->segment_size;
	r = add_segment(j, number);
	if (r < 0)
		return j->failed = r;
	char name[SEGMENT_NAME];
	segment_name(name, number);
	int fd = spare_take(&j->spare, name, size);
	if (fd == -ENOENT)
		fd = files_create(j->dir, name, size);
	if (fd < 0) {
		remove_newest(j);
		return fail(j, fd, "making it", number);
	}
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	j->reserved = size;
	j->next_number++;
	mark_born(&j->front, files_birth(fd));
	echo_clear(&j->echo); /* the mark tells them all */
	return 0;
}

/* Puts in front of the group what it is to tell of earlier ones: whatever a torn commit leaves, that is
 * there. */
static int tell_earlier(struct journal *j)
{
	bytes_clear(&j->told);
	int r = echo_tell(&j->echo, &newest(j)->highest, segment_has_origin, &j->group, &j->told);
	if (r == 0 && j->told.size)
		segment_encode(&j->front, SEGMENT_ECHO, (struct position){0}, j->told.data, j->told.size);
	return bytes_failed(&j->front) ? -ENOMEM : r;
}

/* Takes note of entries that have just become durable. */
static int note_all(struct journal *j, const struct bytes *entries, uint64_t offset)
{
	struct segment *segment = newest(j);
	for (size_t at = 0; at < entries->size;) {
		struct segment_head head;
		segment_read_head(entries->data + at, segment->number, offset + at, &head);
		int r = note_entry(j, segment, &head, offset + at, entries->data + at + SEGMENT_HEADER);
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
	struct segment *segment = newest(j);
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
	if (j->meta_segment && group == 0)
		j->meta_segment = segment->number;
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
	if (j->fd < 0 || newest(j)->size + j->front.size + j->group.size > j->reserved) {
		const struct vector none = {0};
		int r = rotate(j, j->count ? &newest(j)->highest : &none);
		if (r < 0)
			return r;
	}
	return write_group(j);
}

/* ---- Reading ---- */

struct replaying {
	const struct journal *j;
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
		uint64_t place;
		struct entry entry = {.kind = ENTRY_GONE, .at = echo_get(at + 16 * i)};
		if (!index_get(&replaying->j->index, entry.at, &place))
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

int journal_meta(const struct journal *j, struct bytes *out)
{
	if (!j->meta_segment)
		return 1;
	bytes_append(out, j->meta.data, j->meta.size);
	return bytes_failed(out) ? -ENOMEM : 0;
}

int journal_replay(struct journal *j, entry_fn fn, void *arg)
{
	struct replaying replaying = {j, fn, arg};
	struct bytes content = {0};
	int r = 0;
	for (size_t i = 0; r == 0 && i < j->count; i++) {
		r = read_segment(j, j->segments[i].number, &content);
		struct segment_scan scan = {
		    .bytes = content.data,
		    .size = content.size < j->segments[i].size ? content.size : j->segments[i].size,
		    .segment = j->segments[i].number,
		    .found = replay_entry,
		    .arg = &replaying,
		};
		if (r == 0)
			r = segment_scan(&scan);
	}
	bytes_deinit(&content);
	return r;
}

/* Opens the segment for reading, unless it was the last one read from. */
static int reading(struct journal *j, uint64_t number)
{
	if (j->read_fd >= 0 && j->read_segment == number)
		return j->read_fd;
	char name[SEGMENT_NAME];
	segment_name(name, number);
	int fd = descriptors_open(j->dir, name, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	if (j->read_fd >= 0)
		close(j->read_fd);
	j->read_fd = fd;
	j->read_segment = number;
	return fd;
}

/* A record that was whole when it was indexed is not held any more: the caller fetches it elsewhere, and may
 * append it again. */
static int forget_damaged(struct journal *j, struct position at, uint64_t place)
{
	log_warn("%s/" SEGMENT_NAME_FORMAT ": the record at %" PRIu64 " is damaged", j->name, place >> 32,
		 place & UINT32_MAX);
	const struct vector one = {.at = &at, .count = 1};
	int r = index_drop(&j->index, &one, place, place + 1);
	return r < 0 ? r : 1;
}

int journal_read(struct journal *j, struct position at, struct bytes *out)
{
	uint64_t place;
	if (!index_get(&j->index, at, &place))
		return 1;
	uint64_t number = place >> 32, offset = place & UINT32_MAX;
	int fd = reading(j, number);
	if (fd < 0)
		return fd;
	uint8_t header[SEGMENT_HEADER];
	struct segment_head head;
	size_t before = out->size;
	int r = files_read_exactly(fd, header, sizeof header, offset);
	if (r == 0 && segment_read_head(header, number, offset, &head)) {
		uint8_t *data = head.size ? bytes_extend(out, head.size) : header;
		if (!data)
			return -ENOMEM;
		r = files_read_exactly(fd, data, head.size, offset + SEGMENT_HEADER);
		if (r == 0 && segment_check_data(&head, data))
			return 0;
		out->size = before;
	}
	return r < 0 ? r : forget_damaged(j, at, place);
}

uint64_t journal_lowest(const struct journal *j, struct origin o)
{
	return index_lowest(&j->index, o);
}

/* floor NULL: all but the newest. */
static int drop_oldest(struct journal *j, const struct vector *floor)
{
	int r = sweep_end(&j->sweep);
	if (r < 0)
		return fail(j, r, "removing older ones", j->segments[0].number);
	uint64_t first = j->segments[0].number;
	size_t count = 0;
	/* One stays always: it may be active, and it holds the newest meta if any does. */
	while (count + 1 < j->count && j->segments[count].number != j->meta_segment &&
	       (!floor || vector_covers(floor, &j->segments[count].highest))) {
		const struct segment *s = &j->segments[count++];
		r = index_drop(&j->index, &s->highest, place_of(s->number, 0), place_of(s->number + 1, 0));
		if (r < 0)
			return j->failed = r;
		if (j->read_fd >= 0 && j->read_segment == s->number) {
			close(j->read_fd);
			j->read_fd = -1;
		}
	}
	if (count == 0)
		return 0;
	sweep_begin(&j->sweep, j->dir, first, j->segments[count - 1].number);
	remove_oldest(j, count);
	return 0;
}

int journal_truncate(struct journal *j, const struct vector *floor)
{
	return j->failed || j->count == 0 || sweep_works(&j->sweep) ? j->failed : drop_oldest(j, floor);
}

/* A new segment, which tells of nothing before it, is durable before the others go: should they not all get
 * that far, the next opening finds some of the records again. */
int journal_clear(struct journal *j)
{
	const struct vector none = {0};
	int r = j->failed;
	if (r < 0 || j->count == 0 || (r = rotate(j, &none)) < 0 || (r = write_group(j)) < 0 ||
	    (r = drop_oldest(j, NULL)) < 0)
		return r;
	r = sweep_end(&j->sweep);
	return r < 0 ? fail(j, r, "removing older ones", newest(j)->number) : 0;
}

uint64_t journal_bytes(const struct journal *j)
{
	uint64_t total = 0;
	for (size_t i = 0; i < j->count; i++)
		total += j->segments[i].size;
	return total;
}
