/* SPDX-License-Identifier: MIT */
#include "store/segment.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

#define ALIGN 8
#define LOOKED_THROUGH 64

static void put32(uint8_t *to, uint32_t value)
{
	value = htole32(value);
	memcpy(to, &value, sizeof value);
}

static uint32_t get32(const uint8_t *from)
{
	uint32_t value;
	memcpy(&value, from, sizeof value);
	return le32toh(value);
}

void segment_name(char name[SEGMENT_NAME], uint64_t number)
{
	snprintf(name, SEGMENT_NAME, SEGMENT_NAME_FORMAT, number);
}

bool segment_is_name(const char *name, uint64_t *number)
{
	char same[SEGMENT_NAME];
	/* NOLINTNEXTLINE(cert-err34-c): what does not come out as the same name again is no segment */
	if (sscanf(name, "journal-%16" SCNx64 ".log", number) != 1)
		return false;
	segment_name(same, *number);
	return strcmp(name, same) == 0;
}

size_t segment_entry_size(size_t data_size)
{
	return (SEGMENT_HEADER + data_size + ALIGN - 1) / ALIGN * ALIGN;
}

static uint64_t hash_head(const uint8_t *header, uint64_t segment, uint64_t offset)
{
	return hash_bytes(header + 4, 28, hash_pair(segment, offset, SEGMENT_FORMAT_1));
}

void segment_encode(struct bytes *out, enum entry_kind kind, struct position at, const void *data,
		    size_t size)
{
	uint8_t *to = bytes_extend(out, segment_entry_size(size));
	if (!to)
		return;
	memset(to, 0, SEGMENT_HEADER);
	put32(to + 4, (uint32_t)size);
	put32(to + 12, (uint32_t)kind);
	bytes_put64(to + 16, at.origin.id);
	bytes_put64(to + 24, at.lsn);
	if (size)
		memcpy(to + SEGMENT_HEADER, data, size);
	memset(to + SEGMENT_HEADER + size, 0, segment_entry_size(size) - SEGMENT_HEADER - size);
}

void segment_seal(struct bytes *entries, uint64_t segment, uint64_t offset, uint64_t group)
{
	for (size_t at = 0; at < entries->size;) {
		uint8_t *header = entries->data + at;
		uint32_t size = get32(header + 4);
		put32(header + 8, (uint32_t)group);
		uint64_t h = hash_head(header, segment, offset + at);
		put32(header, (uint32_t)h);
		bytes_put64(header + 32, hash_bytes(header + SEGMENT_HEADER, size, h));
		at += segment_entry_size(size);
	}
}

/* What the header of an encoded entry says, sealed or not. */
static void peek(const uint8_t *bytes, struct segment_head *head)
{
	*head = (struct segment_head){
	    .check = bytes_get64(bytes + 32),
	    .at = {{bytes_get64(bytes + 16)}, bytes_get64(bytes + 24)},
	    .size = get32(bytes + 4),
	    .group = get32(bytes + 8),
	    .kind = (enum entry_kind)get32(bytes + 12),
	};
}

bool segment_read_head(const uint8_t *bytes, uint64_t segment, uint64_t offset, struct segment_head *head)
{
	uint64_t h = hash_head(bytes, segment, offset);
	uint32_t kind = get32(bytes + 12);
	if (get32(bytes) != (uint32_t)h || kind < ENTRY_META || kind > SEGMENT_ECHO)
		return false;
	peek(bytes, head);
	head->h = h;
	return head->group <= offset;
}

bool segment_has_origin(const void *entries, struct origin origin)
{
	const struct bytes *all = entries;
	size_t at = 0;
	for (int n = 0; n < LOOKED_THROUGH && at < all->size; n++) {
		struct segment_head head;
		peek(all->data + at, &head);
		if (head.kind == ENTRY_RECORD && origin_equal(head.at.origin, origin))
			return true;
		at += segment_entry_size(head.size);
	}
	return false;
}

const uint8_t *segment_positions(const struct segment_head *head, const uint8_t *data, size_t *count)
{
	size_t before = head->kind == SEGMENT_MARK ? SEGMENT_MARK_DATA : 0;
	*count = 0;
	if (head->kind < SEGMENT_MARK || head->size < before)
		return NULL;
	*count = (head->size - before) / 16;
	if (before && bytes_get64(data + 8) < *count) /* zeros may follow */
		*count = bytes_get64(data + 8);
	return data + before;
}

uint64_t segment_birth(const struct segment_head *head, const uint8_t *data)
{
	return head->kind == SEGMENT_MARK && head->size >= SEGMENT_MARK_DATA ? bytes_get64(data) : 0;
}

bool segment_check_data(const struct segment_head *head, const uint8_t *data)
{
	return hash_bytes(data, head->size, head->h) == head->check;
}

static bool whole_at(const struct segment_scan *s, size_t offset, struct segment_head *head)
{
	const uint8_t *bytes = s->bytes + offset;
	return s->size - offset >= SEGMENT_HEADER && segment_read_head(bytes, s->segment, offset, head) &&
	       head->size <= s->size - offset - SEGMENT_HEADER &&
	       segment_check_data(head, bytes + SEGMENT_HEADER);
}

/* The next whole entry from `offset` on; limit when there is none before it. */
static size_t next_whole(const struct segment_scan *s, size_t offset, size_t limit, struct segment_head *head)
{
	while (offset < limit && !whole_at(s, offset, head))
		offset += ALIGN;
	return offset < limit ? offset : limit;
}

/* Whether an entry after the hole belongs to a commit that began after it. */
static bool later_group(const struct segment_scan *s, size_t hole, size_t limit)
{
	struct segment_head head;
	for (size_t at = next_whole(s, hole, limit, &head); at < limit;) {
		if (head.group > hole)
			return true;
		at = next_whole(s, at + segment_entry_size(head.size), limit, &head);
	}
	return false;
}

/* How far the content reaches that is not zero-filled space. */
static size_t used_bytes(const uint8_t *bytes, size_t size)
{
	/* Whole pages first: most of a preallocated file is zeros. */
	static const uint8_t zeros[4096];
	while (size >= sizeof zeros && memcmp(bytes + size - sizeof zeros, zeros, sizeof zeros) == 0)
		size -= sizeof zeros;
	while (size > 0 && bytes[size - 1] == 0)
		size--;
	return size;
}

int segment_scan(struct segment_scan *s)
{
	size_t used = used_bytes(s->bytes, s->size);
	size_t at = 0;
	s->end = s->group = s->torn = 0;
	s->marked = false;
	while (at < used) {
		struct segment_head head;
		if (!whole_at(s, at, &head)) {
			if (s->last && !later_group(s, at, used)) {
				s->torn = used - at;
				return 0;
			}
			size_t next = next_whole(s, at, used, &head);
			int r = s->damaged ? s->damaged(s->arg, at, next - at) : 0;
			if (r != 0)
				return r;
			at = next;
			continue;
		}
		int r = s->found(s->arg, &head, at, s->bytes + at + SEGMENT_HEADER);
		if (r != 0)
			return r;
		at += segment_entry_size(head.size);
		s->end = at;
		s->group = head.group;
		s->marked = head.kind == SEGMENT_MARK;
	}
	return 0;
}
