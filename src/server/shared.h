/* SPDX-License-Identifier: MIT */
/* The host over a journal that several servers write to: its commits go on while messages are received, and
 * what the journal holds of others is looked for and fetched. Returns and errors as in host.h. */
#ifndef SERVER_SHARED_H
#define SERVER_SHARED_H

#include "server/host.h"

/* Makes durable what was appended, at once, or in a while where the journal is shared. */
int host_commit(struct host *h, int64_t now);
/* What has come of commits, looks and fetches; nothing where the journal is not shared. */
int host_shared_step(struct host *h, int64_t now);
void host_shared_fetch(struct host *h, struct origin origin, uint64_t from, uint64_t to);
/* Ends an earlier run of this node with an empty record there. */
int host_shared_end(struct host *h, int64_t now, struct position at);
/* What a peer is given: a record of the journal's, or one that was read in the shared journal again, which
 * counts for nothing else: that there is one says nothing of those around it. As journal_read(). */
int host_shared_read(struct host *h, struct position at, struct bytes *out);
/* Whether records that a peer asks for, and that are applied here, are read in the shared journal again, to
 * be at hand when they are asked for again. Who lacks old records takes a snapshot of a server that serves;
 * this one does not, and may be waiting for the one that asks. */
bool host_shared_reads_again(struct host *h, struct origin origin, uint64_t from, uint64_t to);

#endif
