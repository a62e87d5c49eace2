/* SPDX-License-Identifier: MIT */
/* The simulator: a whole cluster in one process, without sockets, disks or clocks. The real host (a server
 * without its sockets), desk (a leader) and agent (a client) run over a simulated network and simulated disks
 * in simulated time; one seed is one history, the same every time.
 *
 * sim.c: time and events. network.c: what is lost on the way. servers.c, clients.c: who takes part. pairs.c,
 * disk.c: a disk that loses unsynced writes, fails, fills up, is damaged, comes back as an old copy.
 * stream.c: a stream that servers write their records to. outbox.c: callers that keep their sessions.
 * faults.c: what goes wrong when. check.c: what must hold. main.c: seeds and jobs. */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/map.h"
#include "client/agent.h"
#include "client/agent_receive.h"
#include "leader/desk.h"
#include "server/host.h"
#include "unit/random.h"

#define SIM_SERVERS 6
#define SIM_LEADERS 2
#define SIM_CLIENTS 6
#define SIM_HOSTILE (SIM_CLIENTS - 1) /* in the last client's place, which no history fills */
#define SIM_OUTBOXES 3
#define SIM_PUTS 8
#define SIM_PAST 8
#define SIM_PEERS 64 /* nodes that a server may know of */

struct sim;

/* ---- pairs.c ---- */

struct pair { /* of a checkpoint */
	uint8_t *key, *value;
	size_t key_size, value_size;
};

struct pairs {
	struct pair *at; /* sorted by key */
	size_t count, capacity;
};

void *copy_bytes(const void *data, size_t size); /* a byte more is there, for none must not be NULL */
void pairs_put(struct pairs *p, const void *key, size_t key_size, const void *value,
	       size_t value_size); /* value_size 0: deletes */
void pairs_copy(struct pairs *to, const struct pairs *from);
void pairs_clear(struct pairs *p);

/* ---- disk.c ---- */

struct disk_entry {
	enum entry_kind kind;
	struct position at;
	uint8_t *data;
	size_t size;
	uint64_t commit; /* which one wrote it */
};

struct disk {
	struct sim *sim;
	int server;
	struct disk_entry *entries;
	size_t count, capacity;
	struct disk_entry *past; /* those truncated, oldest first, … */
	size_t past_count, past_capacity;
	size_t gone;   /* … so many of which a crash cannot bring back */
	size_t synced; /* entries before this one survive a crash */
	uint64_t commits;
	bool copied; /* its newest part is a copy */
	uint64_t bytes;
	struct pairs checkpoint, next;
	bool wipe;
	int polls_left; /* until the next one is durable; 0: none is on its way */
	bool committing;
	/* What goes wrong: */
	int fuse;	  /* operations until the server dies in the middle; negative: never */
	bool dead;	  /* it died: nothing has an effect any more */
	int fail_commits; /* of the coming commits fail with fail_error */
	int fail_error;
};

struct disk *disk_new(struct sim *sim, int server);
void disk_free(struct disk *d);
struct disk *disk_copy(const struct disk *d);
struct store *disk_open(struct disk *d);
void disk_crash(struct disk *d); /* unsynced entries are lost from some point on, some truncated are back */
/* A synced record becomes unreadable. False: it is none, or is of the last commit, where damage and a torn
 * write look alike. */
bool disk_damage(struct disk *d, size_t entry);
bool disk_burn(struct disk *d); /* one operation: false when the server is dead by now */
bool disk_holds(const struct disk *d, struct position at); /* durably, in its journal */

/* ---- stream.c ---- */

struct sim_view;

struct flying {		       /* a record on its way to the stream, or stored there */
	struct sim_view *view; /* the run that waits for its acknowledgement; NULL: nobody */
	bool ends;	       /* it is the last of its run, written by the next one */
	int64_t arrives;
	struct node node;
	struct position at;
	uint64_t number; /* of those stored, as they came */
	uint8_t *data;	 /* owned */
	size_t size;
};

struct purging { /* a run's records up to the number are let go of then */
	struct origin origin;
	uint64_t number;
	int64_t at;
};

