/* SPDX-License-Identifier: MIT */
/* The trust folder: whose key may come in, and as what. It holds a public certificate for each (role and name
 * in its metadata); files whose name begins with "." or ends in "_secret" are not looked at. What changes in
 * it takes effect at the next trust_refresh(). */
#ifndef NET_TRUST_H
#define NET_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/certificate.h"

struct trust;

/* Reads the folder. 0; KUDOS_BAD_CERTIFICATE or a negative errno, with why. Files that cannot be used are
 * left out, with a log line. */
int trust_open(struct trust **trust, const char *folder, char *why, size_t size);
void trust_free(struct trust *trust); /* takes NULL */

/* Looks whether the folder has changed, and if so reads it again. A folder that cannot be read leaves all as
 * it was. *revoked: some key lost something by that. Whether it changed. */
bool trust_refresh(struct trust *trust, bool *revoked);

enum role trust_role(const struct trust *trust, const char *public_key); /* key in Z85 */
/* The one server key in it; NULL when there is none, or more than one (*count). */
const char *trust_server(const struct trust *trust, size_t *count);
size_t trust_count(const struct trust *trust);

#endif
