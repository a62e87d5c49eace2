/* SPDX-License-Identifier: MIT */
/* How long a session may rest before servers close it. Whoever asks for one that is to last says so when it
 * is given, and its name says it ever after: a leader issues sessions under several issuers, one for each
 * class of lifetimes, told by the upper bits of the issuer's id. So every server knows, though it never heard
 * of the session.
 *
 *   issuer   [ class 3 bits | the id of the leader's incarnation, or the server's origin, without its upper 3
 * ] */
#ifndef CORE_LIFETIME_H
#define CORE_LIFETIME_H

#include <stdint.h>

#define LIFETIME_CLASSES 4
#define LIFETIME_BITS 61
#define LIFETIME_USUAL 600 /* seconds */

/* In units of the usual time, ten minutes: that, an hour, a day, a week. */
static inline unsigned lifetime_factor(unsigned class)
{
	static const unsigned factors[LIFETIME_CLASSES] = {1, 6, 144, 1008};
	return factors[class];
}

/* Ids from before there were classes may have any upper bits. */
static inline unsigned lifetime_class(uint64_t issuer)
{
	return issuer >> LIFETIME_BITS < LIFETIME_CLASSES ? (unsigned)(issuer >> LIFETIME_BITS) : 0;
}

/* The class that lasts at least so many seconds; beyond the longest: that. */
static inline unsigned lifetime_class_for(uint64_t seconds)
{
	unsigned class = 0;
	while (class + 1 < LIFETIME_CLASSES && (uint64_t)LIFETIME_USUAL * lifetime_factor(class) < seconds)
		class ++;
	return class;
}

static inline uint64_t lifetime_issuer(uint64_t id, unsigned class)
{
	uint64_t rest = id & ((UINT64_C(1) << LIFETIME_BITS) - 1);
	return (uint64_t) class << LIFETIME_BITS | (rest ? rest : 1);
}

/* How long a session of that issuer may rest; usual: the time of most. */
static inline int64_t lifetime_of(uint64_t issuer, int64_t usual)
{
	return usual * (int64_t)lifetime_factor(lifetime_class(issuer));
}

#endif
