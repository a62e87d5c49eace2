/* SPDX-License-Identifier: MIT */
/* A token: positions as a text that a user keeps and gives to a later read, anywhere, to see there what was
 * acknowledged here. Each position as the origin's 16 hex digits, '.' and the lsn, joined by '-':
 *
 *	000000000000004d.12-9e3779b97f4a7c15.3
 *
 * The empty text has no positions. Nothing in it needs escaping in a URL or a header. */
#ifndef CLIENT_TOKEN_H
#define CLIENT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ids.h"
#include "base/limits.h"

#define TOKEN_SIZE (LIMIT_POSITIONS * (16 + 1 + 20 + 1) + 1) /* bytes, with the NUL */

/* Cuts whole positions off the end when there is no room; at most LIMIT_POSITIONS are printed. */
void token_print(const struct position *at, size_t count, char *out, size_t room);
/* False: not a token. at has room for LIMIT_POSITIONS. */
bool token_parse(const char *text, struct position *at, size_t *count);

#endif
