/* SPDX-License-Identifier: MIT */
/* A client that makes up sessions, in many ways, and one that is given some and leaves holes between those it
 * uses. Nothing of the first kind may be counted or kept; of the second nothing is left long after it has
 * gone. Its likes are of key "x" where they must not count, and of "h" where they may. */
#include "core/lifetime.h"
#include "sim.h"

#include <stdlib.h>

#include "kudos.h"
#include "unit/batch_message.h"

#define EVERY (40 * MS)

static void send_to(struct sim *s, int to, bool leader, const struct bytes *b)
{
	int entity = leader ? sim_entity_leader(to) : sim_entity_server(to);
	sim_transmit(s, sim_entity_client(SIM_HOSTILE), entity,
		     (struct sim_event){.type = leader ? EVENT_TO_LEADER : EVENT_CLIENT_PORT,
					.from = SIM_HOSTILE,
					.to = to,
					.id = sim_identity_of('c', SIM_HOSTILE, 1),
					.data = b->data,
					.size = b->size});
}

static void say(struct sim *s, int to, bool leader, const struct message *m)
{
	struct bytes b = {0};
	message_encode(m, &b);
	send_to(s, to, leader, &b);
	bytes_deinit(&b);
}

static void like(struct sim *s, int to, const char *key, struct session session, struct proof proof,
		 uint64_t seq)
{
	struct event event = {key, 1, 1};
	struct bytes b = batch_message(session, proof, seq, &event, 1);
	send_to(s, to, false, &b);
	bytes_deinit(&b);
}

/* A session that is not its own, or nobody's. */
static void make_up(struct sim *s, int to)
{
	struct session session = s->hostile.known;
	struct proof proof = s->hostile.known_proof;
	switch (session.number ? sim_below(s, 5) : 0) {
	case 0: /* all of it */
		session = (struct session){random_next(&s->random) | 1, 1 + sim_below(s, 1000)};
		proof = (struct proof){{random_next(&s->random)}, random_next(&s->random)};
		break;
	case 1: /* of an issuer that there is, with a proof of another session */
		session.number += 1 + sim_below(s, 1000000);
		break;
	case 2: /* another's, with a proof that is none */
		proof.code ^= UINT64_C(1) << sim_below(s, 64);
		break;
	case 3: /* another's, with its own proof */
		proof = s->hostile.own_proof;
		if (session_equal(session, s->hostile.own))
			return;
		break;
	default: /* … closed, too */
		proof.code++;
		say(s, to, false, &(struct message){.type = MESSAGE_CLOSE, .close = {session, proof}});
	}
	like(s, to, "x", session, proof, 1 + sim_below(s, 200));
}

/* Every second one that it is given is used, some of the others late, when they may have lapsed. */
static void use(struct sim *s, int to)
{
	size_t late = sim_below(s, 16);
	if (s->hostile.own.number && s->hostile.own.number % 2 == 0)
		like(s, to, "h", s->hostile.own, s->hostile.own_proof, 1);
	if (s->hostile.kept[late].number && sim_chance(s, 300))
		like(s, to, "h", s->hostile.kept[late], s->hostile.kept_proofs[late], 1 + sim_below(s, 3));
}

void hostile_act(struct sim *s)
{
	if (s->healing)
		return;
	int to = (int)sim_below(s, (uint64_t)s->server_count),
	    leader = (int)sim_below(s, (uint64_t)s->leader_count);
	struct message hello = {.type = MESSAGE_HELLO, .hello = {.version = PROTOCOL_VERSION}};
	hello.hello.wants_session = sim_chance(s, 300);
	say(s, to, false, &hello);
	for (uint64_t n = 1 + sim_below(s, 5); n > 0; n--)
		make_up(s, to);
	if (sim_chance(s, 300)) {
		hello.hello.wants_session = false;
		say(s, leader, true, &hello);
		say(s, leader, true,
		    &(struct message){.type = MESSAGE_ASSIGN, .assign = {.wants_session = true}});
	}
	use(s, to);
	sim_at(s, s->now + (int64_t)sim_below(s, EVERY), (struct sim_event){.type = EVENT_HOSTILE});
}

