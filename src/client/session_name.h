/* SPDX-License-Identifier: MIT */
/* A session and its proof as a text that a caller keeps: issuer, number, signer and code, the ids and the
 *code as 16 hex digits, joined by '.':
 *
 *	0000000000000384.17.9e3779b97f4a7c15.8a09cb35fa6f95d7 */
#ifndef CLIENT_SESSION_NAME_H
#define CLIENT_SESSION_NAME_H

#include <stdbool.h>

#include "base/ids.h"
#include "kudos.h"

void session_name_print(char out[KUDOS_SESSION_SIZE], struct session session, struct proof proof);
/* False: it is not such a text. */
bool session_name_parse(const char *text, struct session *session, struct proof *proof);

#endif
