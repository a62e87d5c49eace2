/* SPDX-License-Identifier: MIT */
/* Two threads do what waits for the network, one writes, one reads; the server's thread asks and collects
 * (store/stream.h). libnats has threads of its own besides.
 *
 * A record is written with what must be the last on its subject before it (expected-last-subject-sequence),
 * one after the other: so no position is there twice, and none without the one before, whatever was sent
 * twice or came late. When it is not known whether one was stored, the subject's last message tells. */
#include "store/nats.h"

#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/random.h"
#include "store/nats_connect.h"

#define ANSWER_WAIT 2000 /* ms, for one answer */
#define RETRY_PAUSE 200	 /* ms */
#define FETCHES 64
#define FETCHED 64 /* records, … */
#define FETCHED_BYTES ((size_t)1 << 20)

struct item { /* a record to be written, or something to be told */
	struct item *next;
	struct told_entry told;
	uint8_t data[];
};

struct items {
	struct item *first, *last;
};

struct wanted {
	struct origin origin;
	uint64_t from, to;
};

struct nats_stream {
	struct stream stream;
	natsConnection *connection;
	jsCtx *js;
	struct nats_names names;
	int event;
	pthread_t writer, reader;
	bool writes, reads; /* the threads run */
	atomic_bool quit;
	atomic_uint_fast64_t bytes;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct items group;	/* to be written */
	bool committing;	/* the writer has the group */
	int failed;		/* for good */
	char trouble[256];	/* "": none */
	char told_trouble[256]; /* what trouble() last gave */
	bool look;
	struct wanted fetches[FETCHES];
	size_t fetch_count;
	struct items told;

	/* The writer's: */
	uint64_t last_seq; /* of this run's subject; 0: nothing is there */
	/* The reader's: */
	struct map known;     /* (origin, 0) → struct known, owned */
	struct position next; /* where the last fetch ended, … */
	uint64_t next_seq;    /* … and where to read on */
};

static struct nats_stream *of(struct stream *s)
{
	return (struct nats_stream *)(void *)s; /* stream is its first member */
}

/* ---- lists ---- */

static struct item *item_new(const struct told_entry *told)
{
	struct item *item = malloc(sizeof *item + told->size);
	if (!item)
		return NULL;
	*item = (struct item){.told = *told};
	item->told.data = item->data;
	if (told->size > 0)
		memcpy(item->data, told->data, told->size);
	return item;
}

static void items_add(struct items *items, struct item *item)
{
	if (items->last)
		items->last->next = item;
	else
		items->first = item;
	items->last = item;
}

static void items_clear(struct items *items)
{
	while (items->first) {
		struct item *next = items->first->next;
		free(items->first);
		items->first = next;
	}
	items->last = NULL;
}

/* ---- what both threads do ---- */

