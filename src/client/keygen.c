/* SPDX-License-Identifier: MIT */
/* kudos_keygen(): for the command line, and for programs that hand out keys. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "kudos.h"
#include "net/certificate.h"

static bool good_name(const char *name)
{
	size_t size = strlen(name);
	for (size_t i = 0; i < size; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '"')
			return false;
	}
	return size >= 1 && size <= LIMIT_NAME;
}

int kudos_keygen(const char *file, const char *role, const char *name, bool replace, char *public_key,
		 char *why, size_t why_size)
{
	struct certificate c;
	enum role kind = role_named(role);
	name = name ? name : role;
	if (kind == ROLE_NONE || !good_name(name)) {
		snprintf(why, why_size,
			 kind == ROLE_NONE ? "\"%s\" is not a role: server, client or operator"
					   : "a name is 1 to 63 printable ASCII characters "
					     "without spaces and quotes, not \"%s\"",
			 kind == ROLE_NONE ? role : name);
		return KUDOS_BAD_CERTIFICATE;
	}
	int e = certificate_make(&c, kind, name);
	if (e < 0)
		snprintf(why, why_size, "%s", zmq_strerror(-e));
	else
		e = certificate_write(&c, file, replace, why, why_size);
	if (e == 0 && public_key)
		memcpy(public_key, c.public_key, sizeof c.public_key);
	explicit_bzero(&c, sizeof c);
	return e == 0 ? KUDOS_OK : e == -ENOMEM ? KUDOS_NO_MEMORY : KUDOS_SYSTEM;
}
