/* SPDX-License-Identifier: MIT */
#include "store/nats_connect.h"

natsStatus nats_connect_options(natsOptions **options, const struct nats_names *names, const char *program,
				const char *creds, const char *ca)
{
	const char *servers[NATS_SERVERS];
	for (size_t i = 0; i < names->server_count; i++)
		servers[i] = names->servers[i];
	natsStatus s = natsOptions_Create(options);
	if (s == NATS_OK)
		s = natsOptions_SetServers(*options, servers, (int)names->server_count);
	if (s == NATS_OK)
		s = natsOptions_SetName(*options, program);
	if (s == NATS_OK && creds)
		s = natsOptions_SetUserCredentialsFromFiles(*options, creds, NULL);
	if (s == NATS_OK && ca)
		s = natsOptions_SetSecure(*options, true);
	if (s == NATS_OK && ca)
		s = natsOptions_LoadCATrustedCertificates(*options, ca);
	return s;
}

const char *nats_connect_error(natsStatus s)
{
	const char *text = nats_GetLastError(NULL);
	return text && *text ? text : natsStatus_GetText(s);
}