struct sim_stream { /* zeroed: empty, and nobody writes to it */
	struct flying *stored, *flying;
	size_t count, capacity, flying_count, flying_capacity;
	struct purging *purges;
	size_t purge_count, purge_capacity;
	uint64_t numbered;
	int64_t down_until;
};

struct sim;
/* A store over disk's, with its records in the stream. */
struct store *stream_over(struct sim *s, int server, struct store *disk);
void stream_free(struct sim_stream *t);
bool stream_holds(struct sim *s, struct position at);
bool stream_mentions(struct sim *s, const char *key, size_t size); /* some record there likes the key */

/* ---- sim.c ---- */

enum event_type {
	EVENT_CLIENT_PORT, /* a message to a server's client port, from a client or a server */
	EVENT_ANSWER,	   /* a server's answer to a connection */
	EVENT_PUBLISHED,   /* to a server's SUB */
	EVENT_LOST,	   /* what was one of these */
	EVENT_TO_LEADER,
	EVENT_FROM_LEADER,
	EVENT_SERVER_TICK,
	EVENT_STREAM, /* has something for a server */
	EVENT_LEADER_TICK,
	EVENT_CLIENT_TICK,
	EVENT_CLIENT_ACT,
	EVENT_FAULT,
	EVENT_DRAINED, /* perhaps */
	EVENT_SPLIT,   /* the second half of one */
	EVENT_HOSTILE,
	EVENT_RESTART, /* a server that is down */
	EVENT_RESTART_LEADER,
};

/* A ROUTER identity: who is at the other end, and which of its connections. */
struct identity {
	uint8_t one; /* identities of sockets never begin with 0 */
	char kind;   /* 's' or 'c' */
	uint8_t index;
	uint8_t run[3];
	uint8_t peer[8]; /* the node that a server takes the other end for */
};

struct sim_event {
	int64_t at;
	uint64_t order;
	enum event_type type;
	int from, to;
	int sender, receiver; /* entities, when it is a message: else both 0 */
	uint32_t run; /* of the receiver, or the connection: what is meant for an earlier one is lost */
	struct identity id;
	uint8_t *data;
	size_t size;
	uint32_t disks; /* of the sender, when it was sent */
};

struct sim_server {
	struct sim *sim;
	int index;
	int address; /* where it listens: servers may change places */
	struct disk *disk;
	bool streams;	   /* its records go to the stream, … */
	bool purges;	   /* … which may let go of some */
	uint32_t disks;	   /* that were destroyed before this one */
	struct host *host; /* NULL: down */
	uint32_t run;
	int64_t drain_until; /* then it ends, drained or not */
	int64_t paused_until;
	int64_t tick_at; /* of the tick event that counts */
	bool forgotten;	 /* and knows it */
	bool damaged;	 /* it lost a record after it had told that it has it */
	bool condemned;	 /* someone was told to forget it */
	bool patient;	 /* declared lost: must hear of that before it serves */
	bool old;	 /* restored from an old copy: must meet a member before it serves */
	bool hasty;	 /* … and waits for no other one */
	struct disk *backup;
	struct vector promised; /* what its V was when it went down: may not be lower when it is back */
	struct vector had;	/* what it was before its disk was damaged: may not be lower when it serves */
	bool established;	/* it was serving once, with this disk */
	bool may_regress;	/* its disk was damaged or replaced: promised does not hold */
	struct node node;
	enum phase phase; /* as last logged */
	int64_t serves_since;
	uint64_t sampled[SIM_PEERS]; /* nodes of which it had a sample after its last call */
	size_t sampled_count;
	struct vector reached;	 /* what it had applied: looked at now and then */
	struct session *closing; /* … and which sessions it had not forgotten yet */
	size_t closing_count, closing_capacity;
	struct vector past[SIM_PAST]; /* what it had applied each second, newest first, while it served */
	size_t lapsing;
};

struct sim_leader {
	struct sim *sim;
	int index;
	struct desk *desk; /* NULL: down */
	uint32_t run;
};

