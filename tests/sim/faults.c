/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "sim.h"
#include "core/agree.h"

/* Swarm testing (Groce et al. 2012): each seed draws which kinds of faults there are at all, and how hard
 * they hit, so that rare combinations are not drowned by the usual ones. */
void faults_draw(struct sim *s)
{
	struct faults *f = &s->faults;
	f->calm = sim_chance(s, 30);
	unsigned p = f->calm ? 0 : 400;
	s->server_count = 1 + (int)sim_below(s, 5);
	s->leader_count = 1 + (int)sim_below(s, SIM_LEADERS);
	s->client_count = 1 + (int)sim_below(s, 5);
	s->like_limit = 50 + sim_below(s, 250);
	f->crash = sim_chance(s, p);
	f->fuse = sim_chance(s, p);
	f->pause = sim_chance(s, p);
	f->partition = sim_chance(s, p);
	f->leaders = sim_chance(s, p);
	f->wipe = sim_chance(s, p / 2);
	f->forget = sim_chance(s, p / 2);
	f->old_copy = sim_chance(s, p / 2);
	f->damage = sim_chance(s, p / 2);
	f->io_error = sim_chance(s, p / 2);
	f->clients_die = sim_chance(s, p);
	f->slow = sim_chance(s, p);
	f->clock = sim_chance(s, p);
	f->loss = sim_chance(s, p) ? (unsigned)sim_below(s, 250) : 0;
	f->duplicate = sim_chance(s, p) ? (unsigned)sim_below(s, 250) : 0;
	f->delay = 100 + (int64_t)sim_below(s, sim_chance(s, 300) ? 50 * MS : 3 * MS);
	f->interval = 100 * MS + (int64_t)sim_below(s, 3 * SECOND);
	f->told = sim_chance(s, 700) ? 1 + sim_below(s, 4) : 0;
	f->gaps = sim_chance(s, 500) ? 1 + sim_below(s, 8) : 0;
	f->storm = s->server_count > 1 && sim_chance(s, p / 4);
	f->asleep = -1;
	f->memory_only = sim_chance(s, 100);
	if (f->memory_only) /* a memory-only server that dies is destroyed */
		f->crash = f->fuse = f->wipe = f->old_copy = f->damage = f->io_error = f->forget = f->storm =
		    false;
	f->late = sim_chance(s, p);
	f->rests = sim_chance(s, p);
	f->move = sim_chance(s, p / 2) && !f->memory_only;
	f->flap = sim_chance(s, p);
	/* Likes come in a rush at the beginning, or spread over the whole time. */
	f->pace = sim_chance(s, 500) ? 60 * MS : 30 * SECOND * s->client_count / (int64_t)s->like_limit;
	f->split = sim_chance(s, p / 4) && !f->memory_only;
	f->queue = sim_chance(s, p) ? (unsigned)sim_below(s, 100) : 10000;
	f->subscribe = sim_chance(s, p) ? 500 * MS : MS;
	f->destroy = sim_chance(s, p / 2);
	if (s->server_count > 1 && sim_chance(s, f->destroy ? 400 : 150) &&
	    (!f->forget || s->server_count > 3))
		s->ack_peers = s->server_count > 3 && sim_chance(s, 300) ? 2 : 1;
	if (s->ack_peers && f->destroy) /* no other fault takes copies of what was acknowledged */
		f->wipe = f->old_copy = f->damage = f->forget = f->split = false;
	f->hostile = p > 0 && s->seed % 6 == 5; /* by the seed, so as to leave the others as they were */
	f->drain = p > 0 && s->seed % 6 == 2 && !f->memory_only;
	f->crash = f->crash || f->drain;
	f->stream = s->seed % 6 == 3;
	f->purge = s->seed % 12 == 3 && !f->memory_only;
}

static void disturb(struct sim *s, int64_t until)
{
	if (s->disturbed_at < until)
		s->disturbed_at = until;
}

static int some_server(struct sim *s)
{
	return (int)sim_below(s, (uint64_t)s->server_count);
}

static void restart_later(struct sim *s, int i)
{
	sim_at(s, s->now + 50 * MS + (int64_t)sim_below(s, 4 * SECOND),
	       (struct sim_event){.type = EVENT_RESTART, .to = i});
}

static void crash(struct sim *s)
{
	int i = some_server(s);
	if (!s->servers[i].host)
		return;
	if (s->faults.drain && sim_chance(s, 500)) {
		sim_drain_server(s, i);
		return;
	}
	s->stats.crashes++;
	if (sim_chance(s, 150)) { /* power loss: all at once */
		for (int k = 0; k < s->server_count; k++) {
			sim_stop_server(s, k);
			restart_later(s, k);
		}
		return;
	}
	sim_stop_server(s, i);
	restart_later(s, i);
}

