/* SPDX-License-Identifier: MIT */
#include "send.h"

#include <stdlib.h>
#include <time.h>

#define PASS_MS 100

struct flight {
	struct batch batch;
	uint64_t id; /* of the question; 0: it has to be asked (again) */
	bool counted;
};

struct sender {
	struct sending with;
	struct flight flights[SEND_AT_ONCE]; /* of batch n: n modulo their number */
	uint64_t next;			     /* the number of the next batch; those before are on their way */
	uint64_t rows;
	bool whole; /* there is no next batch */
	int refused;
	int64_t heard; /* ms; when the last was counted */
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct sender *sender_new(void)
{
	return calloc(1, sizeof(struct sender));
}

void sender_free(struct sender *s)
{
	free(s);
}

static struct flight *flight(struct sender *s, uint64_t number)
{
	return &s->flights[number % SEND_AT_ONCE];
}

/* What is not known is to be sent again. */
static bool may_pass(int error)
{
	return error == KUDOS_TIMEOUT || error == KUDOS_NO_LEADER || error == KUDOS_NO_SERVER ||
	       error == KUDOS_BUSY || error == KUDOS_UNKNOWN_SESSION || error == KUDOS_NOT_SERVING;
}

void sender_on_put(void *sender, uint64_t id, int error, const char *token)
{
	struct sender *s = sender;
	(void)token;
	for (size_t i = 0; i < SEND_AT_ONCE; i++) {
		struct flight *f = &s->flights[i];
		if (f->id != id)
			continue;
		f->id = 0;
		f->counted = error == KUDOS_OK;
		if (error != KUDOS_OK && !may_pass(error))
			s->refused = error;
		return;
	}
}

/* Before a number is used for the first time, the state says that it may have been. */
static int announce(struct sender *s, uint64_t number)
{
	struct state *state = s->with.state;
	if (number <= state->sent)
		return 0;
	state->sent = number + SEND_AHEAD - 1 < state->batches ? number + SEND_AHEAD - 1 : state->batches;
	return state_save(s->with.file, state);
}

static int ask(struct sender *s, struct flight *f)
{
	const struct batch *b = &f->batch;
	const int error =
	    kudos_ask_put(s->with.handle, s->with.state->session, b->number, b->events, b->count, &f->id);
	if (error != KUDOS_OK && !may_pass(error))
		s->refused = error;
	return error;
}

/* Takes the next batch, if there is one, past those that are counted. 0, or what batches_next() says. */
static int take(struct sender *s)
{
	struct flight *f = flight(s, s->next);
	int r;
	while ((r = batches_next(s->with.batches, &f->batch)) == 1 && f->batch.number < s->next)
		s->rows = f->batch.rows;
	s->whole = r == 0 || s->next > s->with.state->batches;
	f->id = 0;
	f->counted = false;
	return r < 0 ? r : 0;
}

/* Sends what there is room for. */
static enum sent send_more(struct sender *s, int *error)
{
	const uint64_t first = s->with.state->acknowledged + 1;
	for (uint64_t n = first; n < s->next; n++) {
		struct flight *f = flight(s, n);
		if (f->id == 0 && !f->counted && ask(s, f) != KUDOS_OK)
			return SENT_ALL;
	}
	while (!s->whole && *s->with.interrupts == 0 && s->next < first + SEND_AT_ONCE) {
		*error = take(s);
		if (*error < 0)
			return SENT_SYSTEM;
		if (s->whole)
			break;
		if (s->next == first)
			s->heard = now_ms();
		*error = announce(s, s->next);
		if (*error < 0)
			return SENT_UNSAVED;
		if (ask(s, flight(s, s->next++)) != KUDOS_OK)
			break;
	}
	return SENT_ALL;
}

/* Those that are counted without a gap. */
static void advance(struct sender *s)
{
	struct state *state = s->with.state;
	while (state->acknowledged + 1 < s->next && flight(s, state->acknowledged + 1)->counted) {
		state->acknowledged++;
		s->rows = flight(s, state->acknowledged)->batch.rows;
		s->heard = now_ms();
	}
	if (s->with.progress)
		s->with.progress(s->with.arg, s->rows);
}

static enum sent drive(struct sender *s, int *error)
{
	for (;;) {
		const enum sent sent = send_more(s, error);
		const bool idle = s->with.state->acknowledged + 1 == s->next;
		if (sent != SENT_ALL)
			return sent;
		if (s->refused) {
			*error = s->refused;
			return SENT_REFUSED;
		}
		if (idle && s->whole)
			return SENT_ALL;
		if (*s->with.interrupts > (idle ? 0 : 1))
			return SENT_INTERRUPTED;
		if (now_ms() - s->heard > s->with.timeout_ms)
			return SENT_SILENCE;
		kudos_process(s->with.handle, PASS_MS);
		advance(s);
	}
}

enum sent sender_run(struct sender *s, const struct sending *sending, int *error, uint64_t *rows)
{
	const uint64_t before = sending->state->sent;
	s->with = *sending;
	s->next = sending->state->acknowledged + 1;
	s->heard = now_ms();
	*error = 0;
	enum sent sent = drive(s, error);
	/* As it was, and not as it might have come to be: what was never sent is in no doubt. */
	sending->state->sent = s->next - 1 > before ? s->next - 1 : before;
	*rows = s->rows;
	const int r = state_save(sending->file, sending->state);
	if (r < 0 && sent != SENT_SYSTEM) {
		*error = r;
		sent = SENT_UNSAVED;
	}
	return sent;
}