static void ring(struct nats_stream *n)
{
	uint64_t one = 1;
	while (write(n->event, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void set_trouble(struct nats_stream *n, const char *format, const char *what)
{
	pthread_mutex_lock(&n->mutex);
	snprintf(n->trouble, sizeof n->trouble, format, what);
	pthread_mutex_unlock(&n->mutex);
}

static void pause_a_little(const struct nats_stream *n)
{
	for (int i = 0; i < RETRY_PAUSE / 10 && !n->quit; i++)
		nats_Sleep(10);
}

static void tell(struct nats_stream *n, const struct told_entry *told)
{
	struct item *item = item_new(told);
	pthread_mutex_lock(&n->mutex);
	if (item)
		items_add(&n->told, item);
	else
		n->failed = -ENOMEM;
	pthread_mutex_unlock(&n->mutex);
}

/* What a message of the stream says of itself. False: it is not one of ours. */
static bool read_message(natsMsg *m, struct told_entry *told)
{
	const char *lsn = NULL, *node = NULL;
	if (natsMsgHeader_Get(m, "Kudos-Lsn", &lsn) != NATS_OK ||
	    natsMsgHeader_Get(m, "Kudos-Node", &node) != NATS_OK)
		return false;
	*told = (struct told_entry){.type = TOLD_RECORD,
				    .node = {strtoull(node, NULL, 16)},
				    .at.lsn = strtoull(lsn, NULL, 10),
				    .data = (const uint8_t *)natsMsg_GetData(m),
				    .size = (size_t)natsMsg_GetDataLength(m)};
	return told->node.id != 0 && told->at.lsn != 0;
}

/* ---- writing ---- */

enum outcome { WRITTEN, AGAIN, LOST };

/* Whether it was stored, when no answer said so. */
static enum outcome look_up(struct nats_stream *n, const struct item *item, const char *subject)
{
	natsMsg *m = NULL;
	jsErrCode code = 0;
	struct told_entry told;
	natsStatus s = js_GetLastMsg(&m, n->js, n->names.stream, subject, NULL, &code);
	if (s == NATS_NOT_FOUND || code == JSNoMessageFoundErr) {
		n->last_seq = 0;
		return item->told.at.lsn == 1 ? AGAIN : LOST;
	}
	if (s != NATS_OK) {
		set_trouble(n, "the stream does not answer: %s", natsStatus_GetText(s));
		return AGAIN;
	}
	enum outcome outcome = LOST;
	if (read_message(m, &told)) {
		bool this = told.at.lsn == item->told.at.lsn && told.size == item->told.size &&
			    memcmp(told.data, item->told.data, told.size) == 0;
		outcome = this ? WRITTEN : told.at.lsn + 1 == item->told.at.lsn ? AGAIN : LOST;
		n->last_seq = natsMsg_GetSequence(m);
	}
	natsMsg_Destroy(m);
	return outcome;
}

static enum outcome publish(struct nats_stream *n, const struct item *item)
{
	char subject[NATS_SUBJECT], id[64], lsn[24], node[24];
	natsMsg *m = NULL;
	jsPubAck *ack = NULL;
	jsPubOptions o;
	jsErrCode code = 0;
	nats_subject(&n->names, item->told.at.origin, subject);
	snprintf(id, sizeof id, "%016" PRIx64 ":%" PRIu64, item->told.at.origin.id, item->told.at.lsn);
	snprintf(lsn, sizeof lsn, "%" PRIu64, item->told.at.lsn);
	snprintf(node, sizeof node, "%016" PRIx64, item->told.node.id);
	jsPubOptions_Init(&o);
	o.MaxWait = ANSWER_WAIT;
	o.MsgId = id;
	o.ExpectStream = n->names.stream;
	o.ExpectLastSubjectSeq = n->last_seq;
	o.ExpectNoMessage = n->last_seq == 0;
	natsStatus s = natsMsg_Create(&m, subject, NULL, (const char *)item->data, (int)item->told.size);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(m, "Kudos-Lsn", lsn);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(m, "Kudos-Node", node);
	if (s == NATS_OK)
		s = js_PublishMsg(&ack, n->js, m, &o, &code);
	natsMsg_Destroy(m);
	if (s == NATS_OK) {
		n->last_seq = ack->Sequence;
		jsPubAck_Destroy(ack);
		return WRITTEN;
	}
	set_trouble(n, "the stream does not take records: %s", nats_connect_error(s));
	return look_up(n, item, subject);
}

/* Until it is stored, or there is no sense in it any more. */
static int write_item(struct nats_stream *n, const struct item *item)
{
	for (;;) {
		enum outcome outcome = publish(n, item);
		if (outcome == WRITTEN)
			return 0;
		if (outcome == LOST) {
			log_error(
			    "the stream %s does not hold what it had acknowledged before record %" PRIu64
			    " of this run: it lost data, or somebody else changed it",
			    n->names.stream, item->told.at.lsn);
			return -ENODATA;
		}
		if (n->quit)
			return -ECANCELED;
		pause_a_little(n);
	}
}

static void *write_all(void *arg)
{
	struct nats_stream *n = arg;
	pthread_mutex_lock(&n->mutex);
	while (!n->quit) {
		if (!n->committing) {
			pthread_cond_wait(&n->wake, &n->mutex);
			continue;
		}
		struct items group = n->group;
		n->group = (struct items){0};
		pthread_mutex_unlock(&n->mutex);
		int e = 0;
		for (const struct item *item = group.first; item && e == 0; item = item->next)
			e = write_item(n, item);
		items_clear(&group);
		pthread_mutex_lock(&n->mutex);
		n->failed = n->failed ? n->failed : e;
		n->committing = false;
		n->trouble[0] = '\0';
		ring(n);
	}
	pthread_mutex_unlock(&n->mutex);
	return NULL;
}

/* ---- reading ---- */

/* A subject whose last message has been read: it is another one when there are more messages. */
struct known {
	struct told_entry held;
	int64_t messages;
};

static int read_last(struct nats_stream *n, const char *subject, struct origin origin,
		     struct told_entry *held)
{
	natsMsg *m = NULL;
	if (js_GetLastMsg(&m, n->js, n->names.stream, subject, NULL, NULL) != NATS_OK)
		return -EAGAIN;
	bool ours = read_message(m, held);
	natsMsg_Destroy(m);
	held->type = TOLD_HELD;
	held->at.origin = origin;
	held->data = NULL;
	held->size = 0;
	return ours ? 0 : -EBADMSG;
}

static int look_at(struct nats_stream *n, const jsStreamStateSubject *subject)
{
	struct origin origin;
	if (!nats_subject_origin(&n->names, subject->Subject, &origin))
		return 0;
	struct known *known = map_get(&n->known, origin.id, 0);
	if (!known) {
		known = calloc(1, sizeof *known);
		if (!known || map_put(&n->known, origin.id, 0, known) < 0) {
			free(known);
			return -ENOMEM;
		}
	}
	if (known->messages != (int64_t)subject->Msgs) {
		int e = read_last(n, subject->Subject, origin, &known->held);
		if (e < 0)
			return e == -EBADMSG ? 0 : e;
		known->messages = (int64_t)subject->Msgs;
	}
	tell(n, &known->held);
	return 0;
}

static void look(struct nats_stream *n)
{
	jsOptions o;
	jsStreamInfo *info = NULL;
	jsOptions_Init(&o);
	o.Stream.Info.SubjectsFilter = n->names.subjects;
	int e = js_GetStreamInfo(&info, n->js, n->names.stream, &o, NULL) == NATS_OK ? 0 : -EAGAIN;
	if (e == 0)
		n->bytes = info->State.Bytes;
	for (int i = 0; e == 0 && info->State.Subjects && i < info->State.Subjects->Count && !n->quit; i++)
		e = look_at(n, &info->State.Subjects->List[i]);
	jsStreamInfo_Destroy(info);
	if (e == 0) /* else the next look tells it whole */
		tell(n, &(struct told_entry){.type = TOLD_LOOKED});
}

/* The first message of the subject from seq on. */
static int read_from(struct nats_stream *n, const char *subject, uint64_t seq, natsMsg **m,
		     struct told_entry *told, uint64_t *at)
{
	jsDirectGetMsgOptions o;
	const char *number = NULL;
	jsDirectGetMsgOptions_Init(&o);
	o.Sequence = seq;
	o.NextBySubject = subject;
	natsStatus s = js_DirectGetMsg(m, n->js, n->names.stream, NULL, &o);
	if (s == NATS_NOT_FOUND)
		return -ENOENT;
	if (s != NATS_OK)
		return -EAGAIN;
	if (!read_message(*m, told) || natsMsgHeader_Get(*m, "Nats-Sequence", &number) != NATS_OK) {
		natsMsg_Destroy(*m);
		*m = NULL;
		return -EBADMSG;
	}
	*at = strtoull(number, NULL, 10);
	return 0;
}

/* Where record lsn of the subject is: records of one run are there in order, so it is halved down to. */
static int find_record(struct nats_stream *n, const char *subject, uint64_t lsn, uint64_t *seq)
{
	jsStreamInfo *info = NULL;
	if (js_GetStreamInfo(&info, n->js, n->names.stream, NULL, NULL) != NATS_OK)
		return -EAGAIN;
	uint64_t lo = info->State.FirstSeq, hi = info->State.LastSeq;
	jsStreamInfo_Destroy(info);
	while (lo < hi && lsn > 1) {
		uint64_t middle = lo + (hi - lo) / 2, at;
		struct told_entry told;
		natsMsg *m = NULL;
		int e = read_from(n, subject, middle, &m, &told, &at);
		natsMsg_Destroy(m);
		if (e < 0 && e != -ENOENT)
			return e;
		if (e == 0 && told.at.lsn < lsn)
			lo = at + 1;
		else
			hi = middle;
	}
	*seq = lo;
	return 0;
}

/* Tells records from..to as far as they are there; what ended it. */
static int read_records(struct nats_stream *n, const struct wanted *w, const char *subject, size_t *count)
{
	size_t bytes = 0;
	uint64_t seq = n->next_seq;
	int e = origin_equal(n->next.origin, w->origin) && n->next.lsn == w->from
		    ? 0
		    : find_record(n, subject, w->from, &seq);
	for (uint64_t lsn = w->from; e == 0 && lsn <= w->to && *count < FETCHED && bytes < FETCHED_BYTES;
	     lsn++) {
		natsMsg *m = NULL;
		struct told_entry told;
		e = read_from(n, subject, seq, &m, &told, &seq);
		if (e == 0 && told.at.lsn != lsn)
			e = -ENOENT;
		if (e == 0) {
			told.at.origin = w->origin;
			bytes += told.size;
			tell(n, &told);
			(*count)++;
			n->next = (struct position){w->origin, lsn + 1};
			n->next_seq = ++seq;
		}
		natsMsg_Destroy(m);
	}
	return e;
}

static void fetch(struct nats_stream *n, const struct wanted *w)
{
	char subject[NATS_SUBJECT];
	size_t count = 0;
	nats_subject(&n->names, w->origin, subject);
	int e = read_records(n, w, subject, &count);
	if (count == 0 && e == -EAGAIN)
		return; /* it is asked again */
	bool gone = count == 0 && e < 0;
	tell(n, &(struct told_entry){.type = gone ? TOLD_GONE : TOLD_FETCHED, .at = {w->origin, w->from}});
}

static void *read_all(void *arg)
{
	struct nats_stream *n = arg;
	pthread_mutex_lock(&n->mutex);
	while (!n->quit) {
		bool looks = n->look;
		bool fetches = n->fetch_count > 0;
		struct wanted w = n->fetches[0];
		if (fetches)
			memmove(&n->fetches[0], &n->fetches[1], --n->fetch_count * sizeof w);
		if (!looks && !fetches) {
			pthread_cond_wait(&n->wake, &n->mutex);
			continue;
		}
		pthread_mutex_unlock(&n->mutex);
		if (looks)
			look(n);
		if (fetches)
			fetch(n, &w);
		ring(n);
		pthread_mutex_lock(&n->mutex);
		n->look = n->look && !looks;
	}
	pthread_mutex_unlock(&n->mutex);
	return NULL;
}

/* ---- what the server's thread calls ---- */

static int nats_write(struct stream *s, struct position at, const void *data, size_t size)
{
	struct nats_stream *n = of(s);
	struct item *item =
	    item_new(&(struct told_entry){.node = s->node, .at = at, .data = data, .size = size});
	if (!item)
		return -ENOMEM;
	pthread_mutex_lock(&n->mutex);
	items_add(&n->group, item);
	pthread_mutex_unlock(&n->mutex);
	return 0;
}

static int nats_commit(struct stream *s)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	n->committing = true;
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->mutex);
	return 0;
}

static int nats_poll(struct stream *s)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	int e = n->failed ? n->failed : n->committing;
	pthread_mutex_unlock(&n->mutex);
	return e;
}

