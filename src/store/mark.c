/* SPDX-License-Identifier: MIT */
#include "store/mark.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/echo.h"
#include "store/files.h"
#include "store/segment.h"

#define BLOCK 4096 /* of a disk: what goes bad as a whole */

/* With data that are `fill` bytes long at least. */
static int encode(struct bytes *out, uint64_t number, const struct vector *told, size_t fill)
{
	struct bytes data = {0};
	uint64_t start[2] = {0, htole64(vector_size(told))};
	bytes_append(&data, start, sizeof start);
	struct position at;
	for (struct vector_walk walk = {0}; vector_next(told, &walk, &at);)
		echo_put(&data, at);
	size_t more = fill > data.size ? fill - data.size : 0;
	uint8_t *zeros = more ? bytes_extend(&data, more) : NULL;
	if (zeros)
		memset(zeros, 0, more);
	bool failed = bytes_failed(&data);
	if (!failed)
		segment_encode(out, SEGMENT_MARK, (struct position){{SEGMENT_FORMAT}, number}, data.data,
			       data.size);
	bytes_deinit(&data);
	return failed || bytes_failed(out) ? -ENOMEM : 0;
}

int mark_front(struct bytes *out, uint64_t number, const struct vector *told)
{
	return encode(out, number, told, 0);
}

void mark_born(struct bytes *front, uint64_t birth)
{
	birth = htole64(birth);
	memcpy(front->data + SEGMENT_HEADER, &birth, sizeof birth);
}

void mark_check_birth(int dir, uint64_t number, uint64_t birth, bool *copied)
{
	char name[SEGMENT_NAME];
	segment_name(name, number);
	int fd = openat(dir, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	uint64_t born = files_birth(fd);
	close(fd);
	if (birth != 0 && born != 0)
		*copied = birth != born;
}

bool mark_repeats(const struct segment_head *head, const uint8_t *data, const struct bytes *meta)
{
	return head->kind == ENTRY_META && head->size == meta->size && meta->size > 0 &&
	       memcmp(data, meta->data, meta->size) == 0;
}

/* From now on what goes bad before the mark is told apart from a torn commit. Where there are records it is
 * written twice, in two blocks of the disk: one that goes bad must not take the last records and the proof of
 * them. Both are one group, for they may be torn themselves. */
int mark_end(int fd, uint64_t number, uint64_t end, const struct vector *told)
{
	struct bytes marks = {0};
	uint64_t next = (end + BLOCK - 1) / BLOCK * BLOCK, data = end + SEGMENT_HEADER;
	int r = encode(&marks, number, told, vector_size(told) && next > data ? (size_t)(next - data) : 0);
	if (r == 0 && vector_size(told))
		r = encode(&marks, number, told, 0);
	if (r == 0) {
		segment_seal(&marks, number, end, end);
		r = files_write_all(fd, marks.data, marks.size, end);
	}
	bytes_deinit(&marks);
	return r == -ENOSPC || r == -EDQUOT ? ftruncate(fd, (off_t)end) < 0 ? -errno : 0 : r;
}

int mark_settle(int dir, const struct segment_scan *scan, const struct vector *told)
{
	char name[SEGMENT_NAME];
	segment_name(name, scan->segment);
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size_t have = scan->end < scan->size ? scan->end : scan->size; /* some padding may be missing */
	int r = ftruncate(fd, (off_t)scan->end) < 0 ? -errno : 0;
	if (r == 0 && have > scan->group)
		r = files_write_all(fd, scan->bytes + scan->group, have - scan->group, scan->group);
	/* What a mark tells of is on disk before it: else it would pass for damage. */
	if (r == 0 && !scan->marked && (r = files_sync(fd)) == 0)
		r = mark_end(fd, scan->segment, scan->end, told);
	if (r == 0)
		r = files_sync(fd);
	close(fd);
	return r;
}
