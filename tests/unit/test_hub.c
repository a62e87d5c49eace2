/* SPDX-License-Identifier: MIT */
/* Who is told which count when: readers over a stand-in for libkudos. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "unit/leak.h"
#include "unit/trace.h"

#define INTERVAL 50 /* ms */
#define MANY 1000
#define expect(f, text) trace_expect(&(f)->trace, __LINE__, text)

struct kudos {
	struct kudos_options how;
};

struct fixture {
	struct trace trace;
	struct hub hub;
	int64_t now;
	bool full[MANY];		 /* who cannot be told */
	struct hub_reader readers[MANY]; /* a, b, … */
};

int kudos_open(kudos **handle, const struct kudos_options *options)
{
	*handle = calloc(1, sizeof **handle);
	cr_assert(*handle);
	(*handle)->how = *options;
	return KUDOS_OK;
}

void kudos_close(kudos **handle)
{
	free(*handle);
	*handle = NULL;
}

int kudos_process(kudos *handle, int timeout_ms)
{
	(void)handle;
	cr_assert(timeout_ms == 0);
	return KUDOS_OK;
}

int kudos_wait_ms(kudos *handle)
{
	(void)handle;
	return -1;
}

int kudos_fd(kudos *handle)
{
	(void)handle;
	return -1;
}

int kudos_watch(kudos *handle, const char *key)
{
	(void)handle;
	return strcmp(key, "refused") == 0 ? KUDOS_BUSY : KUDOS_OK;
}

void kudos_unwatch(kudos *handle, const char *key)
{
	(void)handle;
	(void)key;
}

static bool tell(struct hub_reader *r)
{
	struct fixture *f = r->arg;
	size_t i = (size_t)(r - f->readers);
	if (f->full[i]) {
		note(f, "not %c", (char)('a' + i));
		return false;
	}
	const char *count = strstr(r->key->text, "\"count\":");
	cr_assert(count && r->key->text_size == strlen(r->key->text));
	note(f, "%c %d", (char)('a' + i % 26), atoi(count + 8));
	hub_told(r, f->now);
	return true;
}

static void join(struct fixture *f, size_t i, const char *key)
{
	f->readers[i] = (struct hub_reader){.tell = tell, .arg = f};
	cr_assert(hub_join(&f->hub, &f->readers[i], key) == KUDOS_OK);
	hub_again(&f->hub, &f->readers[i]);
}

static struct fixture *start(size_t readers)
{
	static struct fixture f;
	const struct options options = {.watch_rate = 1000 / INTERVAL};
	f = (struct fixture){.now = 1000};
	hub_init(&f.hub, NULL, &options);
	for (size_t i = 0; i < readers; i++)
		join(&f, i, "k");
	return &f;
}

static void stop(struct fixture *f, size_t readers)
{
	for (size_t i = 0; i < readers; i++)
		hub_leave(&f->hub, &f->readers[i]);
	cr_assert(f->hub.key_count == 0 && f->hub.reader_count == 0 && !f->hub.busy);
	hub_deinit(&f->hub);
	assert_no_leak();
}

static void change(struct fixture *f, const char *key, int64_t count)
{
	const kudos *handle = f->hub.handles[0];
	handle->how.on_change(handle->how.arg, key, count);
}

static void pass(struct fixture *f, int64_t ms)
{
	f->now += ms;
	cr_assert(hub_process(&f->hub, f->now) == KUDOS_OK);
}

Test(hub, all_are_told_and_then_no_more_often_than_is_allowed)
{
	struct fixture *f = start(2);
	pass(f, 0);
	expect(f, ""); /* nothing is known yet */
	change(f, "k", 7);
	pass(f, 0);
	expect(f, "a 7, b 7");
	cr_assert(hub_deadline(&f->hub, f->now) == INT64_MAX);
	change(f, "k", 8);
	change(f, "k", 9);
	pass(f, INTERVAL - 1);
	expect(f, "");
	cr_assert(hub_deadline(&f->hub, f->now) == f->now + 1);
	pass(f, 1);
	expect(f, "a 9, b 9");
	pass(f, INTERVAL);
	expect(f, "");
	stop(f, 2);
}

Test(hub, each_has_a_time_of_its_own)
{
	struct fixture *f = start(1);
	change(f, "k", 1);
	pass(f, 0);
	join(f, 1, "k");
	pass(f, 30);
	expect(f, "a 1, b 1");
	change(f, "k", 2);
	pass(f, 20);
	expect(f, "a 2");
	change(f, "k", 3);
	pass(f, 30);
	expect(f, "b 3"); /* the count as it is now */
	pass(f, 20);
	expect(f, "a 3");
	stop(f, 2);
}

Test(hub, who_is_full_rests_and_misses_what_is_between)
{
	struct fixture *f = start(2);
	change(f, "k", 1);
	f->full[0] = true;
	pass(f, 0);
	expect(f, "not a, b 1");
	change(f, "k", 2);
	pass(f, INTERVAL);
	expect(f, "b 2");
	f->full[0] = false;
	hub_again(&f->hub, &f->readers[0]);
	hub_again(&f->hub, &f->readers[0]); /* once is enough */
	pass(f, 0);
	expect(f, "a 2");
	f->full[0] = true; /* and leaves while it rests */
	change(f, "k", 3);
	pass(f, INTERVAL);
	expect(f, "b 3, not a");
	stop(f, 2);
}

Test(hub, who_is_up_to_date_goes_behind_those_who_are_not)
{
	struct fixture *f = start(3);
	change(f, "k", 1);
	pass(f, 0);
	f->full[0] = f->full[1] = true;
	change(f, "k", 2);
	pass(f, INTERVAL);
	expect(f, "a 1, b 1, c 1, not a, not b, c 2");
	f->full[0] = false;
	hub_told(&f->readers[0], f->now); /* with another key of its stream */
	hub_again(&f->hub, &f->readers[0]);
	f->full[1] = false;
	hub_again(&f->hub, &f->readers[1]);
	pass(f, 0);
	expect(f, "b 2");
	stop(f, 3);
}

Test(hub, many_are_told_in_several_passes_and_other_keys_in_between)
{
	struct fixture *f = start(MANY - 1);
	join(f, MANY - 1, "other");
	change(f, "k", 1);
	change(f, "other", 1);
	size_t passes = 0;
	do {
		pass(f, 1);
		forget(f);
		passes++;
		if (passes == 2)
			cr_assert(f->readers[MANY - 1].version == 1, "other keys wait for all");
	} while (hub_deadline(&f->hub, f->now) <= f->now && passes < MANY);
	cr_assert(passes == MANY / HUB_TURNS_A_PASS + 1, "%zu passes", passes);
	for (size_t i = 0; i < MANY; i++)
		cr_assert(f->readers[i].version == 1, "%zu", i);
	stop(f, MANY);
}

Test(hub, who_leaves_is_not_told)
{
	struct fixture *f = start(3);
	change(f, "k", 1);
	hub_leave(&f->hub, &f->readers[1]);
	pass(f, 0);
	expect(f, "a 1, c 1");
	hub_leave(&f->hub, &f->readers[0]);
	change(f, "k", 2);
	pass(f, INTERVAL);
	expect(f, "c 2");
	change(f, "k", 3); /* and the last of a key that has something to tell */
	hub_leave(&f->hub, &f->readers[2]);
	pass(f, INTERVAL);
	expect(f, "");
	struct hub_reader r = {0};
	cr_assert(hub_join(&f->hub, &r, "refused") == KUDOS_BUSY);
	stop(f, 0);
}
