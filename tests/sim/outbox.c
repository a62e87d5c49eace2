/* SPDX-License-Identifier: MIT */
/* Callers that keep their sessions, as an application does that has its likes in a database first: each batch
 * goes out again and again, through whichever client, by several at the same time, until it is known what
 * became of it. Clients die; what is kept here does not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "client/kept.h"
#include "kudos.h"
#include "sim.h"

static void begin(struct sim *s, struct outbox *o)
{
	o->session[0] = '\0';
	if (array_reserve(&s->owners, s->owner_count + 1, &s->owner_capacity, sizeof *s->owners) < 0)
		abort();
	o->owner = s->owner_count;
	s->owners[s->owner_count++] = (struct owner){0};
}

void outbox_draw(struct sim *s)
{
	if (s->seed % 5 != 1)
		return;
	s->outbox_count = 1 + s->seed / 5 % SIM_OUTBOXES;
	for (size_t i = 0; i < s->outbox_count; i++)
		begin(s, &s->outboxes[i]);
}

static struct sim_put *find_put(struct sim_client *c, uint64_t id)
{
	for (size_t i = 0; i < SIM_PUTS; i++) {
		if (c->puts[i].id == id)
			return &c->puts[i];
	}
	return NULL;
}

void outbox_client_died(struct sim_client *c)
{
	memset(c->puts, 0, sizeof c->puts);
}

void outbox_session(struct sim_client *c, const struct agent_answer *answer)
{
	struct sim_put *p = find_put(c, answer->id);
	if (!p)
		return;
	struct outbox *o = &c->sim->outboxes[p->like];
	*p = (struct sim_put){0};
	if (answer->error == KUDOS_OK && !o->session[0]) /* else two asked for one */
		snprintf(o->session, sizeof o->session, "%s", (const char *)answer->data);
}

/* The caller gives up on what its session has not told: it may have been counted. */
static void expired(struct sim *s, size_t owner)
{
	struct owner *likes = &s->owners[owner];
	for (size_t i = 0; i < likes->count; i++) {
		if (likes->likes[i] == LIKE_SENT) {
			likes->likes[i] = LIKE_IN_DOUBT;
			s->stats.in_doubt++;
		}
	}
	for (size_t i = 0; i < s->outbox_count; i++) {
		if (s->outboxes[i].owner == owner)
			begin(s, &s->outboxes[i]);
	}
}

void outbox_put(struct sim_client *c, const struct agent_answer *answer)
{
	int error = answer->error;
	struct sim_put *found = find_put(c, answer->id);
	if (!found)
		return;
	struct sim_put p = *found;
	*found = (struct sim_put){0};
	if (p.closes)
		return;
	if (error == KUDOS_OK)
		c->sim->owners[p.owner].likes[p.like] = sim_acknowledged(c, p.owner, p.like);
	else if (error == KUDOS_EXPIRED)
		expired(c->sim, p.owner);
	else if (error != KUDOS_UNKNOWN_SESSION && (error != KUDOS_NOT_COUNTED || !p.asks))
		sim_fail(c->sim, "client %d: batch %zu of outbox o%zu was refused: %s", c->index, p.like + 1,
			 p.owner, kudos_error_code(error));
}

static bool unresolved(const struct sim *s, const struct outbox *o, size_t *like)
{
	const struct owner *likes = &s->owners[o->owner];
	for (*like = 0; *like < likes->count; (*like)++) {
		if (likes->likes[*like] == LIKE_SENT)
			return true;
	}
	return false;
}

bool outbox_waits(const struct sim *s)
{
	size_t like;
	for (size_t i = 0; i < s->outbox_count; i++) {
		if (unresolved(s, &s->outboxes[i], &like))
			return true;
	}
	return false;
}

static int put(struct sim_client *c, const struct outbox *o, struct sim_put *p)
{
	char key[48];
	snprintf(key, sizeof key, "o%zun%zu", p->owner, p->like);
	const struct kudos_event event = {.key = key, .n = 1};
	if (p->asks)
		return kept_counted(c->agent, o->session, p->like + 1, &p->id);
	return kept_put(c->agent, o->session, p->like + 1, &event, 1, &p->id);
}

/* A new like, or one that was there already, whatever is known of it. */
static size_t pick(struct sim *s, const struct outbox *o)
{
	struct owner *likes = &s->owners[o->owner];
	size_t like;
	if (s->healing && unresolved(s, o, &like))
		return like;
	if (s->healing || (likes->count > 0 && sim_chance(s, 400)) || s->like_count >= s->like_limit)
		return sim_below(s, likes->count);
	if (array_reserve(&likes->likes, likes->count + 1, &likes->capacity, sizeof *likes->likes) < 0)
		abort();
	likes->likes[likes->count] = LIKE_SENT;
	s->like_count++;
	return likes->count++;
}

/* The caller of one outbox does something with this client. */
static void act(struct sim *s, struct sim_client *c)
{
	size_t which = sim_below(s, s->outbox_count), like;
	struct outbox *o = &s->outboxes[which];
	struct sim_put *p = find_put(c, 0);
	if (!p || (s->healing && !outbox_waits(s)))
		return;
	if (!o->session[0]) {
		if (!s->healing && kept_open_session(c->agent, s->now, 0, &p->id) == 0)
			p->like = which;
		return;
	}
	const struct owner *likes = &s->owners[o->owner];
	if (likes->count == 0 && (s->healing || s->like_count >= s->like_limit))
		return;
	if (likes->count > 3 && !unresolved(s, o, &like) && sim_chance(s, 200)) {
		p->closes = kept_close_session(c->agent, o->session, &p->id) == 0;
		begin(s, o);
		return;
	}
	*p = (struct sim_put){.owner = o->owner, .asks = sim_chance(s, 200)};
	p->like = pick(s, o);
	if (put(c, o, p) != 0)
		p->id = 0;
}

/* What goes out at the same time goes as one message. */
void outbox_act(struct sim *s, struct sim_client *c)
{
	for (uint64_t n = s->outbox_count ? 1 + sim_below(s, 4) : 0; n > 0; n--)
		act(s, c);
}
