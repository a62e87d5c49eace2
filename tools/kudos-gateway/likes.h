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
	/* Those whose likes libkudos has not taken yet, for want of room. */
	struct likes_request *queue, **queue_end;
	/* A ring: whose like has the ticket base + i. NULL: resolved, or nobody waits. */
	struct likes_request **owners;
	size_t head, count, capacity;		  /* capacity is a power of two */
	size_t waiting;				  /* likes without a result, whoever has them */
	bool room;				  /* there may be some again since the last likes_send() */
	uint64_t base;				  /* the ticket at head */
	uint64_t acknowledged, refused, in_doubt; /* since the start */
};

void likes_init(struct likes *likes, kudos *handle);
void likes_deinit(struct likes *likes);
/* Hands over to libkudos what it has room for. */
void likes_send(struct likes *likes);
void likes_result(struct likes *likes, const struct kudos_result *result);

#endif
