/* SPDX-License-Identifier: MIT */
/* A message authentication code: who does not have the secret cannot make it, nor tell one from a random
 * number. SipHash-2-4 (Aumasson and Bernstein 2012) by libsodium: made for short messages, tens of
 * nanoseconds each. */
#ifndef BASE_MAC_H
#define BASE_MAC_H

#include <stdint.h>

#define MAC_SECRET 16 /* bytes */

/* Of the two numbers, laid out little-endian: all machines must agree. */
uint64_t mac_pair(const uint8_t secret[MAC_SECRET], uint64_t a, uint64_t b);

#endif
