/* SPDX-License-Identifier: MIT */
/* CURVE: who one is, whom one talks to, and who may come in. All leaders and servers of a cluster have one
 * pair of keys between them (role server), so that whoever connects knows which key must answer: the one
 * server key in its trust folder. doc/architecture.md says what that costs.
 *
 * A struct security of NULL stands for "no CURVE", and every function takes it: nothing is set, and everybody
 * is ROLE_ANY. It belongs to one thread, but those functions that take a const one may be called from others.
 */
#ifndef NET_SECURITY_H
#define NET_SECURITY_H

#include <czmq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/role.h"

struct security;

/* Reads one's own key and the trust folder. Both NULL: *security becomes NULL. is_server: the key must be
 * trusted with the role server, and is also the key that others are expected to have. 0;
 * KUDOS_BAD_CERTIFICATE or a negative errno with why. */
int security_open(struct security **security, const char *key_file, const char *trust_folder, bool is_server,
		  char *why, size_t size);
/* The same for a daemon, which logs why. 0 or a negative errno. */
int security_open_server(struct security **security, const char *key_file, const char *trust_folder);
void security_close(struct security *security);

/* Answers libzmq's question who may connect, from now on; before any bind. *zap: the socket that it asks by,
 * NULL without CURVE; whenever there is something to read, security_answer() is to be called. 0 or a negative
 * errno. */
int security_guard(struct security *security, zsock_t **zap);
void security_answer(void *security); /* a struct security */

/* Before bind, and before connect; a zsock_t or libzmq's own. least: the role that a key must have to get a
 * connection. 0 or a negative errno. */
int security_listen(const struct security *security, void *socket, enum role least);
int security_connect(const struct security *security, void *socket);

/* Who sent it, by what the trust folder says now. */
enum role security_role(const struct security *security, const zmq_msg_t *frame);

/* Looks into the trust folder once a second. Whether a key lost something by a change. */
bool security_tick(struct security *security, int64_t now);
int64_t security_deadline(const struct security *security);

#endif
