/* SPDX-License-Identifier: MIT */
/* Connects to NATS, makes the stream or looks whether it is one that keeps what it is given. */
#include "store/nats_open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "store/files.h"
#include "store/nats.h"
#include "store/nats_connect.h"

#define TRIES 50      /* … */
#define TRY_PAUSE 200 /* ms: for ten seconds */
#define IDENTITY_MOST 256

struct opening {
	const struct nats_options *o;
	struct nats_link link;
	char *error;
	size_t error_size;
};

static int fail(struct opening *p, int e, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct opening *p, int e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(p->error, p->error_size, format, args);
	va_end(args);
	return e;
}

/* ---- the connection ---- */

static int reach(struct opening *p)
{
	natsStatus s = NATS_ERR;
	for (int i = 0; i < TRIES; i++) {
		s = nats_link_open(&p->link);
		if (s == NATS_OK || s == NATS_CONNECTION_AUTH_FAILED || s == NATS_SSL_ERROR)
			break;
		nats_Sleep(TRY_PAUSE);
	}
	if (s == NATS_CONNECTION_AUTH_FAILED)
		return fail(p, -EACCES,
			    "NATS at %s does not let this server in: give --nats-creds that it knows",
			    p->o->names->servers[0]);
	if (s == NATS_SSL_ERROR)
		return fail(p, -EACCES,
			    "NATS at %s cannot be trusted: %s. Give --nats-ca the authority that signed its "
			    "certificate",
			    p->o->names->servers[0], nats_connect_error(s));
	if (s != NATS_OK)
		return fail(p, -EHOSTUNREACH,
			    "no NATS server answers at %s%s: %s. Start it (nats-server -js), or give "
			    "another --journal",
			    p->o->names->servers[0], p->o->names->server_count > 1 ? " and the others" : "",
			    nats_connect_error(s));
	if (natsConnection_GetMaxPayload(p->link.connection) < LIMIT_MESSAGE)
		return fail(p, -EINVAL,
			    "NATS takes messages of %" PRId64 " bytes only: set max_payload to 1MB or more",
			    natsConnection_GetMaxPayload(p->link.connection));
	return 0;
}

/* ---- the stream ---- */

static natsStatus make(struct opening *p, jsStreamInfo **info, jsErrCode *code)
{
	jsStreamConfig c;
	const char *subjects[] = {p->o->names->all};
	jsStreamConfig_Init(&c);
	c.Name = p->o->names->stream;
	c.Subjects = subjects;
	c.SubjectsLen = 1;
	c.Storage = js_FileStorage;
	c.Retention = js_LimitsPolicy;
	c.Discard = js_DiscardNew; /* a full one refuses new records, it does not drop old ones */
	c.Replicas = p->o->names->server_count >= 3 ? 3 : 1;
	c.AllowDirect = true;
	log_info("making the stream %s with %d replicas", c.Name, (int)c.Replicas);
	return js_AddStream(info, p->link.js, &c, NULL, code);
}

/* It must keep all that it is given, and be readable by position. */
static const char *what_is_wrong(const jsStreamConfig *c, const char *subjects)
{
	bool listens = false;
	for (int i = 0; i < c->SubjectsLen; i++)
		listens = listens || strcmp(c->Subjects[i], subjects) == 0;
	if (!listens)
		return "its subjects are not its own name with .> behind it";
	if (c->MaxAge > 0 || c->MaxMsgsPerSubject > 0)
		return "it drops messages by age or number: set max_age to 0 and max_msgs_per_subject to -1";
	if (c->Retention != js_LimitsPolicy)
		return "it drops messages that were read: set its retention to limits";
	if (c->Discard != js_DiscardNew)
		return "it drops the oldest messages when it is full: set discard to new";
	if (!c->AllowDirect)
		return "its messages cannot be read one by one: set allow_direct";
	if (c->NoAck || c->Sealed)
		return "it acknowledges nothing, or is sealed";
	return NULL;
}

