/* SPDX-License-Identifier: MIT */
/* One pass over the bytes, and few allocations. */
#include "wire/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kudos.h"
#include "wire/key.h"
#include "wire/reader.h"
#include "wire/writer.h"

#include "base/array.h"
#include "base/limits.h"

#define ELEMENTS 4 /* of either message, and of a batch within */

/* The array and its type name. */
static void read_type(struct reader *r, const char *type)
{
	read_array_of(r, ELEMENTS);
	struct text name = read_str(r, SIZE_MAX);
	if (!name.data || name.size != strlen(type) || memcmp(name.data, type, name.size) != 0)
		reader_fail(r, KUDOS_PROTOCOL);
}

static void write_type(struct writer *w, const char *type)
{
	write_array(w, ELEMENTS);
	write_str(w, type, strlen(type));
}

/* [issuer, number, seq, [ up to the first event; how many events follow is in event_count. What could be
 * read of the identity is in *b also when it is refused. */
static void read_head(struct reader *r, struct batch *b)
{
	read_array_of(r, ELEMENTS);
	uint64_t issuer = read_uint(r);
	uint64_t number = read_uint(r);
	uint64_t seq = read_uint(r);
	if (r->error)
		return;
	b->session = (struct session){issuer, number};
	b->seq = seq;
	size_t elements = read_array(r, SIZE_MAX);
	b->event_count = elements / 2;
	if (issuer == 0 || number == 0 || elements % 2 || (seq == 0 || seq == SEQ_LAPSE) != (elements == 0))
		reader_fail(r, KUDOS_PROTOCOL);
	else if (b->event_count > LIMIT_BATCH_EVENTS)
		reader_fail(r, KUDOS_TOO_LARGE);
}

static void read_events(struct reader *r, struct event *events, size_t count)
{
	for (size_t i = 0; i < count && !r->error; i++) {
		struct text key = read_str(r, SIZE_MAX);
		int64_t n = read_int(r);
		if (r->error)
			return;
		if (key_check(key.data, key.size) != 0)
			reader_fail(r, KUDOS_BAD_KEY);
		else if (n == 0 || n < -LIMIT_AMOUNT || n > LIMIT_AMOUNT)
			reader_fail(r, KUDOS_BAD_AMOUNT);
		else
			events[i] = (struct event){key.data, (int32_t)n, (uint8_t)key.size};
	}
}

/* A box around a copy of the encoded batch, which is all of raw. The events are read from the copy, so that
 * their keys lie in it. *head receives the identity as read_head() does. */
static int box_raw(const uint8_t *raw, size_t size, struct batch *head, struct batch_box **box)
{
	struct reader r = reader_over(raw, size);
	read_head(&r, head);
	if (!r.error && size > LIMIT_BATCH_BYTES)
		reader_fail(&r, KUDOS_TOO_LARGE);
	if (r.error)
		return r.error;
	size_t head_size = size - reader_left(&r);
	size_t events_size = head->event_count * sizeof(struct event);
	struct batch_box *made = malloc(sizeof *made + events_size + size);
	if (!made)
		return -ENOMEM;
	struct event *events = (struct event *)(void *)(made + 1);
	uint8_t *copy = (uint8_t *)(made + 1) + events_size;
	memcpy(copy, raw, size);
	r = reader_over(copy + head_size, size - head_size);
	read_events(&r, events, head->event_count);
	if (reader_finish(&r) != 0) {
		free(made);
		return r.error;
	}
	head->events = events;
	head->raw = copy;
	head->raw_size = size;
	*made = (struct batch_box){.refs = 1, .batch = *head};
	*box = made;
	return 0;
}

int message_decode_batch(const void *data, size_t size, struct batch_box **box, struct session *session,
			 uint64_t *seq, struct proof *proof)
{
	struct batch head = {0};
	struct batch_box *made = NULL;
	struct reader r = reader_over(data, size);
	if (size > LIMIT_MESSAGE)
		reader_fail(&r, KUDOS_TOO_LARGE);
	read_type(&r, "batch");
	uint64_t signer = read_uint(&r);
	struct proof shown = {{signer}, read_uint(&r)};
	int error = r.error ? r.error : box_raw(r.at, reader_left(&r), &head, &made);
	if (!error &&
	    head.event_count == 0) { /* a close is not for clients to put into a batch, nor a lapse */
		batch_box_unref(made);
		error = KUDOS_PROTOCOL;
	}
	if (session)
		*session = head.session;
	if (seq)
		*seq = head.seq;
	if (proof)
		*proof = shown;
	if (!error)
		*box = made;
	return error;
}

