/* SPDX-License-Identifier: MIT */
/* Watched keys: who is told, and what clients can make grow. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "kudos.h"
#include "leak.h"
#include "server/watch.h"
#include "unit/counts_help.h"

struct fixture {
	struct watching w;
	struct replica r; /* of it only the counts and how many events there were */
	struct port port;
	int64_t now;
	size_t told; /* messages so far … */
	char last[LIMIT_KEY + 32];
};

static const struct port_rules rules = {.silent = 10 * SECOND};

/* A connection is named by one byte, which is its handle, too. */
static int keep_told(void *arg, const uint8_t *id, size_t id_size, const void *data, size_t size)
{
	struct fixture *f = arg;
	struct message m;
	cr_assert(id_size == 2 && message_decode(data, size, &m) == 0 && m.type == MESSAGE_CHANGED);
	f->told++;
	snprintf(f->last, sizeof f->last, "%u %.*s %lld", id[0] + 256U * id[1], (int)m.changed.key.size,
		 m.changed.key.data, (long long)m.changed.count);
	return 0;
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){.now = SECOND};
	port_init(&f->port, &rules, NULL, "s1", 1, keep_told, f);
	watch_init(&f->w, 3);
	counts_init(&f->r.counts, 4, ARENA_BLOCK);
}

static void teardown(struct fixture *f)
{
	watch_deinit(&f->w);
	port_deinit(&f->port);
	counts_deinit(&f->r.counts);
	assert_no_leak();
}

/* The handles of new connections are 1, 2, … */
static void connect_many(struct fixture *f, int count)
{
	for (int i = 1; i <= count; i++) {
		uint8_t id[2] = {(uint8_t)i, (uint8_t)(i >> 8)};
		struct connection *c = connections_open(&f->port.connections, 0, id, 2, (struct node){0});
		cr_assert(c && c->handle == (uint64_t)i);
	}
}

/* Keys parted by spaces; "": none. */
static int watch(struct fixture *f, uint64_t who, const char *list)
{
	struct text keys[8];
	size_t count = 0;
	for (const char *at = list; *at; at += strspn(at, " ")) {
		keys[count++] = (struct text){at, strcspn(at, " ")};
		at += keys[count - 1].size;
	}
	return watch_set(&f->w, &f->r, who, keys, count);
}

/* So many keys, from number on. */
static int watch_numbers(struct fixture *f, uint64_t who, int number, size_t count)
{
	static char names[LIMIT_WATCHES][32];
	static struct text keys[LIMIT_WATCHES];
	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof names[i], "n%d", number + (int)i);
		keys[i] = message_text(names[i]);
	}
	return watch_set(&f->w, &f->r, who, keys, count);
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
	for (; watch_deadline(&f->w, &f->r) != NEVER && looks < 10000; looks++) {
		f->now += SECOND;
		watch_look(&f->w, f->now, &f->r, &f->port);
	}
	return looks;
}

static void assert_empty(const struct watching *w)
{
	cr_assert(w->count == 0 && w->ties == 0 && w->clients.count == 0 && w->by_key.count == 0 && !w->at);
}

Test(watch, tells_of_what_has_changed)
{
	struct fixture f;
	setup(&f);
	connect_many(&f, 2);
	cr_assert(watch(&f, 1, "a b") == 0 && watch(&f, 2, "a") == 0);
	like(&f, "c");
	look(&f);
	cr_assert(f.told == 0);
	like(&f, "b");
	look(&f);
	cr_assert(f.told == 1);
	cr_assert_str_eq(f.last, "1 b 1");
	like(&f, "a");
	look(&f);
	cr_assert(f.told == 3);
	cr_assert(look(&f) == 0, "nothing has changed since");
	teardown(&f);
}

Test(watch, what_is_watched_is_said_as_a_whole)
{
	struct fixture f;
	setup(&f);
	connect_many(&f, 3);
	cr_assert(watch(&f, 1, "a") == 0 && watch(&f, 2, "a b") == 0);
	cr_assert(watch(&f, 2, "a b") == 0 && f.w.ties == 3, "nothing new");
	cr_assert(watch(&f, 3, "") == 0 && f.w.clients.count == 2);
	cr_assert(watch(&f, 2, "b c") == 0 && f.w.ties == 3 && f.w.count == 3);
	like(&f, "a");
	look(&f);
	cr_assert(f.told == 1, "the first one still watches it");
	cr_assert_str_eq(f.last, "1 a 1");
	cr_assert(watch(&f, 1, "") == 0 && watch(&f, 2, "b") == 0 && f.w.count == 1);
	like(&f, "a");
	like(&f, "c");
	look(&f);
	cr_assert(f.told == 1);
	cr_assert(watch(&f, 2, "") == 0 && watch(&f, 2, "") == 0);
	assert_empty(&f.w);
	teardown(&f);
}