static const char *nats_trouble(struct stream *s)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	memcpy(n->told_trouble, n->trouble, sizeof n->trouble);
	pthread_mutex_unlock(&n->mutex);
	return n->told_trouble[0] ? n->told_trouble : NULL;
}

static void nats_look(struct stream *s)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	n->look = true;
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->mutex);
}

static void nats_fetch(struct stream *s, struct origin origin, uint64_t from, uint64_t to)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	if (n->fetch_count < FETCHES) /* else it is asked again */
		n->fetches[n->fetch_count++] = (struct wanted){origin, from, to};
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->mutex);
}

static int nats_take(struct stream *s, told_fn fn, void *arg)
{
	struct nats_stream *n = of(s);
	uint64_t rung;
	if (read(n->event, &rung, sizeof rung) < 0 && errno != EAGAIN)
		return -errno;
	pthread_mutex_lock(&n->mutex);
	struct items told = n->told;
	n->told = (struct items){0};
	int e = n->failed;
	pthread_mutex_unlock(&n->mutex);
	for (const struct item *item = told.first; item && e == 0; item = item->next)
		e = fn(arg, &item->told);
	items_clear(&told);
	return e;
}

static uint64_t nats_bytes(const struct stream *s)
{
	return ((const struct nats_stream *)(const void *)s)->bytes;
}

