/* SPDX-License-Identifier: MIT */
/* tools/kudos-load/client.h and keys.h, over a stand-in for libkudos that answers what the test tells it to.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* ---- the stand-in: remembers what was sent */

struct kudos {
	struct kudos_options options;
	uint64_t taken, room;
};

int kudos_open(kudos **handle, const struct kudos_options *options)
{
	*handle = calloc(1, sizeof(**handle));
	if (!*handle)
		return KUDOS_NO_MEMORY;
	(*handle)->options = *options;
	(*handle)->room = UINT64_MAX;
	return KUDOS_OK;
}

void kudos_close(kudos **handle)
{
	free(*handle);
	*handle = NULL;
}

int kudos_check_key(const char *key, size_t size)
{
	(void)key;
	return size > 0 ? KUDOS_OK : KUDOS_BAD_KEY;
}

int kudos_send(kudos *handle, const char *key, int64_t n, uint64_t *ticket)
{
	(void)n;
	(void)ticket;
	cr_assert(strlen(key) > 0);
	if (handle->room == 0)
		return KUDOS_BUSY;
	handle->room--;
	handle->taken++;
	return KUDOS_OK;
}

static void answer(struct client *client, uint64_t first, uint64_t last, int error)
{
	const struct kudos_result result = {.first = first, .last = last, .error = error};
	client->handle->options.on_result(client->handle->options.arg, &result);
}

/* ---- */

struct fixture {
	struct plan plan;
	struct keys keys;
	struct client client;
	struct tally *tally;
};

static void set_up(struct fixture *f, uint32_t keys, double zipf)
{
	char error[PLAN_ERROR];
	plan_init(&f->plan);
	f->plan.keys = keys;
	f->plan.zipf = zipf;
	cr_assert(plan_finish(&f->plan, error));
	cr_assert(keys_init(&f->keys, &f->plan) == 0);
	cr_assert(client_init(&f->client, &(struct kudos_options){0}, &f->keys) == KUDOS_OK);
	f->tally = calloc(1, sizeof(*f->tally));
	cr_assert(f->tally != NULL);
	f->client.tally = f->tally;
}

static void tear_down(struct fixture *f)
{
	client_deinit(&f->client);
	keys_deinit(&f->keys);
	free(f->tally);
}

static uint32_t send_likes(struct fixture *f, uint32_t count)
{
	uint32_t sent = 0;
	cr_assert(client_send(&f->client, count, f->plan.window, 0, 0, &sent) == KUDOS_OK);
	return sent;
}

static void sum(const struct fixture *f, int64_t *sent, int64_t *acked)
{
	*sent = *acked = 0;
	for (uint32_t i = 0; i < f->keys.count; i++) {
		*sent += f->keys.tallies[i].sent;
		*acked += f->keys.tallies[i].acked;
		cr_assert(f->keys.tallies[i].acked <= f->keys.tallies[i].sent);
	}
}

Test(load_client, counts_each_result_by_key)
{
	struct fixture f;
	int64_t sent, acked;
	set_up(&f, 100, 0);
	for (int i = 0; i < 10; i++)
		cr_assert(send_likes(&f, 100) == 100);
	answer(&f.client, 501, 700, KUDOS_OK); /* results may overtake each other */
	answer(&f.client, 1, 250, KUDOS_OK);
	answer(&f.client, 251, 300, KUDOS_IN_DOUBT);
	answer(&f.client, 301, 310, KUDOS_TOO_LARGE);
	sum(&f, &sent, &acked);
	cr_assert(sent == 990 && acked == 450);
	cr_assert(f.tally->acknowledged == 450 && f.tally->in_doubt == 50 && f.tally->refused == 10);
	cr_assert(f.tally->latency.total == 450);
	cr_assert(f.client.unresolved == 490);
	cr_assert(f.client.refusal == KUDOS_TOO_LARGE);
	answer(&f.client, 311, 500, KUDOS_OK);
	answer(&f.client, 701, 1000, KUDOS_OK);
	cr_assert(f.client.unresolved == 0);
	cr_assert(f.client.chunk_head == f.client.chunk_next);
	tear_down(&f);
}

Test(load_client, rings_grow_around_what_is_in_flight)
{
	struct fixture f;
	uint64_t answered = 0;
	int64_t sent, acked;
	set_up(&f, 37, 1.1);
	for (uint32_t round = 1; round <= 3000; round++) {
		cr_assert(send_likes(&f, round % 97 + 1) == round % 97 + 1);
		if (round % 3 == 0) {
			const uint64_t last = answered + (f.client.next - 1 - answered) / 2;
			if (last > answered)
				answer(&f.client, answered + 1, last, KUDOS_OK);
			answered = last;
		}
	}
	answer(&f.client, answered + 1, f.client.next - 1, KUDOS_OK);
	sum(&f, &sent, &acked);
	cr_assert(sent == acked && (uint64_t)sent == f.client.next - 1);
	tear_down(&f);
}

Test(load_client, stops_at_the_window_and_when_the_library_is_busy)
{
	struct fixture f;
	set_up(&f, 10, 0);
	f.plan.window = 100;
	cr_assert(send_likes(&f, 64) == 64);
	cr_assert(send_likes(&f, 64) == 36);
	cr_assert(send_likes(&f, 64) == 0);
	answer(&f.client, 1, 100, KUDOS_OK);
	f.client.handle->room = 5;
	cr_assert(send_likes(&f, 64) == 5);
	cr_assert(f.client.unresolved == 5);
	answer(&f.client, 101, 105, KUDOS_OK);
	cr_assert(f.client.unresolved == 0);
	tear_down(&f);
}

Test(load_keys, zipf_draws_in_proportion)
{
	struct fixture f;
	const uint32_t keys = 1000, draws = 4000000;
	set_up(&f, keys, 1.2);
	uint32_t *hits = calloc(keys, sizeof(*hits));
	double weights = 0;
	cr_assert(hits != NULL);
	for (uint32_t i = 0; i < keys; i++)
		weights += pow(i + 1.0, -1.2);
	for (uint32_t i = 0; i < draws; i++)
		hits[keys_draw(&f.keys)]++;
	for (uint32_t i = 0; i < keys; i++) {
		const double expected = draws * pow(i + 1.0, -1.2) / weights;
		/* six standard deviations; the seed is fixed, so this cannot come and go */
		cr_assert(fabs(hits[i] - expected) < 6 * sqrt(expected) + 1, "key %u: %u instead of %.0f", i,
			  hits[i], expected);
	}
	free(hits);
	tear_down(&f);
}

Test(load_keys, names_have_their_size)
{
	struct plan plan;
	struct keys keys;
	char error[PLAN_ERROR];
	plan_init(&plan);
	plan.keys = 12;
	cr_assert(plan_set(&plan, "prefix", "p:", error) && plan_set(&plan, "key-size", "9", error));
	cr_assert(plan_finish(&plan, error) && keys_init(&keys, &plan) == 0);
	cr_assert_str_eq(keys_name(&keys, 0), "p:key:000");
	cr_assert_str_eq(keys_name(&keys, 11), "p:key:011");
	keys_deinit(&keys);
}