Test(watch, ends_with_who_is_not_heard)
{
	struct fixture f;
	setup(&f);
	connect_many(&f, 3);
	cr_assert(watch(&f, 1, "a") == 0 && watch(&f, 2, "a") == 0 && watch(&f, 3, "a") == 0);
	connections_close(&f.port.connections, connections_at(&f.port.connections, 3));
	like(&f, "a");
	look(&f);
	cr_assert(f.told == 2, "whose connection has gone is not told");
	connections_touch(&f.port.connections, connections_at(&f.port.connections, 1), 1);
	watch_expire(&f.w, 10 * SECOND - 1, &f.port);
	cr_assert(f.w.clients.count == 2);
	watch_expire(&f.w, 10 * SECOND, &f.port);
	cr_assert(f.w.clients.count == 1);
	like(&f, "a");
	look(&f);
	cr_assert(f.told == 3);
	cr_assert_str_eq(f.last, "1 a 2");
	watch_end_all(&f.w);
	assert_empty(&f.w);
	teardown(&f);
}

Test(watch, has_limits)
{
	struct fixture f;
	setup(&f);
	uint64_t who = 0;
	for (int i = 0; f.w.count < LIMIT_WATCHED; i += LIMIT_WATCHES)
		cr_assert(watch_numbers(&f, ++who, i, LIMIT_WATCHES) == 0);
	cr_assert(watch(&f, who + 1, "n5 one_more") == KUDOS_BUSY && watch(&f, 1, "one_more") == KUDOS_BUSY);
	cr_assert(f.w.count == LIMIT_WATCHED && f.w.ties == LIMIT_WATCHED, "nothing is left of that");
	cr_assert(watch(&f, who + 1, "n5") == 0, "what is watched already may be watched by more");
	for (who++; f.w.ties + LIMIT_WATCHES <= LIMIT_WATCHING;)
		cr_assert(watch_numbers(&f, ++who, 0, LIMIT_WATCHES) == 0);
	cr_assert(watch_numbers(&f, ++who, 0, LIMIT_WATCHES) == KUDOS_BUSY);
	cr_assert(watch_numbers(&f, who, 0, LIMIT_WATCHES - 1) == 0 && f.w.ties == LIMIT_WATCHING);
	cr_assert(watch(&f, who + 1, "n1") == KUDOS_BUSY && watch(&f, who, "n1") == 0);
	cr_assert(f.w.count == LIMIT_WATCHED);
	watch_end_all(&f.w);
	assert_empty(&f.w);
	teardown(&f);
}

/* With many keys a look must not keep everybody else waiting: it stops somewhere and goes on there. */
Test(watch, looks_at_so_many_keys_at_a_time)
{
	struct fixture f;
	enum { KEYS = 10000 };
	setup(&f);
	connect_many(&f, KEYS / LIMIT_WATCHES);
	for (int i = 0; i < KEYS; i += LIMIT_WATCHES)
		cr_assert(watch_numbers(&f, (uint64_t)(1 + i / LIMIT_WATCHES), i, LIMIT_WATCHES) == 0);
	for (int i = 0; i < KEYS; i++) {
		char key[32];
		snprintf(key, sizeof key, "n%d", i);
		like(&f, key);
	}
	watch_look(&f.w, f.now, &f.r, &f.port);
	const size_t slice = f.told;
	cr_assert(slice > 0 && slice <= KEYS / 5);
	cr_assert(watch_deadline(&f.w, &f.r) == 0, "it goes on at once");
	/* Others leave meanwhile, and what takes their place in the list is not overlooked. */
	cr_assert(watch(&f, 1, "") == 0);
	look(&f);
	cr_assert(f.told >= KEYS - LIMIT_WATCHES && f.told <= KEYS, "%zu", f.told);
	for (size_t i = 0; i < f.w.count; i++)
		cr_assert(f.w.keys[i]->told == 1);
	teardown(&f);
}

/* The same with many who watch one key; and those who are told get a pause as long as that took. */
Test(watch, tells_so_many_clients_at_a_time)
{
	struct fixture f;
	enum { CLIENTS = 5000 };
	setup(&f);
	connect_many(&f, CLIENTS);
	for (uint64_t i = 1; i <= CLIENTS; i++)
		cr_assert(watch(&f, i, i == CLIENTS ? "a b" : "a") == 0);
	like(&f, "a");
	watch_look(&f.w, f.now, &f.r, &f.port);
	const size_t slice = f.told;
	cr_assert(slice > 0 && slice <= CLIENTS / 4 && f.w.at);
	cr_assert(watch_deadline(&f.w, &f.r) == 0);
	/* The one whose turn it is leaves, and others; who comes knows the count. */
	uint64_t next = f.w.at->client;
	cr_assert(watch(&f, next, "") == 0 && watch(&f, next - 1, "b") == 0 && watch(&f, 1, "") == 0);
	cr_assert(watch(&f, next, "a") == 0);
	like(&f, "a");
	while (f.w.next > 0)
		watch_look(&f.w, f.now += MS, &f.r, &f.port);
	cr_assert(f.told == CLIENTS - 3, "%zu", f.told);
	cr_assert(watch_deadline(&f.w, &f.r) == f.now + (f.now - SECOND),
		  "the second like is still to be told");
	look(&f);
	cr_assert(f.told == CLIENTS - 3 + CLIENTS - 2, "%zu", f.told);
	/* All of the key under way leave. */
	like(&f, "a");
	watch_look(&f.w, f.now += 60 * SECOND, &f.r, &f.port);
	cr_assert(f.w.at);
	watch_end_all(&f.w);
	assert_empty(&f.w);
	cr_assert(look(&f) <= 1);
	teardown(&f);
}