struct sim_put {	    /* of an outbox, by a client */
	uint64_t id;	    /* 0: none */
	size_t owner, like; /* or, while there is no session yet: the outbox that one is asked for */
	bool asks, closes;  /* whether it was counted; the session's end */
};

struct outbox {
	char session[KUDOS_SESSION_SIZE]; /* "": not yet */
	size_t owner;			  /* like i is its batch i + 1 */
};

struct sim_client {
	struct sim *sim;
	int index;
	struct agent *agent;
	int address;  /* connected to; -1: none */
	uint32_t run; /* of the connection */
	uint64_t generation;
	int64_t tick_at;
	size_t owner;	     /* whose likes it sends */
	uint64_t reading;    /* id of the read on its way, 0: none */
	uint64_t read_first; /* its likes asked for */
	size_t read_count;
	bool read_acked[16];
	bool closing;
	bool acked;	       /* just now, of what no other server has (check_acked) */
	int answering;	       /* the server that it hears just now */
	bool answered_by_gone; /* by a server whose disk has been destroyed since, or that was forgotten and
				  the disk that had all it held was destroyed */
	struct sim_event late; /* an answer it was given, kept to come once more; data is owned */
	char server_endpoint[128];
	struct sim_put puts[SIM_PUTS]; /* on their way */
};

enum like_state {
	LIKE_SENT,
	LIKE_ACKED,
	LIKE_AT_RISK /* acknowledged by a disk that was destroyed */,
	LIKE_IN_DOUBT,
	LIKE_REFUSED,
	LIKE_ABANDONED
};

/* One client's life. Its like i is one of key "o<owner>n<i>", which nobody else likes, and so tells by itself
 * whether it was lost or doubled; a second event, of the next ticket, likes a shared key. */
struct owner {
	enum like_state *likes;
	size_t count, capacity;
};

struct faults {
	bool calm; /* nothing ever goes wrong */
	bool crash, fuse, pause, partition, lossy, leaders, wipe, forget, old_copy, damage, io_error,
	    clients_die, slow, memory_only, watch, clock, late, rests, move, destroy, flap, split, hostile,
	    storm, drain, stream, purge;
	unsigned loss, duplicate; /* in 1000 */
	unsigned queue;		  /* messages for one who reads nothing, of each sender */
	int64_t pace;		  /* between two likes of a client at most, µs */
	int64_t subscribe;	  /* how long a subscription is on its way at most, µs */
	int64_t delay;		  /* at most, µs */
	int64_t interval;	  /* between faults, µs */
	int asleep;		  /* a server that stays down until all heals; -1: none */
	size_t told, gaps;	  /* as in replica_config: small, so that few runs are many */
};

#define SIM_ENTITIES (SIM_SERVERS + SIM_LEADERS + SIM_CLIENTS)

/* What one entity sends another, by connection. */
#define CHANNEL_PUBLISHED 1U
#define CHANNEL_REQUESTS 2U /* and answers, and all that is not between servers */
#define CHANNELS 3U

struct link {		       /* one way between two entities */
	int64_t least, jitter; /* how long a message is under way: so long, and up to so much longer, µs */
	unsigned resent;       /* in 1000: a packet is lost, and TCP sends it again */
};

struct subscription { /* of a server's present run to another's */
	uint32_t to, from;
	int64_t at; /* it takes effect */
};

struct sim {
	uint64_t seed;
	struct random random;
	struct random sweeps; /* what a crash leaves of them: histories without that go as ever */
	int64_t now;
	bool verbose;
	struct sim_event **heap;
	size_t heap_count, heap_capacity;
	uint64_t order;
	uint64_t events_run;

	int server_count, leader_count, client_count;
	struct sim_server servers[SIM_SERVERS];
	struct sim_leader leaders[SIM_LEADERS];
	struct sim_client clients[SIM_CLIENTS];
	uint8_t cut[SIM_ENTITIES][SIM_ENTITIES]; /* from → to: channels */
	unsigned queued[SIM_ENTITIES][SIM_ENTITIES][2];
	unsigned char said[SIM_SERVERS][SIM_ENTITIES][MESSAGE_TYPE_COUNT]; /* in this second */
	struct subscription subscriptions[SIM_SERVERS][SIM_SERVERS];
	struct link links[SIM_ENTITIES][SIM_ENTITIES];
	int64_t apart; /* how far two regions are, one way, µs; 0: all are in one */
	struct faults faults;
	struct sim_stream stream;
	unsigned ack_peers;
	bool healing, quiet;
	int64_t disturbed_at; /* when the network or a process was last stopped or mended */
	int64_t next_second;

