/* SPDX-License-Identifier: MIT */
/* kudos_keygen(): for the command line, and for programs that hand out keys. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
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
	zcert_t *c = certificate_new(kind, name);
	if (!c) {
		snprintf(why, why_size, "this libzmq was built without CURVE");
		return KUDOS_SYSTEM;
	}
	int e = certificate_write(c, file, replace, why, why_size);
	if (e == 0 && public_key)
		memcpy(public_key, zcert_public_txt(c), KEY_TEXT + 1);
	zcert_destroy(&c);
	return e == 0 ? KUDOS_OK : e == -ENOMEM ? KUDOS_NO_MEMORY : KUDOS_SYSTEM;
}
