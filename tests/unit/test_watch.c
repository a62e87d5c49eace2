/* SPDX-License-Identifier: MIT */
/* Watched keys: who is told, and what subscribers can make grow. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "kudos.h"
#include "leak.h"
#include "server/watch.h"

struct fixture {
	struct watching w;
	struct replica r; /* of it only the counts and how many events there were */
	struct out out;
	size_t told; /* keys published so far */
	char last[LIMIT_KEY + 2];
};

static void keep_published(void *arg, const void *topic, size_t topic_size, const void *data, size_t size)
{
	struct fixture *f = arg;
	(void)data;
	(void)size;
	if (*(const char *)topic != 'k')
		return;
	f->told++;
	memcpy(f->last, topic, topic_size);
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){0};
	f->out.io = (struct host_io){.arg = f, .publish = keep_published};
	watch_init(&f->w, 3);
	counts_init(&f->r.counts, 4, ARENA_BLOCK);
}

static void teardown(struct fixture *f)
{
	watch_deinit(&f->w);
	bytes_deinit(&f->out.bytes);
	counts_deinit(&f->r.counts);
	assert_no_leak();
}

/* first: 1 subscribe, 0 unsubscribe */
static int say(struct fixture *f, uint64_t who, char first, const char *topic)
{
	uint8_t data[LIMIT_KEY + 8] = {(uint8_t)first};
	size_t size = strlen(topic) + (topic[0] == 'k' ? 2 : 1); /* a key's topic ends with its NUL */
	memcpy(data + 1, topic, strlen(topic));
	return watch_receive(&f->w, &f->r, who, data, size);
}

static int watch_number(struct fixture *f, uint64_t who, int number)
{
	char topic[32];
	snprintf(topic, sizeof topic, "kn%d", number);
	return say(f, who, 1, topic);
}

static void like(struct fixture *f, const char *key)
{
	cr_assert(counts_add(&f->r.counts, key, strlen(key), 1) == 0);
	f->r.stats.events++;
}

/* Looks until there is nothing more to look at; how many looks that took. */
static int look(struct fixture *f)
{
	int looks = 0;
	while (watch_deadline(&f->w, &f->r) != NEVER && looks < 10000) {
		watch_look(&f->w, INT64_MAX / 2 + looks * SECOND, &f->r, &f->out);
		looks++;
	}
	return looks;
}

Test(watch, tells_of_what_has_changed)
{
	struct fixture f;
	setup(&f);
	cr_assert(say(&f, 1, 1, "ka") == 0 && say(&f, 1, 1, "kb") == 0 && say(&f, 2, 1, "ka") == 0);
	like(&f, "c");
	look(&f);
	cr_assert(f.told == 0);
	like(&f, "a");
	look(&f);
	cr_assert(f.told == 1);
	cr_assert_str_eq(f.last, "ka");
	cr_assert(look(&f) == 0, "nothing has changed since");
	teardown(&f);
}

Test(watch, what_one_does_changes_nothing_for_another)
{
	struct fixture f;
	setup(&f);
	cr_assert(say(&f, 1, 1, "ka") == 0);
	cr_assert(say(&f, 2, 1, "ka") == 0 && say(&f, 2, 1, "ka") == 0); /* twice */
	cr_assert(say(&f, 3, 0, "ka") == 0);				 /* it never watched it */
	cr_assert(say(&f, 2, 0, "ka") == 0 && say(&f, 2, 0, "ka") == 0);
	like(&f, "a");
	look(&f);
	cr_assert(f.told == 1, "the first one still watches");
	cr_assert(say(&f, 2, 1, "ka") == 0);
	watch_end(&f.w, 1);
	like(&f, "a");
	look(&f);
	cr_assert(f.told == 2);
	watch_end(&f.w, 2);
	watch_end(&f.w, 2); /* gone already */
	like(&f, "a");
	look(&f);
	cr_assert(f.told == 2);
	cr_assert(f.w.count == 0 && f.w.subscriptions == 0 && f.w.subscribers.count == 0);
	teardown(&f);
}

