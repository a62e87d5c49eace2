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
	uint64_t ids, sessions; /* that were asked for */
	char session[KUDOS_SESSION_SIZE];
	uint64_t number, likes; /* of the last batch of a session */
	unsigned closes;
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

int kudos_ask_session(kudos *handle, uint64_t lifetime, uint64_t *id)
{
	(void)lifetime;
	*id = ++handle->ids;
	handle->sessions++;
	return KUDOS_OK;
}

int kudos_ask_put(kudos *handle, const char *session, uint64_t number, const struct kudos_event *events,
		  size_t n, uint64_t *id)
{
	for (size_t i = 0; i < n; i++)
		cr_assert(events[i].n == 1 && events[i].key[0]);
	if (handle->room == 0)
		return KUDOS_BUSY;
	memcpy(handle->session, session, sizeof(handle->session));
	handle->number = number;
	handle->likes = n;
	*id = ++handle->ids;
	return KUDOS_OK;
}

int kudos_ask_session_close(kudos *handle, const char *session, uint64_t *id)
{
	cr_assert(session[0]);
	*id = ++handle->ids;
	handle->closes++;
	return KUDOS_OK;
}

/* Answers the closes. */
int kudos_process(kudos *handle, int timeout_ms)
{
	(void)timeout_ms;
	for (; handle->closes > 0; handle->closes--)
		handle->options.on_put(handle->options.arg, UINT64_MAX - handle->closes, KUDOS_OK, "");
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

/* Two clients in one handle; name is the first's session. */
static void carry(struct fixture *f, struct carrier *carrier, struct client *other)
{
	client_deinit(&f->client);
	cr_assert(carrier_init(carrier, &(struct kudos_options){0}, 2) == KUDOS_OK);
	client_init_carried(&f->client, carrier, &f->keys);
	client_init_carried(other, carrier, &f->keys);
	f->client.tally = other->tally = f->tally;
	carrier_add(carrier, &f->client);
	carrier_add(carrier, other);
}

static void give_session(struct carrier *carrier, const char *name)
{
	char session[KUDOS_SESSION_SIZE] = "";
	strcpy(session, name);
	carrier->handle->options.on_session(carrier, 1, KUDOS_OK, session);
}

static void answer_put(struct carrier *carrier, uint64_t id, int error)
{
	carrier->handle->options.on_put(carrier, id, error, "");
}

Test(load_carrier, each_client_has_its_session_and_its_numbers)
{
	struct fixture f;
	struct carrier carrier;
	struct client other;
	set_up(&f, 3, 0);
	carry(&f, &carrier, &other);
	cr_assert(send_likes(&f, 1) == 0, "not before it has a session");
	cr_assert(carrier_work(&carrier) == KUDOS_OK && carrier.handle->sessions == 2);
	cr_assert(carrier_work(&carrier) == KUDOS_OK && carrier.handle->sessions == 2, "asked for once");
	give_session(&carrier, "one");
	give_session(&carrier, "two");
	cr_assert(send_likes(&f, 5) == 5 && carrier.handle->likes == 5 && carrier.handle->number == 1);
	cr_assert_str_eq(carrier.handle->session, "one");
	const uint64_t id = carrier.handle->ids;
	cr_assert(send_likes(&f, 1) == 1 && carrier.handle->number == 2);
	uint32_t sent;
	cr_assert(client_send(&other, 1, 1, 0, 0, &sent) == KUDOS_OK && sent == 1);
	cr_assert_str_eq(carrier.handle->session, "two");
	cr_assert(carrier.handle->number == 1 && f.client.unresolved == 6 && other.unresolved == 1);
	answer_put(&carrier, id + 2, KUDOS_OK);
	cr_assert(f.client.unresolved == 6 && other.unresolved == 0 && f.tally->acknowledged == 1);
	answer_put(&carrier, id, KUDOS_OK);
	answer_put(&carrier, id, KUDOS_OK);
	cr_assert(f.client.unresolved == 1 && f.tally->acknowledged == 6, "once");
	answer_put(&carrier, id + 1, KUDOS_EXPIRED);
	cr_assert(f.client.unresolved == 0 && f.tally->in_doubt == 1);
	client_deinit(&other);
	carrier_deinit(&carrier);
	tear_down(&f);
}

Test(load_carrier, a_batch_that_stays_long_keeps_its_place)
{
	struct fixture f;
	struct carrier carrier;
	struct client other;
	set_up(&f, 3, 0);
	carry(&f, &carrier, &other);
	give_session(&carrier, "one");
	give_session(&carrier, "two");
	cr_assert(send_likes(&f, 7) == 7);
	const uint64_t first = carrier.handle->ids;
	for (int i = 0; i < 3000; i++) {
		uint32_t sent;
		cr_assert(client_send(&other, 1, 1, 0, 0, &sent) == KUDOS_OK && sent == 1);
		answer_put(&carrier, carrier.handle->ids, KUDOS_OK);
	}
	cr_assert(other.unresolved == 0 && f.client.unresolved == 7 && other.number == 3000);
	answer_put(&carrier, first, KUDOS_OK);
	cr_assert(f.client.unresolved == 0 && f.tally->acknowledged == 3007);
	carrier.handle->room = 0;
	cr_assert(send_likes(&f, 1) == 0 && f.client.number == 1, "a number is not lost");
	client_deinit(&other);
	carrier_deinit(&carrier);
	tear_down(&f);
}
