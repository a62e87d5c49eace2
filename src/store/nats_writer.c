/* SPDX-License-Identifier: MIT */
#include "store/nats_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/nats_items.h"
#include "store/nats_message.h"
#include "store/nats_quick.h"

#define ANSWER_WAIT 2000       /* ms, for one answer */
#define RETRY_PAUSE 200	       /* ms */
#define QUICK_MOST 16384       /* bytes of a record */
#define QUICK_PAUSE SECOND     /* between attempts to open a quick connection */
#define LOST_FOR (20 * SECOND) /* a leader that was cut off answers out of the past until it notices */

struct nats_writer {
	int event, epoll_fd;
	uint32_t data;
	pthread_t thread;
	atomic_bool quit;
	struct nats_access access; /* not link's, which the thread renews: quick reads it */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	bool handed;		/* the thread has the group, else the server's thread */
	bool takes;		/* a quick connection is wanted */
	struct quick *fresh;	/* … and there */
	struct quick *spent;	/* to be closed */
	int failed;		/* for good */
	char trouble[256];	/* "": none */
	char told_trouble[256]; /* what trouble() last gave */

	/* Of who has the group: */
	struct items group;
	uint64_t last; /* sequence of the last record on this run's subject; 0: nothing is there */

	/* The server's thread's: */
	bool committing;
	struct quick *quick;

	/* The thread's: */
	struct nats_link link;
	struct bytes unpacked;
	int64_t next_quick;
};

/* ---- the thread ---- */

static void set_trouble(struct nats_writer *w, const char *format, const char *what)
{
	pthread_mutex_lock(&w->mutex);
	snprintf(w->trouble, sizeof w->trouble, format, what);
	pthread_mutex_unlock(&w->mutex);
}

static void pause_a_little(const struct nats_writer *w)
{
	for (int i = 0; i < RETRY_PAUSE / 10 && !w->quit; i++)
		nats_Sleep(10);
}

enum outcome { WRITTEN, AGAIN, LOST };

/* Whether it was stored, when no answer said so. */
static enum outcome look_up(struct nats_writer *w, const struct told_entry *record)
{
	natsMsg *m = NULL;
	jsErrCode code = 0;
	struct told_entry told;
	char subject[NATS_SUBJECT];
	jsOptions o;
	jsOptions_Init(&o);
	o.Wait = ANSWER_WAIT;
	nats_subject(w->access.names, record->at.origin, subject);
	natsStatus s = js_GetLastMsg(&m, w->link.js, w->access.names->stream, subject, &o, &code);
	if (s == NATS_NOT_FOUND || code == JSNoMessageFoundErr) {
		w->last = 0;
		return record->at.lsn == 1 ? AGAIN : LOST;
	}
	if (s != NATS_OK) {
		set_trouble(w, "the stream does not answer: %s", natsStatus_GetText(s));
		return AGAIN;
	}
	enum outcome outcome = LOST;
	if (nats_message_read(m, &told, &w->unpacked)) {
		bool this = told.at.lsn == record->at.lsn && told.size == record->size &&
			    memcmp(told.data, record->data, told.size) == 0;
		outcome = this ? WRITTEN : told.at.lsn + 1 == record->at.lsn ? AGAIN : LOST;
		w->last = natsMsg_GetSequence(m);
	} else if (bytes_failed(&w->unpacked)) {
		outcome = AGAIN;
	}
	natsMsg_Destroy(m);
	return outcome;
}

static enum outcome publish(struct nats_writer *w, const struct told_entry *record)
{
	natsMsg *m = NULL;
	jsPubAck *ack = NULL;
	jsPubOptions o;
	jsPubOptions_Init(&o);
	o.MaxWait = ANSWER_WAIT;
	natsStatus s = w->link.js ? NATS_OK : nats_link_open(&w->link);
	if (s != NATS_OK) {
		set_trouble(w, "NATS cannot be reached: %s", nats_connect_error(s));
		return AGAIN;
	}
	s = nats_message_make(&m, w->access.names, record, w->last, NULL);
	if (s == NATS_OK)
		s = js_PublishMsg(&ack, w->link.js, m, &o, NULL);
	natsMsg_Destroy(m);
	if (s == NATS_OK) {
		w->last = ack->Sequence;
		jsPubAck_Destroy(ack);
		return WRITTEN;
	}
	set_trouble(w, "the stream does not take records: %s", nats_connect_error(s));
	enum outcome outcome = look_up(w, record);
	nats_link_answered(&w->link, outcome == WRITTEN ? NATS_OK : s);
	return outcome;
}

/* Until it is stored, or there is no sense in it any more. */
static int write_record(struct nats_writer *w, const struct told_entry *record)
{
	int64_t lost_since = NEVER;
	for (;;) {
		enum outcome outcome = publish(w, record);
		if (outcome == WRITTEN)
			return 0;
		lost_since = outcome != LOST ? NEVER : lost_since == NEVER ? clock_now() : lost_since;
		if (lost_since != NEVER && clock_now() - lost_since > LOST_FOR) {
			log_error(
			    "the stream %s does not hold what it had acknowledged before record %" PRIu64
			    " of this run: it lost data, or somebody else changed it",
			    w->access.names->stream, record->at.lsn);
			return -ENODATA;
		}
		if (w->quit)
			return -ECANCELED;
		pause_a_little(w);
	}
}

static int write_group(struct nats_writer *w)
{
	int e = 0;
	while (w->group.first && e == 0) {
		e = write_record(w, &w->group.first->told);
		items_drop_first(&w->group);
	}
	return e;
}

