/* SPDX-License-Identifier: MIT */
/* Writes this run's records to the stream, one after the other, each with what must be the last on its
 * subject before it (expected-last-subject-sequence): so no position is there twice, and none without the one
 * before, whatever was sent twice or came late.
 *
 * The server's thread sends by itself (nats_quick.h) as long as all goes well. Whatever else happens is
 * handed to a thread of the writer's, which may wait: when it is not known whether a record was stored, the
 * subject's last message tells. */
#ifndef STORE_NATS_WRITER_H
#define STORE_NATS_WRITER_H

#include "store/nats_connect.h"
#include "store/stream.h"

struct nats_writer;

/* event: an eventfd that is rung when the thread has done something; the socket's readiness is told by
 * epoll_fd, as `data`. access is copied. */
int nats_writer_open(struct nats_writer **writer, const struct nats_access *access, int event, int epoll_fd,
		     uint32_t data);
void nats_writer_close(struct nats_writer *w);

/* As in store/stream.h; record is copied. */
int nats_writer_add(struct nats_writer *w, const struct told_entry *record);
void nats_writer_commit(struct nats_writer *w);
int nats_writer_poll(struct nats_writer *w);
const char *nats_writer_trouble(struct nats_writer *w);
void nats_writer_ready(struct nats_writer *w); /* the socket is */

#endif