static void light_fuse(struct sim *s)
{
	struct sim_server *v = &s->servers[some_server(s)];
	if (v->host)
		v->disk->fuse = (int)sim_below(s, 60);
}

static void pause_server(struct sim *s)
{
	struct sim_server *v = &s->servers[some_server(s)];
	if (!v->host)
		return;
	s->stats.pauses++;
	disturb(s, s->now + 6 * SECOND);
	v->paused_until = s->now + 20 * MS + (int64_t)sim_below(s, 6 * SECOND);
	sim_log(s, "s%d is stopped for a while", v->index + 1);
}

static int some_entity(struct sim *s)
{
	uint64_t all = (uint64_t)(s->server_count + s->leader_count + s->client_count);
	int i = (int)sim_below(s, all);
	if (i < s->server_count)
		return sim_entity_server(i);
	i -= s->server_count;
	return i < s->leader_count ? sim_entity_leader(i) : sim_entity_client(i - s->leader_count);
}

static void partition(struct sim *s)
{
	disturb(s, s->now);
	if (sim_chance(s, 400)) { /* mend everything */
		memset(s->cut, 0, sizeof s->cut);
		return;
	}
	s->stats.cuts++;
	if (sim_chance(s, 500)) { /* one link, one way or both, all of it or one connection */
		int a = some_entity(s), b = some_entity(s);
		uint8_t channels = sim_chance(s, 500) ? CHANNELS : (uint8_t)(1 + sim_below(s, 2));
		s->cut[a][b] = channels;
		s->cut[b][a] = sim_chance(s, 500) ? channels : 0;
		return;
	}
	if (sim_chance(s, 400)) { /* one server says nothing, and hears only what is published */
		int a = some_server(s);
		for (int b = 0; b < SIM_ENTITIES; b++) {
			s->cut[a][b] = CHANNELS;
			s->cut[b][a] = CHANNEL_REQUESTS;
		}
		return;
	}
	uint64_t side = random_next(&s->random); /* two halves that do not hear each other */
	for (int a = 0; a < SIM_ENTITIES; a++) {
		for (int b = 0; b < SIM_ENTITIES; b++)
			s->cut[a][b] = ((side >> a) & 1) != ((side >> b) & 1) ? CHANNELS : 0;
	}
}

/* Whether a new node is looking for the members that there are. */
static bool someone_joins(const struct sim *s)
{
	bool new = false, old = false;
	for (int i = 0; i < s->server_count; i++) {
		new = new || (s->servers[i].host && (!s->servers[i].established || s->servers[i].patient));
		old = old || s->servers[i].established;
	}
	return new &&old;
}

static bool leaders_know(const struct sim *s, struct node node)
{
	bool any = false;
	for (int i = 0; i < s->leader_count; i++) {
		const struct desk *desk = s->leaders[i].desk;
		if (desk && !members_find(&desk->directory.members, node))
			return false;
		any = any || desk;
	}
	return any;
}

/* What doc/operations.md asks of an operator: add a server, or start one from a backup, only while the
 * leaders know the members there are. A leader that restarted empty while they were all away could only tell
 * a new node that it is the first. */
bool faults_may_join(struct sim *s, int i)
{
	if (i == s->faults.asleep && !s->healing)
		return false;
	if ((s->servers[i].established && !s->servers[i].patient) || s->servers[i].forgotten)
		return true;
	for (int k = 0; k < s->server_count; k++) {
		const struct sim_server *v = &s->servers[k];
		if (v->established && !v->forgotten && !leaders_know(s, v->node))
			return false;
	}
	return true;
}

static void stop_leader(struct sim *s)
{
	if (someone_joins(s))
		return;
	int i = (int)sim_below(s, (uint64_t)s->leader_count);
	if (!s->leaders[i].desk)
		return;
	s->stats.leader_crashes++;
	sim_stop_leader(s, i);
	sim_at(s, s->now + (int64_t)sim_below(s, 5 * SECOND),
	       (struct sim_event){.type = EVENT_RESTART_LEADER, .to = i});
}

