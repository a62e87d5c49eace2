/* SPDX-License-Identifier: MIT */
/* POST /v1/likes: likes that are on their way to the cluster, and who is to be told. */
#ifndef GATEWAY_LIKES_H
#define GATEWAY_LIKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kudos.h"

struct likes_request;

struct likes {
	kudos *handle;
	/* Those whose likes libkudos has not got yet: they are held while others are on their way, or it has
	 * no room.
	 */
	struct likes_request *queue, **queue_end;
	/* A ring: whose like has the ticket base + i. NULL: resolved, or nobody waits. */
	struct likes_request **owners;
	size_t head, count, capacity; /* capacity is a power of two */
	size_t waiting;		      /* likes without a result, whoever has them */
	int64_t sent_at;	      /* the last that libkudos got */
	bool room;		      /* they may go since a result came after the last likes_send() */
	uint64_t base;		      /* the ticket at head */
	uint64_t acknowledged, refused, in_doubt; /* since the start */
};

void likes_init(struct likes *likes, kudos *handle);
void likes_deinit(struct likes *likes);
/* Hands over to libkudos what is not held and what it has room for. */
void likes_send(struct likes *likes);
void likes_result(struct likes *likes, const struct kudos_result *result);

#endif
