/* SPDX-License-Identifier: MIT */
/* What telling readers costs when nothing but the telling is done: a process whose loop sends to one socket
 * after the other, round after round. */
#ifndef BENCH_SSE_FLOOR_H
#define BENCH_SSE_FLOOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sse_floor {
	pid_t pid;
	int port, told; /* where readers connect; a pipe for what it found */
};

/* Listens on a port of 127.0.0.1. When so many readers have connected it sends to them, for so many ns. */
struct sse_floor sse_floor_begin(size_t readers, int64_t duration);
/* Waits for its end: how long a round took, and of the processor's time a send. */
void sse_floor_end(struct sse_floor *f, double *round_ms, double *send_us);

#endif