/* With the mutex held, as is all that follows here; it is let go of meanwhile. */
static void do_group(struct nats_writer *w)
{
	pthread_mutex_unlock(&w->mutex);
	int e = write_group(w);
	pthread_mutex_lock(&w->mutex);
	w->failed = w->failed ? w->failed : e;
	w->handed = false;
	w->trouble[0] = '\0';
	event_ring(w->event);
}

static void do_close(struct nats_writer *w)
{
	struct quick *q = w->spent;
	w->spent = NULL;
	pthread_mutex_unlock(&w->mutex);
	quick_close(q);
	pthread_mutex_lock(&w->mutex);
}

static void do_open(struct nats_writer *w)
{
	pthread_mutex_unlock(&w->mutex);
	struct quick *q = quick_open(&w->access);
	w->next_quick = clock_now() + QUICK_PAUSE;
	pthread_mutex_lock(&w->mutex);
	w->fresh = q;
	w->takes = !q;
}

static void wait_for_work(struct nats_writer *w)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	if (w->takes)
		pthread_cond_timedwait(&w->wake, &w->mutex, &until);
	else
		pthread_cond_wait(&w->wake, &w->mutex);
}

static void *work(void *arg)
{
	struct nats_writer *w = arg;
	pthread_mutex_lock(&w->mutex);
	while (!w->quit) {
		if (w->handed)
			do_group(w);
		else if (w->spent)
			do_close(w);
		else if (w->takes && clock_now() >= w->next_quick)
			do_open(w);
		else
			wait_for_work(w);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* ---- the server's thread ---- */

/* What was used until now is closed by the thread, which opens another. */
static void retire(struct nats_writer *w)
{
	pthread_mutex_lock(&w->mutex);
	w->spent = w->quick;
	w->quick = NULL;
	w->takes = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->mutex);
}

/* The thread gets what is left of the group. */
static void hand_over(struct nats_writer *w)
{
	pthread_mutex_lock(&w->mutex);
	w->handed = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->mutex);
}

static void take_quick(struct nats_writer *w)
{
	pthread_mutex_lock(&w->mutex);
	struct quick *fresh = w->quick || w->spent ? NULL : w->fresh;
	w->fresh = fresh ? NULL : w->fresh;
	pthread_mutex_unlock(&w->mutex);
	if (!fresh)
		return;
	w->quick = fresh;
	if (quick_watch(fresh, w->epoll_fd, w->data) < 0)
		retire(w);
}

/* What is large takes its time anyhow, and the server's thread has better to do than to copy it. False: it
 * was handed over. */
static bool send_first(struct nats_writer *w)
{
	const struct told_entry *record = &w->group.first->told;
	if (w->quick && !quick_usable(w->quick))
		retire(w);
	bool quick = w->quick && record->size <= QUICK_MOST;
	if (quick)
		quick_send(w->quick, record, w->last);
	else
		hand_over(w);
	return quick;
}

int nats_writer_add(struct nats_writer *w, const struct told_entry *record)
{
	struct item *item = item_new(record);
	if (!item)
		return -ENOMEM;
	items_add(&w->group, item);
	return 0;
}

void nats_writer_commit(struct nats_writer *w)
{
	w->committing = true;
	take_quick(w);
	send_first(w);
}

/* Goes on with the group as far as there are answers. */
static int go_on(struct nats_writer *w)
{
	bool here = true;
	while (here && w->group.first) {
		int e = quick_answer(w->quick, &w->last);
		if (e > 0)
			return 1;
		if (e < 0) {
			retire(w);
			hand_over(w);
			return 1;
		}
		items_drop_first(&w->group);
		here = !w->group.first || send_first(w);
	}
	return !here;
}

int nats_writer_poll(struct nats_writer *w)
{
	pthread_mutex_lock(&w->mutex);
	int e = w->failed ? w->failed : w->handed;
	pthread_mutex_unlock(&w->mutex);
	if (e != 0 || !w->committing)
		return e;
	e = go_on(w);
	w->committing = e != 0;
	return e;
}

void nats_writer_ready(struct nats_writer *w)
{
	if (w->quick)
		quick_move(w->quick);
	if (w->quick && !w->committing && !quick_usable(w->quick))
		retire(w);
}

const char *nats_writer_trouble(struct nats_writer *w)
{
	pthread_mutex_lock(&w->mutex);
	memcpy(w->told_trouble, w->trouble, sizeof w->trouble);
	pthread_mutex_unlock(&w->mutex);
	return w->told_trouble[0] ? w->told_trouble : NULL;
}

void nats_writer_close(struct nats_writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->mutex);
	w->quit = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);
	quick_close(w->quick);
	quick_close(w->fresh);
	quick_close(w->spent);
	nats_link_close(&w->link);
	items_clear(&w->group);
	bytes_deinit(&w->unpacked);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->mutex);
	free(w);
}

int nats_writer_open(struct nats_writer **writer, const struct nats_access *access, int event, int epoll_fd,
		     uint32_t data)
{
	struct nats_writer *w = calloc(1, sizeof *w);
	pthread_condattr_t monotonic;
	if (!w)
		return -ENOMEM;
	w->access = w->link.access = *access;
	w->event = event;
	w->epoll_fd = epoll_fd;
	w->data = data;
	w->takes = !access->ca;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int e = pthread_create(&w->thread, NULL, work, w);
	if (e == 0) {
		*writer = w;
		return 0;
	}
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->mutex);
	free(w);
	return -e;
}
