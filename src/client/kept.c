/* SPDX-License-Identifier: MIT */
#include "client/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/agent.h"
#include "client/question.h"
#include "client/session_name.h"
#include "core/courier_route.h"
#include "core/lifetime.h"
#include "wire/batch_builder.h"
#include "wire/key.h"

struct kept {
	struct relayed base; /* first: the courier's pointer is ours */
	size_t size;
	uint8_t message[]; /* as it is sent, every time */
};

void kept_send(void *arg, const struct relayed *item)
{
	struct agent *a = arg;
	const struct kept *k = (const struct kept *)item;
	if (many_add(&a->gathered, k->message, k->size))
		return;
	kept_send_gathered(a);
	if (!many_add(&a->gathered, k->message, k->size))
		a->io.send_server(a->io.arg, k->message, k->size);
}

void kept_send_gathered(struct agent *a)
{
	const uint8_t *data;
	size_t size;
	if (many_take(&a->gathered, &data, &size))
		a->io.send_server(a->io.arg, data, size);
}

void kept_relayed(void *arg, struct relayed *item, int error)
{
	struct agent *a = arg;
	struct agent_answer answer = {.id = item->id, .asked = MESSAGE_BATCH, .error = error};
	if (error == KUDOS_OK && item->seq != 0) {
		answer.data = a->acked;
		answer.count = a->acked_count;
		answer.size = answer.count * sizeof *a->acked;
	}
	a->io.answer(a->io.arg, &answer);
	free(item);
}

void kept_free_all(struct agent *a)
{
	struct relay *r = &a->courier.relay;
	while (r->count)
		free(relay_take_id(r, (r->ready.first ? r->ready.first : r->sent.first)->id));
}

int kept_open_session(struct agent *a, int64_t now, uint64_t lifetime, uint64_t *id)
{
	uint64_t most =
	    a->courier.direct ? LIFETIME_USUAL : LIFETIME_USUAL * lifetime_factor(LIFETIME_CLASSES - 1);
	if (lifetime > most)
		return KUDOS_LIMIT;
	return question_ask(a, now, MESSAGE_ASSIGN, (struct subject){.n = lifetime}, id);
}

static bool suits(const struct courier_request *base, struct session session)
{
	const struct question *r = (const struct question *)base;
	return r->type == MESSAGE_ASSIGN && lifetime_class(session.issuer) >= lifetime_class_for(r->n);
}

/* A session that came and that the courier did not take is for whoever asked first for one that lasts as
 * long. */
void kept_offer(struct agent *a, struct session session, struct proof proof)
{
	const struct courier_request *r = a->courier.requests;
	while (r && !suits(r, session))
		r = r->next;
	if (!r || !session.number || !route_first_use(&a->courier, session))
		return;
	char name[KUDOS_SESSION_SIZE];
	session_name_print(name, session, proof);
	struct agent_answer answer = {r->id, MESSAGE_ASSIGN, KUDOS_OK, name, strlen(name) + 1, 1};
	free(question_take(a, r->id, true));
	a->io.answer(a->io.arg, &answer);
}

static int relay(struct agent *a, struct kept *k, uint64_t *id)
{
	k->base.id = ++a->last_id;
	int error = courier_relay(&a->courier, &k->base);
	if (error)
		free(k);
	else
		*id = k->base.id;
	return error;
}

static int check(const struct kudos_event *events, size_t n)
{
	if (n == 0 || n > LIMIT_BATCH_EVENTS)
		return n ? KUDOS_TOO_LARGE : KUDOS_BAD_AMOUNT;
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(events[i].key);
		int error = key_check(events[i].key, size);
		int64_t amount = events[i].n;
		if (error == 0 && (amount == 0 || amount > LIMIT_AMOUNT || amount < -LIMIT_AMOUNT))
			error = KUDOS_BAD_AMOUNT;
		if (error)
			return error;
		bytes += size + BATCH_EVENT_MAX - LIMIT_KEY;
	}
	return bytes > WINDOW_CONTENT_MAX ? KUDOS_TOO_LARGE : 0;
}

int kept_put(struct agent *a, const char *session, uint64_t number, const struct kudos_event *events,
	     size_t n, uint64_t *id)
{
	struct session s;
	struct proof proof;
	if (!session_name_parse(session, &s, &proof))
		return KUDOS_BAD_SESSION;
	if (number == 0 || number == UINT64_MAX)
		return KUDOS_BAD_NUMBER;
	int error = check(events, n);
	if (error)
		return error;
	struct kept *k = calloc(1, sizeof *k + BATCH_HEADER_MAX + n * BATCH_EVENT_MAX);
	if (!k)
		return -ENOMEM;
	k->base.session = s;
	k->base.seq = number;
	k->size = batch_header_encode(k->message, s, proof, number, n);
	for (size_t i = 0; i < n; i++)
		k->size += batch_event_encode(k->message + k->size, events[i].key, strlen(events[i].key),
					      (int32_t)events[i].n);
	return relay(a, k, id);
}

/* Sends m, which is about that name, until it is answered. */
static int relay_message(struct agent *a, const struct message *m, struct relayed name, uint64_t *id)
{
	struct bytes out = {0};
	message_encode(m, &out);
	struct kept *k = bytes_failed(&out) ? NULL : calloc(1, sizeof *k + out.size);
	if (k) {
		k->base = name;
		k->size = out.size;
		memcpy(k->message, out.data, out.size);
	}
	bytes_deinit(&out);
	return k ? relay(a, k, id) : -ENOMEM;
}

int kept_counted(struct agent *a, const char *session, uint64_t number, uint64_t *id)
{
	struct message m = {.type = MESSAGE_SEEN, .seen.seq = number};
	if (!session_name_parse(session, &m.seen.session, &m.seen.proof))
		return KUDOS_BAD_SESSION;
	if (number == 0 || number == UINT64_MAX)
		return KUDOS_BAD_NUMBER;
	const struct relayed name = {.session = m.seen.session, .seq = number, .asks = true};
	return relay_message(a, &m, name, id);
}

int kept_close_session(struct agent *a, const char *session, uint64_t *id)
{
	struct message m = {.type = MESSAGE_CLOSE};
	if (!session_name_parse(session, &m.close.session, &m.close.proof))
		return KUDOS_BAD_SESSION;
	return relay_message(a, &m, (struct relayed){.session = m.close.session}, id);
}