static void take(struct sim *s, struct session session, struct proof proof)
{
	if (session.number == 0)
		return;
	s->hostile.own = session;
	s->hostile.own_proof = proof;
	size_t at = sim_below(s, 16);
	if (session.number % 2 == 1 && (s->hostile.kept[at].number == 0 || sim_chance(s, 50))) {
		s->hostile.kept[at] = session;
		s->hostile.kept_proofs[at] = proof;
	}
}

void hostile_hears(struct sim *s, const struct sim_event *e)
{
	struct message m;
	if (message_decode(e->data, e->size, &m) != 0)
		return;
	if (m.type == MESSAGE_WELCOME)
		take(s, m.welcome.session, m.welcome.proof);
	else if (m.type == MESSAGE_ASSIGNED)
		take(s, m.assigned.session, m.assigned.proof);
	message_deinit(&m);
}

/* The worst case: it reads what others send. */
void hostile_overhears(struct sim *s, struct session session, struct proof proof)
{
	s->hostile.known = session;
	s->hostile.known_proof = proof;
}

/* ---- what must hold ---- */

void hostile_note_issuer(struct sim *s, uint64_t id)
{
	for (unsigned class = 0; class < LIFETIME_CLASSES; class ++)
		map_put(&s->hostile.issuers, lifetime_issuer(id, class), 0, s);
}

/* Nothing is kept of issuers that there never were, and long after all have left one interval of those that
 * were. */
void hostile_check(struct sim *s, int i, bool all_left)
{
	const struct sessions *sessions = &s->servers[i].host->replica.sessions;
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&sessions->issuers, &at));) {
		const struct issuer *issuer = slot->value;
		if (!map_get(&s->hostile.issuers, issuer->id, 0))
			sim_fail(s, "s%d keeps something of issuer %016llx, which is made up", i + 1,
				 (unsigned long long)issuer->id);
		if (all_left && issuer->forgotten.count > 1)
			sim_fail(s, "s%d keeps %zu intervals of issuer %016llx", i + 1,
				 issuer->forgotten.count, (unsigned long long)issuer->id);
	}
	if (counts_get(&s->servers[i].host->replica.counts, "x", 1) != 0)
		sim_fail(s, "s%d counts a like of a session that nobody issued", i + 1);
}

/* An honest client's session was issued, whoever has started anew since. */
void hostile_check_answer(struct sim *s, int client, const void *data, size_t size)
{
	struct message m;
	if (message_decode(data, size, &m) != 0)
		return;
	if (m.type == MESSAGE_REFUSED && m.refused.code == KUDOS_NOT_ISSUED)
		sim_fail(s, "client %d was told that nobody issued its session", client);
	message_deinit(&m);
}

/* Whether nothing new of the issuer's numbers up to there is taken by a server that may take anything. */
static bool takes_no_more(const struct sim_server *v, uint64_t issuer, uint64_t to)
{
	if (!v->host || v->disk->dead || !v->established || v->condemned || v->may_regress || v->damaged ||
	    v->host->replica.ready.phase != PHASE_SERVING)
		return true;
	const struct issuer *known = map_get(&v->host->replica.sessions.issuers, issuer, 0);
	const struct intervals *closed = known ? &known->forgotten : NULL;
	return known && (known->lapse.to >= to ||
			 (closed->count > 0 && closed->at[0].lo == 1 && closed->at[0].hi >= to));
}

/* I8, of lapses: who has settled one knows that every member has applied it. */
void hostile_check_lapses(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	const struct sessions *sessions = &v->host->replica.sessions;
	struct map_slot *slot;
	bool settled = sessions->lapsing < v->lapsing;
	v->lapsing = sessions->lapsing;
	for (size_t at = 0; settled && (slot = map_next(&sessions->issuers, &at));) {
		const struct issuer *issuer = slot->value;
		if (issuer->lapse.to == 0 || issuer->lapse.at.lsn != 0)
			continue;
		for (int k = 0; k < s->server_count; k++) {
			if (!takes_no_more(&s->servers[k], issuer->id, issuer->lapse.to))
				sim_fail(s, "s%d has settled a lapse that s%d has not applied", i + 1, k + 1);
		}
	}
}
