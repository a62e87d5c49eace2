/* SPDX-License-Identifier: MIT */
/* The access log: a line of JSON on stdout for each request, when it has ended. What a path has behind its
 * route's (keys, sessions) and what a query holds are not in it: a session's name is as a password. */
#ifndef GATEWAY_ACCESS_H
#define GATEWAY_ACCESS_H

#include "exchange.h"

void access_log(const struct exchange *x);

#endif
