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
#define HANDSHAKE_TIME 2000 /* ms. One who is refused hears nothing, and tries again after this */
#define KEY_BYTES 32
#define ANSWERS 256 /* in a row, so that no other socket starves */

struct security {
	zcert_t *own;
	char server_key[KEY_TEXT + 1];
	struct trust *trust;
	zsock_t *zap; /* by which libzmq asks; NULL: none was asked for */
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
		e = trust_open(&s->trust, trust_folder, why, size);
	if (e == 0)
		e = check_keys(s, key_file, trust_folder, is_server, why, size);
	if (e != 0) {
		security_close(s);
		return e;
	}
	*security = s;
	return 0;
}

int security_open_server(struct security **security, const char *key_file, const char *trust_folder)
{
	char why[512] = "";
	int e = security_open(security, key_file, trust_folder, true, why, sizeof why);
	if (e != 0)
		log_error("cannot use the keys: %s", *why ? why : strerror(-e));
	return e > 0 ? -EINVAL : e;
}

void security_close(struct security *s)
{
	if (!s)
		return;
	zsock_destroy(&s->zap);
	trust_free(s->trust);
	zcert_destroy(&s->own);
	free(s);
}

/* ---- sockets ---- */

static int set_own(const struct security *s, void *socket)
{
	const int time = HANDSHAKE_TIME;
	if (zmq_setsockopt(zsock_resolve(socket), ZMQ_HANDSHAKE_IVL, &time, sizeof time) < 0)
		return -errno;
	zcert_apply(s->own, socket);
	return 0;
}

/* The domain, which libzmq hands back with its question, is the name of the least role. */
int security_listen(const struct security *s, void *socket, enum role least)
{
	const int yes = 1;
	if (!s)
		return 0;
	if (zmq_setsockopt(zsock_resolve(socket), ZMQ_CURVE_SERVER, &yes, sizeof yes) < 0 ||
	    zmq_setsockopt(zsock_resolve(socket), ZMQ_ZAP_DOMAIN, role_name(least),
			   strlen(role_name(least))) < 0)
		return -errno;
	return set_own(s, socket);
}

int security_connect(const struct security *s, void *socket)
{
	if (!s)
		return 0;
	if (zmq_setsockopt(zsock_resolve(socket), ZMQ_CURVE_SERVERKEY, s->server_key, KEY_TEXT + 1) < 0)
		return -errno;
	return set_own(s, socket);
}

/* ---- who may come in: the ZeroMQ Authentication Protocol, RFC 27 ---- */

/* The frames of a request. */
enum { ZAP_VERSION, ZAP_ID, ZAP_DOMAIN, ZAP_ADDRESS, ZAP_IDENTITY, ZAP_MECHANISM, ZAP_KEY, ZAP_FRAMES };

static void complain(struct security *s, zframe_t *address, const char *key, bool known)
{
	int64_t now = clock_now();
	s->refused++;
	if (now < s->complain_at)
		return;
	s->complain_at = now + COMPLAIN;
	log_warn("refused a connection from %.*s: its key, %s, is %s (%llu such since the last line like "
		 "this)",
		 address ? (int)zframe_size(address) : 0, address ? (const char *)zframe_data(address) : "",
		 *key ? key : "none", known ? "not a server's" : "not in the trust folder",
		 (unsigned long long)s->refused);
	s->refused = 0;
}

static enum role least_role(zframe_t *domain)
{
	return domain && zframe_streq(domain, role_name(ROLE_CLIENT)) ? ROLE_CLIENT : ROLE_SERVER;
}

/* 300, "try again", and not 400, after which libzmq's client would never try again: the key may be added to
 * the folder at any time. */
static void answer(struct security *s, zmsg_t *request)
{
	char key[KEY_TEXT + 1] = "";
	zframe_t *frames[ZAP_FRAMES] = {NULL};
	size_t count = 0;
	for (zframe_t *f = zmsg_first(request); f && count < ZAP_FRAMES; f = zmsg_next(request))
		frames[count++] = f;
	if (count == ZAP_FRAMES && zframe_streq(frames[ZAP_VERSION], "1.0") &&
	    zframe_streq(frames[ZAP_MECHANISM], "CURVE") && zframe_size(frames[ZAP_KEY]) == KEY_BYTES)
		zmq_z85_encode(key, zframe_data(frames[ZAP_KEY]), KEY_BYTES);
	enum role role = *key ? trust_role(s->trust, key) : ROLE_NONE;
	bool granted = role >= least_role(frames[ZAP_DOMAIN]);
	if (!granted)
		complain(s, frames[ZAP_ADDRESS], key, role != ROLE_NONE);
	zmsg_t *reply = zmsg_new();
	zmsg_addstr(reply, "1.0");
	zmsg_addmem(reply, frames[ZAP_ID] ? zframe_data(frames[ZAP_ID]) : NULL,
		    frames[ZAP_ID] ? zframe_size(frames[ZAP_ID]) : 0);
	zmsg_addstr(reply, granted ? "200" : "300");
	zmsg_addstr(reply, "");
	zmsg_addstr(reply, granted ? key : ""); /* the user id, which each message will carry */
	zmsg_addstr(reply, "");
	zmsg_send(&reply, s->zap);
	zmsg_destroy(&reply);
}

void security_answer(void *arg)
{
	struct security *s = arg;
	zmsg_t *request;
	for (int i = 0; i < ANSWERS && (request = zmsg_recv(s->zap)); i++) {
		answer(s, request);
		zmsg_destroy(&request);
	}
}

int security_guard(struct security *s, zsock_t **zap)
{
	*zap = NULL;
	if (!s)
		return 0;
	s->zap = zsock_new(ZMQ_REP);
	s->complain_at = INT64_MIN;
	zsock_set_rcvtimeo(s->zap, 0); /* zmsg_recv() would wait */
	zsock_set_sndtimeo(s->zap, 0);
	if (zsock_bind(s->zap, ZAP_ENDPOINT) < 0)
		return -errno;
	log_info("only with CURVE, for the %zu keys in the trust folder", trust_count(s->trust));
	*zap = s->zap;
	return 0;
}

enum role security_role(const struct security *s, const zmq_msg_t *frame)
{
	if (!s)
		return ROLE_ANY;
	const char *key = zmq_msg_gets(frame, "User-Id");
	return key ? trust_role(s->trust, key) : ROLE_NONE;
}

/* ---- changes ---- */

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
