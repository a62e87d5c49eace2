/* SPDX-License-Identifier: MIT */
#include "net/role.h"

#include <string.h>

static const char *const names[] = {
    [ROLE_CLIENT] = "client", [ROLE_OPERATOR] = "operator", [ROLE_SERVER] = "server"};

const char *role_name(enum role role)
{
	return role >= ROLE_CLIENT && role <= ROLE_SERVER ? names[role] : "none";
}

enum role role_named(const char *name)
{
	for (enum role role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		if (strcmp(name, names[role]) == 0)
			return role;
	}
	return ROLE_NONE;
}