	unsigned destroyed;   /* disks, with what nobody else had */
	struct node gone[32]; /* whose disk was replaced: to be forgotten */
	size_t gone_count;

	struct owner *owners;
	size_t owner_count, owner_capacity;
	size_t like_count, like_limit;
	struct outbox outboxes[SIM_OUTBOXES];
	size_t outbox_count;
	struct map payloads; /* (origin, lsn) → hash of the record's bytes (I5) */
	struct map digests;  /* hash of a vector → digest of the counts at it */
	struct map batches;  /* (session, seq) → hash of the batch's bytes (I5) */
	struct map told;     /* (node, digest of a V that it published) */
	struct {	     /* hostile.c */
		struct session known, own;
		struct proof known_proof, own_proof;
		struct session kept[16]; /* given, to be used late */
		struct proof kept_proofs[16];
		struct map issuers; /* that there ever were */
	} hostile;

	struct { /* what was injected */
		uint64_t splits, stopped, fetched, purged, overflowed, flaps, drains, destroyed, at_risk,
		    moves, runs, crashes, pauses, cuts, lost, duplicated, leader_crashes, wipes, forgets,
		    old_copies, damages, io_errors, clients_died, reads, in_doubt, truncated, returned,
		    snapshots, checkpoints;
	} stats;
	char failure[512]; /* "": none so far */
};

