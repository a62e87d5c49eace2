/* SPDX-License-Identifier: MIT */
#include "client/session_name.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/digits.h"

void session_name_print(char out[KUDOS_SESSION_SIZE], struct session session, struct proof proof)
{
	snprintf(out, KUDOS_SESSION_SIZE, "%016" PRIx64 ".%" PRIu64 ".%016" PRIx64 ".%016" PRIx64,
		 session.issuer, session.number, proof.signer.id, proof.code);
}

bool session_name_parse(const char *text, struct session *session, struct proof *proof)
{
	uint64_t part[4];
	const char *p = text;
	for (size_t i = 0; i < 4; i++) {
		p = i == 1 ? digits_parse(p, 10, 0, &part[i]) : digits_parse(p, 16, 16, &part[i]);
		if (!p || *p != (i < 3 ? '.' : '\0'))
			return false;
		p++;
	}
	if (part[0] == 0 || part[1] == 0 || part[2] == 0)
		return false;
	*session = (struct session){part[0], part[1]};
	*proof = (struct proof){{part[2]}, part[3]};
	return true;
}
