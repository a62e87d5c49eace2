/* SPDX-License-Identifier: MIT */
/* What things are called in NATS (doc/stream.md): STREAM.r.<origin> is the subject of a run's records. */
#ifndef STORE_NATS_NAMES_H
#define STORE_NATS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ids.h"

#define NATS_SERVERS 16
#define NATS_SERVER 160 /* bytes of one's address */
#define NATS_STREAM 64	/* bytes of the stream's name */
#define NATS_SUBJECT (NATS_STREAM + 24)

struct nats_names {
	char servers[NATS_SERVERS][NATS_SERVER];
	size_t server_count;
	char stream[NATS_STREAM];
	char subjects[NATS_SUBJECT]; /* of records: STREAM.r.* */
	char all[NATS_SUBJECT];	     /* STREAM.> */
	char id[NATS_SUBJECT];	     /* STREAM.id: one message, which says which stream it is */
};

/* From nats://HOST[:PORT][,HOST…]/STREAM. NULL: good; else what is wrong with it. */
const char *nats_names_parse(struct nats_names *names, const char *url);
void nats_subject(const struct nats_names *names, struct origin origin, char subject[NATS_SUBJECT]);
bool nats_subject_origin(const struct nats_names *names, const char *subject, struct origin *origin);

#endif
