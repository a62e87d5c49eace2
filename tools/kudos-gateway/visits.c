/* SPDX-License-Identifier: MIT */
#include "visits.h"

#include <stdlib.h>
#include <sys/socket.h>

struct visit *visits_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

struct visit *visits_add(struct visits *v, struct MHD_Connection *connection, int64_t now)
{
	const union MHD_ConnectionInfo *peer =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *fd =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct visit *visit = peer && fd ? calloc(1, sizeof *visit) : NULL;
	if (!visit)
		return NULL;
	visit->fd = fd->connect_fd;
	visit->address = address_of(peer->client_addr);
	v->count++;
	visits_due(v, visit, now);
	return visit;
}

void visits_rest(struct visits *v, struct visit *visit)
{
	if (!visit || !visit->due)
		return;
	visit->due = false;
	if (visit->next)
		visit->next->previous = visit->previous;
	else
		v->last = visit->previous;
	if (visit->previous)
		visit->previous->next = visit->next;
	else
		v->first = visit->next;
}

void visits_due(struct visits *v, struct visit *visit, int64_t now)
{
	if (!visit)
		return;
	visits_rest(v, visit);
	visit->due = true;
	visit->since = now;
	visit->next = NULL;
	visit->previous = v->last;
	if (v->last)
		v->last->next = visit;
	else
		v->first = visit;
	v->last = visit;
}

void visits_remove(struct visits *v, struct visit *visit)
{
	if (!visit)
		return;
	visits_rest(v, visit);
	v->count--;
	free(visit);
}

void visits_expire(struct visits *v, int64_t now)
{
	while (v->first && v->first->since + v->patience <= now) {
		shutdown(v->first->fd, SHUT_RDWR);
		v->ended++;
		visits_rest(v, v->first);
	}
}

int64_t visits_deadline(const struct visits *v)
{
	return v->first ? v->first->since + v->patience : INT64_MAX;
}
