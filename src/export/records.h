/* SPDX-License-Identifier: MIT */
/* Records as JSON, from wherever they come. */
#ifndef EXPORT_RECORDS_H
#define EXPORT_RECORDS_H

#include "core/record.h"
#include "export/options.h"
#include "export/output.h"

/* Where in a stream, and when: nanoseconds since 1970. */
struct place {
	uint64_t sequence;
	int64_t time;
};

/* One, as a line; place: NULL when it comes from no stream:
 *
 *   {"sequence":9,"time":"2026-11-25T22:00:00.123456789Z",  only with a place, then
 *   {"origin":"…","lsn":5,"batches":[{"issuer":"…","number":1,"seq":1,"events":[{"key":"post:1","n":3}]}]}
 *
 * A batch that closes its session has "close":true for "events"; one that lets sessions lapse "lapse":true,
 * and no "seq" either. */
int export_record(struct output *out, const struct record *record, const struct place *place);

/* Those of the journal in the folder, as it is now. As export_counts(). */
int export_records(const struct options *options, struct output *out, char *error, size_t error_size);

#endif
