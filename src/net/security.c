/* SPDX-License-Identifier: MIT */
#include "net/security.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kudos.h"
#include "net/certificate.h"
#include "net/trust.h"

#define REFRESH SECOND
#define COMPLAIN (60 * SECOND)
#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_REQUEST_ID 255  /* bytes, at most */
#define HANDSHAKE_TIME 2000 /* ms. One who is refused hears nothing, and tries again after this */
#define KEY_BYTES 32

struct security {
	zcert_t *own;
	char server_key[KEY_TEXT + 1];
	struct trust *trust;
	void *zap; /* the socket that libzmq asks; NULL: none was asked for */
	struct reactor *reactor;
	int64_t refresh_at;
	int64_t complain_at;
	uint64_t refused; /* since the last line about it */
};

/* ---- keys ---- */

static int check_keys(struct security *s, const char *key_file, const char *trust_folder, bool is_server,
		      char *why, size_t size)
{
	size_t count;
	const char *server = trust_server(s->trust, &count);
	if (is_server) {
		memcpy(s->server_key, zcert_public_txt(s->own), sizeof s->server_key);
		if (trust_role(s->trust, zcert_public_txt(s->own)) == ROLE_SERVER)
			return 0;
		snprintf(why, size,
			 "%s does not hold the certificate of this key (%s) with the role server: copy it "
			 "there, or make one by kudos keygen --role server",
			 trust_folder, key_file);
		return KUDOS_BAD_CERTIFICATE;
	}
	if (server) {
		memcpy(s->server_key, server, sizeof s->server_key);
		return 0;
	}
	snprintf(why, size, "%s: %s, so there is no telling which key the cluster must have", trust_folder,
		 count == 0 ? "no certificate in it has the role server"
			    : "more than one key in it has the role server");
	return KUDOS_BAD_CERTIFICATE;
}

int security_open(struct security **security, const char *key_file, const char *trust_folder, bool is_server,
		  char *why, size_t size)
{
	*security = NULL;
	if (!key_file && !trust_folder)
		return 0;
	if (!key_file || !trust_folder) {
		snprintf(why, size,
			 "--key and --trust (KUDOS_KEY and KUDOS_TRUST) go together: %s is missing",
			 key_file ? "--trust" : "--key");
		return KUDOS_BAD_CERTIFICATE;
	}
	struct security *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	int e = certificate_read_own(&s->own, key_file, why, size);
	if (e == 0)
		e = trust_open(&s->trust, trust_folder, !is_server, why, size);
	if (e == 0)
		e = check_keys(s, key_file, trust_folder, is_server, why, size);
	if (e != 0) {
		security_close(s);
		return e;
	}
	*security = s;
	return 0;
}

void security_close(struct security *s)
{
	if (!s)
		return;
	if (s->zap) {
		reactor_remove_socket(s->reactor, s->zap);
		zmq_close(s->zap);
	}
	trust_free(s->trust);
	zcert_destroy(&s->own);
	free(s);
}

/* ---- sockets ---- */

static int set_own(const struct security *s, void *socket)
{
	const int time = HANDSHAKE_TIME;
	if (zmq_setsockopt(socket, ZMQ_HANDSHAKE_IVL, &time, sizeof time) < 0)
		return -errno;
	zcert_apply(s->own, socket);
	return 0;
}

int security_listen(const struct security *s, void *socket)
{
	const int yes = 1;
	if (!s)
		return 0;
	if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes) < 0)
		return -errno;
	return set_own(s, socket);
}

int security_connect(const struct security *s, void *socket)
{
	if (!s)
		return 0;
	if (zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, s->server_key, KEY_TEXT + 1) < 0)
		return -errno;
	return set_own(s, socket);
}

/* ---- who may come in: the ZeroMQ Authentication Protocol, RFC 27 ---- */

struct zap_request {
	uint8_t id[ZAP_REQUEST_ID];
	size_t id_size;
	char address[64];
	char key[KEY_TEXT + 1]; /* "": not of CURVE, or malformed */
};

static bool frame_is(zmq_msg_t *frame, const char *text)
{
	return zmq_msg_size(frame) == strlen(text) && memcmp(zmq_msg_data(frame), text, strlen(text)) == 0;
}

static void take_frame(struct zap_request *rq, int index, zmq_msg_t *frame)
{
	const size_t size = zmq_msg_size(frame);
	if (index == 1 && size <= sizeof rq->id) {
		memcpy(rq->id, zmq_msg_data(frame), size);
		rq->id_size = size;
	} else if (index == 3) {
		snprintf(rq->address, sizeof rq->address, "%.*s", (int)(size < 63 ? size : 63),
			 (const char *)zmq_msg_data(frame));
	} else if (index == 6 && size == KEY_BYTES) {
		zmq_z85_encode(rq->key, zmq_msg_data(frame), KEY_BYTES);
	}
}

