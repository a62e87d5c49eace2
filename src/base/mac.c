/* SPDX-License-Identifier: MIT */
#include "base/mac.h"

#include <endian.h>
#include <string.h>

#include <sodium/crypto_shorthash.h>

_Static_assert(MAC_SECRET == crypto_shorthash_KEYBYTES, "SipHash's key");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "SipHash's result");

uint64_t mac_pair(const uint8_t secret[MAC_SECRET], uint64_t a, uint64_t b)
{
	uint64_t in[2] = {htole64(a), htole64(b)}, out;
	crypto_shorthash((unsigned char *)&out, (const unsigned char *)in, sizeof in, secret);
	return le64toh(out);
}
