/* SPDX-License-Identifier: MIT */
/* What is known of a journal's files, without what is in them. */
#include "unit/store_folder.h"

#include "store/contents.h"

static void note(struct contents *c, struct position where, size_t offset)
{
	struct segment_head head = {.kind = ENTRY_RECORD, .at = where};
	cr_assert(contents_note(c, contents_newest(c), &head, offset, NULL) == 0);
}

static void note_meta(struct contents *c, const char *text)
{
	struct segment_head head = {.kind = ENTRY_META, .size = (uint32_t)strlen(text)};
	cr_assert(contents_note(c, contents_newest(c), &head, 0, (const uint8_t *)text) == 0);
}

static bool is_held(const struct contents *c, struct position where)
{
	uint64_t segment, offset;
	return contents_get(c, where, &segment, &offset);
}

Test(contents, segments_are_found_in_order_whatever_else_is_there)
{
	static const char *const names[] = {"journal-0000000000000010.log", "journal-0000000000000002.log",
					    "journal-0000000000000009.log", "journal-2.log", "spare"};
	struct folder f = folder_new();
	struct contents c;
	int dir = open(f.path, O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[400];
		folder_path(&f, names[i], path);
		file_write(path, NULL, 0);
	}
	contents_init(&c);
	cr_assert(contents_next(&c) == 1);
	cr_assert(contents_find(&c, dir) == 0 && c.count == 3);
	cr_assert(c.segments[0].number == 2 && c.segments[1].number == 9);
	cr_assert(contents_newest(&c)->number == 16 && contents_next(&c) == 17);
	contents_deinit(&c);
	close(dir);
	folder_remove(&f);
	assert_no_leak();
}

Test(contents, the_oldest_go_as_far_as_they_may)
{
	struct contents c;
	struct position floor = at(1, 2);
	const struct vector vector = {.at = &floor, .count = 1};
	uint64_t segment, offset;
	contents_init(&c);
	for (uint64_t number = 1; number <= 4; number++) {
		cr_assert(contents_add(&c, number) == 0);
		note(&c, at(1, number), 100 * number);
		contents_newest(&c)->size = 1000;
		if (number == 3)
			note_meta(&c, "meta");
	}
	note(&c, at(1, 1), 7); /* given again: the first one counts */
	cr_assert(contents_get(&c, at(1, 1), &segment, &offset) && segment == 1 && offset == 100);
	cr_assert(contents_drop(&c, &vector) == 0);
	cr_assert(c.count == 2 && contents_bytes(&c) == 2000);
	cr_assert(!is_held(&c, at(1, 2)) && is_held(&c, at(1, 3)));
	cr_assert(contents_drop(&c, NULL) == 0 && c.count == 2, "the newest meta goes");
	contents_newest(&c)->number = 4;
	note_meta(&c, "newer");
	cr_assert(c.meta.size == 5 && c.meta_segment == 4);
	cr_assert(contents_drop(&c, NULL) == 0 && c.count == 1 && is_held(&c, at(1, 4)));
	cr_assert(contents_forget(&c, at(1, 4), 4, 401) == 0 && is_held(&c, at(1, 4)), "another place");
	cr_assert(contents_forget(&c, at(1, 4), 4, 400) == 0 && !is_held(&c, at(1, 4)));
	contents_deinit(&c);
	assert_no_leak();
}
