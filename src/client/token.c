/* SPDX-License-Identifier: MIT */
#include "client/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/digits.h"

void token_print(const struct position *at, size_t count, char *out, size_t room)
{
	size_t used = 0;
	if (room)
		out[0] = '\0';
	for (size_t i = 0; i < count && i < LIMIT_POSITIONS; i++) {
		char one[40];
		int size = snprintf(one, sizeof one, "%s%016" PRIx64 ".%" PRIu64, i ? "-" : "",
				    at[i].origin.id, at[i].lsn);
		if (used + (size_t)size >= room)
			return;
		memcpy(out + used, one, (size_t)size + 1);
		used += (size_t)size;
	}
}

static const char *parse_one(const char *p, struct position *at)
{
	uint64_t origin, lsn;
	p = digits_parse(p, 16, 16, &origin);
	if (!p || *p++ != '.')
		return NULL;
	p = digits_parse(p, 10, 0, &lsn);
	if (!p || origin == 0 || lsn == 0)
		return NULL;
	*at = (struct position){.origin = {origin}, .lsn = lsn};
	return p;
}

bool token_parse(const char *text, struct position *at, size_t *count)
{
	size_t n = 0;
	for (const char *p = text; *p; n++) {
		if (n == LIMIT_POSITIONS || (n && *p++ != '-'))
			return false;
		p = parse_one(p, &at[n]);
		if (!p)
			return false;
	}
	*count = n;
	return true;
}