/* 1: got one; 0: none there; negative errno. */
static int receive_request(void *zap, struct zap_request *rq)
{
	bool curve = true, more = true;
	*rq = (struct zap_request){0};
	for (int i = 0; more; i++) {
		zmq_msg_t frame;
		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, zap, ZMQ_DONTWAIT) < 0) {
			int e = errno;
			zmq_msg_close(&frame);
			return e == EAGAIN ? 0 : -e;
		}
		curve = curve && (i != 0 || frame_is(&frame, "1.0")) && (i != 5 || frame_is(&frame, "CURVE"));
		take_frame(rq, i, &frame);
		more = zmq_msg_more(&frame);
		zmq_msg_close(&frame);
	}
	if (!curve)
		rq->key[0] = '\0';
	return 1;
}

/* 300, "try again", and not 400, after which libzmq's client would never try again: the key may be added to
 * the folder at any time. */
static void reply(void *zap, const struct zap_request *rq, bool granted)
{
	const struct {
		const void *data;
		size_t size;
	} frames[] = {{"1.0", 3},
		      {rq->id, rq->id_size},
		      {granted ? "200" : "300", 3},
		      {"", 0},
		      {rq->key, granted ? KEY_TEXT : 0}, /* the user id, which each message will carry */
		      {"", 0}};
	const size_t count = sizeof frames / sizeof frames[0];
	for (size_t i = 0; i < count; i++)
		zmq_send(zap, frames[i].data, frames[i].size,
			 ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0));
}

static void complain(struct security *s, const struct zap_request *rq)
{
	int64_t now = clock_now();
	s->refused++;
	if (now < s->complain_at)
		return;
	s->complain_at = now + COMPLAIN;
	log_warn(
	    "refused a connection from %s: its key, %s, is not in the trust folder (%llu such since the last "
	    "line like this)",
	    rq->address, rq->key[0] ? rq->key : "none", (unsigned long long)s->refused);
	s->refused = 0;
}

static bool on_zap(void *arg)
{
	struct security *s = arg;
	for (int i = 0; i < REACTOR_BURST; i++) {
		struct zap_request rq;
		if (receive_request(s->zap, &rq) <= 0)
			return false;
		bool granted = rq.key[0] && trust_role(s->trust, rq.key) != ROLE_NONE;
		if (!granted)
			complain(s, &rq);
		reply(s->zap, &rq, granted);
	}
	return true;
}

int security_guard(struct security *s, void *context, struct reactor *reactor)
{
	const int linger = 0;
	if (!s)
		return 0;
	s->zap = zmq_socket(context, ZMQ_REP);
	s->reactor = reactor;
	s->complain_at = INT64_MIN;
	if (!s->zap || zmq_setsockopt(s->zap, ZMQ_LINGER, &linger, sizeof linger) < 0 ||
	    zmq_bind(s->zap, ZAP_ENDPOINT) < 0)
		return -errno;
	log_info("only with CURVE, for the %zu keys in the trust folder", trust_count(s->trust));
	return reactor_add_socket(reactor, s->zap, on_zap, s);
}

enum role security_role(const struct security *s, const zmq_msg_t *frame)
{
	if (!s)
		return ROLE_ANY;
	const char *key = zmq_msg_gets(frame, "User-Id");
	return key ? trust_role(s->trust, key) : ROLE_NONE;
}

/* ---- changes ---- */

void security_shut_out(struct security *s, const zmq_msg_t *frame, const char *reason)
{
	const char *key = s ? zmq_msg_gets(frame, "User-Id") : NULL;
	if (!key || trust_role(s->trust, key) == ROLE_SERVER || trust_role(s->trust, key) == ROLE_NONE)
		return;
	log_warn("shut out until the trust folder changes: key %s, because it %s", key, reason);
	trust_shut_out(s->trust, key);
}

bool security_tick(struct security *s, int64_t now)
{
	bool revoked = false;
	if (!s || now < s->refresh_at)
		return false;
	s->refresh_at = now + REFRESH;
	if (trust_refresh(s->trust, &revoked))
		log_info("the trust folder has changed: %zu keys", trust_count(s->trust));
	return revoked;
}

int64_t security_deadline(const struct security *s)
{
	return s ? s->refresh_at : NEVER;
}