static int nats_descriptor(const struct stream *s)
{
	return ((const struct nats_stream *)(const void *)s)->event;
}

static void nats_close(struct stream *s)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	n->quit = true;
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->mutex);
	if (n->writes)
		pthread_join(n->writer, NULL);
	if (n->reads)
		pthread_join(n->reader, NULL);
	jsCtx_Destroy(n->js);
	natsConnection_Destroy(n->connection);
	items_clear(&n->group);
	items_clear(&n->told);
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&n->known, &at));)
		free(slot->value);
	map_deinit(&n->known);
	if (n->event >= 0)
		close(n->event);
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->mutex);
	free(n);
}

int nats_start(struct stream **stream, natsConnection *connection, jsCtx *js, const struct nats_names *names)
{
	static const struct stream_ops ops = {
	    .close = nats_close,
	    .write = nats_write,
	    .commit = nats_commit,
	    .poll = nats_poll,
	    .trouble = nats_trouble,
	    .look = nats_look,
	    .fetch = nats_fetch,
	    .take = nats_take,
	    .bytes = nats_bytes,
	    .descriptor = nats_descriptor,
	};
	struct nats_stream *n = calloc(1, sizeof *n);
	if (!n)
		return -ENOMEM;
	n->stream.ops = &ops;
	n->connection = connection;
	n->js = js;
	n->names = *names;
	map_init(&n->known, random_id());
	pthread_mutex_init(&n->mutex, NULL);
	pthread_cond_init(&n->wake, NULL);
	n->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int e = n->event < 0 ? errno : 0;
	n->writes = e == 0 && (e = pthread_create(&n->writer, NULL, write_all, n)) == 0;
	n->reads = e == 0 && (e = pthread_create(&n->reader, NULL, read_all, n)) == 0;
	if (e != 0) {
		nats_close(&n->stream);
		return -e;
	}
	*stream = &n->stream;
	return 0;
}