struct batch_box *message_make_batch(struct session session, uint64_t seq, const struct event *events,
				     size_t count)
{
	struct bytes raw = {0};
	struct writer w = writer_to(&raw);
	write_array(&w, ELEMENTS);
	write_uint(&w, session.issuer);
	write_uint(&w, session.number);
	write_uint(&w, seq);
	write_array(&w, 2 * count);
	for (size_t i = 0; i < count; i++) {
		write_str(&w, events[i].key, events[i].key_size);
		write_int(&w, events[i].n);
	}
	struct batch_box *box = NULL;
	if (!bytes_failed(&raw)) {
		struct batch head = {0};
		int error = box_raw(raw.data, raw.size, &head, &box);
		assert(error <= 0); /* trusted input */
		(void)error;
	}
	bytes_deinit(&raw);
	return box;
}

/* All events of a record in one array that grows; batches refer to it once it stands still. */
struct event_list {
	struct event *list;
	size_t count, capacity;
};

static struct event *make_room(struct event_list *all, size_t count, size_t guess)
{
	size_t wanted = all->count + count;
	if (!all->capacity && wanted < guess)
		wanted = guess;
	if (array_reserve(&all->list, wanted, &all->capacity, sizeof *all->list) < 0)
		return NULL;
	struct event *room = all->list + all->count;
	all->count += count;
	return room;
}

static void read_batches(struct reader *r, struct record *record, struct event_list *all)
{
	for (size_t i = 0; i < record->batch_count && !r->error; i++) {
		struct batch *b = &record->batches[i];
		b->raw = r->at;
		read_head(r, b);
		if (r->error)
			return;
		if (b->event_count) { /* most events take a dozen bytes or so */
			struct event *events = make_room(all, b->event_count, reader_left(r) / 12);
			if (!events) {
				reader_fail(r, -ENOMEM);
				return;
			}
			read_events(r, events, b->event_count);
		}
		b->raw_size = (size_t)(r->at - b->raw);
		if (b->raw_size > LIMIT_BATCH_BYTES)
			reader_fail(r, KUDOS_TOO_LARGE);
	}
}

/* Gives the events to the record, without the slack: records may wait in memory for long. */
static void settle_events(struct record *record, struct event_list *all)
{
	struct event *list = all->count ? realloc(all->list, all->count * sizeof *list) : NULL;
	record->events = list ? list : all->list;
	struct event *next = record->events;
	for (size_t i = 0; i < record->batch_count; i++) {
		struct batch *b = &record->batches[i];
		if (b->event_count) {
			b->events = next;
			next += b->event_count;
		}
	}
}

int message_decode_record(const void *data, size_t size, struct record **record)
{
	if (size > LIMIT_MESSAGE)
		return KUDOS_TOO_LARGE;
	struct record *made = calloc(1, sizeof *made);
	uint8_t *raw = made ? malloc(size ? size : 1) : NULL;
	if (!raw) {
		free(made);
		return -ENOMEM;
	}
	if (size)
		memcpy(raw, data, size);
	*made = (struct record){.refs = 1, .raw = raw, .raw_size = size};
	struct event_list all = {0};
	struct reader r = reader_over(raw, size);
	read_type(&r, "record");
	made->at.origin.id = read_uint(&r);
	made->at.lsn = read_uint(&r);
	size_t count = read_array(&r, LIMIT_RECORD_BATCHES);
	if (made->at.origin.id == 0 || made->at.lsn == 0)
		reader_fail(&r, KUDOS_PROTOCOL);
	else if (!(made->batches = calloc(count ? count : 1, sizeof *made->batches)))
		reader_fail(&r, -ENOMEM);
	made->batch_count = made->batches ? count : 0;
	read_batches(&r, made, &all);
	int error = reader_finish(&r);
	if (error) {
		free(all.list);
		record_unref(made);
		return error;
	}
	settle_events(made, &all);
	*record = made;
	return 0;
}

int message_encode_record(struct record *record)
{
	assert(!record->raw);
	size_t size = 64; /* the header takes less */
	for (size_t i = 0; i < record->batch_count; i++)
		size += record->batches[i].raw_size;
	struct bytes out = {0};
	bytes_extend(&out, size);
	if (bytes_failed(&out))
		return -ENOMEM;
	bytes_clear(&out);
	struct writer w = writer_to(&out);
	write_type(&w, "record");
	write_uint(&w, record->at.origin.id);
	write_uint(&w, record->at.lsn);
	write_array(&w, record->batch_count);
	for (size_t i = 0; i < record->batch_count; i++)
		bytes_append(&out, record->batches[i].raw, record->batches[i].raw_size);
	assert(!bytes_failed(&out));
	record->raw = out.data;
	record->raw_size = out.size;
	return 0;
}