static void forget_node(struct sim *s, struct node node)
{
	for (int i = 0; i < s->server_count; i++) {
		struct sim_server *v = &s->servers[i];
		if (!v->host || v->condemned || v->disk->dead || node_equal(v->node, node) ||
		    s->now < v->paused_until || v->host->replica.ready.phase != PHASE_SERVING)
			continue;
		s->stats.forgets++;
		sim_note_gone(s, node);
		/* Whoever starts one that was declared lost must let it hear of that before it serves. */
		for (int k = 0; k < s->server_count; k++) {
			if (node_equal(s->servers[k].node, node))
				s->servers[k].condemned = s->servers[k].patient = true;
		}
		sim_log(s, "s%d is told to forget node %016llx", i + 1, (unsigned long long)node.id);
		int e = replica_forget(&v->host->replica, node);
		sim_after_call(s, i, e > 0 ? 0 : e);
		return;
	}
}

/* The operator forgets those that will not come back. */
void faults_forget_gone(struct sim *s)
{
	for (size_t i = 0; i < s->gone_count; i++) {
		bool forgotten = false;
		for (int k = 0; k < s->server_count; k++) {
			const struct host *h = s->servers[k].host;
			const struct member *m =
			    h ? members_find(&h->replica.membership.staged, s->gone[i]) : NULL;
			forgotten = forgotten || (m && m->forgotten);
		}
		if (!forgotten && s->gone[i].id)
			forget_node(s, s->gone[i]);
	}
}

/* The operator forgets a member that is down, or takes it down first. Only when the others hold what it has:
 * a like that was acknowledged by it alone is lost with it, as --ack-peers says. */
static void forget(struct sim *s)
{
	int i = some_server(s), alive = 0;
	for (int k = 0; k < s->server_count; k++)
		alive += !s->servers[k].forgotten && !s->servers[k].condemned;
	if (alive < 3 + (int)s->ack_peers || s->servers[i].forgotten || !s->servers[i].host)
		return;
	sim_stop_server(s, i);
	if (!check_covered_by_others(s, i)) {
		restart_later(s, i);
		return;
	}
	forget_node(s, s->servers[i].node);
	restart_later(s, i); /* and must be refused, once it hears of it */
}

static void replace_disk(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	sim_log(s, "s%d's disk is replaced by an empty one", i + 1);
	if (!s->faults.memory_only) { /* its next one forgets it by itself */
		sim_note_gone(s, v->node);
		if (sim_chance(s, 500))
			faults_forget_gone(s);
	}
	disk_free(v->disk);
	disk_free(v->backup);
	v->backup = NULL;
	v->disk = disk_new(s, i);
	v->disks++;
	v->may_regress = true;
	v->established = false;
	vector_clear(&v->promised);
	vector_clear(&v->had);
	v->old = false;
	v->node = (struct node){0};
	v->condemned = false;
}

/* The disk is replaced by an empty one: a new node, and the old one is forgotten. */
static void wipe(struct sim *s)
{
	int i = some_server(s);
	struct sim_server *v = &s->servers[i];
	if (v->forgotten || !v->host)
		return;
	sim_stop_server(s, i);
	if (check_covered_by_others(s, i) && s->gone_count < 32) {
		s->stats.wipes++;
		replace_disk(s, i);
	}
	restart_later(s, i);
}

/* A disk is destroyed with all that it alone held. With --ack-peers K, K of them may be without the loss of
 * anything acknowledged. */
static void destroy_server(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	bool others = false, damaged = false;
	for (int k = 0; k < s->server_count; k++) {
		const struct sim_server *o = &s->servers[k];
		/* It may be the last that has what damage took there: such a one could only be wiped. */
		damaged = damaged || vector_size(&o->had) > 0;
		others = others || (k != i && o->established && !o->condemned && o->host && !o->disk->dead &&
				    o->host->replica.ready.phase == PHASE_SERVING);
	}
	if (v->forgotten || !v->host || !v->established || !others || damaged || s->gone_count == 32 ||
	    (s->ack_peers && s->destroyed == s->ack_peers) || !agreed_rest_is_known(s, i))
		return;
	sim_stop_server(s, i);
	s->destroyed++;
	s->stats.destroyed++;
	sim_log(s, "s%d's disk is destroyed", i + 1);
	check_destroyed(s, i);
	replace_disk(s, i);
	restart_later(s, i);
}

static void destroy(struct sim *s)
{
	destroy_server(s, some_server(s));
}

void faults_acked(struct sim *s, int i)
{
	if (s->faults.destroy && !s->healing && sim_chance(s, s->ack_peers ? 500 : 10))
		destroy_server(s, i);
}

static void put_back(struct sim *s, int i, bool hasty)
{
	struct sim_server *v = &s->servers[i];
	s->stats.old_copies++;
	sim_log(s, "s%d's disk is replaced by an old copy", i + 1);
	disk_free(v->disk);
	v->disk = v->backup;
	v->backup = NULL;
	vector_clear(&v->had);
	v->may_regress = true;
	v->old = true;
	v->hasty = hasty;
}