Test(watch, has_limits)
{
	struct fixture f;
	setup(&f);
	for (int i = 0; i < LIMIT_WATCHES; i++)
		cr_assert(watch_number(&f, 1, i) == 0);
	cr_assert(watch_number(&f, 1, LIMIT_WATCHES) == KUDOS_LIMIT);
	cr_assert(watch_number(&f, 1, 5) == 0, "one that it has is none more");
	cr_assert(say(&f, 1, 0, "kn5") == 0 && watch_number(&f, 1, LIMIT_WATCHES) == 0);
	uint64_t who = 2;
	for (int i = 0; f.w.count < LIMIT_WATCHED; i++)
		cr_assert(watch_number(&f, who += i % LIMIT_WATCHES == 0, i) == 0);
	cr_assert(watch_number(&f, who + 1, LIMIT_WATCHED + 1) == KUDOS_BUSY);
	cr_assert(watch_number(&f, who + 1, 1) == 0, "what is watched already may be watched by more");
	for (uint64_t i = 1; f.w.subscriptions < LIMIT_WATCHING; i++)
		cr_assert(watch_number(&f, who + 1 + i / LIMIT_WATCHES, (int)(i % LIMIT_WATCHES)) == 0);
	cr_assert(watch_number(&f, 1000000, 1) == KUDOS_BUSY);
	cr_assert(f.w.count == LIMIT_WATCHED);
	watch_end_all(&f.w);
	cr_assert(f.w.count == 0 && f.w.subscriptions == 0 && f.w.subscribers.count == 0);
	teardown(&f);
}

Test(watch, knows_what_is_no_topic)
{
	struct fixture f;
	setup(&f);
	cr_assert(say(&f, 1, 1, "r") == 0 && say(&f, 1, 1, "v") == 0 && say(&f, 1, 0, "v") == 0);
	static const char *const bad[] = {"", "x", "rr", "k", "ka b", "records"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(say(&f, 1, 1, bad[i]) == KUDOS_PROTOCOL, "%s", bad[i]);
	cr_assert(say(&f, 1, 2, "r") == KUDOS_PROTOCOL);
	cr_assert(watch_receive(&f.w, &f.r, 1, NULL, 0) == KUDOS_PROTOCOL);
	cr_assert(f.w.count == 0 && f.w.subscribers.count == 0);
	cr_assert(!watch_allowed(ROLE_CLIENT, NULL, 0), "it may hide a subscription");
	cr_assert(!watch_allowed(ROLE_CLIENT, (const uint8_t *)"xr", 2));
	cr_assert(!watch_allowed(ROLE_CLIENT, (const uint8_t *)"\1r", 2));
	cr_assert(watch_allowed(ROLE_CLIENT, (const uint8_t *)"\1ka", 4));
	cr_assert(watch_allowed(ROLE_SERVER, (const uint8_t *)"\1r", 2));
	teardown(&f);
}

/* With many keys a look must not keep everybody else waiting: it stops somewhere and goes on there. */
Test(watch, looks_at_so_many_keys_at_a_time)
{
	struct fixture f;
	enum { KEYS = 10000 };
	setup(&f);
	for (int i = 0; i < KEYS; i++)
		cr_assert(watch_number(&f, (uint64_t)(1 + i / LIMIT_WATCHES), i) == 0);
	for (int i = 0; i < KEYS; i++) {
		char key[32];
		snprintf(key, sizeof key, "n%d", i);
		like(&f, key);
	}
	watch_look(&f.w, SECOND, &f.r, &f.out);
	const size_t slice = f.told;
	cr_assert(slice > 0 && slice <= KEYS / 5);
	cr_assert(watch_deadline(&f.w, &f.r) == 0, "it goes on at once");
	/* Others leave meanwhile, and what takes their place in the list is not overlooked. */
	watch_end(&f.w, 1);
	look(&f);
	cr_assert(f.told >= KEYS - LIMIT_WATCHES && f.told <= KEYS, "%zu", f.told);
	for (size_t i = 0; i < f.w.count; i++)
		cr_assert(f.w.keys[i]->told == 1);
	teardown(&f);
}
