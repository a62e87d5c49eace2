/* SPDX-License-Identifier: MIT */
#include "wire/key.h"

#include <stdint.h>
#include <string.h>

#include "kudos.h"

#include "base/limits.h"

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Whether all eight bytes are in 0x21..0x7e. With no top bit set anywhere neither sum carries from one byte
 * into the next unless a byte is bad, and then its own top bit shows. */
static bool all_printable(uint64_t word)
{
	return !((word | (word - EACH_BYTE(0x21)) | (word + EACH_BYTE(0x01))) & EACH_BYTE(0x80));
}

static bool invisible(uint32_t c)
{
	static const struct {
		uint32_t lo, hi;
	} ranges[] = {
	    {0x0000, 0x0020}, {0x007f, 0x00a0}, {0x1680, 0x1680}, {0x2000, 0x200f}, {0x2028, 0x202f},
	    {0x205f, 0x2064}, {0x3000, 0x3000}, {0xd800, 0xdfff}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
	};
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		if (c >= ranges[i].lo && c <= ranges[i].hi)
			return true;
	}
	return false;
}

/* The size of the character at s if it is one that a key may hold; else 0. */
static size_t character(const uint8_t *s, size_t left)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = s[0] < 0x80   ? 1
		      : s[0] < 0xc0 ? 0
		      : s[0] < 0xe0 ? 2
		      : s[0] < 0xf0 ? 3
		      : s[0] < 0xf8 ? 4
				    : 0;
	if (size == 0 || size > left)
		return 0;
	uint32_t c = size == 1 ? s[0] : s[0] & (0x7fU >> size);
	for (size_t i = 1; i < size; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	return c < lowest[size] || c > 0x10ffff || invisible(c) ? 0 : size;
}

int key_check(const char *key, size_t size)
{
	if (size < 1 || size > LIMIT_KEY)
		return KUDOS_BAD_KEY;
	const uint8_t *s = (const uint8_t *)key;
	size_t i = 0;
	for (uint64_t word; size - i >= sizeof word; i += sizeof word) {
		memcpy(&word, s + i, sizeof word);
		if (!all_printable(word))
			break;
	}
	while (i < size) {
		size_t step = s[i] > 0x20 && s[i] < 0x7f ? 1 : character(s + i, size - i);
		if (step == 0)
			return KUDOS_BAD_KEY;
		i += step;
	}
	return 0;
}