/* Nobody is in its reach, for as long as no link is mended. */
static void isolate(struct sim *s, int i)
{
	disturb(s, s->now);
	for (int k = 0; k < SIM_ENTITIES; k++)
		s->cut[sim_entity_server(i)][k] = s->cut[k][sim_entity_server(i)] = CHANNELS;
}

/* A copy is taken, and comes back later; sometimes nobody is in its reach then. */
static void old_copy(struct sim *s)
{
	int i = some_server(s);
	struct sim_server *v = &s->servers[i];
	if (v->forgotten || !v->host || s->server_count < 2)
		return;
	if (!v->backup) {
		v->backup = disk_copy(v->disk);
		return;
	}
	sim_stop_server(s, i);
	if (check_covered_by_others(s, i)) {
		put_back(s, i, sim_chance(s, 500));
		if (sim_chance(s, 300))
			isolate(s, i);
	}
	restart_later(s, i);
}

/* Who has met one member that serves knows by it what all had agreed on. */
void faults_hasty(struct sim *s, int i)
{
	struct sim_server *v = &s->servers[i];
	struct replica *r = &v->host->replica;
	if (!v->hasty || v->condemned || r->ready.phase != PHASE_CATCHING_UP)
		return;
	for (size_t k = 0; k < r->peers.count; k++) {
		const struct peer *p = &r->peers.list[k];
		if (p->serving && p->confirmed && peer_reachable(p, s->now) &&
		    vector_covers(&r->v, &p->target))
			r->config.grace = 1;
	}
}

/* What a server wrote last reaches one other alone; then that one is cut off, and the server comes back as it
 * was before, among the others. */
static void split(struct sim *s)
{
	int copied = some_server(s), alone = some_server(s);
	struct sim_server *v = &s->servers[copied];
	if (copied == alone || v->forgotten || !v->host || !s->servers[alone].host)
		return;
	if (!v->backup)
		v->backup = disk_copy(v->disk);
	disturb(s, s->now);
	for (int a = 0; a < s->server_count; a++) {
		for (int b = 0; b < s->server_count; b++)
			s->cut[a][b] =
			    (a == copied || a == alone) != (b == copied || b == alone) ? CHANNELS : 0;
	}
	s->stats.splits++;
	sim_log(s, "s%d and s%d are cut off from the others", copied + 1, alone + 1);
	sim_at(s, s->now + 20 * MS + (int64_t)sim_below(s, SECOND),
	       (struct sim_event){.type = EVENT_SPLIT, .from = copied, .to = alone});
}

/* Whether it has applied what the servers but it and another have not. */
static bool knows_more(const struct sim *s, int i, int but)
{
	const struct vector *v = &s->servers[i].host->replica.v;
	for (int k = 0; k < s->server_count; k++) {
		const struct host *h = s->servers[k].host;
		if (k != i && k != but && h && !vector_covers(&h->replica.v, v))
			return true;
	}
	return false;
}

void faults_split(struct sim *s, int copied, int alone)
{
	struct sim_server *v = &s->servers[copied];
	const struct sim_server *other = &s->servers[alone];
	if (s->healing || !v->host || !other->host || !v->backup || v->forgotten || v->condemned)
		return;
	if (!knows_more(s, alone, copied)) {
		sim_at(s, s->now + 50 * MS,
		       (struct sim_event){.type = EVENT_SPLIT, .from = copied, .to = alone});
		return;
	}
	sim_stop_server(s, copied);
	if (check_covered_by_others(s, copied))
		put_back(s, copied, true);
	for (int a = 0; a < s->server_count; a++) {
		for (int b = 0; b < s->server_count; b++)
			s->cut[a][b] = (a == alone) != (b == alone) ? CHANNELS : 0;
	}
	restart_later(s, copied);
}

/* Some entry, or as often the last one of its origin: no gap in the numbers shows that. */
static size_t entry_to_damage(struct sim *s, const struct disk *d)
{
	size_t entry = sim_below(s, d->count);
	bool last = sim_chance(s, 500);
	for (size_t i = entry; last && i < d->count; i++) {
		if (origin_equal(d->entries[i].at.origin, d->entries[entry].at.origin))
			entry = i;
	}
	return entry;
}

