/* SPDX-License-Identifier: MIT */
/* Clean stop on SIGTERM and SIGINT: both are blocked, and come by a descriptor that a loop waits for. */
#ifndef DAEMON_STOP_H
#define DAEMON_STOP_H

#include <stdbool.h>

struct stop {
	int fd; /* -1: not open */
	bool asked;
};

/* Before any thread starts. 0 or a negative errno. */
int stop_open(struct stop *stop);
void stop_close(struct stop *stop); /* takes one that is not open */
void stop_look(void *stop);	    /* a struct stop, whose descriptor is readable */

#endif
