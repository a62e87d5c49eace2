/* SPDX-License-Identifier: MIT */
#include "export/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/random.h"
#include "export/records.h"
#include "store/nats_body.h"
#include "store/nats_connect.h"
#include "wire/message.h"

#define PATIENCE 10000 /* ms without a message */

struct exporting {
	const struct options *options;
	struct output *out;
	char *error;
	size_t error_size;
	natsConnection *connection;
	jsCtx *js;
	natsSubscription *subscription;
	uint64_t first, last;  /* sequences there are */
	struct map runs;       /* (origin, 0) → any: of which a record was read */
	struct bytes unpacked; /* the record that was read last */
	size_t purged;	       /* runs of which records before the first that was read are gone */
};

static int fail(struct exporting *x, int e, const char *what, natsStatus s)
{
	snprintf(x->error, x->error_size, "%s: %s: %s", x->options->journal, what, nats_connect_error(s));
	return e;
}

static int reach(struct exporting *x)
{
	const struct options *o = x->options;
	natsOptions *options = NULL;
	const struct nats_access access = {&o->stream, o->nats_creds, o->nats_ca};
	natsStatus s = nats_connect_options(&options, &access, "kudos-export");
	if (s == NATS_OK)
		s = natsConnection_Connect(&x->connection, options);
	natsOptions_Destroy(options);
	if (s == NATS_OK)
		s = natsConnection_JetStream(&x->js, x->connection, NULL);
	return s == NATS_OK ? 0 : fail(x, -EHOSTUNREACH, "no NATS server that lets us in", s);
}

/* What there is; and whether what is asked for still is. */
static int look(struct exporting *x)
{
	jsStreamInfo *info = NULL;
	natsStatus s = js_GetStreamInfo(&info, x->js, x->options->stream.stream, NULL, NULL);
	if (s != NATS_OK)
		return fail(x, -ENOENT, "no such stream", s);
	x->first = info->State.FirstSeq;
	x->last = info->State.Msgs > 0 ? info->State.LastSeq : 0;
	x->out->of = info->State.Msgs;
	jsStreamInfo_Destroy(info);
	const uint64_t after = x->options->after_sequence;
	if (after == 0 || x->last == 0 || after + 1 >= x->first)
		return 0;
	snprintf(x->error, x->error_size,
		 "--after %" PRIu64 ": the stream begins at %" PRIu64 " now: records between were removed",
		 after, x->first);
	return -ENODATA;
}

static int subscribe(struct exporting *x)
{
	jsSubOptions o;
	jsSubOptions_Init(&o);
	o.Ordered = true; /* one that is missed is asked for again, in order */
	o.Stream = x->options->stream.stream;
	o.Config.DeliverPolicy = js_DeliverByStartSequence;
	o.Config.OptStartSeq = x->options->after_sequence + 1;
	natsStatus s = js_SubscribeSync(&x->subscription, x->js, x->options->stream.all, NULL, &o, NULL);
	return s == NATS_OK ? 0 : fail(x, -EIO, "it cannot be read", s);
}

/* Whether some of the run's records before this one, its first that was read, may have been let go of: but
 * not when the one from which on the run is there was read before. */
static bool lacks(struct exporting *x, const char *subject, uint64_t lsn)
{
	jsDirectGetMsgOptions o;
	natsMsg *first = NULL;
	const char *sequence = NULL;
	if (lsn == 1)
		return false;
	jsDirectGetMsgOptions_Init(&o);
	o.Sequence = 1;
	o.NextBySubject = subject;
	natsStatus s = js_DirectGetMsg(&first, x->js, x->options->stream.stream, NULL, &o);
	if (s == NATS_OK)
		s = natsMsgHeader_Get(first, "Nats-Sequence", &sequence);
	bool whole = s == NATS_OK && strtoull(sequence, NULL, 10) <= x->options->after_sequence;
	natsMsg_Destroy(first);
	return !whole;
}

static int note_run(struct exporting *x, const char *subject, struct position at)
{
	if (map_get(&x->runs, at.origin.id, 0))
		return 0;
	x->purged += lacks(x, subject, at.lsn);
	return map_put(&x->runs, at.origin.id, 0, x);
}

/* A record must be whole, and of the run whose subject it is on. */
static int write_record(struct exporting *x, natsMsg *message, const jsMsgMetaData *meta)
{
	struct origin origin;
	struct record *record = NULL;
	if (strcmp(natsMsg_GetSubject(message), x->options->stream.id) == 0)
		return 0;
	const uint8_t *data;
	size_t size;
	int r = nats_body_read(message, &x->unpacked, &data, &size)
		    ? message_decode_record(data, size, &record)
		: bytes_failed(&x->unpacked) ? -ENOMEM
					     : 1;
	if (r < 0)
		return r;
	if (r > 0 || !nats_subject_origin(&x->options->stream, natsMsg_GetSubject(message), &origin) ||
	    origin.id != record->at.origin.id) {
		snprintf(x->error, x->error_size, "%s: message %" PRIu64 " is no record of Kudos",
			 x->options->journal, meta->Sequence.Stream);
		r = -EBADMSG;
	} else {
		const struct place place = {meta->Sequence.Stream, meta->Timestamp};
		r = export_record(x->out, record, &place);
		if (r == 0)
			r = note_run(x, natsMsg_GetSubject(message), record->at);
	}
	record_unref(record);
	return r;
}

static int write_next(struct exporting *x, uint64_t *sequence)
{
	natsMsg *message = NULL;
	jsMsgMetaData *meta = NULL;
	natsStatus s = natsSubscription_NextMsg(&message, x->subscription, PATIENCE);
	if (s == NATS_OK)
		s = natsMsg_GetMetaData(&meta, message);
	int r = s == NATS_OK ? write_record(x, message, meta) : fail(x, -EIO, "reading it", s);
	if (r == 0)
		*sequence = meta->Sequence.Stream;
	jsMsgMetaData_Destroy(meta);
	natsMsg_Destroy(message);
	return r;
}

int export_stream(const struct options *options, struct output *out, char *error, size_t error_size)
{
	struct exporting x = {.options = options, .out = out};
	x.error = error;
	x.error_size = error_size;
	uint64_t sequence = options->after_sequence;
	map_init(&x.runs, random_id());
	int r = reach(&x);
	if (r == 0)
		r = look(&x);
	if (r == 0 && sequence < x.last)
		r = subscribe(&x);
	while (r == 0 && sequence < x.last)
		r = write_next(&x, &sequence);
	if (r == 0)
		r = output_flush(out);
	if (r == 0 && x.purged > 0) {
		snprintf(
		    error, error_size,
		    "%s: of %zu runs of servers the stream has let go of older records: what was written is "
		    "not all",
		    options->journal, x.purged);
		r = -ENODATA;
	}
	map_deinit(&x.runs);
	bytes_deinit(&x.unpacked);
	natsSubscription_Destroy(x.subscription);
	jsCtx_Destroy(x.js);
	natsConnection_Destroy(x.connection);
	return r;
}
