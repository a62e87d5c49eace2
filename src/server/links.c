/* SPDX-License-Identifier: MIT */
#include "server/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/socket.h"

struct member_link *links_to(const struct links *l, struct node node)
{
	for (size_t i = 0; i < l->count; i++) {
		if (node_equal(l->list[i]->node, node))
			return l->list[i];
	}
	return NULL;
}

static void link_free(struct links *l, struct member_link *link)
{
	if (link->dealer)
		reactor_remove(l->reactor, link->dealer, -1);
	zsock_destroy(&link->dealer);
	socket_disconnect(l->sub, link->notify_endpoint);
	reactor_touch(l->reactor, l->sub);
	free(link);
}

static struct member_link *link_new(struct links *l, const struct member *m)
{
	struct member_link *link = calloc(1, sizeof *link);
	if (!link)
		return NULL;
	link->owner = l->owner;
	link->node = m->node;
	memcpy(link->client_endpoint, m->client_endpoint, sizeof link->client_endpoint);
	memcpy(link->notify_endpoint, m->notify_endpoint, sizeof link->notify_endpoint);
	link->dealer = socket_open(SOCKET_DEALER);
	if (!link->dealer || security_connect(l->security, link->dealer) < 0 ||
	    socket_connect(link->dealer, m->client_endpoint) != 0 ||
	    socket_connect(l->sub, m->notify_endpoint) != 0 ||
	    reactor_add(l->reactor, link->dealer, -1, l->on_readable, link) < 0) {
		log_warn("cannot connect to %s (%s, %s): %s", m->name, m->client_endpoint, m->notify_endpoint,
			 zmq_strerror(errno));
		zsock_destroy(&link->dealer);
		link_free(l, link);
		return NULL;
	}
	reactor_touch(l->reactor, l->sub);
	return link;
}

static bool wanted(const struct members *members, const struct member_link *link)
{
	const struct member *m = members_find(members, link->node);
	return m && !m->forgotten && strcmp(m->client_endpoint, link->client_endpoint) == 0 &&
	       strcmp(m->notify_endpoint, link->notify_endpoint) == 0;
}

void links_match(struct links *l, const struct members *members, struct node self)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->count; i++) {
		if (wanted(members, l->list[i]))
			l->list[kept++] = l->list[i];
		else
			link_free(l, l->list[i]);
	}
	l->count = kept;
	/* A member that went may have had the endpoint of one that stays (a folder wiped, a server started
	 * again on its ports): the SUB has one connection for both. Connecting again is nothing where there
	 * is one. */
	for (size_t i = 0; i < kept; i++)
		socket_connect(l->sub, l->list[i]->notify_endpoint);
	reactor_touch(l->reactor, l->sub);
	struct member_link **list = realloc(l->list, (members->count + 1) * sizeof(struct member_link *));
	if (!list)
		return;
	l->list = list;
	for (size_t i = 0; i < members->count; i++) {
		const struct member *m = &members->list[i];
		if (m->forgotten || node_equal(m->node, self) || links_to(l, m->node))
			continue;
		struct member_link *link = link_new(l, m);
		if (link)
			l->list[l->count++] = link;
	}
}

void links_close(struct links *l)
{
	for (size_t i = 0; i < l->count; i++)
		link_free(l, l->list[i]);
	free(l->list);
}
