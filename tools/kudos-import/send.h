/* SPDX-License-Identifier: MIT */
/* Sends the batches of an import, several at a time, each until it is counted, and keeps the state as state.h
 * says. */
#ifndef IMPORT_SEND_H
#define IMPORT_SEND_H

#include <kudos.h>
#include <signal.h>

#include "batches.h"
#include "state.h"

#define SEND_AT_ONCE 32 /* batches on their way */
#define SEND_AHEAD 64	/* batches that may be sent before the state is written again */

struct sender;

struct sending {
	kudos *handle;
	struct state *state;
	struct state_file *file;
	struct batches *batches;		 /* from the file's beginning */
	int timeout_ms;				 /* gives up when nothing was acknowledged for so long */
	const volatile sig_atomic_t *interrupts; /* 1: what is on its way is waited for, 2: nothing is */
	/* Now and then; rows that are counted, and how far the file is read. */
	void (*progress)(void *arg, uint64_t rows);
	void *arg;
};

enum sent {
	SENT_ALL,
	SENT_INTERRUPTED,
	SENT_REFUSED, /* *error: what the cluster said for good */
	SENT_SILENCE, /* nothing was acknowledged for timeout_ms */
	SENT_SYSTEM,  /* *error: a negative errno, of reading */
	SENT_UNSAVED, /* the same, of the state */
};

struct sender *sender_new(void); /* NULL: out of memory */
void sender_free(struct sender *s);
/* For the handle's options. */
void sender_on_put(void *sender, uint64_t id, int error, const char *token);

/* rows: how many are counted, with those of batches before. */
enum sent sender_run(struct sender *s, const struct sending *sending, int *error, uint64_t *rows);

#endif
