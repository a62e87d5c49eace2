/* SPDX-License-Identifier: MIT */
#include "store/nats_connect.h"

#define CONNECT_WAIT 1000  /* ms, a server */
#define RECONNECT_WAIT 200 /* ms */
#define MISSED_MOST 2

natsStatus nats_connect_options(natsOptions **options, const struct nats_access *access, const char *program)
{
	const struct nats_names *names = access->names;
	const char *servers[NATS_SERVERS];
	for (size_t i = 0; i < names->server_count; i++)
		servers[i] = names->servers[i];
	natsStatus s = natsOptions_Create(options);
	if (s == NATS_OK)
		s = natsOptions_SetServers(*options, servers, (int)names->server_count);
	if (s == NATS_OK)
		s = natsOptions_SetName(*options, program);
	if (s == NATS_OK && access->creds)
		s = natsOptions_SetUserCredentialsFromFiles(*options, access->creds, NULL);
	if (s == NATS_OK && access->ca)
		s = natsOptions_SetSecure(*options, true);
	if (s == NATS_OK && access->ca)
		s = natsOptions_LoadCATrustedCertificates(*options, access->ca);
	return s;
}

const char *nats_connect_error(natsStatus s)
{
	const char *text = nats_GetLastError(NULL);
	return text && *text ? text : natsStatus_GetText(s);
}

natsStatus nats_link_open(struct nats_link *l)
{
	natsOptions *options = NULL;
	struct nats_link fresh = {.access = l->access};
	natsStatus s = nats_connect_options(&options, &l->access, "kudos-server");
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(options, CONNECT_WAIT);
	if (s == NATS_OK)
		s = natsOptions_SetMaxReconnect(options, -1);
	if (s == NATS_OK)
		s = natsOptions_SetReconnectWait(options, RECONNECT_WAIT);
	if (s == NATS_OK)
		s = natsConnection_Connect(&fresh.connection, options);
	if (s == NATS_OK)
		s = natsConnection_JetStream(&fresh.js, fresh.connection, NULL);
	natsOptions_Destroy(options);
	if (s != NATS_OK) {
		nats_link_close(&fresh);
		return s;
	}
	nats_link_close(l);
	*l = fresh;
	return NATS_OK;
}

void nats_link_answered(struct nats_link *l, natsStatus s)
{
	l->missed = s == NATS_TIMEOUT || s == NATS_NO_RESPONDERS ? l->missed + 1 : 0;
	if (l->missed < MISSED_MOST)
		return;
	l->missed = 0;
	nats_link_open(l);
}

void nats_link_close(struct nats_link *l)
{
	jsCtx_Destroy(l->js);
	natsConnection_Destroy(l->connection);
	l->js = NULL;
	l->connection = NULL;
}
