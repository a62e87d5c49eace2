/* SPDX-License-Identifier: MIT */
#include "server/out.h"

static bool encode(struct out *o, const struct message *m)
{
	bytes_clear(&o->bytes);
	message_encode(m, &o->bytes);
	return !bytes_failed(&o->bytes);
}

void out_peer(struct out *o, struct node peer, const struct message *m)
{
	if (encode(o, m))
		o->io.send_peer(o->io.arg, peer, o->bytes.data, o->bytes.size);
}

void out_leader(struct out *o, size_t leader, const struct message *m)
{
	if (encode(o, m))
		o->io.send_leader(o->io.arg, leader, o->bytes.data, o->bytes.size);
}

bool out_publish(struct out *o, const void *topic, size_t topic_size, const struct message *m)
{
	if (!encode(o, m))
		return false;
	o->io.publish(o->io.arg, topic, topic_size, o->bytes.data, o->bytes.size);
	return true;
}

struct message out_hello(struct node self)
{
	return (struct message){.type = MESSAGE_HELLO,
				.hello = {.version = PROTOCOL_VERSION, .is_server = true, .node = self}};
}

struct message out_members(struct node self, const struct members *members)
{
	return (struct message){
	    .type = MESSAGE_MEMBERS,
	    .members = {.from = self, .rows = members->list, .row_count = members->count}};
}
