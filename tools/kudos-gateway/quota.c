/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PROBES 16 /* places that an address may have */

struct quota_place {
	struct address address; /* all 0: free */
	double left;		/* requests, at that time */
	int64_t at;
	unsigned connections;
};

bool quota_init(struct quota *q, int rate, int connections)
{
	*q = (struct quota){.rate = rate, .connections = connections};
	if (rate == 0 && connections == 0)
		return true;
	if (getrandom(&q->seed, sizeof q->seed, 0) != sizeof q->seed)
		return false;
	q->places = calloc(QUOTA_ADDRESSES, sizeof *q->places);
	return q->places != NULL;
}

void quota_deinit(struct quota *q)
{
	free(q->places);
	q->places = NULL;
}

static struct address network(const struct address *a)
{
	struct address n = *a;
	if (!IN6_IS_ADDR_V4MAPPED(&n.ip))
		memset(&n.ip.s6_addr[8], 0, 8);
	return n;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static uint64_t hash(const struct quota *q, const struct address *a)
{
	uint64_t halves[2];
	memcpy(halves, &a->ip, sizeof halves);
	return mix(mix(q->seed ^ halves[0]) ^ halves[1]);
}

/* How many requests it could make at once now. */
static double room(const struct quota *q, const struct quota_place *p, int64_t now)
{
	double left = p->left + (double)(now - p->at) * q->rate / 1000;
	return left > q->rate ? q->rate : left;
}

/* Its place; when it has none yet and make is set, one that is free or is taken for it. NULL: none. */
static struct quota_place *place_of(struct quota *q, const struct address *wanted, int64_t now, bool make)
{
	static const struct address nobody;
	struct address a = network(wanted);
	uint64_t h = hash(q, &a);
	struct quota_place *best = NULL;
	for (unsigned i = 0; i < PROBES; i++) {
		struct quota_place *p = &q->places[(h + i) & (QUOTA_ADDRESSES - 1)];
		if (address_equal(&p->address, &a))
			return p;
		if (p->connections == 0 && (!best || (!address_equal(&best->address, &nobody) &&
						      (address_equal(&p->address, &nobody) ||
						       room(q, p, now) > room(q, best, now)))))
			best = p;
	}
	if (!make || !best)
		return NULL;
	*best = (struct quota_place){.address = a, .left = q->rate, .at = now};
	return best;
}

bool quota_request(struct quota *q, const struct address *a, int64_t now)
{
	if (q->rate == 0)
		return true;
	struct quota_place *p = place_of(q, a, now, true);
	if (!p)
		return false;
	p->left = room(q, p, now);
	p->at = now;
	if (p->left < 1)
		return false;
	p->left -= 1;
	return true;
}

bool quota_has_connection(struct quota *q, const struct address *a, int64_t now)
{
	if (q->connections == 0)
		return true;
	struct quota_place *p = place_of(q, a, now, true);
	return p && p->connections < (unsigned)q->connections;
}

void quota_connected(struct quota *q, const struct address *a, int64_t now)
{
	struct quota_place *p = q->connections ? place_of(q, a, now, true) : NULL;
	if (p)
		p->connections++;
}

void quota_disconnected(struct quota *q, const struct address *a)
{
	struct quota_place *p = q->connections ? place_of(q, a, 0, false) : NULL;
	if (p && p->connections)
		p->connections--;
}
