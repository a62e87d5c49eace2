/* SPDX-License-Identifier: MIT */
/* A libkudos handle, and with it one connection, that carries several clients: each has a session of its own,
 * which the handle asked for and the client keeps, and numbers its batches in it; the handle sends them
 * again, elsewhere if need be, until each is answered. */
#ifndef LOAD_CARRIER_H
#define LOAD_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kudos.h>

struct client;

struct put {	     /* a batch on its way */
	uint64_t id; /* 0: none */
	struct client *client;
	uint64_t first; /* ticket */
	uint32_t count;
};

struct carrier {
	kudos *handle;		/* owned */
	struct client **riders; /* the list is owned, they are not */
	unsigned rider_count;	/* … of them */
	unsigned opened;	/* so many, the first ones, have their session */
	unsigned asked;		/* sessions that were asked for and have not come */
	unsigned closing;	/* closes that are not answered */
	struct put *puts;	/* owned table: a batch stands at its id modulo the size, which grows */
	uint64_t put_capacity;	/* a power of two, or 0 */
	bool stirred, ready;	/* as a client's */
	int64_t wake;
};

/* options: all but on_session, on_put and arg. What kudos_open() says, or KUDOS_NO_MEMORY; *carrier is to be
 * deinit-ed all the same. It must not move in memory afterwards. */
int carrier_init(struct carrier *carrier, const struct kudos_options *options, unsigned riders);
void carrier_add(struct carrier *carrier, struct client *client); /* no more than riders */
/* Closes the sessions, for a second at most, and the handle. */
void carrier_deinit(struct carrier *carrier);

/* Asks for the sessions that are missing, and lets the handle work. What kudos_process() says. */
int carrier_work(struct carrier *carrier);

/* The client's next batch, whose likes have the tickets from `first` on. KUDOS_OK, KUDOS_BUSY: not now;
 * KUDOS_NO_MEMORY, or what else kudos_ask_put() says. */
int carrier_put(struct carrier *carrier, struct client *client, const struct kudos_event *events,
		uint32_t count, uint64_t first);

#endif
