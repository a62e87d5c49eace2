/* SPDX-License-Identifier: MIT */
/* What a run is to do: from flags, or from a script file. This header has the grammar of the script:
 *
 *	clients 20
 *	connections 4
 *	keys 1000
 *	distribution uniform | zipf S
 *	prefix TEXT
 *	key-size BYTES
 *	window LIKES
 *	seed NUMBER
 *	phase NAME [max | rate LIKES_PER_S] [for TIME] [count LIKES]
 *	after TIME kill NAME | restart NAME | add		(counted from the start of the phase above)
 *
 * TIME is a number with ms, s (also when left out) or m. '#' starts a comment. */
#ifndef LOAD_PLAN_H
#define LOAD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_PHASES 64
#define PLAN_STEPS 256
#define PLAN_CLIENTS 100000
#define PLAN_KEYS 100000000
#define PLAN_WINDOW 65536 /* more than this a handle does not keep in flight */
#define PLAN_RATE 1000000000
#define PLAN_NAME 32 /* with the NUL */
#define PLAN_PREFIX 96
#define PLAN_ERROR 512

/* Something that kudos-cluster does while the load flows. */
struct plan_step {
	unsigned phase;	      /* index of its phase */
	int64_t after;	      /* nanoseconds from the start of that phase */
	char verb[8];	      /* "kill", "restart", "add" */
	char name[PLAN_NAME]; /* "s2", "leader"; "" for add */
};

struct plan_phase {
	char name[PLAN_NAME];
	double rate;	  /* likes a second from all clients together; 0: as fast as it goes */
	int64_t duration; /* nanoseconds; 0: until count */
	uint64_t count;	  /* likes; 0: until duration. With both, what comes first */
};

struct plan {
	unsigned clients;
	unsigned connections; /* that the clients share; 0: each has its own */
	uint32_t keys;
	double zipf;  /* exponent; 0: uniform */
	int key_size; /* bytes at least, reached with zeros before the number; 0: as it comes */
	char prefix[PLAN_PREFIX];
	bool prefix_given;
	unsigned window; /* likes in flight of one client at the most */
	uint64_t seed;
	size_t phase_count, step_count;
	struct plan_phase phases[PLAN_PHASES];
	struct plan_step steps[PLAN_STEPS]; /* in the order of the file: by phase, then by time */
};

/* The defaults; no phase yet. */
void plan_init(struct plan *plan);

/* Sets one of the words above from its text, in script and flags alike. False: *error (PLAN_ERROR bytes) says
 * what is wrong with it. */
bool plan_set(struct plan *plan, const char *word, const char *value, char *error);

/* The same for a phase's words: rate (likes a second, or "max"), for, count. */
bool plan_set_phase(struct plan_phase *phase, const char *word, const char *value, char *error);

/* Reads a script over what the plan holds. False: *error names file, line and fault. */
bool plan_read(struct plan *plan, const char *path, char *error);

/* The last step: makes up the prefix, and checks what only the whole shows. */
bool plan_finish(struct plan *plan, char *error);

/* Bytes of the name of key `index`, before it is filled up to key_size. */
int plan_key_bytes(const struct plan *plan, uint32_t index);

/* "1.5s", "200ms", "2m", "3": nanoseconds, > 0; false when it is none of these, or over a day. */
bool plan_time(const char *text, int64_t *time);

#endif
