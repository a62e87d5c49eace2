/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>

static struct address mapped(struct in_addr ip)
{
	struct address a = {.ip.s6_addr = {[10] = 0xff, [11] = 0xff}};
	memcpy(&a.ip.s6_addr[12], &ip, sizeof ip);
	return a;
}

bool address_parse(struct address *a, const char *text, size_t size)
{
	char copy[ADDRESS_SIZE];
	struct in_addr four;
	struct in6_addr six;
	if (size >= sizeof copy)
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (inet_pton(AF_INET, copy, &four) == 1)
		*a = mapped(four);
	else if (inet_pton(AF_INET6, copy, &six) == 1)
		*a = (struct address){six};
	else
		return false;
	return true;
}

struct address address_of(const struct sockaddr *peer)
{
	if (peer && peer->sa_family == AF_INET)
		return mapped(((const struct sockaddr_in *)(const void *)peer)->sin_addr);
	if (peer && peer->sa_family == AF_INET6)
		return (struct address){((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr};
	return (struct address){0};
}

void address_text(const struct address *a, char text[ADDRESS_SIZE])
{
	if (IN6_IS_ADDR_V4MAPPED(&a->ip))
		inet_ntop(AF_INET, &a->ip.s6_addr[12], text, ADDRESS_SIZE);
	else
		inet_ntop(AF_INET6, &a->ip, text, ADDRESS_SIZE);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(&a->ip, &b->ip, sizeof a->ip) == 0;
}
