/* SPDX-License-Identifier: MIT */
/* How a server fares: told by its heartbeats, judged by the leader's directory, shown in status rows. */
#ifndef CORE_LOAD_H
#define CORE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

struct load { /* what a heartbeat tells, and a status row shows */
	uint64_t clients, keys;
	int64_t likes_total;
	uint64_t events_per_s, lag_records, journal_bytes, malformed;
	bool serving; /* false: catching up or stopping; accepts no clients */
};

enum server_state { SERVER_DOWN, SERVER_CATCHING_UP, SERVER_UP };

#endif
