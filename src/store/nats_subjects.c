/* SPDX-License-Identifier: MIT */
#include "store/nats_subjects.h"

#include <errno.h>
#include <nats/nats.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "store/nats_message.h"

#define PURGE_PAUSE (60 * SECOND)    /* after one that failed */
#define PURGE_INTERVAL (10 * SECOND) /* between two of a subject: each halts the stream */

struct asking {
	struct nats_subjects *s;
	struct nats_link *link;
	const atomic_bool *quit;
};

/* A subject whose last message has been read: it is another one when there are more messages, as long as none
 * were deleted. */
struct known {
	struct told_entry held;
	int64_t messages;
	uint64_t last;	 /* its sequence */
	uint64_t purged; /* what was before this one was to be deleted */
	int64_t purge_next;
};

static int read_last(struct asking *a, const char *subject, struct origin origin, struct known *known)
{
	natsMsg *m = NULL;
	struct told_entry held;
	natsStatus s = js_GetLastMsg(&m, a->link->js, a->s->names->stream, subject, NULL, NULL);
	nats_link_answered(a->link, s);
	if (s != NATS_OK)
		return -EAGAIN;
	bool ours = nats_message_read(m, &held, NULL);
	if (ours) {
		known->last = natsMsg_GetSequence(m);
		known->held = (struct told_entry){
		    .type = TOLD_HELD, .node = held.node, .at = {origin, held.at.lsn}, .ended = held.ended};
	}
	natsMsg_Destroy(m);
	return ours ? 0 : -EBADMSG;
}

static int add_item(struct items *items, const struct told_entry *told)
{
	struct item *item = item_new(told);
	if (!item)
		return -ENOMEM;
	items_add(items, item);
	return 0;
}

static int look_at(struct asking *a, const jsStreamStateSubject *subject, bool anew, struct items *found)
{
	struct origin origin;
	if (!nats_subject_origin(a->s->names, subject->Subject, &origin))
		return 0;
	struct known *known = map_get(&a->s->known, origin.id, 0);
	if (!known) {
		known = calloc(1, sizeof *known);
		if (!known || map_put(&a->s->known, origin.id, 0, known) < 0) {
			free(known);
			return -ENOMEM;
		}
	}
	if (anew || known->messages != (int64_t)subject->Msgs) {
		int e = read_last(a, subject->Subject, origin, known);
		if (e < 0)
			return e == -EBADMSG ? 0 : e;
		known->messages = (int64_t)subject->Msgs;
	}
	return add_item(found, &known->held);
}

static int ask_info(struct asking *a, const char *subjects, jsStreamInfo **info)
{
	jsOptions o;
	jsOptions_Init(&o);
	o.Stream.Info.SubjectsFilter = subjects;
	natsStatus s = js_GetStreamInfo(info, a->link->js, a->s->names->stream, &o, NULL);
	nats_link_answered(a->link, s);
	return s == NATS_OK ? 0 : -EAGAIN;
}

static uint64_t deleted(const jsStreamInfo *info)
{
	return info->State.LastSeq - info->State.Msgs;
}

/* What info names is looked at. 1: messages were deleted meanwhile, and what seems to be known may be older
 * than info. */
static int look_at_all(struct asking *a, const jsStreamInfo *info, bool anew, struct items *found)
{
	jsStreamInfo *after = NULL;
	int e = 0;
	items_clear(found);
	for (int i = 0; e == 0 && info->State.Subjects && i < info->State.Subjects->Count && !*a->quit; i++)
		e = look_at(a, &info->State.Subjects->List[i], anew, found);
	if (e == 0)
		e = ask_info(a, NULL, &after);
	if (e == 0 && after->State.LastSeq < info->State.LastSeq)
		e = -EAGAIN; /* a leader that was cut off answers out of the past */
	if (e == 0)
		e = !anew && deleted(after) != a->s->deleted;
	jsStreamInfo_Destroy(after);
	return e;
}

int nats_subjects_look(struct nats_subjects *s, struct nats_link *link, const atomic_bool *quit,
		       struct items *found)
{
	struct asking a = {s, link, quit};
	jsStreamInfo *info = NULL;
	int e = ask_info(&a, s->names->subjects, &info);
	if (e == 0)
		e = look_at_all(&a, info, false, found);
	if (e > 0)
		e = look_at_all(&a, info, true, found);
	if (e == 0) {
		s->bytes = info->State.Bytes;
		s->deleted = deleted(info);
		e = add_item(found, &(struct told_entry){.type = TOLD_LOOKED, .at.lsn = info->State.LastSeq});
	}
	jsStreamInfo_Destroy(info);
	return e;
}

/* Behind what was seen of it last, and nowhere else. */
void nats_subjects_end(struct nats_subjects *s, struct nats_link *link, const struct told_entry *last)
{
	const struct known *known = map_get(&s->known, last->at.origin.id, 0);
	jsPubAck *answer = NULL;
	natsMsg *m = NULL;
	if ((known ? known->held.at.lsn : 0) + 1 != last->at.lsn ||
	    nats_message_make(&m, s->names, last, known ? known->last : 0, NULL) != NATS_OK)
		return;
	natsStatus status = js_PublishMsg(&answer, link->js, m, NULL, NULL);
	nats_link_answered(link, status);
	if (status != NATS_OK)
		log_debug("an earlier run is not ended yet: %s", nats_connect_error(status));
	jsPubAck_Destroy(answer);
	natsMsg_Destroy(m);
}

/* ---- letting go ---- */

/* Its last message stays, so that no position there is given twice. */
static int purge_subject(struct asking *a, struct known *known, uint64_t number)
{
	char subject[NATS_SUBJECT];
	uint64_t before = number < known->last ? number + 1 : known->last;
	jsOptions o;
	jsErrCode code = 0;
	if (known->messages < 2 || before <= known->purged || clock_now() < known->purge_next)
		return 0;
	jsOptions_Init(&o);
	nats_subject(a->s->names, known->held.at.origin, subject);
	o.Stream.Purge.Subject = subject;
	o.Stream.Purge.Sequence = before;
	natsStatus s = js_PurgeStream(a->link->js, a->s->names->stream, &o, &code);
	nats_link_answered(a->link, s);
	if (s != NATS_OK) {
		log_warn("the stream %s is not purged: %s%s", a->s->names->stream, nats_connect_error(s),
			 s == NATS_TIMEOUT ? " (no right to $JS.API.STREAM.PURGE?)" : "");
		return -EAGAIN;
	}
	known->purged = before;
	known->purge_next = clock_now() + PURGE_INTERVAL;
	return 0;
}

void nats_subjects_purge(struct nats_subjects *s, struct nats_link *link, const atomic_bool *quit,
			 uint64_t number)
{
	struct asking a = {s, link, quit};
	struct map_slot *slot;
	int e = 0;
	if (clock_now() < s->purge_after)
		return;
	for (size_t at = 0; e == 0 && !*quit && (slot = map_next(&s->known, &at));)
		e = purge_subject(&a, slot->value, number);
	if (e < 0)
		s->purge_after = clock_now() + PURGE_PAUSE;
}

void nats_subjects_init(struct nats_subjects *s, const struct nats_names *names)
{
	*s = (struct nats_subjects){.names = names};
	map_init(&s->known, random_id());
}

void nats_subjects_deinit(struct nats_subjects *s)
{
	struct map_slot *slot;
	for (size_t at = 0; (slot = map_next(&s->known, &at));)
		free(slot->value);
	map_deinit(&s->known);
}
