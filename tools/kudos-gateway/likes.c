/* SPDX-License-Identifier: MIT */
#include "likes.h"

#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "events.h"
#include "gateway.h"
#include "routes.h"

#define WAITING_MOST 65536 /* likes without a result: over it, come again */
#define HELD_US 2000	   /* while others are on their way */

struct likes_request {
	struct exchange *exchange; /* NULL: it went, and nobody is to be told */
	struct events events;
	size_t sent, resolved;
	int error; /* of the first that was not acknowledged */
	struct likes_request *next;
};

void likes_init(struct likes *likes, kudos *handle)
{
	*likes = (struct likes){.handle = handle, .base = 1, .queue_end = &likes->queue};
}

static void request_free(struct likes_request *r)
{
	events_deinit(&r->events);
	free(r);
}

static struct likes_request **owner(struct likes *likes, size_t i)
{
	return &likes->owners[(likes->head + i) & (likes->capacity - 1)];
}

/* Requests that libkudos has part of are freed with their last result, which does not come any more. */
void likes_deinit(struct likes *likes)
{
	for (size_t i = 0; i < likes->count; i++) {
		struct likes_request *r = *owner(likes, i);
		if (r && r->sent == r->events.count && ++r->resolved == r->sent)
			request_free(r);
	}
	while (likes->queue) {
		struct likes_request *r = likes->queue;
		likes->queue = r->next;
		request_free(r);
	}
	free(likes->owners);
}

static bool reserve(struct likes *likes)
{
	if (likes->count < likes->capacity)
		return true;
	size_t capacity = likes->capacity ? likes->capacity * 2 : 1024;
	struct likes_request **owners = calloc(capacity, sizeof *owners);
	if (!owners)
		return false;
	for (size_t i = 0; i < likes->count; i++)
		owners[i] = *owner(likes, i);
	free(likes->owners);
	likes->owners = owners;
	likes->capacity = capacity;
	likes->head = 0;
	return true;
}

/* Whether all of it is with libkudos now. */
static bool hand_over(struct likes *likes, struct likes_request *r)
{
	for (; r->sent < r->events.count; r->sent++) {
		const struct event *e = &r->events.list[r->sent];
		if (!reserve(likes) || kudos_send(likes->handle, e->key, e->n, NULL) != KUDOS_OK)
			return false; /* no room now */
		*owner(likes, likes->count++) = r;
	}
	return true;
}

void likes_send(struct likes *likes)
{
	likes->room = false;
	/* Servers commit what has come while the commit before was on its way; what comes with the answer to
	 * that is fewer commits for as many likes, unless the way is long. */
	if (!likes->queue || (likes->count && gateway_now_us() - likes->sent_at < HELD_US))
		return;
	likes->sent_at = gateway_now_us();
	while (likes->queue && hand_over(likes, likes->queue)) {
		likes->queue = likes->queue->next;
		if (!likes->queue)
			likes->queue_end = &likes->queue;
	}
}

/* Whoever wants to see counts waits for them now, as a reader. */
static void tell(struct likes_request *r)
{
	struct exchange *x = r->exchange;
	if (!x)
		return;
	x->work = NULL;
	if (r->error)
		exchange_failed(x, r->error, NULL);
	else
		counts_answer_likes(x, &r->events);
}

static void resolve(struct likes *likes, struct likes_request *r, int error)
{
	if (error == KUDOS_OK)
		likes->acknowledged++;
	else if (error == KUDOS_IN_DOUBT)
		likes->in_doubt++;
	else
		likes->refused++;
	likes->waiting--;
	if (error && !r->error)
		r->error = error;
	if (++r->resolved < r->events.count)
		return;
	tell(r);
	request_free(r);
}

void likes_result(struct likes *likes, const struct kudos_result *result)
{
	likes->room = likes->queue != NULL;
	for (uint64_t ticket = result->first; ticket <= result->last; ticket++) {
		struct likes_request **at = owner(likes, (size_t)(ticket - likes->base));
		struct likes_request *r = *at;
		*at = NULL;
		if (r)
			resolve(likes, r, result->error);
	}
	while (likes->count && !*owner(likes, 0)) {
		likes->head = (likes->head + 1) & (likes->capacity - 1);
		likes->base++;
		likes->count--;
	}
}

void likes_run(struct exchange *x)
{
	struct likes *likes = &x->gateway->likes;
	if (likes->waiting >= WAITING_MOST) {
		exchange_failed(x, KUDOS_BUSY, NULL);
		return;
	}
	struct likes_request *r = calloc(1, sizeof *r);
	if (!r) {
		exchange_failed(x, KUDOS_NO_MEMORY, NULL);
		return;
	}
	if (!events_take(&r->events, x)) {
		free(r);
		return;
	}
	likes->waiting += r->events.count;
	r->exchange = x;
	x->work = r;
	*likes->queue_end = r;
	likes->queue_end = &r->next;
}

/* Its likes go on: some may be on their way. Once they were told it is a reader (counts.c). */
void likes_end(struct exchange *x)
{
	struct likes_request *r = x->work;
	if (x->reads)
		counts_end(x);
	else if (r)
		r->exchange = NULL;
}
