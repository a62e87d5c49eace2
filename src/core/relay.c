/* SPDX-License-Identifier: MIT */
#include "core/relay.h"

#include <errno.h>

#include "base/limits.h"
#include "base/time.h"
#include "kudos.h"

#define AGAIN_AFTER (1100 * MS) /* as with the window's: later than a server counts as silent */
#define STRANGE_MOST 3

void relay_init(struct relay *r, uint64_t seed)
{
	*r = (struct relay){0};
	map_init(&r->by_name, seed);
}

void relay_deinit(struct relay *r)
{
	map_deinit(&r->by_name);
}

static void append(struct relayed_list *list, struct relayed *item)
{
	item->next = NULL;
	item->previous = list->last;
	if (list->last)
		list->last->next = item;
	else
		list->first = item;
	list->last = item;
}

static void unlink_item(struct relayed_list *list, struct relayed *item)
{
	if (item->next)
		item->next->previous = item->previous;
	else
		list->last = item->previous;
	if (item->previous)
		item->previous->next = item->next;
	else
		list->first = item->next;
}

/* One number of a session's two; that others may have the same is one thing that `same` is for. */
static uint64_t mixed(struct session s)
{
	return s.issuer ^ (s.number << 32 | s.number >> 32);
}

static bool is_named(const struct relayed *item, struct session session, uint64_t seq)
{
	return session_equal(item->session, session) && item->seq == seq;
}

static struct relayed *named(const struct relay *r, struct session session, uint64_t seq)
{
	struct relayed *item = map_get(&r->by_name, mixed(session), seq);
	while (item && !is_named(item, session, seq))
		item = item->same;
	return item;
}

/* To the end of its hash's chain. 0 or -ENOMEM, which only the first of a chain gets. */
static int add_name(struct relay *r, struct relayed *item)
{
	struct relayed *last = map_get(&r->by_name, mixed(item->session), item->seq);
	item->same = NULL;
	if (!last)
		return map_put(&r->by_name, mixed(item->session), item->seq, item);
	while (last->same)
		last = last->same;
	last->same = item;
	return 0;
}

int relay_add(struct relay *r, struct relayed *item)
{
	if (r->count >= LIMIT_RELAYED)
		return KUDOS_BUSY;
	item->held = named(r, item->session, item->seq) != NULL;
	item->sent = false;
	item->strange = 0;
	if (add_name(r, item) < 0)
		return -ENOMEM;
	if (!item->held)
		append(&r->ready, item);
	r->count++;
	return 0;
}

struct relayed *relay_next(struct relay *r, int64_t now)
{
	struct relayed *item = r->ready.first;
	if (item) {
		unlink_item(&r->ready, item);
	} else {
		item = r->sent.first;
		if (!item || now < item->sent_at + AGAIN_AFTER)
			return NULL;
		unlink_item(&r->sent, item);
	}
	item->sent = true;
	item->sent_at = now;
	append(&r->sent, item);
	return item;
}

int64_t relay_deadline(const struct relay *r)
{
	if (r->ready.first)
		return 0;
	return r->sent.first ? r->sent.first->sent_at + AGAIN_AFTER : NEVER;
}

void relay_all_due(struct relay *r)
{
	for (struct relayed *item = r->sent.first; item; item = item->next)
		item->sent = false;
	if (!r->sent.first)
		return;
	r->sent.last->next = r->ready.first;
	if (r->ready.first)
		r->ready.first->previous = r->sent.last;
	else
		r->ready.last = r->sent.last;
	r->ready.first = r->sent.first;
	r->sent = (struct relayed_list){0};
}

/* Takes it out of the chain of its hash; the map keeps the chain's first. */
static void forget_name(struct relay *r, struct relayed *item)
{
	uint64_t a = mixed(item->session);
	struct relayed *first = map_get(&r->by_name, a, item->seq);
	if (first != item) {
		while (first->same != item)
			first = first->same;
		first->same = item->same;
	} else if (item->same) {
		map_put(&r->by_name, a, item->seq, item->same); /* replaces: needs no memory */
	} else {
		map_remove(&r->by_name, a, item->seq);
	}
}

/* Out of its list; the next of its name is not held any more. */
static void let_pass(struct relay *r, struct relayed *item)
{
	unlink_item(item->sent ? &r->sent : &r->ready, item);
	struct relayed *next = named(r, item->session, item->seq);
	if (!next)
		return;
	next->held = false;
	next->sent = false;
	append(&r->ready, next);
}

static struct relayed *take(struct relay *r, struct relayed *item)
{
	if (!item)
		return NULL;
	forget_name(r, item);
	if (!item->held)
		let_pass(r, item);
	r->count--;
	return item;
}

struct relayed *relay_take(struct relay *r, struct session session, uint64_t seq, enum relay_part part)
{
	struct relayed *item = named(r, session, seq);
	bool meant = item && (part == RELAY_ALL || item->asks == (part == RELAY_ASKS));
	return meant ? take(r, item) : NULL;
}

static struct relayed *with_id(const struct relayed_list *list, uint64_t id)
{
	for (const struct relayed *item = list->first; item; item = item->next) {
		/* Those held are behind the one that holds them. */
		for (struct relayed *same = (struct relayed *)item; same; same = same->same) {
			if (same->id == id)
				return same;
		}
	}
	return NULL;
}

struct relayed *relay_take_id(struct relay *r, uint64_t id)
{
	struct relayed *item = with_id(&r->sent, id);
	return take(r, item ? item : with_id(&r->ready, id));
}

bool relay_is_strange(struct relay *r, struct session session, uint64_t seq)
{
	struct relayed *item = named(r, session, seq);
	if (!item || ++item->strange >= STRANGE_MOST)
		return item != NULL;
	struct relayed *next = item->same;
	while (next && !is_named(next, session, seq))
		next = next->same;
	if (!next)
		return false;
	forget_name(r, item);
	let_pass(r, item);
	item->held = true;
	add_name(r, item); /* behind the next */
	return false;
}

static uint64_t lowest_in(const struct relayed_list *list, struct session session, uint64_t lo, uint64_t hi)
{
	uint64_t lowest = 0;
	for (const struct relayed *item = list->first; item; item = item->next) {
		if (session_equal(item->session, session) && item->seq >= lo && item->seq <= hi &&
		    (lowest == 0 || item->seq < lowest))
			lowest = item->seq;
	}
	return lowest;
}

uint64_t relay_lowest(const struct relay *r, struct session session, uint64_t lo, uint64_t hi)
{
	uint64_t a = lowest_in(&r->sent, session, lo, hi), b = lowest_in(&r->ready, session, lo, hi);
	return a && (!b || a < b) ? a : b;
}
