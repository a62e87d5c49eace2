/* SPDX-License-Identifier: MIT */
#include "store/nats_names.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "nats://"

static const char *parse_servers(struct nats_names *names, const char *at, size_t size)
{
	for (;;) {
		size_t length = 0;
		while (length < size && at[length] != ',')
			length++;
		if (names->server_count == NATS_SERVERS)
			return "it names more than 16 servers";
		if (length == 0 || length + sizeof SCHEME > NATS_SERVER)
			return "a server's address is empty or too long";
		snprintf(names->servers[names->server_count++], NATS_SERVER, SCHEME "%.*s", (int)length, at);
		if (length == size)
			return NULL;
		at += length + 1;
		size -= length + 1;
	}
}

const char *nats_names_parse(struct nats_names *names, const char *url)
{
	*names = (struct nats_names){0};
	if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
		return "it must begin with nats://";
	const char *servers = url + strlen(SCHEME), *slash = strchr(servers, '/');
	if (!slash || slash[1] == '\0')
		return "it must end with the stream's name, as nats://HOST:4222/KUDOS";
	size_t size = strlen(slash + 1);
	if (size >= NATS_STREAM)
		return "the stream's name is longer than 63 characters";
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)slash[1 + i]) && slash[1 + i] != '_' && slash[1 + i] != '-')
			return "the stream's name may have letters, digits, _ and - only";
	}
	memcpy(names->stream, slash + 1, size);
	snprintf(names->subjects, sizeof names->subjects, "%s.r.*", names->stream);
	snprintf(names->all, sizeof names->all, "%s.>", names->stream);
	snprintf(names->id, sizeof names->id, "%s.id", names->stream);
	return parse_servers(names, servers, (size_t)(slash - servers));
}

void nats_subject(const struct nats_names *names, struct origin origin, char subject[NATS_SUBJECT])
{
	snprintf(subject, NATS_SUBJECT, "%s.r.%016" PRIx64, names->stream, origin.id);
}

bool nats_subject_origin(const struct nats_names *names, const char *subject, struct origin *origin)
{
	char again[NATS_SUBJECT];
	const char *hex = strrchr(subject, '.');
	origin->id = hex ? strtoull(hex + 1, NULL, 16) : 0;
	nats_subject(names, *origin, again);
	return origin->id != 0 && strcmp(again, subject) == 0;
}