static void damage(struct sim *s)
{
	int i = some_server(s);
	struct sim_server *v = &s->servers[i];
	if (v->forgotten || !v->host)
		return;
	sim_stop_server(s, i);
	if (check_covered_by_others(s, i) && v->disk->count > 0 &&
	    disk_damage(v->disk, entry_to_damage(s, v->disk))) {
		s->stats.damages++;
		sim_log(s, "a record on s%d's disk is damaged", i + 1);
		raise_vector(&v->had, &v->promised);
		v->damaged = true;
		v->may_regress = true;
		if (sim_chance(s, 300))
			isolate(s, i);
	}
	restart_later(s, i);
}

/* Two servers come back under each other's address. */
static void move(struct sim *s)
{
	int a = some_server(s), b = some_server(s);
	if (a == b)
		return;
	sim_stop_server(s, a);
	sim_stop_server(s, b);
	int address = s->servers[a].address;
	s->servers[a].address = s->servers[b].address;
	s->servers[b].address = address;
	s->stats.moves++;
	sim_log(s, "s%d and s%d change places", a + 1, b + 1);
	restart_later(s, a);
	restart_later(s, b);
}

static void flap(struct sim *s)
{
	int a = some_entity(s), b = some_entity(s);
	if (a == b)
		return;
	disturb(s, s->now);
	s->stats.flaps++;
	sim_reconnect(s, a, b, 1 + (unsigned)sim_below(s, 3));
}

static void stop_stream(struct sim *s)
{
	s->stats.stopped++;
	sim_log(s, "the stream is out of reach for a while");
	s->stream.down_until = s->now + (int64_t)sim_below(s, sim_chance(s, 500) ? 300 * MS : 8 * SECOND);
}

static void fail_disk(struct sim *s)
{
	struct sim_server *v = &s->servers[some_server(s)];
	v->disk->fail_commits = 1 + (int)sim_below(s, 3);
	v->disk->fail_error = sim_chance(s, 500) ? -EIO : -ENOSPC;
}

/* One server is down until all heals, and another ends and comes up again at once, and again, and again: each
 * time a new run that takes likes, and that the one which is down lacks. */
static void storm(struct sim *s)
{
	struct faults *f = &s->faults;
	int i = some_server(s);
	if (!s->servers[i].host || !s->servers[i].established)
		return;
	if (f->asleep < 0) {
		f->asleep = i;
		f->interval = 100 * MS;
		s->like_limit += 300;
	}
	disturb(s, s->now);
	s->stats.runs++;
	sim_stop_server(s, i);
	sim_at(s, s->now + (int64_t)sim_below(s, 20 * MS),
	       (struct sim_event){.type = EVENT_RESTART, .to = i});
}

void faults_next(struct sim *s)
{
	const struct faults *f = &s->faults;
	const struct {
		bool on;
		void (*strike)(struct sim *s);
	} kinds[] = {
	    {f->crash, crash},	       {f->fuse, light_fuse},	  {f->pause, pause_server},
	    {f->partition, partition}, {f->leaders, stop_leader}, {f->forget, forget},
	    {f->wipe, wipe},	       {f->old_copy, old_copy},	  {f->damage, damage},
	    {f->io_error, fail_disk},  {f->move, move},		  {f->destroy, destroy},
	    {f->flap, flap},	       {f->split, split},
	};
	if (s->healing)
		return;
	size_t kind = sim_below(s, sizeof kinds / sizeof *kinds);
	if (f->stream && sim_chance(s, 100))
		stop_stream(s);
	else if (f->storm && sim_chance(s, 700))
		storm(s);
	else if (kinds[kind].on)
		kinds[kind].strike(s);
	sim_at(s, s->now + (int64_t)sim_below(s, (uint64_t)f->interval),
	       (struct sim_event){.type = EVENT_FAULT});
}

void faults_heal(struct sim *s)
{
	sim_log(s, "everything heals");
	s->healing = true;
	disturb(s, s->now);
	memset(s->cut, 0, sizeof s->cut);
	s->faults.loss = s->faults.duplicate = 0;
	s->faults.slow = false;
	s->stream.down_until = 0;
	for (int i = 0; i < s->leader_count; i++)
		sim_start_leader(s, i);
	for (int i = 0; i < s->client_count; i++) {
		if (s->clients[i].agent && s->clients[i].closing)
			sim_client_dies(s, &s->clients[i]); /* it sends nothing more */
	}
	for (int i = 0; i < s->server_count; i++) {
		struct disk *d = s->servers[i].disk;
		d->fuse = -1;
		d->fail_commits = 0;
		s->servers[i].paused_until = 0;
		sim_at(s, s->now, (struct sim_event){.type = EVENT_RESTART, .to = i});
	}
}
