/* SPDX-License-Identifier: MIT */
/* The network, and what ZeroMQ adds to its losses: a queue that is full drops what comes next, silently; a
 * connection that breaks drops what was queued on it, in both directions; what is published before a
 * subscription has arrived is missed. Between two servers there are two connections, one for what is
 * published and one for requests with their answers, and each can be stuck alone. */
#include "sim.h"

#include "base/time.h"

#define APART (80 * MS)

/* All are in one place, or, in every seventh history, in two regions. Drawn apart from all else, so as to
 * leave the other histories as they were. */
void network_draw(struct sim *s)
{
	struct random random;
	random_seed(&random, s->seed ^ 0x726567696f6e);
	if (s->seed % 7 == 4 && s->apart == 0)
		s->apart = APART;
	uint64_t there =
	    random_next(&random) << 2 | 2; /* whoever is in the other region; the second server */
	unsigned resent = random_below(&random, 2) ? (unsigned)random_below(&random, 30) : 0;
	for (int a = 0; a < SIM_ENTITIES; a++) {
		for (int b = 0; b < SIM_ENTITIES; b++) {
			int64_t spread = s->apart / 2;
			bool far = s->apart > 0 && ((there >> a) & 1) != ((there >> b) & 1);
			s->links[a][b] = (struct link){50, s->faults.delay, 0};
			if (far) /* each way its own, as routes are */
				s->links[a][b] =
				    (struct link){s->apart - spread / 2 +
						      (int64_t)random_below(&random, (uint64_t)spread + 1),
						  s->faults.delay, resent};
		}
	}
	s->faults.calm = s->faults.calm && !(s->apart && resent);
	if (s->apart)
		sim_log(s, "two regions: the other has %05llx, %.0f ms away",
			(unsigned long long)there & 0x3fff, (double)s->apart / 1000.0);
}

static unsigned channel_of(const struct sim_event *e)
{
	return e->type == EVENT_PUBLISHED ? CHANNEL_PUBLISHED : CHANNEL_REQUESTS;
}

/* Whether the queue to a server that reads nothing just now is full. */
static bool full(struct sim *s, int from, int to, unsigned channel)
{
	unsigned *queued = &s->queued[from][to][channel == CHANNEL_REQUESTS];
	if (to >= SIM_SERVERS || s->now >= s->servers[to].paused_until) {
		*queued = 0;
		return false;
	}
	if (*queued >= s->faults.queue)
		return true;
	++*queued;
	return false;
}

/* Who asks for something, or tells what the other lacks, gives it time before it does so again. Three times
 * what was seen in a second at most; where servers restart many times a second each run begins anew. For a
 * checkpoint that a giver makes first it asks after 16 ms, 32 and so on, and after half a second without an
 * answer. */
static void check_patience(struct sim *s, int from, int to, const struct sim_event *e)
{
	static const unsigned char in_a_second[MESSAGE_TYPE_COUNT] = {
	    [MESSAGE_HELLO] = 27,  [MESSAGE_MEMBERS] = 27, [MESSAGE_HEARTBEAT] = 30,
	    [MESSAGE_FETCH] = 150, [MESSAGE_REACH] = 39,   [MESSAGE_SNAPSHOT] = 9,
	};
	enum message_type type;
	if (from >= SIM_SERVERS || s->faults.storm || message_peek(e->data, e->size, &type) != 0 ||
	    in_a_second[type] == 0)
		return;
	if (++s->said[from][to][type] > in_a_second[type])
		sim_fail(s, "s%d says %s more than %u times in a second", from + 1, message_type_name(type),
			 in_a_second[type]);
}

/* Where nothing is ever lost, and all have been there for a while, all that is published comes by itself. */
static void check_needless(struct sim *s, int from, const struct sim_event *e)
{
	enum message_type type;
	if (!s->faults.calm || s->faults.delay > 10 * MS || s->healing || from >= SIM_SERVERS ||
	    message_peek(e->data, e->size, &type) != 0 || type != MESSAGE_FETCH)
		return;
	for (int i = 0; i < s->server_count; i++) {
		const struct sim_server *v = &s->servers[i];
		if (!v->host || v->phase != PHASE_SERVING || s->now - v->serves_since < 2 * SECOND)
			return;
	}
	sim_fail(s, "s%d fetches what is on its way to it", from + 1);
}

void sim_transmit(struct sim *s, int from, int to, struct sim_event event)
{
	unsigned channel = channel_of(&event);
	check_patience(s, from, to, &event);
	check_needless(s, from, &event);
	if ((s->cut[from][to] & channel) || sim_chance(s, s->faults.loss)) {
		s->stats.lost++;
		return;
	}
	if (full(s, from, to, channel)) {
		s->stats.overflowed++;
		return;
	}
	int copies = 1 + sim_chance(s, s->faults.duplicate);
	s->stats.duplicated += (uint64_t)copies - 1;
	event.sender = from;
	event.receiver = to;
	for (int i = 0; i < copies; i++) {
		const struct link *link = &s->links[from][to];
		int64_t delay = link->least + (int64_t)sim_below(s, (uint64_t)link->jitter);
		if (sim_chance(s, link->resent))
			delay += 2 * link->least + 200 * MS;
		if (s->faults.slow && sim_chance(s, 20))
			delay += (int64_t)sim_below(s, 400 * MS);
		sim_at(s, s->now + delay, event);
	}
}

/* The connections of two break, and are made anew. */
void sim_reconnect(struct sim *s, int a, int b, unsigned channels)
{
	for (size_t i = 0; i < s->heap_count; i++) {
		struct sim_event *e = s->heap[i];
		if (((e->sender == a && e->receiver == b) || (e->sender == b && e->receiver == a)) &&
		    (channel_of(e) & channels)) {
			e->type = EVENT_LOST;
			s->stats.lost++;
		}
	}
	for (int i = 0; i < s->client_count; i++) {
		int server = a == sim_entity_client(i) ? b : b == sim_entity_client(i) ? a : -1;
		if (server >= 0 && server < SIM_SERVERS)
			sim_client_disconnected(s, i, server);
	}
	if (a < SIM_SERVERS && b < SIM_SERVERS && (channels & CHANNEL_PUBLISHED))
		s->subscriptions[a][b] = s->subscriptions[b][a] = (struct subscription){0};
}

bool sim_subscribed(struct sim *s, int to, int from)
{
	struct subscription *sub = &s->subscriptions[to][from];
	if (sub->to != s->servers[to].run || sub->from != s->servers[from].run) {
		sub->to = s->servers[to].run;
		sub->from = s->servers[from].run;
		sub->at = s->now + (int64_t)sim_below(s, (uint64_t)s->faults.subscribe + 1);
	}
	return s->now >= sub->at;
}
