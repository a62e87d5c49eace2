/* SPDX-License-Identifier: MIT */
/* The checkpoint on disk: durable, whole when it cannot be written, readable while it is. */
#include "unit/store_folder.h"

static void put_number(struct store *s, uint32_t key, uint32_t value)
{
	uint8_t bytes[4] = {(uint8_t)(key >> 24), (uint8_t)(key >> 16), (uint8_t)(key >> 8), (uint8_t)key};
	cr_assert(s->ops->checkpoint_put(s, bytes, 4, &value, sizeof value) == 0);
}

/* Every value of the reading is the same, for count keys; says which. */
static uint32_t read_uniform(struct store *s, struct store_cursor *c, uint32_t count)
{
	const uint8_t *key, *value;
	size_t key_size, value_size;
	uint32_t first = 0, keys = 0;
	while (s->ops->cursor_next(c, &key, &key_size, &value, &value_size) == 1) {
		uint32_t v;
		cr_assert(key_size == 4 && value_size == 4);
		memcpy(&v, value, 4);
		if (keys++ == 0)
			first = v;
		cr_assert(v == first, "key %u of generation %u, not %u", keys, v, first);
	}
	cr_assert(keys == count, "%u keys", keys);
	return first;
}

Test(checkpoint, outlives_the_process)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096);
	cr_assert(s->ops->checkpoint_begin(s, false) == 0);
	put_text(s, "a", "1");
	cr_assert(s->ops->checkpoint_commit(s) == 0);
	s->ops->close(s); /* finishes it */
	s = disk_new(&f, 4096);
	expect_checkpoint(s, "a=1 ");
	cr_assert(s->ops->checkpoint_begin(s, true) == 0);
	put_text(s, "b", "2");
	s->ops->close(s); /* drops it */
	s = disk_new(&f, 4096);
	expect_checkpoint(s, "a=1 ");
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

Test(checkpoint, readings_are_whole_while_it_is_written)
{
	enum { KEYS = 5000, GENERATIONS = 30 };
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096);
	uint32_t newest = 0;
	for (uint32_t generation = 1; generation <= GENERATIONS; generation++) {
		cr_assert(s->ops->checkpoint_begin(s, generation % 5 == 0) == 0);
		for (uint32_t key = KEYS; key-- > 0;)
			put_number(s, key, generation);
		cr_assert(s->ops->checkpoint_commit(s) == 0);
		do { /* at least once while it is, likely, under way */
			struct store_cursor *c[2];
			cr_assert(s->ops->cursor_open(s, &c[0]) == 0);
			cr_assert(s->ops->cursor_open(s, &c[1]) == 0);
			for (int i = 0; i < 2; i++) {
				if (generation > 1)
					newest = read_uniform(s, c[i], KEYS);
				s->ops->cursor_close(c[i]);
			}
			cr_assert(newest == generation || newest == generation - 1);
		} while (generation > 1 && newest != generation);
		cr_assert(checkpoint_wait(s) == 0);
	}
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

Test(checkpoint, the_old_one_is_whole_when_there_is_no_room)
{
	struct folder f = folder_new();
	const struct disk_sizes sizes = {.segment = 4096, .map = 1 << 20};
	struct store *s;
	char error[200];
	cr_assert(disk_open(&s, f.path, &sizes, error, sizeof error) == 0, "%s", error);
	cr_assert(s->ops->checkpoint_begin(s, false) == 0);
	put_text(s, "a", "1");
	cr_assert(s->ops->checkpoint_commit(s) == 0);
	cr_assert(checkpoint_wait(s) == 0);
	cr_assert(s->ops->checkpoint_begin(s, true) == 0);
	for (uint32_t key = 0; key < 200000; key++)
		put_number(s, key, key);
	cr_assert(s->ops->checkpoint_commit(s) == 0);
	cr_assert(s->ops->checkpoint_begin(s, false) == -EBUSY || s->ops->checkpoint_poll(s) != 1);
	s->ops->checkpoint_abandon(s);
	int r = checkpoint_wait(s);
	cr_assert(r == -ENOSPC, "%d", r);
	expect_checkpoint(s, "a=1 ");
	append_commit(s, at(1, 1)); /* the journal goes on */
	cr_assert(s->ops->checkpoint_begin(s, false) == 0);
	put_text(s, "b", "2");
	cr_assert(s->ops->checkpoint_commit(s) == 0);
	cr_assert(checkpoint_wait(s) == 0);
	expect_checkpoint(s, "a=1 b=2 ");
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}

Test(checkpoint, what_is_no_checkpoint_is_refused)
{
	struct folder f = folder_new();
	char path[400], error[300] = "";
	folder_path(&f, "checkpoint.mdb", path);
	uint8_t junk[8192];
	memset(junk, 'x', sizeof junk);
	file_write(path, junk, sizeof junk);
	struct store *s = NULL;
	cr_assert(disk_open(&s, f.path, NULL, error, sizeof error) == -EBADMSG);
	cr_assert(strstr(error, "checkpoint.mdb"), "%s", error);
	folder_remove(&f);
	assert_no_leak();
}

Test(checkpoint, keys_and_values_at_their_limits)
{
	struct folder f = folder_new();
	struct store *s = disk_new(&f, 4096);
	static uint8_t key[512], value[3 << 20]; /* the value is larger than a block of puts */
	memset(value, 'v', sizeof value);
	cr_assert(s->ops->checkpoint_begin(s, false) == 0);
	cr_assert(s->ops->checkpoint_put(s, key, 0, "x", 1) == -EINVAL);
	cr_assert(s->ops->checkpoint_put(s, key, 512, "x", 1) == -EINVAL);
	cr_assert(s->ops->checkpoint_put(s, key, 511, value, sizeof value) == 0);
	cr_assert(s->ops->checkpoint_commit(s) == 0);
	cr_assert(checkpoint_wait(s) == 0);
	struct store_cursor *c;
	const uint8_t *k, *v;
	size_t k_size, v_size;
	cr_assert(s->ops->cursor_open(s, &c) == 0);
	cr_assert(s->ops->cursor_next(c, &k, &k_size, &v, &v_size) == 1);
	cr_assert(k_size == 511 && v_size == sizeof value && memcmp(v, value, v_size) == 0);
	cr_assert(s->ops->cursor_next(c, &k, &k_size, &v, &v_size) == 0);
	s->ops->cursor_close(c);
	s->ops->close(s);
	folder_remove(&f);
	assert_no_leak();
}
