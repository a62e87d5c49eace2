/* SPDX-License-Identifier: MIT */
/* Bearer tokens (RFC 6750) and what whoever has one may do. A file of lines
 *
 *	ROLE TOKEN [NAME]
 *
 * ROLE is read, write (and read) or operate (everything); NAME is for the access log; a line that begins with
 * '#' says nothing. The file may change while the gateway runs. */
#ifndef GATEWAY_TOKENS_H
#define GATEWAY_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define TOKEN_MIN 16
#define TOKEN_MAX 128
#define TOKEN_NAME_MAX 63
#define TOKENS_MAX 256

/* Each may do what those before it may. */
enum access {
	ACCESS_NONE, /* also: what needs no token */
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_OPERATE
};

struct token {
	enum access access;
	char text[TOKEN_MAX];	       /* zeros follow */
	char name[TOKEN_NAME_MAX + 1]; /* "" when it has none */
};

struct tokens {
	const char *file;   /* NULL: there are none, and everybody may do everything */
	struct token *list; /* owned */
	size_t count;
	struct timespec changed; /* the file, as it was last looked at */
	uint64_t inode;
	int64_t look_at;
};

/* False, with a text of what is wrong. tokens_deinit() in any case. */
bool tokens_open(struct tokens *t, const char *file, char *why, size_t why_size);
void tokens_deinit(struct tokens *t);
/* Reads the file again when it has changed, once a second at most: 1 when there are others now, 0 when not.
 * -1, with a text: it cannot be read or is wrong, and what was read before stands. */
int tokens_look(struct tokens *t, int64_t now, char *why, size_t why_size);
/* What the token allows, and its name; NONE: it is not known. In a time that does not depend on how much of
 * it is right. */
enum access tokens_access(const struct tokens *t, const char *token, const char **name);
const char *access_name(enum access access);

#endif
