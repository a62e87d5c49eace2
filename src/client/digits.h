/* SPDX-License-Identifier: MIT */
/* Numbers in what users keep as text: of one form only, so that one thing has one name. */
#ifndef CLIENT_DIGITS_H
#define CLIENT_DIGITS_H

#include <stddef.h>
#include <stdint.h>

/* A number of that base (10 or 16, small letters) at text, with no more than fits in 64 bits; size: how many
 * digits it must have, 0: as few as can be. Returns what follows it; NULL: there is none. */
static inline const char *digits_parse(const char *text, unsigned base, size_t size, uint64_t *value)
{
	const char *p = text;
	uint64_t v = 0;
	for (;; p++) {
		unsigned d = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
			     : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
						      : base;
		if (d >= base)
			break;
		if (v > (UINT64_MAX - d) / base)
			return NULL;
		v = v * base + d;
	}
	size_t used = (size_t)(p - text);
	if (used == 0 || (size && used != size) || (!size && used > 1 && *text == '0'))
		return NULL;
	*value = v;
	return p;
}

#endif
