/* SPDX-License-Identifier: MIT */
/* One thread writes, as far as the server's own does not (nats_writer.h), one reads; the server's thread asks
 * and collects (store/stream.h). */
#include "store/nats.h"

#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store/nats_items.h"
#include "store/nats_message.h"
#include "store/nats_subjects.h"
#include "store/nats_writer.h"

#define FETCHES 64
#define FETCHED 64 /* records, … */
#define FETCHED_BYTES ((size_t)1 << 20)

struct wanted {
	struct origin origin;
	uint64_t from, to;
};

enum ready { READY_EVENT, READY_SOCKET };

struct nats_stream {
	struct stream stream;
	struct nats_names names;
	int event, epoll_fd; /* the second tells of the first, and of the writer's socket */
	struct nats_writer *writer;
	pthread_t reader;
	bool reads; /* the thread runs */
	atomic_bool quit;
	atomic_uint_fast64_t bytes;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	int failed; /* for good */
	bool look;
	struct items ends; /* last records of earlier runs, to be written */
	uint64_t purge;	   /* up to here; 0: nothing is to be deleted */
	struct wanted fetches[FETCHES];
	size_t fetch_count;
	struct items told;

	/* The reader's: */
	struct nats_link link;
	struct nats_subjects subjects;
	struct bytes unpacked; /* what was read last */
	struct position next;  /* where the last fetch ended, … */
	uint64_t next_seq;     /* … and where to read on */
};

static struct nats_stream *of(struct stream *s)
{
	return (struct nats_stream *)(void *)s; /* stream is its first member */
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

/* ---- reading ---- */

static void look(struct nats_stream *n)
{
	struct items found = {0};
	int e = nats_subjects_look(&n->subjects, &n->link, &n->quit, &found);
	n->bytes = n->subjects.bytes;
	pthread_mutex_lock(&n->mutex);
	if (e == 0) /* else the next look tells it whole */
		items_join(&n->told, &found);
	pthread_mutex_unlock(&n->mutex);
	items_clear(&found);
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
	natsStatus s = js_DirectGetMsg(m, n->link.js, n->names.stream, NULL, &o);
	nats_link_answered(&n->link, s);
	if (s == NATS_NOT_FOUND)
		return -ENOENT;
	if (s != NATS_OK)
		return -EAGAIN;
	if (!nats_message_read(*m, told, &n->unpacked) ||
	    natsMsgHeader_Get(*m, "Nats-Sequence", &number) != NATS_OK) {
		natsMsg_Destroy(*m);
		*m = NULL;
		return bytes_failed(&n->unpacked) ? -EAGAIN : -EBADMSG;
	}
	*at = strtoull(number, NULL, 10);
	return 0;
}

/* Where record lsn of the subject is: records of one run are there in order, so it is halved down to. */
static int find_record(struct nats_stream *n, const char *subject, uint64_t lsn, uint64_t *seq)
{
	jsStreamInfo *info = NULL;
	if (js_GetStreamInfo(&info, n->link.js, n->names.stream, NULL, NULL) != NATS_OK)
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
		uint64_t purges = n->purge;
		struct items ends = n->ends;
		n->purge = 0;
		n->ends = (struct items){0};
		if (!looks && !fetches && !purges && !ends.first) {
			pthread_cond_wait(&n->wake, &n->mutex);
			continue;
		}
		pthread_mutex_unlock(&n->mutex);
		for (const struct item *last = ends.first; last && !n->quit; last = last->next)
			nats_subjects_end(&n->subjects, &n->link, &last->told);
		items_clear(&ends);
		if (looks)
			look(n);
		if (fetches)
			fetch(n, &w);
		if (purges)
			nats_subjects_purge(&n->subjects, &n->link, &n->quit, purges);
		event_ring(n->event);
		pthread_mutex_lock(&n->mutex);
		n->look = n->look && !looks;
	}
	pthread_mutex_unlock(&n->mutex);
	return NULL;
}

/* ---- what the server's thread calls ---- */

