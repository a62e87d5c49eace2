/* SPDX-License-Identifier: MIT */
/* What may be liked. */
#ifndef WIRE_KEY_H
#define WIRE_KEY_H

#include <stddef.h>

/* Printable UTF-8, 1..128 bytes, no spaces or control characters (also none beyond ASCII: U+0080..U+009F,
 * U+00A0, U+1680, U+2000..U+200F, U+2028..U+202F, U+205F..U+2064, U+3000, U+FEFF, U+FFF9..U+FFFB; no
 * surrogates, nothing overlong or over U+10FFFF). 0 or KUDOS_BAD_KEY. */
int key_check(const char *key, size_t size);

#endif