void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_log(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t sim_below(struct sim *s, uint64_t n);
bool sim_chance(struct sim *s, unsigned in_1000);
void sim_at(struct sim *s, int64_t at, struct sim_event event); /* data is copied */
void sim_start_server(struct sim *s, int i);
void sim_note_gone(struct sim *s, struct node node); /* an operator will not see it again */
void sim_stop_server(struct sim *s, int i);	     /* as kill -9 does */
void sim_drain_server(struct sim *s, int i);	     /* as SIGTERM does */
void sim_on_drained(struct sim *s, struct sim_event *e);
int sim_listens(const struct sim *s, int address); /* the server that does there */
void sim_start_leader(struct sim *s, int i);
void sim_stop_leader(struct sim *s, int i);
void sim_start_client(struct sim *s, int i);
void sim_after_call(struct sim *s, int i, int error); /* a call into a host returned */
int sim_entity_server(int i);
int sim_entity_leader(int i);
int sim_entity_client(int i);

/* Runs one history; true when all went well. apart: of two regions whatever the seed says, µs; 0: as it says.
 */
bool sim_run(struct sim *s, uint64_t seed, bool verbose, int64_t apart);
void sim_free(struct sim *s);

/* ---- network.c ---- */

void network_draw(struct sim *s);
void sim_transmit(struct sim *s, int from, int to, struct sim_event event); /* from, to: entities */
void sim_reconnect(struct sim *s, int a, int b, unsigned channels);
bool sim_subscribed(struct sim *s, int to, int from); /* whether the XPUB knows by now; servers */

/* What sim.c, servers.c and clients.c do for each other. */
void stream_wake(struct sim *s, int server, int64_t at); /* something comes from the stream then */
struct identity sim_identity_of(char kind, int index, uint32_t run);
uint32_t sim_identity_run(const struct identity *id);
struct sim_server *sim_awake(struct sim *s, struct sim_event *e);
void sim_server_gathered(struct sim *s, int i, int error);
void sim_on_client_port(struct sim *s, struct sim_event *e);
void sim_on_published(struct sim *s, struct sim_event *e);
void sim_on_server_tick(struct sim *s, struct sim_event *e);
void sim_on_stream(struct sim *s, struct sim_event *e);
void sim_on_leader_tick(struct sim *s, struct sim_event *e);
void sim_on_to_leader(struct sim *s, struct sim_event *e);
void sim_on_from_leader(struct sim *s, struct sim_event *e);
void sim_client_dies(struct sim *s, struct sim_client *c);
void sim_on_leaders_answer(struct sim *s, struct sim_event *e); /* to a client */
void sim_on_client_act(struct sim *s, struct sim_event *e);
void sim_on_client_tick(struct sim *s, struct sim_event *e);
void sim_client_disconnected(struct sim *s, int i, int server);
void sim_on_answer(struct sim *s, struct sim_event *e);

enum like_state sim_acknowledged(struct sim_client *c, size_t owner, uint64_t like);

/* ---- outbox.c ---- */

void outbox_draw(struct sim *s);
void outbox_act(struct sim *s, struct sim_client *c);
void outbox_client_died(struct sim_client *c);
bool outbox_waits(const struct sim *s); /* for what became of a batch */
/* What its client is told. */
void outbox_session(struct sim_client *c, const struct agent_answer *answer);
void outbox_put(struct sim_client *c, const struct agent_answer *answer);

/* ---- hostile.c ---- */

void hostile_act(struct sim *s);
void hostile_hears(struct sim *s, const struct sim_event *e);
void hostile_overhears(struct sim *s, struct session session, struct proof proof);
void hostile_note_issuer(struct sim *s, uint64_t id);
void hostile_check(struct sim *s, int i, bool all_left);
void hostile_check_answer(struct sim *s, int client, const void *data, size_t size);
void hostile_check_lapses(struct sim *s, int i); /* after each call */

/* ---- faults.c ---- */

void faults_draw(struct sim *s);
void faults_next(struct sim *s);
void faults_split(struct sim *s, int copied, int alone);
void faults_hasty(struct sim *s, int i); /* after each call into a server */
void faults_heal(struct sim *s);
void faults_forget_gone(struct sim *s);
void faults_acked(struct sim *s, int i);    /* a client has just been acknowledged something by it */
bool faults_may_join(struct sim *s, int i); /* whether an operator may start this server now */

/* ---- kept.c ---- */

void check_checkpoint(struct sim *s, int i);		 /* after each call into it, now and then */
void check_purge(struct sim *s, int i, uint64_t number); /* it says that the stream may let go of so much */
void check_acked(struct sim *s, size_t owner, size_t like, int by);
void check_sessions(struct sim *s); /* in the end */

/* ---- check.c ---- */

void check_second(struct sim *s); /* once a second */
void check_forwards(struct sim *s, int i);
bool agreed_rest_is_known(const struct sim *s, int but); /* likewise: those up without it know the others */
void check_agreed(struct sim *s, int i);		 /* agreed.c; after each call into it */
void check_known(struct sim *s, int i);			 /* likewise; now and then */
void check_server(struct sim *s, int i);		 /* after each call into it */
/* An acknowledged like that may be lost with its server's disk, because no other server has it. */
bool check_alone(const struct sim *s, size_t owner, size_t like, int but);
void check_destroyed(struct sim *s, int i);
void check_recovered(struct sim *s, int i);		 /* after its start */
void check_renewed(struct sim *s, struct sim_server *v); /* it serves now */
void check_drained(struct sim *s, int i);		 /* it says that nothing is left to do */
void check_forgotten(struct sim *s, int i);		 /* it heard that it is */
void check_record(struct sim *s, struct position at, const void *data, size_t size);
void check_batch(struct sim *s, int client, const void *data, size_t size); /* what a client sends */
void check_publish(struct sim *s, int i, const void *data, size_t size);
void check_truncate(struct sim *s, int i, struct position at);
bool check_converged(struct sim *s, const char **why);
void check_end(struct sim *s);
void raise_vector(struct vector *v,
		  const struct vector *from); /* each entry to from's where that is higher */
void check_quiet(struct sim *s);	      /* long after the last client left */
void check_dump(const struct sim *s);	      /* the state of every server, on stdout */
bool check_covered_by_others(struct sim *s,
			     int i); /* all that server i holds is held durably by another that is up */

#endif
