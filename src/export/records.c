/* SPDX-License-Identifier: MIT */
#include "export/records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/beside.h"
#include "wire/message.h"

static void write_event(struct output *out, const struct event *e)
{
	output_text(out, "{\"key\":");
	output_json_key(out, e->key, e->key_size);
	output_text(out, ",\"n\":");
	output_number(out, e->n);
	output_text(out, "}");
}

static void write_batch(struct output *out, const struct batch *b)
{
	output_text(out, "{\"issuer\":\"");
	output_hex(out, b->session.issuer);
	output_text(out, "\",\"number\":");
	output_unsigned(out, b->session.number);
	if (b->seq == 0 || b->seq == SEQ_LAPSE) {
		output_text(out, b->seq == 0 ? ",\"close\":true}" : ",\"lapse\":true}");
		return;
	}
	output_text(out, ",\"seq\":");
	output_unsigned(out, b->seq);
	output_text(out, ",\"events\":[");
	for (size_t i = 0; i < b->event_count; i++) {
		if (i > 0)
			output_text(out, ",");
		write_event(out, &b->events[i]);
	}
	output_text(out, "]}");
}

static void write_place(struct output *out, const struct place *place)
{
	char text[64];
	time_t seconds = (time_t)(place->time / 1000000000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	output_text(out, "\"sequence\":");
	output_unsigned(out, place->sequence);
	strftime(text, sizeof text, ",\"time\":\"%Y-%m-%dT%H:%M:%S", &tm);
	output_text(out, text);
	snprintf(text, sizeof text, ".%09dZ\",", (int)(place->time % 1000000000));
	output_text(out, text);
}

int export_record(struct output *out, const struct record *record, const struct place *place)
{
	output_text(out, "{");
	if (place)
		write_place(out, place);
	output_text(out, "\"origin\":\"");
	output_hex(out, record->at.origin.id);
	output_text(out, "\",\"lsn\":");
	output_unsigned(out, record->at.lsn);
	output_text(out, ",\"batches\":[");
	for (size_t i = 0; i < record->batch_count; i++) {
		if (i > 0)
			output_text(out, ",");
		write_batch(out, &record->batches[i]);
	}
	output_text(out, "]}");
	return output_end_line(out);
}

struct exporting {
	struct output *out;
	struct position after; /* nothing is written until it came; {0}: now */
	bool unreadable;
};

static int write_entry(void *arg, const struct entry *entry)
{
	struct exporting *x = arg;
	struct record *record;
	if (x->after.origin.id != 0) {
		if (entry->at.origin.id == x->after.origin.id && entry->at.lsn == x->after.lsn)
			x->after = (struct position){0};
		return 0;
	}
	int r = message_decode_record(entry->data, entry->size, &record);
	if (r != 0) {
		x->unreadable = r > 0;
		return r < 0 ? r : -EBADMSG;
	}
	r = export_record(x->out, record, NULL);
	record_unref(record);
	return r;
}

int export_records(const struct options *options, struct output *out, char *error, size_t error_size)
{
	struct exporting x = {.out = out, .after = options->after_record};
	struct beside_report report = {0};
	int r = beside_records(options->data, write_entry, &x, &report, error, error_size);
	if (r == 0)
		r = output_flush(out);
	if (r == 0 && x.after.origin.id != 0) {
		snprintf(error, error_size,
			 "--after %s: that record is not in the journal (any more): what followed it may be "
			 "gone, too",
			 options->after);
		return -ENODATA;
	}
	if (r == 0 && report.damaged_bytes > 0) {
		snprintf(error, error_size,
			 "%s: %" PRIu64 " bytes of the journal are damaged; records in them are missing",
			 options->data, report.damaged_bytes);
		return -EBADMSG;
	}
	return r;
}