static int nats_write(struct stream *s, struct position at, const void *data, size_t size)
{
	return nats_writer_add(of(s)->writer,
			       &(struct told_entry){.node = s->node, .at = at, .data = data, .size = size});
}

static int nats_commit(struct stream *s)
{
	nats_writer_commit(of(s)->writer);
	return 0;
}

static int nats_poll(struct stream *s)
{
	return nats_writer_poll(of(s)->writer);
}

static const char *nats_trouble(struct stream *s)
{
	return nats_writer_trouble(of(s)->writer);
}

static void nats_look(struct stream *s)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	n->look = true;
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->mutex);
}

static void nats_end(struct stream *s, struct position at, const void *data, size_t size)
{
	struct nats_stream *n = of(s);
	const struct told_entry last = {.node = s->node, .at = at, .data = data, .size = size, .ended = true};
	struct item *item = item_new(&last);
	if (!item)
		return; /* the next look finds it missing */
	pthread_mutex_lock(&n->mutex);
	items_add(&n->ends, item);
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->mutex);
}

static void nats_purge(struct stream *s, uint64_t number)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	n->purge = number;
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

static int take_ready(struct nats_stream *n)
{
	struct epoll_event events[2];
	uint64_t rung;
	int count = epoll_wait(n->epoll_fd, events, 2, 0);
	if (count < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < count; i++) {
		if (events[i].data.u32 == READY_SOCKET)
			nats_writer_ready(n->writer);
		else if (read(n->event, &rung, sizeof rung) < 0 && errno != EAGAIN)
			return -errno;
	}
	return 0;
}

static int nats_take(struct stream *s, told_fn fn, void *arg)
{
	struct nats_stream *n = of(s);
	int e = take_ready(n);
	pthread_mutex_lock(&n->mutex);
	struct items told = n->told;
	n->told = (struct items){0};
	e = e ? e : n->failed;
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
	return ((const struct nats_stream *)(const void *)s)->epoll_fd;
}

static void nats_close(struct stream *s)
{
	struct nats_stream *n = of(s);
	pthread_mutex_lock(&n->mutex);
	n->quit = true;
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->mutex);
	if (n->reads)
		pthread_join(n->reader, NULL);
	nats_writer_close(n->writer);
	nats_link_close(&n->link);
	items_clear(&n->told);
	items_clear(&n->ends);
	nats_subjects_deinit(&n->subjects);
	bytes_deinit(&n->unpacked);
	if (n->epoll_fd >= 0)
		close(n->epoll_fd);
	if (n->event >= 0)
		close(n->event);
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->mutex);
	free(n);
}

static int start(struct nats_stream *n)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = READY_EVENT};
	n->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (n->event < 0 || n->epoll_fd < 0 || epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD, n->event, &event) < 0)
		return -errno;
	int e = nats_writer_open(&n->writer, &n->link.access, n->event, n->epoll_fd, READY_SOCKET);
	if (e < 0)
		return e;
	e = pthread_create(&n->reader, NULL, read_all, n);
	n->reads = e == 0;
	return -e;
}

int nats_start(struct stream **stream, const struct nats_link *link)
{
	static const struct stream_ops ops = {
	    .close = nats_close,
	    .write = nats_write,
	    .commit = nats_commit,
	    .poll = nats_poll,
	    .trouble = nats_trouble,
	    .look = nats_look,
	    .end = nats_end,
	    .purge = nats_purge,
	    .fetch = nats_fetch,
	    .take = nats_take,
	    .bytes = nats_bytes,
	    .descriptor = nats_descriptor,
	};
	struct nats_stream *n = calloc(1, sizeof *n);
	if (!n)
		return -ENOMEM;
	n->stream.ops = &ops;
	n->names = *link->access.names;
	n->link = *link;
	n->link.access.names = &n->names;
	nats_subjects_init(&n->subjects, &n->names);
	pthread_mutex_init(&n->mutex, NULL);
	pthread_cond_init(&n->wake, NULL);
	int e = start(n);
	if (e != 0) {
		n->link = (struct nats_link){0};
		nats_close(&n->stream);
		return e;
	}
	*stream = &n->stream;
	return 0;
}
