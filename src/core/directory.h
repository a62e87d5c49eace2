/* SPDX-License-Identifier: MIT */
/* The leader's rules: who is a member, who is up, which server a client is sent to. Pure: time (µs, any
 * monotonic zero) comes in as an argument, and what is to be sent is for the caller to send.
 *
 * Nothing here needs to outlive the process. Servers that register tell all the members they know; what a
 * leader that lost everything then still lacks are numbers of sessions, and those carry its incarnation. */
#ifndef CORE_DIRECTORY_H
#define CORE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/time.h"
#include "core/lifetime.h"
#include "core/load.h"
#include "core/members.h"

#define DIRECTORY_HEARTBEAT (500 * MS)
#define DIRECTORY_DOWN_AFTER (3 * DIRECTORY_HEARTBEAT) /* of silence: three heartbeats missed */

/* A server that has registered here itself. A member without one is down. */
struct directory_server {
	struct node node;
	int64_t heard;		/* when it registered or sent its last heartbeat */
	struct load load;	/* of its last heartbeat */
	uint64_t assigned;	/* clients sent to it since */
	uint64_t turn;		/* when it was last assigned one, counted in assignments */
	enum server_state told; /* by directory_next_change() */
};

struct wish {		   /* a client's, for a server */
	bool session;	   /* and one of these … */
	uint64_t lifetime; /* … that may rest so many seconds; the longest there is when that is less */
	struct node lost;  /* the server that it just lost; 0: none */
};

struct directory {
	uint64_t incarnation;		     /* random, fresh at every start: issues the sessions */
	uint64_t sessions[LIFETIME_CLASSES]; /* issued so far, of each class */
	uint64_t turns;
	struct members members;
	struct directory_server *servers; /* sorted by node id, owned */
	size_t count;
	size_t capacity;
	bool changed; /* every registered server is to be sent the members; the caller clears it */
};

void directory_init(struct directory *d, uint64_t incarnation);
void directory_deinit(struct directory *d);

/* A server registers: rows are all the members it knows, its own among them. Sets changed when it told
 * something new. What a server says of itself replaces whatever others said of it.
 * KUDOS_PROTOCOL: its own row is missing, or a node is 0. KUDOS_FORGOTTEN: it may not come back; nothing was
 * learned from it. KUDOS_LIMIT: too many members. -ENOMEM. */
int directory_register(struct directory *d, int64_t now, struct node from, const struct member *rows,
		       size_t count);

/* 0; KUDOS_UNKNOWN_NODE: this run of the server has not registered here; KUDOS_FORGOTTEN. */
int directory_heartbeat(struct directory *d, int64_t now, struct node n, struct origin o,
			const struct load *load);

/* A member's state; *load (may be NULL) is its last heartbeat's, all zeros when there was none. */
enum server_state directory_state(const struct directory *d, int64_t now, struct node n, struct load *load);

/* Chooses for a client that needs a server. order has room for
 * LIMIT_MEMBERS rows; *count of them are up, best first: least clients, those just sent there counted;
 * then whoever has waited longest for a client; the lost one last. They are valid until the next change.
 * *session is a new one when wanted, signed by the first in order, else zeros. KUDOS_NO_SERVER: none is up.
 */
int directory_assign(struct directory *d, int64_t now, const struct wish *wish, struct session *session,
		     struct proof *proof, const struct member **order, size_t *count);

/* The members that are not forgotten, sorted by name, then node id; rows has room for LIMIT_MEMBERS. Returns
 * how many. Valid until the next change. */
size_t directory_list(const struct directory *d, const struct member **rows);

/* Forgets a member, named by its name or by its node id in 16 hex digits; done already is done. Of several
 * with that name it is the one that is down. KUDOS_UNKNOWN_NODE: there is none, or the name does not
 * decide; text then says which. */
int directory_forget(struct directory *d, int64_t now, const char *target, size_t size, char *text,
		     size_t text_size);

/* Finds a member that runs, named likewise; of several with that name it is the one that is not down. Valid
 * until the next change. KUDOS_UNKNOWN_NODE: as above. KUDOS_NO_SERVER: it is down. */
int directory_find_running(struct directory *d, int64_t now, const char *target, size_t size,
			   const struct member **found, char *text, size_t text_size);

/* The next registered server whose state is not what this function last told; NULL when all are told. */
const struct member *directory_next_change(struct directory *d, int64_t now, enum server_state *state);
/* When the next server would be down if it stays silent; NEVER when none is up. */
int64_t directory_deadline(const struct directory *d);

#endif
