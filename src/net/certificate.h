/* SPDX-License-Identifier: MIT */
/* Key files in the ZeroMQ certificate format, which czmq defines (zcert): FILE has the public key,
 * FILE_secret both. The metadata that counts here: role = "server" | "client" | "operator". What zcert does
 * not look at is looked at here; doc/architecture.md says what, and why files are not left to it. */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include <czmq.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/role.h"

#define KEY_TEXT 40		     /* bytes of a key in Z85 */
#define CERTIFICATE_LIMIT 4096	     /* bytes of a file */
#define CERTIFICATE_SECRET "_secret" /* what the name of a file with a secret key ends in */

/* What a file says; apart from its reading for tests, since it is strangers' text. NULL: it has no public
 * key, a malformed one, or a role that is none. */
zcert_t *certificate_parse(const char *text, size_t size);

enum role certificate_role(zcert_t *c);	 /* ROLE_NONE: the file names none */
bool certificate_has_secret(zcert_t *c); /* apart for tests: certificate_read_own() looks itself */

/* 0; KUDOS_BAD_CERTIFICATE; negative errno. why (size > 0) names the file and what is wrong with it. */
int certificate_read(zcert_t **c, const char *path, char *why, size_t size);
/* The same for one's own: the secret key must be there, in path or in path_secret, and for no eyes but the
 * owner's: but root may give it to a group. */
int certificate_read_own(zcert_t **c, const char *path, char *why, size_t size);

/* A new pair of keys. NULL: libzmq was built without CURVE. */
zcert_t *certificate_new(enum role role, const char *name);
/* Writes path (0644) and path_secret (0600), and makes the last folder of path when it is missing (0700).
 * 0; -EEXIST when there is one and it is not to be replaced; other negative errno. why as above. */
int certificate_write(zcert_t *c, const char *path, bool replace, char *why, size_t size);

#endif
