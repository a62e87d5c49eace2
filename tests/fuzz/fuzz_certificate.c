/* SPDX-License-Identifier: MIT */
/* Certificates: whatever is in the file, what comes out is a key that libzmq would have written, or nothing.
 */
#include <stdint.h>
#include <string.h>
#include <zmq.h>

#include "kudos.h"
#include "net/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certificate c;
	uint8_t key[32];
	int e = certificate_parse(&c, (const char *)data, size);
	if (e != 0 && e != KUDOS_BAD_CERTIFICATE)
		__builtin_trap();
	if (e == 0 && (strlen(c.public_key) != KEY_TEXT || !zmq_z85_decode(key, c.public_key) ||
		       c.role > ROLE_SERVER || strlen(c.name) > LIMIT_NAME))
		__builtin_trap();
	return 0;
}
