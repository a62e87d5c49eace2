/* SPDX-License-Identifier: MIT */
/* A connection to NATS that the server's thread itself uses, without waiting: it sends a record, and takes
 * the answer from the socket when that is readable. A like is then acknowledged without another thread of
 * ours or of libnats having to wake up. One record at a time. It is not mended: one that broke, or whose
 * answer said anything but "stored", is done with, and whoever can wait finds out what became of the record.
 */
#ifndef STORE_NATS_QUICK_H
#define STORE_NATS_QUICK_H

#include "store/nats_connect.h"
#include "store/stream.h"

struct quick;

/* These two wait, and are for another thread. NULL is closed, too. */
struct quick *quick_open(const struct nats_access *access);
void quick_close(struct quick *q);

/* These do not. Whose readiness epoll_fd tells from now on, as `data`. */
int quick_watch(struct quick *q, int epoll_fd, uint32_t data);
/* Sends the record: it is to be the next on its subject behind the sequence last. */
void quick_send(struct quick *q, const struct told_entry *record, uint64_t last);
/* To be called when the socket is ready: moves what is there. */
void quick_move(struct quick *q);
/* 1: no answer yet; 0: stored, with *seq; -EAGAIN: in doubt. */
int quick_answer(struct quick *q, uint64_t *seq);
bool quick_usable(const struct quick *q);

#endif