static int find(struct opening *p, jsStreamInfo **info)
{
	jsErrCode code = 0;
	natsStatus s = NATS_ERR;
	const char *stream = p->o->names->stream;
	for (int i = 0; i < TRIES && s != NATS_OK; i++) {
		s = js_GetStreamInfo(info, p->link.js, stream, NULL, &code);
		if (s == NATS_NOT_FOUND || code == JSStreamNotFoundErr)
			s = make(p, info, &code);
		if (s == NATS_OK)
			break;
		if (code == JSNotEnabledErr || code == JSNotEnabledForAccountErr)
			return fail(
			    p, -EINVAL,
			    "JetStream is not enabled at %s%s: start nats-server with -js, or enable it "
			    "for the account",
			    p->o->names->servers[0],
			    code == JSNotEnabledForAccountErr ? " for this account" : "");
		nats_Sleep(TRY_PAUSE);
	}
	if (s != NATS_OK)
		return fail(p, -EHOSTUNREACH, "the stream %s can neither be found nor made: %s%s", stream,
			    nats_connect_error(s),
			    s == NATS_TIMEOUT ? " (no quorum, or no right to $JS.API.> and its subjects?)"
					      : "");
	const char *why = what_is_wrong((*info)->Config, p->o->names->all);
	return why ? fail(p, -EINVAL, "the stream %s cannot be a journal: %s", stream, why) : 0;
}

/* ---- which stream it is ---- */

/* Who comes first says it, with a random number. Replicas do not agree on when a stream was made. */
static int read_id(struct opening *p, char id[IDENTITY_MOST])
{
	natsMsg *m = NULL;
	jsPubOptions o;
	char random[24];
	natsStatus s = NATS_ERR;
	jsPubOptions_Init(&o);
	o.ExpectNoMessage = true;
	snprintf(random, sizeof random, "%016" PRIx64, random_id());
	for (int i = 0; i < TRIES && s != NATS_OK; i++) {
		s = js_GetLastMsg(&m, p->link.js, p->o->names->stream, p->o->names->id, NULL, NULL);
		if (s == NATS_NOT_FOUND)
			js_Publish(NULL, p->link.js, p->o->names->id, random, (int)strlen(random), &o, NULL);
		else if (s != NATS_OK)
			nats_Sleep(TRY_PAUSE);
	}
	if (s != NATS_OK)
		return fail(p, -EHOSTUNREACH, "the stream %s does not answer: %s", p->o->names->stream,
			    nats_connect_error(s));
	snprintf(id, IDENTITY_MOST, "%s %.*s\n", p->o->names->stream, natsMsg_GetDataLength(m),
		 natsMsg_GetData(m));
	natsMsg_Destroy(m);
	return 0;
}

static int write_identity(int dir, const char *text)
{
	int fd = openat(dir, NATS_IDENTITY ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int e = files_write_all(fd, text, strlen(text), 0);
	if (e == 0)
		e = files_sync(fd);
	close(fd);
	if (e == 0 && renameat(dir, NATS_IDENTITY ".new", dir, NATS_IDENTITY) < 0)
		e = -errno;
	return e < 0 ? e : files_sync(dir);
}

/* A folder's checkpoint rests on the stream that its records are in: with another one it would not know what
 * it lacks, nor others of it. */
static int check_identity(struct opening *p)
{
	int dir;
	char text[IDENTITY_MOST];
	struct bytes kept = {0};
	int e = read_id(p, text);
	if (e < 0 || !p->o->dir)
		return e;
	e = files_open_dir(p->o->dir, &dir);
	if (e < 0)
		return fail(p, e, "%s: %s", p->o->dir, strerror(-e));
	e = files_read_named(dir, NATS_IDENTITY, &kept, IDENTITY_MOST);
	if (e == -ENOENT)
		e = write_identity(dir, text);
	else if (e == 0 && (kept.size != strlen(text) || memcmp(kept.data, text, kept.size) != 0))
		e = fail(p, -EXDEV,
			 "the records of %s are in another stream (%.*s): this one is %.*s. Give the right "
			 "--journal, or wipe the folder to join as a new node",
			 p->o->dir, (int)kept.size, kept.size ? (const char *)kept.data : "",
			 (int)strlen(text) - 1, text);
	if (e < 0 && e != -EXDEV)
		fail(p, e, "%s/" NATS_IDENTITY ": %s", p->o->dir, strerror(-e));
	bytes_deinit(&kept);
	close(dir);
	return e;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): fail() writes there, through p */
int nats_open(struct stream **stream, const struct nats_options *o, char *error, size_t error_size)
{
	struct opening p = {.o = o,
			    .link.access = {.names = o->names, .creds = o->creds, .ca = o->ca},
			    .error = error,
			    .error_size = error_size};
	jsStreamInfo *info = NULL;
	int e = reach(&p);
	if (e == 0)
		e = find(&p, &info);
	if (e == 0)
		e = check_identity(&p);
	jsStreamInfo_Destroy(info);
	if (e == 0) {
		e = nats_start(stream, &p.link);
		if (e == 0)
			return 0;
		fail(&p, e, "%s", strerror(-e));
	}
	nats_link_close(&p.link);
	return e;
}
