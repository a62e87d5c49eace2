/* SPDX-License-Identifier: MIT */
/* Addresses of those who ask: IPv6, or IPv4 mapped into it. */
#ifndef GATEWAY_ADDRESS_H
#define GATEWAY_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_SIZE INET6_ADDRSTRLEN /* of its text, with the NUL */

struct address {
	struct in6_addr ip; /* all 0: unknown */
};

bool address_parse(struct address *a, const char *text, size_t size);
struct address address_of(const struct sockaddr *peer);
void address_text(const struct address *a, char text[ADDRESS_SIZE]);
bool address_equal(const struct address *a, const struct address *b);

#endif
