/* SPDX-License-Identifier: MIT */
/* Key files in the ZeroMQ certificate format, as zcert writes them: FILE has the public key, FILE_secret
 * both. The metadata that counts here: role = "server" | "client" | "operator", and name. */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"
#include "net/role.h"

#define KEY_TEXT 40		     /* bytes of a key in Z85 */
#define CERTIFICATE_LIMIT 4096	     /* bytes of a file */
#define CERTIFICATE_SECRET "_secret" /* what the name of a file with a secret key ends in */

struct certificate {
	char public_key[KEY_TEXT + 1];
	char secret_key[KEY_TEXT + 1]; /* "": not in the file */
	char name[LIMIT_NAME + 1];
	enum role role; /* ROLE_NONE: the file names none */
};

/* 0, or KUDOS_BAD_CERTIFICATE: it has no public key, a malformed one, or a role that is none. */
int certificate_parse(struct certificate *c, const char *text, size_t size);

/* 0; KUDOS_BAD_CERTIFICATE; negative errno. why (size > 0) names the file and what is wrong with it. */
int certificate_read(struct certificate *c, const char *path, char *why, size_t size);
/* The same for one's own: the secret key must be there, in path or in path_secret, and for no eyes but the
 * owner's: but root may give it to a group. */
int certificate_read_own(struct certificate *c, const char *path, char *why, size_t size);

/* A new pair of keys. 0, or a negative errno: libzmq was built without CURVE. */
int certificate_make(struct certificate *c, enum role role, const char *name);
/* Writes path (0644) and path_secret (0600), and makes the last folder of path when it is missing (0700).
 * 0; -EEXIST when there is one and it is not to be replaced; other negative errno. why as above. */
int certificate_write(const struct certificate *c, const char *path, bool replace, char *why, size_t size);

#endif
